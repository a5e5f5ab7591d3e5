package provider

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// rollingUpdateModel is refit_asg_rolling_update in configuration, plan and
// state.
type rollingUpdateModel struct {
	AutoscalingGroupName  types.String `tfsdk:"autoscaling_group_name"`
	LaunchTemplateVersion types.String `tfsdk:"launch_template_version"`
	ImageID               types.String `tfsdk:"image_id"`
	MinHealthy            types.Int64  `tfsdk:"min_healthy_percentage"`
	MaxHealthy            types.Int64  `tfsdk:"max_healthy_percentage"`
	MaxRunning            types.Int64  `tfsdk:"max_running_percentage"`
	RaiseMaxSize          types.Bool   `tfsdk:"raise_max_size"`
	Checkpoints           types.List   `tfsdk:"checkpoints"`
	FinalBake             types.String `tfsdk:"final_bake"`
	Health                types.Object `tfsdk:"health"`
	Checks                types.List   `tfsdk:"checks"`
	InstanceTimeout       types.String `tfsdk:"instance_timeout"`
	OnFailure             types.String `tfsdk:"on_failure"`
	FailureLimit          types.Int64  `tfsdk:"failure_limit"`
	SetDefault            types.String `tfsdk:"set_default"`
	Match                 types.String `tfsdk:"match"`
	Engine                types.String `tfsdk:"engine"`
	AdoptRefresh          types.Bool   `tfsdk:"adopt_instance_refresh"`
	Protected             types.String `tfsdk:"scale_in_protected_instances"`
	Standby               types.String `tfsdk:"standby_instances"`
	TerminateWarm         types.Bool   `tfsdk:"terminate_warm_instances"`
	Lock                  types.Object `tfsdk:"lock"`
	LockTimeout           types.String `tfsdk:"lock_timeout"`
	timing
	Retry         types.String   `tfsdk:"retry"`
	Timeouts      timeouts.Value `tfsdk:"timeouts"`
	TargetVersion types.String   `tfsdk:"target_version"`
	Converged     types.Bool     `tfsdk:"converged"`
	Forecast      types.Object   `tfsdk:"forecast"`
	LastRoll      types.Object   `tfsdk:"last_roll"`
}

type checkpointModel struct {
	Percentage types.Int64  `tfsdk:"percentage"`
	Bake       types.String `tfsdk:"bake"`
}

// spec maps the model to a spec. Null means the default. unknown tells, by the
// name of the attribute, which parts were not known, or are no durations (which
// the schema says), and stand at their default.
func (m rollingUpdateModel) spec(ctx context.Context, poll time.Duration) (s rollout.Spec, unknown map[string]bool, diags diag.Diagnostics) {
	s, unknown = rollout.Defaults(), map[string]bool{}
	s.Poll = poll
	r := reader{unknown: unknown}
	set, span := r.set, r.span
	set("min_healthy_percentage", m.MinHealthy, func() { s.MinHealthy = int(m.MinHealthy.ValueInt64()) })
	set("max_healthy_percentage", m.MaxHealthy, func() { s.MaxHealthy = int(m.MaxHealthy.ValueInt64()) })
	set("max_running_percentage", m.MaxRunning, func() { s.MaxRunning = int(m.MaxRunning.ValueInt64()) })
	set("raise_max_size", m.RaiseMaxSize, func() { s.RaiseMaxSize = m.RaiseMaxSize.ValueBool() })
	span("final_bake", m.FinalBake, 0, &s.FinalBake)
	span("instance_timeout", m.InstanceTimeout, 1, &s.InstanceTimeout)
	set("on_failure", m.OnFailure, func() { s.OnFailure = rollout.OnFailure(m.OnFailure.ValueString()) })
	set("failure_limit", m.FailureLimit, func() { s.FailureLimit = int(m.FailureLimit.ValueInt64()) })
	set("set_default", m.SetDefault, func() { s.SetDefault = m.SetDefault.ValueString() == afterRoll })
	set("engine", m.Engine, func() { s.Engine = rollout.Engine(m.Engine.ValueString()) })
	set("adopt_instance_refresh", m.AdoptRefresh, func() { s.AdoptRefresh = m.AdoptRefresh.ValueBool() })
	set("match", m.Match, func() { s.Match = rollout.Match(m.Match.ValueString()) })
	set("scale_in_protected_instances", m.Protected, func() { s.Protected = rollout.Treatment(m.Protected.ValueString()) })
	set("standby_instances", m.Standby, func() { s.Standby = rollout.Treatment(m.Standby.ValueString()) })
	set("terminate_warm_instances", m.TerminateWarm, func() { s.TerminateWarm = m.TerminateWarm.ValueBool() })
	r.health(ctx, m.Health, &s)
	r.checks(ctx, m.Checks, &s)
	set("checkpoints", m.Checkpoints, func() {
		for _, e := range m.Checkpoints.Elements() {
			if e.IsUnknown() {
				unknown["checkpoints"] = true
				return
			}
		}
		var list []checkpointModel
		r.diags.Append(m.Checkpoints.ElementsAs(ctx, &list, false)...)
		for _, c := range list {
			point := rollout.Checkpoint{Percentage: int(c.Percentage.ValueInt64())}
			set("checkpoints", c.Percentage, func() {})
			span("checkpoints", c.Bake, 0, &point.Bake)
			s.Checkpoints = append(s.Checkpoints, point)
		}
	})
	return s, unknown, r.diags
}

// request maps the model to a roll.
func (m rollingUpdateModel) request(ctx context.Context, poll time.Duration) (roller.Request, diag.Diagnostics) {
	spec, _, diags := m.spec(ctx, poll)
	lock, more := m.lock(ctx)
	diags.Append(more...)
	wait := duration(m.LockTimeout)
	if wait == 0 {
		wait, _ = time.ParseDuration(defaultLockTimeout)
	}
	return roller.Request{
		Group: m.AutoscalingGroupName.ValueString(), Version: m.LaunchTemplateVersion.ValueString(), Image: m.ImageID.ValueString(),
		Spec: spec, Lock: lock, LockTimeout: wait, Retry: m.Retry.ValueString(),
	}, diags
}

// together are the attributes that one problem may be about. When one of them
// is unknown, nothing can be said about the others.
var together = [][]string{
	{"min_healthy_percentage", "max_healthy_percentage", "max_running_percentage"},
	{"instance_timeout", "health", "health.min_healthy_time"},
	{"checkpoints"},
	{"engine", "adopt_instance_refresh"},
	{"engine", "raise_max_size"},
	{"health.probe"},
	{"checks"},
}

// certain leaves out problems that an unknown value may still solve.
func certain(found []rollout.Problem, unknown map[string]bool) []rollout.Problem {
	var out []rollout.Problem
	for _, p := range found {
		field, _, _ := strings.Cut(p.Field, "[")
		doubt := unknown[field]
		for _, group := range together {
			mine, other := false, false
			for _, name := range group {
				mine, other = mine || name == field || strings.HasPrefix(field, name+"."), other || unknown[name]
			}
			doubt = doubt || mine && other
		}
		if !doubt {
			out = append(out, p)
		}
	}
	return out
}

// lastRoll maps a report to the attribute last_roll.
func lastRoll(r roller.Report) types.Object {
	reason := types.StringNull()
	if r.Reason != "" {
		reason = types.StringValue(rollout.Clip(r.Reason, 500))
	}
	foreseen := types.StringNull()
	if r.Foreseen > 0 {
		foreseen = types.StringValue(rollout.Brief(r.Foreseen))
	}
	return types.ObjectValueMust(lastRollTypes, map[string]attr.Value{
		"forecast_duration": foreseen,
		"outcome":           types.StringValue(string(r.Outcome)),
		"from_version":      versionNumber(r.From),
		"to_version":        versionNumber(r.To),
		"from_image":        optional(r.From.Image),
		"to_image":          optional(r.To.Image),
		"started":           types.StringValue(r.Started.UTC().Format(time.RFC3339)),
		"duration":          types.StringValue(rollout.Brief(r.Duration.Round(time.Second))),
		"launched":          types.Int64Value(int64(r.Launched)),
		"ended":             types.Int64Value(int64(r.Ended)),
		"failed":            types.Int64Value(int64(r.Failed)),
		"left_out":          types.Int64Value(int64(r.Counts.Left)),
		"reason":            reason,
	})
}

func versionNumber(v rollout.Version) types.String {
	if v.Number == 0 {
		return types.StringNull()
	}
	return types.StringValue(strconv.FormatInt(v.Number, 10))
}

func optional(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}
