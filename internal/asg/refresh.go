package asg

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// newestRefreshes is how many instance refreshes a look reads: the running one
// is always the newest, and a roll looks for its own a moment after it began.
const newestRefreshes = 10

// refreshes reads the newest instance refreshes of a group.
func (c *Client) refreshes(ctx context.Context, name string) ([]rollout.InstanceRefresh, error) {
	out, err := shared(c, "refreshes of "+name, func() (*autoscaling.DescribeInstanceRefreshesOutput, error) {
		return c.o.AutoScaling.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{
			AutoScalingGroupName: aws.String(name), MaxRecords: aws.Int32(newestRefreshes),
		}, c.reads()...)
	})
	if err != nil {
		return nil, fmt.Errorf("read instance refreshes of group %s: %w", name, err)
	}
	all := make([]rollout.InstanceRefresh, 0, len(out.InstanceRefreshes))
	for _, r := range out.InstanceRefreshes {
		all = append(all, refresh(r))
	}
	return all, nil
}

// byHand matches AWS's reasons for a rollback that was requested. The API reference
// says no more than that the reason tells manual ones from automatic ones.
var byHand = regexp.MustCompile(`(?i)user request|manual`)

// refresh translates one instance refresh.
func refresh(r astypes.InstanceRefresh) rollout.InstanceRefresh {
	out := rollout.InstanceRefresh{
		ID: aws.ToString(r.InstanceRefreshId), Status: rollout.RefreshStatus(r.Status), Reason: aws.ToString(r.StatusReason),
		Started: aws.ToTime(r.StartTime), Percent: int(aws.ToInt32(r.PercentageComplete)), Left: int(aws.ToInt32(r.InstancesToUpdate)),
	}
	if d := r.RollbackDetails; d != nil && aws.ToString(d.RollbackReason) != "" {
		out.Reason = aws.ToString(d.RollbackReason) // why it goes back, rather than what it waits for
		out.ByHand = byHand.MatchString(out.Reason)
	}
	if t := desiredTemplate(r.DesiredConfiguration); t != nil {
		out.TemplateID, out.Version = aws.ToString(t.LaunchTemplateId), pointerText(t)
	}
	return out
}

// desiredTemplate is the launch template of a desired configuration, nil where
// it has none.
func desiredTemplate(d *astypes.DesiredConfiguration) *astypes.LaunchTemplateSpecification {
	switch {
	case d == nil:
		return nil
	case d.LaunchTemplate != nil:
		return d.LaunchTemplate
	case d.MixedInstancesPolicy != nil && d.MixedInstancesPolicy.LaunchTemplate != nil:
		return d.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification
	}
	return nil
}

// drive makes one call about an instance refresh, and gives its id.
func (c *Client) drive(ctx context.Context, group string, s rollout.Step) (id string, err error) {
	if s.Refresh.Op == rollout.StartRefresh {
		return c.startRefresh(ctx, group, s)
	}
	// The calls name the group, not the refresh: one of somebody else's that
	// began meanwhile must not be hit.
	running, err := c.refreshes(ctx, group)
	if err != nil {
		return "", err
	}
	for _, r := range running {
		if r.Status.Active() && r.ID != s.Refresh.ID {
			return "", &knownError{rollout.Gone, fmt.Sprintf("instance refresh %s is not running any more, %s is", s.Refresh.ID, r.ID)}
		}
	}
	if s.Refresh.Op == rollout.RollbackRefresh {
		_, err = c.o.AutoScaling.RollbackInstanceRefresh(ctx, &autoscaling.RollbackInstanceRefreshInput{AutoScalingGroupName: aws.String(group)}, once)
		return s.Refresh.ID, err
	}
	_, err = c.o.AutoScaling.CancelInstanceRefresh(ctx, &autoscaling.CancelInstanceRefreshInput{
		AutoScalingGroupName: aws.String(group), WaitForTransitioningInstances: aws.Bool(!s.Refresh.Now),
	}, once)
	return s.Refresh.ID, err
}

// startRefresh reads the group's configuration and starts a refresh to the same
// with another version.
func (c *Client) startRefresh(ctx context.Context, group string, s rollout.Step) (id string, err error) {
	g, err := c.describe(ctx, group)
	if err != nil {
		return "", err
	}
	out, err := c.o.AutoScaling.StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: aws.String(group), Strategy: astypes.RefreshStrategyRolling,
		DesiredConfiguration: desiredConfiguration(g, s.Template, s.Version),
		Preferences:          refreshPreferences(s.Refresh.Preferences),
	}, once)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.InstanceRefreshId), nil
}

// desiredConfiguration is a group's configuration as it was read with another
// version. A mixed instances policy is sent whole: AWS resets what is left out.
func desiredConfiguration(g astypes.AutoScalingGroup, template, version string) *astypes.DesiredConfiguration {
	to := &astypes.LaunchTemplateSpecification{LaunchTemplateId: aws.String(template), Version: aws.String(version)}
	if g.MixedInstancesPolicy == nil {
		return &astypes.DesiredConfiguration{LaunchTemplate: to}
	}
	return &astypes.DesiredConfiguration{MixedInstancesPolicy: withVersion(g.MixedInstancesPolicy, version)}
}

// AWS's words for what is done with members that somebody keeps from a roll.
var (
	protected = map[rollout.Treatment]astypes.ScaleInProtectedInstances{
		rollout.Refresh: astypes.ScaleInProtectedInstancesRefresh, rollout.Ignore: astypes.ScaleInProtectedInstancesIgnore,
		rollout.Wait: astypes.ScaleInProtectedInstancesWait,
	}
	standby = map[rollout.Treatment]astypes.StandbyInstances{
		rollout.Terminate: astypes.StandbyInstancesTerminate, rollout.Ignore: astypes.StandbyInstancesIgnore, rollout.Wait: astypes.StandbyInstancesWait,
	}
)

// refreshPreferences writes every preference out. There is no delay without
// checkpoints.
func refreshPreferences(p rollout.RefreshPreferences) *astypes.RefreshPreferences {
	whole := func(d time.Duration) *int32 { return aws.Int32(int32(d / time.Second)) } //nolint:gosec // at most 48 h
	out := &astypes.RefreshPreferences{
		MinHealthyPercentage: aws.Int32(int32(p.MinHealthy)), MaxHealthyPercentage: aws.Int32(int32(p.MaxHealthy)), //nolint:gosec // 0 to 200
		InstanceWarmup: whole(p.Warmup), BakeTime: whole(p.Bake),
		ScaleInProtectedInstances: protected[p.Protected], StandbyInstances: standby[p.Standby],
		SkipMatching: aws.Bool(p.SkipMatching), AutoRollback: aws.Bool(p.AutoRollback),
	}
	if len(p.Alarms) > 0 {
		out.AlarmSpecification = &astypes.AlarmSpecification{Alarms: p.Alarms}
	}
	for _, c := range p.Checkpoints {
		out.CheckpointPercentages = append(out.CheckpointPercentages, int32(c)) //nolint:gosec // 1 to 100
	}
	if len(p.Checkpoints) > 0 {
		out.CheckpointDelay = whole(p.Delay)
	}
	return out
}

// refreshRefusals is what the errors mean that only calls about an instance
// refresh have.
var refreshRefusals = map[string]rollout.FailureKind{
	"InstanceRefreshInProgress":     rollout.Again,
	"LimitExceeded":                 rollout.Again,
	"ActiveInstanceRefreshNotFound": rollout.Gone,
	"IrreversibleInstanceRefresh":   rollout.Unsupported,
}
