package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestDecide_defaultBack: a rollback that begins after the default was moved
// puts it back: to the copy where the group follows it, else to the number found;
// but not where somebody else has moved it on.
func TestDecide_defaultBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pointer      string
		found, moved, seen int64 // default version: at the start, by the roll, now
		want, wantLeft     string
	}{
		{name: "number", pointer: "1", found: 1, moved: 2, seen: 2, want: "set-default 1"},
		{name: "number, an older one", pointer: "1", found: 7, moved: 2, seen: 2, want: "set-default 7"},
		{name: "number, not moved", pointer: "1", found: 1, seen: 1},
		{name: "number, somebody moved it there", pointer: "1", found: 1, seen: 2},
		{name: "number, somebody moved it on", pointer: "1", found: 1, moved: 2, seen: 5},
		{name: "$Default", pointer: "$Default", found: 1, moved: 2, seen: 2, want: "set-default 3, point $Default"},
		{
			name: "$Default, somebody moved it on", pointer: "$Default", found: 1, moved: 2, seen: 5,
			wantLeft: "the group pointed at $Default, which is not version 3; it stays on the number",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(4)
			s.Group.Default = c.found
			sp := spec(100, 150)
			sp.SetDefault = true
			rec := rollout.Begin(rollout.Opening{Spec: sp, Snapshot: s, Target: target, Epoch: 1})
			rec.Pointer, rec.Proven, rec.Held, rec.Direction = c.pointer, true, true, rollout.Back
			rec.Copy, rec.Pointed, rec.Defaulted = 3, "3", c.moved
			s.Group.Pointer, s.Group.Points, s.Group.Default, s.Group.Latest = "3", old, c.seen, 3
			s.Group.Suspended = map[string]string{"AZRebalance": "theirs", "InstanceRefresh": "theirs"}
			mem := rollout.Memory{Graduated: map[string]bool{}, FirstSeen: map[string]time.Time{}, HealthySince: map[string]time.Time{}, Progress: began}
			for _, m := range s.Members {
				mem.Graduated[m.ID], mem.FirstSeen[m.ID], mem.HealthySince[m.ID] = true, began, began
			}
			got := decide(sp, later(s, 2*time.Minute), rec, mem)
			if kinds(got) != c.want {
				t.Fatalf("steps = %q, want %q; notes %s", kinds(got), c.want, notes(got))
			}
			if (got.Ending != nil) != (c.want == "") || notes(got) != c.wantLeft {
				t.Errorf("ending %+v, notes %q, want notes %q", got.Ending, notes(got), c.wantLeft)
			}
		})
	}
}

// TestDecide_nothingLeftOnDefault: every member runs the target already when a roll
// by an instance refresh begins, and the group follows a default version or a
// newest one that is another. It is put on the target first, and then the text that
// was found back where it means the target.
func TestDecide_nothingLeftOnDefault(t *testing.T) {
	t.Parallel()
	newer := rollout.Version{TemplateID: "lt-1", Number: 3, Data: "d3", Image: "ami-3"}
	for _, c := range []struct {
		pointer string
		points  rollout.Version
		want    string
	}{
		{"$Default", old, "point 2; set-default 2, point $Default"},
		{"$Default", target, ""},
		{"$Latest", newer, "point 2"},
	} {
		s := group(2)
		s.Members = []rollout.Member{healthy(0, target), healthy(1, target)}
		s.Group.Pointer, s.Group.Points = c.pointer, c.points
		s.Group.DefaultIs, s.Group.LatestIs, s.Group.Latest = c.points, newer, 3
		s.Group.Default = c.points.Number
		s.RefreshesSeen = true
		rec := rollout.Begin(rollout.Opening{Spec: byRefresh(), Snapshot: s, Target: target, Epoch: 1})
		var mem rollout.Memory
		var steps []string
		ended := false
		for range 40 {
			d := decide(byRefresh(), s, rec, mem)
			if rec, mem = d.Record, d.Memory; len(d.Steps) > 0 {
				steps = append(steps, kinds(d))
			}
			for _, step := range d.Steps {
				rec, mem, _ = rollout.Settle(rollout.Intend(rec, d.Steps), mem, step, rollout.Result{}, s.At)
				if step.Kind == rollout.Point {
					s.Group.Pointer, s.Group.Points = step.Version, target
				} else {
					s.Group.Default, s.Group.DefaultIs = 2, target
				}
			}
			if ended = d.Ending != nil && d.Ending.Outcome == rollout.Succeeded; ended {
				break
			}
			s = later(s, 10*time.Second)
		}
		if got := strings.Join(steps, "; "); got != c.want || !ended {
			t.Errorf("at %s, which is version %d: steps %q, ended %t, want %q", c.pointer, c.points.Number, got, ended, c.want)
		}
	}
}
