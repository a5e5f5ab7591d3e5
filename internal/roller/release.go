package roller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Settlement is what [Roller.Settle] found of a group and left of it.
type Settlement struct {
	// Found is what the journal had; the zero value when there was no roll.
	Found journal.Entry
	// Nothing tells that no roll had anything left, and nothing was done.
	Nothing bool
	// Left is what could not be put back yet, for people. It stays on record, so
	// that the next owner can; empty: everything is in order.
	Left []string
}

// Settle puts back what an unfinished roll of the group has left (suspended
// processes, the pointer, surge of ours), and says what that was. It never
// replaces members. It waits up to lockTimeout for somebody who is rolling the
// group. Errors: an [*Error], whose cause is [ErrNotFound] where the group is
// gone, and [*journal.HeldError] where somebody else has it.
func (r *Roller) Settle(ctx context.Context, group string, lockTimeout time.Duration) (Settlement, error) {
	q := Request{Group: group, Spec: rollout.Defaults(), LockTimeout: lockTimeout}
	o := &owner{Roller: r, q: q, ctx: context.WithoutCancel(ctx), stop: ctx}
	snap, err := o.look(rollout.Everything(o.q.Spec))
	if err != nil {
		return Settlement{}, o.explain(err)
	}
	entry, found, err := r.Journal.Peek(ctx, snap.Group.ARN)
	if err != nil {
		return Settlement{}, o.explain(err)
	}
	s := Settlement{Found: entry, Nothing: !found || entry.State == journal.Settled}
	if s.Nothing {
		return s, nil
	}
	o.target = snap.Group.Points
	if s.Left, err = o.release(snap); err == nil {
		return s, nil
	}
	if o.lease != nil && !o.rec.Started.IsZero() {
		// Nobody should have to wait for a lease that is not used any more.
		_ = o.lease.Pause(o.ctx, o.rec.Fit(o.lease.Room()))
	}
	return s, o.explain(err)
}

// release takes the lease, comes to a safe point, gives the lease back, and
// says what is left.
func (o *owner) release(snap rollout.Snapshot) (left []string, err error) {
	inherited, snap, err := o.inherit(snap, nil)
	if err != nil {
		return nil, err
	}
	if inherited == nil {
		// Its owner died before it wrote a record, so it changed nothing; or it
		// came to its end meanwhile.
		var rec any = rollout.Record{Outcome: rollout.Paused}
		if last := o.lease.Last; last != nil && len(last.Record) > 0 {
			rec = last.Record
		}
		return nil, o.lease.Settle(o.ctx, rec)
	}
	// The roll's own target, so that its members are known for what they are.
	o.rec = rollout.Begin(rollout.Opening{Spec: o.q.Spec, Snapshot: snap, Target: inherited.Target, Inherited: inherited, Epoch: o.lease.Epoch, Written: o.lease.Inherited.Updated, TookOver: o.tookOver()})
	o.deadline = "what it left is put back"
	// Members have to prove anew to this owner that they are healthy before
	// others may go; and a step that could not be made is tried again.
	until := o.Clock.Now().Add(o.q.Spec.MinHealthyTime + time.Minute)
	for {
		d := rollout.Decide(rollout.Input{Spec: o.q.Spec, Snapshot: snap, Record: o.rec, Memory: o.mem, Stop: o.deadline})
		o.rec, o.mem = d.Record, d.Memory
		if _, err := o.act(d.Steps); err != nil {
			return nil, err
		}
		if left = o.owed(); len(left) == 0 || o.stop.Err() != nil || !o.Clock.Now().Before(until) || o.ending() {
			break
		}
		if err := o.nap(o.q.Spec.Poll); err != nil {
			return nil, err
		}
		if snap, err = o.look(rollout.Everything(o.q.Spec)); err != nil {
			return nil, err
		}
	}
	o.rec.Outcome = rollout.Paused
	if len(left) > 0 {
		return left, o.lease.Pause(o.ctx, o.rec.Fit(o.lease.Room()))
	}
	return nil, o.lease.Settle(o.ctx, o.rec.Fit(o.lease.Room()))
}

// farewell is what it takes to write down what is left and give the lease back.
const farewell = 30 * time.Second

// ending says whether the credentials are about to expire. With them the lease
// could not be given back, and who comes next would have to outwait it.
func (o *owner) ending() bool {
	if o.Expires == nil {
		return false
	}
	at := o.Expires(o.ctx)
	return !at.IsZero() && at.Sub(o.Clock.Now()) < farewell
}

// owed says for people what of a roll's own doing is still there.
func (o *owner) owed() []string {
	var out []string
	if len(o.rec.Suspended) > 0 {
		out = append(out, "suspended: "+strings.Join(slices.Sorted(maps.Keys(o.rec.Suspended)), ", "))
	}
	if o.rec.Surge > 0 {
		out = append(out, fmt.Sprintf("members more than the group wants: %d", o.rec.Surge))
	}
	if h := o.rec.Headroom; h != nil {
		out = append(out, fmt.Sprintf("max size: %d, raised from %d", h.Set, h.Found))
	}
	if r := o.rec.Refresh; r.Running() {
		out = append(out, fmt.Sprintf("instance refresh %s: %s", r.ID, r.Status))
	}
	if n := len(o.rec.Intents); n > 0 {
		out = append(out, fmt.Sprintf("calls that have not shown an effect yet: %d", n))
	}
	return out
}
