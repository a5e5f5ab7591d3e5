package awssim

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// traffic are the group's sources of traffic: target groups by their ARNs, and
// classic load balancers by their names.
func (g *group) traffic() []string {
	return slices.Concat(g.as.TargetGroupARNs, g.as.LoadBalancerNames)
}

// attach attaches target groups by ARN and classic load balancers by name;
// members in service are registered with the new ones.
func (w *World) attach(g *group, keys []string) error {
	for _, key := range keys {
		switch {
		case w.pool(key) != nil:
		case isTargetGroup(key):
			return invalidf("Provided Target Groups may not be valid. Please ensure they exist and try again. (%s)", key)
		default:
			return invalidf("Provided Load Balancers may not be valid. Please ensure they exist and try again. (%s)", key)
		}
	}
	for _, key := range keys {
		if slices.Contains(g.traffic(), key) {
			continue
		}
		list := &g.as.LoadBalancerNames
		if isTargetGroup(key) {
			list = &g.as.TargetGroupARNs
		}
		*list = append(slices.Clone(*list), key)
		if !g.runs("AddToLoadBalancer") {
			continue
		}
		for _, m := range g.members {
			if m.lifecycle == types.LifecycleStateInService {
				_ = w.registerTarget(key, m.id) // checked to exist above
			}
		}
	}
	return nil
}

func isTargetGroup(key string) bool { return strings.Contains(key, ":targetgroup/") }

func (w *World) detach(g *group, keys []string) error {
	for _, key := range keys {
		switch {
		case slices.Contains(g.traffic(), key):
		case isTargetGroup(key):
			return invalidf("Target Group %s is not attached to AutoScalingGroup %s.", key, g.name())
		default:
			return invalidf("Load Balancer %s is not attached to AutoScalingGroup %s.", key, g.name())
		}
	}
	gone := func(key string) bool { return slices.Contains(keys, key) }
	g.as.TargetGroupARNs = slices.DeleteFunc(slices.Clone(g.as.TargetGroupARNs), gone)
	g.as.LoadBalancerNames = slices.DeleteFunc(slices.Clone(g.as.LoadBalancerNames), gone)
	for _, key := range keys {
		for _, m := range g.members {
			if m.lifecycle == types.LifecycleStateInService {
				w.deregisterTarget(key, m.id)
			}
		}
	}
	return nil
}

// trafficKeys are the target groups and classic load balancers among traffic
// sources; no other kind is modelled.
func trafficKeys(sources []types.TrafficSourceIdentifier) ([]string, error) {
	keys := make([]string, 0, len(sources))
	for _, s := range sources {
		id, kind := aws.ToString(s.Identifier), "elb"
		if isTargetGroup(id) {
			kind = "elbv2"
		}
		if t := aws.ToString(s.Type); t != "" && t != kind || strings.HasPrefix(id, "arn:") && kind == "elb" {
			return nil, unmodelled("traffic sources other than target groups and classic load balancers (" + t + " " + id + ")")
		}
		keys = append(keys, id)
	}
	return keys, nil
}

// trafficSources are the group's sources of traffic with their types.
func (g *group) trafficSources() []types.TrafficSourceIdentifier {
	out := []types.TrafficSourceIdentifier{}
	for _, key := range g.traffic() {
		kind := "elb"
		if isTargetGroup(key) {
			kind = "elbv2"
		}
		out = append(out, types.TrafficSourceIdentifier{Identifier: aws.String(key), Type: aws.String(kind)})
	}
	return out
}

func attachLoadBalancers(w *World, in *autoscaling.AttachLoadBalancersInput) (*autoscaling.AttachLoadBalancersOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	return &autoscaling.AttachLoadBalancersOutput{}, w.attach(g, in.LoadBalancerNames)
}

func detachLoadBalancers(w *World, in *autoscaling.DetachLoadBalancersInput) (*autoscaling.DetachLoadBalancersOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	return &autoscaling.DetachLoadBalancersOutput{}, w.detach(g, in.LoadBalancerNames)
}

func asgDescribeLoadBalancers(w *World, in *autoscaling.DescribeLoadBalancersInput) (*autoscaling.DescribeLoadBalancersOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	page, next, err := paged(g.as.LoadBalancerNames, in.MaxRecords, in.NextToken, pageSize{100, 100})
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeLoadBalancersOutput{LoadBalancers: []types.LoadBalancerState{}, NextToken: next}
	for _, name := range page {
		out.LoadBalancers = append(out.LoadBalancers, types.LoadBalancerState{LoadBalancerName: aws.String(name), State: aws.String(w.attachment(g, name))})
	}
	return out, nil
}

func attachLoadBalancerTargetGroups(w *World, in *autoscaling.AttachLoadBalancerTargetGroupsInput) (*autoscaling.AttachLoadBalancerTargetGroupsOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	return &autoscaling.AttachLoadBalancerTargetGroupsOutput{}, w.attach(g, in.TargetGroupARNs)
}

func detachLoadBalancerTargetGroups(w *World, in *autoscaling.DetachLoadBalancerTargetGroupsInput) (*autoscaling.DetachLoadBalancerTargetGroupsOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	return &autoscaling.DetachLoadBalancerTargetGroupsOutput{}, w.detach(g, in.TargetGroupARNs)
}

func attachTrafficSources(w *World, in *autoscaling.AttachTrafficSourcesInput) (*autoscaling.AttachTrafficSourcesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	arns, err := trafficKeys(in.TrafficSources)
	if err != nil {
		return nil, err
	}
	return &autoscaling.AttachTrafficSourcesOutput{}, w.attach(g, arns)
}

func detachTrafficSources(w *World, in *autoscaling.DetachTrafficSourcesInput) (*autoscaling.DetachTrafficSourcesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	arns, err := trafficKeys(in.TrafficSources)
	if err != nil {
		return nil, err
	}
	return &autoscaling.DetachTrafficSourcesOutput{}, w.detach(g, arns)
}

// attachment is how far a group's members are in a target group: Adding until
// all are registered, Added until one is healthy, InService then.
func (w *World) attachment(g *group, arn string) string {
	state := "Added"
	for _, m := range g.members {
		if m.lifecycle != types.LifecycleStateInService {
			continue
		}
		switch s, _ := w.targetState(arn, m.id); s {
		case "healthy":
			return "InService"
		case "initial":
			state = "Adding"
		default:
		}
	}
	return state
}

func describeLoadBalancerTargetGroups(w *World, in *autoscaling.DescribeLoadBalancerTargetGroupsInput) (*autoscaling.DescribeLoadBalancerTargetGroupsOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	page, next, err := paged(g.as.TargetGroupARNs, in.MaxRecords, in.NextToken, pageSize{100, 100})
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeLoadBalancerTargetGroupsOutput{LoadBalancerTargetGroups: []types.LoadBalancerTargetGroupState{}, NextToken: next}
	for _, arn := range page {
		out.LoadBalancerTargetGroups = append(out.LoadBalancerTargetGroups, types.LoadBalancerTargetGroupState{
			LoadBalancerTargetGroupARN: aws.String(arn), State: aws.String(w.attachment(g, arn)),
		})
	}
	return out, nil
}

func describeTrafficSources(w *World, in *autoscaling.DescribeTrafficSourcesInput) (*autoscaling.DescribeTrafficSourcesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	all := g.trafficSources()
	if t := aws.ToString(in.TrafficSourceType); t != "" {
		all = slices.DeleteFunc(all, func(s types.TrafficSourceIdentifier) bool { return *s.Type != t })
	}
	page, next, err := paged(all, in.MaxRecords, in.NextToken, pageSize{50, 50})
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeTrafficSourcesOutput{TrafficSources: []types.TrafficSourceState{}, NextToken: next}
	for _, s := range page {
		out.TrafficSources = append(out.TrafficSources, types.TrafficSourceState{
			Identifier: s.Identifier, Type: s.Type, State: aws.String(w.attachment(g, *s.Identifier)),
		})
	}
	return out, nil
}
