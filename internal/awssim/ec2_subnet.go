package awssim

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// subnet is one zone's part of a network.
type subnet struct {
	id, vpcID, zone        string
	cidr                   netip.Prefix
	isDefault, mapPublicIP bool
	used                   map[netip.Addr]bool // by instances that are not gone
	others                 int                 // addresses that something else has
	last                   netip.Addr          // given out last
}

// reservedAddresses is how many addresses of a subnet AWS keeps: the first
// four and the last.
const reservedAddresses = 5

func subnetNotFound(id string) error {
	return ec2Err("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
}

// subnetZone tells the zone of a subnet.
func (w *World) subnetZone(id string) (string, error) {
	s := w.ec2.subnets[id]
	if s == nil {
		return "", subnetNotFound(id)
	}
	return s.zone, nil
}

// zones are the region's Availability Zones.
func (w *World) zones() []string {
	return []string{w.region + "a", w.region + "b", w.region + "c"}
}

// zoneID is the zone's name that is the same in every account, such as
// euw2-az1 for eu-west-2a: of each word of the region its first letter, or two
// for the words made of two directions.
func zoneID(zone string) string {
	region, letter := zone[:len(zone)-1], zone[len(zone)-1]
	var short strings.Builder
	for i, word := range strings.Split(region, "-") {
		switch {
		case i == 0:
			short.WriteString(word)
		case strings.HasSuffix(word, "east") && word != "east", strings.HasSuffix(word, "west") && word != "west":
			short.WriteString(word[:1] + word[5:6]) // southeast: se
		default:
			short.WriteString(word[:1])
		}
	}
	return short.String() + "-az" + strconv.Itoa(int(letter-'a')+1)
}

// Subnets gives the ids of the default network's subnets, one a zone, in the
// order of the zones a, b and c.
func (w *World) Subnets() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, z := range w.zones() {
		out = append(out, w.ec2.defaultSubnets[z])
	}
	return out
}

// subnetIDs are a network's subnets.
func (w *World) subnetIDs(vpcID string) []string {
	var out []string
	for _, s := range byID(w.ec2.subnets) {
		if s.vpcID == vpcID {
			out = append(out, s.id)
		}
	}
	return out
}

func newSubnet(id, vpcID, zone string, cidr netip.Prefix) *subnet {
	return &subnet{id: id, vpcID: vpcID, zone: zone, cidr: cidr, used: map[netip.Addr]bool{}}
}

func (s *subnet) size() int { return 1<<(32-s.cidr.Bits()) - reservedAddresses - s.others }

// take gives out the next free address of a subnet, if there is one. It goes
// round, so that an address is not used again at once.
func (s *subnet) take() (netip.Addr, bool) {
	if len(s.used) >= s.size() {
		return netip.Addr{}, false
	}
	first := s.cidr.Addr()
	for range reservedAddresses - 1 {
		first = first.Next()
	}
	a := first
	if s.last.IsValid() {
		a = s.last.Next()
	}
	for s.used[a] || !s.cidr.Contains(a.Next()) { // the last address of a subnet is AWS's
		if a = a.Next(); !s.cidr.Contains(a.Next()) {
			a = first
		}
	}
	s.used[a], s.last = true, a
	return a, true
}

// release gives an address back.
func (s *subnet) release(a netip.Addr) { delete(s.used, a) }

func ec2SubnetOperations() map[string]operation {
	return map[string]operation{
		"CreateSubnet":          ec2Op(createSubnet),
		"DeleteSubnet":          ec2Op(deleteSubnet),
		"DescribeSubnets":       ec2Op(describeSubnets),
		"ModifySubnetAttribute": ec2Op(modifySubnetAttribute),
	}
}

func createSubnet(w *World, in *ec2.CreateSubnetInput) (*ec2.CreateSubnetOutput, error) {
	v := w.ec2.vpcs[deref(in.VpcId)]
	if v == nil {
		return nil, vpcNotFound(deref(in.VpcId))
	}
	cidr, err := parseCIDR(deref(in.CidrBlock), 16, 28, "InvalidSubnet.Range")
	if err != nil {
		return nil, err
	}
	if !v.cidr.Contains(cidr.Addr()) || cidr.Bits() < v.cidr.Bits() {
		return nil, ec2Err("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	for _, s := range w.ec2.subnets {
		if s.vpcID == v.id && s.cidr.Overlaps(cidr) {
			return nil, ec2Err("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
	}
	zone, err := w.zoneAsked(deref(in.AvailabilityZone), deref(in.AvailabilityZoneId))
	if err != nil {
		return nil, err
	}
	s := newSubnet(w.newID("subnet"), v.id, zone, cidr)
	if err := w.tagNew(s.id, "subnet", in.TagSpecifications); err != nil {
		return nil, err
	}
	w.ec2.subnets[s.id] = s
	return &ec2.CreateSubnetOutput{Subnet: ptr(w.subnetAnswer(s))}, nil
}

// zoneAsked is the zone with a name or an id; without either, the first.
func (w *World) zoneAsked(name, id string) (string, error) {
	if name == "" && id == "" {
		return w.zones()[0], nil
	}
	for _, z := range w.zones() {
		if z == name || zoneID(z) == id {
			return z, nil
		}
	}
	return "", ec2Err("InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s, %s, %s.",
		name+id, w.zones()[0], w.zones()[1], w.zones()[2])
}

func deleteSubnet(w *World, in *ec2.DeleteSubnetInput) (*ec2.DeleteSubnetOutput, error) {
	s := w.ec2.subnets[deref(in.SubnetId)]
	if s == nil {
		return nil, subnetNotFound(deref(in.SubnetId))
	}
	if len(s.used) > 0 || w.balancerUses(func(lb *loadBalancer) bool { return slices.Contains(lb.subnets, s.id) }) {
		return nil, ec2Err("DependencyViolation", "The subnet '%s' has dependencies and cannot be deleted.", s.id)
	}
	delete(w.ec2.subnets, s.id)
	delete(w.ec2.tags, s.id)
	for _, rt := range w.ec2.routeTables {
		delete(rt.associations, s.id)
	}
	return &ec2.DeleteSubnetOutput{}, nil
}

func describeSubnets(w *World, in *ec2.DescribeSubnetsInput) (*ec2.DescribeSubnetsOutput, error) {
	all, err := chosen(w.ec2.subnets, in.SubnetIds, subnetNotFound)
	if err != nil {
		return nil, err
	}
	zone := func(s *subnet) []string { return one(s.zone) }
	byZoneID := func(s *subnet) []string { return one(zoneID(s.zone)) }
	cidr := func(s *subnet) []string { return one(s.cidr.String()) }
	isDefault := func(s *subnet) []string { return yes(s.isDefault) }
	all, err = ec2Select(w, all, in.Filters, func(s *subnet) string { return s.id }, resourceFilters[*subnet]{
		"subnet-id":         func(s *subnet) []string { return one(s.id) },
		"vpc-id":            func(s *subnet) []string { return one(s.vpcID) },
		"availability-zone": zone, "availabilityZone": zone,
		"availability-zone-id": byZoneID, "availabilityZoneId": byZoneID,
		"cidr": cidr, "cidrBlock": cidr, "cidr-block": cidr,
		"default-for-az": isDefault, "defaultForAz": isDefault,
		"map-public-ip-on-launch": func(s *subnet) []string { return yes(s.mapPublicIP) },
		"state":                   func(*subnet) []string { return one("available") },
		"owner-id":                func(*subnet) []string { return one(w.account) },
		"subnet-arn":              func(s *subnet) []string { return one(w.ec2ARN("subnet", s.id)) },
		"ipv6-native":             func(*subnet) []string { return yes(false) },
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeSubnetsOutput{Subnets: []types.Subnet{}, NextToken: next}
	for _, s := range all {
		out.Subnets = append(out.Subnets, w.subnetAnswer(s))
	}
	return out, nil
}

func (w *World) ec2ARN(kind, id string) string {
	return "arn:aws:ec2:" + w.region + ":" + w.account + ":" + kind + "/" + id
}

func (w *World) subnetAnswer(s *subnet) types.Subnet {
	return types.Subnet{
		SubnetId: &s.id, SubnetArn: ptr(w.ec2ARN("subnet", s.id)), VpcId: &s.vpcID, OwnerId: &w.account,
		AvailabilityZone: &s.zone, AvailabilityZoneId: ptr(zoneID(s.zone)), CidrBlock: ptr(s.cidr.String()),
		AvailableIpAddressCount: ptr(int32(s.size() - len(s.used))), //nolint:gosec // a subnet has at most 65,531 addresses
		DefaultForAz:            &s.isDefault, MapPublicIpOnLaunch: &s.mapPublicIP, State: types.SubnetStateAvailable,
		AssignIpv6AddressOnCreation: ptr(false), EnableDns64: ptr(false), Ipv6Native: ptr(false), MapCustomerOwnedIpOnLaunch: ptr(false),
		Ipv6CidrBlockAssociationSet: []types.SubnetIpv6CidrBlockAssociation{},
		PrivateDnsNameOptionsOnLaunch: &types.PrivateDnsNameOptionsOnLaunch{
			HostnameType: types.HostnameTypeIpName, EnableResourceNameDnsARecord: ptr(false), EnableResourceNameDnsAAAARecord: ptr(false),
		},
		Tags: w.tagsOf(s.id),
	}
}

func modifySubnetAttribute(w *World, in *ec2.ModifySubnetAttributeInput) (*ec2.ModifySubnetAttributeOutput, error) {
	s := w.ec2.subnets[deref(in.SubnetId)]
	if s == nil {
		return nil, subnetNotFound(deref(in.SubnetId))
	}
	if in.MapPublicIpOnLaunch == nil {
		return nil, notModelled("subnet attributes other than MapPublicIpOnLaunch")
	}
	s.mapPublicIP = deref(in.MapPublicIpOnLaunch.Value)
	return &ec2.ModifySubnetAttributeOutput{}, nil
}
