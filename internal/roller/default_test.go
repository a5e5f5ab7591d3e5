package roller_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// templates reads and changes the template of a stage as its user would.
type templates struct {
	*testing.T
	api *ec2.Client
}

func templatesOf(t *testing.T, s *rolltest.Stage) templates {
	return templates{t, ec2.NewFromConfig(s.World.Config())}
}

// byDefault is the number of the template's default version.
func (e templates) byDefault() int64 {
	e.Helper()
	out, err := e.api.DescribeLaunchTemplates(context.Background(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"web"}})
	if err != nil {
		e.Fatal(err)
	}
	return aws.ToInt64(out.LaunchTemplates[0].DefaultVersionNumber)
}

func (e templates) move(version string) {
	e.Helper()
	if _, err := e.api.ModifyLaunchTemplate(context.Background(), &ec2.ModifyLaunchTemplateInput{
		LaunchTemplateName: aws.String("web"), DefaultVersion: aws.String(version),
	}); err != nil {
		e.Error(err)
	}
}

// copy makes one more version from another.
func (e templates) copy(version string) {
	e.Helper()
	if _, err := e.api.CreateLaunchTemplateVersion(context.Background(), &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateName: aws.String("web"), SourceVersion: aws.String(version), LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeC5Large},
	}); err != nil {
		e.Error(err)
	}
}

func afterRoll() roller.Request {
	q := rolltest.Request(100, 150)
	q.Spec.SetDefault = true
	return q
}

// TestDefault_afterRoll: the default version moves when every member runs the
// target and not a call earlier, whatever the group points at; it stays where a
// roll fails, or where somebody else has put it meanwhile.
func TestDefault_afterRoll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pointer, image string
		engine               rollout.Engine
		unasked              bool
		theirs               string // default that somebody sets in the middle; empty: nobody
		outcome              rollout.Outcome
		byDefault            int64
		at, warning          string // what the group points at in the end; what the report warns of
	}{
		{name: "number", outcome: rollout.Succeeded, byDefault: 2, at: "2"},
		{name: "number, not asked for", unasked: true, outcome: rollout.Succeeded, byDefault: 1, at: "2"},
		{name: "number, instance refresh", engine: rollout.EngineRefresh, outcome: rollout.Succeeded, byDefault: 2, at: "2"},
		{name: "$Latest", pointer: "$Latest", outcome: rollout.Succeeded, byDefault: 2, at: "$Latest"},
		{name: "$Default", pointer: "$Default", outcome: rollout.Succeeded, byDefault: 2, at: "$Default"},
		{name: "$Default, not asked for", pointer: "$Default", unasked: true, outcome: rollout.Succeeded, byDefault: 2, at: "$Default"},
		{name: "a broken image", image: "never_healthy = true", outcome: rollout.RolledBack, byDefault: 1, at: "3"},
		{
			name: "somebody moves it", theirs: "3", outcome: rollout.Succeeded, byDefault: 3, at: "2",
			warning: "The launch template's default version was moved from 1 to 3 by somebody else, and stays there.",
		},
		{name: "somebody moves it there", theirs: "2", outcome: rollout.Succeeded, byDefault: 2, at: "2"},
		{
			name: "$Default, somebody moves it", pointer: "$Default", theirs: "3", outcome: rollout.Succeeded, byDefault: 3, at: "2",
			warning: "The launch template's default version was moved from 1 to 3 by somebody else, and stays there; the group pointed at $Default, which is not version 2; it stays on the number.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shape, q := rolltest.Shape{Members: 4, Pointer: c.pointer, Image: c.image, Group: "launched_from = 1"}, afterRoll()
			s := rolltest.New(t, shape)
			if c.engine == rollout.EngineRefresh {
				s, q = refreshed(t, shape)
			}
			e := templatesOf(t, s)
			q.Spec.SetDefault = !c.unasked
			if c.theirs != "" {
				e.copy("1")
				s.World.At(2*time.Minute, func() { e.move(c.theirs) })
			}
			s.OnCall(func(n int) {
				if e.byDefault() == 2 && c.theirs != "2" && rolltest.On(s.Group(), 2) != 4 {
					t.Errorf("before call %d the default is version 2, and %d of 4 members run it\n%s", n, rolltest.On(s.Group(), 2), s.Story())
				}
			})
			report, err := s.Roll(t.Context(), q)
			if c.outcome == rollout.Succeeded && err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			if c.outcome != rollout.Succeeded {
				_ = ended(t, s, err, c.outcome)
			}
			if byDefault := e.byDefault(); byDefault != c.byDefault || s.Group().Version != c.at {
				t.Errorf("the default is %d and the group points at %s, want %d and %s\n%s", byDefault, s.Group().Version, c.byDefault, c.at, s.Story())
			}
			want := []string{}
			if c.warning != "" {
				want = append(want, c.warning)
			}
			if !slices.Equal(report.Warnings, want) && len(report.Warnings)+len(want) > 0 {
				t.Errorf("warnings = %q, want %q", report.Warnings, want)
			}
		})
	}
}

// TestDefault_crash kills the process at each call from the last replacement on.
// The next owner finishes, and the default moves once all is in order.
func TestDefault_crash(t *testing.T) {
	t.Parallel()
	reached := 0
	for n := 20; ; n++ {
		s := rolltest.New(t, rolltest.Shape{Members: 2, Group: "launched_from = 1"})
		q := afterRoll()
		if !s.Crash(t.Context(), q, n, n%2 == 0) {
			break
		}
		reached++
		s.Roller = s.NewRoller("second", 2)
		q.LockTimeout = 10 * time.Minute // the dead one's lease has to run out
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("after a crash at call %d: %v\n%s", n, err, s.Story())
		}
		s.Settled(2)
		if byDefault := templatesOf(t, s).byDefault(); byDefault != 2 {
			t.Errorf("after a crash at call %d the default is version %d, want 2\n%s", n, byDefault, s.Story())
		}
	}
	if reached < 5 {
		t.Errorf("only %d calls were reached", reached)
	}
}

// TestDefault_denied: without the permission to move the default, the roll stops
// with all members in order, says so, and goes on when it is run again.
func TestDefault_denied(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 2, Group: "launched_from = 1"})
	inject(t, s, awssim.Fault{Calls: "ec2:ModifyLaunchTemplate", Kind: awssim.Deny})
	_, err := s.Roll(t.Context(), afterRoll())
	e := ended(t, s, err, rollout.Paused)
	if !strings.Contains(e.Happened, "UnauthorizedOperation") {
		t.Errorf("error = %v, want AWS's code", e)
	}
	s.World.ClearFaults()
	s.Roller = s.NewRoller("second", 2)
	if _, err := s.Roll(t.Context(), afterRoll()); err != nil {
		t.Fatalf("again: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	if byDefault := templatesOf(t, s).byDefault(); byDefault != 2 {
		t.Errorf("the default is version %d, want 2\n%s", byDefault, s.Story())
	}
}
