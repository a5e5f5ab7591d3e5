package awssim

import (
	"slices"
	"strings"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// listener is a load balancer's open port and where it sends traffic. Rules
// beyond the default one are not modelled.
type listener struct {
	l          types.Listener
	attributes map[string]string
}

// targetGroupsOf are the ARNs that actions forward to.
func targetGroupsOf(actions []types.Action) []string {
	var out []string
	for _, a := range actions {
		if a.TargetGroupArn != nil {
			out = append(out, *a.TargetGroupArn)
		}
		if a.ForwardConfig != nil {
			for _, t := range a.ForwardConfig.TargetGroups {
				out = append(out, deref(t.TargetGroupArn))
			}
		}
	}
	return out
}

// balancersOf are the load balancers that send a target group traffic.
func (w *World) balancersOf(g *targetGroup) []*loadBalancer {
	var out []*loadBalancer
	for _, l := range byID(w.elb.listeners) {
		lb := w.elb.balancers[*l.l.LoadBalancerArn]
		if lb != nil && slices.Contains(targetGroupsOf(l.l.DefaultActions), *g.tg.TargetGroupArn) && !slices.Contains(out, lb) {
			out = append(out, lb)
		}
	}
	return out
}

func (w *World) findListener(arn *string) (*listener, error) {
	if deref(arn) == "" {
		return nil, elbMissing("ListenerArn")
	}
	if l := w.elb.listeners[*arn]; l != nil {
		return l, nil
	}
	return nil, notFoundOf(*arn)
}

// checkActions checks where a listener would send traffic, and completes what
// AWS completes: a plain forward gets its long form as well.
func (w *World) checkActions(actions []types.Action) ([]types.Action, error) {
	if len(actions) == 0 {
		return nil, elbMissing("DefaultActions")
	}
	for _, arn := range targetGroupsOf(actions) {
		if _, err := w.findTargetGroup(&arn); err != nil {
			return nil, err
		}
	}
	out := slices.Clone(actions)
	for i, a := range out {
		if a.Type != types.ActionTypeEnumForward {
			continue
		}
		switch {
		case a.ForwardConfig == nil && a.TargetGroupArn == nil:
			return nil, elbErr("ValidationError", "A target group ARN must be specified")
		case a.ForwardConfig == nil:
			out[i].ForwardConfig = &types.ForwardActionConfig{
				TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: a.TargetGroupArn, Weight: ptr(int32(1))}},
			}
		case len(a.ForwardConfig.TargetGroups) == 1:
			out[i].TargetGroupArn = a.ForwardConfig.TargetGroups[0].TargetGroupArn
		}
		if out[i].ForwardConfig.TargetGroupStickinessConfig == nil {
			config := *out[i].ForwardConfig
			config.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: ptr(false)}
			out[i].ForwardConfig = &config
		}
	}
	return out, nil
}

func createListener(w *World, in *elb.CreateListenerInput) (*elb.CreateListenerOutput, error) {
	lb, err := w.findBalancer(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	if err := w.checkListener(lb, in); err != nil {
		return nil, err
	}
	actions, err := w.checkActions(in.DefaultActions)
	if err != nil {
		return nil, err
	}
	tags, err := elbTagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	_, path, _ := strings.Cut(*in.LoadBalancerArn, ":loadbalancer/")
	arn := w.elbARN("listener/" + path)
	l := &listener{attributes: listenerDefaults(in.Protocol), l: types.Listener{
		ListenerArn: &arn, LoadBalancerArn: in.LoadBalancerArn, Port: in.Port, Protocol: in.Protocol, DefaultActions: actions,
		Certificates: in.Certificates, SslPolicy: in.SslPolicy, AlpnPolicy: in.AlpnPolicy,
	}}
	if len(in.Certificates) > 0 {
		setMissing(&l.l.SslPolicy, "ELBSecurityPolicy-2016-08")
	}
	w.elb.listeners[arn], w.elb.tags[arn] = l, tags
	w.reviewTargets()
	return &elb.CreateListenerOutput{Listeners: []types.Listener{l.l}}, nil
}

func (w *World) checkListener(lb *loadBalancer, in *elb.CreateListenerInput) error {
	switch {
	case in.Port == nil:
		return elbErr("ValidationError", "A listener port must be specified")
	case in.Protocol == "":
		return elbErr("ValidationError", "A listener protocol must be specified")
	case isHTTP(in.Protocol) != (lb.lb.Type == types.LoadBalancerTypeEnumApplication):
		return elbErr("UnsupportedProtocol", "The protocol '%s' is not supported by a load balancer of type '%s'", in.Protocol, lb.lb.Type)
	case (in.Protocol == types.ProtocolEnumHttps || in.Protocol == types.ProtocolEnumTls) && len(in.Certificates) == 0:
		return elbErr("ValidationError", "A certificate must be specified for HTTPS listeners")
	}
	for _, l := range w.elb.listeners {
		if *l.l.LoadBalancerArn == *in.LoadBalancerArn && *l.l.Port == *in.Port {
			return elbErr("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", *in.LoadBalancerArn)
		}
	}
	return nil
}

func describeListeners(w *World, in *elb.DescribeListenersInput) (*elb.DescribeListenersOutput, error) {
	if in.LoadBalancerArn == nil && len(in.ListenerArns) == 0 {
		return nil, elbErr("ValidationError", "You must specify either listener ARNs or a load balancer ARN")
	}
	if in.LoadBalancerArn != nil {
		if _, err := w.findBalancer(in.LoadBalancerArn); err != nil {
			return nil, err
		}
	}
	for _, arn := range in.ListenerArns {
		if _, err := w.findListener(&arn); err != nil {
			return nil, err
		}
	}
	var all []types.Listener
	for _, l := range byID(w.elb.listeners) {
		if in.LoadBalancerArn != nil && *l.l.LoadBalancerArn != *in.LoadBalancerArn ||
			len(in.ListenerArns) > 0 && !slices.Contains(in.ListenerArns, *l.l.ListenerArn) {
			continue
		}
		all = append(all, l.l)
	}
	all, next, err := elbPage(all, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	return &elb.DescribeListenersOutput{Listeners: append([]types.Listener{}, all...), NextMarker: next}, nil
}

func modifyListener(w *World, in *elb.ModifyListenerInput) (*elb.ModifyListenerOutput, error) {
	l, err := w.findListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	after := l.l
	if len(in.DefaultActions) > 0 {
		if after.DefaultActions, err = w.checkActions(in.DefaultActions); err != nil {
			return nil, err
		}
	}
	if in.Port != nil && *in.Port != *l.l.Port {
		for _, o := range w.elb.listeners {
			if *o.l.LoadBalancerArn == *l.l.LoadBalancerArn && *o.l.Port == *in.Port {
				return nil, elbErr("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", *l.l.LoadBalancerArn)
			}
		}
	}
	overwrite(&after.Port, in.Port)
	overwrite(&after.SslPolicy, in.SslPolicy)
	if in.Protocol != "" {
		after.Protocol = in.Protocol
	}
	if len(in.Certificates) > 0 {
		after.Certificates = in.Certificates
	}
	if len(in.AlpnPolicy) > 0 {
		after.AlpnPolicy = in.AlpnPolicy
	}
	l.l = after
	w.reviewTargets()
	return &elb.ModifyListenerOutput{Listeners: []types.Listener{l.l}}, nil
}

func deleteListener(w *World, in *elb.DeleteListenerInput) (*elb.DeleteListenerOutput, error) {
	l, err := w.findListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	delete(w.elb.listeners, *l.l.ListenerArn)
	delete(w.elb.tags, *l.l.ListenerArn)
	w.reviewTargets()
	return &elb.DeleteListenerOutput{}, nil
}

// describeRules shows the one rule each listener has.
func describeRules(w *World, in *elb.DescribeRulesInput) (*elb.DescribeRulesOutput, error) {
	out := &elb.DescribeRulesOutput{Rules: []types.Rule{}}
	if len(in.RuleArns) > 0 {
		return nil, elbErr("RuleNotFound", "One or more rules not found")
	}
	l, err := w.findListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	arn := strings.Replace(*l.l.ListenerArn, ":listener/", ":listener-rule/", 1) + "/" + (*l.l.ListenerArn)[len(*l.l.ListenerArn)-16:]
	out.Rules = append(out.Rules, types.Rule{
		RuleArn: &arn, Priority: ptr("default"), IsDefault: ptr(true), Actions: l.l.DefaultActions, Conditions: []types.RuleCondition{},
	})
	return out, nil
}
