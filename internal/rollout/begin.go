package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Opening is what a roll is begun with.
type Opening struct {
	Spec     Spec
	Snapshot Snapshot // with targets and activities
	Target   Version
	// Inherited is the record of a roll of this group that did not settle; nil:
	// none. Its intents may or may not have happened.
	Inherited *Record
	Epoch     int64
	Written   time.Time // when the inherited record was written, on its owner's clock; zero: an owner who changed nothing has copied it
	// Known is what the last roll of the group learnt; zero: nothing.
	Known Typical
	// TookOver: the inherited roll's owner died rather than paused, and was
	// waited for: what it had in flight has happened by now, or never will.
	TookOver bool
}

// sent is when the calls of the inherited roll were made at the latest, as far
// as what is seen now goes.
func (o Opening) sent() time.Time {
	if o.TookOver {
		return o.Snapshot.At.Add(-settle)
	}
	return o.Snapshot.At
}

// Begin makes the record of a roll, or continues the one inherited. It
// assumes that [Problems] found nothing.
func Begin(o Opening) Record {
	g := o.Snapshot.Group
	if o.Inherited != nil && o.Inherited.Direction == Back && !o.Spec.same(o.Inherited.Target, o.Target) &&
		o.Spec.same(o.Inherited.Previous, o.Target) {
		// The rollback's goal is what is asked for now: finish it as such.
		o.Target = o.Inherited.Target
		rec := resumed(o)
		rec.Meant = true
		return rec
	}
	if in := o.Inherited; in != nil && o.Spec.same(in.Target, o.Target) {
		return resumed(o)
	}
	rec := Record{
		Epoch: o.Epoch, Started: o.Snapshot.At, Started0: newest(o.Snapshot),
		Target: o.Target, Pointer: g.Pointer, Default: g.Default, Base: g.Desired, Size: g.Desired, Changed: newestChange(o.Snapshot),
		Counts: Counts{Lowest: g.Desired, Healthy: inService(o.Snapshot)},
	}
	rec.Typical.Healthy = o.Known.Healthy
	if !o.Known.Sharp {
		// A tenth less than last time, and as much as a look later makes up for: an
		// estimate that is too long would never be found out, one that is too short
		// costs a look.
		rec.Typical.Healthy = max(o.Known.Healthy-max(o.Known.Healthy/10, o.Spec.Poll), 0)
		rec.Typical.Former = o.Known.Healthy
	}
	// There is no LaunchInstances for some; and a raise is filled once, in whichever zones.
	rec.Fallback = g.Mixes || g.WarmPool || g.loose()
	rec.Previous = previous(o)
	rec.NoReturn = noReturn(o, rec.Previous)
	if !o.Spec.same(g.Points, o.Target) {
		rec.Pinned = g.Points.pinnable()
	}
	for _, m := range o.Snapshot.Members {
		if (m.State == InService || m.State == Pending) && !o.Spec.Current(g, m, o.Target) {
			rec.Stale0++
		}
	}
	if in := o.Inherited; in != nil {
		rec.inherit(*in, o)
		rec.taken(o)
	}
	return rec
}

// pinnable is the number to keep the pointer on until the target is proven; 0
// where the version was deleted, which nothing can be launched from.
func (v Version) pinnable() int64 {
	if v.Data == "" {
		return 0
	}
	return v.Number
}

// inService counts the members in service that Auto Scaling takes for healthy:
// what is known of health before the first look at targets.
func inService(s Snapshot) int {
	n := 0
	for _, m := range s.Members {
		if m.State == InService && m.Healthy {
			n++
		}
	}
	return n
}

// resumed continues a roll to the same target.
func resumed(o Opening) Record {
	rec := *o.Inherited
	rec.Epoch = o.Epoch
	rec.Seq = 0
	rec.Outcome, rec.Meant = "", false
	if rec.Direction != Back {
		rec.Reason = "" // why it stopped is history; why it goes back is not
		if o.Inherited.Outcome == Paused && rec.Blame {
			rec.Failed, rec.Blame = 0, false // somebody has looked at it and tries again
		}
	}
	rec.Suspended = maps.Clone(rec.Suspended)
	rec.Refresh = rec.Refresh.resumed(o.Inherited.Outcome)
	if !rec.Target.Made() && o.Target.Made() {
		rec.MadeFrom = rec.Target.Source
		rec.Target, rec.Unproven = o.Target, false // it has been made since, by this roll or another
	}
	rec.Intents = slices.Clone(rec.Intents)
	for i := range rec.Intents {
		rec.Unproven = rec.Unproven || rec.Intents[i].Kind == Make && !rec.Target.Made()
		rec.Intents[i].Lost, rec.Intents[i].Since = true, o.sent()
	}
	if rec.Direction != Back && o.Snapshot.runs(rec.Previous) {
		rec.NoReturn = noReturn(o, rec.Previous) // as it is now
	}
	g := o.Snapshot.Group
	// A pointer that is neither found nor ours was set since; take it as found.
	if !rec.knows(g.Pointer) {
		rec.Pointer = g.Pointer
		if !rec.Proven && !o.Spec.same(g.Points, o.Target) {
			rec.Pinned = g.Points.pinnable()
		}
		rec.Pointed = g.Pointer
	}
	rec.held(o)
	rec.taken(o)
	return rec
}

// held takes the suspensions off the record that are not there any more. A look
// right after the former owner's last call may not show what is still so.
func (r *Record) held(o Opening) {
	if o.Snapshot.At.Sub(o.Written) >= older {
		maps.DeleteFunc(r.Suspended, func(p, _ string) bool {
			_, still := o.Snapshot.Group.Suspended[p]
			return !still
		})
	}
	r.Held = r.Held && len(r.Suspended) > 0
}

// knows says whether the roll has found the group's pointer on a text, or has put
// it there.
func (r Record) knows(pointer string) bool {
	texts := []string{r.Pointer, r.Pointed, number(r.Pinned), number(r.Target.Number), number(r.Copy)}
	if r.Refresh != nil {
		texts = append(texts, number(r.Previous.Number)) // it was pinned there
	}
	return slices.Contains(texts, pointer)
}

// Asked is the text of the version that a roll of the group is asked for, where
// empty means what the group points at. What an unfinished roll has made of that is
// only meant to last as long as the roll: the text that it found counts then.
// unfinished is its record, nil where there is none.
func Asked(text string, g Group, unfinished *Record) string {
	if text == "" && unfinished != nil && unfinished.Pointed != "" && unfinished.knows(g.Pointer) {
		return unfinished.Pointer
	}
	return text
}

// GoesBack says whether the roll on record is on its way back from target. To finish
// that launches nothing of it, whatever is said against it meanwhile.
func (r *Record) GoesBack(spec Spec, target Version) bool {
	return r != nil && r.Direction == Back && spec.same(r.Target, target)
}

// inherit takes over what a roll to another target left to put back.
func (r *Record) inherit(in Record, o Opening) {
	g := o.Snapshot.Group
	r.Suspended = maps.Clone(in.Suspended)
	r.Held = len(in.Suspended) > 0
	if g.Pointer != in.Pointer && (g.Pointer == in.Pointed || g.Pointer == number(in.Pinned)) {
		r.Pointer = in.Pointer // what the first roll found is what is put back
		r.Pointed = g.Pointer  // and what it wrote is ours
		r.Unproven = true      // it may have made a version
	}
	if in.Defaulted != 0 && in.Defaulted == g.Default {
		r.Default, r.Defaulted = in.Default, in.Defaulted // likewise
	}
	r.Headroom = in.Headroom
	r.Refresh = in.Refresh.resumed(Paused) // to be cancelled: it goes elsewhere
	// What others wanted and what was ours goes on as it was on record; what
	// has changed since, and calls without an answer, are found out by looking.
	r.Base, r.Surge, r.Changed, r.Drift = in.Base, in.Surge, in.Changed, in.Drift
	r.Doubts, r.Raised = in.Doubts, in.Raised
	for _, i := range in.Intents {
		if i.Kind == End || i.Kind == Launch || i.Kind == Raise || i.Kind == Suspend {
			i.Lost, i.Since = true, o.sent()
			r.Intents = append(r.Intents, i)
		}
	}
	r.Size = r.Base
}

// taken notes that another owner was at work until just now; one that died was
// waited for already.
func (r *Record) taken(o Opening) {
	r.Taken, r.Written = o.sent(), o.Written.Truncate(time.Second) // AWS's times are whole seconds
	if booked := o.Inherited.Booked; o.Written.IsZero() && !booked.IsZero() {
		r.Written = booked.Add(time.Second) // a launch in that second is what was booked
	}
}

// previous is where a rollback goes: the version most stale members run, never
// the pointer found, which may be on the broken version already.
func previous(o Opening) Version {
	g := o.Snapshot.Group
	votes := map[string]int{}
	byData := map[string]Version{}
	for _, m := range o.Snapshot.Members {
		if (m.State != InService && m.State != Pending) || o.Spec.Current(g, m, o.Target) || m.Version.Number == 0 || g.own(m) {
			continue
		}
		key := m.Version.Data + m.Version.Image
		votes[key]++
		if v, ok := byData[key]; !ok || m.Version.Number > v.Number {
			byData[key] = m.Version
		}
	}
	best := ""
	for key, n := range votes {
		if best == "" || n > votes[best] || n == votes[best] && byData[key].Number > byData[best].Number {
			best = key
		}
	}
	if best == "" && !o.Spec.same(g.Points, o.Target) {
		return g.Points
	}
	return byData[best]
}

func newestChange(s Snapshot) time.Time {
	var at time.Time
	for _, c := range s.Changes {
		if c.At.After(at) {
			at = c.At
		}
	}
	return at
}

func newest(s Snapshot) time.Time {
	at := newestChange(s)
	if s.LaunchFailureAt.After(at) {
		at = s.LaunchFailureAt
	}
	return at
}

// Assess says what a roll of the group to target would face, and whether there
// is anything to do.
func Assess(spec Spec, s Snapshot, target Version) Assessment {
	g := s.Group
	a := Assessment{Group: g.Name, Target: target, Found: g.Points, Pointer: g.Pointer, Desired: g.Desired, Max: g.Max}
	spec.Probe = nil // a plan probes nobody
	t := newTurn(Input{Spec: spec, Snapshot: s, Record: Record{Target: target}})
	t.overlay()
	t.leaveOutUnused()
	t.learnSetup()
	t.known = t.seen()
	a.Stale, a.Current, a.Left = len(t.stale)+len(t.waiting()), len(t.fresh), len(t.leftOut())
	a.Stale += len(t.treated(Terminate))
	for _, m := range t.stale {
		if t.known && m.State == InService && t.sick(m) != "" {
			a.Sick++
		}
	}
	var problem *Problem
	a.Limits, problem = spec.LimitsBy(t.heavy, g.Desired, g.Max)
	if problem != nil && spec.Engine == EngineRefresh {
		_, problem = spec.Limits(g.Desired, g.Max) // AWS makes room for a heavy member itself
	}
	a.Alarms = AlarmProblems(spec, s)
	// Nothing can be stale in a group without a launch template, which is not
	// the same as converged: its problems say what it has instead.
	a.Converged = target.TemplateID != "" && a.Stale == 0 && len(t.staleWarm()) == 0 && spec.same(g.Points, target)
	if a.Converged {
		if a.Left > 0 {
			a.Warnings = []string{t.left()}
		}
		return a
	}
	a.Problems = slices.Concat(Problems(s), engineProblems(spec, s, target), t.setupProblems())
	if a.Stale > 0 && spec.OnFailure == Rollback {
		o := Opening{Spec: spec, Snapshot: s, Target: target}
		a.NoReturn = noReturn(o, previous(o))
	}
	if problem != nil && a.Stale > 0 {
		a.Problems = append(a.Problems, *problem)
	}
	a.Warnings, a.Special = t.warnings(a), slices.Concat(t.special(), t.beyond(a), t.tellMaxSize(a), t.tellWarm())
	return a
}

// Problems names everything about the group as it is that no roll can
// work with. What only one engine cannot work with is not among it.
func Problems(s Snapshot) []Problem {
	var out []Problem
	add := func(format string, a ...any) { out = append(out, Problem{Text: fmt.Sprintf(format, a...)}) }
	g := s.Group
	for _, f := range g.Refused {
		add("the group has %s, which this version of Refit cannot roll yet; use instance refresh for it until then", f)
	}
	for _, p := range blocking {
		if reason, ok := g.Suspended[p]; ok {
			add("the process %s of the group is suspended (%s), and no roll works without it; resume it with: "+
				"aws autoscaling resume-processes --auto-scaling-group-name %q --scaling-processes %s", p, reason, g.Name, p)
		}
	}
	var other []string
	for _, m := range s.Members {
		if m.State == Other {
			other = append(other, m.ID+" ("+m.StateText+")")
		}
	}
	if len(other) > 0 {
		add("members are in a state that this version of Refit does not roll yet: %s; put them back in service or end them first", few(other))
	}
	return out
}

func (t *turn) warnings(a Assessment) []string {
	var out []string
	if a.NoReturn != "" {
		out = append(out, "on_failure = \"rollback\" becomes \"pause\" for this roll, because it could not go back: "+a.NoReturn)
	}
	for _, n := range t.out.Notes {
		if n.Warn {
			out = append(out, n.Text)
		}
	}
	if a.Sick > 0 {
		out = append(out, fmt.Sprintf("%d of %d members to replace are not healthy now; a failure of the new image cannot be told from that of the environment when more than one in ten is not", a.Sick, a.Stale))
	}
	out = append(append(out, t.setupWarnings()...), t.alarmWarnings()...)
	return append(out, t.tight(a)...)
}

// tight says what a roll does where the percentages leave no room for a member.
func (t *turn) tight(a Assessment) []string {
	l := a.Limits
	group := counted(l, a.Desired, "member")
	switch {
	case !l.Tight || a.Stale == 0 || l.First && l.Rounding == 0: // see beyond
		return nil
	case l.First:
		return []string{fmt.Sprintf("max_healthy_percentage = %d leaves no room for a member of %d units in a group of %s; one is launched beyond them",
			t.spec.MaxHealthy, l.Rounding+1, group)}
	case l.Floor == 0:
		return []string{fmt.Sprintf("min_healthy_percentage = %d leaves no room for %s; this takes the only member down", t.spec.MinHealthy, group)}
	}
	return []string{fmt.Sprintf("min_healthy_percentage = %d leaves no room for %s; one member is taken down at a time", t.spec.MinHealthy, group)}
}

// beyond remarks that rounding takes a roll beyond a maximum that somebody has
// chosen. The default is not a choice: 110 % of few members is always one more
// than them, and the forecast says how many are launched.
func (t *turn) beyond(a Assessment) []string {
	if !a.Limits.Tight || !a.Limits.First || a.Limits.Rounding > 0 || a.Stale == 0 || t.spec.MaxHealthy == Defaults().MaxHealthy {
		return nil
	}
	return []string{fmt.Sprintf("max_healthy_percentage = %d leaves no room for %d members; one is launched beyond them", t.spec.MaxHealthy, a.Desired)}
}
