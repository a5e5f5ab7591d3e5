package provider

import (
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// patchExceptionModel is refit_patch_exception in configuration, plan and
// state.
type patchExceptionModel struct {
	Name       string         `tfsdk:"name"`
	Until      *string        `tfsdk:"until"`
	Timezone   *string        `tfsdk:"timezone"`
	Selector   *selectorModel `tfsdk:"selector"`
	Reason     *string        `tfsdk:"reason"`
	ApprovedBy *string        `tfsdk:"approved_by"`
	Document   types.String   `tfsdk:"document"`
}

func newPatchException() resource.Resource {
	return &patchResource[patchExceptionModel, *patchExceptionModel]{kind: patchKind{
		suffix: "patch_exception", noun: "exception", root: calendar.ExceptionRoot, schema: patchExceptionSchema,
		unknown: map[string]any{"document": types.StringUnknown()},
	}}
}

func patchExceptionSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Publishes an exception: the groups that it selects are left alone until a date, and somebody has put their name to it. It waives the " +
			"refresh, not a freeze; nothing lets a roll start in a freeze.\n\n" +
			"An exception always ends. Destroying the resource ends it at once.",
		Attributes: map[string]schema.Attribute{
			"name": patchNameAttribute("exception"),
			"until": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "When it ends: a date, such as `2027-03-31`, which begins at midnight in `timezone`, or an instant in RFC 3339. It is the first moment " +
					"without the exception. Afterwards the resource stays without effect.",
			},
			"timezone": schema.StringAttribute{
				Optional: true, MarkdownDescription: "IANA name of the zone of a date, such as `Europe/London` or `UTC`. Needed unless `until` is an instant.",
			},
			"selector":    selectorAttribute(true, "Which groups it holds for."),
			"reason":      schema.StringAttribute{Required: true, MarkdownDescription: "Why, for reports: 1 to 200 bytes."},
			"approved_by": schema.StringAttribute{Required: true, MarkdownDescription: "Who answers for it: 1 to 200 bytes."},
			"document":    documentAttribute(),
		},
	}
}

func (m *patchExceptionModel) key() string     { return m.Name }
func (m *patchExceptionModel) published() bool { return true }
func (m *patchExceptionModel) imported() bool  { return m.Until == nil }

func (m *patchExceptionModel) draw() drawing {
	s := calendar.ExceptionSpec{Name: m.Name, Until: text(m.Until), Timezone: text(m.Timezone), Reason: text(m.Reason), ApprovedBy: text(m.ApprovedBy)}
	if m.Selector != nil {
		s.Selector = *m.Selector.selector()
	}
	e, problems := s.Parse()
	d := drawing{problems: problems}
	d.publish(e.Spec())
	d.lint = func(now time.Time) []calendar.Problem {
		if e.Active(now) {
			return nil
		}
		return []calendar.Problem{{Path: []string{"until"}, Code: calendar.Ended, Warn: true, Text: fmt.Sprintf("the exception %q has ended: until is %s, and now it is %s; remove this resource, or have it approved again.",
			m.Name, text(m.Until), now.UTC().Format(time.RFC3339))}}
	}
	return d
}

func (m *patchExceptionModel) keep(prior patchExceptionModel) {
	m.Until, m.Timezone = prior.Until, spelling(m.Timezone, prior.Timezone)
}

func (m *patchExceptionModel) fill(d drawing)        { m.Document = types.StringValue(d.document) }
func (m *patchExceptionModel) found(document string) { m.Document = types.StringValue(document) }

func (m *patchExceptionModel) load(document []byte) error {
	e, err := calendar.DecodeException(document)
	if err != nil {
		return err
	}
	s := e.Spec()
	*m = patchExceptionModel{
		Name: s.Name, Until: &s.Until, Timezone: optionalText(s.Timezone), Selector: newSelectorModel(&s.Selector), Reason: &s.Reason, ApprovedBy: &s.ApprovedBy,
	}
	return nil
}
