package asg_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// mixed is a group with a policy of one override.
func mixed(o astypes.LaunchTemplateOverrides) astypes.AutoScalingGroup {
	return astypes.AutoScalingGroup{MixedInstancesPolicy: &astypes.MixedInstancesPolicy{LaunchTemplate: &astypes.LaunchTemplate{
		LaunchTemplateSpecification: &astypes.LaunchTemplateSpecification{LaunchTemplateId: aws.String("lt-1")},
		Overrides:                   []astypes.LaunchTemplateOverrides{o},
	}}}
}

// TestGroup_refused: what cannot be rolled yet is named, each feature by its words.
func TestGroup_refused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		group astypes.AutoScalingGroup
		want  string
	}{
		{astypes.AutoScalingGroup{}, ""},
		{astypes.AutoScalingGroup{LaunchConfigurationName: aws.String("old")}, "a launch configuration instead of a launch template"},
		{astypes.AutoScalingGroup{MixedInstancesPolicy: &astypes.MixedInstancesPolicy{}}, ""},
		{mixed(astypes.LaunchTemplateOverrides{WeightedCapacity: aws.String("2")}), ""}, // by one engine only
		{
			mixed(astypes.LaunchTemplateOverrides{InstanceRequirements: &astypes.InstanceRequirements{}, ImageId: aws.String("ami-1")}),
			"an override by instance requirements with a launch template or an image of its own",
		},
		{mixed(astypes.LaunchTemplateOverrides{InstanceRequirements: &astypes.InstanceRequirements{}}), ""},
		{astypes.AutoScalingGroup{TrafficSources: []astypes.TrafficSourceIdentifier{{Type: aws.String("vpc-lattice")}}}, "VPC Lattice target groups"},
	} {
		got := strings.Join(asg.GroupOf(c.group).Refused, "; ")
		if got != c.want {
			t.Errorf("refused of %+v = %q, want %q", c.group, got, c.want)
		}
		snap := rollout.Snapshot{Group: asg.GroupOf(c.group)}
		problems := rollout.Assess(rollout.Defaults(), snap, rollout.Version{Image: "ami-1"}).Problems
		if c.want != "" && (len(problems) == 0 || !strings.Contains(problems[0].Text, c.want)) {
			t.Errorf("problems = %+v, want one that names %q", problems, c.want)
		}
		// The target of a group without a launch template is none at all: that
		// nothing is stale then does not make it converged.
		if a := rollout.Assess(rollout.Defaults(), snap, rollout.Version{}); a.Converged || c.want != "" && len(a.Problems) == 0 {
			t.Errorf("without a target: %+v, want it not converged, and its problems", a)
		}
	}
}

// TestGroup_weights: what counts in a group, and what its members are paid for by.
func TestGroup_weights(t *testing.T) {
	t.Parallel()
	two := mixed(astypes.LaunchTemplateOverrides{InstanceType: aws.String("c5.large"), WeightedCapacity: aws.String("2")})
	two.MixedInstancesPolicy.LaunchTemplate.Overrides = append(two.MixedInstancesPolicy.LaunchTemplate.Overrides,
		astypes.LaunchTemplateOverrides{InstanceType: aws.String("c5.xlarge"), WeightedCapacity: aws.String("4")})
	part := mixed(astypes.LaunchTemplateOverrides{InstanceType: aws.String("c5.large")})
	part.MixedInstancesPolicy.InstancesDistribution = &astypes.InstancesDistribution{OnDemandPercentageAboveBaseCapacity: aws.Int32(50)}
	for _, c := range []struct {
		group   astypes.AutoScalingGroup
		weights map[string]int
		spot    bool
		weighed string
	}{
		{astypes.AutoScalingGroup{}, nil, false, ""},
		{mixed(astypes.LaunchTemplateOverrides{InstanceType: aws.String("c5.large")}), nil, false, ""},
		{two, map[string]int{"c5.large": 2, "c5.xlarge": 4}, false, ""},
		{part, nil, true, ""},
		{astypes.AutoScalingGroup{DesiredCapacityType: aws.String("units")}, nil, false, ""},
		{astypes.AutoScalingGroup{DesiredCapacityType: aws.String("vcpu")}, nil, false, "vcpu"},
	} {
		got := asg.GroupOf(c.group)
		if !maps.Equal(got.Weights, c.weights) || got.Spot != c.spot || got.Weighed != c.weighed {
			t.Errorf("weights %v, spot %t, weighed %q, want %v, %t, %q", got.Weights, got.Spot, got.Weighed, c.weights, c.spot, c.weighed)
		}
	}
}

func TestLaunchKind(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rollout.FailureKind{
		"InsufficientInstanceCapacity We currently do not have sufficient t3.small capacity in the zone": rollout.Elsewhere,
		"InsufficientFreeAddressesInSubnet There are not enough free addresses":                          rollout.Elsewhere,
		"VcpuLimitExceeded You have requested more vCPU capacity than your current limit":                rollout.Again,
		"RequestLimitExceeded slow down":                                                   rollout.Again,
		"InvalidAMIID.NotFound The image id '[ami-1]' does not exist":                      rollout.Fatal,
		"UnauthorizedOperation You are not authorized":                                     rollout.Fatal,
		"Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state": rollout.Fatal,
	} {
		if got := asg.LaunchKind(text); got != want {
			t.Errorf("kind of %q = %d, want %d", text, got, want)
		}
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	api := func(code, message string) error { return &smithy.GenericAPIError{Code: code, Message: message} }
	for _, c := range []struct {
		step rollout.StepKind
		err  error
		want rollout.FailureKind
	}{
		{rollout.End, errors.New("connection reset"), rollout.Lost},
		{rollout.Point, context.DeadlineExceeded, rollout.Lost},
		{rollout.End, api("InternalFailure", "try later"), rollout.Lost},
		{rollout.Point, api("Throttling", "Rate exceeded"), rollout.Again},
		{rollout.End, api("ResourceContention", "busy"), rollout.Again},
		{rollout.End, api("ValidationError", "Instance Id not found - No managed instance found"), rollout.Gone},
		{rollout.End, api("ValidationError", "would violate the group's min size"), rollout.Again},
		{rollout.End, api("AccessDenied", "not authorized to perform: autoscaling:TerminateInstanceInAutoScalingGroup"), rollout.Fatal},
		{rollout.Point, api("AccessDenied", "no"), rollout.Fatal},
		{rollout.Launch, api("InvalidAction", "Could not find operation"), rollout.Unsupported},
		{rollout.Launch, api("ValidationError", "LaunchInstances is not for mixed groups"), rollout.Unsupported},
		{rollout.Launch, api("ValidationError", "would exceed the max size"), rollout.Again},
		{rollout.Launch, api("InsufficientInstanceCapacity", "none left"), rollout.Elsewhere},
	} {
		if got := asg.FailureOf(rollout.Step{Kind: c.step}, c.err); got.Kind != c.want {
			t.Errorf("%s failing with %v is %+v, want kind %d", c.step, c.err, got, c.want)
		}
	}
}

func TestDeparture(t *testing.T) {
	t.Parallel()
	at := "At 2026-11-20T09:00:00Z an instance was taken out of service in response to "
	for cause, wanted := range map[string]bool{
		at + "a user request.": true,
		at + "a difference between desired and actual capacity, shrinking the capacity from 5 to 4.": true,
		at + "an EC2 instance status checks failure.":                                                false,
		at + "an ELB system health check failure.":                                                   false,
		at + "a user health-check.":                                                                  false,
		at + "an EC2 Spot Instance interruption.":                                                    true,
	} {
		if got := asg.DepartureOf(cause); got.Wanted != wanted {
			t.Errorf("departure by %q wanted = %t, want %t", cause, got.Wanted, wanted)
		}
	}
}

func TestDataHash(t *testing.T) {
	t.Parallel()
	data := func(image, size string) *ec2types.ResponseLaunchTemplateData {
		return &ec2types.ResponseLaunchTemplateData{ImageId: aws.String(image), InstanceType: ec2types.InstanceType(size)}
	}
	a := asg.DataHash(data("ami-1", "t3.micro"))
	if b := asg.DataHash(data("ami-1", "t3.micro")); a != b {
		t.Errorf("equal data, different hashes %s and %s", a, b)
	}
	for _, other := range []*ec2types.ResponseLaunchTemplateData{data("ami-2", "t3.micro"), data("ami-1", "t3.small"), {}} {
		if b := asg.DataHash(other); a == b {
			t.Errorf("different data %+v, equal hash %s", other, b)
		}
	}
}

// fleet is a world with n groups of two members, and a client to look at them.
func fleet(t *testing.T, n int, o asg.Options) (*awssim.World, *asg.Client) {
	t.Helper()
	var b strings.Builder
	b.WriteString("image \"base\" { created = \"2026-01-01T00:00:00Z\" }\ntemplate \"web\" {\n  version { image = \"base\" }\n}\n")
	for i := range n {
		fmt.Fprintf(&b, "group \"web-%03d\" {\n  template = \"web\"\n  version = \"1\"\n  min = 0\n  max = 4\n  desired = 2\n}\n", i)
	}
	scenario, err := awssim.ParseScenario("fleet", b.String())
	if err != nil {
		t.Fatal(err)
	}
	world, err := awssim.NewScenario(awssim.Options{}, scenario)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	cfg := world.Config()
	o.AutoScaling, o.EC2, o.ELB, o.Clock = autoscaling.NewFromConfig(cfg), ec2.NewFromConfig(cfg), elb.NewFromConfig(cfg), world.Clock()
	return world, asg.New(o)
}

// TestEnd_already: AWS's answer tells from what an end has lowered desired, or that
// the member was being ended before.
func TestEnd_already(t *testing.T) {
	t.Parallel()
	world, c := fleet(t, 1, asg.Options{})
	g, _ := world.Group("web-000")
	end := func(id string) rollout.Result {
		return c.Do(t.Context(), "web-000", rollout.Step{Kind: rollout.End, Member: id, Decrement: true})
	}
	if r := end(g.Members[0].ID); r.Failure != nil || r.Was == nil || *r.Was != 2 || r.Already {
		t.Errorf("of a member in service: %+v, want that desired was 2", r)
	}
	if err := world.Act(awssim.Action{Do: "scale", Group: "web-000", Value: -1}); err != nil {
		t.Fatal(err)
	}
	world.Advance(5 * time.Second)
	if err := world.Act(awssim.Action{Do: "set_desired", Group: "web-000", Value: 1}); err != nil {
		t.Fatal(err)
	}
	if r := end(g.Members[1].ID); r.Failure != nil || r.Was != nil || !r.Already {
		t.Errorf("of a member that a policy ends: %+v, want that AWS was ending it already", r)
	}
}

// TestShared: the Reads of a plan share one paged describe, and a roll does not.
func TestShared(t *testing.T) {
	t.Parallel()
	world, c := fleet(t, 120, asg.Options{Shared: true})
	for i := range 120 {
		snap, err := c.Observe(t.Context(), fmt.Sprintf("web-%03d", i), rollout.Look{})
		if err != nil || len(snap.Members) != 2 {
			t.Fatalf("group %d: %+v, %v", i, snap, err)
		}
	}
	if got := world.Calls()["autoscaling:DescribeAutoScalingGroups"]; got != 2 {
		t.Errorf("120 looks cost %d describes, want 2 pages", got)
	}
	world.Advance(time.Minute)
	if _, err := c.Observe(t.Context(), "web-000", rollout.Look{}); err != nil {
		t.Fatal(err)
	}
	if got := world.Calls()["autoscaling:DescribeAutoScalingGroups"]; got != 4 {
		t.Errorf("after a minute there were %d describes in all, want the two pages read again", got)
	}
	// Denied to list everything, it asks by name.
	world, c = fleet(t, 1, asg.Options{Shared: true})
	if _, err := world.Inject(awssim.Fault{Calls: "autoscaling:DescribeAutoScalingGroups", Kind: awssim.Deny, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Observe(t.Context(), "web-000", rollout.Look{}); err != nil {
		t.Errorf("denied to list: %v", err)
	}
}

// TestObserve_spot: a version says by itself that it asks for Spot Instances.
func TestObserve_spot(t *testing.T) {
	t.Parallel()
	for _, spot := range []bool{true, false} {
		_, c := observer(t, fmt.Sprintf(`
image "golden-web-1" {}
template "web" {
  version {
    image = "golden-web-1"
    spot  = %t
  }
}
group "web" {
  template = "web"
  min      = 0
  max      = 2
  desired  = 1
}
`, spot))
		s, err := c.Observe(t.Context(), "web", rollout.Look{})
		if err != nil || len(s.Members) != 1 || s.Members[0].Version.Spot != spot {
			t.Errorf("got %+v, %v; want a member whose version asks for Spot Instances: %t", s.Members, err, spot)
		}
	}
}

func TestObserve_notFound(t *testing.T) {
	t.Parallel()
	_, c := fleet(t, 1, asg.Options{})
	if _, err := c.Observe(t.Context(), "nobody", rollout.Look{}); !errors.Is(err, asg.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	var version *asg.VersionError
	if _, err := c.Resolve(t.Context(), "web-000", "7"); !errors.As(err, &version) {
		t.Errorf("got %v, want a *VersionError", err)
	}
}

// TestDo_maxSize: max size is written also where a read shows it as it is to be,
// because that may be from before it was raised; never where others have set it.
func TestDo_maxSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, writes int }{{6, 4, 1}, {4, 6, 1}, {6, 5, 0}} {
		world, client := fleet(t, 1, asg.Options{}) // its max size is 4
		res := client.Do(t.Context(), "web-000", rollout.Step{Kind: rollout.LowerMaxSize, From: c.from, To: c.to})
		if got := world.Calls()["autoscaling:UpdateAutoScalingGroup"]; got != c.writes || (res.Failure == nil) != (c.writes > 0) {
			t.Errorf("from %d to %d: %d writes, failure %+v, want %d", c.from, c.to, got, res.Failure, c.writes)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	operation := func(err error) error {
		return fmt.Errorf("read it: %w", &smithy.OperationError{ServiceID: "EC2", OperationName: "DescribeImages", Err: err})
	}
	for want, err := range map[string]error{
		"read it: Throttling: Rate exceeded":                           operation(&smithy.GenericAPIError{Code: "Throttling", Message: "Rate exceeded"}),
		`read it: Post "http://x": refused`:                            operation(fmt.Errorf("send: %w", &url.Error{Op: "Post", URL: "http://x", Err: errors.New("refused")})),
		"read it: operation error EC2: DescribeImages, no credentials": operation(errors.New("no credentials")),
		"something else": errors.New("something else"),
	} {
		if got := asg.Plain(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
