package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
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

// distinct are the group's weights in rising order, each once.
func (g Group) distinct() []int { return slices.Compact(slices.Sorted(maps.Values(g.Weights))) }

// Telling are those of the group's weights that tell what a roll of it can do: the
// smallest, the first that does not divide the largest, and the largest; nil where
// it has none.
func (g Group) Telling() []int {
	all := g.distinct()
	if len(all) < 2 {
		return all
	}
	heavy := all[len(all)-1]
	if i := indivisible(all); i > 0 {
		return []int{all[0], all[i], heavy}
	}
	return []int{all[0], heavy}
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
	if t.uneven() && !t.loose() && t.known && t.rec.Surge > 0 && t.unready() == 0 && t.planned+t.coming+t.terminating == 0 && t.missing() > 0 {
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
	if t.loose() {
		return less // the floor has room for what is too much
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

// replacement is what AWS launches at most in place of a member of weight w.
func (t *turn) replacement(w int) int { return w + t.trimmed() }

// loose says whether nobody can size what AWS launches, so that it may end lighter
// members by itself for what is too much: it picks the types for Spot, or some fill
// no whole chunk, or members are replaced one for another.
func (t *turn) loose() bool {
	return t.uneven() && (t.snap.Group.loose() || !t.lim.First)
}

// loose says whether requests in whole chunks of the heaviest type may be exceeded.
func (g Group) loose() bool {
	all := g.distinct()
	return len(all) > 1 && (g.Spot || indivisible(all) >= 0)
}

// trimmed is how much AWS may end by itself after it has replaced a member by one
// that may be heavier.
func (t *turn) trimmed() int {
	if t.uneven() {
		return t.heavy - 1
	}
	return 0
}

// overfill is how much more than asked for AWS may launch, and end again.
func (t *turn) overfill() int {
	if t.loose() {
		return t.heavy - 1
	}
	return 0
}

// sparesForLaunch says whether the floor holds if AWS ends healthy members for what a
// launch is too much, as it does for one after another. While it would not, new
// members are waited for, and what a rollback found sick goes first.
func (t *turn) sparesForLaunch() bool {
	if !t.known {
		t.out.Look.Targets = true
		t.wake(t.now)
		return false
	}
	sick := func(m Member) bool { return t.sick(m) != "" }
	return t.healthy >= t.lim.Floor || // which has the room for it
		t.unready() <= 0 && (t.rec.Direction != Back || !slices.ContainsFunc(t.stale, sick))
}

// excess is the capacity for which AWS is about to end members; 0: none weighs so
// little.
func (t *turn) excess() int {
	over, light := units(t.stale)+units(t.kept)+units(t.fresh)-t.desired(), t.heavy
	for _, m := range slices.Concat(t.stale, t.kept, t.fresh) {
		if !m.Protected {
			light = min(light, m.weight())
		}
	}
	if over < light {
		return 0
	}
	return over
}

// spare is what AWS may end of the healthy members before anything else happens.
func (t *turn) spare() int {
	if t.uneven() {
		return t.excess()
	}
	return t.doomed
}

// doom is the capacity for which AWS is about to end members of one weight: what is
// launched beyond desired, because others want less and the look does not show yet
// what AWS does about it. Nobody knows whom it takes. What it does not end within two
// minutes, it leaves, such as what is protected from scale-in.
func (t *turn) doom() int {
	over := t.excess()
	switch {
	case t.uneven() || t.awsDrives():
		return 0
	case over == 0:
		t.mem.Excess = time.Time{}
		return 0
	case t.mem.Excess.IsZero():
		t.mem.Excess = t.now
	case t.now.Sub(t.mem.Excess) >= 2*settle:
		return 0
	}
	t.wake(t.now.Add(t.spec.Poll))
	return over
}

// calm says whether AWS has done what it does by itself where members differ in
// weight: launched what is missing and ended what was too much then. One thing at a
// time: of two launches, each may be too much. What it does not end within two
// minutes, it leaves.
func (t *turn) calm() bool {
	if !t.uneven() {
		return true
	}
	if t.excess() == 0 {
		t.mem.Excess = time.Time{}
	} else if t.mem.Excess.IsZero() {
		t.mem.Excess = t.now
	}
	if left := t.mem.Excess.Add(2 * settle); !t.mem.Excess.IsZero() && t.now.Before(left) {
		t.wake(left)
		return false
	}
	return t.coming == 0 && units(t.stale)+units(t.kept)+units(t.fresh) >= t.desired()
}

// whyWeighed says what members that differ in weight keep a roll from; empty:
// nothing.
func (t *turn) whyWeighed() string {
	switch {
	case !t.uneven():
		return ""
	case t.missing() > 0 && t.snap.Group.Max-t.desired() < t.chunk && t.lim.First:
		return fmt.Sprintf("max size %d of the group leaves no room for a member of %d units of capacity beside the %d that it wants now", t.snap.Group.Max, t.chunk, t.desired())
	case t.loose() && t.rec.Base-t.lim.Floor < t.heavy:
		return fmt.Sprintf("min_healthy_percentage = %d leaves no room for a member of %d units of capacity beside the %d that EC2 Auto Scaling may end by itself", t.spec.MinHealthy, t.heavy, t.overfill())
	}
	return ""
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
// with: where AWS may end healthy light members by itself, the floor must leave
// room for it.
func weightProblems(spec Spec, s Snapshot) []Problem {
	g, heavy := s.Group, s.heaviest()
	if g.Weighed != "" {
		return []Problem{{"engine", fmt.Sprintf("is \"managed\", and the group's desired capacity type is %q, so that only EC2 Auto Scaling knows what a new member will count for; "+
			"use \"instance_refresh\"", g.Weighed)}}
	}
	all := g.distinct()
	if len(all) < 2 {
		return nil
	}
	lim, _ := spec.LimitsBy(heavy, g.Desired, g.Max)
	why, cure := "", ""
	switch i := indivisible(all); {
	case g.Spot:
		why, cure = "its mixed instances policy asks for Spot Instances of different weights", "give all types the same weighted_capacity"
	case i >= 0:
		why, cure = fmt.Sprintf("%d is no multiple of the weight %d", heavy, all[i]), "change weighted_capacity"
	case !lim.First:
		why, cure = "old members of different weights are ended first", "set max_healthy_percentage above 100 with room below max_size"
	default:
		return nil
	}
	need, floor := 2*heavy-1, (g.Desired*spec.MinHealthy+99)/100
	if g.Desired == 0 || g.Desired-floor >= need {
		return nil
	}
	least := "which it wants too little for"
	if g.Desired >= need {
		least = fmt.Sprintf("with min_healthy_percentage = %d or less", (g.Desired-need)*100/g.Desired)
	}
	return []Problem{{"min_healthy_percentage", fmt.Sprintf("is %d, which keeps %d of %d units of capacity healthy, and where the group launches a member of %d, EC2 Auto Scaling may end "+
		"lighter ones by itself, because %s; %d units must be to spare (%s), or %s, or use engine = \"instance_refresh\"",
		spec.MinHealthy, floor, g.Desired, heavy, why, need, least, cure)}}
}
