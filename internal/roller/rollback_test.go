package roller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestEdge_copyThrottled throttles the one call that a rollback cannot do without.
func TestEdge_copyThrottled(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
	inject(t, s, awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Throttle, Times: 6})
	_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
	_ = ended(t, s, err, rollout.RolledBack)
	if g := s.Group(); rolltest.On(g, 1) != 4 || g.Desired != 4 {
		t.Errorf("after the rollback: %+v\n%s", g, s.Story())
	}
}

// TestEdge_copyLost loses the answer of the copy: it is not published twice.
func TestEdge_copyLost(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
	inject(t, s, awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.LoseAnswer, Times: 1})
	_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
	_ = ended(t, s, err, rollout.RolledBack)
	if g := s.Group(); g.Version != "3" {
		t.Errorf("pointer = %s, want the one copy, 3\n%s", g.Version, s.Story())
	}
}

// TestEdge_noCopy: where no copy can be published the group goes back to the version
// itself, and nothing of the roll stays but that. Once the cause is cured, the next
// run publishes the copy.
func TestEdge_noCopy(t *testing.T) {
	t.Parallel()
	denied := awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Deny}
	for _, c := range []struct {
		name      string
		low, high int
		shape     rolltest.Shape
		fault     awssim.Fault
		engine    rollout.Engine
		says      string
		at        string // the pointer, before the copy
	}{
		{name: "no room", low: 100, high: 150, says: "as keep_versions of refit_ami_refresh does: VersionLimitExceeded: ", at: "1"},
		{name: "denied", low: 100, high: 150, fault: denied, says: "UnauthorizedOperation: ", at: "1"},
		{name: "ending first", low: 50, high: 100, fault: denied, says: "UnauthorizedOperation: ", at: "1"},
		{name: "without LaunchInstances", low: 50, high: 100, shape: rolltest.Shape{Group: halfSpot}, fault: denied, says: "UnauthorizedOperation: ", at: "1"},
		{name: "on the new version", low: 100, high: 150, shape: rolltest.Shape{Pointer: "2", Group: "launched_from = 1"}, fault: denied, says: "UnauthorizedOperation: ", at: "1"},
		{name: "$Latest", low: 100, high: 150, shape: rolltest.Shape{Pointer: "$Latest"}, fault: denied, says: "UnauthorizedOperation: ", at: "1"},
		{name: "$Default", low: 100, high: 150, shape: rolltest.Shape{Pointer: "$Default"}, fault: denied, says: "UnauthorizedOperation: ", at: "$Default"},
		{name: "instance refresh", low: 100, high: 150, shape: rolltest.Shape{Group: `health_check = "ELB"`}, engine: rollout.EngineRefresh, fault: denied, says: "UnauthorizedOperation: ", at: "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shape.Members, c.shape.Image = 4, "never_healthy = true"
			s, q := rolltest.New(t, c.shape), rolltest.Request(c.low, c.high)
			if c.engine != "" {
				q.Spec.Engine = c.engine
				s.Referee(q)
				s.Excuse()
				s.Lenient()
			}
			limit := func(n int) {
				if err := s.World.SetTemplateVersionLimit(n); err != nil {
					t.Fatal(err)
				}
			}
			if c.fault.Calls != "" {
				inject(t, s, c.fault)
			} else {
				limit(2)
			}
			back := func(pointer string) {
				t.Helper()
				s.World.Advance(5 * time.Minute)
				if g := s.Group(); rolltest.On(g, 1)+rolltest.On(g, 3) != 4 || g.Healthy() != 4 || g.Desired != 4 || len(g.Suspended) > 0 || g.Version != pointer {
					t.Errorf("the group is %+v, want 4 healthy members back on version 1, and the pointer on %s\n%s", g, pointer, s.Story())
				}
			}
			for range 2 { // as long as it is not cured
				_, err := s.Roll(t.Context(), q)
				e := ended(t, s, err, rollout.Paused)
				if want := "the group is back on version 1, but no copy of that could be published: "; !strings.Contains(e.Happened, want) || !strings.Contains(e.Happened, c.says) {
					t.Errorf("it says %q, want %q and %q in it", e.Happened, want, c.says)
				}
				if want := "may launch from version 2."; !strings.Contains(e.Next, want) {
					t.Errorf("next is %q, want %q in it", e.Next, want)
				}
				back(c.at)
			}
			s.World.ClearFaults()
			limit(3)
			_, err := s.Roll(t.Context(), q)
			_ = ended(t, s, err, rollout.RolledBack)
			if at := c.shape.Pointer; at == "" || at == "2" {
				back("3")
			} else {
				back(at)
			}
		})
	}
}

// TestEdge_noCopyBroken: nothing but its number tells a member that the rollback
// launches from one that was there. Without a copy, one that does not come up is held
// against the rollback.
func TestEdge_noCopyBroken(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
	old := s.Group().Members[0].Image
	s.World.BeforeCall("ec2:CreateLaunchTemplateVersion", 1, func() {
		s.World.SetImageBehaviour(old, awssim.ImageBehaviour{NeverHealthy: true})
		inject(t, s, awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Deny})
	})
	_, err := s.Roll(t.Context(), rolltest.Request(50, 100))
	if e := ended(t, s, err, rollout.FailedRoll); !strings.Contains(e.Happened, "then the rollback failed: member i-") {
		t.Errorf("it says %q", e.Happened)
	}
}

// TestEdge_endsDenied: without permission to end members a rollback gets nowhere,
// and what was suspended is resumed all the same.
func TestEdge_endsDenied(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
	inject(t, s, awssim.Fault{Calls: "autoscaling:TerminateInstanceInAutoScalingGroup", Kind: awssim.Deny})
	_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
	e := ended(t, s, err, rollout.FailedRoll)
	for _, m := range s.Group().Members {
		if m.Version == 2 && (!strings.Contains(e.State, m.ID+" of version 2 is unhealthy in target group web") || !strings.Contains(e.Next, m.ID)) {
			t.Errorf("nothing is said of %s:\n%s\n%s", m.ID, e.State, e.Next)
		}
	}
	for _, want := range []string{"one at a time, for each of ", "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id ID --no-should-decrement-desired-capacity"} {
		if !strings.Contains(e.Next, want) {
			t.Errorf("next = %q, want %q in it", e.Next, want)
		}
	}
	if g := s.Group(); len(g.Suspended) > 0 || g.Version != "3" {
		t.Errorf("after the failed rollback: pointer %s, suspended %v, want the copy 3 and nothing\n%s", g.Version, g.Suspended, s.Story())
	}
}

// TestEdge_floatingRollback rolls groups back that follow a floating pointer,
// which must mean the good data again at the end.
func TestEdge_floatingRollback(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		shape   rolltest.Shape
		pointer string
	}{
		{"latest", rolltest.Shape{Pointer: "$Latest"}, "$Latest"},
		{"default on the old one", rolltest.Shape{Pointer: "$Default"}, "$Default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shape.Members, c.shape.Image = 4, "never_healthy = true"
			s := rolltest.New(t, c.shape)
			_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
			_ = ended(t, s, err, rollout.RolledBack)
			if g := s.Group(); g.Version != c.pointer || rolltest.On(g, 1) != 4 {
				t.Errorf("pointer = %s, want %s\n%s", g.Version, c.pointer, s.Story())
			}
		})
	}
}

// TestEdge_rollbackPaused interrupts a rollback in each phase; the next owner
// finishes it and still knows what had failed.
func TestEdge_rollbackPaused(t *testing.T) {
	t.Parallel()
	for at := 10 * time.Minute; at < 13*time.Minute; at += 20 * time.Second {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
		q := rolltest.Request(50, 100)
		ctx, cancel := context.WithCancel(t.Context())
		s.World.At(at, cancel)
		s.Referee(q)
		s.Excuse()
		_, err := s.Roll(ctx, q)
		if e, ok := errorOf(err); ok && e.Report.Outcome == rollout.RolledBack {
			break
		}
		_ = ended(t, s, err, rollout.Paused)
		s.Roller = s.NewRoller("second", 2)
		_, err = s.Roll(t.Context(), q)
		if err == nil {
			t.Fatalf("stopped after %s: succeeded with a broken image\n%s", at, s.Story())
		}
		e := ended(t, s, err, rollout.RolledBack)
		if strings.Contains(e.Happened, "interrupted") || !strings.Contains(e.Happened, "instance_timeout") {
			t.Errorf("stopped after %s: happened = %q, want what failed", at, e.Happened)
		}
		if g := s.Group(); g.Desired != 4 || g.Healthy() != 4 || rolltest.On(g, 2) != 0 {
			t.Errorf("stopped after %s: %+v\n%s", at, g, s.Story())
		}
	}
}

// TestEdge_rollbackWanted interrupts a rollback and then asks for the version
// that it goes back to: that is what happens, and it is no error.
func TestEdge_rollbackWanted(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
	q := rolltest.Request(50, 100)
	s.Referee(q)
	s.Excuse()
	ctx, cancel := context.WithCancel(t.Context())
	s.World.BeforeCall("ec2:CreateLaunchTemplateVersion", 1, cancel)
	_, err := s.Roll(ctx, q)
	_ = ended(t, s, err, rollout.Paused)
	s.Roller = s.NewRoller("second", 2)
	q.Version = "1"
	report, err := s.Roll(t.Context(), q)
	if err != nil || report.Outcome != rollout.Succeeded || report.To.Number != 1 || report.Reason != "" {
		t.Errorf("roll back to version 1: %v, report %+v, want it succeeded without a word\n%s", err, report, s.Story())
	}
	if g := s.Group(); rolltest.On(g, 1)+rolltest.On(g, 3) != 4 || g.Desired != 4 || len(g.Suspended) > 0 { // 3 is the copy
		t.Errorf("after it: %+v\n%s", g, s.Story())
	}
}
