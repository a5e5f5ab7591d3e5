package rollout

import (
	"fmt"
	"slices"
	"time"
)

// checkpoints passes the next checkpoint once enough new members have
// graduated and stayed good for its bake.
func (t *turn) checkpoints() {
	if t.rec.Direction == Back {
		return
	}
	for t.rec.Checkpoints < len(t.spec.Checkpoints) {
		c := t.spec.Checkpoints[t.rec.Checkpoints]
		if t.ready < t.checkpointSize() {
			return
		}
		if !t.baked(c.Bake, fmt.Sprintf("checkpoint %d %%", c.Percentage)) {
			return
		}
		if !t.checked(AtCheckpoint) {
			return
		}
		t.mem.BakeSince = time.Time{}
		t.rec.Checkpoints++
		t.note("checkpoint %d %% passed with %d new members healthy", c.Percentage, t.graduates())
	}
}

// checkpointSize is how much new capacity the next checkpoint asks for: never
// more than can be new, when others have scaled in since the start or members
// are kept.
func (t *turn) checkpointSize() int {
	return min(t.spec.checkpointSize(t.rec.Checkpoints, t.rec.Size), max(t.rec.Base-units(t.kept), 1))
}

// baked waits until every new member has been good for d. The bake begins
// anew when one of them is not.
func (t *turn) baked(d time.Duration, what string) bool {
	if t.unready() > 0 {
		t.mem.BakeSince = time.Time{}
		return false
	}
	if d > 0 && t.mem.BakeSince.IsZero() {
		t.mem.BakeSince = t.now
		t.note("%s: baking for %s", what, Brief(d))
	}
	if d > 0 && t.now.Sub(t.mem.BakeSince) < d {
		t.mem.Progress = t.now // a bake is no stall
		t.wake(t.mem.BakeSince.Add(d))
		return false
	}
	return true // what was baked stays so while the group's checks are run
}

// prove decides that the target may be seen by launches that are not ours.
func (t *turn) prove() {
	if t.rec.Proven {
		return
	}
	first := len(t.spec.Checkpoints) == 0 || t.rec.Checkpoints > 0
	switch {
	case t.rec.Direction == Back:
		t.rec.Proven = true // the previous version has run before
	case t.allLeftOut():
		t.rec.Proven = true // nothing can prove it, and nothing runs on it
		if len(t.kept) > 0 {
			t.warnOnce("unproven", "no member proves version %d, because all are left out; the group launches from it from now on", t.rec.Target.Number)
		}
	case t.ready > 0 && first:
		t.rec.Proven = true
		t.note("version %d is proven; the group launches from it from now on", t.rec.Target.Number)
	}
}

// pointer is the text the group's pointer holds, as far as we know: what we
// wrote last, until an observation is late enough to be believed. It is empty
// when we do not know.
func (t *turn) pointer() string {
	for i := len(t.out.Steps) - 1; i >= 0; i-- {
		if t.out.Steps[i].Kind == Point {
			return t.out.Steps[i].Version
		}
	}
	switch {
	case !t.mem.PointDoubt.IsZero() && t.now.Sub(t.mem.PointDoubt) < settle:
		return "" // whatever it should be, it is written again
	case t.rec.Pointed != "" && t.now.Sub(t.mem.PointedAt) < settle:
		return t.rec.Pointed
	}
	return t.snap.Group.Pointer
}

// pointerText is the pointer for people.
func (t *turn) pointerText() string {
	if p := t.pointer(); p != "" {
		return p
	}
	return t.snap.Group.Pointer
}

// pointsAtGoal says whether the text found launches the goal already and is
// a number, so that nobody else can move what it means.
func (t *turn) pointsAtGoal() bool {
	g := t.snap.Group
	if t.rec.Direction == Back {
		// The copy is the newest version, and the only number that stacks which
		// follow the newest agree with.
		return t.pointer() == number(t.goal.Number)
	}
	return t.pointer() == g.Pointer && !floating(g.Pointer) && t.spec.same(g.Points, t.goal)
}

func floating(pointer string) bool { return pointer == "$Latest" || pointer == "$Default" }

// point moves the pointer to where it should stay between our launches.
func (t *turn) point() {
	at, want := t.pointer(), number(t.goal.Number)
	if t.rec.Restoring {
		// It stays where it should be, also where only a look tells so: what a former
		// owner had begun to put back is there only as far as it got.
		if at == "" {
			at = t.snap.Group.Pointer
		}
		if at == want || floating(at) && at == t.rec.Pointer {
			return
		}
	}
	if t.pointsAtGoal() && (t.rec.Proven || t.rec.Pinned == 0) {
		return
	}
	if !t.rec.Proven {
		if t.rec.Pinned == 0 && !floating(at) {
			return
		}
		if t.launched() < t.desired() && at == want || t.exposing() {
			return // AWS still has to launch what we asked it to replace
		}
		if t.rec.Pinned != 0 {
			want = number(t.rec.Pinned)
		}
	}
	if at != want {
		t.step(Step{Kind: Point, Version: want, Why: "launch from version " + want})
	}
}

// exposing says whether this decision leaves the pointer on the target so
// that AWS itself launches from it: it replaces a member, or desired is raised.
func (t *turn) exposing() bool {
	return slices.ContainsFunc(t.out.Steps, func(s Step) bool {
		return s.Kind == Raise || s.Kind == End && !s.Decrement && !s.Aside
	})
}

// arrived says whether every member is as it should be, and nothing is under way.
func (t *turn) arrived() bool {
	return (t.known || t.justKnown(t.now)) && len(t.stale)+len(t.waiting()) == 0 && t.unready() <= 0 && t.missing() <= 0 &&
		len(t.treated(Terminate)) == 0 && t.coming+t.planned <= 0 && len(t.rec.Intents) == 0 &&
		(t.rec.Surge <= decrements(t.out.Steps) || t.remainder()) && !t.short() && t.rec.Proven && t.warmDone()
}

// short says whether desired has just come to be less than others want. AWS ends a
// member for it, which this look may be too old to show.
func (t *turn) short() bool {
	return t.rec.Surge < 0 && slices.ContainsFunc(t.mem.Recent, func(e expected) bool { return t.now.Before(e.until) })
}

// finish bakes once more, puts back what the roll changed, looks at the result
// where answers do not tell it, and ends the roll.
func (t *turn) finish() {
	if !t.arrived() {
		return
	}
	if t.rec.Direction != Back && !t.rec.Restoring && !t.baked(t.spec.FinalBake, "final bake") {
		return
	}
	if t.rec.Direction != Back && !t.rec.Restoring && !t.checked(AtEnd) {
		t.out.Look.Versions = t.needsVersions() // what comes next needs it with the answers
		return
	}
	if t.unseenVersions() {
		return
	}
	t.leaveRemainder()
	t.rec.Restoring, t.mem.BakeSince = true, time.Time{}
	t.restore()
	if len(t.out.Steps) > 0 {
		t.wake(t.now) // and look at the result
		t.last = t.told()
		return
	}
	if t.waitMaxSize() {
		return
	}
	t.reached()
}

// told says whether the answers to the steps tell all that a look after them
// would: that our suspensions are lifted, and that old members are being ended.
// What this look has judged stays for good then. A pointer, a default version or
// a max size is verified by reading it, and a rollback by looking once more.
func (t *turn) told() bool {
	return t.rec.Direction != Back && t.rec.Headroom == nil && t.known && !slices.ContainsFunc(t.out.Steps, func(s Step) bool {
		return s.Kind != Resume && (s.Kind != End || !s.Decrement || s.Aside)
	})
}

// reached ends a roll that is where it was to go.
func (t *turn) reached() {
	if t.rec.Direction == Back {
		t.wentBack()
		return
	}
	if left := t.left(); left != "" {
		t.conclude(Ending{Outcome: Partial, Reason: t.remarks(left, t.replaced()), Next: release(t.leftOut())})
		return
	}
	t.conclude(Ending{Outcome: Succeeded, Reason: t.remarks(t.replaced())})
}

// lastLook is how old what is known of health may be when a roll has only put
// back what it had found since: those looks need not ask for it again.
const lastLook = 15 * time.Second

// justKnown says whether at the instant at everybody's health has only just been
// seen, while what the roll found is put back.
func (t *turn) justKnown(at time.Time) bool {
	return t.rec.Restoring && t.rec.Direction != Back && !t.mem.KnownAt.IsZero() && at.Sub(t.mem.KnownAt) <= lastLook
}

// wentBack ends a rollback that is where it was to go.
func (t *turn) wentBack() {
	if t.rec.Meant {
		t.rec.Reason = "" // why it turned back is not why this run has ended
		t.conclude(Ending{Outcome: Succeeded, Reason: t.remarks(t.ailing()), Quarantine: t.rec.Blame})
		return
	}
	reason := t.rec.Reason
	if more := t.ailing(); more != "" {
		reason += "; " + more
	}
	if t.mem.NoCopy != "" {
		t.uncopied(reason)
		return
	}
	e := Ending{Outcome: RolledBack, Reason: reason, Quarantine: t.rec.Blame, Closed: t.rec.Closed, Left: t.unrestored}
	switch at := t.closing.At; {
	case !e.Closed:
	case at.IsZero() || t.now.Before(at): // the window of an earlier run was what had closed
		e.Reason = Clip("this run has finished the way back of an earlier one, which had turned round: "+reason, longestReason)
		e.Next = fmt.Sprintf("Run terraform apply again to roll to version %d.", t.rec.Target.Number)
	default:
		e.Next = t.closeEnding("").Next
	}
	t.conclude(e)
}

// uncopied ends a rollback that is where it was to go, but for the copy. It stays
// unfinished: the next run publishes the copy if it can.
func (t *turn) uncopied(reason string) {
	back := t.rec.Previous.Number
	t.conclude(Ending{
		Outcome: Paused, Quarantine: t.rec.Blame, Left: t.unrestored,
		Reason: fmt.Sprintf("%s; the group is back on version %d, but no copy of that could be published: %s", reason, back, t.mem.NoCopy),
		Next: fmt.Sprintf("Cure what AWS names above, then run terraform apply again: it publishes the copy. "+
			"Until then, what follows the newest version of the launch template may launch from version %d.", t.rec.Target.Number),
	})
}

// ailing tells of old members that a rollback found sick, empty: there are none.
func (t *turn) ailing() string {
	for _, m := range t.fresh {
		if t.mem.Ailing[m.ID] {
			return fmt.Sprintf("member %s of version %d, which was not healthy when the rollback began, %s", m.ID, m.Version.Number, t.sick(m))
		}
	}
	return ""
}

// resume lifts the suspensions that are still ours: those with the reason AWS
// gave us.
func (t *turn) resume() {
	ours := map[string]string{}
	for p, reason := range t.rec.Suspended {
		// A look from before we suspended does not show it.
		early := t.now.Sub(t.mem.HeldAt) < settle
		if now, ok := t.snap.Group.Suspended[p]; ok && (reason == "" || now == reason) || !ok && early {
			ours[p] = reason
		}
	}
	if len(ours) > 0 {
		t.step(Step{Kind: Resume, Processes: ours, Why: "resume what the roll had suspended"})
	}
}
