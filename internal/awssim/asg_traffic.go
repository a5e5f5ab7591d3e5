package awssim

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// attachTargetGroups attaches target groups; members in service are registered
// with the new ones.
func (w *World) attachTargetGroups(g *group, arns []string) error {
	for _, arn := range arns {
		if !strings.Contains(arn, ":targetgroup/") {
			return invalidf("Provided Target Groups may not be valid. Please ensure they exist and try again. (%s)", arn)
		}
		if w.elb.targetGroups[arn] == nil {
			return invalidf("Provided Target Groups may not be valid. Please ensure they exist and try again. (%s)", arn)
		}
	}
	for _, arn := range arns {
		if slices.Contains(g.as.TargetGroupARNs, arn) {
			continue
		}
		g.as.TargetGroupARNs = append(slices.Clone(g.as.TargetGroupARNs), arn)
		if !g.runs("AddToLoadBalancer") {
			continue
		}
		for _, m := range g.members {
			if m.lifecycle == types.LifecycleStateInService {
				_ = w.registerTarget(arn, m.id) // checked to exist above
			}
		}
	}
	return nil
}

func (w *World) detachTargetGroups(g *group, arns []string) error {
	for _, arn := range arns {
		if !slices.Contains(g.as.TargetGroupARNs, arn) {
			return invalidf("Target Group %s is not attached to AutoScalingGroup %s.", arn, g.name())
		}
	}
	g.as.TargetGroupARNs = slices.DeleteFunc(slices.Clone(g.as.TargetGroupARNs), func(a string) bool { return slices.Contains(arns, a) })
	for _, arn := range arns {
		for _, m := range g.members {
			if m.lifecycle == types.LifecycleStateInService {
				w.deregisterTarget(arn, m.id)
			}
		}
	}
	return nil
}

// trafficARNs are the target groups among traffic sources; no other kind is
// modelled.
func trafficARNs(sources []types.TrafficSourceIdentifier) ([]string, error) {
	arns := make([]string, 0, len(sources))
	for _, s := range sources {
		id := aws.ToString(s.Identifier)
		if t := aws.ToString(s.Type); t != "" && t != "elbv2" || !strings.Contains(id, ":targetgroup/") {
			return nil, unmodelled("traffic sources other than target groups (" + t + " " + id + ")")
		}
		arns = append(arns, id)
	}
	return arns, nil
}

func attachLoadBalancerTargetGroups(w *World, in *autoscaling.AttachLoadBalancerTargetGroupsInput) (*autoscaling.AttachLoadBalancerTargetGroupsOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	return &autoscaling.AttachLoadBalancerTargetGroupsOutput{}, w.attachTargetGroups(g, in.TargetGroupARNs)
}

func detachLoadBalancerTargetGroups(w *World, in *autoscaling.DetachLoadBalancerTargetGroupsInput) (*autoscaling.DetachLoadBalancerTargetGroupsOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	return &autoscaling.DetachLoadBalancerTargetGroupsOutput{}, w.detachTargetGroups(g, in.TargetGroupARNs)
}

func attachTrafficSources(w *World, in *autoscaling.AttachTrafficSourcesInput) (*autoscaling.AttachTrafficSourcesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	arns, err := trafficARNs(in.TrafficSources)
	if err != nil {
		return nil, err
	}
	return &autoscaling.AttachTrafficSourcesOutput{}, w.attachTargetGroups(g, arns)
}

func detachTrafficSources(w *World, in *autoscaling.DetachTrafficSourcesInput) (*autoscaling.DetachTrafficSourcesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	arns, err := trafficARNs(in.TrafficSources)
	if err != nil {
		return nil, err
	}
	return &autoscaling.DetachTrafficSourcesOutput{}, w.detachTargetGroups(g, arns)
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
	arns := g.as.TargetGroupARNs
	if t := aws.ToString(in.TrafficSourceType); t != "" && t != "elbv2" {
		arns = nil
	}
	page, next, err := paged(arns, in.MaxRecords, in.NextToken, pageSize{50, 50})
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeTrafficSourcesOutput{TrafficSources: []types.TrafficSourceState{}, NextToken: next}
	for _, arn := range page {
		out.TrafficSources = append(out.TrafficSources, types.TrafficSourceState{
			Identifier: aws.String(arn), Type: aws.String("elbv2"), State: aws.String(w.attachment(g, arn)),
		})
	}
	return out, nil
}
