package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestVCPULimitStopsLaunches(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `vcpu_limits = { on_demand = 10 }`) // four t3.micro run 8
	c := servicequotas.NewFromConfig(f.Config())
	out, err := c.GetServiceQuota(f.Context(), &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("ec2"), QuotaCode: aws.String("L-1216C47A")})
	f.do(err)
	if *out.Quota.Value != 10 || !strings.HasPrefix(*out.Quota.QuotaName, "Running On-Demand Standard") {
		t.Errorf("quota: got %v of %q, want 10 of the on-demand standard instances", *out.Quota.Value, *out.Quota.QuotaName)
	}
	list, err := c.ListServiceQuotas(f.Context(), &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String("ec2")})
	f.do(err)
	if len(list.Quotas) != 2 || *list.Quotas[1].Value != 100_000 {
		t.Errorf("quotas of ec2: got %+v, want two, the second of 100000", list.Quotas)
	}
	_, err = c.GetServiceQuota(f.Context(), &servicequotas.GetServiceQuotaInput{ServiceCode: aws.String("ec2"), QuotaCode: aws.String("L-0")})
	wantCode(t, err, "NoSuchResourceException", "does not exist")
	f.set(6)
	f.Advance(time.Minute)
	f.expect("one fits and one does not", 6, 5, 4)
	if a := f.activities()[0]; !strings.Contains(*a.StatusMessage, "vCPU limit of 10") {
		t.Errorf("status message: got %q, want one that names the vCPU limit of 10", *a.StatusMessage)
	}
	instances, err := ec2.NewFromConfig(f.Config()).DescribeInstances(f.Context(), &ec2.DescribeInstancesInput{})
	f.do(err)
	if o := instances.Reservations[0].Instances[0].CpuOptions; *o.CoreCount**o.ThreadsPerCore != 2 {
		t.Errorf("CPU options of a t3.micro: got %d cores of %d threads, want 2 processors", *o.CoreCount, *o.ThreadsPerCore)
	}
}

func TestFreeAddressesRunOut(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `free_addresses = { a = 1, b = 0, c = 0 }`)
	c := ec2.NewFromConfig(f.Config())
	free := func() (out []int32) {
		t.Helper()
		answer, err := c.DescribeSubnets(f.Context(), &ec2.DescribeSubnetsInput{SubnetIds: f.Subnets()})
		f.do(err)
		sizes := map[string]int32{}
		for _, s := range answer.Subnets {
			sizes[*s.AvailabilityZone] = *s.AvailableIpAddressCount
		}
		return []int32{sizes["eu-west-2a"], sizes["eu-west-2b"], sizes["eu-west-2c"]}
	}
	if got := free(); got[0] != 1 || got[1] != 0 || got[2] != 0 {
		t.Errorf("free addresses at the start: got %v, want [1 0 0]", got)
	}
	f.set(6)
	f.Advance(time.Minute)
	f.expect("one fits and one does not", 6, 5, 4)
	if got := free(); got[0] != 0 {
		t.Errorf("free addresses after a launch: got %v, want none", got)
	}
	if a := f.activities()[0]; !strings.Contains(*a.StatusMessage, "not enough free addresses") {
		t.Errorf("status message: got %q, want one about free addresses", *a.StatusMessage)
	}
}

func TestSharedImages(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `
image "ours" {
  shared_with = ["210987654321"]
  boot_mode   = "uefi"
}
image "theirs" {
  owner       = "210987654321"
  shared_with = ["123456789012"]
}
image "hidden" { owner = "210987654321" }
`)
	c := ec2.NewFromConfig(f.Config())
	ids := map[string]string{}
	for _, i := range f.Images() {
		ids[i.Name] = i.ID
	}
	permissions := func(name string) (*ec2.DescribeImageAttributeOutput, error) {
		return c.DescribeImageAttribute(f.Context(), &ec2.DescribeImageAttributeInput{
			ImageId: aws.String(ids[name]), Attribute: ec2types.ImageAttributeNameLaunchPermission,
		})
	}
	out, err := permissions("ours")
	f.do(err)
	if len(out.LaunchPermissions) != 1 || *out.LaunchPermissions[0].UserId != "210987654321" {
		t.Errorf("launch permissions: got %+v, want the other account's", out.LaunchPermissions)
	}
	_, err = permissions("theirs")
	wantCode(t, err, "AuthFailure", ids["theirs"])
	_, err = permissions("hidden")
	wantCode(t, err, "InvalidAMIID.NotFound", ids["hidden"])
}

func TestTargetGroupSettings(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", `target_group "web" {}`, `target_group "web" {
  slow_start = "90s"
  cross_zone = "false"
  zones      = ["a", "b"]
}`)
	c := elb.NewFromConfig(f.Config())
	arn := aws.String(f.TargetGroups()[0])
	out, err := c.DescribeTargetGroupAttributes(f.Context(), &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: arn})
	f.do(err)
	got := map[string]string{}
	for _, a := range out.Attributes {
		got[*a.Key] = *a.Value
	}
	if got["slow_start.duration_seconds"] != "90" || got["load_balancing.cross_zone.enabled"] != "false" || got["deregistration_delay.timeout_seconds"] != "30" {
		t.Errorf("attributes: got %v, want slow start 90, cross-zone false, deregistration delay 30", got)
	}
	health, err := c.DescribeTargetHealth(f.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: arn})
	f.do(err)
	zones := map[string]string{}
	for _, m := range f.web().Members {
		zones[m.ID] = m.Zone
	}
	for _, h := range health.TargetHealthDescriptions {
		want := elbtypes.TargetHealthStateEnumHealthy
		if zones[*h.Target.Id] == "eu-west-2c" {
			want = elbtypes.TargetHealthStateEnumUnused
		}
		if h.TargetHealth.State != want {
			t.Errorf("target in %s: got %s, want %s", zones[*h.Target.Id], h.TargetHealth.State, want)
		}
	}
	for key, value := range map[string]string{"slow_start.duration_seconds": "29", "load_balancing.cross_zone.enabled": "maybe"} {
		_, err := c.ModifyTargetGroupAttributes(f.Context(), &elb.ModifyTargetGroupAttributesInput{
			TargetGroupArn: arn, Attributes: []elbtypes.TargetGroupAttribute{{Key: &key, Value: &value}},
		})
		wantCode(t, err, "ValidationError", key)
	}
	s, err := awssim.ParseScenario("bad", `vcpu_limits = { spots = 3 }`)
	f.do(err)
	if _, err := awssim.NewScenario(awssim.Options{}, s); err == nil || !strings.Contains(err.Error(), "spots") {
		t.Errorf("vcpu_limits of spots: got %v, want an error that names it", err)
	}
}
