package rollout

import (
	"slices"
	"time"
)

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

// clamp follows a min size above what others were known to want: desired
// cannot go below it, so it is what they want now.
func (t *turn) clamp() {
	if more := min(t.snap.Group.Min-t.rec.Base, t.rec.Surge); more > 0 {
		t.rec.Base, t.rec.Surge = t.rec.Base+more, t.rec.Surge-more
	}
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
		switch in.Kind {
		case End:
			if in.IDs = t.openEnds(in, seen); len(in.IDs) == 0 {
				continue
			}
		case Launch, Raise: // below
		case Suspend:
			if in.Names = t.adopt(in); len(in.Names) == 0 {
				continue
			}
		default:
			continue // seen by looking at the pointer, or safe to ask again
		}
		kept = append(kept, in)
	}
	t.rec.Intents = kept
}

// openEnds books what is known of ends without an answer, and gives those of
// which it is not known yet whether they happened.
func (t *turn) openEnds(in Intent, seen map[string]Lifecycle) (open IDs) {
	over := t.now.Sub(in.Since) >= settle
	doubts := Intent{Kind: End, Dec: true, Weight: in.Weight}
	for _, id := range in.IDs {
		state, here := seen[id]
		switch {
		case !here || state == Terminating || state == Retained:
			lowered, told := t.lowered(id)
			silent := told && !lowered // ended by others; ours may have lowered desired in silence
			if in.Dec && (!told && (!over || !t.snap.ActivitiesSeen) || silent && t.now.Sub(in.Since) < older) {
				open = append(open, id)
				t.out.Look.Activities = true
				if silent { // and this look may be older than that
					t.unclear, t.puzzled = true, true
				}
				continue
			}
			t.ended(id, in.Dec && (lowered || !told), in.Weight)
			if silent {
				doubts.IDs = append(doubts.IDs, id)
			}
		case !over:
			open = append(open, id)
		default:
			doubts.IDs = append(doubts.IDs, id) // it may yet land
			t.unclear = true                    // this decision has counted it among those that go
		}
	}
	if in.Dec {
		t.doubt(doubts)
	}
	return open
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

// resolveLaunches takes launches off the record whose answer was lost and that did
// not happen: neither desired nor the activities show them, although they would by
// now. Desired alone does not tell: what one had added others, or an end without
// an answer, may have taken off again. It comes after the activities have been
// read, with which those that happened are booked.
func (t *turn) resolveLaunches() {
	if !t.lowering() {
		t.rec.Intents = slices.DeleteFunc(t.rec.Intents, t.notLaunched)
	}
}

// lowering says whether there is an end without an answer that may have lowered
// desired.
func (t *turn) lowering() bool {
	return slices.ContainsFunc(t.rec.Intents, func(in Intent) bool { return in.Kind == End && in.Dec })
}

// notLaunched says whether an intent is a launch that did not happen.
func (t *turn) notLaunched(in Intent) bool {
	switch {
	case in.adds() == 0 || t.now.Sub(in.Since) < settle:
		return false
	case !t.snap.ActivitiesSeen:
		t.out.Look.Activities = true
		return false
	case in.Kind == Launch:
		t.coming -= in.Count
	default:
		t.doubt(Intent{Kind: Raise, From: in.From, To: in.To})
	}
	return true
}

// mostDoubts is how many members, and how many raises, are kept on record as
// calls in doubt. Of a dead owner's calls the first that did not happen is the
// one that may be late.
const mostDoubts = 60

// doubt keeps calls without an answer that have not happened as far as is seen:
// one of a former owner may land however late, and AWS tells in no activity of a
// member that is ended a second time.
func (t *turn) doubt(in Intent) {
	if in.Kind == End && len(in.IDs) == 0 {
		return
	}
	t.rec.Doubts = slices.Clone(t.rec.Doubts)
	i := slices.IndexFunc(t.rec.Doubts, func(d Intent) bool { return in.Kind == End && d.Kind == End && d.Weight == in.Weight })
	if in.Kind == Raise || i < 0 && len(t.rec.Doubts) < fewWeights {
		t.rec.Doubts = append(t.rec.Doubts, in)
		return
	}
	for _, id := range in.IDs {
		if i >= 0 && !slices.Contains(t.rec.Doubts[i].IDs, id) && t.endsInDoubt() < mostDoubts {
			t.rec.Doubts[i].IDs = append(slices.Clone(t.rec.Doubts[i].IDs), id)
		}
	}
}

// endsInDoubt is how many members have an end in doubt.
func (t *turn) endsInDoubt() int {
	n := 0
	for _, d := range t.rec.Doubts {
		n += len(d.IDs)
	}
	return n
}

// takeDoubt says whether the end of a member is in doubt, and takes it off.
func (t *turn) takeDoubt(id string) bool {
	for i, d := range t.rec.Doubts {
		at := slices.Index(d.IDs, id)
		if at < 0 {
			continue
		}
		t.rec.Doubts = slices.Clone(t.rec.Doubts)
		t.rec.Doubts[i].IDs = slices.Delete(slices.Clone(d.IDs), at, at+1)
		if len(t.rec.Doubts[i].IDs) == 0 {
			t.rec.Doubts = slices.Delete(t.rec.Doubts, i, i+1)
		}
		return true
	}
	return false
}

// endedTwice is by how much, at most n, ends in doubt of members that are going or
// gone have lowered desired; they are in doubt no more.
func (t *turn) endedTwice(n int) int {
	serving := map[string]bool{}
	for _, m := range t.snap.Members {
		serving[m.ID] = m.State == Pending || m.State == InService
	}
	found := 0
	for _, d := range t.rec.Doubts {
		for _, id := range d.IDs {
			if w := max(d.Weight, 1); found+w <= n && !serving[id] && t.takeDoubt(id) {
				found += w
			}
		}
	}
	return found
}

// maybeLate says whether an absolute change of desired may be a raise of a former
// owner that has landed late.
func (t *turn) maybeLate(c Change) bool {
	return slices.ContainsFunc(t.rec.Doubts, func(in Intent) bool { return in.Kind == Raise && in.To == c.To })
}

// adopt takes suspensions as ours that a lost call of ours was about to make
// and that are there now, and gives the others as long as a look may be older than
// the call. Such a look may show the reason of somebody before us: a later one
// tells ours.
func (t *turn) adopt(in Intent) (open []string) {
	for _, p := range in.Names {
		reason, ok := t.snap.Group.Suspended[p]
		early := t.now.Sub(in.Since) < settle
		if !ok {
			if early {
				open = append(open, p)
			}
			continue
		}
		if early {
			reason, t.mem.HeldAt = "", in.Since
		}
		if t.rec.Suspended == nil {
			t.rec.Suspended = map[string]string{}
		}
		t.rec.Suspended[p] = reason
		t.rec.Held = true
	}
	return open
}

// ended books a member as ended by us.
func (t *turn) ended(id string, decrement bool, weight int) {
	t.rec.Ended++
	if t.mem.EndedAt[id].IsZero() {
		t.mem.EndedAt[id] = t.now
	}
	if decrement {
		t.rec.Surge -= max(weight, 1)
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
		t.rec.Launched += t.about(in.adds())
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
	case Suspend, Resume, Point, RaiseMaxSize, LowerMaxSize, End, EndWarm, Copy, Make, SetDefault, StepRefresh:
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
			if t.now.Sub(in.Since) < settle || !t.snap.ActivitiesSeen {
				kept = append(kept, in) // else a later raise could be taken for it
				t.out.Look.Activities = true
			}
			continue
		}
		c := t.snap.Changes[i]
		t.settledUntil(c.At)
		gap := c.From - in.From
		if gap += t.endedTwice(-gap); gap != 0 { // an end in doubt was ours, and our write has made up for it
			// Others went From → c.From just before us, and our write hid it. Where
			// they went further up than we did, nothing of To is ours.
			base := unknown(t.rec.Base, in.From-t.rec.Base, gap)
			t.book(base, t.rec.Base+t.rec.Surge) // surge is below zero until the step below is made
			t.note("others changed the desired capacity from %d to %d just before our own change; it is given back", in.From, c.From)
			if short := t.rec.Base - in.To; short > 0 {
				t.step(Step{Kind: Raise, From: in.To, To: t.rec.Base, Why: "give back what others had added"})
			}
		}
	}
	t.mem.Verify = kept
}

// raised is where the activities tell of a raise of ours: as we asked for it, or
// from another capacity to the same one, unless that is another raise of ours. AWS
// tells of none that was taken off again before it had launched for it. Below zero:
// nowhere.
func (t *turn) raised(in Intent) int {
	after := func(match func(Change) bool) int {
		return slices.IndexFunc(t.snap.Changes, func(c Change) bool {
			return c.Absolute && c.To == in.To && c.At.After(t.rec.Changed) && match(c)
		})
	}
	if i := after(func(c Change) bool { return c.From == in.From }); i >= 0 {
		return i
	}
	return after(func(c Change) bool {
		if c.At.After(t.rec.Taken) {
			return !t.verifies(c) && t.unanswered(c) < 0
		}
		return !slices.Contains(t.rec.Raised, [2]int{c.From, c.To})
	})
}

// verifies says whether a change is just what a raise asked for whose cause has not
// been seen yet.
func (t *turn) verifies(c Change) bool {
	return slices.ContainsFunc(t.mem.Verify, func(in Intent) bool { return in.From == c.From && in.To == c.To })
}

// unanswered is which intent is a raise without an answer that asked for a change.
// Below zero: none.
func (t *turn) unanswered(c Change) int {
	return slices.IndexFunc(t.rec.Intents, func(in Intent) bool {
		return in.Kind == Raise && in.Lost && c.Absolute && in.From == c.From && in.To == c.To
	})
}

// remember keeps what desired was expected to be before a change of ours.
func (m *Memory) remember(desired int, now time.Time) {
	m.Recent = slices.DeleteFunc(m.Recent, func(e expected) bool { return !now.Before(e.until) })
	m.Recent = append(m.Recent, expected{desired, now.Add(settle)})
}
