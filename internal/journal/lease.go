package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// AcquireOptions say how long to wait for a lease that somebody else holds.
type AcquireOptions struct {
	// Timeout is how long to wait for it to become free. Zero does not wait.
	// Less than TTL + Grace never outwaits an owner on another machine that
	// died without a word.
	Timeout time.Duration
	// OnWait, if set, is called with each look (every Poll) that finds the
	// lease held, before waiting on.
	OnWait func(held Entry)
	// First, if set, gives the record that a free lease is claimed with, so that
	// what is to be done first needs no write of its own; nil: none. It is asked
	// just before the claim, of a lease that is not ours yet, and again when
	// somebody else was faster. An unfinished entry is always inherited as it is.
	First func(l *Lease) any
}

// Lease is the right to act on one group, until it is closed, lost or not
// renewed in time. It is safe for concurrent use; writes run one at a time.
type Lease struct {
	// Group, ARN and Epoch say what is leased.
	Group, ARN string
	Epoch      int64
	// Nonce is unique to this lease. Make idempotency tokens from it: an epoch
	// alone comes again when a person deleted the entries.
	Nonce string
	// Inherited is the unfinished entry that this lease took over (running or
	// paused), nil when there was none or it was settled.
	Inherited *Entry
	// Last is the newest entry found, settled or not; nil: there was none. What
	// a former roll learnt about the group is in its record.
	Last *Entry
	// SettleWait is how much longer calls of the previous owner may be landing:
	// wait that long, then reconcile Inherited, then act. Zero after an orderly
	// pause or end, and where Acquire has waited for it already.
	SettleWait time.Duration

	j     *Journal
	key   string
	owner Owner

	writing sync.Mutex // held over a whole write; guards the next three
	mark    mark
	older   []oldEpoch
	checked bool // every write looks for a newer epoch from now on

	mu      sync.Mutex // guards what follows; never held over a call
	seq     int64
	sent    time.Time // when the last write that landed was sent
	closing bool
	lost    error
}

// Write stores record (anything that encodes to JSON) as the state of the roll
// and renews the lease: one write serves as intent and as heartbeat. Intents
// must be written before the calls they announce.
//
// Errors: [*TooLargeError], before anything was sent, which leaves the lease as
// it was; [*LostError] when another owner has taken over: stop at once;
// [*DeniedError]; anything else: the write may or may not have landed, the lease
// is not renewed, and writing again settles which.
func (l *Lease) Write(ctx context.Context, record any) error {
	return l.write(ctx, Running, record, 0)
}

// Pause stores record, which has work left, and gives the lease up. From the
// call on [Lease.Check] fails, whatever the outcome. Errors as for
// [Lease.Write]; after one, Pause or Settle may be called again.
func (l *Lease) Pause(ctx context.Context, record any) error {
	return l.write(ctx, Paused, record, 0)
}

// Settle stores record, which has nothing left to do and should be small, gives
// the lease up, and removes epochs that ended more than a day ago. Otherwise it
// is as [Lease.Pause].
func (l *Lease) Settle(ctx context.Context, record any) error {
	return l.write(ctx, Settled, record, 0)
}

// Check says whether the owner may make a call now: nil while less than TTL has
// passed since the last write that landed was sent. It asks nobody, so it is
// for before every call that changes something. Errors: [*ExpiredError], which
// a successful [Lease.Write] cures; [*LostError] and [ErrClosed], which nothing
// does.
func (l *Lease) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch age := elapsed(l.sent, l.j.clock.Now()); {
	case l.lost != nil:
		return l.lost
	case l.closing:
		return ErrClosed
	case age >= l.j.opts.TTL:
		return &ExpiredError{Group: l.Group, Age: age, TTL: l.j.opts.TTL}
	}
	return nil
}

// Due is when the next write is due as a heartbeat, on the store's clock.
func (l *Lease) Due() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent.Add(l.j.opts.Heartbeat)
}

// Room is how many bytes a record of this group may have; see [Journal.Room].
func (l *Lease) Room() int { return l.j.Room(l.ARN) }

// write stores one entry and learns from the answer. took is said at stored.
func (l *Lease) write(ctx context.Context, s State, record any, took int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	body, sent, again, err := l.prepare(s, record, took)
	if err != nil {
		return err
	}
	// A closing entry lets others in at once. If this is not the first one, only
	// a look tells whether somebody came since.
	l.checked = l.checked || again
	m, err := l.j.store.chain.replace(ctx, l.mark, body)
	l.mark = m
	if blind, ok := l.j.store.chain.(blindChain); ok && err == nil {
		// Once late, always checked: why is said at ssmChain.
		if l.checked = l.checked || l.late(); l.checked {
			err = blind.overtaken(ctx, l.mark)
		}
	}
	if errors.Is(err, errTaken) {
		return l.lose(ctx)
	}
	if err != nil {
		return fmt.Errorf("write the journal of group %s: %w", l.Group, err)
	}
	l.mu.Lock()
	l.sent = sent
	l.mu.Unlock()
	if s == Settled {
		l.prune(ctx)
	}
	return nil
}

// prepare encodes the next entry and takes its sequence number. A number is
// never used twice, even when its write failed: that write may have landed.
// again says that a closing entry was sent before.
func (l *Lease) prepare(s State, record any, took int64) (body []byte, sent time.Time, again bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost != nil {
		return nil, sent, false, l.lost
	}
	if l.closing && s == Running {
		return nil, sent, false, ErrClosed
	}
	sent = l.j.clock.Now()
	if elapsed(l.sent, sent) > keepEpochs/2 {
		// The epochs that would tell that we were overtaken may be gone soon.
		l.lost = &LostError{Group: l.Group, Epoch: l.Epoch}
		return nil, sent, false, l.lost
	}
	raw, err := l.encode(record)
	if err != nil {
		return nil, sent, false, err
	}
	e := Entry{
		Group: l.Group, ARN: l.ARN, Epoch: l.Epoch, Seq: l.seq + 1,
		Owner: l.owner, State: s, Record: raw, Updated: sent,
	}
	var at int64
	if _, blind := l.j.store.chain.(blindChain); blind {
		at = l.mark.version + 1
	}
	if body, err = e.encode(took, at); err != nil {
		return nil, sent, false, fmt.Errorf("encode the journal of group %s: %w", l.Group, err)
	}
	l.seq++
	again, l.closing = l.closing, l.closing || s != Running
	return body, sent, again, nil
}

// encode is a record as it is stored; nil for none.
func (l *Lease) encode(record any) (json.RawMessage, error) {
	raw, err := encodeRecord(record)
	if err != nil {
		return nil, fmt.Errorf("encode the record of group %s: %w", l.Group, err)
	}
	if room := l.Room(); len(raw) > room {
		return nil, &TooLargeError{What: "record of group " + l.Group, Size: len(raw), Room: room, Store: l.j.store.String()}
	}
	return raw, nil
}

// late says whether the write that was just answered came after the lease had
// run out, so that a taker could have seen it missing.
func (l *Lease) late() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return elapsed(l.sent, l.j.clock.Now()) >= l.j.opts.TTL
}

// lose ends the lease, naming who has it now if that can be read.
func (l *Lease) lose(ctx context.Context) error {
	lost := &LostError{Group: l.Group, Epoch: l.Epoch}
	if e, ok, err := l.j.Peek(ctx, l.ARN); err == nil && ok && e.Owner.Nonce != l.Nonce {
		lost.By = &e
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = lost
	return lost
}

// prune removes epochs that nobody needs any more. It is housekeeping: a
// failure only leaves them for the next owner.
func (l *Lease) prune(ctx context.Context) {
	if names := prunable(l.older, l.j.clock.Now()); len(names) > 0 {
		_ = l.j.store.chain.remove(ctx, l.key, names)
	}
}

// elapsed is the longer of what the monotonic and the wall clock say passed
// between two instants. The monotonic one stands still while a laptop sleeps,
// the wall clock can be set back; an owner must believe the worse.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}
