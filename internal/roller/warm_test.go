package roller_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// pool is HCL of a group with a warm pool.
const pool = "\nwarm_pool {\n  min_size = 2\n  max_group_prepared_capacity = 6\n  %s\n}\n"

// warmed stages a group with a warm pool that is full, and a roll that may end its
// members.
func warmed(t *testing.T, shape rolltest.Shape, low, high int) (*rolltest.Stage, roller.Request) {
	t.Helper()
	s := rolltest.New(t, shape)
	q := rolltest.Request(low, high)
	q.Spec.TerminateWarm = true
	q.LockTimeout = 10 * time.Minute
	s.World.Advance(5 * time.Minute)
	if n := len(inPool(s)); n < 2 {
		t.Fatalf("the warm pool has %d members, want 2\n%s", n, s.Story())
	}
	return s, q
}

// inPool are the versions of the members in the warm pool that stay there.
func inPool(s *rolltest.Stage) []int64 {
	var out []int64
	for _, m := range s.Group().Members {
		if strings.HasPrefix(m.Lifecycle, "Warmed:") && !strings.HasPrefix(m.Lifecycle, "Warmed:Terminat") {
			out = append(out, m.Version)
		}
	}
	return out
}

// poolRuns holds the warm pool to one version, once AWS has filled it.
func poolRuns(t *testing.T, s *rolltest.Stage, versions ...int64) {
	t.Helper()
	s.World.Advance(5 * time.Minute)
	found := inPool(s)
	if len(found) < 2 {
		t.Errorf("the warm pool has %d members at the end, want 2", len(found))
	}
	for _, v := range found {
		if !strings.Contains(fmt.Sprint(versions), fmt.Sprint(v)) {
			t.Errorf("a member of the warm pool runs version %d at the end, want %d", v, versions)
		}
	}
	if t.Failed() {
		t.Logf("story:\n%s", s.Story())
	}
}

// TestWarm_shapes rolls groups with warm pools of every kind, in each direction of
// the limits: nobody is drawn from the pool who would have to be replaced.
func TestWarm_shapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		pool      string
		pointer   string
		low, high int
		stale     bool
	}{
		{name: "launching first", low: 100, high: 150},
		{name: "ending first", low: 75, high: 100},
		{name: "both", low: 75, high: 125},
		{name: "running", pool: `pool_state = "Running"`, low: 100, high: 150},
		{name: "reused", pool: "reuse_on_scale_in = true", low: 100, high: 150},
		{name: "late looks", low: 100, high: 150, stale: true},
		{name: "default", pointer: "$Default", low: 100, high: 150},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, q := warmed(t, rolltest.Shape{Members: 4, Pointer: c.pointer, Group: fmt.Sprintf(pool, c.pool)}, c.low, c.high)
			if c.stale {
				if err := s.World.SetStaleness("autoscaling", 20*time.Second); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("roll: %v\n%s", err, s.Story())
			}
			s.Settled(2)
			if n := strings.Count(s.Story(), "leaves the warm pool, from version 1"); n > 0 {
				t.Errorf("%d stale members were drawn from the warm pool\n%s", n, s.Story())
			}
			poolRuns(t, s, 2)
		})
	}
}

// Without it, and for the other engine, things are as they were; members that a
// refresh has left in the pool are replaced by another one, or ended.
func TestWarm_refresh(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{false, true} {
		s, q := refreshed(t, rolltest.Shape{Group: fmt.Sprintf(pool, "reuse_on_scale_in = true")})
		s.World.Advance(5 * time.Minute)
		q.Spec.TerminateWarm = ends
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		if n := rolltest.On(s.Group(), 2); n != 4 {
			t.Errorf("%d on version 2, want 4\n%s", n, s.Story())
		}
		poolRuns(t, s, 2)
	}
}

// A stale member in the pool alone is a reason to roll: a scale-out would draw it.
func TestWarm_onlyPool(t *testing.T) {
	t.Parallel()
	for _, engine := range []rollout.Engine{rollout.EngineManaged, rollout.EngineRefresh} {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Group: "launched_from = 2"})
		q := rolltest.Request(100, 150)
		q.Spec.TerminateWarm, q.Spec.Engine = true, engine
		if engine == rollout.EngineRefresh {
			q.Spec.LoadBalancer = false
		}
		_, err := s.AutoScaling().PutWarmPool(t.Context(), &autoscaling.PutWarmPoolInput{
			AutoScalingGroupName: aws.String("web"), MinSize: aws.Int32(2), MaxGroupPreparedCapacity: aws.Int32(6),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.World.Advance(5 * time.Minute) // the group points at version 1 yet
		do(t, s, awssim.Action{Do: "set_pointer", Version: "2"})
		a, err := s.Roller.Assess(t.Context(), q)
		if err != nil || a.Converged || a.Stale != 0 {
			t.Errorf("%s: converged %t, %d stale, %v; want a roll of nobody", engine, a.Converged, a.Stale, err)
		}
		s.Referee(q)
		s.Lenient()
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("%s: roll: %v\n%s", engine, err, s.Story())
		}
		poolRuns(t, s, 2)
		if a, err := s.Roller.Assess(t.Context(), q); err != nil || !a.Converged {
			t.Errorf("%s: converged %t, %v after it\n%s", engine, a.Converged, err, s.Story())
		}
	}
}

// A broken image is rolled back, and the pool with it.
func TestWarm_brokenImage(t *testing.T) {
	t.Parallel()
	s, q := warmed(t, rolltest.Shape{Members: 4, Group: fmt.Sprintf(pool, ""), Image: `dies_after = "3m"`}, 100, 150)
	q.Spec.FinalBake = 10 * time.Minute
	s.Referee(q)
	s.Excuse()
	_, err := s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	wentBack(t, s, 4)
	poolRuns(t, s, 1, 3)
}

// TestWarm_killed kills the owner before and after each of its calls.
func TestWarm_killed(t *testing.T) {
	t.Parallel()
	for n := 0; ; n++ {
		// AWS would balance zones once a dead owner has resumed that.
		s, q := warmed(t, rolltest.Shape{Members: 3, Group: "suspended = [\"AZRebalance\"]\n" + fmt.Sprintf(pool, "")}, 100, 150)
		if !s.Crash(t.Context(), q, n/2, n%2 == 1) {
			t.Logf("%d points of crash", n)
			return
		}
		s.Roller = s.NewRoller("second", 2)
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("killed at call %d, resume: %v\n%s", n/2, err, s.Story())
		}
		s.Settled(2)
		if poolRuns(t, s, 2); t.Failed() {
			t.Fatalf("killed at call %d, after it: %t", n/2, n%2 == 1)
		}
	}
}

// A role that may not end instances learns what is missing, and what is left.
func TestWarm_denied(t *testing.T) {
	t.Parallel()
	s, q := warmed(t, rolltest.Shape{Members: 4, Group: fmt.Sprintf(pool, "")}, 100, 150)
	inject(t, s, awssim.Fault{Calls: "ec2:TerminateInstances", Kind: awssim.Deny})
	_, err := s.Roll(t.Context(), q)
	e := ended(t, s, err, rollout.FailedRoll)
	if g := s.Group(); !strings.Contains(e.Happened, "ec2:TerminateInstances") || g.Desired != 4 || rolltest.On(g, 1) != 4 || len(g.Suspended) > 0 {
		t.Errorf("%v; the group is %+v\n%s", e, g, s.Story())
	}
}

// TestChaos_warm is TestChaos in groups with a warm pool, of which members are
// ended.
func TestChaos_warm(t *testing.T) {
	t.Parallel()
	chaotic(t, 18, func(t *testing.T, r *rand.Rand) {
		shape := odd{group: fmt.Sprintf(pool, pick(r, "", `pool_state = "Running"`, "reuse_on_scale_in = true"))}
		s, q, _ := chaosWith(t, r, shape, func(s *rolltest.Stage, q *roller.Request) {
			q.Spec.TerminateWarm = true
			s.Referee(*q)
			s.World.Advance(5 * time.Minute)
		})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.Settled(2)
		poolRuns(t, s, 2)
	})
}
