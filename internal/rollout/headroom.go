package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Headroom is what a roll has made of the group's max size, which leaves no room
// for members beyond those that the group wants. The bound is the user's: it is
// raised no further than the roll needs, and put back.
type Headroom struct {
	Found int `json:"f"` // as it was before the roll
	Set   int `json:"s"` // as the roll wrote it last
	// Before is what the last write found. Until a look shows Set, it may be there
	// still.
	Before int `json:"b"`
}

// raisable is how far a roll may raise max size: to the ceiling of a group that
// wants as many members as it allows, the heaviest of which weigh weight. What a policy wants beyond that, because
// it sees a larger bound, raises it no further.
func (s Spec) raisable(weight, maxSize int) int {
	if !s.RaiseMaxSize || s.MaxHealthy <= 100 {
		return maxSize
	}
	return max(maxSize*s.MaxHealthy/100, maxSize+weight)
}

// maxSize is the group's bound as others have set it.
func (t *turn) maxSize() int {
	if h := t.rec.Headroom; h != nil {
		return h.Found
	}
	return t.snap.Group.Max
}

// meetMaxSize compares max size with what the roll has made of it. One that
// others have changed since is theirs from then on: it is not put back, and this
// owner raises it no more.
func (t *turn) meetMaxSize() {
	if t.mem.MaxSizeTheirs {
		t.spec.RaiseMaxSize = false
	}
	h := t.rec.Headroom
	if h == nil {
		return
	}
	seen, late := t.snap.Group.Max, t.now.Sub(t.mem.MaxSizeAt) >= settle
	switch {
	case seen == h.Set:
		t.mem.MaxSizeSeen = true
	case !late:
		// This look may be older than the last write, and show what others had written
		// before.
	case seen == h.Found && (t.mem.MaxSizeLowered || !t.mem.MaxSizeSeen):
		t.rec.Headroom = nil // put back, or never raised
	case seen == h.Before && !t.mem.MaxSizeSeen:
		t.rec.Headroom = &Headroom{Found: h.Found, Set: seen, Before: seen}
	default:
		t.leaveMaxSize(fmt.Sprintf("max size was changed to %d by somebody else, where the roll had raised it from %d to %d, and is left at that", seen, h.Found, h.Set))
		t.mem.MaxSizeTheirs, t.spec.RaiseMaxSize = true, false
	}
}

// raiseMaxSize makes room for n launches where max size leaves none, and says
// whether they have to wait for it.
func (t *turn) raiseMaxSize(n int) bool {
	seen, most := t.snap.Group.Max, min(t.most(), t.spec.raisable(t.heavy, t.maxSize()))
	if t.bounded()+n <= seen || most <= seen {
		return false
	}
	if t.deciding(RaiseMaxSize) > 0 {
		return true // once is enough, and a second write that failed would be taken for the first
	}
	if h := t.rec.Headroom; h != nil && seen != h.Set {
		t.wake(t.now.Add(t.spec.Poll)) // this look is too old to show it
		return true
	}
	t.step(Step{Kind: RaiseMaxSize, From: seen, To: most, Why: fmt.Sprintf("raise max size from %d to %d for the time of the roll", seen, most)})
	t.wake(t.now.Add(reaction))
	return true
}

// lowerMaxSize puts max size back where the group's desired capacity fits below
// it once the ends decided so far are made: AWS would lower desired otherwise,
// and pick whom to end. The step comes last, and is not made when one of those
// ends fails.
func (t *turn) lowerMaxSize() {
	h := t.rec.Headroom
	if h == nil || t.stuck || t.snap.Group.Max != h.Set || t.desired() > h.Found || t.adding() {
		return
	}
	t.step(Step{Kind: LowerMaxSize, From: h.Set, To: h.Found, Why: fmt.Sprintf("put max size back to %d", h.Found)})
}

// adding says whether a call without an answer may raise desired yet. One that
// lands later than that is refused by AWS once max size is back.
func (t *turn) adding() bool {
	return slices.ContainsFunc(t.rec.Intents, func(in Intent) bool { return in.adds() > 0 })
}

// keepMaxSize leaves max size raised where the group that is in order wants more
// than was found, because others do: it is theirs to lower.
func (t *turn) keepMaxSize() {
	h := t.rec.Headroom
	if h == nil || max(t.desired(), t.snap.Group.Min) <= h.Found {
		return
	}
	t.leaveMaxSize(fmt.Sprintf("max size stays at %d, which the roll had raised from %d, because the desired capacity is %d now; lower it when it is not",
		h.Set, h.Found, max(t.desired(), t.snap.Group.Min)))
}

// leaveMaxSize leaves max size to others, and tells why now and at the end.
func (t *turn) leaveMaxSize(why string) {
	t.rec.Headroom, t.mem.MaxSizeLeft = nil, why
	t.warnOnce(why, "%s", why)
}

// waitMaxSize says whether the end of the roll waits until max size is back.
func (t *turn) waitMaxSize() bool {
	if t.rec.Headroom == nil {
		return false
	}
	t.wake(t.now.Add(t.spec.Poll))
	return true
}

// tellMaxSize says before a roll what becomes of max size.
func (t *turn) tellMaxSize(a Assessment) []string {
	most := a.Limits.Ceiling - a.Limits.Rounding
	if most <= t.maxSize() || a.Stale == 0 {
		return nil
	}
	return []string{fmt.Sprintf("max size is raised from %d to %d for the time of the roll, because raise_max_size = true", t.maxSize(), most)}
}

// sized notes that max size was written at an instant, or may have been.
func (m *Memory) sized(now time.Time) { m.MaxSizeAt, m.MaxSizeSeen = now, false }
