package provider

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// sourceModel says which images to choose from.
type sourceModel struct {
	Owners    types.Set    `tfsdk:"owners"`
	Name      types.String `tfsdk:"name"`
	NameRegex types.String `tfsdk:"name_regex"`
	Tags      types.Map    `tfsdk:"tags"`
	Filters   types.Map    `tfsdk:"filters"`
	Parameter types.String `tfsdk:"ssm_parameter"`
	ImageID   types.String `tfsdk:"image_id"`
	Sort      types.Object `tfsdk:"sort"`
	MinAge    types.String `tfsdk:"min_age"`
	MaxAge    types.String `tfsdk:"max_age"`
	Exclude   types.Set    `tfsdk:"exclude"`
}

type sortModel struct {
	By      types.String `tfsdk:"by"`
	Pattern types.String `tfsdk:"pattern"`
}

// want maps a source that is known to what to ask AWS and what to judge the
// answer by. The schema takes no pattern that does not compile.
func (s sourceModel) want(ctx context.Context, diags *diag.Diagnostics) (ami.Source, image.Rule) {
	source := ami.Source{
		Owners: texts(ctx, s.Owners, diags), Name: s.Name.ValueString(), Filters: map[string][]string{},
		Parameter: s.Parameter.ValueString(), Image: s.ImageID.ValueString(),
	}
	if !s.Filters.IsNull() {
		diags.Append(s.Filters.ElementsAs(ctx, &source.Filters, false)...)
	}
	if !s.Tags.IsNull() {
		tags := map[string]string{}
		diags.Append(s.Tags.ElementsAs(ctx, &tags, false)...)
		for key, value := range tags {
			source.Filters["tag:"+key] = []string{value}
		}
	}
	rule := image.Rule{Exclude: texts(ctx, s.Exclude, diags)}
	slices.Sort(rule.Exclude)
	rule.MinAge, _ = age(s.MinAge.ValueString())
	rule.MaxAge, _ = age(s.MaxAge.ValueString())
	if text := s.NameRegex.ValueString(); text != "" {
		rule.Name, _ = image.Pattern(text)
	}
	if !s.Sort.IsNull() {
		var by sortModel
		diags.Append(s.Sort.As(ctx, &by, basetypes.ObjectAsOptions{})...)
		if text := by.Pattern.ValueString(); text != "" {
			rule.Sort.Pattern, _ = image.VersionPattern(text)
		}
	}
	return source, rule
}

type pinModel struct {
	ImageID types.String `tfsdk:"image_id"`
	Reason  types.String `tfsdk:"reason"`
	Until   types.String `tfsdk:"until"`
}

// pinOf maps a pin that is known; the zero value is none.
func pinOf(ctx context.Context, o types.Object, diags *diag.Diagnostics) image.Pin {
	if o.IsNull() || o.IsUnknown() {
		return image.Pin{}
	}
	var m pinModel
	diags.Append(o.As(ctx, &m, basetypes.ObjectAsOptions{})...)
	until, _ := time.Parse(time.RFC3339, m.Until.ValueString()) // the schema takes nothing else
	return image.Pin{Image: m.ImageID.ValueString(), Reason: m.Reason.ValueString(), Until: until}
}

// pinnedTo is the image that a pin in a plan or in state names; empty: none, not
// known yet, or the pin has ended.
func pinnedTo(o types.Object, now time.Time) string {
	if o.IsNull() || o.IsUnknown() {
		return ""
	}
	if text, ok := o.Attributes()["until"].(types.String); ok && text.ValueString() != "" {
		if until, err := time.Parse(time.RFC3339, text.ValueString()); err == nil && !now.Before(until) {
			return ""
		}
	}
	id, ok := o.Attributes()["image_id"].(types.String)
	if !ok {
		return ""
	}
	return id.ValueString()
}

// checkSource finds what is wrong with a source as it is written. What is not
// known yet is not judged.
func checkSource(ctx context.Context, o types.Object) diag.Diagnostics {
	if o.IsNull() || o.IsUnknown() {
		return nil
	}
	var s sourceModel
	diags := o.As(ctx, &s, basetypes.ObjectAsOptions{})
	if diags.HasError() {
		return diags
	}
	at := path.Root("source")
	search := set(map[string]attr.Value{"name": s.Name, "tags": s.Tags, "filters": s.Filters})
	only := set(map[string]attr.Value{"name": s.Name, "name_regex": s.NameRegex, "tags": s.Tags, "filters": s.Filters, "sort": s.Sort})
	named := set(map[string]attr.Value{"ssm_parameter": s.Parameter, "image_id": s.ImageID})
	switch {
	case len(named) > 1:
		diags.AddAttributeError(at, "Two kinds of source", "source has both ssm_parameter and image_id, and each names one image. Remove one of them.")
	case len(named) == 1 && len(only) > 0:
		diags.AddAttributeError(at.AtName(only[0]), "Two kinds of source",
			fmt.Sprintf("%s names one image, so there is nothing for %s to choose from. Remove one or the other.", named[0], strings.Join(only, ", ")))
	case len(named) == 0 && len(search) == 0 && s.NameRegex.IsNull():
		diags.AddAttributeError(at, "Source without a condition",
			"source names owners only, and the newest of all their images is hardly what a template should run. Set name, tags or filters, or ssm_parameter or image_id.")
	case len(named) == 0 && len(search) == 0:
		diags.AddAttributeError(at.AtName("name_regex"), "Source without a condition",
			"name_regex is applied to what AWS found, and owners alone find every image that they ever made public. Set name, tags or filters as well.")
	}
	diags.Append(s.checkValues(ctx, at)...)
	return diags
}

func (s sourceModel) checkValues(ctx context.Context, at path.Path) (diags diag.Diagnostics) {
	if low, high := s.MinAge.ValueString(), s.MaxAge.ValueString(); low != "" && high != "" {
		least, err1 := age(low)
		most, err2 := age(high)
		if err1 == nil && err2 == nil && least > most {
			diags.AddAttributeError(at.AtName("min_age"), "No age is acceptable",
				fmt.Sprintf("min_age is %q and max_age is %q, so that no image is ever both. Make min_age the shorter one.", low, high))
		}
	}
	if !s.Tags.IsUnknown() && !s.Filters.IsUnknown() {
		for key := range s.Tags.Elements() {
			if _, both := s.Filters.Elements()["tag:"+key]; both {
				diags.AddAttributeError(at.AtName("tags"), "Tag asked for twice",
					fmt.Sprintf("tags has %q and filters has %q. Remove one of them.", key, "tag:"+key))
			}
		}
	}
	if s.Sort.IsNull() || s.Sort.IsUnknown() {
		return diags
	}
	var by sortModel
	diags.Append(s.Sort.As(ctx, &by, basetypes.ObjectAsOptions{})...)
	switch {
	case by.By.IsUnknown() || by.Pattern.IsUnknown():
	case by.By.ValueString() == "version" && by.Pattern.IsNull():
		diags.AddAttributeError(at.AtName("sort"), "No pattern", `sort is by version, and nothing says where in the name that is. Set pattern, such as "-v([0-9]+)$".`)
	case by.By.ValueString() == "created" && !by.Pattern.IsNull():
		diags.AddAttributeError(at.AtName("sort"), "Pattern without a use", `sort is by created, which takes no pattern. Remove it, or sort by version.`)
	}
	return diags
}

// set gives the names of attributes that have a value, or may come to have
// one, in order.
func set(values map[string]attr.Value) []string {
	var out []string
	for name, v := range values {
		if !v.IsNull() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// age reads a time in days ("3d") or in what Go takes as a duration ("36h").
func age(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// ageValidator takes ages of more than zero.
type ageValidator struct{}

// Description implements validator.String.
func (ageValidator) Description(context.Context) string {
	return `an age of more than zero, in days such as "3d" or as a duration such as "36h"`
}

// MarkdownDescription implements validator.String.
func (v ageValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v ageValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if d, err := age(req.ConfigValue.ValueString()); err != nil || d <= 0 {
		resp.Diagnostics.AddAttributeError(req.Path, "Not an age",
			fmt.Sprintf("%s is %q; give %s.", req.Path, req.ConfigValue.ValueString(), v.Description(ctx)))
	}
}

// regexValidator takes regular expressions.
type regexValidator struct {
	captures bool // it must have a group
}

// Description implements validator.String.
func (v regexValidator) Description(context.Context) string {
	if v.captures {
		return "a regular expression with at least one group"
	}
	return "a regular expression"
}

// MarkdownDescription implements validator.String.
func (v regexValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v regexValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	compile := image.Pattern
	if v.captures {
		compile = image.VersionPattern
	}
	if _, err := compile(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Not a regular expression", fmt.Sprintf("%s: %s.", req.Path, err))
	}
}
