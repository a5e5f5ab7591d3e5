package awssim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
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
	if in.ShouldDecrementDesiredCapacity == nil {
		return nil, missing("shouldDecrementDesiredCapacity")
	}
	causes := []string{w.at("instance %s was taken out of service in response to a user request", m.id)}
	if *in.ShouldDecrementDesiredCapacity {
		n := g.desired()
		if n <= g.min() {
			return nil, invalidf("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", n)
		}
		// AWS does not say what a repeated call does. Here it takes one off
		// again, because that is what hurts most when a caller retries.
		causes[0] = strings.TrimSuffix(causes[0], ".") + shrinking(n, n-1)
		g.as.DesiredCapacity = aws.Int32(n - 1)
		g.lastScaled = w.now
		w.event(g.name(), "desired %d → %d: %s was to be terminated", n, n-1, m.id)
	}
	w.terminate(g, m, causes...)
	w.lookSoon(g)
	a := m.end.sdk()
	return &autoscaling.TerminateInstanceInAutoScalingGroupOutput{Activity: &a}, nil
}

// launchAnswer is what a client token was answered.
type launchAnswer struct {
	request string
	out     *autoscaling.LaunchInstancesOutput
}

const maxLaunch = 100 // instances in one LaunchInstances call

// launchInstances launches in one zone, at once. What AWS leaves open is
// answered so: desired rises by what was launched, in the same instant, and
// max size bounds it.
func launchInstances(w *World, in *autoscaling.LaunchInstancesInput) (*autoscaling.LaunchInstancesOutput, error) {
	if w.asg.withoutLaunchInstances {
		return nil, &Error{Code: "InvalidAction", Message: "The action LaunchInstances is not valid for this web service."}
	}
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	switch {
	case aws.ToString(in.ClientToken) == "":
		return nil, missing("clientToken")
	case in.RequestedCapacity == nil:
		return nil, missing("requestedCapacity")
	case *in.RequestedCapacity < 1 || *in.RequestedCapacity > maxLaunch:
		return nil, invalidf("RequestedCapacity must be between 1 and %d.", maxLaunch)
	case in.RetryStrategy != "" && !slices.Contains(in.RetryStrategy.Values(), in.RetryStrategy):
		return nil, invalidf("Value '%s' at 'retryStrategy' failed to satisfy constraint: Member must satisfy enum value set: [retry-with-group-configuration, none]", in.RetryStrategy)
	case len(*in.ClientToken) > 64:
		return nil, invalid("1 validation error detected: Value at 'clientToken' failed to satisfy constraint: Member must have length less than or equal to 64")
	}
	request := launchRequestText(in)
	if before, repeated := g.tokens[*in.ClientToken]; repeated {
		if before.request != request {
			return nil, &Error{Code: "IdempotentParameterMismatch", Message: "The client token was used with other parameters."}
		}
		return before.out, nil
	}
	zone, subnet, err := w.launchPlace(g, in)
	if err != nil {
		return nil, err
	}
	n := *in.RequestedCapacity
	switch {
	case g.deleting:
		return nil, pendingDelete()
	case !g.runs("Launch"):
		return nil, invalid("The Launch process of the AutoScalingGroup is suspended.")
	case g.desired()+n > g.max():
		return nil, invalidf("The requested capacity %d and the desired capacity %d exceed the max size %d of the AutoScalingGroup.", n, g.desired(), g.max())
	case w.denies("ec2", "CreateFleet"):
		return nil, w.denied(&Call{Service: "ec2", Operation: "CreateFleet"})
	}
	out := w.launchNow(g, zone, subnet, in)
	g.tokens[*in.ClientToken] = launchAnswer{request: request, out: out}
	return out, nil
}

func launchRequestText(in *autoscaling.LaunchInstancesInput) string {
	parts := slices.Concat([]string{string(in.RetryStrategy), strconv.Itoa(int(*in.RequestedCapacity))}, in.AvailabilityZones, in.AvailabilityZoneIds, in.SubnetIds)
	return strings.Join(parts, "|")
}

// launchPlace is the one zone that a LaunchInstances call is for.
func (w *World) launchPlace(g *group, in *autoscaling.LaunchInstancesInput) (zone, subnet string, err error) {
	switch {
	case len(in.AvailabilityZones) > 1 || len(in.AvailabilityZoneIds) > 1 || len(in.SubnetIds) > 1:
		return "", "", invalid("Only one Availability Zone or subnet may be specified.")
	case len(in.AvailabilityZones) > 0 && len(in.AvailabilityZoneIds) > 0:
		return "", "", invalid("You cannot specify both AvailabilityZones and AvailabilityZoneIds.")
	case len(in.AvailabilityZones) == 1:
		zone = in.AvailabilityZones[0]
	case len(in.AvailabilityZoneIds) == 1:
		for _, z := range g.as.AvailabilityZones {
			if zoneID(z) == in.AvailabilityZoneIds[0] {
				zone = z
			}
		}
		if zone == "" {
			return "", "", invalidf("Availability Zone %s is not part of the AutoScalingGroup.", in.AvailabilityZoneIds[0])
		}
	}
	if len(in.SubnetIds) == 1 {
		subnet = in.SubnetIds[0]
		for z, subnets := range g.subnets {
			if slices.Contains(subnets, subnet) && (zone == "" || zone == z) {
				return z, subnet, nil
			}
		}
		return "", "", invalidf("Subnet %s is not part of the AutoScalingGroup in that Availability Zone.", subnet)
	}
	if zone == "" {
		if len(g.as.AvailabilityZones) > 1 {
			return "", "", invalid("AvailabilityZones or SubnetIds must be specified for an AutoScalingGroup with multiple Availability Zones.")
		}
		zone = g.as.AvailabilityZones[0]
	}
	if !slices.Contains(g.as.AvailabilityZones, zone) {
		return "", "", invalidf("Availability Zone %s is not part of the AutoScalingGroup.", zone)
	}
	return zone, g.subnetIn(zone), nil
}

// launchNow launches the instances of a valid LaunchInstances call.
func (w *World) launchNow(g *group, zone, subnet string, in *autoscaling.LaunchInstancesInput) *autoscaling.LaunchInstancesOutput {
	var launched []string
	var failed *Error
	instanceType := ""
	cause := w.at("an instance was launched in response to a LaunchInstances request")
	for range *in.RequestedCapacity {
		m, err := w.launchMember(g, zone, subnet, cause)
		if err != nil {
			failed = err
			break
		}
		launched, instanceType = append(launched, m.id), m.instanceType
	}
	out := &autoscaling.LaunchInstancesOutput{
		AutoScalingGroupName: in.AutoScalingGroupName, ClientToken: in.ClientToken,
		Instances: []types.InstanceCollection{}, Errors: []types.LaunchInstancesError{},
	}
	if n := int32(len(launched)); n > 0 { //nolint:gosec // at most maxLaunch
		from := g.desired()
		sentence := w.at("a user request launched %d instances with LaunchInstances changing the desired capacity from %d to %d", n, from, from+n)
		for _, id := range launched {
			g.byID[id].launch.cause = sentence + "  " + cause
		}
		g.as.DesiredCapacity = aws.Int32(from + n)
		g.lastScaled = w.now
		w.event(g.name(), "desired %d → %d: LaunchInstances in %s", from, from+n, zone)
		out.Instances = append(out.Instances, types.InstanceCollection{
			AvailabilityZone: aws.String(zone), AvailabilityZoneId: aws.String(zoneID(zone)), SubnetId: aws.String(subnet),
			InstanceIds: launched, InstanceType: aws.String(instanceType), MarketType: aws.String("OnDemand"),
		})
	}
	if failed != nil {
		out.Errors = append(out.Errors, types.LaunchInstancesError{
			AvailabilityZone: aws.String(zone), AvailabilityZoneId: aws.String(zoneID(zone)), SubnetId: aws.String(subnet),
			ErrorCode: aws.String(failed.Code), ErrorMessage: aws.String(failed.Message), MarketType: aws.String("OnDemand"),
		})
		if left := *in.RequestedCapacity - int32(len(launched)); in.RetryStrategy == types.RetryStrategyRetryWithGroupConfiguration { //nolint:gosec // at most maxLaunch
			w.changeDesired(g, g.desired()+left, "a LaunchInstances request to retry with the group configuration")
		}
	}
	return out
}
