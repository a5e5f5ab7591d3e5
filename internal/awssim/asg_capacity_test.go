package awssim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestScaleOutTakesItsTime(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.set(6)
	f.expect("at once", 6, 4, 4)
	f.Advance(2 * time.Second)
	f.expect("after the reaction time", 6, 6, 4)
	f.Advance(44 * time.Second)
	if got := f.web().Members[5].Lifecycle; got != "Pending" {
		t.Errorf("a second before the launch latency: %s, want Pending", got)
	}
	f.Advance(time.Second)
	if m := f.web().Members[5]; m.Lifecycle != "InService" || m.Healthy() || m.Targets["web"] != "initial" {
		t.Errorf("after the launch latency: %+v, want in service, not healthy yet", m)
	}
	f.Advance(30 * time.Second)
	f.expect("after the time to healthy", 6, 6, 6)
	zones := map[string]int{}
	for _, m := range f.web().Members {
		zones[m.Zone]++
	}
	for z, n := range zones {
		if n != 2 {
			t.Errorf("%d members in %s, want 2 in each: %v", n, z, zones)
		}
	}
	a := f.activities()[0]
	want := "a user request explicitly set group desired capacity changing the desired capacity from 4 to 6."
	if !strings.Contains(*a.Cause, want) || !strings.Contains(*a.Cause, "an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 4 to 6.") {
		t.Errorf("cause %q lacks %q or the start", *a.Cause, want)
	}
	if a.StatusCode != types.ScalingActivityStatusCodeSuccessful || a.EndTime.Sub(*a.StartTime) != 45*time.Second {
		t.Errorf("activity is %s and took %s, want Successful in 45s", a.StatusCode, a.EndTime.Sub(*a.StartTime))
	}
}

func TestScaleInDrainsFirst(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.set(3)
	f.Advance(2 * time.Second)
	f.expect("after the reaction time", 3, 3, 3)
	a := f.activities()[0]
	if a.StatusCode != types.ScalingActivityStatusCodeWaitingForELBConnectionDraining {
		t.Errorf("activity is %s, want waiting for the load balancer", a.StatusCode)
	}
	f.Advance(30 * time.Second)
	if m := f.web().Members[0]; m.Lifecycle != "Terminating" || m.State != "shutting-down" {
		t.Errorf("after draining: %+v, want the instance to shut down", m)
	}
	f.Advance(40 * time.Second)
	if n := len(f.web().Members); n != 3 {
		t.Errorf("%d members left, want 3", n)
	}
	a = f.activities()[0]
	if a.StatusCode != types.ScalingActivityStatusCodeSuccessful || !strings.HasSuffix(*a.Cause, "was selected for termination.") || strings.Contains(*a.Description, "Draining") {
		t.Errorf("activity ended as %s %q, cause %q", a.StatusCode, *a.Description, *a.Cause)
	}
}

func TestSetDesiredCapacityRefuses(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "min           = 1", "min           = 3")
	for n, text := range map[int32]string{9: "New SetDesiredCapacity value 9 is above max value 8", 2: "New SetDesiredCapacity value 2 is below min value 3"} {
		_, err := f.client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(n)})
		wantCode(t, err, "ValidationError", text)
	}
	_, err := f.client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("nope"), DesiredCapacity: aws.Int32(1)})
	wantCode(t, err, "ValidationError", "not found")
	f.set(5)
	_, err = f.client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(6), HonorCooldown: aws.Bool(true)})
	wantCode(t, err, "ScalingActivityInProgress", "cooldown")
}

func TestTerminateWithoutDecrementReplaces(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	id := f.web().Members[1].ID
	f.do(f.terminate(id, false))
	f.expect("at once", 4, 3, 3)
	f.Advance(3 * time.Minute)
	f.expect("later", 4, 4, 4)
	for _, m := range f.web().Members {
		if m.ID == id {
			t.Errorf("%s is still there", id)
		}
	}
	if cause := *f.activities()[1].Cause; !strings.Contains(cause, "instance "+id+" was taken out of service in response to a user request.") {
		t.Errorf("cause of the termination: %q", cause)
	}
}

func TestTerminateWithDecrementIsNotIdempotent(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	id := f.web().Members[0].ID
	f.do(f.terminate(id, true))
	f.expect("once", 3, 3, 3)
	if cause := *f.activities()[0].Cause; !strings.HasSuffix(cause, "in response to a user request, shrinking the capacity from 4 to 3.") {
		t.Errorf("cause of the termination: %q", cause)
	}
	f.do(f.terminate(id, true)) // the same call again takes one more off
	f.Advance(3 * time.Minute)
	f.expect("twice", 2, 2, 2)
	wantCode(t, f.terminate(id, true), "ValidationError", "Instance Id not found - No managed instance found for instance ID: "+id)
}

func TestTerminateWithDecrementKeepsMinSize(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "min           = 1", "min           = 4")
	id := f.web().Members[0].ID
	wantCode(t, f.terminate(id, true), "ValidationError", "Currently, desiredSize equals minSize (4).")
	f.expect("refused", 4, 4, 4)
	f.do(f.terminate(id, false))
}

func launchIn(f *fleet, zone, token string, n int32) (*autoscaling.LaunchInstancesOutput, error) {
	in := &autoscaling.LaunchInstancesInput{AutoScalingGroupName: aws.String("web"), ClientToken: aws.String(token), RequestedCapacity: aws.Int32(n)}
	if zone != "" {
		in.AvailabilityZones = []string{zone}
	}
	return f.client.LaunchInstances(f.Context(), in)
}

func TestLaunchInstances(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", `desired       = 4`, "desired = 4\n  suspended = [\"AZRebalance\"]")
	out, err := launchIn(f, "eu-west-2b", "one", 2)
	f.do(err)
	if len(out.Instances) != 1 || len(out.Instances[0].InstanceIds) != 2 || len(out.Errors) != 0 {
		t.Fatalf("answer %+v, want two instances and no errors", out)
	}
	f.expect("at once", 6, 6, 4)
	again, err := launchIn(f, "eu-west-2b", "one", 2)
	f.do(err)
	if again.Instances[0].InstanceIds[0] != out.Instances[0].InstanceIds[0] {
		t.Error("the same token launched again")
	}
	f.expect("after the same token", 6, 6, 4)
	f.Advance(2 * time.Minute)
	f.expect("later", 6, 6, 6)
	for _, m := range f.web().Members[4:] {
		if m.Zone != "eu-west-2b" {
			t.Errorf("%s is in %s, want eu-west-2b", m.ID, m.Zone)
		}
	}
	if cause := *f.activities()[0].Cause; !strings.Contains(cause, "changing the desired capacity from 4 to 6") {
		t.Errorf("cause %q does not say how desired changed", cause)
	}
}

func TestLaunchInstancesRefuses(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	_, err := launchIn(f, "eu-west-2a", "fine", 1)
	f.do(err)
	for name, c := range map[string]struct {
		zone, token string
		n           int32
		code, text  string
	}{
		"no zone":            {"", "t1", 1, "ValidationError", "multiple Availability Zones"},
		"foreign zone":       {"eu-west-2d", "t2", 1, "ValidationError", "not part of"},
		"too many":           {"eu-west-2a", "t3", 101, "ValidationError", "between 1 and 100"},
		"beyond max size":    {"eu-west-2a", "t4", 4, "ValidationError", "max size 8"},
		"token used already": {"eu-west-2a", "fine", 2, "IdempotentParameterMismatch", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := launchIn(f, c.zone, c.token, c.n)
			wantCode(t, err, c.code, c.text)
		})
	}
}

func TestLaunchInstancesUnknownToTheEndpoint(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "launch_instances = false\n")
	_, err := launchIn(f, "eu-west-2a", "t", 1)
	wantCode(t, err, "InvalidAction", "LaunchInstances")
}

func TestLaunchInstancesTellsTheError(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.FailLaunches(awssim.LaunchFault{Zone: "eu-west-2a", Code: "InsufficientInstanceCapacity"})
	out, err := launchIn(f, "eu-west-2a", "t", 2)
	f.do(err)
	if len(out.Errors) != 1 || *out.Errors[0].ErrorCode != "InsufficientInstanceCapacity" || len(out.Instances) != 0 {
		t.Errorf("answer %+v, want one error of capacity and no instances", out)
	}
	f.expect("after the failure", 4, 4, 4)
	if a := f.activities()[0]; a.StatusCode != types.ScalingActivityStatusCodeFailed || !strings.Contains(*a.StatusMessage, "do not have sufficient capacity") {
		t.Errorf("activity %s %q, want it failed for capacity", a.StatusCode, aws.ToString(a.StatusMessage))
	}
}

func TestLaunchFailuresOfGroups(t *testing.T) {
	t.Parallel()
	t.Run("another zone has room", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, "")
		f.FailLaunches(awssim.LaunchFault{Zone: "eu-west-2b", Code: "InsufficientInstanceCapacity"})
		f.set(6)
		f.Advance(2 * time.Minute)
		f.expect("later", 6, 6, 6)
		for _, m := range f.web().Members[4:] {
			if m.Zone == "eu-west-2b" {
				t.Errorf("%s was launched in the zone without room", m.ID)
			}
		}
	})
	for _, code := range []string{"VcpuLimitExceeded", "InvalidAMIID.NotFound", "UnauthorizedOperation", "Client.InvalidKMSKey.InvalidState"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			f.FailLaunches(awssim.LaunchFault{Group: "web", Code: code, For: 20 * time.Minute})
			f.set(5)
			f.Advance(10 * time.Minute)
			f.expect("while it fails", 5, 4, 4)
			failed := 0
			for _, a := range f.activities() {
				if a.StatusCode == types.ScalingActivityStatusCodeFailed {
					failed++
				}
			}
			if failed < 2 || failed > 8 {
				t.Errorf("%d failed activities in ten minutes, want a few", failed)
			}
			f.Advance(30 * time.Minute)
			f.expect("after it ended", 5, 5, 5)
		})
	}
}

func TestUpdateClampsDesired(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	update := func(in autoscaling.UpdateAutoScalingGroupInput) error {
		in.AutoScalingGroupName = aws.String("web")
		_, err := f.client.UpdateAutoScalingGroup(t.Context(), &in)
		return err
	}
	f.do(update(autoscaling.UpdateAutoScalingGroupInput{MinSize: aws.Int32(6)}))
	f.Advance(2 * time.Minute)
	f.expect("after raising min", 6, 6, 6)
	f.do(update(autoscaling.UpdateAutoScalingGroupInput{MinSize: aws.Int32(1), MaxSize: aws.Int32(3)}))
	f.Advance(2 * time.Minute)
	f.expect("after lowering max", 3, 3, 3)
	if cause := *f.activities()[0].Cause; !strings.Contains(cause, "a user request update of AutoScalingGroup constraints to min: 1, max: 3, desired: 3 changing the desired capacity from 6 to 3.") {
		t.Errorf("cause %q", cause)
	}
	wantCode(t, update(autoscaling.UpdateAutoScalingGroupInput{DesiredCapacity: aws.Int32(4)}), "ValidationError", "Desired capacity:4 must be between the specified min size:1 and max size:3")
	wantCode(t, update(autoscaling.UpdateAutoScalingGroupInput{MinSize: aws.Int32(5)}), "ValidationError", "Max bound, 3, must be greater than or equal to min bound, 5")
	f.expect("after the refusals", 3, 3, 3)
}

func TestActivitiesPage(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "desired       = 4", "desired       = 7")
	in := &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("web"), MaxRecords: aws.Int32(3)}
	pages := autoscaling.NewDescribeScalingActivitiesPaginator(f.client, in)
	var sizes []int
	for pages.HasMorePages() {
		p, err := pages.NextPage(t.Context())
		f.do(err)
		sizes = append(sizes, len(p.Activities))
	}
	if fmt.Sprint(sizes) != "[3 3 1]" {
		t.Errorf("pages of %v activities, want [3 3 1]", sizes)
	}
	in.MaxRecords = aws.Int32(101)
	_, err := f.client.DescribeScalingActivities(t.Context(), in)
	wantCode(t, err, "ValidationError", "maxRecords")
}
