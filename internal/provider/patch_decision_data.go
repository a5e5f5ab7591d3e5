package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/datasourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// patchDecision is the data source refit_patch_decision.
type patchDecision struct{ backend *backend }

var (
	_ datasource.DataSourceWithConfigure        = (*patchDecision)(nil)
	_ datasource.DataSourceWithConfigValidators = (*patchDecision)(nil)
)

func newPatchDecision() datasource.DataSource { return &patchDecision{} }

// patchDecisionModel is refit_patch_decision.
type patchDecisionModel struct {
	Group       types.String   `tfsdk:"autoscaling_group_name"`
	Schedule    types.String   `tfsdk:"schedule"`
	Environment types.String   `tfsdk:"environment"`
	Tags        types.Map      `tfsdk:"tags"`
	At          types.String   `tfsdk:"at"`
	Due         types.String   `tfsdk:"due"`
	Allowed     types.Bool     `tfsdk:"allowed"`
	Explanation types.String   `tfsdk:"explanation"`
	Blockers    []blockerModel `tfsdk:"blockers"`
	Findings    []findingModel `tfsdk:"findings"`
	Decided     types.String   `tfsdk:"decided_schedule"`
	DecidedEnv  types.String   `tfsdk:"decided_environment"`
	Current     *windowModel   `tfsdk:"current_window"`
	Next        *windowModel   `tfsdk:"next_chance"`
}

type blockerModel struct {
	Code   types.String `tfsdk:"code"`
	Text   types.String `tfsdk:"text"`
	Source types.String `tfsdk:"source"`
	Until  types.String `tfsdk:"until"`
}

type findingModel struct {
	Code types.String `tfsdk:"code"`
	Text types.String `tfsdk:"text"`
}

// Metadata implements datasource.DataSource.
func (d *patchDecision) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_patch_decision"
}

// Schema implements datasource.DataSource.
func (d *patchDecision) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Says whether a group may be refreshed now, or at a given time; if not, every reason, and the next chance. It goes by what is published: " +
			"schedules, freezes, exceptions, and by the group's tags.",
		Attributes: map[string]schema.Attribute{
			"autoscaling_group_name": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 255)},
				MarkdownDescription: "Name of the Auto Scaling group. Its tags tell schedule and environment, and which freezes and exceptions hold for it.",
			},
			"schedule": schema.StringAttribute{Optional: true, MarkdownDescription: "Name of a published schedule. Default: the one that the group's tags name, or that selects it."},
			"environment": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.AlsoRequires(path.MatchRoot("schedule"))},
				MarkdownDescription: "Name of its environment. Default: what the group's tags say.",
			},
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{mapvalidator.ConflictsWith(path.MatchRoot("autoscaling_group_name"))},
				MarkdownDescription: "Tags to decide by instead of those of a group.",
			},
			"at": atAttribute(),
			"due": schema.StringAttribute{
				Optional: true, Validators: []validator.String{instantValidator{}},
				MarkdownDescription: "When it must be done, in RFC 3339; the explanation says so when the next chance is later. Default: no such date.",
			},
			"allowed":     schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether a roll may start."},
			"explanation": computedText("The decision in one line, with every reason and the next chance."),
			"blockers": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "Every reason why not. Empty when a roll may start.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"code": computedText("`OUTSIDE_WINDOW`, `PAST_CUTOFF`, `FROZEN`, `EXCEPTED`, `SUSPENDED`, `UNMANAGED` (no schedule), `AMBIGUOUS_SCHEDULE` (two match), " +
						"`UNKNOWN_ENVIRONMENT`, `INVALID_TAG`, `MIXED_KEYS`, `UNKNOWN_KEY`, `TAG_DRIFT` or `UNREADABLE` (a document)."),
					"text":   computedText("The reason, for people."),
					"source": computedText("The document that says so, `tags`, or empty for what was asked."),
					"until":  computedText("Until when, in RFC 3339. Null: until somebody changes something."),
				}},
			},
			"findings": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "What should be looked after, though it stands in nobody's way.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"code": computedText("`TAG_DRIFT` (tags and schedule disagree; the schedule holds), `MIXED_KEYS`, `INVALID_TAG`, or `LONG_FREEZE` (fewer than 48 hours in 32 days are left)."), "text": computedText("What it is, for people."),
				}},
			},
			"decided_schedule":    computedText("Name of the schedule that the decision goes by. Null: the tags alone, or none."),
			"decided_environment": computedText("Name of its environment."),
			"current_window": schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "The window that is open, ended early where a freeze begins in it. Null: none.", Attributes: windowAttributes(),
			},
			"next_chance": schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "The first time from then on at which a roll may start, with the end of its window. Null: none within two years, as things stand.",
				Attributes: windowAttributes(),
			},
		},
	}
}

// ConfigValidators implements datasource.DataSourceWithConfigValidators.
func (d *patchDecision) ConfigValidators(context.Context) []datasource.ConfigValidator {
	return []datasource.ConfigValidator{datasourcevalidator.AtLeastOneOf(
		path.MatchRoot("autoscaling_group_name"), path.MatchRoot("schedule"), path.MatchRoot("tags"),
	)}
}

// Configure implements datasource.DataSourceWithConfigure.
func (d *patchDecision) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.backend = backendOf(req.ProviderData, &resp.Diagnostics)
}

// Read implements datasource.DataSource.
func (d *patchDecision) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx = awsconf.Context(ctx)
	var m patchDecisionModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	subject := calendar.Subject{Schedule: m.Schedule.ValueString(), Environment: m.Environment.ValueString(), Due: instantOf(m.Due)}
	cal, err := d.backend.calendar(ctx)
	if err == nil {
		subject.Tags, err = d.tags(ctx, m, resp)
	}
	if err != nil {
		resp.Diagnostics.Append(unable(fmt.Sprintf("decide for %s", m.name()), err, ""))
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if m.At.IsNull() {
		m.At = stamped(d.backend.now(&resp.Diagnostics))
	}
	decision := cal.Decide(subject, instantOf(m.At))
	decision.Findings = append(decision.Findings, cal.LintFreezes(subject.Tags, decision.At)...)
	m.set(decision)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// tags are those of the group, or those that were given.
func (d *patchDecision) tags(ctx context.Context, m patchDecisionModel, resp *datasource.ReadResponse) (map[string]string, error) {
	if m.Group.IsNull() {
		var tags map[string]*string
		resp.Diagnostics.Append(m.Tags.ElementsAs(ctx, &tags, false)...)
		return present(tags), nil
	}
	c, err := d.backend.clients(ctx)
	if err != nil {
		return nil, err
	}
	return c.looks.Tags(ctx, m.Group.ValueString())
}

// name is what the decision is about, for people.
func (m patchDecisionModel) name() string {
	switch {
	case !m.Group.IsNull():
		return fmt.Sprintf("Auto Scaling group %q", m.Group.ValueString())
	case !m.Schedule.IsNull():
		return fmt.Sprintf("schedule %q", m.Schedule.ValueString())
	}
	return "these tags"
}

// set maps a decision to the computed attributes.
func (m *patchDecisionModel) set(d calendar.Decision) {
	m.Allowed, m.Explanation = types.BoolValue(d.Open()), types.StringValue(d.Explain())
	m.Blockers, m.Findings = make([]blockerModel, len(d.Blockers)), make([]findingModel, len(d.Findings))
	for n, b := range d.Blockers {
		m.Blockers[n] = blockerModel{Code: types.StringValue(b.Code), Text: types.StringValue(b.Text), Source: types.StringValue(b.Source), Until: stamped(b.Until)}
	}
	for n, f := range d.Findings {
		m.Findings[n] = findingModel{Code: types.StringValue(f.Code), Text: types.StringValue(f.Text)}
	}
	m.Decided, m.DecidedEnv = types.StringPointerValue(optionalText(d.Schedule)), types.StringPointerValue(optionalText(d.Environment))
	m.Current, m.Next = nil, nil
	if !d.Current.Start.IsZero() {
		w := newWindowModel(d.Current)
		m.Current = &w
	}
	if !d.Next.Start.IsZero() {
		w := newWindowModel(d.Next)
		m.Next = &w
	}
}
