package asg_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// uses is a world in which each way of using a version uses another one.
const uses = `
start = "2026-11-20T09:00:00Z"
image "golden" { id = "ami-00000000000000001" }
template "web" { $VERSIONS }
template "other" { $VERSIONS }
group "web" {
  template = "web"
  version  = "2"
  launched_from = 2
  min      = 1
  max      = 4
  desired  = 2
}
group "mixed" {
  template = "web"
  version  = "$Latest"
  min      = 0
  max      = 2
  desired  = 0
}
group "warm" {
  template = "web"
  version  = "5"
  launched_from = 5
  min      = 0
  max      = 3
  desired  = 1
  warm_pool { min_size = 2 }
}
group "elsewhere" {
  template = "other"
  version  = "8"
  min      = 0
  max      = 1
  desired  = 1
}
`

func TestUses(t *testing.T) {
	t.Parallel()
	versions := strings.Repeat("\nversion {\n image = \"golden\"\n instance_type = \"t3.micro\"\n}\n", 10)
	s, err := awssim.ParseScenario(t.Name(), strings.ReplaceAll(uses, "$VERSIONS", versions))
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.Advance(10 * time.Minute)
	api := autoscaling.NewFromConfig(w.Config())
	out, err := api.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"web"}})
	if err != nil || len(out.AutoScalingGroups) != 1 {
		t.Fatalf("got %v, %v; want the group", out, err)
	}
	web := out.AutoScalingGroups[0]
	id := web.LaunchTemplate.LaunchTemplateId
	at := func(version string) *astypes.LaunchTemplateSpecification {
		return &astypes.LaunchTemplateSpecification{LaunchTemplateId: id, Version: aws.String(version)}
	}
	point := func(group, version string) {
		_, err := api.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: aws.String(group), LaunchTemplate: at(version),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// Of the members on 2, one is in standby and the other is ended.
	if _, err := api.EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{
		AutoScalingGroupName: aws.String("web"), InstanceIds: []string{aws.ToString(web.Instances[0].InstanceId)}, ShouldDecrementDesiredCapacity: aws.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}
	point("web", "3")
	if _, err := api.TerminateInstanceInAutoScalingGroup(t.Context(), &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: web.Instances[1].InstanceId, ShouldDecrementDesiredCapacity: aws.Bool(false),
	}); err != nil {
		t.Fatal(err)
	}
	w.Advance(10 * time.Minute)
	point("warm", "6") // the warm pool stays on 5
	if _, err := api.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("mixed"),
		MixedInstancesPolicy: &astypes.MixedInstancesPolicy{LaunchTemplate: &astypes.LaunchTemplate{
			LaunchTemplateSpecification: at("$Latest"),
			Overrides:                   []astypes.LaunchTemplateOverrides{{InstanceType: aws.String("t3.small"), LaunchTemplateSpecification: at("4")}},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: aws.String("web"), DesiredConfiguration: &astypes.DesiredConfiguration{LaunchTemplate: at("7")},
	}); err != nil {
		t.Fatal(err)
	}
	client := asg.New(asg.Options{AutoScaling: api, EC2: ec2.NewFromConfig(w.Config()), Clock: w.Clock()})
	got, err := client.Uses(t.Context(), aws.ToString(id))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int64]bool{2: true, 3: true, 4: true, 5: true, 6: true, 7: true}, got.Versions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if len(got.Groups) != 3 {
		t.Errorf("got groups %q, want three", got.Groups)
	}
	if _, err := w.Inject(awssim.Fault{Calls: "autoscaling:DescribeWarmPool", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Uses(t.Context(), aws.ToString(id)); err == nil {
		t.Error("got no error although a warm pool could not be read")
	}
}
