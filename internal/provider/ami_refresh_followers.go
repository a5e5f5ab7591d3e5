package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// mostFollowers bounds the groups named in a warning.
const mostFollowers = 10

// followers names the groups whose pointer floats over a template, empty when
// there are none or groups cannot be listed.
func followers(ctx context.Context, c *clients, template string) string {
	return followerNames(c.looks.Followers(ctx, template, ""))
}

// warnFollowers words what a planned image does to groups that get it by
// themselves.
func (m amiRefreshModel) warnFollowers(ctx context.Context, seen *amiSeen) (diags diag.Diagnostics) {
	ch := m.channel(ctx, &diags)
	switch {
	case diags.HasError() || ch != nil && m.ImageID.IsUnknown(): // foresee words it
	case ch != nil && seen.Image.ID != seen.Holds:
		return warnMoved(*ch, seen.Image.ID, seen.Followers)
	case ch == nil:
		return warnFollowers(m.LaunchTemplateID.ValueString(), seen.Followers)
	}
	return diags
}

// warnFollowers words what a new version of a template does to those groups.
func warnFollowers(template, names string) diag.Diagnostics {
	if names == "" {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Groups follow the launch template", lines{
		fmt.Sprintf("A new version of %s is wanted, and these groups follow it: %s.", template, names),
		"A group on $Default launches from the new version when the default moves. A group on $Latest would as soon as it is there, so the version is left to its roll:",
		`refit_asg_rolling_update with launch_template_version = "$Latest" and image_id from this resource. Or give the group the number of a version.`,
	}.String())}
}
