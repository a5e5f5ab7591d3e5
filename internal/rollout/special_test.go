package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// sparing is a spec with both treatments.
func sparing(protected, standby rollout.Treatment) rollout.Spec {
	s := spec(100, 150)
	s.Protected, s.Standby = protected, standby
	return s
}

// endsOf are the members that a decision ends.
func endsOf(d rollout.Decision) string {
	var out []string
	for _, s := range d.Steps {
		if s.Kind == rollout.End {
			out = append(out, strings.TrimLeft(s.Member, "i-0"))
		}
	}
	return strings.Join(out, ", ")
}

// TestDecide_protected: two of four stale members are protected while two new
// ones have graduated.
func TestDecide_protected(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		treatment rollout.Treatment
		ended     int // of the protected ones
	}{
		{rollout.Refresh, 2}, // they are the first of all by age and id
		{rollout.Ignore, 0},
		{rollout.Wait, 0},
	} {
		var mem rollout.Memory
		s, rec := grown(&mem)
		protected := map[string]bool{healthy(0, old).ID: true, healthy(1, old).ID: true}
		for i := range s.Members {
			s.Members[i].Protected = protected[s.Members[i].ID]
		}
		d := decide(sparing(c.treatment, rollout.Wait), s, rec, mem)
		ends, ended := 0, 0
		for _, step := range d.Steps {
			if step.Kind == rollout.End {
				ends++
			}
			if protected[step.Member] {
				ended++
			}
		}
		if ends != 2 || ended != c.ended {
			t.Errorf("%s: steps = %q, of which %d end protected ones; want two ends, %d of them", c.treatment, kinds(d), ended, c.ended)
		}
	}
}

// TestDecide_lostEndAside: an end of a member in standby whose answer was lost did
// not happen. The roll does not end with the look that tells so: the member is still
// to go.
func TestDecide_lostEndAside(t *testing.T) {
	t.Parallel()
	s := group(4)
	for i := range 3 {
		s.Members[i].Version = target
	}
	s.Group.Desired = 3
	s.Members[3].State, s.Members[3].StateText, s.Members[3].Targets = rollout.Standby, "Standby", nil
	rec := rolling(&s)
	rec.Suspended, rec.Restoring, s.Group.Suspended = nil, true, nil
	rec.Intents = []rollout.Intent{{Kind: rollout.End, IDs: []string{s.Members[3].ID}, Lost: true, Since: began}}
	sp := sparing(rollout.Ignore, rollout.Terminate)
	d := decide(sp, s, rec, rollout.Memory{})
	if d = decide(sp, later(s, 2*time.Minute), d.Record, d.Memory); d.Ending != nil {
		t.Fatalf("ending %+v, want that it goes on", d.Ending)
	}
	if d = decide(sp, later(s, 125*time.Second), d.Record, d.Memory); endsOf(d) != "3" {
		t.Errorf("steps %q, want that the member in standby is ended", kinds(d))
	}
}

// TestDecide_leftOut: what is left of a group of four at the end of its roll.
func TestDecide_leftOut(t *testing.T) {
	t.Parallel()
	aside := func(m *rollout.Member, state rollout.Lifecycle, text string) {
		m.State, m.StateText, m.Targets = state, text, nil
	}
	for _, c := range []struct {
		name               string
		protected, standby rollout.Treatment
		change             func(*rollout.Snapshot)
		outcome            rollout.Outcome // empty: it goes on
		reason             string
		ends               string
	}{
		{"a protected one is ignored", rollout.Ignore, rollout.Wait, func(s *rollout.Snapshot) { s.Members[3].Protected = true }, rollout.Partial, "1 member was left out: i-00000000000000003 (protected from scale-in)", ""},
		{"a protected one is waited for", rollout.Wait, rollout.Wait, func(s *rollout.Snapshot) { s.Members[3].Protected = true }, "", "", ""},
		{"a new one is protected", rollout.Wait, rollout.Wait, func(s *rollout.Snapshot) {
			s.Members[3].Version, s.Members[0].Protected = target, true
		}, rollout.Succeeded, "", ""},
		{"one in standby is ignored", rollout.Wait, rollout.Ignore, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			aside(&s.Members[3], rollout.Standby, "Standby")
		}, rollout.Partial, "(Standby)", ""},
		{"one in standby is waited for", rollout.Wait, rollout.Wait, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			aside(&s.Members[3], rollout.Standby, "Standby")
		}, "", "", ""},
		{"one in standby is ended", rollout.Wait, rollout.Terminate, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			aside(&s.Members[3], rollout.Standby, "Standby")
		}, "", "", "3"},
		{"one in standby that is protected is left", rollout.Ignore, rollout.Terminate, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			aside(&s.Members[3], rollout.Standby, "Standby")
			s.Members[3].Protected = true
		}, rollout.Partial, "(Standby)", ""},
		{"one in standby that is protected is ended", rollout.Refresh, rollout.Terminate, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			aside(&s.Members[3], rollout.Standby, "Standby")
			s.Members[3].Protected = true
		}, "", "", "3"},
		{"a new one is in standby", rollout.Wait, rollout.Wait, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			s.Members[3].Version = target
			aside(&s.Members[3], rollout.Standby, "Standby")
		}, rollout.Succeeded, "", ""},
		{"one is kept after a termination hook", rollout.Wait, rollout.Wait, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			aside(&s.Members[3], rollout.Retained, "Terminating:Retained")
		}, rollout.Partial, "(Terminating:Retained)", ""},
		{"both", rollout.Ignore, rollout.Ignore, func(s *rollout.Snapshot) {
			s.Group.Desired = 3
			s.Members[2].Version, s.Members[2].Protected = old, true
			aside(&s.Members[3], rollout.Standby, "EnteringStandby")
		}, rollout.Partial, "2 members were left out: i-00000000000000002 (protected from scale-in), i-00000000000000003 (EnteringStandby)", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(4)
			for i := range 3 {
				s.Members[i].Version = target
			}
			c.change(&s)
			rec := rolling(&s)
			rec.Suspended, rec.Restoring = nil, true
			s.Group.Suspended = nil
			sp := sparing(c.protected, c.standby)
			d := decide(sp, s, rec, rollout.Memory{})
			d = decide(sp, later(s, 2*time.Minute), d.Record, d.Memory)
			if got := endsOf(d); got != c.ends {
				t.Errorf("ends %q, want %q", got, c.ends)
			}
			switch {
			case c.outcome == "" && d.Ending != nil, c.outcome != "" && d.Ending == nil:
				t.Fatalf("ending = %+v, want %q", d.Ending, c.outcome)
			case c.outcome != "" && (d.Ending.Outcome != c.outcome || !strings.Contains(d.Ending.Reason, c.reason)):
				t.Errorf("ending = %+v, want %s with %q", d.Ending, c.outcome, c.reason)
			}
			a := rollout.Assess(sp, s, target)
			if fixed := c.outcome != ""; a.Converged != fixed {
				t.Errorf("converged = %t with %d stale, want %t: a later plan must agree with how the roll ended", a.Converged, a.Stale, fixed)
			}
		})
	}
}

// TestDecide_waitsForThem: the wait is bounded by instance_timeout, and a member
// that is released is replaced.
func TestDecide_waitsForThem(t *testing.T) {
	t.Parallel()
	s := group(4)
	for i := range 3 {
		s.Members[i].Version = target
	}
	s.Members[3].Protected = true
	rec := rolling(&s)
	rec.Pointer, rec.Pointed = "2", ""
	sp := sparing(rollout.Wait, rollout.Wait)
	d := decide(sp, s, rec, rollout.Memory{})
	d = decide(sp, later(s, time.Minute), d.Record, d.Memory)
	if d.Ending != nil || len(d.Steps) > 0 || !strings.Contains(notes(d), "waits for members that are kept from it: i-00000000000000003") {
		t.Fatalf("steps %q, ending %+v, notes %q, want it to say whom it waits for", kinds(d), d.Ending, notes(d))
	}
	out := decide(sp, later(s, 12*time.Minute), d.Record, d.Memory)
	if out.Ending == nil || out.Ending.Outcome != rollout.Paused || !strings.Contains(out.Ending.Reason, "i-00000000000000003 (protected from scale-in)") ||
		!strings.Contains(out.Ending.Next, `scale_in_protected_instances = "refresh"`) {
		t.Errorf("after instance_timeout: %+v, want it paused with the member and the cure", out.Ending)
	}
	s.Members[3].Protected = false
	if out = decide(sp, later(s, 5*time.Minute), d.Record, d.Memory); !strings.Contains(kinds(out), "launch 1") {
		t.Errorf("released: steps %q, want a successor launched", kinds(out))
	}
}

// TestDecide_allLeftOut: with every member left out there is no canary, and the
// pointer moves all the same; where they are waited for, it stays.
func TestDecide_allLeftOut(t *testing.T) {
	t.Parallel()
	for treatment, want := range map[rollout.Treatment]string{rollout.Ignore: "suspend, point 2", rollout.Wait: "suspend"} {
		s := group(3)
		for i := range s.Members {
			s.Members[i].Protected = true
		}
		sp := sparing(treatment, rollout.Wait)
		rec := rollout.Begin(rollout.Opening{Spec: sp, Snapshot: s, Target: target, Epoch: 1})
		if d := decide(sp, s, rec, rollout.Memory{}); kinds(d) != want {
			t.Errorf("%s: steps = %q, want %q", treatment, kinds(d), want)
		}
	}
}

// TestDecide_rollbackOfProtected: a group that protects every new member does not
// keep a rollback from ending those of the failed target; a person's protection
// does.
func TestDecide_rollbackOfProtected(t *testing.T) {
	t.Parallel()
	for _, byGroup := range []bool{true, false} {
		s := group(4)
		rec := rolling(&s)
		rec.Direction, rec.Copy, rec.Surge, rec.Launched = rollout.Back, 3, 2, 2
		s.Group.Desired, s.Group.ProtectsNew = 6, byGroup
		s.Group.Pointer = "3"
		rec.Pointed = "3"
		for i := 4; i < 6; i++ {
			m := healthy(i, target)
			m.Protected, m.Targets[0].State = true, "unhealthy"
			s.Members = append(s.Members, m)
		}
		sp := sparing(rollout.Ignore, rollout.Wait)
		d := decide(sp, s, rec, rollout.Memory{})
		d = decide(sp, later(s, 31*time.Second), d.Record, d.Memory)
		if ended := endsOf(d) != ""; ended != byGroup {
			t.Errorf("protected by the group: %t, ends %q", byGroup, endsOf(d))
		}
	}
}

// TestDecide_standbyLimits: members in standby are no part of healthy, and do
// not take the room of those to launch.
func TestDecide_standbyLimits(t *testing.T) {
	t.Parallel()
	s := group(6)
	s.Group.Desired = 4
	for i := 4; i < 6; i++ {
		s.Members[i].State, s.Members[i].StateText = rollout.Standby, "Standby"
	}
	sp := sparing(rollout.Wait, rollout.Ignore)
	rec := rollout.Begin(rollout.Opening{Spec: sp, Snapshot: s, Target: target, Epoch: 1})
	d := decide(sp, s, rec, rollout.Memory{})
	if kinds(d) != "suspend, point 2, launch 1, launch 1, point 1" || d.Record.Counts.Healthy != 4 {
		t.Errorf("steps = %q with %d healthy, want two launched beside four", kinds(d), d.Record.Counts.Healthy)
	}
}
