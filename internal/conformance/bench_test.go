package conformance_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// The environment that asks for a real account: the account and region, the
// account once more, because it costs money, and an image in place of the one that
// AWS publishes, for endpoints that do not have it.
const (
	wantedIn  = "REFIT_CONFORMANCE"
	confirmed = "REFIT_CONFORMANCE_CONFIRM"
	otherwise = "REFIT_CONFORMANCE_IMAGE"
)

// imageChannel names the image that instances are launched from.
const imageChannel = "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64"

// instanceType is what is launched, and the longest that AWS is waited for.
const (
	instanceType = ec2types.InstanceTypeT3Micro
	patience     = 20 * time.Minute
)

// account is where the behaviours are tried.
type account struct {
	config aws.Config
	clock  clock.Clock
	image  string
	subnet string
	world  *awssim.World // nil: AWS, or whatever the endpoint is
}

// open finds the account: the simulator, unless the environment names another.
func open(t *testing.T) *account {
	t.Helper()
	wanted := os.Getenv(wantedIn)
	if wanted == "" {
		world := awssim.New(awssim.Options{})
		t.Cleanup(world.Close)
		world.PutParameter(imageChannel, world.AddImage(awssim.Image{Name: "golden-1"}))
		a := &account{config: world.Config(), clock: world.Clock(), world: world}
		a.place(t)
		return a
	}
	id, region, ok := strings.Cut(wanted, "/")
	if !ok || os.Getenv(confirmed) != id {
		t.Fatalf("%s is %q and %s is %q: the first must be ACCOUNT/REGION and the second ACCOUNT, to say that it may cost something", wantedIn, wanted, confirmed, os.Getenv(confirmed))
	}
	config, err := awsconf.New(awsconf.Settings{Region: region}).Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who, err := sts.NewFromConfig(config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(who.Account) != id {
		t.Fatalf("the credentials are of account %q (%v), and %s names %q", aws.ToString(who.Account), err, wantedIn, id)
	}
	a := &account{config: config, clock: clock.Real{}}
	a.place(t)
	return a
}

// place finds an image and a subnet of the default network.
func (a *account) place(t *testing.T) {
	t.Helper()
	if a.image = os.Getenv(otherwise); a.image == "" || a.world != nil {
		p, err := ssm.NewFromConfig(a.config).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(imageChannel)})
		if err != nil {
			t.Fatalf("find an image: %v", err)
		}
		a.image = aws.ToString(p.Parameter.Value)
	}
	nets, err := ec2.NewFromConfig(a.config).DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{
		Filters: []ec2types.Filter{{Name: aws.String("default-for-az"), Values: []string{"true"}}},
	})
	if err != nil || len(nets.Subnets) == 0 {
		t.Fatalf("find a subnet of the default network: %d found, %v", len(nets.Subnets), err)
	}
	a.subnet = aws.ToString(nets.Subnets[0].SubnetId)
}

// bench is what one behaviour is tried on: clients, and names of its own.
type bench struct {
	*testing.T
	*account
	as       *autoscaling.Client
	ec2      *ec2.Client
	ssm      *ssm.Client
	name     string // of the group, the template and all else
	template string // id of the launch template; empty: none yet
}

// on gives a behaviour its bench. What it makes goes when it ends.
func (a *account) on(t *testing.T) *bench {
	t.Helper()
	suffix := make([]byte, 4)
	if _, err := rand.Read(suffix); err != nil {
		t.Fatal(err)
	}
	return &bench{
		T: t, account: a, name: "refit-conformance-" + hex.EncodeToString(suffix),
		as: autoscaling.NewFromConfig(a.config), ec2: ec2.NewFromConfig(a.config), ssm: ssm.NewFromConfig(a.config),
	}
}

// must fails the test on an error of a step that is not the question.
func (b *bench) must(what string, err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// after cleans something up at the end, and says by name what could not be.
func (b *bench) after(what string, f func(context.Context) error) {
	ctx := context.WithoutCancel(b.Context())
	b.Cleanup(func() {
		if err := f(ctx); err != nil {
			b.Errorf("%s %s is left: %v", what, b.name, err)
		}
	})
}

// until waits for AWS.
func (b *bench) until(what string, met func() bool) {
	b.Helper()
	end := b.clock.Now().Add(patience)
	for !met() {
		if b.clock.Now().After(end) {
			b.Fatalf("%s: not within %s", what, patience)
		}
		b.must(what, b.clock.Sleep(b.Context(), 5*time.Second))
	}
}

// versions makes a launch template of so many versions that differ in a tag only.
func (b *bench) versions(n int) {
	b.Helper()
	data := func(i int) *ec2types.RequestLaunchTemplateData {
		return &ec2types.RequestLaunchTemplateData{
			ImageId: aws.String(b.image), InstanceType: instanceType,
			TagSpecifications: []ec2types.LaunchTemplateTagSpecificationRequest{{
				ResourceType: ec2types.ResourceTypeInstance,
				Tags:         []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String(fmt.Sprintf("%s-%d", b.name, i))}},
			}},
		}
	}
	made, err := b.ec2.CreateLaunchTemplate(b.Context(), &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String(b.name), LaunchTemplateData: data(1)})
	b.must("make a launch template", err)
	b.template = aws.ToString(made.LaunchTemplate.LaunchTemplateId)
	b.after("launch template", func(ctx context.Context) error {
		_, err := b.ec2.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: aws.String(b.template)})
		return err
	})
	for i := 2; i <= n; i++ {
		_, err := b.ec2.CreateLaunchTemplateVersion(b.Context(), &ec2.CreateLaunchTemplateVersionInput{LaunchTemplateId: aws.String(b.template), LaunchTemplateData: data(i)})
		b.must("make a version", err)
	}
}

// group makes a group that points at version 1, and waits until its members are in
// service.
func (b *bench) group(desired, most int32) {
	b.Helper()
	_, err := b.as.CreateAutoScalingGroup(b.Context(), &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(b.name), MinSize: aws.Int32(0), MaxSize: aws.Int32(most), DesiredCapacity: aws.Int32(desired),
		VPCZoneIdentifier: aws.String(b.subnet), LaunchTemplate: b.spec(1),
	})
	b.must("make a group", err)
	b.after("group", b.deleteGroup)
	b.until("its members in service", func() bool { return len(b.inService()) == int(desired) })
}

// deleteGroup deletes the group with its members, and waits until it is gone.
func (b *bench) deleteGroup(ctx context.Context) error {
	_, err := b.as.DeleteAutoScalingGroup(ctx, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: aws.String(b.name), ForceDelete: aws.Bool(true)})
	for end := b.clock.Now().Add(patience); err == nil; err = b.clock.Sleep(ctx, 5*time.Second) {
		out, err := b.as.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{b.name}})
		if err != nil || len(out.AutoScalingGroups) == 0 {
			return err
		}
		if b.clock.Now().After(end) {
			return fmt.Errorf("it is still there after %s", patience)
		}
	}
	return err
}

func (b *bench) spec(version int) *astypes.LaunchTemplateSpecification {
	return &astypes.LaunchTemplateSpecification{LaunchTemplateId: aws.String(b.template), Version: aws.String(fmt.Sprint(version))}
}

// look is the group as it is.
func (b *bench) look() astypes.AutoScalingGroup {
	b.Helper()
	out, err := b.as.DescribeAutoScalingGroups(b.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{b.name}})
	b.must("look at the group", err)
	if len(out.AutoScalingGroups) != 1 {
		b.Fatalf("group %s is gone", b.name)
	}
	return out.AutoScalingGroups[0]
}

// inService are the members in service: id → version.
func (b *bench) inService() map[string]string {
	b.Helper()
	out := map[string]string{}
	for _, i := range b.look().Instances {
		if i.LifecycleState == astypes.LifecycleStateInService {
			out[aws.ToString(i.InstanceId)] = aws.ToString(i.LaunchTemplate.Version)
		}
	}
	return out
}
