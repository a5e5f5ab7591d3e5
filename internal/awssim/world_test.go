package awssim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// fleet is a virtual world with one group, "web", and a client for it.
type fleet struct {
	*testing.T
	*awssim.World
	client *autoscaling.Client
}

// webText is a group of four in three zones behind a load balancer. %s takes
// more of the group's settings.
const webText = `
image "old" { created = "2026-10-05T04:00:00Z" }
image "new" { created = "2026-11-02T04:00:00Z" }
template "web" {
  version { image = "old" }
  version { image = "new" }
}
target_group "web" {}
group "web" {
  template      = "web"
  version       = "1"
  min           = 1
  max           = 8
  desired       = 4
  target_groups = ["web"]
  health_check  = "ELB"
  grace_period  = "60s"
}
`

// newFleet makes the world of webText with changes to its text, given as pairs
// of old and new, and what is to be added to it.
func newFleet(t *testing.T, more string, changes ...string) *fleet {
	t.Helper()
	s, err := awssim.ParseScenario("test", strings.NewReplacer(changes...).Replace(webText)+more)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{T: t, World: w, client: autoscaling.NewFromConfig(w.Config())}
}

// web is the truth about the group.
func (f *fleet) web() awssim.Group {
	f.Helper()
	g, ok := f.Group("web")
	if !ok {
		f.Fatal("group web is gone")
	}
	return g
}

// expect fails unless the group has so many launched and healthy members.
func (f *fleet) expect(when string, desired, launched, healthy int) {
	f.Helper()
	g := f.web()
	if g.Desired != desired || g.Launched() != launched || g.Healthy() != healthy {
		f.Errorf("%s: desired %d, launched %d, healthy %d; want %d, %d, %d", when, g.Desired, g.Launched(), g.Healthy(), desired, launched, healthy)
	}
}

func (f *fleet) do(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fleet) set(n int32) {
	f.Helper()
	_, err := f.client.SetDesiredCapacity(f.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(n)})
	f.do(err)
}

func (f *fleet) terminate(id string, decrement bool) error {
	_, err := f.client.TerminateInstanceInAutoScalingGroup(f.Context(), &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: aws.String(id), ShouldDecrementDesiredCapacity: aws.Bool(decrement),
	})
	return err
}

func (f *fleet) activities() []types.Activity {
	f.Helper()
	out, err := f.client.DescribeScalingActivities(f.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("web")})
	f.do(err)
	return out.Activities
}

// describe is the group as DescribeAutoScalingGroups shows it.
func (f *fleet) describe() types.AutoScalingGroup {
	f.Helper()
	out, err := f.client.DescribeAutoScalingGroups(f.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"web"}})
	f.do(err)
	if len(out.AutoScalingGroups) != 1 {
		f.Fatalf("described %d groups, want 1", len(out.AutoScalingGroups))
	}
	return out.AutoScalingGroups[0]
}

// wantCode fails unless err is AWS's error with the code and a message that
// holds the text.
func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Errorf("got %v, want the AWS error %s", err, code)
		return
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Errorf("got %s: %s, want %s with %q", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

func TestVirtualTimePassesOnlyInSleep(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	w := awssim.New(awssim.Options{Start: start})
	clock := w.Clock()
	var seen []time.Time
	for _, d := range []time.Duration{time.Hour, time.Minute, 7 * 24 * time.Hour} {
		w.At(d, func() { seen = append(seen, clock.Now()) })
	}
	if got := clock.Now(); !got.Equal(start) {
		t.Errorf("before sleeping it is %s, want %s", got, start)
	}
	if err := clock.Sleep(t.Context(), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || !seen[0].Equal(start.Add(time.Minute)) || !seen[1].Equal(start.Add(time.Hour)) {
		t.Errorf("events at %v, want after a minute and an hour", seen)
	}
	if got, want := clock.Now(), start.Add(2*time.Hour); !got.Equal(want) {
		t.Errorf("after sleeping it is %s, want %s", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := clock.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("sleep with an ended context: %v, want %v", err, context.Canceled)
	}
}

func TestSameSeedSameWorld(t *testing.T) {
	t.Parallel()
	ids := func(seed uint64) string {
		s, err := awssim.ParseScenario("test", webText)
		if err != nil {
			t.Fatal(err)
		}
		w, err := awssim.NewScenario(awssim.Options{Seed: seed}, s)
		if err != nil {
			t.Fatal(err)
		}
		g, _ := w.Group("web")
		return g.Members[0].ID
	}
	story := func() string {
		s, err := awssim.ReadScenario("../../examples/scenarios/busy.hcl")
		if err != nil {
			t.Fatal(err)
		}
		w, err := awssim.NewScenario(awssim.Options{}, s)
		if err != nil {
			t.Fatal(err)
		}
		w.Advance(2 * time.Hour)
		return fmt.Sprint(w.Events(0))
	}
	if a, b := story(), story(); a != b {
		t.Errorf("two runs of one scenario differ:\n%s\n%s", a, b)
	}
	if a, b := ids(1), ids(1); a != b {
		t.Errorf("seed 1 gave %s and then %s", a, b)
	}
	if a, b := ids(1), ids(2); a == b {
		t.Errorf("seeds 1 and 2 both gave %s", a)
	}
}

func TestObserversSeeEveryEvent(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	ticks, lowest := 0, 4
	f.OnTick(func() {
		ticks++
		lowest = min(lowest, f.web().Healthy()) // looking from an observer must not deadlock
	})
	var lines []string
	f.OnEvent(func(e awssim.Event) { lines = append(lines, e.Text) })
	f.set(3)
	f.Advance(5 * time.Minute)
	if ticks < 5 || lowest != 3 {
		t.Errorf("%d ticks with at least %d healthy; want more than 5 with 3", ticks, lowest)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{"desired 4 → 3", "terminating", "draining in web", "terminated"} {
		if !strings.Contains(text, want) {
			t.Errorf("event log lacks %q:\n%s", want, text)
		}
	}
	if all := f.Events(0); len(all) != len(lines) || all[1].Number != 2 || len(f.Events(2)) != len(lines)-2 {
		t.Errorf("Events gave %d lines, observers saw %d", len(all), len(lines))
	}
}
