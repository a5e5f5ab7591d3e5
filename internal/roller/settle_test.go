package roller_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// settled settles a group of four in a second process until nothing is left, and
// checks that all is as the roll found it. No referee watches: a resumed
// AZRebalance launches beyond the ceiling as it likes.
func settled(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	const members = 4
	s.Roller = s.NewRoller("second", 2)
	for range 10 {
		done, err := s.Roller.Settle(t.Context(), "web", 10*time.Minute)
		if err != nil {
			t.Fatalf("settle: %v\n%s", err, s.Story())
		}
		if len(done.Left) == 0 {
			break
		}
		s.World.Advance(time.Minute)
	}
	s.World.Advance(5 * time.Minute)
	g := s.Group()
	if g.Desired != members || g.Healthy() < members || g.Launched() != members || len(g.Suspended) > 0 {
		t.Errorf("after settling: desired %d, launched %d, healthy %d, suspended %v, want %d members in order\n%s",
			g.Desired, g.Launched(), g.Healthy(), g.Suspended, members, s.Story())
	}
	if again, err := s.Roller.Settle(t.Context(), "web", 0); err != nil || !again.Nothing {
		t.Errorf("settle again = %+v, %v, want nothing left\n%s", again, err, s.Story())
	}
}

// TestSettle_killed kills the owner of a roll before and after each of its
// calls: what it left can always be put back without another roll.
func TestSettle_killed(t *testing.T) {
	t.Parallel()
	for _, high := range []int{150, 100} {
		t.Run(fmt.Sprint(high), func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				s := rolltest.New(t, rolltest.Shape{Members: 4})
				q := rolltest.Request(75, high)
				if high > 100 {
					q.Spec.MinHealthy = 100
				}
				if !s.Crash(t.Context(), q, n/2, n%2 == 1) {
					break
				}
				settled(t, s)
				if t.Failed() {
					t.Fatalf("killed at call %d", n/2)
				}
			}
		})
	}
}

// TestSettle_denied: what could not be put back stays on record, is told, and
// is put back once it can be.
func TestSettle_denied(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	inject(t, s, awssim.Fault{Calls: "autoscaling:ResumeProcesses", Kind: awssim.Deny, For: 6 * time.Minute})
	ctx, interrupt := context.WithCancel(t.Context())
	s.World.At(2*time.Minute, interrupt)
	_, _ = s.Roll(ctx, q) // how it ends is in the journal
	done, err := s.NewRoller("second", 2).Settle(t.Context(), "web", 0)
	if err != nil || len(done.Left) != 1 || done.Left[0] != "suspended: AZRebalance, InstanceRefresh" {
		t.Fatalf("settle = %+v, %v, want two processes left\n%s", done, err, s.Story())
	}
	s.World.Advance(5 * time.Minute)
	settled(t, s)
}

// TestSettle_held leaves a roll alone that somebody is at work on.
func TestSettle_held(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	s.Crash(t.Context(), rolltest.Request(100, 150), 14, true)
	_, err := s.NewRoller("second", 2).Settle(t.Context(), "web", time.Minute)
	var held *journal.HeldError
	if !errors.As(err, &held) || held.Held.Owner.Name != "first" {
		t.Errorf("settle = %v, want that first holds the group", err)
	}
}

// TestSettle_nothing does nothing where there is nothing to do.
func TestSettle_nothing(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 2})
	if done, err := s.Roller.Settle(t.Context(), "web", 0); err != nil || !done.Nothing || done.Found.State != "" {
		t.Errorf("settle = %+v, %v, want no roll on record", done, err)
	}
	if _, err := s.Roller.Settle(t.Context(), "wob", 0); !errors.Is(err, roller.ErrNotFound) {
		t.Errorf("settle = %v, want that there is no such group", err)
	}
	if waited := s.Elapsed(); waited > time.Minute {
		t.Errorf("a group that does not exist was waited for %s, want at most a minute", waited)
	}
}

// Settling stops in time to write down what is left when the credentials are
// about to expire; the next one finishes.
func TestSettle_expiring(t *testing.T) {
	t.Parallel()
	var s *rolltest.Stage
	var done roller.Settlement
	var err error
	var ends time.Time
	for n := 0; ends.IsZero(); n++ { // until settling has to wait for something
		s = rolltest.New(t, rolltest.Shape{Members: 4})
		if !s.Crash(t.Context(), rolltest.Request(100, 150), n, true) {
			t.Fatal("no crash leaves anything to wait for")
		}
		s.Roller = s.NewRoller("second", 2)
		s.Roller.Expires = func(context.Context) time.Time {
			if e, _, err := s.Roller.Journal.Peek(t.Context(), s.Group().ARN); err == nil && e.Owner.Name == "second" && ends.IsZero() {
				ends = s.World.Clock().Now().Add(20 * time.Second) // from the first look on after the lease is its
			}
			return ends
		}
		done, err = s.Roller.Settle(t.Context(), "web", 10*time.Minute)
	}
	if err != nil || len(done.Left) == 0 || s.World.Clock().Now().After(ends) {
		t.Fatalf("settle = %+v, %v at %s, want something left before %s\n%s", done, err, s.World.Clock().Now(), ends, s.Story())
	}
	if e, _, err := s.Roller.Journal.Peek(t.Context(), s.Group().ARN); err != nil || e.State != journal.Paused {
		t.Errorf("the journal is %s, %v, want it paused", e.State, err)
	}
	settled(t, s)
}
