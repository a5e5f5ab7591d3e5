package rollout_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func decide(s rollout.Spec, snap rollout.Snapshot, rec rollout.Record, mem rollout.Memory) rollout.Decision {
	return rollout.Decide(rollout.Input{Spec: s, Snapshot: snap, Record: rec, Memory: mem})
}

func TestDecide_first(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		low, high int
		change    func(*rollout.Snapshot)
		want      string
	}{
		{"launch first", 100, 150, func(*rollout.Snapshot) {}, "suspend, point 2, launch 1, launch 1, point 1"},
		{"end first, one at a time", 50, 100, func(*rollout.Snapshot) {}, "suspend, point 2, end"},
		{"pointer on the target already", 100, 125, func(s *rollout.Snapshot) { s.Group.Pointer, s.Group.Points = "2", target }, "suspend, launch 1"},
		{"pointer floats there", 100, 125, func(s *rollout.Snapshot) { s.Group.Pointer, s.Group.Points = "$Latest", target }, "suspend, point 2, launch 1"},
		{"suspended already", 100, 125, func(s *rollout.Snapshot) {
			s.Group.Suspended = map[string]string{"AZRebalance": "x", "InstanceRefresh": "x"}
		}, "point 2, launch 1, point 1"},
		// The ceiling counts what AWS still owes, 4 wanted and 5 at most; and that must not
		// come from the target, so the pointer goes back at once.
		{"AWS is launching by itself", 100, 125, func(s *rollout.Snapshot) { s.Members = s.Members[:3] }, "suspend, point 2, launch 1, point 1"},
		{"a zone is named for each", 100, 200, func(s *rollout.Snapshot) { s.Group.Zones = nil }, "suspend, point 2, launch 4, point 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(4)
			c.change(&s)
			rec := rollout.Begin(rollout.Opening{Spec: spec(c.low, c.high), Snapshot: s, Target: target, Epoch: 1})
			got := decide(spec(c.low, c.high), s, rec, rollout.Memory{})
			if kinds(got) != c.want {
				t.Errorf("steps = %q, want %q", kinds(got), c.want)
			}
		})
	}
}

// grown is a roll of 4 that has launched two, which are healthy since began.
func grown(mem *rollout.Memory) (rollout.Snapshot, rollout.Record) {
	s := group(4)
	rec := rolling(&s)
	rec.Surge, rec.Launched = 2, 2
	s.Group.Desired = 6
	for i := 4; i < 6; i++ {
		s.Members = append(s.Members, healthy(i, target))
	}
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	*mem = d.Memory
	return later(s, 31*time.Second), d.Record
}

func TestDecide_ends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*rollout.Snapshot, *rollout.Record)
		want   int // old members ended
		not    string
	}{
		{"as many as have graduated", func(*rollout.Snapshot, *rollout.Record) {}, 2, ""},
		{"none while health is not known", func(s *rollout.Snapshot, _ *rollout.Record) { s.TargetsSeen = false }, 0, ""},
		{"no healthy one below the floor", func(s *rollout.Snapshot, _ *rollout.Record) { s.Members[0].Targets[0].State = "unhealthy" }, 2, ""},
		{"a protected one stays", func(s *rollout.Snapshot, _ *rollout.Record) {
			for i := range 3 {
				s.Members[i].Protected = true
			}
		}, 1, healthy(0, old).ID},
		{"none before proof", func(s *rollout.Snapshot, r *rollout.Record) {
			r.Proven, r.Pinned = false, 1
			s.Members[4].Targets[0].State, s.Members[5].Targets[0].State = "initial", "initial"
		}, 0, ""},
		{"none right after another owner", func(_ *rollout.Snapshot, r *rollout.Record) { r.Taken = began }, 0, ""},
		{"not those whose end is being looked for", func(_ *rollout.Snapshot, r *rollout.Record) {
			r.Intents = []rollout.Intent{{Kind: rollout.End, IDs: []string{healthy(0, old).ID}, Dec: true, Lost: true}}
		}, 1, healthy(0, old).ID},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mem rollout.Memory
			s, rec := grown(&mem)
			c.change(&s, &rec)
			got := decide(spec(100, 150), s, rec, mem)
			n := 0
			for _, step := range got.Steps {
				if step.Kind == rollout.End {
					n++
					if step.Member == c.not {
						t.Errorf("%s is ended", step.Member)
					}
				}
			}
			if n != c.want {
				t.Errorf("steps = %q, want %d ends", kinds(got), c.want)
			}
		})
	}
}

// TestDecide_zoneFloor never ends the last healthy member of a zone before its
// successor there, unless none can come.
func TestDecide_zoneFloor(t *testing.T) {
	t.Parallel()
	var mem rollout.Memory
	s, rec := grown(&mem) // old ones in a, b, c, a; new ones in b, c
	got := decide(spec(100, 150), s, rec, mem)
	zones := map[string]string{}
	for _, m := range s.Members {
		zones[m.ID] = m.Zone
	}
	in := map[string]int{}
	for _, step := range got.Steps {
		if step.Kind == rollout.End {
			in[zones[step.Member]]++
		}
	}
	if in["a"] > 1 || in["b"] > 1 || in["c"] > 1 {
		t.Errorf("ends by zone = %v, want at most one in each", in)
	}
	// All new members in one zone, at the ceiling: nothing else can come.
	for i := range s.Members {
		s.Members[i].Zone = string(rune('a' + i))
	}
	s.Members[4].Zone, s.Members[5].Zone = "x", "x"
	if got := decide(spec(100, 150), s, rec, mem); strings.Count(kinds(got), "end-") != 1 {
		t.Errorf("jammed: steps = %q, want one end", kinds(got))
	}
}

func TestDecide_checkpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		percentage int
		size, base int
		want       int // launched in the first decision
	}{
		{"a fifth of ten", 20, 10, 10, 2},
		{"rounds up", 21, 10, 10, 3},
		{"at least one", 1, 10, 10, 1},
		{"never more than the ceiling leaves", 90, 10, 10, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := spec(100, 150)
			p.Checkpoints = []rollout.Checkpoint{{Percentage: c.percentage}}
			s := group(c.base)
			rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target})
			n := 0
			for _, step := range decide(p, s, rec, rollout.Memory{}).Steps {
				n += step.Count
			}
			if n != c.want {
				t.Errorf("%d launched, want %d", n, c.want)
			}
		})
	}
}

func TestDecide_superseded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		seen  string
		mem   rollout.Memory
		after time.Duration
		want  bool
	}{
		{"ours", "2", rollout.Memory{Progress: began}, 0, false},
		{"somebody else's", "7", rollout.Memory{Progress: began}, 0, true},
		{"seen from before our write", "1", rollout.Memory{Progress: began, PointedAt: began}, 50 * time.Second, false},
		{"put back by somebody", "1", rollout.Memory{Progress: began, PointedAt: began}, 61 * time.Second, true},
		{"our write did not work", "1", rollout.Memory{Progress: began, PointDoubt: began}, 5 * time.Minute, false},
		{"our write did not work, and it is theirs", "7", rollout.Memory{Progress: began, PointDoubt: began}, 5 * time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(4)
			rec := rolling(&s)
			s.Group.Pointer = c.seen
			got := decide(spec(100, 150), later(s, c.after), rec, c.mem)
			if superseded := got.Ending != nil && got.Ending.Outcome == rollout.Superseded; superseded != c.want {
				t.Errorf("superseded = %t, want %t; steps %q", superseded, c.want, kinds(got))
			}
		})
	}
}

func TestDecide_safePoint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*rollout.Snapshot, *rollout.Record, *rollout.Memory)
		want   string
	}{
		{"healthy successors", func(*rollout.Snapshot, *rollout.Record, *rollout.Memory) {}, "resume, end-, end-"},
		{"not healthy yet", func(s *rollout.Snapshot, _ *rollout.Record, m *rollout.Memory) {
			m.Ours = map[string]bool{}
			for i := 4; i < 6; i++ {
				s.Members[i].State = rollout.Pending
				m.Ours[s.Members[i].ID] = true
			}
		}, "resume, end-, end-"},
		{"not proven", func(_ *rollout.Snapshot, r *rollout.Record, _ *rollout.Memory) {
			r.Proven, r.Pinned = false, 1
		}, "point 1, resume, end-, end-"},
		{"health not known", func(s *rollout.Snapshot, _ *rollout.Record, _ *rollout.Memory) { s.TargetsSeen = false }, "resume"},
		{"not ours to resume", func(s *rollout.Snapshot, _ *rollout.Record, _ *rollout.Memory) {
			s.Group.Suspended = map[string]string{"AZRebalance": "by a person since"}
			s.TargetsSeen = false
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var fresh rollout.Memory
			s, r := grown(&fresh)
			c.change(&s, &r, &fresh)
			got := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: s, Record: r, Memory: fresh, Stop: "a signal"})
			if kinds(got) != c.want || got.Ending == nil || got.Ending.Outcome != rollout.Paused || got.Ending.Reason != "a signal" {
				t.Errorf("steps = %q, ending %+v, want %q and paused", kinds(got), got.Ending, c.want)
			}
		})
	}
}

// TestDecide_safePointFloor: at a safe point an old member goes for a healthy new one,
// not because the floor would allow it. What is said of the end counts those that stay.
func TestDecide_safePointFloor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		sick int // of two new members
		want string
		left string // what the ending says is left of 4 old and 2 new members
	}{
		{"both are healthy", 0, "resume, end-, end-", "2 of 4 members run version 2 (ami-2), 2 do not, 4 are healthy, "},
		{"one is", 1, "resume, end-", "2 of 5 members run version 2 (ami-2), 3 do not, 4 are healthy, "},
		{"none is", 2, "resume", "2 of 6 members run version 2 (ami-2), 4 do not, 4 are healthy, "},
	} {
		var mem rollout.Memory
		s, rec := grown(&mem)
		for i := range c.sick {
			s.Members[4+i].Targets[0].State = "unhealthy"
		}
		d := rollout.Decide(rollout.Input{Spec: spec(50, 150), Snapshot: s, Record: rec, Memory: mem, Stop: "a signal"})
		if got := kinds(d); got != c.want || d.Ending == nil || d.Ending.Outcome != rollout.Paused {
			t.Errorf("%s: %q, ending %+v, want %q and paused", c.name, got, d.Ending, c.want)
		} else if !strings.HasPrefix(d.Ending.State, c.left) {
			t.Errorf("%s: got %q, want it to begin with %q", c.name, d.Ending.State, c.left)
		}
	}
}

// TestRecord_size: a record with 100 ends in flight, and as many answers lost,
// fits a parameter of Systems Manager, whose envelope leaves 3.5 KB.
func TestRecord_size(t *testing.T) {
	t.Parallel()
	const room = 3500
	s := group(220)
	rec := rolling(&s)
	long := strings.Repeat("x", 160)
	rec.Last, rec.Reason = long, strings.Repeat("y", 300)
	rec.Surge, s.Group.Desired = 110, 220
	rec.Base = 110
	rec.Previous.Data, rec.Target.Data = "0123456789abcdef", "fedcba9876543210"
	rec.Counts = rollout.Counts{Stale: 110, Current: 110, Ready: 110, Healthy: 220, Running: 330, Lowest: 100, Highest: 220}
	for p := range rec.Suspended {
		rec.Suspended[p] = "User suspended at 2026-03-01T09:00:00Z"
	}
	var mem rollout.Memory
	for i := range 110 {
		s.Members[i].Version = rec.Target
	}
	mem.Graduated, mem.FirstSeen, mem.Progress = map[string]bool{}, map[string]time.Time{}, began
	for _, m := range s.Members[:110] {
		mem.Graduated[m.ID], mem.FirstSeen[m.ID] = true, began
	}
	s.Group.Suspended = rec.Suspended
	s.Group.Max = 220
	d := decide(spec(100, 200), s, rec, mem)
	rec = rollout.Intend(d.Record, d.Steps)
	if n := strings.Count(kinds(d), "end"); n != 100 {
		t.Fatalf("%d ends, want 100: %s, notes %s, ending %+v, look %+v counts %+v", n, kinds(d), notes(d), d.Ending, d.Look, d.Record.Counts)
	}
	size := func(when string) {
		t.Helper()
		text, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > room {
			t.Errorf("%s: the record has %d bytes, want at most %d: %s", when, len(text), room, text)
		}
	}
	size("100 ends in flight")
	mem = d.Memory
	for _, step := range d.Steps {
		rec, mem, _ = rollout.Settle(rec, mem, step, rollout.Result{Failure: &rollout.Failure{Kind: rollout.Lost, Text: "no answer"}}, began)
	}
	size("100 answers lost")
	d = decide(spec(100, 200), later(s, 10*time.Second), rec, mem)
	rec = rollout.Intend(d.Record, d.Steps)
	size("the decision after that")
}

// TestDecide_jammed: every successor is there, none in the last old member's
// zone, and a target group with cross-zone off asks for two in each zone. Nothing
// more is to be launched, so the old one goes.
func TestDecide_jammed(t *testing.T) {
	t.Parallel()
	s := group(0)
	s.Group.Zones, s.Group.Max, s.Group.Desired = []string{"a", "b"}, 8, 4
	rec := rolling(&s)
	rec.Pointer, rec.Pointed, rec.Base, rec.Surge, s.Group.Desired = "2", "", 4, 1, 5
	s.AttributesSeen, s.Zonal = true, []string{"tg"}
	for i, zone := range []string{"a", "a", "a", "b", "b"} {
		m := healthy(i, target)
		if m.Zone = zone; i == 4 {
			m.Version = old
		}
		s.Members = append(s.Members, m)
	}
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	d = decide(spec(100, 150), later(s, 31*time.Second), d.Record, d.Memory)
	if got := endsOf(d); got != "4" {
		t.Errorf("steps %q end %q, want the last old member", kinds(d), got)
	}
}

// TestDecide_surplusNotProven: a new member that answers its probe, but not often
// enough yet, may be healthy. It is not ended as surplus while the others do not
// hold the floor, such as after EC2 has taken one.
func TestDecide_surplusNotProven(t *testing.T) {
	t.Parallel()
	probe := rollout.DefaultProbe("http://{private_ip}/")
	sp := spec(100, 150)
	sp.Probe = &probe
	for _, c := range []struct {
		graduated int
		want      string
	}{{2, ""}, {3, "end-"}} {
		s := group(3)
		rec := rolling(&s)
		rec.Surge, s.Group.Desired, s.ProbesSeen, s.Members = 1, 4, true, nil
		mem := rollout.Memory{Graduated: map[string]bool{}, HealthySince: map[string]time.Time{}, FirstSeen: map[string]time.Time{}, Ours: map[string]bool{}, Passes: map[string]int{}, Progress: began}
		for i := range 4 {
			m := healthy(i, target)
			m.Probed = true
			s.Members = append(s.Members, m)
			mem.FirstSeen[m.ID], mem.Ours[m.ID] = began, true
			if i < c.graduated {
				mem.Graduated[m.ID], mem.HealthySince[m.ID], mem.Passes[m.ID] = true, began, 3
			}
		}
		if d := rollout.Decide(rollout.Input{Spec: sp, Snapshot: s, Record: rec, Memory: mem}); kinds(d) != c.want {
			t.Errorf("%d of 4 proven, 3 wanted: %q, want %q", c.graduated, kinds(d), c.want)
		}
	}
}

// TestDecide_surplusAfterEnds: what is left of the surplus once the last old member is
// being ended goes at a look soon, not when one is due anyway.
func TestDecide_surplusAfterEnds(t *testing.T) {
	t.Parallel()
	var mem rollout.Memory
	s, rec := grown(&mem)
	s.Members = s.Members[3:] // of 4 old members one is left, and others want one
	s.Group.Desired, rec.Base = 3, 1
	d := decide(spec(100, 200), s, rec, mem)
	if got, soon := kinds(d), s.At.Add(spec(100, 200).Poll); got != "end-, point 2" || d.Next.After(soon) {
		t.Errorf("%q, and a look %s later, want one end and a look within %s", got, d.Next.Sub(s.At), soon.Sub(s.At))
	}
}

// TestDecide_safePointSparesFallen: of two new members that are more than wanted,
// the one that had been healthy once stays as long as it is not known to be sick,
// and goes last when it is.
func TestDecide_safePointSparesFallen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		known bool
		surge int
		want  string
	}{
		{"one, not known", false, 1, "i-00000000000000009"},
		{"two, not known", false, 2, "i-00000000000000009"},
		{"one, known", true, 1, "i-00000000000000009"},
		{"two, known", true, 2, "i-00000000000000009 i-00000000000000008"},
	} {
		s := group(4)
		rec := rolling(&s)
		rec.Surge, s.Group.Desired, s.TargetsSeen = c.surge, 4+c.surge, c.known
		fallen, pending := healthy(8, target), healthy(9, target)
		fallen.Targets[0].State, pending.State, pending.Targets = "unhealthy", rollout.Pending, nil
		s.Members = append(s.Members[:2+c.surge], fallen, pending)
		mem := rollout.Memory{
			FirstSeen: map[string]time.Time{fallen.ID: began, pending.ID: began}, Ours: map[string]bool{fallen.ID: true, pending.ID: true},
			Falls: map[string]int{fallen.ID: 1}, Progress: began,
		}
		d := rollout.Decide(rollout.Input{Spec: spec(100, 200), Snapshot: s, Record: rec, Memory: mem, Stop: "the run was interrupted"})
		var ended []string
		for _, step := range d.Steps {
			if step.Kind == rollout.End {
				ended = append(ended, step.Member)
			}
		}
		if got := strings.Join(ended, " "); got != c.want {
			t.Errorf("%s: ended %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDecide_pointedAtTheEnd: a write of the pointer may fail, or its owner die,
// in the very decision with which a roll begins to put things back. It is made
// again before the roll ends.
func TestDecide_pointedAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ found, at, want string }{
		{"1", "1", "point 2, resume"},
		{"1", "2", "resume"},
		{"$Latest", "1", "point 2, resume, point $Latest"},
		{"$Latest", "$Latest", "resume"},
	} {
		s := group(4)
		rec := rolling(&s)
		rec.Restoring, rec.Pointer, rec.Pointed = true, c.found, c.at
		mem := rollout.Memory{FirstSeen: map[string]time.Time{}, HealthySince: map[string]time.Time{}, Graduated: map[string]bool{}, Progress: began}
		for i := range s.Members {
			s.Members[i].Version = target
			id := s.Members[i].ID
			mem.FirstSeen[id], mem.HealthySince[id], mem.Graduated[id] = began, began, true
		}
		s.Group.Pointer, s.Group.Points = c.at, old
		if c.at != "1" {
			s.Group.Points = target
		}
		d := rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: later(s, 2*time.Minute), Record: rec, Memory: mem})
		if kinds(d) != c.want {
			t.Errorf("found at %s, now at %s: %q, want %q", c.found, c.at, kinds(d), c.want)
		}
	}
}

// TestDecide_owedAndLost: AWS owes a member, and the answer to a launch of one more
// was lost. Both may come, so that a ceiling of eight is reached.
func TestDecide_owedAndLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lost int
		want string
	}{{0, "point 2, launch 1"}, {1, "point 2"}} {
		s := group(7)
		rec := rolling(&s)
		s.Members = s.Members[:6]
		if c.lost > 0 {
			rec.Intents = []rollout.Intent{{Kind: rollout.Launch, Count: c.lost, Lost: true, Since: began}}
		}
		if d := rollout.Decide(rollout.Input{Spec: spec(75, 125), Snapshot: later(s, 5*time.Second), Record: rec}); kinds(d) != c.want {
			t.Errorf("with %d lost: %q, want %q", c.lost, kinds(d), c.want)
		}
	}
}
