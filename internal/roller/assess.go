package roller

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Assess looks at a group and says what a roll would face, with a forecast. It
// changes nothing. A group where nothing is stale costs the one describe, which
// plans share, and one look into the journal.
func (r *Roller) Assess(ctx context.Context, q Request) (rollout.Assessment, error) {
	snap, err := r.Groups.Observe(ctx, q.Group, rollout.Look{Warm: q.Spec.LooksWarm()})
	if err != nil {
		return rollout.Assessment{}, err
	}
	entry, found, err := r.Journal.Peek(ctx, snap.Group.ARN)
	if err != nil {
		return rollout.Assessment{}, err
	}
	target, err := r.resolve(ctx, q, snap.Group, entry)
	if err != nil {
		return rollout.Assessment{}, err
	}
	theirs := func(s rollout.Snapshot) rollout.Snapshot {
		if !found || entry.State == journal.Settled {
			return s
		}
		return others(entry, s) // an unfinished roll's surge is not what others want
	}
	snap = theirs(snap)
	var last rollout.Record
	if found {
		_ = json.Unmarshal(entry.Record, &last) // else there is nothing to learn from it
	}
	a := rollout.Assess(q.Spec, snap, target)
	a.Known = last.Typical
	if a.Converged {
		if found && entry.State == journal.Paused {
			a.Converged = false
			a.Warnings = append(a.Warnings, "a roll of this group was interrupted and has something left to put back")
		}
		return a, nil
	}
	if found && entry.State == journal.Running {
		a.Warnings = append(a.Warnings, fmt.Sprintf("%s is rolling this group since %s", entry.Owner.Name, entry.Owner.Since.UTC().Format("2006-01-02 15:04 MST")))
	}
	h, err := r.held(ctx, q, target)
	if a.GoingBack = unfinished(entry).GoesBack(q.Spec, target); a.GoingBack {
		h = hold{}
	}
	if a.Held = h.why; err != nil || a.Held != "" {
		return a, err
	}
	return r.forecast(ctx, q, a, theirs)
}

// Others is a snapshot without an instance refresh that an unfinished roll on
// record has started. It costs a call only where one is running.
func (r *Roller) Others(ctx context.Context, s rollout.Snapshot) (rollout.Snapshot, error) {
	if !s.Refreshing() {
		return s, nil
	}
	entry, found, err := r.Journal.Peek(ctx, s.Group.ARN)
	if err != nil || !found || entry.State == journal.Settled {
		return s, err
	}
	desired := s.Group.Desired
	s = others(entry, s)
	s.Group.Desired = desired
	return s, nil
}

// others is a snapshot without what an unfinished roll has added, or has AWS do.
func others(entry journal.Entry, s rollout.Snapshot) rollout.Snapshot {
	s.Group.Desired = wanted(entry, s.Group.Desired)
	rec := unfinished(entry)
	if rec == nil {
		return s
	}
	return s.WithoutOwn(*rec)
}

// wanted is the part of desired that others want, as far as the record of an
// unfinished roll tells. One that cannot be read tells nothing; who takes over
// will say so.
func wanted(entry journal.Entry, desired int) int {
	rec := unfinished(entry)
	if rec == nil {
		return desired
	}
	return min(desired, rec.Base)
}

// forecast looks at the rest that only a roll needs.
func (r *Roller) forecast(ctx context.Context, q Request, before rollout.Assessment, theirs func(rollout.Snapshot) rollout.Snapshot) (rollout.Assessment, error) {
	look := rollout.Everything(q.Spec)
	look.Probe = nil // members are asked by rolls only: a plan may be made anywhere
	snap, err := r.Groups.Observe(ctx, q.Group, look)
	if err != nil {
		return rollout.Assessment{}, err
	}
	snap = theirs(snap)
	snap.Typical = snap.Typical.Or(before.Known)
	a := rollout.Assess(q.Spec, snap, before.Target)
	a.Known, a.GoingBack = before.Known, before.GoingBack
	if len(a.Problems) == 0 && a.Stale > 0 {
		a.Forecast = rollout.Predict(q.Spec, snap, before.Target)
	}
	return a, nil
}
