package roller

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Lock keeps groups that share a key from rolling at the same time. The zero
// value is no lock.
type Lock struct {
	Key string // see [journal.ValidLockKey]; empty: no lock
	// MaxHolders is how many groups may roll at a time, 1 to
	// [journal.MostHolders]. A group with a smaller number than others shares
	// only that many slots with them.
	MaxHolders int
}

// problems says what is wrong with a lock, by attribute.
func (l Lock) problems() []rollout.Problem {
	var p []rollout.Problem
	if l.Key == "" {
		return nil
	}
	if !journal.ValidLockKey(l.Key) {
		p = append(p, rollout.Problem{Field: "lock.key", Text: "takes 1 to 64 letters, digits, '.', '_' and '-'"})
	}
	if l.MaxHolders < 1 || l.MaxHolders > journal.MostHolders {
		p = append(p, rollout.Problem{Field: "lock.max_holders", Text: fmt.Sprintf("is %d; give 1 to %d", l.MaxHolders, journal.MostHolders)})
	}
	return p
}

// takeLock takes a slot of the request's lock, if it has one, and says whether
// that took time. left is how long it may wait.
//
// A roll takes its group's lease first and then at most one slot, and gives
// both back at its end. This cannot deadlock: who waits for a lease holds
// nothing; who waits for a slot holds one lease, whose waiters hold nothing; and
// who holds a slot waits for nothing any more. So every chain of waiting ends,
// after two steps, at somebody who is rolling. In the other order a second roll
// of one group would sit on a slot while it can do nothing with it.
func (o *owner) takeLock(left time.Duration) (waited bool, err error) {
	if o.q.Lock.Key == "" {
		return false, nil
	}
	var told string
	o.slot, err = o.Journal.Lock(o.stop, journal.LockRequest{
		Key: o.q.Lock.Key, MaxHolders: o.q.Lock.MaxHolders, Group: o.q.Group, Timeout: max(left, 0),
		OnWait: func(held []journal.Holder) error {
			waited = true
			if who := fmt.Sprintf("waiting for the lock %q, held by %s", o.q.Lock.Key, holders(held)); who != told {
				told = who
				o.say(rollout.Note{Text: who})
				return o.beat() // those who watch this group want to know, too
			}
			return o.keep()
		},
	})
	if err != nil {
		return waited, err
	}
	if waited {
		o.say(rollout.Note{Text: fmt.Sprintf("got the lock %q", o.q.Lock.Key)})
	}
	return waited, o.keep()
}

func holders(held []journal.Holder) string {
	var who []string
	for _, h := range held {
		who = append(who, h.String())
	}
	return strings.Join(who, "; and by ")
}

// due is when the next heartbeat is due: the lease's or the slot's. A slot
// that is gone is not renewed; the roll is on its way to a safe point.
func (o *owner) due() time.Time {
	due := o.lease.Due()
	if o.slot != nil && o.slot.Check() == nil && o.slot.Due().Before(due) {
		return o.slot.Due()
	}
	return due
}

// keep renews the slot and the lease if that is due.
func (o *owner) keep() error {
	o.keepLock()
	if o.Clock.Now().Before(o.lease.Due()) {
		return nil
	}
	return o.beat()
}

// keepLock renews the slot if that is due. An error need not be handled here:
// whether the slot is still ours is asked before it matters.
func (o *owner) keepLock() {
	if o.slot == nil || o.slot.Check() != nil || o.Clock.Now().Before(o.slot.Due()) {
		return
	}
	if err := o.slot.Renew(o.ctx); err != nil {
		o.say(rollout.Note{Warn: true, Text: asg.Plain(err)})
	}
}

// lockGone says why the roll must stop because of its lock; empty: it need not.
func (o *owner) lockGone() string {
	if o.slot == nil {
		return ""
	}
	if err := o.slot.Check(); err != nil {
		return asg.Plain(err)
	}
	return ""
}

// barred says that a step must not be made because the lock is gone: it would
// launch or take members beside a group that rolls now. What only shrinks our
// surge or puts things back is allowed.
func (o *owner) barred(s rollout.Step) bool {
	grows := s.Kind == rollout.Launch || s.Kind == rollout.Raise || s.Kind == rollout.End && !s.Decrement ||
		s.Kind == rollout.StepRefresh && s.Refresh.Op == rollout.StartRefresh
	return grows && o.lockGone() != ""
}

// unlock gives the slot back, and warns if that fails; then it becomes free by
// itself.
func (o *owner) unlock() (warnings []string) {
	if o.slot == nil {
		return nil
	}
	var lost *journal.LockLostError
	if err := o.slot.Release(o.ctx); err != nil && !errors.As(err, &lost) {
		text := fmt.Sprintf("the lock %q could not be given back and is free in some minutes: %s", o.q.Lock.Key, asg.Plain(err))
		warnings = append(warnings, text)
		o.say(rollout.Note{Warn: true, Text: text})
	}
	o.slot = nil
	return warnings
}

// locked words that a lock was not to be had.
func locked(e *Error, held *journal.LockedError) {
	e.Happened = Sentence(held.Error())
	e.Next = fmt.Sprintf("Run terraform apply again later, or raise lock_timeout to what the rolls before this one take. "+
		"A holder that is gone frees the lock once nothing was heard of it for %s.", held.Needed)
	if len(held.Holders) > 0 {
		e.Next = fmt.Sprintf("Watch its end with refit-runner watch %s. ", held.Holders[0].Group) + e.Next
	}
}
