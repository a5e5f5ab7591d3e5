package roller_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// worlds are few by default; `make sim` asks for 2,000.
var worlds = flag.Int("chaos", 96, "how many random worlds the tests of the TestChaos family stage in all")

// stream picks other worlds than those of every run; CI takes one from the
// commit, so that each commit meets some that nobody has seen.
var stream = flag.Int("stream", 0, "which random worlds to stage: each number means others")

// wire lets the worlds' calls go over the wire, which takes several times as
// long and should make no difference; TestChaos_wire sees to that.
var wire = flag.Bool("wire", false, "let the calls of random worlds be signed, encoded and decoded")

// kinds is how many tests share the worlds.
const kinds = 22

// chaotic plays one kind's share of the worlds, each from a seed of its own. A
// failure says how to play its world again.
func chaotic(t *testing.T, kind int, play func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	name := t.Name()
	for seed := range (*worlds + kinds - kind) / kinds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("to play this world again:\n  go test ./internal/roller -count 1 -v -run '^%s$/^%d$' -chaos %d -stream %d", name, seed, kinds*(seed+1), *stream)
				}
			})
			play(t, seeded(seed, kind+*stream<<8))
		})
	}
}

// TestChaos rolls groups of random shapes in worlds where calls fail in every
// way, observations are old, and owners are interrupted or die. However it
// goes, the limits hold at every tick, and the last owner, who is left in
// peace, brings the group to the target.
func TestChaos(t *testing.T) {
	t.Parallel()
	chaotic(t, 1, func(t *testing.T, r *rand.Rand) {
		s, q, _ := chaos(t, r, "")
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.Settled(2)
	})
}

// TestChaos_wire plays some worlds both with and without the wire: their
// stories are the same.
func TestChaos_wire(t *testing.T) {
	t.Parallel()
	for seed := range 8 {
		var stories [2]string
		for i, direct := range []bool{false, true} {
			r := seeded(seed, 99)
			s := rolltest.New(t, rolltest.Shape{Members: 1 + r.IntN(9), Pointer: pick(r, "1", "$Default", "2"), Group: "launched_from = 1"})
			if direct {
				s.Direct()
			}
			s.Referee(rolltest.Request(75, 125))
			trouble(t, s, r)
			_, err := s.Roll(t.Context(), rolltest.Request(75, 125))
			stories[i] = fmt.Sprint(s.Story(), err)
		}
		if stories[0] != stories[1] {
			t.Errorf("seed %d, over the wire:\n%s\n\nwithout:\n%s", seed, stories[0], stories[1])
		}
	}
}

// TestChaos_brokenImage is the same with an image that never becomes healthy:
// the group is back where it was in the end, whether its template has room for a
// copy or not.
func TestChaos_brokenImage(t *testing.T) {
	t.Parallel()
	chaotic(t, 2, func(t *testing.T, r *rand.Rand) {
		full := func(s *rolltest.Stage, _ *roller.Request) {
			if len(s.Group().Members)%4 == 0 { // no draw: the worlds stay as they were
				if err := s.World.SetTemplateVersionLimit(2); err != nil { // there will be no copy
					t.Error(err)
				}
			}
		}
		s, q, members := chaosWith(t, r, odd{image: "never_healthy = true"}, full)
		if _, err := s.Roll(t.Context(), q); err == nil {
			t.Fatalf("a broken image succeeded\n%s", s.Story())
		}
		if n := rolltest.On(s.Group(), 2); n > 0 {
			t.Errorf("%d members run the broken image at the end", n)
		}
		g := s.Group()
		if g.Points == 2 {
			t.Errorf("the group points at %s, the broken image, at the end", g.Version)
		}
		if g.Healthy() != members || g.Launched() != members || g.Desired != members {
			t.Errorf("%d of %d launched members are healthy, desired %d, want %d", g.Healthy(), g.Launched(), g.Desired, members)
		}
		if _, left := g.Suspended["InstanceRefresh"]; left || len(g.Suspended) != 1 {
			t.Errorf("suspended at the end: %v", g.Suspended)
		}
		if t.Failed() {
			t.Log(s.Story())
		}
	})
}

// TestChaos_others is the same while a policy scales out or in, once. What
// others want is never undone, and what cannot be told is reported.
func TestChaos_others(t *testing.T) {
	t.Parallel()
	chaotic(t, 3, func(t *testing.T, r *rand.Rand) {
		by, at := pick(r, 3, 2, 1, -1), time.Duration(r.IntN(600))*time.Second
		acted, members, over := 0, 0, false
		s, q, _ := chaosWith(t, r, odd{}, func(s *rolltest.Stage, _ *roller.Request) {
			members = s.Group().Desired
			s.Lenient()
			s.Excuse()
			if by < 0 {
				s.Outside(s.Group().Desired + by) // the least floor that is right
			}
			s.World.At(at, func() {
				if g := s.Group(); over || g.Desired+by > g.Max || members+by >= g.Max || g.Desired+by < 1 {
					return
				}
				acted = by
				if by < 0 { // a scale-in meets our surge first, and takes the rest from them
					acted += min(max(s.Group().Desired-members, 0), -by)
				}
				if err := s.World.Act(awssim.Action{Do: "scale", Group: "web", Value: by}); err != nil {
					t.Error(err)
				}
			})
		})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		// What others changed as the roll came to its end, AWS still has to act on.
		over = true
		s.World.Advance(3 * time.Minute)
		g, want := s.Group(), members+acted
		if g.Desired < want || g.Desired > want && !reported(s) || rolltest.On(g, 2) != g.Desired {
			t.Errorf("%+d at %s: desired %d, %d on version 2, want %d\n%s", acted, at, g.Desired, rolltest.On(g, 2), want, s.Story())
		}
	})
}

// TestChaos_failures is the same while some new members die, fewer than
// failure_limit: others take their places.
func TestChaos_failures(t *testing.T) {
	t.Parallel()
	chaotic(t, 4, func(t *testing.T, r *rand.Rand) {
		s, q, _ := chaosWith(t, r, odd{}, func(s *rolltest.Stage, q *roller.Request) {
			q.Spec.FailureLimit = 100
			s.Excuse()
			strike(t, s, pick(r, "break", "kill"), 1+r.IntN(5))
		})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.Settled(2)
	})
}

// TestChaos_kept is the same with members protected from scale-in and in
// standby, some from the start and some from a moment of the roll on.
func TestChaos_kept(t *testing.T) {
	t.Parallel()
	chaotic(t, 5, func(t *testing.T, r *rand.Rand) {
		protected := pick(r, rollout.Refresh, rollout.Ignore, rollout.Ignore)
		aside := pick(r, rollout.Terminate, rollout.Ignore)
		later := time.Duration(r.IntN(600)) * time.Second
		share := r.IntN(4)
		s, q, _ := chaosWith(t, r, odd{}, func(s *rolltest.Stage, q *roller.Request) {
			q.Spec.Protected, q.Spec.Standby = protected, aside
			s.Referee(*q)
			var ids []string
			for i, m := range s.Group().Members {
				if i%4 <= share {
					ids = append(ids, m.ID)
				}
			}
			protect(t, s, true, ids[:(len(ids)+1)/2]...)
			if g := s.Group(); g.Desired > 1 {
				s.Outside(g.Desired - 1)
				standby(t, s, true, ids[len(ids)-1])
				s.World.Advance(2 * time.Minute)
			}
			s.World.At(later, func() {
				for _, m := range s.Group().Members {
					if m.Lifecycle == "InService" && m.Version == 1 {
						protect(t, s, true, m.ID) // while the roll may be about to end it
						return
					}
				}
			})
		})
		report, err := s.Roll(t.Context(), q)
		if err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		left := 0
		for _, m := range s.Group().Members {
			if m.Launched() && m.Version == 1 {
				left++
			}
			free := !m.Protected || protected == rollout.Refresh
			if m.Launched() && m.Version == 1 && free || m.Lifecycle == "Standby" && free && aside == rollout.Terminate {
				t.Errorf("%s is left, protected %t, %s, with %s and %s", m.ID, m.Protected, m.Lifecycle, protected, aside)
			}
		}
		if left > 0 && report.Started.IsZero() == (report.Outcome == rollout.Partial) {
			t.Errorf("%d are left, outcome %s", left, report.Outcome)
		}
		s.SettledBut(2, left)
	})
}

// TestChaos_shapes is the same with mixed instances policies and templates that ask
// for Spot Instances, which EC2 takes back now and then, and with lifecycle hooks.
func TestChaos_shapes(t *testing.T) {
	t.Parallel()
	chaotic(t, 6, func(t *testing.T, r *rand.Rand) {
		const rebalance = "capacity_rebalance = true\n"
		shape := pick(r, odd{group: twoTypes}, odd{group: halfSpot}, odd{group: halfSpot + rebalance}, odd{group: twoTypes + allSpot}, odd{group: twoTypes + allSpot + rebalance}, odd{spot: true})
		if r.IntN(3) == 0 {
			shape.group += "\nhook \"ready\" {\n  transition = \"launching\"\n  completes_after = \"40s\"\n}\n"
		}
		at := time.Duration(r.IntN(600)) * time.Second
		before := ""
		s, q, _ := chaosWith(t, r, shape, func(s *rolltest.Stage, _ *roller.Request) {
			before = policy(t, s)
			s.World.At(at, func() {
				for _, m := range s.Group().Members {
					if m.Launched() && m.Market == "spot" {
						s.Taken(m.ID)
						if err := s.World.Act(awssim.Action{Do: "interrupt", Group: "web", Instance: m.ID}); err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
		})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.World.Advance(15 * time.Minute) // until what was taken back after the roll is made up for, too
		if g := s.Group(); strings.Contains(s.Story(), "no scaling activity explains it") && g.Desired > s.Wanted() {
			s.Outside(g.Desired) // what cannot be told from others' wish stays, and is reported
		}
		s.Settled(2)
		if after := policy(t, s); after != before {
			t.Errorf("the policy is %s at the end, want %s", after, before)
		}
	})
}

// chaos stages a random world and lets owners come and go in it. The last one
// is for the caller to let roll.
func chaos(t *testing.T, r *rand.Rand, image string) (*rolltest.Stage, roller.Request, int) {
	t.Helper()
	return chaosWith(t, r, odd{image: image}, func(*rolltest.Stage, *roller.Request) {})
}

// odd is what is special about a world: HCL inside the newer and the older
// image's block, inside the group's, and at the top.
type odd struct {
	spot                       bool // the template asks for Spot Instances
	image, first, group, extra string
	room                       int // max size above twice the members
	more                       int // members beyond the usual ones
}

// chaosWith is chaos with somebody else at work, too.
func chaosWith(t *testing.T, r *rand.Rand, with odd, others func(*rolltest.Stage, *roller.Request)) (*rolltest.Stage, roller.Request, int) {
	t.Helper()
	// Rebalancing by AWS after an owner died would break limits without
	// Refit's doing.
	shape := rolltest.Shape{
		Spot: with.spot, Members: 1 + r.IntN(9), Pointer: pick(r, "1", "1", "$Default", "2"), S3: r.IntN(3) == 0, Image: with.image, First: with.first,
		Group: `launched_from = 1
			suspended = ["AZRebalance"]` + with.group,
		Extra: `
alarm "web-5xx" {}
function "smoke" {}
` + with.extra,
	}
	shape.Members += with.more
	if with.room > 0 {
		shape.Max = 2*shape.Members + with.room
	}
	s := rolltest.New(t, shape)
	if !*wire {
		s.Direct()
	}
	p := pick(r, [2]int{100, 110}, [2]int{100, 150}, [2]int{100, 200}, [2]int{90, 100}, [2]int{50, 100}, [2]int{75, 125})
	q := rolltest.Request(p[0], p[1])
	q.LockTimeout = 10 * time.Minute
	if r.IntN(3) == 0 {
		q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 1 + r.IntN(60), Bake: time.Duration(r.IntN(3)) * time.Minute}}
	}
	q.Spec.FailureLimit = 1 + shape.Members%3 // no draw: the worlds stay as they were
	mixSignals(shape.Members, &q.Spec)
	t.Logf("%+v at %v, checkpoints %v, failure limit %d", shape, p, q.Spec.Checkpoints, q.Spec.FailureLimit)
	s.Referee(q)
	if with.image != "" {
		q.Spec.InstanceTimeout = 3 * time.Minute
	}
	if r.IntN(2) == 0 {
		s.Stale(time.Duration(1+r.IntN(25))*time.Second, "autoscaling", "elasticloadbalancing")
	}
	others(s, &q)
	trouble(t, s, r)
	for owner := range 1 + r.IntN(3) {
		if r.IntN(2) == 0 {
			s.Crash(t.Context(), q, r.IntN(80), r.IntN(2) == 0)
		} else {
			ctx, cancel := context.WithCancel(t.Context())
			s.World.At(time.Duration(r.IntN(400))*time.Second, cancel)
			_, _ = s.Roll(ctx, q) // how it ends matters to the last owner only
		}
		if g := s.Group(); len(g.Suspended) == 1 && (rolltest.On(g, 2) == g.Launched() || rolltest.On(g, 2) == 0) {
			// It may be over. A look older than that would begin another roll.
			if err := s.World.Clock().Sleep(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		s.Roller = s.NewRoller(fmt.Sprint("next ", owner), 2+owner)
	}
	s.World.ClearFaults()
	return s, q, shape.Members
}

// mixSignals chooses signals and checks beside the target group: every second
// world by EC2's status checks, every third by a probe, every fourth by an alarm
// and a function.
func mixSignals(n int, s *rollout.Spec) {
	s.EC2Status = n%2 == 1
	if n%3 == 0 {
		p := rollout.DefaultProbe("http://{private_ip}/")
		s.Probe = &p
	}
	if n%4 == 1 {
		s.Alarms = []string{"web-5xx"}
		smoke(s)
	}
}

// seeded is the same randomness for the same numbers.
func seeded(seed, stream int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), uint64(stream))) //nolint:gosec // a test's worlds must come again
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
