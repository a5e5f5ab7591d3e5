package roller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestRefresh_killed kills the owner before and after each of its calls. The
// successor attaches to what it had AWS do, and never starts a second refresh.
func TestRefresh_killed(t *testing.T) {
	t.Parallel()
	for pointer, step := range map[string]int{"1": 5, "$Default": 1} {
		t.Run(pointer, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n += step {
				s, q := refreshed(t, rolltest.Shape{Pointer: pointer})
				if !s.Crash(t.Context(), q, n/2, n%2 == 1) {
					t.Logf("%d points of crash", n)
					break
				}
				s.Roller = s.NewRoller("second", 2)
				if _, err := s.Roll(t.Context(), q); err != nil {
					t.Fatalf("crash at call %d, resume: %v\n%s", n/2, err, s.Story())
				}
				inOrder(t, s, 2)
				if g := s.Group(); begun(s) != 1 || pointer == "$Default" && g.Version != "$Default" {
					t.Errorf("%d instance refreshes began, the pointer is on %s\n%s", begun(s), g.Version, s.Story())
				}
				if t.Failed() {
					t.Fatalf("crash at call %d, after: %t", n/2, n%2 == 1)
				}
			}
		})
	}
}

// TestRefresh_killedGoingBack is the same with an image that is broken: the
// group is back at the previous data in the end, whoever brings it there.
func TestRefresh_killedGoingBack(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		s, q := refreshed(t, rolltest.Shape{Pointer: "$Latest", Image: "never_healthy = true", Group: "launched_from = 1"})
		if !s.Crash(t.Context(), q, n/2, n%2 == 1) {
			t.Logf("%d points of crash", n)
			break
		}
		s.Roller = s.NewRoller("second", 2)
		_, err := s.Roll(t.Context(), q)
		g := s.Group()
		if got := outcomeOf(err); got != rollout.RolledBack && (got != "" || rolltest.On(g, 2) > 0) {
			t.Fatalf("crash at call %d, resume: %v\n%s", n/2, err, s.Story())
		}
		inOrder(t, s, 1, 3)
		if g.Version != "$Latest" {
			t.Errorf("the pointer is on %s\n%s", g.Version, s.Story())
		}
		if t.Failed() {
			t.Fatalf("crash at call %d, after: %t", n/2, n%2 == 1)
		}
	}
}

// TestRefresh_settled kills the owner at its calls and settles: nothing runs on,
// and nothing was replaced that was not.
func TestRefresh_settled(t *testing.T) {
	t.Parallel()
	for n := 0; ; n += 3 {
		s, q := refreshed(t, rolltest.Shape{Pointer: "$Default"})
		if !s.Crash(t.Context(), q, n/2, n%2 == 1) {
			break
		}
		s.Roller = s.NewRoller("second", 2)
		for i := 0; ; i++ {
			done, err := s.Roller.Settle(t.Context(), "web", 10*time.Minute)
			if err != nil || i > 10 {
				t.Fatalf("crash at call %d, settle: %+v, %v\n%s", n/2, done, err, s.Story())
			}
			if len(done.Left) == 0 {
				break
			}
			s.World.Advance(time.Minute)
		}
		inOrder(t, s, 1, 2)
		if t.Failed() {
			t.Fatalf("crash at call %d, after: %t", n/2, n%2 == 1)
		}
	}
}

// TestRefresh_lostAnswers loses the answer of each call once, with and without
// its effect.
func TestRefresh_lostAnswers(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"StartInstanceRefresh", "RollbackInstanceRefresh", "UpdateAutoScalingGroup", "DescribeInstanceRefreshes"} {
		for _, kind := range []awssim.FaultKind{awssim.LoseAnswer, awssim.Drop, awssim.ServerError, awssim.Throttle} {
			t.Run(fmt.Sprint(call, " ", kind), func(t *testing.T) {
				t.Parallel()
				s, q := refreshed(t, rolltest.Shape{Pointer: "2", Image: "never_healthy = true", Group: "launched_from = 1"})
				inject(t, s, awssim.Fault{Calls: "autoscaling:" + call, Kind: kind, Times: 1})
				_, err := s.Roll(t.Context(), q)
				_ = ended(t, s, err, rollout.RolledBack)
				inOrder(t, s, 1, 3)
				if begun(s) != 1 {
					t.Errorf("%d instance refreshes began\n%s", begun(s), s.Story())
				}
			})
		}
	}
}

// TestRefresh_lostCancel loses the answer of the cancellation of an interrupted roll.
func TestRefresh_lostCancel(t *testing.T) {
	t.Parallel()
	for _, kind := range []awssim.FaultKind{awssim.LoseAnswer, awssim.Drop, awssim.ServerError} {
		s, q := refreshed(t, rolltest.Shape{})
		inject(t, s, awssim.Fault{Calls: "autoscaling:CancelInstanceRefresh", Kind: kind, Times: 1})
		ctx, cancel := context.WithCancel(t.Context())
		s.World.At(30*time.Second, cancel)
		_, err := s.Roll(ctx, q)
		_ = ended(t, s, err, rollout.Paused)
		s.Roller = s.NewRoller("second", 2)
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("%s: resume: %v\n%s", kind, err, s.Story())
		}
		inOrder(t, s, 2)
	}
}

// TestRefresh_interrupted interrupts at many moments: the refresh is cancelled
// and the next roll finishes.
func TestRefresh_interrupted(t *testing.T) {
	t.Parallel()
	for at := time.Second; at < 5*time.Minute; at += 13 * time.Second {
		s, q := refreshed(t, rolltest.Shape{Pointer: "$Default"})
		q.Spec.FinalBake = time.Minute
		ctx, cancel := context.WithCancel(t.Context())
		s.World.At(at, cancel)
		began := s.Elapsed()
		if _, err := s.Roll(ctx, q); err != nil {
			_ = ended(t, s, err, rollout.Paused)
			// Virtual sleeps are not cut short: one of up to 20 s comes first.
			if late := s.Elapsed() - began - at; late > 70*time.Second {
				t.Errorf("the safe point took %s\n%s", late, s.Story())
			}
			s.Roller = s.NewRoller("second", 2)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("after %s, resume: %v\n%s", at, err, s.Story())
			}
		}
		inOrder(t, s, 2)
		if g := s.Group(); g.Version != "$Default" {
			t.Errorf("the pointer is on %s\n%s", g.Version, s.Story())
		}
		if t.Failed() {
			t.Fatalf("interrupted after %s", at)
		}
	}
}

// TestRefresh_interruptedGoingBack: AWS goes on rolling back, and the next roll
// says how that ended.
func TestRefresh_interruptedGoingBack(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{Image: `dies_after = "3m"`})
	q.Spec.FinalBake = 10 * time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	s.World.At(4*time.Minute+20*time.Second, cancel)
	_, err := s.Roll(ctx, q)
	if e := ended(t, s, err, rollout.Paused); !strings.Contains(e.State, "goes on rolling back") {
		t.Errorf("state = %q, want that AWS goes on\n%s", e.State, s.Story())
	}
	s.Roller = s.NewRoller("second", 2)
	_, err = s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	inOrder(t, s, 1, 3)
}
