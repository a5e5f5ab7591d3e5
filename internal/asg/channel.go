package asg

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// mostTemplates bounds the templates that are looked at for those that name a
// parameter: it costs a call each.
const mostTemplates = 50

// Naming are the groups that launch from a version of any template that names
// a parameter in place of an image, by name. names tells whether the image of a
// version does. It reads the shared look at all groups; complete is false where
// that is not to be had, or where some templates were not looked at.
func (c *Client) Naming(ctx context.Context, names func(image string) bool) (groups []rollout.Follower, complete bool) {
	all := c.groups.everyone(ctx, c)
	if all == nil {
		return nil, false
	}
	does, asked := map[pointed]bool{}, map[string]bool{}
	complete = true
	for _, name := range slices.Sorted(maps.Keys(all)) {
		at := pointedBy(all[name])
		if at == (pointed{}) {
			continue
		}
		if _, known := does[at]; !known {
			if asked[at.template] = true; len(asked) > mostTemplates {
				complete = false
				break
			}
			v, err := c.find(ctx, at.template, at.version)
			if err != nil {
				complete = false
			}
			does[at] = err == nil && names(v.Alias)
		}
		if does[at] {
			groups = append(groups, rollout.Follower{Group: name, Pointer: at.version})
		}
	}
	return groups, complete
}

// NamingNow gives the ARNs of the groups that [Client.Naming] names, as it is at
// this moment: where one call fails, so does the whole look. It costs a call for
// each version that groups point at.
func (c *Client) NamingNow(ctx context.Context, names func(image string) bool) ([]string, error) {
	const what = "find the groups that launch what a parameter holds"
	var arns []string
	does := map[pointed]bool{}
	err := c.eachGroup(ctx, what, func(g astypes.AutoScalingGroup) error {
		at := pointedBy(g)
		if at == (pointed{}) {
			return nil
		}
		if _, known := does[at]; !known {
			v, err := c.find(ctx, at.template, at.version)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			does[at] = names(v.Alias)
		}
		if does[at] {
			arns = append(arns, aws.ToString(g.AutoScalingGroupARN))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(arns)
	return arns, nil
}

// pointed is what a group points at; zero: at no template.
type pointed struct{ template, version string }

func pointedBy(g astypes.AutoScalingGroup) pointed {
	spec := template(g)
	if spec == nil {
		return pointed{}
	}
	return pointed{aws.ToString(spec.LaunchTemplateId), pointerText(spec)}
}

// Forget makes the next look ask again what parameters mean that versions name:
// one has been moved.
func (c *Client) Forget() {
	c.versions.mu.Lock()
	defer c.versions.mu.Unlock()
	clear(c.versions.means)
}
