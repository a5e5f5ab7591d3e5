package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// weight is the capacity that a member counts for: 1 where there are no weights.
func (m Member) weight() int { return max(m.Weight, 1) }

// booked is a step's weight as it goes on record: nothing where it is 1.
func (s Step) booked() int {
	if s.Weight == 1 {
		return 0
	}
	return s.Weight
}

// heaviest is the weight of the heaviest member that the group may launch.
func (g Group) heaviest() int {
	heavy := 1
	for _, w := range g.Weights {
		heavy = max(heavy, w)
	}
	return heavy
}

// lightest is the weight of the lightest member that the group may launch.
func (g Group) lightest() int {
	light := g.heaviest()
	for _, w := range g.Weights {
		light = min(light, max(w, 1))
	}
	return light
}

// Telling are those of the group's weights that tell what a roll of it can do: the
// smallest, the first that does not divide the largest, and the largest; nil where
// it has none.
func (g Group) Telling() []int {
	all := slices.Compact(slices.Sorted(maps.Values(g.Weights)))
	if len(all) < 2 {
		return all
	}
	heavy := all[len(all)-1]
	out := []int{all[0], heavy}
	if i := indivisible(all); i > 0 {
		out = []int{all[0], all[i], heavy}
	}
	return out
}

// indivisible is the index of the first of some weights, in rising order, that does
// not divide the last; −1: there is none.
func indivisible(weights []int) int {
	heavy := weights[len(weights)-1]
	return slices.IndexFunc(weights, func(w int) bool { return heavy%w != 0 })
}

// heaviest is the weight of the heaviest member that is there or may be launched.
func (s Snapshot) heaviest() int {
	heavy := s.Group.heaviest()
	for _, m := range s.Members {
		heavy = max(heavy, m.weight())
	}
	return heavy
}

// roundUp and roundDown make whole chunks of n.
func roundUp(n, chunk int) int { return roundDown(n+chunk-1, chunk) }

func roundDown(n, chunk int) int {
	if n < 0 {
		n -= chunk - 1
	}
	return n / chunk * chunk
}

// space is how much more may be launched, in whole chunks. What is asked for stays
// below the percentages, and what AWS makes of it below the ceiling: with weights
// of 4 and a ceiling of 15 for 10 units, which three members of 4 stand for, 4 more
// may be asked for, and 16 are launched.
func (t *turn) space() int {
	return roundDown(min(t.lim.Ceiling-t.committed(), t.most()-t.desired()), t.chunk)
}

// most is up to where capacity may be asked for.
func (t *turn) most() int {
	if t.wide {
		return max(t.snap.Group.Max, t.spec.raisable(t.heavy, t.maxSize()))
	}
	return t.lim.Ceiling - t.lim.Rounding
}

// bounded is what counts towards max size: what AWS has rounded up to whole members
// does not.
func (t *turn) bounded() int {
	if t.chunk > 1 {
		return t.desired()
	}
	return t.committed()
}

// widen launches up to the ceiling and max size where nothing else goes on. Members
// that differ in weight may leave a surge that is less than each old one: with
// weights of 4 and 1 and 5 wanted, 9 may be asked for; once a member of 4 is
// launched and one of 1 has gone, 8 are, and the old member of 4 can only go after
// one more.
func (t *turn) widen() {
	if t.uneven() && t.known && t.rec.Surge > 0 && t.unready() == 0 && t.planned+t.coming+t.terminating == 0 && t.missing() > 0 {
		t.wide = true
		t.launch()
		t.wide = false
	}
}

// exact is n, or what is missing where that is less and can be asked for. A
// member that weighs more than was asked for leaves the group with more than it
// wants, and AWS then ends members that weigh no more than the difference: none
// may be that light.
func (t *turn) exact(n int) int {
	less := t.missing()
	if less >= n || !t.uneven() {
		return n
	}
	light := t.lightest()
	for _, w := range t.snap.Group.Weights {
		over := roundUp(less, w) - less + max(t.launched()-t.desired(), 0)
		if over >= min(light, w) {
			return n
		}
	}
	return less
}

// mostEnds is how many members may be on their way out at a time.
func (t *turn) mostEnds() int {
	weights := map[int]bool{}
	for _, m := range t.snap.Members {
		weights[m.weight()] = true
	}
	if len(weights) > fewWeights {
		return fewEnds
	}
	return maxEnds
}

// uneven says whether members differ in weight.
func (t *turn) uneven() bool {
	for _, w := range t.snap.Group.Weights {
		if w != t.heavy {
			return true
		}
	}
	return t.heavy > 1 && t.lightest() != t.heavy
}

// lightest is the weight of the lightest member that is launched.
func (t *turn) lightest() int {
	light := t.heavy
	for _, m := range slices.Concat(t.stale, t.kept, t.fresh) {
		light = min(light, m.weight())
	}
	return light
}

// replacement is what AWS launches at most in place of a member of weight w,
// beyond what is launched now.
func (t *turn) replacement(w int) int {
	if t.uneven() {
		return w + t.heavy - 1 - (t.committed() - t.desired())
	}
	return w
}

// trimmed is how much AWS may end by itself after a replacement that weighs more
// than what it replaces.
func (t *turn) trimmed() int {
	if t.uneven() {
		return t.heavy - 1
	}
	return 0
}

// extra is the capacity of new members that is more than wanted and ours.
func (t *turn) extra() int {
	return min(units(t.fresh)+units(t.kept)-t.rec.Base, t.rec.Surge)
}

// remainder says whether what is left of our surge is less than any member that
// could be ended for it.
func (t *turn) remainder() bool {
	return t.heavy > 1 && t.rec.Surge > 0 && len(t.stale) == 0 && t.launched() >= t.desired() &&
		!slices.ContainsFunc(t.fresh, func(m Member) bool { return m.weight() <= t.extra() })
}

// leaveRemainder gives what no member can be ended for to the group, and says so:
// desired is never lowered to a value, because others may have changed it.
func (t *turn) leaveRemainder() {
	if n := t.rec.Surge - decrements(t.out.Steps); n > 0 {
		t.warnOnce("remainder", "desired capacity stays %d above %d, because every member weighs more than that; lower it by hand if nobody scales the group", n, t.rec.Base)
		t.rec.Base, t.rec.Surge = t.rec.Base+n, t.rec.Surge-n
	}
}

// graduates is how many new members have graduated.
func (t *turn) graduates() int {
	n := 0
	for _, m := range t.fresh {
		if t.mem.Graduated[m.ID] {
			n++
		}
	}
	return n
}

// about is how many members a capacity is, at least.
func (t *turn) about(capacity int) int { return (capacity + t.chunk - 1) / t.chunk }

// counted words a capacity: members of a kind, or units in a weighted group.
func counted(l Limits, capacity int, member string) string {
	if l.Rounding > 0 {
		member = strings.Replace(member, "member", "unit", 1)
		return fmt.Sprintf("%d %ss of capacity", capacity, member)
	}
	return fmt.Sprintf("%d %ss", capacity, member)
}

// weightProblems names what of a group's weights the managed engine cannot work
// with: AWS chooses the types, and ends light members where it has launched more
// than was asked for.
func weightProblems(spec Spec, g Group) []Problem {
	var p []Problem
	add := func(field, format string, a ...any) {
		p = append(p, Problem{Field: field, Text: fmt.Sprintf(format, a...)})
	}
	if g.Weighed != "" {
		add("engine", "is \"managed\", and the group's desired capacity type is %q, so that only EC2 Auto Scaling knows what a new member will count for; "+
			"use \"instance_refresh\"", g.Weighed)
	}
	all := slices.Compact(slices.Sorted(maps.Values(g.Weights)))
	if len(all) < 2 {
		return p
	}
	heavy, i := all[len(all)-1], indivisible(all)
	switch {
	case g.Spot:
		add("engine", "is \"managed\", and the group's mixed instances policy asks for Spot Instances of different weights (%d to %d), of which EC2 Auto Scaling "+
			"may end healthy ones by itself when it has rounded up; use \"instance_refresh\", or give all types the same weighted_capacity", all[0], heavy)
	case i >= 0:
		add("engine", "is \"managed\", which rolls groups with different weights only where the largest is a multiple of all others, and %d is none of %d; "+
			"use \"instance_refresh\", or change weighted_capacity in the policy", heavy, all[i])
	case spec.MaxHealthy <= 100:
		add("max_healthy_percentage", "is %d, which ends members first, and the group's members differ in weight (%d to %d), so that EC2 Auto Scaling might "+
			"replace a light one by a heavy one and end others for it; set it above 100, or use engine = \"instance_refresh\"", spec.MaxHealthy, all[0], heavy)
	}
	return p
}
