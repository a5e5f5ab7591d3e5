package rollout

import "slices"

// parting is what an early end of a roll may still take of the group.
type parting struct {
	todo          int // ends
	left          int // surge, in capacity
	healthy, well int // without what is ended already
}

// endSurge ends as much of our surge as can go now, new members that are not
// healthy yet before old ones that have a healthy successor, and says how much is
// left. The floor alone lets no old one go: nothing is launched after it, and the
// next run would begin with the room used up.
func (t *turn) endSurge() int { return t.part(true) }

// part is endSurge within the floors of zones, or of one member outside of them.
func (t *turn) part(byZone bool) int {
	p := parting{todo: t.mostEnds(), left: t.rec.Surge, healthy: t.healthy - t.spare(), well: t.lately() - t.spare()}
	if t.hurry {
		p.todo = hurriedEnds
	}
	if !byZone {
		p.todo = 1
	}
	for _, m := range t.unproven() {
		ok, left := t.wellLately(m), p.well
		if ok {
			left -= m.weight()
		}
		// Where this look does not tell, one in service may be healthy by now.
		if may := ok || !t.known && m.State == InService; p.fits(t, m) && (!may || left >= t.lim.Floor) {
			p.end(t, m, ok, "end "+m.ID+", which is not healthy yet")
		}
	}
	zones := t.healthyByZone()
	for _, m := range t.candidates() {
		ok, w := t.sick(m) == "", m.weight()
		if !t.known || !p.fits(t, m) || ok && (min(p.healthy, p.well)-w < max(t.lim.Floor, t.rec.Base) || byZone && !t.zoneSpares(m, zones)) {
			continue
		}
		if ok {
			p.healthy -= w
			zones[m.Zone] -= w
		}
		p.end(t, m, ok, "end "+m.ID+", which has a healthy successor")
	}
	return p.left
}

// fits says whether a member may be ended for what is left of the surge.
func (p *parting) fits(t *turn, m Member) bool {
	return p.todo > 0 && p.left >= m.weight() && !t.replacing(m)
}

// end ends a member; ok: it is healthy.
func (p *parting) end(t *turn, m Member, ok bool, why string) {
	p.todo--
	p.left -= m.weight()
	if ok {
		p.well -= m.weight()
	}
	t.step(Step{Kind: End, Member: m.ID, Zone: m.Zone, Weight: m.Weight, Decrement: true, Why: why})
}

// wellLately says whether a member is healthy; where this look does not tell,
// whether a new one was when one last did, and an old one ever, and is in service.
func (t *turn) wellLately(m Member) bool {
	if t.known {
		return t.sick(m) == ""
	}
	_, young := t.mem.Young[m.ID]
	return m.State == InService && m.Healthy && !young && (!t.current(m) || !t.mem.HealthySince[m.ID].IsZero())
}

// lately is the capacity of the members that are healthy in that sense.
func (t *turn) lately() int {
	n := 0
	for _, m := range slices.Concat(t.stale, t.kept, t.fresh) {
		if t.wellLately(m) {
			n += m.weight()
		}
	}
	return n
}

// unproven are the new members of ours that may go at a safe point because they have
// not graduated: those that are not healthy first, and last those that had graduated
// once. Where this look does not tell, these may be healthy again, and stay.
func (t *turn) unproven() []Member {
	if t.rec.Direction == Back {
		return nil
	}
	out := slices.DeleteFunc(slices.Clone(t.fresh), func(m Member) bool {
		return t.mem.Graduated[m.ID] || !t.mem.Ours[m.ID] || t.mem.Falls[m.ID] > 0 && !t.known
	})
	slices.SortStableFunc(out, func(a, b Member) int {
		if d := t.mem.Falls[a.ID] - t.mem.Falls[b.ID]; d != 0 || t.wellLately(a) == t.wellLately(b) {
			return d
		}
		if t.wellLately(a) {
			return 1
		}
		return -1
	})
	return out
}
