package roller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestPointed_killed kills a roll that was asked for no version, which is to make
// members run what the group points at, at its calls in turn. While it lasts the
// group may be on another number: the next roll goes on to where the first one
// went, and the group has its own text again.
func TestPointed_killed(t *testing.T) {
	t.Parallel()
	for _, engine := range engines {
		for _, pointer := range []string{"$Latest", "$Default", "2"} {
			t.Run(fmt.Sprint(engine, " ", pointer), func(t *testing.T) {
				t.Parallel()
				pinned := 0
				for n := 0; ; n += 3 {
					s := rolltest.New(t, rolltest.Shape{Members: 4, Pointer: pointer, Group: "launched_from = 1\n health_check = \"ELB\""})
					moveDefault(t, s)
					q := rolltest.Request(100, 150)
					q.Version, q.Spec.Engine, q.LockTimeout = "", engine, 10*time.Minute
					s.Referee(q)
					s.Excuse()
					s.Lenient()
					if !s.Crash(t.Context(), q, n, true) {
						break
					}
					if s.Group().Version == "1" {
						pinned++
					}
					s.Roller = s.NewRoller("second", 2)
					if a, err := s.Roller.Assess(t.Context(), q); err != nil || a.Target.Number != 2 {
						t.Fatalf("crash at %d: a plan goes to version %d, %v, want 2\n%s", n, a.Target.Number, err, s.Story())
					}
					if report, err := s.Roll(t.Context(), q); err != nil || report.To.Number != 2 {
						t.Fatalf("crash at %d, resume: to version %d, %v\n%s", n, report.To.Number, err, s.Story())
					}
					s.World.Advance(5 * time.Minute)
					s.Settled(2)
					if g := s.Group(); g.Version != pointer {
						t.Fatalf("crash at %d: the group points at %s, want %s\n%s", n, g.Version, pointer, s.Story())
					}
				}
				if engine == rollout.EngineRefresh && pinned < 5 {
					t.Errorf("killed %d times while the group was on version 1", pinned)
				}
			})
		}
	}
}
