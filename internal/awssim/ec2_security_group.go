package awssim

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// securityGroup is a group and its rules, in the order they came.
type securityGroup struct {
	id, name, description, vpcID string
	rules                        []*groupRule
}

// groupRule is one rule: one protocol, one range of ports, one source or
// destination. Ports are -1 where the protocol has none.
type groupRule struct {
	id, protocol string
	from, to     int32
	egress       bool
	// Exactly one of these is set: a block of addresses, a prefix list or a group.
	cidr4, cidr6, prefixList, source string
	description                      string
}

func groupNotFound(id string) error {
	return ec2Err("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
}

func (e *ec2State) rule(id string) *groupRule {
	for _, g := range e.groups {
		for _, r := range g.rules {
			if r.id == id {
				return r
			}
		}
	}
	return nil
}

// same is whether two rules let the same through; descriptions do not matter.
func (r *groupRule) same(o *groupRule) bool {
	a, b := *r, *o
	a.id, b.id, a.description, b.description = "", "", "", ""
	return a == b
}

// groupNamed finds a network's group by name; the default network's without one.
func (w *World) groupNamed(vpcID, name string) *securityGroup {
	setDefault(&vpcID, w.ec2.defaultVPC)
	for _, g := range w.ec2.groups { // there is one at most
		if g.vpcID == vpcID && g.name == name {
			return g
		}
	}
	return nil
}

// addSecurityGroup makes a group that lets everything out, as AWS does.
func (w *World) addSecurityGroup(vpcID, name, description string) *securityGroup {
	g := &securityGroup{id: w.newID("sg"), name: name, description: description, vpcID: vpcID}
	g.rules = []*groupRule{{id: w.newID("sgr"), protocol: "-1", from: -1, to: -1, egress: true, cidr4: "0.0.0.0/0"}}
	w.ec2.groups[g.id] = g
	return g
}

func ec2SecurityGroupOperations() map[string]operation {
	return map[string]operation{
		"CreateSecurityGroup":           ec2Op(createSecurityGroup),
		"DeleteSecurityGroup":           ec2Op(deleteSecurityGroup),
		"DescribeSecurityGroups":        ec2Op(describeSecurityGroups),
		"DescribeSecurityGroupRules":    ec2Op(describeSecurityGroupRules),
		"AuthorizeSecurityGroupIngress": ec2Op(authorizeIngress),
		"AuthorizeSecurityGroupEgress":  ec2Op(authorizeEgress),
		"RevokeSecurityGroupIngress":    ec2Op(revokeIngress),
		"RevokeSecurityGroupEgress":     ec2Op(revokeEgress),
		"DescribeNetworkInterfaces":     ec2Op(describeNetworkInterfaces),
	}
}

func createSecurityGroup(w *World, in *ec2.CreateSecurityGroupInput) (*ec2.CreateSecurityGroupOutput, error) {
	name, vpcID := deref(in.GroupName), deref(in.VpcId)
	setDefault(&vpcID, w.ec2.defaultVPC)
	switch {
	case name == "":
		return nil, missingParameter("groupName")
	case deref(in.Description) == "":
		return nil, missingParameter("GroupDescription")
	case strings.HasPrefix(name, "sg-"):
		return nil, ec2Err("InvalidParameterValue", "Value (%s) for parameter groupName is invalid. Group names may not be in the format sg-*.", name)
	case name == "default":
		return nil, ec2Err("InvalidParameterValue", "Cannot use reserved security group name: default")
	case w.ec2.vpcs[vpcID] == nil:
		return nil, vpcNotFound(vpcID)
	case w.groupNamed(vpcID, name) != nil:
		return nil, ec2Err("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, vpcID)
	}
	g := w.addSecurityGroup(vpcID, name, *in.Description)
	if err := w.tagNew(g.id, "security-group", in.TagSpecifications); err != nil {
		delete(w.ec2.groups, g.id)
		return nil, err
	}
	return &ec2.CreateSecurityGroupOutput{GroupId: &g.id, SecurityGroupArn: ptr(w.ec2ARN("security-group", g.id)), Tags: w.tagsOf(g.id)}, nil
}

func (w *World) groupAsked(id, name *string) (*securityGroup, error) {
	switch {
	case deref(id) != "":
		if g := w.ec2.groups[*id]; g != nil {
			return g, nil
		}
		return nil, groupNotFound(*id)
	case deref(name) != "":
		if g := w.groupNamed("", *name); g != nil {
			return g, nil
		}
		return nil, groupNotFound(*name)
	}
	return nil, missingParameter("groupName or groupId")
}

func deleteSecurityGroup(w *World, in *ec2.DeleteSecurityGroupInput) (*ec2.DeleteSecurityGroupOutput, error) {
	g, err := w.groupAsked(in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	if g.name == "default" {
		return nil, ec2Err("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.id)
	}
	used := w.balancerUses(func(lb *loadBalancer) bool { return slices.Contains(lb.securityGroups, g.id) })
	for _, i := range w.ec2.instances {
		used = used || i.state != "terminated" && slices.Contains(i.securityGroups, g.id)
	}
	for _, o := range w.ec2.groups {
		used = used || o != g && slices.ContainsFunc(o.rules, func(r *groupRule) bool { return r.source == g.id })
	}
	if used {
		return nil, ec2Err("DependencyViolation", "resource %s has a dependent object", g.id)
	}
	delete(w.ec2.groups, g.id)
	delete(w.ec2.tags, g.id)
	return &ec2.DeleteSecurityGroupOutput{Return: ptr(true), GroupId: &g.id}, nil
}

func describeSecurityGroups(w *World, in *ec2.DescribeSecurityGroupsInput) (*ec2.DescribeSecurityGroupsOutput, error) {
	ids := slices.Clone(in.GroupIds)
	for _, name := range in.GroupNames {
		g, err := w.groupAsked(nil, &name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, g.id)
	}
	all, err := chosen(w.ec2.groups, ids, groupNotFound)
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(g *securityGroup) string { return g.id }, resourceFilters[*securityGroup]{
		"group-id":    func(g *securityGroup) []string { return one(g.id) },
		"group-name":  func(g *securityGroup) []string { return one(g.name) },
		"description": func(g *securityGroup) []string { return one(g.description) },
		"vpc-id":      func(g *securityGroup) []string { return one(g.vpcID) },
		"owner-id":    func(*securityGroup) []string { return one(w.account) },
		"ip-permission.group-id": func(g *securityGroup) (out []string) {
			for _, r := range g.rules {
				if !r.egress {
					out = append(out, one(r.source)...)
				}
			}
			return out
		},
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSecurityGroupsOutput{SecurityGroups: []types.SecurityGroup{}, NextToken: next}
	for _, g := range all {
		out.SecurityGroups = append(out.SecurityGroups, types.SecurityGroup{
			GroupId: &g.id, GroupName: &g.name, Description: &g.description, VpcId: &g.vpcID, OwnerId: &w.account,
			SecurityGroupArn: ptr(w.ec2ARN("security-group", g.id)), Tags: w.tagsOf(g.id),
			IpPermissions: w.permissions(g, false), IpPermissionsEgress: w.permissions(g, true),
		})
	}
	return out, nil
}

// permissions folds rules that differ in their source only into one entry, as
// DescribeSecurityGroups shows them.
func (w *World) permissions(g *securityGroup, egress bool) []types.IpPermission {
	out := []types.IpPermission{}
	for _, r := range g.rules {
		if r.egress != egress {
			continue
		}
		i := slices.IndexFunc(out, func(p types.IpPermission) bool {
			return *p.IpProtocol == r.protocol && (p.FromPort == nil || *p.FromPort == r.from && *p.ToPort == r.to)
		})
		if i < 0 {
			p := types.IpPermission{
				IpProtocol: &r.protocol, IpRanges: []types.IpRange{}, Ipv6Ranges: []types.Ipv6Range{},
				PrefixListIds: []types.PrefixListId{}, UserIdGroupPairs: []types.UserIdGroupPair{},
			}
			if r.protocol != "-1" {
				p.FromPort, p.ToPort = &r.from, &r.to
			}
			out, i = append(out, p), len(out)
		}
		w.addSource(&out[i], r)
	}
	return out
}

func (w *World) addSource(p *types.IpPermission, r *groupRule) {
	var description *string
	if r.description != "" {
		description = &r.description
	}
	switch {
	case r.cidr4 != "":
		p.IpRanges = append(p.IpRanges, types.IpRange{CidrIp: &r.cidr4, Description: description})
	case r.cidr6 != "":
		p.Ipv6Ranges = append(p.Ipv6Ranges, types.Ipv6Range{CidrIpv6: &r.cidr6, Description: description})
	case r.prefixList != "":
		p.PrefixListIds = append(p.PrefixListIds, types.PrefixListId{PrefixListId: &r.prefixList, Description: description})
	default:
		p.UserIdGroupPairs = append(p.UserIdGroupPairs, types.UserIdGroupPair{GroupId: &r.source, UserId: &w.account, Description: description})
	}
}

// describeNetworkInterfaces shows the one interface of each instance.
func describeNetworkInterfaces(w *World, in *ec2.DescribeNetworkInterfacesInput) (*ec2.DescribeNetworkInterfacesOutput, error) {
	all := map[string]*instance{}
	for _, i := range w.ec2.instances {
		if i.state != "terminated" {
			all["eni-"+strings.TrimPrefix(i.id, "i-")] = i
		}
	}
	list, err := chosen(all, in.NetworkInterfaceIds, func(id string) error {
		return ec2Err("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", id)
	})
	if err != nil {
		return nil, err
	}
	list, err = ec2Select(w, list, in.Filters, instanceIDOf, resourceFilters[*instance]{
		"attachment.instance-id":       func(i *instance) []string { return one(i.id) },
		"attachment.instance-owner-id": func(*instance) []string { return one(w.account) },
		"group-id":                     func(i *instance) []string { return i.securityGroups },
		"subnet-id":                    func(i *instance) []string { return one(i.subnetID) },
		"vpc-id":                       func(i *instance) []string { return one(i.vpcID) },
		"description":                  func(*instance) []string { return nil },
		"interface-type":               func(*instance) []string { return one("interface") },
		"requester-id":                 func(*instance) []string { return nil },
		"status":                       func(*instance) []string { return one("in-use") },
		"private-ip-address":           func(i *instance) []string { return one(i.privateIP) },
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeNetworkInterfacesOutput{NetworkInterfaces: []types.NetworkInterface{}}
	for _, i := range list {
		out.NetworkInterfaces = append(out.NetworkInterfaces, types.NetworkInterface{
			NetworkInterfaceId: ptr("eni-" + strings.TrimPrefix(i.id, "i-")), SubnetId: &i.subnetID, VpcId: &i.vpcID,
			AvailabilityZone: &i.zone, PrivateIpAddress: &i.privateIP, OwnerId: &w.account,
			Status: types.NetworkInterfaceStatusInUse, InterfaceType: types.NetworkInterfaceTypeInterface,
			Attachment: &types.NetworkInterfaceAttachment{
				InstanceId: &i.id, InstanceOwnerId: &w.account, Status: types.AttachmentStatusAttached, DeleteOnTermination: ptr(true), DeviceIndex: ptr(int32(0)),
			},
		})
	}
	return out, nil
}
