package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Facts are what surrounds a group and can slow or stop a roll of it. Each is
// read once, before a roll, and only where a roll is due. The zero value of a
// fact means that nothing is known of it, and nothing is said about it then.
type Facts struct {
	Hooks []Hook
	// Free are the free addresses of the group's subnets, by zone.
	Free map[string]int
	// Quota is the limit of vCPUs that the group's instance types count towards.
	Quota Quota
	// Types are the instance types that members are launched with.
	Types []InstanceType
	// Image is the image to roll to.
	Image ImageFact
	// Followers are other groups whose pointer floats over the same template.
	Followers []Follower
	// Due are the scheduled actions of the next day, soonest first.
	Due []ScheduledAction
	// Policies are the names of the policies that scale the group by themselves.
	Policies []string
	// Shift describes a zonal shift that is in effect.
	Shift string
	// MaxLifetime is after how long AWS replaces a member by itself.
	MaxLifetime time.Duration
	// Rebalance: AWS replaces spot members at risk, up to a tenth above desired.
	Rebalance bool
	// Denied are permissions that a dry run found missing, in AWS's words.
	Denied []string
	// Expires is when the credentials end that the roll would use.
	Expires time.Time
	// Unread names what could not be read, with AWS's reason.
	Unread []string
}

// Hook is a lifecycle hook.
type Hook struct {
	Name      string
	Launching bool          // otherwise terminating
	Timeout   time.Duration // until it goes on by itself
}

// Quota is a limit of vCPUs and what of it is in use.
type Quota struct {
	Name        string
	Limit, Used int // vCPUs; Limit 0: not known
}

// InstanceType is what an image has to fit.
type InstanceType struct {
	Name          string
	VCPUs         int
	Architectures []string
	BootModes     []string // empty: not known
}

// ImageFact is what is known of an image before members are launched from it.
type ImageFact struct {
	ID           string
	Missing      bool // it does not exist, or is not shared with this account
	State        string
	Reason       string // AWS's, where the state is not available
	Architecture string
	BootMode     string // empty: the type's own
	Deprecated   bool
}

// Follower is a group that launches from whatever its pointer means then.
type Follower struct{ Group, Pointer string }

// ScheduledAction is a change of size that a schedule will make.
type ScheduledAction struct {
	Name    string
	At      time.Time
	Desired int // −1: it leaves the desired capacity
}

// Preflight says what in a group's surroundings makes a roll impossible, and
// what will slow it or is worth knowing. a is what [Assess] found, with the
// forecast of [Predict]. It says nothing where nothing is stale.
func Preflight(spec Spec, s Snapshot, f Facts, a Assessment) (problems []Problem, warnings []string) {
	if a.Stale == 0 {
		return nil, nil
	}
	p := preflight{spec: spec, snap: s, facts: f, a: a}
	p.image()
	p.hooks()
	p.room()
	p.access()
	p.others()
	p.around()
	p.engine()
	if len(f.Unread) > 0 {
		p.warn("not everything could be checked beforehand: %s", strings.Join(f.Unread, "; "))
	}
	return p.problems, p.warnings
}

type preflight struct {
	spec     Spec
	snap     Snapshot
	facts    Facts
	a        Assessment
	problems []Problem
	warnings []string
}

func (p *preflight) fail(field, format string, a ...any) {
	p.problems = append(p.problems, Problem{Field: field, Text: fmt.Sprintf(format, a...)})
}

func (p *preflight) warn(format string, a ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, a...))
}

// image says whether members could be launched from the image at all.
func (p *preflight) image() {
	i := p.facts.Image
	switch {
	case i.ID == "":
		return
	case i.Missing:
		p.fail("image_id", "is %s, which does not exist or is not shared with this account; share it, or roll to another image", i.ID)
		return
	case i.State != "" && i.State != "available":
		why := ""
		if i.Reason != "" {
			why = " (" + i.Reason + ")"
		}
		p.fail("image_id", "is %s, which is %s%s and cannot be launched; wait until it is available, or roll to another image", i.ID, i.State, why)
	}
	if i.Deprecated {
		p.warn("image %s is deprecated", i.ID)
	}
	for _, t := range p.facts.Types {
		if i.Architecture != "" && len(t.Architectures) > 0 && !slices.Contains(t.Architectures, i.Architecture) {
			p.fail("image_id", "is %s for %s, and instance type %s is %s; roll to an image for that architecture, or change the instance type",
				i.ID, i.Architecture, t.Name, strings.Join(t.Architectures, " or "))
		}
		if (i.BootMode == "uefi" || i.BootMode == "legacy-bios") && len(t.BootModes) > 0 && !slices.Contains(t.BootModes, i.BootMode) {
			p.fail("image_id", "is %s, which boots with %s, and instance type %s boots with %s only; roll to an image with another boot mode, or change the instance type",
				i.ID, i.BootMode, t.Name, strings.Join(t.BootModes, " or "))
		}
	}
}

// hooks compares what may hold a member with the time it is given.
func (p *preflight) hooks() {
	var launch time.Duration
	var names []string
	for _, h := range p.facts.Hooks {
		if h.Launching {
			launch += h.Timeout
			names = append(names, h.Name)
		} else {
			p.warn("lifecycle hook %s may hold each member that is ended for up to %s", h.Name, Brief(h.Timeout))
		}
	}
	// The grace period begins after the hooks: the sum is what AWS itself allows a
	// new member. Hooks usually complete long before their timeout, so a shorter
	// instance_timeout may be meant, and is no error.
	if longest := launch + p.snap.Group.Grace; len(names) > 0 && p.spec.InstanceTimeout <= longest {
		p.warn("instance_timeout is %s, and AWS gives a new member %s itself: the timeouts of its launch hooks (%s) and the health check grace period; "+
			"one that is still in a hook after instance_timeout counts as failed", Brief(p.spec.InstanceTimeout), Brief(longest), strings.Join(names, ", "))
	}
	if p.snap.Group.HealthCheck != "" && p.snap.Group.HealthCheck != "EC2" && p.snap.Group.Grace == 0 {
		p.warn("the group has health check type %s and no grace period, so EC2 Auto Scaling may replace new members before they can be healthy", p.snap.Group.HealthCheck)
	}
}

// more is the capacity that a roll has running at once beyond what runs now, at
// most: members, or units in a weighted group.
func (p *preflight) more() int {
	n := 0
	for _, m := range p.snap.Members {
		if m.State != Terminating {
			n += m.weight()
		}
	}
	return max(min(p.a.Limits.Running-n, p.a.Stale*(p.a.Limits.Rounding+1)), 0)
}

// room compares what a roll adds with max size, quota and addresses.
func (p *preflight) room() {
	l := p.a.Limits
	asked := p.a.Desired * p.spec.MaxHealthy / 100
	if most := l.Ceiling - l.Rounding; most < asked && p.a.Max < asked {
		p.warn("max_healthy_percentage = %d would allow %s, and the group's max size allows %d; the roll is slower by that",
			p.spec.MaxHealthy, counted(l, asked, "launched member"), most)
	}
	more := p.more()
	if most := l.Ceiling - l.Rounding; most > p.a.Max && len(p.facts.Policies) > 0 {
		p.warn("max size is raised from %d to %d for the time of the roll, and until it is put back these policies may use the room: %s", p.a.Max, most, few(p.facts.Policies))
	}
	if q := p.facts.Quota; q.Limit > 0 && len(p.facts.Types) > 0 {
		least, most := p.fitting(max(q.Limit-q.Used, 0))
		switch {
		case most == 0 && l.First:
			p.fail("max_healthy_percentage", "is %d, which launches before it ends, and the quota %q of %d vCPUs has %d in use, so that no member can be added; "+
				"raise the quota, or lower min_healthy_percentage and set max_healthy_percentage = 100 so that members are ended first", p.spec.MaxHealthy, q.Name, q.Limit, q.Used)
		case least < more && l.First:
			p.warn("the quota %q of %d vCPUs has %d in use and room for %s, where the roll would add up to %d; it is slower by that",
				q.Name, q.Limit, q.Used, counted(l, least, "more member"), more)
		}
	}
	p.addresses(more)
}

// fitting is the capacity that so many vCPUs are enough for, if all of it is of
// the instance type that needs the most of them for it, and if it is of the one
// that needs the least.
func (p *preflight) fitting(vcpus int) (least, most int) {
	for i, t := range p.facts.Types {
		n := vcpus / max(t.VCPUs, 1) * max(p.snap.Group.Weights[t.Name], 1)
		if i == 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	return least, most
}

// addresses compares the members that a roll adds with the subnets' free
// addresses: each needs one, whatever it weighs.
func (p *preflight) addresses(more int) {
	if p.facts.Free == nil {
		return
	}
	light := p.snap.Group.lightest()
	more = (more + light - 1) / light
	all := 0
	var empty []string
	for _, z := range slices.Sorted(maps.Keys(p.facts.Free)) {
		all += p.facts.Free[z]
		if p.facts.Free[z] == 0 {
			empty = append(empty, z)
		}
	}
	switch {
	case all == 0 && p.a.Limits.First:
		p.fail("max_healthy_percentage", "is %d, which launches before it ends, and the group's subnets have no free address; free some, add a subnet, "+
			"or lower min_healthy_percentage and set max_healthy_percentage = 100 so that members are ended first", p.spec.MaxHealthy)
	case all < more:
		p.warn("the group's subnets have %d free addresses, where the roll would add up to %d members; it is slower by that", all, more)
	case len(empty) > 0:
		p.warn("the group's subnets in %s have no free address; new members go to the other zones", strings.Join(empty, ", "))
	}
}

// access says what the caller lacks for the roll, or for going back.
func (p *preflight) access() {
	// A plan is often made with fewer rights than an apply: that is no error.
	for _, d := range p.facts.Denied {
		p.warn("these credentials may not launch what the roll launches, so an apply with them would fail: %s", d)
	}
	if e := p.facts.Expires; !e.IsZero() && p.a.Forecast.Duration > 0 {
		if left := e.Sub(p.snap.At); left < p.a.Forecast.Duration+expiryMargin {
			p.warn("the credentials end at %s, in %s, and the roll takes about %s; it would pause in order before that, and the next apply would continue it",
				e.UTC().Format("15:04 MST"), Brief(left.Round(time.Minute)), Brief(p.a.Forecast.Duration))
		}
	}
}

// expiryMargin is how long before the end of its credentials a roll comes to a
// safe point.
const expiryMargin = 5 * time.Minute

// others says who else would act on the group, or follows what the roll changes.
func (p *preflight) others() {
	end := p.snap.At.Add(p.a.Forecast.Duration)
	for _, d := range p.facts.Due {
		if d.At.After(end) {
			continue
		}
		what := "changes the group's size"
		if d.Desired >= 0 {
			what = fmt.Sprintf("sets the desired capacity to %d", d.Desired)
		}
		p.warn("the scheduled action %s %s at %s, which the roll follows", d.Name, what, d.At.UTC().Format("15:04 MST"))
	}
	var names []string
	for _, f := range p.facts.Followers {
		if f.Pointer != "$Default" || p.spec.SetDefault || p.snap.Group.Pointer == "$Default" {
			names = append(names, f.Group+" ("+f.Pointer+")")
		}
	}
	if len(names) > 0 {
		p.warn("other groups follow the same launch template and launch from its new version without a roll: %s", few(names))
	}
}

// engine says what the chosen engine cannot do with the group, what it does
// differently, and where the other one would be better.
func (p *preflight) engine() {
	p.problems = append(p.problems, engineProblems(p.spec, p.snap, p.a.Target)...)
	if p.spec.Engine == EngineRefresh {
		p.warnings = append(p.warnings, refreshWarnings(p.spec, p.snap, p.a.Target)...)
	}
	if n := len(outdated(p.spec, p.snap, p.a.Target)); p.spec.TerminateWarm && n > 0 {
		p.warnings = append(p.warnings, endsWarm(n))
	}
	if better, why := Advise(p.spec, p.snap, p.facts); why != "" && len(p.problems) == 0 {
		p.warn("engine = %q would suit this group better: %s", better, why)
	}
}

// around says what AWS itself does to the group meanwhile.
func (p *preflight) around() {
	if p.facts.Shift != "" {
		p.fail("", "a zonal shift is in effect (%s), and a roll would move members at the worst moment; wait for its end", p.facts.Shift)
	}
	if p.facts.Rebalance {
		p.warn("capacity rebalancing is on: EC2 Auto Scaling may launch up to a tenth more than desired by itself")
	}
	if p.facts.MaxLifetime > 0 {
		p.warn("EC2 Auto Scaling replaces members older than %s by itself", Brief(p.facts.MaxLifetime))
	}
	for _, name := range []string{"HealthCheck", "ReplaceUnhealthy"} {
		if _, ok := p.snap.Group.Suspended[name]; ok {
			p.warn("the process %s of the group is suspended, so EC2 Auto Scaling does not replace members that fail", name)
		}
	}
}
