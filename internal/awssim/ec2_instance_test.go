package awssim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// bareText is a group of two without a load balancer, which does not replace
// its members by itself.
const bareText = `
image "old" {}
template "web" {
  version { image = "old" }
}
group "web" {
  template = "web"
  min      = 0
  max      = 8
  desired  = 2
  tags     = { Team = "web" }

  suspended = ["ReplaceUnhealthy"]
}
`

func newBare(t *testing.T) (*awssim.World, *ec2.Client) {
	t.Helper()
	s, err := awssim.ParseScenario("bare", bareText)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	return w, ec2.NewFromConfig(w.Config())
}

// scale sets what the group wants.
func scale(t *testing.T, w *awssim.World, n int32) {
	t.Helper()
	_, err := autoscaling.NewFromConfig(w.Config()).SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: aws.String("web"), DesiredCapacity: &n,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Second) // the group's reaction
}

func instances(t *testing.T, client *ec2.Client, filters ...types.Filter) []types.Instance {
	t.Helper()
	out, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: filters})
	if err != nil {
		t.Fatal(err)
	}
	var all []types.Instance
	for _, r := range out.Reservations {
		all = append(all, r.Instances...)
	}
	return all
}

func TestInstanceLife(t *testing.T) {
	t.Parallel()
	w, client := newBare(t)
	scale(t, w, 3)
	states := func() (out []string) {
		for _, i := range instances(t, client) {
			out = append(out, string(i.State.Name))
		}
		slices.Sort(out)
		return out
	}
	want := func(when string, want ...string) {
		t.Helper()
		if got := states(); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", when, got, want)
		}
	}
	want("at the launch", "pending", "running", "running")
	young := instances(t, client, filter("instance-state-name", "pending"))[0]
	w.Advance(45 * time.Second)
	want("after the launch latency", "running", "running", "running")
	status := func(all bool) (out []string) {
		t.Helper()
		answer, err := client.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{InstanceIds: []string{*young.InstanceId}, IncludeAllInstances: &all})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range answer.InstanceStatuses {
			out = append(out, string(s.InstanceStatus.Status))
		}
		return out
	}
	if got := status(false); !slices.Equal(got, []string{"initializing"}) {
		t.Errorf("status once running: got %v, want initializing", got)
	}
	w.Advance(time.Minute)
	if got := status(false); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("status after the checks: got %v, want ok", got)
	}
	out, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{*young.InstanceId}})
	if err != nil {
		t.Fatal(err)
	}
	if c := out.TerminatingInstances[0]; c.PreviousState.Name != "running" || c.CurrentState.Name != "shutting-down" {
		t.Errorf("terminate: got %s to %s, want running to shutting-down", c.PreviousState.Name, c.CurrentState.Name)
	}
	if got := status(true); !slices.Equal(got, []string{"not-applicable"}) || len(status(false)) != 0 {
		t.Errorf("status while it ends: got %v, want not-applicable and only when all are asked for", got)
	}
	w.Advance(40 * time.Second)
	gone := instances(t, client, filter("instance-id", *young.InstanceId))[0]
	if gone.State.Name != "terminated" || gone.PrivateIpAddress != nil {
		t.Errorf("after the termination latency: got %s with address %v, want terminated without one", gone.State.Name, gone.PrivateIpAddress)
	}
	w.Advance(time.Hour)
	_, err = client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{*young.InstanceId}})
	wantCode(t, err, "InvalidInstanceID.NotFound", *young.InstanceId)
}

func TestInstanceTags(t *testing.T) {
	t.Parallel()
	_, client := newBare(t)
	i := instances(t, client, filter("tag:aws:autoscaling:groupName", "web"))[0]
	got := map[string]string{}
	for _, tag := range i.Tags {
		got[*tag.Key] = *tag.Value
	}
	if got["Team"] != "web" || got["aws:ec2launchtemplate:version"] != "1" || !strings.HasPrefix(got["aws:ec2launchtemplate:id"], "lt-") {
		t.Errorf("got %v, want the group's tag and AWS's own", got)
	}
}

// launchMessage is why the group's last launch failed.
func launchMessage(t *testing.T, w *awssim.World) string {
	t.Helper()
	out, err := autoscaling.NewFromConfig(w.Config()).DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Activities[0].StatusMessage)
}

func TestLaunchesThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(w *awssim.World, image string)
		want  string
	}{
		"image deregistered": {func(w *awssim.World, image string) { w.SetImageState(image, "deregistered") }, "does not exist"},
		"image disabled":     {func(w *awssim.World, image string) { w.SetImageState(image, "disabled") }, "not available"},
		"wrong architecture": {func(w *awssim.World, image string) { w.AddImage(awssim.Image{ID: image, Architecture: "arm64"}) }, "does not match the architecture 'arm64'"},
		"no capacity": {func(w *awssim.World, _ string) {
			w.FailLaunches(awssim.LaunchFault{Code: "InsufficientInstanceCapacity"})
		}, "capacity"},
		"launches of it fail": {func(w *awssim.World, image string) {
			w.SetImageBehaviour(image, awssim.ImageBehaviour{LaunchError: "UnauthorizedOperation"})
		}, "not authorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, client := newBare(t)
			g, _ := w.Group("web")
			c.spoil(w, g.Members[0].Image)
			scale(t, w, 3)
			if got := launchMessage(t, w); !strings.Contains(got, c.want) {
				t.Errorf("status message: got %q, want it to hold %q", got, c.want)
			}
			if n := len(instances(t, client, filter("instance-state-name", "pending"))); n != 0 {
				t.Errorf("got %d pending instances, want none", n)
			}
		})
	}
}

func TestImageThatDies(t *testing.T) {
	t.Parallel()
	w, client := newBare(t)
	g, _ := w.Group("web")
	w.SetImageBehaviour(g.Members[0].Image, awssim.ImageBehaviour{DiesAfter: 20 * time.Minute})
	scale(t, w, 3)
	id := *instances(t, client, filter("instance-state-name", "pending"))[0].InstanceId
	impaired := func() []types.InstanceStatus {
		t.Helper()
		out, err := client.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{Filters: []types.Filter{filter("instance-status.status", "impaired")}})
		if err != nil {
			t.Fatal(err)
		}
		return out.InstanceStatuses
	}
	var sick []string
	w.OnTick(func() {
		if g, ok := w.Group("web"); ok {
			for _, m := range g.Members {
				if m.Impaired && !slices.Contains(sick, m.ID) {
					sick = append(sick, m.ID)
				}
			}
		}
	})
	w.Advance(19 * time.Minute)
	if got := impaired(); len(got) != 0 || len(sick) != 0 {
		t.Errorf("before its time: got %v and %v, want nobody impaired", got, sick)
	}
	w.Advance(time.Minute)
	if !slices.Contains(sick, id) {
		t.Errorf("at its time: got %v impaired, want %s among them", sick, id)
	}
}

func TestDryRunOfRunInstances(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	image := w.AddImage(awssim.Image{})
	run := func(image string, dry bool) error {
		_, err := client.RunInstances(t.Context(), &ec2.RunInstancesInput{
			ImageId: &image, InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), DryRun: &dry,
		})
		return err
	}
	wantCode(t, run(image, true), "DryRunOperation", "would have succeeded")
	wantCode(t, run("ami-none", true), "InvalidAMIID.NotFound", "ami-none")
	wantCode(t, run(image, false), "UnsupportedOperation", "dry runs")
	if _, err := w.Inject(awssim.Fault{Calls: "ec2:RunInstances", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, run(image, true), "UnauthorizedOperation", "ec2:RunInstances")
}

func TestStaleInstances(t *testing.T) {
	t.Parallel()
	w, client := newBare(t)
	if err := w.SetStaleness("ec2", 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	scale(t, w, 4)
	w.Advance(5 * time.Minute)
	seen := map[int]bool{}
	for range 50 {
		seen[len(instances(t, client, filter("instance-state-name", "running")))] = true
	}
	if !seen[2] || !seen[4] {
		t.Errorf("running instances in fifty stale reads: got %v, want the past and the present", seen)
	}
	if g, _ := w.Group("web"); g.Healthy() != 4 {
		t.Errorf("the truth: got %d, want 4", g.Healthy())
	}
}
