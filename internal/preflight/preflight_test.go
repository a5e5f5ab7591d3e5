package preflight_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/preflight"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

const scenario = `
vcpu_limits    = { on_demand = 10 }
free_addresses = { a = 3, b = 9, c = 9 }
image "one" { created = "2026-01-01T00:00:00Z" }
image "two" {
  id           = "ami-00000000000000002"
  created      = "2026-02-01T00:00:00Z"
  architecture = "arm64"
  deprecated   = "2026-03-01T00:00:00Z"
}
template "web" {
  version {
    image         = "one"
    instance_type = "t3.micro"
  }
  version {
    image         = "two"
    instance_type = "t3.micro"
  }
}
group "web" {
  template = "web"
  version  = "1"
  min      = 1
  max      = 8
  desired  = 3
  hook "join" {
    transition = "launching"
    timeout    = "10m"
  }
}
group "follower" {
  template = "web"
  version  = "$Latest"
  min      = 0
  max      = 1
  desired  = 0
}
group "pinned" {
  template = "web"
  version  = "1"
  min      = 0
  max      = 1
  desired  = 0
}
`

// world is the scenario and a client that looks at it.
func world(t *testing.T) (*awssim.World, *preflight.Client) {
	t.Helper()
	s, err := awssim.ParseScenario(t.Name(), scenario)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	cfg := w.Config()
	groups := asg.New(asg.Options{AutoScaling: autoscaling.NewFromConfig(cfg), EC2: ec2.NewFromConfig(cfg), ELB: elb.NewFromConfig(cfg), Clock: w.Clock(), Shared: true, Patient: true})
	return w, preflight.New(preflight.Options{
		AutoScaling: autoscaling.NewFromConfig(cfg), EC2: ec2.NewFromConfig(cfg), Quotas: servicequotas.NewFromConfig(cfg),
		Shifts: arczonalshift.NewFromConfig(cfg), Groups: groups, Credentials: cfg.Credentials, Clock: w.Clock(),
	})
}

// TestObserve reads everything that surrounds a group.
func TestObserve(t *testing.T) {
	t.Parallel()
	w, c := world(t)
	groups := autoscaling.NewFromConfig(w.Config())
	if _, err := groups.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), MaxInstanceLifetime: aws.Int32(7 * 86400), CapacityRebalance: aws.Bool(true),
		AvailabilityZoneImpairmentPolicy: &types.AvailabilityZoneImpairmentPolicy{ZonalShiftEnabled: aws.Bool(true), ImpairedZoneHealthCheckBehavior: types.ImpairedZoneHealthCheckBehaviorIgnoreUnhealthy},
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.Act(awssim.Action{Do: "shift_zone", Group: "web", Text: "eu-west-2a"}); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute)
	got := c.Observe(t.Context(), preflight.Ask{Group: "web", Version: 2})
	if !strings.HasPrefix(got.Shift, "away from euw2-az1 until ") {
		t.Errorf("zonal shift = %q", got.Shift)
	}
	got.Shift = ""
	want := rollout.Facts{
		Hooks: []rollout.Hook{{Name: "join", Launching: true, Timeout: 10 * time.Minute}},
		Free:  map[string]int{"eu-west-2a": 3, "eu-west-2b": 9, "eu-west-2c": 9},
		Quota: rollout.Quota{Name: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", Limit: 10, Used: 6},
		Types: []rollout.InstanceType{{Name: "t3.micro", VCPUs: 2, Architectures: []string{"x86_64"}, BootModes: []string{"legacy-bios", "uefi"}}},
		Image: rollout.ImageFact{
			ID: "ami-00000000000000002", State: "available", Architecture: "arm64", BootMode: got.Image.BootMode, Deprecated: true,
		},
		Followers: []rollout.Follower{{Group: "follower", Pointer: "$Latest"}}, MaxLifetime: 7 * 24 * time.Hour, Rebalance: true,
	}
	for _, free := range got.Free {
		if free == 0 {
			t.Errorf("free addresses = %v", got.Free)
		}
	}
	want.Free = got.Free // members take some; the zones are what matters
	if !reflect.DeepEqual(got, want) {
		t.Errorf("facts:\n got %+v\nwant %+v", got, want)
	}
}

// TestObserve_denied: what may not be read is named, and nothing else fails.
func TestObserve_denied(t *testing.T) {
	t.Parallel()
	w, c := world(t)
	for _, call := range []string{"autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeScheduledActions", "ec2:DescribeSubnets", "ec2:RunInstances", "servicequotas:GetServiceQuota"} {
		if _, err := w.Inject(awssim.Fault{Calls: call, Kind: awssim.Deny}); err != nil {
			t.Fatal(err)
		}
	}
	got := c.Observe(t.Context(), preflight.Ask{Group: "web", Image: "ami-0000000000000dead"})
	want := []string{"lifecycle hooks (AccessDenied)", "scheduled actions (AccessDenied)", "subnets (UnauthorizedOperation)", "the vCPU quota (AccessDenied)"}
	if !slices.Equal(got.Unread, want) {
		t.Errorf("unread = %q, want %q", got.Unread, want)
	}
	if len(got.Denied) != 1 || !got.Image.Missing || len(got.Types) != 1 {
		t.Errorf("denied %q, image %+v, types %+v; want one denied, the image missing, one type", got.Denied, got.Image, got.Types)
	}
}

// TestObserve_quota reads the quota once for all groups of a plan.
func TestObserve_quota(t *testing.T) {
	t.Parallel()
	w, c := world(t)
	for _, g := range []string{"web", "pinned", "web"} {
		if got := c.Observe(t.Context(), preflight.Ask{Group: g}); got.Quota.Limit != 10 {
			t.Fatalf("quota of %s = %+v (%q)", g, got.Quota, got.Unread)
		}
	}
	calls := w.Calls()
	if calls["servicequotas:GetServiceQuota"] != 1 || calls["ec2:DescribeInstances"] != 1 || calls["autoscaling:DescribeAutoScalingGroups"] != 1 {
		t.Errorf("calls = %v, want one for the quota, one for the instances, one for the groups", calls)
	}
}
