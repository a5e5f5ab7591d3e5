package provider

import (
	"context"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// amiRefreshModel is refit_ami_refresh in configuration, plan and state.
type amiRefreshModel struct {
	LaunchTemplateID types.String `tfsdk:"launch_template_id"`
	SourceVersion    types.String `tfsdk:"source_version"`
	Source           types.Object `tfsdk:"source"`
	Target           types.Object `tfsdk:"target"`
	Pin              types.Object `tfsdk:"pin"`
	Copy             types.Object `tfsdk:"copy"`
	Explain          types.Bool   `tfsdk:"explain"`
	timing
	KeepVersions          types.Int64  `tfsdk:"keep_versions"`
	Notify                types.Object `tfsdk:"notify"`
	Notified              types.Bool   `tfsdk:"notified"`
	ImageID               types.String `tfsdk:"image_id"`
	ImageName             types.String `tfsdk:"image_name"`
	ImageCreatedAt        types.String `tfsdk:"image_created_at"`
	SourceImageID         types.String `tfsdk:"source_image_id"`
	LaunchTemplateVersion types.String `tfsdk:"launch_template_version"`
}

// amiWant is what a model asks for.
type amiWant struct {
	template string
	source   ami.Source
	pin      image.Pin
	copy     *copyWant  // nil: images are used as they are
	rule     image.Rule // what source says beyond what AWS is asked
	version  int64      // to copy from; 0: the latest
	// target is the channel that the image goes into; nil: a version of the
	// template. But for the name, it is as begin has found it.
	target *ami.Channel
	// known is false while parts of the configuration are not known yet.
	known bool
}

// want maps a model to what it asks for.
func (m amiRefreshModel) want(ctx context.Context) (amiWant, diag.Diagnostics) {
	w := amiWant{template: m.LaunchTemplateID.ValueString()}
	if m.Source.IsNull() || m.Source.IsUnknown() {
		return w, nil
	}
	var s sourceModel
	diags := m.Source.As(ctx, &s, basetypes.ObjectAsOptions{})
	if diags.HasError() {
		return w, diags
	}
	w.known = !m.LaunchTemplateID.IsUnknown() && !m.SourceVersion.IsUnknown() && whole(ctx, m.Source) && whole(ctx, m.Pin) && whole(ctx, m.Copy) && whole(ctx, m.Target)
	if !w.known {
		return w, diags
	}
	w.source, w.rule = s.want(ctx, &diags)
	w.pin, w.copy, w.target = pinOf(ctx, m.Pin, &diags), copyOf(ctx, m.Copy, &diags), m.channel(ctx, &diags)
	// The schema takes nothing but a number.
	w.version, _ = strconv.ParseInt(m.SourceVersion.ValueString(), 10, 64)
	return w, diags
}

// whole tells whether an object has no unknown value anywhere in it.
func whole(ctx context.Context, o types.Object) bool {
	value, err := o.ToTerraformValue(ctx)
	return err == nil && value.IsFullyKnown()
}

// set maps a chosen image and its version to the computed attributes.
func (m *amiRefreshModel) set(i image.Image, version int64) {
	m.ImageID = types.StringValue(i.ID)
	m.ImageName = types.StringValue(i.Name)
	m.ImageCreatedAt = types.StringValue(i.CreatedAt.UTC().Format(time.RFC3339))
	m.LaunchTemplateVersion = versionText(version)
	m.SourceImageID = m.original(types.StringValue(i.SourceID))
}

// chosen is the image that was chosen of the source: the original of the copy
// where there is one.
func (m amiRefreshModel) chosen() types.String {
	if m.Copy.IsNull() {
		return m.ImageID
	}
	return m.SourceImageID
}

// seenAs is the image of a model as a snapshot has it.
func (m amiRefreshModel) seenAs() imageSeen {
	return imageSeen{
		ID: m.ImageID.ValueString(), Name: m.ImageName.ValueString(), CreatedAt: m.ImageCreatedAt.ValueString(), Source: m.SourceImageID.ValueString(),
	}
}

func versionText(number int64) types.String { return types.StringValue(strconv.FormatInt(number, 10)) }
