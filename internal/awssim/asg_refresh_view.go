package awssim

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// showRefresh brings what describes show of a group's refresh up to date.
func (w *World) showRefresh(g *group) {
	r := g.refresh
	if r == nil {
		return
	}
	shown := g.refreshes[0]
	shown.Status, shown.StatusReason = r.status, nil
	if r.reason != "" {
		shown.StatusReason = aws.String(r.reason)
	}
	if r.status != types.InstanceRefreshStatusPending && r.status != types.InstanceRefreshStatusCancelling {
		t := w.tally(g, r)
		percent, left := t.progress(r)
		if g.warmPool() != nil {
			showWarmProgress(&shown, percent, left, &t.warm)
			percent, left = t.together(r, percent, left)
		}
		shown.PercentageComplete, shown.InstancesToUpdate = aws.Int32(percent), aws.Int32(left)
	}
	g.refreshes[0] = shown
}

// progress is how much of a refresh is done, and how many members of the group
// it has yet to take up. A member counts as done when its successor is warm, and
// as taken up when that is launched. On the way back both run backwards: to
// 0 %, and to as many as are not updated.
func (t *refreshTally) progress(r *refresh) (percent, left int32) {
	if r.back() {
		if t.size == 0 {
			return 0, t.fresh
		}
		return min(100, 100*min(t.leftUnits, t.size)/t.size), t.fresh
	}
	for _, m := range append(t.left, t.waiting...) {
		left += m.weight
	}
	return t.percent(), max(0, left-r.surge)
}

// together adds the warm pool's progress to the group's.
func (t *refreshTally) together(r *refresh, percent, left int32) (int32, int32) {
	size, warmLeft := t.size+max(0, t.warm.size), int32(len(t.warm.left)) //nolint:gosec // a handful
	switch {
	case size == 0:
		return percent, left
	case r.back():
		return min(100, 100*(t.leftUnits+warmLeft)/size), left + t.warm.fresh
	default:
		return min(100, 100*(t.updated+t.warm.updated)/size), left + warmLeft
	}
}

// refreshReason is the status reason of a refresh, where there is one.
func (w *World) refreshReason(g *group, r *refresh, t *refreshTally) string {
	const waiting = "Waiting for remaining instances to be available. For example: "
	switch {
	case w.now.Before(r.waitUntil):
		return "Waiting at a checkpoint until " + r.waitUntil.UTC().Format(time.RFC3339) + " before continuing."
	case w.refreshAlarm(r).state != "":
		return "Waiting for the CloudWatch alarm " + w.refreshAlarm(r).name + " to have sufficient data."
	case t.unfit != nil && !r.stale[t.unfit.id]:
		return waiting + w.unfitReason(t.unfit)
	case t.warming != nil:
		return "Waiting for instances to warm up before continuing. For example: " + t.warming.id + " is warming up."
	case t.owed > 0 && g.failures > 0:
		return "Waiting for instances to launch. See the scaling activities for the reason of the last failure."
	case t.unfit != nil:
		return waiting + w.unfitReason(t.unfit)
	case len(t.left) == 0 && len(t.waiting) > 0 && t.waiting[0].lifecycle == types.LifecycleStateStandby:
		return waiting + t.waiting[0].id + " is in Standby. Return it to service to continue."
	case len(t.left) == 0 && len(t.waiting) > 0:
		return waiting + t.waiting[0].id + " is protected. Remove instance scale-in protection to continue."
	default:
		return ""
	}
}

func (w *World) unfitReason(m *member) string {
	by := w.unfitBy(m)
	switch {
	case m.lifecycle != types.LifecycleStateInService:
		return m.id + " is " + string(m.lifecycle) + "."
	case m.health != "Healthy":
		return m.id + " is unhealthy."
	case by == "":
		by = "Elastic Load Balancing"
	}
	return m.id + " has insufficient data to evaluate its health with " + by + "."
}

// endRefresh ends a refresh. Members it kept beyond the desired capacity are
// the group's to end, by its termination policies: AWS does not say that it
// spares the new ones.
func (w *World) endRefresh(g *group, status types.InstanceRefreshStatus, reason string) {
	w.showRefresh(g)
	shown := &g.refreshes[0]
	shown.Status, shown.StatusReason, shown.EndTime = status, nil, aws.Time(w.now)
	if reason != "" {
		shown.StatusReason = aws.String(reason)
	}
	g.refresh = nil
	w.event(g.name(), "instance refresh ended: %s", status)
	w.lookSoon(g)
}
