package awssim

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// warmPrefix begins the states of members that are in the warm pool.
const warmPrefix = "Warmed:"

// warm says whether a member is in the warm pool.
func (m *member) warm() bool { return strings.HasPrefix(string(m.lifecycle), warmPrefix) }

// in is a state as a member of the group or of its warm pool has it.
func (m *member) in(state types.LifecycleState) types.LifecycleState {
	if m.warm() {
		return warmPrefix + state
	}
	return state
}

// ready says whether a member can be drawn from the warm pool.
func (m *member) ready() bool {
	return slices.Contains([]types.LifecycleState{
		types.LifecycleStateWarmedStopped, types.LifecycleStateWarmedRunning, types.LifecycleStateWarmedHibernated,
	}, m.lifecycle)
}

// warmPool is the group's warm pool, nil when it has none that lasts.
func (g *group) warmPool() *types.WarmPoolConfiguration {
	if p := g.as.WarmPoolConfiguration; p != nil && p.Status == "" && !g.deleting {
		return p
	}
	return nil
}

// warmWanted is how many members the warm pool should hold.
func (g *group) warmWanted() int32 {
	p := g.warmPool()
	if p == nil {
		return 0
	}
	prepared := g.max()
	if p.MaxGroupPreparedCapacity != nil {
		prepared = *p.MaxGroupPreparedCapacity
	}
	return max(prepared-g.desired(), aws.ToInt32(p.MinSize), 0)
}

// fillWarm brings a warm pool closer to its size.
func (w *World) fillWarm(g *group) {
	if g.as.WarmPoolConfiguration == nil {
		return
	}
	var pool []*member
	for _, m := range g.members {
		if m.warm() && m.end == nil || m.returning {
			pool = append(pool, m)
		}
	}
	actual, wanted := int32(len(pool)), g.warmWanted()+g.warmSurge() //nolint:gosec // far below
	for ; actual < wanted && g.runs("Launch"); actual++ {
		cause := w.at("an instance was started in response to a difference between desired and actual warm pool capacity, increasing the warm pool capacity from %d to %d", actual, wanted)
		if !w.launchWarm(g, cause) {
			w.lookIn(g, firstLaunchRetry)
			break
		}
	}
	if g.runs("Terminate") {
		pool = slices.DeleteFunc(pool, func(m *member) bool { return m.returning })
		for ; actual > wanted && len(pool) > 0; actual-- {
			m := keepLeast(oldestTemplate(g, pool), w.toNextHour)[0]
			pool = slices.DeleteFunc(pool, func(o *member) bool { return o == m })
			w.terminate(g, m, strings.TrimSuffix(w.at("an instance was taken out of the warm pool in response to a difference between desired and actual warm pool capacity"), ".")+
				shrinking(actual, actual-1))
		}
	}
	w.endWarmPool(g)
}

// launchWarm launches a member into the warm pool, in the zone where the group
// and its pool have the fewest.
func (w *World) launchWarm(g *group, cause string) bool {
	counts := map[string]int{}
	for _, m := range g.members {
		if m.alive() || m.warm() {
			counts[m.zone]++
		}
	}
	zones := slices.Clone(g.as.AvailabilityZones)
	slices.SortStableFunc(zones, func(a, b string) int { return cmp.Compare(counts[a], counts[b]) })
	for _, zone := range zones {
		place := launchPlace{zone: zone, subnet: g.subnetIn(zone), state: types.LifecycleStateWarmedPending}
		_, err := w.launchAt(g, place, cause)
		if err == nil {
			return true
		}
		if !err.elsewhere() {
			return false
		}
	}
	return false
}

// warmLaunched is called when the instance of a member in the warm pool runs:
// after its launch hooks it takes the pool's state.
func (w *World) warmLaunched(g *group, m *member) {
	w.waitForHooks(g, m, hookLaunching, hooksWait{
		proceed: types.LifecycleStateWarmedPendingProceed,
		then: func(abandoned string) {
			if abandoned != "" {
				w.abandonLaunch(g, m, abandoned)
				return
			}
			w.warmUp(g, m)
		},
	}, types.LifecycleStateWarmedPendingWait)
}

// warmUp gives a member the state of its pool, which for one that is stopped
// takes a while.
func (w *World) warmUp(g *group, m *member) {
	m.lifecycle = types.LifecycleStateWarmedPending
	p := g.as.WarmPoolConfiguration
	switch {
	case p == nil: // the pool is gone
		w.terminate(g, m, w.at("instance %s was taken out of service because its warm pool was deleted", m.id))
	case p.PoolState == types.WarmPoolStateRunning:
		w.settleWarm(g, m, types.LifecycleStateWarmedRunning)
	default:
		w.stopInstance(m.id)
	}
}

// warmStopped is called when the instance of a member on its way into the pool
// has stopped.
func (w *World) warmStopped(g *group, m *member) {
	state := types.LifecycleStateWarmedStopped
	if p := g.as.WarmPoolConfiguration; p != nil && p.PoolState == types.WarmPoolStateHibernated && w.canHibernate(m) {
		state = types.LifecycleStateWarmedHibernated
	}
	w.settleWarm(g, m, state)
}

func (w *World) settleWarm(g *group, m *member, state types.LifecycleState) {
	m.lifecycle = state
	w.endActivity(m.launch, types.ScalingActivityStatusCodeSuccessful, "")
	w.event(g.name(), "%s in the warm pool, %s", m.id, strings.ToLower(strings.TrimPrefix(string(state), warmPrefix)))
	w.lookSoon(g)
}

// canHibernate says whether the version a member was launched from allows it.
func (w *World) canHibernate(m *member) bool {
	t := w.ec2.templates[m.templateID]
	return t != nil && t.versions[m.version] != nil && t.versions[m.version].hibernates()
}

// drawWarm puts a member of the warm pool on its way into service, whatever
// version it was launched from. One that EC2 cannot start is a failed launch.
func (w *World) drawWarm(g *group, causes []string) *member {
	for _, zone := range g.zonesByMembers() {
		for _, m := range slices.Clone(g.members) {
			if m.zone != zone || !m.ready() {
				continue
			}
			stopped := m.lifecycle != types.LifecycleStateWarmedRunning
			m.launch = w.startActivity(g, "Launching a new EC2 instance from warm pool: "+m.id, m, causes...)
			if stopped {
				if fault := w.zoneFault(m.zone, m.instanceType, m.market); fault != nil {
					w.endActivity(m.launch, types.ScalingActivityStatusCodeFailed, fault.Message+" Launching EC2 instance failed.")
					w.terminate(g, m, w.at("instance %s was taken out of the warm pool because it could not be started", m.id))
					continue
				}
			}
			m.launch.status, m.launch.progress = types.ScalingActivityStatusCodePreInService, 30
			m.lifecycle = types.LifecycleStatePending
			m.protected = aws.ToBool(g.as.NewInstancesProtectedFromScaleIn)
			w.event(g.name(), "%s leaves the warm pool, from version %d (%s)", m.id, m.version, w.imageName(m.imageID))
			if stopped {
				w.startStopped(m.id)
			} else {
				w.after(w.latency.React, func() { w.instanceChanged(m.id) }) // it runs already
			}
			return m
		}
	}
	return nil
}

// reuses says whether members that are scaled in go back to the warm pool.
func (g *group) reuses() bool {
	p := g.warmPool()
	return p != nil && p.InstanceReusePolicy != nil && aws.ToBool(p.InstanceReusePolicy.ReuseOnScaleIn)
}

// returnWarm ends the way of a member back to the warm pool: it takes no
// traffic any more and its termination hooks are done.
func (w *World) returnWarm(g *group, m *member) {
	w.endActivity(m.end, types.ScalingActivityStatusCodeSuccessful, "")
	m.returning, m.end, m.launch, m.protected = false, nil, nil, false
	m.lifecycle = types.LifecycleStateWarmedPending
	w.event(g.name(), "%s returns to the warm pool", m.id)
	w.warmUp(g, m)
}

// endWarmPool makes a pool that is being deleted go when its last member has.
func (w *World) endWarmPool(g *group) {
	p := g.as.WarmPoolConfiguration
	if p == nil || p.Status != types.WarmPoolStatusPendingDelete || slices.ContainsFunc(g.members, (*member).warm) {
		return
	}
	g.as.WarmPoolConfiguration = nil
	w.event(g.name(), "warm pool is gone")
}
