package e2e_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestPermissions_roll records what rolls use, whoever runs them.
func TestPermissions_roll(t *testing.T) {
	t.Parallel()
	ssm, s3 := []string{rollGroup, readSSM, writeSSM}, []string{rollGroup, readS3, writeS3}
	for _, c := range []struct {
		name      string
		shape     rolltest.Shape
		set       bool // set_default
		latest    bool // to $Latest with an image that no version has
		warm      bool // terminate_warm_instances
		raise     bool // raise_max_size
		low, high int
		before    func(*testing.T, *rolltest.Stage)
		base      []string
		rows      []string
	}{
		{name: "launching first", low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst}},
		{name: "without target groups", shape: rolltest.Shape{NoTargets: true}, low: 100, high: 150, base: ssm, rows: []string{launchFirst}},
		{name: "ending first", low: 75, high: 100, base: ssm, rows: []string{targetGroups}},
		{
			name: "LaunchInstances refused", low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, raiseDesired},
			before: func(_ *testing.T, s *rolltest.Stage) { s.World.SetLaunchInstances(false) },
		},
		{name: "$Default", shape: rolltest.Shape{Pointer: "$Default"}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, onDefault}},
		{
			name: "$Latest, with a version of its own", shape: rolltest.Shape{Pointer: "$Latest"}, latest: true,
			low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, rollBack},
		},
		{name: "set_default", set: true, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, onDefault}},
		{name: "rolling back", shape: rolltest.Shape{Image: "never_healthy = true"}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, rollBack}},
		{name: "rolling back $Default", shape: rolltest.Shape{Pointer: "$Default", Image: "never_healthy = true"}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst, rollBack}}, // its default has not moved yet
		{name: "warm pool", warm: true, shape: rolltest.Shape{Group: "warm_pool { min_size = 2 }"}, low: 75, high: 100, base: ssm, rows: []string{targetGroups, warmPools, endWarm}},
		{name: "max size raised", raise: true, shape: rolltest.Shape{Max: 4}, low: 100, high: 150, base: ssm, rows: []string{targetGroups, launchFirst}},
		{name: "journal in a bucket", shape: rolltest.Shape{S3: true}, low: 100, high: 150, base: s3, rows: []string{targetGroups, launchFirst}},
		{name: "rolling back, journal in a bucket", shape: rolltest.Shape{S3: true, Image: "never_healthy = true"}, low: 100, high: 150, base: s3, rows: []string{targetGroups, launchFirst, rollBack}},
		{name: "deleted meanwhile", low: 50, high: 100, base: ssm, rows: []string{targetGroups, tidySSM}, before: deleteLater},
		{name: "deleted meanwhile, journal in a bucket", shape: rolltest.Shape{S3: true}, low: 50, high: 100, base: s3, rows: []string{targetGroups, tidyS3}, before: deleteLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shape.Members = 4
			s := rolltest.New(t, c.shape)
			loseWrite(t, s.World)
			if c.before != nil {
				c.before(t, s)
			}
			q := rolltest.Request(c.low, c.high)
			q.Spec.SetDefault, q.Spec.TerminateWarm, q.Spec.RaiseMaxSize = c.set, c.warm, c.raise
			if c.warm {
				s.World.Advance(5 * time.Minute)
				s.World.ResetCalls()
			}
			if c.latest {
				q.Version, q.Image = "$Latest", s.World.AddImage(awssim.Image{Name: "golden-web-3"})
			}
			_, _ = s.Roller.Roll(t.Context(), q) // how it ends is tested elsewhere
			got := used(s.World)
			// S3 asks for ListBucket where it answers; only plans list.
			if c.shape.S3 {
				got["s3:ListBucket"] = true
			}
			exactly(t, got, append(c.rows, c.base...)...)
		})
	}
}

// TestPermissions_instanceRefresh records what rolls by an instance refresh use.
func TestPermissions_instanceRefresh(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		shape rolltest.Shape
		stop  bool
		rows  []string
	}{
		{name: "rolling"},
		{name: "$Latest", shape: rolltest.Shape{Pointer: "$Latest", Group: "launched_from = 1"}, rows: []string{pointRefresh}},
		{name: "$Default", shape: rolltest.Shape{Pointer: "$Default"}, rows: []string{pointRefresh, onDefault}},
		{name: "rolling back", shape: rolltest.Shape{Image: "never_healthy = true"}, rows: []string{pointRefresh, backRefresh}},
		{name: "interrupted", stop: true, rows: []string{stopRefresh}},
		{name: "warm pool", shape: rolltest.Shape{Group: "warm_pool { min_size = 1 }"}, rows: []string{warmPools}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.shape.Members, c.shape.Group = 4, c.shape.Group+"\n health_check = \"ELB\""
			s := rolltest.New(t, c.shape)
			loseWrite(t, s.World)
			q := rolltest.Request(100, 150)
			q.Spec.Engine = rollout.EngineRefresh
			if c.stop {
				q.Timeout = time.Minute
			}
			_, _ = s.Roller.Roll(t.Context(), q) // how it ends is tested elsewhere
			exactly(t, used(s.World), append(c.rows, rollRefresh, targetGroups, readSSM, writeSSM)...)
		})
	}
}

// TestPermissions_signals records what each signal and check uses beyond that.
func TestPermissions_signals(t *testing.T) {
	t.Parallel()
	extra := `
alarm "web-5xx" {}
function "smoke" {}
load_balancer "old" {}
`
	for _, c := range []struct {
		name   string
		group  string
		before func(*testing.T, *rolltest.Stage)
		choose func(*rollout.Spec)
		rows   []string
	}{
		{name: "EC2 status", choose: func(s *rollout.Spec) { s.EC2Status = true }, rows: []string{ec2Status}},
		{name: "alarms", choose: func(s *rollout.Spec) { s.Alarms = []string{"web-5xx"} }, rows: []string{alarms}},
		{name: "probe", choose: func(s *rollout.Spec) {
			p := rollout.DefaultProbe("http://{private_ip}/")
			s.Probe = &p
		}, rows: []string{probeMembers}},
		{name: "function", choose: func(s *rollout.Spec) {
			c := rollout.DefaultCheck("smoke")
			c.Function = "smoke"
			s.Checks = []rollout.Check{c}
		}, rows: []string{checkByFunction}},
		{name: "classic load balancer", group: `load_balancers = ["old"]`, choose: func(*rollout.Spec) {}, rows: []string{classicBalancers}},
		{name: "Network Load Balancer", before: behindNetworkBalancer, choose: func(*rollout.Spec) {}, rows: []string{networkBalancer}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 4, Extra: extra, Group: c.group})
			if c.before != nil {
				c.before(t, s)
				s.World.ResetCalls()
			}
			loseWrite(t, s.World)
			q := rolltest.Request(100, 150)
			c.choose(&q.Spec)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			exactly(t, used(s.World), append(c.rows, rollGroup, targetGroups, launchFirst, readSSM, writeSSM)...)
		})
	}
}

// behindNetworkBalancer puts the staged group behind a Network Load Balancer
// too.
func behindNetworkBalancer(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	traffic, machines := elb.NewFromConfig(s.World.Config()), ec2.NewFromConfig(s.World.Config())
	nets, err := machines.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{})
	if err != nil {
		t.Fatal(err)
	}
	group, err := traffic.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{
		Name: aws.String("tcp"), Protocol: elbtypes.ProtocolEnumTcp, Port: aws.Int32(80), VpcId: nets.Subnets[0].VpcId,
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, n := range nets.Subnets {
		ids = append(ids, aws.ToString(n.SubnetId))
	}
	balancer, err := traffic.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("tcp"), Type: elbtypes.LoadBalancerTypeEnumNetwork, Subnets: ids})
	if err != nil {
		t.Fatal(err)
	}
	_, err = traffic.CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Port: aws.Int32(80), Protocol: elbtypes.ProtocolEnumTcp,
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: group.TargetGroups[0].TargetGroupArn}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = autoscaling.NewFromConfig(s.World.Config()).AttachLoadBalancerTargetGroups(t.Context(), &autoscaling.AttachLoadBalancerTargetGroupsInput{
		AutoScalingGroupName: aws.String("web"), TargetGroupARNs: []string{aws.ToString(group.TargetGroups[0].TargetGroupArn)},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.World.Advance(5 * time.Minute)
}

// TestPermissions_parameter records what a launch template costs that names a
// parameter in place of an image.
func TestPermissions_parameter(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, `
image "golden-web-1" {}
image "golden-web-2" {}
parameter "/golden/web" { value = "golden-web-1" }
template "web" {
  version { image = "resolve:ssm:/golden/web" }
}
group "web" {
  template = "web"
  version  = "1"
  min      = 0
  max      = 4
  desired  = 2
}
`, false)
	for _, i := range s.World.Images() {
		if i.Name == "golden-web-2" {
			s.World.PutParameter("/golden/web", i.ID)
		}
	}
	loseWrite(t, s.World)
	q := rolltest.Request(100, 150)
	q.Version = "1"
	if _, err := s.Roller.Roll(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	got := used(s.World)
	got["autoscaling:UpdateAutoScalingGroup"] = true // the pointer stays in this one
	exactly(t, got, rollGroup, launchFirst, memberImages, readSSM, writeSSM)
}

// deleteLater rolls, and lets the group be deleted in the middle of the next roll.
func deleteLater(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	q := rolltest.Request(50, 100)
	q.Version = "1"
	s.World.At(time.Hour, func() {
		if err := s.World.Act(awssim.Action{Do: "delete_group", Group: "web"}); err != nil {
			t.Error(err)
		}
	})
	for _, q.Version = range []string{"2", "1"} {
		_, _ = s.Roller.Roll(t.Context(), q) // the second finds the group gone
		s.World.Advance(59*time.Minute - s.Elapsed())
	}
}

// TestPermissions_warmPool records what finding out which versions are in use
// needs beyond that where a group has a warm pool.
func TestPermissions_warmPool(t *testing.T) {
	t.Parallel()
	found := map[string]actions{}
	for name, group := range map[string]string{"without": "", "with": "warm_pool { min_size = 1 }"} {
		s := rolltest.New(t, rolltest.Shape{Members: 1, Group: group})
		out, err := ec2.NewFromConfig(s.World.Config()).DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{})
		if err != nil || len(out.LaunchTemplates) == 0 {
			t.Fatalf("got %v, %v; want a template", out, err)
		}
		s.World.ResetCalls()
		client := asg.New(asg.Options{AutoScaling: autoscaling.NewFromConfig(s.World.Config()), Clock: s.World.Clock()})
		if _, err := client.Uses(t.Context(), aws.ToString(out.LaunchTemplates[0].LaunchTemplateId)); err != nil {
			t.Fatal(err)
		}
		found[name] = used(s.World)
	}
	maps.DeleteFunc(found["with"], func(action string, _ bool) bool { return found["without"][action] })
	exactly(t, found["with"], warmPools)
}

// keyed makes versions with another key pair than it is asked for.
type keyed struct{ *ec2.Client }

func (k keyed) CreateLaunchTemplateVersion(ctx context.Context, in *ec2.CreateLaunchTemplateVersionInput, o ...func(*ec2.Options)) (*ec2.CreateLaunchTemplateVersionOutput, error) {
	in.LaunchTemplateData.KeyName = aws.String("other")
	return k.Client.CreateLaunchTemplateVersion(ctx, in, o...)
}

// TestPermissions_withdraw records what making a version uses beyond that when
// it has to be withdrawn.
func TestPermissions_withdraw(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 1})
	api := ec2.NewFromConfig(s.World.Config())
	out, err := api.DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest"}})
	if err != nil || len(out.LaunchTemplateVersions) == 0 {
		t.Fatalf("got %v, %v; want a version", out, err)
	}
	v := out.LaunchTemplateVersions[0]
	publish := func(api ltversion.EC2, token string) map[string]bool {
		s.World.ResetCalls()
		_, err = ltversion.Client{EC2: api, Clock: s.World.Clock()}.Publish(t.Context(), ltversion.Copy{
			Template: aws.ToString(v.LaunchTemplateId), Source: aws.ToInt64(v.VersionNumber), Data: v.LaunchTemplateData, Token: token,
		})
		return used(s.World)
	}
	kept := publish(api, "kept")
	if err != nil {
		t.Fatal(err)
	}
	withdrawn := publish(keyed{api}, "withdrawn")
	if !errors.As(err, new(*ltversion.DifferenceError)) {
		t.Fatalf("got %v, want a difference", err)
	}
	maps.DeleteFunc(withdrawn, func(action string, _ bool) bool { return kept[action] })
	exactly(t, withdrawn, withdrawVersion)
}
