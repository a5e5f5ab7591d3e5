package awssim

import (
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// vpc is one network. Everything in it names it by id.
type vpc struct {
	id, associationID                      string
	cidr                                   netip.Prefix
	isDefault                              bool
	dnsSupport, dnsHostnames, usageMetrics bool
	tenancy                                types.Tenancy
}

// networkACL is a network's default access list. It lets everything through;
// others are not modelled.
type networkACL struct{ id, vpcID string }

func vpcNotFound(id string) error {
	return ec2Err("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", id)
}

func ec2VPCOperations() map[string]operation {
	return map[string]operation{
		"CreateVpc":            ec2Op(createVPC),
		"DeleteVpc":            ec2Op(deleteVPC),
		"DescribeVpcs":         ec2Op(describeVPCs),
		"DescribeVpcAttribute": ec2Op(describeVPCAttribute),
		"ModifyVpcAttribute":   ec2Op(modifyVPCAttribute),
		"DescribeNetworkAcls":  ec2Op(describeNetworkACLs),
		"DescribeDhcpOptions":  ec2Op(describeDHCPOptions),
	}
}

// buildDefaultVPC makes the network every account has: one subnet a zone and a
// way out to the internet.
func (w *World) buildDefaultVPC() {
	v := w.addVPC(netip.MustParsePrefix("172.31.0.0/16"))
	v.isDefault, v.dnsHostnames = true, true
	w.ec2.defaultVPC = v.id
	igw := &internetGateway{id: w.newID("igw"), vpcID: v.id}
	w.ec2.gateways[igw.id] = igw
	main := w.mainRouteTable(v.id)
	main.routes = append(main.routes, route{destination: "0.0.0.0/0", gateway: igw.id})
	for i, z := range w.zones() {
		cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(i * 16), 0}), 20)
		s := newSubnet(w.newID("subnet"), v.id, z, cidr)
		s.isDefault, s.mapPublicIP = true, true
		w.ec2.subnets[s.id] = s
		w.ec2.defaultSubnets[z] = s.id
	}
}

// addVPC makes a network with what comes with it: a main route table, a
// default access list and a default security group.
func (w *World) addVPC(cidr netip.Prefix) *vpc {
	v := &vpc{
		id: w.newID("vpc"), associationID: w.newID("vpc-cidr-assoc"), cidr: cidr,
		dnsSupport: true, tenancy: types.TenancyDefault,
	}
	w.ec2.vpcs[v.id] = v
	rt := w.addRouteTable(v)
	rt.mainAssociation = w.newID("rtbassoc")
	acl := &networkACL{id: w.newID("acl"), vpcID: v.id}
	w.ec2.networkACLs[acl.id] = acl
	g := w.addSecurityGroup(v.id, "default", "default VPC security group")
	g.rules = append(g.rules, &groupRule{id: w.newID("sgr"), protocol: "-1", from: -1, to: -1, source: g.id})
	return v
}

func createVPC(w *World, in *ec2.CreateVpcInput) (*ec2.CreateVpcOutput, error) {
	cidr, err := parseCIDR(deref(in.CidrBlock), 16, 28, "InvalidVpc.Range")
	if err != nil {
		return nil, err
	}
	if deref(in.AmazonProvidedIpv6CidrBlock) || in.Ipv4IpamPoolId != nil || in.Ipv6CidrBlock != nil {
		return nil, notModelled("IPv6 and IPAM networks")
	}
	v := w.addVPC(cidr)
	if in.InstanceTenancy != "" {
		v.tenancy = in.InstanceTenancy
	}
	if err := w.tagNew(v.id, "vpc", in.TagSpecifications); err != nil {
		w.removeVPC(v)
		return nil, err
	}
	return &ec2.CreateVpcOutput{Vpc: ptr(w.vpcAnswer(v))}, nil
}

// parseCIDR reads a block whose size is between two prefix lengths.
func parseCIDR(s string, widest, narrowest int, code string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || !p.Addr().Is4() {
		return p, ec2Err("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", s)
	}
	if p.Bits() < widest || p.Bits() > narrowest {
		return p, ec2Err(code, "The CIDR '%s' is invalid.", s)
	}
	return p.Masked(), nil
}

// notModelled refuses something that AWS has and this world does not.
func notModelled(what string) error {
	return ec2Err("UnsupportedOperation", "The simulator does not model %s.", what)
}

func deleteVPC(w *World, in *ec2.DeleteVpcInput) (*ec2.DeleteVpcOutput, error) {
	v := w.ec2.vpcs[deref(in.VpcId)]
	if v == nil {
		return nil, vpcNotFound(deref(in.VpcId))
	}
	inUse := slices.ContainsFunc(byID(w.ec2.subnets), func(s *subnet) bool { return s.vpcID == v.id }) ||
		slices.ContainsFunc(byID(w.ec2.gateways), func(g *internetGateway) bool { return g.vpcID == v.id }) ||
		slices.ContainsFunc(byID(w.ec2.groups), func(g *securityGroup) bool { return g.vpcID == v.id && g.name != "default" }) ||
		slices.ContainsFunc(byID(w.ec2.routeTables), func(r *routeTable) bool { return r.vpcID == v.id && r.mainAssociation == "" })
	if inUse {
		return nil, ec2Err("DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted.", v.id)
	}
	w.removeVPC(v)
	return &ec2.DeleteVpcOutput{}, nil
}

func (w *World) removeVPC(v *vpc) {
	removeWhere(w.ec2.groups, w.ec2.tags, func(g *securityGroup) bool { return g.vpcID == v.id })
	removeWhere(w.ec2.routeTables, w.ec2.tags, func(r *routeTable) bool { return r.vpcID == v.id })
	removeWhere(w.ec2.networkACLs, w.ec2.tags, func(a *networkACL) bool { return a.vpcID == v.id })
	delete(w.ec2.vpcs, v.id)
	delete(w.ec2.tags, v.id)
}

func removeWhere[T any](m map[string]T, tags map[string]map[string]string, gone func(T) bool) {
	for id, r := range m {
		if gone(r) {
			delete(m, id)
			delete(tags, id)
		}
	}
}

func describeVPCs(w *World, in *ec2.DescribeVpcsInput) (*ec2.DescribeVpcsOutput, error) {
	all, err := chosen(w.ec2.vpcs, in.VpcIds, vpcNotFound)
	if err != nil {
		return nil, err
	}
	cidr := func(v *vpc) []string { return one(v.cidr.String()) }
	all, err = ec2Select(w, all, in.Filters, func(v *vpc) string { return v.id }, resourceFilters[*vpc]{
		"vpc-id": func(v *vpc) []string { return one(v.id) }, "cidr": cidr, "cidr-block": cidr,
		"cidr-block-association.cidr-block": cidr,
		"is-default":                        func(v *vpc) []string { return yes(v.isDefault) },
		"isDefault":                         func(v *vpc) []string { return yes(v.isDefault) },
		"state":                             func(*vpc) []string { return one("available") },
		"owner-id":                          func(*vpc) []string { return one(w.account) },
		"dhcp-options-id":                   func(*vpc) []string { return one(w.dhcpOptionsID()) },
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeVpcsOutput{Vpcs: []types.Vpc{}, NextToken: next}
	for _, v := range all {
		out.Vpcs = append(out.Vpcs, w.vpcAnswer(v))
	}
	return out, nil
}

func (w *World) vpcAnswer(v *vpc) types.Vpc {
	cidr := v.cidr.String()
	return types.Vpc{
		VpcId: &v.id, CidrBlock: &cidr, IsDefault: &v.isDefault, State: types.VpcStateAvailable,
		OwnerId: &w.account, DhcpOptionsId: ptr(w.dhcpOptionsID()), InstanceTenancy: v.tenancy, Tags: w.tagsOf(v.id),
		CidrBlockAssociationSet: []types.VpcCidrBlockAssociation{{
			AssociationId: &v.associationID, CidrBlock: &cidr,
			CidrBlockState: &types.VpcCidrBlockState{State: types.VpcCidrBlockStateCodeAssociated},
		}},
	}
}

func describeVPCAttribute(w *World, in *ec2.DescribeVpcAttributeInput) (*ec2.DescribeVpcAttributeOutput, error) {
	v := w.ec2.vpcs[deref(in.VpcId)]
	if v == nil {
		return nil, vpcNotFound(deref(in.VpcId))
	}
	out := &ec2.DescribeVpcAttributeOutput{VpcId: &v.id}
	switch in.Attribute {
	case types.VpcAttributeNameEnableDnsSupport:
		out.EnableDnsSupport = &types.AttributeBooleanValue{Value: &v.dnsSupport}
	case types.VpcAttributeNameEnableDnsHostnames:
		out.EnableDnsHostnames = &types.AttributeBooleanValue{Value: &v.dnsHostnames}
	case types.VpcAttributeNameEnableNetworkAddressUsageMetrics:
		out.EnableNetworkAddressUsageMetrics = &types.AttributeBooleanValue{Value: &v.usageMetrics}
	default:
		return nil, ec2Err("InvalidParameterValue", "Value (%s) for parameter attribute is invalid.", in.Attribute)
	}
	return out, nil
}

func modifyVPCAttribute(w *World, in *ec2.ModifyVpcAttributeInput) (*ec2.ModifyVpcAttributeOutput, error) {
	v := w.ec2.vpcs[deref(in.VpcId)]
	if v == nil {
		return nil, vpcNotFound(deref(in.VpcId))
	}
	for to, value := range map[*bool]*types.AttributeBooleanValue{
		&v.dnsSupport: in.EnableDnsSupport, &v.dnsHostnames: in.EnableDnsHostnames, &v.usageMetrics: in.EnableNetworkAddressUsageMetrics,
	} {
		if value != nil {
			*to = deref(value.Value)
		}
	}
	return &ec2.ModifyVpcAttributeOutput{}, nil
}

func describeNetworkACLs(w *World, in *ec2.DescribeNetworkAclsInput) (*ec2.DescribeNetworkAclsOutput, error) {
	all, err := chosen(w.ec2.networkACLs, in.NetworkAclIds, func(id string) error {
		return ec2Err("InvalidNetworkAclID.NotFound", "The networkAcl ID '%s' does not exist", id)
	})
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(a *networkACL) string { return a.id }, resourceFilters[*networkACL]{
		"network-acl-id":        func(a *networkACL) []string { return one(a.id) },
		"vpc-id":                func(a *networkACL) []string { return one(a.vpcID) },
		"default":               func(*networkACL) []string { return yes(true) },
		"owner-id":              func(*networkACL) []string { return one(w.account) },
		"association.subnet-id": func(a *networkACL) []string { return w.subnetIDs(a.vpcID) },
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNetworkAclsOutput{NetworkAcls: []types.NetworkAcl{}}
	for _, a := range all {
		answer := types.NetworkAcl{
			NetworkAclId: &a.id, VpcId: &a.vpcID, IsDefault: ptr(true), OwnerId: &w.account, Tags: w.tagsOf(a.id),
			Associations: []types.NetworkAclAssociation{}, Entries: openEntries(),
		}
		for _, id := range w.subnetIDs(a.vpcID) {
			answer.Associations = append(answer.Associations, types.NetworkAclAssociation{
				NetworkAclAssociationId: ptr("aclassoc-" + id[len("subnet-"):]), NetworkAclId: &a.id, SubnetId: &id,
			})
		}
		out.NetworkAcls = append(out.NetworkAcls, answer)
	}
	return out, nil
}

// openEntries lets everything in and out, as a default access list does.
func openEntries() []types.NetworkAclEntry {
	var out []types.NetworkAclEntry
	for _, egress := range []bool{true, false} {
		out = append(out,
			types.NetworkAclEntry{CidrBlock: ptr("0.0.0.0/0"), Egress: ptr(egress), Protocol: ptr("-1"), RuleAction: types.RuleActionAllow, RuleNumber: ptr(int32(100))},
			types.NetworkAclEntry{CidrBlock: ptr("0.0.0.0/0"), Egress: ptr(egress), Protocol: ptr("-1"), RuleAction: types.RuleActionDeny, RuleNumber: ptr(int32(32767))})
	}
	return out
}

// dhcpOptionsID is the account's only set of DHCP options.
func (w *World) dhcpOptionsID() string { return "dopt-0" + w.account + "abcd" }

func describeDHCPOptions(w *World, in *ec2.DescribeDhcpOptionsInput) (*ec2.DescribeDhcpOptionsOutput, error) {
	id := w.dhcpOptionsID()
	all, err := chosen(map[string]string{id: id}, in.DhcpOptionsIds, func(id string) error {
		return ec2Err("InvalidDhcpOptionID.NotFound", "The dhcpOption ID '%s' does not exist", id)
	})
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(id string) string { return id }, resourceFilters[string]{
		"dhcp-options-id": one, "owner-id": func(string) []string { return one(w.account) },
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeDhcpOptionsOutput{DhcpOptions: []types.DhcpOptions{}}
	for range all {
		out.DhcpOptions = append(out.DhcpOptions, types.DhcpOptions{
			DhcpOptionsId: &id, OwnerId: &w.account,
			DhcpConfigurations: []types.DhcpConfiguration{
				{Key: ptr("domain-name"), Values: []types.AttributeValue{{Value: ptr(w.region + ".compute.internal")}}},
				{Key: ptr("domain-name-servers"), Values: []types.AttributeValue{{Value: ptr("AmazonProvidedDNS")}}},
			},
		})
	}
	return out, nil
}
