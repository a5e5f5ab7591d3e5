package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

var (
	began  = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	old    = rollout.Version{TemplateID: "lt-1", Number: 1, Data: "d1", Image: "ami-1"}
	target = rollout.Version{TemplateID: "lt-1", Number: 2, Data: "d2", Image: "ami-2"}
)

// healthy is a member in service and healthy in the target group.
func healthy(i int, v rollout.Version) rollout.Member {
	return rollout.Member{
		ID: fmt.Sprintf("i-%017d", i), Zone: string(rune('a' + i%3)), State: rollout.InService, StateText: "InService", Healthy: true,
		Version: v, Targets: []rollout.Target{{Group: "tg", State: "healthy"}},
	}
}

// group is an observation of n healthy members of the old version, complete.
func group(n int) rollout.Snapshot {
	s := rollout.Snapshot{
		At: began, TargetsSeen: true, ActivitiesSeen: true,
		Typical: rollout.Typical{Launch: 45 * time.Second, Healthy: 30 * time.Second, Terminate: 70 * time.Second},
		Group: rollout.Group{
			Name: "web", Max: max(2*n, 1), Desired: n, Zones: []string{"a", "b", "c"}, Pointer: "1", Points: old,
			Default: 1, Latest: 2, TargetGroups: []string{"tg"}, Suspended: map[string]string{},
		},
	}
	for i := range n {
		s.Members = append(s.Members, healthy(i, old))
	}
	return s
}

// spec is the default one with the two percentages.
func spec(low, high int) rollout.Spec {
	s := rollout.Defaults()
	s.MinHealthy, s.MaxHealthy = low, high
	return s
}

// rolling is a roll of the group in its middle: proven, held, pointer moved.
func rolling(s *rollout.Snapshot) rollout.Record {
	rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: *s, Target: target, Epoch: 1})
	rec.Proven, rec.Held, rec.Pointed = true, true, "2"
	s.Group.Pointer, s.Group.Points = "2", target
	rec.Suspended = map[string]string{"AZRebalance": "r", "InstanceRefresh": "r"}
	s.Group.Suspended = map[string]string{"AZRebalance": "r", "InstanceRefresh": "r"}
	return rec
}

// later moves an observation, and forgets what only some looks hold.
func later(s rollout.Snapshot, d time.Duration) rollout.Snapshot {
	s.At = s.At.Add(d)
	return s
}

// kinds are the steps of a decision in short.
func kinds(d rollout.Decision) string {
	var out []string
	for _, s := range d.Steps {
		text := string(s.Kind)
		switch {
		case s.Kind == rollout.End && s.Decrement:
			text = "end-"
		case s.Kind == rollout.Launch:
			text = fmt.Sprintf("launch %d", s.Count)
		case s.Kind == rollout.Point || s.Kind == rollout.SetDefault:
			text += " " + s.Version
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func notes(d rollout.Decision) string {
	var out []string
	for _, n := range d.Notes {
		out = append(out, n.Text)
	}
	return strings.Join(out, "; ")
}

func texts(problems []rollout.Problem) string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Field+" "+p.Text)
	}
	return strings.Join(slices.Sorted(slices.Values(out)), "; ")
}
