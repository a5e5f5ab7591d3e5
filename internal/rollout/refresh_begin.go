package rollout

import (
	"fmt"
	"slices"
	"time"
)

// beginRefresh starts an instance refresh to the goal of the roll, once what the
// other engine has left is put back and the pointer is where AWS would roll back
// to.
func (t *turn) beginRefresh() {
	if t.now.Before(t.mem.LaunchAfter) {
		t.wake(t.mem.LaunchAfter)
		return
	}
	if t.hidden() {
		t.wake(t.now.Add(t.spec.Poll)) // it may come to show yet, even when its answer was lost
		return
	}
	t.rec.Intents = slices.DeleteFunc(t.rec.Intents, func(in Intent) bool { return in.Kind == StepRefresh })
	if t.unclear || t.unsettled() {
		// Its percentages are of desired, of which a part may be ours to take back,
		// and it does nothing while a process is suspended.
		t.wake(t.now.Add(t.spec.Poll))
		return
	}
	if t.leftovers() || t.rec.Direction != Back && (t.failing() || !t.opened()) || t.makingFirst() {
		return
	}
	if t.known && t.toReplace() == 0 && t.terminating == 0 {
		t.nothingLeft()
		return
	}
	if t.rec.Direction != Back && t.pinned() || t.waitHeld() {
		return
	}
	goal := t.refreshGoal()
	if goal.Number == 0 {
		t.publish()
		return
	}
	p := Preferences(t.spec, t.snap, goal)
	p.Warmup = max(p.Warmup, seconds(t.minHealthy()))
	r := &RefreshRecord{Before: t.snap.newestRefresh(), Version: goal.Number, Asked: t.now, Stale: t.toReplace()}
	if t.rec.Direction != Back {
		r.Returns = t.returns() && noRefreshReturn(t.rec.Previous) == ""
		p.AutoRollback = r.Returns
	} else {
		// The members of the previous version are known to be good, and no alarm
		// is asked on the way back.
		p.Checkpoints, p.Delay, p.Bake, p.Alarms = nil, 0, 0, nil
	}
	t.rec.Refresh = r
	t.mem.RefreshOp, t.mem.RefreshOpAt, t.mem.RefreshSince = "", time.Time{}, time.Time{}
	t.mem.Progress = t.now
	t.step(Step{
		Kind: StepRefresh, Template: t.rec.Target.TemplateID, Version: number(goal.Number), Refresh: &RefreshCall{Op: StartRefresh, Preferences: p},
		Why: fmt.Sprintf("start an instance refresh to version %d", goal.Number),
	})
}

// hidden says whether the refresh on record may be there, or over, although this
// observation does not show it: it is older than the start, or than one before.
func (t *turn) hidden() bool {
	r := t.rec.Refresh
	if t.own != nil || r == nil {
		return false
	}
	since := r.Asked
	if t.mem.RefreshSince.After(since) {
		since = t.mem.RefreshSince
	}
	return t.now.Sub(since) < settle
}

// waitHeld says whether nothing may begin now, because an alarm says so.
func (t *turn) waitHeld() bool {
	if t.held == "" || t.rec.Direction == Back {
		return false
	}
	if idle := t.now.Sub(t.mem.Progress); idle >= t.spec.InstanceTimeout {
		t.haltRefresh(Ending{Outcome: Paused, Reason: fmt.Sprintf("no progress for %s: %s", Brief(idle.Round(time.Second)), t.held)})
		return true
	}
	t.wake(t.now.Add(refreshPause))
	return true
}

// returns says whether a failure leads back to the previous version.
func (t *turn) returns() bool {
	return t.spec.OnFailure == Rollback && t.rec.NoReturn == "" && t.rec.Previous.Number != 0
}

// nothingLeft ends a roll for which no refresh has anything to do: one that was
// stopped at its very end, or whose members were replaced by others.
func (t *turn) nothingLeft() {
	if t.unready() > 0 || t.rec.Direction != Back && !t.baked(t.spec.FinalBake, "final bake") {
		return
	}
	t.finishRefresh(time.Time{})
}

// refreshGoal is what a refresh in the present direction goes to.
func (t *turn) refreshGoal() Version {
	if t.rec.Direction == Back {
		return t.rec.wayBack()
	}
	return t.rec.Target
}

// leftovers puts back what a roll by the other engine has left: a refresh does
// nothing while processes are suspended, and its percentages are of desired.
func (t *turn) leftovers() bool {
	if t.unclear {
		t.wake(t.now.Add(t.spec.Poll)) // a call of that roll may have launched what is ours to end
		return true
	}
	t.resume()
	if t.rec.Surge > 0 {
		left := t.endSurge()
		if left > 0 && t.deciding(End) == 0 && t.unready() == 0 && t.terminating == 0 {
			// AWS may have rebalanced the zones meanwhile, and launches no successor
			// in one of them before the refresh begins.
			left = t.part(false)
		}
		t.surplus()
		if idle := t.now.Sub(t.mem.Progress); left > 0 && len(t.out.Steps) == 0 && idle >= t.spec.InstanceTimeout {
			// AWS replaces a member that does not come up again and again, and one
			// that it is replacing must not be ended with decrement.
			t.haltRefresh(Ending{
				Outcome: Paused, Reason: fmt.Sprintf("no progress for %s: %d members more than the group wants, which the roll by the other engine had added, cannot be ended",
					Brief(idle.Round(time.Second)), left),
				Next: "Run terraform apply once with engine = \"managed\", which finishes what that roll began.",
			})
			return true
		}
		t.wake(t.now.Add(t.spec.Poll))
		return true
	}
	t.keepMaxSize()
	t.lowerMaxSize()
	return len(t.out.Steps) > 0 || t.waitMaxSize()
}

// pinned puts the pointer where it must be while the refresh runs, and says
// whether that is still to be done.
func (t *turn) pinned() bool {
	pin := t.spec.pin(t.snap.Group, t.rec)
	if pin == 0 {
		return false
	}
	if t.rec.Pinned == 0 {
		t.rec.Pinned = pin
	}
	if t.rec.Pointed != number(pin) || t.now.Sub(t.mem.PointedAt) >= settle {
		t.step(Step{Kind: Point, Version: number(pin), Why: fmt.Sprintf("keep other launches on version %d while the instance refresh runs", pin)})
	}
	t.wake(t.now.Add(reaction))
	return true // until a look shows it: AWS would not roll back otherwise
}

// unpin puts the pointer back to what was found, unless that text means
// something else by now.
func (t *turn) unpin() {
	g, found := t.snap.Group, t.rec.Pointer
	at := t.pointer()
	if t.rec.Pointed == "" || at == found || t.rec.Proven || at == number(t.rec.Target.Number) ||
		found == "$Default" && g.Default != t.rec.Pinned || found == "$Latest" && (g.Latest != t.rec.Pinned || t.rec.Unproven) && !t.unmade() {
		return
	}
	t.step(Step{Kind: Point, Version: found, Why: "point the group at " + found + " again"})
}
