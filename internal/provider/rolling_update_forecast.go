package provider

import (
	"fmt"
	"strings"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// forecast runs the rules against the group as it was seen. With all, every
// member is to be replaced; else those that were stale.
func (s *groupSeen) forecast(spec rollout.Spec, all bool) (rollout.Assessment, rollout.Forecast) {
	target := rollout.Version{TemplateID: "lt", Number: 2, Data: "new", Image: "new"}
	other := rollout.Version{TemplateID: "lt", Number: 1, Data: "old", Image: "old"}
	snap := rollout.Snapshot{
		At: time.Unix(0, 0).UTC(), TargetsSeen: true, ActivitiesSeen: true, AttributesSeen: true, SlowStart: seconds(s.Slow), Drain: seconds(s.Drain),
		Group: rollout.Group{
			Name: "group", Max: s.Max, Desired: s.Desired, Pointer: "1", Points: other, Default: 1, Latest: 2,
			Suspended: map[string]string{}, Warmup: seconds(s.Warmup),
		},
		Typical: rollout.Typical{
			Launch: seconds(s.Times[0]), Healthy: seconds(s.Times[1]), Terminate: seconds(s.Times[2]),
		},
	}
	if s.Targets {
		snap.Group.TargetGroups = []string{"targets"}
	}
	scale := s.weigh(&snap.Group)
	protected := s.Protected
	surplus := scale.capacity() - s.Desired // launched by an unfinished roll, and no part of what others want
	for _, z := range s.Zones {
		snap.Group.Zones = append(snap.Group.Zones, z.Zone)
		for n := range z.Stale + z.New {
			fresh := n >= z.Stale
			w := scale.next(fresh)
			if units := max(w, 1); fresh && surplus >= units {
				surplus -= units
				continue
			}
			m := rollout.Member{
				ID: fmt.Sprintf("%s-%04d", z.Zone, n), Zone: z.Zone, State: rollout.InService, StateText: "InService", Healthy: true, Version: other,
				Protected: protects(&protected, fresh), Weight: w,
			}
			if !all && fresh {
				m.Version = target
			}
			for _, g := range snap.Group.TargetGroups {
				m.Targets = append(m.Targets, rollout.Target{Group: g, State: "healthy"})
			}
			snap.Members = append(snap.Members, m)
		}
	}
	for n := range s.Standby[1] {
		m := rollout.Member{ID: fmt.Sprintf("standby-%04d", n), State: rollout.Standby, StateText: "Standby", Version: other}
		if !all && n >= s.Standby[0] {
			m.Version = target
		}
		snap.Members = append(snap.Members, m)
	}
	a := rollout.Assess(spec, snap, target)
	if len(a.Problems) > 0 || a.Stale == 0 {
		return a, rollout.Forecast{}
	}
	return a, rollout.Predict(spec, snap, target)
}

// scale hands out units of capacity to made-up members, stale and new ones: 11
// units of four members are 3, 3, 3 and 2.
type scale struct{ units, members [2]int }

// weigh gives a made-up group the weights that were seen, and its members their
// scale.
func (s *groupSeen) weigh(g *rollout.Group) *scale {
	g.Weighed, g.Spot = s.Weighed, s.Spot
	for i, w := range s.Weights {
		if g.Weights == nil {
			g.Weights = map[string]int{}
		}
		g.Weights[fmt.Sprintf("type-%d", i)] = w
	}
	out := &scale{units: s.Units}
	for _, z := range s.Zones {
		out.members[0] += z.Stale
		out.members[1] += z.New
	}
	return out
}

// capacity is that of all members left.
func (s *scale) capacity() int {
	if units := s.units[0] + s.units[1]; units > 0 {
		return units
	}
	return s.members[0] + s.members[1]
}

// next is what one more member weighs; 0: there are no weights.
func (s *scale) next(fresh bool) int {
	i := 0
	if fresh {
		i = 1
	}
	w := (s.units[i] + s.members[i] - 1) / s.members[i]
	s.units[i] -= w
	s.members[i]--
	return w
}

// protects says whether one more made-up member of a kind is protected from
// scale-in, and takes it off those that are left.
func protects(left *[2]int, current bool) bool {
	i := 0
	if current {
		i = 1
	}
	if left[i] == 0 {
		return false
	}
	left[i]--
	return true
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// change is what a roll leads from and to, for people.
type change struct{ fromImage, toImage, fromVersion, toVersion string }

// outlook words a forecast for the plan of a first roll.
func outlook(c change, a rollout.Assessment, f rollout.Forecast) string {
	parts := []string{
		fmt.Sprintf("%d of %d members would be replaced.", a.Stale, a.Stale+a.Current),
		fmt.Sprintf("Image: %s → %s.", c.fromImage, c.toImage),
		fmt.Sprintf("Version: %s → %s.", c.fromVersion, c.toVersion),
	}
	if f.Duration > 0 {
		parts = append(parts, "Forecast: "+expected(f))
	}
	return strings.Join(parts, "\n")
}

// expected words a forecast in one line.
func expected(f rollout.Forecast) string {
	batches := "batches"
	if f.Batches == 1 {
		batches = "batch"
	}
	return fmt.Sprintf("%d %s, at least %d healthy, at most %d launched, about %s (durations: %s).",
		f.Batches, batches, f.Lowest, f.Highest, rollout.Brief(f.Duration), f.Basis)
}
