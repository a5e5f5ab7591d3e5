package provider

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// targetModel is target of refit_ami_refresh.
type targetModel struct {
	SSMParameter types.String `tfsdk:"ssm_parameter"`
}

var (
	channelName     = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,14}$`)
	channelReserved = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
)

func targetAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Where the image goes. Default: into a new version of the launch template. A change makes the image unknown at plan, " +
			"and leaves what was made before as it is.",
		Attributes: map[string]schema.Attribute{
			"ssm_parameter": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Name of a parameter of Systems Manager that the launch template names in place of an image (`image_id = \"resolve:ssm:…\"`), such as " +
					"`/golden/web/stable`. Refit makes it, with the data type `aws:ec2:image`, and moves it to each new image; no template version is made. " +
					"Every group that follows the parameter launches the new image from then on, before a roll has tested it: the plan names them. See " +
					"[the stack](../guides/stacks.md#a-template-that-follows-a-parameter).",
				Validators: []validator.String{
					stringvalidator.RegexMatches(channelName, "must be the name of a parameter of this account, such as /golden/web/stable: no ARN, no version, no label, at most 15 levels"),
					stringvalidator.LengthAtMost(900),
					notReserved{},
				},
			},
		},
	}
}

// notReserved refuses names that only AWS may give.
type notReserved struct{}

// Description implements validator.String.
func (notReserved) Description(context.Context) string { return "must not begin with aws or ssm" }

// MarkdownDescription implements validator.String.
func (v notReserved) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (notReserved) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if name := req.ConfigValue.ValueString(); channelReserved.MatchString(name) {
		resp.Diagnostics.AddAttributeError(req.Path, "Reserved parameter name",
			fmt.Sprintf("%s: %q begins with aws or ssm, and such names are AWS's own. Choose another name, such as /golden/web/stable.", req.Path, name))
	}
}

// channel reads the target; nil: a version of the template.
func (m amiRefreshModel) channel(ctx context.Context, diags *diag.Diagnostics) *ami.Channel {
	if m.Target.IsNull() || m.Target.IsUnknown() {
		return nil
	}
	var t targetModel
	diags.Append(m.Target.As(ctx, &t, basetypes.ObjectAsOptions{})...)
	return &ami.Channel{Name: t.SSMParameter.ValueString()}
}

// moves tells whether an update is to move a channel.
func (m amiRefreshModel) moves(prior amiRefreshModel) bool {
	return !m.Target.IsNull() && !m.ImageID.Equal(prior.ImageID)
}

// checkTarget refuses what cannot go together with a parameter as the target.
func (m amiRefreshModel) checkTarget(ctx context.Context) diag.Diagnostics {
	var diags diag.Diagnostics
	ch := m.channel(ctx, &diags)
	if ch == nil || ch.Name == "" || diags.HasError() {
		return diags
	}
	var s sourceModel
	if !m.Source.IsNull() && !m.Source.IsUnknown() {
		diags.Append(m.Source.As(ctx, &s, basetypes.ObjectAsOptions{})...)
	}
	abroad := copyOf(ctx, m.Copy, &diags)
	here := abroad == nil && !m.Copy.IsUnknown() || abroad != nil && abroad.Region == ""
	if here && ami.SameParameter(s.Parameter.ValueString(), ch.Name) {
		diags.AddAttributeError(path.Root("target").AtName("ssm_parameter"), "Source and target are the same",
			fmt.Sprintf("target.ssm_parameter: %q is source.ssm_parameter, too, so that nothing would ever be new. Take the image from another parameter, or by name and owners.", ch.Name))
	}
	if !m.KeepVersions.IsNull() {
		diags.AddAttributeError(path.Root("keep_versions"), "Nothing to keep",
			"keep_versions deletes old versions after a new one was made, and with target no version is made. Leave it out.")
	}
	return diags
}

// notFollowingError says that a version does not name the parameter that is the
// target.
type notFollowingError struct {
	template, image, parameter string
	number                     int64
}

// Error implements error.
func (e *notFollowingError) Error() string {
	return fmt.Sprintf("version %d of launch template %s names image %s, and not parameter %s, which the new image would go into", e.number, e.template, e.image, e.parameter)
}

// begin finds the version to start from, and with a channel as the target what
// the template's versions mean by it now; *w then has the channel as it is.
func (b *backend) begin(ctx context.Context, c *clients, t ami.Template, w amiWant) (ami.Template, ami.Version, error) {
	from, err := base(t, w.version)
	if w.target == nil || err != nil {
		return t, from, err
	}
	ch, err := c.images.Channel(ctx, w.target.Name)
	if err != nil {
		return t, from, err
	}
	*w.target = ch
	if s := w.region(c); s.copy != nil && s.copy.Region == c.region && ami.SameParameter(w.source.Parameter, ch.Name) {
		return t, from, &ami.ChannelError{Name: ch.Name, Why: "is source.ssm_parameter of the same region, too, so that nothing would ever be new"}
	}
	follows := from.Follows(ch.Name)
	// A rollback publishes a copy that names the image itself. What it is a copy
	// of is as good to start from.
	for _, v := range slices.Backward(t.Versions) {
		if !follows && v.Bare == from.Bare && v.Follows(ch.Name) {
			from, follows = v, true
		}
	}
	if !follows {
		return t, from, &notFollowingError{template: t.ID, number: from.Number, image: from.Image, parameter: ch.Name}
	}
	t = t.Meaning(ch.Name, ch.Image)
	from, _ = t.Version(from.Number)
	return t, from, nil
}

// seenIn fills in an image as it is in a channel, which others may move.
func (b *backend) seenIn(ctx context.Context, c *clients, m amiRefreshModel, ch ami.Channel) (amiRefreshModel, error) {
	switch {
	case ch.Image == "": // somebody has deleted it
		m.ImageID, m.ImageName, m.ImageCreatedAt, m.SourceImageID = types.StringNull(), types.StringNull(), types.StringNull(), types.StringNull()
		return m, nil
	case ch.Image == m.ImageID.ValueString() && (m.Copy.IsNull() || !m.bound()):
		return m, nil
	}
	i, err := c.images.Image(ctx, ch.Image)
	if err != nil && !errors.Is(err, ami.ErrNoImage) {
		return m, err
	}
	i.ID = ch.Image
	number, _ := strconv.ParseInt(m.LaunchTemplateVersion.ValueString(), 10, 64)
	if !m.Copy.IsNull() {
		return b.mendCopy(ctx, c, m, number, i)
	}
	m.set(i, number)
	return m, nil
}

// move puts the chosen image into the channel and fills in the model.
func (r *amiRefresh) move(ctx context.Context, c *clients, m *amiRefreshModel, w amiWant, chosen image.Image) error {
	t, err := c.images.Template(ctx, w.template)
	if err != nil {
		return err
	}
	t, from, err := r.backend.begin(ctx, c, t, w)
	if err != nil {
		return err
	}
	if err := c.images.RootSnapshot(ctx, t, from, chosen.ID); err != nil {
		return err
	}
	if err := r.backend.unheld(ctx, c, t, from, chosen.ID); err != nil {
		return err
	}
	to, diags := m.notify(ctx)
	if diags.HasError() {
		return errors.New(diags.Errors()[0].Detail())
	}
	*w.target, err = c.images.Move(ctx, ami.Moving{Channel: *w.target, Image: chosen.ID, Template: w.template, Version: from.Number, By: w.by(chosen), Tell: to.told()})
	// What groups launch is another image from now on, perhaps also after an error.
	c.looks.Forget()
	c.live.Forget()
	if err == nil {
		m.set(chosen, from.Number)
	}
	return err
}

// mostBy bounds what is on record of where an image was found, in bytes.
const mostBy = 200

// by says where an image was found, for people.
func (w amiWant) by(chosen image.Image) string {
	if w.pin.Image == w.original(chosen).ID {
		return rollout.Clip("pin: "+w.pin.Reason, mostBy)
	}
	return rollout.Clip(w.source.String(), mostBy)
}

// explainChannel says what happened and what to do about a channel that was not
// moved; ok is false for other errors.
func explainChannel(err error) (happened, next string, ok bool) {
	var channel *ami.ChannelError
	var unvalidated *ami.UnvalidatedError
	var other *notFollowingError
	switch {
	case errors.As(err, &unvalidated):
		return roller.Sentence(err.Error()), "See that the image is available in this account and region, then apply again.", true
	case errors.As(err, &channel):
		return roller.Sentence(err.Error()), "Name a parameter that does not exist yet, and Refit makes it; or look who else writes to this one, and plan again.", true
	case errors.As(err, &other):
		return roller.Sentence(err.Error()), fmt.Sprintf("Set image_id of the launch template to \"resolve:ssm:%s\", or correct target.", other.parameter), true
	}
	return "", "", false
}

// channelFollowers names the groups that launch whatever a channel holds.
func channelFollowers(ctx context.Context, c *clients, ch ami.Channel) string {
	groups, complete := c.looks.Naming(ctx, func(image string) bool { return ami.Names(image, ch.Name) })
	text := followerNames(groups)
	switch {
	case complete:
		return text
	case text == "":
		return "not all groups could be looked at"
	}
	return rollout.Clip(text+", and perhaps others, for not all could be looked at", mostWarning)
}

// followerNames words a list of groups; empty: there are none.
func followerNames(all []rollout.Follower) string {
	names := make([]string, 0, len(all))
	for _, f := range all[:min(len(all), mostFollowers)] {
		names = append(names, fmt.Sprintf("%s (version %s)", f.Group, f.Pointer))
	}
	if more := len(all) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return rollout.Clip(strings.Join(names, ", "), mostWarning)
}

// warnMoved words what moving a channel does to those groups.
func warnMoved(ch ami.Channel, to, names string) diag.Diagnostics {
	if names == "" {
		return diag.Diagnostics{diag.NewWarningDiagnostic(fmt.Sprintf("A new image goes into the parameter %q", ch.Name),
			fmt.Sprintf("It is moved to %s. No group launches what it holds now; one that does later launches that image.", to))}
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(fmt.Sprintf("Groups follow the parameter %q", ch.Name), lines{
		fmt.Sprintf("It is moved to %s, and these groups launch what it holds: %s.", to, names),
		"Each of them launches the new image from its next scale-out on, before a roll has tested it. Members that run stay until a refit_asg_rolling_update of their group replaces them.",
		"To have it tested first, let one group follow a parameter of its own, or give groups versions that name images.",
	}.String())}
}
