package awssim

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	// firstLaunchRetry and lastLaunchRetry bound the growing pause after
	// launches that failed.
	firstLaunchRetry = 30 * time.Second
	lastLaunchRetry  = 15 * time.Minute
	// rebalanceAfter is how long zones stay uneven before AZRebalance acts.
	rebalanceAfter = time.Minute

	terminating = "Terminating EC2 instance: "
)

// lookSoon lets Auto Scaling look at a group after its reaction time.
func (w *World) lookSoon(g *group) { w.lookIn(g, w.latency.React) }

// lookIn lets Auto Scaling look at a group no later than d from now.
func (w *World) lookIn(g *group, d time.Duration) {
	at := w.now.Add(d)
	if g.looking && !g.lookAt.After(at) {
		return
	}
	if g.looking {
		g.cancelLook()
	}
	g.looking, g.lookAt = true, at
	g.cancelLook = w.after(d, func() {
		g.looking = false
		w.look(g)
	})
}

// look brings a group closer to what it should be: members that are unhealthy
// are replaced, then the number of members, then their spread over zones.
func (w *World) look(g *group) {
	if g.gone {
		return
	}
	w.replaceUnhealthy(g)
	w.replaceOld(g)
	w.followRisk(g)
	w.stepRefresh(g)
	actual := g.actual()
	wanted := g.desired() + g.early() + g.surge()
	if m := g.rebalancing; m != nil {
		if m.pending() {
			wanted += m.weight // it is one too many until it serves
		} else {
			g.rebalancing = nil
		}
	}
	switch {
	case actual < wanted:
		if g.runs("Launch") && !g.deleting {
			w.scaleOut(g, actual, wanted)
		}
	case g.tooMuch(actual - wanted):
		if g.runs("Terminate") {
			w.scaleIn(g, actual, wanted)
		}
	default:
		if g.rebalancing == nil {
			g.causes, g.replacing = nil, 0
		}
		w.rebalance(g)
	}
	w.fillWarm(g)
	w.endGroup(g)
}

// scaleOut launches what a group lacks.
func (w *World) scaleOut(g *group, actual, wanted int32) {
	if w.now.Before(g.retryAt) {
		w.lookIn(g, g.retryAt.Sub(w.now))
		return
	}
	defer w.launchAside(g, false)
	causes := slices.Clone(g.causes)
	started := w.at("an instance was started in response to a difference between desired and actual capacity, increasing the capacity from %d to %d", actual, wanted)
	replaced := w.at("an instance was launched in response to an unhealthy instance needing to be replaced")
	for actual < wanted {
		why := append(slices.Clone(causes), started)
		owes := g.refreshOwes()
		w.launchAside(g, g.replacing == 0 && !owes)
		switch {
		case g.replacing > 0:
			g.replacing--
			why = []string{replaced}
		case owes:
			why = []string{w.at(causeRefreshed)}
		}
		var m *member
		if !owes { // a refresh replaces by new instances
			m = w.drawWarm(g, why)
		}
		if m == nil {
			m = w.launchSomewhere(g, why)
		}
		if m == nil {
			pause := min(firstLaunchRetry<<min(g.failures, 10), lastLaunchRetry)
			g.failures++
			g.retryAt = w.now.Add(pause)
			w.lookIn(g, pause)
			return
		}
		g.failures = 0
		actual += m.weight
		if owes {
			g.refresh.launching -= m.weight
		}
	}
	g.causes = nil
}

// launchSomewhere launches a member in the emptiest zone, or in the next one
// where a zone has no room. Without the member, it could not.
func (w *World) launchSomewhere(g *group, causes []string) *member {
	for _, zone := range g.launchZones() {
		m, err := w.launchMember(g, zone, g.subnetIn(zone), causes...)
		if err == nil {
			return m
		}
		if !err.elsewhere() {
			return nil
		}
	}
	return nil
}

// elsewhere says whether a launch that failed may succeed in another zone.
func (e *Error) elsewhere() bool {
	return e.otherType() || e.Code == "InsufficientFreeAddressesInSubnet"
}

// otherType says whether a launch that failed may succeed with another type.
func (e *Error) otherType() bool {
	return e.Code == "InsufficientInstanceCapacity" || e.Code == "Unsupported"
}

// launchMember launches one member of the group itself.
func (w *World) launchMember(g *group, zone, subnet string, causes ...string) (*member, *Error) {
	return w.launchAt(g, launchPlace{zone: zone, subnet: subnet, state: types.LifecycleStatePending}, causes...)
}

// launchPlace is where a member is launched, and the state it begins in.
type launchPlace struct {
	zone, subnet string
	state        types.LifecycleState
}

// launchAt launches one member, with its activity, which fails when the launch
// does: where the group has several types, when it does with each.
func (w *World) launchAt(g *group, at launchPlace, causes ...string) (*member, *Error) {
	defer g.underRefresh()()
	zone := at.zone
	m := &member{
		zone: zone, subnet: at.subnet, lifecycle: at.state, health: "Healthy",
		protected: aws.ToBool(g.as.NewInstancesProtectedFromScaleIn), launchedAt: w.now,
	}
	var i *instance
	var failed *Error
	for _, p := range w.purchases(g, zone) {
		if i, failed = w.startInstance(g, m, p); failed == nil || !failed.otherType() {
			break
		}
	}
	if failed != nil {
		a := w.startActivity(g, "Launching a new EC2 instance.  Status Reason: "+failed.Message+" Launching EC2 instance failed.", m, causes...)
		w.endActivity(a, types.ScalingActivityStatusCodeFailed, failed.Message+" Launching EC2 instance failed.")
		w.event(g.name(), "launch failed in %s: %s", zone, failed.Code)
		return nil, failed
	}
	m.id, m.imageID, m.instanceType, m.market = i.id, i.imageID, i.instanceType, i.market
	where := "Launching a new EC2 instance: "
	if m.warm() {
		where = "Launching a new EC2 instance into warm pool: "
	}
	m.launch = w.startActivity(g, where+i.id, m, causes...)
	m.launch.status, m.launch.progress = types.ScalingActivityStatusCodePreInService, 30
	g.members = append(g.members, m)
	g.byID[m.id] = m
	w.asg.memberOf[m.id] = g
	w.event(g.name(), "%s launched in %s from version %d (%s)%s", m.id, zone, m.version, w.imageName(m.imageID), m.note(g))
	return m, nil
}

// imageName is what people know an image by.
func (w *World) imageName(id string) string {
	if i := w.ec2.images[id]; i != nil {
		return i.Name
	}
	return id
}

// startInstance asks EC2 for a member's instance, bought in one way.
func (w *World) startInstance(g *group, m *member, p purchase) (*instance, *Error) {
	spec := g.pointer()
	request := runRequest{zone: m.zone, subnetID: m.subnet, group: g.name(), market: p.market}
	m.weight, m.weighted, m.ownImage = p.weight(), false, false
	if o := p.override; o != nil {
		if o.LaunchTemplateSpecification != nil {
			spec = o.LaunchTemplateSpecification
		}
		request.instanceType, request.imageID = aws.ToString(o.InstanceType), aws.ToString(o.ImageId)
		m.weighted, m.ownImage = o.WeightedCapacity != nil, request.imageID != ""
	}
	template, err := w.resolveTemplate(aws.ToString(spec.LaunchTemplateId), aws.ToString(spec.Version))
	if err != nil {
		return nil, asError(err)
	}
	m.templateID, m.templateName, m.version = template.templateID, template.templateName, template.number
	request.template = template
	if fault := w.groupFault(request); fault != nil {
		return nil, fault
	}
	tags := map[string]string{"aws:autoscaling:groupName": g.name()}
	for _, t := range g.tags {
		if aws.ToBool(t.PropagateAtLaunch) {
			tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	request.tags = tags
	i, err := w.runInstance(request)
	if err != nil {
		return nil, asError(err)
	}
	return i, nil
}

// enterService makes a member whose instance runs part of the service.
func (w *World) enterService(g *group, m *member) {
	m.lifecycle, m.inServiceAt = types.LifecycleStateInService, w.now
	w.endActivity(m.launch, types.ScalingActivityStatusCodeSuccessful, "")
	w.event(g.name(), "%s in service", m.id)
	if g.runs("AddToLoadBalancer") {
		for _, tg := range g.traffic() {
			_ = w.registerTarget(tg, m.id) // a target group that was deleted takes nobody
		}
	}
	grace := time.Duration(aws.ToInt32(g.as.HealthCheckGracePeriod)) * time.Second
	w.after(grace, func() { w.checkHealth(g, m) })
	w.lookSoon(g)
}

// terminate begins the end of a member: its load balancers let go of it, then
// its instance ends. A member that is ending already gets no second activity.
func (w *World) terminate(g *group, m *member, causes ...string) {
	if m.end != nil {
		return
	}
	retained := m.retained()
	served := m.lifecycle == types.LifecycleStateInService
	m.lifecycle, m.wait = m.in(types.LifecycleStateTerminating), nil
	w.endActivity(m.launch, types.ScalingActivityStatusCodeCancelled, "")
	w.endActivity(m.standby, types.ScalingActivityStatusCodeCancelled, "")
	m.end = w.startActivity(g, terminating+m.id, m, causes...)
	w.event(g.name(), "%s terminating", m.id)
	switch {
	case retained: // its hooks are over
		w.endForGood(g, m)
		return
	case m.draining != nil: // it was on its way into standby
	case served:
		if len(g.traffic()) > 0 {
			m.end.status, m.end.progress = types.ScalingActivityStatusCodeWaitingForELBConnectionDraining, 50
			m.end.description += " - Waiting For ELB Connection Draining."
		}
		w.leaveTargetGroups(g, m)
		return
	default:
		m.draining = map[string]bool{}
	}
	w.endWhenDrained(g, m)
}

// leaveTargetGroups begins to drain a member. What comes then happens when it
// is drained, which may be at once.
func (w *World) leaveTargetGroups(g *group, m *member) {
	m.draining = make(map[string]bool, len(g.traffic()))
	for _, tg := range g.traffic() {
		m.draining[tg] = true
	}
	for _, tg := range g.traffic() {
		w.deregisterTarget(tg, m.id)
		w.drained(g, m, tg)
	}
	w.endWhenDrained(g, m)
}

// drained takes note that a target group let go of a member, if it did.
func (w *World) drained(g *group, m *member, tg string) {
	if !m.draining[tg] {
		return
	}
	if state, _ := w.targetState(tg, m.id); state == "draining" || state == "unhealthy.draining" {
		return
	}
	delete(m.draining, tg)
	w.endWhenDrained(g, m)
}

func (w *World) endWhenDrained(g *group, m *member) {
	if len(m.draining) > 0 || m.draining == nil {
		return
	}
	if m.end == nil {
		w.standBy(g, m)
		return
	}
	m.draining = nil // so that this happens once
	w.endAfterHooks(g, m)
}

// remove takes a member whose instance is terminated off its group.
func (w *World) remove(g *group, m *member) {
	if g.byID[m.id] == nil {
		return
	}
	w.endActivity(m.end, types.ScalingActivityStatusCodeSuccessful, "")
	delete(g.byID, m.id)
	delete(w.asg.memberOf, m.id)
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	w.event(g.name(), "%s terminated", m.id)
	w.lookSoon(g)
}
