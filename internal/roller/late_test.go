package roller_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestLate_launch freezes an owner just before one of its launches. Its
// successor waits out the lease and rolls; then the launch lands, at any of the
// successor's calls. It is surge of ours, and ended again.
func TestLate_launch(t *testing.T) {
	t.Parallel()
	for frozen := range 2 {
		for at := 6; ; at += 3 {
			s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 12})
			q := rolltest.Request(100, 150)
			q.LockTimeout = 10 * time.Minute
			s.Referee(q)
			s.Lenient() // a frozen owner lands one call, whatever the limits are then
			land := s.Freeze(t.Context(), q, "LaunchInstances", frozen)
			if land == nil {
				t.Fatalf("the roll has no launch %d\n%s", frozen, s.Story())
			}
			s.Roller = s.NewRoller("second", 2)
			const looking = "autoscaling:DescribeAutoScalingGroups"
			landed, looks := false, 0
			s.OnCall(func(n int) {
				if n == at {
					if status := land(); status != http.StatusOK {
						t.Errorf("launch %d lands at call %d: AWS answers %d", frozen, at, status)
					}
					landed, looks = true, s.World.Calls()[looking]
				}
			})
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("launch %d lands at call %d: %v\n%s", frozen, at, err, s.Story())
			}
			if !landed {
				break
			}
			if s.World.Calls()[looking] == looks {
				continue // nobody has looked since
			}
			s.Settled(2)
			if t.Failed() {
				t.Fatalf("launch %d lands at call %d", frozen, at)
			}
		}
	}
}
