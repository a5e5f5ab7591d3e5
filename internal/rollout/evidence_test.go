package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestDecide_endInDoubt: a new member whose end is without an answer has not
// disappeared, although it counts as terminating.
func TestDecide_endInDoubt(t *testing.T) {
	t.Parallel()
	s := group(2)
	rec := rolling(&s)
	m := healthy(2, target)
	s.Members, s.Group.Desired, rec.Surge = append(s.Members, m), 3, 1
	rec.Intents = []rollout.Intent{{Kind: rollout.End, IDs: []string{m.ID}, Dec: true, Lost: true, Since: began.Add(10 * time.Second)}}
	mem := rollout.Memory{FirstSeen: map[string]time.Time{m.ID: began}, Missing: map[string]time.Time{m.ID: began}}
	d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, 50*time.Second), Record: rec, Memory: mem})
	if d.Record.Direction == rollout.Back || d.Record.Failed > 0 || d.Ending != nil {
		t.Errorf("direction %q, %d failed, ending %+v, want it to wait for what came of the end", d.Record.Direction, d.Record.Failed, d.Ending)
	}
}

// TestDecide_evidence: while a new member that had been healthy is sick together
// with old ones, the sick old ones stay: they tell whose fault it is.
func TestDecide_evidence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fell bool
		want int // ends of old members
	}{
		{"old ones alone", false, 1},
		{"with a new one that fell", true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(2)
			rec := rolling(&s)
			m := healthy(2, target)
			s.Members[0].Targets[0].State = "unhealthy"
			mem := rollout.Memory{
				FirstSeen: map[string]time.Time{m.ID: began}, HealthySince: map[string]time.Time{m.ID: began}, Graduated: map[string]bool{m.ID: true},
				Progress: began,
			}
			if c.fell {
				m.Targets[0].State = "unhealthy"
			}
			s.Members, s.Group.Desired, rec.Surge = append(s.Members, m), 3, 1
			d := rollout.Decide(rollout.Input{Spec: spec(50, 150), Snapshot: later(s, 2*time.Minute), Record: rec, Memory: mem})
			ends := 0
			for _, step := range d.Steps {
				if step.Kind == rollout.End {
					ends++
				}
			}
			if ends < c.want || c.want == 0 && ends > 0 {
				t.Errorf("%d ends, want %d: %+v", ends, c.want, d.Steps)
			}
		})
	}
}

// TestDecide_recovering: a new member that passes its probe again, though not yet
// as often as it must, does not fail at that moment: the old ones, ill together
// with it, count as well again at once.
func TestDecide_recovering(t *testing.T) {
	t.Parallel()
	p, s, rec, mem := watched(t)
	for _, c := range []struct {
		after time.Duration
		probe string
		back  bool
	}{
		{time.Second, "expected status 200-299, got 503", false},
		{5 * time.Minute, "", false},
		{6 * time.Minute, "expected status 200-299, got 503", true},
	} {
		now := later(s, time.Hour+c.after)
		now.Members = append([]rollout.Member(nil), s.Members...)
		for i, m := range now.Members {
			if m.Version == target {
				now.Members[i].Probe = c.probe
			}
		}
		d := rollout.Decide(rollout.Input{Spec: p, Snapshot: now, Record: rec, Memory: mem})
		if got := d.Record.Direction == rollout.Back; got != c.back {
			t.Fatalf("after %s with %q: goes back %t, want %t", c.after, c.probe, got, c.back)
		}
		rec, mem = d.Record, d.Memory
		for _, step := range d.Steps {
			rec, mem, _ = rollout.Settle(rollout.Intend(rec, []rollout.Step{step}), mem, step, rollout.Result{Failure: &rollout.Failure{Kind: rollout.Again}}, now.At)
		}
	}
}

// TestDecide_takenSpot: an unhealthy member of a group with Spot Instances fails
// only when AWS does not say that EC2 took it.
func TestDecide_takenSpot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spot  bool // by the policy
		asks  bool // by the version
		gone  map[string]rollout.Departure
		after time.Duration
		back  bool
	}{
		{"no Spot Instances", false, false, nil, time.Second, true},
		{"not known yet", true, false, nil, time.Second, false},
		{"nothing is told", true, false, nil, 40 * time.Second, true},
		{"EC2 took it", true, false, map[string]rollout.Departure{healthy(2, target).ID: {Wanted: true}}, 40 * time.Second, false},
		{"by the version, not known yet", false, true, nil, time.Second, false},
		{"by the version, nothing is told", false, true, nil, 40 * time.Second, true},
		{"a health check", true, false, map[string]rollout.Departure{healthy(2, target).ID: {}}, time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(2)
			rec := rolling(&s)
			m := healthy(2, target)
			m.Healthy = false
			m.Version.Spot = c.asks
			s.Members, s.Group.Desired, rec.Surge = append(s.Members, m), 3, 1
			s.Group.Spot, s.Departures = c.spot, c.gone
			mem := rollout.Memory{FirstSeen: map[string]time.Time{m.ID: began}, Unhealthy: map[string]time.Time{m.ID: began}, Progress: began}
			d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, c.after), Record: rec, Memory: mem})
			if got := d.Record.Direction == rollout.Back; got != c.back {
				t.Errorf("goes back %t, want %t", got, c.back)
			}
		})
	}
}

// TestDecide_pointerTaken: a pointer that AWS does not let us move because
// somebody else's instance refresh runs says nothing about the image.
func TestDecide_pointerTaken(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	mem := rollout.Memory{Refused: &rollout.Failure{Kind: rollout.Fatal, Step: rollout.Point, Text: "ValidationError: An active instance refresh exists.", Refreshing: true}}
	d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: s, Record: rec, Memory: mem})
	if d.Ending == nil || d.Ending.Outcome != rollout.Superseded || d.Ending.Quarantine {
		t.Errorf("ending = %+v, want superseded", d.Ending)
	}
}

// TestDecide_goneUntold: that AWS does not say why a new member has disappeared
// is only known of a look at what AWS says.
func TestDecide_goneUntold(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{false, true} {
		s := group(2)
		rec := rolling(&s)
		m := healthy(2, target)
		rec.Surge, s.Group.Desired, s.ActivitiesSeen = 1, 3, told
		mem := rollout.Memory{FirstSeen: map[string]time.Time{m.ID: began}, Missing: map[string]time.Time{m.ID: began}, Progress: began}
		d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, time.Minute), Record: rec, Memory: mem})
		if got := d.Record.Direction == rollout.Back; got != told || !told && !d.Look.Activities {
			t.Errorf("activities seen %t: goes back %t, next look %+v; want it to look at them before it does", told, got, d.Look)
		}
	}
}

// TestSkip_raises: a raise of desired is decided on what the one before it leads to.
// Where that failed, and an end in between worked, it would hide the end and be taken
// for one that hid a change by others.
func TestSkip_raises(t *testing.T) {
	t.Parallel()
	failed := rollout.Step{Kind: rollout.Raise, From: 10, To: 11}
	for _, c := range []struct {
		step rollout.Step
		want bool
	}{
		{rollout.Step{Kind: rollout.Raise, From: 10, To: 11}, true},
		{rollout.Step{Kind: rollout.End, Decrement: true}, false},
		{rollout.Step{Kind: rollout.Point}, false},
	} {
		if got := rollout.Skip(c.step, failed); got != c.want {
			t.Errorf("%s after a raise that failed: skipped %t, want %t", c.step.Kind, got, c.want)
		}
	}
}

// TestDecide_raiseVerifiedLate: a raise is verified however late the first look at the
// activities is. The next one, of which they do not tell yet, would be taken for it,
// and ours for a change by others.
func TestDecide_raiseVerifiedLate(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	rec.Fallback, rec.Surge, s.Group.Desired, s.ActivitiesSeen = true, 1, 5, false
	s.Members = append(s.Members, healthy(4, target))
	first, second := rollout.Step{Kind: rollout.Raise, From: 4, To: 6}, rollout.Step{Kind: rollout.Raise, From: 5, To: 6}
	rec.Surge -= 2
	rec, mem, _ := rollout.Settle(rec, rollout.Memory{Progress: began}, first, rollout.Result{}, began)
	d := decide(spec(100, 150), later(s, 70*time.Second), rec, mem)
	if !d.Look.Activities {
		t.Errorf("the next look is %+v, want one at the activities", d.Look)
	}
	rec, mem, _ = rollout.Settle(d.Record, d.Memory, second, rollout.Result{}, began.Add(70*time.Second))
	s.Group.Desired, s.ActivitiesSeen = 6, true
	s.Changes = []rollout.Change{{At: began.Add(2 * time.Second), Absolute: true, From: 4, To: 6}}
	if d := decide(spec(100, 150), later(s, 75*time.Second), rec, mem); notes(d) != "" || d.Record.Base != 4 {
		t.Errorf("others are said to want %d, notes %q, want 4 and none", d.Record.Base, notes(d))
	}
}

// TestDecide_goneAgain: what AWS says of a departure is waited for from the first of
// the looks that do not show the member any more. One that did not show it yet does
// not count, nor does one that showed it unhealthy.
func TestDecide_goneAgain(t *testing.T) {
	t.Parallel()
	pending, unhealthy := healthy(2, target), healthy(2, target)
	pending.State, pending.Targets = rollout.Pending, nil
	unhealthy.Healthy = false
	registering := healthy(2, target)
	registering.Targets[0].State = "initial"
	for name, seen := range map[string][]*rollout.Member{
		"not there yet in an older view": {&pending, nil, &pending},
		"unhealthy before":               {&pending, &unhealthy, &unhealthy},
		"unhealthy, and not any more":    {&unhealthy, &registering, &unhealthy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := group(2)
			rec := rolling(&s)
			rec.Surge, s.Group.Desired, s.Group.Spot, s.ActivitiesSeen = 1, 3, true, true
			mem := rollout.Memory{Progress: began}
			for i, after := range []time.Duration{0, 5 * time.Second, 31 * time.Second, 40 * time.Second, 70 * time.Second, 71 * time.Second} {
				now := later(s, after)
				now.Members = slices.Clone(s.Members)
				if i < len(seen) && seen[i] != nil {
					now.Members = append(now.Members, *seen[i])
				}
				d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: now, Record: rec, Memory: mem})
				if got, want := d.Record.Direction == rollout.Back, after > 70*time.Second; got != want {
					t.Fatalf("after %s, gone for good since 40s: goes back %t, want %t", after, got, want)
				}
				rec, mem = d.Record, d.Memory
			}
		})
	}
}

// TestBlind: while an owner cannot look, what it waits to be told of is not late.
func TestBlind(t *testing.T) {
	t.Parallel()
	id, later := "i-1", began.Add(time.Hour)
	m := rollout.Memory{Progress: began, Unexplained: began, Missing: map[string]time.Time{id: began}, Unhealthy: map[string]time.Time{id: began}}
	got := m.Blind(time.Hour)
	if !got.Progress.Equal(later) || !got.Unexplained.Equal(later) || !got.Missing[id].Equal(later) || !got.Unhealthy[id].Equal(later) {
		t.Errorf("after an hour blind: %v, %v, %v, %v, want each at %v", got.Progress, got.Unexplained, got.Missing, got.Unhealthy, later)
	}
	if !m.Missing[id].Equal(began) || !m.Unhealthy[id].Equal(began) {
		t.Error("the memory that it was made of has changed")
	}
}
