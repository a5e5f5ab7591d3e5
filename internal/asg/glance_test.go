package asg_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestObserve_glance: a glance costs one call a target group. The first one, and
// one that does not work, are looks.
func TestObserve_glance(t *testing.T) {
	t.Parallel()
	w, c := observer(t, strings.Replace(surroundings, "120", "12", 1))
	for n, step := range []struct {
		name    string
		denied  bool
		glanced bool
		groups  int // describes of the group
	}{
		{"the first", false, false, 1},
		{"the second", false, true, 0},
		{"one that fails", true, false, 1},
		{"the next", false, true, 0},
	} {
		w.ResetCalls()
		if step.denied {
			if _, err := w.Inject(awssim.Fault{Calls: "elasticloadbalancing:DescribeTargetHealth", Kind: awssim.Deny, Times: 1}); err != nil {
				t.Fatal(err)
			}
		}
		s, err := c.Observe(t.Context(), "web", rollout.Look{Targets: true, Glance: true})
		if err != nil {
			t.Fatal(err)
		}
		calls := w.Calls()
		if s.Glanced != step.glanced || calls["autoscaling:DescribeAutoScalingGroups"] != step.groups || n == 1 && len(calls) != 1 {
			t.Errorf("%s: glanced %t with %v, want %t with %d describes of the group", step.name, s.Glanced, calls, step.glanced, step.groups)
		}
		if len(s.Members) != 12 || len(s.Group.TargetGroups) != 1 || s.Members[7].Targets[0] != (rollout.Target{Group: "web", State: "healthy"}) {
			t.Errorf("%s: %d members of %v, the eighth is %+v; want 12 that are healthy in web", step.name, len(s.Members), s.Group.TargetGroups, s.Members[7])
		}
	}
}

// TestShared_answers: what else the looks of one plan read of a group is read
// once, and anew after half a minute; a roll reads it each time.
func TestShared_answers(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{true, false} {
		w, c := fleet(t, 1, asg.Options{Shared: shared})
		look := func(want int) {
			t.Helper()
			if _, err := c.Observe(t.Context(), "web-000", rollout.Look{Activities: true, Refreshes: true}); err != nil {
				t.Fatal(err)
			}
			for _, call := range []string{"autoscaling:DescribeScalingActivities", "autoscaling:DescribeInstanceRefreshes"} {
				if got := w.Calls()[call]; got != want {
					t.Errorf("shared %t: %d calls of %s, want %d", shared, got, call, want)
				}
			}
		}
		look(1)
		w.Advance(20 * time.Second)
		look(map[bool]int{true: 1, false: 2}[shared])
		w.Advance(20 * time.Second)
		look(map[bool]int{true: 2, false: 3}[shared])
	}
}
