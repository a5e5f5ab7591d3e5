package provider

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// answer is an error as an SDK client returns it.
func answer(service, operation, code string) error {
	return fmt.Errorf("do it: %w", &smithy.OperationError{
		ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: "AWS says so"},
	})
}

func TestUnableSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"denied":      {answer("EC2", "DescribeImages", "UnauthorizedOperation"), []string{"does not allow ec2:DescribeImages", "AWS says so", "Allow ec2:DescribeImages"}},
		"denied asg":  {answer("Auto Scaling", "DescribeAutoScalingGroups", "AccessDenied"), []string{"autoscaling:DescribeAutoScalingGroups"}},
		"denied elb":  {answer("Elastic Load Balancing v2", "DescribeTargetHealth", "AccessDenied"), []string{"elasticloadbalancing:DescribeTargetHealth"}},
		"journal":     {&journal.DeniedError{Action: "ssm:PutParameter", Resource: "parameter /refit/x", Err: errors.New("no")}, []string{"ssm:PutParameter on parameter /refit/x"}},
		"expired":     {answer("EC2", "DescribeImages", "ExpiredToken"), []string{"does not accept the credentials", "Renew them"}},
		"throttled":   {answer("EC2", "DescribeImages", "RequestLimitExceeded"), []string{"throttling ec2:DescribeImages", "-parallelism"}},
		"credentials": {fmt.Errorf("%w: none", awsconf.ErrNoCredentials), []string{"No AWS credentials", "AWS_PROFILE"}},
		"region":      {awsconf.ErrNoRegion, []string{"No AWS region", "AWS_REGION"}},
		"template":    {fmt.Errorf("read it: %w", ami.ErrNoTemplate), []string{"does not exist", "launch_template_id"}},
		"group":       {fmt.Errorf("read it: %w", asg.ErrNotFound), []string{"does not exist", "autoscaling_group_name"}},
		"version":     {&asg.VersionError{Template: "lt-1", Version: "7", Err: errors.New("AWS lists none")}, []string{"has no version 7", "$Latest"}},
		"other":       {errors.New("the wire is cut"), []string{"The wire is cut."}},
	} {
		d := unable("read it", c.err, unchanged)
		if d.Summary() != "Unable to read it" || !strings.Contains(d.Detail(), unchanged) {
			t.Errorf("%s: got %q, %q", name, d.Summary(), d.Detail())
		}
		for _, want := range c.want {
			if !strings.Contains(d.Detail(), want) {
				t.Errorf("%s: got %q, want it to say %q", name, d.Detail(), want)
			}
		}
		if n := strings.Count(d.Detail(), "\n"); n > 3 {
			t.Errorf("%s: got %d lines, want three short ones:\n%s", name, n+1, d.Detail())
		}
	}
}

func TestUnableKeepsTheWordsOfARoll(t *testing.T) {
	t.Parallel()
	err := &roller.Error{Summary: `Unable to roll Auto Scaling group "web"`, Happened: "It failed.", State: "It is back.", Next: "Nothing.", Field: "health.min_healthy_time"}
	d := unable("do it", fmt.Errorf("wrapped: %w", err), unchanged)
	if d.Summary() != err.Summary || d.Detail() != "It failed.\nIt is back.\nNothing." {
		t.Errorf("got %q, %q", d.Summary(), d.Detail())
	}
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 20, 9, 5, 0, 0, time.UTC)
	for want, e := range map[string]roller.Event{
		"09:05:00   web launched 1\n":                                 {At: at, Group: "web", Text: "launched 1"},
		"09:05:00 ! web i-1 is unhealthy (3 old, 1 new, 3 healthy)\n": {At: at, Group: "web", Text: "i-1 is unhealthy", Warn: true, Counts: rollout.Counts{Stale: 3, Current: 1, Healthy: 3}},
	} {
		if got := progressLine(e); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestActivityStopsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	var a Activity
	ctx, done := a.begin(t.Context())
	stopped := make(chan struct{})
	go func() {
		a.Stop()
		close(stopped)
	}()
	<-ctx.Done() // asked to come to a safe point
	select {
	case <-stopped:
		t.Error("Stop returned while a change was under way")
	default:
	}
	done()
	<-stopped
	later, done := a.begin(t.Context())
	defer done()
	if later.Err() == nil {
		t.Error("a change began after the stop")
	}
	var none *Activity
	if ctx, done := none.begin(t.Context()); ctx.Err() != nil {
		t.Error("got an ended context, want a live one")
	} else {
		done()
	}
}

func TestSimulatedLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"", "https://ec2.eu-west-2.amazonaws.com", "http://192.0.2.1:4566", "http://127.0.0.1:1", ":"} {
		if got := simulated(t.Context(), clock.Real{}, endpoint); got != (clock.Real{}) {
			t.Errorf("%q: got %v, want the real clock", endpoint, got)
		}
	}
}
