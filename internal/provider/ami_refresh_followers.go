package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// mostFollowers bounds the groups named in a warning.
const mostFollowers = 10

// followers names the groups whose pointer floats over a template, empty when
// there are none or groups cannot be listed.
func followers(ctx context.Context, c *clients, template string) string {
	all := c.looks.Followers(ctx, template, "")
	names := make([]string, 0, len(all))
	for _, f := range all[:min(len(all), mostFollowers)] {
		names = append(names, fmt.Sprintf("%s (%s)", f.Group, f.Pointer))
	}
	if more := len(all) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return clip(strings.Join(names, ", "), mostWarning)
}

// warnFollowers words what a new version of a template does to those groups.
func warnFollowers(template, names string) diag.Diagnostics {
	if names == "" {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Groups follow the launch template", lines{
		fmt.Sprintf("A new version of %s is wanted, and these groups float over it: %s.", template, names),
		"A group on $Default launches from the new version when the default moves. A group on $Latest would as soon as it is there, so the version is left to its roll:",
		`refit_asg_rolling_update with launch_template_version = "$Latest" and image_id from this resource. Or give the group the number of a version.`,
	}.String())}
}
