package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestRefreshAlarms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rollback bool
		bake     int32
		during   types.InstanceRefreshStatus
		status   types.InstanceRefreshStatus
		versions string
	}{
		"fails":                 {false, 0, types.InstanceRefreshStatusInProgress, types.InstanceRefreshStatusFailed, "map[1:3 2:1]"},
		"rolls back":            {true, 0, types.InstanceRefreshStatusInProgress, types.InstanceRefreshStatusRollbackSuccessful, "map[1:4]"},
		"fails while baking":    {false, 600, types.InstanceRefreshStatusBaking, types.InstanceRefreshStatusFailed, "map[2:4]"},
		"rolls back from there": {true, 600, types.InstanceRefreshStatusBaking, types.InstanceRefreshStatusRollbackSuccessful, "map[1:4]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, `
alarm "errors" {}
alarm "latency" {}
`)
			p := types.RefreshPreferences{
				AutoRollback: aws.Bool(c.rollback), BakeTime: aws.Int32(c.bake), InstanceWarmup: aws.Int32(300),
				AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"errors", "latency"}},
			}
			f.do(f.refreshTo("2", p))
			f.until(c.during)
			f.Advance(time.Minute)
			f.do(f.Act(awssim.Action{Do: "set_alarm", Alarm: "latency", Text: "ALARM"}))
			f.Advance(2 * time.Second)
			r := f.refreshes()[0]
			reason := aws.ToString(r.StatusReason)
			if c.rollback {
				reason = *r.RollbackDetails.RollbackReason
			} else if r.Status != c.status {
				t.Errorf("refresh is %s two seconds after the alarm, want %s", r.Status, c.status)
			}
			if reason != "The CloudWatch alarm latency is in ALARM state." {
				t.Errorf("reason %q", reason)
			}
			f.until(c.status)
			f.Advance(5 * time.Minute)
			f.expect("in the end", 4, 4, 4)
			if f.versions() != c.versions || f.web().Version != "1" {
				t.Errorf("members %s, version %s; want %s and 1", f.versions(), f.web().Version, c.versions)
			}
		})
	}
}

// An alarm without data holds up replacements for as long as it has none.
func TestRefreshWaitsForAlarmData(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `alarm "errors" {}`)
	p := launchFirst()
	p.AlarmSpecification = &types.AlarmSpecification{Alarms: []string{"errors"}}
	f.do(f.refreshTo("2", p))
	f.reach(25)
	f.do(f.Act(awssim.Action{Do: "set_alarm", Alarm: "errors", Text: "INSUFFICIENT_DATA"}))
	f.Advance(5 * time.Hour)
	r := f.refreshes()[0]
	if r.Status != types.InstanceRefreshStatusInProgress || *r.PercentageComplete > 50 || !strings.Contains(aws.ToString(r.StatusReason), "alarm errors to have sufficient data") {
		t.Errorf("refresh is %s, %d %% (%s); want it to wait", r.Status, *r.PercentageComplete, aws.ToString(r.StatusReason))
	}
	f.do(f.Act(awssim.Action{Do: "set_alarm", Alarm: "errors", Text: "OK"}))
	f.until(types.InstanceRefreshStatusSuccessful)
	if f.versions() != "map[2:4]" {
		t.Errorf("members %s, want all of version 2", f.versions())
	}
}
