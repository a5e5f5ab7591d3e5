package rollout_test

import (
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Only what puts back what is on record may be done without a word: everything
// else has to be known to a successor before it happens.
func TestStanding(t *testing.T) {
	t.Parallel()
	rec := rollout.Record{Pinned: 1, Target: rollout.Version{Number: 2}, Suspended: map[string]string{"AZRebalance": "", "InstanceRefresh": "x"}}
	proven, back, unpinned := rec, rec, rec
	proven.Proven, back.Direction, unpinned.Pinned = true, rollout.Back, 0
	resume := func(names ...string) rollout.Step {
		s := rollout.Step{Kind: rollout.Resume, Processes: map[string]string{}}
		for _, n := range names {
			s.Processes[n] = ""
		}
		return s
	}
	point := func(version string) rollout.Step { return rollout.Step{Kind: rollout.Point, Version: version} }
	for _, c := range []struct {
		name  string
		rec   rollout.Record
		steps []rollout.Step
		want  bool
	}{
		{"our suspensions", rec, []rollout.Step{resume("AZRebalance", "InstanceRefresh")}, true},
		{"a suspension of others", rec, []rollout.Step{resume("AZRebalance", "Launch")}, false},
		{"the pointer back", rec, []rollout.Step{point("1")}, true},
		{"both", rec, []rollout.Step{point("1"), resume("AZRebalance")}, true},
		{"the pointer on", rec, []rollout.Step{point("2")}, false},
		{"the pointer of a proven roll", proven, []rollout.Step{point("1")}, false},
		{"the pointer of a rollback", back, []rollout.Step{point("1")}, false},
		{"a pointer that was not pinned", unpinned, []rollout.Step{point("0")}, false},
		{"with an end", rec, []rollout.Step{resume("AZRebalance"), {Kind: rollout.End, Member: "i-1"}}, false},
		{"a launch", rec, []rollout.Step{{Kind: rollout.Launch, Count: 1}}, false},
		{"a suspension", rec, []rollout.Step{{Kind: rollout.Suspend, Processes: map[string]string{"AZRebalance": ""}}}, false},
	} {
		if got := rollout.Standing(c.rec, c.steps); got != c.want {
			t.Errorf("%s: Standing(%+v) is %t, want %t", c.name, c.steps, got, c.want)
		}
	}
}
