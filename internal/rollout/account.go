package rollout

import (
	"slices"
	"time"
)

// account explains the desired capacity that is seen. Refit's own changes are
// relative, so desired must be base + surge; every difference is somebody
// else's wish and is attributed from the cause AWS gives
// (rollouts.md, Capacity).
func (t *turn) account() {
	t.resolveLost()
	t.verifyRaises()
	got, want := t.snap.Group.Desired, t.rec.Base+t.rec.Surge
	if got == want {
		t.mem.Unexplained = time.Time{}
		t.explained()
		return
	}
	if slices.ContainsFunc(t.mem.Recent, func(e expected) bool { return e.desired == got && t.now.Before(e.until) }) {
		t.unclear = true // an observation from before our last change
		return
	}
	if !t.snap.ActivitiesSeen {
		t.out.Look.Activities = true
		t.unclear = true
		return
	}
	t.attribute()
	if t.rec.Base+t.rec.Surge == got || t.strays(got-t.rec.Base-t.rec.Surge) {
		t.mem.Unexplained = time.Time{}
		return
	}
	if t.mem.Unexplained.IsZero() {
		t.mem.Unexplained = t.now
	}
	t.out.Look.Activities = true
	t.unclear = true
	if t.now.Sub(t.mem.Unexplained) >= settle {
		// Launches whose answer was lost come last: others' changes show in the
		// activities, and taking theirs for ours would scale them in.
		if t.lostLaunches(got - t.rec.Base - t.rec.Surge) {
			t.unclear = false
			return
		}
		if t.unseen(got) {
			t.mem.Unexplained, t.unclear = time.Time{}, false
			return
		}
		// Nobody says who did it. Read as an absolute wish, because that
		// reading leaves more capacity: with base 4 and surge 2, a desired of 5
		// ends at 5 rather than at 4.
		t.warnOnce("unexplained "+t.mem.Unexplained.String(),
			"desired capacity is %d where %d was expected, and no scaling activity explains it; %d is taken as what others want", got, want, got)
		t.rec.Base, t.rec.Surge = got, 0
		t.mem.Unexplained = time.Time{}
		t.unclear = false
	}
}

// attribute applies the changes of desired that others made since the last
// one accounted for, and notes launches by LaunchInstances that nothing on
// record stands for.
func (t *turn) attribute() {
	since := t.rec.Changed // AWS's times are whole seconds: several changes may share one
	for i, c := range t.snap.Changes {
		if !c.At.After(since) {
			continue
		}
		t.rec.Changed = c.At
		if t.lostRaise(c) {
			continue
		}
		if t.ours(c) {
			if t.stray(c) {
				t.mem.Strays = append(t.mem.Strays, c)
			}
			continue
		}
		// What the surge was at that moment: what we have done since is not for
		// others to take.
		later := t.since(i + 1)
		base, surge := t.rec.Base, t.rec.Surge-later
		switch d := c.To - c.From; {
		case c.Absolute:
			// An absolute writer did not know of our surge: it is void.
			base, surge = c.To, 0
		case d > 0:
			base += d
		default:
			// A relative scale-in eats our surge first, then base:
			// 4 + 2 − 3 = 3 + 0.
			eaten := min(max(surge, 0), -d)
			base, surge = base+d+eaten, surge-eaten
		}
		t.rec.Base, t.rec.Surge = base, surge+later
		t.note("others changed the desired capacity from %d to %d: %s", c.From, c.To, c.Cause)
	}
}

// since is what changes of ours, from the one at an index on, have added to
// desired, as far as they are on record.
func (t *turn) since(i int) int {
	n := 0
	for _, c := range t.snap.Changes[i:] {
		if t.ours(c) && !t.stray(c) {
			n += c.To - c.From
		}
	}
	return n
}

// stray says whether a change is a launch by a roll that is not on record.
func (t *turn) stray(c Change) bool {
	return c.Launched && !t.mem.Ours[c.Member] && !c.At.Before(t.rec.Written)
}

// unseen finds a change by others that AWS tells of in no activity of its own,
// because ours came right after it and left nothing to do: ours began from
// another capacity than the one before it had led to. Like every change of
// unknown kind it is read as an absolute wish.
func (t *turn) unseen(got int) bool {
	for i, c := range slices.Backward(t.snap.Changes) {
		if !c.At.After(t.rec.Started0) {
			return false
		}
		if !t.ours(c) || t.stray(c) {
			continue
		}
		later := t.since(i)
		if c.From+later != got {
			return false
		}
		if c.From == t.rec.Base+t.rec.Surge-later {
			continue // it is as it should be up to here: look further back
		}
		before := t.rec.Base + t.rec.Surge - later
		if i > 0 && t.snap.Changes[i-1].To == c.From {
			continue // somebody, or we, led there
		}
		t.note("others changed the desired capacity from %d to %d just before our own change", before, c.From)
		t.rec.Base, t.rec.Surge = c.From, later
		return true
	}
	return false
}

// lostRaise takes a change for a raise of ours whose answer was lost, or whose
// owner died, and books it as surge.
func (t *turn) lostRaise(c Change) bool {
	i := slices.IndexFunc(t.rec.Intents, func(in Intent) bool {
		return in.Kind == Raise && in.Lost && c.Absolute && in.From == c.From && in.To == c.To
	})
	if i < 0 {
		return false
	}
	n := t.rec.Intents[i].adds()
	t.rec.Intents = slices.Delete(t.rec.Intents, i, i+1)
	t.rec.Surge += n
	t.rec.Launched += n
	return true
}

// strays explains a surplus of desired by launches of ours without an answer:
// those whose answer was lost, and the one call that a former owner may have
// had in flight, however late it lands. Only rolls call LaunchInstances, so they
// are surge. The activities tell how many members each has launched, which may
// be fewer than it was for.
func (t *turn) strays(surplus int) bool {
	found := fitting(len(t.mem.Strays), func(i int) int { return t.mem.Strays[i].To - t.mem.Strays[i].From }, 0, surplus)
	if surplus <= 0 || len(found) == 0 {
		return false
	}
	for _, i := range slices.Backward(found) {
		c := t.mem.Strays[i]
		t.mem.Strays = slices.Delete(t.mem.Strays, i, i+1)
		n := c.To - c.From
		t.rec.Surge += n
		t.rec.Launched += n
		if !t.answered(n) {
			t.note("a call of a former owner has launched %d only now; what is more than the group wants is ended again", n)
		}
	}
	return true
}

// answered takes the launch off the record that launched n members, and
// reports whether there was one: of that size if possible, else the smallest
// larger one, of which AWS refused a part.
func (t *turn) answered(n int) bool {
	best := -1
	for i, in := range t.rec.Intents {
		if in.Kind == Launch && in.Count >= n && (best < 0 || in.Count < t.rec.Intents[best].Count) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	t.coming -= t.rec.Intents[best].Count
	t.rec.Intents = slices.Delete(t.rec.Intents, best, best+1)
	return true
}

// explained books changes as accounted for that an observation of the right
// desired capacity must have seen, so that a later owner, who does not know
// which members were ours, does not read them as others'.
func (t *turn) explained() {
	if !t.snap.ActivitiesSeen || len(t.rec.Intents) > 0 || len(t.mem.Verify) > 0 {
		return
	}
	for _, c := range t.snap.Changes {
		if c.At.After(t.rec.Changed) && t.now.Sub(c.At) > settle {
			t.rec.Changed = c.At
		}
	}
}

// clamp follows a min size above what others were known to want: desired
// cannot go below it, so it is what they want now.
func (t *turn) clamp() {
	if more := min(t.snap.Group.Min-t.rec.Base, t.rec.Surge); more > 0 {
		t.rec.Base, t.rec.Surge = t.rec.Base+more, t.rec.Surge-more
	}
}

// ours says whether a change of desired is the effect of a call of this owner.
func (t *turn) ours(c Change) bool {
	if c.Member != "" && (t.mem.Ours[c.Member] && c.To > c.From || !t.mem.EndedAt[c.Member].IsZero() && c.To < c.From) {
		return true
	}
	if c.Launched {
		return true // by a call whose answer was lost, or by a former owner
	}
	if c.Member != "" && c.To < c.From && !c.At.After(t.rec.Taken) {
		return true // by a former owner: its record has it, or an intent that is being resolved
	}
	if c.Absolute && !c.At.After(t.rec.Taken) && slices.Contains(t.rec.Raised, [2]int{c.From, c.To}) {
		return true // by a former owner, and its record has it
	}
	return c.Absolute && slices.ContainsFunc(t.mem.Verify, func(in Intent) bool { return in.From == c.From && in.To == c.To })
}

// resolveLost looks whether ends whose answer was lost happened.
func (t *turn) resolveLost() {
	seen := make(map[string]Lifecycle, len(t.snap.Members))
	for _, m := range t.snap.Members {
		seen[m.ID] = m.State
	}
	var kept []Intent
	for _, in := range t.rec.Intents {
		if in.Since.IsZero() {
			in.Since = t.now
		}
		over := t.now.Sub(in.Since) >= settle
		switch in.Kind {
		case End:
			var open []string
			for _, id := range in.IDs {
				state, here := seen[id]
				switch {
				case !here || state == Terminating || state == Retained:
					lowered, told := t.lowered(id)
					if in.Dec && !told && (!over || !t.snap.ActivitiesSeen) {
						open = append(open, id)
						t.out.Look.Activities = true
						continue
					}
					t.ended(id, in.Dec && (lowered || !told))
				case !over:
					open = append(open, id)
				}
			}
			in.IDs = open
			if len(open) == 0 {
				continue
			}
		case Launch, Raise: // below
		case Suspend:
			t.adopt(in)
			continue
		default:
			continue // seen by looking at the pointer, or safe to ask again
		}
		kept = append(kept, in)
	}
	// After the ends, whose decrements are off the surge now: a launch and an end
	// that both happened leave desired as it was.
	t.rec.Intents = slices.DeleteFunc(kept, t.notLaunched)
}

// lowered says whether a member that is going or gone was ended by request and
// desired lowered with it, rather than taken by AWS or EC2 meanwhile; told is false
// while no activity tells.
func (t *turn) lowered(id string) (lowered, told bool) {
	if slices.ContainsFunc(t.snap.Changes, func(c Change) bool { return c.Member == id && c.To < c.From }) {
		return true, true
	}
	_, told = t.snap.Departures[id]
	return false, told
}

// notLaunched says whether an intent is a launch whose answer was lost and that
// did not happen: desired does not show it, although it would by now.
func (t *turn) notLaunched(in Intent) bool {
	if in.adds() == 0 || t.now.Sub(in.Since) < settle || t.snap.Group.Desired != t.rec.Base+t.rec.Surge {
		return false
	}
	if in.Kind == Launch {
		t.coming -= in.Count
	}
	return true
}

// adopt takes suspensions as ours that a lost call of ours was about to make
// and that are there now.
func (t *turn) adopt(in Intent) {
	for _, p := range in.Names {
		if reason, ok := t.snap.Group.Suspended[p]; ok {
			if t.rec.Suspended == nil {
				t.rec.Suspended = map[string]string{}
			}
			t.rec.Suspended[p] = reason
			t.rec.Held = true
		}
	}
}

// ended books a member as ended by us.
func (t *turn) ended(id string, decrement bool) {
	t.rec.Ended++
	if t.mem.EndedAt[id].IsZero() {
		t.mem.EndedAt[id] = t.now
	}
	if decrement {
		t.rec.Surge--
	}
}

// lostLaunches explains a surplus of desired by launches whose answer was
// lost: some of them, the first ones that fit, happened.
func (t *turn) lostLaunches(surplus int) bool {
	happened := fitting(len(t.rec.Intents), func(i int) int { return t.rec.Intents[i].adds() }, 0, surplus)
	if surplus <= 0 || len(happened) == 0 {
		return false
	}
	for _, i := range slices.Backward(happened) {
		in := t.rec.Intents[i]
		t.rec.Intents = slices.Delete(t.rec.Intents, i, i+1)
		t.rec.Surge += in.adds()
		t.rec.Launched += in.adds()
		if in.Kind == Launch {
			t.coming -= in.Count
		} else {
			t.mem.Verify = append(t.mem.Verify, in)
		}
	}
	t.mem.Unexplained = time.Time{}
	return true
}

// fitting are the first of so many changes, from one on, that add exactly n to
// desired; none when no choice of them does. With launches of 3, 3 and 2, of
// which one failed, 5 is the first and the third. There are as many as zones, so
// trying is cheap.
func fitting(of int, adds func(i int) int, from, n int) []int {
	for i := from; i < of; i++ {
		switch add := adds(i); {
		case add <= 0 || add > n:
		case add == n:
			return []int{i}
		default:
			if rest := fitting(of, adds, i+1, n-add); rest != nil {
				return append([]int{i}, rest...)
			}
		}
	}
	return nil
}

// adds is how much an intent adds to the desired capacity.
func (in Intent) adds() int {
	switch in.Kind {
	case Launch:
		return in.Count
	case Raise:
		return in.To - in.From
	case Suspend, Resume, Point, End, Copy, SetDefault, StepRefresh:
	}
	return 0
}

// verifyRaises compares the cause AWS gives for our absolute fallback writes
// with what was read before them. A difference means that somebody changed
// desired in between and our write hid it: it is given back.
func (t *turn) verifyRaises() {
	kept := t.mem.Verify[:0]
	for _, in := range t.mem.Verify {
		if in.Since.IsZero() {
			in.Since = t.now
		}
		i := -1
		if t.snap.ActivitiesSeen {
			i = t.raised(in)
		}
		if i < 0 {
			if t.now.Sub(in.Since) < settle {
				kept = append(kept, in)
				t.out.Look.Activities = true
			}
			continue
		}
		c := t.snap.Changes[i]
		t.rec.Changed = c.At
		if gap := c.From - in.From; gap != 0 {
			// Others went From → c.From just before us. Desired is To: base
			// follows them, the rest is our surge. Where they went further up
			// than we did, nothing of To is ours.
			t.rec.Base += gap
			t.rec.Surge = in.To - t.rec.Base // below zero until the step below is made
			t.note("others changed the desired capacity from %d to %d just before our own change; it is given back", in.From, c.From)
			if short := t.rec.Base - in.To; short > 0 {
				t.step(Step{Kind: Raise, From: in.To, To: t.rec.Base, Why: "give back what others had added"})
			}
		}
	}
	t.mem.Verify = kept
}

// raised is where the activities tell of a raise of ours: as we asked for it, or
// from another capacity to the same one, unless that is another raise of ours.
// Below zero: nowhere.
func (t *turn) raised(in Intent) int {
	after := func(match func(Change) bool) int {
		return slices.IndexFunc(t.snap.Changes, func(c Change) bool {
			return c.Absolute && c.To == in.To && c.At.After(t.rec.Changed) && match(c)
		})
	}
	if i := after(func(c Change) bool { return c.From == in.From }); i >= 0 {
		return i
	}
	return after(func(c Change) bool { return !slices.Contains(t.rec.Raised, [2]int{c.From, c.To}) })
}

// remember keeps what desired was expected to be before a change of ours.
func (m *Memory) remember(desired int, now time.Time) {
	m.Recent = slices.DeleteFunc(m.Recent, func(e expected) bool { return !now.Before(e.until) })
	m.Recent = append(m.Recent, expected{desired, now.Add(settle)})
}
