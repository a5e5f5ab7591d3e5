package provider

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// sourceError says that a version is wanted which no roll of a group on $Latest
// would make, because such a roll copies the newest one.
type sourceError struct {
	groups         string
	source, latest int64
}

// Error implements error.
func (e *sourceError) Error() string {
	return fmt.Sprintf("source_version is %d, but these groups follow $Latest, and their rolls copy the newest version, %d: %s; "+
		"leave source_version out, or give the groups the number of a version", e.source, e.latest, e.groups)
}

// ensure gives a version with an image, and makes one if need be; but not where
// groups would launch from it before a roll has tested it. held names those: then
// there is no such version, and made has the one that stays.
func (b *backend) ensure(ctx context.Context, c *clients, w ami.Want) (made ami.Made, held []string, err error) {
	t, made, err := c.images.FindVersion(ctx, w)
	if err != nil || made.Version.Number != 0 {
		return made, nil, err
	}
	if err := b.unheld(ctx, c, t, made.Source, w.Image); err != nil {
		return made, nil, err
	}
	// As it is at this moment: a group that nobody saw would get the image.
	groups, err := c.looks.FollowersNow(ctx, w.Template, "")
	if err != nil {
		return made, nil, err
	}
	if held = rollout.Held(groups); len(held) == 0 {
		made, err = c.images.Make(ctx, w, t, made.Source)
		return made, nil, err
	}
	latest := t.Latest()
	if made.Source.Bare != latest.Bare {
		return made, nil, &sourceError{groups: strings.Join(held, ", "), source: made.Source.Number, latest: latest.Number}
	}
	made.Version = latest
	if err = c.images.RootSnapshot(ctx, t, latest, w.Image); err == nil {
		err = c.images.Leave(ctx, w, t, latest)
	}
	return made, held, err
}

// warnHeld says that a version is left to the rolls of the groups that follow.
func warnHeld(template, imageID string, latest int64, held []string) diag.Diagnostics {
	names := rollout.Clip(strings.Join(held, ", "), mostWarning)
	return diag.Diagnostics{diag.NewWarningDiagnostic(fmt.Sprintf("Version of launch template %q left to a roll", template), lines{
		fmt.Sprintf("These groups follow $Latest, and would launch from a version with %s before a roll has tested it: %s.", imageID, names),
		fmt.Sprintf("None was made; the newest version is %d.", latest),
		`A refit_asg_rolling_update of such a group makes it, with launch_template_version = "$Latest" and image_id from this resource. ` +
			"Without one, give the group the number of a version.",
	}.String())}
}

// adopt takes up the version that a roll has made for the image of a model, and
// tells which version the model is on.
func (m *amiRefreshModel) adopt(t ami.Template, w amiWant) ami.Version {
	number, _ := strconv.ParseInt(m.LaunchTemplateVersion.ValueString(), 10, 64)
	current, _ := t.Version(number)
	wanted := m.ImageID.ValueString()
	if wanted == "" || current.Image == wanted {
		return current
	}
	from, err := base(t, w.version)
	if err != nil {
		from = t.Latest()
	}
	if latest := t.Latest(); latest.Image == wanted && (latest.Bare == from.Bare || latest.Bare == current.Bare) {
		m.LaunchTemplateVersion = versionText(latest.Number)
		return latest
	}
	return current
}

// inState is the image in state, which is not that of its version where a roll is
// to make one; empty where that version is gone.
func (m amiRefreshModel) inState(there bool) string {
	if !there {
		return ""
	}
	return m.ImageID.ValueString()
}
