package awssim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// loadBalancer is an application or network load balancer.
type loadBalancer struct {
	lb                      types.LoadBalancer // without zones, groups and state
	subnets, securityGroups []string
	attributes              map[string]string
	readyAt                 time.Time
}

// balancerBoot is how long a load balancer is provisioning.
const balancerBoot = 90 * time.Second

// zones are the zones of a load balancer's subnets.
func (b *loadBalancer) zones(w *World) []string {
	var out []string
	for _, id := range b.subnets {
		if s := w.ec2.subnets[id]; s != nil {
			out = append(out, s.zone)
		}
	}
	return out
}

// balancerUses is whether any load balancer does something.
func (w *World) balancerUses(f func(*loadBalancer) bool) bool {
	return slices.ContainsFunc(byID(w.elb.balancers), f)
}

func (w *World) findBalancer(arn *string) (*loadBalancer, error) {
	if deref(arn) == "" {
		return nil, elbMissing("LoadBalancerArn")
	}
	if lb := w.elb.balancers[*arn]; lb != nil {
		return lb, nil
	}
	if !strings.Contains(*arn, ":loadbalancer/") {
		return nil, elbErr("ValidationError", "'%s' is not a valid load balancer ARN", *arn)
	}
	return nil, notFoundOf(*arn)
}

func createLoadBalancer(w *World, in *elb.CreateLoadBalancerInput) (*elb.CreateLoadBalancerOutput, error) {
	if err := checkELBName("load balancer", deref(in.Name)); err != nil {
		return nil, err
	}
	kind, scheme := in.Type, in.Scheme
	setDefault(&kind, types.LoadBalancerTypeEnumApplication)
	setDefault(&scheme, types.LoadBalancerSchemeEnumInternetFacing)
	short := map[types.LoadBalancerTypeEnum]string{types.LoadBalancerTypeEnumApplication: "app", types.LoadBalancerTypeEnumNetwork: "net"}[kind]
	if short == "" {
		return nil, notModelled("load balancers of type " + string(kind))
	}
	subnets, err := w.balancerSubnets(kind, in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	vpcID := w.ec2.subnets[subnets[0]].vpcID
	groups, err := w.balancerGroups(kind, vpcID, in.SecurityGroups)
	if err != nil {
		return nil, err
	}
	tags, err := elbTagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	for _, lb := range byID(w.elb.balancers) {
		if *lb.lb.LoadBalancerName != *in.Name {
			continue
		}
		if lb.lb.Type != kind || lb.lb.Scheme != scheme || !slices.Equal(lb.subnets, subnets) || !slices.Equal(lb.securityGroups, groups) {
			return nil, elbErr("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", *in.Name)
		}
		return &elb.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{w.balancerAnswer(lb)}}, nil
	}
	arn := w.elbARN("loadbalancer/" + short + "/" + *in.Name)
	ip := in.IpAddressType
	setDefault(&ip, types.IpAddressTypeIpv4)
	lb := &loadBalancer{
		subnets: subnets, securityGroups: groups, attributes: balancerDefaults(kind), readyAt: w.now.Add(balancerBoot),
		lb: types.LoadBalancer{
			LoadBalancerArn: &arn, LoadBalancerName: in.Name, Type: kind, Scheme: scheme, VpcId: &vpcID, IpAddressType: ip,
			CreatedTime: ptr(w.now), CanonicalHostedZoneId: ptr("ZHURV8PSTC4K8"), DNSName: ptr(w.balancerDNS(*in.Name, scheme, kind)),
		},
	}
	if kind == types.LoadBalancerTypeEnumNetwork && len(groups) > 0 {
		lb.lb.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = ptr("on")
	}
	w.elb.balancers[arn], w.elb.tags[arn] = lb, tags
	return &elb.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{w.balancerAnswer(lb)}}, nil
}

func (w *World) balancerDNS(name string, scheme types.LoadBalancerSchemeEnum, kind types.LoadBalancerTypeEnum) string {
	host := fmt.Sprintf("%s-%010d", name, w.rand.Uint32())
	if scheme == types.LoadBalancerSchemeEnumInternal {
		host = "internal-" + host
	}
	if kind == types.LoadBalancerTypeEnumNetwork {
		return host + ".elb." + w.region + ".amazonaws.com"
	}
	return host + "." + w.region + ".elb.amazonaws.com"
}

// balancerSubnets checks the subnets of a load balancer: one a zone, of one
// network, and at least two for an application load balancer.
func (w *World) balancerSubnets(kind types.LoadBalancerTypeEnum, ids []string, mappings []types.SubnetMapping) ([]string, error) {
	ids = slices.Clone(ids)
	for _, m := range mappings {
		ids = append(ids, deref(m.SubnetId))
	}
	zones, vpcs := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		s := w.ec2.subnets[id]
		if s == nil {
			return nil, elbErr("SubnetNotFound", "The subnet ID '%s' does not exist", id)
		}
		if zones[s.zone] {
			return nil, elbErr("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		zones[s.zone], vpcs[s.vpcID] = true, true
	}
	switch {
	case len(ids) == 0:
		return nil, elbErr("ValidationError", "At least one subnet must be specified")
	case len(vpcs) > 1:
		return nil, elbErr("InvalidSubnet", "All subnets must be in the same VPC")
	case kind == types.LoadBalancerTypeEnumApplication && len(ids) < 2:
		return nil, elbErr("ValidationError", "At least two subnets in two different Availability Zones must be specified")
	}
	slices.Sort(ids)
	return ids, nil
}

func (w *World) balancerGroups(kind types.LoadBalancerTypeEnum, vpcID string, ids []string) ([]string, error) {
	for _, id := range ids {
		if g := w.ec2.groups[id]; g == nil || g.vpcID != vpcID {
			return nil, elbErr("InvalidSecurityGroup", "The security group '%s' does not exist in the VPC '%s'", id, vpcID)
		}
	}
	if len(ids) == 0 && kind == types.LoadBalancerTypeEnumApplication {
		if g := w.groupNamed(vpcID, "default"); g != nil {
			return []string{g.id}, nil
		}
	}
	return slices.Clone(ids), nil
}

func (w *World) balancerAnswer(lb *loadBalancer) types.LoadBalancer {
	out := lb.lb
	out.State = &types.LoadBalancerState{Code: types.LoadBalancerStateEnumActive}
	if w.now.Before(lb.readyAt) {
		out.State.Code = types.LoadBalancerStateEnumProvisioning
	}
	out.SecurityGroups = lb.securityGroups
	for _, id := range lb.subnets {
		if s := w.ec2.subnets[id]; s != nil {
			out.AvailabilityZones = append(out.AvailabilityZones, types.AvailabilityZone{
				SubnetId: &id, ZoneName: &s.zone, LoadBalancerAddresses: []types.LoadBalancerAddress{},
			})
		}
	}
	return out
}

func describeLoadBalancers(w *World, in *elb.DescribeLoadBalancersInput) (*elb.DescribeLoadBalancersOutput, error) {
	if len(in.LoadBalancerArns) > 0 && len(in.Names) > 0 {
		return nil, elbErr("ValidationError", "Load balancer ARNs and names cannot be specified at the same time")
	}
	for _, arn := range in.LoadBalancerArns {
		if _, err := w.findBalancer(&arn); err != nil {
			return nil, err
		}
	}
	var all []*loadBalancer
	names := map[string]bool{}
	for _, lb := range byID(w.elb.balancers) {
		names[*lb.lb.LoadBalancerName] = true
		if len(in.LoadBalancerArns) > 0 && !slices.Contains(in.LoadBalancerArns, *lb.lb.LoadBalancerArn) ||
			len(in.Names) > 0 && !slices.Contains(in.Names, *lb.lb.LoadBalancerName) {
			continue
		}
		all = append(all, lb)
	}
	for _, n := range in.Names {
		if !names[n] {
			return nil, elbErr("LoadBalancerNotFound", "Load balancers '[%s]' not found", n)
		}
	}
	all, next, err := elbPage(all, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &elb.DescribeLoadBalancersOutput{LoadBalancers: []types.LoadBalancer{}, NextMarker: next}
	for _, lb := range all {
		out.LoadBalancers = append(out.LoadBalancers, w.balancerAnswer(lb))
	}
	return out, nil
}

func deleteLoadBalancer(w *World, in *elb.DeleteLoadBalancerInput) (*elb.DeleteLoadBalancerOutput, error) {
	if deref(in.LoadBalancerArn) == "" {
		return nil, elbMissing("LoadBalancerArn")
	}
	lb := w.elb.balancers[*in.LoadBalancerArn]
	if lb == nil {
		return &elb.DeleteLoadBalancerOutput{}, nil // deleting twice is not an error at AWS
	}
	if lb.attributes["deletion_protection.enabled"] == "true" {
		return nil, elbErr("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", *in.LoadBalancerArn)
	}
	for arn, l := range w.elb.listeners {
		if *l.l.LoadBalancerArn == *in.LoadBalancerArn {
			delete(w.elb.listeners, arn)
			delete(w.elb.tags, arn)
		}
	}
	delete(w.elb.balancers, *in.LoadBalancerArn)
	delete(w.elb.tags, *in.LoadBalancerArn)
	w.reviewTargets()
	return &elb.DeleteLoadBalancerOutput{}, nil
}

func setSecurityGroups(w *World, in *elb.SetSecurityGroupsInput) (*elb.SetSecurityGroupsOutput, error) {
	lb, err := w.findBalancer(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	groups, err := w.balancerGroups(lb.lb.Type, *lb.lb.VpcId, in.SecurityGroups)
	if err != nil {
		return nil, err
	}
	lb.securityGroups = groups
	return &elb.SetSecurityGroupsOutput{SecurityGroupIds: groups}, nil
}

func setSubnets(w *World, in *elb.SetSubnetsInput) (*elb.SetSubnetsOutput, error) {
	lb, err := w.findBalancer(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	subnets, err := w.balancerSubnets(lb.lb.Type, in.Subnets, in.SubnetMappings)
	if err != nil {
		return nil, err
	}
	lb.subnets = subnets
	w.reviewTargets()
	return &elb.SetSubnetsOutput{AvailabilityZones: w.balancerAnswer(lb).AvailabilityZones, IpAddressType: lb.lb.IpAddressType}, nil
}

// describeCapacityReservation answers that there is none; they cannot be made here.
func describeCapacityReservation(w *World, in *elb.DescribeCapacityReservationInput) (*elb.DescribeCapacityReservationOutput, error) {
	if _, err := w.findBalancer(in.LoadBalancerArn); err != nil {
		return nil, err
	}
	return &elb.DescribeCapacityReservationOutput{}, nil
}
