package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

func (f *fleet) suspend(processes ...string) {
	f.Helper()
	_, err := f.client.SuspendProcesses(f.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: processes})
	f.do(err)
}

func (f *fleet) resume(processes ...string) {
	f.Helper()
	_, err := f.client.ResumeProcesses(f.Context(), &autoscaling.ResumeProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: processes})
	f.do(err)
}

func TestSuspensionKeepsItsFirstReason(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.suspend("AZRebalance")
	f.Advance(time.Minute)
	f.suspend("AZRebalance", "InstanceRefresh")
	got := f.describe().SuspendedProcesses
	if len(got) != 2 || *got[0].SuspensionReason != "User suspended at 2026-11-16T09:00:00Z" || *got[1].SuspensionReason != "User suspended at 2026-11-16T09:01:00Z" {
		t.Errorf("suspended: %v", f.web().Suspended)
	}
	f.resume("InstanceRefresh")
	if n := len(f.web().Suspended); n != 1 {
		t.Errorf("%d suspended after resuming one of two", n)
	}
	f.suspend() // all
	if n := len(f.web().Suspended); n != 9 {
		t.Errorf("%d suspended after suspending all, want 9", n)
	}
	f.resume() // all
	if n := len(f.web().Suspended); n != 0 {
		t.Errorf("%d suspended after resuming all", n)
	}
	_, err := f.client.SuspendProcesses(t.Context(), &autoscaling.SuspendProcessesInput{AutoScalingGroupName: aws.String("web"), ScalingProcesses: []string{"Sleep"}})
	wantCode(t, err, "ValidationError", "Sleep")
}

func TestSuspendedLaunch(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.suspend("Launch")
	f.do(f.terminate(f.web().Members[0].ID, false))
	f.Advance(10 * time.Minute)
	f.expect("without launches", 4, 3, 3)
	_, err := launchIn(f, "eu-west-2a", "t", 1)
	wantCode(t, err, "ValidationError", "suspended")
	f.resume("Launch")
	f.Advance(2 * time.Minute)
	f.expect("after resuming", 4, 4, 4)
}

func TestSuspendedTerminate(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.suspend("Terminate")
	f.set(2)
	f.Advance(10 * time.Minute)
	f.expect("without terminations", 2, 4, 4)
	f.resume("Terminate")
	f.Advance(5 * time.Minute)
	f.expect("after resuming", 2, 2, 2)
}

func TestSuspendedAddToLoadBalancer(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.suspend("AddToLoadBalancer")
	f.set(5)
	f.Advance(10 * time.Minute)
	f.expect("while suspended", 5, 5, 4)
	f.resume("AddToLoadBalancer")
	f.Advance(10 * time.Minute)
	f.expect("resuming does not add those launched meanwhile", 5, 5, 4)
}
