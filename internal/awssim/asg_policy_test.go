package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	arctypes "github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func (f *fleet) update(in autoscaling.UpdateAutoScalingGroupInput) {
	f.Helper()
	in.AutoScalingGroupName = aws.String("web")
	_, err := f.client.UpdateAutoScalingGroup(f.Context(), &in)
	f.do(err)
}

func TestPoliciesAreDescribed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.update(autoscaling.UpdateAutoScalingGroupInput{
		InstanceMaintenancePolicy: &types.InstanceMaintenancePolicy{MinHealthyPercentage: aws.Int32(90), MaxHealthyPercentage: aws.Int32(120)},
		MaxInstanceLifetime:       aws.Int32(604800), DefaultInstanceWarmup: aws.Int32(120), DeletionProtection: types.DeletionProtectionPreventAllDeletion,
		AvailabilityZoneImpairmentPolicy: &types.AvailabilityZoneImpairmentPolicy{
			ZonalShiftEnabled: aws.Bool(true), ImpairedZoneHealthCheckBehavior: types.ImpairedZoneHealthCheckBehaviorIgnoreUnhealthy,
		},
	})
	g := f.describe()
	if p := g.InstanceMaintenancePolicy; *p.MinHealthyPercentage != 90 || *p.MaxHealthyPercentage != 120 || *g.MaxInstanceLifetime != 604800 ||
		*g.DefaultInstanceWarmup != 120 || !*g.AvailabilityZoneImpairmentPolicy.ZonalShiftEnabled {
		t.Errorf("got %+v, want what was set", g)
	}
	_, err := f.client.DeleteAutoScalingGroup(t.Context(), &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), ForceDelete: aws.Bool(true)})
	wantCode(t, err, "ResourceInUse", "prevent-all-deletion")
	f.update(autoscaling.UpdateAutoScalingGroupInput{
		InstanceMaintenancePolicy: &types.InstanceMaintenancePolicy{MinHealthyPercentage: aws.Int32(-1), MaxHealthyPercentage: aws.Int32(-1)},
		MaxInstanceLifetime:       aws.Int32(0), DefaultInstanceWarmup: aws.Int32(-1),
	})
	if g = f.describe(); g.InstanceMaintenancePolicy != nil || g.MaxInstanceLifetime != nil || g.DefaultInstanceWarmup != nil {
		t.Errorf("taken off: got %v, %v, %v; want none", g.InstanceMaintenancePolicy, g.MaxInstanceLifetime, g.DefaultInstanceWarmup)
	}
}

func TestMaxInstanceLifetime(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "desired       = 4", "desired = 3") // the members are three days old
	before := map[string]bool{}
	for _, m := range f.web().Members {
		before[m.ID] = true
	}
	f.update(autoscaling.UpdateAutoScalingGroupInput{MaxInstanceLifetime: aws.Int32(86400)})
	for range 400 {
		f.Advance(3 * time.Second)
		if n := f.web().Launched(); n < 2 {
			t.Fatalf("%d members launched, want one replaced at a time", n)
		}
	}
	f.expect("later", 3, 3, 3)
	for _, m := range f.web().Members {
		if before[m.ID] {
			t.Errorf("%s, of %s, is still there", m.ID, m.LaunchedAt)
		}
	}
	first := f.first().ID
	f.Advance(23 * time.Hour)
	if f.first().ID != first {
		t.Error("replaced before its time")
	}
	f.Advance(2 * time.Hour)
	if f.first().ID == first {
		t.Error("a day old, and not replaced")
	}
}

func TestZonalShift(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	shift := awssim.Action{Do: "shift_zone", Group: "web", Text: "eu-west-2a"}
	if err := f.Act(shift); err == nil || !strings.Contains(err.Error(), "does not have zonal shift enabled") {
		t.Errorf("without the policy: got %v, want a refusal", err)
	}
	f.update(autoscaling.UpdateAutoScalingGroupInput{AvailabilityZoneImpairmentPolicy: &types.AvailabilityZoneImpairmentPolicy{
		ZonalShiftEnabled: aws.Bool(true), ImpairedZoneHealthCheckBehavior: types.ImpairedZoneHealthCheckBehaviorIgnoreUnhealthy,
	}})
	active := func() []arctypes.ZonalShiftSummary {
		out, err := arczonalshift.NewFromConfig(f.Config()).ListZonalShifts(f.Context(), &arczonalshift.ListZonalShiftsInput{
			ResourceIdentifier: aws.String(f.web().ARN), Status: arctypes.ZonalShiftStatusActive,
		})
		f.do(err)
		return out.Items
	}
	if got := active(); len(got) > 0 {
		t.Errorf("before the shift: %+v", got)
	}
	f.do(f.Act(shift))
	if got := active(); len(got) != 1 || aws.ToString(got[0].AwayFrom) != "euw2-az1" || !aws.ToTime(got[0].ExpiryTime).After(aws.ToTime(got[0].StartTime)) {
		t.Errorf("listed: %+v, want one away from euw2-az1", got)
	}
	sick := ""
	for _, m := range f.web().Members {
		if m.Zone == "eu-west-2a" {
			sick = m.ID
		}
	}
	f.BreakInstance(sick)
	f.set(8)
	f.Advance(5 * time.Minute)
	inZone := func(m awssim.Member) string { return m.Zone }
	before := tally(f.web(), inZone)
	if !strings.HasPrefix(before, "eu-west-2a 2, ") {
		t.Errorf("shifted: got %s, want nothing launched in eu-west-2a and the sick one left alone", before)
	}
	f.do(f.Act(awssim.Action{Do: "shift_zone", Group: "web"}))
	f.Advance(15 * time.Minute)
	f.expect("the shift is over", 8, 8, 8)
	for _, m := range f.web().Members {
		if m.ID == sick {
			t.Error("the sick one is still there")
		}
	}
}

func TestBalancedOnly(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.update(autoscaling.UpdateAutoScalingGroupInput{AvailabilityZoneDistribution: &types.AvailabilityZoneDistribution{
		CapacityDistributionStrategy: types.CapacityDistributionStrategyBalancedOnly,
	}})
	f.FailLaunches(awssim.LaunchFault{Zone: "eu-west-2b", Code: "InsufficientInstanceCapacity"})
	f.set(6)
	f.Advance(3 * time.Minute)
	f.expect("the emptiest zone has no room", 6, 4, 4)
}
