package awssim

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// RefreshSpec are the preferences of an instance refresh that an outside actor
// starts, by AWS's names. What is not given takes AWS's default. Times are in
// seconds.
type RefreshSpec struct {
	MinHealthyPercentage      *int     `hcl:"min_healthy_percentage,optional" json:"min_healthy_percentage"`
	MaxHealthyPercentage      *int     `hcl:"max_healthy_percentage,optional" json:"max_healthy_percentage"`
	InstanceWarmup            *int     `hcl:"instance_warmup,optional" json:"instance_warmup"`
	BakeTime                  *int     `hcl:"bake_time,optional" json:"bake_time"`
	CheckpointDelay           *int     `hcl:"checkpoint_delay,optional" json:"checkpoint_delay"`
	CheckpointPercentages     []int    `hcl:"checkpoint_percentages,optional" json:"checkpoint_percentages"`
	SkipMatching              bool     `hcl:"skip_matching,optional" json:"skip_matching"`
	AutoRollback              bool     `hcl:"auto_rollback,optional" json:"auto_rollback"`
	Alarms                    []string `hcl:"alarms,optional" json:"alarms"`
	ScaleInProtectedInstances string   `hcl:"scale_in_protected_instances,optional" json:"scale_in_protected_instances"`
	StandbyInstances          string   `hcl:"standby_instances,optional" json:"standby_instances"`
}

// startRefresh is the request that an action makes.
func (a Action) startRefresh(g *group) *autoscaling.StartInstanceRefreshInput {
	in := &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: g.as.AutoScalingGroupName}
	if a.Version != "" {
		in.DesiredConfiguration = &types.DesiredConfiguration{LaunchTemplate: &types.LaunchTemplateSpecification{
			LaunchTemplateId: g.pointer().LaunchTemplateId, Version: aws.String(a.Version),
		}}
	}
	if s := a.Refresh; s != nil {
		in.Preferences = &types.RefreshPreferences{
			MinHealthyPercentage: int32Of(s.MinHealthyPercentage), MaxHealthyPercentage: int32Of(s.MaxHealthyPercentage),
			InstanceWarmup: int32Of(s.InstanceWarmup), BakeTime: int32Of(s.BakeTime), CheckpointDelay: int32Of(s.CheckpointDelay),
			SkipMatching: aws.Bool(s.SkipMatching), AutoRollback: aws.Bool(s.AutoRollback),
			ScaleInProtectedInstances: types.ScaleInProtectedInstances(s.ScaleInProtectedInstances),
			StandbyInstances:          types.StandbyInstances(s.StandbyInstances),
		}
		if len(s.Alarms) > 0 {
			in.Preferences.AlarmSpecification = &types.AlarmSpecification{Alarms: s.Alarms}
		}
		for _, n := range s.CheckpointPercentages {
			in.Preferences.CheckpointPercentages = append(in.Preferences.CheckpointPercentages, *int32Of(&n))
		}
	}
	return in
}
