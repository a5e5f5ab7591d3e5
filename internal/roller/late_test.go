package roller_test

import (
	"fmt"
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

// TestLate_settling: a call that a silent owner had in flight lands within a minute of
// the takeover, whoever waits for it: the journal on SSM, the roll itself on S3. A
// successor that did not would launch the same again, and be above the ceiling then.
func TestLate_settling(t *testing.T) {
	t.Parallel()
	for _, inS3 := range []bool{false, true} {
		t.Run(fmt.Sprintf("S3 %t", inS3), func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 12, S3: inS3})
			q := rolltest.Request(100, 150)
			q.LockTimeout = 10 * time.Minute
			land := s.Freeze(t.Context(), q, "LaunchInstances", 0)
			if land == nil {
				t.Fatalf("the roll launches nothing\n%s", s.Story())
			}
			landed := 0
			s.World.At(3*time.Minute+50*time.Second, func() { landed = land() }) // the lease runs for 3m
			s.Roller = s.NewRoller("second", 2)
			if _, err := s.Roll(t.Context(), q); err != nil || landed != http.StatusOK {
				t.Fatalf("AWS answers the late launch with %d, and the roll ends with %v\n%s", landed, err, s.Story())
			}
			s.Settled(2)
		})
	}
}
