package roller_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestReturn_impossible rolls to a broken image where there is no way back: the
// plan says so, and the roll pauses and leaves the old members as they are.
func TestReturn_impossible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(t *testing.T, s *rolltest.Stage)
		want string
	}{
		{"the image is deregistered", func(_ *testing.T, s *rolltest.Stage) {
			s.World.SetImageState(s.Group().Members[0].Image, "deregistered")
		}, "is deregistered"},
		{"the image is disabled", func(_ *testing.T, s *rolltest.Stage) {
			s.World.SetImageState(s.Group().Members[0].Image, "disabled")
		}, "is disabled"},
		{"the version is deleted", func(t *testing.T, s *rolltest.Stage) {
			t.Helper()
			_, err := ec2.NewFromConfig(s.World.Config()).DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{
				LaunchTemplateName: aws.String("web"), Versions: []string{"1"},
			})
			if err != nil {
				t.Fatal(err)
			}
		}, "was deleted"},
	} {
		for _, p := range [][2]int{{100, 150}, {75, 100}} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s := rolltest.New(t, rolltest.Shape{
					Members: 4, Pointer: "2", Group: "launched_from = 1", Image: "never_healthy = true",
				})
				moveDefault(t, s)
				c.do(t, s)
				q := rolltest.Request(p[0], p[1])
				a, err := s.Roller.Assess(t.Context(), q)
				if err != nil || !strings.Contains(strings.Join(a.Warnings, "; "), `becomes "pause"`) || !strings.Contains(strings.Join(a.Warnings, "; "), c.want) {
					t.Fatalf("plan warns of %q (%v), want the pause and %q", a.Warnings, err, c.want)
				}
				_, err = s.Roll(t.Context(), q)
				e := ended(t, s, err, rollout.Paused)
				if !strings.Contains(e.Happened, "instance_timeout") || !strings.Contains(e.Happened, c.want) {
					t.Errorf("happened = %q, want the failure and %q", e.Happened, c.want)
				}
				if g := s.Group(); rolltest.On(g, 1) < 3 || len(g.Suspended) > 0 || g.Desired != 4 {
					t.Errorf("after the pause: %+v\n%s", g, s.Story())
				}
				if strings.Contains(s.Story(), "copy version") {
					t.Errorf("a rollback was tried\n%s", s.Story())
				}
			})
		}
	}
}

// moveDefault makes version 2 the default, so that version 1 may be deleted.
func moveDefault(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	client := ec2.NewFromConfig(s.World.Config())
	_, err := client.ModifyLaunchTemplate(t.Context(), &ec2.ModifyLaunchTemplateInput{
		LaunchTemplateName: aws.String("web"), DefaultVersion: aws.String("2"),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReturn_possible: where nothing is gone the plan does not warn, nor where
// nobody asked for a rollback.
func TestReturn_possible(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	a, err := s.Roller.Assess(t.Context(), q)
	if err != nil || len(a.Warnings) > 0 {
		t.Errorf("warnings = %q, %v, want none", a.Warnings, err)
	}
	s.World.SetImageState(s.Group().Members[0].Image, "deregistered")
	q.Spec.OnFailure = rollout.Pause
	s.Roller = s.NewRoller("second", 2)
	if a, err = s.Roller.Assess(t.Context(), q); err != nil || len(a.Warnings) > 0 {
		t.Errorf("with on_failure = pause: warnings = %q, %v, want none", a.Warnings, err)
	}
}

// TestReturn_unknown: without the permission to look at images the roll goes on
// as if nothing were gone.
func TestReturn_unknown(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	inject(t, s, awssim.Fault{Calls: "ec2:DescribeImages", Kind: awssim.Deny})
	report, err := s.Roll(t.Context(), rolltest.Request(100, 150))
	if err != nil || len(report.Warnings) > 0 {
		t.Errorf("roll = %v, warnings %q, want neither\n%s", err, report.Warnings, s.Story())
	}
	s.Settled(2)
}
