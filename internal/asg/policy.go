package asg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// overrides are the instance types of a policy with a launch template or an
// image of their own.
func (c *Client) overrides(ctx context.Context, g astypes.AutoScalingGroup) ([]rollout.Override, error) {
	if g.MixedInstancesPolicy == nil || g.MixedInstancesPolicy.LaunchTemplate == nil {
		return nil, nil
	}
	var out []rollout.Override
	for _, o := range g.MixedInstancesPolicy.LaunchTemplate.Overrides {
		own := rollout.Override{Type: aws.ToString(o.InstanceType), Image: aws.ToString(o.ImageId)}
		if spec := o.LaunchTemplateSpecification; spec != nil {
			v, err := c.resolve(ctx, aws.ToString(spec.LaunchTemplateId), pointerText(spec))
			if err != nil {
				return nil, fmt.Errorf("the override for %s: %w", own.Type, err)
			}
			if own.Image != "" {
				v.Image = own.Image
			}
			own.Version = v
		}
		if own.Type != "" && (own.Image != "" || own.Version != rollout.Version{}) {
			out = append(out, own)
		}
	}
	return out, nil
}

// mixes says whether a group's policy combines on-demand and spot.
func mixes(g astypes.AutoScalingGroup) bool {
	if g.MixedInstancesPolicy == nil || g.MixedInstancesPolicy.InstancesDistribution == nil {
		return false
	}
	d := g.MixedInstancesPolicy.InstancesDistribution
	base, above := aws.ToInt32(d.OnDemandBaseCapacity), int32(100)
	if d.OnDemandPercentageAboveBaseCapacity != nil {
		above = *d.OnDemandPercentageAboveBaseCapacity
	}
	return above != 100 && (above != 0 || base != 0)
}

// spot says whether a group's policy asks for Spot Instances.
func spot(g astypes.AutoScalingGroup) bool {
	if g.MixedInstancesPolicy == nil || g.MixedInstancesPolicy.InstancesDistribution == nil {
		return false
	}
	above := g.MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity
	return above != nil && *above != 100
}

// weights are those of a group's policy by instance type, nil where it has none.
func weights(g astypes.AutoScalingGroup) map[string]int {
	p := g.MixedInstancesPolicy
	if p == nil || p.LaunchTemplate == nil {
		return nil
	}
	var out map[string]int
	for _, o := range p.LaunchTemplate.Overrides {
		if n, err := strconv.Atoi(aws.ToString(o.WeightedCapacity)); err == nil && n > 0 {
			if out == nil {
				out = map[string]int{}
			}
			out[aws.ToString(o.InstanceType)] = n
		}
	}
	return out
}

// weighed is the unit by which AWS weighs the instance types of a group itself,
// empty where it does not.
func weighed(g astypes.AutoScalingGroup) string {
	if unit := aws.ToString(g.DesiredCapacityType); unit != "units" {
		return unit
	}
	return ""
}

// refusedPolicy names what of a policy cannot be rolled.
func refusedPolicy(p *astypes.MixedInstancesPolicy) string {
	if p == nil || p.LaunchTemplate == nil {
		return ""
	}
	for _, o := range p.LaunchTemplate.Overrides {
		if o.InstanceRequirements != nil && (o.LaunchTemplateSpecification != nil || o.ImageId != nil) {
			return "an override by instance requirements with a launch template or an image of its own"
		}
	}
	return ""
}

// pointPolicy sets the version in a group's mixed instances policy, and nothing
// else: AWS resets what a request leaves out, so everything that was read is sent
// again. What came of it is read back.
func (c *Client) pointPolicy(ctx context.Context, group, version string, p *astypes.MixedInstancesPolicy) error {
	want := withVersion(p, version)
	_, err := c.o.AutoScaling.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(group), MixedInstancesPolicy: want,
	}, once)
	if err != nil {
		return err
	}
	back, err := c.describe(ctx, group)
	if err != nil {
		return err
	}
	if got := back.MixedInstancesPolicy; got == nil || encoded(withVersion(got, "")) != encoded(withVersion(p, "")) {
		return errors.New("the mixed instances policy that was written is not the one that was read back")
	}
	return nil
}

// withVersion is a policy with a version in its pointer. Templates are named by
// id only: AWS takes no name beside it.
func withVersion(p *astypes.MixedInstancesPolicy, version string) *astypes.MixedInstancesPolicy {
	if p.LaunchTemplate == nil {
		return p
	}
	out, template := *p, *p.LaunchTemplate
	template.LaunchTemplateSpecification = &astypes.LaunchTemplateSpecification{
		LaunchTemplateId: p.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateId, Version: aws.String(version),
	}
	template.Overrides = nil
	for _, o := range p.LaunchTemplate.Overrides {
		if spec := o.LaunchTemplateSpecification; spec != nil {
			o.LaunchTemplateSpecification = &astypes.LaunchTemplateSpecification{LaunchTemplateId: spec.LaunchTemplateId, Version: spec.Version}
		}
		template.Overrides = append(template.Overrides, o)
	}
	out.LaunchTemplate = &template
	return &out
}

// encoded is a policy as text, to compare it.
func encoded(p *astypes.MixedInstancesPolicy) string {
	out, err := json.Marshal(p)
	if err != nil {
		panic("a mixed instances policy does not encode: " + err.Error()) // plain structs always do
	}
	return string(out)
}
