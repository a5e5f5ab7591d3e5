package asg

import (
	"time"

	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// What tests of this package look at from outside.
var (
	GroupOf     = group
	LaunchKind  = launchKind
	LifecycleOf = lifecycle
	FailureOf   = failure
	DepartureOf = departure
)

// ChangesOf are the changes of desired that activities tell of, oldest first.
func ChangesOf(activities ...astypes.Activity) []rollout.Change {
	s := rollout.Snapshot{Departures: map[string]rollout.Departure{}}
	r := activityReader{s: &s, launchedAt: map[string]time.Time{}, endedAt: map[string]time.Time{}, told: map[string]int{}}
	for _, a := range activities {
		r.read(a)
	}
	return s.Changes
}
