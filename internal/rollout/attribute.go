package rollout

import (
	"slices"
	"time"
)

// Drift is what others' changes of desired since [Record.Changed] have added: to
// base, and to desired.
type Drift struct {
	Base    int       `json:"b,omitempty"`
	Desired int       `json:"d,omitempty"`
	Since   time.Time `json:"s,omitzero"` // AWS's time of the first of them; zero: there is none
}

// account explains the desired capacity that is seen. Refit's own changes are
// relative, so desired must be base + surge; every difference is somebody
// else's wish and is attributed from the cause AWS gives
// (rollouts.md, Capacity). What nobody tells of is read so that more is left
// (ADR 0024).
func (t *turn) account() {
	t.resolveLost()
	t.verifyRaises()
	got, want := t.snap.Group.Desired, t.rec.Base+t.rec.Surge
	if got != want && slices.ContainsFunc(t.mem.Recent, func(e expected) bool { return e.desired == got && t.now.Before(e.until) }) {
		t.unclear = true // an observation from before our last change
		return
	}
	old := got == want && t.now.Sub(t.mem.PuzzledAt) < older // this look may be older than that one
	if t.snap.ActivitiesSeen && t.explain(got) && !old || !t.snap.ActivitiesSeen && got == want && !old {
		t.mem.Unexplained, t.mem.PuzzledAt = time.Time{}, time.Time{}
		t.resolveLaunches()
		return
	}
	t.out.Look.Activities = true
	t.unclear, t.puzzled = true, true
	if got != want {
		t.mem.PuzzledAt = t.now
	}
}

// older is how long after one look another may still show what was before.
const older = settle / 2

// explain books what the activities tell of the desired capacity that is seen, or
// what is left to believe where they have told nothing for long enough. It reports
// whether it is accounted for.
func (t *turn) explain(got int) bool {
	t.learnChanges()
	switch found, sure := t.attribute(got); {
	case found && sure:
		t.settleChanges()
		return true
	case found:
		return false
	case t.mem.Unexplained.IsZero():
		t.mem.Unexplained = t.now
	}
	// Others' changes show in the activities, which may be late. Taking theirs for
	// ours would scale them in.
	if t.now.Sub(t.mem.Unexplained) < settle || slices.ContainsFunc(t.mem.Changes, func(c Change) bool { return t.now.Sub(c.At) < older }) {
		return false // also where the desired capacity that is seen may be older than the newest change
	}
	t.guess(got)
	return true
}

// learnChanges adds what this look tells of changes since those that are settled.
// An older view of the activities takes none away.
func (t *turn) learnChanges() {
	old := t.mem.Changes
	t.mem.Changes = nil
	for _, c := range t.snap.Changes {
		if c.At.After(t.rec.Changed) {
			t.mem.Changes = append(t.mem.Changes, c)
		}
	}
	missing := slices.DeleteFunc(slices.Clone(old), func(c Change) bool { return among(t.mem.Changes, c) })
	if len(missing) > 0 {
		t.mem.Changes = append(t.mem.Changes, missing...)
		slices.SortStableFunc(t.mem.Changes, func(a, b Change) int { return a.At.Compare(b.At) })
	}
}

func among(changes []Change, c Change) bool {
	return slices.ContainsFunc(changes, func(o Change) bool {
		return o.At.Equal(c.At) && o.From == c.From && o.To == c.To && o.Member == c.Member && o.Cause == c.Cause
	})
}

// attribute finds the changes by others, and launches of ours that are not on
// record, which lead to the desired capacity that is seen, and books them. Those
// booked before stay. Of the others, as many of the newest count as fit: the
// oldest may have been in what the roll found, and show only now. It reports
// whether any fit, and books none yet where one that does not is so new that it may
// be the desired capacity which is old.
func (t *turn) attribute(got int) (found, sure bool) {
	var strays, news []Change
	for _, c := range t.mem.Changes {
		switch t.claim(c); {
		case t.stray(c):
			strays = append(strays, c)
		case t.ours(c), among(t.mem.Applied, c):
		default:
			news = append(news, c)
		}
	}
	if len(t.mem.Applied) == 0 && !t.rec.Drift.Since.IsZero() {
		t.mem.Applied = t.inherited(news)
		news = slices.DeleteFunc(news, func(c Change) bool { return among(t.mem.Applied, c) })
	}
	landed, strays := t.landed(strays)
	for from := range len(news) + 1 {
		with := t.with(news[from:])
		base, added := t.replay(with)
		surplus := got - (t.rec.Base + t.rec.Surge - t.rec.Drift.Desired + added)
		for _, c := range landed {
			surplus -= c.To - c.From
		}
		ours := fitting(len(strays), func(i int) int { return strays[i].To - strays[i].From }, 0, surplus)
		if surplus != 0 && ours == nil {
			continue
		}
		if slices.ContainsFunc(news[:from], func(c Change) bool { return t.now.Sub(c.At) < settle }) {
			return true, false
		}
		t.apply(with, base, added)
		for _, c := range landed {
			t.strayed(c)
		}
		for _, i := range ours {
			t.strayed(strays[i])
		}
		return true, true
	}
	fits := got == t.rec.Base+t.rec.Surge && len(landed) == 0
	return fits, fits
}

// landed are those strays that are the effect of a launch on record without an
// answer, and the others. Where the record on which this owner goes on was copied by
// one that changed nothing, and does not tell what it has booked, nobody knows which
// were on record when it was written.
func (t *turn) landed(strays []Change) (landed, others []Change) {
	if !t.rec.Taken.IsZero() && t.rec.Written.IsZero() {
		return nil, strays
	}
	var open []int
	for _, in := range t.rec.Intents {
		if in.Kind == Launch && in.Lost {
			open = append(open, in.Count)
		}
	}
	slices.Sort(open)
	for _, c := range strays {
		i := slices.IndexFunc(open, func(n int) bool { return n >= c.To-c.From })
		if i < 0 {
			others = append(others, c)
			continue
		}
		landed, open = append(landed, c), slices.Delete(open, i, i+1)
	}
	return landed, others
}

// inherited are those of the changes by others that a former owner has booked: the
// first ones that make up what is on record of them. It may not have seen the
// newest. Where AWS tells of others than it did to the former owner, all are.
func (t *turn) inherited(changes []Change) []Change {
	at := slices.IndexFunc(changes, func(c Change) bool { return !c.At.Before(t.rec.Drift.Since) })
	if at < 0 {
		return nil
	}
	booked := changes[at:]
	for n := 1; n <= len(booked); n++ {
		if base, added := t.replay(booked[:n]); base == t.rec.Base && added == t.rec.Drift.Desired {
			return slices.Clone(booked[:n])
		}
	}
	return slices.Clone(booked)
}

// with are the changes by others that are booked and those of news, in order.
func (t *turn) with(news []Change) []Change {
	var out []Change
	for _, c := range t.mem.Changes {
		if among(t.mem.Applied, c) || among(news, c) {
			out = append(out, c)
		}
	}
	return out
}

// replay is what others wanted after their changes, from what they wanted before
// the first, and how much they have added to desired.
func (t *turn) replay(changes []Change) (base, added int) {
	base = t.rec.Base - t.rec.Drift.Base
	for _, c := range changes {
		base = t.after(base, c)
		added += c.To - c.From
	}
	return base, added
}

// after is what others want after a change by them. Our surge then was what
// desired had been beyond what they wanted.
func (t *turn) after(base int, c Change) int {
	d := c.To - c.From
	switch {
	case c.Absolute && t.maybeLate(c):
		return max(base, c.To)
	case c.Absolute:
		return c.To // who wrote it did not know of our surge: it is void
	case d > 0:
		return base + d
	}
	// A relative scale-in eats our surge first, then base: 4 + 2 − 3 = 3 + 0.
	return base + d + min(max(c.From-base, 0), -d)
}

// unknown is what others want after a change of desired by d of which nobody
// tells, from base and surge: the reading that leaves more.
func unknown(base, surge, d int) int {
	relative := base + d
	if d < 0 {
		relative += min(max(surge, 0), -d)
	}
	return max(base+surge+d, relative)
}

// apply books changes by others.
func (t *turn) apply(changes []Change, base, added int) {
	drift := Drift{Base: base - (t.rec.Base - t.rec.Drift.Base), Desired: added, Since: first(changes)}
	if drift.Base != t.rec.Drift.Base || drift.Desired != t.rec.Drift.Desired {
		for _, c := range changes {
			if among(t.mem.Applied, c) {
				continue
			}
			t.note("others changed the desired capacity from %d to %d: %s", c.From, c.To, c.Cause)
			if t.maybeLate(c) {
				t.warnOnce("late "+c.Cause, "this may have been a call of a former owner that came late; %d is taken as what others want", base)
			}
		}
	}
	want := t.rec.Base + t.rec.Surge - t.rec.Drift.Desired + added
	t.mem.Applied = changes
	t.book(base, want)
	t.rec.Drift = drift
}

// first is when the first of changes was; zero: there is none.
func first(changes []Change) time.Time {
	if len(changes) == 0 {
		return time.Time{}
	}
	return changes[0].At
}

// book takes base as what others want, and the rest of desired as our surge.
func (t *turn) book(base, desired int) {
	if was := t.rec.Base + t.rec.Surge; was != desired {
		t.mem.remember(was, t.now)
	}
	t.rec.Base, t.rec.Surge = base, desired-base
}

// settleChanges takes what happened a while ago off the changes to come back to:
// nothing older can show any more. A later owner, who does not know which members
// were ours, then does not read our own as others'.
func (t *turn) settleChanges() {
	if len(t.rec.Intents) > 0 || len(t.mem.Verify) > 0 {
		return
	}
	until := t.rec.Changed
	for _, c := range t.mem.Changes {
		if c.At.After(until) && t.now.Sub(c.At) > settle {
			until = c.At
		}
	}
	t.settledUntil(until)
}

// settledUntil is for the changes until an instant of AWS's time.
func (t *turn) settledUntil(until time.Time) {
	over := func(c Change) bool { return !c.At.After(until) }
	var past []Change
	for _, c := range t.mem.Applied {
		if over(c) {
			past = append(past, c)
		}
	}
	base, added := t.replay(past)
	t.rec.Changed = until
	t.mem.Changes = slices.DeleteFunc(slices.Clone(t.mem.Changes), over)
	t.mem.Applied = slices.DeleteFunc(slices.Clone(t.mem.Applied), over)
	t.rec.Drift = Drift{Base: t.rec.Base - base, Desired: t.rec.Drift.Desired - added, Since: first(t.mem.Applied)}
}

// ours says whether a change of desired is the effect of a call of this roll.
func (t *turn) ours(c Change) bool {
	before := !c.At.After(t.rec.Taken) // by a former owner: its record has it, or an intent that is being resolved
	switch {
	case c.Launched:
		return true // also by a call whose answer was lost
	case c.Member != "" && c.To > c.From:
		return t.mem.Ours[c.Member]
	case c.Member != "":
		return before || t.doubted[c.Member] || !t.mem.EndedAt[c.Member].IsZero()
	case c.Absolute:
		return before && slices.Contains(t.rec.Raised, [2]int{c.From, c.To}) || among(t.mem.Claimed, c) || t.verifies(c)
	}
	return false
}

// stray says whether a change is a launch by a roll that is not on record: only
// rolls call LaunchInstances.
func (t *turn) stray(c Change) bool {
	return c.Launched && !t.mem.Ours[c.Member] && !c.At.Before(t.rec.Written)
}

// strayed books a launch of ours without an answer: one whose answer was lost,
// or the one call that a former owner may have had in flight, however late it
// lands. The activities tell how many members it has launched, which may be fewer
// than it was for.
func (t *turn) strayed(c Change) {
	n := c.To - c.From
	t.mem.Ours[c.Member] = true
	t.rec.Surge += n
	t.rec.Launched += t.about(n)
	if !t.answered(n) {
		t.note("a call of a former owner has launched %d only now; what is more than the group wants is ended again", n)
	}
}

// claim books a change that is the effect of a call of ours which came late, or
// whose answer was lost.
func (t *turn) claim(c Change) {
	if t.ours(c) {
		return
	}
	if c.Member != "" && c.To < c.From && t.takeDoubt(c.Member) {
		t.note("a call of a former owner has ended %s only now", c.Member)
		t.ended(c.Member, true, c.From-c.To)
		return
	}
	i := t.unanswered(c)
	if i < 0 {
		return
	}
	n := t.rec.Intents[i].adds()
	t.rec.Intents = slices.Delete(t.rec.Intents, i, i+1)
	t.rec.Surge += n
	t.rec.Launched += t.about(n)
	t.rec.raised(c.From, c.To)
	t.mem.Claimed = append(t.mem.Claimed, c)
}

// guess books a desired capacity that nobody has explained for long enough.
func (t *turn) guess(got int) {
	var strays, all []Change
	for _, c := range t.mem.Changes {
		switch {
		case t.stray(c):
			strays = append(strays, c)
		case !t.ours(c):
			all = append(all, c)
		}
	}
	landed, _ := t.landed(strays)
	for _, c := range landed {
		t.strayed(c)
	}
	all = t.likely(all, got)
	base, added := t.replay(all)
	t.apply(all, base, added)
	want := t.rec.Base + t.rec.Surge
	if n := t.endedTwice(want - got); n > 0 {
		t.rec.Surge -= n
		t.warnOnce("twice "+t.mem.Unexplained.String(), "desired capacity is %d where %d was expected, and no scaling activity explains it; "+
			"a call without an answer has lowered it once more, or others have: %d is still taken as what others want", got, want, t.rec.Base)
		want -= n
	}
	if got == want || t.lostLaunches(got-want) {
		return
	}
	if i := t.gap(got - want); i >= 0 {
		t.missed(i, got-want)
	} else {
		t.book(unknown(t.rec.Base, t.rec.Surge, got-want), got)
		t.warnOnce("unexplained "+t.mem.Unexplained.String(),
			"desired capacity is %d where %d was expected, and no scaling activity explains it; %d is taken as what others want", got, want, t.rec.Base)
	}
	t.rec.Drift, t.mem.Applied = Drift{}, nil
	if n := len(t.mem.Changes); n > 0 {
		t.rec.Changed, t.mem.Changes = t.mem.Changes[n-1].At, nil
	}
}

// likely are those of the changes by others which lead, with launches without an
// answer, to the desired capacity that is seen: what is booked, and as many of the
// newest as fit. The oldest may have been in what the roll found. Where none fit, all.
func (t *turn) likely(all []Change, got int) []Change {
	news := slices.DeleteFunc(slices.Clone(all), func(c Change) bool { return among(t.mem.Applied, c) })
	for from := range len(news) + 1 {
		with := t.with(news[from:])
		_, added := t.replay(with)
		if fitting(len(t.rec.Intents), func(i int) int { return t.rec.Intents[i].adds() }, 0, got-(t.rec.Base+t.rec.Surge-t.rec.Drift.Desired+added)) != nil {
			return with
		}
	}
	return all
}

// gap is the change before which one by d by others is missing. AWS tells of it in
// no activity of its own, because ours came right after it and left nothing to
// do: ours began from another capacity than the one before it had led to. Below
// zero: nowhere.
func (t *turn) gap(d int) int {
	first := t.rec.Base + t.rec.Surge
	for _, c := range t.mem.Changes {
		first -= c.To - c.From
	}
	for i, c := range slices.Backward(t.mem.Changes) {
		before := first
		if i > 0 {
			before = t.mem.Changes[i-1].To
		}
		if t.ours(c) && c.From-before == d {
			return i
		}
	}
	return -1
}

// missed books a change by d by others just before one of those known.
func (t *turn) missed(i, d int) {
	was := t.mem.Changes[i].From - d
	t.note("others changed the desired capacity from %d to %d just before our own change", was, was+d)
	theirs := func(changes []Change) []Change {
		return slices.DeleteFunc(slices.Clone(changes), t.ours)
	}
	base, _ := t.replay(theirs(t.mem.Changes[:i]))
	base = unknown(base, was-base, d)
	for _, later := range theirs(t.mem.Changes[i:]) {
		base = t.after(base, later)
	}
	t.book(base, t.rec.Base+t.rec.Surge+d)
}
