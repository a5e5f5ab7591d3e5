package roller_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

func TestRoll_shapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		members          int
		low, high        int
		wantLow, wantTop int
	}{
		{"one launches first", 1, 100, 150, 1, 2},
		{"one ends first", 1, 90, 100, 0, 1},
		{"four launch first", 4, 100, 150, 4, 6},
		{"four end first", 4, 90, 100, 3, 4},
		{"four double", 4, 100, 200, 4, 8},
		{"twenty launch first", 20, 100, 150, 20, 30},
		{"twenty end first", 20, 90, 100, 18, 20},
		{"twenty do both", 20, 90, 110, 18, 22},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: c.members})
			report, err := s.Roll(t.Context(), rolltest.Request(c.low, c.high))
			if err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			s.Settled(2)
			if report.Outcome != rollout.Succeeded || report.Counts.Lowest < c.wantLow || report.Counts.Highest > c.wantTop {
				t.Errorf("report = %+v, want succeeded within %d and %d", report, c.wantLow, c.wantTop)
			}
			t.Logf("took %s; calls %v", s.Elapsed(), s.World.Calls())
		})
	}
}

func TestRoll_brokenImage(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
	_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
	var e *roller.Error
	if !errors.As(err, &e) || e.Report == nil || e.Report.Outcome != rollout.RolledBack {
		t.Fatalf("roll = %v, want a rollback\n%s", err, s.Story())
	}
	t.Log(e)
	if n := rolltest.On(s.Group(), 1); n != 4 {
		t.Errorf("%d members run version 1, want 4", n)
	}
	if g := s.Group(); g.Version != "3" || g.Desired != 4 {
		t.Errorf("group = %+v, want it on the copy, 3, with 4 members", g)
	}
	t.Log(s.Elapsed(), s.Story())
	_ = time.Second
}
