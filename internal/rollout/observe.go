package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// overlay lays what we have asked for over what is seen, because a snapshot
// may be older than our last call: an id asked to end is neither healthy nor
// ours to end again, a launch counts from the call on.
func (t *turn) overlay() {
	t.doubted = map[string]bool{}
	for _, in := range t.rec.Intents {
		if in.Kind == End {
			for _, id := range in.IDs {
				t.doubted[id] = true
			}
		}
		if in.Kind == Launch {
			t.coming += in.Count
		}
	}
	for _, m := range t.snap.Members {
		delete(t.mem.Announced, m.ID)
		asked := !t.mem.EndedAt[m.ID].IsZero()
		if asked && (m.State == Pending || m.State == InService || m.State == Standby) && t.now.Sub(t.mem.EndedAt[m.ID]) > 2*settle {
			// AWS said yes and did nothing. It is a member again.
			delete(t.mem.EndedAt, m.ID)
			asked = false
		}
		if m.State != Retained && (asked || t.doubted[m.ID]) {
			m.State = Terminating
		}
		t.sort(m)
	}
	for id, v := range t.mem.Announced {
		if t.now.Sub(t.mem.FirstSeen[id]) > settle {
			delete(t.mem.Announced, id) // judged as departed
			continue
		}
		m := Member{ID: id, State: Pending, Version: v, Weight: t.mem.Weights[id]}
		if t.spec.same(v, t.goal) {
			t.fresh = append(t.fresh, m)
		} else {
			t.stale = append(t.stale, m)
		}
	}
	byID := func(a, b Member) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(t.fresh, byID) // maps have no order; decisions must
	slices.SortFunc(t.stale, byID)
	for _, members := range [][]Member{t.kept, t.aside, t.retained} {
		slices.SortFunc(members, byID)
	}
	// EndedAt keeps those that have gone: an activity read much later must
	// still be known for ours.
}

// sort puts a member where it counts.
func (t *turn) sort(m Member) {
	current := t.current(m)
	switch m.State {
	case Terminating:
		t.terminating += m.weight()
	case Retained:
		t.other += m.weight()
		t.retained = append(t.retained, m)
	case Standby:
		t.other += m.weight()
		t.standby += m.weight()
		if !current {
			t.aside = append(t.aside, m)
		}
	case Other:
		t.other += m.weight()
	case Pending, InService:
		switch {
		case current:
			t.fresh = append(t.fresh, m)
		case t.keeps(m):
			t.kept = append(t.kept, m)
		default:
			t.stale = append(t.stale, m)
		}
	}
}

// judge learns who is healthy, who graduated and who failed.
func (t *turn) judge() {
	t.known = t.seen()
	t.leaveOutUnused()
	t.learnSetup()
	t.countPasses()
	t.judgeAlarms()
	for _, m := range t.fresh {
		t.judgeMember(m)
	}
	t.judgeDepartures()
	if t.known {
		t.mem.KnownAt = t.now
	}
}

// judgeMember follows one current member from launch to graduation, and after.
func (t *turn) judgeMember(m Member) {
	delete(t.mem.Missing, m.ID) // an older view did not have it yet
	if m.Healthy {
		delete(t.mem.Unhealthy, m.ID)
	}
	first, ok := t.mem.FirstSeen[m.ID]
	if !ok {
		first = t.now
		if asked := t.mem.Asked; !asked.IsZero() && asked.After(t.rec.Started) {
			// It is what AWS launched when we asked, or later if it was not there yet.
			first = asked.Add(reaction)
			if late := t.mem.LookedAt.Add(-settle); late.After(first) {
				first = late
			}
		}
		t.mem.FirstSeen[m.ID] = first
	}
	if m.State == InService && t.mem.InService[m.ID].IsZero() {
		t.mem.InService[m.ID] = t.now
	}
	if m.State == InService && !t.known {
		return // wait for a look that tells
	}
	why := t.sick(m)
	if why == "" {
		delete(t.mem.SickSince, m.ID)
		delete(t.mem.Ailing, m.ID)
		if t.mem.HealthySince[m.ID].IsZero() {
			t.healthyNow(m.ID, first)
		}
		if !t.mem.Graduated[m.ID] && t.now.Sub(t.mem.HealthySince[m.ID]) >= t.minHealthy() {
			t.mem.Graduated[m.ID] = true
			t.note("%s is healthy", m.ID)
		}
		return
	}
	delete(t.mem.HealthySince, m.ID)
	delete(t.mem.Glanced, m.ID)
	if t.mem.Graduated[m.ID] {
		delete(t.mem.Graduated, m.ID)
		t.mem.SickSince[m.ID] = t.now
		t.mem.Falls[m.ID]++
		t.note("%s was healthy and %s now", m.ID, why)
	}
	t.judgeSick(m, first, why)
}

// healthyNow notes since when a member is healthy: now, or since glances have
// found it so.
func (t *turn) healthyNow(id string, first time.Time) {
	if since := t.mem.Glanced[id]; !since.IsZero() {
		t.mem.HealthySince[id] = since
		delete(t.mem.Glanced, id)
		return
	}
	t.mem.HealthySince[id] = t.now
	if first.After(t.rec.Started) || t.mem.Ours[id] {
		t.learnHealthy(first, t.mem.Learnt.Or(Typical{Launch: usualLaunch}).Launch)
	}
}

// mostFalls is how often a new member may be healthy for long enough and then
// sick again, however shortly. One that goes on like that would begin each bake
// anew for ever.
const mostFalls = 3

// judgeSick turns a sick current member into a failure when its time is up.
func (t *turn) judgeSick(m Member, first time.Time, why string) {
	late, wasReady := t.mem.SickSince[m.ID]
	over := t.now.Sub(first) >= t.spec.InstanceTimeout
	if t.rec.Direction == Back && t.mem.NoCopy == "" && m.Version.Number != t.rec.Copy && !t.mem.Brought[m.ID] && !wasReady && (over || !t.starting(m)) {
		// An old member that was sick when the rollback began is not its failure.
		// What it launches itself has the copy's number, or was seen to come. Without a
		// copy nothing tells the two apart, and it does not claim to have worked.
		t.mem.Ailing[m.ID] = true
		t.lame += m.weight()
		return
	}
	switch {
	case t.fails(m) == "":
		// Others may have been ill with it and be judged well by now.
	case m.State == InService && !m.Healthy && t.taken(m):
		// Not the image's fault, or AWS is about to say whose.
	case m.State == InService && !m.Healthy:
		// AWS is about to replace it; waiting would only hide that.
		t.fail(m.ID, "%s", why)
	case wasReady && t.now.Sub(late) >= max(t.minHealthy(), settle):
		t.fail(m.ID, "had been healthy and then %s for %s", why, Brief(t.now.Sub(late).Round(time.Second)))
	case wasReady && t.mem.Falls[m.ID] >= mostFalls:
		t.fail(m.ID, "was healthy and then not for the %d. time: it %s", t.mem.Falls[m.ID], why)
	case !wasReady && over:
		t.fail(m.ID, "%s %s after its launch (instance_timeout is %s)", why, Brief(t.now.Sub(first).Round(time.Second)), Brief(t.spec.InstanceTimeout))
	}
}

// taken says whether an unhealthy member may be a Spot Instance that EC2 took,
// of which Auto Scaling's view is older than its activities.
func (t *turn) taken(m Member) bool {
	if !t.snap.Group.Spot && !m.Version.Spot {
		return false
	}
	if d, told := t.snap.Departures[m.ID]; told {
		return d.Wanted
	}
	if t.mem.Unhealthy[m.ID].IsZero() {
		t.mem.Unhealthy[m.ID] = t.now
	}
	t.out.Look.Activities = true
	return t.now.Sub(t.mem.Unhealthy[m.ID]) <= settle/2
}

func (t *turn) fail(id, format string, a ...any) {
	t.failures = append(t.failures, failed{id, "member " + id + " " + fmt.Sprintf(format, a...)})
}

// judgeDepartures looks at current members that are gone without our asking.
// AWS replaces bad members by itself, and that must not look like progress.
func (t *turn) judgeDepartures() {
	here := maps.Clone(t.doubted) // those count as terminating, and may be there yet
	for _, m := range t.fresh {
		here[m.ID] = true
	}
	var gone []string
	for id := range t.mem.FirstSeen {
		if !here[id] && !t.mem.Counted[id] {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	for _, m := range t.old() {
		here[m.ID] = true
	}
	for _, id := range gone {
		if !t.mem.EndedAt[id].IsZero() {
			t.forget(id)
			continue
		}
		if here[id] {
			t.note("%s runs another version than the group pointed at when it was launched", id)
			t.forget(id)
			t.mem.Suspect = true
			continue
		}
		if t.mem.Missing[id].IsZero() {
			t.mem.Missing[id] = t.now
		}
		d, told := t.snap.Departures[id]
		t.mem.Suspect = t.mem.Suspect || d.Refresh
		switch {
		case told && (d.Wanted || t.mem.Ailing[id]):
			t.note("%s is gone: %s", id, d.Text)
			t.forget(id)
		case told:
			t.fail(id, "was replaced by EC2 Auto Scaling: %s", strings.TrimSuffix(d.Text, "."))
		case t.snap.ActivitiesSeen && t.now.Sub(t.mem.Missing[id]) > settle/2:
			t.fail(id, "disappeared, and EC2 Auto Scaling does not say why")
		default:
			t.out.Look.Activities = true
			t.unclear = true
		}
	}
}

func (t *turn) forget(id string) {
	delete(t.mem.FirstSeen, id)
	delete(t.mem.InService, id)
	delete(t.mem.HealthySince, id)
	delete(t.mem.SickSince, id)
	delete(t.mem.Glanced, id)
	delete(t.mem.Graduated, id)
	delete(t.mem.Falls, id)
	delete(t.mem.Ailing, id)
	delete(t.mem.Missing, id)
	delete(t.mem.Unhealthy, id)
	delete(t.mem.Failed, id)
	delete(t.mem.Passes, id)
	t.mem.Counted[id] = true
}

// count takes stock after judging, and notices progress.
func (t *turn) count() {
	t.judgeYoung()
	for _, m := range t.old() {
		if t.known && t.sick(m) == "" {
			t.healthy += m.weight()
		}
	}
	for _, m := range t.fresh {
		if t.mem.Graduated[m.ID] {
			t.ready += m.weight()
		}
	}
	t.well = t.healthy
	t.healthy += t.ready
	for _, m := range t.fresh {
		if t.known && t.sick(m) == "" {
			t.well += m.weight()
		}
	}
	t.lim, _ = t.spec.LimitsBy(t.heavy, t.rec.Base, t.maxSize())
	t.lim.Floor = min(t.lim.Floor+t.overfill(), max(t.lim.Floor, t.rec.Base))
	if t.spec.MaxRunning == 0 {
		t.lim.Running += t.standby // they were there before, and stay
	}
	t.doomed = t.doom()
	waiting := len(t.waiting())
	was := t.rec.Counts
	c := Counts{
		Stale: len(t.stale) + waiting, Left: len(t.leftOut()), Current: len(t.fresh), Ready: t.graduates(), Healthy: min(was.Healthy, inService(t.snap)), Running: t.running(),
		Lowest: was.Lowest, Highest: max(was.Highest, t.launched()),
	}
	if t.known {
		c.Healthy = t.serving() + t.graduates()
		c.Lowest = min(was.Lowest, t.healthy)
	}
	if c.Ready > was.Ready || c.Stale < was.Stale && t.mem.fewerStale(c.Stale) {
		t.mem.Progress = t.now
	}
	if n := c.Stale; t.mem.StaleLeast == nil || n < *t.mem.StaleLeast {
		t.mem.StaleLeast = &n
	}
	t.rec.Counts = c
}

// fewerStale says whether n is fewer stale members than there have ever been. Where
// AWS launches stale ones again and again, that they are ended is no progress.
func (m Memory) fewerStale(n int) bool { return m.StaleLeast != nil && n < *m.StaleLeast }

// serving is how many members that do not run the goal are healthy.
func (t *turn) serving() int {
	n := 0
	for _, m := range t.old() {
		if t.sick(m) == "" {
			n++
		}
	}
	return n
}

// Or fills what is not known with what other says.
func (t Typical) Or(other Typical) Typical {
	if t.Launch == 0 {
		t.Launch = other.Launch
	}
	if t.Healthy == 0 {
		t.Healthy, t.Former = other.Healthy, other.Former
	}
	if t.Terminate == 0 {
		t.Terminate = other.Terminate
	}
	return t
}
