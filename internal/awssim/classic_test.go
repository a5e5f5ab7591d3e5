package awssim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// newClassicFleet is the fleet behind a classic load balancer instead.
func newClassicFleet(t *testing.T, more string) (*fleet, *classic.Client) {
	t.Helper()
	f := newFleet(t, more, `target_group "web" {}`, `load_balancer "old-style" { connection_draining = "30s" }`, `target_groups = ["web"]`, `load_balancers = ["old-style"]`)
	return f, classic.NewFromConfig(f.Config())
}

// instanceHealth is an instance's state, reason and description.
func (f *fleet) instanceHealth(c *classic.Client, id string) string {
	f.Helper()
	out, err := c.DescribeInstanceHealth(f.Context(), &classic.DescribeInstanceHealthInput{
		LoadBalancerName: aws.String("old-style"), Instances: []types.Instance{{InstanceId: &id}},
	})
	f.do(err)
	s := out.InstanceStates[0]
	return fmt.Sprint(*s.State, "|", *s.ReasonCode, "|", *s.Description)
}

func TestClassicLoadBalancerHealth(t *testing.T) {
	t.Parallel()
	f, c := newClassicFleet(t, "")
	f.expect("at the start", 4, 4, 4)
	m := f.web().Members[0]
	expect := func(when, id, want string) {
		t.Helper()
		if got := f.instanceHealth(c, id); got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	expect("in service", m.ID, "InService|N/A|N/A")
	f.set(5)
	f.Advance(50 * time.Second)
	young := f.web().Members[4].ID
	expect("just registered", young, "OutOfService|ELB|Instance registration is still in progress.")
	f.Advance(30 * time.Second)
	expect("half a minute later", young, "InService|N/A|N/A")
	f.do(f.terminate(young, true))
	f.Advance(time.Second)
	expect("draining", young, "InService|N/A|Instance deregistration currently in progress.")
	f.Advance(30 * time.Second)
	expect("drained", young, "OutOfService|ELB|Instance is not currently registered with the LoadBalancer.")
	f.do(f.Act(awssim.Action{Do: "flap", Group: "web", Value: 1}))
	expect("failing", m.ID, "OutOfService|Instance|Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
	f.Advance(3 * time.Second)
	if got := f.web().Members[0]; got.Health != "Unhealthy" || got.Targets["old-style"] == "healthy" {
		t.Errorf("with health check type ELB a failing member is %s, %v; want Unhealthy", got.Health, got.Targets)
	}
	_, err := c.DescribeInstanceHealth(f.Context(), &classic.DescribeInstanceHealthInput{
		LoadBalancerName: aws.String("old-style"), Instances: []types.Instance{{InstanceId: aws.String("i-0123456789abcdef0")}},
	})
	wantCode(t, err, "InvalidInstance", "i-0123456789abcdef0")
}

func TestClassicLoadBalancerInDoubtAnswersHTTP(t *testing.T) {
	t.Parallel()
	f, c := newClassicFleet(t, "")
	out, err := c.DescribeLoadBalancers(f.Context(), &classic.DescribeLoadBalancersInput{})
	f.do(err)
	f.expectGet("the load balancer", f.Client(), "http://"+*out.LoadBalancerDescriptions[0].DNSName+"/", "200 OK")
	if n := len(out.LoadBalancerDescriptions[0].Instances); n != 4 {
		t.Errorf("registered instances: got %d, want 4", n)
	}
	f = newFleet(t, "", `target_group "web" {}`, `load_balancer "old-style" {
  unknown_after = "1m"
  unknown_for   = "30s"
}`, `target_groups = ["web"]`, `load_balancers = ["old-style"]`)
	c, id := classic.NewFromConfig(f.Config()), f.web().Members[0].ID
	for _, want := range []string{"InService|N/A|N/A", "Unknown|ELB|A transient error occurred. Please try again later.", "InService|N/A|N/A"} {
		if got := f.instanceHealth(c, id); got != want {
			t.Errorf("at %v: got %s, want %s", f.Clock().Now(), got, want)
		}
		f.Advance(time.Minute)
	}
}

func TestGroupsAttachClassicLoadBalancers(t *testing.T) {
	t.Parallel()
	f, c := newClassicFleet(t, `load_balancer "second" {}`)
	name := aws.String("web")
	_, err := f.client.AttachTrafficSources(f.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: name, TrafficSources: []astypes.TrafficSourceIdentifier{{Identifier: aws.String("second"), Type: aws.String("elb")}},
	})
	f.do(err)
	f.Advance(31 * time.Second)
	states, err := f.client.DescribeLoadBalancers(f.Context(), &autoscaling.DescribeLoadBalancersInput{AutoScalingGroupName: name})
	f.do(err)
	if len(states.LoadBalancers) != 2 || *states.LoadBalancers[1].LoadBalancerName != "second" || *states.LoadBalancers[1].State != "InService" {
		t.Errorf("load balancers of the group: got %+v, want old-style and second in service", states.LoadBalancers)
	}
	if got := f.describe(); len(got.LoadBalancerNames) != 2 || len(got.TrafficSources) != 2 || *got.TrafficSources[1].Type != "elb" {
		t.Errorf("group: got names %v and sources %v, want two of each, of type elb", got.LoadBalancerNames, got.TrafficSources)
	}
	detach := &autoscaling.DetachLoadBalancersInput{AutoScalingGroupName: name, LoadBalancerNames: []string{"second"}}
	_, err = f.client.DetachLoadBalancers(f.Context(), detach)
	f.do(err)
	f.Advance(31 * time.Second)
	health, err := c.DescribeInstanceHealth(f.Context(), &classic.DescribeInstanceHealthInput{LoadBalancerName: aws.String("second")})
	f.do(err)
	if len(health.InstanceStates) != 0 {
		t.Errorf("instances of a detached load balancer: got %+v, want none", health.InstanceStates)
	}
	_, err = f.client.DetachLoadBalancers(f.Context(), detach)
	wantCode(t, err, "ValidationError", "second is not attached")
	_, err = f.client.AttachLoadBalancers(f.Context(), &autoscaling.AttachLoadBalancersInput{AutoScalingGroupName: name, LoadBalancerNames: []string{"gone"}})
	wantCode(t, err, "ValidationError", "gone")
	_, err = c.DescribeLoadBalancers(f.Context(), &classic.DescribeLoadBalancersInput{LoadBalancerNames: []string{"gone"}})
	wantCode(t, err, "LoadBalancerNotFound", "gone")
	_, err = c.CreateLoadBalancerPolicy(f.Context(), &classic.CreateLoadBalancerPolicyInput{
		LoadBalancerName: aws.String("second"), PolicyName: aws.String("p"), PolicyTypeName: aws.String("t"),
	})
	wantCode(t, err, "InvalidAction", "CreateLoadBalancerPolicy")
}
