package rollout

import (
	"maps"
	"slices"
	"time"
)

// A glance reads the health of a group's targets and not the group: half the
// calls of a look. It can tell that new members have come to be healthy, because
// Auto Scaling registers members as it puts them in service; from then on
// min_healthy_time counts. Nothing is launched or ended by it: who the members
// are, and that they are healthy still and by every signal, is for the look after
// it to see.

// longestGlances bounds the time in which there are glances only: others are at
// work too.
const longestGlances = 3 * longestWait

// After is the look to make when steps have been made: where one did not work, or
// AWS has told of others, a glance is not enough.
func (l Look) After(m Memory) Look {
	l.Glance = l.Glance && !m.Halted && !m.Stumbled
	return l
}

// glances says whether the next look has nothing else to find out than whether
// members that are on their way up are healthy now.
func (t *turn) glances(typical Typical) bool {
	if !t.targetsOnly() || t.minHealthy() == 0 || t.disturbed() {
		return false
	}
	if !t.rec.Proven && t.mem.Owed > 0 {
		return false // the pointer goes back as soon as AWS has launched
	}
	since, ok := t.awaitedSince()
	return ok && t.dueSince(since, typical)
}

// targetsOnly says whether the next look, and health, ask for nothing but target
// groups.
func (t *turn) targetsOnly() bool {
	next := t.out.Look
	return next.Targets && t.needsTargets() && len(t.snap.Group.Weights) == 0 && !t.snap.Group.WarmPool && len(t.snap.Group.Balancers) == 0 && len(t.skipped) == 0 &&
		!t.spec.EC2Status && t.spec.Probe == nil && len(t.spec.Alarms) == 0 &&
		!next.Activities && !next.Versions && !next.Refreshes && !next.Images && !next.Warm && !next.Followers && next.Inquiry == nil && !t.needsSetup()
}

// disturbed says whether there is more to be seen than members on their way up.
func (t *turn) disturbed() bool {
	switch {
	case t.rec.Direction == Back, t.rec.Restoring, t.rec.Fallback, t.baking(), t.leaving, t.unclear, t.mem.Suspect, t.held != "":
	case t.bound, t.queued, t.now.Before(t.mem.LaunchAfter), t.mem.LaunchError != "", t.mem.Refused != nil, !t.mem.PointDoubt.IsZero():
	case len(t.failures)+len(t.mem.Failed)+len(t.mem.SickSince)+len(t.mem.Young) > 0:
	case len(t.rec.Intents)+len(t.rec.Doubts)+len(t.mem.Verify) > 0, !t.mem.PuzzledAt.IsZero(), !t.mem.MaxSizeAt.IsZero() && !t.mem.MaxSizeSeen:
	default:
		return false
	}
	return true
}

// awaitedSince is since when the first of the members is awaited that are on
// their way up; not ok: there is none, or one of them is healthy and the next
// look is to see that it still is.
func (t *turn) awaitedSince() (first time.Time, ok bool) {
	switch {
	case t.planned > 0, t.mem.Owed > 0 && len(t.out.Steps) > 0:
		first, ok = t.now, true
	case t.mem.Owed > 0:
		first, ok = t.mem.Asked, true
	}
	for _, m := range t.fresh {
		if t.mem.Graduated[m.ID] {
			continue
		}
		if !t.mem.HealthySince[m.ID].IsZero() {
			return first, false
		}
		if since := t.mem.FirstSeen[m.ID]; !ok || since.Before(first) {
			first, ok = since, true
		}
	}
	return first, ok
}

// dueSince says whether the next look comes when a member that is awaited since
// then usually is healthy, or not much later. One that is late may have failed,
// which only a look shows.
func (t *turn) dueSince(since time.Time, typical Typical) bool {
	usual := typical.Launch + t.toHealthy(typical)
	after := t.out.Next.Sub(since)
	return after >= usual-t.spec.Poll && after <= usual+max(usual/2, 30*time.Second)
}

// roster notes who the members are and how many AWS owes, for the glances until
// the next look.
func (t *turn) roster() {
	t.mem.Roster = make(map[string]bool, len(t.snap.Members))
	for _, m := range t.snap.Members {
		t.mem.Roster[m.ID] = true
	}
	t.mem.Owed = max(t.desired()-t.launched(), 0)
}

// glance decides after a glance: only when to look again, and how.
func (t *turn) glance(in Input) {
	t.out.Look = Look{Targets: true}
	if in.Stop != "" || t.awsDrives() || t.fell() {
		t.wake(t.now)
		return
	}
	t.closing = in.Closing
	typical := t.mem.Learnt.Or(Typical{Launch: usualLaunch, Healthy: earliest, Terminate: earliest})
	first, awaited := t.glimpse(typical.Launch)
	t.mem.GlancedAt = t.now
	for _, since := range t.mem.Glanced {
		t.wake(since.Add(t.minHealthy()))
	}
	t.wake(t.mem.LookedAt.Add(longestGlances))
	t.wakeAtClose()
	look := t.out.Next
	if awaited {
		t.dueHealthy(first, typical)
		t.out.Look.Glance = t.out.Next.Before(look) && t.dueSince(first, typical)
	}
	if floor := t.now.Add(t.spec.Poll); t.out.Next.Before(floor) {
		t.out.Next = floor
	}
}

// fell says whether a new member that was healthy is not any more: for a look,
// and at once.
func (t *turn) fell() bool {
	well := map[string]bool{}
	for _, m := range t.snap.Members {
		well[m.ID] = t.sickTarget(m) == ""
	}
	for id := range t.mem.Graduated {
		if !well[id] && t.mem.EndedAt[id].IsZero() {
			return true
		}
	}
	for id := range t.mem.HealthySince {
		if !well[id] && t.mem.EndedAt[id].IsZero() {
			return true
		}
	}
	return false
}

// glimpse notes which members have come to be healthy, and says since when the
// first one is awaited that has not, if any is.
func (t *turn) glimpse(launch time.Duration) (first time.Time, awaited bool) {
	well := map[string]bool{}
	for _, m := range t.snap.Members {
		if t.sickTarget(m) == "" {
			well[m.ID] = true
		}
	}
	maps.DeleteFunc(t.mem.Glanced, func(id string, _ time.Time) bool { return !well[id] })
	owed := t.mem.Owed
	for _, id := range slices.Sorted(maps.Keys(well)) {
		since, known := t.mem.FirstSeen[id]
		switch {
		case known && !t.rising(id), !known && t.mem.Roster[id]:
			continue
		case !known: // it is what AWS has launched when it was asked, or no member at all
			since = t.mem.Asked.Add(reaction)
			owed--
		}
		if t.mem.Glanced[id].IsZero() {
			t.mem.Glanced[id] = t.now
			t.learnHealthy(since, launch)
		}
	}
	for id, since := range t.mem.FirstSeen {
		if t.rising(id) && t.mem.Glanced[id].IsZero() && (!awaited || since.Before(first)) {
			first, awaited = since, true
		}
	}
	if since := t.mem.Asked.Add(reaction); owed > 0 && (!awaited || since.Before(first)) {
		first, awaited = since, true
	}
	return first, awaited
}

// rising says whether a new member that was seen or announced is still to be
// found healthy by a look.
func (t *turn) rising(id string) bool {
	return !t.mem.Graduated[id] && t.mem.HealthySince[id].IsZero() && t.mem.EndedAt[id].IsZero() && !t.mem.Counted[id]
}

// learnHealthy learns from a member first seen at an instant and found healthy
// now how long that takes. The latest of a batch counts: the next one is looked
// at when all of it should be there.
func (t *turn) learnHealthy(first time.Time, launch time.Duration) {
	before := t.mem.KnownAt // the last time that health was looked at
	if t.mem.GlancedAt.After(before) {
		before = t.mem.GlancedAt
	}
	t.mem.Learnt.Healthy = max(t.mem.Learnt.Healthy, t.now.Sub(first)-launch)
	late := t.now.Sub(before) > max(2*t.spec.Poll, t.now.Sub(first)/5)
	t.mem.Learnt.Sharp = t.mem.Learnt.Sharp || !late && before.After(first.Add(launch))
}
