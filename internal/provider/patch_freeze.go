package provider

import (
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// patchFreezeModel is refit_patch_freeze in configuration, plan and state.
type patchFreezeModel struct {
	Name     string         `tfsdk:"name"`
	From     *string        `tfsdk:"from"`
	To       *string        `tfsdk:"to"`
	Yearly   *bool          `tfsdk:"yearly"`
	Timezone *string        `tfsdk:"timezone"`
	Selector *selectorModel `tfsdk:"selector"`
	Reason   *string        `tfsdk:"reason"`
	Ticket   *string        `tfsdk:"ticket"`
	Document types.String   `tfsdk:"document"`
}

func newPatchFreeze() resource.Resource {
	return &patchResource[patchFreezeModel, *patchFreezeModel]{kind: patchKind{
		suffix: "patch_freeze", noun: "freeze", root: calendar.FreezeRoot, schema: patchFreezeSchema,
		unknown: map[string]any{"document": types.StringUnknown()},
	}}
}

func patchNameAttribute(what string) schema.StringAttribute {
	return schema.StringAttribute{
		Required: true, PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		MarkdownDescription: "Name of the " + what + ", unique under the provider's journal prefix: 1 to 64 letters, digits, `_`, `.` or `-`. A change replaces the resource.",
	}
}

func patchFreezeSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Publishes a freeze: a stretch of time in which no roll starts on the groups that it selects, whatever their windows say. Freezes add " +
			"up, and nothing lifts one but a change of it: a team cannot remove the organisation's.\n\n" +
			"Destroying the resource lifts the freeze.",
		Attributes: map[string]schema.Attribute{
			"name": patchNameAttribute("freeze"),
			"from": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "When it begins: a date, such as `2026-12-19`, which begins at midnight in `timezone`; an instant in RFC 3339, such as " +
					"`2026-12-19T18:00:00Z`; or, with `yearly`, month and day, such as `12-19`.",
			},
			"to": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "When it is over, in the same forms: the first moment that is free again. The date `2027-01-04` freezes all of the 3rd. A yearly one " +
					"that lies before `from` is in the next year.",
			},
			"yearly": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Whether it comes back every year. Default: `false`.",
			},
			"timezone": schema.StringAttribute{
				Optional: true, MarkdownDescription: "IANA name of the zone of dates, such as `Europe/London` or `UTC`. Needed unless both ends are instants.",
			},
			"selector": selectorAttribute(true, "Which groups it holds for."),
			"reason":   schema.StringAttribute{Required: true, MarkdownDescription: "Why, for the people whose plans say so: 1 to 200 bytes."},
			"ticket":   schema.StringAttribute{Optional: true, MarkdownDescription: "Where it was decided, such as `CHG-4711`: up to 200 bytes."},
			"document": documentAttribute(),
		},
	}
}

func (m *patchFreezeModel) key() string     { return m.Name }
func (m *patchFreezeModel) published() bool { return true }
func (m *patchFreezeModel) imported() bool  { return m.Yearly == nil }

func (m *patchFreezeModel) spec() calendar.FreezeSpec {
	s := calendar.FreezeSpec{
		Name: m.Name, From: text(m.From), To: text(m.To), Yearly: m.Yearly != nil && *m.Yearly, Timezone: text(m.Timezone), Reason: text(m.Reason), Ticket: text(m.Ticket),
	}
	if m.Selector != nil {
		s.Selector = *m.Selector.selector()
	}
	return s
}

func (m *patchFreezeModel) draw() drawing {
	f, problems := m.spec().Parse()
	d := drawing{problems: problems}
	d.publish(f.Spec())
	d.lint = func(now time.Time) []calendar.Problem {
		if f.Over(now) {
			return []calendar.Problem{{Path: []string{"to"}, Code: calendar.Ended, Warn: true, Text: fmt.Sprintf("the freeze %q is over since %s; remove this resource, or move it.", m.Name, text(m.To))}}
		}
		return calendar.LintFreezes([]calendar.Freeze{f}, now)
	}
	return d
}

// publish sets the document of a specification, if it can be used.
func (d *drawing) publish(spec any) {
	if len(calendar.Errors(d.problems)) > 0 {
		return
	}
	document, err := calendar.Encode(spec)
	if err != nil {
		d.problems = append(d.problems, calendar.Problem{Code: calendar.Invalid, Text: err.Error()})
		return
	}
	d.problems = append(d.problems, calendar.CheckSize(document)...)
	d.document = document
}

func (m *patchFreezeModel) keep(prior patchFreezeModel) {
	m.From, m.To, m.Timezone = prior.From, prior.To, spelling(m.Timezone, prior.Timezone)
}

func (m *patchFreezeModel) fill(d drawing)        { m.Document = types.StringValue(d.document) }
func (m *patchFreezeModel) found(document string) { m.Document = types.StringValue(document) }

func (m *patchFreezeModel) load(document []byte) error {
	f, err := calendar.DecodeFreeze(document)
	if err != nil {
		return err
	}
	s := f.Spec()
	*m = patchFreezeModel{
		Name: s.Name, From: &s.From, To: &s.To, Yearly: &s.Yearly, Timezone: optionalText(s.Timezone), Selector: newSelectorModel(&s.Selector),
		Reason: &s.Reason, Ticket: optionalText(s.Ticket),
	}
	return nil
}
