package provider

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// survey is one look at a group for the sake of plans.
type survey struct {
	seen       *groupSeen
	assessment rollout.Assessment
}

// survey looks at the group of a request and at the versions of its template.
// r and groups look through the same client. Errors: [asg.ErrNotFound], what a
// call gave. A version that does not exist is noted in what was seen.
func (b *backend) survey(ctx context.Context, c *clients, r *roller.Roller, q roller.Request, look rollout.Look) (survey, error) {
	look = q.Spec.Complete(look)
	snap, err := r.Groups.Observe(ctx, q.Group, look)
	if err != nil {
		return survey{}, err
	}
	s := survey{seen: &groupSeen{
		Points:  snap.Group.Points.Number,
		Desired: snap.Group.Desired, Max: snap.Group.Max, Targets: len(snap.Group.TargetGroups) > 0,
		Warmup: int(snap.Group.Warmup.Seconds()), Slow: int(snap.SlowStart.Seconds()), Drain: int(snap.Drain.Seconds()),
	}}
	// Everything that keeps any roll of this group from starting, whatever to.
	for _, p := range rollout.Problems(snap) {
		if len(s.seen.Problems) < 2 {
			s.seen.Problems = append(s.seen.Problems, rollout.Clip(p.Text, mostWarning))
		}
	}
	s.assessment, err = r.Assess(ctx, q)
	var version *asg.VersionError
	switch {
	case errors.As(err, &version):
		s.seen.Missing = rollout.Clip(version.Error(), 250)
		s.assessment = rollout.Assessment{Group: q.Group, Found: snap.Group.Points, Pointer: snap.Group.Pointer, Desired: snap.Group.Desired, Max: snap.Group.Max}
	case err != nil:
		return survey{}, err
	}
	lately := snap.Typical.Or(s.assessment.Known)
	s.seen.Times = [3]int{int(lately.Launch.Seconds()), int(lately.Healthy.Seconds()), int(lately.Terminate.Seconds())}
	if q.Version == "" {
		s.seen.Points = s.assessment.Target.Number // without what an unfinished roll has made of the pointer
	}
	s.seen.Desired, s.seen.Max = s.assessment.Desired, s.assessment.Max // without what an unfinished roll has added
	s.seen.Converged, s.seen.Left = s.assessment.Converged, s.assessment.Left
	s.seen.Target, s.seen.Image = s.assessment.Target.Number, s.assessment.Target.Image
	s.seen.Named = s.assessment.Target.Alias != ""
	for _, p := range rollout.AlarmProblems(q.Spec, snap) { // it may be another by the time of the apply
		s.seen.Warnings = append(s.seen.Warnings, rollout.Clip(p.Field+" "+p.Text, mostWarning))
	}
	for _, w := range s.assessment.Warnings[:min(len(s.assessment.Warnings), 2)] {
		s.seen.Warnings = append(s.seen.Warnings, rollout.Clip(w, mostWarning))
	}
	s.seen.count(q.Spec, snap, s.assessment.Target)
	if err = b.compare(ctx, c, q, s); s.assessment.GoingBack {
		s.seen.Held = nil // what holds its target back must not keep it from being finished
	}
	s.seen.fit()
	return s, err
}

// count counts members by zone, and finds the image that most of those to
// replace run.
func (s *groupSeen) count(spec rollout.Spec, snap rollout.Snapshot, target rollout.Version) {
	at := map[string]int{}
	for i, z := range snap.Group.Zones {
		s.Zones = append(s.Zones, zoneSeen{Zone: z})
		at[z] = i
	}
	s.Weights, s.Weighed = snap.Group.Telling(), snap.Group.Weighed
	s.Spot = snap.Group.Spot && len(s.Weights) > 0
	votes := map[string]int{}
	for _, m := range snap.Members {
		current := spec.Current(snap.Group, m, target)
		if m.State == rollout.Standby {
			if s.Standby[1]++; !current {
				s.Standby[0]++
			}
		}
		i, ok := at[m.Zone]
		if !ok || m.State != rollout.InService && m.State != rollout.Pending {
			continue
		}
		if current {
			if m.Protected {
				s.Protected[1]++
			}
			s.Zones[i].New++
			s.Units[1] += m.Weight
			continue
		}
		if m.Protected {
			s.Protected[0]++
		}
		s.Zones[i].Stale++
		s.Units[0] += m.Weight
		if votes[m.Version.Image]++; votes[m.Version.Image] > votes[s.From] {
			s.From = m.Version.Image
		}
	}
	if s.From == "" {
		s.From = snap.Group.Points.Image // nothing is stale: what a new version would replace
	}
}

// meant are a template's versions with what the parameter means now that the
// target names in place of an image.
func meant(t ami.Template, target rollout.Version) ami.Template {
	written, ok := t.Version(target.Number)
	if !ok || target.Alias == "" {
		return t
	}
	t.Versions = slices.Clone(t.Versions)
	for i, v := range t.Versions {
		if v.Data == written.Data && v.Image == written.Image {
			t.Versions[i].Data, t.Versions[i].Image = target.Data, target.Image
		}
	}
	return t
}

// compare fills in what there is to know of the other versions of the template.
func (b *backend) compare(ctx context.Context, c *clients, q roller.Request, s survey) error {
	id := s.assessment.Target.TemplateID
	if id == "" {
		id = s.assessment.Found.TemplateID
	}
	if id == "" {
		return nil
	}
	t, err := c.images.Known(ctx, id)
	if err != nil {
		return err
	}
	t = meant(t, s.assessment.Target)
	s.seen.Latest, s.seen.Default = t.Latest().Number, t.Default().Number
	if target, ok := t.Version(s.seen.Target); ok {
		s.seen.Same = pack(t.Numbers(func(v ami.Version) bool {
			return v.Image == target.Image && (q.Spec.Match == rollout.MatchImage || v.Data == target.Data)
		}))
	}
	bans, err := b.bans(ctx, c, versionImages(t)...)
	if err != nil {
		return err
	}
	s.seen.ban(t, bans)
	held, err := b.quarantines(ctx, c, id)
	if err != nil {
		return err
	}
	for _, quarantine := range held {
		n := pack(t.Numbers(func(v ami.Version) bool { return v.Data == quarantine.Data }))
		if n != "" && len(s.seen.Held) < 3 {
			s.seen.Held = append(s.seen.Held, heldSeen{Versions: n, Why: rollout.Clip(quarantine.Why(), 250), Retry: quarantine.Retry})
		}
	}
	return nil
}

// observed brings a model from state up to date with what was seen.
func (m *rollingUpdateModel) observed(s survey) {
	m.Converged = types.BoolValue(s.assessment.Converged)
	if s.assessment.Converged {
		m.TargetVersion = versionNumber(s.assessment.Target)
	}
	// Done with: Terraform would hide whatever the next one has in common.
	m.Forecast = types.ObjectNull(forecastTypes)
}

// fill gives an imported resource its defaults, and the number that the group
// points at.
func (m *rollingUpdateModel) fill(s survey) {
	d := rollout.Defaults()
	m.LaunchTemplateVersion = versionNumber(s.assessment.Found)
	m.TargetVersion = m.LaunchTemplateVersion
	m.MinHealthy, m.MaxHealthy = types.Int64Value(int64(d.MinHealthy)), types.Int64Value(int64(d.MaxHealthy))
	m.FinalBake, m.InstanceTimeout = types.StringValue(rollout.Brief(d.FinalBake)), types.StringValue(rollout.Brief(d.InstanceTimeout))
	m.Health, m.Checks = types.ObjectNull(healthTypes), types.ListNull(checkTypes)
	m.OnFailure, m.Match = types.StringValue(string(d.OnFailure)), types.StringValue(string(d.Match))
	m.RaiseMaxSize, m.TerminateWarm = types.BoolValue(d.RaiseMaxSize), types.BoolValue(d.TerminateWarm)
	m.Engine, m.AdoptRefresh = types.StringValue(string(d.Engine)), types.BoolValue(d.AdoptRefresh)
	m.FailureLimit = types.Int64Value(int64(d.FailureLimit))
	m.Protected, m.Standby = types.StringValue(string(d.Protected)), types.StringValue(string(d.Standby))
	m.LockTimeout = types.StringValue(defaultLockTimeout)
	m.Lock = types.ObjectNull(lockTypes)
	m.Forecast, m.LastRoll = types.ObjectNull(forecastTypes), types.ObjectNull(lastRollTypes)
}

// settle makes what a finished roll left unknown in a planned forecast known.
// One that was not planned is of no use any more: last_roll says how it went.
func (m *rollingUpdateModel) settle(to rollout.Version) {
	if m.Forecast.IsUnknown() {
		m.Forecast = types.ObjectNull(forecastTypes)
		return
	}
	values := m.Forecast.Attributes()
	if values["to_image"] != nil && values["to_image"].IsUnknown() {
		values["to_image"] = optional(to.Image)
		m.Forecast = types.ObjectValueMust(forecastTypes, values)
	}
}
