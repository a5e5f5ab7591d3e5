package awssim_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// callEach makes one harmless call to each service but S3.
func callEach(f *fleet) map[string]error {
	ctx, cfg := f.Context(), f.Config()
	out := map[string]error{}
	_, out["autoscaling"] = f.client.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	_, out["ec2"] = ec2.NewFromConfig(cfg).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	_, out["elasticloadbalancing"] = elb.NewFromConfig(cfg).DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{})
	_, out["ssm"] = ssm.NewFromConfig(cfg).DescribeParameters(ctx, &ssm.DescribeParametersInput{})
	_, out["sts"] = sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	return out
}

func TestFaultsSpeakEachServicesWords(t *testing.T) {
	t.Parallel()
	for kind, want := range map[awssim.FaultKind]map[string]string{
		awssim.Throttle: {
			"autoscaling": "Throttling", "ec2": "RequestLimitExceeded", "elasticloadbalancing": "Throttling", "ssm": "ThrottlingException", "sts": "Throttling",
		},
		awssim.ServerError: {
			"autoscaling": "InternalFailure", "ec2": "InternalError", "elasticloadbalancing": "InternalFailure", "ssm": "InternalServerError", "sts": "InternalFailure",
		},
		awssim.Expire: {
			"autoscaling": "ExpiredToken", "ec2": "RequestExpired", "elasticloadbalancing": "ExpiredToken", "ssm": "ExpiredTokenException", "sts": "ExpiredToken",
		},
		awssim.Deny: {
			"autoscaling": "AccessDenied", "ec2": "UnauthorizedOperation", "elasticloadbalancing": "AccessDenied", "ssm": "AccessDeniedException", "sts": "AccessDenied",
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			_, err := f.Inject(awssim.Fault{Kind: kind})
			f.do(err)
			for service, err := range callEach(f) {
				text := ""
				if kind == awssim.Deny {
					text = "is not authorized to perform: " + service + ":"
				}
				wantCode(t, err, want[service], text)
				var response *awshttp.ResponseError
				if kind == awssim.ServerError && errors.As(err, &response) && response.HTTPStatusCode() != http.StatusInternalServerError {
					t.Errorf("%s answered %d, want 500", service, response.HTTPStatusCode())
				}
			}
			if n := len(f.Calls()); n != 5 {
				t.Errorf("%d operations counted, want 5: %v", n, f.Calls())
			}
		})
	}
}

func TestFaultsBeginAndEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault awssim.Fault
		want  string // of six calls, ten seconds apart: x fails, . succeeds
	}{
		"always":            {awssim.Fault{}, "xxxxxx"},
		"another operation": {awssim.Fault{Calls: "autoscaling:Update*"}, "......"},
		"another service":   {awssim.Fault{Calls: "ec2:*"}, "......"},
		"pattern":           {awssim.Fault{Calls: "*:Describe*"}, "xxxxxx"},
		"twice":             {awssim.Fault{Times: 2}, "xx...."},
		"the third":         {awssim.Fault{Skip: 2, Times: 1}, "..x..."},
		"for half a minute": {awssim.Fault{For: 30 * time.Second}, "xxx..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			c.fault.Kind = awssim.Throttle
			_, err := f.Inject(c.fault)
			f.do(err)
			got := ""
			for range 6 {
				mark := "."
				if _, err := f.client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{}); err != nil {
					mark = "x"
				}
				got += mark
				f.Advance(10 * time.Second)
			}
			if got != c.want {
				t.Errorf("%+v: got %s, want %s", c.fault, got, c.want)
			}
			if n := f.Calls()["autoscaling:DescribeAutoScalingGroups"]; n != 6 {
				t.Errorf("%d calls counted, want 6", n)
			}
		})
	}
	f := newFleet(t, "")
	remove, err := f.Inject(awssim.Fault{Kind: awssim.Throttle})
	f.do(err)
	remove()
	f.set(5)
	if _, err := f.Inject(awssim.Fault{Kind: "nonsense"}); err == nil {
		t.Error("an unknown kind was taken")
	}
	if _, err := f.Inject(awssim.Fault{Kind: awssim.Drop, Calls: "["}); err == nil {
		t.Error("a broken pattern was taken")
	}
}

func TestAnswersGetLost(t *testing.T) {
	t.Parallel()
	for kind, desired := range map[awssim.FaultKind]int{awssim.Drop: 4, awssim.LoseAnswer: 6, awssim.Fail: 4, awssim.FailWithEffect: 6} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			_, err := f.Inject(awssim.Fault{Kind: kind, Code: "ResourceContention", Message: "pending update", Status: 500})
			f.do(err)
			_, err = f.client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(6)})
			switch {
			case err == nil:
				t.Error("the call succeeded")
			case kind == awssim.Fail, kind == awssim.FailWithEffect:
				wantCode(t, err, "ResourceContention", "pending update")
			case !strings.Contains(err.Error(), "connection reset"):
				t.Errorf("got %v, want a broken connection", err)
			}
			if got := f.web().Desired; got != desired {
				t.Errorf("desired is %d, want %d", got, desired)
			}
		})
	}
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.do(f.SetStaleness("autoscaling", 20*time.Second))
	f.set(6)
	old, fresh := 0, 0
	for range 40 {
		if *f.describe().DesiredCapacity == 4 {
			old++
		} else {
			fresh++
		}
		f.Advance(100 * time.Millisecond)
	}
	if old == 0 || old+fresh != 40 {
		t.Errorf("%d of 40 reads right after a change were old, want most", old)
	}
	f.expect("the truth", 6, 6, 4)
	f.Advance(25 * time.Second)
	for range 40 {
		if d := f.describe(); *d.DesiredCapacity != 6 || len(d.Instances) != 6 {
			t.Fatalf("after the staleness: desired %d, %d instances; want 6, 6", *d.DesiredCapacity, len(d.Instances))
		}
	}
	f.do(f.SetStaleness("autoscaling", 0))
	f.set(5)
	if d := *f.describe().DesiredCapacity; d != 5 {
		t.Errorf("without staleness desired reads as %d, want 5", d)
	}
	if err := f.SetStaleness("sts", time.Second); err == nil {
		t.Error("staleness of a service that cannot be stale was taken")
	}
}

func TestOutsideActors(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.At(time.Minute, func() { f.set(5) })
	f.BeforeCall("autoscaling:TerminateInstance*", 2, func() {
		f.do(f.Act(awssim.Action{Do: "scale", Group: "web", Value: 2}))
	})
	f.Advance(59 * time.Second)
	f.expect("before the first actor", 4, 4, 4)
	f.Advance(3 * time.Minute)
	f.expect("after it", 5, 5, 5)
	f.do(f.terminate(f.web().Members[0].ID, true))
	f.expect("after one call", 4, 4, 4)
	f.do(f.terminate(f.web().Members[1].ID, true))
	if d := f.web().Desired; d != 5 {
		t.Errorf("desired is %d, want 5: two up by the policy just before the second call, one down by it", d)
	}
	f.Advance(3 * time.Minute)
	if got := causeOf(f, "Launching"); !strings.Contains(got, "a monitor alarm web-cpu-high in state ALARM triggered policy web-scale-out changing the desired capacity from 4 to 6.") {
		t.Errorf("cause %q", got)
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	two, nine := 2, 9
	for _, a := range []awssim.Action{
		{Do: "set_limits", Min: &two, Max: &nine},
		{Do: "set_desired", Value: 9},
		{Do: "terminate", Decrement: true},
		{Do: "suspend", Processes: []string{"Launch"}},
		{Do: "resume"},
		{Do: "set_pointer", Version: "$Latest"},
		{Do: "start_refresh"},
		{Do: "tag", Key: "k", Text: "v"},
		{Do: "break"},
		{Do: "kill"},
	} {
		a.Group = "web"
		f.do(f.Act(a))
		f.Advance(10 * time.Minute)
	}
	g := f.web()
	if g.Min != 2 || g.Max != 9 || g.Desired != 8 || g.Version != "$Latest" || g.Tags["k"] != "v" || g.Healthy() != 8 {
		t.Errorf("group became %+v", g)
	}
	out, err := f.client.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String("web")})
	f.do(err)
	if len(out.InstanceRefreshes) != 1 {
		t.Errorf("refreshes %+v, want one", out.InstanceRefreshes)
	}
	if err := f.Act(awssim.Action{Do: "dance", Group: "web"}); err == nil {
		t.Error("an unknown action was taken")
	}
	if err := f.Act(awssim.Action{Do: "scale", Group: "no"}); err == nil {
		t.Error("an action on no group was taken")
	}
	f.do(f.Act(awssim.Action{Do: "delete_group", Group: "web"}))
	f.Advance(10 * time.Minute)
	if _, there := f.Group("web"); there {
		t.Error("the group is still there")
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `rates = { autoscaling = "2/5" }`)
	throttled := func(calls int) int {
		n := 0
		for range calls {
			if _, err := f.client.DescribeAccountLimits(t.Context(), &autoscaling.DescribeAccountLimitsInput{}); err != nil {
				wantCode(t, err, "Throttling", "Rate exceeded")
				n++
			}
		}
		return n
	}
	if got := throttled(8); got != 3 {
		t.Errorf("%d of 8 calls at once were throttled, want the 3 beyond the burst", got)
	}
	f.Advance(time.Second)
	if got := throttled(3); got != 1 {
		t.Errorf("%d of 3 calls a second later were throttled, want the one beyond the rate", got)
	}
	f.Advance(time.Minute)
	if got := throttled(5); got != 0 {
		t.Errorf("%d of 5 calls after a rest were throttled", got)
	}
	f.SetRate("autoscaling", 0, 0)
	if got := throttled(100); got != 0 {
		t.Errorf("%d calls were throttled without a bound", got)
	}
}
