package awssim

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const maxStandby = 20 // instances in one EnterStandby or ExitStandby call

// standbyMembers are the members that a call is for. All must be in the state.
func (w *World) standbyMembers(name *string, ids []string, state types.LifecycleState) (*group, []*member, error) {
	g, err := w.findGroup(name)
	if err != nil {
		return nil, nil, err
	}
	if len(ids) == 0 || len(ids) > maxStandby {
		return nil, nil, invalidf("The number of instance ids must be between 1 and %d.", maxStandby)
	}
	members := make([]*member, 0, len(ids))
	for _, id := range ids {
		m := g.byID[id]
		if m == nil {
			return nil, nil, invalidf("The instance %s is not part of Auto Scaling group %s.", id, g.name())
		}
		if m.lifecycle != state {
			return nil, nil, invalidf("The instance %s is not in %s.", id, state)
		}
		members = append(members, m)
	}
	return g, members, nil
}

func weightOfAll(members []*member) int32 {
	var n int32
	for _, m := range members {
		n += m.weight
	}
	return n
}

func enterStandby(w *World, in *autoscaling.EnterStandbyInput) (*autoscaling.EnterStandbyOutput, error) {
	g, members, err := w.standbyMembers(in.AutoScalingGroupName, in.InstanceIds, types.LifecycleStateInService)
	if err != nil {
		return nil, err
	}
	if in.ShouldDecrementDesiredCapacity == nil {
		return nil, missing("shouldDecrementDesiredCapacity")
	}
	decrement := *in.ShouldDecrementDesiredCapacity
	if left := g.desired() - weightOfAll(members); decrement && left < g.min() {
		return nil, invalidf("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To place into standby %d instances, please update the AutoScalingGroup sizes appropriately.",
			g.name(), g.min(), g.max(), g.desired(), len(members))
	}
	out := &autoscaling.EnterStandbyOutput{Activities: []types.Activity{}}
	for _, m := range members {
		cause := w.at("instance %s was moved to standby in response to a user request", m.id)
		if decrement {
			n := g.desired()
			cause = cause[:len(cause)-1] + shrinking(n, n-m.weight)
			g.as.DesiredCapacity = aws.Int32(n - m.weight)
		}
		m.lifecycle = types.LifecycleStateEnteringStandby
		m.standby = w.startActivity(g, "Moving EC2 instance to Standby: "+m.id, m, cause)
		w.event(g.name(), "%s entering standby", m.id)
		w.leaveTargetGroups(g, m)
		out.Activities = append(out.Activities, m.standby.sdk())
	}
	w.lookSoon(g)
	return out, nil
}

// standBy ends the way into standby of a member that takes no traffic any more.
func (w *World) standBy(g *group, m *member) {
	m.lifecycle, m.draining = types.LifecycleStateStandby, nil
	w.endActivity(m.standby, types.ScalingActivityStatusCodeSuccessful, "")
	w.event(g.name(), "%s in standby", m.id)
	w.instanceChanged(m.id) // it may have ended meanwhile
}

func exitStandby(w *World, in *autoscaling.ExitStandbyInput) (*autoscaling.ExitStandbyOutput, error) {
	g, members, err := w.standbyMembers(in.AutoScalingGroupName, in.InstanceIds, types.LifecycleStateStandby)
	if err != nil {
		return nil, err
	}
	if n := g.desired() + weightOfAll(members); n > g.max() {
		return nil, invalidf("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To take out of standby %d instances, please update the AutoScalingGroup sizes appropriately.",
			g.name(), g.min(), g.max(), g.desired(), len(members))
	}
	out := &autoscaling.ExitStandbyOutput{Activities: []types.Activity{}}
	for _, m := range members {
		n := g.desired()
		g.as.DesiredCapacity = aws.Int32(n + m.weight)
		cause := w.at("instance %s was moved out of standby in response to a user request", m.id)
		m.lifecycle = types.LifecycleStatePending
		m.launch = w.startActivity(g, "Moving EC2 instance out of Standby: "+m.id, m,
			cause[:len(cause)-1]+fmt.Sprintf(", increasing the capacity from %d to %d.", n, n+m.weight))
		w.event(g.name(), "%s leaving standby", m.id)
		out.Activities = append(out.Activities, m.launch.sdk())
		w.after(w.latency.React, func() { w.instanceChanged(m.id) }) // it runs already
	}
	return out, nil
}
