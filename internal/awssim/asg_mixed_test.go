package awssim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// newMixed is the fleet of webText with a policy: group holds its override and
// distribution blocks.
func newMixed(t *testing.T, group string, changes ...string) *fleet {
	t.Helper()
	return newFleet(t, "", append([]string{`grace_period  = "60s"`, "grace_period = \"60s\"\n" + group}, changes...)...)
}

const twoTypes = `
override { instance_type = "c6i.large" }
override { instance_type = "c5.large" }
`

const weights = `
override {
  instance_type     = "c6i.large"
  weighted_capacity = 2
}
override {
  instance_type     = "c6i.2xlarge"
  weighted_capacity = 5
}
`

// tally counts the members that are launched by what of says of them.
func tally(g awssim.Group, of func(awssim.Member) string) string {
	n := map[string]int{}
	for _, m := range g.Members {
		if m.Launched() {
			n[of(m)]++
		}
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%s %d", k, n[k]))
	}
	return strings.Join(out, ", ")
}

func typeOf(m awssim.Member) string   { return m.InstanceType }
func marketOf(m awssim.Member) string { return m.Market }

func (f *fleet) wantTally(when string, of func(awssim.Member) string, want string) {
	f.Helper()
	if got := tally(f.web(), of); got != want {
		f.Errorf("%s: got %s, want %s", when, got, want)
	}
}

func TestMixedPolicyIsDescribed(t *testing.T) {
	t.Parallel()
	f := newMixed(t, twoTypes)
	g := f.describe()
	if g.LaunchTemplate != nil || g.MixedInstancesPolicy == nil {
		t.Fatalf("got launch template %v and policy %v, want a policy alone", g.LaunchTemplate, g.MixedInstancesPolicy)
	}
	lt, d := g.MixedInstancesPolicy.LaunchTemplate, g.MixedInstancesPolicy.InstancesDistribution
	if s := lt.LaunchTemplateSpecification; *s.LaunchTemplateName != "web" || *s.Version != "1" || !strings.HasPrefix(*s.LaunchTemplateId, "lt-") {
		t.Errorf("pointer: got %s %s %s, want web, an id, 1", *s.LaunchTemplateName, *s.LaunchTemplateId, *s.Version)
	}
	if len(lt.Overrides) != 2 || *lt.Overrides[1].InstanceType != "c5.large" || lt.Overrides[1].WeightedCapacity != nil {
		t.Errorf("overrides: got %+v, want c6i.large and c5.large without weights", lt.Overrides)
	}
	got := fmt.Sprint(*d.OnDemandAllocationStrategy, *d.OnDemandBaseCapacity, *d.OnDemandPercentageAboveBaseCapacity, *d.SpotAllocationStrategy, *d.SpotInstancePools)
	if want := fmt.Sprint("prioritized", 0, 100, "lowest-price", 2); got != want {
		t.Errorf("distribution: got %s, want AWS's defaults %s", got, want)
	}
	for _, i := range g.Instances {
		if *i.InstanceType != "c6i.large" || i.WeightedCapacity != nil || *i.LaunchTemplate.Version != "1" || i.ImageId != nil {
			t.Errorf("instance %s: got type %s, weight %v, version %s, image %v; want c6i.large, version 1, no weight, no image",
				*i.InstanceId, *i.InstanceType, i.WeightedCapacity, *i.LaunchTemplate.Version, i.ImageId)
		}
	}
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	if g = f.describe(); *g.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version != "2" || len(g.MixedInstancesPolicy.LaunchTemplate.Overrides) != 2 {
		t.Errorf("after pointing at 2: got %+v, want version 2 and both overrides", g.MixedInstancesPolicy.LaunchTemplate)
	}
}

func TestPurchaseOptions(t *testing.T) {
	t.Parallel()
	f := newMixed(t, twoTypes+`
distribution {
  on_demand_base_capacity                  = 1
  on_demand_percentage_above_base_capacity = 50
}`)
	f.wantTally("four, one of them base", marketOf, "on-demand 3, spot 1") // 1 + half of 3, rounded up
	f.set(8)
	f.Advance(3 * time.Minute)
	f.wantTally("eight", marketOf, "on-demand 5, spot 3") // 1 + half of 7, rounded up
	f.set(3)
	f.Advance(3 * time.Minute)
	f.wantTally("three", marketOf, "on-demand 2, spot 1")
	var ids []string
	for _, m := range f.web().Members {
		if m.Market == "spot" {
			ids = append(ids, m.ID)
		}
	}
	out, err := ec2.NewFromConfig(f.Config()).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: ids})
	f.do(err)
	if i := out.Reservations[0].Instances[0]; i.InstanceLifecycle != "spot" || aws.ToString(i.SpotInstanceRequestId) == "" {
		t.Errorf("EC2 says lifecycle %q, request %q; want spot and a request", i.InstanceLifecycle, aws.ToString(i.SpotInstanceRequestId))
	}
}

func TestAllocationStrategies(t *testing.T) {
	t.Parallel()
	three := `
override { instance_type = "c6i.xlarge" }
override { instance_type = "c6i.large" }
override { instance_type = "c6i.2xlarge" }
`
	for name, c := range map[string]struct{ distribution, want string }{
		"prioritized":                    {``, "c6i.xlarge 6"},
		"lowest-price on demand":         {`on_demand_allocation_strategy = "lowest-price"`, "c6i.large 6"},
		"lowest-price of one pool":       {"on_demand_percentage_above_base_capacity = 0\nspot_instance_pools = 1", "c6i.large 6"},
		"lowest-price of two pools":      {`on_demand_percentage_above_base_capacity = 0`, "c6i.large 3, c6i.xlarge 3"},
		"capacity-optimized":             {"on_demand_percentage_above_base_capacity = 0\nspot_allocation_strategy = \"capacity-optimized\"", "c6i.large 3, c6i.xlarge 3"},
		"capacity-optimized-prioritized": {"on_demand_percentage_above_base_capacity = 0\nspot_allocation_strategy = \"capacity-optimized-prioritized\"", "c6i.xlarge 6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newMixed(t, three+"distribution {\n"+c.distribution+"\n}", "desired       = 4", "desired = 6")
			f.wantTally("six in three zones", typeOf, c.want)
		})
	}
}

func TestNextTypeWhereOneHasNoRoom(t *testing.T) {
	t.Parallel()
	f := newMixed(t, twoTypes)
	for _, z := range []string{"eu-west-2a", "eu-west-2b", "eu-west-2c"} {
		f.FailLaunches(awssim.LaunchFault{Zone: z, InstanceType: "c6i.large", Code: "InsufficientInstanceCapacity"})
	}
	f.set(6)
	f.Advance(3 * time.Minute)
	f.expect("later", 6, 6, 6)
	f.wantTally("later", typeOf, "c5.large 2, c6i.large 4")
	for _, a := range f.activities() {
		if a.StatusCode == types.ScalingActivityStatusCodeFailed {
			t.Errorf("an activity failed (%s), though another type had room", *a.Description)
		}
	}
}

func TestOverrideTemplatesAndImages(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `
image "arm" { architecture = "arm64" }
template "arm" {
  version { image = "arm" }
  version { image = "arm" }
}
`, `grace_period  = "60s"`, `grace_period = "60s"
override {
  instance_type = "c6g.large"
  template      = "arm"
}
override {
  instance_type = "c6i.large"
  image         = "new"
}
`)
	g := f.describe()
	m := f.web().Members[0]
	if m.Template != "arm" || m.Version != 1 || *g.Instances[0].LaunchTemplate.LaunchTemplateName != "arm" || g.Instances[0].ImageId != nil {
		t.Errorf("first member: got %s %d, described as %+v; want arm 1 without an image", m.Template, m.Version, g.Instances[0].LaunchTemplate)
	}
	if s := g.MixedInstancesPolicy.LaunchTemplate.Overrides[0].LaunchTemplateSpecification; *s.Version != "$Latest" {
		t.Errorf("override points at %s, want $Latest", *s.Version)
	}
	for _, z := range []string{"eu-west-2a", "eu-west-2b", "eu-west-2c"} {
		f.FailLaunches(awssim.LaunchFault{Zone: z, InstanceType: "c6g.large", Code: "InsufficientInstanceCapacity"})
	}
	f.set(5)
	f.Advance(3 * time.Minute)
	last, now := f.describe().Instances[4], f.web().Members[4]
	if aws.ToString(last.ImageId) != now.Image || *last.LaunchTemplate.LaunchTemplateName != "web" || now.Image == m.Image {
		t.Errorf("member by an override with an image: described %v of %s, is %s; want its own image shown", last.ImageId, *last.LaunchTemplate.LaunchTemplateName, now.Image)
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	// Desired 7 in units of two: four members, one unit over.
	f := newMixed(t, weights, "desired       = 4", "desired = 7", "max           = 8", "max = 20")
	check := func(when string, desired, capacity int, types string) {
		t.Helper()
		g := f.web()
		if g.Desired != desired || g.LaunchedCapacity() != capacity || tally(g, typeOf) != types {
			t.Errorf("%s: got desired %d, capacity %d of %s; want %d, %d of %s", when, g.Desired, g.LaunchedCapacity(), tally(g, typeOf), desired, capacity, types)
		}
	}
	check("at the start", 7, 8, "c6i.large 4")
	if i := f.describe().Instances[0]; aws.ToString(i.WeightedCapacity) != "2" {
		t.Errorf("weight in the description: got %v, want 2", i.WeightedCapacity)
	}
	f.set(6)
	f.Advance(3 * time.Minute)
	check("8 is 2 too many", 6, 6, "c6i.large 3")
	f.set(5)
	f.Advance(3 * time.Minute)
	check("6 is 1 too many, and nobody weighs 1", 5, 6, "c6i.large 3")
	id := f.web().Members[0].ID
	f.do(f.terminate(id, true))
	f.Advance(3 * time.Minute)
	check("a terminate with decrement takes its weight", 3, 4, "c6i.large 2")
	if cause := *f.activities()[0].Cause; !strings.HasSuffix(cause, "shrinking the capacity from 5 to 3.") {
		t.Errorf("cause of the termination: %q", cause)
	}
	f.do(f.enter(true, f.web().Members[0].ID))
	f.Advance(3 * time.Minute)
	check("standby takes its weight too", 1, 2, "c6i.large 1")
	wantCode(t, f.terminate(f.web().Members[1].ID, true), "ValidationError", "min size")
}

func TestLaunchInstancesInUnits(t *testing.T) {
	t.Parallel()
	f := newMixed(t, weights, "max           = 8", "max = 500")
	out, err := launchIn(f, "eu-west-2a", "t1", 3)
	f.do(err)
	if n := len(out.Instances[0].InstanceIds); n != 2 || *out.Instances[0].InstanceType != "c6i.large" || *out.Instances[0].MarketType != "OnDemand" {
		t.Errorf("three units: got %d of %s, %s; want 2 of c6i.large, OnDemand", n, *out.Instances[0].InstanceType, *out.Instances[0].MarketType)
	}
	if g := f.web(); g.Desired != 7 || g.LaunchedCapacity() != 8 {
		t.Errorf("after three units: got desired %d and capacity %d, want 7 and 8", g.Desired, g.LaunchedCapacity())
	}
	out, err = launchIn(f, "eu-west-2a", "t2", 300)
	f.do(err)
	if n := len(out.Instances[0].InstanceIds); n != 100 {
		t.Errorf("three hundred units: got %d instances, want 100, which is the most", n)
	}
}

func TestLaunchInstancesByPurchaseOption(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, percentage, want string }{
		"on demand":            {"0", "100", "OnDemand"},
		"base and on demand":   {"2", "100", "OnDemand"},
		"spot":                 {"0", "0", "Spot"},
		"spot above a base":    {"1", "0", ""},
		"half and half":        {"0", "50", ""},
		"some of each, a base": {"1", "50", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newMixed(t, twoTypes+"distribution {\non_demand_base_capacity = "+c.base+"\non_demand_percentage_above_base_capacity = "+c.percentage+"\n}")
			out, err := launchIn(f, "eu-west-2a", "t", 1)
			if c.want == "" {
				wantCode(t, err, "ValidationError", "combines On-Demand and Spot")
				return
			}
			f.do(err)
			if got := *out.Instances[0].MarketType; got != c.want {
				t.Errorf("market: got %s, want %s", got, c.want)
			}
		})
	}
}

// An update resets what it leaves out of a policy, but for the launch template.
func TestUpdateResetsThePolicy(t *testing.T) {
	t.Parallel()
	f := newMixed(t, weights+"distribution {\non_demand_percentage_above_base_capacity = 50\n}")
	update := func(p *types.MixedInstancesPolicy) *types.MixedInstancesPolicy {
		t.Helper()
		_, err := f.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), MixedInstancesPolicy: p})
		f.do(err)
		return f.describe().MixedInstancesPolicy
	}
	got := update(&types.MixedInstancesPolicy{InstancesDistribution: &types.InstancesDistribution{OnDemandPercentageAboveBaseCapacity: aws.Int32(25)}})
	if len(got.LaunchTemplate.Overrides) != 2 || *got.InstancesDistribution.OnDemandPercentageAboveBaseCapacity != 25 {
		t.Errorf("a distribution alone: got %d overrides and %d%%, want both kept and 25%%", len(got.LaunchTemplate.Overrides), *got.InstancesDistribution.OnDemandPercentageAboveBaseCapacity)
	}
	got = update(&types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{Overrides: []types.LaunchTemplateOverrides{
		{InstanceType: aws.String("c6i.large"), WeightedCapacity: aws.String("4")},
	}}})
	if *got.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName != "web" || *got.InstancesDistribution.OnDemandPercentageAboveBaseCapacity != 100 {
		t.Errorf("overrides alone: got %+v, want the same template and 100%% on demand", got)
	}
	if g := f.web(); g.LaunchedCapacity() != 8 { // two members of weight 2 are of weight 4 now
		t.Errorf("capacity after the weight was doubled: got %d, want 8", g.LaunchedCapacity())
	}
	f.Advance(3 * time.Minute)
	if g := f.web(); g.LaunchedCapacity() != 4 || g.Desired != 4 {
		t.Errorf("later: got capacity %d of %d, want 4 of 4", g.LaunchedCapacity(), g.Desired)
	}
	got = update(&types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{LaunchTemplateSpecification: &types.LaunchTemplateSpecification{
		LaunchTemplateName: aws.String("web"), Version: aws.String("2"),
	}}})
	if len(got.LaunchTemplate.Overrides) != 0 {
		t.Errorf("a pointer alone: got %d overrides, want none left", len(got.LaunchTemplate.Overrides))
	}
	_, err := f.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("1")},
	})
	f.do(err)
	if g := f.describe(); g.MixedInstancesPolicy != nil || *g.LaunchTemplate.Version != "1" {
		t.Errorf("a launch template: got policy %v and pointer %v, want version 1 alone", g.MixedInstancesPolicy, g.LaunchTemplate)
	}
}

func TestMixedPolicyRefuses(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	_, err := ec2.NewFromConfig(f.Config()).CreateLaunchTemplate(t.Context(), spotTemplate(f))
	f.do(err)
	overrides := func(p *types.MixedInstancesPolicy, types ...string) {
		for _, text := range types {
			kind, weight, _ := strings.Cut(text, " ")
			o := p.LaunchTemplate.Overrides
			p.LaunchTemplate.Overrides = append(o, override(kind, weight))
		}
	}
	distribution := func(d types.InstancesDistribution) func(p *types.MixedInstancesPolicy) {
		return func(p *types.MixedInstancesPolicy) { p.InstancesDistribution = &d }
	}
	for name, c := range map[string]struct {
		change func(p *types.MixedInstancesPolicy)
		text   string
	}{
		"no template": {func(p *types.MixedInstancesPolicy) {
			*p = types.MixedInstancesPolicy{InstancesDistribution: &types.InstancesDistribution{OnDemandBaseCapacity: aws.Int32(1)}}
		}, "must specify a launch template"},
		"unknown version": {func(p *types.MixedInstancesPolicy) {
			p.LaunchTemplate.LaunchTemplateSpecification.Version = aws.String("9")
		}, "fully-formed launch template"},
		"unknown type":    {func(p *types.MixedInstancesPolicy) { overrides(p, "x9.huge") }, "x9.huge"},
		"no type":         {func(p *types.MixedInstancesPolicy) { overrides(p, "") }, "must specify an instance type"},
		"a type twice":    {func(p *types.MixedInstancesPolicy) { overrides(p, "c5.large", "c5.large") }, "Duplicate"},
		"weights of some": {func(p *types.MixedInstancesPolicy) { overrides(p, "c5.large 1", "c6i.large") }, "all or none"},
		"weight 0":        {func(p *types.MixedInstancesPolicy) { overrides(p, "c5.large 0") }, "between 1 and 999"},
		"weight 1000":     {func(p *types.MixedInstancesPolicy) { overrides(p, "c5.large 1000") }, "between 1 and 999"},
		"requirements": {func(p *types.MixedInstancesPolicy) {
			p.LaunchTemplate.Overrides = []types.LaunchTemplateOverrides{{InstanceRequirements: &types.InstanceRequirements{VCpuCount: &types.VCpuCountRequest{Min: aws.Int32(1)}, MemoryMiB: &types.MemoryMiBRequest{Min: aws.Int32(1)}}}}
		}, "does not model instance requirements"},
		"a template that asks for Spot": {func(p *types.MixedInstancesPolicy) {
			p.LaunchTemplate.LaunchTemplateSpecification = &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("spot")}
		}, "InstanceMarketOptions"},
		"an override's template that asks for Spot": {func(p *types.MixedInstancesPolicy) {
			overrides(p, "c5.large")
			p.LaunchTemplate.Overrides[0].LaunchTemplateSpecification = &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("spot")}
		}, "InstanceMarketOptions"},
		"an override's image": {func(p *types.MixedInstancesPolicy) {
			overrides(p, "c5.large")
			p.LaunchTemplate.Overrides[0].ImageId = aws.String("golden")
		}, "golden"},
		"on-demand strategy":    {distribution(types.InstancesDistribution{OnDemandAllocationStrategy: aws.String("best")}), "OnDemandAllocationStrategy best"},
		"spot strategy":         {distribution(types.InstancesDistribution{SpotAllocationStrategy: aws.String("diversified")}), "SpotAllocationStrategy diversified"},
		"percentage":            {distribution(types.InstancesDistribution{OnDemandPercentageAboveBaseCapacity: aws.Int32(101)}), "between 0 and 100"},
		"base":                  {distribution(types.InstancesDistribution{OnDemandBaseCapacity: aws.Int32(-1)}), "negative"},
		"pools":                 {distribution(types.InstancesDistribution{SpotInstancePools: aws.Int32(21)}), "between 1 and 20"},
		"pools of another kind": {distribution(types.InstancesDistribution{SpotInstancePools: aws.Int32(2), SpotAllocationStrategy: aws.String("capacity-optimized")}), "only available with the lowest-price"},
		"segments":              {distribution(types.InstancesDistribution{DistributionSegments: []types.DistributionSegment{{TargetCapacityTypes: []types.TargetCapacityType{"spot"}}}}), "does not model distribution segments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := createInput(f, "other")
			in.MixedInstancesPolicy = &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{LaunchTemplateSpecification: in.LaunchTemplate}}
			in.LaunchTemplate = nil
			c.change(in.MixedInstancesPolicy)
			_, err := f.client.CreateAutoScalingGroup(t.Context(), in)
			wantCode(t, err, "ValidationError", c.text)
		})
	}
}

func override(kind, weight string) types.LaunchTemplateOverrides {
	o := types.LaunchTemplateOverrides{InstanceType: aws.String(kind)}
	if weight != "" {
		o.WeightedCapacity = aws.String(weight)
	}
	return o
}

// spotTemplate asks for a launch template of the fleet's first image that asks
// for Spot by itself.
func spotTemplate(f *fleet) *ec2.CreateLaunchTemplateInput {
	return &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("spot"),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
			ImageId: aws.String(f.Images()[0].ID), InstanceType: "t3.micro",
			InstanceMarketOptions: &ec2types.LaunchTemplateInstanceMarketOptionsRequest{MarketType: ec2types.MarketTypeSpot},
		},
	}
}
