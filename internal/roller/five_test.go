package roller_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestFiveSeconds interrupts rolls in each phase, where each call takes a
// quarter of a second: five seconds later the pointer, the suspensions and the
// lease are settled, and a kill does no harm any more.
func TestFiveSeconds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		members   int
		low, high int
		all       bool // every signal is chosen, max size is raised, and a lock is held
	}{
		{members: 4, low: 100, high: 150},
		{members: 4, low: 90, high: 100},
		{members: 100, low: 100, high: 150},
		{members: 100, low: 90, high: 100},
		{members: 8, low: 100, high: 150, all: true},
		{members: 8, low: 75, high: 100, all: true},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			for at := 2 * time.Second; at < 12*time.Minute; at += 31 * time.Second {
				shape := rolltest.Shape{Members: c.members, Pointer: "$Default", Extra: "alarm \"web-5xx\" {}\nfunction \"smoke\" {}\n"}
				q := rolltest.Request(c.low, c.high)
				if c.all {
					shape.Max = c.members
					q.Spec.EC2Status, q.Spec.Alarms, q.Spec.RaiseMaxSize = true, []string{"web-5xx"}, true
					p := rollout.DefaultProbe("http://{private_ip}/")
					q.Spec.Probe = &p
					smoke(&q.Spec)
					q.Lock = roller.Lock{Key: "web", MaxHolders: 1}
				}
				s := rolltest.New(t, shape)
				if !stoppedInTime(t, s, q, at) {
					break // it was over
				}
				if t.Failed() {
					t.Fatalf("%s", s.Story())
				}
			}
		})
	}
}

// stoppedInTime interrupts a roll after a time, and checks what it has left and how
// soon; false: it was over by then.
func stoppedInTime(t *testing.T, s *rolltest.Stage, q roller.Request, at time.Duration) bool {
	t.Helper()
	s.OnCall(func(int) { s.World.Advance(250 * time.Millisecond) })
	ctx, cancel := context.WithCancel(t.Context())
	var asked time.Duration
	s.World.At(at, func() { asked = s.Elapsed(); cancel() })
	_, err := s.Roll(ctx, q)
	if err == nil {
		return false
	}
	took := s.Elapsed() - asked
	var e *roller.Error
	if !errors.As(err, &e) || took > 5*time.Second {
		t.Errorf("interrupted after %s: it took %s, %v\n%s", at, took, err, s.Story())
	}
	entry, found, err := s.Roller.Journal.Peek(t.Context(), s.Group().ARN)
	if err != nil || found && entry.State == journal.Running {
		t.Errorf("interrupted after %s: the journal says %s, %v", at, entry.State, err)
	}
	g := s.Group()
	proven := rolltest.On(g, 2) > 0 && e.Report != nil && e.Report.Outcome == rollout.Paused && g.Version == "2"
	if len(g.Suspended) > 0 || g.Version != "$Default" && g.Version != "1" && !proven {
		t.Errorf("interrupted after %s: suspended %v, pointer %s", at, g.Suspended, g.Version)
	}
	return true
}
