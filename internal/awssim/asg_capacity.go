package awssim

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// changeDesired sets a group's desired capacity, remembers why for the
// activities this causes, and sees to it that they happen.
func (w *World) changeDesired(g *group, n int32, cause string) {
	from := g.desired()
	if from == n {
		return
	}
	g.as.DesiredCapacity = aws.Int32(n)
	g.lastScaled, g.retryAt = w.now, time.Time{}
	g.causes = append(g.causes, w.at("%s changing the desired capacity from %d to %d", cause, from, n))
	w.event(g.name(), "desired %d → %d: %s", from, n, cause)
	w.lookSoon(g)
}

func setDesiredCapacity(w *World, in *autoscaling.SetDesiredCapacityInput) (*autoscaling.SetDesiredCapacityOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if in.DesiredCapacity == nil {
		return nil, missing("desiredCapacity")
	}
	n := *in.DesiredCapacity
	switch {
	case g.deleting:
		return nil, pendingDelete()
	case n < g.min():
		return nil, invalidf("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", n, g.min())
	case n > g.max():
		return nil, invalidf("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", n, g.max())
	case aws.ToBool(in.HonorCooldown) && w.now.Before(g.lastScaled.Add(time.Duration(aws.ToInt32(g.as.DefaultCooldown))*time.Second)):
		return nil, &Error{Code: "ScalingActivityInProgress", Message: "Scaling activity " + g.name() + " is in cooldown, and the request asked to honor it."}
	}
	w.changeDesired(g, n, "a user request explicitly set group desired capacity")
	return &autoscaling.SetDesiredCapacityOutput{}, nil
}

func pendingDelete() *Error {
	return &Error{Code: "ScalingActivityInProgress", Message: "You cannot update an AutoScalingGroup that is pending delete."}
}

func terminateInstance(w *World, in *autoscaling.TerminateInstanceInAutoScalingGroupInput) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	if len(in.InstanceIds) > 0 {
		return nil, unmodelled("terminating several instances in one call")
	}
	g, m, err := w.findMember(in.InstanceId)
	if err != nil {
		return nil, err
	}
	if name := aws.ToString(in.AutoScalingGroupName); name != "" && name != g.name() {
		return nil, invalidf("The instance %s is not part of Auto Scaling group %s.", m.id, name)
	}
	if m.warm() && !m.retained() {
		return nil, invalidf("Instance %s is in a warm pool. TerminateInstanceInAutoScalingGroup cannot be called on instances in a warm pool.", m.id)
	}
	if in.ShouldDecrementDesiredCapacity == nil {
		return nil, missing("shouldDecrementDesiredCapacity")
	}
	causes := []string{w.at("instance %s was taken out of service in response to a user request", m.id)}
	if *in.ShouldDecrementDesiredCapacity {
		n := g.desired()
		if n-m.weight < g.min() {
			return nil, invalidf("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", n)
		}
		// AWS does not say what a repeated call does. Here it takes the member's
		// weight off again, because that is what hurts most when a caller retries.
		causes[0] = strings.TrimSuffix(causes[0], ".") + shrinking(n, n-m.weight)
		g.as.DesiredCapacity = aws.Int32(n - m.weight)
		g.lastScaled = w.now
		w.event(g.name(), "desired %d → %d: %s was to be terminated", n, n-m.weight, m.id)
	}
	w.terminate(g, m, causes...)
	w.lookSoon(g)
	a := m.end.sdk()
	return &autoscaling.TerminateInstanceInAutoScalingGroupOutput{Activity: &a}, nil
}
