package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func (f *fleet) enter(decrement bool, ids ...string) error {
	_, err := f.client.EnterStandby(f.Context(), &autoscaling.EnterStandbyInput{
		AutoScalingGroupName: aws.String("web"), InstanceIds: ids, ShouldDecrementDesiredCapacity: aws.Bool(decrement),
	})
	return err
}

func TestStandby(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	id := f.web().Members[0].ID
	f.do(f.enter(true, id))
	if m := f.web().Members[0]; m.Lifecycle != "EnteringStandby" || m.Targets["web"] != "draining" {
		t.Errorf("at once: %+v, want it to drain", m)
	}
	f.Advance(time.Minute)
	f.expect("in standby", 3, 3, 3)
	if m := f.web().Members[0]; m.Lifecycle != "Standby" || m.State != "running" {
		t.Errorf("later: %+v, want it in standby and running", m)
	}
	wantCode(t, f.enter(true, id), "ValidationError", "not in InService")
	f.BreakInstance(id)
	f.Advance(10 * time.Minute)
	f.expect("nobody looks after one in standby", 3, 3, 3)
	_, err := f.client.ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String("web"), InstanceIds: []string{id}})
	f.do(err)
	if cause := *f.activities()[0].Cause; !strings.HasSuffix(cause, "instance "+id+" was moved out of standby in response to a user request, increasing the capacity from 3 to 4.") {
		t.Errorf("cause %q", cause)
	}
	f.Advance(10 * time.Minute)
	f.expect("it came back, was sick and was replaced", 4, 4, 4)
}

func TestStandbyWithoutDecrement(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "max           = 8", "max = 4")
	id := f.web().Members[0].ID
	f.do(f.enter(false, id))
	f.Advance(3 * time.Minute)
	f.expect("with a replacement", 4, 4, 4)
	_, err := f.client.ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String("web"), InstanceIds: []string{id}})
	wantCode(t, err, "ValidationError", "max-size=4")
	f.do(f.Act(awssim.Action{Do: "kill", Group: "web", Instance: id}))
	f.Advance(3 * time.Minute)
	if n := len(f.web().Members); n != 4 {
		t.Errorf("%d members after the one in standby ended, want 4", n)
	}
}

func TestTerminateOnTheWayToStandby(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	id := f.web().Members[0].ID
	f.do(f.enter(true, id))
	f.do(f.terminate(id, false))
	f.Advance(3 * time.Minute)
	f.expect("later", 3, 3, 3)
	if n := len(f.web().Members); n != 3 {
		t.Errorf("%d members, want 3", n)
	}
}

func TestStandbyKeepsMinSize(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "min           = 1", "min = 4")
	wantCode(t, f.enter(true, f.web().Members[0].ID), "ValidationError", "min-size=4")
}
