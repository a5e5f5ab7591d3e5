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

// createInput is a valid request for another group of the fleet's template.
func createInput(f *fleet, name string) *autoscaling.CreateAutoScalingGroupInput {
	return &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(name), MinSize: aws.Int32(0), MaxSize: aws.Int32(2),
		VPCZoneIdentifier: aws.String(strings.Join(f.Subnets(), ",")),
		LaunchTemplate:    &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("$Latest")},
	}
}

func TestCreateGroupRefuses(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	for name, c := range map[string]struct {
		change     func(in *autoscaling.CreateAutoScalingGroupInput)
		code, text string
	}{
		"a name that is taken": {func(in *autoscaling.CreateAutoScalingGroupInput) { in.AutoScalingGroupName = aws.String("web") }, "AlreadyExists", "web"},
		"sizes in disorder":    {func(in *autoscaling.CreateAutoScalingGroupInput) { in.MinSize = aws.Int32(3) }, "ValidationError", "Max bound, 2"},
		"desired above max":    {func(in *autoscaling.CreateAutoScalingGroupInput) { in.DesiredCapacity = aws.Int32(3) }, "ValidationError", "Desired capacity:3"},
		"no template":          {func(in *autoscaling.CreateAutoScalingGroupInput) { in.LaunchTemplate = nil }, "ValidationError", "LaunchTemplate"},
		"no place":             {func(in *autoscaling.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = nil }, "ValidationError", "Subnet"},
		"unknown subnet":       {func(in *autoscaling.CreateAutoScalingGroupInput) { in.VPCZoneIdentifier = aws.String("subnet-1") }, "ValidationError", "subnet-1"},
		"unknown version":      {func(in *autoscaling.CreateAutoScalingGroupInput) { in.LaunchTemplate.Version = aws.String("9") }, "ValidationError", "fully-formed launch template"},
		"unknown target group": {func(in *autoscaling.CreateAutoScalingGroupInput) {
			in.TargetGroupARNs = []string{"arn:aws:elasticloadbalancing:eu-west-2:123456789012:targetgroup/no/1"}
		}, "ValidationError", "Target Groups"},
		"unknown termination policy": {func(in *autoscaling.CreateAutoScalingGroupInput) { in.TerminationPolicies = []string{"Random"} }, "ValidationError", "Random"},
		"launch configurations":      {func(in *autoscaling.CreateAutoScalingGroupInput) { in.LaunchConfigurationName = aws.String("x") }, "ValidationError", "does not model"},
		"template and policy at once": {func(in *autoscaling.CreateAutoScalingGroupInput) {
			in.MixedInstancesPolicy = &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{LaunchTemplateSpecification: in.LaunchTemplate}}
		}, "ValidationError", "must contain either LaunchTemplate"},
		"half a maintenance policy": {func(in *autoscaling.CreateAutoScalingGroupInput) {
			in.InstanceMaintenancePolicy = &types.InstanceMaintenancePolicy{MinHealthyPercentage: aws.Int32(90)}
		}, "ValidationError", "Both MinHealthyPercentage and MaxHealthyPercentage"},
		"a maintenance policy too wide": {func(in *autoscaling.CreateAutoScalingGroupInput) {
			in.InstanceMaintenancePolicy = &types.InstanceMaintenancePolicy{MinHealthyPercentage: aws.Int32(90), MaxHealthyPercentage: aws.Int32(191)}
		}, "ValidationError", "cannot be greater than 100"},
		"a lifetime below a day": {func(in *autoscaling.CreateAutoScalingGroupInput) { in.MaxInstanceLifetime = aws.Int32(86399) }, "ValidationError", "86399"},
		"zonal shift without a behaviour": {func(in *autoscaling.CreateAutoScalingGroupInput) {
			in.AvailabilityZoneImpairmentPolicy = &types.AvailabilityZoneImpairmentPolicy{ZonalShiftEnabled: aws.Bool(true)}
		}, "ValidationError", "ImpairedZoneHealthCheckBehavior"},
		"reservations": {func(in *autoscaling.CreateAutoScalingGroupInput) {
			in.AvailabilityZoneDistribution = &types.AvailabilityZoneDistribution{CapacityDistributionStrategy: types.CapacityDistributionStrategyReservationsThenBalanced}
		}, "ValidationError", "does not model"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := createInput(f, "other")
			c.change(in)
			_, err := f.client.CreateAutoScalingGroup(t.Context(), in)
			wantCode(t, err, c.code, c.text)
		})
	}
}

func TestGroupsPageAndFilter(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	for i := range 59 {
		in := createInput(f, fmt.Sprintf("app-%02d", i))
		in.Tags = []types.Tag{{Key: aws.String("Number"), Value: aws.String(fmt.Sprint(i % 2)), PropagateAtLaunch: aws.Bool(false)}}
		_, err := f.client.CreateAutoScalingGroup(t.Context(), in)
		f.do(err)
	}
	count := func(in autoscaling.DescribeAutoScalingGroupsInput) string {
		var sizes []int
		pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(f.client, &in)
		for pages.HasMorePages() {
			p, err := pages.NextPage(t.Context())
			f.do(err)
			sizes = append(sizes, len(p.AutoScalingGroups))
		}
		return fmt.Sprint(sizes)
	}
	for name, c := range map[string]struct {
		in   autoscaling.DescribeAutoScalingGroupsInput
		want string
	}{
		"all":     {autoscaling.DescribeAutoScalingGroupsInput{}, "[50 10]"},
		"big":     {autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(100)}, "[60]"},
		"names":   {autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"web", "app-07", "no"}}, "[2]"},
		"tag":     {autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag:Number"), Values: []string{"1"}}}}, "[29]"},
		"tag-key": {autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("tag-key"), Values: []string{"Other", "Number"}}}, MaxRecords: aws.Int32(100)}, "[59]"},
	} {
		if got := count(c.in); got != c.want {
			t.Errorf("%s: pages %s, want %s", name, got, c.want)
		}
	}
	_, err := f.client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(101)})
	wantCode(t, err, "ValidationError", "maxRecords")
	_, err = f.client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{Filters: []types.Filter{{Name: aws.String("color")}}})
	wantCode(t, err, "ValidationError", "color")
}

func TestGroupTags(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	tag := types.Tag{ResourceId: aws.String("web"), ResourceType: aws.String("auto-scaling-group"), Key: aws.String("Team"), Value: aws.String("shop"), PropagateAtLaunch: aws.Bool(true)}
	_, err := f.client.CreateOrUpdateTags(t.Context(), &autoscaling.CreateOrUpdateTagsInput{Tags: []types.Tag{tag}})
	f.do(err)
	out, err := f.client.DescribeTags(t.Context(), &autoscaling.DescribeTagsInput{Filters: []types.Filter{{Name: aws.String("key"), Values: []string{"Team"}}}})
	f.do(err)
	if len(out.Tags) != 1 || *out.Tags[0].Value != "shop" || !*out.Tags[0].PropagateAtLaunch || *out.Tags[0].ResourceId != "web" {
		t.Errorf("described tags %+v", out.Tags)
	}
	_, err = f.client.DeleteTags(t.Context(), &autoscaling.DeleteTagsInput{Tags: []types.Tag{tag}})
	f.do(err)
	if n := len(f.web().Tags); n != 0 {
		t.Errorf("%d tags left", n)
	}
	tag.Key = aws.String("aws:mine")
	_, err = f.client.CreateOrUpdateTags(t.Context(), &autoscaling.CreateOrUpdateTagsInput{Tags: []types.Tag{tag}})
	wantCode(t, err, "ValidationError", "reserved")
}

func TestPointerKeepsItsText(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	for _, version := range []string{"$Latest", "$Default", "2"} {
		_, err := f.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: aws.String("web"),
			LaunchTemplate:       &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String(version)},
		})
		f.do(err)
		spec := f.describe().LaunchTemplate
		if *spec.Version != version || !strings.HasPrefix(*spec.LaunchTemplateId, "lt-") || *spec.LaunchTemplateName != "web" {
			t.Errorf("pointer %s of %s (%s), want %s", *spec.Version, *spec.LaunchTemplateName, *spec.LaunchTemplateId, version)
		}
	}
	for _, i := range f.describe().Instances {
		if *i.LaunchTemplate.Version != "1" {
			t.Errorf("%s is of version %s, want the 1 it was launched from", *i.InstanceId, *i.LaunchTemplate.Version)
		}
	}
	_, err := f.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"),
		LaunchTemplate:       &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), LaunchTemplateId: aws.String("lt-1")},
	})
	wantCode(t, err, "ValidationError", "either launchTemplateId or LaunchTemplateName")
}

func TestPointerNeedsRunInstances(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	_, err := f.Inject(awssim.Fault{Calls: "ec2:RunInstances", Kind: awssim.Deny})
	f.do(err)
	_, err = f.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"),
		LaunchTemplate:       &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("2")},
	})
	wantCode(t, err, "AccessDenied", "You are not authorized to use launch template: lt-")
}

func TestDeleteGroup(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	in := &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("web")}
	_, err := f.client.DeleteAutoScalingGroup(t.Context(), in)
	wantCode(t, err, "ResourceInUse", "instances")
	in.ForceDelete = aws.Bool(true)
	_, err = f.client.DeleteAutoScalingGroup(t.Context(), in)
	f.do(err)
	if s := aws.ToString(f.describe().Status); s != "Delete in progress" {
		t.Errorf("status %q", s)
	}
	_, err = f.client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(0)})
	wantCode(t, err, "ScalingActivityInProgress", "pending delete")
	f.Advance(2 * time.Minute)
	if _, there := f.Group("web"); there {
		t.Error("the group is still there")
	}
	out, err := f.client.DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("web"), IncludeDeletedGroups: aws.Bool(true)})
	f.do(err)
	if len(out.Activities) != 8 || aws.ToString(out.Activities[0].AutoScalingGroupState) != "Deleted" {
		t.Errorf("%d activities of the deleted group, want 8 marked as Deleted", len(out.Activities))
	}
}

func TestTargetGroupsComeAndGo(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `target_group "second" {}`)
	arn := aws.ToString(nil)
	for _, a := range f.TargetGroups() {
		if strings.Contains(a, "targetgroup/second/") {
			arn = a
		}
	}
	_, err := f.client.AttachTrafficSources(t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: aws.String("web"), TrafficSources: []types.TrafficSourceIdentifier{{Identifier: aws.String(arn), Type: aws.String("elbv2")}},
	})
	f.do(err)
	f.expect("just attached", 4, 4, 0)
	f.Advance(time.Minute)
	f.expect("a minute later", 4, 4, 4)
	out, err := f.client.DescribeTrafficSources(t.Context(), &autoscaling.DescribeTrafficSourcesInput{AutoScalingGroupName: aws.String("web")})
	f.do(err)
	if len(out.TrafficSources) != 2 || *out.TrafficSources[1].State != "InService" {
		t.Errorf("traffic sources %+v", out.TrafficSources)
	}
	_, err = f.client.DetachLoadBalancerTargetGroups(t.Context(), &autoscaling.DetachLoadBalancerTargetGroupsInput{AutoScalingGroupName: aws.String("web"), TargetGroupARNs: []string{arn}})
	f.do(err)
	if n := len(f.describe().TargetGroupARNs); n != 1 {
		t.Errorf("%d target groups left, want 1", n)
	}
	_, err = f.client.AttachTrafficSources(t.Context(), &autoscaling.AttachTrafficSourcesInput{
		AutoScalingGroupName: aws.String("web"), TrafficSources: []types.TrafficSourceIdentifier{{Identifier: aws.String("svc-1"), Type: aws.String("vpc-lattice")}},
	})
	wantCode(t, err, "ValidationError", "does not model")
}

func TestReadsOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	web := aws.String("web")
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"policies": func() error {
			_, err := f.client.DescribePolicies(ctx, &autoscaling.DescribePoliciesInput{AutoScalingGroupName: web})
			return err
		},
		"schedules": func() error {
			_, err := f.client.DescribeScheduledActions(ctx, &autoscaling.DescribeScheduledActionsInput{})
			return err
		},
		"hooks": func() error {
			_, err := f.client.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: web})
			return err
		},
		"warm pool": func() error {
			_, err := f.client.DescribeWarmPool(ctx, &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: web})
			return err
		},
		"notifications": func() error {
			_, err := f.client.DescribeNotificationConfigurations(ctx, &autoscaling.DescribeNotificationConfigurationsInput{})
			return err
		},
		"limits": func() error {
			_, err := f.client.DescribeAccountLimits(ctx, &autoscaling.DescribeAccountLimitsInput{})
			return err
		},
		"instances": func() error {
			_, err := f.client.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{})
			return err
		},
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := f.client.PutScalingPolicy(ctx, &autoscaling.PutScalingPolicyInput{AutoScalingGroupName: web, PolicyName: aws.String("p"), AdjustmentType: aws.String("ChangeInCapacity")})
	wantCode(t, err, "InvalidAction", "PutScalingPolicy")
}
