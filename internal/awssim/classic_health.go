package awssim

import (
	"maps"
	"slices"

	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func invalidInstance(id string) error {
	return elbErr("InvalidInstance", "Could not find EC2 instance %s.", id)
}

func registerInstances(w *World, in *classic.RegisterInstancesWithLoadBalancerInput) (*classic.RegisterInstancesWithLoadBalancerOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	targets := make([]elbtypes.TargetDescription, 0, len(in.Instances))
	for _, i := range in.Instances {
		found := w.ec2.instances[deref(i.InstanceId)]
		switch {
		case found == nil:
			return nil, invalidInstance(deref(i.InstanceId))
		case found.vpcID != *b.d.VPCId:
			return nil, elbErr("InvalidInstance", "EC2 instance %s is not in the same VPC as ELB.", found.id)
		case found.state != "running":
			return nil, elbErr("InvalidInstance", "EC2 instance %s is not in a running state. The simulator registers running instances only.", found.id)
		}
		targets = append(targets, elbtypes.TargetDescription{Id: i.InstanceId})
	}
	if err := w.register(b.pool, targets); err != nil {
		return nil, err
	}
	return &classic.RegisterInstancesWithLoadBalancerOutput{Instances: b.instances()}, nil
}

func deregisterInstances(w *World, in *classic.DeregisterInstancesFromLoadBalancerInput) (*classic.DeregisterInstancesFromLoadBalancerOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	for _, i := range in.Instances {
		if len(b.pool.find(deref(i.InstanceId), nil)) == 0 {
			return nil, invalidInstance(deref(i.InstanceId))
		}
	}
	for _, i := range in.Instances {
		w.deregisterTarget(*b.d.LoadBalancerName, *i.InstanceId)
	}
	return &classic.DeregisterInstancesFromLoadBalancerOutput{Instances: b.instances()}, nil
}

func describeInstanceHealth(w *World, in *classic.DescribeInstanceHealthInput) (*classic.DescribeInstanceHealthOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	out := &classic.DescribeInstanceHealthOutput{InstanceStates: []types.InstanceState{}}
	for _, i := range in.Instances {
		id := deref(i.InstanceId)
		found := b.pool.find(id, nil)
		switch {
		case len(found) > 0:
			out.InstanceStates = append(out.InstanceStates, w.classicState(b, found[0]))
		case w.ec2.instances[id] == nil:
			return nil, invalidInstance(id)
		default:
			out.InstanceStates = append(out.InstanceStates, classicAnswer(id, "OutOfService", "ELB", "Instance is not currently registered with the LoadBalancer."))
		}
	}
	if len(in.Instances) == 0 {
		for _, t := range byID(b.pool.targets) {
			out.InstanceStates = append(out.InstanceStates, w.classicState(b, t))
		}
	}
	return out, nil
}

// classicState is a target's state in the words of classic load balancers.
func (w *World) classicState(b *classicBalancer, t *target) types.InstanceState {
	switch {
	case b.pool.doubt:
		return classicAnswer(t.id, "Unknown", "ELB", "A transient error occurred. Please try again later.")
	case t.state == elbtypes.TargetHealthStateEnumHealthy:
		return classicAnswer(t.id, "InService", "N/A", "N/A")
	case t.state == elbtypes.TargetHealthStateEnumDraining:
		return classicAnswer(t.id, "InService", "N/A", "Instance deregistration currently in progress.")
	case t.state == elbtypes.TargetHealthStateEnumInitial:
		return classicAnswer(t.id, "OutOfService", "ELB", "Instance registration is still in progress.")
	case t.cause == elbtypes.TargetHealthReasonEnumNotInUse:
		return classicAnswer(t.id, "OutOfService", "ELB", "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.")
	case t.cause == elbtypes.TargetHealthReasonEnumInvalidState:
		return classicAnswer(t.id, "OutOfService", "Instance", "Instance is in terminated state.")
	}
	return classicAnswer(t.id, "OutOfService", "Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
}

func classicAnswer(id, state, reason, text string) types.InstanceState {
	return types.InstanceState{InstanceId: &id, State: &state, ReasonCode: &reason, Description: &text}
}

// classicTags are tags as the newer load balancers check them.
func classicTags(in []types.Tag) (map[string]string, error) {
	tags := make([]elbtypes.Tag, 0, len(in))
	for _, t := range in {
		tags = append(tags, elbtypes.Tag{Key: t.Key, Value: t.Value})
	}
	return elbTagMap(tags)
}

func classicAddTags(w *World, in *classic.AddTagsInput) (*classic.AddTagsOutput, error) {
	add, err := classicTags(in.Tags)
	if err != nil {
		return nil, err
	}
	for _, name := range in.LoadBalancerNames {
		b, err := w.findClassic(&name)
		if err != nil {
			return nil, err
		}
		tags := maps.Clone(b.tags)
		maps.Copy(tags, add)
		if len(tags) > maxTags {
			return nil, elbErr("TooManyTags", "A resource can have at most %d tags", maxTags)
		}
		b.tags = tags
	}
	return &classic.AddTagsOutput{}, nil
}

func classicRemoveTags(w *World, in *classic.RemoveTagsInput) (*classic.RemoveTagsOutput, error) {
	for _, name := range in.LoadBalancerNames {
		b, err := w.findClassic(&name)
		if err != nil {
			return nil, err
		}
		tags := maps.Clone(b.tags)
		for _, t := range in.Tags {
			delete(tags, deref(t.Key))
		}
		b.tags = tags
	}
	return &classic.RemoveTagsOutput{}, nil
}

func classicDescribeTags(w *World, in *classic.DescribeTagsInput) (*classic.DescribeTagsOutput, error) {
	if len(in.LoadBalancerNames) == 0 || len(in.LoadBalancerNames) > 20 {
		return nil, elbErr("ValidationError", "Between 1 and 20 load balancer names must be specified")
	}
	out := &classic.DescribeTagsOutput{TagDescriptions: []types.TagDescription{}}
	for _, name := range in.LoadBalancerNames {
		b, err := w.findClassic(&name)
		if err != nil {
			return nil, err
		}
		d := types.TagDescription{LoadBalancerName: &name, Tags: []types.Tag{}}
		for _, k := range slices.Sorted(maps.Keys(b.tags)) {
			d.Tags = append(d.Tags, types.Tag{Key: &k, Value: ptr(b.tags[k])})
		}
		out.TagDescriptions = append(out.TagDescriptions, d)
	}
	return out, nil
}
