package roller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// act lets somebody else act on the staged group d after now.
func act(t *testing.T, s *rolltest.Stage, d time.Duration, a awssim.Action) {
	t.Helper()
	a.Group = "web"
	s.World.At(d, func() {
		if err := s.World.Act(a); err != nil {
			t.Error(err)
		}
	})
}

func inject(t *testing.T, s *rolltest.Stage, f awssim.Fault) {
	t.Helper()
	if _, err := s.World.Inject(f); err != nil {
		t.Fatal(err)
	}
}

// TestEdge_shapes are whole rolls of groups at the borders of the rules. Each
// must succeed within its limits, which the referee holds it to.
func TestEdge_shapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		shape     rolltest.Shape
		low, high int
		spec      func(*rollout.Spec)
		pointer   string // at the end; empty: 2
	}{
		{name: "nobody", shape: rolltest.Shape{Members: 0}, low: 100, high: 150},
		{name: "two, one slot", shape: rolltest.Shape{Members: 2}, low: 100, high: 110},
		{name: "two, none healthy needed", shape: rolltest.Shape{Members: 2}, low: 0, high: 100},
		{name: "max size is desired, ending first", shape: rolltest.Shape{Members: 4, Max: 4}, low: 75, high: 125},
		{name: "max size one above", shape: rolltest.Shape{Members: 4, Max: 5}, low: 100, high: 200},
		{name: "one zone", shape: rolltest.Shape{Members: 5, Group: `zones = ["a"]`}, low: 100, high: 120},
		{name: "more zones than members", shape: rolltest.Shape{Members: 2, Group: `zones = ["a", "b", "c"]`}, low: 100, high: 150},
		{name: "no target group", shape: rolltest.Shape{Members: 3, NoTargets: true}, low: 100, high: 150},
		{name: "drift: pointer on the target already", shape: rolltest.Shape{Members: 4, Pointer: "2", Group: "launched_from = 1"}, low: 100, high: 150},
		{name: "drift, ending first", shape: rolltest.Shape{Members: 4, Pointer: "2", Group: "launched_from = 1"}, low: 75, high: 100},
		{name: "only the pointer is behind", shape: rolltest.Shape{Members: 4, Pointer: "1", Group: "launched_from = 2"}, low: 100, high: 150},
		{name: "latest", shape: rolltest.Shape{Members: 4, Pointer: "$Latest"}, low: 100, high: 150, pointer: "$Latest"},
		{name: "default, ending first", shape: rolltest.Shape{Members: 4, Pointer: "$Default"}, low: 75, high: 100, pointer: "$Default"},
		{name: "checkpoint, ending first", shape: rolltest.Shape{Members: 6}, low: 50, high: 100, spec: func(s *rollout.Spec) {
			s.Checkpoints = []rollout.Checkpoint{{Percentage: 34, Bake: 2 * time.Minute}, {Percentage: 50}}
		}},
		{name: "the running limit binds", shape: rolltest.Shape{Members: 8, Group: `latencies { terminate = "5m" }`}, low: 100, high: 150, spec: func(s *rollout.Spec) {
			s.MaxRunning = 150
		}},
		{name: "members drain for long", shape: rolltest.Shape{Members: 6, Group: `latencies { terminate = "9m" }`}, low: 50, high: 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, c.shape)
			q := rolltest.Request(c.low, c.high)
			if c.spec != nil {
				c.spec(&q.Spec)
			}
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			s.Settled(2)
			if c.pointer == "" {
				c.pointer = "2"
			}
			if g := s.Group(); g.Version != c.pointer {
				t.Errorf("pointer = %s, want %s\n%s", g.Version, c.pointer, s.Story())
			}
		})
	}
}

// TestEdge_checkpointAboveBase scales in to fewer members than the first
// checkpoint asked for at the start: it must not wait for them for ever.
func TestEdge_checkpointAboveBase(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 10})
	q := rolltest.Request(100, 120)
	q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 50, Bake: time.Minute}}
	s.Referee(q)
	s.Excuse()
	s.Lenient()
	s.World.At(30*time.Second, func() { s.Outside(3) })
	act(t, s, 30*time.Second, awssim.Action{Do: "set_desired", Value: 3})
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

// TestEdge_minSizeRaised raises min size above what the group wants while our
// surge is up: desired cannot be lowered below it any more.
func TestEdge_minSizeRaised(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	s.Referee(q)
	s.Lenient()
	five := 5
	s.World.At(time.Minute, func() { s.Outside(5) })
	act(t, s, time.Minute, awssim.Action{Do: "set_limits", Min: &five})
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

// TestEdge_pointerThrottled throttles the write of the pointer at each of its
// calls in turn: nothing may be launched from the wrong version meanwhile.
func TestEdge_pointerThrottled(t *testing.T) {
	t.Parallel()
	for skip := range 4 {
		for _, kind := range []awssim.FaultKind{awssim.Throttle, awssim.Drop, awssim.LoseAnswer} {
			for _, high := range []int{100, 150} {
				s := rolltest.New(t, rolltest.Shape{Members: 4})
				inject(t, s, awssim.Fault{Calls: "autoscaling:UpdateAutoScalingGroup", Kind: kind, Skip: skip, Times: 1})
				if _, err := s.Roll(t.Context(), rolltest.Request(200-high-25+25*(high/150), high)); err != nil {
					t.Fatalf("skip %d %s: roll: %v\n%s", skip, kind, err, s.Story())
				}
				s.Settled(2)
				if n := launchedFrom(s, 1); n > 0 {
					t.Errorf("skip %d %s, max %d: %d members were launched from version 1\n%s", skip, kind, high, n, s.Story())
				}
			}
		}
	}
}

// TestEdge_resumedAtMaxSize interrupts a roll whose surge fills the group up to
// its max size: that is no reason not to plan or continue it.
func TestEdge_resumedAtMaxSize(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 200)
	q.LockTimeout = 10 * time.Minute
	s.Crash(t.Context(), q, 15, true) // when all four are launched
	if g := s.Group(); g.Desired != g.Max {
		t.Fatalf("desired %d of at most %d, want it at the limit\n%s", g.Desired, g.Max, s.Story())
	}
	s.Roller = s.NewRoller("second", 2)
	a, err := s.Roller.Assess(t.Context(), q)
	if err != nil || len(a.Problems) > 0 {
		t.Errorf("plan = %+v, %v, want no problem", a.Problems, err)
	}
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("resume: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

// launchedFrom counts the members of a version that are younger than the story.
func launchedFrom(s *rolltest.Stage, version int64) int {
	began := s.World.Clock().Now().Add(-s.Elapsed())
	n := 0
	for _, m := range s.Group().Members {
		if m.Version == version && m.LaunchedAt.After(began) {
			n++
		}
	}
	return n
}

// TestEdge_otherTarget interrupts a roll to version 2 in each phase and then
// asks for version 1 again, or for a third.
func TestEdge_otherTarget(t *testing.T) {
	t.Parallel()
	for _, pointer := range []string{"1", "$Default"} {
		for at := 5 * time.Second; at < 4*time.Minute; at += 25 * time.Second {
			s := rolltest.New(t, rolltest.Shape{Members: 4, Pointer: pointer})
			q := rolltest.Request(100, 150)
			ctx, cancel := context.WithCancel(t.Context())
			s.World.At(at, cancel)
			if _, err := s.Roll(ctx, q); err == nil {
				break
			}
			s.Roller = s.NewRoller("second", 2)
			q.Version = "1"
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("pointer %s, stopped after %s: back to 1: %v\n%s", pointer, at, err, s.Story())
			}
			s.Settled(1)
			if g := s.Group(); g.Version != pointer {
				t.Errorf("stopped after %s: pointer = %s, want %s\n%s", at, g.Version, pointer, s.Story())
			}
		}
	}
}

// TestEdge_killedThenOthers kills the owner in each phase; others scale out
// before the successor comes. Surge of the dead is not mistaken for their wish.
func TestEdge_killedThenOthers(t *testing.T) {
	t.Parallel()
	for n := 8; n < 60; n += 3 {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 12})
		q := rolltest.Request(100, 150)
		q.LockTimeout = 10 * time.Minute
		s.Referee(q)
		s.Lenient()
		s.Excuse()
		if !s.Crash(t.Context(), q, n, true) {
			break
		}
		if err := s.World.Act(awssim.Action{Do: "scale", Group: "web", Value: 2}); err != nil {
			t.Fatal(err)
		}
		s.Outside(6)
		s.Roller = s.NewRoller("second", 2)
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("crash at %d, resume: %v\n%s", n, err, s.Story())
		}
		s.World.Advance(time.Minute) // a roll that was over already does not wait for what others add
		s.Settled(2)
		if t.Failed() {
			t.Fatalf("crash at %d", n)
		}
	}
}

// TestEdge_launchErrors are launch failures by kind.
func TestEdge_launchErrors(t *testing.T) {
	t.Parallel()
	t.Run("one zone short of capacity", func(t *testing.T) {
		t.Parallel()
		for _, p := range [][2]int{{100, 150}, {100, 125}, {75, 100}} {
			s := rolltest.New(t, rolltest.Shape{Members: 4})
			s.World.FailLaunches(awssim.LaunchFault{Zone: s.Group().Zones[1], Code: "InsufficientInstanceCapacity"})
			if _, err := s.Roll(t.Context(), rolltest.Request(p[0], p[1])); err != nil {
				t.Fatalf("%v: roll: %v\n%s", p, err, s.Story())
			}
			s.Settled(2)
		}
	})
	t.Run("two of three zones short of capacity", func(t *testing.T) {
		t.Parallel()
		s := rolltest.New(t, rolltest.Shape{Members: 4})
		for _, z := range s.Group().Zones[1:] {
			s.World.FailLaunches(awssim.LaunchFault{Zone: z, Code: "InsufficientInstanceCapacity"})
		}
		if _, err := s.Roll(t.Context(), rolltest.Request(100, 125)); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.Settled(2)
	})
	t.Run("vCPU limit", func(t *testing.T) {
		t.Parallel()
		s := rolltest.New(t, rolltest.Shape{Members: 4})
		s.World.FailLaunches(awssim.LaunchFault{Group: "web", Code: "VcpuLimitExceeded"})
		_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
		e := ended(t, s, err, rollout.Paused)
		if !strings.Contains(e.Happened, "vCPU") {
			t.Errorf("happened = %q, want AWS's own words", e.Happened)
		}
		s.Settled(1)
	})
	t.Run("the image is gone", func(t *testing.T) {
		t.Parallel()
		s := rolltest.New(t, rolltest.Shape{Members: 4, Image: `launch_error = "InvalidAMIID.NotFound"`})
		_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
		_ = ended(t, s, err, rollout.FailedRoll)
		s.Settled(1)
		if g := s.Group(); g.Version != "1" {
			t.Errorf("pointer = %s, want 1\n%s", g.Version, s.Story())
		}
	})
	t.Run("the image is gone, ending first", func(t *testing.T) {
		t.Parallel()
		s := rolltest.New(t, rolltest.Shape{Members: 4, Image: `launch_error = "InvalidAMIID.NotFound"`})
		_, err := s.Roll(t.Context(), rolltest.Request(75, 100))
		_ = ended(t, s, err, rollout.RolledBack)
		if g := s.Group(); g.Healthy() != 4 || rolltest.On(g, 2) != 0 {
			t.Errorf("after the rollback: %+v\n%s", g, s.Story())
		}
	})
}

// TestEdge_staleObservations shows the roll a past of up to 20 s.
func TestEdge_staleObservations(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]int{{100, 150}, {75, 100}, {90, 110}} {
		s := rolltest.New(t, rolltest.Shape{Members: 6, Max: 12})
		for _, service := range []string{"autoscaling", "elasticloadbalancing"} {
			if err := s.World.SetStaleness(service, 20*time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Roll(t.Context(), rolltest.Request(p[0], p[1])); err != nil {
			t.Fatalf("%v: roll: %v\n%s", p, err, s.Story())
		}
		s.Settled(2)
		if t.Failed() {
			t.Fatalf("%v", p)
		}
	}
}

// TestEdge_outsideLater scales out long after the roll's first ends, whose
// activities must still be known for the roll's own.
func TestEdge_outsideLater(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 12, Max: 24})
	q := rolltest.Request(100, 110)
	s.Referee(q)
	s.Lenient()
	s.World.At(18*time.Minute, func() { s.Outside(14) })
	act(t, s, 18*time.Minute, awssim.Action{Do: "scale", Value: 2})
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	if strings.Contains(s.Story(), "no scaling activity explains it") {
		t.Errorf("a policy's change was not understood\n%s", s.Story())
	}
}

func errorOf(err error) (*roller.Error, bool) {
	e, ok := err.(*roller.Error) //nolint:errorlint // a roll's errors are never wrapped
	return e, ok && e.Report != nil
}

// TestEdge_lostAnswerAndOthers loses the answer of a launch while a policy
// scales out by as many: theirs stays, ours goes.
func TestEdge_lostAnswerAndOthers(t *testing.T) {
	t.Parallel()
	for _, kind := range []awssim.FaultKind{awssim.LoseAnswer, awssim.Drop} {
		for _, by := range []int{1, 2} {
			s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 12, Group: `zones = ["a"]`})
			q := rolltest.Request(100, 150)
			inject(t, s, awssim.Fault{Calls: "autoscaling:LaunchInstances", Kind: kind, Times: 1})
			s.Referee(q)
			s.Lenient()
			s.World.BeforeCall("autoscaling:LaunchInstances", 1, func() {
				s.Outside(4 + by)
				if err := s.World.Act(awssim.Action{Do: "scale", Group: "web", Value: by}); err != nil {
					t.Error(err)
				}
			})
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("%s, +%d: roll: %v\n%s", kind, by, err, s.Story())
			}
			s.Settled(2)
			if t.Failed() {
				t.Fatalf("%s, +%d", kind, by)
			}
		}
	}
}

// TestEdge_endsLost loses the answers of many ends at once, which must still
// fit the journal.
func TestEdge_endsLost(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 120})
	inject(t, s, awssim.Fault{Calls: "autoscaling:TerminateInstanceInAutoScalingGroup", Kind: awssim.LoseAnswer, Skip: 1, Times: 90})
	if _, err := s.Roll(t.Context(), rolltest.Request(100, 200)); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

// TestEdge_pointerDeleted: a group that points at a version that was deleted is
// rolled off it.
func TestEdge_pointerDeleted(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]int{{100, 150}, {75, 100}} {
		s := rolltest.New(t, rolltest.Shape{Members: 4})
		moveDefault(t, s)
		_, err := ec2.NewFromConfig(s.World.Config()).DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{
			LaunchTemplateName: aws.String("web"), Versions: []string{"1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Roll(t.Context(), rolltest.Request(p[0], p[1])); err != nil {
			t.Fatalf("%v: %v\n%s", p, err, s.Story())
		}
		s.Settled(2)
	}
}
