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

// refreshTo asks for a refresh of the group to a version; "" asks for one
// without a desired configuration.
func (f *fleet) refreshTo(version string, p types.RefreshPreferences) error {
	in := &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: aws.String("web"), Preferences: &p}
	if version != "" {
		in.DesiredConfiguration = &types.DesiredConfiguration{
			LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web"), Version: aws.String(version)},
		}
	}
	_, err := f.client.StartInstanceRefresh(f.Context(), in)
	return err
}

// refreshes are those of the group as AWS describes them, newest first.
func (f *fleet) refreshes() []types.InstanceRefresh {
	f.Helper()
	out, err := f.client.DescribeInstanceRefreshes(f.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String("web")})
	f.do(err)
	return out.InstanceRefreshes
}

// expectRefresh fails unless the newest refresh is in a state, and so far.
func (f *fleet) expectRefresh(when string, status types.InstanceRefreshStatus, percent, left int32) types.InstanceRefresh {
	f.Helper()
	r := f.refreshes()[0]
	if r.Status != status || *r.PercentageComplete != percent || *r.InstancesToUpdate != left {
		f.Errorf("%s: refresh is %s, %d %%, %d left (%s); want %s, %d %%, %d", when, r.Status, *r.PercentageComplete, *r.InstancesToUpdate,
			aws.ToString(r.StatusReason), status, percent, left)
	}
	return r
}

// until lets time pass until the newest refresh is in a state, and says how
// long that took.
func (f *fleet) until(status types.InstanceRefreshStatus) time.Duration {
	f.Helper()
	for d := time.Duration(0); d < 24*time.Hour; d += time.Second {
		if f.refreshes()[0].Status == status {
			return d
		}
		f.Advance(time.Second)
	}
	r := f.refreshes()[0]
	f.Fatalf("after a day the refresh is %s (%s), want %s", r.Status, aws.ToString(r.StatusReason), status)
	return 0
}

// reach lets time pass until the newest refresh is so far.
func (f *fleet) reach(percent int32) {
	f.Helper()
	for range 24 * 3600 {
		if *f.refreshes()[0].PercentageComplete >= percent {
			return
		}
		f.Advance(time.Second)
	}
	f.Fatalf("after a day the refresh is %s, %d %% complete, want %d %%", f.refreshes()[0].Status, *f.refreshes()[0].PercentageComplete, percent)
}

// versions are how many members are launched from each version.
func (f *fleet) versions() string {
	f.Helper()
	count := map[int64]int{}
	for _, m := range f.web().Members {
		if m.Lifecycle != "Terminating" {
			count[m.Version]++
		}
	}
	return fmt.Sprint(count)
}

// bounds watches the lowest healthy and highest launched number of members.
func (f *fleet) bounds() (lowest, highest *int) {
	low, high := f.web().Healthy(), 0
	f.OnTick(func() {
		if g, ok := f.Group("web"); ok {
			low, high = min(low, g.Healthy()), max(high, g.Launched())
		}
	})
	return &low, &high
}

// launchFirst are preferences that never go below the desired capacity.
func launchFirst() types.RefreshPreferences {
	return types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(110), InstanceWarmup: aws.Int32(30)}
}

func TestRefreshLaunchesFirst(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	lowest, highest := f.bounds()
	f.do(f.refreshTo("2", launchFirst()))
	f.expectRefresh("at once", types.InstanceRefreshStatusPending, 0, 0)
	f.Advance(2 * time.Second)
	f.expectRefresh("after the reaction time", types.InstanceRefreshStatusInProgress, 0, 3)
	f.expect("after the reaction time", 4, 5, 4)
	f.Advance(100 * time.Second)
	r := f.expectRefresh("while the first warms up", types.InstanceRefreshStatusInProgress, 0, 3)
	if !strings.Contains(aws.ToString(r.StatusReason), "has insufficient data to evaluate its health with Amazon EC2.") {
		t.Errorf("status reason %q", aws.ToString(r.StatusReason))
	}
	f.Advance(6 * time.Second)
	f.expectRefresh("when the first is ready", types.InstanceRefreshStatusInProgress, 25, 2)
	if got := f.web().Version; got != "1" {
		t.Errorf("the group points at %s before the refresh succeeded, want 1", got)
	}
	f.until(types.InstanceRefreshStatusSuccessful)
	r = f.expectRefresh("at the end", types.InstanceRefreshStatusSuccessful, 100, 0)
	if r.EndTime == nil || r.StatusReason != nil || *r.DesiredConfiguration.LaunchTemplate.Version != "2" {
		t.Errorf("refresh ended as %+v", r)
	}
	f.Advance(3 * time.Minute)
	f.expect("at the end", 4, 4, 4)
	if *lowest != 4 || *highest != 5 || f.web().Version != "2" || f.versions() != "map[2:4]" {
		t.Errorf("at least %d healthy, at most %d launched, version %s, members %s; want 4, 5, 2, map[2:4]", *lowest, *highest, f.web().Version, f.versions())
	}
	if got := causeOf(f, "Launching"); !strings.HasSuffix(got, "an instance was launched in response to an instance refresh.") {
		t.Errorf("cause of a launch is %q", got)
	}
	if got := causeOf(f, "Terminating"); !strings.Contains(got, "an instance was taken out of service in response to an instance refresh.  At ") || !strings.HasSuffix(got, "was selected for termination.") {
		t.Errorf("cause of a termination is %q", got)
	}
}

// How many members are replaced at once follows from the percentages, rounded
// against the refresh.
func TestRefreshBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		min, max        *int32
		lowest, highest int
	}{
		"defaults end one of four first": {nil, nil, 3, 4},
		"90 and 100 launch one first":    {aws.Int32(90), aws.Int32(100), 4, 5},
		"100 and 100 launch one first":   {aws.Int32(100), aws.Int32(100), 4, 5},
		"100 alone ends one first":       {aws.Int32(100), nil, 3, 4},
		"50 ends two":                    {aws.Int32(50), nil, 2, 4},
		"0 ends all":                     {aws.Int32(0), nil, 0, 4},
		"100 and 200 double":             {aws.Int32(100), aws.Int32(200), 4, 8},
		"75 and 150 do both":             {aws.Int32(75), aws.Int32(150), 3, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			lowest, highest := f.bounds()
			f.do(f.refreshTo("2", types.RefreshPreferences{MinHealthyPercentage: c.min, MaxHealthyPercentage: c.max}))
			f.until(types.InstanceRefreshStatusSuccessful)
			if *lowest != c.lowest || *highest != c.highest || f.versions() != "map[2:4]" || f.web().Desired != 4 {
				t.Errorf("at least %d healthy, at most %d launched, members %s, desired %d; want %d, %d, map[2:4], 4",
					*lowest, *highest, f.versions(), f.web().Desired, c.lowest, c.highest)
			}
		})
	}
}

// With max size reached a refresh may still go beyond desired, because it does
// not change that.
func TestRefreshExceedsMaxSize(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "max           = 8", "max           = 4")
	_, highest := f.bounds()
	f.do(f.refreshTo("2", launchFirst()))
	f.until(types.InstanceRefreshStatusSuccessful)
	if *highest != 5 {
		t.Errorf("at most %d launched, want 5", *highest)
	}
}

func TestRefreshDefaults(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.do(f.refreshTo("", types.RefreshPreferences{CheckpointPercentages: []int32{50, 100}}))
	p := f.refreshes()[0].Preferences
	if *p.MinHealthyPercentage != 90 || p.MaxHealthyPercentage != nil || *p.InstanceWarmup != 60 || *p.SkipMatching || *p.AutoRollback ||
		*p.CheckpointDelay != 3600 || p.BakeTime != nil || p.AlarmSpecification == nil || len(p.AlarmSpecification.Alarms) > 0 {
		t.Errorf("preferences became %+v", p)
	}
	if d := f.refreshes()[0].DesiredConfiguration; d != nil {
		t.Errorf("desired configuration %+v, want none", d)
	}
}

// Checkpoints hold the refresh when what was replaced is warm; the last one
// does not.
func TestRefreshCheckpointsAndBake(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	p := launchFirst()
	p.CheckpointPercentages, p.CheckpointDelay, p.BakeTime = []int32{20, 75, 100}, aws.Int32(600), aws.Int32(900)
	f.do(f.refreshTo("2", p))
	for _, c := range []struct {
		percent, left int32
		versions      string
	}{{25, 3, "map[1:3 2:1]"}, {75, 1, "map[1:1 2:3]"}} {
		f.reach(c.percent)
		f.Advance(599 * time.Second)
		r := f.expectRefresh("at the end of a checkpoint", types.InstanceRefreshStatusInProgress, c.percent, c.left)
		if !strings.HasPrefix(aws.ToString(r.StatusReason), "Waiting at a checkpoint until 2026-11-16T") || f.versions() != c.versions {
			t.Errorf("status reason %q, members %s; want a checkpoint and %s", aws.ToString(r.StatusReason), f.versions(), c.versions)
		}
		f.Advance(2 * time.Second)
		if got := f.web().Launched(); got != 5 {
			t.Errorf("%d launched after the checkpoint at %d %%, want 5", got, c.percent)
		}
	}
	f.until(types.InstanceRefreshStatusBaking)
	f.expectRefresh("baking", types.InstanceRefreshStatusBaking, 100, 0)
	f.Advance(899 * time.Second)
	f.expectRefresh("at the end of the bake time", types.InstanceRefreshStatusBaking, 100, 0)
	if f.web().Version != "1" {
		t.Errorf("the group points at %s while it bakes, want 1", f.web().Version)
	}
	f.Advance(time.Second)
	f.expectRefresh("after the bake time", types.InstanceRefreshStatusSuccessful, 100, 0)
	if f.web().Version != "2" {
		t.Errorf("the group points at %s in the end, want 2", f.web().Version)
	}
}

// A last checkpoint below 100 is the end.
func TestRefreshInPart(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	p := launchFirst()
	p.CheckpointPercentages = []int32{50}
	f.do(f.refreshTo("2", p))
	f.until(types.InstanceRefreshStatusSuccessful)
	f.expectRefresh("at the end", types.InstanceRefreshStatusSuccessful, 50, 2)
	f.Advance(5 * time.Minute)
	f.expect("at the end", 4, 4, 4)
	if f.versions() != "map[1:2 2:2]" || f.web().Version != "2" {
		t.Errorf("members %s, version %s; want two of each, and 2", f.versions(), f.web().Version)
	}
}

// A group that grows comes to a checkpoint again.
func TestRefreshCheckpointAfterGrowth(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	p := launchFirst()
	p.CheckpointPercentages, p.CheckpointDelay = []int32{50, 100}, aws.Int32(1800)
	f.do(f.refreshTo("2", p))
	f.reach(50)
	f.Advance(time.Minute)
	f.set(8)
	f.Advance(30 * time.Second)
	r := f.expectRefresh("after growing", types.InstanceRefreshStatusInProgress, 25, 2)
	began := *r.StartTime
	f.until(types.InstanceRefreshStatusSuccessful)
	if got := f.refreshes()[0].EndTime.Sub(began); got < 2*30*time.Minute {
		t.Errorf("the refresh took %s, want the checkpoint's half hour twice", got)
	}
	if f.versions() != "map[2:8]" {
		t.Errorf("members %s, want eight of version 2", f.versions())
	}
}

func TestRefreshSkipsMatching(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	p := launchFirst()
	p.SkipMatching = aws.Bool(true)
	f.do(f.refreshTo("1", p))
	f.Advance(2 * time.Second)
	f.expectRefresh("nothing to do", types.InstanceRefreshStatusSuccessful, 100, 0)

	f.do(f.refreshTo("2", p))
	f.reach(50)
	f.cancel(true)
	f.until(types.InstanceRefreshStatusCancelled)
	f.Advance(5 * time.Minute)
	f.expect("cancelled", 4, 4, 4)
	launched, left := launches(f), 0
	for _, m := range f.web().Members {
		if m.Version == 1 {
			left++
		}
	}
	f.do(f.refreshTo("2", p))
	f.Advance(2 * time.Second)
	if f.refreshes()[0].Status != types.InstanceRefreshStatusInProgress {
		t.Fatalf("refresh is %s, want it in progress", f.refreshes()[0].Status)
	}
	f.until(types.InstanceRefreshStatusSuccessful)
	if got := launches(f) - launched; got != left || f.versions() != "map[2:4]" {
		t.Errorf("the second refresh launched %d, members %s; want %d and all of version 2", got, f.versions(), left)
	}
	if n := len(f.refreshes()); n != 3 {
		t.Errorf("%d refreshes described, want 3", n)
	}
}

// launches counts the launching activities.
func launches(f *fleet) int {
	n := 0
	for _, a := range f.activities() {
		if strings.HasPrefix(*a.Description, "Launching") {
			n++
		}
	}
	return n
}

func (f *fleet) cancel(wait bool) {
	f.Helper()
	_, err := f.client.CancelInstanceRefresh(f.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String("web"), WaitForTransitioningInstances: aws.Bool(wait)})
	f.do(err)
}

func (f *fleet) rollback() error {
	_, err := f.client.RollbackInstanceRefresh(f.Context(), &autoscaling.RollbackInstanceRefreshInput{AutoScalingGroupName: aws.String("web")})
	return err
}

func TestRefreshCancel(t *testing.T) {
	t.Parallel()
	for wait, c := range map[bool]struct {
		at, after types.InstanceRefreshStatus
		reason    string
	}{
		true:  {types.InstanceRefreshStatusCancelling, types.InstanceRefreshStatusCancelled, "Cancelled due to user request."},
		false: {types.InstanceRefreshStatusCancelled, types.InstanceRefreshStatusCancelled, "Cancelled without waiting for ongoing instance launches and terminations due to user request."},
	} {
		t.Run(fmt.Sprint(wait), func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			f.do(f.refreshTo("2", launchFirst()))
			f.Advance(5 * time.Second)
			f.cancel(wait)
			f.expectRefresh("at once", c.at, 0, 3)
			f.Advance(2 * time.Minute)
			r := f.expectRefresh("later", c.after, 0, 3)
			if aws.ToString(r.StatusReason) != c.reason || r.EndTime == nil {
				t.Errorf("status reason %q, end %v; want %q and an end", aws.ToString(r.StatusReason), r.EndTime, c.reason)
			}
			f.Advance(5 * time.Minute)
			f.expect("in the end", 4, 4, 4)
			if f.web().Version != "1" {
				t.Errorf("the group points at %s, want 1", f.web().Version)
			}
			_, err := f.client.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String("web")})
			wantCode(t, err, "ActiveInstanceRefreshNotFound", "Auto Scaling group web")
		})
	}
}

func TestRefreshRollback(t *testing.T) {
	t.Parallel()
	for name, bake := range map[string]int32{"in progress": 0, "baking": 600} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			lowest, _ := f.bounds()
			p := launchFirst()
			p.BakeTime = aws.Int32(bake)
			f.do(f.refreshTo("2", p))
			wantCode(t, f.rollback(), "ActiveInstanceRefreshNotFound", "in progress or baking")
			percent, left := int32(50), int32(1)
			if bake > 0 {
				percent, left = 100, 0
				f.until(types.InstanceRefreshStatusBaking)
			}
			f.reach(percent)
			f.do(f.rollback())
			r := f.refreshes()[0]
			d := r.RollbackDetails
			if r.Status != types.InstanceRefreshStatusRollbackInProgress || d == nil || *d.PercentageCompleteOnRollback != percent || *d.InstancesToUpdateOnRollback != left ||
				*d.RollbackReason != "Rollback triggered due to user request." || d.RollbackStartTime == nil {
				t.Errorf("refresh became %s with %+v", r.Status, d)
			}
			wantCode(t, f.rollback(), "ActiveInstanceRefreshNotFound", "in progress or baking")
			f.until(types.InstanceRefreshStatusRollbackSuccessful)
			f.expectRefresh("rolled back", types.InstanceRefreshStatusRollbackSuccessful, 0, 4)
			f.Advance(5 * time.Minute)
			f.expect("rolled back", 4, 4, 4)
			if f.versions() != "map[1:4]" || f.web().Version != "1" || *lowest != 4 {
				t.Errorf("members %s, version %s, at least %d healthy; want map[1:4], 1, 4", f.versions(), f.web().Version, *lowest)
			}
		})
	}
}

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

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `parameter "/image" { value = "new" }`, `  version { image = "new" }`, "  version { image = \"new\" }\n  version { image = \"resolve:ssm:/image\" }")
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
		"alarms":                 {"2", types.RefreshPreferences{AlarmSpecification: &types.AlarmSpecification{Alarms: []string{"cpu"}}}, "ValidationError", "does not model CloudWatch alarms"},
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
