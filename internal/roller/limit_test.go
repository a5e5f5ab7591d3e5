package roller_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// strike breaks or kills so many new members, each as soon as it is healthy.
func strike(t *testing.T, s *rolltest.Stage, do string, times int) {
	t.Helper()
	struck := map[string]bool{}
	s.World.OnTick(func() {
		g, _ := s.World.Group("web")
		for _, m := range g.Members {
			if m.Version != 2 || !m.Healthy() || struck[m.ID] || len(struck) == times {
				continue
			}
			struck[m.ID] = true
			s.World.At(0, func() {
				if err := s.World.Act(awssim.Action{Do: do, Group: "web", Instance: m.ID}); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestLimit_tolerated lets new members fail, fewer than failure_limit: others
// take their places and the roll succeeds.
func TestLimit_tolerated(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"break", "kill"} {
		for _, p := range [][2]int{{100, 150}, {100, 110}, {75, 100}, {50, 100}} {
			for times := 1; times < 4; times++ {
				t.Run(fmt.Sprintf("%s %d at %v", do, times, p), func(t *testing.T) {
					t.Parallel()
					s := rolltest.New(t, rolltest.Shape{Members: 4})
					q := rolltest.Request(p[0], p[1])
					q.Spec.FailureLimit = times + 1
					s.Referee(q)
					s.Excuse()
					strike(t, s, do, times)
					report, err := s.Roll(t.Context(), q)
					if err != nil {
						t.Fatalf("roll: %v\n%s", err, s.Story())
					}
					s.Settled(2)
					if report.Failed != times || !strings.Contains(strings.Join(report.Warnings, " "), fmt.Sprintf("failure_limit is %d", times+1)) {
						t.Errorf("%d failed, warnings %q, want %d\n%s", report.Failed, report.Warnings, times, s.Story())
					}
				})
			}
		}
	}
}

// TestLimit_reached rolls to an image that never becomes healthy: the roll goes
// back at the limit and says how many had failed.
func TestLimit_reached(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]int{{100, 110}, {75, 100}} {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Image: "never_healthy = true"})
		q := rolltest.Request(p[0], p[1])
		q.Spec.FailureLimit = 3
		s.Referee(q)
		s.Excuse()
		_, err := s.Roll(t.Context(), q)
		e := ended(t, s, err, rollout.RolledBack)
		if e.Report.Failed != 3 || !strings.Contains(e.Happened, "3 new members have failed and failure_limit is 3") {
			t.Errorf("%v: %d failed, happened %q\n%s", p, e.Report.Failed, e.Happened, s.Story())
		}
		if g := s.Group(); g.Desired != 4 || g.Healthy() != 4 || rolltest.On(g, 2) != 0 || len(g.Suspended) > 0 {
			t.Errorf("%v: after the rollback: %+v\n%s", p, g, s.Story())
		}
	}
}
