package awssim

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// launchAnswer is what a client token was answered.
type launchAnswer struct {
	request string
	out     *autoscaling.LaunchInstancesOutput
}

const maxLaunch = 100 // instances in one LaunchInstances call

// launchInstances launches in one zone, at once. What AWS leaves open is
// answered so: desired rises by what was launched, in the same instant, and
// max size bounds it. With weights it rises by no more than was asked for,
// though the last instance may weigh more than was left to launch.
func launchInstances(w *World, in *autoscaling.LaunchInstancesInput) (*autoscaling.LaunchInstancesOutput, error) {
	if w.asg.withoutLaunchInstances {
		return nil, &Error{Code: "InvalidAction", Message: "The action LaunchInstances is not valid for this web service."}
	}
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if err := checkLaunchInstances(g, in); err != nil {
		return nil, err
	}
	request := launchRequestText(in)
	if before, repeated := g.tokens[*in.ClientToken]; repeated {
		if before.request != request {
			return nil, &Error{Code: "IdempotentParameterMismatch", Message: "The client token was used with other parameters."}
		}
		return before.out, nil
	}
	zone, subnet, err := w.placeAsked(g, in)
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

// checkLaunchInstances refuses what a request must not hold, and groups that
// the operation is not for.
func checkLaunchInstances(g *group, in *autoscaling.LaunchInstancesInput) error {
	most := int32(maxLaunch)
	if g.weighted() {
		most = math.MaxInt32 // units: the number of instances is what is bounded
	}
	switch {
	case aws.ToString(in.ClientToken) == "":
		return missing("clientToken")
	case in.RequestedCapacity == nil:
		return missing("requestedCapacity")
	case *in.RequestedCapacity < 1 || *in.RequestedCapacity > most:
		return invalidf("RequestedCapacity must be between 1 and %d.", most)
	case in.RetryStrategy != "" && !slices.Contains(in.RetryStrategy.Values(), in.RetryStrategy):
		return invalidf("Value '%s' at 'retryStrategy' failed to satisfy constraint: Member must satisfy enum value set: [retry-with-group-configuration, none]", in.RetryStrategy)
	case len(*in.ClientToken) > 64:
		return invalid("1 validation error detected: Value at 'clientToken' failed to satisfy constraint: Member must have length less than or equal to 64")
	case g.as.WarmPoolConfiguration != nil:
		return &Error{Code: "UnsupportedOperation", Message: "LaunchInstances is not supported for AutoScalingGroups with a warm pool."}
	case g.mixed():
		return invalid("LaunchInstances is not supported for AutoScalingGroups with a mixed instances policy that combines On-Demand and Spot Instances.")
	}
	return nil
}

func launchRequestText(in *autoscaling.LaunchInstancesInput) string {
	parts := slices.Concat([]string{string(in.RetryStrategy), strconv.Itoa(int(*in.RequestedCapacity))}, in.AvailabilityZones, in.AvailabilityZoneIds, in.SubnetIds)
	return strings.Join(parts, "|")
}

// placeAsked is the one zone that a LaunchInstances call is for.
func (w *World) placeAsked(g *group, in *autoscaling.LaunchInstancesInput) (zone, subnet string, err error) {
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
	asked := *in.RequestedCapacity
	var launched []*member
	var units int32
	var failed *Error
	cause := w.at("an instance was launched in response to a LaunchInstances request")
	w.launchAside(g, true)
	defer w.launchAside(g, false)
	for units < asked && len(launched) < maxLaunch {
		m, err := w.launchMember(g, zone, subnet, cause)
		if err != nil {
			failed = err
			break
		}
		launched, units = append(launched, m), units+m.weight
	}
	out := &autoscaling.LaunchInstancesOutput{
		AutoScalingGroupName: in.AutoScalingGroupName, ClientToken: in.ClientToken,
		Instances: instanceCollections(launched), Errors: []types.LaunchInstancesError{},
	}
	if len(launched) > 0 {
		from, to := g.desired(), g.desired()+min(units, asked)
		sentence := w.at("a user request launched %d instances with LaunchInstances changing the desired capacity from %d to %d", len(launched), from, to)
		for _, m := range launched {
			m.launch.cause = sentence + "  " + cause
		}
		g.as.DesiredCapacity = aws.Int32(to)
		g.lastScaled = w.now
		w.event(g.name(), "desired %d → %d: LaunchInstances in %s", from, to, zone)
	}
	if failed != nil {
		for _, p := range w.purchases(g, zone) {
			e := types.LaunchInstancesError{
				AvailabilityZone: aws.String(zone), AvailabilityZoneId: aws.String(zoneID(zone)), SubnetId: aws.String(subnet),
				ErrorCode: aws.String(failed.Code), ErrorMessage: aws.String(failed.Message), MarketType: aws.String(marketType(p.market)),
			}
			if p.override != nil {
				e.InstanceType = p.override.InstanceType
			}
			out.Errors = append(out.Errors, e)
			if !failed.otherType() {
				break // it did not try the other types
			}
		}
		if in.RetryStrategy == types.RetryStrategyRetryWithGroupConfiguration {
			w.changeDesired(g, g.desired()+asked-min(units, asked), "a LaunchInstances request to retry with the group configuration")
		}
	}
	return out
}

// instanceCollections puts members that are alike together, in the order in
// which they were launched.
func instanceCollections(launched []*member) []types.InstanceCollection {
	out := []types.InstanceCollection{}
	at := map[string]int{}
	for _, m := range launched {
		key := m.instanceType + " " + m.market
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, types.InstanceCollection{
				AvailabilityZone: aws.String(m.zone), AvailabilityZoneId: aws.String(zoneID(m.zone)), SubnetId: aws.String(m.subnet),
				InstanceType: aws.String(m.instanceType), MarketType: aws.String(marketType(m.market)),
			})
		}
		out[i].InstanceIds = append(out[i].InstanceIds, m.id)
	}
	return out
}
