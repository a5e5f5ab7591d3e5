package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// groupSeen is what Read of a refit_asg_rolling_update saw, kept in private
// state for ModifyPlan. It must stay below 2 KB, however large the group.
type groupSeen struct {
	// Target is the number of the version that the launch_template_version in
	// state means, and Image its image.
	Target int64  `json:"target,omitempty"`
	Image  string `json:"image,omitempty"`
	// Named says that the version names a parameter, and Image is what that holds.
	Named bool `json:"named,omitempty"`
	// Same are the versions that members of Target need not be replaced for.
	Same numbers `json:"same,omitempty"`
	// Latest, Default and Points are the numbers of the template's latest and
	// default versions, and of the one the group points at.
	Latest  int64 `json:"latest,omitempty"`
	Default int64 `json:"default,omitempty"`
	Points  int64 `json:"points,omitempty"`
	// Held are versions that are banned or in quarantine.
	Held []heldSeen `json:"held,omitempty"`
	// Converged: a roll to Target would do nothing.
	Converged bool `json:"converged,omitempty"`
	// Left are the members that a roll as in state leaves out.
	Left int `json:"left,omitempty"`

	Desired int        `json:"desired"` // by others
	Max     int        `json:"max"`
	Zones   []zoneSeen `json:"zones,omitempty"`
	// Protected are the stale members that are protected from scale-in, and the
	// others that are.
	Protected [2]int `json:"protected,omitzero"`
	// Standby are the members in standby that are stale, and all of them.
	Standby [2]int `json:"standby,omitzero"`
	// Weights are those of the group's instance types that matter, none where it has
	// none. Desired and Max are units of capacity then, and Units are those of the
	// stale and of the new members. Weighed is as in [rollout.Group].
	Weights []int  `json:"weights,omitempty"`
	Units   [2]int `json:"units,omitzero"`
	Weighed string `json:"weighed,omitempty"`
	Spot    bool   `json:"spot,omitempty"`    // asks for Spot Instances
	Targets bool   `json:"targets,omitempty"` // behind a load balancer
	From    string `json:"from,omitempty"`    // image that most members to replace run
	// Times are the seconds that launch, health and termination took lately.
	Times [3]int `json:"times,omitzero"`
	// Warmup is the group's default instance warmup, Slow the longest slow start of
	// its target groups and Drain their longest deregistration delay, in seconds.
	Warmup int `json:"warmup,omitempty"`
	Slow   int `json:"slow,omitempty"`
	Drain  int `json:"drain,omitempty"`
	// Missing says that the version in state does not exist.
	Missing string `json:"missing,omitempty"`
	// Problems keep this group from being rolled; Warnings are for the plan.
	Problems []string `json:"problems,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Window is how the window of the state was; nil: there is none.
	Window *windowSeen `json:"window,omitempty"`
}

// zoneSeen counts a zone's members.
type zoneSeen struct {
	Zone  string `json:"z"`
	Stale int    `json:"s,omitempty"`
	New   int    `json:"n,omitempty"`
}

type heldSeen struct {
	Versions numbers `json:"v"`
	Why      string  `json:"why"`
	Retry    string  `json:"retry,omitempty"` // text that does not lift it
	// Ban is the image whose ban it is, which no text lifts; empty: a quarantine.
	Ban string `json:"ban,omitempty"`
}

// leastWhy is what is left of a reason where there is no room for more, in bytes.
const leastWhy = 120

// mostSeen is the room for a snapshot, in bytes: 2 KB with some to spare.
const mostSeen = 2000

// fit leaves out the least important sentences until the snapshot is small
// enough: warnings, then all but the first of the others, then the end of that.
func (s *groupSeen) fit() {
	size := func() int {
		body, err := json.Marshal(s)
		if err != nil {
			return 0 // remember will say so
		}
		return len(body)
	}
	for size() > mostSeen {
		switch {
		case len(s.Warnings) > 0:
			s.Warnings = s.Warnings[:len(s.Warnings)-1]
		case len(s.Problems) > 1:
			s.Problems = s.Problems[:1]
		case len(s.Held) > 1:
			s.Held = s.Held[:len(s.Held)-1]
		case len(s.Held) > 0 && len(s.Held[0].Why) > leastWhy:
			s.Held[0].Why = rollout.Clip(s.Held[0].Why, leastWhy)
		case s.Window != nil && s.Window.Finding != "":
			s.Window.Finding = ""
		case s.Window != nil && len(s.Window.Why) > 400:
			s.Window.Why = rollout.Clip(s.Window.Why, len(s.Window.Why)-50)
		case len(s.Problems) > 0 && len(s.Problems[0]) > 200:
			s.Problems[0] = rollout.Clip(s.Problems[0], 200)
		case len(s.Missing) > 150:
			s.Missing = rollout.Clip(s.Missing, 150)
		case s.Window != nil && len(s.Window.Why) > 250:
			s.Window.Why = rollout.Clip(s.Window.Why, 250)
		case s.Window != nil && s.Window.Length > 0:
			s.Window.Length, s.Window.Brief = 0, ""
		default:
			return
		}
	}
}

// number is the number a version text means, empty when it cannot be told.
func (s *groupSeen) number(version types.String) string {
	n := int64(0)
	switch v := version.ValueString(); {
	case version.IsUnknown():
	case version.IsNull():
		n = s.Points
	case v == "$Latest":
		n = s.Latest
	case v == "$Default":
		n = s.Default
	default:
		return v
	}
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// held finds what keeps a version from being rolled to; the zero value: nothing.
func (s *groupSeen) held(m rollingUpdateModel) heldSeen {
	number, retry := s.number(m.LaunchTemplateVersion), m.Retry
	if s.Named && s.Same.has(number) && !m.ImageID.IsUnknown() && !m.ImageID.IsNull() && m.ImageID.ValueString() != s.Image {
		// The parameter will have been moved by then, and it is not the number that
		// is held back.
		return heldSeen{}
	}
	for _, h := range s.Held {
		if h.Versions.has(number) && (h.Ban != "" || retry.ValueString() == "" || retry.ValueString() == h.Retry) {
			return h
		}
	}
	return heldSeen{}
}

// cure is what to do about a version that is held back.
func (h heldSeen) cure() string {
	if h.Ban != "" {
		return image.Ban{Image: h.Ban}.Cure()
	}
	return image.Quarantine{}.Cure()
}

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

// runs says whether most members that do not run what the parameter of the
// version in state means now run imageID, another image: that one was rolled
// back, or moved by others, and a roll to imageID need not replace them.
func (s *groupSeen) runs(imageID types.String) bool {
	return s.strayed() && imageID.ValueString() == s.From
}

// strayed says whether most members to replace run another image than the
// parameter of the version in state means.
func (s *groupSeen) strayed() bool {
	return s.Named && s.From != "" && s.From != s.Image
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

// forecast runs the rules against the group as it was seen. With all, every
// member is to be replaced; else those that were stale.
func (s *groupSeen) forecast(spec rollout.Spec, all bool) (rollout.Assessment, rollout.Forecast) {
	target := rollout.Version{TemplateID: "lt", Number: 2, Data: "new", Image: "new"}
	other := rollout.Version{TemplateID: "lt", Number: 1, Data: "old", Image: "old"}
	snap := rollout.Snapshot{
		At: time.Unix(0, 0).UTC(), TargetsSeen: true, ActivitiesSeen: true, AttributesSeen: true, SlowStart: seconds(s.Slow), Drain: seconds(s.Drain),
		Group: rollout.Group{
			Name: "group", Max: s.Max, Desired: s.Desired, Pointer: "1", Points: other, Default: 1, Latest: 2,
			Suspended: map[string]string{}, Warmup: seconds(s.Warmup),
		},
		Typical: rollout.Typical{
			Launch: seconds(s.Times[0]), Healthy: seconds(s.Times[1]), Terminate: seconds(s.Times[2]),
		},
	}
	if s.Targets {
		snap.Group.TargetGroups = []string{"targets"}
	}
	scale := s.weigh(&snap.Group)
	protected := s.Protected
	surplus := scale.capacity() - s.Desired // launched by an unfinished roll, and no part of what others want
	for _, z := range s.Zones {
		snap.Group.Zones = append(snap.Group.Zones, z.Zone)
		for n := range z.Stale + z.New {
			fresh := n >= z.Stale
			w := scale.next(fresh)
			if units := max(w, 1); fresh && surplus >= units {
				surplus -= units
				continue
			}
			m := rollout.Member{
				ID: fmt.Sprintf("%s-%04d", z.Zone, n), Zone: z.Zone, State: rollout.InService, StateText: "InService", Healthy: true, Version: other,
				Protected: protects(&protected, fresh), Weight: w,
			}
			if !all && fresh {
				m.Version = target
			}
			for _, g := range snap.Group.TargetGroups {
				m.Targets = append(m.Targets, rollout.Target{Group: g, State: "healthy"})
			}
			snap.Members = append(snap.Members, m)
		}
	}
	for n := range s.Standby[1] {
		m := rollout.Member{ID: fmt.Sprintf("standby-%04d", n), State: rollout.Standby, StateText: "Standby", Version: other}
		if !all && n >= s.Standby[0] {
			m.Version = target
		}
		snap.Members = append(snap.Members, m)
	}
	a := rollout.Assess(spec, snap, target)
	if len(a.Problems) > 0 || a.Stale == 0 {
		return a, rollout.Forecast{}
	}
	return a, rollout.Predict(spec, snap, target)
}

// scale hands out units of capacity to made-up members, stale and new ones: 11
// units of four members are 3, 3, 3 and 2.
type scale struct{ units, members [2]int }

// weigh gives a made-up group the weights that were seen, and its members their
// scale.
func (s *groupSeen) weigh(g *rollout.Group) *scale {
	g.Weighed, g.Spot = s.Weighed, s.Spot
	for i, w := range s.Weights {
		if g.Weights == nil {
			g.Weights = map[string]int{}
		}
		g.Weights[fmt.Sprintf("type-%d", i)] = w
	}
	out := &scale{units: s.Units}
	for _, z := range s.Zones {
		out.members[0] += z.Stale
		out.members[1] += z.New
	}
	return out
}

// capacity is that of all members left.
func (s *scale) capacity() int {
	if units := s.units[0] + s.units[1]; units > 0 {
		return units
	}
	return s.members[0] + s.members[1]
}

// next is what one more member weighs; 0: there are no weights.
func (s *scale) next(fresh bool) int {
	i := 0
	if fresh {
		i = 1
	}
	w := (s.units[i] + s.members[i] - 1) / s.members[i]
	s.units[i] -= w
	s.members[i]--
	return w
}

// protects says whether one more made-up member of a kind is protected from
// scale-in, and takes it off those that are left.
func protects(left *[2]int, current bool) bool {
	i := 0
	if current {
		i = 1
	}
	if left[i] == 0 {
		return false
	}
	left[i]--
	return true
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// change is what a roll leads from and to, for people.
type change struct{ fromImage, toImage, fromVersion, toVersion string }

// outlook words a forecast for the plan of a first roll.
func outlook(c change, a rollout.Assessment, f rollout.Forecast) string {
	parts := []string{
		fmt.Sprintf("%d of %d members would be replaced.", a.Stale, a.Stale+a.Current),
		fmt.Sprintf("Image: %s → %s.", c.fromImage, c.toImage),
		fmt.Sprintf("Version: %s → %s.", c.fromVersion, c.toVersion),
	}
	if f.Duration > 0 {
		parts = append(parts, "Forecast: "+expected(f))
	}
	return strings.Join(parts, "\n")
}

// expected words a forecast in one line.
func expected(f rollout.Forecast) string {
	batches := "batches"
	if f.Batches == 1 {
		batches = "batch"
	}
	return fmt.Sprintf("%d %s, at least %d healthy, at most %d launched, about %s (durations: %s).",
		f.Batches, batches, f.Lowest, f.Highest, rollout.Brief(f.Duration), f.Basis)
}
