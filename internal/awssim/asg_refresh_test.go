package awssim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
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
