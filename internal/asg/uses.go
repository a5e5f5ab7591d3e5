package asg

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Uses are what groups need of one launch template.
type Uses struct {
	// Versions are the numbers that a pointer, an override, a member (in standby
	// and in warm pools too) or an unfinished instance refresh names. "$Latest"
	// and "$Default" are no numbers and not in it.
	Versions map[int64]bool
	// Groups are the ARNs of the groups that use the template in any way.
	Groups []string
}

// Uses looks at all groups of the region, and at the instance refreshes of those
// that use the template. Groups are missing from no answer: where one call fails,
// so does the whole look.
func (c *Client) Uses(ctx context.Context, templateID string) (Uses, error) {
	u := &users{id: templateID, Uses: Uses{Versions: map[int64]bool{}}}
	err := c.eachGroup(ctx, "find the groups that use launch template "+templateID, func(g astypes.AutoScalingGroup) error {
		return c.useOf(ctx, u, g)
	})
	if err != nil {
		return Uses{}, err
	}
	slices.Sort(u.Groups)
	return u.Uses, nil
}

// eachGroup calls a function with each group of the region as it is at this
// moment, until one fails or a look does. what words the error of a look.
func (c *Client) eachGroup(ctx context.Context, what string, each func(astypes.AutoScalingGroup) error) error {
	in := &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(100)}
	for {
		page, err := c.o.AutoScaling.DescribeAutoScalingGroups(ctx, in)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, g := range page.AutoScalingGroups {
			if err := each(g); err != nil {
				return err
			}
		}
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			return nil
		}
	}
}

// users collects uses; id is the template.
type users struct {
	Uses
	id string
}

// useOf adds what one group uses.
func (c *Client) useOf(ctx context.Context, u *users, g astypes.AutoScalingGroup) error {
	name := aws.ToString(g.AutoScalingGroupName)
	used := u.spec(g.LaunchTemplate)
	used = u.policy(g.MixedInstancesPolicy) || used
	used = u.members(g.Instances) || used
	if g.WarmPoolConfiguration != nil {
		pool, err := c.describeWarm(ctx, name)
		if err != nil {
			return err
		}
		used = u.members(pool) || used
	}
	if !used {
		return nil
	}
	u.Groups = append(u.Groups, aws.ToString(g.AutoScalingGroupARN))
	out, err := c.o.AutoScaling.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: g.AutoScalingGroupName})
	if err != nil {
		return fmt.Errorf("read the instance refreshes of group %s: %w", name, err)
	}
	for _, r := range out.InstanceRefreshes {
		if d := r.DesiredConfiguration; d != nil && r.EndTime == nil {
			u.spec(d.LaunchTemplate)
			u.policy(d.MixedInstancesPolicy)
		}
	}
	return nil
}

// spec adds what a specification names and tells whether it is of the template.
func (u *users) spec(s *astypes.LaunchTemplateSpecification) bool {
	if s == nil || aws.ToString(s.LaunchTemplateId) != u.id {
		return false
	}
	if n, err := strconv.ParseInt(pointerText(s), 10, 64); err == nil {
		u.Versions[n] = true
	}
	return true
}

func (u *users) policy(p *astypes.MixedInstancesPolicy) bool {
	if p == nil || p.LaunchTemplate == nil {
		return false
	}
	used := u.spec(p.LaunchTemplate.LaunchTemplateSpecification)
	for _, o := range p.LaunchTemplate.Overrides {
		used = u.spec(o.LaunchTemplateSpecification) || used
	}
	return used
}

func (u *users) members(all []astypes.Instance) bool {
	used := false
	for _, i := range all {
		used = u.spec(i.LaunchTemplate) || used
	}
	return used
}
