package awssim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `
parameter "/image" { value = "new" }
alarm "fine" {}
alarm "loud" { state = "ALARM" }
alarm "blind" { state = "INSUFFICIENT_DATA" }
`, `  version { image = "new" }`, "  version { image = \"new\" }\n  version { image = \"resolve:ssm:/image\" }")
	n := aws.Int32
	for name, c := range map[string]struct {
		version    string
		p          types.RefreshPreferences
		code, text string
	}{
		"minimum":                {"2", types.RefreshPreferences{MinHealthyPercentage: n(101)}, "ValidationError", "Value '101' at 'preferences.minHealthyPercentage'"},
		"maximum":                {"2", types.RefreshPreferences{MinHealthyPercentage: n(100), MaxHealthyPercentage: n(99)}, "ValidationError", "'preferences.maxHealthyPercentage'"},
		"maximum alone":          {"2", types.RefreshPreferences{MaxHealthyPercentage: n(110)}, "ValidationError", "must also specify MinHealthyPercentage"},
		"more than 100 apart":    {"2", types.RefreshPreferences{MinHealthyPercentage: n(90), MaxHealthyPercentage: n(191)}, "ValidationError", "cannot be greater than 100"},
		"warmup":                 {"2", types.RefreshPreferences{InstanceWarmup: n(-1)}, "ValidationError", "'preferences.instanceWarmup'"},
		"delay alone":            {"2", types.RefreshPreferences{CheckpointDelay: n(60)}, "ValidationError", "must also specify CheckpointPercentages"},
		"delay too long":         {"2", types.RefreshPreferences{CheckpointDelay: n(172801), CheckpointPercentages: []int32{50}}, "ValidationError", "'preferences.checkpointDelay'"},
		"bake too long":          {"2", types.RefreshPreferences{BakeTime: n(172801)}, "ValidationError", "'preferences.bakeTime'"},
		"checkpoints descending": {"2", types.RefreshPreferences{CheckpointPercentages: []int32{50, 20}}, "ValidationError", "ascending"},
		"checkpoints repeated":   {"2", types.RefreshPreferences{CheckpointPercentages: []int32{50, 50}}, "ValidationError", "unique"},
		"checkpoint above 100":   {"2", types.RefreshPreferences{CheckpointPercentages: []int32{101}}, "ValidationError", "between 1 and 100"},
		"protected":              {"2", types.RefreshPreferences{ScaleInProtectedInstances: "Spare"}, "ValidationError", "[Refresh, Ignore, Wait]"},
		"standby":                {"2", types.RefreshPreferences{StandbyInstances: "Refresh"}, "ValidationError", "[Terminate, Ignore, Wait]"},
		"auto rollback to what?": {"", types.RefreshPreferences{AutoRollback: aws.Bool(true)}, "ValidationError", "cannot be set to true when the DesiredConfiguration parameter is empty"},
		"unknown version":        {"9", types.RefreshPreferences{}, "ValidationError", "specified version 9"},
		"alarm that is missing":  {"2", types.RefreshPreferences{AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"fine", "no"}}}, "ValidationError", "alarm no does not exist"},
		"alarm":                  {"2", types.RefreshPreferences{AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"loud"}}}, "ValidationError", "alarm loud is in ALARM state"},
		"alarm without data":     {"2", types.RefreshPreferences{AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"blind"}}}, "ValidationError", "alarm blind is in INSUFFICIENT_DATA state"},
		"eleven alarms":          {"2", types.RefreshPreferences{AlarmSpecification: &types.AlarmSpecification{Alarms: strings.Split("abcdefghijk", "")}}, "ValidationError", "up to 10 alarms"},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, f.refreshTo(c.version, c.p), c.code, c.text)
		})
	}
	for _, c := range []struct{ version, text string }{{"$Latest", "$Latest"}, {"$Default", "$Default"}, {"3", "Systems Manager parameter"}} {
		f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: c.version}))
		wantCode(t, f.refreshTo("2", types.RefreshPreferences{AutoRollback: aws.Bool(true)}), "ValidationError", c.text)
	}
	if len(f.refreshes()) != 0 {
		t.Errorf("refused requests left %d refreshes", len(f.refreshes()))
	}
	f.do(f.refreshTo("2", types.RefreshPreferences{}))
	f.Advance(5 * time.Second)
	wantCode(t, f.rollback(), "IrreversibleInstanceRefresh", "Systems Manager parameter")
}

func TestRefreshInputRefusals(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	template := &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String("2")}
	for name, c := range map[string]struct {
		in         autoscaling.StartInstanceRefreshInput
		code, text string
	}{
		"no group":      {autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: aws.String("no")}, "ValidationError", "not found"},
		"root volumes":  {autoscaling.StartInstanceRefreshInput{Strategy: types.RefreshStrategyReplaceRootVolume}, "ValidationError", "does not model the instance refresh strategy"},
		"strategy":      {autoscaling.StartInstanceRefreshInput{Strategy: "Fast"}, "ValidationError", "[Rolling, ReplaceRootVolume]"},
		"empty desired": {autoscaling.StartInstanceRefreshInput{DesiredConfiguration: &types.DesiredConfiguration{LaunchTemplate: &types.LaunchTemplateSpecification{Version: aws.String("2")}}}, "ValidationError", "launchTemplateId or LaunchTemplateName"},
		"both": {autoscaling.StartInstanceRefreshInput{DesiredConfiguration: &types.DesiredConfiguration{
			LaunchTemplate: template, MixedInstancesPolicy: &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{LaunchTemplateSpecification: template}},
		}}, "ValidationError", "not both"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.in.AutoScalingGroupName == nil {
				c.in.AutoScalingGroupName = aws.String("web")
			}
			_, err := f.client.StartInstanceRefresh(t.Context(), &c.in)
			wantCode(t, err, c.code, c.text)
		})
	}
	_, err := f.Inject(awssim.Fault{Calls: "ec2:RunInstances", Kind: "deny"})
	f.do(err)
	wantCode(t, f.refreshTo("2", launchFirst()), "AccessDenied", "not authorized to use launch template")
}

func TestDescribeRefreshes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	skip := types.RefreshPreferences{SkipMatching: aws.Bool(true)}
	var ids []string
	for range 53 {
		f.do(f.refreshTo("1", skip))
		f.Advance(time.Minute)
		ids = append([]string{*f.refreshes()[0].InstanceRefreshId}, ids...)
	}
	var pages []int
	var got []string
	p := autoscaling.NewDescribeInstanceRefreshesPaginator(f.client, &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String("web")})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		f.do(err)
		pages = append(pages, len(page.InstanceRefreshes))
		for _, r := range page.InstanceRefreshes {
			got = append(got, *r.InstanceRefreshId)
		}
	}
	if fmt.Sprint(pages) != "[50 3]" || strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Errorf("pages of %v, want [50 3], newest first", pages)
	}
	out, err := f.client.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String("web"), InstanceRefreshIds: ids[7:8]})
	f.do(err)
	if len(out.InstanceRefreshes) != 1 || *out.InstanceRefreshes[0].InstanceRefreshId != ids[7] {
		t.Errorf("asked for one refresh, got %d", len(out.InstanceRefreshes))
	}
	f.Advance(43 * 24 * time.Hour)
	if n := len(f.refreshes()); n != 0 {
		t.Errorf("%d refreshes described after six weeks, want none", n)
	}
}

// A refresh of somebody else is as real as one that is asked for.
func TestRefreshByActor(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `
actor {
  at = "1m"
  action {
    do      = "start_refresh"
    group   = "web"
    version = "2"
    refresh {
      min_healthy_percentage = 100
      max_healthy_percentage = 150
      instance_warmup        = 10
      checkpoint_percentages = [50, 100]
    }
  }
}
actor {
  at = "20m"
  action {
    do    = "rollback_refresh"
    group = "web"
  }
}`)
	if len(f.refreshes()) != 0 {
		t.Fatal("a refresh is there before its time")
	}
	f.Advance(10 * time.Minute)
	f.expectRefresh("at the checkpoint", types.InstanceRefreshStatusInProgress, 50, 2)
	f.until(types.InstanceRefreshStatusRollbackSuccessful)
	if f.versions() != "map[1:4]" {
		t.Errorf("members %s, want all of version 1", f.versions())
	}
	f.do(f.Act(awssim.Action{Do: "start_refresh", Group: "web"}))
	f.do(f.Act(awssim.Action{Do: "cancel_refresh", Group: "web"}))
	f.until(types.InstanceRefreshStatusCancelled)
	if err := f.Act(awssim.Action{Do: "cancel_refresh", Group: "web"}); err == nil {
		t.Error("a refresh that ended was cancelled")
	}
}
