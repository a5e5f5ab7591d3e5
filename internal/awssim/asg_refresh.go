package awssim

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// An instance refresh replaces the members of a group. It has three parts:
// what can be asked for (asg_refresh_input.go), what it does when
// (asg_refresh_step.go) and what it tells (asg_refresh_view.go). It launches
// and ends members by the same code as the group itself: see [World.look].

const (
	// refreshPatience is how long a refresh that cannot go on tries to.
	refreshPatience = time.Hour
	// refreshLongest is how long a refresh may take altogether.
	refreshLongest = 14 * 24 * time.Hour
	// refreshMemory is how long a refresh that ended can be described.
	refreshMemory = 6 * 7 * 24 * time.Hour
	// refreshBeat is how often Auto Scaling looks at a refresh that waits for
	// something that nobody tells it of, such as a protection that ends.
	refreshBeat = time.Minute
)

// refresh is an instance refresh that has not ended. What describes show is
// the first of its group's refreshes.
type refresh struct {
	status      types.InstanceRefreshStatus
	reason      string
	preferences types.RefreshPreferences
	desired     *types.DesiredConfiguration // nil: replace with what the group points at
	started     time.Time
	// first are the members at the start: what is not among them was launched since.
	first map[string]bool
	// stale are the members to replace. Members that are left alone, because
	// they match or are ignored, are in spared.
	stale, spared map[string]bool
	// surge is how far beyond the desired capacity the group is kept, for
	// members whose successors were launched first.
	surge int32
	// warmSurge is the same of the warm pool.
	warmSurge int32
	// launching is how many launches are due to the refresh.
	launching int32
	// aside is set for a launch that has nothing to do with the refresh.
	aside bool

	size, passed int32     // size at the last look, and checkpoints passed
	waitUntil    time.Time // a checkpoint or the bake time ends
	wait         bool      // a cancellation waits for launches and terminations

	best         int32         // most units updated so far
	stalled      time.Duration // without progress until stalledSince
	stalledSince time.Time     // zero while time does not count
}

// rolling says whether members are being replaced.
func (r *refresh) rolling() bool {
	return r.status == types.InstanceRefreshStatusInProgress || r.back()
}

// back says whether the refresh is being rolled back.
func (r *refresh) back() bool { return r.status == types.InstanceRefreshStatusRollbackInProgress }

// surge is how many units a refresh keeps the group beyond its desired capacity.
func (g *group) surge() int32 {
	if g.refresh == nil {
		return 0
	}
	return g.refresh.surge
}

// stayingCounts counts the members of each zone that a refresh does not replace,
// so that it leaves them spread as evenly as the group was. There are none
// without a refresh.
func (g *group) stayingCounts() map[string]int {
	counts := map[string]int{}
	if g.refresh != nil && g.refresh.rolling() {
		for _, m := range g.members {
			if m.alive() && !g.refresh.stale[m.id] {
				counts[m.zone]++
			}
		}
	}
	return counts
}

// refreshOwes says whether the next launch is the refresh's.
func (g *group) refreshOwes() bool { return g.refresh != nil && g.refresh.launching > 0 }

// underRefresh makes the group point at what its refresh launches, for the
// time of one launch. The function it returns undoes this.
//
// A launch that only follows from a higher desired capacity takes the desired
// configuration too, as documented, unless the world says otherwise: see
// [World.SetRefreshScaleOut]. Rolling back, all launches take the group's own
// configuration.
func (g *group) underRefresh() (undo func()) {
	r := g.refresh
	if r == nil || r.desired == nil || r.back() || r.aside || r.status == types.InstanceRefreshStatusPending {
		return func() {}
	}
	own := g.as
	g.as.LaunchTemplate, g.as.MixedInstancesPolicy = r.desired.LaunchTemplate, r.desired.MixedInstancesPolicy
	return func() { g.as.LaunchTemplate, g.as.MixedInstancesPolicy = own.LaunchTemplate, own.MixedInstancesPolicy }
}

// SetRefreshScaleOut says what a scale-out launches while an instance refresh
// with a desired configuration runs: that configuration, as AWS documents
// (false, the default), or the group's own, old one (true). Members of the old
// one that come so are not replaced by the refresh, which succeeds regardless.
func (w *World) SetRefreshScaleOut(old bool) {
	w.lock()
	defer w.mu.Unlock()
	w.asg.scaleOutOld = old
}

// launchAside notes whether the next launch has nothing to do with a refresh.
func (w *World) launchAside(g *group, aside bool) {
	if g.refresh != nil {
		g.refresh.aside = aside && w.asg.scaleOutOld
	}
}

func startInstanceRefresh(w *World, in *autoscaling.StartInstanceRefreshInput) (*autoscaling.StartInstanceRefreshOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	switch {
	case g.deleting:
		return nil, pendingUpdate()
	case g.refresh != nil:
		return nil, &Error{Code: "InstanceRefreshInProgress", Message: "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."}
	}
	if err := checkStrategy(in.Strategy); err != nil {
		return nil, err
	}
	desired, err := w.desiredConfiguration(in.DesiredConfiguration)
	if err != nil {
		return nil, err
	}
	preferences, err := w.refreshPreferences(g, in.Preferences, desired)
	if err != nil {
		return nil, err
	}
	r := &refresh{
		status: types.InstanceRefreshStatusPending, preferences: *preferences, desired: desired, started: w.now,
		first: map[string]bool{}, stale: map[string]bool{}, spared: map[string]bool{},
	}
	for _, m := range g.members {
		r.first[m.id] = true
	}
	id := aws.String(w.newUUID())
	g.refresh = r
	g.refreshes = append([]types.InstanceRefresh{{
		AutoScalingGroupName: g.as.AutoScalingGroupName, InstanceRefreshId: id, Status: r.status, StartTime: aws.Time(w.now),
		Strategy: types.RefreshStrategyRolling, DesiredConfiguration: desired, Preferences: preferences,
		PercentageComplete: aws.Int32(0), InstancesToUpdate: aws.Int32(0),
	}}, g.refreshes...)
	w.event(g.name(), "instance refresh %s begins", *id)
	w.after(refreshLongest, func() {
		if g.refresh == r && r.rolling() {
			w.failRefresh(g, "The instance refresh did not complete within 14 days.")
		}
	})
	w.lookSoon(g)
	return &autoscaling.StartInstanceRefreshOutput{InstanceRefreshId: id}, nil
}

// pendingUpdate is how Auto Scaling refuses while another change is under way.
func pendingUpdate() *Error {
	return &Error{Status: 500, Code: "ResourceContention", Message: "You already have a pending update to an Auto Scaling resource."}
}

func noRefresh(g *group, states string) *Error {
	return &Error{Code: "ActiveInstanceRefreshNotFound", Message: "No " + states + " Instance Refresh found for Auto Scaling group " + g.name() + "."}
}

func cancelInstanceRefresh(w *World, in *autoscaling.CancelInstanceRefreshInput) (*autoscaling.CancelInstanceRefreshOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	r := g.refresh
	if r == nil {
		return nil, noRefresh(g, "in progress, baking, pending, or cancelling")
	}
	// Cancelling once more is no error, and may end the wait.
	r.wait = in.WaitForTransitioningInstances == nil || *in.WaitForTransitioningInstances
	if r.status != types.InstanceRefreshStatusCancelling {
		r.status, r.reason = types.InstanceRefreshStatusCancelling, "Cancelling due to user request."
		w.event(g.name(), "instance refresh is being cancelled")
	}
	if !r.wait {
		w.endRefresh(g, types.InstanceRefreshStatusCancelled, "Cancelled without waiting for ongoing instance launches and terminations due to user request.")
	}
	w.showRefresh(g)
	w.lookSoon(g)
	return &autoscaling.CancelInstanceRefreshOutput{InstanceRefreshId: g.refreshes[0].InstanceRefreshId}, nil
}

func rollbackInstanceRefresh(w *World, in *autoscaling.RollbackInstanceRefreshInput) (*autoscaling.RollbackInstanceRefreshOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	r := g.refresh
	// A refresh that has not begun, or is on its way back or out, is not in
	// progress.
	if r == nil || r.status != types.InstanceRefreshStatusInProgress && r.status != types.InstanceRefreshStatusBaking {
		return nil, noRefresh(g, "in progress or baking")
	}
	if why := w.irreversible(g, r.desired); why != "" {
		return nil, &Error{Code: "IrreversibleInstanceRefresh", Message: "The instance refresh cannot be rolled back: " + why}
	}
	w.rollBack(g, "Rollback triggered due to user request.")
	w.lookSoon(g)
	return &autoscaling.RollbackInstanceRefreshOutput{InstanceRefreshId: g.refreshes[0].InstanceRefreshId}, nil
}

func describeInstanceRefreshes(w *World, in *autoscaling.DescribeInstanceRefreshesInput) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(slices.Clone(g.refreshes), func(r types.InstanceRefresh) bool {
		return r.EndTime != nil && w.now.Sub(*r.EndTime) > refreshMemory ||
			len(in.InstanceRefreshIds) > 0 && !slices.Contains(in.InstanceRefreshIds, *r.InstanceRefreshId)
	})
	page, next, err := paged(all, in.MaxRecords, in.NextToken, pageSize{50, 100})
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeInstanceRefreshesOutput{InstanceRefreshes: append([]types.InstanceRefresh{}, page...), NextToken: next}, nil
}
