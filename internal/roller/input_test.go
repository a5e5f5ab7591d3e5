package roller_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestInput_refused is every reason not to begin: the message names it and the
// cure, and nothing was changed.
func TestInput_refused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		shape   rolltest.Shape
		prepare func(t *testing.T, s *rolltest.Stage)
		request func(q *roller.Request)
		want    []string
	}{
		{
			name: "unknown group", request: func(q *roller.Request) { q.Group = "wob" },
			want: []string{`Unable to roll Auto Scaling group "wob"`, `"wob" does not exist`, "Check the name, the region and the account"},
		},
		{
			name: "unknown version", request: func(q *roller.Request) { q.Version = "9" },
			want: []string{"has no version", "9", "Give a version that exists"},
		},
		{
			name: "another image", request: func(q *roller.Request) { q.Image = "ami-0123456789abcdef0" },
			want: []string{"Version 2 of the launch template has image ami-", "not ami-0123456789abcdef0"},
		},
		{
			name: "percentages", request: func(q *roller.Request) { q.Spec.MinHealthy, q.Spec.MaxHealthy = 100, 100 },
			want: []string{"max_healthy_percentage is 100 and min_healthy_percentage is 100 too", "raise max_healthy_percentage"},
		},
		{
			name: "no headroom", shape: rolltest.Shape{Members: 4, Max: 4},
			want: []string{"no headroom", "raise max_size of the group to at least 5", "lower min_healthy_percentage to 75"},
		},
		{name: "Launch suspended", prepare: suspend("Launch"), want: []string{"process Launch of the group is suspended", "resume-processes"}},
		{name: "Terminate suspended", prepare: suspend("Terminate"), want: []string{"process Terminate of the group is suspended"}},
		{name: "AddToLoadBalancer suspended", prepare: suspend("AddToLoadBalancer"), want: []string{"process AddToLoadBalancer of the group is suspended"}},
		{
			name: "instance refresh", prepare: doing(awssim.Action{Do: "start_refresh", Group: "web"}),
			want: []string{"An instance refresh of the group is running", "since 20", "cancel-instance-refresh"},
		},
		{name: "denied to look", prepare: deny("autoscaling:DescribeAutoScalingGroups"), want: []string{"autoscaling:DescribeAutoScalingGroups", "permissions guide"}},
		{name: "denied the journal", prepare: deny("ssm:PutParameter"), want: []string{"ssm:PutParameter", "permissions guide"}},
		{name: "journal of a newer version", prepare: corrupt(`{"schema":99,"v":99}`), want: []string{"newer Refit"}},
		{name: "journal unreadable", prepare: corrupt("not JSON"), want: []string{"is not a journal entry"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.shape.Members == 0 {
				c.shape.Members = 4
			}
			s := rolltest.New(t, c.shape)
			q := rolltest.Request(100, 150)
			if c.prepare != nil {
				c.prepare(t, s)
			}
			if c.request != nil {
				c.request(&q)
			}
			before := s.Group()
			_, err := s.Roller.Roll(t.Context(), q)
			var e *roller.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *roller.Error", err)
			}
			for _, want := range c.want {
				if !strings.Contains(e.Error(), want) {
					t.Errorf("got %q, want it to contain %q", e.Error(), want)
				}
			}
			if !strings.Contains(e.State, "Nothing was changed") {
				t.Errorf("state = %q", e.State)
			}
			if after := s.Group(); after.Version != before.Version || after.Desired != before.Desired || len(after.Members) != len(before.Members) ||
				len(after.Suspended) != len(before.Suspended) {
				t.Errorf("the group was changed from %+v to %+v", before, after)
			}
		})
	}
}

// TestInput_unknownGroupSoon: a name that is wrong is told soon. A group that
// was just created has some seconds to show.
func TestInput_unknownGroupSoon(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 2})
	q := rolltest.Request(100, 150)
	q.Group = "wob"
	if _, err := s.Roller.Roll(t.Context(), q); !errors.Is(err, roller.ErrNotFound) {
		t.Errorf("got %v, want %v", err, roller.ErrNotFound)
	}
	if waited := s.Elapsed(); waited > time.Minute {
		t.Errorf("a group that does not exist was waited for %s, want at most a minute", waited)
	}
}

func doing(a awssim.Action) func(*testing.T, *rolltest.Stage) {
	return func(t *testing.T, s *rolltest.Stage) {
		t.Helper()
		if err := s.World.Act(a); err != nil {
			t.Fatal(err)
		}
	}
}

func suspend(process string) func(*testing.T, *rolltest.Stage) {
	return doing(awssim.Action{Do: "suspend", Group: "web", Processes: []string{process}})
}

func deny(call string) func(*testing.T, *rolltest.Stage) {
	return func(t *testing.T, s *rolltest.Stage) {
		t.Helper()
		if _, err := s.World.Inject(awssim.Fault{Calls: call, Kind: awssim.Deny}); err != nil {
			t.Fatal(err)
		}
	}
}

// corrupt puts text where the journal's first entry would be.
func corrupt(text string) func(*testing.T, *rolltest.Stage) {
	return func(t *testing.T, s *rolltest.Stage) {
		t.Helper()
		_, err := ssm.NewFromConfig(s.World.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
			Name: aws.String("/refit/rolls/" + journal.Key(s.Group().ARN) + "/e1"), Value: aws.String(text), Type: ssmtypes.ParameterTypeString,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestInput_heldBySomebody(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	if !s.Crash(t.Context(), q, 12, false) {
		t.Fatal("the first roll was meant to be cut off")
	}
	s.Roller = s.NewRoller("second", 2)
	_, err := s.Roller.Roll(t.Context(), q)
	var e *roller.Error
	if !errors.As(err, &e) || !strings.Contains(e.Happened, "first holds it since 2026-11-16T09:00:00Z") || !strings.Contains(e.Next, "refit-runner watch web") {
		t.Errorf("got %v, want it to say who holds the group and since when", err)
	}
}

func TestInput_nothingToRoll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		shape rolltest.Shape
	}{
		{"zero members", rolltest.Shape{Members: 0, Max: 4}},
		{"max size 0", rolltest.Shape{Members: 0, Group: "# none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.name == "max size 0" {
				c.shape.Max = -1
			}
			s := rolltest.New(t, c.shape)
			report, err := s.Roll(t.Context(), rolltest.Request(100, 150))
			if err != nil || report.Outcome != rollout.Succeeded {
				t.Fatalf("roll = %v, %+v\n%s", err, report, s.Story())
			}
			if g := s.Group(); g.Version != "2" || g.Desired != 0 {
				t.Errorf("group = %+v, want its pointer on 2 and no members", g)
			}
		})
	}
}

func TestInput_deniedInTheMiddle(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"autoscaling:SuspendProcesses":                    "autoscaling:SuspendProcesses",
		"autoscaling:UpdateAutoScalingGroup":              "autoscaling:UpdateAutoScalingGroup",
		"autoscaling:LaunchInstances":                     "autoscaling:LaunchInstances",
		"autoscaling:TerminateInstanceInAutoScalingGroup": "autoscaling:TerminateInstanceInAutoScalingGroup",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 4})
			if _, err := s.World.Inject(awssim.Fault{Calls: call, Kind: awssim.Deny}); err != nil {
				t.Fatal(err)
			}
			q := rolltest.Request(100, 150)
			q.Timeout = time.Hour
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.World.At(2*time.Hour, cancel) // whatever happens, the test ends
			_, err := s.Roller.Roll(ctx, q)
			var e *roller.Error
			if !errors.As(err, &e) || !strings.Contains(e.Error(), want) || e.Next == "" {
				t.Errorf("got %v, want it to name %s\n%s", err, want, s.Story())
			}
			if g := s.Group(); len(g.Suspended) > 0 {
				t.Errorf("left suspended: %v\n%s", g.Suspended, s.Story())
			}
		})
	}
}

// A roll that AWS throttles from the first look on begins when it may.
func TestInput_throttledAtTheStart(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	if _, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:Describe*", Kind: awssim.Throttle, For: 6 * time.Minute}); err != nil {
		t.Fatal(err)
	}
	report, err := s.Roll(t.Context(), rolltest.Request(100, 150))
	if err != nil || report.Outcome != rollout.Succeeded {
		t.Fatalf("roll = %v, %+v\n%s", err, report, s.Story())
	}
	if !strings.Contains(s.Story(), "AWS has not answered for 1m") {
		t.Errorf("the story does not say what it waited for:\n%s", s.Story())
	}
}

// One that AWS never answers gives up before it has begun, and says why.
func TestInput_throttledForGood(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	if _, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:Describe*", Kind: awssim.Throttle}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Roller.Roll(t.Context(), rolltest.Request(100, 150))
	var e *roller.Error
	if !errors.As(err, &e) || !strings.Contains(e.Happened, "Throttling") || e.State != "Nothing was changed." || !strings.Contains(e.Next, "quieter") {
		t.Errorf("got %v, want it to say that AWS throttles", err)
	}
	if waited := s.Elapsed(); waited < 10*time.Minute || waited > 12*time.Minute {
		t.Errorf("gave up after %s, want ten minutes", waited)
	}
}

// What an interrupted roll has launched on top is not what others want: a plan
// must not refuse to finish it for want of headroom.
func TestAssess_unfinishedRoll(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 6})
	q := rolltest.Request(100, 150)
	if !s.Crash(t.Context(), q, 14, true) || s.Group().Desired != 6 {
		t.Fatalf("the roll was meant to be cut off with six members; the group is %+v", s.Group())
	}
	s.Roller = s.NewRoller("second", 2)
	a, err := s.Roller.Assess(t.Context(), q)
	if err != nil || a.Desired != 4 || len(a.Problems) > 0 {
		t.Errorf("got desired %d, problems %v, %v; want 4 and none", a.Desired, a.Problems, err)
	}
}
