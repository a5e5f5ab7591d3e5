package awssim

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// OverrideSpec is an instance type of a group's mixed instances policy. With
// one or a distribution, a group has such a policy.
type OverrideSpec struct {
	InstanceType string `hcl:"instance_type"`
	// WeightedCapacity is what its instances count for; 0: the group has no weights.
	WeightedCapacity int `hcl:"weighted_capacity,optional"`
	// Template is another launch template for this type, Version the text that
	// points into it ($Latest when empty) and LaunchedFrom the version the
	// first members come from (1 when 0).
	Template     string `hcl:"template,optional"`
	Version      string `hcl:"version,optional"`
	LaunchedFrom int    `hcl:"launched_from,optional"`
	Image        string `hcl:"image,optional"` // name or id, instead of the template's
}

// DistributionSpec is a policy's instances distribution. What is left out has
// AWS's default.
type DistributionSpec struct {
	OnDemandBaseCapacity                *int   `hcl:"on_demand_base_capacity,optional"`
	OnDemandPercentageAboveBaseCapacity *int   `hcl:"on_demand_percentage_above_base_capacity,optional"`
	OnDemandAllocationStrategy          string `hcl:"on_demand_allocation_strategy,optional"`
	SpotAllocationStrategy              string `hcl:"spot_allocation_strategy,optional"`
	SpotInstancePools                   *int   `hcl:"spot_instance_pools,optional"`
}

// policy is a group's mixed instances policy around a pointer, or nil. In the
// past, overrides with a template of their own point at where their first
// members come from.
func (l *loader) policy(g GroupSpec, pointer *astypes.LaunchTemplateSpecification, past bool) (*astypes.MixedInstancesPolicy, error) {
	if len(g.Overrides) == 0 && g.Distribution == nil {
		return nil, nil //nolint:nilnil // a group without a policy
	}
	p := &astypes.MixedInstancesPolicy{LaunchTemplate: &astypes.LaunchTemplate{LaunchTemplateSpecification: pointer}}
	for _, o := range g.Overrides {
		if _, known := findInstanceType(o.InstanceType); !known {
			return nil, fmt.Errorf("override: no instance type %q", o.InstanceType)
		}
		out := astypes.LaunchTemplateOverrides{InstanceType: aws.String(o.InstanceType)}
		if o.WeightedCapacity != 0 {
			out.WeightedCapacity = aws.String(strconv.Itoa(o.WeightedCapacity))
		}
		if o.Image != "" {
			out.ImageId = aws.String(o.Image)
			if id, known := l.images[o.Image]; known {
				out.ImageId = aws.String(id)
			}
		}
		if o.Template != "" {
			version := o.Version
			setDefault(&version, "$Latest")
			if past {
				version = strconv.Itoa(max(o.LaunchedFrom, 1))
			}
			out.LaunchTemplateSpecification = &astypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String(o.Template), Version: aws.String(version)}
		}
		p.LaunchTemplate.Overrides = append(p.LaunchTemplate.Overrides, out)
	}
	if d := g.Distribution; d != nil {
		p.InstancesDistribution = &astypes.InstancesDistribution{
			OnDemandBaseCapacity: int32Of(d.OnDemandBaseCapacity), OnDemandPercentageAboveBaseCapacity: int32Of(d.OnDemandPercentageAboveBaseCapacity),
			SpotInstancePools: int32Of(d.SpotInstancePools), OnDemandAllocationStrategy: text(d.OnDemandAllocationStrategy),
			SpotAllocationStrategy: text(d.SpotAllocationStrategy),
		}
	}
	return p, nil
}

// text is an optional string of a scenario as the SDK wants it.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
