package roller_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

var chaosSeeds = flag.Int("chaos", 24, "how many worlds TestChaos stages")

// TestChaos rolls groups of random shapes in worlds where calls fail in every
// way, observations are old, and owners are interrupted or die. However it
// goes, the limits hold at every tick, and the last owner, who is left in
// peace, brings the group to the target.
func TestChaos(t *testing.T) {
	t.Parallel()
	for seed := range *chaosSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			shape := rolltest.Shape{
				Members: 1 + r.IntN(9), Pointer: pick(r, "1", "1", "$Default", "2"), S3: r.IntN(3) == 0,
			}
			// Rebalancing by AWS after an owner died would break limits without
			// Refit's doing.
			shape.Group = `launched_from = 1
				suspended = ["AZRebalance"]`
			s := rolltest.New(t, shape)
			p := pick(r, [2]int{100, 110}, [2]int{100, 150}, [2]int{100, 200}, [2]int{90, 100}, [2]int{50, 100}, [2]int{75, 125})
			q := rolltest.Request(p[0], p[1])
			q.LockTimeout = 10 * time.Minute
			if r.IntN(3) == 0 {
				q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 1 + r.IntN(60), Bake: time.Duration(r.IntN(3)) * time.Minute}}
			}
			t.Logf("%+v at %v, checkpoints %v", shape, p, q.Spec.Checkpoints)
			s.Referee(q)
			if r.IntN(2) == 0 {
				stale := time.Duration(1+r.IntN(25)) * time.Second
				for _, service := range []string{"autoscaling", "elasticloadbalancing"} {
					if err := s.World.SetStaleness(service, stale); err != nil {
						t.Fatal(err)
					}
				}
			}
			trouble(t, s, r)
			for owner := range 1 + r.IntN(3) {
				if r.IntN(2) == 0 {
					s.Crash(t.Context(), q, r.IntN(80), r.IntN(2) == 0)
				} else {
					ctx, cancel := context.WithCancel(t.Context())
					s.World.At(time.Duration(r.IntN(400))*time.Second, cancel)
					_, _ = s.Roll(ctx, q) // how it ends matters to the last owner only
				}
				if g := s.Group(); rolltest.On(g, 2) == g.Launched() && len(g.Suspended) == 1 {
					// It was over. A look older than that would begin another roll.
					if err := s.World.Clock().Sleep(t.Context(), time.Minute); err != nil {
						t.Fatal(err)
					}
				}
				s.Roller = s.NewRoller(fmt.Sprint("next ", owner), 2+owner)
			}
			s.World.ClearFaults()
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			s.Settled(2)
		})
	}
}

// trouble lets calls fail from now on, some at once and some later.
func trouble(t *testing.T, s *rolltest.Stage, r *rand.Rand) {
	t.Helper()
	calls := []string{
		"LaunchInstances", "TerminateInstanceInAutoScalingGroup", "UpdateAutoScalingGroup", "SuspendProcesses", "ResumeProcesses",
		"DescribeAutoScalingGroups", "DescribeScalingActivities",
	}
	for range r.IntN(5) {
		inject(t, s, awssim.Fault{
			Calls: "autoscaling:" + calls[r.IntN(len(calls))],
			Kind:  pick(r, awssim.LoseAnswer, awssim.Drop, awssim.ServerError, awssim.Throttle), Skip: r.IntN(6), Times: 1 + r.IntN(4),
		})
	}
	if r.IntN(4) == 0 {
		zones := s.Group().Zones
		s.World.FailLaunches(awssim.LaunchFault{Zone: zones[r.IntN(len(zones))], Code: "InsufficientInstanceCapacity", For: 10 * time.Minute})
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
