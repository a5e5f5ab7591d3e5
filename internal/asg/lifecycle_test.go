package asg_test

import (
	"strings"
	"testing"

	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestLifecycle maps every state that AWS has, so that a new one is noticed.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	want := map[string]rollout.Lifecycle{
		"InService": rollout.InService,
		"Pending":   rollout.Pending, "Pending:Wait": rollout.Pending, "Pending:Proceed": rollout.Pending,
		"ReplacingRootVolume": rollout.Pending, "ReplacingRootVolume:Wait": rollout.Pending, "ReplacingRootVolume:Proceed": rollout.Pending,
		"RootVolumeReplaced": rollout.Pending,
		"Terminating":        rollout.Terminating, "Terminating:Wait": rollout.Terminating, "Terminating:Proceed": rollout.Terminating,
		"Terminated": rollout.Terminating, "Detaching": rollout.Terminating, "Detached": rollout.Terminating,
		"Terminating:Retained": rollout.Retained,
		"EnteringStandby":      rollout.Standby, "Standby": rollout.Standby,
		"Quarantined": rollout.Other,
	}
	for _, s := range astypes.LifecycleState("").Values() {
		w, known := want[string(s)]
		if strings.HasPrefix(string(s), "Warmed:") {
			w, known = rollout.Other, true
		}
		if got := asg.LifecycleOf(s); !known || got != w {
			t.Errorf("%s is %v, want %v (known: %t)", s, got, w, known)
		}
	}
}
