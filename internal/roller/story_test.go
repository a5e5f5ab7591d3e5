package roller_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// ended asserts how a roll ended and returns its error.
func ended(t *testing.T, s *rolltest.Stage, err error, want rollout.Outcome) *roller.Error {
	t.Helper()
	var e *roller.Error
	if !errors.As(err, &e) || e.Report == nil || e.Report.Outcome != want {
		t.Fatalf("roll = %v, want it %s\n%s", err, want, s.Story())
	}
	return e
}

func TestStory_othersScaleOutAndIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		action awssim.Action
		base   int
	}{
		{"a policy adds two", awssim.Action{Do: "scale", Group: "web", Value: 2}, 6},
		{"a policy takes one", awssim.Action{Do: "scale", Group: "web", Value: -1}, 4}, // eats our surge first
		{"a policy takes three", awssim.Action{Do: "scale", Group: "web", Value: -3}, 3},
		{"a person sets seven", awssim.Action{Do: "set_desired", Group: "web", Value: 7}, 7},
		{"a person sets three", awssim.Action{Do: "set_desired", Group: "web", Value: 3}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 12})
			q := rolltest.Request(100, 150)
			s.Referee(q)
			s.Excuse() // AWS picks its victims where others scale in
			s.World.At(60*time.Second, func() {
				s.Outside(c.base)
				if err := s.World.Act(c.action); err != nil {
					t.Error(err)
				}
			})
			s.Lenient()
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			s.Settled(2)
		})
	}
}

func TestStory_pausedAndResumed(t *testing.T) {
	t.Parallel()
	for at := 5 * time.Second; at < 5*time.Minute; at += 20 * time.Second {
		s := rolltest.New(t, rolltest.Shape{Members: 4})
		q := rolltest.Request(100, 150)
		ctx, cancel := context.WithCancel(t.Context())
		s.World.At(at, cancel)
		_, err := s.Roll(ctx, q)
		if err != nil {
			_ = ended(t, s, err, rollout.Paused)
			g := s.Group()
			if len(g.Suspended) > 0 || g.Desired != 4 && g.Healthy() > 4 {
				t.Fatalf("after %s the safe point left %+v\n%s", at, g, s.Story())
			}
			s.Roller = s.NewRoller("second", 2)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("resume: %v\n%s", err, s.Story())
			}
		}
		s.Settled(2)
	}
}

func TestStory_killedAndResumed(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			s := rolltest.New(t, rolltest.Shape{Members: 4})
			q := rolltest.Request(100, 150)
			q.LockTimeout = 10 * time.Minute
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

func TestStory_checkpoint(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 10})
	q := rolltest.Request(100, 150)
	q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 20, Bake: 2 * time.Minute}, {Percentage: 50, Bake: time.Minute}}
	q.Spec.FinalBake = time.Minute
	seen := map[int]bool{}
	s.World.OnTick(func() {
		g, _ := s.World.Group("web")
		seen[rolltest.On(g, 2)] = true
	})
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	if !seen[2] || !seen[5] || seen[3] && strings.Count(s.Story(), "checkpoint 20 % passed") != 1 {
		t.Errorf("numbers of new members seen: %v\n%s", seen, s.Story())
	}
}

func TestStory_lateFailure(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Image: `dies_after = "4m"`})
	q := rolltest.Request(100, 150)
	q.Spec.FinalBake = 10 * time.Minute
	s.Referee(q)
	s.Excuse()
	_, err := s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	if g := s.Group(); g.Healthy() < 4 || g.Desired != 4 || rolltest.On(g, 2) != 0 {
		t.Errorf("after the rollback: %+v\n%s", g, s.Story())
	}
}

func TestStory_fallback(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	s.World.SetLaunchInstances(false)
	if _, err := s.Roll(t.Context(), rolltest.Request(100, 150)); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

func TestStory_defaultPointer(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Pointer: "$Default"})
	if _, err := s.Roll(t.Context(), rolltest.Request(100, 150)); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	if g := s.Group(); g.Version != "$Default" {
		t.Errorf("pointer = %s, want $Default\n%s", g.Version, s.Story())
	}
}

func TestStory_inS3(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, S3: true})
	if _, err := s.Roll(t.Context(), rolltest.Request(100, 150)); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

func TestStory_deletedMeanwhile(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	s.Referee(q)
	s.Excuse()
	s.Lenient()
	s.World.At(80*time.Second, func() {
		if err := s.World.Act(awssim.Action{Do: "delete_group", Group: "web"}); err != nil {
			t.Error(err)
		}
	})
	_, err := s.Roll(t.Context(), q)
	if err == nil || !strings.Contains(err.Error(), "was deleted during the roll") {
		t.Errorf("roll = %v\n%s", err, s.Story())
	}
}

func TestStory_throttledForMinutes(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	s.World.At(time.Minute, func() {
		if _, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:*", Kind: awssim.Throttle, For: 5 * time.Minute}); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Roll(t.Context(), rolltest.Request(100, 150)); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	if !strings.Contains(s.Story(), "AWS has not answered for") {
		t.Errorf("nobody was told\n%s", s.Story())
	}
}

func TestStory_lostAnswers(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"LaunchInstances", "TerminateInstanceInAutoScalingGroup", "UpdateAutoScalingGroup", "SuspendProcesses", "ResumeProcesses"} {
		for _, kind := range []awssim.FaultKind{awssim.LoseAnswer, awssim.Drop, awssim.ServerError} {
			t.Run(call+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				s := rolltest.New(t, rolltest.Shape{Members: 4})
				if _, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:" + call, Kind: kind, Times: 1}); err != nil {
					t.Fatal(err)
				}
				if _, err := s.Roll(t.Context(), rolltest.Request(100, 150)); err != nil {
					t.Fatalf("roll: %v\n%s", err, s.Story())
				}
				s.Settled(2)
			})
		}
	}
}

func TestStory_rightAfterAnother(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	if err := s.World.SetStaleness("autoscaling", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("first roll: %v\n%s", err, s.Story())
	}
	q.Version = "1"
	s.Roller = s.NewRoller("second", 2)
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("second roll: %v\n%s", err, s.Story())
	}
	s.Settled(1)
}

// A roll that breaks off gives its lease back: nobody has to outwait it.
func TestStory_brokenOff(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	s.World.At(time.Minute, func() {
		if _, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:DescribeAutoScalingGroups", Kind: awssim.Deny}); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Roll(t.Context(), q); err == nil || !strings.Contains(err.Error(), "autoscaling:DescribeAutoScalingGroups") {
		t.Fatalf("the denied roll ended with %v", err)
	}
	s.World.ClearFaults()
	s.Roller = s.NewRoller("second", 2)
	before := s.Elapsed()
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("the roll after it: %v\n%s", err, s.Story())
	}
	if waited := s.Elapsed() - before; waited > 6*time.Minute {
		t.Errorf("it took %s\n%s", waited, s.Story())
	}
	s.Settled(2)
}

// A missing permission to end members says nothing about the image: the roll
// stops where it is, names the action, and the next one continues.
func TestStory_deniedToEnd(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	lift, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:TerminateInstanceInAutoScalingGroup", Kind: awssim.Deny})
	if err != nil {
		t.Fatal(err)
	}
	q := rolltest.Request(100, 150)
	_, err = s.Roll(t.Context(), q)
	e := ended(t, s, err, rollout.Paused)
	if !strings.Contains(e.Happened, "autoscaling:TerminateInstanceInAutoScalingGroup") || rolltest.On(s.Group(), 2) == 0 {
		t.Errorf("got %v\n%s", e, s.Story())
	}
	lift()
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("the roll after it: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}
