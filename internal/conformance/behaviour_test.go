package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

// behaviours are the questions. Each answers in words; assumed is the answer that
// the simulator gives and Refit reckons with, because what is why rests on it.
var behaviours = []struct {
	name    string
	ask     func(*bench) string
	assumed string
	why     string
}{
	{
		"creates of one parameter at once", createsAtOnce, "1 of 3 creates won",
		"an epoch of the journal in Parameter Store is claimed by the one create of its name that wins",
	},
	{
		"a member ended with decrement twice", endedTwice, "the second call was accepted; desired capacity 2 → 1 → 0",
		"such a call is never sent again when its answer is lost; its effect is looked for instead",
	},
	{
		"LaunchInstances at max size", launchedAtMax, "refused with ValidationError; desired capacity 1",
		"a roll counts max size as a limit, and raise_max_size raises it before it launches",
	},
	{
		"a scale-out during an instance refresh", scaledWhileRefreshing, "from version 2, the refresh's",
		"a scale-out during such a roll may come from a version that is not proven",
	},
	{
		"an instance refresh at max size", refreshedAtMax, "launched first, beyond a max size of 1",
		"raise_max_size is refused with engine = \"instance_refresh\", which does without",
	},
	{
		"$Latest after the newest version was deleted", latestDeleted, "$Latest is 2, and the next version is 4",
		"a version that came out other than its source is withdrawn, and numbers are never given twice",
	},
	{
		"a max size below desired capacity", maxBelowDesired, "desired capacity 2 → 1",
		"max size is put back only where desired capacity fits below it",
	},
	{
		"a member of a warm pool ended through EC2", warmEnded, "Auto Scaling took it out and made another",
		"terminate_warm_instances ends members so, and AWS fills the pool from the new version",
	},
}

// TestConformance asks every question. Against the simulator it holds it to what
// is assumed; elsewhere a difference is news, and the assumption is to be changed.
func TestConformance(t *testing.T) {
	t.Parallel()
	a := open(t)
	t.Run("behaviours", func(t *testing.T) {
		for _, c := range behaviours {
			t.Run(c.name, func(t *testing.T) {
				if a.world == nil {
					t.Parallel() // the simulator's clock is moved by whoever waits
				}
				if got := c.ask(a.on(t)); got != c.assumed {
					t.Errorf("%s: %s; assumed is: %s\n(%s)", c.name, got, c.assumed, c.why)
				}
			})
		}
	})
	if a.world == nil {
		return
	}
	left, err := ec2.NewFromConfig(a.config).DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{})
	if groups := a.world.Groups(); err != nil || len(groups) > 0 || len(left.LaunchTemplates) > 0 {
		t.Errorf("left behind: %d groups, %d launch templates (%v), want none", len(groups), len(left.LaunchTemplates), err)
	}
	if n := a.world.Calls()["ssm:DeleteParameter"]; n != 1 {
		t.Errorf("%d parameters were deleted, want 1", n)
	}
}

// code is AWS's error code of err; empty: none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func createsAtOnce(b *bench) string {
	const n = 3 // Parameter Store takes no more a second
	name := aws.String("/" + b.name)
	b.after("parameter /", func(ctx context.Context) error {
		_, err := b.ssm.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: name})
		return err
	})
	var wait sync.WaitGroup
	answers := make([]error, n)
	for i := range n {
		wait.Go(func() {
			_, answers[i] = b.ssm.PutParameter(b.Context(), &ssm.PutParameterInput{
				Name: name, Value: aws.String(fmt.Sprint(i)), Type: ssmtypes.ParameterTypeString, Tier: ssmtypes.ParameterTierStandard,
			})
		})
	}
	wait.Wait()
	won := 0
	for _, err := range answers {
		switch code(err) {
		case "ParameterAlreadyExists", "TooManyUpdates":
		default:
			b.must("create a parameter", err)
			won++
		}
	}
	return fmt.Sprintf("%d of %d creates won", won, n)
}

func endedTwice(b *bench) string {
	b.versions(1)
	b.group(2, 4)
	var one string
	for id := range b.inService() {
		one = id
	}
	path := []string{fmt.Sprint(*b.look().DesiredCapacity)}
	end := func() error {
		_, err := b.as.TerminateInstanceInAutoScalingGroup(b.Context(), &autoscaling.TerminateInstanceInAutoScalingGroupInput{
			InstanceId: aws.String(one), ShouldDecrementDesiredCapacity: aws.Bool(true),
		})
		path = append(path, fmt.Sprint(*b.look().DesiredCapacity))
		return err
	}
	b.must("end a member", end())
	second := "was accepted"
	if err := end(); err != nil {
		second = "was refused with " + code(err)
	}
	return fmt.Sprintf("the second call %s; desired capacity %s", second, strings.Join(path, " → "))
}

func launchedAtMax(b *bench) string {
	b.versions(1)
	b.group(1, 1)
	_, err := b.as.LaunchInstances(b.Context(), &autoscaling.LaunchInstancesInput{
		AutoScalingGroupName: aws.String(b.name), ClientToken: aws.String(b.name), RequestedCapacity: aws.Int32(1),
		RetryStrategy: astypes.RetryStrategyNone, SubnetIds: []string{b.subnet},
	})
	answer := "accepted"
	if err != nil {
		answer = "refused with " + code(err)
	}
	return fmt.Sprintf("%s; desired capacity %d", answer, *b.look().DesiredCapacity)
}

// refresh starts an instance refresh to version 2.
func (b *bench) refresh(p astypes.RefreshPreferences) {
	b.Helper()
	p.InstanceWarmup, p.SkipMatching = aws.Int32(0), aws.Bool(false)
	_, err := b.as.StartInstanceRefresh(b.Context(), &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: aws.String(b.name), Preferences: &p, DesiredConfiguration: &astypes.DesiredConfiguration{LaunchTemplate: b.spec(2)},
	})
	b.must("start an instance refresh", err)
}

func scaledWhileRefreshing(b *bench) string {
	b.versions(2)
	b.group(2, 4)
	b.refresh(astypes.RefreshPreferences{
		MinHealthyPercentage: aws.Int32(50), CheckpointPercentages: []int32{50, 100}, CheckpointDelay: aws.Int32(7200),
	})
	b.until("the checkpoint", func() bool {
		fresh := 0
		for _, v := range b.inService() {
			if v == "2" {
				fresh++
			}
		}
		return fresh == 1 && len(b.inService()) == 2
	})
	before := b.inService()
	_, err := b.as.SetDesiredCapacity(b.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(b.name), DesiredCapacity: aws.Int32(3)})
	b.must("scale out", err)
	from := ""
	b.until("the new member", func() bool {
		for _, i := range b.look().Instances {
			if _, old := before[aws.ToString(i.InstanceId)]; !old && i.LaunchTemplate != nil {
				from = aws.ToString(i.LaunchTemplate.Version)
			}
		}
		return from != ""
	})
	return fmt.Sprintf("from version %s, %s", from, map[string]string{"1": "the group's", "2": "the refresh's"}[from])
}

func refreshedAtMax(b *bench) string {
	b.versions(2)
	b.group(1, 1)
	b.refresh(astypes.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(200)})
	b.until("the end of the refresh", func() bool {
		out, err := b.as.DescribeInstanceRefreshes(b.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String(b.name)})
		b.must("look at the refresh", err)
		return len(out.InstanceRefreshes) > 0 && out.InstanceRefreshes[0].EndTime != nil
	})
	// The activities tell in what order, however rarely one looks.
	out, err := b.as.DescribeScalingActivities(b.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String(b.name)})
	b.must("look at the activities", err)
	var launched, ended time.Time
	for _, a := range out.Activities { // the newest first
		switch what := aws.ToString(a.Description); {
		case strings.HasPrefix(what, "Launching") && launched.IsZero():
			launched = aws.ToTime(a.StartTime)
		case strings.HasPrefix(what, "Terminating"):
			ended = aws.ToTime(a.StartTime)
		}
	}
	if launched.Before(ended) {
		return "launched first, beyond a max size of 1"
	}
	return "ended first, within a max size of 1"
}

func latestDeleted(b *bench) string {
	b.versions(3)
	_, err := b.ec2.DeleteLaunchTemplateVersions(b.Context(), &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(b.template), Versions: []string{"3"}})
	b.must("delete version 3", err)
	latest := "nothing"
	out, err := b.ec2.DescribeLaunchTemplateVersions(b.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: aws.String(b.template), Versions: []string{"$Latest"},
	})
	if err == nil && len(out.LaunchTemplateVersions) == 1 {
		latest = fmt.Sprint(*out.LaunchTemplateVersions[0].VersionNumber)
	}
	made, err := b.ec2.CreateLaunchTemplateVersion(b.Context(), &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: aws.String(b.template), SourceVersion: aws.String("1"), LaunchTemplateData: &ec2types.RequestLaunchTemplateData{InstanceType: instanceType},
	})
	b.must("make the next version", err)
	return fmt.Sprintf("$Latest is %s, and the next version is %d", latest, *made.LaunchTemplateVersion.VersionNumber)
}

func maxBelowDesired(b *bench) string {
	b.versions(1)
	b.group(2, 2)
	before := *b.look().DesiredCapacity
	_, err := b.as.UpdateAutoScalingGroup(b.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(b.name), MaxSize: aws.Int32(1)})
	if err != nil {
		return "refused with " + code(err)
	}
	return fmt.Sprintf("desired capacity %d → %d", before, *b.look().DesiredCapacity)
}

func warmEnded(b *bench) string {
	b.versions(1)
	b.group(0, 2)
	_, err := b.as.PutWarmPool(b.Context(), &autoscaling.PutWarmPoolInput{
		AutoScalingGroupName: aws.String(b.name), MinSize: aws.Int32(1), MaxGroupPreparedCapacity: aws.Int32(1), PoolState: astypes.WarmPoolStateStopped,
	})
	b.must("make a warm pool", err)
	stopped := func() string {
		out, err := b.as.DescribeWarmPool(b.Context(), &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: aws.String(b.name)})
		b.must("look at the warm pool", err)
		for _, i := range out.Instances {
			if i.LifecycleState == astypes.LifecycleStateWarmedStopped {
				return aws.ToString(i.InstanceId)
			}
		}
		return ""
	}
	b.until("the warm pool", func() bool { return stopped() != "" })
	one := stopped()
	_, err = b.ec2.TerminateInstances(b.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{one}})
	if err != nil {
		return "refused with " + code(err)
	}
	b.until("another member in the warm pool", func() bool { id := stopped(); return id != "" && id != one })
	return "Auto Scaling took it out and made another"
}
