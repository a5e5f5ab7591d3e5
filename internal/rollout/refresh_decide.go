package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// An instance refresh is left to AWS as far as possible: Refit starts it,
// watches the members by the spec's own signals, stops it or rolls it back,
// waits for its true end, and judges the result by looking. This file decides
// when; how it begins is in refresh_begin.go, what is asked for in
// refresh_preferences.go, and how the end is judged in refresh_end.go.

// stopWithin bounds how long an interrupted roll waits for AWS to have cancelled
// the refresh: what is in transition then is awaited by the next owner.
const stopWithin = 45 * time.Second

// refreshPause is the usual pause between two looks at a running refresh: AWS
// drives, and a look only finds out what went wrong.
const refreshPause = 20 * time.Second

// awsDrives says whether this decision is about an instance refresh: the engine
// says so, or one of this roll's has not been wound up yet.
func (t *turn) awsDrives() bool {
	return t.spec.Engine == EngineRefresh || t.rec.Refresh != nil
}

// decideRefresh decides for a roll that an instance refresh makes.
func (t *turn) decideRefresh(stop *Ending) {
	if t.rec.Refresh != nil {
		c := *t.rec.Refresh
		t.rec.Refresh = &c
	}
	t.follow()
	t.tally()
	t.judge()
	t.count()
	t.out.Look = Look{Targets: true, Refreshes: true, Activities: t.out.Look.Activities}
	t.meet()
	switch {
	case stop != nil:
		t.stopRefresh(*stop)
	case !t.snap.RefreshesSeen:
		t.wake(t.now)
	default:
		t.advanceRefresh()
	}
	t.scheduleRefresh()
}

// follow takes the desired capacity as others' wish: a refresh exceeds it
// without changing it. Only what a roll by the other engine has left is ours.
func (t *turn) follow() {
	if t.rec.Surge > 0 || t.unsettled() {
		t.account()
		t.clamp()
		return
	}
	t.rec.Base = t.snap.Group.Desired
	t.rec.Intents = slices.DeleteFunc(t.rec.Intents, func(in Intent) bool { return in.Kind != StepRefresh })
}

// unsettled says whether calls of a roll by the other engine are on record of
// which it is not known yet whether they happened.
func (t *turn) unsettled() bool {
	return slices.ContainsFunc(t.rec.Intents, func(in Intent) bool { return in.Kind == End || in.adds() != 0 || in.Kind == Suspend })
}

// tally counts for people what AWS has launched and ended since the last look.
func (t *turn) tally() {
	first := t.mem.RefreshSeen.IsZero()
	if first { // what is there was counted by another owner, or was there before
		t.mem.RefreshSeen = t.now
	} else {
		t.rec.Ended += max(t.rec.Counts.Stale-len(t.stale), 0)
	}
	for _, m := range t.fresh {
		if t.mem.Tallied[m.ID] {
			continue
		}
		t.mem.Tallied[m.ID] = true
		if !first {
			t.rec.Launched++
			t.mem.Brought[m.ID] = t.rec.Direction == Back
		}
	}
}

// meet finds the refresh of this roll and keeps what it tells.
func (t *turn) meet() {
	own := t.snap.own(t.rec)
	if t.own = own; own == nil {
		return
	}
	if r := t.rec.Refresh; r.ID == "" {
		r.ID = own.ID
		t.note("instance refresh %s is this roll's", own.ID)
	}
	// It is there: nothing about its start is open any more.
	t.rec.Intents = slices.DeleteFunc(t.rec.Intents, func(in Intent) bool { return in.Kind == StepRefresh })
	if t.rec.Refresh.Status != own.Status || t.mem.RefreshSince.IsZero() {
		t.mem.RefreshSince = t.now
	}
	t.rec.Refresh.Status = own.Status
	t.tell(own)
}

// tell tells people how far the refresh is: each change of status and
// percentage, and what AWS says about it, which names another member each time,
// at most once a minute.
func (t *turn) tell(own *InstanceRefresh) {
	what := fmt.Sprintf("instance refresh %s: %d %% done", own.Status, own.Percent)
	line := what
	if own.Reason != "" {
		line += ": " + own.Reason
	}
	news := !strings.HasPrefix(t.mem.RefreshTold, what)
	if !news && (line == t.mem.RefreshTold || t.now.Sub(t.mem.RefreshToldAt) < time.Minute) {
		return
	}
	if news {
		t.mem.Progress = t.now
	}
	t.mem.RefreshTold, t.mem.RefreshToldAt = line, t.now
	t.note("%s", line)
}

// advanceRefresh makes one step forward.
func (t *turn) advanceRefresh() {
	other := t.snap.active()
	if other != nil && t.own != nil && other.ID == t.own.ID {
		other = nil
	}
	r := t.rec.Refresh
	switch {
	case t.refusedRefresh():
	case t.own.running():
		t.watch()
	case other != nil:
		t.othersRefresh(other)
	case r != nil && r.Then != "":
		t.concludeRefresh()
	case t.spec.Engine != EngineRefresh:
		t.rec.Refresh = nil // wound up; the other engine goes on
		t.wake(t.now)
	case t.own != nil && !t.outdated():
		t.judgeEnd()
	default:
		t.beginRefresh()
	}
}

// outdated says whether the refresh on record goes to no goal of the roll: it
// was one to another target.
func (t *turn) outdated() bool {
	return t.rec.Refresh.Version != t.rec.Target.Number && (t.rec.Direction != Back || !t.backwards())
}

// backwards says whether the refresh on record, rather than its rollback, goes
// to the previous version: a second one, started where AWS cannot roll back.
func (t *turn) backwards() bool {
	back := t.rec.wayBack().Number
	return back != 0 && t.rec.Refresh.Version == back
}

// wayBack is what a second refresh goes to: the previous version itself, because
// no member has the number of its copy and all would be replaced; but where that
// version names a parameter, only the copy names the previous image. Its number
// is 0 until it is published.
func (r Record) wayBack() Version {
	v := r.Previous
	if v.Alias != "" {
		v.Number = r.Copy
	}
	return v
}

// othersRefresh meets a running refresh that is not this roll's.
func (t *turn) othersRefresh(other *InstanceRefresh) {
	r := t.rec.Refresh
	if r == nil && t.rec.Direction != Back && t.spec.adoptable(other, t.snap.Group, t.rec.Target) {
		to := t.rec.Previous
		t.rec.Refresh = &RefreshRecord{
			ID: other.ID, Version: t.rec.Target.Number, Asked: t.now, Stale: t.toReplace(), Status: other.Status,
			Returns: noRefreshReturn(to) == "" && !floating(t.snap.Group.Pointer) && t.spec.same(t.snap.Group.Points, to),
		}
		t.note("attached to the instance refresh that somebody else has started: %s", other)
		t.wake(t.now)
		return
	}
	if t.hidden() {
		t.wake(t.now.Add(t.spec.Poll)) // ours may come to show yet
		return
	}
	t.resume() // it does nothing until then
	t.conclude(Ending{Outcome: Superseded, Reason: fmt.Sprintf("somebody else started an instance refresh: %s", other), Next: waitForRefresh})
}

// watch follows the roll's own refresh while it runs.
func (t *turn) watch() {
	r, own := t.rec.Refresh, t.own
	switch {
	case t.outdated(), t.spec.Engine != EngineRefresh, r.Then != "":
		t.request(CancelRefresh, "stop the instance refresh where it is")
	case t.moved() != "":
		t.haltRefresh(Ending{Outcome: Superseded, Reason: t.moved(), Next: "Run terraform apply again to roll to the image that it means now."})
	case t.movedAside():
		t.haltRefresh(Ending{Outcome: Superseded, Reason: fmt.Sprintf("the group's launch template version was changed to %s by somebody else", t.snap.Group.Pointer)})
	case own.Status == RefreshRollbackInProgress && t.rec.Direction != Back && own.ByHand:
		// Somebody else has asked for it: it is waited for, and says nothing of the image.
	case own.Status == RefreshRollbackInProgress && t.rec.Direction != Back:
		// AWS does so by itself, which is as good as a judgement of ours.
		well, old := t.oldMembers()
		t.rec.Blame = well*10 >= old*9
		t.rec.Reason = Clip("EC2 Auto Scaling rolls the instance refresh back: "+own.Reason, longestReason)
		t.turnBack(t.rec.Reason)
	case own.Status == RefreshCancelling:
		t.hasten()
	case t.rec.Direction == Back:
		t.watchReturn()
	case t.failing(), t.cannotLaunch(), t.stalledRefresh(), t.close():
	default:
		t.checkOnWay()
	}
}

// checkOnWay runs the checks of the group while AWS waits at a checkpoint. It
// does not wait for them; one that fails stops it.
func (t *turn) checkOnWay() {
	if len(t.spec.Checks) == 0 || t.rec.Checkpoints >= len(t.spec.Checkpoints) || t.unready() > 0 || t.ready < t.checkpointSize() {
		return
	}
	if t.checked(AtCheckpoint) {
		t.rec.Checkpoints++
	}
}

// movedAside notices that somebody else moved the template pointer.
func (t *turn) movedAside() bool {
	seen := t.snap.Group.Pointer
	if t.now.Sub(t.mem.PointedAt) < settle || t.doubtful(seen) {
		return false
	}
	return !slices.Contains([]string{
		t.rec.Pointer, t.rec.Pointed, number(t.rec.Pinned), number(t.rec.Target.Number), number(t.rec.Previous.Number), number(t.rec.Copy),
	}, seen)
}

// watchReturn follows a refresh that goes back, and makes one that goes forward
// do so.
func (t *turn) watchReturn() {
	switch {
	case t.own.Status != RefreshRollbackInProgress && !t.backwards() && t.rec.Refresh.Returns:
		t.request(RollbackRefresh, fmt.Sprintf("roll the instance refresh back to version %d", t.rec.Previous.Number))
	case t.own.Status != RefreshRollbackInProgress && !t.backwards():
		t.request(CancelRefresh, "stop the instance refresh, which EC2 Auto Scaling cannot roll back")
	default:
		// Ending more members for a version that does not come up either would
		// only make it worse.
		t.failing()
	}
}

// request makes a step of a refresh once, and again when AWS shows no effect of
// it for a minute.
func (t *turn) request(op RefreshOp, why string) {
	own := t.own
	switch {
	case own.Status == RefreshCancelling:
		t.hasten()
		return
	case own.Status == RefreshRollbackInProgress && op == RollbackRefresh, t.mem.RefreshOp == op && t.now.Sub(t.mem.RefreshOpAt) < settle:
		return
	}
	if op == CancelRefresh {
		t.rec.Refresh.Stopped = true
	}
	t.step(Step{Kind: StepRefresh, Refresh: &RefreshCall{Op: op, ID: own.ID}, Why: why})
}

// hasten bounds how long a cancelled refresh may take to end. AWS waits for members
// that are being launched or ended, and where one that does not come up is replaced
// again and again, there always is another. After instance_timeout it is asked not
// to wait, and after twice that the roll ends.
func (t *turn) hasten() {
	own, idle := t.own, t.now.Sub(t.mem.RefreshSince)
	switch {
	case idle >= 2*t.spec.InstanceTimeout:
		reason := fmt.Sprintf("instance refresh %s has been %s for %s", own.ID, own.Status, Brief(idle.Round(time.Second)))
		for _, before := range []string{t.rec.Refresh.Why, t.rec.Reason} {
			if before != "" {
				reason = before + "; " + reason
				break
			}
		}
		t.conclude(Ending{Outcome: Paused, Reason: reason})
	case idle >= t.spec.InstanceTimeout && t.now.Sub(t.mem.RefreshOpAt) >= settle:
		t.step(Step{
			Kind: StepRefresh, Refresh: &RefreshCall{Op: CancelRefresh, ID: own.ID, Now: true},
			Why: "stop the instance refresh without waiting for members that are being launched or ended",
		})
	}
}

// haltRefresh stops the refresh, and ends the roll once it is over: members in
// transition are still AWS's until then.
func (t *turn) haltRefresh(e Ending) {
	if !t.own.running() {
		if e.Outcome != Superseded {
			t.unpin()
		}
		t.conclude(e)
		return
	}
	r := t.rec.Refresh
	r.Then, r.Why, r.Next = e.Outcome, Clip(e.Reason, longestReason), e.Next
	t.request(CancelRefresh, "stop the instance refresh where it is")
}

// concludeRefresh ends a roll whose refresh was stopped for that.
func (t *turn) concludeRefresh() {
	r := t.rec.Refresh
	e := Ending{Outcome: r.Then, Reason: r.Why, Next: r.Next, Quarantine: t.rec.Blame && r.Then != Superseded}
	switch {
	case r.Then == FailedRoll && t.rec.Direction == Back:
		t.keepOff()
	case r.Then != Superseded:
		t.unpin()
	}
	r.Then, r.Why, r.Next = "", "", ""
	t.conclude(e)
}

// keepOff keeps the pointer off a target that was never proven, after a
// rollback that failed.
func (t *turn) keepOff() {
	if back := t.rec.Previous.Number; t.rec.Copy == 0 && back != 0 && t.pointer() == number(t.rec.Target.Number) {
		t.step(Step{Kind: Point, Version: number(back), Why: "launch from the version before the roll"})
	}
}

// cannotLaunch reads failed launches: those that trying again cannot help need
// not be waited for.
func (t *turn) cannotLaunch() bool {
	s := t.snap
	if !s.ActivitiesSeen || s.LaunchFailure == "" || !s.LaunchFailureAt.After(t.rec.Started0) {
		return false
	}
	t.mem.LaunchError = s.LaunchFailure
	if !s.LaunchFatal {
		return false
	}
	t.giveUp("EC2 Auto Scaling cannot launch from version " + number(t.rec.Target.Number) + ": " + s.LaunchFailure)
	return true
}

// stalledRefresh stops a refresh that has made no progress for
// instance_timeout, bakes apart. AWS does not say in so many words that it waits
// at a checkpoint, so with checkpoints that takes as much longer as they do.
func (t *turn) stalledRefresh() bool {
	limit := t.spec.InstanceTimeout
	if len(t.spec.Checkpoints) > 0 {
		limit += t.spec.Checkpoints[0].Bake
	}
	idle := t.now.Sub(t.mem.Progress)
	if t.own.Status == RefreshBaking || idle < limit || t.unready() > 0 {
		return false
	}
	why := t.whyIdle()
	if t.own.Reason != "" {
		why += "; EC2 Auto Scaling says of the instance refresh: " + t.own.Reason
	}
	t.haltRefresh(Ending{Outcome: Paused, Reason: fmt.Sprintf("no progress for %s: %s", Brief(idle.Round(time.Second)), why)})
	return true
}

// refusedRefresh ends the roll when AWS refuses a step for good.
func (t *turn) refusedRefresh() bool {
	f := t.mem.Refused
	if f == nil {
		return false
	}
	t.mem.Refused = nil
	t.stuck = f.Step == LowerMaxSize
	e := Ending{Outcome: Paused, Reason: f.Text, Next: "Cure what AWS names above, then run terraform apply again to continue."}
	switch {
	case t.own.running():
		// What it did not let us do was to stop it.
		e.Left = append(e.Left, fmt.Sprintf("instance refresh %s goes on", t.own.ID))
		t.conclude(e)
	case t.rec.Direction == Back:
		t.rollbackFailed(f.Text)
	case t.rec.Launched+t.rec.Ended == 0:
		t.rec.Reason = Clip(f.Text, longestReason)
		t.haltRefresh(Ending{Outcome: FailedRoll, Reason: f.Text, Next: "Cure what AWS names above, then run terraform apply again."})
	default:
		t.haltRefresh(e)
	}
	return true
}

// stopRefresh comes to a safe point: it cancels the refresh, which leaves
// members as they are, and waits a while for what is in transition. A rollback
// goes on: it is the way to a good state, and AWS needs nobody for it.
func (t *turn) stopRefresh(e Ending) {
	if t.mem.StoppedAt.IsZero() {
		t.mem.StoppedAt = t.now
	}
	late := t.now.Sub(t.mem.StoppedAt) >= stopWithin
	own := t.own
	if r := t.rec.Refresh; own == nil && r != nil && r.Status == "" && t.now.Sub(r.Asked) >= settle {
		t.rec.Refresh = nil // it never began
		t.rec.Intents = slices.DeleteFunc(t.rec.Intents, func(in Intent) bool { return in.Kind == StepRefresh })
	}
	switch {
	case own == nil && t.rec.Refresh.Running() && !late:
		t.wake(t.now.Add(t.spec.Poll)) // it must show before it can be cancelled
		return
	case own.running() && t.rec.Direction == Back && (own.Status == RefreshRollbackInProgress || t.backwards()):
		e.Left = append(e.Left, fmt.Sprintf("EC2 Auto Scaling goes on rolling back (instance refresh %s)", own.ID))
	case own.running():
		t.request(CancelRefresh, "stop the instance refresh where it is")
		if !late {
			t.wake(t.now.Add(t.spec.Poll))
			return
		}
		e.Left = append(e.Left, fmt.Sprintf("instance refresh %s is still %s", own.ID, own.Status))
	default:
		t.resume()
		if n := t.endSurge(); n > 0 {
			e.Left = append(e.Left, fmt.Sprintf("%d members more than the group wants are still there", n))
		}
		t.lowerMaxSize()
		t.unpin()
	}
	t.conclude(e)
}

// scheduleRefresh decides when to look again, and whether at activities too.
func (t *turn) scheduleRefresh() {
	if t.out.Ending != nil {
		return
	}
	typical := t.mem.Learnt.Or(Typical{Launch: usualLaunch, Healthy: earliest, Terminate: earliest})
	for _, m := range t.fresh {
		switch {
		case t.mem.Graduated[m.ID]:
		case !t.mem.HealthySince[m.ID].IsZero():
			t.wake(t.mem.HealthySince[m.ID].Add(t.minHealthy()))
		default:
			t.dueHealthy(t.mem.FirstSeen[m.ID], typical)
		}
	}
	pause := refreshPause
	switch {
	case len(t.out.Steps) > 0, t.own.running() && (t.mem.RefreshOp != "" || t.own.Status == RefreshPending):
		pause = 2 * reaction
	case t.own != nil && t.own.Status == RefreshBaking && len(t.spec.Alarms) == 0:
		pause = longestWait
	}
	t.wake(t.now.Add(pause))
	if floor := t.now.Add(t.spec.Poll); t.out.Next.Before(floor) && !t.atOnce() {
		t.out.Next = floor
	}
	t.out.Look.Activities = t.out.Look.Activities || t.overdue(typical)
}
