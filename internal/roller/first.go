package roller

import (
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// decideFirst takes the first decision of a new roll just before its lease is
// claimed, and gives the record to claim it with, so that its steps need no
// write of their own; nil where the roll cannot begin on this look.
func (o *owner) decideFirst(snap rollout.Snapshot, l *journal.Lease) any {
	o.first = nil
	o.lease = l // to begin with; it is not ours yet
	defer func() { o.lease, o.rec = nil, rollout.Record{} }()
	if o.q.Lock.Key != "" || o.tooSoon() > 0 || o.Clock.Now().Sub(snap.At) >= lagging {
		return nil
	}
	o.begin(snap, nil)
	d := o.decide(snap)
	if len(d.Steps) == 0 || d.Ending != nil {
		return nil
	}
	o.first = &d
	return rollout.Intend(d.Record, d.Steps).Fit(l.Room())
}

// next is what to do now: what was decided before the lease was claimed, or else
// what the rule says of a look.
func (o *owner) next(snap rollout.Snapshot) rollout.Decision {
	if o.first != nil {
		return *o.first
	}
	return o.decide(snap)
}

// decide asks the rule what to do now.
func (o *owner) decide(snap rollout.Snapshot) rollout.Decision {
	return rollout.Decide(rollout.Input{
		Spec: o.q.Spec, Snapshot: snap, Record: o.rec, Memory: o.mem, Stop: o.stopReason(), Hurry: o.stop.Err() != nil, Closing: o.q.Closing,
	})
}

// announce writes the steps down before they are made, in one write, unless
// what is on record stands for them already. It reports false when the journal
// could not be written for now.
func (o *owner) announce(steps []rollout.Step) (bool, error) {
	intended := rollout.Intend(o.rec, steps)
	announced := o.first != nil
	o.first = nil
	if !announced && !rollout.Standing(o.rec, steps) {
		if err := o.lease.Write(o.ctx, intended.Fit(o.lease.Room())); err != nil {
			return false, o.endure(&o.writing, err, o.q.Spec.Poll)
		}
		o.recovered(&o.writing)
	}
	o.rec = intended
	o.keepLock()
	return true, nil
}
