package rollout_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// sized is a roll on record as base + surge, and a look at desired capacity and
// changes a while later.
func sized(base, surge, desired int, changes ...rollout.Change) (rollout.Record, rollout.Snapshot) {
	s := group(max(desired, 1))
	s.Group.Desired = base
	rec := rolling(&s)
	rec.Surge, rec.Changed = surge, began
	s.Group.Desired, s.Changes = desired, changes
	return rec, later(s, 30*time.Second)
}

// by is a change by a request that named a member.
func by(c rollout.Change, id string) rollout.Change {
	c.Member = id
	return c
}

func wantCapacity(t *testing.T, what string, d rollout.Decision, base, surge int) {
	t.Helper()
	if d.Record.Base != base || d.Record.Surge != surge {
		t.Errorf("%s: base %d, surge %d, notes %q, want %d and %d", what, d.Record.Base, d.Record.Surge, notes(d), base, surge)
	}
}

// ofOurs is the memory of an owner that has ended members.
func ofOurs(ids ...string) rollout.Memory {
	m := rollout.Memory{EndedAt: map[string]time.Time{}}
	for _, id := range ids {
		m.EndedAt[id] = began
	}
	return m
}

// TestDecide_endsInSilence: AWS tells nothing of an end of a member that it was
// ending already, and lowers desired all the same. What others took before that
// is theirs, and no more.
func TestDecide_endsInSilence(t *testing.T) {
	t.Parallel()
	launched := change(0, 1, 2, false)
	launched.Launched, launched.At = true, began
	for _, c := range []struct {
		name        string
		base, surge int // on record, our ends taken off
		desired     int
		changes     []rollout.Change
		mem         rollout.Memory
		wantBase    int
	}{
		{"a policy took our surge", 1, 0, 0, []rollout.Change{launched, change(14, 2, 1, false)}, ofOurs("i-a"), 1},
		{"somebody wrote 7, and three of our four ends were silent", 6, 0, 3, []rollout.Change{change(13, 10, 7, true), by(change(19, 4, 3, false), "i-d")}, ofOurs("i-a", "i-b", "i-c", "i-d"), 7},
		{"a policy took more than our surge", 4, 1, 2, []rollout.Change{change(14, 6, 3, false)}, ofOurs("i-a"), 3},
	} {
		rec, s := sized(c.base, c.surge, c.desired, c.changes...)
		wantCapacity(t, c.name, decide(spec(100, 150), s, rec, c.mem), c.wantBase, c.desired-c.wantBase)
	}
}

// TestDecide_lateEvidence: AWS tells of others' change only with what it does
// about it, after ours, which came later.
func TestDecide_lateEvidence(t *testing.T) {
	t.Parallel()
	ours := by(change(10, 6, 5, false), "i-a")
	rec, s := sized(6, 0, 5, ours)
	d := decide(spec(100, 150), s, rec, ofOurs("i-a"))
	if d.Record.Base != 6 || len(d.Steps) > 0 || !d.Look.Activities {
		t.Fatalf("at first: base %d, steps %q, want 6 and that it waits", d.Record.Base, kinds(d))
	}
	s.Changes = []rollout.Change{change(10, 7, 6, true), ours}
	d = decide(spec(100, 150), later(s, 5*time.Second), d.Record, d.Memory)
	wantCapacity(t, "then", d, 6, -1)
	s.Changes = []rollout.Change{ours} // an older view of the activities
	d = decide(spec(100, 150), later(s, 10*time.Second), d.Record, d.Memory)
	wantCapacity(t, "with an older view", d, 6, -1)
}

// TestDecide_notTwice: what others changed counts once, for the owner that saw it
// and for the next one, when it has just happened and when it is long ago.
func TestDecide_notTwice(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{5 * time.Second, 5 * time.Minute} {
		rec, s := sized(4, 2, 9, change(10, 6, 9, false))
		d := decide(spec(100, 150), s, rec, rollout.Memory{})
		wantCapacity(t, "the first time", d, 7, 2)
		s = later(s, after)
		d = decide(spec(100, 150), s, d.Record, d.Memory)
		wantCapacity(t, after.String()+" later", d, 7, 2)
		text, err := json.Marshal(d.Record)
		if err != nil {
			t.Fatal(err)
		}
		var in rollout.Record
		if err := json.Unmarshal(text, &in); err != nil {
			t.Fatal(err)
		}
		rec = rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 2})
		d = decide(spec(100, 150), s, rec, rollout.Memory{})
		wantCapacity(t, "for the next owner after "+after.String(), d, 7, 2)
		s.Group.Desired, s.Changes = 8, append(s.Changes, change(400, 9, 8, false))
		d = decide(spec(100, 150), later(s, 7*time.Minute), d.Record, d.Memory)
		wantCapacity(t, "and another change", d, 7, 1)
	}
}

// TestDecide_foundAlready: a change from before the roll, of which AWS tells late,
// is in what the roll has found.
func TestDecide_foundAlready(t *testing.T) {
	t.Parallel()
	rec, s := sized(6, 0, 6, change(1, 4, 6, false))
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	wantCapacity(t, "nothing new", d, 6, 0)
	s.Group.Desired, s.Changes = 7, append(s.Changes, change(40, 6, 7, false))
	d = decide(spec(100, 150), later(s, 20*time.Second), d.Record, d.Memory)
	wantCapacity(t, "one more, when it may be the desired capacity that is old", d, 6, 0)
	d = decide(spec(100, 150), later(s, 40*time.Second), d.Record, d.Memory)
	wantCapacity(t, "one more", d, 7, 0)
}

// inDoubt is a roll on record as 4 + 1 whose former owner died when it was about
// to end a member, which has not happened; and its successor's first decision.
func inDoubt(t *testing.T) (string, rollout.Snapshot, rollout.Decision) {
	t.Helper()
	id := healthy(0, old).ID
	s := group(5)
	s.Group.Desired = 4
	in := rolling(&s)
	s.Group.Desired = 5
	in.Surge, in.Changed = 1, began
	in.Intents = []rollout.Intent{{Kind: rollout.End, IDs: []string{id}, Dec: true}}
	s = later(s, 5*time.Minute)
	rec := rollout.Begin(rollout.Opening{Spec: spec(100, 125), Snapshot: s, Target: target, Inherited: &in, Epoch: 2, TookOver: true})
	d := decide(spec(100, 125), s, rec, rollout.Memory{})
	if len(d.Record.Intents) > 0 || len(d.Record.Doubts) != 1 {
		t.Fatalf("intents %+v, doubts %+v, want none and one", d.Record.Intents, d.Record.Doubts)
	}
	return id, s, d
}

// TestDecide_lateEnd: an end by a former owner that lands late has lowered our
// surge, not what others want, whether its member had been ended once more
// meanwhile or not.
func TestDecide_lateEnd(t *testing.T) {
	t.Parallel()
	t.Run("before ours", func(t *testing.T) {
		t.Parallel()
		id, s, d := inDoubt(t)
		s.Group.Desired, s.Members = 4, s.Members[1:]
		s.Changes = []rollout.Change{by(change(360, 5, 4, false), id)}
		d = decide(spec(100, 125), later(s, 2*time.Minute), d.Record, d.Memory)
		wantCapacity(t, "4 + 1 and a late end", d, 4, 0)
		if len(d.Record.Doubts) > 0 {
			t.Errorf("doubts %+v, want none", d.Record.Doubts)
		}
	})
	t.Run("after ours, in silence", func(t *testing.T) {
		t.Parallel()
		id, s, d := inDoubt(t)
		step := rollout.Step{Kind: rollout.End, Member: id, Decrement: true}
		rec, mem, _ := rollout.Settle(rollout.Intend(d.Record, []rollout.Step{step}), d.Memory, step, rollout.Result{}, s.At)
		s.Group.Desired, s.Members = 3, s.Members[1:]
		s.Changes = []rollout.Change{by(change(300, 5, 4, false), id)}
		s = later(s, 2*time.Minute)
		d = decide(spec(100, 125), s, rec, mem)
		wantCapacity(t, "at first", d, 4, 0)
		if len(d.Steps) > 0 {
			t.Errorf("at first: steps %q, want that it waits", kinds(d))
		}
		d = decide(spec(100, 125), later(s, time.Minute), d.Record, d.Memory)
		wantCapacity(t, "a minute later", d, 4, -1)
		if !strings.Contains(notes(d), "4 is still taken as what others want") {
			t.Errorf("notes %q, want a warning", notes(d))
		}
	})
	t.Run("others, who are not in doubt", func(t *testing.T) {
		t.Parallel()
		_, s, d := inDoubt(t)
		s.Group.Desired, s.Members = 3, s.Members[:3]
		s.Changes = []rollout.Change{by(change(360, 5, 4, false), healthy(4, old).ID), by(change(361, 4, 3, false), healthy(3, old).ID)}
		d = decide(spec(100, 125), later(s, 2*time.Minute), d.Record, d.Memory)
		wantCapacity(t, "4 + 1 and two ends by others", d, 3, 0)
	})
}

// TestDecide_lateRaise: an absolute write like one of a former owner that has not
// happened may be that one, or others'. Both are read so that more is left.
func TestDecide_lateRaise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, from, wantBase, wantSurge int }{
		{4, 4, 6, 0},  // others may want 6
		{9, 9, 9, -3}, // others may still want 9
	} {
		s := group(c.base)
		in := rolling(&s)
		in.Intents = []rollout.Intent{{Kind: rollout.Raise, From: 4, To: 6}}
		s = later(s, 5*time.Minute)
		rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 2, TookOver: true})
		d := decide(spec(100, 150), s, rec, rollout.Memory{})
		s.Group.Desired, s.Changes = 6, []rollout.Change{change(400, c.from, 6, true)}
		d = decide(spec(100, 150), later(s, 2*time.Minute), d.Record, d.Memory)
		wantCapacity(t, "a write of 6", d, c.wantBase, c.wantSurge)
		if !strings.Contains(notes(d), "came late") {
			t.Errorf("notes %q, want a warning", notes(d))
		}
	}
}

// TestDecide_unexplainedStop: who is asked to stop while nobody has explained the
// desired capacity that is seen ends no surge, which others may have taken.
func TestDecide_unexplainedStop(t *testing.T) {
	t.Parallel()
	rec, s := sized(4, 2, 6)
	in := rollout.Input{Spec: spec(100, 150), Snapshot: s, Record: rec, Stop: "the run was interrupted"}
	if d := rollout.Decide(in); !strings.Contains(kinds(d), "end-") {
		t.Fatalf("as expected: steps %q, want ends", kinds(d))
	}
	in.Snapshot.Group.Desired = 4
	if d := rollout.Decide(in); strings.Contains(kinds(d), "end") || d.Ending == nil || !strings.Contains(d.Ending.State, "2 members more") {
		t.Errorf("desired 4: steps %q, ending %+v, want no ends, and that it says so", kinds(d), d.Ending)
	}
}

// TestSettle_halts: AWS's answer to an end says that desired was not what it was
// decided on. Nothing else is ended or launched before the next look.
func TestSettle_halts(t *testing.T) {
	t.Parallel()
	rec, _ := sized(4, 2, 6)
	for was, want := range map[int]bool{6: false, 5: true, 7: true} {
		step := rollout.Step{Kind: rollout.End, Member: "i-a", Decrement: true}
		got, mem, note := rollout.Settle(rec, rollout.Memory{}, step, rollout.Result{Was: &was}, began)
		for kind, stops := range map[rollout.StepKind]bool{rollout.End: want, rollout.Launch: want, rollout.Raise: want, rollout.Point: false, rollout.Resume: false} {
			if mem.Halts(rollout.Step{Kind: kind}) != stops {
				t.Errorf("desired was %d: a %s stops: %t, want %t", was, kind, !stops, stops)
			}
		}
		if strings.Contains(note.Text, "others have changed") != want || got.Surge != 1 {
			t.Errorf("desired was %d: note %q, surge %d, want it told: %t, and 1", was, note.Text, got.Surge, want)
		}
		if d := decide(spec(100, 150), group(6), got, mem); d.Memory.Halted {
			t.Errorf("desired was %d: still halted after the next look", was)
		}
	}
}

// TestDecide_olderLook: a look that shows the desired capacity as expected may be
// older than one that did not, or than the activities.
func TestDecide_olderLook(t *testing.T) {
	t.Parallel()
	rec, s := sized(4, 1, 5)
	s.Members[4].Version, s.ActivitiesSeen = target, false
	fresh := s
	fresh.Group.Desired = 4
	d := decide(spec(100, 125), fresh, rec, rollout.Memory{})
	told := later(s, 5*time.Second)
	told.ActivitiesSeen, told.Changes = true, []rollout.Change{change(29, 5, 4, false)}
	for name, look := range map[string]rollout.Snapshot{"without activities": later(s, 5*time.Second), "with activities": told} {
		next := decide(spec(100, 125), look, d.Record, d.Memory)
		if len(next.Steps) > 0 || !next.Look.Activities {
			t.Errorf("an older look %s: steps %q, look %+v, want that it waits", name, kinds(next), next.Look)
		}
		told := later(told, time.Minute)
		told.Group.Desired = 4
		wantCapacity(t, "then", decide(spec(100, 125), told, next.Record, next.Memory), 4, 0)
	}
	if next := decide(spec(100, 125), later(s, 40*time.Second), d.Record, d.Memory); next.Look.Activities {
		t.Errorf("half a minute later it still waits: %+v", next.Look)
	}
}

// TestDecide_olderRecord: a record from before a launch that its owner did not
// live to book keeps what others had changed before.
func TestDecide_olderRecord(t *testing.T) {
	t.Parallel()
	launched := by(change(20, 3, 4, false), "i-new")
	launched.Launched = true
	_, s := sized(4, 0, 4, change(10, 4, 3, true), launched)
	in := rolling(&s)
	in.Base, in.Surge, in.Changed = 3, 0, began
	in.Drift = rollout.Drift{Base: -1, Desired: -1, Since: began.Add(10 * time.Second)}
	in.Intents = []rollout.Intent{{Kind: rollout.Launch, Count: 1, Token: "t"}}
	s = later(s, 5*time.Minute)
	rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 3, TookOver: true})
	wantCapacity(t, "3 and a launch of ours", decide(spec(100, 150), s, rec, rollout.Memory{}), 3, 1)
}

// TestDecide_noGuessOnOldLooks: what nobody explains is not guessed while AWS tells
// of a change so new that the desired capacity which is seen may be older.
func TestDecide_noGuessOnOldLooks(t *testing.T) {
	t.Parallel()
	rec, s := sized(4, 0, 6)
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	s = later(s, time.Minute)
	s.Changes = []rollout.Change{change(85, 5, 4, false)} // desired was 5, and is 4 by now
	d = decide(spec(100, 150), s, d.Record, d.Memory)
	wantCapacity(t, "6 where 4 was expected, and somebody has just scaled in from 5", d, 4, 0)
	if len(d.Steps) > 0 || strings.Contains(notes(d), "no scaling activity") {
		t.Errorf("steps %q, notes %q, want that it waits", kinds(d), notes(d))
	}
}

// TestDecide_raiseLikeAnOldOne: our write was from another capacity than was read,
// and looks like one of a former owner.
func TestDecide_raiseLikeAnOldOne(t *testing.T) {
	t.Parallel()
	rec, s := sized(4, 2, 6, change(20, 3, 6, true))
	rec.Raised, rec.Taken = [][2]int{{3, 6}, {4, 6}}, began.Add(10*time.Second)
	mem := rollout.Memory{Verify: []rollout.Intent{{Kind: rollout.Raise, From: 4, To: 6, Since: began.Add(20 * time.Second)}}}
	d := decide(spec(100, 150), s, rec, mem)
	wantCapacity(t, "4 → 6, which was 3 → 6", d, 3, 3)
}

// TestDecide_raiseOverSilence: an end in doubt has lowered desired in silence just
// before our write, which has made up for it.
func TestDecide_raiseOverSilence(t *testing.T) {
	t.Parallel()
	for ids, base := range map[string]int{"i-gone": 4, "": 3} {
		rec, s := sized(4, 2, 6, change(20, 3, 6, true))
		if ids != "" {
			rec.Doubts = []rollout.Intent{{Kind: rollout.End, IDs: []string{ids}, Dec: true}}
		}
		mem := rollout.Memory{Verify: []rollout.Intent{{Kind: rollout.Raise, From: 4, To: 6, Since: began.Add(20 * time.Second)}}}
		d := decide(spec(100, 150), s, rec, mem)
		wantCapacity(t, "4 → 6, which was 3 → 6, in doubt "+ids, d, base, 6-base)
	}
}

// TestDecide_lostLaunchAfterOld: a former owner's record holds what a policy took of
// its surge as never added, and a launch without an answer. What leads to desired as
// it is seen is that launch; the policy's change was in what is on record.
func TestDecide_lostLaunchAfterOld(t *testing.T) {
	t.Parallel()
	launched := func(c rollout.Change, id string) rollout.Change {
		c.Launched, c.Member = true, id
		return c
	}
	s := group(6)
	s.Group.Desired = 4
	rec := rolling(&s)
	rec.Changed, rec.Taken, rec.Written = began, began.Add(3*time.Minute), began.Add(3*time.Minute)
	rec.Intents = []rollout.Intent{{Kind: rollout.Launch, Count: 2, Lost: true}}
	s.Group.Desired = 6
	s.Changes = []rollout.Change{
		launched(change(5, 4, 5, false), "i-a"), launched(change(5, 5, 6, false), "i-b"), change(8, 6, 4, false),
		launched(change(170, 4, 6, false), "i-c"),
	}
	d := decide(spec(100, 150), later(s, 4*time.Minute), rec, rollout.Memory{})
	d = decide(spec(100, 150), later(s, 5*time.Minute), d.Record, d.Memory)
	if d.Record.Base != 4 || d.Record.Surge != 2 || len(d.Record.Intents) > 0 {
		t.Errorf("base %d, surge %d, open %v, want 4, 2 and none; notes %q", d.Record.Base, d.Record.Surge, d.Record.Intents, notes(d))
	}
}
