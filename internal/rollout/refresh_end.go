package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// judgeEnd judges a refresh of the roll that is over.
func (t *turn) judgeEnd() {
	own := t.own
	said := "the instance refresh ended as " + string(own.Status)
	if own.Reason != "" {
		said += ": " + own.Reason
	}
	switch own.Status {
	case RefreshSuccessful:
		if t.rec.Direction == Back && !t.backwards() {
			t.beginRefresh() // it was too late to roll it back
			return
		}
		t.rec.Proven = true // AWS has put the pointer on it
		t.finishRefresh(t.mem.RefreshSince)
	case RefreshRollbackSuccessful:
		switch {
		case t.rec.Direction != Back && t.own.ByHand:
			t.unpin()
			t.conclude(Ending{Outcome: Superseded, Reason: fmt.Sprintf("somebody else rolled instance refresh %s back", own.ID)})
			return
		case t.rec.Direction != Back:
			well, old := t.oldMembers()
			t.rec.Blame = well*10 >= old*9
			t.rec.Reason = Clip(said, longestReason)
			t.turnBack(said)
			return
		}
		t.finishRefresh(t.mem.RefreshSince)
	case RefreshCancelled:
		if t.rec.Direction == Back || t.rec.Refresh.Stopped {
			t.beginRefresh()
			return
		}
		t.unpin()
		t.conclude(Ending{Outcome: Superseded, Reason: fmt.Sprintf("somebody else cancelled instance refresh %s", own.ID)})
	case RefreshFailed, RefreshRollbackFailed:
		t.awsFailed(said)
	case RefreshPending, RefreshInProgress, RefreshBaking, RefreshCancelling, RefreshRollbackInProgress:
		// not over
	}
}

// awsFailed follows a refresh, or its rollback, that AWS itself gave up.
func (t *turn) awsFailed(said string) {
	switch {
	case t.own.Status == RefreshFailed && t.rec.Direction == Back && !t.backwards():
		t.beginRefresh()
	case t.own.Status == RefreshRollbackFailed || t.rec.Direction == Back:
		t.rec.Direction = Back
		t.keepOff()
		reason := "the rollback failed: " + said
		if t.rec.Reason != "" {
			reason = t.rec.Reason + "; then " + reason
		}
		t.conclude(Ending{Outcome: FailedRoll, Reason: reason, Quarantine: t.rec.Blame})
	case !t.known:
		t.wake(t.now)
	case t.failing(), t.blameless(said):
	default:
		t.giveUp(said)
	}
}

// finishRefresh looks at the members themselves after a refresh that AWS calls a
// success, puts back what the roll changed, and ends it. since is when the end
// was first seen: a look may lag behind it.
func (t *turn) finishRefresh(since time.Time) {
	over := t.now.Sub(since)
	switch {
	case t.rec.Direction != Back && t.failing():
		return // AWS's word is not what makes a roll succeed
	case t.toReplace() > 0:
		if over >= settle {
			t.leftStale()
		}
		return
	case !t.known, t.unready() > 0, t.missing() > 0:
		if over >= t.spec.InstanceTimeout && t.unready() == 0 {
			t.haltRefresh(Ending{Outcome: Paused, Reason: "the instance refresh is over and the group is not in order: " + t.whyIdle()})
		}
		return
	case t.rec.Direction != Back && !t.rec.Restoring && !t.checked(AtEnd):
		return
	}
	t.rec.Proven = true
	if t.unseenVersions() {
		return
	}
	if t.unpublished() {
		t.publish()
		return
	}
	if at := t.pointer(); t.toNumber(at) {
		if t.rec.Direction != Back && over < settle {
			return // AWS does that by itself
		}
		t.step(Step{Kind: Point, Version: number(t.goal.Number), Why: "launch from version " + number(t.goal.Number)})
		t.wake(t.now)
		return
	}
	t.rec.Restoring = true
	t.restore()
	if len(t.out.Steps) > 0 {
		t.wake(t.now) // and look at the result
		return
	}
	if t.waitMaxSize() {
		return
	}
	t.concludeFinished()
}

// toNumber says whether the pointer, which is at a text now, has to be put on
// the goal. AWS does that by itself after a refresh that went forward to its end.
// A text that was found is given back only once it means the goal.
func (t *turn) toNumber(at string) bool {
	elsewhere := !t.spec.same(t.snap.Group.Points, t.goal)
	switch {
	case at == number(t.goal.Number):
		return false
	case floating(at) && at == t.rec.Pointer:
		return !t.rec.Restoring && elsewhere
	}
	return t.rec.Direction == Back || elsewhere
}

// toReplace is how many members are stale and not left out on purpose, those of a
// warm pool among them.
func (t *turn) toReplace() int {
	return len(t.stale) + len(t.treated(Terminate)) + len(t.waiting()) + len(t.staleWarm())
}

// leftStale starts once more where a refresh has left stale members (launched
// by others meanwhile), as long as that gets anywhere.
func (t *turn) leftStale() {
	left := slices.Concat(t.stale, t.treated(Terminate), t.waiting())
	if len(left) == 0 && t.endsWarm() {
		t.clearWarm() // AWS is done with the pool, and a second refresh would be no better
	}
	if len(left) == 0 && t.deciding(EndWarm) > 0 {
		return
	}
	left = append(left, t.staleWarm()...)
	if r := t.rec.Refresh; r == nil || r.Stale == 0 || len(left) < r.Stale {
		t.rec.Refresh = nil
		t.note("%d members are stale after the instance refresh; another one replaces them", len(left))
		t.wake(t.now)
		return
	}
	t.haltRefresh(Ending{Outcome: Paused, Reason: fmt.Sprintf("the instance refresh is over and %d members were not replaced, such as %s, which runs version %d",
		len(left), left[0].ID, left[0].Version.Number)})
}

// concludeFinished ends a roll whose members are all in order.
func (t *turn) concludeFinished() {
	if t.rec.Direction == Back {
		t.wentBack()
		return
	}
	if left := t.left(); left != "" {
		t.conclude(Ending{Outcome: Partial, Reason: t.remarks(left), Next: release(t.leftOut())})
		return
	}
	t.conclude(Ending{Outcome: Succeeded, Reason: t.remarks()})
}

// settledRefresh books what came of asking for an instance refresh.
func settledRefresh(rec Record, mem Memory, s Step, r Result, now time.Time) (Record, Memory, Note) {
	call := s.Refresh
	if r.Failure != nil {
		return refusedCall(rec, mem, s, *r.Failure, now)
	}
	mem.RefreshOp, mem.RefreshOpAt = call.Op, now
	switch call.Op {
	case StartRefresh:
		mem.RefreshOp = "" // nothing is asked of it yet
		if rec.Refresh != nil {
			kept := *rec.Refresh
			kept.ID = r.Refresh
			rec.Refresh = &kept
		}
		return rec, mem, Note{Text: fmt.Sprintf("started instance refresh %s to version %s", r.Refresh, s.Version)}
	case CancelRefresh:
		if call.Now {
			return rec, mem, Note{Text: "instance refresh " + call.ID + " is cancelled without waiting any longer"}
		}
		return rec, mem, Note{Text: "instance refresh " + call.ID + " is being cancelled"}
	case RollbackRefresh:
		return rec, mem, Note{Text: "instance refresh " + call.ID + " is being rolled back"}
	}
	return rec, mem, Note{}
}

// refusedCall books a call about a refresh that failed. One whose answer was
// lost is settled by looking, a start by the version it goes to.
func refusedCall(rec Record, mem Memory, s Step, f Failure, now time.Time) (Record, Memory, Note) {
	f.Step = s.Kind
	note := Note{Warn: true, Text: fmt.Sprintf("could not %s: %s", s.Why, strings.TrimSuffix(f.Text, "."))}
	if f.Kind == Lost {
		return rec, mem, note
	}
	if s.Refresh.Op == StartRefresh {
		rec.Refresh = nil // it does not exist
	}
	switch f.Kind {
	case Gone:
		note = Note{Text: "instance refresh " + s.Refresh.ID + " was over, or had not begun"}
	case Unsupported:
		if s.Refresh.Op != RollbackRefresh || rec.Refresh == nil {
			mem.Refused = &f
			break
		}
		kept := *rec.Refresh
		kept.Returns = false
		rec.Refresh = &kept
	case Again, Elsewhere:
		if s.Refresh.Op == StartRefresh {
			mem = mem.backOff(now)
		}
	case Fatal:
		mem.Refused = &f
	case Lost:
	}
	return rec, mem, note
}
