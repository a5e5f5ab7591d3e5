package roller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestRefresh_forecast compares the forecast of a roll by an instance refresh
// with how long it takes, once the group's durations are known.
func TestRefresh_forecast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		members, low, high int
		checkpoints        []rollout.Checkpoint
		bake               time.Duration
	}{
		{members: 4, low: 100, high: 150},
		{members: 4, low: 100, high: 110},
		{members: 4, low: 75, high: 100},
		{members: 10, low: 90, high: 110},
		{members: 10, low: 50, high: 100, bake: 5 * time.Minute},
		{members: 10, low: 100, high: 120, checkpoints: []rollout.Checkpoint{{Percentage: 20, Bake: 3 * time.Minute}, {Percentage: 50, Bake: 3 * time.Minute}}},
		{members: 1, low: 100, high: 200},
	} {
		t.Run(fmt.Sprintf("%d at %d-%d", c.members, c.low, c.high), func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: c.members, Group: `health_check = "ELB"`})
			q := rolltest.Request(c.low, c.high)
			q.Spec.Engine, q.Spec.Checkpoints, q.Spec.FinalBake = rollout.EngineRefresh, c.checkpoints, c.bake
			if _, err := s.Roller.Roll(t.Context(), q); err != nil { // learns
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			s.World.Advance(5 * time.Minute)
			q.Version = "1"
			a, err := s.Roller.Assess(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			lowest, highest := c.members, 0
			s.World.OnTick(func() {
				g, _ := s.World.Group("web")
				lowest, highest = min(lowest, g.Healthy()), max(highest, g.Launched())
			})
			report, err := s.Roller.Roll(t.Context(), q)
			if err != nil {
				t.Fatalf("roll back: %v\n%s", err, s.Story())
			}
			f := a.Forecast
			if off := f.Duration.Seconds()/report.Duration.Seconds() - 1; off < -0.2 || off > 0.2 {
				t.Errorf("forecast %s in %d batches, took %s\n%s", f.Duration, f.Batches, report.Duration, s.Story())
			}
			if f.Lowest != lowest || f.Highest != highest {
				t.Errorf("forecast %d healthy and %d launched, were %d and %d", f.Lowest, f.Highest, lowest, highest)
			}
		})
	}
}
