package awssim

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	defaultMinHealthy      = 90   // percent, by the API; nobody else's default
	defaultCheckpointDelay = 3600 // seconds
	maxRefreshWait         = 48 * 3600
	maxRefreshAlarms       = 10
)

func checkStrategy(s types.RefreshStrategy) error {
	switch s {
	case "", types.RefreshStrategyRolling:
		return nil
	case types.RefreshStrategyReplaceRootVolume:
		return unmodelled("the instance refresh strategy ReplaceRootVolume")
	default:
		return invalidf("1 validation error detected: Value '%s' at 'strategy' failed to satisfy constraint: Member must satisfy enum value set: [Rolling, ReplaceRootVolume]", s)
	}
}

// desiredConfiguration checks a desired configuration, as a change of the
// group's pointer is checked, and completes it. A mixed instances policy takes
// nothing over from the group's: what is left out is reset. A launch template
// alone takes the policy off a group that has one.
func (w *World) desiredConfiguration(in *types.DesiredConfiguration) (*types.DesiredConfiguration, error) {
	if in == nil {
		return nil, nil
	}
	switch {
	case in.LaunchTemplate != nil && in.MixedInstancesPolicy != nil:
		return nil, invalid("The desired configuration must contain either LaunchTemplate or MixedInstancesPolicy, not both.")
	case in.MixedInstancesPolicy != nil:
		policy, err := w.mixedPolicy(in.MixedInstancesPolicy, nil)
		if err != nil {
			return nil, err
		}
		return &types.DesiredConfiguration{MixedInstancesPolicy: policy}, nil
	case in.LaunchTemplate == nil:
		return nil, invalid("The desired configuration must contain either LaunchTemplate or MixedInstancesPolicy.")
	}
	spec, err := w.templatePointer(in.LaunchTemplate)
	if err != nil {
		return nil, err
	}
	return &types.DesiredConfiguration{LaunchTemplate: spec}, nil
}

// refreshPreferences checks preferences and fills in the API's defaults, which
// are not the console's. What has no value by default stays away.
func (w *World) refreshPreferences(g *group, in *types.RefreshPreferences, desired *types.DesiredConfiguration) (*types.RefreshPreferences, error) {
	p := types.RefreshPreferences{}
	if in != nil {
		p = *in
	}
	if err := checkPreferences(&p); err != nil {
		return nil, err
	}
	if p.MinHealthyPercentage == nil {
		p.MinHealthyPercentage = aws.Int32(defaultMinHealthy)
	}
	if p.InstanceWarmup == nil {
		p.InstanceWarmup = aws.Int32(aws.ToInt32(g.as.HealthCheckGracePeriod))
		if g.as.DefaultInstanceWarmup != nil {
			p.InstanceWarmup = g.as.DefaultInstanceWarmup
		}
	}
	if len(p.CheckpointPercentages) > 0 && p.CheckpointDelay == nil {
		p.CheckpointDelay = aws.Int32(defaultCheckpointDelay)
	}
	p.SkipMatching, p.AutoRollback = aws.Bool(aws.ToBool(p.SkipMatching)), aws.Bool(aws.ToBool(p.AutoRollback))
	if p.AlarmSpecification == nil {
		p.AlarmSpecification = &types.AlarmSpecification{}
	}
	if err := w.checkRefreshAlarms(p.AlarmSpecification.Alarms); err != nil {
		return nil, err
	}
	if *p.AutoRollback {
		if desired == nil {
			return nil, invalid("The request isn't valid. The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty. Set AutoRollback to false or specify a desired configuration and try again.")
		}
		if why := w.irreversible(g, desired); why != "" {
			return nil, invalid("The request isn't valid. The AutoRollback parameter cannot be set to true: " + why)
		}
	}
	return &p, nil
}

// irreversible says why a refresh cannot be rolled back, or nothing. What
// counts is what the group points at: that is what it would go back to.
func (w *World) irreversible(g *group, desired *types.DesiredConfiguration) string {
	if desired == nil {
		return "No desired configuration was specified."
	}
	specs := []*types.LaunchTemplateSpecification{g.pointer()}
	for _, o := range g.overrides() {
		if o.LaunchTemplateSpecification != nil {
			specs = append(specs, o.LaunchTemplateSpecification)
		}
	}
	for _, spec := range specs {
		version := aws.ToString(spec.Version)
		if _, err := strconv.Atoi(version); err != nil {
			return "The Auto Scaling group uses the launch template version " + version + ". Only a numbered version can be rolled back to."
		}
		if t, err := w.resolveTemplate(*spec.LaunchTemplateId, version); err == nil && strings.HasPrefix(t.data.ImageID, ssmAlias) {
			return "The launch template of the Auto Scaling group uses a Systems Manager parameter instead of an AMI ID."
		}
	}
	return ""
}

func checkPreferences(p *types.RefreshPreferences) error {
	for _, c := range []struct {
		name        string
		value       *int32
		least, most int32
	}{
		{"minHealthyPercentage", p.MinHealthyPercentage, 0, 100},
		{"maxHealthyPercentage", p.MaxHealthyPercentage, 100, 200},
		{"instanceWarmup", p.InstanceWarmup, 0, 1<<31 - 1},
		{"checkpointDelay", p.CheckpointDelay, 0, maxRefreshWait},
		{"bakeTime", p.BakeTime, 0, maxRefreshWait},
	} {
		switch {
		case c.value == nil:
		case *c.value < c.least:
			return outOfRange(c.name, *c.value, "greater than or equal to", c.least)
		case *c.value > c.most:
			return outOfRange(c.name, *c.value, "less than or equal to", c.most)
		}
	}
	if p.MaxHealthyPercentage != nil {
		switch {
		case p.MinHealthyPercentage == nil:
			return invalid("The request isn't valid. If you specify MaxHealthyPercentage, you must also specify MinHealthyPercentage.")
		case *p.MaxHealthyPercentage-*p.MinHealthyPercentage > 100:
			return invalid("The request isn't valid. The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100.")
		}
	}
	if err := checkCheckpoints(p); err != nil {
		return err
	}
	if p.AlarmSpecification != nil && len(p.AlarmSpecification.Alarms) > maxRefreshAlarms {
		return invalidf("The request isn't valid. You can specify up to %d alarms.", maxRefreshAlarms)
	}
	return checkInTheWay(p)
}

func outOfRange(name string, value int32, is string, limit int32) error {
	return invalidf("1 validation error detected: Value '%d' at 'preferences.%s' failed to satisfy constraint: Member must have value %s %d", value, name, is, limit)
}

func checkCheckpoints(p *types.RefreshPreferences) error {
	if len(p.CheckpointPercentages) == 0 {
		if p.CheckpointDelay != nil {
			return invalid("The request isn't valid. If you specify CheckpointDelay, you must also specify CheckpointPercentages.")
		}
		return nil
	}
	before := int32(0)
	for _, n := range p.CheckpointPercentages {
		switch {
		case n < 1 || n > 100:
			return invalidf("1 validation error detected: Value '%d' at 'preferences.checkpointPercentages' failed to satisfy constraint: Member must have value between 1 and 100", n)
		case n <= before:
			return invalid("The request isn't valid. CheckpointPercentages must be unique and in ascending order.")
		}
		before = n
	}
	return nil
}

// checkInTheWay checks what to do with members that are in the way.
func checkInTheWay(p *types.RefreshPreferences) error {
	switch p.ScaleInProtectedInstances {
	case "", types.ScaleInProtectedInstancesWait, types.ScaleInProtectedInstancesIgnore, types.ScaleInProtectedInstancesRefresh:
	default:
		return invalidf("1 validation error detected: Value '%s' at 'preferences.scaleInProtectedInstances' failed to satisfy constraint: Member must satisfy enum value set: [Refresh, Ignore, Wait]", p.ScaleInProtectedInstances)
	}
	switch p.StandbyInstances {
	case "", types.StandbyInstancesWait, types.StandbyInstancesIgnore, types.StandbyInstancesTerminate:
	default:
		return invalidf("1 validation error detected: Value '%s' at 'preferences.standbyInstances' failed to satisfy constraint: Member must satisfy enum value set: [Terminate, Ignore, Wait]", p.StandbyInstances)
	}
	return nil
}

// refuseWhileRefreshing refuses to change what a refresh is going to change.
func (g *group) refuseWhileRefreshing(in *autoscaling.UpdateAutoScalingGroupInput) error {
	if g.refresh == nil || g.refresh.desired == nil || in.LaunchTemplate == nil && in.MixedInstancesPolicy == nil && in.LaunchConfigurationName == nil {
		return nil
	}
	return invalid("An active instance refresh with a desired configuration exists. All configuration options derived from the desired configuration are not available for update while the instance refresh is active.")
}
