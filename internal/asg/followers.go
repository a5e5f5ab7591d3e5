package asg

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Followers are the groups other than except that launch from whatever the
// newest or the default version of a template is, by name. It reads the shared
// look at all groups; where that is not to be had, it knows none.
func (c *Client) Followers(ctx context.Context, templateID, except string) []rollout.Follower {
	var out []rollout.Follower
	for _, g := range c.groups.everyone(ctx, c) {
		out = append(out, follows(g, templateID, except)...)
	}
	sortFollowers(out)
	return out
}

// Running are the groups that launch from a template, by name. It reads the shared
// look at all groups; where that is not to be had, it knows none.
func (c *Client) Running(ctx context.Context, templateID string) []image.Use {
	of := func(spec *astypes.LaunchTemplateSpecification) bool {
		return spec != nil && aws.ToString(spec.LaunchTemplateId) == templateID
	}
	var out []image.Use
	for name, g := range c.groups.everyone(ctx, c) {
		spec := template(g)
		if !of(spec) {
			continue
		}
		u := image.Use{Group: name, Version: pointerText(spec)}
		for _, i := range g.Instances {
			if i.LifecycleState != astypes.LifecycleStateInService {
				continue
			}
			var version string
			if of(i.LaunchTemplate) {
				version = aws.ToString(i.LaunchTemplate.Version)
			}
			u.Members = append(u.Members, version)
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b image.Use) int { return strings.Compare(a.Group, b.Group) })
	return out
}

// FollowersNow is [Client.Followers] as it is at this moment: it looks at all
// groups of the region, and where one call fails, so does the whole look.
func (c *Client) FollowersNow(ctx context.Context, templateID, except string) ([]rollout.Follower, error) {
	var out []rollout.Follower
	err := c.eachGroup(ctx, "find the groups that follow launch template "+templateID, func(g astypes.AutoScalingGroup) error {
		out = append(out, follows(g, templateID, except)...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	sortFollowers(out)
	return out, nil
}

// follows tells by which floating texts a group follows a template: its pointer,
// unless it is the group to except, and its overrides, which no roll can pin.
func follows(g astypes.AutoScalingGroup, templateID, except string) []rollout.Follower {
	name := aws.ToString(g.AutoScalingGroupName)
	floats := func(spec *astypes.LaunchTemplateSpecification) bool {
		return spec != nil && aws.ToString(spec.LaunchTemplateId) == templateID && strings.HasPrefix(pointerText(spec), "$")
	}
	var out []rollout.Follower
	if spec := template(g); floats(spec) && name != except {
		out = append(out, rollout.Follower{Group: name, Pointer: pointerText(spec)})
	}
	if p := g.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
		for _, o := range p.LaunchTemplate.Overrides {
			if floats(o.LaunchTemplateSpecification) {
				out = append(out, rollout.Follower{Group: name, Pointer: pointerText(o.LaunchTemplateSpecification) + " for " + aws.ToString(o.InstanceType)})
			}
		}
	}
	return out
}

func sortFollowers(all []rollout.Follower) {
	slices.SortFunc(all, func(a, b rollout.Follower) int {
		return strings.Compare(a.Group+" "+a.Pointer, b.Group+" "+b.Pointer)
	})
}
