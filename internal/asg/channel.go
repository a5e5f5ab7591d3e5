package asg

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

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
	type pointed struct{ template, version string }
	does, asked := map[pointed]bool{}, map[string]bool{}
	complete = true
	for _, name := range slices.Sorted(maps.Keys(all)) {
		spec := template(all[name])
		if spec == nil {
			continue
		}
		at := pointed{aws.ToString(spec.LaunchTemplateId), pointerText(spec)}
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
	slices.SortFunc(groups, func(a, b rollout.Follower) int { return strings.Compare(a.Group, b.Group) })
	return groups, complete
}

// Forget makes the next look ask again what parameters mean that versions name:
// one has been moved.
func (c *Client) Forget() {
	c.versions.mu.Lock()
	defer c.versions.mu.Unlock()
	clear(c.versions.means)
}
