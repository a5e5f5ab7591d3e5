package roller

import (
	"context"
	"errors"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Release puts back what an unfinished roll of the group has left (suspended
// processes, the pointer, surge of ours) and never replaces members. A group
// that is gone, or that has nothing left, is success.
func (r *Roller) Release(ctx context.Context, group string) error {
	o := &owner{Roller: r, q: Request{Group: group, Spec: rollout.Defaults()}, ctx: context.WithoutCancel(ctx), stop: ctx}
	snap, err := r.Groups.Observe(ctx, group, everything)
	if errors.Is(err, asg.ErrNotFound) {
		return nil
	}
	if err != nil {
		return o.explain(err)
	}
	entry, found, err := r.Journal.Peek(ctx, snap.Group.ARN)
	if err != nil {
		return o.explain(err)
	}
	if !found || entry.State == journal.Settled {
		return nil
	}
	o.target = snap.Group.Points
	if err := o.release(snap); err != nil {
		return o.explain(err)
	}
	return nil
}

func (o *owner) release(snap rollout.Snapshot) error {
	inherited, snap, err := o.inherit(snap)
	if err != nil || inherited == nil {
		return err
	}
	// The roll's own target, so that its members are known for what they are.
	o.rec = rollout.Begin(rollout.Opening{Spec: o.q.Spec, Snapshot: snap, Target: inherited.Target, Inherited: inherited, Epoch: o.lease.Epoch})
	o.deadline = "the resource was destroyed"
	for range 3 { // a step that could not be made is tried again
		d := rollout.Decide(rollout.Input{Spec: o.q.Spec, Snapshot: snap, Record: o.rec, Memory: o.mem, Stop: o.deadline})
		o.rec, o.mem = d.Record, d.Memory
		if err := o.act(d.Steps); err != nil {
			return err
		}
		if len(o.rec.Suspended) == 0 && o.rec.Surge <= 0 {
			break
		}
		if err := o.nap(o.q.Spec.Poll); err != nil {
			return err
		}
		if snap, err = o.look(everything); err != nil {
			return err
		}
	}
	o.rec.Intents, o.rec.Outcome = nil, rollout.Paused
	return o.lease.Settle(o.ctx, o.rec)
}
