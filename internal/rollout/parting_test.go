package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestDecide_safePointUnknown: AWS has ended old members of a roll at 4 + 2 for
// somebody's scale-in, and new ones hold the floor of 4 before they have graduated.
// Who stops then ends those of them first that are not healthy, and none below the
// floor because the look does not tell.
func TestDecide_safePointUnknown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		well     int // new members that are healthy
		starting int // new members in service that were not at the last look
		known    bool
		ends     int
		least    int // of the new ones that were healthy, which stay
	}{
		{"two of four are not healthy yet", 2, 2, true, 2, 2},
		{"two of four were not when a look told", 2, 2, false, 2, 2},
		{"all were", 4, 0, false, 2, 2},
		{"one that AWS owes is not there", 3, 0, false, 1, 2},
		{"there are fewer than the floor", 1, 2, false, 0, 1},
	} {
		s := group(4)
		rec := rolling(&s)
		rec.Surge, s.Group.Desired = 2, 6
		s.Members = s.Members[:2]
		mem := rollout.Memory{FirstSeen: map[string]time.Time{}, Ours: map[string]bool{}, Progress: began}
		var well []string
		for i := range c.well + c.starting {
			m := healthy(4+i, target)
			if i < c.well {
				well = append(well, m.ID)
			} else {
				m.Targets[0].State = "initial"
			}
			mem.FirstSeen[m.ID], mem.Ours[m.ID] = began, true
			s.Members = append(s.Members, m)
		}
		d := decide(spec(100, 150), s, rec, mem)
		s = later(s, 10*time.Second)
		s.TargetsSeen = c.known
		d = rollout.Decide(rollout.Input{Spec: spec(100, 150), Snapshot: s, Record: d.Record, Memory: d.Memory, Stop: "the run was interrupted"})
		ends, least := 0, len(well)
		for _, step := range d.Steps {
			if step.Kind != rollout.End {
				continue
			}
			if ends++; slices.Contains(well, step.Member) {
				least--
			}
		}
		if ends != c.ends || least != c.least {
			t.Errorf("%s: %d ended, %d of %v stay, want %d and %d", c.name, ends, least, well, c.ends, c.least)
		}
	}
}
