package journal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Acquire takes the lease of a group by claiming its next epoch. It waits up to
// o.Timeout while a running owner has it, and takes over at once when the owner
// is a process of this machine that provably exists no more. It costs two calls
// when the lease is free.
//
// Errors: [*HeldError] when it did not become free; [*NewerError],
// [*UnreadableError], [*DeniedError]; ctx.Err(); and what a call gave, after
// retries.
func (j *Journal) Acquire(ctx context.Context, group, arn string, o AcquireOptions) (*Lease, error) {
	t := &taker{j: j, group: group, arn: arn, key: Key(arn), first: o.First, start: j.clock.Now()}
	for {
		lease, held, err := t.try(ctx)
		switch {
		case errors.Is(err, errTaken):
			// Somebody was faster. What was read may also lag behind what is
			// stored, so look again a little later.
			if t.races++; t.races > maxRaces {
				return nil, fmt.Errorf("take the journal of group %s: its newest entry keeps changing", group)
			}
			if err := j.clock.Sleep(ctx, time.Second); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, fmt.Errorf("take the journal of group %s: %w", group, err)
		case lease != nil:
			return lease, nil
		}
		now := j.clock.Now()
		left := t.start.Add(o.Timeout).Sub(now)
		if left <= 0 {
			return nil, &HeldError{Held: held, Waited: now.Sub(t.start), Needed: j.opts.TTL + j.opts.Grace}
		}
		if o.OnWait != nil {
			o.OnWait(held)
		}
		if err := j.clock.Sleep(ctx, min(j.opts.Poll, left, t.freeIn(now))); err != nil {
			return nil, err
		}
	}
}

// maxRaces is how often a claim may find that another owner was faster. Each
// time some owner did get the lease, so it is not reached by bad luck alone.
const maxRaces = 10

// taker is one attempt to get a lease, over several looks.
type taker struct {
	j               *Journal
	group, arn, key string
	first           func(*Lease) any // see [AcquireOptions]; may be nil
	start           time.Time
	races           int

	// The write last seen, and when its answer first came: from then on it was
	// certainly there.
	seen  Entry
	since time.Time
}

// freeIn is how long the entry seen must still stand still.
func (t *taker) freeIn(now time.Time) time.Duration {
	return max(t.since.Add(t.j.opts.TTL+t.j.opts.Grace).Sub(now), time.Second)
}

// try looks once and claims if the lease is free. Otherwise it returns the
// entry that holds it.
func (t *taker) try(ctx context.Context) (*Lease, Entry, error) {
	asked := t.j.clock.Now()
	f, err := t.j.store.chain.newest(ctx, t.key)
	if err != nil {
		return nil, Entry{}, err
	}
	var e Entry
	if f != nil {
		if e, err = f.entry(); err != nil {
			return nil, Entry{}, err
		}
	}
	var settle time.Duration
	inherited, silent := &e, false
	switch still := t.watch(e, asked); {
	case f == nil || e.State == Settled:
		inherited = nil
	case e.State == Paused:
	case e.Owner.gone(t.j.opts.Owner):
		// What the process still had in flight has left the machine already;
		// it only takes a moment to show.
		settle = t.j.opts.Grace / 4
	case still >= t.j.opts.TTL+t.j.opts.Grace:
		settle, silent = t.j.opts.Grace, true
	default:
		return nil, e, nil
	}
	lease, err := t.claim(ctx, f, inherited)
	if err != nil {
		return nil, e, err
	}
	lease.SettleWait = settle
	if silent || elapsed(asked, t.j.clock.Now()) > t.j.opts.Grace {
		err = t.confirm(ctx, lease, silent)
	}
	if err != nil {
		return nil, e, err
	}
	return lease, e, nil
}

// watch notes what a look that was asked for at the given instant found, and
// returns for how long at least it has stood still.
func (t *taker) watch(e Entry, asked time.Time) time.Duration {
	if e.Epoch != t.seen.Epoch || e.Seq != t.seen.Seq || e.Owner.Nonce != t.seen.Owner.Nonce {
		t.seen, t.since = e, t.j.clock.Now()
		return 0
	}
	return asked.Sub(t.since)
}

// claim makes the epoch after prev ours. The first write repeats the inherited
// record, so that it is not lost when we die before our next one; or it is the
// first record of a new roll.
func (t *taker) claim(ctx context.Context, prev *found, inherited *Entry) (*Lease, error) {
	now := t.j.clock.Now()
	l := &Lease{
		Group: t.group, ARN: t.arn, Epoch: 1, Nonce: clip(t.j.opts.Nonce(), maxNonce), Inherited: inherited,
		j: t.j, key: t.key, owner: t.j.opts.Owner, seq: 1, sent: now,
	}
	l.owner.Nonce, l.owner.Since = l.Nonce, now
	e := Entry{Group: t.group, ARN: t.arn, Seq: 1, Owner: l.owner, State: Running, Updated: now}
	if prev != nil {
		l.Epoch, l.older = t.seen.Epoch+1, prev.older
		last := t.seen
		l.Last = &last
	}
	e.Epoch = l.Epoch
	var took, at int64
	switch {
	case inherited != nil:
		e.Record, took = inherited.Record, inherited.Seq
	case t.first != nil:
		var err error
		if e.Record, err = l.encode(t.first(l)); err != nil {
			return nil, err
		}
	}
	if _, blind := t.j.store.chain.(blindChain); blind {
		at = 1
	}
	body, err := e.encode(took, at)
	if err != nil {
		return nil, err
	}
	l.mark, err = t.j.store.chain.claim(ctx, prev, mark{key: t.key, epoch: l.Epoch, nonce: l.Nonce}, body)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// confirm makes sure, on a store where claiming an epoch does not stop the
// owner of the one before, that the claim rests on what is true now.
//
// It may not when we were frozen between the look and the claim. Then a newer
// epoch than ours can exist; the claim is void. Or the owner that was silent
// came back in between: it finds our claim at its next write, or its lease runs
// out. Until then we keep ours alive and do nothing else.
func (t *taker) confirm(ctx context.Context, l *Lease, silent bool) error {
	if _, blind := t.j.store.chain.(blindChain); !blind {
		return nil
	}
	if !silent {
		_, err := t.predecessor(ctx, l)
		return err
	}
	if err := t.j.clock.Sleep(ctx, l.SettleWait); err != nil {
		return err
	}
	l.SettleWait = 0
	took := t.seen
	before, err := t.predecessor(ctx, l)
	if err != nil {
		return err
	}
	if before != nil && before.Seq == took.Seq && before.Owner.Nonce == took.Owner.Nonce {
		return nil
	}
	l.checked = true
	end := t.j.clock.Now().Add(t.j.opts.TTL + t.j.opts.Grace)
	for now := t.j.clock.Now(); now.Before(end); now = t.j.clock.Now() {
		if err := t.j.clock.Sleep(ctx, min(t.j.opts.Heartbeat, end.Sub(now))); err != nil {
			return err
		}
		if err := l.write(ctx, Running, l.Inherited.Record, took.Seq); err != nil {
			return overtakenEarly(err)
		}
	}
	// Its last write may announce a call that it still made.
	if before, err = t.predecessor(ctx, l); err == nil && before != nil {
		l.Inherited, l.Last = before, before
	}
	return err
}

// predecessor reads the epoch before ours; nil when what was read is from
// before our claim and proves nothing. It reports errTaken when ours is not the
// newest.
func (t *taker) predecessor(ctx context.Context, l *Lease) (*Entry, error) {
	f, err := t.j.store.chain.newest(ctx, t.key)
	if err != nil || f == nil {
		return nil, err
	}
	e, err := f.entry()
	switch {
	case err != nil:
		return nil, err
	case e.Epoch > l.Epoch, e.Epoch == l.Epoch && e.Owner.Nonce != l.Nonce:
		return nil, errTaken
	case e.Epoch < l.Epoch:
		return nil, nil
	}
	if before, ok := f.before(); ok {
		return &before, nil
	}
	return nil, nil
}

// overtakenEarly makes a lease lost before it was handed out one more race.
func overtakenEarly(err error) error {
	var lost *LostError
	if errors.As(err, &lost) {
		return errTaken
	}
	return err
}
