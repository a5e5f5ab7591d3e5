package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// The warm pool's turn comes after the group's, and both tell their progress.
func TestRefreshOfWarmPool(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]types.RefreshPreferences{"launching first": launchFirst(), "ending first": {InstanceWarmup: aws.Int32(30)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newWarm(t, "", "")
			f.wantStates("before", "InService 4, Warmed:Stopped 2")
			f.do(f.refreshTo("2", p))
			for range 3600 {
				if d := f.refreshes()[0].ProgressDetails; d != nil && *d.LivePoolProgress.PercentageComplete == 100 {
					break
				}
				f.Advance(time.Second)
			}
			r := f.refreshes()[0]
			if d := r.ProgressDetails; r.Status != types.InstanceRefreshStatusInProgress || *r.PercentageComplete != 66 || *d.LivePoolProgress.InstancesToUpdate != 0 ||
				*d.WarmPoolProgress.PercentageComplete != 0 || *d.WarmPoolProgress.InstancesToUpdate == 0 {
				t.Errorf("after the group: refresh is %s, %d %%, live %+v, warm %+v", r.Status, *r.PercentageComplete, d.LivePoolProgress, d.WarmPoolProgress)
			}
			f.until(types.InstanceRefreshStatusSuccessful)
			r = f.expectRefresh("at the end", types.InstanceRefreshStatusSuccessful, 100, 0)
			if d := r.ProgressDetails; *d.WarmPoolProgress.PercentageComplete != 100 || *d.WarmPoolProgress.InstancesToUpdate != 0 {
				t.Errorf("at the end: warm %+v, want all of it done", d.WarmPoolProgress)
			}
			f.Advance(10 * time.Minute)
			f.wantStates("after", "InService 4, Warmed:Stopped 2")
			if f.versions() != "map[2:6]" {
				t.Errorf("members %s, want all of version 2", f.versions())
			}
		})
	}
}

// A rollback brings the warm pool back, too.
func TestRefreshRollbackOfWarmPool(t *testing.T) {
	t.Parallel()
	f := newWarm(t, "", "")
	p := launchFirst()
	p.BakeTime = aws.Int32(600)
	f.do(f.refreshTo("2", p))
	f.until(types.InstanceRefreshStatusBaking)
	f.do(f.rollback())
	if d := f.refreshes()[0].RollbackDetails.ProgressDetailsOnRollback; d == nil || *d.WarmPoolProgress.PercentageComplete != 100 {
		t.Errorf("progress at the rollback is %+v, want the warm pool's", d)
	}
	f.until(types.InstanceRefreshStatusRollbackSuccessful)
	f.expectRefresh("rolled back", types.InstanceRefreshStatusRollbackSuccessful, 0, 6)
	f.Advance(10 * time.Minute)
	f.wantStates("after", "InService 4, Warmed:Stopped 2")
	if f.versions() != "map[1:6]" {
		t.Errorf("members %s, want all of version 1", f.versions())
	}
}
