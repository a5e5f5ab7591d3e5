package awssim_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestDefaultNetwork(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	vpcs, err := client.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{Filters: []types.Filter{filter("is-default", "true")}})
	if err != nil || len(vpcs.Vpcs) != 1 {
		t.Fatalf("default network: got %+v, %v, want one", vpcs, err)
	}
	subnets, err := client.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{Filters: []types.Filter{filter("vpc-id", *vpcs.Vpcs[0].VpcId)}})
	if err != nil {
		t.Fatal(err)
	}
	zones := map[string]string{}
	for _, s := range subnets.Subnets {
		zones[*s.AvailabilityZone] = *s.AvailabilityZoneId
		if *s.AvailableIpAddressCount != 4091 {
			t.Errorf("subnet %s: got %d free addresses, want 4091", *s.SubnetId, *s.AvailableIpAddressCount)
		}
	}
	if len(zones) != 3 || zones["eu-west-2a"] != "euw2-az1" || zones["eu-west-2c"] != "euw2-az3" {
		t.Errorf("got zones %v, want a, b and c of eu-west-2", zones)
	}
	if got := w.Subnets(); len(got) != 3 || *subnets.Subnets[slices.IndexFunc(subnets.Subnets, func(s types.Subnet) bool { return *s.SubnetId == got[1] })].AvailabilityZone != "eu-west-2b" {
		t.Errorf("Subnets: got %v, want those of zones a, b and c", got)
	}
}

func TestSubnetRules(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	ctx := t.Context()
	v, err := client.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	id := v.Vpc.VpcId
	add := func(cidr, zone string) error {
		_, err := client.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: id, CidrBlock: &cidr, AvailabilityZone: &zone})
		return err
	}
	if err := add("10.0.1.0/24", w.Region()+"a"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, add("10.0.1.128/25", w.Region()+"b"), "InvalidSubnet.Conflict", "10.0.1.128/25")
	wantCode(t, add("10.1.0.0/24", w.Region()+"b"), "InvalidSubnet.Range", "10.1.0.0/24")
	wantCode(t, add("10.0.2.0/24", "us-east-1a"), "InvalidParameterValue", "us-east-1a")
	_, err = client.DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: id})
	wantCode(t, err, "DependencyViolation", *id)
}

func TestSecurityGroupRules(t *testing.T) {
	t.Parallel()
	_, client := newEC2(t)
	ctx := t.Context()
	g, err := client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("web"), Description: aws.String("web servers")})
	if err != nil {
		t.Fatal(err)
	}
	http := types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80), IpRanges: []types.IpRange{
		{CidrIp: aws.String("10.0.0.0/8"), Description: aws.String("inside")}, {CidrIp: aws.String("192.168.0.0/16")},
	}}
	authorize := func() error {
		_, err := client.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: g.GroupId, IpPermissions: []types.IpPermission{http}})
		return err
	}
	if err := authorize(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, authorize(), "InvalidPermission.Duplicate", "10.0.0.0/8")
	out, err := client.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{*g.GroupId}})
	if err != nil {
		t.Fatal(err)
	}
	got := out.SecurityGroups[0]
	if len(got.IpPermissions) != 1 || len(got.IpPermissions[0].IpRanges) != 2 || len(got.IpPermissionsEgress) != 1 {
		t.Errorf("got %+v, want one permission of two ranges in and one out", got)
	}
	rules, err := client.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", *g.GroupId)}})
	if err != nil || len(rules.SecurityGroupRules) != 3 {
		t.Errorf("rules: got %+v, %v, want three", rules, err)
	}
	revoke := func() error {
		_, err := client.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: g.GroupId, IpPermissions: []types.IpPermission{http}})
		return err
	}
	if err := revoke(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, revoke(), "InvalidPermission.NotFound", "does not exist")
}

func TestSecurityGroupInUseStays(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	ctx := t.Context()
	g, err := client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("web"), Description: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	other, err := client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("db"), Description: aws.String("db")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: other.GroupId, IpPermissions: []types.IpPermission{
		{IpProtocol: aws.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: g.GroupId}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: g.GroupId})
	wantCode(t, err, "DependencyViolation", *g.GroupId)
	for _, id := range []*string{other.GroupId, g.GroupId} {
		if _, err := client.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: id}); err != nil {
			t.Errorf("delete %s in %s: %v", *id, w.Region(), err)
		}
	}
}

func TestInstanceTypes(t *testing.T) {
	t.Parallel()
	_, client := newEC2(t)
	for name, want := range map[types.InstanceType]string{
		"t3.micro": "x86_64 2 1024 legacy-bios,uefi", "t4g.small": "arm64 2 2048 uefi", "m5.large": "x86_64 2 8192 legacy-bios,uefi", "m7g.xlarge": "arm64 4 16384 uefi",
	} {
		out, err := client.DescribeInstanceTypes(t.Context(), &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{name}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		i := out.InstanceTypes[0]
		var modes []string
		for _, m := range i.SupportedBootModes {
			modes = append(modes, string(m))
		}
		got := strings.Join([]string{
			string(i.ProcessorInfo.SupportedArchitectures[0]), number(*i.VCpuInfo.DefaultVCpus), number(*i.MemoryInfo.SizeInMiB), strings.Join(modes, ","),
		}, " ")
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	_, err := client.DescribeInstanceTypes(t.Context(), &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"z9.huge"}})
	wantCode(t, err, "InvalidInstanceType", "z9.huge")
}

func number[T int32 | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

func TestZoneIDs(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-west-2": "euw2-az1", "us-east-1": "use1-az1", "ap-southeast-2": "apse2-az1", "ap-northeast-1": "apne1-az1", "ca-central-1": "cac1-az1", "eu-north-1": "eun1-az1",
	} {
		w := awssim.New(awssim.Options{Region: region})
		out, err := ec2.NewFromConfig(w.Config()).DescribeAvailabilityZones(t.Context(), &ec2.DescribeAvailabilityZonesInput{})
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.AvailabilityZones[0].ZoneId; got != want {
			t.Errorf("%s: got %s, want %s", *out.AvailabilityZones[0].ZoneName, got, want)
		}
	}
}
