package roller

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// open looks at everything once, before anything is claimed. A group that is
// not there may just have been created: look again for a little while.
func (o *owner) open() (rollout.Snapshot, error) {
	look := rollout.Everything(o.q.Spec)
	// Launching first does not ask how old members are.
	if o.q.Spec.MaxHealthy > 100 {
		look.Targets, look.Status, look.Probe = false, false, nil
	}
	for try := 1; ; try++ {
		snap, err := o.look(look)
		passing := false // a look has waited already
		if err == nil {
			var entry journal.Entry
			if entry, err = o.entry(o.ctx, o.q, snap.Group); err == nil {
				o.target, err = o.resolve(o.ctx, o.q, snap.Group, entry)
			}
			passing = asg.Passing(err)
		}
		switch {
		case err == nil && o.q.Image != "" && o.target.Image != o.q.Image:
			return snap, &Error{
				Field: "image_id", Happened: fmt.Sprintf("Version %d of the launch template has image %s, not %s.", o.target.Number, o.target.Image, o.q.Image),
				State: "Nothing was changed.", Next: "Give the image of that version, or leave image_id out.",
			}
		case err == nil:
			return snap, nil
		case try > 5 || !errors.Is(err, asg.ErrNotFound) && !passing:
			return snap, err
		}
		if err := o.Clock.Sleep(o.stop, time.Duration(try)*time.Second); err != nil {
			return snap, err
		}
	}
}

// inherit takes the lease, lets calls of a dead owner land, and gives the
// record that was left unfinished (nil: none) with a look that is fresh enough
// to go on from. first gives the record that a free lease is claimed with when
// nothing had to be waited for; nil: none.
func (o *owner) inherit(snap rollout.Snapshot, first func(rollout.Snapshot, *journal.Lease) any) (*rollout.Record, rollout.Snapshot, error) {
	var waited bool
	var err error
	start := o.Clock.Now()
	o.lease, err = o.Journal.Acquire(o.stop, o.q.Group, snap.Group.ARN, journal.AcquireOptions{
		Timeout: o.q.LockTimeout,
		OnWait: func(held journal.Entry) {
			if !waited {
				o.say(rollout.Note{Text: fmt.Sprintf("waiting for %s, who is rolling this group since %s", held.Owner.Name, held.Owner.Since.UTC().Format(time.RFC3339))})
			}
			waited = true
		},
		First: func(l *journal.Lease) any {
			if first == nil || waited {
				return nil
			}
			return first(snap, l)
		},
	})
	if err != nil {
		return nil, snap, err
	}
	var rec *rollout.Record
	if in := o.lease.Inherited; in != nil && len(in.Record) > 0 {
		rec = &rollout.Record{}
		if err := json.Unmarshal(in.Record, rec); err != nil {
			return nil, snap, &journal.UnreadableError{Where: "the record of group " + o.q.Group, Err: err}
		}
		o.rec, waited = *rec, true
		if begun(*rec) {
			o.say(rollout.Note{Text: "continuing the roll that " + in.Owner.Name + " left " + string(in.State)})
		} else {
			rec = nil // it had only waited for its turn
		}
	}
	turn, err := o.takeLock(o.q.LockTimeout - o.Clock.Now().Sub(start))
	if waited = waited || turn; err != nil {
		return nil, snap, err
	}
	if wait := o.tooSoon(); wait > 0 && o.first == nil {
		waited = true
		if err := o.pause(o.Clock.Now().Add(wait)); err != nil {
			return nil, snap, err
		}
	}
	if wait := o.lease.SettleWait; wait > 0 {
		wait = max(wait, lagging)
		o.say(rollout.Note{Text: fmt.Sprintf("waiting %s for the last calls of the former owner to show", wait)})
		if err := o.pause(o.Clock.Now().Add(wait)); err != nil {
			return nil, snap, err
		}
	}
	if waited {
		if snap, err = o.look(rollout.Everything(o.q.Spec)); err != nil {
			return nil, snap, err
		}
	}
	return rec, snap, nil
}

// lagging is how long AWS may still show a group as it was before a change.
const lagging = 30 * time.Second

// tookOver says whether the former owner died rather than paused.
func (o *owner) tookOver() bool {
	in := o.lease.Inherited
	return in != nil && in.State == journal.Running
}

// tooSoon is how long to wait so that the last changes of a roll that ended or
// paused a moment ago are seen. Its capacity and pointer would otherwise be taken for
// what was found. Clocks of two machines are compared here; when they differ,
// this waits for nothing, or not at all.
func (o *owner) tooSoon() time.Duration {
	last := o.lease.Last
	if last == nil || last.State == journal.Running {
		return 0
	}
	return o.showing(last)
}

// showing is how long the last changes of a roll may still take to show.
func (o *owner) showing(last *journal.Entry) time.Duration {
	since := o.Clock.Now().Sub(last.Updated)
	if since < 0 || since >= lagging {
		return 0
	}
	return lagging - since
}
