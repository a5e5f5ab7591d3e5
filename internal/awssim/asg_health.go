package awssim

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// instanceChanged is called by EC2 when an instance's state changes, or
// whether it passes its status checks.
func (w *World) instanceChanged(id string) {
	g := w.asg.memberOf[id]
	if g == nil {
		return
	}
	m, i := g.byID[id], w.ec2.instances[id]
	switch {
	case i == nil || i.state == "terminated":
		if m.wait != nil && m.end != nil {
			return // its termination hooks have to be completed all the same
		}
		if m.draining == nil && (m.end != nil || m.lifecycle == types.LifecycleStateStandby || m.retained()) {
			w.remove(g, m)
			return
		}
		if m.warm() {
			w.terminate(g, m, w.at("%s", causeEnded))
			return
		}
		w.checkHealth(g, m)
	case i.state == "running" && m.lifecycle == types.LifecycleStatePending:
		w.launched(g, m)
	case i.state == "running" && m.lifecycle == types.LifecycleStateWarmedPending:
		w.warmLaunched(g, m)
	case i.state == "stopped" && m.lifecycle == types.LifecycleStateWarmedPending:
		w.warmStopped(g, m)
	case i.state == "running" && i.impaired && m.lifecycle == types.LifecycleStateWarmedRunning:
		w.terminate(g, m, w.at("%s", causeImpaired))
		w.lookSoon(g)
	default:
		w.checkHealth(g, m)
	}
}

// targetChanged is called by Elastic Load Balancing when a target's state
// changes.
func (w *World) targetChanged(tgARN, instanceID string) {
	g := w.asg.memberOf[instanceID]
	if g == nil {
		return
	}
	m := g.byID[instanceID]
	state, _ := w.targetState(tgARN, instanceID)
	switch state {
	case "healthy", "unhealthy", "draining":
		w.event(g.name(), "%s %s in %s", instanceID, state, targetGroupName(tgARN))
	default:
	}
	if m.draining != nil {
		w.drained(g, m, tgARN)
		return
	}
	w.checkHealth(g, m)
	if g.early() > 0 || g.refresh != nil { // a successor may be healthy now
		w.lookSoon(g)
	}
}

// targetGroupName is the name in a target group's ARN.
func targetGroupName(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) > 1 {
		return parts[1]
	}
	return arn
}

const (
	causeEnded    = "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped"
	causeImpaired = "an instance was taken out of service in response to an EC2 instance status checks failure"
	causeELB      = "an instance was taken out of service in response to an ELB system health check failure"
	causeUser     = "an instance was taken out of service in response to a user health-check"
)

// checkHealth judges a member, and marks it for replacement when it fails.
func (w *World) checkHealth(g *group, m *member) {
	if !m.alive() || m.health == "Unhealthy" || !g.runs("HealthCheck") {
		return
	}
	if cause := w.sickness(g, m); cause != "" {
		w.markUnhealthy(g, m, cause)
	}
}

// sickness is why a member is unhealthy, or empty.
func (w *World) sickness(g *group, m *member) string {
	i := w.ec2.instances[m.id]
	if i == nil || i.state != "running" && i.state != "pending" {
		return causeEnded // the grace period does not cover an instance that is gone
	}
	if m.lifecycle != types.LifecycleStateInService || w.inGrace(g, m) {
		return ""
	}
	if w.fails(i, "instance") || w.fails(i, "system") { // the volumes' check is another health check type, not modelled
		return causeImpaired
	}
	if strings.Contains(aws.ToString(g.as.HealthCheckType), "ELB") {
		for _, tg := range g.traffic() {
			if state, _ := w.targetState(tg, m.id); state == "unhealthy" {
				return causeELB
			}
		}
	}
	return ""
}

func (w *World) inGrace(g *group, m *member) bool {
	return w.now.Before(m.inServiceAt.Add(time.Duration(aws.ToInt32(g.as.HealthCheckGracePeriod)) * time.Second))
}

func (w *World) markUnhealthy(g *group, m *member, cause string) {
	m.health, m.unhealthyCause = "Unhealthy", cause
	w.event(g.name(), "%s unhealthy", m.id)
	w.lookSoon(g)
}

// replaceUnhealthy ends the members that are marked. Their successors come
// from the difference this makes.
func (w *World) replaceUnhealthy(g *group) {
	if !g.runs("ReplaceUnhealthy") || !g.runs("Terminate") {
		return
	}
	for _, m := range append([]*member(nil), g.members...) {
		if m.alive() && m.health == "Unhealthy" && !g.impaired(m) {
			g.replacing++
			w.terminate(g, m, w.at("%s", m.unhealthyCause))
		}
	}
}

func setInstanceHealth(w *World, in *autoscaling.SetInstanceHealthInput) (*autoscaling.SetInstanceHealthOutput, error) {
	g, m, err := w.findMember(in.InstanceId)
	if err != nil {
		return nil, err
	}
	switch aws.ToString(in.HealthStatus) {
	case "Healthy":
		if m.alive() {
			m.health, m.unhealthyCause = "Healthy", ""
		}
	case "Unhealthy":
		respect := in.ShouldRespectGracePeriod == nil || *in.ShouldRespectGracePeriod
		if m.alive() && (!respect || !m.inServiceAt.IsZero() && !w.inGrace(g, m)) {
			w.markUnhealthy(g, m, causeUser)
		}
	default:
		return nil, invalidf("Health status '%s' is not valid. Valid values are Healthy and Unhealthy.", aws.ToString(in.HealthStatus))
	}
	return &autoscaling.SetInstanceHealthOutput{}, nil
}

const maxProtect = 50 // instances in one SetInstanceProtection call

func setInstanceProtection(w *World, in *autoscaling.SetInstanceProtectionInput) (*autoscaling.SetInstanceProtectionOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if in.ProtectedFromScaleIn == nil {
		return nil, missing("protectedFromScaleIn")
	}
	if len(in.InstanceIds) == 0 || len(in.InstanceIds) > maxProtect {
		return nil, invalidf("The number of instance ids must be between 1 and %d.", maxProtect)
	}
	for _, id := range in.InstanceIds {
		m := g.byID[id]
		if m == nil {
			return nil, invalidf("The instance %s is not part of Auto Scaling group %s.", id, g.name())
		}
		if m.pending() || m.warm() || m.retained() || m.end != nil {
			return nil, invalidf("The instance %s is not in InService or EnteringStandby or Standby.", id)
		}
	}
	for _, id := range in.InstanceIds {
		g.byID[id].protected = *in.ProtectedFromScaleIn
	}
	return &autoscaling.SetInstanceProtectionOutput{}, nil
}
