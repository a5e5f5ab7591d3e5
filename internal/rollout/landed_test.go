package rollout_test

import (
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// launchOf is a launch of members by LaunchInstances, a second into the roll.
func launchOf(from, to int, id string) rollout.Change {
	c := by(change(1, from, to, false), id)
	c.Launched = true
	return c
}

// lostLaunch is an intent to launch n whose answer was lost when the roll began.
func lostLaunch(n int) rollout.Intent {
	return rollout.Intent{Kind: rollout.Launch, Count: n, Lost: true, Since: began}
}

// TestSettle_endedAlready: AWS was ending the member for somebody else, whose
// change of desired is just as large as what this end takes off. A look from
// between the two shows what is expected after both, and is not believed.
func TestSettle_endedAlready(t *testing.T) {
	t.Parallel()
	for name, res := range map[string]rollout.Result{"as AWS's answer says": {Already: true}, "by what desired was": {Was: new(int)}} {
		rec, s := sized(4, 1, 4)
		for i := range s.Members {
			s.Members[i].Version = target
		}
		step := rollout.Step{Kind: rollout.End, Member: "i-a", Decrement: true}
		rec, mem, note := rollout.Settle(rollout.Intend(rec, []rollout.Step{step}), rollout.Memory{}, step, res, s.At)
		if !mem.Halts(step) || note.Text == "ended i-a" {
			t.Errorf("%s: halts %t, note %q, want that the batch stops, and that it says why", name, mem.Halts(step), note.Text)
		}
		s.ActivitiesSeen = false
		d := decide(spec(100, 125), later(s, 5*time.Second), rec, mem)
		if len(d.Steps) > 0 || !d.Look.Activities {
			t.Errorf("%s: steps %q, look %+v, want that it waits", name, kinds(d), d.Look)
		}
		s.ActivitiesSeen = true
		s.Group.Desired, s.Changes = 3, []rollout.Change{change(29, 5, 4, false)}
		wantCapacity(t, name, decide(spec(100, 125), later(s, 10*time.Second), d.Record, d.Memory), 4, -1)
	}
	_, mem, note := rollout.Settle(rollout.Record{Base: 4, Surge: 1}, rollout.Memory{}, rollout.Step{Kind: rollout.End, Member: "i-a", Decrement: true}, rollout.Result{}, began)
	if mem.Halted || note.Text != "ended i-a" {
		t.Errorf("an end of a member in service: halted %t, note %q", mem.Halted, note.Text)
	}
}

// TestDecide_landed: whether launches without an answer happened. Desired as it is
// expected without them does not tell that they did not: others, or an end without
// an answer, may have taken off again what they had added.
func TestDecide_landed(t *testing.T) {
	t.Parallel()
	lostEnd := rollout.Intent{Kind: rollout.End, IDs: rollout.IDs{"i-gone"}, Dec: true, Lost: true, Since: began}
	one, two := launchOf(4, 5, "i-new"), []rollout.Change{launchOf(4, 5, "i-1"), launchOf(5, 7, "i-2")}
	both := []rollout.Intent{lostLaunch(1), lostLaunch(2)}
	for _, c := range []struct {
		name        string
		desired     int // 4 + 0 on record
		intents     []rollout.Intent
		unseen      bool // without activities
		changes     []rollout.Change
		base, surge int
		left        int // intents still open
	}{
		{"it did not", 4, []rollout.Intent{lostLaunch(1)}, false, nil, 4, 0, 0},
		{"not told yet", 4, []rollout.Intent{lostLaunch(1)}, true, nil, 4, 0, 1},
		{"a policy took it off again", 4, []rollout.Intent{lostLaunch(1)}, false, []rollout.Change{one, change(9, 5, 4, false)}, 4, 0, 0},
		{"somebody wrote less than both", 5, both, false, append(two, change(9, 7, 5, true)), 5, 0, 0},
		{"somebody wrote as much as one of them, of which nothing tells yet", 5, both, false, two, 4, 0, 2},
		{"an end took it off again, not told yet", 4, []rollout.Intent{lostEnd, lostLaunch(1)}, true, nil, 4, 0, 2},
		{"an end took it off again", 4, []rollout.Intent{lostEnd, lostLaunch(1)}, false, []rollout.Change{one, by(change(9, 5, 4, false), "i-gone")}, 4, 0, 0},
	} {
		rec, s := sized(4, 0, c.desired, c.changes...)
		rec.Intents, s.ActivitiesSeen = c.intents, !c.unseen
		d := decide(spec(100, 150), later(s, 40*time.Second), rec, rollout.Memory{})
		wantCapacity(t, c.name, d, c.base, c.surge)
		if len(d.Record.Intents) != c.left || c.left > 0 && !d.Look.Activities {
			t.Errorf("%s: intents %+v, look %+v, want %d, and that it looks if there are any", c.name, d.Record.Intents, d.Look, c.left)
		}
	}
}

// TestDecide_landedForSure: a launch on record of which AWS tells has happened,
// also where desired only ever shows that with another change of which it does not
// tell; but not where nobody knows which launches were on record already.
func TestDecide_landedForSure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		written     time.Time
		base, surge int // 4 on record, 5 seen, after launches of 1 and 2
	}{
		{began, 5, 0},
		{time.Time{}, 4, 1},
	} {
		_, s := sized(4, 0, 4)
		in := rolling(&s)
		in.Base, in.Changed, in.Intents = 4, began, []rollout.Intent{lostLaunch(1), lostLaunch(2)}
		s.Group.Desired, s.Changes = 5, []rollout.Change{launchOf(4, 5, "i-1"), launchOf(5, 7, "i-2")}
		rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 2, TookOver: true, Written: c.written})
		d := decide(spec(100, 150), s, rec, rollout.Memory{})
		d = decide(spec(100, 150), later(s, 61*time.Second), d.Record, d.Memory)
		wantCapacity(t, "written "+c.written.String(), d, c.base, c.surge)
	}
}

// TestDecide_copiedRecord: an owner who died before it wrote a record of its own has
// copied the one before. Launches before the last call that is booked in it are on
// record, and are not taken for what others add now, of which AWS does not tell yet.
func TestDecide_copiedRecord(t *testing.T) {
	t.Parallel()
	_, s := sized(4, 0, 5, launchOf(4, 5, "i-1"))
	in := rolling(&s)
	in.Base, in.Surge, in.Changed = 4, 0, began
	launch, end := rollout.Step{Kind: rollout.Launch, Count: 1}, rollout.Step{Kind: rollout.End, Member: "i-1", Decrement: true}
	at := began.Add(time.Second + 500*time.Millisecond) // when AWS says, and the answer just after
	in, mem, _ := rollout.Settle(rollout.Intend(in, []rollout.Step{launch}), rollout.Memory{}, launch, rollout.Result{IDs: []string{"i-1"}}, at)
	in, _, _ = rollout.Settle(rollout.Intend(in, []rollout.Step{end}), mem, end, rollout.Result{}, at)
	s.Group.Desired = 5
	s = later(s, 10*time.Minute)
	rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 3, TookOver: true})
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	if len(d.Steps) > 0 || !d.Look.Activities {
		t.Errorf("steps %q, look %+v, want that it waits for what AWS tells", kinds(d), d.Look)
	}
	s.Changes = append(s.Changes, change(599, 4, 5, false))
	d = decide(spec(100, 150), later(s, 40*time.Second), d.Record, d.Memory)
	wantCapacity(t, "told", d, 5, 0)
}

// TestDecide_bookedBefore: a former owner had booked the first of two changes. That
// the second was made up for in silence takes nothing off what is on record, and
// the next change is booked from there.
func TestDecide_bookedBefore(t *testing.T) {
	t.Parallel()
	_, s := sized(4, 0, 6, change(10, 8, 7, false), change(50, 7, 6, false))
	in := rolling(&s)
	in.Base, in.Surge, in.Changed = 6, 1, began
	in.Drift = rollout.Drift{Base: 0, Desired: -1, Since: began.Add(10 * time.Second)}
	s.Group.Desired = 7
	s = later(s, 5*time.Minute)
	rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 2, TookOver: true})
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	wantCapacity(t, "6 + 1", d, 6, 1)
	s.Group.Desired, s.Changes = 5, append(s.Changes, change(335, 7, 5, false))
	wantCapacity(t, "and 2 less", decide(spec(100, 150), later(s, 10*time.Second), d.Record, d.Memory), 5, 0)
}

// TestDecide_shortOfWish: others' members are there still when the look is so old
// that AWS has not begun to end one of them. The roll is not over.
func TestDecide_shortOfWish(t *testing.T) {
	t.Parallel()
	rec, s := sized(2, 0, 1, change(29, 3, 2, false)) // one was launched, which others took for idle, and one ended
	s.Members = []rollout.Member{healthy(0, target), healthy(1, target)}
	mem := ofOurs("i-a")
	mem.Progress, mem.Graduated = began, map[string]bool{s.Members[0].ID: true, s.Members[1].ID: true}
	d := decide(spec(75, 125), s, rec, mem)
	wantCapacity(t, "2 wanted", d, 2, -1)
	if d.Record.Restoring || d.Ending != nil || len(d.Steps) > 0 {
		t.Fatalf("restoring %t, ending %+v, steps %q, want that it waits", d.Record.Restoring, d.Ending, kinds(d))
	}
	s.Departures = map[string]rollout.Departure{s.Members[1].ID: {Wanted: true}}
	s.Members = s.Members[:1]
	if d = decide(spec(75, 125), later(s, 10*time.Second), d.Record, d.Memory); kinds(d) != "launch 1" {
		t.Errorf("when one is gone: steps %q, want a launch of 1", kinds(d))
	}
}
