package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// refreshToPolicy asks for a refresh to version 2 with the types of a policy
// and nothing else of it.
func (f *fleet) refreshToPolicy(p types.RefreshPreferences, overrides ...types.LaunchTemplateOverrides) error {
	_, err := f.client.StartInstanceRefresh(f.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: aws.String("web"), Preferences: &p,
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
			LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("2")}, Overrides: overrides,
		}}},
	})
	return err
}

// What a desired policy leaves out is reset when the refresh has succeeded.
func TestRefreshResetsPolicy(t *testing.T) {
	t.Parallel()
	f := newMixed(t, twoTypes+`
distribution {
  on_demand_base_capacity = 1
  on_demand_percentage_above_base_capacity = 50
}`)
	before := f.describe().MixedInstancesPolicy.InstancesDistribution
	if *before.OnDemandBaseCapacity != 1 || *before.OnDemandPercentageAboveBaseCapacity != 50 {
		t.Fatalf("the group begins with %+v", before)
	}
	f.do(f.refreshToPolicy(launchFirst(), override("c5.large", "")))
	f.Advance(3 * time.Minute)
	if got := *f.describe().MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity; got != 1 {
		t.Errorf("on-demand base became %d before the refresh succeeded", got)
	}
	f.until(types.InstanceRefreshStatusSuccessful)
	after := f.describe().MixedInstancesPolicy
	if d := after.InstancesDistribution; *d.OnDemandBaseCapacity != 0 || *d.OnDemandPercentageAboveBaseCapacity != 100 || len(after.LaunchTemplate.Overrides) != 1 ||
		*after.LaunchTemplate.LaunchTemplateSpecification.Version != "2" {
		t.Errorf("the policy became %+v with %d overrides", d, len(after.LaunchTemplate.Overrides))
	}
	if got := tally(f.web(), typeOf) + ", " + tally(f.web(), marketOf); got != "c5.large 4, on-demand 4" || f.versions() != "map[2:4]" {
		t.Errorf("members %s and %s, want four of version 2, c5.large, on demand", got, f.versions())
	}
}

// Skip matching spares any type that the policy names.
func TestRefreshMatchesTypes(t *testing.T) {
	t.Parallel()
	f := newMixed(t, twoTypes, `version       = "1"`, "version       = \"2\"\nlaunched_from = 2")
	p := launchFirst()
	p.SkipMatching = aws.Bool(true)
	f.do(f.refreshToPolicy(p, override("c6i.large", ""), override("c5.large", "")))
	f.until(types.InstanceRefreshStatusSuccessful)
	if n := launches(f); n != 4 {
		t.Errorf("%d launches, want none but the first four", n)
	}
	f.do(f.refreshToPolicy(p, override("m5.large", "")))
	f.until(types.InstanceRefreshStatusSuccessful)
	if got := tally(f.web(), typeOf); got != "m5.large 4" {
		t.Errorf("members %s, want four m5.large", got)
	}
}

// Percentages are of units of capacity, and a refresh moves whole members.
func TestRefreshWithWeights(t *testing.T) {
	t.Parallel()
	f := newMixed(t, weights, "desired       = 4", "desired       = 10", "max           = 8", "max           = 20")
	p := launchFirst()
	f.do(f.refreshToPolicy(p, override("c6i.2xlarge", "5")))
	f.until(types.InstanceRefreshStatusSuccessful)
	f.Advance(10 * time.Minute)
	if got := tally(f.web(), typeOf); got != "c6i.2xlarge 2" || f.versions() != "map[2:2]" || f.web().Desired != 10 {
		t.Errorf("members %s of %s, desired %d; want two of weight 5 and version 2, 10", got, f.versions(), f.web().Desired)
	}
}

// A launch template alone takes the policy off the group.
func TestRefreshToTemplateAlone(t *testing.T) {
	t.Parallel()
	f := newMixed(t, twoTypes)
	f.do(f.refreshTo("2", launchFirst()))
	f.until(types.InstanceRefreshStatusSuccessful)
	g := f.describe()
	if g.MixedInstancesPolicy != nil || *g.LaunchTemplate.Version != "2" {
		t.Errorf("the group has policy %v and template %v, want version 2 alone", g.MixedInstancesPolicy, g.LaunchTemplate)
	}
	_, err := f.client.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: aws.String("web"),
		DesiredConfiguration: &types.DesiredConfiguration{MixedInstancesPolicy: &types.MixedInstancesPolicy{InstancesDistribution: &types.InstancesDistribution{OnDemandBaseCapacity: aws.Int32(1)}}},
	})
	wantCode(t, err, "ValidationError", "launch template with a mixed instances policy")
}
