package rollout_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// change is one of the desired capacity, so many seconds into the roll.
func change(at, from, to int, absolute bool) rollout.Change {
	return rollout.Change{At: began.Add(time.Duration(at) * time.Second), From: from, To: to, Absolute: absolute, Cause: "somebody"}
}

// TestDecide_attribution: the roll believes in base 4 and a surge of 2, and
// the group says otherwise.
func TestDecide_attribution(t *testing.T) {
	t.Parallel()
	ours := func(c rollout.Change) rollout.Change { c.Launched = true; return c }
	ended := func(c rollout.Change, id string) rollout.Change { c.Member = id; return c }
	for _, c := range []struct {
		name        string
		desired     int
		changes     []rollout.Change
		base, surge int
		wait        bool // nothing is decided on it yet
	}{
		{"as expected", 6, nil, 4, 2, false},
		{"a policy adds", 8, []rollout.Change{change(10, 6, 8, false)}, 6, 2, false},
		{"a policy takes from our surge", 5, []rollout.Change{change(10, 6, 5, false)}, 4, 1, false},
		{"a policy takes more than our surge", 3, []rollout.Change{change(10, 6, 3, false)}, 3, 0, false},
		{"a person sets it higher", 9, []rollout.Change{change(10, 6, 9, true)}, 9, 0, false},
		{"a person sets it between", 5, []rollout.Change{change(10, 6, 5, true)}, 5, 0, false},
		{"a person sets it lower", 2, []rollout.Change{change(10, 6, 2, true)}, 2, 0, false},
		{"several, in order", 5, []rollout.Change{change(10, 6, 7, false), change(20, 7, 4, true), change(30, 4, 5, false)}, 5, 0, false},
		{"several in one second", 9, []rollout.Change{change(10, 6, 8, false), change(10, 8, 9, false)}, 7, 2, false},
		{"only what is newer than the roll", 8, []rollout.Change{change(-10, 4, 9, false), change(10, 6, 8, false)}, 6, 2, false},
		{"our own launches in between", 8, []rollout.Change{ours(change(5, 4, 6, false)), change(10, 6, 8, false)}, 6, 2, false},
		{"a member ended by a person with decrement", 5, []rollout.Change{ended(change(10, 6, 5, false), "i-x")}, 4, 1, false},
		{"not explained yet", 8, nil, 4, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(6)
			s.Group.Desired = 4
			rec := rolling(&s)
			rec.Surge, rec.Changed = 2, began
			s.Group.Desired, s.Changes = c.desired, c.changes
			d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, time.Minute), Record: rec})
			if d.Record.Base != c.base || d.Record.Surge != c.surge {
				t.Errorf("4 + 2, desired %d, changes %v: base %d, surge %d, want %d and %d", c.desired, c.changes, d.Record.Base, d.Record.Surge, c.base, c.surge)
			}
			if waits := len(d.Steps) == 0 && d.Look.Activities; waits != c.wait {
				t.Errorf("steps %q, look %+v, want it to wait and look: %t", kinds(d), d.Look, c.wait)
			}
		})
	}
}

// TestDecide_unexplained takes what nobody explains as what others want: the
// reading that leaves more capacity.
func TestDecide_unexplained(t *testing.T) {
	t.Parallel()
	s := group(6)
	s.Group.Desired = 4
	rec := rolling(&s)
	rec.Surge = 2
	s.Group.Desired = 5
	d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: s, Record: rec})
	d = rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, 59*time.Second), Record: d.Record, Memory: d.Memory})
	if d.Record.Base != 4 || len(d.Steps) > 0 {
		t.Fatalf("after 59 s: base %d, steps %q, want it to wait", d.Record.Base, kinds(d))
	}
	d = rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, 61*time.Second), Record: d.Record, Memory: d.Memory})
	if d.Record.Base != 5 || d.Record.Surge != 0 || !strings.Contains(notes(d), "no scaling activity explains it") {
		t.Errorf("after 61 s: base %d, surge %d, notes %q, want 5, 0 and a warning", d.Record.Base, d.Record.Surge, notes(d))
	}
}

// TestDecide_minSize follows a min size above what others were known to want.
func TestDecide_minSize(t *testing.T) {
	t.Parallel()
	s := group(6)
	s.Group.Desired = 4
	rec := rolling(&s)
	rec.Surge = 2
	s.Group.Desired, s.Group.Min = 6, 5
	d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: s, Record: rec})
	if d.Record.Base != 5 || d.Record.Surge != 1 {
		t.Errorf("4 + 2 with a min size of 5: base %d, surge %d, want 5 and 1", d.Record.Base, d.Record.Surge)
	}
}

// TestDecide_lostAnswers finds out what came of calls without an answer.
func TestDecide_lostAnswers(t *testing.T) {
	t.Parallel()
	launch := func(n int) rollout.Intent {
		return rollout.Intent{Kind: rollout.Launch, Count: n, Lost: true, Since: began}
	}
	end := func(dec bool, ids ...string) rollout.Intent {
		return rollout.Intent{Kind: rollout.End, IDs: ids, Dec: dec, Lost: true, Since: began}
	}
	by := func(from, to int, id string) rollout.Change {
		return rollout.Change{At: began.Add(time.Second), From: from, To: to, Launched: true, Member: id}
	}
	told := by(4, 6, "i-x")
	policy := rollout.Change{At: began.Add(time.Second), From: 4, To: 6}
	for _, c := range []struct {
		name            string
		surge, desired  int
		intents         []rollout.Intent
		changes         []rollout.Change
		after           time.Duration
		base, wantSurge int
		left            int // intents still open
	}{
		{"a launch that happened", 0, 6, []rollout.Intent{launch(2)}, []rollout.Change{told}, time.Second, 4, 2, 0},
		{"one of two that happened", 0, 6, []rollout.Intent{launch(2), launch(1)}, []rollout.Change{told}, time.Second, 4, 2, 1},
		{"the first and the last of three", 0, 9, []rollout.Intent{launch(3), launch(3), launch(2)}, []rollout.Change{by(4, 7, "i-x"), by(7, 9, "i-y")}, time.Second, 4, 5, 1},
		{"a launch of which AWS refused a part", 0, 5, []rollout.Intent{launch(2)}, []rollout.Change{by(4, 5, "i-x")}, time.Second, 4, 1, 0},
		{"a policy that added as many, on record later", 0, 6, []rollout.Intent{launch(2)}, nil, 30 * time.Second, 4, 0, 1},
		{"it was a policy", 0, 6, []rollout.Intent{launch(2)}, []rollout.Change{policy}, time.Second, 6, 0, 1},
		{"not known yet", 0, 4, []rollout.Intent{launch(2)}, nil, 30 * time.Second, 4, 0, 1},
		{"a launch that did not happen", 0, 4, []rollout.Intent{launch(2)}, nil, time.Minute, 4, 0, 0},
		{"an end that happened", 2, 5, []rollout.Intent{end(true, "i-gone")}, []rollout.Change{{At: began.Add(time.Second), From: 6, To: 5, Member: "i-gone"}}, time.Second, 4, 1, 0},
		{"an end that happened, on record later", 2, 5, []rollout.Intent{end(true, "i-gone")}, nil, 30 * time.Second, 4, 2, 1},
		{"an end that happened, of which nothing is told", 2, 5, []rollout.Intent{end(true, "i-gone")}, nil, time.Minute, 4, 1, 0},
		{"an end for replacement", 2, 6, []rollout.Intent{end(false, "i-gone")}, nil, time.Second, 4, 2, 0},
		{"a launch and an end that make up for each other", 2, 6, []rollout.Intent{launch(1), end(true, "i-gone")}, []rollout.Change{by(6, 7, "i-x")}, time.Minute, 4, 2, 0},
		{"an end not seen yet", 2, 6, []rollout.Intent{end(true, healthy(0, old).ID)}, nil, time.Second, 4, 2, 1},
		{"an end that did not happen", 2, 6, []rollout.Intent{end(true, healthy(0, old).ID)}, nil, time.Minute, 4, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(6)
			s.Group.Desired = 4
			rec := rolling(&s)
			rec.Surge, rec.Intents = c.surge, c.intents
			s.Group.Desired, s.Changes = c.desired, c.changes
			d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, c.after), Record: rec})
			if d.Record.Base != c.base || d.Record.Surge != c.wantSurge || len(d.Record.Intents) != c.left {
				t.Errorf("base %d, surge %d, %d open, want %d, %d, %d", d.Record.Base, d.Record.Surge, len(d.Record.Intents), c.base, c.wantSurge, c.left)
			}
		})
	}
}

// TestDecide_lostSuspension: a look may be older than a suspension whose answer
// was lost. It stays on record until one shows it, which makes it ours, or until it
// would show.
func TestDecide_lostSuspension(t *testing.T) {
	t.Parallel()
	const both, one = "AZRebalance InstanceRefresh", "InstanceRefresh"
	shown := map[string]string{"AZRebalance": "a", "InstanceRefresh": "i"}
	unread := map[string]string{"AZRebalance": "", "InstanceRefresh": ""} // that look may show the reason of somebody before us
	for _, c := range []struct {
		name      string
		suspended map[string]string
		after     time.Duration
		open      string
		ours      map[string]string
	}{
		{"not shown yet", nil, 59 * time.Second, both, nil},
		{"shown", shown, 5 * time.Second, "", unread},
		{"shown when no look is older any more", shown, time.Minute, "", shown},
		{"one of two shown", map[string]string{"AZRebalance": "a"}, 5 * time.Second, one, map[string]string{"AZRebalance": ""}},
		{"it did not happen", nil, time.Minute, "", nil},
	} {
		s := group(4)
		rec := rolling(&s)
		rec.Suspended, s.Group.Suspended = nil, c.suspended
		rec.Intents = []rollout.Intent{{Kind: rollout.Suspend, Names: strings.Fields(both), Lost: true, Since: began}}
		d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, c.after), Record: rec})
		var open []string
		for _, in := range d.Record.Intents {
			open = append(open, in.Names...)
		}
		if got := strings.Join(open, " "); got != c.open || !maps.Equal(d.Record.Suspended, c.ours) {
			t.Errorf("%s: open %q, ours %v, want %q and %v", c.name, got, d.Record.Suspended, c.open, c.ours)
		}
	}
}

// TestDecide_lostSuspensionReason: the first look after a suspension without an
// answer shows the one that others have lifted before it. The reason that is read a
// minute later is ours, and what has it is resumed.
func TestDecide_lostSuspensionReason(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	rec.Suspended = nil
	rec.Intents = []rollout.Intent{{Kind: rollout.Suspend, Names: []string{"InstanceRefresh"}, Lost: true, Since: began}}
	s.Group.Suspended = map[string]string{"AZRebalance": "theirs", "InstanceRefresh": "theirs"}
	d := decide(spec(100, 150), later(s, 5*time.Second), rec, rollout.Memory{})
	s.Group.Suspended = map[string]string{"AZRebalance": "theirs", "InstanceRefresh": "ours"}
	s = later(s, time.Minute)
	d = decide(spec(100, 150), s, d.Record, d.Memory)
	if want := map[string]string{"InstanceRefresh": "ours"}; !maps.Equal(d.Record.Suspended, want) {
		t.Errorf("a minute later suspended by us: %v, want %v", d.Record.Suspended, want)
	}
	d = rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, time.Second), Record: d.Record, Memory: d.Memory, Stop: "interrupted"})
	if !strings.Contains(kinds(d), "resume") {
		t.Errorf("at a stop: steps %q, want it resumed", kinds(d))
	}
}

// TestDecide_resumedByOthers: a minute after a suspension of ours no look is older.
// One that does not show it tells that others have lifted it, also where desired does
// not add up yet: it is not made again, and what they suspend later is not resumed.
func TestDecide_resumedByOthers(t *testing.T) {
	t.Parallel()
	for _, puzzling := range []int{0, 1} {
		s := group(4)
		rec := rolling(&s)
		rec.Suspended = map[string]string{"InstanceRefresh": ""}
		s.Group.Suspended = map[string]string{"AZRebalance": "theirs"}
		first := later(s, time.Minute)
		first.Group.Desired += puzzling
		d := decide(spec(100, 150), first, rec, rollout.Memory{HeldAt: began})
		if strings.Contains(kinds(d), "suspend") {
			t.Errorf("desired off by %d: steps %q, want it to stay resumed", puzzling, kinds(d))
		}
		s.Group.Suspended = map[string]string{"AZRebalance": "theirs", "InstanceRefresh": "theirs"}
		d = rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, 2*time.Minute), Record: d.Record, Memory: d.Memory, Stop: "interrupted"})
		if strings.Contains(kinds(d), "resume") {
			t.Errorf("desired off by %d, at a stop: steps %q, want theirs to stay", puzzling, kinds(d))
		}
	}
}

// TestDecide_lostEndOfSpot: a member whose end is without an answer and that EC2
// took meanwhile was not ended by us, and desired was not lowered.
func TestDecide_lostEndOfSpot(t *testing.T) {
	t.Parallel()
	s := group(6)
	rec := rolling(&s)
	rec.Base, rec.Surge = 4, 2
	rec.Intents = []rollout.Intent{{Kind: rollout.End, IDs: []string{"i-gone"}, Dec: true, Lost: true, Since: began}}
	s.Group.Desired = 6
	s = later(s, time.Minute)
	s.Departures = map[string]rollout.Departure{"i-gone": {Wanted: true, Text: "EC2 interrupted it"}}
	d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: s, Record: rec})
	if d.Record.Base != 4 || d.Record.Surge != 2 || len(d.Record.Intents) != 0 {
		t.Errorf("base %d, surge %d, %d open, want 4, 2 and none", d.Record.Base, d.Record.Surge, len(d.Record.Intents))
	}
}

// TestDecide_lostEndOfTheirs: a member whose end is without an answer was ended by
// AWS already, because others had scaled in. Whether ours has lowered desired once
// more no activity tells, and for half a minute no look shows for sure: nothing is
// decided on it, and a safe point ends no surge.
func TestDecide_lostEndOfTheirs(t *testing.T) {
	t.Parallel()
	s := group(6)
	s.Group.Desired = 4
	rec := rolling(&s)
	rec.Surge, rec.Intents = 2, []rollout.Intent{{Kind: rollout.End, IDs: rollout.IDs{"i-gone"}, Dec: true, Lost: true, Since: began.Add(2 * time.Second)}}
	s.Changes = []rollout.Change{change(1, 6, 5, false)}
	s.Departures = map[string]rollout.Departure{"i-gone": {Wanted: true, Text: "selected for termination"}}
	s.Group.Desired = 5 // from before our end, which has made it 4
	first := later(s, 10*time.Second)
	d := decide(spec(100, 150), first, rec, rollout.Memory{})
	if len(d.Steps) > 0 || len(d.Record.Intents) != 1 || !d.Look.Activities || d.Ending != nil {
		t.Errorf("8 s after the end: steps %q, %d open, look %+v, want it to wait", kinds(d), len(d.Record.Intents), d.Look)
	}
	stopped := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: first, Record: rec, Stop: "interrupted"})
	if strings.Contains(kinds(stopped), "end") {
		t.Errorf("a stop 8 s after the end: steps %q, want no end", kinds(stopped))
	}
	s.Group.Desired = 4
	for _, after := range []time.Duration{32 * time.Second, 93 * time.Second} {
		d = decide(spec(100, 150), later(s, after), d.Record, d.Memory)
	}
	if d.Record.Base != 4 || d.Record.Surge != 0 || len(d.Record.Intents) > 0 || !strings.Contains(notes(d), "has lowered it once more") {
		t.Errorf("then 4 are desired: base %d, surge %d, open %v, notes %q, want 4, 0 and a warning", d.Record.Base, d.Record.Surge, d.Record.Intents, notes(d))
	}
}

// TestDecide_othersBeforeUs lets others change desired just before calls of ours
// that were decided on without knowing it: what these have done is on top.
func TestDecide_othersBeforeUs(t *testing.T) {
	t.Parallel()
	at := func(second, from, to int) rollout.Change {
		return rollout.Change{At: began.Add(time.Duration(second) * time.Second), From: from, To: to}
	}
	ours := func(second, from, to int, id string) rollout.Change {
		c := at(second, from, to)
		c.Member = id
		return c
	}
	wrote := func(second, from, to int) rollout.Change {
		c := at(second, from, to)
		c.Absolute = true
		return c
	}
	for _, c := range []struct {
		name        string
		desired     int
		changes     []rollout.Change
		base, surge int
	}{
		// Base 4 and surge 3 were 7; two ends have left 4 and 1 on record.
		{"somebody wrote 4", 2, []rollout.Change{wrote(1, 7, 4), ours(1, 4, 3, "i-a"), ours(1, 3, 2, "i-b")}, 4, -2},
		{"somebody wrote 9", 7, []rollout.Change{wrote(1, 7, 9), ours(2, 9, 8, "i-a"), ours(2, 8, 7, "i-b")}, 9, -2},
		{"between the two", 3, []rollout.Change{ours(1, 7, 6, "i-a"), wrote(2, 6, 4), ours(2, 4, 3, "i-b")}, 4, -1},
		{"after both", 4, []rollout.Change{ours(1, 7, 6, "i-a"), ours(1, 6, 5, "i-b"), wrote(2, 5, 4)}, 4, 0},
		{"a policy took our surge", 2, []rollout.Change{at(1, 7, 4), ours(1, 4, 3, "i-a"), ours(1, 3, 2, "i-b")}, 4, -2},
		{"a policy took it after both", 2, []rollout.Change{ours(1, 7, 6, "i-a"), ours(1, 6, 5, "i-b"), at(2, 5, 2)}, 2, 0},
		{"no activity tells", 4, []rollout.Change{ours(1, 6, 5, "i-a"), ours(1, 5, 4, "i-b")}, 6, -2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(c.desired)
			rec := rolling(&s)
			rec.Base, rec.Surge = 4, 1
			s.Group.Desired, s.Changes = c.desired, c.changes
			s = later(s, 2*time.Minute)
			mem := rollout.Memory{EndedAt: map[string]time.Time{"i-a": began, "i-b": began}, Unexplained: began}
			d := rollout.Decide(rollout.Input{Spec: spec(100, 175), Snapshot: s, Record: rec, Memory: mem})
			if d.Record.Base != c.base || d.Record.Surge != c.surge {
				t.Errorf("base %d, surge %d, want %d and %d", d.Record.Base, d.Record.Surge, c.base, c.surge)
			}
		})
	}
}

// TestDecide_lateLaunch: a call of a former owner that lands when nobody expects
// it any more is our surge. What its record had already is not counted again,
// and neither is what others add, although it is as much.
func TestDecide_lateLaunch(t *testing.T) {
	t.Parallel()
	launched := func(at int) rollout.Change {
		c := change(at, 4, 7, false)
		c.Launched, c.Member = true, "i-late"
		return c
	}
	for _, c := range []struct {
		name        string
		written     int // seconds into the roll
		changes     []rollout.Change
		base, surge int
		waits       bool
	}{
		{"it lands", 10, []rollout.Change{launched(40)}, 4, 3, false},
		{"on record already, and others add as many that do not show yet", 10, []rollout.Change{launched(5)}, 4, 0, true},
		{"others add as many", 10, []rollout.Change{launched(5), change(40, 4, 7, false)}, 7, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(7)
			s.Group.Desired = 4
			rec := rolling(&s)
			rec.Changed, rec.Taken, rec.Written = began, began.Add(30*time.Second), began.Add(time.Duration(c.written)*time.Second)
			s.Group.Desired, s.Changes = 7, c.changes
			d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, time.Minute), Record: rec})
			if d.Record.Base != c.base || d.Record.Surge != c.surge {
				t.Errorf("base %d, surge %d, want %d and %d", d.Record.Base, d.Record.Surge, c.base, c.surge)
			}
			if waits := len(d.Steps) == 0 && d.Look.Activities; waits != c.waits {
				t.Errorf("steps %q, look %+v, want it to wait: %t", kinds(d), d.Look, c.waits)
			}
		})
	}
}

// TestSettle_raiseVerified gives back what an absolute write of ours hid.
func TestDecide_raiseVerified(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		from        int // what AWS says desired was before our write of 4 → 6
		base, surge int
		steps       string
	}{
		{"nobody in between", 4, 4, 2, ""},
		{"others added one", 5, 5, 1, ""},
		{"others went beyond us", 8, 8, -2, "raise"},
		{"others took one", 3, 3, 3, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(4)
			rec := rolling(&s)
			var mem rollout.Memory
			step := rollout.Step{Kind: rollout.Raise, From: 4, To: 6}
			rec, mem, _ = rollout.Settle(rollout.Intend(rec, []rollout.Step{step}), mem, step, rollout.Result{}, began)
			s = group(6)
			s.Group.Pointer, s.Group.Points, s.Group.Suspended = "2", target, rec.Suspended
			s.Changes = []rollout.Change{change(1, c.from, 6, true)}
			s.ActivitiesSeen, s.TargetsSeen = true, false
			d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, 5*time.Second), Record: rec, Memory: mem})
			if d.Record.Base != c.base || d.Record.Surge != c.surge || !strings.Contains(kinds(d), c.steps) {
				t.Errorf("base %d, surge %d, steps %q, want %d, %d, %q", d.Record.Base, d.Record.Surge, kinds(d), c.base, c.surge, c.steps)
			}
		})
	}
}

// TestDecide_raiseWithoutActivity: AWS tells of no raise that our ends took off again
// before it had launched for it. The next raise to the same capacity is not that one,
// whether its answer has come or not.
func TestDecide_raiseWithoutActivity(t *testing.T) {
	t.Parallel()
	first := rollout.Intent{Kind: rollout.Raise, From: 4, To: 6, Since: began}
	next := rollout.Intent{Kind: rollout.Raise, From: 3, To: 6, Since: began.Add(30 * time.Second)}
	for _, lost := range []bool{false, true} {
		rec, s := sized(4, 2, 6, change(32, 3, 6, true))
		mem := rollout.Memory{Verify: []rollout.Intent{first, next}}
		if lost {
			mem.Verify, rec.Surge = mem.Verify[:1], -1
			next.Lost = true
			rec.Intents = []rollout.Intent{next}
		}
		s.ActivitiesSeen = true
		d := decide(spec(100, 150), later(s, time.Minute), rec, mem)
		wantCapacity(t, fmt.Sprintf("4 → 6 and back to 3, then 3 → 6, without an answer: %t", lost), d, 4, 2)
		if notes(d) != "" {
			t.Errorf("notes %q, want none", notes(d))
		}
	}
}

// TestDecide_raisesOfTheDead: absolute writes of a former owner, on record or
// with an answer that was lost, are surge and not a wish of others.
func TestDecide_raisesOfTheDead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		change      func(*rollout.Record)
		base, surge int
	}{
		{"on record", func(r *rollout.Record) { r.Raised, r.Taken = [][2]int{{4, 6}}, began.Add(time.Minute) }, 4, 1},
		{"its answer was lost", func(r *rollout.Record) {
			r.Surge = 0
			r.Intents = []rollout.Intent{{Kind: rollout.Raise, From: 4, To: 6, Lost: true, Since: began}}
		}, 4, 1},
		{"somebody else's", func(r *rollout.Record) { r.Surge, r.Taken = 0, began.Add(time.Minute) }, 5, 0},
	} {
		s := group(6)
		s.Group.Desired = 4
		rec := rolling(&s)
		rec.Surge, rec.Changed = 2, began
		c.change(&rec)
		s.Group.Desired = 5
		s.Changes = []rollout.Change{change(10, 4, 6, true), change(20, 6, 5, false)}
		d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, time.Minute), Record: rec})
		if d.Record.Base != c.base || d.Record.Surge != c.surge {
			t.Errorf("%s: base %d, surge %d, want %d and %d", c.name, d.Record.Base, d.Record.Surge, c.base, c.surge)
		}
	}
}

// TestDecide_noRaiseOverLostEnd: an absolute write waits until it is known whether
// an end without an answer has lowered desired. Read from an old view, what it was
// would be too much, and AWS would tell of a write that is not on record.
func TestDecide_noRaiseOverLostEnd(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	rec.Fallback, rec.Surge, s.Group.Desired, s.ActivitiesSeen = true, 1, 5, false
	s.Members = append(s.Members, healthy(4, target))
	id := healthy(0, old).ID
	rec.Intents = []rollout.Intent{{Kind: rollout.End, IDs: rollout.IDs{id}, Dec: true, Lost: true}}
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	if strings.Contains(kinds(d), "raise") {
		t.Errorf("steps %q before it is known what became of %s, want no raise", kinds(d), id)
	}
	s = later(s, 5*time.Second)
	s.Group.Desired, s.ActivitiesSeen, s.Members = 4, true, s.Members[1:]
	s.Changes = []rollout.Change{by(change(1, 5, 4, false), id)}
	d = decide(spec(100, 150), s, d.Record, d.Memory)
	for _, step := range d.Steps {
		if step.Kind == rollout.Raise && step.From == 4 {
			return
		}
	}
	t.Errorf("steps %+v once %s is known to have gone, want a raise from 4", d.Steps, id)
}
