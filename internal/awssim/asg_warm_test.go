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

// newWarm is the fleet of webText, at most six, with a warm pool.
func newWarm(t *testing.T, pool, more string) *fleet {
	t.Helper()
	return newFleet(t, "", "max           = 8", "max = 6", `grace_period  = "60s"`,
		"grace_period = \"60s\"\nsuspended = [\"AZRebalance\"]\nwarm_pool {\n"+pool+"\n}\n"+more)
}

func stateOf(m awssim.Member) string { return m.Lifecycle }

// wantStates compares all members by state.
func (f *fleet) wantStates(when, want string) {
	f.Helper()
	n := map[string]int{}
	var order []string
	for _, m := range f.web().Members {
		if n[m.Lifecycle] == 0 {
			order = append(order, m.Lifecycle)
		}
		n[m.Lifecycle]++
	}
	var out []string
	for _, s := range order {
		out = append(out, fmt.Sprintf("%s %d", s, n[s]))
	}
	if got := strings.Join(out, ", "); got != want {
		f.Errorf("%s: got %s, want %s", when, got, want)
	}
}

func (f *fleet) pool() *autoscaling.DescribeWarmPoolOutput {
	f.Helper()
	out, err := f.client.DescribeWarmPool(f.Context(), &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: aws.String("web")})
	f.do(err)
	return out
}

func TestWarmPool(t *testing.T) {
	t.Parallel()
	f := newWarm(t, "", "")
	f.wantStates("max size less desired", "InService 4, Warmed:Stopped 2")
	g, p := f.describe(), f.pool()
	if len(g.Instances) != 4 || aws.ToInt32(g.WarmPoolSize) != 2 || len(p.Instances) != 2 || p.Instances[0].LifecycleState != "Warmed:Stopped" {
		t.Errorf("got %d instances, pool size %v, pool of %+v; want 4, 2 and two stopped", len(g.Instances), aws.ToInt32(g.WarmPoolSize), p.Instances)
	}
	if c := g.WarmPoolConfiguration; c.PoolState != "Stopped" || *c.MinSize != 0 || c.MaxGroupPreparedCapacity != nil {
		t.Errorf("got pool %+v, want it stopped, of no minimum and no set capacity", c)
	}
	warm := f.web().Members[4]
	if warm.State != "stopped" {
		t.Errorf("instance in the pool is %s, want stopped", warm.State)
	}
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	f.set(5)
	f.Advance(2 * time.Second)
	f.Advance(15 * time.Second) // the warm start
	m := f.newest()
	for _, o := range f.web().Members {
		if o.ID == warm.ID {
			m = o
		}
	}
	if m.Lifecycle != "InService" || m.Version != 1 {
		t.Errorf("the one that was drawn: got %s from version %d, want it in service from version 1, stale as it is", m.Lifecycle, m.Version)
	}
	f.Advance(10 * time.Minute)
	f.wantStates("later, the pool smaller", "InService 5, Warmed:Stopped 1")
	cause := ""
	for _, a := range f.activities() {
		if *a.Description == "Launching a new EC2 instance from warm pool: "+warm.ID {
			cause = *a.Cause
		}
	}
	if !strings.Contains(cause, "changing the desired capacity from 4 to 5") {
		t.Errorf("cause of the launch from the pool: %q", cause)
	}
	wantCode(t, f.terminate(f.firstWarm(), true), "ValidationError", "warm pool")
	_, err := launchIn(f, "eu-west-2a", "t", 1)
	wantCode(t, err, "UnsupportedOperation", "warm pool")
}

// firstWarm is the first instance of the pool.
func (f *fleet) firstWarm() string { return *f.pool().Instances[0].InstanceId }

func TestWarmPoolSizes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ pool, want string }{
		"prepared capacity":                  {"max_group_prepared_capacity = 5", "InService 4, Warmed:Stopped 1"},
		"prepared capacity below desired":    {"max_group_prepared_capacity = 3", "InService 4"},
		"a minimum":                          {"max_group_prepared_capacity = 3\nmin_size = 3", "InService 4, Warmed:Stopped 3"},
		"running":                            {`pool_state = "Running"`, "InService 4, Warmed:Running 2"},
		"minimum above what max size leaves": {"min_size = 4", "InService 4, Warmed:Stopped 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newWarm(t, c.pool, "").wantStates("at the start", c.want)
		})
	}
	f := newFleet(t, "", `version { image = "old" }`, "version {\nimage = \"old\"\nhibernation = true\n}", `grace_period  = "60s"`, "warm_pool {\npool_state = \"Hibernated\"\n}", "max           = 8", "max = 5")
	f.wantStates("hibernated", "InService 4, Warmed:Hibernated 1")
}

func TestColdStartWhenThePoolIsEmpty(t *testing.T) {
	t.Parallel()
	f := newWarm(t, "max_group_prepared_capacity = 5", "")
	f.set(6)
	f.Advance(20 * time.Second)
	if got := tally(f.web(), stateOf); got != "InService 5, Pending 1" {
		t.Errorf("after the warm start: got %s, want one warm and one cold start", got)
	}
	f.Advance(time.Minute)
	f.wantStates("later", "InService 6")
}

func TestWarmPoolHooks(t *testing.T) {
	t.Parallel()
	f := newWarm(t, `pool_state = "Running"`, launchHook+endHook)
	f.set(5)
	f.Advance(10 * time.Second)
	drawn := ""
	for _, m := range f.web().Members {
		if m.Lifecycle == "Pending:Wait" {
			drawn = m.ID
		}
	}
	if drawn == "" {
		t.Fatal("nobody waits for the launch hook on the way out of the pool")
	}
	f.do(f.complete("setup", drawn, "CONTINUE"))
	f.Advance(2 * time.Second)
	f.wantStates("in service", "InService 5, Warmed:Running 1")
	f.set(4) // the pool may have one more again
	f.Advance(50 * time.Second)
	f.wantLifecycle("on its way into the pool", f.newest(), "Warmed:Pending:Wait")
	f.do(f.complete("setup", f.newest().ID, "CONTINUE"))
	f.Advance(2 * time.Second)
	f.wantLifecycle("in the pool", f.newest(), "Warmed:Running")
	_, err := f.client.PutWarmPool(t.Context(), &autoscaling.PutWarmPoolInput{AutoScalingGroupName: aws.String("web"), MaxGroupPreparedCapacity: aws.Int32(5)})
	f.do(err)
	f.Advance(3 * time.Second)
	if got := f.pool().Instances; len(got) != 2 || got[0].LifecycleState != "Warmed:Terminating:Wait" && got[1].LifecycleState != "Warmed:Terminating:Wait" {
		t.Errorf("a smaller pool: got %+v, want one of two to wait for its termination hook", got)
	}
}

func TestReuseOnScaleIn(t *testing.T) {
	t.Parallel()
	f := newWarm(t, "max_group_prepared_capacity = 4\nreuse_on_scale_in = true", "")
	before := map[string]bool{}
	for _, m := range f.web().Members {
		before[m.ID] = true
	}
	f.set(3)
	f.Advance(5 * time.Second)
	f.expect("draining", 3, 3, 3)
	f.Advance(3 * time.Minute)
	for _, m := range f.web().Members {
		if !before[m.ID] {
			t.Errorf("%s is new, want the one that was scaled in to be reused", m.ID)
		}
	}
	if p := f.pool().Instances; len(p) != 1 || p[0].LifecycleState != "Warmed:Stopped" {
		t.Errorf("pool: got %+v, want the one that was scaled in, stopped", p)
	}
	f.set(4)
	f.Advance(time.Minute)
	f.expect("drawn again", 4, 4, 4)
}

func TestWarmPoolReplacesWhatEnds(t *testing.T) {
	t.Parallel()
	f := newWarm(t, "", "")
	id := f.firstWarm()
	f.do(f.Act(awssim.Action{Do: "kill", Group: "web", Instance: id}))
	f.Advance(5 * time.Minute)
	f.wantStates("later", "InService 4, Warmed:Stopped 2")
	for _, i := range f.pool().Instances {
		if *i.InstanceId == id {
			t.Errorf("%s is still in the pool", id)
		}
	}
}

func TestWarmStartWithoutCapacity(t *testing.T) {
	t.Parallel()
	f := newWarm(t, "max_group_prepared_capacity = 5", "")
	id := f.firstWarm()
	zone := *f.pool().Instances[0].AvailabilityZone
	f.FailLaunches(awssim.LaunchFault{Zone: zone, Code: "InsufficientInstanceCapacity", For: time.Minute})
	f.set(5)
	f.Advance(5 * time.Minute)
	f.wantStates("later", "InService 5")
	for _, m := range f.web().Members {
		if m.ID == id {
			t.Error("the one that could not be started is in service")
		}
	}
}

func TestDeleteWarmPool(t *testing.T) {
	t.Parallel()
	f := newWarm(t, "", endHook)
	del := func(force bool) error {
		_, err := f.client.DeleteWarmPool(t.Context(), &autoscaling.DeleteWarmPoolInput{AutoScalingGroupName: aws.String("web"), ForceDelete: aws.Bool(force)})
		return err
	}
	wantCode(t, del(false), "ResourceInUse", "instances still in it")
	f.do(del(true))
	if c := f.pool().WarmPoolConfiguration; c == nil || c.Status != types.WarmPoolStatusPendingDelete {
		t.Errorf("while it is deleted: got %+v, want PendingDelete", c)
	}
	f.Advance(2 * time.Minute) // hooks are not waited for
	f.wantStates("later", "InService 4")
	if c := f.pool().WarmPoolConfiguration; c != nil || f.describe().WarmPoolConfiguration != nil {
		t.Errorf("later: got %+v, want no pool", c)
	}
	wantCode(t, del(true), "ValidationError", "No warm pool found")
}

func TestPutWarmPoolRefuses(t *testing.T) {
	t.Parallel()
	put := func(f *fleet, in autoscaling.PutWarmPoolInput) error {
		in.AutoScalingGroupName = aws.String("web")
		_, err := f.client.PutWarmPool(f.Context(), &in)
		return err
	}
	wantCode(t, put(newMixed(t, weights), autoscaling.PutWarmPoolInput{}), "ValidationError", "instance weights")
	wantCode(t, put(newMixed(t, allSpot), autoscaling.PutWarmPoolInput{}), "ValidationError", "requests Spot Instances")
	spot := newFleet(t, "", `version { image = "old" }`, "version {\nimage = \"old\"\nspot = true\n}")
	wantCode(t, put(spot, autoscaling.PutWarmPoolInput{}), "ValidationError", "requests Spot Instances")
	f := newFleet(t, "")
	wantCode(t, put(f, autoscaling.PutWarmPoolInput{PoolState: "Cold"}), "ValidationError", "poolState")
	wantCode(t, put(f, autoscaling.PutWarmPoolInput{PoolState: "Hibernated"}), "ValidationError", "hibernation")
	wantCode(t, put(f, autoscaling.PutWarmPoolInput{MaxGroupPreparedCapacity: aws.Int32(-2)}), "ValidationError", "maxGroupPreparedCapacity")
	wantCode(t, put(f, autoscaling.PutWarmPoolInput{MinSize: aws.Int32(-1)}), "ValidationError", "minSize")
	f.do(put(newMixed(t, twoTypes), autoscaling.PutWarmPoolInput{}))
	f.do(put(f, autoscaling.PutWarmPoolInput{MaxGroupPreparedCapacity: aws.Int32(5)}))
	f.do(put(f, autoscaling.PutWarmPoolInput{MinSize: aws.Int32(1)}))
	if c := f.pool().WarmPoolConfiguration; aws.ToInt32(c.MaxGroupPreparedCapacity) != 5 || *c.MinSize != 1 {
		t.Errorf("after a second put: got %+v, want what it left out kept", c)
	}
	f.do(put(f, autoscaling.PutWarmPoolInput{MaxGroupPreparedCapacity: aws.Int32(-1)}))
	if c := f.pool().WarmPoolConfiguration; c.MaxGroupPreparedCapacity != nil {
		t.Errorf("after -1: got prepared capacity %d, want none", *c.MaxGroupPreparedCapacity)
	}
	_, err := f.client.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("web"), MixedInstancesPolicy: &types.MixedInstancesPolicy{
		LaunchTemplate:        &types.LaunchTemplate{LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web")}},
		InstancesDistribution: &types.InstancesDistribution{OnDemandPercentageAboveBaseCapacity: aws.Int32(0)},
	}})
	wantCode(t, err, "ValidationError", "warm pool")
}
