package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// defaultWindows is how many windows refit_patch_windows gives unasked.
const defaultWindows = 10

// patchWindows is the data source refit_patch_windows.
type patchWindows struct{ backend *backend }

var _ datasource.DataSourceWithConfigure = (*patchWindows)(nil)

func newPatchWindows() datasource.DataSource { return &patchWindows{} }

// patchWindowsModel is refit_patch_windows.
type patchWindowsModel struct {
	Schedule    types.String  `tfsdk:"schedule"`
	Environment types.String  `tfsdk:"environment"`
	At          types.String  `tfsdk:"at"`
	Count       types.Int64   `tfsdk:"window_count"`
	Open        types.Bool    `tfsdk:"open"`
	Description types.String  `tfsdk:"description"`
	Windows     []windowModel `tfsdk:"windows"`
	ICS         types.String  `tfsdk:"ics"`
}

// windowModel is one opening of a window.
type windowModel struct {
	ID          types.String `tfsdk:"id"`
	Start       types.String `tfsdk:"start"`
	LatestStart types.String `tfsdk:"latest_start"`
	End         types.String `tfsdk:"end"`
}

func newWindowModel(o calendar.Occurrence) windowModel {
	return windowModel{
		ID: types.StringValue(o.ID), Start: stamped(o.Start), LatestStart: stamped(o.Close), End: stamped(o.End),
	}
}

// stamped is an instant as an attribute; null for none.
func stamped(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return types.StringValue(t.UTC().Format(time.RFC3339))
}

func windowAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id":           computedText("Schedule and local date it starts on, such as `web@2026-11-25`: the same at every look."),
		"start":        computedText("When it opens, in RFC 3339, UTC."),
		"latest_start": computedText("From when on nothing starts in it, in RFC 3339, UTC: `cutoff` before the end."),
		"end":          computedText("When it closes, in RFC 3339, UTC."),
	}
}

func computedText(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

func atAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, Validators: []validator.String{instantValidator{}},
		MarkdownDescription: "The instant that is asked about, in RFC 3339. Default: now, so that every plan has another answer; do not feed it into a resource.",
	}
}

// Metadata implements datasource.DataSource.
func (d *patchWindows) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_patch_windows"
}

// Schema implements datasource.DataSource.
func (d *patchWindows) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Gives the next windows of an environment of a published schedule, and whether one is open. Freezes and exceptions do not count here; " +
			"`refit_patch_decision` knows them.",
		Attributes: map[string]schema.Attribute{
			"schedule": schema.StringAttribute{
				Required: true, MarkdownDescription: "Name of the schedule. It must be published already: with a `refit_patch_schedule` of the same configuration, add `depends_on`.",
			},
			"environment": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the environment."},
			"at":          atAttribute(),
			"window_count": schema.Int64Attribute{
				Optional: true, Validators: []validator.Int64{int64validator.Between(1, mostWindows)},
				MarkdownDescription: fmt.Sprintf("How many windows to give, 1 to %d. Default: `%d`.", mostWindows, defaultWindows),
			},
			"open":        schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether a window is open at that instant."},
			"description": computedText("The window in one sentence."),
			"windows": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The windows, in order: the one that is open at that instant first, where there is one.",
				NestedObject: schema.NestedAttributeObject{Attributes: windowAttributes()},
			},
			"ics": computedText("The same windows as an iCalendar text (RFC 5545), for a file that calendars can subscribe to."),
		},
	}
}

// Configure implements datasource.DataSourceWithConfigure.
func (d *patchWindows) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.backend = backendOf(req.ProviderData, &resp.Diagnostics)
}

// Read implements datasource.DataSource.
func (d *patchWindows) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx = awsconf.Context(ctx)
	var m patchWindowsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	cal, err := d.backend.calendar(ctx)
	if err != nil {
		resp.Diagnostics.Append(unable(fmt.Sprintf("read schedule %q", m.Schedule.ValueString()), err, ""))
		return
	}
	s, ok := cal.Schedule(m.Schedule.ValueString())
	if !ok {
		resp.Diagnostics.Append(notPublished(cal, m.Schedule.ValueString()))
		return
	}
	environment := m.Environment.ValueString()
	windows, ok := s.Windows(environment)
	if !ok {
		resp.Diagnostics.Append(patchProblems([]calendar.Problem{s.UnknownEnvironmentProblem(environment)})...)
		return
	}
	if m.At.IsNull() {
		m.At = stamped(d.backend.now(&resp.Diagnostics))
	}
	at, n := instantOf(m.At), int64(defaultWindows)
	if !m.Count.IsNull() {
		n = m.Count.ValueInt64()
	}
	list := windows.Upcoming(at, int(n))
	_, open := windows.At(at)
	m.Open, m.Description = types.BoolValue(open), types.StringValue(windows.List[0].Describe())
	m.Windows = make([]windowModel, len(list))
	for i, o := range list {
		m.Windows[i] = newWindowModel(o)
	}
	m.ICS = types.StringValue(calendar.ICS(fmt.Sprintf("%s %s", m.Schedule.ValueString(), environment), list, at))
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// notPublished says that there is no such schedule, or that it cannot be read.
func notPublished(cal calendar.Calendar, name string) diag.Diagnostic {
	happened, next := "No schedule of that name is published.", "Apply the refit_patch_schedule first, with the same journal prefix, or add it to depends_on."
	for _, u := range cal.Unread {
		if u.Path == calendar.SchedulePath(name) {
			happened, next = "It cannot be read: "+u.Why+".", "Apply the refit_patch_schedule again, or use a newer version of Refit."
		}
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("schedule"), fmt.Sprintf("Unable to read schedule %q", name), lines{happened, "", next}.String())
}
