package roller_test

import (
	"context"
	"errors"
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

// raising is a roll at 100/150 that may raise max size.
func raising() roller.Request {
	q := rolltest.Request(100, 150)
	q.Spec.RaiseMaxSize = true
	q.LockTimeout = 10 * time.Minute
	return q
}

// TestHeadroom_shapes rolls groups whose max size leaves no room, or too little.
// The referee holds max size to what it was and what the roll may make of it, and
// [rolltest.Stage.Settled] to what it was.
func TestHeadroom_shapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		shape    rolltest.Shape
		high     int
		highest  int  // most launched
		fallback bool // without LaunchInstances
		stale    bool
	}{
		{name: "full", shape: rolltest.Shape{Members: 4, Max: 4}, high: 150, highest: 6},
		{name: "one", shape: rolltest.Shape{Members: 1, Max: 1}, high: 110, highest: 2},
		{name: "some room", shape: rolltest.Shape{Members: 4, Max: 5}, high: 200, highest: 8},
		{name: "room enough", shape: rolltest.Shape{Members: 4, Max: 6}, high: 150, highest: 6},
		{name: "by desired capacity", shape: rolltest.Shape{Members: 4, Max: 4}, high: 150, highest: 6, fallback: true},
		{name: "late looks", shape: rolltest.Shape{Members: 4, Max: 4}, high: 150, highest: 6, stale: true},
		{name: "default", shape: rolltest.Shape{Members: 4, Max: 4, Pointer: "$Default"}, high: 150, highest: 6},
		{name: "in S3", shape: rolltest.Shape{Members: 4, Max: 4, S3: true}, high: 150, highest: 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, c.shape)
			s.World.SetLaunchInstances(!c.fallback)
			if c.stale {
				if err := s.World.SetStaleness("autoscaling", 25*time.Second); err != nil {
					t.Fatal(err)
				}
			}
			q := raising()
			q.Spec.MaxHealthy = c.high
			report, err := s.Roll(t.Context(), q)
			if err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			if report.Counts.Highest != c.highest || len(report.Warnings) > 1 {
				t.Errorf("highest %d, warnings %q, want %d\n%s", report.Counts.Highest, report.Warnings, c.highest, s.Story())
			}
			s.Settled(2)
		})
	}
}

// A rollback needs the room, too, and gives it back.
func TestHeadroom_brokenImage(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 4, Image: `dies_after = "4m"`})
	q := raising()
	q.Spec.FinalBake = 10 * time.Minute
	s.Referee(q)
	s.Excuse()
	_, err := s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	wentBack(t, s, 4)
	if g := s.Group(); g.Max != 4 {
		t.Errorf("max size is %d at the end, want 4\n%s", g.Max, s.Story())
	}
}

// successors are who comes after an owner that was killed or interrupted.
var successors = []struct {
	name string
	next func(t *testing.T, s *rolltest.Stage, q roller.Request)
}{
	{"goes on", func(t *testing.T, s *rolltest.Stage, q roller.Request) {
		t.Helper()
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("resume: %v\n%s", err, s.Story())
		}
		s.Settled(2)
	}},
	{"goes elsewhere", func(t *testing.T, s *rolltest.Stage, q roller.Request) {
		t.Helper()
		q.Version = "1"
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll to version 1: %v\n%s", err, s.Story())
		}
		s.Settled(1)
	}},
	{"may not raise it", func(t *testing.T, s *rolltest.Stage, q roller.Request) {
		t.Helper()
		q.Spec.RaiseMaxSize = false
		q.Spec.MinHealthy = 75
		if _, err := s.Roller.Roll(t.Context(), q); err != nil { // the referee cannot know when which limit holds
			t.Fatalf("resume without it: %v\n%s", err, s.Story())
		}
		s.Settled(2)
	}},
	{"settles", func(t *testing.T, s *rolltest.Stage, _ roller.Request) {
		t.Helper()
		settled(t, s)
		if g := s.Group(); g.Max != 4 {
			t.Errorf("max size is %d after settling, want 4\n%s", g.Max, s.Story())
		}
	}},
	{"finds max size as configured", func(t *testing.T, s *rolltest.Stage, q roller.Request) {
		t.Helper()
		// As aws_autoscaling_group does, which the next apply applies first. AWS
		// lowers desired to it, and picks whom to end.
		most := 4
		s.Lenient()
		s.Excuse()
		s.Hurt()
		do(t, s, awssim.Action{Do: "set_limits", Max: &most})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("resume: %v\n%s", err, s.Story())
		}
		s.Settled(2)
	}},
}

// TestHeadroom_killed kills the owner of a roll before and after each of its
// calls, and lets others come after it in each of the ways.
func TestHeadroom_killed(t *testing.T) {
	t.Parallel()
	for _, c := range successors {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			for ; ; n++ {
				s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 4})
				q := raising()
				if !s.Crash(t.Context(), q, n/2, n%2 == 1) {
					break
				}
				s.Roller = s.NewRoller("second", 2)
				if c.next(t, s, q); t.Failed() {
					t.Fatalf("killed at call %d, after it: %t", n/2, n%2 == 1)
				}
			}
			t.Logf("%d points of crash", n)
		})
	}
}

// TestHeadroom_interrupted interrupts the roll every ten seconds: the safe point
// gives the room back at once where nothing of the surge is left.
func TestHeadroom_interrupted(t *testing.T) {
	t.Parallel()
	for _, c := range successors {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for at := time.Second; at < 6*time.Minute; at += 10 * time.Second {
				s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 4})
				q := raising()
				ctx, cancel := context.WithCancel(t.Context())
				s.World.At(at, cancel)
				_, err := s.Roll(ctx, q)
				if err == nil {
					s.Settled(2)
					break
				}
				e := ended(t, s, err, rollout.Paused)
				g := s.Group()
				if told := strings.Contains(e.State, "max size is 6, which the roll had raised from 4"); g.Max != 4 && (g.Desired <= 4 || !told) {
					t.Errorf("after %s max size is %d, desired %d, told %t: %s\n%s", at, g.Max, g.Desired, told, e.State, s.Story())
				}
				s.Roller = s.NewRoller("second", 2)
				if c.next(t, s, q); t.Failed() {
					t.Fatalf("interrupted after %s", at)
				}
			}
		})
	}
}

// TestHeadroom_others lets others change max size, or want more than it was for,
// while the roll has it raised: it is theirs then, and the roll says so.
func TestHeadroom_others(t *testing.T) {
	t.Parallel()
	five, nine, four := 5, 9, 4
	for _, c := range []struct {
		name    string
		action  awssim.Action
		base    int
		most    int
		want    string // told; empty: nothing
		outcome rollout.Outcome
	}{
		{"max size below", awssim.Action{Do: "set_limits", Max: &five}, 5, 5, "max size was changed to 5 by somebody else, where the roll had raised it from 4 to 6", rollout.Paused}, // and with it desired
		{"max size above", awssim.Action{Do: "set_limits", Max: &nine}, 4, 9, "max size was changed to 9 by somebody else, where the roll had raised it from 4 to 6", rollout.Succeeded},
		{"max size as it was", awssim.Action{Do: "set_limits", Max: &four}, 4, 4, "max size was changed to 4 by somebody else, where the roll had raised it from 4 to 6", rollout.Paused},
		{"a policy within the room", awssim.Action{Do: "scale", Value: -1}, 4, 4, "", rollout.Succeeded}, // eats our surge
		{"a person beyond max size", awssim.Action{Do: "set_desired", Value: 5}, 5, 6, "max size stays at 6, which the roll had raised from 4, because the desired capacity is 5 now", rollout.Succeeded},
		{"a min size beyond max size", awssim.Action{Do: "set_limits", Min: &five}, 5, 6, "max size stays at 6, which the roll had raised from 4, because the desired capacity is 5 now", rollout.Succeeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 4})
			q := raising()
			s.Referee(q)
			s.Excuse() // AWS picks its victims where others scale in
			s.Lenient()
			s.World.At(time.Minute, func() {
				s.Outside(c.base)
				s.OutsideMax(c.most)
				s.Hurt()
				if !do(t, s, c.action) {
					t.Errorf("%+v was refused", c.action)
				}
			})
			report, err := s.Roll(t.Context(), q)
			var e *roller.Error
			if errors.As(err, &e) && e.Report != nil {
				report = *e.Report
			}
			if said := strings.ToLower(fmt.Sprint(report.Warnings, err)); report.Outcome != c.outcome || !strings.Contains(said, c.want) || c.want == "" && strings.Contains(said, "max size") {
				t.Errorf("outcome %s, told %s; want %s and %q\n%s", report.Outcome, said, c.outcome, c.want, s.Story())
			}
			if c.outcome != rollout.Succeeded {
				s.Roller = s.NewRoller("second", 2)
				if _, err := s.Roll(t.Context(), q); err != nil { // it may raise it once more
					t.Fatalf("resume: %v\n%s", err, s.Story())
				}
			}
			s.World.Advance(3 * time.Minute)
			s.Settled(2)
		})
	}
}

// A role that may not change max size learns so before anything is launched; one
// that may not change it back is told what is left, which the next one puts back.
func TestHeadroom_denied(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 4})
	lift, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:UpdateAutoScalingGroup", Kind: awssim.Deny})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Roll(t.Context(), raising())
	e := ended(t, s, err, rollout.FailedRoll)
	if g := s.Group(); !strings.Contains(e.Happened, "autoscaling:UpdateAutoScalingGroup") || g.Max != 4 || g.Desired != 4 || rolltest.On(g, 2) != 0 || len(g.Suspended) > 0 {
		t.Errorf("%v; the group is %+v\n%s", e, g, s.Story())
	}
	lift()
	if _, err := s.Roll(t.Context(), raising()); err != nil {
		t.Fatalf("the roll after it: %v\n%s", err, s.Story())
	}
	s.Settled(2)

	s = rolltest.New(t, rolltest.Shape{Members: 4, Max: 4})
	s.World.At(4*time.Minute+45*time.Second, func() {
		inject(t, s, awssim.Fault{Calls: "autoscaling:UpdateAutoScalingGroup", Kind: awssim.Deny})
	})
	_, err = s.Roll(t.Context(), raising())
	e = ended(t, s, err, rollout.Paused)
	if !strings.Contains(e.State, "max size is 6, which the roll had raised from 4") {
		t.Errorf("got %v\n%s", e, s.Story())
	}
	s.World.ClearFaults()
	s.Roller = s.NewRoller("second", 2)
	if _, err := s.Roll(t.Context(), raising()); err != nil {
		t.Fatalf("the roll after it: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

// TestHeadroom_lost loses the answer of each write of the group in turn.
func TestHeadroom_lost(t *testing.T) {
	t.Parallel()
	for _, kind := range []awssim.FaultKind{awssim.LoseAnswer, awssim.Drop, awssim.ServerError, awssim.Throttle} {
		for skip := range 5 {
			s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 4})
			inject(t, s, awssim.Fault{Calls: "autoscaling:UpdateAutoScalingGroup", Kind: kind, Skip: skip, Times: 1})
			if _, err := s.Roll(t.Context(), raising()); err != nil {
				t.Fatalf("%s %d: roll: %v\n%s", kind, skip, err, s.Story())
			}
			s.Settled(2)
			if t.Failed() {
				t.Fatalf("%s of write %d", kind, skip)
			}
		}
	}
}

// TestChaos_headroom is TestChaos in groups whose max size leaves no room, or too
// little, with rolls that may raise it: it is as it was in the end.
func TestChaos_headroom(t *testing.T) {
	t.Parallel()
	chaotic(t, 17, func(t *testing.T, r *rand.Rand) {
		room, broken := r.IntN(3), r.IntN(4) == 0
		shape := odd{}
		if broken {
			shape.image = "never_healthy = true"
		}
		s, q, members := chaosWith(t, r, shape, func(s *rolltest.Stage, q *roller.Request) {
			most := s.Group().Desired + room
			s.OutsideMax(most)
			q.Spec.RaiseMaxSize = true
			s.Referee(*q)
			do(t, s, awssim.Action{Do: "set_limits", Max: &most})
		})
		_, err := s.Roll(t.Context(), q)
		if (err != nil) != broken {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		if broken {
			wentBack(t, s, members)
		} else {
			s.Settled(2)
		}
		if g := s.Group(); g.Max != members+room {
			t.Errorf("max size is %d at the end, want %d\n%s", g.Max, members+room, s.Story())
		}
	})
}
