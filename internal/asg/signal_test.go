package asg_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// surroundings is a group of 120 behind one load balancer of each kind, with
// alarms.
const surroundings = `
image "golden-web-1" {}
template "web" {
  version { image = "golden-web-1" }
}
target_group "web" {
  slow_start = "90s"
  cross_zone = false
}
load_balancer "old" {}
alarm "metric" { state = "ALARM" }
alarm "composite" { composite = true }
group "web" {
  template       = "web"
  min            = 0
  max            = 200
  desired        = 120
  target_groups  = ["web"]
  load_balancers = ["old"]
}
`

func observer(t *testing.T, scenario string) (*awssim.World, *asg.Client) {
	t.Helper()
	parsed, err := awssim.ParseScenario(t.Name(), scenario)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, parsed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	cfg := w.Config()
	return w, asg.New(asg.Options{
		AutoScaling: autoscaling.NewFromConfig(cfg), EC2: ec2.NewFromConfig(cfg), ELB: elb.NewFromConfig(cfg),
		Classic: elasticloadbalancing.NewFromConfig(cfg), CloudWatch: cloudwatch.NewFromConfig(cfg), Clock: w.Clock(),
	})
}

// TestObserve_signals looks at every signal at once, and at no more than that
// costs: two calls for the status of 120 members, one for alarms.
func TestObserve_signals(t *testing.T) {
	t.Parallel()
	w, c := observer(t, surroundings)
	p := rollout.DefaultProbe("http://{private_ip}/")
	look := rollout.Look{Targets: true, Status: true, Attributes: true, Alarms: []string{"metric", "composite", "none"}, Probe: &p}
	for range 2 { // addresses are read once
		w.ResetCalls()
		s, err := c.Observe(t.Context(), "web", look)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range s.Members {
			states := []string{m.Status.Instance, m.Status.System, m.Targets[0].State, m.Targets[1].State}
			if want := []string{"ok", "ok", "healthy", "InService"}; !slices.Equal(states, want) || !strings.HasPrefix(m.Addresses.PrivateIP, "172.31.") {
				t.Fatalf("%s is %v at %q, want %v", m.ID, states, m.Addresses.PrivateIP, want)
			}
		}
		got := fmt.Sprintf("%t %t %t %s %s %d %s %v", s.TargetsSeen, s.StatusSeen, s.AlarmsSeen, s.Alarms["metric"].State, s.Alarms["composite"].State, len(s.Alarms), s.SlowStart, s.Zonal)
		if want := "true true true ALARM OK 2 1m30s [web]"; got != want {
			t.Errorf("observed %s, want %s", got, want)
		}
	}
	calls := w.Calls()
	for call, want := range map[string]int{
		"ec2:DescribeInstanceStatus": 2, "ec2:DescribeInstances": 0, "cloudwatch:DescribeAlarms": 1, "elasticloadbalancing:DescribeInstanceHealth": 1,
		"elasticloadbalancing:DescribeTargetGroupAttributes": 1,
	} {
		if calls[call] != want {
			t.Errorf("%d calls of %s, want %d: %v", calls[call], call, want, calls)
		}
	}
}

// An instance that EC2 does not know fails a call about a hundred of them: the
// others are looked at without it, and it is not healthy.
func TestObserve_statusOfUnknown(t *testing.T) {
	t.Parallel()
	w, c := observer(t, surroundings)
	g, _ := w.Group("web")
	id := g.Members[0].ID
	for _, m := range g.Members {
		id = min(id, m.ID) // in the first of the two calls
	}
	if _, err := w.Inject(awssim.Fault{
		Calls: "ec2:DescribeInstanceStatus", Kind: awssim.Fail, Code: "InvalidInstanceID.NotFound", Message: "The instance ID '" + id + "' does not exist", Status: 400, Times: 1,
	}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Observe(t.Context(), "web", rollout.Look{Status: true})
	if err != nil || !s.StatusSeen {
		t.Fatalf("Observe = %v, seen %t", err, s.StatusSeen)
	}
	for _, m := range s.Members {
		if (m.Status.Instance == "") != (m.ID == id) {
			t.Errorf("%s has status %+v; only %s is unknown", m.ID, m.Status, id)
		}
	}
}

// What may not be looked at is an error that names the action.
func TestObserve_signalsDenied(t *testing.T) {
	t.Parallel()
	for call, look := range map[string]rollout.Look{
		"ec2:DescribeInstanceStatus":                         {Status: true},
		"cloudwatch:DescribeAlarms":                          {Alarms: []string{"metric"}},
		"elasticloadbalancing:DescribeInstanceHealth":        {Targets: true},
		"elasticloadbalancing:DescribeTargetGroupAttributes": {Attributes: true},
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w, c := observer(t, surroundings)
			if _, err := w.Inject(awssim.Fault{Calls: call, Kind: awssim.Deny}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Observe(t.Context(), "web", look); !asg.Denied(err) || !strings.Contains(err.Error(), call[strings.Index(call, ":")+1:]) {
				t.Errorf("Observe = %v, want it denied by name", err)
			}
		})
	}
}
