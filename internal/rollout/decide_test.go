package rollout_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

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

// anyWorld draws observations, records and memories that need not make sense.
func anyWorld(t *rapid.T) rollout.Input {
	versions := []rollout.Version{old, target, {TemplateID: "lt-1", Number: 3, Data: "d1", Image: "ami-1"}, {Image: "ami-9"}}
	n := rapid.IntRange(0, 12).Draw(t, "members")
	s := group(n)
	s.Group.Desired = rapid.IntRange(0, 16).Draw(t, "desired")
	s.Group.Max = rapid.IntRange(s.Group.Desired, 20).Draw(t, "max")
	s.Group.Pointer = rapid.SampledFrom([]string{"1", "2", "3", "$Latest", "$Default"}).Draw(t, "pointer")
	s.TargetsSeen, s.ActivitiesSeen = rapid.Bool().Draw(t, "targets"), rapid.Bool().Draw(t, "activities")
	rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Epoch: 1})
	rec.Base, rec.Surge = rapid.IntRange(0, 12).Draw(t, "base"), rapid.IntRange(-1, 4).Draw(t, "surge")
	rec.Proven, rec.Restoring = rapid.Bool().Draw(t, "proven"), rapid.Bool().Draw(t, "restoring")
	rec.Previous = old
	if rapid.Bool().Draw(t, "back") {
		rec.Direction, rec.Copy = rollout.Back, rapid.SampledFrom([]int64{0, 3}).Draw(t, "copy")
	}
	rec.Suspended = map[string]string{"AZRebalance": ""}
	s.Group.Suspended = map[string]string{"AZRebalance": "r", "Launch": "x"}
	mem := rollout.Memory{
		FirstSeen: map[string]time.Time{}, HealthySince: map[string]time.Time{}, Graduated: map[string]bool{}, EndedAt: map[string]time.Time{},
		Announced: map[string]rollout.Version{}, SickSince: map[string]time.Time{}, Progress: began,
	}
	for i := range s.Members {
		m := &s.Members[i]
		m.Version = rapid.SampledFrom(versions).Draw(t, "version")
		m.State = rapid.SampledFrom([]rollout.Lifecycle{rollout.Pending, rollout.InService, rollout.InService, rollout.Terminating, rollout.Standby, rollout.Retained, rollout.Other}).Draw(t, "state")
		m.Healthy = rapid.IntRange(0, 5).Draw(t, "healthy") > 0
		m.Protected = rapid.IntRange(0, 3).Draw(t, "protected") == 0
		m.Targets[0].State = rapid.SampledFrom([]string{"healthy", "healthy", "initial", "unhealthy", "unused"}).Draw(t, "target")
		ago := began.Add(-time.Duration(rapid.IntRange(0, 900).Draw(t, "ago")) * time.Second)
		switch rapid.IntRange(0, 5).Draw(t, "known") {
		case 0:
			mem.FirstSeen[m.ID] = ago
		case 1:
			mem.FirstSeen[m.ID], mem.HealthySince[m.ID], mem.Graduated[m.ID] = ago, ago, true
		case 2:
			mem.EndedAt[m.ID] = ago
		case 3:
			mem.FirstSeen[m.ID], mem.SickSince[m.ID] = ago, ago
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "announced") {
		id := fmt.Sprintf("i-new%d", i)
		mem.Announced[id], mem.FirstSeen[id] = target, began.Add(-time.Second)
	}
	if rapid.Bool().Draw(t, "intents") {
		rec.Intents = []rollout.Intent{
			{Kind: rollout.Launch, Count: 1, Lost: true, Since: began.Add(-time.Minute)},
			{Kind: rollout.End, IDs: []string{healthy(0, old).ID, "i-gone"}, Dec: true, Lost: true},
			{Kind: rollout.Suspend, Names: []string{"AZRebalance"}, Lost: true},
		}
	}
	weigh(t, &s)
	in := rollout.Input{Spec: anySpec(t), Snapshot: s, Record: rec, Memory: mem}
	if rapid.IntRange(0, 4).Draw(t, "stop") == 0 {
		in.Stop = "a signal"
	}
	return in
}

// weigh gives every second world weights.
func weigh(t *rapid.T, s *rollout.Snapshot) {
	weights := rapid.SampledFrom([][]int{nil, nil, nil, {2}, {4, 4}, {4, 1}, {4, 2, 1}, {5, 2}}).Draw(t, "weights")
	if len(weights) == 0 {
		return
	}
	s.Group.Spot = rapid.Bool().Draw(t, "spot")
	s.Group.Weights = map[string]int{}
	for i, w := range weights {
		s.Group.Weights[fmt.Sprint("type-", i)] = w
	}
	for i := range s.Members {
		s.Members[i].Weight = rapid.SampledFrom(weights).Draw(t, "weight")
	}
}

// heaviest is the largest weight in a world, 1 without weights.
func heaviest(s rollout.Snapshot) int {
	n := 1
	for _, w := range s.Group.Weights {
		n = max(n, w)
	}
	return n
}

// clone is a deep copy by way of text, which everything in an input survives.
func clone[T any](t *rapid.T, v T) T {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDecide_pure: the same input gives the same decision, and nothing that
// was given is changed.
func TestDecide_pure(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := anyWorld(t)
		before := clone(t, in)
		first, second := rollout.Decide(in), rollout.Decide(in)
		if !reflect.DeepEqual(first, second) {
			t.Errorf("two decisions on one input:\n%+v\n%+v", first, second)
		}
		if after := clone(t, in); !reflect.DeepEqual(before, after) {
			t.Errorf("the input was changed:\nbefore %+v\nafter  %+v", before, after)
		}
	})
}

// TestDecide_limits: whatever is seen, no decision takes healthy below the
// floor, nor what is launched above the ceiling, nor ends a member twice.
func TestDecide_limits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := anyWorld(t)
		d := rollout.Decide(in)
		lim, _ := in.Spec.LimitsBy(heaviest(in.Snapshot), d.Record.Base, in.Snapshot.Group.Max)
		launched, ended, added, weights := 0, 0, 0, map[string]int{}
		for _, m := range in.Snapshot.Members {
			if (m.State == rollout.Pending || m.State == rollout.InService) && !going(in, m) {
				launched += max(m.Weight, 1)
			}
			weights[m.ID] = max(m.Weight, 1)
		}
		for _, s := range d.Steps {
			added += s.Count
			if s.Kind == rollout.End && !s.Aside && in.Memory.Announced[s.Member] == (rollout.Version{}) {
				ended += weights[s.Member]
			}
		}
		if added > 0 && launched-ended+added > lim.Ceiling {
			t.Errorf("launched %d − %d + %d, the ceiling is %d", launched, ended, added, lim.Ceiling)
		}
		if in.Stop != "" && added > 0 {
			t.Error("a roll that must stop launches")
		}
		if d.Ending == nil && d.Next.IsZero() {
			t.Error("nothing says when to look again")
		}
		checkEnds(t, in, d, lim.Floor)
	})
}

// going says whether a member is on its way out although it is still seen: it was
// ended lately, or perhaps.
func going(in rollout.Input, m rollout.Member) bool {
	at := in.Memory.EndedAt[m.ID]
	return !at.IsZero() && in.Snapshot.At.Sub(at) <= 2*time.Minute || slices.ContainsFunc(in.Record.Intents, func(i rollout.Intent) bool {
		return i.Kind == rollout.End && slices.Contains(i.IDs, m.ID)
	})
}

// checkEnds holds the ends of a decision to who may be ended, and to the floor.
func checkEnds(t *rapid.T, in rollout.Input, d rollout.Decision, floor int) {
	byID, well := map[string]rollout.Member{}, 0
	for _, m := range in.Snapshot.Members {
		byID[m.ID] = m
		if fit(in, m) && !going(in, m) {
			well += max(m.Weight, 1)
		}
	}
	seen := map[string]bool{}
	for _, s := range d.Steps {
		if s.Kind != rollout.End {
			continue
		}
		m, here := byID[s.Member]
		_, announced := in.Memory.Announced[s.Member] // launched by us a moment ago, not seen yet
		if !here && !announced || seen[s.Member] || m.State == rollout.Terminating || m.State == rollout.Other || m.State == rollout.Retained || misplaced(in, m, s) {
			t.Errorf("%s is ended, which is not there, ended already, or in a state not to touch: %+v", s.Member, m)
		}
		forward := m.Version != target && d.Record.Direction != rollout.Back
		if m.Protected && forward && in.Spec.Protected != rollout.Refresh {
			t.Errorf("%s is ended, which is protected from scale-in, and scale_in_protected_instances is %q: %+v", s.Member, in.Spec.Protected, m)
		}
		seen[s.Member] = true
		if !here || !fit(in, m) {
			continue
		}
		if well -= max(m.Weight, 1); well < floor {
			t.Errorf("ending %s leaves %d healthy, the floor is %d", s.Member, well, floor)
		}
	}
}

// misplaced says whether an end treats a member in standby as another one, or the
// other way round.
func misplaced(in rollout.Input, m rollout.Member, s rollout.Step) bool {
	aside := m.State == rollout.Standby
	return aside != s.Aside || aside && (in.Spec.Standby != rollout.Terminate || s.Decrement)
}

// fit says whether a member is healthy by every signal of the staged group.
func fit(in rollout.Input, m rollout.Member) bool {
	unused := true
	for _, x := range in.Snapshot.Members {
		unused = unused && x.Targets[0].State == "unused"
	}
	return m.State == rollout.InService && m.Healthy && (m.Targets[0].State == "healthy" || unused && in.Snapshot.TargetsSeen)
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
