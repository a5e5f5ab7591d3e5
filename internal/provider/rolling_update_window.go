package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// judge judges the window of a group.
func (r *rollingUpdate) judge(ctx context.Context, groups *asg.Client, m rollingUpdateModel, fresh bool) (verdict, error) {
	tags, err := groups.Tags(ctx, m.AutoscalingGroupName.ValueString())
	if err != nil {
		return verdict{}, err
	}
	return r.backend.judge(ctx, m.timing, tags, fresh)
}

// preview judges the window of a planned resource for the wording of
// diagnostics, where Read could not: it is new, or its windows are. It says
// whether apply will put things on record only.
func (r *rollingUpdate) preview(ctx context.Context, m rollingUpdateModel) (stays bool, diags diag.Diagnostics) {
	if r.backend == nil || !m.boundGroup() || !m.known() || m.AutoscalingGroupName.IsUnknown() || m.outside() == outsideRun {
		return false, nil
	}
	ctx = awsconf.Context(ctx)
	c, err := r.backend.clients(ctx)
	var v verdict
	if err == nil {
		v, err = r.judge(ctx, c.looks, m, false)
	}
	if isGone(err) {
		return false, nil
	}
	if err != nil {
		return false, diag.Diagnostics{unable(fmt.Sprintf("judge the window of Auto Scaling group %q", m.AutoscalingGroupName.ValueString()), err, unchanged)}
	}
	diags.Append(v.warnings...)
	for _, p := range v.problems {
		p.Warn, p.Text = true, p.Text+"\nApply fails unless it publishes that itself; what rolls now is decided by the windows then."
		diags.Append(patchProblems([]calendar.Problem{p})...)
	}
	if v.open() || len(v.problems) > 0 {
		return false, diags
	}
	if m.outside() != outsideDefer {
		diags.AddWarning("Outside the window", fmt.Sprintf("%s\nThe apply goes by outside_window = %q then.", v.decision.Explain(), m.outside()))
		return false, diags
	}
	diags.AddWarning("Outside the window", v.decision.Explain()+"\nAn apply before that puts the resource on record and rolls nothing.")
	return true, diags
}

// check refuses a schedule or an environment that does not exist, before it
// goes on record.
func (r *rollingUpdate) check(ctx context.Context, m rollingUpdateModel) diag.Diagnostics {
	c, err := r.backend.clients(ctx)
	var v verdict
	if err == nil {
		v, err = r.judge(ctx, c.live, m, true)
	}
	if err != nil {
		return diag.Diagnostics{unable(fmt.Sprintf("judge the window of Auto Scaling group %q", m.AutoscalingGroupName.ValueString()), err, unchanged)}
	}
	return patchProblems(v.problems)
}

// rollInWindow rolls the group of a model if its window is open, waits for it
// if that is asked for, or else puts the model on record. A group with nothing
// to roll needs no window.
func (r *rollingUpdate) rollInWindow(ctx context.Context, m *rollingUpdateModel, q roller.Request, p private) (roller.Report, diag.Diagnostics) {
	if !m.boundGroup() || m.outside() == outsideRun {
		return r.roll(ctx, m, q, p)
	}
	what := fmt.Sprintf("roll Auto Scaling group %q", q.Group)
	c, err := r.backend.clients(ctx)
	var a rollout.Assessment
	if err == nil {
		rolls := r.backend.roller(ctx, c)
		a, err = patiently(ctx, r.backend.clock, isGone, func() (rollout.Assessment, error) { return rolls.Assess(ctx, q) })
	}
	if err != nil {
		return roller.Report{}, diag.Diagnostics{unable(what, err, unchanged)}
	}
	bounds := m.timing
	if a.Converged {
		bounds.OutsideWindow = types.StringValue(outsideDefer) // there is nothing to wait for
	}
	v, diags := r.backend.reached(ctx, bounds, what, q.Group, func(ctx context.Context) (map[string]string, error) { return c.live.Tags(ctx, q.Group) })
	if diags.HasError() {
		return roller.Report{}, diags
	}
	if v.open() {
		q.Closing = v.closing
		report, more := r.roll(ctx, m, q, p)
		return report, append(diags, more...)
	}
	m.record(a)
	if !a.Converged {
		diags.Append(deferral(v.decision.Explain()))
	}
	return roller.Report{}, diags
}

// record fills in what a roll would have made known, for a group that is not
// rolled now.
func (m *rollingUpdateModel) record(a rollout.Assessment) {
	m.Converged = types.BoolValue(a.Converged)
	if m.TargetVersion.IsUnknown() {
		m.TargetVersion = versionNumber(a.Target)
	}
	if m.LastRoll.IsUnknown() {
		m.LastRoll = types.ObjectNull(lastRollTypes)
	}
	m.settle(a.Target)
}
