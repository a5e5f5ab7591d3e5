package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
)

// amiRefresh is the resource refit_ami_refresh.
type amiRefresh struct{ backend *backend }

var (
	_ resource.ResourceWithConfigure      = (*amiRefresh)(nil)
	_ resource.ResourceWithImportState    = (*amiRefresh)(nil)
	_ resource.ResourceWithModifyPlan     = (*amiRefresh)(nil)
	_ resource.ResourceWithValidateConfig = (*amiRefresh)(nil)
)

func newAMIRefresh() resource.Resource { return &amiRefresh{} }

// seenKey is where snapshots are kept in private state.
const seenKey = "seen"

const unchanged = "Nothing was changed."

// Metadata implements resource.Resource.
func (r *amiRefresh) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_ami_refresh"
}

// Schema implements resource.Resource.
func (r *amiRefresh) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = amiRefreshSchema()
}

// Configure implements resource.ResourceWithConfigure.
func (r *amiRefresh) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.backend = backendOf(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *amiRefresh) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m amiRefreshModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(checkSource(ctx, m.Source)...)
		resp.Diagnostics.Append(checkCopy(m.Copy)...)
		resp.Diagnostics.Append(m.validate(ctx, true)...)
		resp.Diagnostics.Append(m.checkTarget(ctx)...)
	}
}

// Create implements resource.Resource.
func (r *amiRefresh) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx, done := r.backend.activity.begin(awsconf.Context(ctx))
	defer done()
	var m amiRefreshModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	// No group runs a version because it is made: a new stack starts right in
	// any window.
	resp.Diagnostics.Append(r.near(ctx, m)...)
	if m.bound() {
		resp.Diagnostics.Append(r.check(ctx, m)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.apply(ctx, &m, nil, resp.Private)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.tell(ctx, &m)...)
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Update implements resource.Resource. On an error state stays as it was.
func (r *amiRefresh) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx, done := r.backend.activity.begin(awsconf.Context(ctx))
	defer done()
	var m, prior amiRefreshModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.near(ctx, m)...)
	switch {
	case resp.Diagnostics.HasError():
		return
	case m.ImageID.IsUnknown() || m.LaunchTemplateVersion.IsUnknown() || m.moves(prior):
		resp.Diagnostics.Append(r.apply(ctx, &m, &prior, resp.Private)...)
	case m.bound() && !m.judged(prior.timing):
		resp.Diagnostics.Append(r.check(ctx, m)...)
	}
	if seen := recall[amiSeen](ctx, req.Private); seen != nil && !m.Pin.Equal(prior.Pin) && m.ImageID.Equal(prior.ImageID) && m.SourceImageID.Equal(prior.SourceImageID) {
		// What Read saw that is newer does not count from now on.
		seen.Image = m.seenAs()
		seen.Version, seen.None, seen.Root, seen.Warnings = m.LaunchTemplateVersion.ValueString(), false, "", nil
		resp.Diagnostics.Append(remember(ctx, resp.Private, seen)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.tell(ctx, &m)...)
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// private is where a snapshot is kept.
type private interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

func remember(ctx context.Context, p private, seen any) diag.Diagnostics {
	body, err := json.Marshal(seen)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Provider error", "The snapshot does not encode: "+err.Error())}
	}
	return p.SetKey(ctx, seenKey, body)
}

// Read implements resource.Resource.
func (r *amiRefresh) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx = awsconf.Context(ctx)
	var m amiRefreshModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	w, diags := m.want(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	what := fmt.Sprintf("read the image of launch template %q", w.template)
	c, err := r.backend.clients(ctx)
	if err != nil {
		resp.Diagnostics.Append(unable(what, err, unchanged))
		return
	}
	if m.Source.IsNull() {
		m, err = imported(ctx, c, m)
	} else {
		var seen *amiSeen
		prior := m
		if m, seen, err = r.backend.observe(ctx, c, m, w); err == nil && m.bound() {
			var v verdict
			v, err = r.backend.judge(ctx, m.timing, nil, false)
			resp.Diagnostics.Append(v.warnings...)
			seen.Window = v.seen()
			seen.fit()
		}
		if err == nil {
			err = r.backend.noticed(ctx, c, &m, prior)
		}
		if err == nil {
			resp.Diagnostics.Append(remember(ctx, resp.Private, seen)...)
		}
	}
	if errors.Is(err, ami.ErrNoTemplate) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.Append(unable(what, err, unchanged))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// imported fills in a resource of which only the template is known: its latest
// version and that one's image.
func imported(ctx context.Context, c *clients, m amiRefreshModel) (amiRefreshModel, error) {
	t, err := c.images.Known(ctx, m.LaunchTemplateID.ValueString())
	if err != nil {
		return m, err
	}
	id, err := c.images.Meant(ctx, t.Latest())
	if err != nil {
		return m, err
	}
	i, err := c.images.Image(ctx, id)
	if err != nil && !errors.Is(err, ami.ErrNoImage) {
		return m, err
	}
	i.ID = id
	m.set(i, t.Latest().Number)
	return m, nil
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *amiRefresh) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan, prior amiRefreshModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.near(ctx, plan)...)
	if req.State.Raw.IsNull() {
		if plan.Notify.IsNull() {
			resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("notified"), types.BoolNull())...)
		}
		if plan.Copy.IsNull() {
			resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("source_image_id"), types.StringNull())...)
		}
		resp.Diagnostics.Append(r.foresee(ctx, plan, nil)...)
		return
	}
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	seen := recall[amiSeen](ctx, req.Private)
	plan, diags := planAMIRefresh(prior, plan, seen, r.now()).hold(prior, seen)
	plan.planNotified(prior)
	resp.Diagnostics.Append(diags...)
	if seen != nil {
		resp.Diagnostics.Append(plan.warn(ctx, seen.Window, r.backend)...)
		resp.Diagnostics.Append(seen.remarks(plan.LaunchTemplateID.ValueString())...)
		if plan.LaunchTemplateVersion.IsUnknown() || plan.moves(prior) {
			resp.Diagnostics.Append(plan.warnFollowers(ctx, seen)...)
		}
		if plan.LaunchTemplateVersion.IsUnknown() && seen.Root != "" {
			resp.Diagnostics.AddWarning(fmt.Sprintf("Members of launch template %q would not start from the new image", plan.LaunchTemplateID.ValueString()), seen.Root+"\nApply will fail.")
		}
	}
	if r.backend != nil && !plan.ImageID.IsUnknown() {
		r.backend.foresee(plan.LaunchTemplateID.ValueString(), plan.ImageID.ValueString())
	}
	if seen != nil && plan.ImageID.ValueString() == seen.Image.ID {
		resp.Diagnostics.Append(caution(plan.LaunchTemplateID.ValueString(), seen.Caution)...)
	}
	if plan.ImageID.IsUnknown() || plan.Explain.ValueBool() || seen != nil && seen.None {
		resp.Diagnostics.Append(r.foresee(ctx, plan, &prior)...)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// caution says for people why an image that is new to a template may not launch;
// empty: nothing is known. Of a copy, keys are looked at before it is made.
func (c *clients) caution(ctx context.Context, i image.Image, account string) string {
	if !i.Encrypted || i.Via != "" {
		return i.Caution(account)
	}
	return i.Caution(account, c.images.Keys(ctx, i, account)...)
}

// now is the time, as far as there is a clock: Terraform plans without a backend
// while the provider is not configured.
func (r *amiRefresh) now() time.Time {
	if r.backend == nil {
		return time.Time{}
	}
	return r.backend.clock.Now()
}

// caution is a warning about a new image of a template; none when text is empty.
func caution(template, text string) diag.Diagnostics {
	if text == "" {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(fmt.Sprintf("New image of launch template %q may not launch", template), text)}
}

// foresee words what creating the resource, or a change of its source, will
// come to, as far as it can be known, and why where that is asked for. prior is
// nil on create. It plans nothing, and nothing that is absent is an error, since
// it may be made in the same apply.
func (r *amiRefresh) foresee(ctx context.Context, plan amiRefreshModel, prior *amiRefreshModel) diag.Diagnostics {
	ctx = awsconf.Context(ctx)
	w, diags := plan.want(ctx)
	if r.backend == nil || !w.known || diags.HasError() {
		return diags
	}
	c, err := r.backend.clients(ctx)
	var t ami.Template
	if err == nil {
		t, err = c.images.Known(ctx, w.template)
	}
	var from ami.Version
	if err == nil {
		t, from, err = r.backend.begin(ctx, c, t, w)
	}
	var l look
	if err == nil {
		number := int64(0)
		if prior != nil {
			number, _ = strconv.ParseInt(prior.LaunchTemplateVersion.ValueString(), 10, 64)
		}
		current, _ := t.Version(number)
		l, err = r.backend.lookAt(ctx, c, t, from, current.Image, w)
	}
	switch {
	case absentYet(err):
		return diags
	case err != nil:
		return append(diags, unable(fmt.Sprintf("plan the image of launch template %q", w.template), err, unchanged))
	case l.none != nil:
		then := "Apply will fail unless that has changed by then."
		if prior != nil && !plan.ImageID.IsUnknown() {
			then = "What is in use stays."
		}
		happened, next := explain(l.none)
		return append(diags, diag.NewAttributeWarningDiagnostic(path.Root("source"), fmt.Sprintf("No image to refresh launch template %q to", w.template), lines{happened, then, next}.String()))
	}
	pick, _, ok := image.Settle(l.options)
	if plan.Explain.ValueBool() {
		diags.AddWarning("Why this image", l.explanation(l.name(pick)))
	}
	if !ok || l.has(pick.Image) || !plan.ImageID.IsUnknown() {
		return diags
	}
	diags.Append(r.warnNew(ctx, c, l, pick.Image)...)
	if prior == nil && w.target == nil && !diags.HasError() {
		diags.Append(warnFollowers(w.template, followers(ctx, c, w.template))...)
	}
	return diags
}

// warnNew words what an image that was chosen will lead to.
func (r *amiRefresh) warnNew(ctx context.Context, c *clients, l look, to image.Image) (diags diag.Diagnostics) {
	w, t, from := l.want, l.template, l.base
	if err := rootOf(ctx, c, t, from, to); errors.As(err, new(*ami.RootSnapshotError)) {
		return diag.Diagnostics{unable(fmt.Sprintf("plan the image of launch template %q", w.template), err, unchanged)}
	}
	if to.ID == "" {
		diags.Append(r.backend.warnCopy(ctx, c, l, to)...)
	} else {
		r.backend.foresee(w.template, to.ID)
	}
	diags.Append(caution(w.template, roller.Sentence(c.caution(ctx, to, t.Account)))...)
	if w.target != nil {
		return append(diags, warnMoved(*w.target, l.words(to), channelFollowers(ctx, c, *w.target))...)
	}
	diags.AddWarning(fmt.Sprintf("A new image goes into launch template %q", w.template), fmt.Sprintf("A copy of version %d: %s → %s.",
		from.Number, r.backend.words(ctx, c, l, from.Image), l.choice.Words(l.original(to), l.rule)))
	return diags
}

// ImportState implements resource.ResourceWithImportState.
func (r *amiRefresh) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("launch_template_id"), req, resp)
}

// Delete implements resource.Resource. Versions stay: groups run them.
func (r *amiRefresh) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// check refuses a schedule or an environment that does not exist, before it
// goes on record.
func (r *amiRefresh) check(ctx context.Context, m amiRefreshModel) diag.Diagnostics {
	v, err := r.backend.judge(ctx, m.timing, nil, true)
	if err != nil {
		return diag.Diagnostics{unable(fmt.Sprintf("judge the window of launch template %q", m.LaunchTemplateID.ValueString()), err, unchanged)}
	}
	return append(v.warnings, patchProblems(v.problems)...)
}
