package provider_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/provider"
)

// fleet is a group of four in three zones behind a load balancer, with two
// images. The group runs the older one.
const fleet = `
start = "2026-11-20T09:00:00Z"

image "golden-web-1" {
  id      = "ami-00000000000000001"
  created = "2026-10-05T04:00:00Z"
}

image "golden-web-2" {
  id      = "ami-00000000000000002"
  created = "2026-11-02T04:00:00Z"
}

image "golden-arm-3" {
  id           = "ami-00000000000000003"
  created      = "2026-11-03T04:00:00Z"
  architecture = "arm64"
}

template "web" {
  version {
    image         = "golden-web-1"
    instance_type = "t3.small"
    description   = "by hand"
  }
}

target_group "web" {}

group "web" {
  template      = "web"
  version       = "1"
  min           = 2
  max           = 8
  desired       = 4
  target_groups = ["web"]
  health_check  = "ELB"
  grace_period  = "300s"
}
`

// The images of the fleet, and later ones.
const (
	first  = "ami-00000000000000001"
	second = "ami-00000000000000002"
	arm    = "ami-00000000000000003"
	third  = "ami-00000000000000004"
)

// lab is a simulated AWS in virtual time and a provider that runs on its
// clock: a roll of minutes takes as long as its calls.
type lab struct {
	*testing.T
	world    *awssim.World
	url      string
	template string // id of the launch template "web"
}

func newLab(t *testing.T, scenario string) *lab {
	t.Helper()
	s, err := awssim.ParseScenario(t.Name(), scenario)
	if err != nil {
		t.Fatal(err)
	}
	world, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	server := httptest.NewServer(world)
	t.Cleanup(server.Close)
	l := &lab{T: t, world: world, url: server.URL}
	out, err := l.ec2().DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"web"}})
	if err == nil && len(out.LaunchTemplates) == 1 {
		l.template = aws.ToString(out.LaunchTemplates[0].LaunchTemplateId)
	}
	return l
}

func (l *lab) ec2() *ec2.Client { return ec2.NewFromConfig(l.world.Config()) }

// balancer is the name of the first load balancer.
func (l *lab) balancer() string {
	l.Helper()
	out, err := elb.NewFromConfig(l.world.Config()).DescribeLoadBalancers(l.Context(), &elb.DescribeLoadBalancersInput{})
	if err != nil || len(out.LoadBalancers) == 0 {
		l.Fatalf("load balancers: %+v, %v", out, err)
	}
	return aws.ToString(out.LoadBalancers[0].DNSName)
}

// factories serve the provider in this process.
func (l *lab) factories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"refit": providerserver.NewProtocol6WithError(provider.New(provider.Options{Version: "test", Clock: l.world.Clock(), Transport: l.world.RoundTripper()})()),
	}
}

// config is a provider block for the simulator, and more. $LT is the template.
func (l *lab) config(more string) string {
	var endpoints strings.Builder
	for _, s := range []string{"arczonalshift", "autoscaling", "cloudwatch", "ec2", "elasticloadbalancing", "eventbridge", "kms", "lambda", "s3", "servicequotas", "sns", "ssm", "sts"} {
		fmt.Fprintf(&endpoints, "    %s = %q\n", s, l.url)
	}
	return fmt.Sprintf(`
provider "refit" {
  region     = "eu-west-2"
  access_key = "AKIAREFITTEST"
  secret_key = "simulated"
  endpoints  = {
%s  }
}
`, endpoints.String()) + strings.ReplaceAll(more, "$LT", l.template)
}

// publish puts an image into the world that instances act badly with, or not.
func (l *lab) publish(id, name string, b awssim.ImageBehaviour) {
	l.Helper()
	l.world.AddImage(awssim.Image{ID: id, Name: name})
	l.world.SetImageBehaviour(id, b)
}

// versions lists the template's versions: number, image and description.
func (l *lab) versions() []string {
	l.Helper()
	out, err := l.ec2().DescribeLaunchTemplateVersions(l.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(l.template)})
	if err != nil {
		l.Fatal(err)
	}
	list := make([]string, len(out.LaunchTemplateVersions))
	for _, v := range out.LaunchTemplateVersions {
		list[aws.ToInt64(v.VersionNumber)-1] = fmt.Sprintf("%d %s %s", aws.ToInt64(v.VersionNumber),
			aws.ToString(v.LaunchTemplateData.ImageId), aws.ToString(v.VersionDescription))
	}
	return list
}

// edit makes a version of the template as its user would.
func (l *lab) edit(from, instanceType string) {
	l.Helper()
	_, err := l.ec2().CreateLaunchTemplateVersion(l.Context(), &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: aws.String(l.template), SourceVersion: aws.String(from), VersionDescription: aws.String("by hand"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceType(instanceType)},
	})
	if err != nil {
		l.Fatal(err)
	}
}

// group is the truth about the group "web", with the images of its members.
func (l *lab) group() (g awssim.Group, images map[string]int) {
	l.Helper()
	g, ok := l.world.Group("web")
	if !ok {
		l.Fatal("there is no group web")
	}
	images = map[string]int{}
	for _, m := range g.Members {
		if m.Healthy() {
			images[m.Image]++
		}
	}
	return g, images
}

// version makes a copy of the template's first version with another image.
func (l *lab) version(imageID string) {
	l.Helper()
	_, err := l.ec2().CreateLaunchTemplateVersion(l.Context(), &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: aws.String(l.template), SourceVersion: aws.String("1"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String(imageID)},
	})
	if err != nil {
		l.Fatal(err)
	}
}

// act does something to the group as somebody else would, and lets it settle.
func (l *lab) act(a awssim.Action) {
	l.Helper()
	if err := l.world.Act(a); err != nil {
		l.Fatal(err)
	}
	l.world.Advance(10 * time.Minute)
}

// setDefault moves the template's default version, as its user would.
func (l *lab) setDefault(number string) {
	l.Helper()
	_, err := l.ec2().ModifyLaunchTemplate(l.Context(), &ec2.ModifyLaunchTemplateInput{
		LaunchTemplateId: aws.String(l.template), DefaultVersion: aws.String(number),
	})
	if err != nil {
		l.Fatal(err)
	}
}
