package awssim

import (
	"slices"

	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// setClassicSubnets puts a load balancer into subnets, of one network and one
// a zone, and reviews which of its instances get traffic.
func (w *World) setClassicSubnets(b *classicBalancer, ids []string) error {
	ids, err := w.balancerSubnets("", ids, nil)
	if err != nil {
		return err
	}
	if vpc := w.ec2.subnets[ids[0]].vpcID; vpc != *b.d.VPCId {
		return elbErr("InvalidConfigurationRequest", "Subnets must be in the VPC '%s' of the load balancer", *b.d.VPCId)
	}
	var zones []string
	for _, id := range ids {
		zones = append(zones, w.ec2.subnets[id].zone)
	}
	slices.Sort(zones)
	b.d.Subnets, b.d.AvailabilityZones = ids, zones
	for _, t := range byID(b.pool.targets) {
		if t.state != elbtypes.TargetHealthStateEnumDraining && (w.whyUnused(b.pool, t) != "") != (t.state == elbtypes.TargetHealthStateEnumUnused) {
			w.beginChecks(b.pool, t)
		}
	}
	return nil
}

func attachClassicToSubnets(w *World, in *classic.AttachLoadBalancerToSubnetsInput) (*classic.AttachLoadBalancerToSubnetsOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(b.d.Subnets)
	for _, id := range in.Subnets {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if err := w.setClassicSubnets(b, ids); err != nil {
		return nil, err
	}
	return &classic.AttachLoadBalancerToSubnetsOutput{Subnets: b.d.Subnets}, nil
}

func detachClassicFromSubnets(w *World, in *classic.DetachLoadBalancerFromSubnetsInput) (*classic.DetachLoadBalancerFromSubnetsOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	ids := slices.DeleteFunc(slices.Clone(b.d.Subnets), func(id string) bool { return slices.Contains(in.Subnets, id) })
	if err := w.setClassicSubnets(b, ids); err != nil {
		return nil, err
	}
	return &classic.DetachLoadBalancerFromSubnetsOutput{Subnets: b.d.Subnets}, nil
}

func applyClassicGroups(w *World, in *classic.ApplySecurityGroupsToLoadBalancerInput) (*classic.ApplySecurityGroupsToLoadBalancerOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	groups, err := w.balancerGroups(elbtypes.LoadBalancerTypeEnumApplication, *b.d.VPCId, in.SecurityGroups)
	if err != nil {
		return nil, err
	}
	if b.d.SecurityGroups = groups; len(groups) == 0 {
		return &classic.ApplySecurityGroupsToLoadBalancerOutput{SecurityGroups: []string{}}, nil
	}
	b.d.SourceSecurityGroup = &types.SourceSecurityGroup{OwnerAlias: &w.account, GroupName: &w.ec2.groups[groups[0]].name}
	return &classic.ApplySecurityGroupsToLoadBalancerOutput{SecurityGroups: groups}, nil
}
