package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// longestBake is the longest bake and checkpoint delay of an instance refresh.
const longestBake = 48 * time.Hour

// RefreshPreferences are all the preferences of an instance refresh. Every one
// is sent: what the console and the API leave to defaults differs.
type RefreshPreferences struct {
	MinHealthy  int           // percentage
	MaxHealthy  int           // percentage
	Warmup      time.Duration // whole seconds
	Checkpoints []int         // percentages, the last one 100; none: no checkpoints
	Delay       time.Duration // after each checkpoint but the last; whole seconds
	Bake        time.Duration // whole seconds
	Protected   Treatment     // of members protected from scale-in
	Standby     Treatment     // of members in standby
	// Alarms are names of CloudWatch alarms that fail the refresh.
	Alarms []string
	// SkipMatching leaves members alone that come from the version asked for.
	SkipMatching bool
	AutoRollback bool
}

// seconds rounds up to whole seconds, which is all that AWS takes.
func seconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// Preferences turns a spec into the preferences of an instance refresh of the
// group as it is seen, for a roll to (or back to) goal. It assumes that
// [Spec.Validate] found nothing.
func Preferences(spec Spec, s Snapshot, goal Version) RefreshPreferences {
	p := RefreshPreferences{
		MinHealthy: spec.MinHealthy, MaxHealthy: spec.MaxHealthy,
		// Auto Scaling itself takes no member for ready before the group's default
		// warmup has passed, nor do load balancers before their slow start; a
		// shorter one here would undercut them.
		Warmup: seconds(max(spec.MinHealthyTime, s.Group.Warmup, s.SlowStart)),
		Bake:   seconds(spec.FinalBake), Protected: spec.Protected, Standby: spec.Standby, Alarms: slices.Clone(spec.Alarms),
		SkipMatching: len(mismatched(spec, s, goal)) == 0,
	}
	for _, c := range spec.Checkpoints {
		p.Checkpoints, p.Delay = append(p.Checkpoints, c.Percentage), seconds(c.Bake)
	}
	if len(p.Checkpoints) > 0 {
		p.Checkpoints = append(p.Checkpoints, 100) // AWS ends at the last one
	}
	return p
}

// mismatched are the members that come from the version with goal's number and
// are stale all the same: skip matching, which compares numbers, would leave
// them. Their image is another one (a parameter that has moved on).
func mismatched(spec Spec, s Snapshot, goal Version) []string {
	var ids []string
	for _, m := range s.Members {
		if m.Version.TemplateID == goal.TemplateID && m.Version.Number == goal.Number && !spec.Current(s.Group, m, goal) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// needless are the members that need no replacement and are replaced all the
// same, because AWS compares the number of the version.
func needless(spec Spec, s Snapshot, goal Version) []string {
	all := len(mismatched(spec, s, goal)) > 0
	var ids []string
	for _, m := range s.Members {
		if (m.State == Pending || m.State == InService) && spec.Current(s.Group, m, goal) && (all || m.Version.Number != goal.Number) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// refreshProblems names what of a spec an instance refresh cannot do.
func (s Spec) refreshProblems() []Problem {
	var p []Problem
	add := func(field, format string, a ...any) {
		p = append(p, Problem{Field: field, Text: fmt.Sprintf(format, a...)})
	}
	const managed = "engine = \"managed\""
	for i, c := range s.Checkpoints {
		field := fmt.Sprintf("checkpoints[%d].bake", i)
		if c.Bake != s.Checkpoints[0].Bake {
			add(field, "is %s, and checkpoints[0].bake is %s; an instance refresh waits equally long at every checkpoint: give all of them the same bake, or use %s",
				Brief(c.Bake), Brief(s.Checkpoints[0].Bake), managed)
		} else if c.Bake > longestBake {
			add(field, "is %s; an instance refresh waits at most 48h at a checkpoint: shorten it, or use %s", Brief(c.Bake), managed)
		}
	}
	if s.FinalBake > longestBake {
		add("final_bake", "is %s; an instance refresh bakes for at most 48h: shorten it, or use %s", Brief(s.FinalBake), managed)
	}
	if s.MaxRunning != 0 {
		add("max_running_percentage", "is %d; an instance refresh does not count members that are terminating: leave it out, or use %s", s.MaxRunning, managed)
	}
	if s.RaiseMaxSize {
		add("raise_max_size", "is true; an instance refresh goes above the desired capacity without raising it, and what max size means to it is not documented: "+
			"leave it out, or use %s", managed)
	}
	if s.FailureLimit > 1 {
		add("failure_limit", "is %d; EC2 Auto Scaling replaces failing members by itself for an hour and has no limit to their number: leave it out, so that Refit "+
			"stops the instance refresh at the first one, or use %s", s.FailureLimit, managed)
	}
	return p
}

// noRefreshReturn says why AWS could not roll an instance refresh back itself,
// so that Refit cancels it and starts a second one; empty: it could.
func noRefreshReturn(to Version) string {
	switch {
	case to.Number == 0:
		return "there is no version to go back to"
	case to.Alias != "":
		return fmt.Sprintf("version %d, which old members run, names its image by a parameter (%s)", to.Number, to.Alias)
	}
	return ""
}

// pin is the version that the group's template pointer must be on while the
// refresh runs; 0: it is right as it is. AWS rolls back to what the group points
// at when the refresh starts, and not at all from $Latest and $Default: the
// pointer must be on the number of what the old members run.
func (s Spec) pin(g Group, rec Record) int64 {
	to := rec.Previous
	switch {
	case s.OnFailure == Rollback && rec.NoReturn == "" && noRefreshReturn(to) == "" && to.TemplateID == rec.Target.TemplateID:
		if !floating(g.Pointer) && s.same(g.Points, to) {
			return 0
		}
		return to.Number
	case floating(g.Pointer) && rec.Pinned != 0:
		return rec.Pinned
	case floating(g.Pointer):
		return g.Points.Number
	}
	return 0
}

// engineProblems names what of the group the chosen engine cannot work with.
func engineProblems(spec Spec, s Snapshot, target Version) []Problem {
	var p []Problem
	g := s.Group
	add := func(field, format string, a ...any) {
		p = append(p, Problem{Field: field, Text: fmt.Sprintf(format, a...)})
	}
	if r := s.active(); r != nil && !spec.adoptable(r, g, target) {
		cure := ""
		if r.TemplateID == target.TemplateID && r.Version == number(target.Number) {
			cure = "; it goes to the same version, and engine = \"instance_refresh\" with adopt_instance_refresh = true would attach to it"
		}
		add("", "an instance refresh of the group is running that this roll has not started (%s); wait for its end, or cancel it with: "+
			"aws autoscaling cancel-instance-refresh --auto-scaling-group-name %q%s", r, g.Name, cure)
	}
	if spec.Engine != EngineRefresh {
		if g.WarmPool && !spec.TerminateWarm {
			add("engine", "is \"managed\", and the group has a warm pool, whose members no call of EC2 Auto Scaling replaces but an instance refresh; use \"instance_refresh\", "+
				"or set terminate_warm_instances = true, so that they are ended through EC2")
		}
		p = append(p, weightProblems(spec, s)...)
		return p
	}
	if reason, ok := g.Suspended["InstanceRefresh"]; ok {
		add("", "the process InstanceRefresh of the group is suspended (%s), and an instance refresh does nothing without it; resume it with: "+
			"aws autoscaling resume-processes --auto-scaling-group-name %q --scaling-processes InstanceRefresh", reason, g.Name)
	}
	if spec.LoadBalancer && len(g.TargetGroups)+len(g.Balancers) > 0 && g.HealthCheck != "" && !strings.Contains(g.HealthCheck, "ELB") {
		add("health.load_balancer", "is true, and the group's health check type is %s, by which an instance refresh would go on while new members get no traffic "+
			"yet; set health_check_type of the group to \"ELB\", or load_balancer to false, or use engine = \"managed\"", g.HealthCheck)
	}
	return p
}

// refreshWarnings tells at plan what is worth knowing about a roll by an
// instance refresh of this group.
func refreshWarnings(spec Spec, s Snapshot, target Version) []string {
	var out []string
	g := s.Group
	o := Opening{Spec: spec, Snapshot: s, Target: target}
	to := previous(o)
	if spec.OnFailure == Rollback && noReturn(o, to) == "" && to.Number != 0 {
		why := noRefreshReturn(to)
		switch {
		case why != "":
			out = append(out, fmt.Sprintf("EC2 Auto Scaling cannot roll this instance refresh back by itself, because %s; if it fails, Refit cancels it and starts "+
				"a second one to a copy with their image, which replaces every member", why))
		case floating(g.Pointer) || !spec.same(g.Points, to):
			out = append(out, fmt.Sprintf("the group points at %s, from which EC2 Auto Scaling would not roll back to what the old members run; it is put on version %d "+
				"while the instance refresh runs", g.Pointer, to.Number))
		}
	}
	if n := len(needless(spec, s, target)); n > 0 {
		out = append(out, fmt.Sprintf("%d members that need no replacement are replaced too, because an instance refresh compares the number of the version", n))
	}
	return out
}
