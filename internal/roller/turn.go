package roller

import (
	"encoding/json"
	"errors"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// begin makes the record of the roll, or goes on with an inherited one.
func (o *owner) begin(snap rollout.Snapshot, inherited *rollout.Record) {
	open := rollout.Opening{Spec: o.q.Spec, Snapshot: snap, Target: o.target, Inherited: inherited, Epoch: o.lease.Epoch, TookOver: o.tookOver()}
	if in := o.lease.Inherited; inherited != nil && inherited.Epoch == in.Epoch {
		open.Written = in.Updated // else its last owner never got to writing one of its own
	}
	if last := o.lease.Last; last != nil {
		var rec rollout.Record
		if json.Unmarshal(last.Record, &rec) == nil { // else there is nothing to learn from it
			open.Known = rec.Typical
		}
	}
	o.rec = rollout.Begin(open)
	if inherited == nil {
		snap.Typical = snap.Typical.Or(open.Known)
		o.rec.Foreseen = rollout.Predict(o.q.Spec, snap, o.target).Duration
	}
}

// overtaken says whether the roll that was waited for leaves nothing to roll: it
// has made the group current, or its failure is why this one must not begin.
func (o *owner) overtaken(snap rollout.Snapshot) (report Report, over bool, err error) {
	a := rollout.Assess(o.q.Spec, snap, o.target)
	if !a.Converged {
		held, err := o.held(o.ctx, o.q, o.target)
		if err == nil && held.why == "" {
			return Report{}, false, nil
		}
		_ = o.handBack() // who comes next waits for it otherwise
		return Report{}, true, quarantined(o.q.Group, held, err)
	}
	report = Report{Outcome: rollout.Succeeded, From: a.Found, To: o.target, Warnings: o.warnings}
	if err := o.handBack(); err != nil {
		report.Warnings = append(report.Warnings, "the journal could not be closed: "+asg.Plain(err))
	}
	o.say(rollout.Note{Text: "nothing is left to roll"})
	return report, true, nil
}

// tooLate ends a roll that had not begun when its window was over.
func (o *owner) tooLate(why string) (Report, error) {
	report := Report{Outcome: rollout.Paused, To: o.target, Closed: true, Warnings: append(o.warnings, why)}
	if err := o.handBack(); err != nil {
		report.Warnings = append(report.Warnings, "the journal could not be closed: "+asg.Plain(err))
	}
	o.say(rollout.Note{Text: why})
	return report, nil
}

// yield gives the lease back of a roll that broke off rather than ended: a
// successor need not wait for one that nobody uses any more. When this does not
// work either, it waits. What broke it off is given back, or who took it over:
// a lease that had run out tells so only now.
func (o *owner) yield(why error) error {
	err := o.handBack()
	var lost *journal.LostError
	if errors.As(err, &lost) {
		return err
	}
	return why
}

// handBack closes the lease. One that had not begun leaves things as they were
// before, for its empty record would pass for that of a roll.
func (o *owner) handBack() error {
	if begun(o.rec) {
		return o.lease.Pause(o.ctx, o.rec.Fit(o.lease.Room()))
	}
	var former any = rollout.Record{Outcome: rollout.Paused, Reason: "it never began"}
	if last := o.lease.Last; last != nil && len(last.Record) > 0 {
		former = last.Record
	}
	return o.lease.Settle(o.ctx, former)
}

// begun tells the record of a roll from that of one which only waited for its
// turn.
func begun(rec rollout.Record) bool { return !rec.Started.IsZero() }

// tellMade tells once of a version that this roll, or the one that it goes on
// with, has made.
func (o *owner) tellMade() {
	if o.told || o.rec.MadeFrom == 0 || o.Made == nil {
		return
	}
	o.told = true
	o.Made(o.ctx, o.rec.Target, o.rec.MadeFrom)
}
