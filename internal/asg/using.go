package asg

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Using are the groups that launch from a template, whichever version they
// point at, by name. It reads the shared look at all groups; known is false
// where that is not to be had.
func (c *Client) Using(ctx context.Context, templateID string) (groups []rollout.Follower, known bool) {
	all := c.groups.everyone(ctx, c)
	if all == nil {
		return nil, false
	}
	for name, g := range all {
		if spec := template(g); spec != nil && aws.ToString(spec.LaunchTemplateId) == templateID {
			groups = append(groups, rollout.Follower{Group: name, Pointer: pointerText(spec)})
		}
	}
	slices.SortFunc(groups, func(a, b rollout.Follower) int { return strings.Compare(a.Group, b.Group) })
	return groups, true
}
