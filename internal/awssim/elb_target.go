package awssim

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// target is one registered target. Its state moves like this:
//
//	unused → initial → healthy ⇄ unhealthy → draining → gone
//
// It is unused while nothing sends the group traffic, while its zone is not
// one of the load balancer's, and while its instance does not run.
type target struct {
	id    string // instance id or address
	port  int32
	zone  string
	state types.TargetHealthStateEnum
	cause types.TargetHealthReasonEnum // "" when healthy
	// cancel stops the transition that is under way; it may be called at any time.
	cancel func()
}

func targetKey(id string, port int32) string { return id + ":" + strconv.Itoa(int(port)) }

// registerTarget registers an instance on the default port of a target group,
// or with a classic load balancer by its name, as Auto Scaling does. One that is registered already stays as it is.
func (w *World) registerTarget(tgARN, instanceID string) error {
	g := w.pool(tgARN)
	if g == nil {
		return notFoundOf(tgARN)
	}
	return w.register(g, []types.TargetDescription{{Id: &instanceID}})
}

// deregisterTarget begins to drain an instance out of a group, on all ports.
// It is gone after the group's deregistration delay; an unused one, at once.
func (w *World) deregisterTarget(tgARN, instanceID string) {
	g := w.pool(tgARN)
	if g == nil {
		return
	}
	for _, t := range g.find(instanceID, nil) {
		w.drain(g, t)
	}
}

// targetState tells an instance's state and reason code in a target group, in
// AWS's words. Not being registered is unused with Target.NotRegistered.
func (w *World) targetState(tgARN, instanceID string) (state, reason string) {
	g := w.pool(tgARN)
	if g == nil {
		return "unused", string(types.TargetHealthReasonEnumNotRegistered)
	}
	if t := g.targets[targetKey(instanceID, deref(g.tg.Port))]; t != nil {
		return string(t.state), string(t.cause)
	}
	if others := g.find(instanceID, nil); len(others) > 0 {
		return string(others[0].state), string(others[0].cause)
	}
	return "unused", string(types.TargetHealthReasonEnumNotRegistered)
}

// find gives a target id's targets on one port or on all, by port.
func (g *targetGroup) find(id string, port *int32) []*target {
	var out []*target
	for _, t := range g.targets {
		if t.id == id && (port == nil || *port == t.port) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *target) int { return int(a.port - b.port) })
	return out
}

// add and remove keep the way back from a target's id to its groups.

func (w *World) addTarget(g *targetGroup, t *target) {
	g.targets[targetKey(t.id, t.port)] = t
	if arn := *g.tg.TargetGroupArn; !slices.Contains(w.elb.registered[t.id], arn) {
		w.elb.registered[t.id] = append(w.elb.registered[t.id], arn)
	}
}

func (w *World) removeTarget(g *targetGroup, t *target) {
	t.cancel()
	delete(g.targets, targetKey(t.id, t.port))
	if len(g.find(t.id, nil)) > 0 {
		return
	}
	left := slices.DeleteFunc(w.elb.registered[t.id], func(arn string) bool { return arn == *g.tg.TargetGroupArn })
	if w.elb.registered[t.id] = left; len(left) == 0 {
		delete(w.elb.registered, t.id)
	}
}

// TargetStates is the ground truth of a target group: each registered target's
// state by id. It is nil for an unknown target group.
func (w *World) TargetStates(tgARN string) map[string]string {
	w.lock()
	defer w.mu.Unlock()
	g := w.elb.targetGroups[tgARN]
	if g == nil {
		return nil
	}
	out := map[string]string{}
	for _, t := range g.targets {
		out[t.id] = string(t.state)
	}
	return out
}

// register adds targets, all of them or none.
func (w *World) register(g *targetGroup, targets []types.TargetDescription) error {
	add := make([]*target, 0, len(targets))
	for _, d := range targets {
		t := &target{id: deref(d.Id), port: deref(g.tg.Port), cancel: func() {}}
		if d.Port != nil {
			t.port = *d.Port
		}
		zone, err := w.targetZone(g, t.id)
		if err != nil {
			return err
		}
		t.zone = zone
		add = append(add, t)
	}
	for _, t := range add {
		key := targetKey(t.id, t.port)
		if old := g.targets[key]; old != nil {
			if old.state != types.TargetHealthStateEnumDraining {
				continue
			}
			old.cancel()
		}
		w.addTarget(g, t)
		w.beginChecks(g, t)
	}
	return nil
}

// targetZone checks that something can be a target, and tells its zone.
func (w *World) targetZone(g *targetGroup, id string) (string, error) {
	if g.tg.TargetType == types.TargetTypeEnumIp {
		return w.addressZone(g, id)
	}
	i := w.ec2.instances[id]
	switch {
	case i == nil:
		return "", elbErr("InvalidTarget", "The following targets do not exist: '%s'", id)
	case i.state != "running":
		return "", elbErr("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", id)
	case i.vpcID != deref(g.tg.VpcId):
		return "", elbErr("InvalidTarget", "The following targets are not in the target group VPC '%s': '%s'", deref(g.tg.VpcId), id)
	}
	return i.zone, nil
}

func (w *World) addressZone(g *targetGroup, id string) (string, error) {
	a, err := netip.ParseAddr(id)
	if err != nil {
		return "", elbErr("InvalidTarget", "The IP address '%s' is not a valid IPv4 address", id)
	}
	for _, s := range byID(w.ec2.subnets) {
		if s.vpcID == deref(g.tg.VpcId) && s.cidr.Contains(a) {
			return s.zone, nil
		}
	}
	return "", elbErr("InvalidTarget", "The IP address '%s' is not within the target group VPC", id)
}

// targetInstance is the instance behind a target, or nil.
func (w *World) targetInstance(g *targetGroup, t *target) *instance {
	if g.tg.TargetType != types.TargetTypeEnumIp {
		return w.ec2.instances[t.id]
	}
	for _, i := range byID(w.ec2.instances) {
		if i.privateIP == t.id && i.vpcID == deref(g.tg.VpcId) && i.state == "running" {
			return i
		}
	}
	return nil
}

// beginChecks puts a target that is not draining at the start of its life:
// unused, or initial with a verdict due after the time to healthy.
func (w *World) beginChecks(g *targetGroup, t *target) {
	t.cancel()
	if cause := w.whyUnused(g, t); cause != "" {
		w.moveTarget(g, t, types.TargetHealthStateEnumUnused, cause)
		return
	}
	wait := w.latency.Healthy
	if i := w.targetInstance(g, t); i != nil {
		wait = time.Duration(float64(w.latencyFor(i.group).Healthy) * w.imageBehaviour(i.imageID).BootFactor)
	}
	t.cancel = w.after(wait, func() { w.judge(g, t) })
	w.moveTarget(g, t, types.TargetHealthStateEnumInitial, types.TargetHealthReasonEnumRegistrationInProgress)
}

// judge gives a target the state its instance deserves.
func (w *World) judge(g *targetGroup, t *target) {
	if i := w.targetInstance(g, t); i != nil && (i.impaired || w.imageBehaviour(i.imageID).NeverHealthy) {
		w.moveTarget(g, t, types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumFailedHealthChecks)
		return
	}
	w.moveTarget(g, t, types.TargetHealthStateEnumHealthy, "")
}

// whyUnused is why a group sends a target no traffic, or empty.
func (w *World) whyUnused(g *targetGroup, t *target) types.TargetHealthReasonEnum {
	if i := w.targetInstance(g, t); i != nil && i.state != "running" {
		return types.TargetHealthReasonEnumInvalidState
	}
	if zones, ok := w.classicZones(g); ok {
		if slices.Contains(zones, t.zone) {
			return ""
		}
		return types.TargetHealthReasonEnumNotInUse
	}
	for _, lb := range w.balancersOf(g) {
		if slices.Contains(lb.zones(w), t.zone) {
			return ""
		}
	}
	return types.TargetHealthReasonEnumNotInUse
}

// moveTarget sets a state and tells Auto Scaling when it is a new one.
func (w *World) moveTarget(g *targetGroup, t *target, state types.TargetHealthStateEnum, cause types.TargetHealthReasonEnum) {
	if t.state == state && t.cause == cause {
		return
	}
	t.state, t.cause = state, cause
	w.targetChanged(*g.tg.TargetGroupArn, t.id)
}

// drain takes a target out of a group.
func (w *World) drain(g *targetGroup, t *target) {
	if t.state == types.TargetHealthStateEnumDraining {
		return
	}
	t.cancel()
	gone := func() {
		w.removeTarget(g, t)
		w.targetChanged(*g.tg.TargetGroupArn, t.id)
	}
	if t.state == types.TargetHealthStateEnumUnused {
		gone()
		return
	}
	seconds, err := strconv.Atoi(g.attributes[drainAttribute])
	if err != nil {
		seconds = 300 // attributes are checked when they are set
	}
	t.cancel = w.after(time.Duration(seconds)*time.Second, gone)
	w.moveTarget(g, t, types.TargetHealthStateEnumDraining, types.TargetHealthReasonEnumDeregistrationInProgress)
}

// elbInstanceChanged takes note that an instance broke or ends. A terminated
// instance is no longer registered anywhere.
func (w *World) elbInstanceChanged(i *instance) {
	for _, id := range []string{i.id, i.privateIP} {
		for _, arn := range slices.Clone(w.elb.registered[id]) {
			g := w.pool(arn)
			if g == nil || id == i.privateIP && deref(g.tg.VpcId) != i.vpcID {
				continue
			}
			for _, t := range g.find(id, nil) {
				w.followInstance(g, t, i)
			}
		}
	}
}

func (w *World) followInstance(g *targetGroup, t *target, i *instance) {
	switch {
	case i.state == "terminated":
		w.removeTarget(g, t)
		w.targetChanged(*g.tg.TargetGroupArn, t.id)
	case t.state == types.TargetHealthStateEnumDraining:
	case i.state != "running":
		t.cancel()
		w.moveTarget(g, t, types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumInvalidState)
	case i.impaired && t.state == types.TargetHealthStateEnumHealthy:
		t.cancel()
		t.cancel = w.after(w.latencyFor(i.group).Unhealthy, func() { w.judge(g, t) })
	}
}

// reviewTargets begins or ends the use of targets after a listener or a load
// balancer's subnets changed.
func (w *World) reviewTargets() {
	for _, g := range byID(w.elb.targetGroups) {
		for _, t := range byID(g.targets) {
			idle := w.whyUnused(g, t) != ""
			switch {
			case t.state == types.TargetHealthStateEnumDraining:
			case idle != (t.state == types.TargetHealthStateEnumUnused):
				w.beginChecks(g, t)
			}
		}
	}
}

// FlapTargetGroup makes every target of a group change between unhealthy and
// its true state, each for half a period, a number of times. An unknown target
// group is ignored.
func (w *World) FlapTargetGroup(tgARN string, period time.Duration, times int) {
	w.lock()
	defer w.mu.Unlock()
	w.flap(tgARN, period, times)
}

func (w *World) flap(tgARN string, period time.Duration, times int) {
	g := w.pool(tgARN)
	if g == nil || times <= 0 {
		return
	}
	for _, t := range byID(g.targets) {
		if t.state == types.TargetHealthStateEnumHealthy {
			w.moveTarget(g, t, types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumTimeout)
		}
	}
	w.after(period/2, func() {
		for _, t := range byID(g.targets) {
			if t.state == types.TargetHealthStateEnumUnhealthy {
				w.judge(g, t)
			}
		}
	})
	w.after(period, func() { w.flap(tgARN, period, times-1) })
}

func registerTargets(w *World, in *elb.RegisterTargetsInput) (*elb.RegisterTargetsOutput, error) {
	g, err := w.findTargetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	if len(in.Targets) == 0 {
		return nil, elbMissing("Targets")
	}
	if err := w.register(g, in.Targets); err != nil {
		return nil, err
	}
	return &elb.RegisterTargetsOutput{}, nil
}

func deregisterTargets(w *World, in *elb.DeregisterTargetsInput) (*elb.DeregisterTargetsOutput, error) {
	g, err := w.findTargetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	if len(in.Targets) == 0 {
		return nil, elbMissing("Targets")
	}
	for _, d := range in.Targets {
		for _, t := range g.find(deref(d.Id), d.Port) {
			w.drain(g, t)
		}
	}
	return &elb.DeregisterTargetsOutput{}, nil
}

// reasonTexts are what AWS says of each reason.
var reasonTexts = map[types.TargetHealthReasonEnum]string{
	types.TargetHealthReasonEnumRegistrationInProgress:   "Target registration is in progress",
	types.TargetHealthReasonEnumFailedHealthChecks:       "Health checks failed",
	types.TargetHealthReasonEnumTimeout:                  "Request timed out",
	types.TargetHealthReasonEnumNotRegistered:            "Target is not registered to the target group",
	types.TargetHealthReasonEnumNotInUse:                 "Target group is not configured to receive traffic from the load balancer",
	types.TargetHealthReasonEnumDeregistrationInProgress: "Target deregistration is in progress",
	types.TargetHealthReasonEnumInvalidState:             "Target is in the terminated or stopped state",
}

func describeTargetHealth(w *World, in *elb.DescribeTargetHealthInput) (*elb.DescribeTargetHealthOutput, error) {
	g, err := w.findTargetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	all := byID(g.targets)
	if len(in.Targets) > 0 {
		all = nil
		for _, d := range in.Targets {
			all = append(all, g.asked(d)...)
		}
	}
	port := deref(g.tg.HealthCheckPort)
	anomalies := slices.ContainsFunc(in.Include, func(i types.DescribeTargetHealthInputIncludeEnum) bool {
		return strings.EqualFold(string(i), "All") || i == types.DescribeTargetHealthInputIncludeEnumAnomaly
	})
	out := &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: []types.TargetHealthDescription{}}
	for _, t := range all {
		d := types.TargetHealthDescription{
			Target: &types.TargetDescription{Id: &t.id, Port: &t.port}, HealthCheckPort: &port,
			TargetHealth: &types.TargetHealth{State: t.state, Reason: t.cause},
		}
		if port == "traffic-port" {
			d.HealthCheckPort = ptr(strconv.Itoa(int(t.port)))
		}
		if text := reasonTexts[t.cause]; text != "" {
			d.TargetHealth.Description = &text
		}
		if g.tg.TargetType == types.TargetTypeEnumIp {
			d.Target.AvailabilityZone = &t.zone
		}
		if anomalies {
			d.AnomalyDetection = &types.AnomalyDetection{Result: types.AnomalyResultEnumNormal, MitigationInEffect: types.MitigationInEffectEnumNo}
		}
		out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, d)
	}
	return out, nil
}

// asked finds the targets a description means; one that is not registered is
// answered too, as unused.
func (g *targetGroup) asked(d types.TargetDescription) []*target {
	if found := g.find(deref(d.Id), d.Port); len(found) > 0 {
		return found
	}
	port := deref(g.tg.Port)
	if d.Port != nil {
		port = *d.Port
	}
	return []*target{{
		id: deref(d.Id), port: port,
		state: types.TargetHealthStateEnumUnused, cause: types.TargetHealthReasonEnumNotRegistered,
	}}
}
