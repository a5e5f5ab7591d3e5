package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// An image that never becomes healthy is tried for an hour.
func TestRefreshOfBadImage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more     string
		rollback bool
		pointer  string
		status   types.InstanceRefreshStatus
	}{
		"fails":                         {`never_healthy = true`, false, "1", types.InstanceRefreshStatusFailed},
		"rolls back":                    {`never_healthy = true`, true, "1", types.InstanceRefreshStatusRollbackSuccessful},
		"cannot launch":                 {`launch_error = "InvalidAMIID.NotFound"`, false, "1", types.InstanceRefreshStatusFailed},
		"cannot launch, rolls back":     {`launch_error = "InvalidAMIID.NotFound"`, true, "1", types.InstanceRefreshStatusRollbackSuccessful},
		"pointer moved before the roll": {`never_healthy = true`, true, "2", types.InstanceRefreshStatusRollbackFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "", `image "new" { created = "2026-11-02T04:00:00Z" }`, `image "new" { `+c.more+` }`,
				`version       = "1"`, `version       = "`+c.pointer+`"`)
			lowest, highest := f.bounds()
			p := types.RefreshPreferences{AutoRollback: aws.Bool(c.rollback)}
			f.do(f.refreshTo("2", p))
			took := time.Duration(0)
			if c.rollback {
				took = f.until(types.InstanceRefreshStatusRollbackInProgress)
				if reason := *f.refreshes()[0].RollbackDetails.RollbackReason; !strings.HasPrefix(reason, "The instance refresh could not continue for an hour.") {
					t.Errorf("rollback reason %q", reason)
				}
				f.until(c.status)
			} else {
				took = f.until(c.status)
			}
			if took < time.Hour || took > time.Hour+time.Minute {
				t.Errorf("it was given up after %s, want an hour", took)
			}
			if f.web().Version != c.pointer || *lowest < 3 || *highest > 4 {
				t.Errorf("version %s, at least %d healthy, at most %d launched; want %s, 3 and 4", f.web().Version, *lowest, *highest, c.pointer)
			}
			if c.status == types.InstanceRefreshStatusRollbackSuccessful && f.versions() != "map[1:4]" {
				t.Errorf("members %s, want all of version 1", f.versions())
			}
		})
	}
}

// Health is judged by the group's own checks: a group of type EC2 never asks
// its target groups.
func TestRefreshTrustsGroupHealth(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", `health_check  = "ELB"`, `health_check  = "EC2"`, `image "new" { created = "2026-11-02T04:00:00Z" }`, "image \"new\" {\n never_healthy = true\n}")
	f.do(f.refreshTo("2", launchFirst()))
	f.until(types.InstanceRefreshStatusSuccessful)
	f.Advance(5 * time.Minute)
	f.expect("succeeded with nobody serving", 4, 4, 0)
}

func TestRefreshOfMembersInTheWay(t *testing.T) {
	t.Parallel()
	protect := func(f *fleet) {
		_, err := f.client.SetInstanceProtection(f.Context(), &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: aws.String("web"), InstanceIds: []string{f.web().Members[0].ID}, ProtectedFromScaleIn: aws.Bool(true),
		})
		f.do(err)
	}
	park := func(f *fleet) {
		_, err := f.client.EnterStandby(f.Context(), &autoscaling.EnterStandbyInput{
			AutoScalingGroupName: aws.String("web"), InstanceIds: []string{f.web().Members[0].ID}, ShouldDecrementDesiredCapacity: aws.Bool(true),
		})
		f.do(err)
		f.Advance(time.Minute)
	}
	for name, c := range map[string]struct {
		prepare     func(f *fleet)
		preferences types.RefreshPreferences
		status      types.InstanceRefreshStatus
		percent     int32
		versions    string
		reason      string
	}{
		"protected by default":  {protect, types.RefreshPreferences{}, types.InstanceRefreshStatusFailed, 75, "map[1:1 2:3]", "is protected. Remove instance scale-in protection to continue."},
		"protected, ignored":    {protect, types.RefreshPreferences{ScaleInProtectedInstances: "Ignore"}, types.InstanceRefreshStatusSuccessful, 100, "map[1:1 2:3]", ""},
		"protected, refreshed":  {protect, types.RefreshPreferences{ScaleInProtectedInstances: "Refresh"}, types.InstanceRefreshStatusSuccessful, 100, "map[2:4]", ""},
		"standby by default":    {park, types.RefreshPreferences{}, types.InstanceRefreshStatusFailed, 100, "map[1:1 2:3]", "is in Standby."},
		"standby, ignored":      {park, types.RefreshPreferences{StandbyInstances: "Ignore"}, types.InstanceRefreshStatusSuccessful, 100, "map[1:1 2:3]", ""},
		"standby, terminated":   {park, types.RefreshPreferences{StandbyInstances: "Terminate"}, types.InstanceRefreshStatusSuccessful, 100, "map[2:3]", ""},
		"protected, rolls back": {protect, types.RefreshPreferences{AutoRollback: aws.Bool(true)}, types.InstanceRefreshStatusRollbackSuccessful, 0, "map[1:4]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			c.prepare(f)
			c.preferences.InstanceWarmup = aws.Int32(0)
			f.do(f.refreshTo("2", c.preferences))
			f.until(c.status)
			r := f.refreshes()[0]
			if *r.PercentageComplete != c.percent || f.versions() != c.versions || !strings.Contains(aws.ToString(r.StatusReason), c.reason) {
				t.Errorf("%d %%, members %s, reason %q; want %d %%, %s, %q", *r.PercentageComplete, f.versions(), aws.ToString(r.StatusReason), c.percent, c.versions, c.reason)
			}
		})
	}
}

// A protection that ends lets the refresh go on.
func TestRefreshGoesOn(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", `health_check  = "ELB"`, `health_check  = "ELB"`+"\nprotected = true")
	f.do(f.refreshTo("2", launchFirst()))
	f.Advance(50 * time.Minute)
	f.expectRefresh("protected", types.InstanceRefreshStatusInProgress, 0, 4)
	var ids []string
	for _, m := range f.web().Members {
		ids = append(ids, m.ID)
	}
	_, err := f.client.SetInstanceProtection(t.Context(), &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: aws.String("web"), InstanceIds: ids, ProtectedFromScaleIn: aws.Bool(false)})
	f.do(err)
	f.until(types.InstanceRefreshStatusSuccessful)
	if f.versions() != "map[2:4]" {
		t.Errorf("members %s, want all of version 2", f.versions())
	}
}

func TestRefreshAndSuspendedProcesses(t *testing.T) {
	t.Parallel()
	for _, process := range []string{"Launch", "Terminate", "InstanceRefresh"} {
		t.Run(process, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			f.suspend(process)
			f.do(f.refreshTo("2", launchFirst()))
			f.Advance(26 * time.Hour)
			want, left := types.InstanceRefreshStatusInProgress, int32(4)
			if process == "InstanceRefresh" {
				want, left = types.InstanceRefreshStatusPending, 0
			}
			r := f.expectRefresh("suspended", want, 0, left)
			if r.StatusReason != nil || f.versions() != "map[1:4]" {
				t.Errorf("status reason %q, members %s; want none and all of version 1", *r.StatusReason, f.versions())
			}
			f.resume(process)
			f.until(types.InstanceRefreshStatusSuccessful)
		})
	}
}

// Whoever suspends InstanceRefresh pauses the refresh that runs.
func TestRefreshPauses(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.do(f.refreshTo("2", launchFirst()))
	f.Advance(10 * time.Second)
	f.suspend("InstanceRefresh")
	f.Advance(5 * time.Hour)
	f.expectRefresh("paused", types.InstanceRefreshStatusInProgress, 0, 3)
	f.expect("paused", 4, 5, 5)
	f.resume("InstanceRefresh")
	f.until(types.InstanceRefreshStatusSuccessful)
}

// While a refresh with a desired configuration runs, that is not the group's
// to change, but its size is.
func TestGroupDuringRefresh(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ more, versions string }{{"", "map[2:6]"}, {`refresh_scale_out = "group"`, "map[1:2 2:4]"}} {
		t.Run(c.more, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, c.more)
			f.do(f.refreshTo("2", launchFirst()))
			f.Advance(10 * time.Second)
			err := f.refreshTo("2", launchFirst())
			wantCode(t, err, "InstanceRefreshInProgress", "blocks the execution")
			err = f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"})
			if err == nil || !strings.Contains(err.Error(), "An active instance refresh with a desired configuration exists.") {
				t.Errorf("changing the pointer gave %v, want a refusal", err)
			}
			f.set(6)
			f.until(types.InstanceRefreshStatusSuccessful)
			f.Advance(5 * time.Minute)
			f.expect("in the end", 6, 6, 6)
			if f.versions() != c.versions {
				t.Errorf("members %s, want %s", f.versions(), c.versions)
			}
		})
	}
}

// Without a desired configuration the group stays free to change, and the
// refresh launches what the group points at by then.
func TestRefreshWithoutDesiredConfiguration(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.do(f.refreshTo("", launchFirst()))
	f.Advance(10 * time.Second)
	wantCode(t, f.rollback(), "IrreversibleInstanceRefresh", "No desired configuration")
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	f.until(types.InstanceRefreshStatusSuccessful)
	if f.versions() != "map[1:1 2:3]" {
		t.Errorf("members %s, want one of version 1 and three of version 2", f.versions())
	}
}

// Scaling in during a refresh, and members that die, leave the group whole.
func TestRefreshAmongOthers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "desired       = 4", "desired       = 6")
	f.do(f.refreshTo("2", types.RefreshPreferences{MinHealthyPercentage: aws.Int32(90), MaxHealthyPercentage: aws.Int32(120)}))
	f.Advance(3 * time.Minute)
	f.set(3)
	f.Advance(time.Minute)
	f.do(f.Act(awssim.Action{Do: "kill", Group: "web"}))
	f.Advance(time.Minute)
	f.do(f.terminate(f.web().Members[0].ID, false))
	f.until(types.InstanceRefreshStatusSuccessful)
	f.Advance(5 * time.Minute)
	f.expect("in the end", 3, 3, 3)
	if f.versions() != "map[2:3]" {
		t.Errorf("members %s, want three of version 2", f.versions())
	}
}

func TestRefreshEndsWithItsGroup(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.do(f.refreshTo("2", launchFirst()))
	f.Advance(time.Minute)
	f.do(f.Act(awssim.Action{Do: "delete_group", Group: "web"}))
	err := f.refreshTo("2", launchFirst())
	wantCode(t, err, "ResourceContention", "pending update")
	f.Advance(10 * time.Minute)
	if _, there := f.Group("web"); there {
		t.Error("the group is still there")
	}
}
