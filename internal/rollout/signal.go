package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Status is what EC2's checks say of a member, in AWS's words: ok, impaired,
// initializing, insufficient-data or not-applicable. Empty: AWS does not say.
type Status struct {
	Instance, System, Volumes string
}

// Alarm is a CloudWatch alarm.
type Alarm struct {
	State  string // AWS's word: OK, ALARM or INSUFFICIENT_DATA
	Reason string // AWS's text
}

// The states of alarms.
const (
	alarmOff     = "OK"
	alarmOn      = "ALARM"
	alarmWithout = "INSUFFICIENT_DATA"
)

// Setup is what is set up for the attached target groups, as far as a roll
// cares.
type Setup struct {
	SlowStart time.Duration // the longest
	Zonal     []string      // names of those without cross-zone load balancing
}

// Everything is what the first look of a roll with a spec holds.
func Everything(s Spec) Look {
	return s.Complete(Look{Targets: true, Activities: true, Versions: true, Refreshes: true, Images: true, Attributes: true})
}

// Complete fills in by which of the spec's signals a look judges health. Alarms
// are part of every look: nothing may be done while one is on.
func (s Spec) Complete(l Look) Look {
	l.Status, l.Probe, l.Alarms = l.Targets && s.EC2Status, nil, s.Alarms
	if l.Targets {
		l.Probe = s.Probe
	}
	l.Warm = s.LooksWarm()
	l.Targets, l.Attributes = l.Targets && s.LoadBalancer, l.Attributes && s.LoadBalancer
	return l
}

// Askable says whether it makes sense to probe a member: one that is not in
// service, or about to be replaced, is not healthy whatever it answers.
func (m Member) Askable() bool { return m.State == InService && m.Healthy }

// needsTargets says whether health hangs on load balancers.
func (t *turn) needsTargets() bool {
	return t.spec.LoadBalancer && len(t.snap.Group.TargetGroups)+len(t.snap.Group.Balancers) > 0
}

// needsSignals says whether a member in service still has something to prove.
func (t *turn) needsSignals() bool {
	return t.needsTargets() || t.spec.EC2Status || t.spec.Probe != nil
}

// seen says whether this observation holds every chosen signal of the members.
func (t *turn) seen() bool {
	return (t.snap.TargetsSeen || !t.needsTargets()) && (t.snap.StatusSeen || !t.spec.EC2Status) &&
		(t.snap.ProbesSeen || t.spec.Probe == nil)
}

// leaveOutUnused finds target groups no listener uses: all their targets are
// "unused", and waiting for them would wait for ever.
func (t *turn) leaveOutUnused() {
	t.skipped = map[string]bool{}
	if !t.needsTargets() || !t.snap.TargetsSeen {
		return
	}
	for _, g := range t.snap.Group.TargetGroups {
		used, targets := false, 0
		for _, m := range t.snap.Members {
			for _, tg := range m.Targets {
				if tg.Group == g {
					targets++
					used = used || tg.State != "unused"
				}
			}
		}
		if targets > 0 && !used {
			t.skipped[g] = true
			t.warnOnce("unused "+g, "target group %s is not used by any load balancer listener and is left out of the health checks", g)
		}
	}
}

// sick says why a member is not healthy by the chosen signals; empty: it is.
// Unknown is not healthy.
func (t *turn) sick(m Member) string {
	if why := t.fails(m); why != "" {
		return why
	}
	if p, n := t.spec.Probe, t.mem.Passes[m.ID]; p != nil && n < p.Passes && t.current(m) {
		return fmt.Sprintf("has passed its probe %d of %d times in a row", n, p.Passes)
	}
	return ""
}

// fails is sick without how often a new member has to pass its probe: one that
// has passed it once is on its way up.
func (t *turn) fails(m Member) string {
	if m.State != InService {
		return "is " + m.StateText
	}
	if !m.Healthy {
		return "has the EC2 Auto Scaling health status Unhealthy"
	}
	if why := t.sickTarget(m); why != "" {
		return why
	}
	if why := m.Status.sick(); why != "" && t.spec.EC2Status {
		return why
	}
	return t.sickProbe(m)
}

// sickTarget asks the attached load balancers.
func (t *turn) sickTarget(m Member) string {
	if !t.needsTargets() {
		return ""
	}
	for _, g := range t.snap.Group.TargetGroups {
		if t.skipped[g] {
			continue
		}
		if why := m.sickIn("target group "+g, g, "healthy"); why != "" {
			return why
		}
	}
	for _, b := range t.snap.Group.Balancers {
		if why := m.sickIn("classic load balancer "+b, b, "InService"); why != "" {
			return why
		}
	}
	return ""
}

// sickIn says why a member's state in one group of targets is not the one that
// serves.
func (m Member) sickIn(what, name, serves string) string {
	i := slices.IndexFunc(m.Targets, func(x Target) bool { return x.Group == name })
	if i < 0 {
		return "is not registered in " + what
	}
	x := m.Targets[i]
	if x.State == serves {
		return ""
	}
	text := fmt.Sprintf("is %s in %s", x.State, what)
	if x.Reason != "" {
		text += " (" + x.Reason + ")"
	}
	return text
}

// sick says which of EC2's checks a member does not pass; empty: it passes
// them. Volumes that AWS does not check are no reason.
func (s Status) sick() string {
	for _, c := range []struct{ what, state string }{{"system", s.System}, {"instance", s.Instance}, {"attached EBS", s.Volumes}} {
		switch {
		case c.state == "ok", c.what == "attached EBS" && (c.state == "" || c.state == "not-applicable"):
		case c.state == "":
			return "has no EC2 status yet"
		default:
			return "has the EC2 " + c.what + " status " + c.state
		}
	}
	return ""
}

// sickProbe asks whether a member answered its probe last time. A new one must
// have answered several times in a row.
func (t *turn) sickProbe(m Member) string {
	switch {
	case t.spec.Probe == nil:
	case !m.Probed:
		return "has not been probed"
	case m.Probe != "":
		return "does not pass its probe: " + m.Probe
	}
	return ""
}

// countPasses counts each member's probes in a row, up to what is asked for.
func (t *turn) countPasses() {
	if t.spec.Probe == nil || !t.snap.ProbesSeen {
		return
	}
	for _, m := range t.snap.Members {
		if m.Probed && m.Probe == "" {
			t.mem.Passes[m.ID] = min(t.mem.Passes[m.ID]+1, t.spec.Probe.Passes)
		} else {
			delete(t.mem.Passes, m.ID)
		}
	}
}

// starting says whether a member has only just been launched: what its health
// will be is not known yet.
func (t *turn) starting(m Member) bool {
	if m.State == Pending || slices.ContainsFunc(m.Targets, func(x Target) bool {
		return (x.State == "initial" || x.Starting) && !t.skipped[x.Group]
	}) {
		return true
	}
	if t.spec.EC2Status && (m.Status.Instance == "initializing" || m.Status.System == "initializing") {
		return true
	}
	since, young := t.mem.Young[m.ID]
	if young && t.needsTargets() && len(m.Targets) == 0 && t.now.Sub(since) < t.spec.InstanceTimeout {
		return true // it is in service already, and its registration does not show yet
	}
	// AWS says of no member for how long it has been answering probes.
	return young && m.Probe != "" && t.sickTarget(m) == "" && t.now.Sub(since) < t.spec.InstanceTimeout
}

// judgeYoung follows old members that AWS or others launched during the roll
// until they are healthy for the first time.
func (t *turn) judgeYoung() {
	if t.mem.Present == nil { // the owner's first look
		t.mem.Present = map[string]bool{}
		for _, m := range t.old() {
			t.mem.Present[m.ID] = !t.starting(m) // else it has come just now
		}
	}
	for _, m := range t.old() {
		if there, met := t.mem.Present[m.ID]; !there && t.mem.Young[m.ID].IsZero() {
			t.mem.Young[m.ID] = t.now
			// What AWS is asked to launch is the goal. While an instance refresh runs or
			// is being cancelled, it is what that goes to.
			t.mem.Suspect = t.mem.Suspect || !met && !t.mem.Asked.IsZero() && !t.awsDrives()
		}
		if t.known && t.sick(m) == "" {
			delete(t.mem.Young, m.ID)
			t.mem.Present[m.ID] = true
		}
	}
}

// judgeAlarms says what the chosen alarms speak against. None was on when the
// roll began, so one that is on while new members serve speaks against the
// image; before that, and without data, nothing is launched or ended. A
// rollback asks no alarm.
func (t *turn) judgeAlarms() {
	if t.rec.Direction == Back {
		return
	}
	for _, name := range t.spec.Alarms {
		switch a, exists := t.snap.Alarms[name]; {
		case !t.snap.AlarmsSeen:
			t.held = "the alarms of health.alarms have not been looked up"
		case !exists:
			t.held = fmt.Sprintf("the alarm %q of health.alarms does not exist any more", name)
		case a.State == alarmOff:
		case a.State == alarmOn && slices.ContainsFunc(t.fresh, func(m Member) bool { return m.State == InService }):
			t.accused = fmt.Sprintf("the alarm %q went off: %s", name, a.Reason)
			return
		case a.State == alarmOn:
			t.held = fmt.Sprintf("the alarm %q is in state ALARM: %s", name, a.Reason)
		default:
			t.held = fmt.Sprintf("the alarm %q is in state %s: %s", name, a.State, a.Reason)
			t.warnOnce("alarm "+name, "%s; nothing is launched or ended until it has data again", t.held)
			t.mem.Progress = t.now // what is not known is no stall
		}
	}
}

// learnSetup keeps what is set up for the target groups: one look a roll.
func (t *turn) learnSetup() {
	if t.snap.AttributesSeen {
		t.mem.Setup = &Setup{SlowStart: t.snap.SlowStart, Zonal: slices.Clone(t.snap.Zonal)}
	}
}

// needsSetup says whether the next look has to ask for it.
func (t *turn) needsSetup() bool { return t.needsTargets() && t.mem.Setup == nil }

// minHealthy is how long a new member must have been healthy: at least until
// its load balancer sends it its full share, and its warmup is over.
func (t *turn) minHealthy() time.Duration {
	least := max(t.spec.MinHealthyTime, t.snap.Group.Warmup)
	if t.mem.Setup != nil && t.needsTargets() {
		least = max(least, t.mem.Setup.SlowStart)
	}
	return least
}

// whyLonger says what makes minHealthy longer than was asked for.
func (t *turn) whyLonger() string {
	if t.minHealthy() == t.snap.Group.Warmup {
		return "the default instance warmup of the group"
	}
	return "the slow start of its target groups"
}

// setupProblems names what keeps a roll from starting that only a full look
// shows.
func (t *turn) setupProblems() []Problem {
	if least := t.minHealthy(); least > t.spec.MinHealthyTime && least >= t.spec.InstanceTimeout {
		return []Problem{{Text: fmt.Sprintf("instance_timeout is %s, which no member can meet: it must be healthy for %s, because of %s; make instance_timeout longer",
			Brief(t.spec.InstanceTimeout), Brief(least), t.whyLonger())}}
	}
	return nil
}

// setupWarnings tells what a full look shows that is worth knowing.
func (t *turn) setupWarnings() []string {
	if least := t.minHealthy(); least > t.spec.MinHealthyTime {
		return []string{fmt.Sprintf("min_healthy_time is %s and becomes %s for this roll, because of %s",
			Brief(t.spec.MinHealthyTime), Brief(least), t.whyLonger())}
	}
	return nil
}

// AlarmProblems names the chosen alarms with which no roll may begin, where the
// snapshot holds them.
func AlarmProblems(spec Spec, s Snapshot) []Problem {
	var out []Problem
	for _, name := range spec.Alarms {
		a, exists := s.Alarms[name]
		switch {
		case !s.AlarmsSeen:
		case !exists:
			out = append(out, Problem{"health.alarms", fmt.Sprintf("names %q, and there is no such alarm in this account and region; correct the name, or create it", name)})
		case a.State == alarmOn:
			out = append(out, Problem{"health.alarms", fmt.Sprintf("names %q, which is in state ALARM already (%s); no roll begins while it is, because it could not tell whether the new image is good", name, a.Reason)})
		}
	}
	return out
}

// alarmWarnings tells of alarms that say nothing.
func (t *turn) alarmWarnings() []string {
	var out []string
	for _, name := range t.spec.Alarms {
		if t.snap.Alarms[name].State == alarmWithout {
			out = append(out, fmt.Sprintf("the alarm %q is in state INSUFFICIENT_DATA; the roll waits until it has data (treat_missing_data decides what it is without)", name))
		}
	}
	return out
}

// zoneLeast is how many healthy members a zone must keep where a target group
// has cross-zone load balancing off: each zone gets its share of the traffic
// then, however many members it has. 6 members at 100 % in 3 zones are 2 a zone.
// Ending first takes one member of a zone at least.
func (t *turn) zoneLeast(zone string) int {
	zones := len(t.snap.Group.Zones)
	if t.mem.Setup == nil || len(t.mem.Setup.Zonal) == 0 || !t.needsTargets() || zones == 0 {
		return 0
	}
	least := t.lim.Floor / zones
	if !t.lim.First {
		least = min(least, byZone(t.old())[zone]+byZone(t.fresh)[zone]-t.heavy)
	}
	return least
}
