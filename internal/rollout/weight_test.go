package rollout_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// weighted is an observation of healthy old members of these weights, in a group
// whose types have the weights given first.
func weighted(types []int, members ...int) rollout.Snapshot {
	s := group(len(members))
	s.Group.Weights, s.Group.Desired = map[string]int{}, 0
	for i, w := range types {
		s.Group.Weights[fmt.Sprint("type-", i)] = w
	}
	for i, w := range members {
		s.Members[i].Weight = w
		s.Group.Desired += w
	}
	s.Group.Max = 2 * s.Group.Desired
	return s
}

func TestSpec_LimitsBy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                        string
		weight, low, high, base, mx int
		want                        rollout.Limits
		cure                        string // of the problem, empty: none
	}{
		{"half more, in members of 4", 4, 100, 150, 12, 24, rollout.Limits{Floor: 12, Ceiling: 21, Running: 28, Rounding: 3, Slots: 6, First: true}, ""},
		{"10 % is less than a member", 4, 100, 110, 12, 24, rollout.Limits{Floor: 12, Ceiling: 19, Running: 26, Rounding: 3, Slots: 4, First: true, Tight: true}, ""},
		{"ending first, less than a member", 4, 90, 100, 12, 24, rollout.Limits{Floor: 8, Ceiling: 15, Running: 22, Rounding: 3, Slots: 4, Tight: true}, ""},
		{"max size leaves less than a member: ends first", 4, 50, 150, 12, 14, rollout.Limits{Floor: 6, Ceiling: 15, Running: 24, Rounding: 3, Slots: 6}, ""},
		{"max size leaves less than a member", 4, 100, 150, 12, 14, rollout.Limits{Floor: 12, Ceiling: 15, Running: 24, Rounding: 3}, "raise max_size of the group to at least 16, or set raise_max_size = true, or lower min_healthy_percentage to 66 or less"},
		{"one member, no room", 8, 100, 150, 8, 8, rollout.Limits{Floor: 8, Ceiling: 15, Running: 30, Rounding: 7, Tight: true}, "lower min_healthy_percentage to 0 with max_healthy_percentage = 100"},
		{"weights of 1", 1, 100, 150, 4, 8, rollout.Limits{Floor: 4, Ceiling: 6, Running: 7, Slots: 2, First: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, problem := spec(c.low, c.high).LimitsBy(c.weight, c.base, c.mx)
			cure := ""
			if problem != nil {
				cure = problem.Text
			}
			if got != c.want || (cure != "") != (c.cure != "") || !strings.Contains(cure, c.cure) {
				t.Errorf("LimitsBy(%d, %d, %d) of %d/%d = %+v, %q, want %+v, %q", c.weight, c.base, c.mx, c.low, c.high, got, cure, c.want, c.cure)
			}
		})
	}
}

// TestDecide_weights: the first steps of rolls, in whole members of the heaviest
// type, each by its own weight.
func TestDecide_weights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		snap      rollout.Snapshot
		low, high int
		want      string
	}{
		{"one slot of 4", weighted([]int{4}, 4, 4, 4), 100, 110, "suspend, point 2, launch 4, point 1"},
		{"half more is one member", weighted([]int{4}, 4, 4, 4), 100, 150, "suspend, point 2, launch 4, point 1"},
		{"two in two zones", weighted([]int{4}, 4, 4, 4, 4), 100, 150, "suspend, point 2, launch 4, launch 4, point 1"},
		{"different ones in chunks of the heaviest", weighted([]int{4, 1}, 1, 1, 1, 1, 4), 100, 150, "suspend, point 2, launch 4, point 1"},
		{"end first, one at a time", weighted([]int{4}, 4, 4, 4, 4), 50, 100, "suspend, point 2, end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rec := rollout.Begin(rollout.Opening{Spec: spec(c.low, c.high), Snapshot: c.snap, Target: target, Epoch: 1})
			if got := kinds(decide(spec(c.low, c.high), c.snap, rec, rollout.Memory{})); got != c.want {
				t.Errorf("steps = %q, want %q", got, c.want)
			}
		})
	}
}

// TestDecide_weightsEnd: with a surge of 4, either a member of 4 goes, or as many
// light ones as make 4, the lightest first.
func TestDecide_weightsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		members []int
		want    string
	}{
		{"one of 4", []int{4, 4, 4}, "end-"},
		{"those of 1 and 2", []int{4, 2, 1, 1, 4}, "end-, end-, end-"},
		{"no more than the surge", []int{2, 2, 2, 4}, "end-, end-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := weighted([]int{4, 2, 1}, c.members...)
			for i := range s.Members { // zones are another test's
				s.Members[i].Zone = "a"
			}
			rec := rolling(&s)
			rec.Surge, rec.Launched = 4, 1
			s.Group.Desired += 4
			m := healthy(90, target)
			m.Zone, m.Weight = "a", 4
			s.Members = append(s.Members, m)
			mem := decide(spec(100, 110), s, rec, rollout.Memory{}).Memory
			d := decide(spec(100, 110), later(s, 31*time.Second), rec, mem)
			if got := strings.Split(kinds(d), ", point")[0]; got != c.want {
				t.Errorf("steps = %q, want %q", kinds(d), c.want)
			}
		})
	}
}

// TestDecide_looseLaunch: a launch of which nobody knows the size may have AWS end
// healthy members. Where the floor has no room left for that, new members are waited
// for, and in a rollback the sick ones go first.
func TestDecide_looseLaunch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		sick   int // of six old members of 4
		coming string
		back   bool
		unseen bool
		want   string // begins with
	}{
		{name: "all are healthy", coming: "Pending", want: "raise"},
		{name: "a new one is to come", sick: 2, coming: "Pending"},
		{name: "none is", sick: 2, want: "raise"},
		{name: "in a rollback", sick: 2, back: true, want: "end"},
		{name: "nobody knows", unseen: true},
	} {
		s := weighted([]int{4, 2}, 4, 4, 4, 4, 4, 4)
		s.Group.Spot = true
		for i := range s.Members {
			s.Members[i].Zone = "a"
		}
		rec := rolling(&s)
		rec.Fallback, rec.Previous = true, old
		if c.back {
			rec.Direction, rec.Copy, rec.Previous = rollout.Back, 2, rollout.Version{TemplateID: "lt-1", Number: 2, Data: "d2", Image: "ami-2"}
		}
		for i := range c.sick {
			s.Members[i].Targets[0].State = "unhealthy"
		}
		if c.coming != "" {
			m := healthy(90, target)
			m.State, m.Weight = rollout.Pending, 4
			s.Members, s.Group.Desired, rec.Surge = append(s.Members, m), s.Group.Desired+4, 4
		}
		s.TargetsSeen = !c.unseen
		d := decide(spec(60, 150), s, rec, rollout.Memory{Progress: began})
		if got := kinds(d); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" || c.unseen && !d.Look.Targets {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestSettle_weights: desired rises by what was launched and by no more than was
// asked for, and falls by what each member weighs.
func TestSettle_weights(t *testing.T) {
	t.Parallel()
	weights := map[string]int{"large": 4, "small": 1}
	launch := rollout.Step{Kind: rollout.Launch, Zone: "a", Count: 8, Token: "t", Weights: weights}
	for _, c := range []struct {
		name  string
		types []string
		surge int
	}{
		{"heavy ones", []string{"large", "large"}, 8},
		{"both", []string{"large", "small", "small", "small", "small"}, 8},
		{"part of them", []string{"large"}, 4},
		{"more than asked for", []string{"small", "large", "large"}, 8},
		{"none", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var res rollout.Result
			for i, kind := range c.types {
				res.IDs, res.Types = append(res.IDs, fmt.Sprint("i-", i)), append(res.Types, kind)
			}
			rec := rollout.Intend(rollout.Record{Base: 12}, []rollout.Step{launch})
			rec, mem, _ := rollout.Settle(rec, rollout.Memory{}, launch, res, began)
			if rec.Surge != c.surge || rec.Launched != len(c.types) || len(mem.Weights) != len(c.types) || len(rec.Intents) != 0 {
				t.Errorf("surge %d, launched %d, weights %v, intents %v, want %d and %d", rec.Surge, rec.Launched, mem.Weights, rec.Intents, c.surge, len(c.types))
			}
		})
	}
	ends := []rollout.Step{
		{Kind: rollout.End, Member: "i-1", Decrement: true, Weight: 4},
		{Kind: rollout.End, Member: "i-2", Decrement: true, Weight: 4},
		{Kind: rollout.End, Member: "i-3", Decrement: true, Weight: 1},
		{Kind: rollout.End, Member: "i-4", Weight: 4},
	}
	rec := rollout.Intend(rollout.Record{Base: 12, Surge: 9}, ends)
	if len(rec.Intents) != 3 || rec.Intents[0].Weight != 4 || len(rec.Intents[0].IDs) != 2 || rec.Intents[1].Weight != 0 {
		t.Errorf("intents %+v, want those of one weight together", rec.Intents)
	}
	mem := rollout.Memory{}
	for _, s := range ends {
		rec, mem, _ = rollout.Settle(rec, mem, s, rollout.Result{}, began)
	}
	if rec.Surge != 0 || len(rec.Intents) != 0 {
		t.Errorf("surge %d, intents %+v, want none", rec.Surge, rec.Intents)
	}
}

// TestWeights_refusals: what the managed engine cannot count is named, with the
// cure; nothing else is.
func TestWeights_refusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		high   int
		change func(*rollout.Group)
		field  string // empty: none
		text   string
	}{
		{"all the same, Spot too, ending first", 100, func(g *rollout.Group) { g.Spot, g.Weights = true, map[string]int{"a": 4, "b": 4} }, "", ""},
		{"multiples", 150, func(g *rollout.Group) { g.Weights = map[string]int{"a": 8, "b": 2, "c": 1} }, "", ""},
		{
			"Spot of different ones", 150, func(g *rollout.Group) { g.Spot, g.Weights = true, map[string]int{"a": 4, "b": 2} }, "min_healthy_percentage",
			"is 50, which keeps 6 of 12 units of capacity healthy, and where the group launches a member of 4, EC2 Auto Scaling may end lighter ones by itself, " +
				"because its mixed instances policy asks for Spot Instances of different weights; 7 units must be to spare (with min_healthy_percentage = 41 or less), " +
				"or give all types the same weighted_capacity, or use engine = \"instance_refresh\"",
		},
		{"no multiple", 150, func(g *rollout.Group) { g.Weights = map[string]int{"a": 6, "b": 2, "c": 4} }, "min_healthy_percentage", "6 is no multiple of the weight 4; 11 units must be to spare (with min_healthy_percentage = 8 or less), or change weighted_capacity"},
		{"heavier than the group", 150, func(g *rollout.Group) { g.Weights = map[string]int{"a": 9, "b": 2} }, "min_healthy_percentage", "17 units must be to spare (which it wants too little for)"},
		{"ending first", 100, func(g *rollout.Group) { g.Weights = map[string]int{"a": 4, "b": 2} }, "min_healthy_percentage", "old members of different weights are ended first; 7 units must be to spare"},
		{"no headroom", 150, func(g *rollout.Group) { g.Max, g.Weights = 12, map[string]int{"a": 4, "b": 2} }, "min_healthy_percentage", "or set max_healthy_percentage above 100 with room below max_size"},
		{"ending first with room", 100, func(g *rollout.Group) { g.Weights = map[string]int{"a": 3, "b": 2} }, "", ""},
		{"Spot with room", 150, func(g *rollout.Group) { g.Spot, g.Weights = true, map[string]int{"a": 3, "b": 1} }, "", ""},
		{"weighed by AWS", 150, func(g *rollout.Group) { g.Weighed = "vcpu" }, "engine", "desired capacity type is \"vcpu\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := weighted(nil, 3, 3, 3, 3)
			c.change(&s.Group)
			got := rollout.Assess(spec(50, c.high), s, target).Problems
			if c.field == "" && len(got) > 0 || c.field != "" && (len(got) != 1 || got[0].Field != c.field || !strings.Contains(got[0].Text, c.text)) {
				t.Errorf("problems of %+v = %v, want one of %q with %q", s.Group.Weights, got, c.field, c.text)
			}
			byAWS := spec(50, c.high)
			byAWS.Engine, byAWS.LoadBalancer = rollout.EngineRefresh, false
			if got := rollout.Assess(byAWS, s, target).Problems; len(got) > 0 {
				t.Errorf("by an instance refresh: %v, want none", got)
			}
			told := s
			told.Group.Weights = map[string]int{}
			for i, w := range s.Group.Telling() {
				told.Group.Weights[fmt.Sprint(i)] = w
			}
			if again := rollout.Assess(spec(50, c.high), told, target).Problems; !reflect.DeepEqual(again, got) {
				t.Errorf("with the telling weights only, %v: %v, want %v", s.Group.Telling(), again, got)
			}
		})
	}
}

// TestAssess_weights words what is tight in units of capacity.
func TestAssess_weights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		low, high int
		want      string
	}{
		{100, 110, "max_healthy_percentage = 110 leaves no room for a member of 4 units in a group of 12 units of capacity; one is launched beyond them"},
		{90, 100, "min_healthy_percentage = 90 leaves no room for 12 units of capacity; one member is taken down at a time"},
	} {
		got := rollout.Assess(spec(c.low, c.high), weighted([]int{4}, 4, 4, 4), target).Warnings
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("warnings with %d/%d = %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

// TestPreflight_weights: quota and addresses are compared in units and members.
func TestPreflight_weights(t *testing.T) {
	t.Parallel()
	types := []rollout.InstanceType{{Name: "type-0", VCPUs: 8}, {Name: "type-1", VCPUs: 2}}
	for _, c := range []struct {
		name    string
		max     int
		facts   rollout.Facts
		problem string
		warning string
	}{
		{name: "room for all", facts: rollout.Facts{Types: types, Quota: rollout.Quota{Limit: 100}, Free: map[string]int{"a": 99}}},
		{name: "max size", max: 17, warning: "max_healthy_percentage = 150 would allow 18 launched units of capacity, and the group's max size allows 17"},
		{
			name: "quota", facts: rollout.Facts{Types: types, Quota: rollout.Quota{Name: "Standard", Limit: 30, Used: 18}},
			warning: `the quota "Standard" of 30 vCPUs has 18 in use and room for 4 more units of capacity`,
		},
		{
			name: "quota for light ones only", facts: rollout.Facts{Types: types, Quota: rollout.Quota{Name: "Standard", Limit: 30, Used: 26}},
			warning: `the quota "Standard" of 30 vCPUs has 26 in use and room for 0 more units of capacity`,
		},
		{
			name: "quota used up", facts: rollout.Facts{Types: types, Quota: rollout.Quota{Name: "Standard", Limit: 30, Used: 29}},
			problem: `max_healthy_percentage is 150, which launches before it ends, and the quota "Standard" of 30 vCPUs has 29 in use`,
		},
		{name: "addresses", facts: rollout.Facts{Free: map[string]int{"a": 3}}, warning: "the group's subnets have 3 free addresses, where the roll would add up to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := weighted([]int{4, 1}, 4, 4, 1, 1, 1, 1)
			if c.max > 0 {
				s.Group.Max = c.max
			}
			q := spec(100, 150)
			a := rollout.Assess(q, s, target)
			problems, warnings := rollout.Preflight(q, s, c.facts, a)
			expectOne(t, "problems", strings.Split(texts(problems), "\n")[:min(len(problems), 1)], c.problem)
			expectOne(t, "warnings", warnings, c.warning)
		})
	}
}

// TestPredict_weights: every roll of a group with weights comes to its end in the
// model, within its limits.
func TestPredict_weights(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		types := rapid.SampledFrom([][]int{{2}, {3, 3}, {4}, {16, 8}, {4, 1}, {4, 2, 1}, {5, 2}, {3, 2}}).Draw(t, "weights")
		members := rapid.SliceOfN(rapid.SampledFrom(types), 1, 20).Draw(t, "members")
		g := weighted(types, members...)
		for i := range g.Members {
			g.Members[i].Zone = rapid.SampledFrom([]string{"a", "b", "c", "left"}).Draw(t, "zone")
			if rapid.IntRange(0, 4).Draw(t, "current") == 0 {
				g.Members[i].Version = target
			}
		}
		g.Group.Spot = rapid.Bool().Draw(t, "spot")
		g.Group.Mixes = g.Group.Spot && rapid.Bool().Draw(t, "mixes")
		base := g.Group.Desired
		g.Group.Max = rapid.IntRange(base, 2*base+types[0]).Draw(t, "max")
		s := anySpec(t)
		l, problem := s.LimitsBy(types[0], base, g.Group.Max)
		if problem != nil || len(rollout.Assess(s, g, target).Problems) > 0 {
			return
		}
		got := rollout.Predict(s, g, target)
		if got.Duration == 0 && got.Highest == 0 {
			t.Fatalf("Predict(%+v, members of %v) = %+v, want an end", s, members, got)
		}
		if got.Lowest < l.Floor || got.Highest > l.Ceiling {
			t.Errorf("Predict(%+v, members of %v) = %+v, want it within %+v", s, members, got, l)
		}
	})
}

// TestRecord_weights: the largest record of a group whose ends cannot share
// intents fits a parameter, half of them with their answers lost.
func TestRecord_weights(t *testing.T) {
	t.Parallel()
	for weights, ends := range map[int]int{1: 100, 2: 100, 4: 100, 8: 100, 9: 20, 40: 20} {
		rec := largest(t)
		rec.Intents = nil
		for i := range ends {
			step := rollout.Step{Kind: rollout.End, Member: fmt.Sprintf("i-%017x", 1<<60+i), Decrement: true, Weight: 960 + i%weights}
			rec = rollout.Intend(rec, []rollout.Step{step})
			if i%2 == 0 {
				rec, _, _ = rollout.Settle(rec, rollout.Memory{}, step, rollout.Result{Failure: &rollout.Failure{Kind: rollout.Lost}}, began)
			}
		}
		for range 3 { // one for each zone
			rec.Intents = append(rec.Intents, rollout.Intent{Kind: rollout.Launch, Count: 99_900, Token: fmt.Sprintf("refit-%d-1000-1000", began.Unix()), Lost: true})
		}
		rec = rec.Fit(room)
		text, err := json.Marshal(rec)
		if err != nil || len(text) > room {
			t.Errorf("with %d weights the record has %d bytes (%v), want at most %d: %s", weights, len(text), err, room, text)
		}
	}
}

// TestDecide_manyWeights: a group of more weights than a record has room for ends
// fewer members at a time.
func TestDecide_manyWeights(t *testing.T) {
	t.Parallel()
	for weights, want := range map[int]int{8: 60, 12: 20} {
		var types, members []int
		for w := range weights {
			types = append(types, 1<<w)
		}
		for i := range 60 {
			members = append(members, types[i%len(types)])
		}
		s := weighted(types, members...)
		rec := rolling(&s)
		base := s.Group.Desired
		for i, w := range members { // all of them have a healthy successor
			m := healthy(100+i, target)
			m.Weight, m.Zone = w, s.Members[i].Zone
			s.Members = append(s.Members, m)
		}
		rec.Surge, s.Group.Desired, s.Group.Max = base, 2*base, 2*base
		mem := decide(spec(100, 200), s, rec, rollout.Memory{}).Memory
		if got := strings.Count(kinds(decide(spec(100, 200), later(s, 31*time.Second), rec, mem)), "end"); got != want {
			t.Errorf("with %d weights %d members are ended at once, want %d", weights, got, want)
		}
	}
}
