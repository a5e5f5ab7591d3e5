package provider

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// rollingPlan is a planned update.
type rollingPlan struct {
	model rollingUpdateModel
	diags diag.Diagnostics
	// roll is the planned roll; nil: none, or nothing can be said of it yet.
	roll *plannedRoll
}

// plannedRoll is a roll as far as a plan knows it.
type plannedRoll struct {
	spec       rollout.Spec
	assessment rollout.Assessment // with its forecast
	version    int64              // 0: not known, or not made yet
	image      string             // empty: not known
	notes      []string           // what is worth knowing about it already
}

// planRollingUpdate plans an update from nothing but its arguments: prior
// state, the plan as Terraform proposes it, and what Read saw (nil when nothing
// is known of that).
func planRollingUpdate(ctx context.Context, prior, plan rollingUpdateModel, seen *groupSeen, poll time.Duration) rollingPlan {
	p := rollingPlan{model: plan}
	if !plan.AutoscalingGroupName.Equal(prior.AutoscalingGroupName) {
		p.unknown() // it is replaced, and what Read saw is of another group
		p.model.Forecast = types.ObjectUnknown(forecastTypes)
		return p
	}
	if seen == nil {
		seen = &groupSeen{Converged: prior.Converged.ValueBool(), Same: numbers(prior.TargetVersion.ValueString()), Image: prior.ImageID.ValueString()}
	}
	p.keepVersion(prior, seen)
	if !p.rolls(prior, seen) {
		p.model.TargetVersion, p.model.Converged = prior.TargetVersion, prior.Converged
		p.model.Forecast, p.model.LastRoll = prior.Forecast, prior.LastRoll
		if n := seen.number(p.model.LaunchTemplateVersion); n != "" && !p.model.LaunchTemplateVersion.Equal(prior.LaunchTemplateVersion) {
			p.model.TargetVersion = types.StringValue(n)
		}
		return p
	}
	if p.deferred(prior, seen) {
		return p
	}
	p.unknown()
	if isNumber(p.model.LaunchTemplateVersion.ValueString()) {
		// Anything else may mean another number by the time of the roll.
		p.model.TargetVersion = p.model.LaunchTemplateVersion
	}
	if seen.Missing != "" && p.model.LaunchTemplateVersion.Equal(prior.LaunchTemplateVersion) {
		p.diags.AddAttributeError(path.Root("launch_template_version"), p.summary(), roller.Sentence(seen.Missing)+"\n"+unchanged+"\n"+otherVersion)
	}
	p.foresee(ctx, seen, poll)
	if p.roll != nil && p.model.judged(prior.timing) {
		if short := seen.Window.short(p.roll.assessment.Forecast.Duration); short != "" {
			p.diags.AddWarning(patchSummaries[calendar.ShortWindow], short)
		}
	}
	return p
}

// deferred plans the prior values where a roll has to wait for the window, and
// says so: that is an empty plan, unless something else was changed. Without a
// prior version the configured one goes on record; it rolls nothing either,
// because what a roll decides is planned known.
func (p *rollingPlan) deferred(prior rollingUpdateModel, seen *groupSeen) bool {
	held, diags := p.model.meet(prior.timing, seen.Window)
	p.diags.Append(diags...)
	if !held {
		return false
	}
	p.model.TargetVersion, p.model.Converged = prior.TargetVersion, prior.Converged
	p.model.Forecast, p.model.LastRoll = prior.Forecast, prior.LastRoll
	if !prior.LaunchTemplateVersion.IsNull() {
		p.model.LaunchTemplateVersion = prior.LaunchTemplateVersion
	} else if !p.model.LaunchTemplateVersion.IsNull() {
		p.model.Converged = types.BoolValue(false)
	}
	if !prior.ImageID.IsNull() {
		p.model.ImageID = prior.ImageID
	}
	return true
}

// unknown makes everything unknown that a roll decides.
func (p *rollingPlan) unknown() {
	p.model.TargetVersion, p.model.Converged = types.StringUnknown(), types.BoolUnknown()
	p.model.LastRoll = types.ObjectUnknown(lastRollTypes)
}

// keepVersion plans the prior version where the configured one must or need
// not be rolled to.
func (p *rollingPlan) keepVersion(prior rollingUpdateModel, seen *groupSeen) {
	version, before := p.model.LaunchTemplateVersion, prior.LaunchTemplateVersion
	if held := seen.held(p.model); held.Why != "" {
		p.diags.AddAttributeWarning(attribute("launch_template_version"), fmt.Sprintf("Version held back from Auto Scaling group %q", p.model.AutoscalingGroupName.ValueString()),
			fmt.Sprintf("%s\nThe group stays as it is. %s", roller.Sentence(held.Why), held.cure()))
		if !version.Equal(before) {
			p.model.LaunchTemplateVersion, p.model.ImageID = before, prior.ImageID
		}
		return
	}
	// Rolling back publishes a copy, and refit_ami_refresh may name another
	// version with the same data. Nothing changes by that.
	if !version.Equal(before) && isNumber(version.ValueString()) && isNumber(before.ValueString()) &&
		seen.Converged && seen.Same.has(version.ValueString()) {
		p.model.LaunchTemplateVersion = before
	}
}

// rolls tells whether apply may have to roll.
func (p *rollingPlan) rolls(prior rollingUpdateModel, seen *groupSeen) bool {
	m := p.model
	if m.LaunchTemplateVersion.IsUnknown() || m.ImageID.IsUnknown() || !m.Match.Equal(prior.Match) ||
		seen.Left > 0 && (!m.Protected.Equal(prior.Protected) || !m.Standby.Equal(prior.Standby)) {
		return true
	}
	if seen.held(m).Why != "" {
		return false
	}
	if !seen.Same.has(seen.number(m.LaunchTemplateVersion)) {
		return true
	}
	return !seen.Converged || !m.ImageID.IsNull() && m.ImageID.ValueString() != seen.Image
}

func (p *rollingPlan) summary() string {
	return fmt.Sprintf("Unable to roll Auto Scaling group %q", p.model.AutoscalingGroupName.ValueString())
}

// reach tells what a planned roll replaces: every member, or those that were
// stale; and the image it leads to. ok is false while that hangs on a value
// that only apply learns. It may turn out to be the prior one, and then
// Terraform plans again and must find no forecast that was promised before. The
// same holds where members run the image that a parameter goes back to: only
// apply learns whether the rest of their version is the same.
func (p *rollingPlan) reach(seen *groupSeen) (all bool, to types.String, ok bool) {
	version, imageID := p.model.LaunchTemplateVersion, p.model.ImageID
	same := seen.Same.has(seen.number(version))
	switch {
	case seen.runs(imageID) || seen.strayed() && imageID.IsUnknown():
		return true, imageID, false
	case !version.IsUnknown() && !same:
		if imageID.IsNull() {
			imageID = types.StringUnknown()
		}
		return true, imageID, true
	case !imageID.IsNull() && !imageID.IsUnknown() && imageID.ValueString() != seen.Image:
		return true, imageID, true // whichever version gets it
	case same && !imageID.IsUnknown():
		return false, optional(seen.Image), true
	}
	return true, types.StringUnknown(), false
}

// foresee plans the forecast and words what would keep the roll from starting.
func (p *rollingPlan) foresee(ctx context.Context, seen *groupSeen, poll time.Duration) {
	p.model.Forecast = types.ObjectUnknown(forecastTypes)
	spec, unknown, diags := p.model.spec(ctx, poll)
	p.diags.Append(diags...)
	if len(unknown) > 0 || diags.HasError() || seen.Max == 0 && seen.Desired == 0 && len(seen.Zones) == 0 {
		return
	}
	all, to, sure := p.reach(seen)
	a, f := seen.forecast(spec, all)
	for _, text := range seen.Problems {
		p.diags.AddError(p.summary(), roller.Sentence(text)+"\n"+unchanged)
	}
	p.diags.Append(problems(p.summary(), a.Problems)...)
	if p.diags.HasError() {
		return
	}
	a.Forecast = f
	p.roll = planned(spec, a, seen.number(p.model.LaunchTemplateVersion), to.ValueString())
	p.roll.notes = slices.Concat(seen.Warnings, a.Warnings, a.Special)
	if !sure {
		why := "Its launch template version or image is known only then. If it is not what the members run: "
		if seen.runs(p.model.ImageID) {
			why = fmt.Sprintf("Members run %s already. Those that differ in nothing else stay. If all have to be replaced: ", seen.From)
		}
		p.diags.AddWarning(fmt.Sprintf("The apply may roll Auto Scaling group %q", p.model.AutoscalingGroupName.ValueString()), why+expected(f))
		return
	}
	from := seen.From
	if from == to.ValueString() {
		from = seen.Image // those are new members of an unfinished roll
	}
	p.model.Forecast = types.ObjectValueMust(forecastTypes, map[string]attr.Value{
		"from_image":       optional(from),
		"to_image":         to,
		"stale":            types.Int64Value(int64(a.Stale)),
		"batches":          types.Int64Value(int64(f.Batches)),
		"lowest_healthy":   types.Int64Value(int64(f.Lowest)),
		"highest_launched": types.Int64Value(int64(f.Highest)),
		"duration":         types.StringValue(rollout.Brief(f.Duration)),
	})
}

func planned(spec rollout.Spec, a rollout.Assessment, version, image string) *plannedRoll {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		n = 0
	}
	return &plannedRoll{spec: spec, assessment: a, version: n, image: image}
}
