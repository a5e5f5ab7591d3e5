package awssim_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// traffic is a world with two running instances and a target group of them.
type traffic struct {
	*testing.T
	*awssim.World
	client *elb.Client
	vpc    string
	arn    string // of the target group
	ids    []string
}

func newTraffic(t *testing.T) *traffic {
	t.Helper()
	w, machines := newBare(t)
	s := &traffic{T: t, World: w, client: elb.NewFromConfig(w.Config())}
	for _, i := range instances(t, machines) {
		s.ids, s.vpc = append(s.ids, *i.InstanceId), *i.VpcId
	}
	slices.Sort(s.ids)
	s.arn = s.targetGroup("web")
	return s
}

func (s *traffic) do(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *traffic) targetGroup(name string) string {
	s.Helper()
	out, err := s.client.CreateTargetGroup(s.Context(), &elb.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: &s.vpc,
	})
	s.do(err)
	return *out.TargetGroups[0].TargetGroupArn
}

// listen makes a load balancer in some subnets with a listener for the target
// group, and gives the ARNs of both.
func (s *traffic) listen(subnets ...string) (balancer, listener string) {
	s.Helper()
	lb, err := s.client.CreateLoadBalancer(s.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: subnets})
	s.do(err)
	balancer = *lb.LoadBalancers[0].LoadBalancerArn
	l, err := s.client.CreateListener(s.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: &balancer, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &s.arn}},
	})
	s.do(err)
	return balancer, *l.Listeners[0].ListenerArn
}

func (s *traffic) register(ids ...string) {
	s.Helper()
	_, err := s.client.RegisterTargets(s.Context(), &elb.RegisterTargetsInput{TargetGroupArn: &s.arn, Targets: targetsOf(ids)})
	s.do(err)
}

func targetsOf(ids []string) (out []types.TargetDescription) {
	for _, id := range ids {
		out = append(out, types.TargetDescription{Id: aws.String(id)})
	}
	return out
}

// expect fails unless the targets have these states, each as "state reason".
func (s *traffic) expect(when string, want map[string]string) {
	s.Helper()
	out, err := s.client.DescribeTargetHealth(s.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &s.arn})
	s.do(err)
	got := map[string]string{}
	for _, d := range out.TargetHealthDescriptions {
		got[*d.Target.Id] = string(d.TargetHealth.State)
		if d.TargetHealth.Reason != "" {
			got[*d.Target.Id] += " " + string(d.TargetHealth.Reason)
		}
	}
	if !maps.Equal(got, want) {
		s.Errorf("%s: got %v, want %v", when, got, want)
	}
}

const (
	starting = "initial Elb.RegistrationInProgress"
	draining = "draining Target.DeregistrationInProgress"
	notInUse = "unused Target.NotInUse"
	failing  = "unhealthy Target.FailedHealthChecks"
)

func TestTargetLife(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	a, b := s.ids[0], s.ids[1]
	s.register(a, b)
	s.expect("without a listener", map[string]string{a: notInUse, b: notInUse})
	s.Advance(time.Hour)
	s.expect("without a listener for an hour", map[string]string{a: notInUse, b: notInUse})
	_, listener := s.listen(s.Subnets()...)
	s.expect("with a listener", map[string]string{a: starting, b: starting})
	s.Advance(29 * time.Second)
	s.expect("a second before the time to healthy", map[string]string{a: starting, b: starting})
	s.Advance(time.Second)
	s.expect("after the time to healthy", map[string]string{a: "healthy", b: "healthy"})

	_, err := s.client.DeregisterTargets(t.Context(), &elb.DeregisterTargetsInput{TargetGroupArn: &s.arn, Targets: targetsOf([]string{a})})
	s.do(err)
	s.expect("deregistered", map[string]string{a: draining, b: "healthy"})
	s.Advance(299 * time.Second)
	s.expect("a second before the delay is over", map[string]string{a: draining, b: "healthy"})
	s.register(a)
	s.expect("registered again meanwhile", map[string]string{a: starting, b: "healthy"})
	s.Advance(30 * time.Second)
	s.expect("which takes its time", map[string]string{a: "healthy", b: "healthy"})

	_, err = s.client.DeleteListener(t.Context(), &elb.DeleteListenerInput{ListenerArn: &listener})
	s.do(err)
	s.expect("without the listener again", map[string]string{a: notInUse, b: notInUse})
	_, err = s.client.DeregisterTargets(t.Context(), &elb.DeregisterTargetsInput{TargetGroupArn: &s.arn, Targets: targetsOf([]string{a})})
	s.do(err)
	s.expect("an unused target drains at once", map[string]string{b: notInUse})
}

func TestTargetFollowsItsInstance(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	a, b := s.ids[0], s.ids[1]
	s.register(a, b)
	s.listen(s.Subnets()...)
	s.Advance(time.Minute)
	s.BreakInstance(a)
	s.expect("at once", map[string]string{a: "healthy", b: "healthy"})
	s.Advance(20 * time.Second)
	s.expect("after the time to unhealthy", map[string]string{a: failing, b: "healthy"})
	_, err := ec2.NewFromConfig(s.Config()).TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{b}})
	s.do(err)
	s.expect("an instance that ends", map[string]string{a: failing, b: "unused Target.InvalidState"})
	s.Advance(40 * time.Second)
	if got := s.TargetStates(s.arn); got[b] != "" {
		t.Errorf("a terminated instance: got %v, want it gone", got)
	}
}

func TestTargetOutsideTheZones(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	a, b := s.ids[0], s.ids[1]
	s.register(a, b)
	zone := map[string]string{}
	g, _ := s.Group("web")
	for _, m := range g.Members {
		zone[m.ID] = m.Zone
	}
	// A load balancer in every zone but that of b.
	var subnets []string
	for i, letter := range []string{"a", "b", "c"} {
		if zone[b] != s.Region()+letter {
			subnets = append(subnets, s.Subnets()[i])
		}
	}
	balancer, _ := s.listen(subnets...)
	s.expect("one zone not enabled", map[string]string{a: starting, b: notInUse})
	_, err := s.client.SetSubnets(t.Context(), &elb.SetSubnetsInput{LoadBalancerArn: &balancer, Subnets: s.Subnets()})
	s.do(err)
	s.expect("all zones enabled", map[string]string{a: starting, b: starting})
}

func TestImageBehaviourInTargetGroup(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	a := s.ids[0]
	s.listen(s.Subnets()...)
	g, _ := s.Group("web")
	s.SetImageBehaviour(g.Members[0].Image, awssim.ImageBehaviour{BootFactor: 3, NeverHealthy: true})
	s.register(a)
	s.Advance(89 * time.Second)
	s.expect("boots three times as long", map[string]string{a: starting})
	s.Advance(time.Second)
	s.expect("never healthy", map[string]string{a: failing})
	s.Advance(time.Hour)
	s.expect("really never", map[string]string{a: failing})
}

func TestFlappingTargetGroup(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	a := s.ids[0]
	s.listen(s.Subnets()...)
	s.register(a)
	s.Advance(time.Minute)
	s.FlapTargetGroup(s.arn, time.Minute, 2)
	for i := range 2 {
		s.expect("flap", map[string]string{a: "unhealthy Target.Timeout"})
		s.Advance(30 * time.Second)
		s.expect("between flaps", map[string]string{a: "healthy"})
		if i == 0 {
			s.Advance(30 * time.Second)
		}
	}
	s.Advance(time.Hour)
	s.expect("afterwards", map[string]string{a: "healthy"})
}

func TestTargetsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	s.register(s.ids[0])
	out, err := s.client.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &s.arn, Targets: targetsOf([]string{"i-0123"})})
	s.do(err)
	if d := out.TargetHealthDescriptions[0]; len(out.TargetHealthDescriptions) != 1 || d.TargetHealth.Reason != types.TargetHealthReasonEnumNotRegistered {
		t.Errorf("got %+v, want one that is not registered", out.TargetHealthDescriptions)
	}
}

func TestELBErrors(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	ctx := t.Context()
	missing := s.arn[:len(s.arn)-4] + "0000"
	_, err := s.client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &missing})
	wantCode(t, err, "TargetGroupNotFound", "not found")
	_, err = s.client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String("web")})
	wantCode(t, err, "ValidationError", "not a valid target group ARN")
	_, err = s.client.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{"api"}})
	wantCode(t, err, "TargetGroupNotFound", "not found")
	_, err = s.client.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &s.arn, Targets: targetsOf([]string{"i-0123"})})
	wantCode(t, err, "InvalidTarget", "i-0123")
	_, err = s.client.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: aws.String("web"), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(81), VpcId: &s.vpc})
	wantCode(t, err, "DuplicateTargetGroupName", "different settings")
	if again := s.targetGroup("web"); again != s.arn {
		t.Errorf("the same target group twice: got %s, want %s", again, s.arn)
	}
	_, err = s.client.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("web"), Subnets: s.Subnets()[:1]})
	wantCode(t, err, "ValidationError", "At least two subnets")
	balancer, _ := s.listen(s.Subnets()...)
	_, err = s.client.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &s.arn})
	wantCode(t, err, "ResourceInUse", "in use")
	_, err = s.client.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &s.arn, Attributes: []types.TargetGroupAttribute{{Key: aws.String("colour"), Value: aws.String("red")}},
	})
	wantCode(t, err, "ValidationError", "colour")
	_, err = s.client.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &balancer})
	s.do(err)
	_, err = s.client.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{balancer}})
	wantCode(t, err, "LoadBalancerNotFound", "not found")
	_, err = s.client.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &s.arn})
	s.do(err)
	_, err = s.client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &s.arn})
	wantCode(t, err, "TargetGroupNotFound", "not found")
}

func TestAttributesAndTags(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	ctx := t.Context()
	attribute := func(arn string) map[string]string {
		t.Helper()
		out, err := s.client.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &arn})
		s.do(err)
		got := map[string]string{}
		for _, a := range out.Attributes {
			got[*a.Key] = *a.Value
		}
		return got
	}
	if got := attribute(s.arn); got["deregistration_delay.timeout_seconds"] != "300" || got["slow_start.duration_seconds"] != "0" || got["stickiness.type"] != "lb_cookie" {
		t.Errorf("defaults: got %v", got)
	}
	_, err := s.client.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: &s.arn, Attributes: []types.TargetGroupAttribute{
		{Key: aws.String("deregistration_delay.timeout_seconds"), Value: aws.String("5")},
	}})
	s.do(err)
	if got := attribute(s.arn)["deregistration_delay.timeout_seconds"]; got != "5" {
		t.Errorf("after the change: got %s, want 5", got)
	}
	_, err = s.client.AddTags(ctx, &elb.AddTagsInput{ResourceArns: []string{s.arn}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}})
	s.do(err)
	_, err = s.client.RemoveTags(ctx, &elb.RemoveTagsInput{ResourceArns: []string{s.arn}, TagKeys: []string{"a"}})
	s.do(err)
	out, err := s.client.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{s.arn}})
	s.do(err)
	if tags := out.TagDescriptions[0].Tags; len(tags) != 1 || *tags[0].Key != "b" {
		t.Errorf("tags: got %+v, want b alone", tags)
	}
}

func TestStaleTargets(t *testing.T) {
	t.Parallel()
	s := newTraffic(t)
	s.listen(s.Subnets()...)
	s.do(s.SetStaleness("elasticloadbalancing", 30*time.Second))
	s.register(s.ids[0])
	s.Advance(45 * time.Second) // healthy for fifteen seconds
	seen := map[types.TargetHealthStateEnum]bool{}
	for range 50 {
		out, err := s.client.DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: &s.arn})
		s.do(err)
		for _, d := range out.TargetHealthDescriptions {
			seen[d.TargetHealth.State] = true
		}
	}
	if !seen[types.TargetHealthStateEnumInitial] || !seen[types.TargetHealthStateEnumHealthy] {
		t.Errorf("got %v in fifty stale reads, want initial and healthy", seen)
	}
	if got := s.TargetStates(s.arn)[s.ids[0]]; got != "healthy" {
		t.Errorf("the truth: got %s, want healthy", got)
	}
}
