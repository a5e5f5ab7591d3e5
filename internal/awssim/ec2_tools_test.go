package awssim_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// toolsText is a world with something of everything to look at.
const toolsText = `
image "golden-web-1" {
  tags = { Team = "web" }
}
template "web" {
  tags = { Team = "web" }
  version {
    image       = "golden-web-1"
    description = "first"
  }
}
target_group "web" {}
group "web" {
  template      = "web"
  min           = 1
  max           = 4
  desired       = 2
  target_groups = ["web"]
}
`

// tool serves the world of toolsText to other programs and gives the
// environment that makes them use it.
func tool(t *testing.T) []string {
	t.Helper()
	s, err := awssim.ParseScenario("tools", toolsText)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{Speed: 60}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=AKIAREFITSIMULATOR00", "AWS_SECRET_ACCESS_KEY=simulated",
		"AWS_REGION="+w.Region(), "AWS_DEFAULT_REGION="+w.Region(), "AWS_PAGER=", "AWS_DEFAULT_OUTPUT=json", "AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true")
}

func TestCommandLineReadsEC2AndELB(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: starts the AWS command line a few times")
	}
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("SKIPPED: the AWS command line is not here")
	}
	env := tool(t)
	for _, c := range []struct{ args, want string }{
		{"ec2 describe-images --owners self --filters Name=name,Values=golden-* Name=tag:Team,Values=web --query Images[].[Name,State,Architecture,BlockDeviceMappings[0].Ebs.VolumeSize]", "golden-web-1 available x86_64 8"},
		{"ec2 describe-launch-template-versions --launch-template-name web --versions $Latest --query LaunchTemplateVersions[].[VersionNumber,VersionDescription,DefaultVersion,LaunchTemplateData.InstanceType]", "1 first True t3.micro"},
		{"ec2 describe-instances --filters Name=tag:aws:autoscaling:groupName,Values=web --query Reservations[].Instances[].State.Name", "running running"},
		{"ec2 describe-instance-status --query InstanceStatuses[].InstanceStatus.Status", "ok ok"},
		{"elbv2 describe-target-groups --names web --query TargetGroups[].[Protocol,Port,HealthCheckPath,Matcher.HttpCode]", "HTTP 80 / 200"},
		{"elbv2 describe-load-balancers --names web --query LoadBalancers[].[Type,State.Code,length(AvailabilityZones)]", "application active 3"},
	} {
		cmd := exec.CommandContext(t.Context(), path, append(strings.Fields(c.args), "--output", "text")...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != c.want {
			t.Errorf("aws %s: got %q, %v, want %q", c.args, got, err, c.want)
		}
	}
}

func TestBoto3ReadsEC2AndELB(t *testing.T) {
	t.Parallel()
	env := tool(t)
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run(); err != nil {
		t.Skipf("SKIPPED: python3 with boto3 is not here: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", boto3EC2Script)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// boto3EC2Script writes and reads with boto3, whose parser is case-sensitive and
// does not know the Go SDK.
const boto3EC2Script = `
import boto3, botocore
ec2, elb = boto3.client('ec2'), boto3.client('elbv2')
def same(what, got, want):
    assert got == want, f'{what}: got {got!r}, want {want!r}'

image = ec2.describe_images(Owners=['self'])['Images'][0]
same('image', (image['Name'], image['OwnerId'], image['Tags'], image['Public']), ('golden-web-1', '123456789012', [{'Key': 'Team', 'Value': 'web'}], False))

data = {
    'ImageId': image['ImageId'], 'InstanceType': 't3.small', 'UserData': 'aGVsbG8=', 'EbsOptimized': True,
    'IamInstanceProfile': {'Name': 'web'},
    'BlockDeviceMappings': [{'DeviceName': '/dev/xvda', 'Ebs': {'VolumeSize': 20, 'VolumeType': 'gp3', 'Encrypted': True, 'SnapshotId': 'snap-1'}}],
    'NetworkInterfaces': [{'DeviceIndex': 0, 'AssociatePublicIpAddress': False, 'Groups': ['sg-1', 'sg-2'], 'Ipv6Addresses': [{'Ipv6Address': '::1'}]}],
    'TagSpecifications': [{'ResourceType': 'instance', 'Tags': [{'Key': 'Name', 'Value': 'web'}]}],
    'MetadataOptions': {'HttpTokens': 'required', 'HttpPutResponseHopLimit': 2},
    'InstanceMarketOptions': {'MarketType': 'spot', 'SpotOptions': {'MaxPrice': '0.1'}},
    'LicenseSpecifications': [{'LicenseConfigurationArn': 'arn:aws:license'}],
    'Placement': {'Tenancy': 'default'}, 'Monitoring': {'Enabled': True}, 'CreditSpecification': {'CpuCredits': 'standard'},
}
made = ec2.create_launch_template(LaunchTemplateName='boto', LaunchTemplateData=data, TagSpecifications=[{'ResourceType': 'launch-template', 'Tags': [{'Key': 'a', 'Value': 'b'}]}])['LaunchTemplate']
same('template', (made['LaunchTemplateName'], made['LatestVersionNumber'], made['Tags']), ('boto', 1, [{'Key': 'a', 'Value': 'b'}]))
got = ec2.describe_launch_template_versions(LaunchTemplateId=made['LaunchTemplateId'])['LaunchTemplateVersions'][0]['LaunchTemplateData']
same('template data', got, data)

second = ec2.create_launch_template_version(LaunchTemplateName='boto', SourceVersion='1', LaunchTemplateData={'ImageId': 'ami-none'})
same('version', second['LaunchTemplateVersion']['VersionNumber'], 2)
same('warning', second['Warning']['Errors'][0]['Code'], 'InvalidAMIID.NotFound')
ec2.modify_launch_template(LaunchTemplateName='boto', DefaultVersion='2')
gone = ec2.delete_launch_template_versions(LaunchTemplateName='boto', Versions=['1', '2'])
same('deleted', [v['VersionNumber'] for v in gone['SuccessfullyDeletedLaunchTemplateVersions']], [1])
same('kept', [v['ResponseError']['Code'] for v in gone['UnsuccessfullyDeletedLaunchTemplateVersions']], ['unexpectedError'])

for call, code in [
    (lambda: ec2.describe_launch_templates(LaunchTemplateIds=['lt-0']), 'InvalidLaunchTemplateId.NotFound'),
    (lambda: ec2.describe_instances(InstanceIds=['i-0']), 'InvalidInstanceID.NotFound'),
    (lambda: ec2.delete_launch_template(LaunchTemplateName='boto', DryRun=True), 'DryRunOperation'),
    (lambda: elb.describe_target_groups(Names=['none']), 'TargetGroupNotFound'),
]:
    try:
        call()
        assert False, f'{code} was not raised'
    except botocore.exceptions.ClientError as e:
        same('error', e.response['Error']['Code'], code)

vpc = ec2.describe_vpcs(Filters=[{'Name': 'is-default', 'Values': ['true']}])['Vpcs'][0]
subnets = ec2.describe_subnets(Filters=[{'Name': 'vpc-id', 'Values': [vpc['VpcId']]}])['Subnets']
same('subnets', len(subnets), 3)
same('routes', ec2.describe_route_tables()['RouteTables'][0]['Associations'][0]['Main'], True)
group = ec2.create_security_group(GroupName='boto', Description='boto', VpcId=vpc['VpcId'])['GroupId']
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{'IpProtocol': 'tcp', 'FromPort': 80, 'ToPort': 80, 'UserIdGroupPairs': [{'GroupId': group}]}])
shown = ec2.describe_security_groups(GroupIds=[group])['SecurityGroups'][0]
same('rule', shown['IpPermissions'][0]['UserIdGroupPairs'][0]['GroupId'], group)
same('zones', [z['ZoneName'] for z in ec2.describe_availability_zones()['AvailabilityZones']], ['eu-west-2a', 'eu-west-2b', 'eu-west-2c'])
same('type', ec2.describe_instance_types(InstanceTypes=['t4g.small'])['InstanceTypes'][0]['ProcessorInfo']['SupportedArchitectures'], ['arm64'])

arn = elb.describe_target_groups(Names=['web'])['TargetGroups'][0]['TargetGroupArn']
health = elb.describe_target_health(TargetGroupArn=arn)['TargetHealthDescriptions']
same('health', [h['TargetHealth'] for h in health], [{'State': 'healthy'}] * 2)
same('attributes', {a['Key']: a['Value'] for a in elb.describe_target_group_attributes(TargetGroupArn=arn)['Attributes']}['deregistration_delay.timeout_seconds'], '30')
lb = elb.describe_load_balancers(Names=['web'])['LoadBalancers'][0]
listener = elb.describe_listeners(LoadBalancerArn=lb['LoadBalancerArn'])['Listeners'][0]
same('listener', listener['DefaultActions'][0]['TargetGroupArn'], arn)
same('rules', [r['Priority'] for r in elb.describe_rules(ListenerArn=listener['ListenerArn'])['Rules']], ['default'])
`
