package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// end ends stale members as far as floor, proof, running limit and zones
// allow, and reports whether it ended any.
func (t *turn) end() bool {
	if !t.known || len(t.stale) == 0 {
		return false
	}
	if at := t.rec.Taken.Add(settle); t.now.Before(at) {
		t.wake(at) // this look may be older than what the former owner has ended
		return false
	}
	if t.torn() || !t.calm() {
		return false
	}
	most := t.mostEnds() - t.inFlight() - t.deciding(End)
	if !t.rec.Proven && t.rec.Direction != Back {
		most = min(most, t.beforeProof())
	}
	t.endStale(most, true)
	if !t.markEnding() && t.jammed() {
		t.endStale(1, false)
	}
	return t.markEnding()
}

// torn says whether old members are sick while new ones that should be healthy are
// not either. Whose fault that is shows soon; ending the sick old ones would end
// the evidence, and what is left would speak against the image.
func (t *turn) torn() bool {
	if t.rec.Direction == Back || !t.rec.Proven || len(t.fresh) == 0 {
		return false
	}
	fell := slices.ContainsFunc(t.fresh, func(m Member) bool { return !t.mem.SickSince[m.ID].IsZero() })
	well, old := t.oldMembers()
	return (fell || t.ready == 0) && well*10 < old*9
}

// beforeProof is how many stale members may be ended while the target is not
// proven. Launching first, none, because undoing a bad canary is then only
// ending it; unless a checkpoint asks for more than there are slots: with one
// slot and a checkpoint of two, the first new member makes room for the second.
// Ending first, one at a time until one of the new ones has graduated.
func (t *turn) beforeProof() int {
	if t.unready() > 0 || t.launched() < t.desired() {
		return 0
	}
	if !t.lim.First {
		return 1
	}
	if t.space() > 0 {
		return 0
	}
	return max(min(roundUp(t.room(), t.chunk), t.rec.Surge-decrements(t.out.Steps)), 0) / t.chunk
}

// inFlight is how many ends have no answer yet: their ids take room on record.
func (t *turn) inFlight() int {
	n := 0
	for _, in := range t.rec.Intents {
		n += len(in.IDs)
	}
	return n
}

// jammed says whether the roll can go on only by ending the last old member of
// a zone that never got its successor: every new member is there and healthy,
// nothing more is to be launched or there is no room for it, and zones without
// one come first at each launch, so this zone has no capacity, is not the
// group's any more, or was passed over by AWS where it picks the zones.
func (t *turn) jammed() bool {
	return t.lim.First && t.rec.Surge > 0 && t.unready() == 0 && t.planned+t.coming == 0 &&
		t.terminating == 0 && (t.space() <= 0 || t.missing() <= 0)
}

// endStale ends at most so many stale members within floor and running limit,
// and within the floors of zones where asked to.
func (t *turn) endStale(most int, byZone bool) {
	// Surge that this turn launches is not there yet and excuses no end.
	healthy, surge, swaps := t.healthy-t.spare(), t.rec.Surge-decrements(t.out.Steps), exchange{running: t.soon(), room: t.room()}
	if !t.lim.First {
		// Members on their way up already take a slot each.
		swaps.room = min(swaps.room, t.rec.Base-units(t.kept)-units(t.fresh))
	}
	zones := t.healthyByZone()
	for _, m := range t.candidates() {
		if most <= 0 {
			return
		}
		ok, w := t.sick(m) == "", m.weight()
		if ok && (healthy-w < t.lim.Floor || byZone && !t.zoneSpares(m, zones)) {
			continue
		}
		if !ok && healthy < t.lim.Floor && t.soonWell(m) {
			continue // it brings the floor back
		}
		s := Step{Kind: End, Member: m.ID, Zone: m.Zone, Weight: m.Weight, Decrement: surge >= w && !t.replacing(m)}
		if s.Decrement {
			surge -= w
			s.Why = "end " + m.ID + ", which has a healthy successor"
		} else {
			if t.drawsStale() {
				return
			}
			if !t.swap(&swaps, w, healthy, ok) {
				continue
			}
			healthy -= t.trimmed()
			t.expose()
			s.Why = fmt.Sprintf("end %s, so that version %d takes its place", m.ID, t.goal.Number)
		}
		if ok {
			healthy -= w
			zones[m.Zone] -= w
		}
		most--
		t.step(s)
	}
}

// exchange is what replacements by AWS may still take, in capacity, and how many
// there were in this turn.
type exchange struct{ running, room, made int }

// swap says whether a member of weight w may be ended so that AWS replaces it, which
// for a moment is one running member more, and books that. ok: it is one of the
// healthy.
func (t *turn) swap(x *exchange, w, healthy int, ok bool) bool {
	more, least := t.replacement(w), healthy-t.trimmed()+t.overfill() // the floor has the latter already
	if ok {
		least -= w
	}
	if x.running+more > t.lim.Running || x.room < 1 || (ok || t.uneven() && x.made > 0) && least < t.lim.Floor {
		t.queued = t.queued || x.room > 0
		return false
	}
	x.running, x.room, x.made = x.running+more, x.room-w, x.made+1
	return true
}

// soonWell says whether a stale member that AWS or others launched during the roll
// is still to become healthy.
func (t *turn) soonWell(m Member) bool {
	since, young := t.mem.Young[m.ID]
	return young && t.starting(m) && t.now.Sub(since) < t.spec.InstanceTimeout/2
}

// candidates are the stale members in the order they should go: unhealthy
// first, then the lightest, those from the fullest zone, there the oldest. While
// there are light ones, AWS might end them for a heavy one that is more than was
// asked for.
func (t *turn) candidates() []Member {
	left := slices.Clone(t.stale)
	full := byZone(append(t.old(), t.fresh...))
	slices.SortStableFunc(left, func(a, b Member) int {
		if !a.LaunchedAt.Equal(b.LaunchedAt) {
			return a.LaunchedAt.Compare(b.LaunchedAt)
		}
		return strings.Compare(a.ID, b.ID)
	})
	out := make([]Member, 0, len(left))
	left = slices.DeleteFunc(left, func(m Member) bool {
		if t.sick(m) == "" {
			return false
		}
		out = append(out, m)
		full[m.Zone] -= m.weight()
		return true
	})
	for len(left) > 0 {
		best := 0
		for i := range left {
			if a, b := left[i], left[best]; a.weight() < b.weight() || a.weight() == b.weight() && full[a.Zone] > full[b.Zone] {
				best = i
			}
		}
		out = append(out, left[best])
		full[left[best].Zone] -= left[best].weight()
		left = slices.Delete(left, best, best+1)
	}
	return out
}

func (t *turn) healthyByZone() map[string]int {
	n := map[string]int{}
	for _, m := range t.old() {
		if t.sick(m) == "" {
			n[m.Zone] += m.weight()
		}
	}
	for _, m := range t.fresh {
		if t.mem.Graduated[m.ID] {
			n[m.Zone] += m.weight()
		}
	}
	return n
}

// zoneSpares says whether a zone can lose a healthy member: never the last one
// while its successor there is still to come. Ending first has no successors.
func (t *turn) zoneSpares(gone Member, healthy map[string]int) bool {
	zone, left := gone.Zone, healthy[gone.Zone]-gone.weight()
	if least := t.zoneLeast(zone); least > 0 && left < least {
		return false
	}
	if !t.lim.First || left > 0 {
		return true
	}
	if slices.ContainsFunc(t.fresh, func(m Member) bool { return m.Zone == zone && !t.mem.Graduated[m.ID] }) {
		return false
	}
	// With every successor launched, none is due in this zone: it held more
	// than its share, or has no capacity.
	return units(t.fresh)+units(t.kept) >= t.rec.Base
}

// markEnding takes members that this decision ends out of the counts that
// later rules of the same decision use, and reports whether there are any.
func (t *turn) markEnding() bool {
	going := map[string]bool{}
	for _, s := range t.out.Steps {
		if s.Kind == End {
			going[s.Member] = true
		}
	}
	t.stale = slices.DeleteFunc(t.stale, func(m Member) bool {
		if going[m.ID] {
			t.terminating += m.weight()
		}
		return going[m.ID]
	})
	return len(going) > 0
}

// surplus ends new members that are more than wanted and provably ours, after
// others scaled in while the roll had launched ahead. One that has not proven to be
// healthy may be so already: while the others do not hold the floor, it stays.
func (t *turn) surplus() {
	if !t.known || len(t.stale) > 0 || t.rec.Surge <= decrements(t.out.Steps) {
		return
	}
	if t.deciding(End) == 0 && t.calm() { // else what this turn ends is not taken off the counts
		t.endSurplus()
	}
	if t.deciding(End) > 0 {
		t.wake(t.now.Add(t.spec.Poll)) // for the rest: nothing else may be due
	}
}

// endSurplus ends as much of the surplus as the floor allows.
func (t *turn) endSurplus() {
	extra := t.extra()
	for i := len(t.fresh) - 1; i >= 0 && extra > 0; i-- {
		m, w := t.fresh[i], t.fresh[i].weight()
		if t.replacing(m) || w > extra {
			continue
		}
		others := t.well
		if t.sick(m) == "" {
			others -= w
		}
		if others < t.lim.Floor || t.mem.Graduated[m.ID] && t.healthy-w < t.lim.Floor {
			continue
		}
		t.well = others
		if t.mem.Graduated[m.ID] {
			t.healthy -= w
		}
		extra -= w
		t.step(Step{Kind: End, Member: m.ID, Zone: m.Zone, Weight: m.Weight, Decrement: true, Why: "end " + m.ID + ", which is more than the group wants now"})
	}
}
