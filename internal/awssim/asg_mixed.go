package awssim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// What AWS allows in one policy.
const (
	maxOverrides       = 40
	maxPolicyTemplates = 20
	maxWeight          = 999
	maxSpotPools       = 20
)

var (
	onDemandStrategies = []string{"lowest-price", "prioritized"}
	spotStrategies     = []string{"capacity-optimized", "capacity-optimized-prioritized", "lowest-price", "price-capacity-optimized"}
)

// pointer is the launch template that a group points at, wherever it keeps it.
func (g *group) pointer() *types.LaunchTemplateSpecification {
	if p := g.as.MixedInstancesPolicy; p != nil {
		return p.LaunchTemplate.LaunchTemplateSpecification
	}
	return g.as.LaunchTemplate
}

// overrides are those of the group's policy, if it has one.
func (g *group) overrides() []types.LaunchTemplateOverrides {
	if p := g.as.MixedInstancesPolicy; p != nil {
		return p.LaunchTemplate.Overrides
	}
	return nil
}

// weighted says whether the group's policy has weights.
func (g *group) weighted() bool {
	o := g.overrides()
	return len(o) > 0 && o[0].WeightedCapacity != nil
}

// mixed says whether members of both markets may be launched for a group.
func (g *group) mixed() bool {
	p := g.as.MixedInstancesPolicy
	if p == nil {
		return false
	}
	base, percentage := *p.InstancesDistribution.OnDemandBaseCapacity, *p.InstancesDistribution.OnDemandPercentageAboveBaseCapacity
	return percentage != 100 && (percentage != 0 || base != 0)
}

// mixedPolicy checks a policy and fills in what it leaves out: before is the
// group's present one, which gives the launch template where the request has
// none. Everything else that is left out takes its default.
func (w *World) mixedPolicy(in, before *types.MixedInstancesPolicy) (*types.MixedInstancesPolicy, error) {
	var old types.LaunchTemplate
	if before != nil {
		spec := *before.LaunchTemplate.LaunchTemplateSpecification
		spec.LaunchTemplateName = nil
		old = types.LaunchTemplate{LaunchTemplateSpecification: &spec, Overrides: byTemplateID(before.LaunchTemplate.Overrides)}
	}
	template := old
	if in.LaunchTemplate != nil {
		template = *in.LaunchTemplate
		if template.LaunchTemplateSpecification == nil {
			template.LaunchTemplateSpecification = old.LaunchTemplateSpecification
		}
	}
	if template.LaunchTemplateSpecification == nil {
		return nil, invalid("You must specify a launch template with a mixed instances policy.")
	}
	if err := w.checkPolicyTemplates(&template); err != nil {
		return nil, err
	}
	distribution, err := instancesDistribution(in.InstancesDistribution)
	if err != nil {
		return nil, err
	}
	return &types.MixedInstancesPolicy{LaunchTemplate: &template, InstancesDistribution: distribution}, nil
}

// checkPolicyTemplates checks the launch templates and overrides of a policy
// and replaces their pointers by complete ones.
func (w *World) checkPolicyTemplates(t *types.LaunchTemplate) error {
	spec, err := w.templatePointer(t.LaunchTemplateSpecification)
	if err != nil {
		return err
	}
	if w.spotTemplate(spec) {
		return spotInPolicy()
	}
	t.LaunchTemplateSpecification = spec
	t.Overrides = slices.Clone(t.Overrides)
	templates := map[string]bool{*spec.LaunchTemplateId: true}
	for i := range t.Overrides {
		o := &t.Overrides[i]
		if err := checkOverride(o, i+1); err != nil {
			return err
		}
		if o.LaunchTemplateSpecification == nil {
			continue
		}
		if o.LaunchTemplateSpecification, err = w.templatePointer(o.LaunchTemplateSpecification); err != nil {
			return err
		}
		if w.spotTemplate(o.LaunchTemplateSpecification) {
			return spotInPolicy()
		}
		templates[*o.LaunchTemplateSpecification.LaunchTemplateId] = true
	}
	switch {
	case len(t.Overrides) > maxOverrides:
		return invalidf("The number of instance types in the mixed instances policy is %d, which is above %d.", len(t.Overrides), maxOverrides)
	case len(templates) > maxPolicyTemplates:
		return invalidf("The number of launch templates in the mixed instances policy is %d, which is above %d.", len(templates), maxPolicyTemplates)
	}
	return checkWeights(t.Overrides)
}

func spotInPolicy() error {
	return invalid("Incompatible launch template: You cannot use a launch template that is set to request Spot Instances (InstanceMarketOptions) when you configure an Auto Scaling group with a mixed instances policy.")
}

// spotTemplate says whether a template asks for Spot by itself.
func (w *World) spotTemplate(spec *types.LaunchTemplateSpecification) bool {
	t, err := w.resolveTemplate(*spec.LaunchTemplateId, *spec.Version)
	return err == nil && t.spot()
}

func checkOverride(o *types.LaunchTemplateOverrides, n int) error {
	at := fmt.Sprintf("mixedInstancesPolicy.launchTemplate.overrides.%d.member.", n)
	switch {
	case o.InstanceRequirements != nil:
		return unmodelled("instance requirements of overrides (" + at + "instanceRequirements)")
	case aws.ToString(o.InstanceType) == "":
		return invalid("You must specify an instance type in each launch template override.")
	}
	if _, known := findInstanceType(*o.InstanceType); !known {
		return invalidf("The instance type '%s' is not supported in this Region.", *o.InstanceType)
	}
	if id := aws.ToString(o.ImageId); id != "" && !strings.HasPrefix(id, "ami-") {
		return invalidf("Invalid id: \"%s\" (expecting \"ami-...\") at '%simageId'", id, at)
	}
	if o.WeightedCapacity == nil {
		return nil
	}
	if n, err := strconv.Atoi(*o.WeightedCapacity); err != nil || n < 1 || n > maxWeight {
		return invalidf("Invalid WeightedCapacity '%s' for instance type %s: it must be a number between 1 and %d.", *o.WeightedCapacity, *o.InstanceType, maxWeight)
	}
	return nil
}

// checkWeights refuses weights on some types only, and a type named twice.
func checkWeights(all []types.LaunchTemplateOverrides) error {
	seen := map[string]bool{}
	weighted := 0
	for _, o := range all {
		if seen[*o.InstanceType] {
			return invalidf("Duplicate instance types are not allowed in the launch template overrides: %s", *o.InstanceType)
		}
		seen[*o.InstanceType] = true
		if o.WeightedCapacity != nil {
			weighted++
		}
	}
	if weighted != 0 && weighted != len(all) {
		return invalid("You must specify a weighted capacity for either all or none of the instance types in the launch template overrides.")
	}
	return nil
}

// instancesDistribution checks a distribution and fills in its defaults.
func instancesDistribution(in *types.InstancesDistribution) (*types.InstancesDistribution, error) {
	if in == nil {
		in = &types.InstancesDistribution{}
	}
	out := types.InstancesDistribution{
		OnDemandAllocationStrategy: aws.String("prioritized"), OnDemandBaseCapacity: aws.Int32(0),
		OnDemandPercentageAboveBaseCapacity: aws.Int32(100), SpotAllocationStrategy: aws.String("lowest-price"),
	}
	replace(&out.OnDemandAllocationStrategy, in.OnDemandAllocationStrategy)
	replace(&out.OnDemandBaseCapacity, in.OnDemandBaseCapacity)
	replace(&out.OnDemandPercentageAboveBaseCapacity, in.OnDemandPercentageAboveBaseCapacity)
	replace(&out.SpotAllocationStrategy, in.SpotAllocationStrategy)
	if aws.ToString(in.SpotMaxPrice) != "" {
		out.SpotMaxPrice = in.SpotMaxPrice
	}
	cheapest := *out.SpotAllocationStrategy == "lowest-price"
	switch base, percentage := *out.OnDemandBaseCapacity, *out.OnDemandPercentageAboveBaseCapacity; {
	case in.DistributionSegments != nil:
		return nil, unmodelled("distribution segments")
	case !slices.Contains(onDemandStrategies, *out.OnDemandAllocationStrategy):
		return nil, invalidf("OnDemandAllocationStrategy %s is not valid. Valid values are: %v", *out.OnDemandAllocationStrategy, onDemandStrategies)
	case !slices.Contains(spotStrategies, *out.SpotAllocationStrategy):
		return nil, invalidf("SpotAllocationStrategy %s is not valid. Valid values are: %v", *out.SpotAllocationStrategy, spotStrategies)
	case base < 0:
		return nil, invalidf("OnDemandBaseCapacity %d must not be negative.", base)
	case percentage < 0 || percentage > 100:
		return nil, invalidf("OnDemandPercentageAboveBaseCapacity %d must be between 0 and 100.", percentage)
	case in.SpotInstancePools != nil && !cheapest:
		return nil, invalid("SpotInstancePools option is only available with the lowest-price allocation strategy.")
	case in.SpotInstancePools != nil && (*in.SpotInstancePools < 1 || *in.SpotInstancePools > maxSpotPools):
		return nil, invalidf("SpotInstancePools %d must be between 1 and %d.", *in.SpotInstancePools, maxSpotPools)
	}
	if cheapest {
		out.SpotInstancePools = aws.Int32(2)
		replace(&out.SpotInstancePools, in.SpotInstancePools)
	}
	return &out, nil
}

// reweigh gives members the weights of the group's present policy. A type that
// the policy does not name any more keeps its weight.
func (g *group) reweigh() {
	weights := map[string]int32{}
	for _, o := range g.overrides() {
		if o.WeightedCapacity != nil {
			weights[*o.InstanceType] = weightOf(o)
		}
	}
	for _, m := range g.members {
		switch n := weights[m.instanceType]; {
		case n > 0:
			m.weight, m.weighted = n, true
		case len(weights) == 0:
			m.weight, m.weighted = 1, false
		}
	}
}

// weightOf is how much capacity an override's instances count for.
func weightOf(o types.LaunchTemplateOverrides) int32 {
	if o.WeightedCapacity == nil {
		return 1
	}
	n, err := strconv.ParseInt(*o.WeightedCapacity, 10, 32)
	if err != nil {
		return 1 // checked when the policy was set
	}
	return int32(n)
}
