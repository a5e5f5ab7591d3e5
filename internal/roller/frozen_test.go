package roller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestFrozen freezes the owner before each of its calls in turn until another one
// has taken over and rolled to the end. Awake again it makes the call that it was
// about to make, and no other.
func TestFrozen(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		s := rolltest.New(t, rolltest.Shape{Members: 6})
		q := rolltest.Request(100, 150)
		q.LockTimeout = 10 * time.Minute
		s.Referee(q)
		first, awake := s.Roller, -1
		s.OnCall(func(n int) {
			if n != at {
				return
			}
			s.Roller = s.NewRoller("second", 2)
			if _, err := s.Roller.Roll(t.Context(), q); err != nil {
				t.Errorf("frozen at call %d, the roll of the other one: %v\n%s", at, err, s.Story())
			}
			awake = len(s.Log)
		})
		_, err := first.Roll(t.Context(), q)
		if awake < 0 {
			t.Logf("%d points", at)
			return
		}
		calls := 0
		for _, line := range s.Log[awake:] {
			if strings.Contains(line, "  call   ") {
				calls++
			}
		}
		if calls > 1 {
			t.Errorf("frozen at call %d, it made %d calls when it was awake again (%v)\n%s", at, calls, err, s.Story())
		}
		if t.Failed() {
			return
		}
	}
}
