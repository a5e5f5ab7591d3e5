package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// Treatment is what a roll does with members that somebody keeps from it: those
// protected from scale-in and those in standby. The words are those of EC2
// instance refresh.
type Treatment string

// The treatments. Refresh (of protected members) and Terminate (of those in
// standby) replace or end them like any other. Ignore leaves them out, and
// the outcome is [Partial]. Wait rolls the others and then waits until
// somebody takes the protection off or puts them back in service.
const (
	Refresh   Treatment = "refresh"
	Terminate Treatment = "terminate"
	Ignore    Treatment = "ignore"
	Wait      Treatment = "wait"
)

// keeps says whether a stale member that is launched is not the roll's to end,
// because it is protected from scale-in and the spec respects that. A terminate
// call would end it all the same.
func (t *turn) keeps(m Member) bool {
	if !m.Protected || t.spec.Protected == Refresh {
		return false
	}
	// A group can protect every new member. That is nobody's wish for a member
	// of a target that failed, which a rollback has to end.
	return t.rec.Direction != Back || !t.snap.Group.ProtectsNew || !t.ofTarget(m)
}

// treatment is what the spec says about a member that is kept from the roll. One
// in standby may be protected, too: then it is ended only if both allow it.
func (t *turn) treatment(m Member) Treatment {
	if m.State != Standby {
		return t.spec.Protected
	}
	if t.spec.Standby == Terminate && m.Protected && t.spec.Protected != Refresh {
		return t.spec.Protected
	}
	return t.spec.Standby
}

// treated are the stale members that are kept from the roll, protected ones
// first, with one treatment.
func (t *turn) treated(as Treatment) []Member {
	return slices.DeleteFunc(slices.Concat(t.kept, t.aside), func(m Member) bool { return t.treatment(m) != as })
}

// waiting are the members that somebody has to release before the roll can end.
// A rollback waits for none but those of the target: the others were like that
// before.
func (t *turn) waiting() []Member {
	return slices.DeleteFunc(t.treated(Wait), func(m Member) bool {
		return t.rec.Direction == Back && !t.ofTarget(m)
	})
}

// leftOut are the members that the roll leaves alone on purpose.
func (t *turn) leftOut() []Member { return append(t.treated(Ignore), t.retained...) }

// keeper says for people what keeps a member from being rolled.
func keeper(m Member) string {
	if m.State == InService || m.State == Pending {
		return "protected from scale-in"
	}
	return m.StateText
}

// named lists members with what keeps them, three at most.
func named(members []Member) string {
	var out []string
	for _, m := range members {
		out = append(out, m.ID+" ("+keeper(m)+")")
	}
	return few(out)
}

// few lists names, three at most.
func few(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
}

// release says in sentences what people can do about members that a roll waits
// for or leaves.
func release(members []Member) string {
	var out []string
	if slices.ContainsFunc(members, func(m Member) bool { return m.State == InService || m.State == Pending }) {
		out = append(out, `Take the protection from scale-in off, or set scale_in_protected_instances = "refresh".`)
	}
	if slices.ContainsFunc(members, func(m Member) bool { return m.State == Standby }) {
		out = append(out, `Put members in standby back in service, or set standby_instances = "terminate".`)
	}
	if slices.ContainsFunc(members, func(m Member) bool { return m.State == Retained }) {
		out = append(out, "See to retained members, then end each with: aws autoscaling terminate-instance-in-auto-scaling-group "+
			"--instance-id ID --no-should-decrement-desired-capacity.")
	}
	return strings.Join(out, " ")
}

// endAside ends stale members in standby where the spec says so, after all
// others: while they go they count as running, and would take the room of
// launches. They serve nothing and are no part of desired, so no limit on healthy
// members speaks against it, and nothing takes their place.
func (t *turn) endAside() {
	if !t.rolled() || t.now.Before(t.rec.Taken.Add(settle)) {
		return
	}
	for _, m := range t.treated(Terminate) {
		if t.inFlight()+t.deciding(End) >= maxEnds {
			return
		}
		t.step(Step{Kind: End, Member: m.ID, Zone: m.Zone, Aside: true, Why: "end " + m.ID + ", which is in standby"})
	}
}

// rolled says whether every member but those kept from the roll is current and
// has graduated.
func (t *turn) rolled() bool {
	return t.rec.Proven && len(t.stale) == 0 && t.unready() == 0 && t.missing() <= 0
}

// allLeftOut says whether nothing can be rolled, because every stale member is
// left out: then no member can prove the target.
func (t *turn) allLeftOut() bool {
	return len(t.stale)+len(t.fresh) == 0 && t.missing() <= 0 && len(t.waiting()) == 0
}

// tellWaiting says once whom the roll waits for, when nothing else is left.
func (t *turn) tellWaiting() {
	if w := t.waiting(); len(w) > 0 && len(t.stale) == 0 && t.unready() == 0 && t.missing() <= 0 {
		t.warnOnce("waiting", "the roll waits for members that are kept from it: %s. %s", named(w), release(w))
	}
}

// left words whom the roll has left out, empty when nobody.
func (t *turn) left() string {
	out := t.leftOut()
	switch len(out) {
	case 0:
		return ""
	case 1:
		return "1 member was left out: " + named(out)
	}
	return fmt.Sprintf("%d members were left out: %s", len(out), named(out))
}

// special tells before a roll what it does with members kept from it. It
// counts rather than names them, because a plan may know only how many.
func (t *turn) special() []string {
	var out []string
	add := func(members []Member, format string, a ...any) {
		if n := len(members); n > 0 {
			out = append(out, fmt.Sprintf("%s %s", kept(n, members[0].State), fmt.Sprintf(format, a...)))
		}
	}
	const ended = `and ended all the same, because %s = %q`
	const left = `and left out, because %s = %q`
	const waits = `and the roll waits for them after the others, because %s = %q; it pauses after %s without progress`
	protected := slices.DeleteFunc(t.old(), func(m Member) bool { return !m.Protected })
	aside := map[Treatment][]Member{}
	for _, m := range t.aside {
		aside[t.treatment(m)] = append(aside[t.treatment(m)], m)
	}
	for _, c := range []struct {
		field     string
		treatment Treatment
		members   []Member
	}{
		{"scale_in_protected_instances", t.spec.Protected, protected},
		{"standby_instances", Terminate, aside[Terminate]},
		{"standby_instances", Ignore, aside[Ignore]},
		{"standby_instances", Wait, aside[Wait]},
	} {
		if c.field == "standby_instances" && c.treatment != t.spec.Standby {
			c.field = "scale_in_protected_instances"
		}
		switch c.treatment {
		case Ignore:
			add(c.members, left, c.field, c.treatment)
		case Wait:
			add(c.members, waits, c.field, c.treatment, Brief(t.spec.InstanceTimeout))
		case Refresh, Terminate:
			add(c.members, ended, c.field, c.treatment)
		}
	}
	add(t.retained, "because their termination hook was abandoned; they count as running and are left to you")
	return out
}

// kept words how many members somebody keeps from a roll.
func kept(n int, state Lifecycle) string {
	how := "protected from scale-in"
	switch state {
	case Standby:
		how = "in standby"
	case Retained:
		how = "in Terminating:Retained"
	case Pending, InService, Terminating, Other:
	}
	if n == 1 {
		return "1 member is " + how
	}
	return fmt.Sprintf("%d members are %s", n, how)
}
