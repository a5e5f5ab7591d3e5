package asg

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// OverrideImages are the images that overrides of mixed instances policies of
// all groups of the region name beside their templates.
func (c *Client) OverrideImages(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	in := &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(100)}
	for {
		answer, err := c.o.AutoScaling.DescribeAutoScalingGroups(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("find the images that groups name: %w", err)
		}
		for _, g := range answer.AutoScalingGroups {
			if p := g.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
				for _, o := range p.LaunchTemplate.Overrides {
					if id := aws.ToString(o.ImageId); id != "" {
						out[id] = true
					}
				}
			}
		}
		if in.NextToken = answer.NextToken; aws.ToString(in.NextToken) == "" {
			return out, nil
		}
	}
}
