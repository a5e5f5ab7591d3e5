package rollout_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

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
