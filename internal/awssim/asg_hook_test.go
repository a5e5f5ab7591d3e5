package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// newHooked is the fleet of webText with more in its group.
func newHooked(t *testing.T, group string) *fleet {
	t.Helper()
	return newFleet(t, "", `grace_period  = "60s"`, "grace_period = \"60s\"\nsuspended = [\"AZRebalance\"]\n"+group)
}

// newest and first are the members launched last and first.
func (f *fleet) newest() awssim.Member { f.Helper(); m := f.web().Members; return m[len(m)-1] }
func (f *fleet) first() awssim.Member  { f.Helper(); return f.web().Members[0] }

func (f *fleet) complete(hook, id, result string) error {
	_, err := f.client.CompleteLifecycleAction(f.Context(), &autoscaling.CompleteLifecycleActionInput{
		AutoScalingGroupName: aws.String("web"), LifecycleHookName: aws.String(hook), InstanceId: aws.String(id), LifecycleActionResult: aws.String(result),
	})
	return err
}

func (f *fleet) heartbeat(hook, id string) error {
	_, err := f.client.RecordLifecycleActionHeartbeat(f.Context(), &autoscaling.RecordLifecycleActionHeartbeatInput{
		AutoScalingGroupName: aws.String("web"), LifecycleHookName: aws.String(hook), InstanceId: aws.String(id),
	})
	return err
}

func (f *fleet) wantLifecycle(when string, m awssim.Member, want string) {
	f.Helper()
	if m.Lifecycle != want {
		f.Errorf("%s: member is %s, want %s", when, m.Lifecycle, want)
	}
}

const launchHook = `hook "setup" {
  transition = "launching"
  timeout    = "5m"
}
`

const endHook = `hook "drain" {
  transition = "terminating"
  timeout    = "5m"
}
`

func TestLaunchHook(t *testing.T) {
	t.Parallel()
	f := newHooked(t, launchHook)
	f.set(5)
	f.Advance(50 * time.Second)
	f.expect("waiting", 5, 5, 4)
	f.wantLifecycle("the instance runs", f.newest(), "Pending:Wait")
	if got := f.describe().Instances[4].LifecycleState; got != types.LifecycleStatePendingWait {
		t.Errorf("described as %s, want Pending:Wait", got)
	}
	id := f.newest().ID
	f.Advance(4 * time.Minute)
	f.do(f.heartbeat("setup", id))
	f.Advance(4 * time.Minute)
	f.wantLifecycle("a heartbeat gave it five more minutes", f.newest(), "Pending:Wait")
	f.do(f.complete("setup", id, "CONTINUE"))
	f.wantLifecycle("completed", f.newest(), "Pending:Proceed")
	f.Advance(2 * time.Second)
	f.wantLifecycle("then", f.newest(), "InService")
	wantCode(t, f.complete("setup", id, "CONTINUE"), "ValidationError", "No active Lifecycle Action found with instance ID "+id)
	f.Advance(time.Hour)
	f.expect("later", 5, 5, 5)
}

func TestLaunchHookAbandoned(t *testing.T) {
	t.Parallel()
	f := newHooked(t, launchHook)
	f.set(5)
	f.Advance(50 * time.Second)
	id := f.newest().ID
	f.do(f.complete("setup", id, "ABANDON"))
	f.wantLifecycle("abandoned", f.newest(), "Terminating")
	a := f.activities()[1]
	if a.StatusCode != types.ScalingActivityStatusCodeCancelled || !strings.HasPrefix(*a.StatusMessage, "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token ") ||
		!strings.HasSuffix(*a.StatusMessage, " was abandoned: Lifecycle Action Completed with ABANDON Result") || !strings.Contains(*a.Description, "Status Reason: Instance failed") {
		t.Errorf("launch activity: got %s %q %q", a.StatusCode, *a.Description, aws.ToString(a.StatusMessage))
	}
	f.Advance(50 * time.Second)
	if m := f.newest(); m.ID == id || m.Lifecycle != "Pending:Wait" {
		t.Errorf("later: newest member is %s, %s; want another that waits", m.ID, m.Lifecycle)
	}
	f.Advance(6 * time.Minute)
	a = f.activities()[2]
	if !strings.HasSuffix(aws.ToString(a.StatusMessage), "was abandoned: Heartbeat Timeout") {
		t.Errorf("after the timeout, whose result is ABANDON: got message %q", aws.ToString(a.StatusMessage))
	}
}

func TestDefaultResultContinue(t *testing.T) {
	t.Parallel()
	f := newHooked(t, strings.Replace(launchHook, "timeout", "default_result = \"CONTINUE\"\ntimeout", 1))
	f.set(5)
	f.Advance(47*time.Second + 5*time.Minute - time.Second)
	f.wantLifecycle("a second before the timeout", f.newest(), "Pending:Wait")
	f.Advance(3 * time.Second)
	f.wantLifecycle("after the timeout", f.newest(), "InService")
}

func TestTerminationHook(t *testing.T) {
	t.Parallel()
	f := newHooked(t, endHook+strings.ReplaceAll(endHook, "drain", "logs"))
	id := f.first().ID
	f.do(f.terminate(id, false))
	f.wantLifecycle("draining first", f.first(), "Terminating")
	f.Advance(31 * time.Second)
	if m := f.first(); m.Lifecycle != "Terminating:Wait" || m.State != "running" {
		t.Errorf("drained: got %s, %s; want it to wait, running", m.Lifecycle, m.State)
	}
	f.do(f.complete("drain", id, "CONTINUE"))
	f.wantLifecycle("one of two hooks is done", f.first(), "Terminating:Wait")
	f.do(f.complete("logs", id, "CONTINUE"))
	f.wantLifecycle("both are done", f.first(), "Terminating:Proceed")
	f.Advance(2 * time.Second)
	if m := f.first(); m.State != "shutting-down" {
		t.Errorf("then: got %s, want shutting-down", m.State)
	}
	f.Advance(time.Minute)
	id = f.first().ID
	f.do(f.terminate(id, false))
	f.Advance(31 * time.Second)
	f.do(f.complete("logs", id, "ABANDON")) // ends the other hook as well
	if m := f.first(); m.State != "shutting-down" {
		t.Errorf("abandoned: got %s %s, want shutting-down", m.Lifecycle, m.State)
	}
	f.Advance(10 * time.Minute)
	f.expect("later", 4, 4, 4)
}

func TestHookOfAnInstanceThatIsGone(t *testing.T) {
	t.Parallel()
	f := newHooked(t, endHook)
	id := f.first().ID
	f.do(f.Act(awssim.Action{Do: "kill", Group: "web", Instance: id}))
	f.Advance(3 * time.Minute)
	if m := f.first(); m.Lifecycle != "Terminating:Wait" || m.State != "terminated" {
		t.Errorf("killed in EC2: got %s %s, want it to wait, terminated", m.Lifecycle, m.State)
	}
	f.Advance(4 * time.Minute)
	if m := f.first(); m.ID == id {
		t.Errorf("after the timeout: %s is still there, %s", id, m.Lifecycle)
	}
}

func TestRetainedInstances(t *testing.T) {
	t.Parallel()
	f := newHooked(t, endHook+"retain_on_abandon = true\n")
	id := f.first().ID
	f.do(f.terminate(id, false))
	f.Advance(6 * time.Minute)
	if m := f.first(); m.Lifecycle != "Terminating:Retained" || m.State != "running" || m.Launched() {
		t.Errorf("after the timeout: got %s %s, want it retained, running, and not to count", m.Lifecycle, m.State)
	}
	f.expect("with a replacement", 4, 4, 4)
	f.do(f.terminate(id, false))
	if m := f.first(); m.State != "shutting-down" {
		t.Errorf("terminated again: got %s %s, want it to end without hooks", m.Lifecycle, m.State)
	}
	f.Advance(time.Minute)
	if n := len(f.web().Members); n != 4 {
		t.Errorf("later: %d members, want 4", n)
	}
	second := f.first().ID
	f.do(f.terminate(second, false))
	f.Advance(31 * time.Second)
	f.do(f.complete("drain", second, "CONTINUE"))
	f.Advance(3 * time.Minute)
	for _, m := range f.web().Members {
		if m.ID == second {
			t.Errorf("completed with CONTINUE: got %s, want it gone", m.Lifecycle)
		}
	}
}

func TestHookWorkers(t *testing.T) {
	t.Parallel()
	f := newHooked(t, `hook "setup" {
  transition      = "launching"
  completes_after = "20s"
}
hook "drain" {
  transition      = "terminating"
  completes_after = "10s"
  completes_with  = "ABANDON"
}
`)
	f.set(5)
	f.Advance((2 + 45 + 20) * time.Second)
	f.wantLifecycle("after 20s of waiting", f.newest(), "Pending:Proceed")
	f.Advance(3 * time.Second)
	f.wantLifecycle("then", f.newest(), "InService")
	f.set(4)
	f.Advance((2 + 30 + 10) * time.Second)
	if got := tally(f.web(), func(m awssim.Member) string { return m.State }); got != "running 4" {
		t.Errorf("after 10s of waiting: got %s, want four running and one ending", got)
	}
}

func TestDeletingAHookCompletesIt(t *testing.T) {
	t.Parallel()
	f := newHooked(t, launchHook+endHook)
	id := f.first().ID
	f.do(f.terminate(id, false))
	f.Advance(50 * time.Second)
	waiting := f.newest().ID
	for _, name := range []string{"setup", "drain"} {
		_, err := f.client.DeleteLifecycleHook(t.Context(), &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: aws.String("web"), LifecycleHookName: aws.String(name)})
		f.do(err)
		_, err = f.client.DeleteLifecycleHook(t.Context(), &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: aws.String("web"), LifecycleHookName: aws.String(name)})
		wantCode(t, err, "ValidationError", "No Lifecycle Hook found")
	}
	f.wantLifecycle("the one that ended proceeds", f.first(), "Terminating:Proceed")
	for _, m := range f.web().Members {
		if m.ID == waiting {
			f.wantLifecycle("the one that was launched is abandoned, and its termination hook is gone", m, "Terminating:Proceed")
		}
	}
	f.Advance(5 * time.Minute)
	f.expect("later, without hooks", 4, 4, 4)
}

func TestForcedDeletionDoesNotWait(t *testing.T) {
	t.Parallel()
	f := newHooked(t, launchHook+endHook)
	f.do(f.terminate(f.first().ID, false))
	f.Advance(50 * time.Second)
	f.do(f.Act(awssim.Action{Do: "delete_group", Group: "web"}))
	f.Advance(2 * time.Minute)
	if g, there := f.Group("web"); there {
		t.Errorf("the group is still there with %d members", len(g.Members))
	}
}

func TestPutLifecycleHook(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	put := func(in autoscaling.PutLifecycleHookInput) error {
		in.AutoScalingGroupName = aws.String("web")
		if in.LifecycleHookName == nil {
			in.LifecycleHookName = aws.String("h")
		}
		_, err := f.client.PutLifecycleHook(t.Context(), &in)
		return err
	}
	launching := aws.String("autoscaling:EC2_INSTANCE_LAUNCHING")
	wantCode(t, put(autoscaling.PutLifecycleHookInput{}), "ValidationError", "transition must be specified")
	wantCode(t, put(autoscaling.PutLifecycleHookInput{LifecycleTransition: aws.String("launching")}), "ValidationError", "launching is not valid")
	wantCode(t, put(autoscaling.PutLifecycleHookInput{LifecycleTransition: launching, DefaultResult: aws.String("RETRY")}), "ValidationError", "RETRY")
	wantCode(t, put(autoscaling.PutLifecycleHookInput{LifecycleTransition: launching, HeartbeatTimeout: aws.Int32(29)}), "ValidationError", "between 30 and 7200")
	wantCode(t, put(autoscaling.PutLifecycleHookInput{LifecycleTransition: launching, HeartbeatTimeout: aws.Int32(7201)}), "ValidationError", "between 30 and 7200")
	wantCode(t, put(autoscaling.PutLifecycleHookInput{LifecycleTransition: launching, LifecycleHookName: aws.String("a b")}), "ValidationError", "lifecycleHookName")
	wantCode(t, put(autoscaling.PutLifecycleHookInput{LifecycleTransition: launching, NotificationTargetARN: aws.String("arn:aws:sns:eu-west-2:123456789012:x")}), "ValidationError", "role ARN")
	f.do(put(autoscaling.PutLifecycleHookInput{LifecycleTransition: launching, NotificationMetadata: aws.String("m")}))
	f.do(put(autoscaling.PutLifecycleHookInput{HeartbeatTimeout: aws.Int32(7200)})) // the rest stays
	out, err := f.client.DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String("web")})
	f.do(err)
	if len(out.LifecycleHooks) != 1 {
		t.Fatalf("got %d hooks, want 1", len(out.LifecycleHooks))
	}
	if h := out.LifecycleHooks[0]; *h.DefaultResult != "ABANDON" || *h.HeartbeatTimeout != 7200 || *h.GlobalTimeout != 172800 || *h.NotificationMetadata != "m" || *h.LifecycleTransition != *launching {
		t.Errorf("got %+v, want ABANDON, 7200, at most 48 hours, and the metadata and transition of before", h)
	}
	wantCode(t, f.complete("none", f.first().ID, "CONTINUE"), "ValidationError", "No Lifecycle Hook found")
	wantCode(t, f.complete("h", f.first().ID, "DONE"), "ValidationError", "LifecycleActionResult DONE")
	wantCode(t, f.heartbeat("h", f.first().ID), "ValidationError", "No active Lifecycle Action found")
}

func TestHeartbeatsEnd(t *testing.T) {
	t.Parallel()
	f := newHooked(t, strings.Replace(launchHook, "5m", "30s", 1))
	f.set(5)
	f.Advance(47 * time.Second)
	id := f.newest().ID
	for range 148 { // 49 minutes and 20 seconds
		f.Advance(20 * time.Second)
		f.do(f.heartbeat("setup", id))
	}
	f.Advance(40 * time.Second)
	if m := f.newest(); m.ID == id && m.Lifecycle == "Pending:Wait" {
		t.Error("after a hundred times the heartbeat timeout it still waits")
	}
}
