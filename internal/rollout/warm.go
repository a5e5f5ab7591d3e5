package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Members of a warm pool are no part of the group until a launch draws them, and
// then they are in service on the version that they were made from. No call of
// Auto Scaling ends one. Where the spec says so, a roll by Refit itself ends
// stale ones through EC2, and AWS makes others from what the group points at:
// before each launch those that it could draw, and all once the target is proven.

// LooksWarm says whether looks at a group with a warm pool hold its members.
func (s Spec) LooksWarm() bool { return s.TerminateWarm || s.Engine == EngineRefresh }

// staleWarm are the members of the warm pool that are not current and not on
// their way out. Those in service in it can be drawn now.
func (t *turn) staleWarm() []Member { return outdated(t.spec, t.snap, t.goal) }

func outdated(spec Spec, s Snapshot, goal Version) []Member {
	return slices.DeleteFunc(slices.Clone(s.Warm), func(m Member) bool { return m.State == Terminating || spec.Current(s.Group, m, goal) })
}

// endsWarm says whether this roll ends members of the warm pool.
func (t *turn) endsWarm() bool { return t.snap.Group.WarmPool && t.spec.TerminateWarm }

// drawsStale says whether a launch by AWS could draw a stale member, and ends
// those. They are waited for until a look shows that they go.
func (t *turn) drawsStale() bool {
	if !t.endsWarm() {
		return false
	}
	ready := slices.DeleteFunc(t.staleWarm(), func(m Member) bool {
		// Those ended were ready, however old this look is; and all are to go from the
		// proof on.
		return m.State != InService && t.mem.WarmEnded[m.ID].IsZero() && !t.rec.Proven
	})
	if !t.awaitsRest(ready) {
		t.endWarm(ready)
	}
	if t.snap.WarmSeen && len(ready) == 0 {
		return false
	}
	t.wake(t.now.Add(max(t.spec.Poll, reaction)))
	return true
}

// awaitsRest says whether the ends of those that are ready wait until the rest of
// the stale ones is ready, too. While AWS makes stale ones in their place, and does
// so at different times, there would always be one that is ready. A rest that takes
// long is not waited for: it is no more ready when the others go.
func (t *turn) awaitsRest(ready []Member) bool {
	if len(ready) == 0 || len(ready) == len(t.staleWarm()) || t.makesCurrent() {
		t.mem.WarmSplit = time.Time{}
		return false
	}
	if t.mem.WarmSplit.IsZero() {
		t.mem.WarmSplit = t.now
	}
	return t.now.Sub(t.mem.WarmSplit) < t.spec.InstanceTimeout/2
}

// makesCurrent says whether AWS makes members of the goal.
func (t *turn) makesCurrent() bool {
	return t.pointsAtGoal() || t.pointer() == number(t.goal.Number)
}

// clearWarm ends every stale member of the warm pool once AWS makes current ones
// in their place.
func (t *turn) clearWarm() {
	left := t.staleWarm()
	if !t.endsWarm() || !t.snap.WarmSeen {
		return
	}
	if t.mem.WarmLeast == nil || len(left) < *t.mem.WarmLeast {
		n := len(left)
		t.mem.WarmLeast, t.mem.Progress = &n, t.now
	}
	if len(left) == 0 || !t.rec.Proven || !t.makesCurrent() {
		return
	}
	t.endWarm(left)
	t.wake(t.now.Add(max(t.spec.Poll, reaction)))
}

// endWarm ends members of the warm pool that were not asked to end lately. Whom a
// launch of ours has drawn may still show in the pool for a while: until then it ends
// nobody.
func (t *turn) endWarm(members []Member) {
	if t.now.Sub(t.mem.Asked) < older {
		return
	}
	var ids []string
	for _, m := range members {
		if at := t.mem.WarmEnded[m.ID]; at.IsZero() || t.now.Sub(at) >= settle {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 || t.deciding(EndWarm) > 0 {
		return
	}
	slices.Sort(ids)
	ids = ids[:min(len(ids), maxEnds)]
	t.step(Step{Kind: EndWarm, Members: ids, Why: fmt.Sprintf("end %d of the warm pool that do not run version %d, such as %s", len(ids), t.goal.Number, ids[0])})
}

// warmDone says whether nothing of the warm pool is left to be ended.
func (t *turn) warmDone() bool {
	return !t.endsWarm() || t.snap.WarmSeen && len(t.staleWarm()) == 0
}

// tellWarm says before a roll what becomes of the warm pool.
func (t *turn) tellWarm() []string {
	n := len(t.staleWarm())
	if !t.endsWarm() || n == 0 {
		return nil
	}
	return []string{endsWarm(n)}
}

func endsWarm(n int) string {
	return fmt.Sprintf("%d members of the warm pool are ended through EC2, because terminate_warm_instances = true; until EC2 Auto Scaling has made others, "+
		"launches take as long as without a warm pool", n)
}
