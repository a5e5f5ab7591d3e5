package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// launch adds new members up to the ceiling, the running limit and the
// checkpoint, whichever is least.
func (t *turn) launch() {
	if t.now.Before(t.mem.LaunchAfter) {
		t.wake(t.mem.LaunchAfter)
		return
	}
	if t.rec.Fallback && t.lowering() {
		// What is read before the write may be older than the end, and the write from
		// less than that then looks like one of others.
		t.wake(t.now.Add(t.spec.Poll))
		return
	}
	// What AWS is about to launch by itself (committed beyond launched) will be
	// current only once the pointer is there; while it is not, it is not asked
	// for again.
	want := min(roundUp(t.missing(), t.chunk), t.space(), roundUp(t.room(), t.chunk))
	n := min(want, roundDown(t.lim.Running-t.soon()-t.overfill(), t.chunk))
	t.bound = n < want
	if n <= 0 || n < want && t.together(want) || t.loose() && (!t.calm() || !t.sparesForLaunch()) {
		return
	}
	if t.raiseMaxSize(n) || t.drawsStale() {
		return
	}
	exposed := t.expose()
	desired := t.desired()
	n = t.exact(n)
	t.planned += n
	if t.rec.Fallback {
		t.step(Step{Kind: Raise, From: desired, To: desired + n, Weight: t.chunk, Why: fmt.Sprintf("launch %d of version %d", n, t.goal.Number)})
		return // the pointer goes back when AWS has launched them
	}
	for _, z := range t.zones(n) {
		t.step(Step{
			Kind: Launch, Zone: z.name, Count: z.count, Token: t.token(), Weights: t.snap.Group.Weights,
			Why: fmt.Sprintf("launch %d of version %d in %s", z.count, t.goal.Number, z.name),
		})
	}
	if exposed { // point would leave it there while AWS has something to launch itself
		t.step(Step{Kind: Point, Version: number(t.rec.Pinned), Why: fmt.Sprintf("keep other launches on version %d until the new image is proven", t.rec.Pinned)})
	}
}

// missing is the capacity that is still to be launched anew: members, or units in
// a weighted group.
func (t *turn) missing() int {
	return t.rec.Base - units(t.kept) - units(t.fresh) - t.coming - t.planned
}

// together says whether to wait with part of the last batch until members that
// are being ended have gone. The roll ends with its last member, so the part
// that could go now gains nothing; together they cost half the calls. A
// termination that takes much longer than usual is not waited for.
func (t *turn) together(want int) bool {
	if want < t.missing() || t.terminating == 0 || t.unready() > 0 || t.rec.Direction == Back {
		return false
	}
	usual := t.mem.Learnt.Or(Typical{Terminate: usualTerminate}).Terminate
	return t.now.Sub(t.oldestEnd()) < 2*usual
}

// room is how many more new members the next checkpoint allows.
func (t *turn) room() int {
	if t.rec.Direction == Back || t.rec.Checkpoints >= len(t.spec.Checkpoints) {
		return t.lim.Running
	}
	return t.checkpointSize() - units(t.fresh) - t.coming - t.planned
}

// expose puts the pointer on the goal for a launch that is about to be made.
// It reports whether it has to go back right after.
func (t *turn) expose() bool {
	want := number(t.goal.Number)
	if t.pointer() == want || t.pointsAtGoal() {
		return false
	}
	t.step(Step{Kind: Point, Version: want, Why: "launch from version " + want})
	return !t.rec.Proven && t.rec.Direction != Back && t.rec.Pinned != 0
}

// share is the capacity to launch in one zone.
type share struct {
	name  string
	count int
}

// zones picks the zones to launch n in so that new members end up as an even group
// would, preferring the zones that hold the most stale members now. Every zone
// costs a call, so a batch goes to as few of them as that end allows: of 10 at a
// time that come to be 34, 33 and 33, most batches go to one zone. What is to prove
// the image, what a checkpoint is to see, and members of a target group without
// cross-zone load balancing are spread over all of them.
func (t *turn) zones(n int) []share {
	names := slices.DeleteFunc(slices.Clone(t.snap.Group.Zones), func(z string) bool { return t.now.Before(t.mem.BadZones[z]) })
	if len(names) == 0 {
		names = slices.Clone(t.snap.Group.Zones) // all are short: any is as good
	}
	if len(names) == 0 {
		return []share{{"", n}}
	}
	slices.Sort(names)
	setup := t.mem.Setup
	if !t.rec.Proven || t.rec.Checkpoints < len(t.spec.Checkpoints) || setup != nil && len(setup.Zonal) > 0 || t.rec.Direction == Back {
		return t.evenly(n, names)
	}
	due := t.evenly(max(n, roundUp(t.missing()+t.planned, t.chunk)), names)
	fresh := byZone(t.fresh)
	slices.SortStableFunc(due, func(a, b share) int { return cmp.Or(b.count-a.count, fresh[a.name]-fresh[b.name]) })
	var out []share
	for _, z := range due {
		if z.count = min(z.count, n, mostLaunches*t.chunk); z.count > 0 {
			out = append(out, z)
			n -= z.count
		}
	}
	slices.SortFunc(out, func(a, b share) int { return strings.Compare(a.name, b.name) })
	return out
}

// mostLaunches is how many members AWS launches in one call.
const mostLaunches = 100

// evenly spreads n over zones.
func (t *turn) evenly(n int, names []string) []share {
	fresh, stale := byZone(slices.Concat(t.fresh, t.kept)), byZone(t.stale) // those kept stay as new ones do
	got := map[string]int{}
	for n > 0 {
		best := slices.MinFunc(names, func(a, b string) int {
			if d := (fresh[a] + got[a]) - (fresh[b] + got[b]); d != 0 {
				return d
			}
			return (stale[b] - got[b]) - (stale[a] - got[a])
		})
		got[best] += min(t.chunk, n)
		n -= t.chunk
	}
	var out []share
	for _, z := range names {
		if got[z] > 0 {
			out = append(out, share{z, got[z]})
		}
	}
	return out
}

// byZone is the capacity of members in each zone.
func byZone(members []Member) map[string]int {
	n := map[string]int{}
	for _, m := range members {
		n[m.Zone] += m.weight()
	}
	return n
}
