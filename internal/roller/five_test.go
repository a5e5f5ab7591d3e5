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
	const call = 250 * time.Millisecond
	for _, members := range []int{4, 100} {
		for _, p := range [][2]int{{100, 150}, {90, 100}} {
			t.Run(fmt.Sprintf("%d at %v", members, p), func(t *testing.T) {
				t.Parallel()
				for at := 2 * time.Second; at < 6*time.Minute; at += 31 * time.Second {
					s := rolltest.New(t, rolltest.Shape{Members: members, Pointer: "$Default"})
					s.OnCall(func(int) { s.World.Advance(call) })
					ctx, cancel := context.WithCancel(t.Context())
					var asked time.Duration
					s.World.At(at, func() { asked = s.Elapsed(); cancel() })
					_, err := s.Roll(ctx, rolltest.Request(p[0], p[1]))
					if err == nil {
						break // it was over
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
					if t.Failed() {
						t.Fatalf("%s", s.Story())
					}
				}
			})
		}
	}
}
