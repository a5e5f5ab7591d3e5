package provider

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// mostReason bounds a ban's reason, in bytes: it goes into warnings and
// private state, which have little room.
const mostReason = 200

func imageQuarantineSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Bans a machine image: while this resource exists, nothing that shares the provider's journal makes a launch template " +
			"version of the image or rolls a group to it, and the same goes for copies of it. Destroying the resource lifts the ban.\n\n" +
			"A `refit_ami_refresh` whose image is banned goes back to the newest acceptable image that its template has a version of, and the " +
			"groups on it are rolled there by the same apply. A ban counts from the plan after the one that makes it: apply it first, and plan again.",
		Attributes: map[string]schema.Attribute{
			"image_id": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Id of the image (`ami-…`). It need not exist any more, or in this account. Images that were made of it with " +
					"`CopyImage` are banned with it, as far as AWS tells this account what they are copies of; images that were built on top of it are " +
					"not. A change replaces the resource.",
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				Validators:    []validator.String{imageIDValidator{}},
			},
			"reason": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: fmt.Sprintf("Why, for the people whose plans say so: 1 to %d bytes.", mostReason),
				Validators:          []validator.String{reasonValidator{}},
			},
			"until": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "When the ban ends by itself, in RFC 3339, such as `2027-01-31T18:00:00Z`. It must lie ahead when it is set; " +
					"afterwards the resource stays without effect. Default: never.",
				PlanModifiers: []planmodifier.String{sameInstant{}},
				Validators:    []validator.String{instantValidator{}},
			},
		},
	}
}

var imageID = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// imageIDValidator takes ids of images.
type imageIDValidator struct{}

// Description implements validator.String.
func (imageIDValidator) Description(context.Context) string {
	return `the id of an image: "ami-" and 8 or 17 digits of 0-9 and a-f, such as "ami-0123456789abcdef0"`
}

// MarkdownDescription implements validator.String.
func (v imageIDValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v imageIDValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if value := req.ConfigValue; !value.IsNull() && !value.IsUnknown() && !imageID.MatchString(value.ValueString()) {
		resp.Diagnostics.AddAttributeError(req.Path, "Not an image id",
			fmt.Sprintf("%s is %q; give %s.", req.Path, value.ValueString(), v.Description(ctx)))
	}
}

// reasonValidator takes texts that say something and fit.
type reasonValidator struct{}

// Description implements validator.String.
func (reasonValidator) Description(context.Context) string {
	return fmt.Sprintf("a text of 1 to %d bytes that tells others why, such as \"kernel panics under load, see INC-4711\"", mostReason)
}

// MarkdownDescription implements validator.String.
func (v reasonValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v reasonValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	value := req.ConfigValue.ValueString()
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || strings.TrimSpace(value) != "" && len(value) <= mostReason {
		return
	}
	resp.Diagnostics.AddAttributeError(req.Path, "Not a reason", fmt.Sprintf("%s is %q; give %s.", req.Path, value, v.Description(ctx)))
}

// instantValidator takes instants. Whether one lies ahead is for the plan to
// say: a ban that has ended must not make the configuration invalid.
type instantValidator struct{}

// Description implements validator.String.
func (instantValidator) Description(context.Context) string {
	return `an instant in RFC 3339 with a zone, such as "2027-01-31T18:00:00Z" or "2027-01-31T18:00:00+01:00"`
}

// MarkdownDescription implements validator.String.
func (v instantValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v instantValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := time.Parse(time.RFC3339, req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Not an instant",
			fmt.Sprintf("%s is %q; give %s.", req.Path, req.ConfigValue.ValueString(), v.Description(ctx)))
	}
}

// sameInstant plans the prior spelling of an instant that means the same.
type sameInstant struct{}

// Description implements planmodifier.String.
func (sameInstant) Description(context.Context) string {
	return "Another spelling of the same instant is no change."
}

// MarkdownDescription implements planmodifier.String.
func (m sameInstant) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyString implements planmodifier.String.
func (sameInstant) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if req.StateValue.IsNull() || req.PlanValue.IsNull() || req.PlanValue.IsUnknown() {
		return
	}
	before, err1 := time.Parse(time.RFC3339, req.StateValue.ValueString())
	after, err2 := time.Parse(time.RFC3339, req.PlanValue.ValueString())
	if err1 == nil && err2 == nil && before.Equal(after) {
		resp.PlanValue = req.StateValue
	}
}
