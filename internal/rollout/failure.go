package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// failing turns failures of new members, or a launch that cannot work, into
// what the spec wants then.
func (t *turn) failing() bool {
	if len(t.failures) == 0 && t.accused == "" {
		return false
	}
	if !t.known {
		// Whether the image or the environment is to blame shows in the stale
		// members' health, which this look did not ask for.
		t.out.Look.Targets = true
		t.wake(t.now)
		return true
	}
	reason := t.accused
	if reason == "" {
		reason = t.failures[0].text
		if n := len(t.failures) - 1; n > 0 {
			reason += fmt.Sprintf(" (and %d more)", n)
		}
	}
	if t.rec.Direction == Back {
		t.rollbackFailed(reason)
		return true
	}
	if t.blameless(reason) {
		return true
	}
	if t.accused == "" && t.tolerated() {
		return false
	}
	if t.accused == "" && t.spec.FailureLimit > 1 {
		reason += fmt.Sprintf("; %d new members have failed and failure_limit is %d", t.rec.Failed, t.spec.FailureLimit)
	}
	t.rec.Blame = true
	t.giveUp(reason)
	return true
}

// blameless comes to a safe point where more than one in ten old members are
// not healthy either: then the environment is at fault.
func (t *turn) blameless(reason string) bool {
	well, old := t.oldMembers()
	if well*10 >= old*9 {
		return false
	}
	t.safePoint(Ending{Outcome: Paused, Reason: fmt.Sprintf("%s, but only %d of %d old members are healthy too, so the image is not to blame", reason, well, old)})
	return true
}

// oldMembers counts the members to replace, and how many of them are healthy.
func (t *turn) oldMembers() (well, old int) {
	for _, m := range t.old() {
		if t.starting(m) {
			continue // just launched by AWS or others: it tells nothing
		}
		old++
		if t.sick(m) == "" {
			well++
		}
	}
	return well, old
}

// rollbackFailed ends a roll whose rollback does not work either: every
// member of either version stays, nothing stays suspended, and the pointer is
// kept off a target that was never proven.
func (t *turn) rollbackFailed(reason string) {
	if t.rec.Copy == 0 && t.rec.Launched > 0 && t.pointer() != number(t.rec.Previous.Number) && !t.own.running() {
		t.step(Step{Kind: Point, Version: number(t.rec.Previous.Number), Why: "launch from the version before the roll"})
	}
	t.halt(Ending{Outcome: FailedRoll, Reason: t.rec.Reason + "; then the rollback failed: " + reason, Quarantine: t.rec.Blame})
}

// giveUp follows on_failure.
func (t *turn) giveUp(reason string) {
	if t.spec.OnFailure == Rollback && t.rec.NoReturn != "" {
		reason += "; it was not rolled back, because " + t.rec.NoReturn
	}
	t.rec.Reason = Clip(reason, longestReason)
	switch onFailure := t.spec.OnFailure; {
	case onFailure == Rollback && t.rec.NoReturn == "" && t.rec.Previous.Number != 0:
		t.turnBack(reason)
	case onFailure == LeaveAsIs:
		t.halt(Ending{Outcome: FailedRoll, Reason: reason, Quarantine: t.rec.Blame})
	default:
		t.safePoint(Ending{Outcome: Paused, Reason: reason, Quarantine: t.rec.Blame})
	}
}

// halt ends a roll that leaves its members as they are.
func (t *turn) halt(e Ending) {
	if t.awsDrives() {
		t.haltRefresh(e)
		return
	}
	t.resume()
	t.lowerMaxSize()
	t.conclude(e)
}

// turnBack makes the previous version the goal. Members of the target are the
// stale ones from the next look on.
func (t *turn) turnBack(reason string) {
	t.note("going back to version %d: %s", t.rec.Previous.Number, reason)
	t.rec.Direction = Back
	t.rec.Restoring = false
	t.rec.Proven = true
	t.mem.BakeSince = time.Time{}
	t.mem.Progress, t.mem.StaleLeast = t.now, nil
	t.mem.LaunchAfter, t.mem.LaunchError = time.Time{}, ""
	for id := range t.mem.FirstSeen {
		t.forget(id)
	}
	for id := range t.mem.Counted {
		delete(t.mem.Counted, id)
	}
	t.goal = t.rec.goal()
	for _, m := range t.old() {
		// Members of the previous version have been healthy all along: they need
		// not prove it anew.
		if t.known && t.current(m) && t.sick(m) == "" {
			t.mem.FirstSeen[m.ID], t.mem.HealthySince[m.ID] = t.now, t.now.Add(-t.minHealthy())
			if p := t.spec.Probe; p != nil {
				t.mem.Passes[m.ID] = p.Passes
			}
			t.mem.Graduated[m.ID] = true
		}
	}
	t.wake(t.now)
}

// unpublished says whether a rollback still has to publish the copy that it points at.
func (t *turn) unpublished() bool {
	return t.rec.Direction == Back && t.rec.Copy == 0 && t.mem.NoCopy == ""
}

// publish makes the copy that a rollback points at. Its token is the same each
// time, so that a lost answer does not leave a second copy.
func (t *turn) publish() {
	if t.now.Before(t.mem.LaunchAfter) {
		t.wake(t.mem.LaunchAfter)
		return
	}
	t.step(Step{
		Kind: Copy, Source: t.rec.Previous.Number, Template: t.rec.Target.TemplateID, Image: t.rec.Previous.literal(),
		Token: fmt.Sprintf("refit-%d-copy-%d", t.rec.Started.Unix(), t.rec.Previous.Number),
		Why:   fmt.Sprintf("publish a copy of version %d, so that the newest version is good again", t.rec.Previous.Number),
	})
}

// stalled ends a roll that has made no progress for instance_timeout, bakes
// apart, while no new member is still within its own time.
func (t *turn) stalled() bool {
	if t.refused() || t.launchFailed() {
		return true
	}
	idle := t.now.Sub(t.mem.Progress)
	if idle < t.spec.InstanceTimeout || t.unready() > 0 || t.coming > 0 {
		return false
	}
	e := Ending{Outcome: Paused, Reason: fmt.Sprintf("no progress for %s: %s", Brief(idle.Round(time.Second)), t.whyIdle())}
	if w := slices.Concat(t.waiting(), t.retained); len(w) > 0 {
		e.Next = release(w) + " Then run terraform apply again to continue."
	}
	t.safePoint(e)
	return true
}

// refused ends the roll when AWS refuses a step for good: a missing image or
// permission does not come back by asking again.
func (t *turn) refused() bool {
	r := t.mem.Refused
	if r == nil {
		return false
	}
	t.mem.Refused = nil
	t.stuck = r.Step == LowerMaxSize
	switch {
	case r.Refreshing:
		t.safePoint(Ending{Outcome: Superseded, Reason: "somebody else has started an instance refresh of the group: " + r.Text, Next: waitForRefresh})
	case t.rec.Direction == Back:
		t.rollbackFailed(r.Text)
	case r.Kind == Fatal && t.rec.Launched == 0 && t.rec.Ended == 0 && !t.rec.Proven:
		// Nothing has happened yet: there is nothing to roll back.
		t.rec.Reason = Clip(r.Text, longestReason)
		t.safePoint(Ending{Outcome: FailedRoll, Reason: r.Text, Next: "Cure what AWS names above, then run terraform apply again."})
	case r.Step == End || r.Step == Resume || r.Step == SetDefault || r.Step == RaiseMaxSize || r.Step == LowerMaxSize || r.Step == EndWarm:
		// A missing permission says nothing about the image, which runs: going
		// back would only undo what is good.
		t.safePoint(Ending{Outcome: Paused, Reason: r.Text, Next: "Cure what AWS names above, then run terraform apply again to continue."})
	default:
		t.giveUp(r.Text)
	}
	return true
}

// launchFailed reads failed launches of AWS itself: those are how a
// replacement fails that we did not launch by LaunchInstances.
func (t *turn) launchFailed() bool {
	s := t.snap
	if !s.ActivitiesSeen || s.LaunchFailure == "" || !s.LaunchFailureAt.After(t.rec.Started0) {
		return false
	}
	t.mem.LaunchError = s.LaunchFailure
	if !s.LaunchFatal || t.rec.Direction == Back || t.pointer() != number(t.goal.Number) {
		return false
	}
	t.giveUp("EC2 Auto Scaling cannot launch from version " + number(t.goal.Number) + ": " + s.LaunchFailure)
	return true
}

func (t *turn) whyIdle() string {
	if t.held != "" {
		return t.held
	}
	for _, p := range blocking {
		if _, ok := t.snap.Group.Suspended[p]; ok {
			return "the process " + p + " of the group is suspended"
		}
	}
	if t.mem.LaunchError != "" {
		return t.mem.LaunchError
	}
	if _, p := t.spec.LimitsBy(t.heavy, t.rec.Base, t.maxSize()); p != nil && t.mem.MaxSizeTheirs {
		return "max size leaves no headroom"
	} else if p != nil {
		return p.Field + " " + p.Text
	}
	if why := t.whyWeighed(); why != "" {
		return why
	}
	if w := t.waiting(); len(w) > 0 && len(t.stale) == 0 {
		return "the roll waits for members that are kept from it: " + named(w)
	}
	if len(t.retained) > 0 {
		return "EC2 Auto Scaling keeps members whose termination hook was abandoned, and they count as running: " + named(t.retained)
	}
	if w := t.staleWarm(); t.endsWarm() && len(w) > 0 && len(t.stale) == 0 {
		return fmt.Sprintf("%d members of the warm pool do not run version %d, such as %s (%s)", len(w), t.goal.Number, w[0].ID, w[0].StateText)
	}
	if t.terminating > 0 {
		return fmt.Sprintf("%s that were ended are not gone yet", counted(t.lim, t.terminating, "member"))
	}
	for _, m := range t.stale {
		if why := t.sick(m); why != "" {
			return "member " + m.ID + " " + why + ", which leaves no member that may be ended"
		}
	}
	return "the group does not reach its desired capacity"
}

// superseded notices that somebody else moved the template pointer.
func (t *turn) superseded() bool {
	if why := t.moved(); why != "" {
		t.pointBack()
		t.safePoint(Ending{Outcome: Superseded, Reason: why, Next: "Run terraform apply again to roll to the image that it means now."})
		return true
	}
	ours := t.rec.Pointer
	if t.rec.Pointed != "" {
		ours = t.rec.Pointed
	}
	seen := t.snap.Group.Pointer
	if seen == ours || t.now.Sub(t.mem.PointedAt) < settle || t.doubtful(seen) {
		return false
	}
	t.rec.Pinned = 0 // theirs now; do not touch it on the way out
	t.rec.Proven = true
	t.safePoint(Ending{Outcome: Superseded, Reason: fmt.Sprintf("the group's launch template version was changed from %s to %s by somebody else", ours, seen)})
	return true
}

// theirRefresh ends a roll during which somebody else's instance refresh replaces
// members: AWS launches from the version that it goes to, whatever the group
// points at. One that only waits to begin is not looked for. It reports whether
// nothing else is to be decided.
func (t *turn) theirRefresh() bool {
	if !t.snap.RefreshesSeen {
		if t.mem.Suspect {
			t.out.Look.Refreshes = true
			t.wake(t.now)
		}
		return t.mem.Suspect
	}
	t.mem.Suspect = false
	other := t.snap.active()
	if other == nil || other == t.snap.own(t.rec) {
		return false
	}
	t.safePoint(Ending{Outcome: Superseded, Reason: fmt.Sprintf("somebody else started an instance refresh: %s", other), Next: waitForRefresh})
	return true
}

// waitForRefresh is what to do about somebody else's instance refresh.
const waitForRefresh = "Wait until it is over, or cancel it; then run terraform apply again."

// doubtful says whether seen may be the text that a write of ours, of which
// nobody knows what came of it, left or found.
func (t *turn) doubtful(seen string) bool {
	if t.mem.PointDoubt.IsZero() {
		return false
	}
	waited := t.now.Sub(t.mem.PointDoubt) >= settle
	if !slices.Contains([]string{t.rec.Pointer, t.rec.Pointed, number(t.rec.Pinned), number(t.rec.Target.Number), number(t.rec.Copy)}, seen) {
		return !waited
	}
	if waited {
		t.rec.Pointed, t.mem.PointDoubt = seen, time.Time{} // now it is known
	}
	return true
}

// safePoint brings the group to a state that can be left alone: stop
// launching, pointer, suspensions, then as much of our surge as can go now.
// The order is by what the first five seconds must suffice for.
func (t *turn) safePoint(e Ending) {
	if t.awsDrives() {
		t.haltRefresh(e)
		return
	}
	if e.Outcome != Superseded {
		t.pointBack()
	}
	t.resume()
	left := t.rec.Surge
	if !t.puzzled { // else others may have taken it, and an end would lower what they want
		left = t.endSurge()
	}
	if left > 0 {
		e.Left = append(e.Left, fmt.Sprintf("%s more than the group wants are still there", counted(t.lim, left, "member")))
	}
	t.lowerMaxSize()
	t.conclude(e)
}

// pointBack puts the pointer back to where it was while the target is not proven.
func (t *turn) pointBack() {
	if t.rec.Proven || t.rec.Pinned == 0 {
		return
	}
	back := number(t.rec.Pinned)
	if t.rec.Pointer == "$Default" && t.snap.Group.Default == t.rec.Pinned {
		back = "$Default"
	}
	if t.rec.Pointer == "$Latest" && t.unmade() {
		back = "$Latest"
	}
	if t.pointer() != back {
		why := fmt.Sprintf("back to version %d, the new one is not proven", t.rec.Pinned)
		if floating(back) {
			why = "point the group at " + back + " again"
		}
		t.step(Step{Kind: Point, Version: back, Why: why})
	}
}

// conclude ends the roll and words the state things are in and what to do.
func (t *turn) conclude(e Ending) {
	if t.mem.MaxSizeLeft != "" {
		e.Reason = strings.TrimPrefix(e.Reason+"; "+t.mem.MaxSizeLeft, "; ")
	}
	fresh, others, healthy := t.staying()
	parts := []string{fmt.Sprintf("%d of %d members run %s", fresh, fresh+others, t.goalText())}
	if t.goal.Image != "" {
		parts[0] += " (" + t.goal.Image + ")"
	}
	if others > 0 {
		parts = append(parts, fmt.Sprintf("%d do not", others))
	}
	if t.known {
		parts = append(parts, fmt.Sprintf("%d are healthy", healthy))
	}
	if t.rec.Failed > 0 && t.spec.FailureLimit > 1 {
		parts = append(parts, fmt.Sprintf("%d new members have failed (failure_limit is %d)", t.rec.Failed, t.spec.FailureLimit))
	}
	if text := t.unwell(); e.Outcome == FailedRoll && text != "" {
		parts = append(parts, text)
	}
	parts = append(parts, fmt.Sprintf("the group's template pointer is on %s", t.pointerText()),
		fmt.Sprintf("desired capacity is %d", t.rec.Base+t.rec.Surge-decrements(t.out.Steps)))
	if h := t.rec.Headroom; h != nil && t.deciding(LowerMaxSize) == 0 {
		parts = append(parts, fmt.Sprintf("max size is %d, which the roll had raised from %d", h.Set, h.Found))
	}
	if e.State == "" {
		e.State = strings.Join(append(parts, e.Left...), ", ") + "."
	}
	if e.Next == "" {
		e.Next = t.next(e)
	}
	t.out.Ending = &e
}

// staying counts the members that run the goal, the others, and the healthy ones of
// both, without those that this decision ends for good.
func (t *turn) staying() (fresh, others, healthy int) {
	gone := map[string]bool{}
	for _, s := range t.out.Steps {
		if s.Kind == End && s.Decrement {
			gone[s.Member] = true
		}
	}
	fresh, others, healthy = len(t.fresh), len(t.old()), t.rec.Counts.Healthy
	for _, m := range t.fresh {
		if gone[m.ID] {
			fresh--
			if t.mem.Graduated[m.ID] {
				healthy--
			}
		}
	}
	for _, m := range t.old() {
		if gone[m.ID] {
			others--
			if t.known && t.sick(m) == "" {
				healthy--
			}
		}
	}
	return fresh, others, healthy
}

func decrements(steps []Step) int {
	n := 0
	for _, s := range steps {
		if s.Kind == End && s.Decrement {
			n += max(s.Weight, 1)
		}
	}
	return n
}

func (t *turn) next(e Ending) string {
	switch e.Outcome {
	case Succeeded, Partial:
		return ""
	case RolledBack:
		return "Nothing has to be repaired. Publish a better image; the failed one is passed over until then. To try it again, change retry."
	case Superseded:
		return "Find out who changed the group; then run terraform apply again to roll to what the configuration says."
	case Paused:
		if e.Quarantine {
			return "Look at the failed members, then publish a better image or change retry and run terraform apply again."
		}
		return "Run terraform apply again to continue where this roll stopped."
	default:
		return t.byHand()
	}
}

// blocking are the processes without which no roll works.
var blocking = []string{"Launch", "Terminate", "AddToLoadBalancer"}
