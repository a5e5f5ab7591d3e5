package awssim

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// warmTally is what counts for the part of a refresh that replaces the members
// of a warm pool, which comes when the group itself is done.
type warmTally struct {
	size           int32 // how many the pool should hold
	ready          int32 // members that can be drawn
	fresh, updated int32 // members that are not to be replaced; and ready
	left           []*member
}

func (t *warmTally) count(r *refresh, m *member) {
	if m.end != nil {
		return
	}
	if m.ready() {
		t.ready++
	}
	switch {
	case r.stale[m.id]:
		t.left = append(t.left, m)
	case r.spared[m.id]:
		t.size--
	default:
		t.fresh++
		if m.ready() {
			t.updated++
		}
	}
}

// done says whether the pool is full of members that need not be replaced.
func (t *warmTally) done() bool {
	return len(t.left) == 0 && t.updated >= t.size
}

func (t *warmTally) percent() int32 {
	if t.size <= 0 {
		return 100
	}
	return min(100, 100*t.updated/t.size)
}

// warmSurge is how many members a refresh keeps a warm pool beyond its size.
func (g *group) warmSurge() int32 {
	if g.refresh == nil {
		return 0
	}
	return g.refresh.warmSurge
}

// replaceWarm replaces members of the warm pool within the same percentages,
// of the pool's size, and says whether it did anything.
func (w *World) replaceWarm(g *group, r *refresh, t *warmTally) (moved bool) {
	var bounds refreshTally
	wanted := g.warmWanted()
	bounds.limits(wanted, 1, &r.preferences)
	left := int32(len(t.left)) //nolint:gosec // a handful
	r.warmSurge = min(r.warmSurge, left)
	for _, m := range t.left {
		if more := min(left-r.warmSurge, bounds.ceiling-wanted-r.warmSurge); more > 0 {
			r.warmSurge, moved = r.warmSurge+more, true
		}
		if m.ready() && t.ready <= bounds.floor {
			continue
		}
		if m.ready() {
			t.ready--
		}
		r.warmSurge = max(0, r.warmSurge-1) // its successor is there already
		left--
		w.terminate(g, m, w.refreshCauses(m)...)
		moved = true
	}
	return moved
}

// showWarmProgress tells the progress in the group and in its warm pool apart,
// where it has one.
func showWarmProgress(shown *types.InstanceRefresh, live, left int32, t *warmTally) {
	warmLeft := int32(len(t.left)) //nolint:gosec // a handful
	shown.ProgressDetails = &types.InstanceRefreshProgressDetails{
		LivePoolProgress: &types.InstanceRefreshLivePoolProgress{PercentageComplete: aws.Int32(live), InstancesToUpdate: aws.Int32(left)},
		WarmPoolProgress: &types.InstanceRefreshWarmPoolProgress{PercentageComplete: aws.Int32(t.percent()), InstancesToUpdate: aws.Int32(warmLeft)},
	}
}
