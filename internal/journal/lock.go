package journal

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// MostHolders is how many groups at most may share a lock at a time. A waiter
// looks at every slot each time, and Parameter Store is slow.
const MostHolders = 5

// lockKey is what a lock may be called: what people can say on the phone, and
// what reads well in messages.
var lockKey = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ValidLockKey says whether a lock may have this key: 1 to 64 letters, digits,
// '.', '_' and '-'.
func ValidLockKey(key string) bool { return lockKey.MatchString(key) }

// LockRequest asks for one of the slots of a lock.
type LockRequest struct {
	// Key names the lock; see [ValidLockKey]. It means the same to everybody
	// who uses the same store: SSM parameters of one account and region, or a
	// bucket and prefix.
	Key string
	// MaxHolders is how many slots there are for this holder, 1 to
	// [MostHolders]. Where holders differ, each keeps to its own first slots.
	MaxHolders int
	// Group is the group that is to be rolled, for those who wait.
	Group string
	// Timeout is how long to wait for a slot. Zero does not wait. Less than
	// TTL + Grace never outwaits a holder on another machine that died without
	// a word.
	Timeout time.Duration
	// OnWait, if set, is told at each look (every Poll) who holds the slots. An
	// error ends the wait with it.
	OnWait func(held []Holder) error
}

// Holder is who holds a slot of a lock.
type Holder struct {
	Slot  int       // 1 and up
	Group string    // the group that is rolled
	Owner Owner     // by whom, and since when
	Seen  time.Time // its last sign of life, by its own wall clock
}

// Lock is a held slot of a lock, until it is released, lost or not renewed in
// time. It is safe for concurrent use.
//
// A slot is an ordinary lease, on the synthetic name locks/<key>/<slot> in place
// of a group's ARN: what makes it safe against owners that die, freeze or come
// back late is the lease's. The difference is only that a slot has no record,
// so there is nothing to inherit, and that it is always settled, never paused.
type Lock struct {
	Key  string
	Slot int

	lease *Lease
}

// Lock takes a slot of a lock, waiting up to q.Timeout while all are held. It
// costs two calls when the first slot that it tries is free.
//
// It tries the highest slot first: that leaves the lower ones to groups that
// may use no others. Who waits is not queued; of several that wait, the first
// to look after a release gets the slot.
//
// Errors: [*LockedError] when none became free; that of q.OnWait; those of
// [Journal.Acquire] but [*HeldError].
func (j *Journal) Lock(ctx context.Context, q LockRequest) (*Lock, error) {
	if !ValidLockKey(q.Key) || q.MaxHolders < 1 || q.MaxHolders > MostHolders {
		return nil, fmt.Errorf("lock %q with %d holders: the key takes 1 to 64 letters, digits, '.', '_' and '-', and there are 1 to %d holders",
			q.Key, q.MaxHolders, MostHolders)
	}
	w := &lockWait{j: j, q: q}
	start := j.clock.Now()
	for slot := q.MaxHolders; slot >= 1; slot-- {
		arn := fmt.Sprintf("locks/%s/%d", q.Key, slot)
		w.slots = append(w.slots, slotTaker{slot, &taker{j: j, group: q.Group, arn: arn, key: Key(arn), start: start}})
	}
	for races := 0; ; {
		lock, err := w.look(ctx)
		if lock != nil || err != nil {
			return lock, err
		}
		now := j.clock.Now()
		left := start.Add(q.Timeout).Sub(now)
		if w.raced {
			races++ // somebody got a slot, which the next look shows
		} else {
			races = 0
		}
		if left <= 0 && (races == 0 || races > maxRaces) {
			return nil, &LockedError{
				Key: q.Key, Holders: w.held, Broken: w.broken, Waited: now.Sub(start), Needed: j.opts.TTL + j.opts.Grace,
			}
		}
		if q.OnWait != nil && len(w.held) > 0 {
			if err := q.OnWait(w.held); err != nil {
				return nil, err
			}
		}
		if err := j.clock.Sleep(ctx, w.pause(races, left)); err != nil {
			return nil, err
		}
	}
}

// lockWait is one attempt to get a slot, over several looks.
type lockWait struct {
	j     *Journal
	q     LockRequest
	slots []slotTaker

	// What the last look found.
	held   []Holder
	broken error // a slot that cannot be read; nobody may take it
	raced  bool  // somebody was faster
}

// slotTaker watches one slot. It lives as long as the wait: that a holder is
// gone shows by its entry standing still from one look to another.
type slotTaker struct {
	slot int
	*taker
}

// look tries each slot once, and gives the first that was free.
func (w *lockWait) look(ctx context.Context) (*Lock, error) {
	w.held, w.broken, w.raced = nil, nil, false
	broken := 0
	for _, s := range w.slots {
		lease, held, err := s.try(ctx)
		var newer *NewerError
		var unreadable *UnreadableError
		switch {
		case errors.Is(err, errTaken):
			w.raced = true
		case errors.As(err, &newer), errors.As(err, &unreadable):
			// Who holds it cannot be told, so somebody may.
			w.broken, broken = err, broken+1
		case err != nil:
			return nil, w.failed(err)
		case lease != nil:
			return w.settle(ctx, s.slot, lease)
		default:
			w.held = append(w.held, Holder{Slot: s.slot, Group: held.Group, Owner: held.Owner, Seen: held.Updated})
		}
	}
	if broken == len(w.slots) {
		return nil, w.failed(w.broken)
	}
	return nil, nil
}

// settle lets the last calls of a holder that is gone land before its slot is
// used. That is the grace at most, which is shorter than a lease, so the slot is
// not renewed meanwhile.
func (w *lockWait) settle(ctx context.Context, slot int, lease *Lease) (*Lock, error) {
	l := &Lock{Key: w.q.Key, Slot: slot, lease: lease}
	if err := w.j.clock.Sleep(ctx, lease.SettleWait); err != nil {
		return nil, errors.Join(err, l.Release(context.WithoutCancel(ctx)))
	}
	return l, nil
}

// pause is how long to wait before the next look: after a lost race a little
// while, longer each time, since what is read may lag behind.
func (w *lockWait) pause(races int, left time.Duration) time.Duration {
	next := w.j.opts.Poll
	if races > 0 {
		return min(next, time.Second<<min(races-1, 4))
	}
	now := w.j.clock.Now()
	for _, s := range w.slots {
		if !s.since.IsZero() {
			next = min(next, s.freeIn(now))
		}
	}
	return min(next, left)
}

func (w *lockWait) failed(err error) error {
	return fmt.Errorf("take the lock %q: %w", w.q.Key, err)
}

// Renew keeps the slot; it is due at [Lock.Due]. Errors: [*LockLostError] when
// somebody else has it; anything else: as for [Lease.Write].
func (l *Lock) Renew(ctx context.Context) error { return l.explain(l.lease.Write(ctx, nil)) }

// Check says whether the slot is still ours, and asks nobody. Errors:
// [*LockLostError]; [*ExpiredError], which a successful [Lock.Renew] cures;
// [ErrClosed] after a release.
func (l *Lock) Check() error { return l.explain(l.lease.Check()) }

// Due is when the next renewal is due, on the store's clock.
func (l *Lock) Due() time.Time { return l.lease.Due() }

// Release gives the slot back. After an error it may be called again; if it
// never succeeds, the slot is free once nothing was heard for TTL + Grace.
func (l *Lock) Release(ctx context.Context) error { return l.explain(l.lease.Settle(ctx, nil)) }

// explain says of a lease's error that it is about the lock.
func (l *Lock) explain(err error) error {
	var lost *LostError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &lost):
		e := &LockLostError{Key: l.Key}
		if lost.By != nil {
			e.By = &Holder{Slot: l.Slot, Group: lost.By.Group, Owner: lost.By.Owner, Seen: lost.By.Updated}
		}
		return e
	}
	return fmt.Errorf("hold the lock %q: %w", l.Key, err)
}
