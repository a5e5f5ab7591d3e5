package awssim

import (
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func authorizeIngress(w *World, in *ec2.AuthorizeSecurityGroupIngressInput) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	g, err := w.groupAsked(in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	perms := in.IpPermissions
	if in.IpProtocol != nil {
		perms = append(perms, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp))
	}
	rules, err := w.authorize(g, perms, false, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	return &ec2.AuthorizeSecurityGroupIngressOutput{Return: ptr(true), SecurityGroupRules: rules}, nil
}

func authorizeEgress(w *World, in *ec2.AuthorizeSecurityGroupEgressInput) (*ec2.AuthorizeSecurityGroupEgressOutput, error) {
	g, err := w.groupAsked(in.GroupId, nil)
	if err != nil {
		return nil, err
	}
	perms := in.IpPermissions
	if in.IpProtocol != nil {
		perms = append(perms, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp))
	}
	rules, err := w.authorize(g, perms, true, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	return &ec2.AuthorizeSecurityGroupEgressOutput{Return: ptr(true), SecurityGroupRules: rules}, nil
}

// flatPermission is the older way to ask for one rule.
func flatPermission(protocol *string, from, to *int32, cidr *string) types.IpPermission {
	return types.IpPermission{IpProtocol: protocol, FromPort: from, ToPort: to, IpRanges: []types.IpRange{{CidrIp: cidr}}}
}

// authorize adds rules to a group, all of them or none.
func (w *World) authorize(g *securityGroup, perms []types.IpPermission, egress bool, tags []types.TagSpecification) ([]types.SecurityGroupRule, error) {
	add, err := w.rulesOf(perms, egress)
	if err != nil {
		return nil, err
	}
	for i, r := range add {
		if slices.ContainsFunc(g.rules, r.same) || slices.ContainsFunc(add[:i], r.same) {
			return nil, ec2Err("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s\" already exists", r.peer(), r.protocol)
		}
	}
	out := []types.SecurityGroupRule{}
	for _, r := range add {
		r.id = w.newID("sgr")
		if err := w.tagNew(r.id, "security-group-rule", tags); err != nil {
			return nil, err
		}
		out = append(out, w.ruleAnswer(g, r))
	}
	g.rules = append(g.rules, add...)
	return out, nil
}

func (r *groupRule) peer() string { return r.cidr4 + r.cidr6 + r.prefixList + r.source }

// protocols gives numbers their names, as the service does.
var protocols = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}

// rulesOf splits permissions into rules of one source each.
func (w *World) rulesOf(perms []types.IpPermission, egress bool) ([]*groupRule, error) {
	if len(perms) == 0 {
		return nil, missingParameter("ipPermissions")
	}
	var out []*groupRule
	for _, p := range perms {
		base := groupRule{protocol: deref(p.IpProtocol), from: -1, to: -1, egress: egress}
		if name, found := protocols[base.protocol]; found {
			base.protocol = name
		}
		if base.protocol == "" {
			return nil, missingParameter("ipProtocol")
		}
		if base.protocol != "-1" {
			if p.FromPort != nil {
				base.from = *p.FromPort
			}
			if p.ToPort != nil {
				base.to = *p.ToPort
			}
		}
		rules, err := w.sourcesOf(base, p)
		if err != nil {
			return nil, err
		}
		out = append(out, rules...)
	}
	return out, nil
}

func (w *World) sourcesOf(base groupRule, p types.IpPermission) ([]*groupRule, error) {
	var out []*groupRule
	add := func(description *string, set func(r *groupRule)) {
		r := base
		r.description = deref(description)
		set(&r)
		out = append(out, &r)
	}
	for _, c := range p.IpRanges {
		if _, err := netip.ParsePrefix(deref(c.CidrIp)); err != nil {
			return nil, ec2Err("InvalidParameterValue", "CIDR block %s is malformed", deref(c.CidrIp))
		}
		add(c.Description, func(r *groupRule) { r.cidr4 = *c.CidrIp })
	}
	for _, c := range p.Ipv6Ranges {
		if _, err := netip.ParsePrefix(deref(c.CidrIpv6)); err != nil {
			return nil, ec2Err("InvalidParameterValue", "CIDR block %s is malformed", deref(c.CidrIpv6))
		}
		add(c.Description, func(r *groupRule) { r.cidr6 = *c.CidrIpv6 })
	}
	for _, l := range p.PrefixListIds {
		add(l.Description, func(r *groupRule) { r.prefixList = deref(l.PrefixListId) })
	}
	for _, pair := range p.UserIdGroupPairs {
		g, err := w.groupAsked(pair.GroupId, pair.GroupName)
		if err != nil {
			return nil, err
		}
		add(pair.Description, func(r *groupRule) { r.source = g.id })
	}
	return out, nil
}

func revokeIngress(w *World, in *ec2.RevokeSecurityGroupIngressInput) (*ec2.RevokeSecurityGroupIngressOutput, error) {
	g, err := w.groupAsked(in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	perms := in.IpPermissions
	if in.IpProtocol != nil {
		perms = append(perms, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp))
	}
	if err := w.revoke(g, perms, in.SecurityGroupRuleIds, false); err != nil {
		return nil, err
	}
	return &ec2.RevokeSecurityGroupIngressOutput{Return: ptr(true)}, nil
}

func revokeEgress(w *World, in *ec2.RevokeSecurityGroupEgressInput) (*ec2.RevokeSecurityGroupEgressOutput, error) {
	g, err := w.groupAsked(in.GroupId, nil)
	if err != nil {
		return nil, err
	}
	perms := in.IpPermissions
	if in.IpProtocol != nil {
		perms = append(perms, flatPermission(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp))
	}
	if err := w.revoke(g, perms, in.SecurityGroupRuleIds, true); err != nil {
		return nil, err
	}
	return &ec2.RevokeSecurityGroupEgressOutput{Return: ptr(true)}, nil
}

// revoke removes rules by id or by what they let through, all of them or none.
func (w *World) revoke(g *securityGroup, perms []types.IpPermission, ids []string, egress bool) error {
	gone := map[*groupRule]bool{}
	for _, id := range ids {
		i := slices.IndexFunc(g.rules, func(r *groupRule) bool { return r.id == id && r.egress == egress })
		if i < 0 {
			return ec2Err("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
		}
		gone[g.rules[i]] = true
	}
	if len(ids) == 0 {
		rules, err := w.rulesOf(perms, egress)
		if err != nil {
			return err
		}
		for _, r := range rules {
			i := slices.IndexFunc(g.rules, r.same)
			if i < 0 {
				return ec2Err("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
			}
			gone[g.rules[i]] = true
		}
	}
	for r := range gone {
		delete(w.ec2.tags, r.id)
	}
	g.rules = slices.DeleteFunc(slices.Clone(g.rules), func(r *groupRule) bool { return gone[r] })
	return nil
}

func (w *World) ruleAnswer(g *securityGroup, r *groupRule) types.SecurityGroupRule {
	out := types.SecurityGroupRule{
		SecurityGroupRuleId: &r.id, SecurityGroupRuleArn: ptr(w.ec2ARN("security-group-rule", r.id)),
		GroupId: &g.id, GroupOwnerId: &w.account, IsEgress: &r.egress,
		IpProtocol: &r.protocol, FromPort: &r.from, ToPort: &r.to, Tags: w.tagsOf(r.id),
	}
	for to, from := range map[**string]*string{
		&out.CidrIpv4: &r.cidr4, &out.CidrIpv6: &r.cidr6, &out.PrefixListId: &r.prefixList, &out.Description: &r.description,
	} {
		if *from != "" {
			*to = from
		}
	}
	if r.source != "" {
		out.ReferencedGroupInfo = &types.ReferencedSecurityGroup{GroupId: &r.source, UserId: &w.account}
	}
	return out
}

func describeSecurityGroupRules(w *World, in *ec2.DescribeSecurityGroupRulesInput) (*ec2.DescribeSecurityGroupRulesOutput, error) {
	all := map[string]types.SecurityGroupRule{}
	for _, g := range w.ec2.groups {
		for _, r := range g.rules {
			all[r.id] = w.ruleAnswer(g, r)
		}
	}
	list, err := chosen(all, in.SecurityGroupRuleIds, func(id string) error {
		return ec2Err("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist", id)
	})
	if err != nil {
		return nil, err
	}
	list, err = ec2Select(w, list, in.Filters, func(r types.SecurityGroupRule) string { return *r.SecurityGroupRuleId },
		resourceFilters[types.SecurityGroupRule]{
			"group-id":               func(r types.SecurityGroupRule) []string { return one(*r.GroupId) },
			"security-group-rule-id": func(r types.SecurityGroupRule) []string { return one(*r.SecurityGroupRuleId) },
		})
	if err != nil {
		return nil, err
	}
	list, next, err := ec2Page(list, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeSecurityGroupRulesOutput{SecurityGroupRules: append([]types.SecurityGroupRule{}, list...), NextToken: next}, nil
}
