package roller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestOthers_haltBatch: somebody scales in between two ends of a batch. AWS's
// answer to the next end tells, and the rest of the batch is not made.
func TestOthers_haltBatch(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 8})
	q := rolltest.Request(100, 200)
	ends := func() int { return s.World.Calls()["autoscaling:TerminateInstanceInAutoScalingGroup"] }
	var at time.Duration
	before, same := 0, 0
	s.World.OnTick(func() {
		if at > 0 && s.Elapsed() < at+time.Second {
			same = ends()
		}
	})
	s.World.BeforeCall("autoscaling:TerminateInstanceInAutoScalingGroup", 3, func() {
		at, before = s.Elapsed(), ends()
		s.Lenient()
		s.Outside(7)
		if err := s.World.Act(awssim.Action{Do: "set_desired", Group: "web", Value: 7}); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.World.Advance(5 * time.Minute)
	if same != before || !strings.Contains(s.Story(), "others have changed the desired capacity meanwhile: it was 7 and not 14") {
		t.Errorf("%d ends when somebody wrote 7, %d at once, want no more\n%s", before, same, s.Story())
	}
	s.Settled(2)
}

// TestOthers_rollBack: somebody rolls the roll's own instance refresh back. That is
// their wish, and says nothing of the image: another apply tries it again.
func TestOthers_rollBack(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{})
	act(t, s, 3*time.Minute, awssim.Action{Do: "rollback_refresh"})
	_, err := s.Roll(t.Context(), q)
	e := ended(t, s, err, rollout.Superseded)
	if !strings.Contains(e.Happened, "somebody else rolled instance refresh") {
		t.Errorf("happened = %q\n%s", e.Happened, s.Story())
	}
	inOrder(t, s, 1)
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("again: %v\n%s", err, s.Story())
	}
	inOrder(t, s, 2)
}

// TestOthers_undone: the roll's instance refresh ended while nobody watched it, and
// somebody's own has undone it since. That is told once; whoever asks again after
// that gets another refresh.
func TestOthers_undone(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{})
	if !s.Crash(t.Context(), q, 12, true) {
		t.Fatalf("it ended before\n%s", s.Story())
	}
	s.World.Advance(20 * time.Minute)
	if err := s.World.Act(awssim.Action{Do: "start_refresh", Group: "web", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	s.World.Advance(20 * time.Minute)
	inOrder(t, s, 1)
	s.Roller = s.NewRoller("second", 2)
	_, err := s.Roll(t.Context(), q)
	if e := ended(t, s, err, rollout.Paused); !strings.Contains(e.Happened, "4 members were not replaced") {
		t.Errorf("happened = %q\n%s", e.Happened, s.Story())
	}
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("again: %v\n%s", err, s.Story())
	}
	inOrder(t, s, 2)
}
