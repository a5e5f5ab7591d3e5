package awssim

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// autoscalingOperations is every operation of Auto Scaling that is answered.
func autoscalingOperations() map[string]operation {
	return map[string]operation{
		"AttachLoadBalancerTargetGroups":      typed(attachLoadBalancerTargetGroups),
		"AttachLoadBalancers":                 typed(attachLoadBalancers),
		"DetachLoadBalancers":                 typed(detachLoadBalancers),
		"AttachTrafficSources":                typed(attachTrafficSources),
		"CancelInstanceRefresh":               typed(cancelInstanceRefresh),
		"CompleteLifecycleAction":             typed(completeLifecycleAction),
		"CreateAutoScalingGroup":              typed(createAutoScalingGroup),
		"CreateOrUpdateTags":                  typed(asgCreateOrUpdateTags),
		"DeleteAutoScalingGroup":              typed(deleteAutoScalingGroup),
		"DeleteLifecycleHook":                 typed(deleteLifecycleHook),
		"DeleteTags":                          typed(asgDeleteTags),
		"DeleteWarmPool":                      typed(deleteWarmPool),
		"DescribeAccountLimits":               typed(asgDescribeAccountLimits),
		"DescribeAutoScalingGroups":           typed(describeAutoScalingGroups),
		"DescribeAutoScalingInstances":        typed(describeAutoScalingInstances),
		"DescribeInstanceRefreshes":           typed(describeInstanceRefreshes),
		"DescribeLaunchConfigurations":        typed(describeLaunchConfigurations),
		"DescribeLifecycleHookTypes":          typed(describeLifecycleHookTypes),
		"DescribeLifecycleHooks":              typed(describeLifecycleHooks),
		"DescribeLoadBalancerTargetGroups":    typed(describeLoadBalancerTargetGroups),
		"DescribeLoadBalancers":               typed(asgDescribeLoadBalancers),
		"DescribeNotificationConfigurations":  typed(describeNotificationConfigurations),
		"DescribePolicies":                    typed(describePolicies),
		"DescribeScalingActivities":           typed(describeScalingActivities),
		"DescribeScalingProcessTypes":         typed(describeScalingProcessTypes),
		"DescribeScheduledActions":            typed(describeScheduledActions),
		"DescribeTags":                        typed(asgDescribeTags),
		"DescribeTerminationPolicyTypes":      typed(describeTerminationPolicyTypes),
		"DescribeTrafficSources":              typed(describeTrafficSources),
		"DescribeWarmPool":                    typed(describeWarmPool),
		"DetachLoadBalancerTargetGroups":      typed(detachLoadBalancerTargetGroups),
		"DetachTrafficSources":                typed(detachTrafficSources),
		"DisableMetricsCollection":            typed(disableMetricsCollection),
		"EnableMetricsCollection":             typed(enableMetricsCollection),
		"EnterStandby":                        typed(enterStandby),
		"ExitStandby":                         typed(exitStandby),
		"LaunchInstances":                     typed(launchInstances),
		"PutLifecycleHook":                    typed(putLifecycleHook),
		"PutWarmPool":                         typed(putWarmPool),
		"RecordLifecycleActionHeartbeat":      typed(recordLifecycleActionHeartbeat),
		"ResumeProcesses":                     typed(resumeProcesses),
		"RollbackInstanceRefresh":             typed(rollbackInstanceRefresh),
		"SetDesiredCapacity":                  typed(setDesiredCapacity),
		"SetInstanceHealth":                   typed(setInstanceHealth),
		"SetInstanceProtection":               typed(setInstanceProtection),
		"StartInstanceRefresh":                typed(startInstanceRefresh),
		"SuspendProcesses":                    typed(suspendProcesses),
		"TerminateInstanceInAutoScalingGroup": typed(terminateInstance),
		"UpdateAutoScalingGroup":              typed(updateAutoScalingGroup),
	}
}

const (
	maxGroups               = 500
	maxLaunchConfigurations = 200
)

func asgDescribeAccountLimits(w *World, _ *autoscaling.DescribeAccountLimitsInput) (*autoscaling.DescribeAccountLimitsOutput, error) {
	return &autoscaling.DescribeAccountLimitsOutput{
		MaxNumberOfAutoScalingGroups: aws.Int32(maxGroups), MaxNumberOfLaunchConfigurations: aws.Int32(maxLaunchConfigurations),
		NumberOfAutoScalingGroups: aws.Int32(int32(len(w.asg.groups))), NumberOfLaunchConfigurations: aws.Int32(0), //nolint:gosec // a handful
	}, nil
}

// What follows are reads of things that cannot be made in this world, so
// there are none.

func describeLaunchConfigurations(_ *World, _ *autoscaling.DescribeLaunchConfigurationsInput) (*autoscaling.DescribeLaunchConfigurationsOutput, error) {
	return &autoscaling.DescribeLaunchConfigurationsOutput{LaunchConfigurations: []types.LaunchConfiguration{}}, nil
}

func describeNotificationConfigurations(_ *World, _ *autoscaling.DescribeNotificationConfigurationsInput) (*autoscaling.DescribeNotificationConfigurationsOutput, error) {
	return &autoscaling.DescribeNotificationConfigurationsOutput{NotificationConfigurations: []types.NotificationConfiguration{}}, nil
}

func describePolicies(_ *World, _ *autoscaling.DescribePoliciesInput) (*autoscaling.DescribePoliciesOutput, error) {
	return &autoscaling.DescribePoliciesOutput{ScalingPolicies: []types.ScalingPolicy{}}, nil
}

func describeScheduledActions(_ *World, _ *autoscaling.DescribeScheduledActionsInput) (*autoscaling.DescribeScheduledActionsOutput, error) {
	return &autoscaling.DescribeScheduledActionsOutput{ScheduledUpdateGroupActions: []types.ScheduledUpdateGroupAction{}}, nil
}

func describeScalingProcessTypes(_ *World, _ *autoscaling.DescribeScalingProcessTypesInput) (*autoscaling.DescribeScalingProcessTypesOutput, error) {
	out := &autoscaling.DescribeScalingProcessTypesOutput{}
	for _, p := range processes {
		out.Processes = append(out.Processes, types.ProcessType{ProcessName: aws.String(p)})
	}
	return out, nil
}

func describeTerminationPolicyTypes(_ *World, _ *autoscaling.DescribeTerminationPolicyTypesInput) (*autoscaling.DescribeTerminationPolicyTypesOutput, error) {
	return &autoscaling.DescribeTerminationPolicyTypesOutput{TerminationPolicyTypes: validPolicies}, nil
}

// groupMetrics are the metrics that a group can collect.
var groupMetrics = strings.Fields(`GroupAndWarmPoolDesiredCapacity GroupAndWarmPoolTotalCapacity GroupDesiredCapacity
	GroupInServiceCapacity GroupInServiceInstances GroupMaxSize GroupMinSize GroupPendingCapacity GroupPendingInstances
	GroupStandbyCapacity GroupStandbyInstances GroupTerminatingCapacity GroupTerminatingInstances GroupTotalCapacity
	GroupTotalInstances WarmPoolDesiredCapacity WarmPoolMinSize WarmPoolPendingCapacity WarmPoolTerminatingCapacity
	WarmPoolTotalCapacity WarmPoolWarmedCapacity`)

func enableMetricsCollection(w *World, in *autoscaling.EnableMetricsCollectionInput) (*autoscaling.EnableMetricsCollectionOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if aws.ToString(in.Granularity) != "1Minute" {
		return nil, invalid("Granularity must be 1Minute.")
	}
	names := in.Metrics
	if len(names) == 0 {
		names = groupMetrics
	}
	enabled := slices.Clone(g.as.EnabledMetrics)
	for _, n := range names {
		if !slices.Contains(groupMetrics, n) {
			return nil, invalidf("Invalid metric: %s", n)
		}
		if !slices.ContainsFunc(enabled, func(m types.EnabledMetric) bool { return *m.Metric == n }) {
			enabled = append(enabled, types.EnabledMetric{Metric: aws.String(n), Granularity: aws.String("1Minute")})
		}
	}
	g.as.EnabledMetrics = enabled
	return &autoscaling.EnableMetricsCollectionOutput{}, nil
}

func disableMetricsCollection(w *World, in *autoscaling.DisableMetricsCollectionInput) (*autoscaling.DisableMetricsCollectionOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	g.as.EnabledMetrics = slices.DeleteFunc(slices.Clone(g.as.EnabledMetrics), func(m types.EnabledMetric) bool {
		return len(in.Metrics) == 0 || slices.Contains(in.Metrics, *m.Metric)
	})
	return &autoscaling.DisableMetricsCollectionOutput{}, nil
}
