package awssim

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	causeRefreshed = "an instance was launched in response to an instance refresh"
	causeReplaced  = "an instance was taken out of service in response to an instance refresh"
)

// stepRefresh takes a group's refresh as far as it can go now. What it wants
// launched is launched by the look that called it.
func (w *World) stepRefresh(g *group) {
	r := g.refresh
	switch {
	case r == nil:
		return
	case g.deleting:
		w.endRefresh(g, types.InstanceRefreshStatusCancelled, "The Auto Scaling group is being deleted.")
		return
	case !g.runs("InstanceRefresh") && r.status != types.InstanceRefreshStatusCancelling:
		// Paused, as documented. That one can be started meanwhile, and begins
		// when the process is resumed, is assumed.
		r.holdPatience(w.now)
		return
	}
	if r.status == types.InstanceRefreshStatusPending {
		w.beginRefresh(g, r)
	}
	switch {
	case r.rolling():
		w.roll(g, r)
	case r.status == types.InstanceRefreshStatusBaking && w.refreshAlarm(r).state == alarmed:
		w.failRefresh(g, "The CloudWatch alarm "+w.refreshAlarm(r).name+" is in ALARM state.")
	case r.status == types.InstanceRefreshStatusBaking && !w.now.Before(r.waitUntil):
		// AWS does not say that it looks at the members again. Here it does not.
		w.succeedRefresh(g, r)
	case r.status == types.InstanceRefreshStatusCancelling:
		// What was not launched yet is not launched for the refresh any more.
		r.launching, r.surge = 0, min(r.surge, max(0, g.actual()-g.desired()))
		if !g.transitioning() {
			w.endRefresh(g, types.InstanceRefreshStatusCancelled, "Cancelled due to user request.")
		}
	}
	if g.refresh == r {
		w.showRefresh(g)
		w.lookIn(g, w.refreshDue(g, r))
	}
}

// beginRefresh decides which members are to be replaced.
func (w *World) beginRefresh(g *group, r *refresh) {
	r.status, r.stalledSince = types.InstanceRefreshStatusInProgress, w.now
	for _, m := range g.members {
		r.first[m.id] = true
		if m.end != nil {
			continue
		}
		if *r.preferences.SkipMatching && w.matchesRefresh(g, m) {
			r.spared[m.id] = true
		} else {
			r.stale[m.id] = true
		}
	}
	r.size = w.tally(g, r).size
	w.event(g.name(), "instance refresh in progress: %d to replace, %d match", len(r.stale), len(r.spared))
}

// matchesRefresh says whether skip matching spares a member: it compares the
// launch template, its version and the instance type, and nothing else. An
// override's own image is no difference.
func (w *World) matchesRefresh(g *group, m *member) bool {
	defer g.underRefresh()()
	spec, typed := g.pointer(), false
	for _, o := range g.overrides() {
		if aws.ToString(o.InstanceType) != m.instanceType {
			continue
		}
		if typed = true; o.LaunchTemplateSpecification != nil {
			spec = o.LaunchTemplateSpecification
		}
	}
	t, err := w.resolveTemplate(aws.ToString(spec.LaunchTemplateId), aws.ToString(spec.Version))
	if err != nil || m.templateID != t.templateID || m.version != t.number {
		return false
	}
	return typed || len(g.overrides()) == 0 && m.instanceType == t.data.InstanceType
}

// refreshTally is what counts for a refresh's next step, in units of capacity.
type refreshTally struct {
	floor, ceiling int32 // the group may have so much ready, and so much altogether
	ready          int32 // in service, healthy and warm
	size           int32 // what the refresh is about
	fresh, updated int32 // of that: not to be replaced; and ready
	owed           int32 // to be launched, by the group's next look
	leftUnits      int32 // still to be replaced
	left           []*member
	waiting        []*member // of left: protected or in standby, which is waited for
	standby        []*member // to be ended
	warming, unfit *member   // examples of members that are not ready
	warm           warmTally
}

func (w *World) tally(g *group, r *refresh) refreshTally {
	t := refreshTally{size: g.desired(), warm: warmTally{size: g.warmWanted()}}
	step := int32(1)
	for _, m := range g.members {
		units := m.weight
		if m.lifecycle == types.LifecycleStateStandby && r.stale[m.id] {
			switch r.preferences.StandbyInstances {
			case types.StandbyInstancesIgnore:
			case types.StandbyInstancesTerminate:
				t.standby = append(t.standby, m)
			case types.StandbyInstancesWait, "":
				t.waiting = append(t.waiting, m)
			}
		}
		if m.warm() {
			t.warm.count(r, m)
		}
		if !m.alive() {
			continue
		}
		ready := w.tallyReadiness(g, r, m, &t)
		switch {
		case r.spared[m.id], r.stale[m.id] && m.protected && r.preferences.ScaleInProtectedInstances == types.ScaleInProtectedInstancesIgnore:
			t.size -= units
		case !r.stale[m.id]:
			t.fresh += units
			if ready {
				t.updated += units
			}
		default:
			t.leftUnits += units
			step = max(step, units)
			if m.protected && r.preferences.ScaleInProtectedInstances != types.ScaleInProtectedInstancesRefresh {
				t.waiting = append(t.waiting, m)
			} else {
				t.left = append(t.left, m)
			}
		}
	}
	t.size = max(0, t.size)
	t.limits(g.desired(), step, &r.preferences)
	return t
}

// tallyReadiness counts a member as ready, or notes it as an example of one
// that is not.
func (w *World) tallyReadiness(g *group, r *refresh, m *member, t *refreshTally) bool {
	if !w.fit(g, m) {
		if t.unfit == nil || r.stale[t.unfit.id] && !r.stale[m.id] {
			t.unfit = m // one that was launched tells more
		}
		return false
	}
	if w.now.Before(r.warmAt(m)) {
		t.warming = m
		return false
	}
	t.ready += m.weight
	return true
}

// limits works out the bounds: the floor rounded up, the ceiling down. When
// that leaves no room to replace anything, a maximum that was asked for is
// exceeded by launching first, and without one a member is ended while its
// successor is launched. Both are documented. With 4 desired, 90 % is a floor
// of 4: the default refresh of a small group goes below what it promises.
func (t *refreshTally) limits(desired, step int32, p *types.RefreshPreferences) {
	t.floor, t.ceiling = (desired**p.MinHealthyPercentage+99)/100, desired
	if p.MaxHealthyPercentage != nil {
		t.ceiling = desired * *p.MaxHealthyPercentage / 100
	}
	switch {
	case t.ceiling-t.floor >= step:
	case p.MaxHealthyPercentage != nil:
		t.ceiling = desired + step
	default:
		t.floor = max(0, desired-step)
	}
}

func (r *refresh) warmAt(m *member) time.Time {
	return m.inServiceAt.Add(time.Duration(*r.preferences.InstanceWarmup) * time.Second)
}

// fit says whether a member passes the group's health checks now: EC2's, which
// take a while to have data, and its target groups' where the group uses them.
// A group whose type is EC2 does not ask them, so a refresh of it succeeds with
// members that get no traffic.
func (w *World) fit(g *group, m *member) bool { return w.serves(g, m) && w.unfitBy(m) == "" }

// unfitBy is the service without good news of a member in service that is not
// marked unhealthy, or empty when EC2 has good news.
func (w *World) unfitBy(m *member) string {
	i := w.ec2.instances[m.id]
	if i == nil || i.state != "running" || !w.checksPassed(i) || w.fails(i, "instance") || w.fails(i, "system") {
		return "Amazon EC2"
	}
	return ""
}

// roll replaces what may be replaced now, and ends the refresh or its phase
// when that is all.
func (w *World) roll(g *group, r *refresh) {
	t := w.tally(g, r)
	// Members that went by themselves leave surge that nobody is replaced by.
	r.surge = min(r.surge, t.leftUnits)
	t.owed = max(0, g.desired()+g.early()+r.surge-g.actual())
	r.launching = min(r.launching, t.owed)
	alarm := w.refreshAlarm(r)
	if alarm.state == alarmed {
		w.failRefresh(g, "The CloudWatch alarm "+alarm.name+" is in ALARM state.")
		return
	}
	moved := false
	if w.refreshMayReplace(g, r) {
		moved = w.replaceStale(g, r, &t)
	}
	if r.complete(&t) && w.refreshMayReplace(g, r) {
		moved = w.replaceWarm(g, r, &t.warm) || moved
	}
	if done := t.updated + t.warm.updated; done > r.best {
		r.best, moved = done, true
	}
	w.passCheckpoint(g, r, &t)
	r.reason = w.refreshReason(g, r, &t)
	if r.complete(&t) && t.warm.done() {
		w.finishRolling(g, r)
		return
	}
	if w.outOfPatience(g, r, &t, moved) {
		w.failRefresh(g, "The instance refresh could not continue for an hour. "+r.reason)
	}
}

// refreshMayReplace says whether members may be replaced now. With Launch or
// Terminate suspended nothing happens, and nothing is said. An alarm without
// data holds up replacements as well.
func (w *World) refreshMayReplace(g *group, r *refresh) bool {
	return g.runs("Launch") && g.runs("Terminate") && !w.now.Before(r.waitUntil) && w.refreshAlarm(r).state == ""
}

// replaceStale launches and ends within the limits, and says whether it did
// anything.
func (w *World) replaceStale(g *group, r *refresh, t *refreshTally) (moved bool) {
	if t.ready >= t.floor || r.back() {
		for _, m := range t.standby {
			w.terminate(g, m, w.refreshCauses(m)...)
			moved = true
		}
	}
	room := min(t.size, r.limit(t.size)) - t.fresh - t.owed
	left := slices.Clone(t.left)
	leftUnits := int32(0)
	for _, m := range left {
		leftUnits += m.weight
	}
	for {
		more := min(room, leftUnits-r.surge, t.ceiling-g.desired()-r.surge)
		if more > 0 {
			r.surge, r.launching, room, t.owed = r.surge+more, r.launching+more, room-more, t.owed+more
		}
		m := w.refreshVictim(g, r, t, left)
		if m == nil || r.surge <= 0 && room <= 0 {
			if more <= 0 {
				return moved
			}
			moved = true
			continue
		}
		units := m.weight
		if w.fit(g, m) && !w.now.Before(r.warmAt(m)) {
			t.ready -= units
		}
		paid := min(r.surge, units) // its successor is there already
		r.surge -= paid
		room, r.launching, t.owed = room-units+paid, r.launching+units-paid, t.owed+units-paid
		left = slices.DeleteFunc(left, func(o *member) bool { return o == m })
		leftUnits, t.leftUnits = leftUnits-units, t.leftUnits-units
		w.terminate(g, m, w.refreshCauses(m)...)
		moved = true
	}
}

func (w *World) refreshCauses(m *member) []string {
	return []string{w.at(causeReplaced), w.at("instance %s was selected for termination", m.id)}
}

// refreshVictim chooses the next member to end, or nobody if the floor
// forbids it: one that is not ready before one that is, then one that does not
// match before one that does, then in the fullest zone, then the oldest.
func (w *World) refreshVictim(g *group, r *refresh, t *refreshTally, left []*member) *member {
	zones := g.zoneCounts()
	unready := func(m *member) bool { return !w.fit(g, m) || w.now.Before(r.warmAt(m)) }
	rank := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	var allowed []*member
	for _, m := range left {
		if !unready(m) && t.ready-m.weight >= t.floor || unready(m) && (r.back() || t.ready >= t.floor) {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		return nil
	}
	return slices.MinFunc(allowed, func(a, b *member) int {
		return cmp.Or(rank(unready(a))-rank(unready(b)), rank(!w.matchesRefresh(g, a))-rank(!w.matchesRefresh(g, b)),
			zones[b.zone]-zones[a.zone], a.launchedAt.Compare(b.launchedAt))
	})
}

// limit is how many units of size may be replaced before the next checkpoint
// has passed. After the last one nothing more is replaced.
func (r *refresh) limit(size int32) int32 {
	points := r.preferences.CheckpointPercentages
	if len(points) == 0 || r.back() {
		return size
	}
	point := points[min(int(r.passed), len(points)-1)]
	return (size*point + 99) / 100
}

// passCheckpoint begins the wait at a checkpoint that was reached. There is
// none at the last. A group that grew may come to the same one again.
func (w *World) passCheckpoint(g *group, r *refresh, t *refreshTally) {
	points := r.preferences.CheckpointPercentages
	if len(points) == 0 || r.back() {
		return
	}
	percent, reached := t.percent(), int32(0)
	for _, p := range points {
		if p <= percent {
			reached++
		}
	}
	if t.size > r.size {
		r.passed = min(r.passed, reached)
	}
	r.size = t.size
	if reached <= r.passed || w.now.Before(r.waitUntil) {
		return
	}
	r.passed = reached
	if int(reached) < len(points) {
		r.waitUntil = w.now.Add(time.Duration(*r.preferences.CheckpointDelay) * time.Second)
		w.event(g.name(), "instance refresh reached the checkpoint at %d %%", points[reached-1])
	}
}

// percent is how much of a refresh is done.
func (t *refreshTally) percent() int32 {
	if t.size == 0 {
		return 100
	}
	return min(100, 100*t.updated/t.size)
}

// complete says whether there is nothing left to replace or to wait for in the
// group itself.
func (r *refresh) complete(t *refreshTally) bool {
	points := r.preferences.CheckpointPercentages
	partly := !r.back() && len(points) > 0 && points[len(points)-1] < 100 && int(r.passed) == len(points)
	if !partly && (t.leftUnits > 0 || len(t.waiting)+len(t.standby) > 0) {
		return false
	}
	return r.surge == 0 && t.owed == 0 && t.updated == t.fresh
}

// finishRolling ends the replacing.
func (w *World) finishRolling(g *group, r *refresh) {
	bake := time.Duration(aws.ToInt32(r.preferences.BakeTime)) * time.Second
	switch {
	case r.back():
		w.endRefresh(g, types.InstanceRefreshStatusRollbackSuccessful, "")
	case bake > 0:
		r.status, r.waitUntil = types.InstanceRefreshStatusBaking, w.now.Add(bake)
		r.reason = "Waiting for the bake time to end at " + r.waitUntil.UTC().Format(time.RFC3339) + "."
		w.event(g.name(), "instance refresh is baking for %s", bake)
	default:
		w.succeedRefresh(g, r)
	}
}

// outOfPatience says whether a refresh went without progress for too long.
// Time does not count while it waits as it should: at a checkpoint, for a sound
// member to warm up, for an alarm's data, or for a process to be resumed. AWS
// leaves the last two open.
func (w *World) outOfPatience(g *group, r *refresh, t *refreshTally, moved bool) bool {
	r.holdPatience(w.now)
	if moved {
		r.stalled = 0
	}
	if w.refreshMayReplace(g, r) && t.warming == nil {
		r.stalledSince = w.now
	}
	return r.stalled >= refreshPatience
}

func (r *refresh) holdPatience(now time.Time) {
	if !r.stalledSince.IsZero() {
		r.stalled += now.Sub(r.stalledSince)
		r.stalledSince = time.Time{}
	}
}

// refreshDue is how long until a refresh may be able to do something, as far
// as time alone tells.
func (w *World) refreshDue(g *group, r *refresh) time.Duration {
	due := w.now.Add(refreshBeat)
	sooner := func(at time.Time) {
		if at.After(w.now) && at.Before(due) {
			due = at
		}
	}
	sooner(r.waitUntil)
	if !r.stalledSince.IsZero() {
		sooner(r.stalledSince.Add(refreshPatience - r.stalled))
	}
	for _, m := range g.members {
		if m.lifecycle == types.LifecycleStateInService {
			sooner(r.warmAt(m))
		}
		if i := w.ec2.instances[m.id]; i != nil && !i.runningAt.IsZero() {
			sooner(i.runningAt.Add(w.latencyFor(i.group).StatusCheck))
		}
	}
	return due.Sub(w.now)
}

// transitioning says whether members are on their way in or out.
func (g *group) transitioning() bool {
	return slices.ContainsFunc(g.members, func(m *member) bool {
		return m.end != nil && m.lifecycle != types.LifecycleStateTerminatingRetained || m.pending()
	})
}

// rollBack turns a refresh around: what was launched since its start is
// replaced by what the group points at. Members that are protected from
// scale-in from their launch on are in the way of this, too.
func (w *World) rollBack(g *group, reason string) {
	r := g.refresh
	shown := &g.refreshes[0]
	r.status, r.reason = types.InstanceRefreshStatusRollbackInProgress, reason
	r.waitUntil, r.stalled, r.stalledSince, r.best, r.launching = time.Time{}, 0, w.now, 0, 0
	r.stale = map[string]bool{}
	for _, m := range g.members {
		if !r.first[m.id] {
			r.stale[m.id] = true
		}
	}
	shown.RollbackDetails = &types.RollbackDetails{
		RollbackReason: aws.String(reason), RollbackStartTime: aws.Time(w.now),
		PercentageCompleteOnRollback: shown.PercentageComplete, InstancesToUpdateOnRollback: shown.InstancesToUpdate,
		ProgressDetailsOnRollback: shown.ProgressDetails,
	}
	w.event(g.name(), "instance refresh rolls back: %s", reason)
	w.showRefresh(g)
}

// failRefresh ends a refresh that cannot go on, or turns it around.
func (w *World) failRefresh(g *group, reason string) {
	switch r := g.refresh; {
	case r.back():
		w.endRefresh(g, types.InstanceRefreshStatusRollbackFailed, reason)
	case *r.preferences.AutoRollback:
		w.rollBack(g, reason)
	default:
		w.endRefresh(g, types.InstanceRefreshStatusFailed, reason)
	}
	w.lookSoon(g)
}

// succeedRefresh ends a refresh well. Only now the group points at the desired
// configuration.
func (w *World) succeedRefresh(g *group, r *refresh) {
	if r.desired != nil {
		g.as.LaunchTemplate, g.as.MixedInstancesPolicy = r.desired.LaunchTemplate, r.desired.MixedInstancesPolicy
		g.reweigh()
		w.event(g.name(), "template pointer is now %s of %s", *g.pointer().Version, *g.pointer().LaunchTemplateName)
	}
	w.endRefresh(g, types.InstanceRefreshStatusSuccessful, "")
}
