package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestDecide_failures(t *testing.T) {
	t.Parallel()
	sick := func(s *rollout.Snapshot, i int) {
		s.Members[i].Targets = []rollout.Target{{Group: "tg", State: "unhealthy"}}
	}
	for _, c := range []struct {
		name    string
		change  func(*rollout.Snapshot, *rollout.Spec)
		after   time.Duration
		outcome rollout.Outcome // empty: the roll goes on
		back    bool
		note    string
	}{
		{"in time", func(s *rollout.Snapshot, _ *rollout.Spec) { sick(s, 4) }, 50 * time.Second, "", false, ""},
		{"a graduated one that stays sick", func(s *rollout.Snapshot, _ *rollout.Spec) { sick(s, 4) }, 2 * time.Minute, "", true, "going back to version 1"},
		{"the environment is ill", func(s *rollout.Snapshot, _ *rollout.Spec) { sick(s, 4); sick(s, 0) }, 2 * time.Minute, rollout.Paused, false, ""},
		{"an old one that others just launched tells nothing", func(s *rollout.Snapshot, _ *rollout.Spec) {
			sick(s, 4)
			s.Members[0].State, s.Members[0].StateText = rollout.Pending, "Pending"
		}, 2 * time.Minute, "", true, "going back to version 1"},
		{"told to pause", func(s *rollout.Snapshot, p *rollout.Spec) { sick(s, 4); p.OnFailure = rollout.Pause }, 2 * time.Minute, rollout.Paused, false, ""},
		{"told to leave", func(s *rollout.Snapshot, p *rollout.Spec) { sick(s, 4); p.OnFailure = rollout.LeaveAsIs }, 2 * time.Minute, rollout.FailedRoll, false, ""},
		{"AWS is about to replace it", func(s *rollout.Snapshot, _ *rollout.Spec) { s.Members[4].Healthy = false }, time.Second, "", true, "going back"},
		{"AWS replaced it", func(s *rollout.Snapshot, _ *rollout.Spec) {
			s.Departures = map[string]rollout.Departure{s.Members[4].ID: {Text: "health check"}}
			s.Members = append(s.Members[:4:4], s.Members[5])
		}, time.Second, "", true, "going back"},
		{"a person took it", func(s *rollout.Snapshot, _ *rollout.Spec) {
			s.Departures = map[string]rollout.Departure{s.Members[4].ID: {Text: "user request", Wanted: true}}
			s.Members = append(s.Members[:4:4], s.Members[5])
		}, time.Second, "", false, "is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mem rollout.Memory
			s, rec := grown(&mem)
			p := spec(100, 150)
			d := decide(p, s, rec, mem) // both have graduated
			d.Record.Intents = nil
			c.change(&s, &p)
			// Nobody has ended an old one yet: this is about failures.
			d = decide(p, s, rec, d.Memory)
			said := notes(d)
			if d.Ending == nil && d.Record.Direction != rollout.Back {
				d = decide(p, later(s, c.after), d.Record, d.Memory)
				said += notes(d)
			}
			var outcome rollout.Outcome
			if d.Ending != nil {
				outcome = d.Ending.Outcome
			}
			if outcome != c.outcome || (d.Record.Direction == rollout.Back) != c.back || !strings.Contains(said, c.note) {
				t.Errorf("outcome %q, direction %q, notes %q, want %q, back %t, %q", outcome, d.Record.Direction, said, c.outcome, c.back, c.note)
			}
		})
	}
}

func TestDecide_failureLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limit  int
		change func(*rollout.Snapshot, *rollout.Record)
		want   string // steps
		failed int
		back   bool
	}{
		{"the first is one too many", 1, func(s *rollout.Snapshot, _ *rollout.Record) { s.Members[4].Healthy = false }, "", 1, true},
		{"AWS is asked to replace it", 2, func(s *rollout.Snapshot, _ *rollout.Record) { s.Members[4].Healthy = false }, "point 2, end, end-", 1, false},
		{"AWS replaces it where there is no surge", 2, func(s *rollout.Snapshot, r *rollout.Record) {
			s.Members[4].Healthy = false
			s.Group.Desired, r.Base, r.Surge = 6, 6, 0
		}, "point 2, end, launch 2", 1, false},
		{"AWS has replaced it", 2, func(s *rollout.Snapshot, _ *rollout.Record) {
			s.Departures = map[string]rollout.Departure{s.Members[4].ID: {Text: "health check"}}
			s.Members = append(s.Members[:4:4], s.Members[5])
		}, "end-, point 2, launch 1", 1, false},
		{"both at once", 2, func(s *rollout.Snapshot, _ *rollout.Record) {
			s.Members[4].Healthy, s.Members[5].Healthy = false, false
		}, "", 2, true},
		{
			"both of three, as far as the running limit goes", 3, func(s *rollout.Snapshot, _ *rollout.Record) {
				s.Members[4].Healthy, s.Members[5].Healthy = false, false
			},
			"point 2, end", 2, false,
		},
		{"the second on record", 2, func(s *rollout.Snapshot, r *rollout.Record) { s.Members[4].Healthy, r.Failed = false, 1 }, "", 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mem rollout.Memory
			s, rec := grown(&mem)
			p := spec(100, 150)
			p.FailureLimit = c.limit
			c.change(&s, &rec)
			d := decide(p, s, rec, mem)
			if d.Record.Failed != c.failed || (d.Record.Direction == rollout.Back) != c.back || !c.back && kinds(d) != c.want {
				t.Errorf("steps %q, %d failed, direction %q, want %q, %d, back %t", kinds(d), d.Record.Failed, d.Record.Direction, c.want, c.failed, c.back)
			}
			again := decide(p, later(s, time.Second), d.Record, d.Memory)
			if again.Record.Failed != c.failed {
				t.Errorf("%d failed at the next look, want each counted once", again.Record.Failed)
			}
		})
	}
}

// TestDecide_unhealthy: a member that AWS is about to replace is never ended
// with decrement, for its replacement may be there already.
func TestDecide_unhealthy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*rollout.Snapshot)
		stop   string
		want   string
	}{
		{"an old one", func(s *rollout.Snapshot) { s.Members[0].Healthy = false }, "", "end"},
		{"an old one, and AWS must not replace it", func(s *rollout.Snapshot) {
			s.Members[0].Healthy = false
			s.Group.Suspended["ReplaceUnhealthy"] = "by a person"
		}, "", "end-"},
		{"an old one at a safe point", func(s *rollout.Snapshot) { s.Members[0].Healthy = false }, "a signal", ""},
		{"a healthy one at a safe point", func(*rollout.Snapshot) {}, "a signal", "end-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mem rollout.Memory
			s, rec := grown(&mem)
			p := spec(75, 150)
			c.change(&s)
			d := rollout.Decide(rollout.Input{Spec: p, Snapshot: s, Record: rec, Memory: mem, Stop: c.stop})
			d.Steps = slices.DeleteFunc(d.Steps, func(step rollout.Step) bool { return step.Member != s.Members[0].ID })
			if kinds(d) != c.want {
				t.Errorf("steps with %s = %q, want %q", s.Members[0].ID, kinds(d), c.want)
			}
		})
	}
}

// TestDecide_flapping: a member that is healthy and sick in turns fails at the
// third time, rather than begin each bake anew.
func TestDecide_flapping(t *testing.T) {
	t.Parallel()
	var mem rollout.Memory
	s, rec := grown(&mem)
	s.Members = s.Members[4:]
	s.Group.Desired, rec.Base, rec.Surge = 2, 2, 0
	p := spec(100, 150)
	p.FinalBake = time.Hour
	d := decide(p, s, rec, mem)
	for fall := 1; fall <= 3; fall++ {
		for _, state := range []string{"unhealthy", "healthy"} {
			if d.Record.Direction == rollout.Back {
				t.Fatalf("it turned back before fall %d: %s", fall, notes(d))
			}
			s = later(s, 40*time.Second)
			s.Members[0].Targets = []rollout.Target{{Group: "tg", State: state}}
			d = decide(p, s, d.Record, d.Memory)
			if state == "healthy" {
				s = later(s, 40*time.Second)
				d = decide(p, s, d.Record, d.Memory) // it graduates again
			}
			if d.Record.Direction == rollout.Back && fall == 3 && strings.Contains(d.Record.Reason, "for the 3. time") {
				return
			}
		}
	}
	t.Errorf("after three falls: direction %q, reason %q, want back", d.Record.Direction, d.Record.Reason)
}

// TestDecide_ailing: an old member that was sick when the rollback began is
// neither waited for nor its failure, also when AWS replaces it.
func TestDecide_ailing(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	rec.Direction, rec.Copy, rec.Pointed, rec.Reason = rollout.Back, 3, "3", "the canary failed"
	s.Group.Pointer, s.Group.Points, s.Group.Latest = "3", old, 3
	s.Members[1].Targets = []rollout.Target{{Group: "tg", State: "unhealthy"}}
	p := spec(75, 100)
	run := func(s rollout.Snapshot) rollout.Decision {
		d := decide(p, s, rec, rollout.Memory{})
		for i := 0; d.Ending == nil && i < 40; i++ {
			for _, step := range d.Steps {
				if step.Kind == rollout.Resume {
					s.Group.Suspended = nil
				}
				d.Record, d.Memory, _ = rollout.Settle(d.Record, d.Memory, step, rollout.Result{}, s.At)
			}
			s = later(s, time.Minute)
			d = decide(p, s, d.Record, d.Memory)
		}
		return d
	}
	d := run(s)
	if d.Ending == nil || d.Ending.Outcome != rollout.RolledBack || !strings.Contains(d.Ending.Reason, "the canary failed; member i-00000000000000001 of version 1, which was not healthy") {
		t.Errorf("ending = %+v, want rolled back with the sick member named", d.Ending)
	}
	s.Members[1].Version.Number = 3
	if d = run(s); d.Ending == nil || d.Ending.Outcome != rollout.FailedRoll {
		t.Errorf("with a sick member of the copy: ending = %+v, want it failed", d.Ending)
	}
}
