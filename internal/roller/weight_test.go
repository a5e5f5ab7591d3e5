package roller_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// weighing is a mixed instances policy with weights, in its order of preference.
func weighing(weights ...int) string {
	types := []string{"c6i.large", "c5.large", "m6i.xlarge"}
	text := ""
	for i, w := range weights {
		text += fmt.Sprintf("override {\n  instance_type     = %q\n  weighted_capacity = %d\n}\n", types[i], w)
	}
	return text
}

const partlySpot = `
distribution {
  on_demand_base_capacity                  = 2
  on_demand_percentage_above_base_capacity = 50
}
`

const allSpot = `
distribution {
  on_demand_base_capacity                  = 0
  on_demand_percentage_above_base_capacity = 0
}
`

// prefer turns the order of the policy's types round, so that members to come
// are of another weight than those that are there.
func prefer(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	client := s.AutoScaling()
	out, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	p := out.AutoScalingGroups[0].MixedInstancesPolicy
	var turned []astypes.LaunchTemplateOverrides
	for _, o := range p.LaunchTemplate.Overrides {
		turned = append([]astypes.LaunchTemplateOverrides{o}, turned...)
	}
	spec := p.LaunchTemplate.LaunchTemplateSpecification
	p.LaunchTemplate.LaunchTemplateSpecification = &astypes.LaunchTemplateSpecification{LaunchTemplateId: spec.LaunchTemplateId, Version: spec.Version}
	p.LaunchTemplate.Overrides = turned
	if _, err := client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), MixedInstancesPolicy: p,
	}); err != nil {
		t.Fatal(err)
	}
}

// resize is a person who wants another capacity before the roll.
func resize(t *testing.T, s *rolltest.Stage, n int) {
	t.Helper()
	if err := s.World.Act(awssim.Action{Do: "set_desired", Group: "web", Value: n}); err != nil {
		t.Fatal(err)
	}
	s.World.Advance(5 * time.Minute)
}

// TestWeights_refused: where AWS may end light members by itself and the percentages
// leave no room for it, a roll is refused by name, with the cures: more room, which
// is tried here, or the other engine, which rolls the group as it is.
func TestWeights_refused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, group string
		high        int
		want        string
	}{
		{"no multiple", weighing(2, 5), 150, "5 is no multiple of the weight 2"},
		{"spot", weighing(4, 2) + partlySpot, 150, "its mixed instances policy asks for Spot Instances of different weights"},
		{"ends first", weighing(4, 2), 100, "old members of different weights are ended first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 8, Max: 20, Group: c.group + "health_check = \"ELB\"\n"})
			q := rolltest.Request(75, c.high)
			_, err := s.Roller.Roll(t.Context(), q)
			if err == nil || !strings.Contains(err.Error(), "min_healthy_percentage is 75, which keeps 6 of 8 units") || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "instance_refresh") {
				t.Fatalf("roll = %v, want a refusal with %q that names the cures", err, c.want)
			}
			large := rolltest.New(t, rolltest.Shape{Members: 40, Max: 80, Group: c.group})
			roomy := rolltest.Request(75, c.high)
			large.Referee(roomy)
			if _, err := large.Roll(t.Context(), roomy); err != nil {
				t.Fatalf("with room: %v\n%s", err, large.Story())
			}
			if strings.Contains(large.Story(), "desired capacity stays 1 above 40,") {
				large.Outside(41) // 5 and 2 do not make 40 again
			}
			large.Settled(2)
			s.Referee(q)
			s.Lenient()
			q.Spec.Engine = rollout.EngineRefresh
			report, err := s.Roller.Roll(t.Context(), q)
			if err != nil || report.Outcome != rollout.Succeeded {
				t.Fatalf("by an instance refresh: %s, %v\n%s", report.Outcome, err, s.Story())
			}
			if g := s.Group(); rolltest.CapacityOn(g, 2) != g.LaunchedCapacity() || g.LaunchedCapacity() < 8 {
				t.Errorf("%d of %d units run version 2 at the end, want all of at least 8\n%s", rolltest.CapacityOn(g, 2), g.LaunchedCapacity(), s.Story())
			}
		})
	}
}

// TestWeights_interrupted stops a roll of members of several weights at every
// moment; the next one goes on, and the limits hold all the time.
func TestWeights_interrupted(t *testing.T) {
	t.Parallel()
	for _, group := range []string{weighing(4, 4), weighing(1, 4), weighing(4, 2, 1)} {
		for at := 5 * time.Second; at < 6*time.Minute; at += 45 * time.Second {
			s := rolltest.New(t, rolltest.Shape{Members: 12, Max: 24, Group: group})
			q := rolltest.Request(100, 150)
			s.Referee(q)
			ctx, cancel := context.WithCancel(t.Context())
			s.World.At(at, cancel)
			if _, err := s.Roll(ctx, q); err != nil {
				_ = ended(t, s, err, rollout.Paused)
				if g := s.Group(); len(g.Suspended) > 0 || g.Desired != 12 && g.HealthyCapacity() > 12 {
					t.Fatalf("after %s the safe point left %+v\n%s", at, g, s.Story())
				}
				s.Roller = s.NewRoller("second", 2)
				if _, err := s.Roll(t.Context(), q); err != nil {
					t.Fatalf("resume after %s: %v\n%s", at, err, s.Story())
				}
			}
			s.Settled(2)
			cancel()
		}
	}
}

// TestWeights_killed lets the owner die at every call of such a roll.
func TestWeights_killed(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			s := rolltest.New(t, rolltest.Shape{Members: 8, Max: 16, Group: weighing(4, 2)})
			q := rolltest.Request(100, 150)
			q.LockTimeout = 10 * time.Minute
			s.Referee(q)
			if !s.Crash(t.Context(), q, n, after) {
				t.Logf("%d points of crash", n)
				s.Settled(2)
				break
			}
			s.Roller = s.NewRoller("second", 2)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("crash at %d, resume: %v\n%s", n, err, s.Story())
			}
			s.Settled(2)
			if t.Failed() {
				t.Fatalf("crash at %d (after: %t)", n, after)
			}
		}
	}
}

// TestWeights_full: the max size of a full group is raised by whole members where
// told to, and put back.
func TestWeights_full(t *testing.T) {
	t.Parallel()
	for _, group := range []string{weighing(4), weighing(4) + partlySpot, weighing(4, 1)} {
		for _, high := range []int{110, 150} {
			s := rolltest.New(t, rolltest.Shape{Members: 12, Max: 12, Group: group})
			q := rolltest.Request(100, high)
			if _, err := s.Roller.Roll(t.Context(), q); err == nil || !strings.Contains(err.Error(), "raise max_size of the group to at least 16, or set raise_max_size = true") {
				t.Fatalf("roll = %v, want a refusal with the cure", err)
			}
			q.Spec.RaiseMaxSize = true
			s.Referee(q)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("at %d: %v\n%s", high, err, s.Story())
			}
			s.Settled(2)
		}
	}
}

// TestWeights_large rolls a group of a hundred units: as many members as it
// wants at the end, and no launch is for more than AWS takes.
func TestWeights_large(t *testing.T) {
	t.Parallel()
	for name, group := range map[string]string{"of the same": weighing(8, 8), "different": weighing(1, 2, 8)} {
		s := rolltest.New(t, rolltest.Shape{Members: 120, Max: 240, Group: group})
		q := rolltest.Request(100, 150)
		s.Referee(q)
		report, err := s.Roll(t.Context(), q)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, s.Story())
		}
		s.Settled(2)
		t.Logf("%s: launched %d, ended %d in %s", name, report.Launched, report.Ended, s.Elapsed())
	}
}

// TestChaos_weights is the same with weights: every type of the same, with Spot
// Instances too, or of different ones, with members of several.
func TestChaos_weights(t *testing.T) {
	t.Parallel()
	chaotic(t, 19, func(t *testing.T, r *rand.Rand) {
		weights := pick(r, []int{2, 2}, []int{4, 4}, []int{3}, []int{4, 1}, []int{1, 4}, []int{4, 2, 1}, []int{2, 4})
		shape := odd{group: "\n" + weighing(weights...), room: 12}
		uneven := len(weights) > 1 && weights[0] != weights[1]
		if !uneven && r.IntN(2) == 0 {
			shape.group += partlySpot
		}
		broken := r.IntN(4) == 0
		if broken {
			shape.image = "never_healthy = true"
		}
		world := weighed{shape: shape, broken: broken, first: weights[0], turned: uneven && r.IntN(2) == 0}
		world.roll(t, r, func(q *roller.Request) {
			if uneven && q.Spec.MaxHealthy <= 100 {
				q.Spec.MaxHealthy = 150
			}
		})
	})
}

// TestChaos_looseWeights is the same where nobody can size what AWS launches, so that
// it ends light members by itself: different weights with Spot Instances, with one
// that does not divide the largest, and ending first.
func TestChaos_looseWeights(t *testing.T) {
	t.Parallel()
	chaotic(t, 20, func(t *testing.T, r *rand.Rand) {
		weights := pick(r, []int{4, 1}, []int{1, 4}, []int{4, 2, 1}, []int{5, 2}, []int{2, 3}, []int{2, 4, 3})
		shape := odd{group: "\n" + weighing(weights...), room: 12, more: 24}
		percentages := pick(r, [2]int{60, 100}, [2]int{60, 110}, [2]int{60, 150})
		shape.group += pick(r, "", partlySpot, allSpot)
		broken := r.IntN(4) == 0
		if broken {
			shape.image = "never_healthy = true"
		}
		world := weighed{shape: shape, broken: broken, first: weights[0], turned: r.IntN(2) == 0}
		world.roll(t, r, func(q *roller.Request) {
			q.Spec.MinHealthy, q.Spec.MaxHealthy = percentages[0], percentages[1]
		})
	})
}

// TestChaos_weightsLost is the same while members are lost: EC2 takes a Spot Instance,
// new ones fail, fewer than failure_limit, or one is in standby.
func TestChaos_weightsLost(t *testing.T) {
	t.Parallel()
	chaotic(t, 22, func(t *testing.T, r *rand.Rand) {
		weights := pick(r, []int{2, 2}, []int{4, 1}, []int{1, 4}, []int{4, 2, 1}, []int{5, 2}, []int{2, 4, 3})
		percentages := pick(r, [2]int{60, 100}, [2]int{60, 110}, [2]int{60, 150})
		world := weighed{shape: odd{group: "\n" + weighing(weights...), room: 12, more: 32}, first: weights[0], turned: r.IntN(2) == 0}
		at := time.Duration(r.IntN(600)) * time.Second
		switch pick(r, "spot", "fail", "standby") {
		case "spot":
			world.shape.group += pick(r, partlySpot, allSpot, allSpot+"capacity_rebalance = true\n")
			world.lose = func(s *rolltest.Stage, _ *roller.Request) { interrupt(t, s, at) }
		case "fail":
			world.shape.group += pick(r, "", "", partlySpot)
			do, times := pick(r, "break", "kill"), 1+r.IntN(5)
			world.lose = func(s *rolltest.Stage, q *roller.Request) {
				q.Spec.FailureLimit = 100
				s.Excuse()
				strike(t, s, do, times)
			}
		default:
			world.shape.group += pick(r, "", "", partlySpot)
			world.aside = pick(r, rollout.Terminate, rollout.Ignore)
		}
		world.roll(t, r, func(q *roller.Request) {
			q.Spec.MinHealthy, q.Spec.MaxHealthy = percentages[0], percentages[1]
		})
	})
}

// TestWeights_taken: EC2 takes a Spot Instance while AWS ends what its last launch was
// too much, and what it launches in its place weighs more. Nobody can know of that
// before, so for a while more may be running.
func TestWeights_taken(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 41, Max: 94, Group: weighing(1, 4) + partlySpot})
	q := rolltest.Request(60, 100)
	s.Referee(q)
	interrupt(t, s, 5*time.Minute+5*time.Second)
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

// interrupt lets EC2 take a Spot Instance after a while.
func interrupt(t *testing.T, s *rolltest.Stage, after time.Duration) {
	t.Helper()
	s.World.At(after, func() {
		for _, m := range s.Group().Members {
			if m.Launched() && m.Market == "spot" {
				s.Taken(m.ID)
				if !do(t, s, awssim.Action{Do: "interrupt", Instance: m.ID}) {
					t.Errorf("interrupting %s was refused", m.ID)
				}
				return
			}
		}
	})
}

// weighed is a world of a group with weights.
type weighed struct {
	shape  odd
	broken bool // the new image never becomes healthy
	turned bool // others prefer other types before the roll
	first  int  // the weight of the type that was preferred before
	// lose lets members be lost; nil: none are.
	lose  func(s *rolltest.Stage, q *roller.Request)
	aside rollout.Treatment // what becomes of a member in standby; empty: there is none
}

// roll rolls the group with a request that set has finished, and checks its end.
func (w weighed) roll(t *testing.T, r *rand.Rand, set func(q *roller.Request)) {
	t.Helper()
	s, q, _ := chaosWith(t, r, w.shape, func(s *rolltest.Stage, q *roller.Request) {
		set(q)
		if w.turned && (!w.broken || s.Group().Version != "2") {
			s.Lenient()
			defer s.Strict()
			prefer(t, s)
			resize(t, s, min(s.Group().Desired+w.first, s.Group().Max))
		}
		if w.aside != "" {
			q.Spec.Standby = w.aside
			s.Lenient()
			standby(t, s, true, s.Group().Members[0].ID)
			s.World.Advance(2 * time.Minute)
			s.Strict()
		}
		s.Referee(*q)
		s.Outside(s.Group().Desired)
		if w.lose != nil {
			w.lose(s, q)
		}
	})
	_, err := s.Roll(t.Context(), q)
	if (err == nil) == w.broken {
		t.Fatalf("roll, broken %t: %v\n%s", w.broken, err, s.Story())
	}
	s.World.Advance(3 * time.Minute)
	if g := s.Group(); strings.Contains(s.Story(), "no scaling activity explains it") && g.Desired > s.Wanted() ||
		strings.Contains(s.Story(), fmt.Sprintf("desired capacity stays %d above %d,", g.Desired-s.Wanted(), s.Wanted())) {
		s.Outside(g.Desired) // what cannot be told from others' wish, or weighs less than a member, stays and is reported
	}
	if w.broken {
		g := s.Group()
		if n := rolltest.CapacityOn(g, 2); n > 0 || g.HealthyCapacity() < g.Desired || g.Desired != s.Wanted() {
			t.Errorf("%d run the broken image at the end, %d are healthy, desired %d, want %d\n%s", n, g.HealthyCapacity(), g.Desired, s.Wanted(), s.Story())
		}
		return
	}
	s.Settled(2)
}
