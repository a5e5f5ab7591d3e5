package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// duration is the value of a duration attribute: zero when it is null, unknown
// or not a duration, which the validator refuses.
func duration(s types.String) time.Duration {
	d, err := time.ParseDuration(s.ValueString())
	if err != nil {
		return 0
	}
	return d
}

// durationValidator takes what Go takes as a duration, but nothing negative.
type durationValidator struct{ positive bool }

// Description implements validator.String.
func (v durationValidator) Description(context.Context) string {
	if v.positive {
		return `a duration of more than zero, such as "30s", "5m" or "2h30m"`
	}
	return `a duration of zero or more, such as "0s", "30s", "5m" or "2h30m"`
}

// MarkdownDescription implements validator.String.
func (v durationValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v durationValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	value := req.ConfigValue.ValueString()
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		resp.Diagnostics.AddAttributeError(req.Path, "Not a duration",
			fmt.Sprintf("%s is %q; give %s.", req.Path, value, v.Description(ctx)))
	case d < 0, v.positive && d == 0:
		resp.Diagnostics.AddAttributeError(req.Path, "Duration out of range",
			fmt.Sprintf("%s is %q; give %s.", req.Path, value, v.Description(ctx)))
	}
}

// sameDuration plans the prior spelling of a duration that means the same:
// "60s" after "1m" is no change. Terraform does not run semantic equality at
// plan.
type sameDuration struct{}

// Description implements planmodifier.String.
func (sameDuration) Description(context.Context) string {
	return "Another spelling of the same duration is no change."
}

// MarkdownDescription implements planmodifier.String.
func (m sameDuration) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyString implements planmodifier.String.
func (sameDuration) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if req.StateValue.IsNull() || req.PlanValue.IsNull() || req.PlanValue.IsUnknown() {
		return
	}
	before, err1 := time.ParseDuration(req.StateValue.ValueString())
	after, err2 := time.ParseDuration(req.PlanValue.ValueString())
	if err1 == nil && err2 == nil && before == after {
		resp.PlanValue = req.StateValue
	}
}
