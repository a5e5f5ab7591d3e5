package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/preflight"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// rollingUpdate is the resource refit_asg_rolling_update.
type rollingUpdate struct{ backend *backend }

var (
	_ resource.ResourceWithConfigure      = (*rollingUpdate)(nil)
	_ resource.ResourceWithImportState    = (*rollingUpdate)(nil)
	_ resource.ResourceWithModifyPlan     = (*rollingUpdate)(nil)
	_ resource.ResourceWithValidateConfig = (*rollingUpdate)(nil)
)

func newRollingUpdate() resource.Resource { return &rollingUpdate{} }

// The default timeouts.
const (
	rollFor    = time.Hour
	releaseFor = 5 * time.Minute
)

// Metadata implements resource.Resource.
func (r *rollingUpdate) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_asg_rolling_update"
}

// Schema implements resource.Resource.
func (r *rollingUpdate) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = rollingUpdateSchema(ctx)
}

// Configure implements resource.ResourceWithConfigure.
func (r *rollingUpdate) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.backend = backendOf(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig implements resource.ResourceWithValidateConfig.
func (r *rollingUpdate) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m rollingUpdateModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	spec, unknown, diags := m.spec(ctx, rollout.Defaults().Poll)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(problems("Invalid rolling update", certain(spec.Validate(), unknown))...)
	resp.Diagnostics.Append(m.validate(ctx, false)...)
	for name, v := range m.Timeouts.Attributes() {
		// The schema of timeouts takes any duration, negative ones too.
		if s, ok := v.(types.String); ok && !s.IsNull() && !s.IsUnknown() && refused(s.ValueString()) {
			resp.Diagnostics.AddAttributeError(path.Root("timeouts").AtName(name), "Duration out of range",
				fmt.Sprintf("timeouts.%s is %q; give %s.", name, s.ValueString(), durationValidator{positive: true}.Description(ctx)))
		}
	}
}

// refused tells whether a text is a duration that no timeout can have.
func refused(text string) bool {
	d, err := time.ParseDuration(text)
	return err == nil && d <= 0
}

// Create implements resource.Resource. A failed one returns no state: it would
// be tainted, and the next apply would replace it instead of rolling on.
func (r *rollingUpdate) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx, done := r.backend.activity.begin(awsconf.Context(ctx))
	defer done()
	var m rollingUpdateModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	timeout, diags := m.Timeouts.Create(ctx, rollFor)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	m.LastRoll = types.ObjectNull(lastRollTypes)
	q, diags := r.request(ctx, m, req.Config, timeout)
	if resp.Diagnostics.Append(diags...); resp.Diagnostics.HasError() {
		return
	}
	_, diags = r.rollInWindow(ctx, &m, q, resp.Private)
	resp.Diagnostics.Append(diags...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Update implements resource.Resource. When nothing was planned to roll, only
// settings are written down. On an error every configured attribute keeps its
// prior value, so that the next plan tries again.
func (r *rollingUpdate) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx, done := r.backend.activity.begin(awsconf.Context(ctx))
	defer done()
	var m, prior rollingUpdateModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	timeout, diags := m.Timeouts.Update(ctx, rollFor)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	if !m.Retry.Equal(prior.Retry) && !m.Retry.IsNull() {
		resp.Diagnostics.Append(r.lift(ctx, m)...)
		if resp.Diagnostics.HasError() {
			return
		}
	}
	if m.Converged.IsUnknown() {
		m.LastRoll = prior.LastRoll
		q, diags := r.request(ctx, m, req.Config, timeout)
		if resp.Diagnostics.Append(diags...); resp.Diagnostics.HasError() {
			return
		}
		report, diags := r.rollInWindow(ctx, &m, q, resp.Private)
		resp.Diagnostics.Append(diags...)
		if diags.HasError() {
			prior.Converged = types.BoolValue(false)
			if !report.Started.IsZero() {
				prior.LastRoll = lastRoll(report)
			}
			m = prior
		}
	} else if m.boundGroup() && !m.judged(prior.timing) {
		if resp.Diagnostics.Append(r.check(ctx, m)...); resp.Diagnostics.HasError() {
			return
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// request is the roll of a planned model. What is never stored comes from the
// configuration.
func (r *rollingUpdate) request(ctx context.Context, m rollingUpdateModel, config tfsdk.Config, timeout time.Duration) (roller.Request, diag.Diagnostics) {
	q, diags := m.request(ctx, r.backend.poll)
	q.Timeout = timeout
	var configured rollingUpdateModel
	diags.Append(config.Get(ctx, &configured)...)
	spec, _, more := configured.spec(ctx, r.backend.poll)
	diags.Append(more...)
	confide(&q.Spec, spec)
	return q, diags
}

// roll rolls the group of a model and fills in what became known by it.
func (r *rollingUpdate) roll(ctx context.Context, m *rollingUpdateModel, q roller.Request, p private) (roller.Report, diag.Diagnostics) {
	var diags diag.Diagnostics
	what := fmt.Sprintf("roll Auto Scaling group %q", q.Group)
	c, err := r.backend.clients(ctx)
	if err != nil {
		return roller.Report{}, append(diags, unable(what, err, unchanged))
	}
	rolls := r.backend.roller(ctx, c)
	h := herald{backend: r.backend, clients: c}
	rolls.Made = h.hear(q.Group)
	report, err := rolls.Roll(ctx, q)
	diags.Append(h.close(ctx)...)
	r.backend.held.forget() // it may have made one
	if err != nil {
		var rolled *roller.Error
		if errors.As(err, &rolled) && rolled.Report != nil {
			report = *rolled.Report
		}
		return report, append(diags, unable(what, err, unchanged))
	}
	diags.Append(outcome(q.Group, report.Warnings)...)
	m.Converged = types.BoolValue(!report.Closed)
	if !report.Closed || m.TargetVersion.IsUnknown() {
		m.TargetVersion = versionNumber(report.To)
	}
	if !report.Started.IsZero() {
		m.LastRoll = lastRoll(report)
	}
	m.settle(report.To)
	after, err := r.backend.survey(ctx, c, rolls, q, rollout.Look{Activities: true, Attributes: true})
	if err != nil {
		tflog.Warn(ctx, "The group cannot be read after its roll; the next refresh will", map[string]any{"error": err.Error()})
		return report, diags
	}
	return report, append(diags, remember(ctx, p, after.seen)...)
}

func isGone(err error) bool { return errors.Is(err, asg.ErrNotFound) }

// lift clears the quarantines of the group's template that a new retry text
// lifts.
func (r *rollingUpdate) lift(ctx context.Context, m rollingUpdateModel) diag.Diagnostics {
	group := m.AutoscalingGroupName.ValueString()
	c, err := r.backend.clients(ctx)
	var snap rollout.Snapshot
	if err == nil {
		snap, err = c.looks.Observe(ctx, group, rollout.Look{})
	}
	template := snap.Group.Points.TemplateID
	var held []image.Quarantine
	if err == nil && template != "" {
		held, err = r.backend.quarantines(ctx, c, template)
	}
	var diags diag.Diagnostics
	for _, q := range held {
		if !q.Lifts(m.Retry.ValueString()) || err != nil {
			continue
		}
		q.Cleared = true
		if err = c.docs.Put(ctx, image.QuarantinePath(template, q.Data), q); err == nil {
			diags.AddWarning(fmt.Sprintf("Quarantine of %s lifted", q.Image), "It may be tried again. Where refit_ami_refresh had passed it over, the next plan takes it up.")
		}
		r.backend.held.forget()
	}
	if err != nil {
		diags.Append(unable(fmt.Sprintf("lift the quarantine for Auto Scaling group %q", group), err, unchanged))
	}
	return diags
}

// Read implements resource.Resource.
func (r *rollingUpdate) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx = awsconf.Context(ctx)
	var m rollingUpdateModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	q, diags := m.request(ctx, r.backend.poll)
	resp.Diagnostics.Append(diags...)
	what := fmt.Sprintf("read Auto Scaling group %q", q.Group)
	c, err := r.backend.clients(ctx)
	if err != nil {
		resp.Diagnostics.Append(unable(what, err, unchanged))
		return
	}
	q.Image = "" // what is in state has been checked
	before := recall[groupSeen](ctx, req.Private)
	learned := before != nil && before.Times != [3]int{}
	s, err := r.backend.survey(ctx, c, r.backend.looker(c), q, rollout.Look{Activities: !learned, Attributes: !learned})
	if isGone(err) {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.Append(unable(what, err, unchanged))
		return
	}
	if learned {
		s.seen.Times, s.seen.Slow, s.seen.Drain = before.Times, before.Slow, before.Drain // a roll learns them anew
	}
	if m.boundGroup() {
		var v verdict
		if v, err = r.judge(ctx, c.looks, m, false); err != nil {
			resp.Diagnostics.Append(unable(what, err, unchanged))
			return
		}
		resp.Diagnostics.Append(v.warnings...)
		s.seen.Window = v.seen()
		s.seen.fit()
		if to := s.assessment.Target.Image; !m.ImageID.IsNull() && to != "" {
			m.ImageID = types.StringValue(to) // a plan with another one was applied after the window had closed
		}
	}
	if m.MinHealthy.IsNull() {
		m.fill(s)
	}
	m.observed(s)
	resp.Diagnostics.Append(remember(ctx, resp.Private, s.seen)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// kept is where a snapshot is read from.
type kept interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// recall reads a snapshot from private state; nil when there is none that this
// version of Refit understands.
func recall[T any](ctx context.Context, p kept) *T {
	body, diags := p.GetKey(ctx, seenKey)
	if diags.HasError() || body == nil {
		return nil
	}
	seen := new(T)
	if err := json.Unmarshal(body, seen); err != nil {
		return nil
	}
	return seen
}

// ModifyPlan implements resource.ResourceWithModifyPlan.
func (r *rollingUpdate) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan, prior rollingUpdateModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if req.State.Raw.IsNull() {
		resp.Diagnostics.Append(r.foresee(ctx, plan)...)
		return
	}
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	poll := rollout.Defaults().Poll
	if r.backend != nil {
		poll = r.backend.poll
	}
	p := planRollingUpdate(ctx, prior, plan, recall[groupSeen](ctx, req.Private), poll)
	resp.Diagnostics.Append(p.diags...)
	if seen := recall[groupSeen](ctx, req.Private); seen != nil && plan.boundGroup() {
		resp.Diagnostics.Append(plan.warn(ctx, seen.Window, r.backend)...)
	}
	if !plan.judged(prior.timing) {
		_, diags := r.preview(ctx, plan)
		resp.Diagnostics.Append(diags...)
	}
	if p.roll != nil && !p.diags.HasError() {
		resp.Diagnostics.Append(r.preflight(ctx, plan.AutoscalingGroupName.ValueString(), *p.roll)...)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, p.model)...)
}

// foresee words what the first roll will come to, as far as it can be known.
// It plans nothing: all values stay unknown, and a group that is absent is no
// error, since it may be made in the same apply.
func (r *rollingUpdate) foresee(ctx context.Context, plan rollingUpdateModel) diag.Diagnostics {
	ctx = awsconf.Context(ctx)
	if r.backend == nil || plan.AutoscalingGroupName.IsUnknown() {
		return nil
	}
	_, unknown, diags := plan.spec(ctx, r.backend.poll)
	q, _ := plan.request(ctx, r.backend.poll)
	if len(unknown) > 0 || diags.HasError() {
		return diags
	}
	c, err := r.backend.clients(ctx)
	var s survey
	if err == nil {
		s, err = r.backend.survey(ctx, c, r.backend.looker(c), q, rollout.Look{Activities: true, Attributes: true})
	}
	if isGone(err) {
		return diags
	}
	what := fmt.Sprintf("roll Auto Scaling group %q", q.Group)
	if err != nil {
		return append(diags, unable(what, err, unchanged))
	}
	for _, text := range s.seen.Problems {
		diags.AddError("Unable to "+what, roller.Sentence(text)+"\n"+unchanged)
	}
	if s.seen.Missing != "" {
		diags.AddAttributeWarning(path.Root("launch_template_version"), fmt.Sprintf("Launch template version of Auto Scaling group %q not found", q.Group),
			roller.Sentence(s.seen.Missing)+"\nApply will fail unless it is made until then.")
	}
	if len(s.seen.Problems) > 0 || s.seen.Missing != "" {
		return diags
	}
	to, all := s.assessment.Target.Image, false
	if plan.LaunchTemplateVersion.IsUnknown() {
		if to = plan.ImageID.ValueString(); to == "" {
			to = r.backend.foresight(s.assessment.Found.TemplateID)
		}
		if all = to != "" && to != s.assessment.Found.Image; !all {
			return diags // which version it will be is not known, or it makes no difference
		}
	}
	a, f := s.seen.forecast(q.Spec, all)
	if stays, more := r.preview(ctx, plan); a.Stale > 0 {
		if diags.Append(more...); stays {
			return diags
		}
	}
	diags.Append(problems("Unable to "+what, a.Problems)...)
	if a.Stale > 0 {
		diags.AddWarning(fmt.Sprintf("The first apply rolls Auto Scaling group %q", q.Group), outlook(change{
			fromImage: r.backend.label(ctx, c, s.seen.From), toImage: r.backend.label(ctx, c, to),
			fromVersion: strconv.FormatInt(s.seen.Points, 10), toVersion: cmp.Or(s.toVersion(plan.LaunchTemplateVersion), "(known after apply)"),
		}, a, f))
	}
	a.Forecast = f
	roll := planned(q.Spec, a, s.toVersion(plan.LaunchTemplateVersion), to)
	roll.notes = slices.Concat(s.seen.Warnings, a.Warnings, a.Special)
	return append(diags, r.preflight(ctx, q.Group, *roll)...)
}

// preflight looks at what surrounds the group of a planned roll. It words
// diagnostics and plans nothing: what it reads may be different at the next look.
func (r *rollingUpdate) preflight(ctx context.Context, group string, roll plannedRoll) diag.Diagnostics {
	if r.backend == nil || roll.assessment.Stale == 0 {
		return about(group, roll.notes)
	}
	ctx = awsconf.Context(ctx)
	what := fmt.Sprintf("roll Auto Scaling group %q", group)
	c, err := r.backend.clients(ctx)
	var snap rollout.Snapshot
	if err == nil {
		snap, err = c.looks.Observe(ctx, group, rollout.Look{Refreshes: true, Activities: true, Warm: roll.spec.LooksWarm()})
	}
	if err == nil {
		snap, err = r.backend.looker(c).Others(ctx, snap)
	}
	if isGone(err) {
		return about(group, roll.notes)
	}
	if err != nil {
		return diag.Diagnostics{unable(what, err, unchanged)}
	}
	roll.assessment.Target = snap.Version(roll.version, roll.image)
	facts := c.preflight.Observe(ctx, preflight.Ask{Group: group, Version: roll.version, Image: roll.image})
	found, warnings := rollout.Preflight(roll.spec, snap, facts, roll.assessment)
	return append(problems("Unable to "+what, found), about(group, append(roll.notes, warnings...))...)
}

// Delete implements resource.Resource. It puts back what an unfinished roll
// left, and touches no member otherwise.
func (r *rollingUpdate) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx, done := r.backend.activity.begin(awsconf.Context(ctx))
	defer done()
	var m rollingUpdateModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	timeout, diags := m.Timeouts.Delete(ctx, releaseFor)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	group := m.AutoscalingGroupName.ValueString()
	c, err := r.backend.clients(ctx)
	var settled roller.Settlement
	if err == nil {
		settled, err = r.backend.roller(ctx, c).Settle(ctx, group, 0)
	}
	switch {
	case err != nil && !isGone(err):
		resp.Diagnostics.Append(unable(fmt.Sprintf("release Auto Scaling group %q", group), err, "The group is as it was; nothing of the journal is lost."))
	case len(settled.Left) > 0:
		resp.Diagnostics.AddWarning(fmt.Sprintf("An interrupted roll of Auto Scaling group %q has left something", group),
			fmt.Sprintf("It has not been put back yet: %s.\nRun refit-runner settle %s to put it back.", strings.Join(settled.Left, "; "), group))
	}
}

// ImportState implements resource.ResourceWithImportState.
func (r *rollingUpdate) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("autoscaling_group_name"), req, resp)
}
