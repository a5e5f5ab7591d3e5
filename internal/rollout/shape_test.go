package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestSpec_Current: what makes a member current, whose type may have a launch
// template or an image of its own, and who may have no template at all.
func TestSpec_Current(t *testing.T) {
	t.Parallel()
	other := rollout.Version{TemplateID: "lt-2", Number: 7, Data: "d7", Image: "ami-7"}
	g := rollout.Group{Overrides: []rollout.Override{
		{Type: "own-template", Version: other},
		{Type: "own-image", Image: "ami-9"},
	}}
	version := func(change func(*rollout.Version)) rollout.Version {
		v := target
		change(&v)
		return v
	}
	for _, c := range []struct {
		name        string
		kind        string
		version     rollout.Version
		data, image bool // current by data, and by image
	}{
		{"the target", "plain", target, true, true},
		{"a copy of the target", "plain", version(func(v *rollout.Version) { v.Number = 9 }), true, true},
		{"equal data in another template", "plain", version(func(v *rollout.Version) { v.TemplateID = "lt-3" }), true, true},
		{"other data, same image", "plain", version(func(v *rollout.Version) { v.Data = "d3" }), false, true},
		{"same data, other image", "plain", version(func(v *rollout.Version) { v.Image = "ami-3" }), false, false},
		{"no template, the target's image", "plain", rollout.Version{Image: target.Image}, true, true},
		{"no template, another image", "plain", rollout.Version{Image: "ami-3"}, false, false},
		{"no template, no image known", "plain", rollout.Version{}, false, false},
		{"its own template", "own-template", other, true, true},
		{"the group's instead of its own", "own-template", target, false, false},
		{"the target with its own image", "own-image", version(func(v *rollout.Version) { v.Image = "ami-9" }), true, true},
		{"the target without its own image", "own-image", target, false, false},
		{"an old version with its own image", "own-image", version(func(v *rollout.Version) { v.Data, v.Image = "d1", "ami-9" }), false, true},
	} {
		m := rollout.Member{Type: c.kind, Version: c.version}
		for _, match := range []struct {
			by   rollout.Match
			want bool
		}{{rollout.MatchData, c.data}, {rollout.MatchImage, c.image}} {
			s := rollout.Defaults()
			s.Match = match.by
			if got := s.Current(g, m, target); got != match.want {
				t.Errorf("%s, by %s: current = %t, want %t", c.name, match.by, got, match.want)
			}
		}
	}
}

// TestBegin_previousOfMixed: a rollback goes to what members of the group's own
// template run, not to what one instance type has of its own.
func TestBegin_previousOfMixed(t *testing.T) {
	t.Parallel()
	s := group(5)
	s.Group.Policy, s.Group.Mixes = true, true
	s.Group.Overrides = []rollout.Override{{Type: "special", Version: rollout.Version{TemplateID: "lt-2", Number: 8, Data: "d8", Image: "ami-8"}}}
	for i := range 3 {
		s.Members[i].Type, s.Members[i].Version = "special", rollout.Version{TemplateID: "lt-2", Number: 7, Data: "d7", Image: "ami-7"}
	}
	rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Epoch: 1})
	if rec.Previous != old || rec.NoReturn != "" || !rec.Fallback || rec.Stale0 != 5 {
		t.Errorf("record = %+v, want version 1 as the way back, and desired raised for launches", rec)
	}
}

// TestDecide_parameterMoved: a member launched in the roll from the target has
// another image than the target, because its parameter means another one since.
func TestDecide_parameterMoved(t *testing.T) {
	t.Parallel()
	s := group(4)
	aliased := target
	aliased.Alias = "resolve:ssm:/golden"
	rec := rolling(&s)
	rec.Target = aliased
	s.Group.Points = aliased
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	moved := aliased
	moved.Image, moved.Data = "ami-3", "d3"
	s.Members = append(s.Members, healthy(9, moved))
	s.Group.Desired, d.Record.Surge = 5, 1
	d.Memory.Ours = map[string]bool{healthy(9, moved).ID: true}
	got := decide(spec(100, 150), later(s, time.Minute), d.Record, d.Memory)
	if got.Ending == nil || got.Ending.Outcome != rollout.Superseded || !strings.Contains(got.Ending.Reason, "resolve:ssm:/golden of the launch template means ami-3 since, and no longer ami-2") {
		t.Errorf("ending = %+v, want it superseded by the parameter", got.Ending)
	}
}
