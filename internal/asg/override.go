package asg

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// OverrideImages are the images that overrides of mixed instances policies of
// all groups of the region name beside their templates.
func (c *Client) OverrideImages(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	err := c.eachGroup(ctx, "find the images that groups name", func(g astypes.AutoScalingGroup) error {
		if p := g.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
			for _, o := range p.LaunchTemplate.Overrides {
				if id := aws.ToString(o.ImageId); id != "" {
					out[id] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
