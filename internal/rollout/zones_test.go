package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestDecide_zones: a batch of a proven image goes to few zones, so that all come
// to be even in the end; what is to prove the image goes to all.
func TestDecide_zones(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		n      int
		change func(*rollout.Spec, *rollout.Snapshot, *rollout.Record)
		want   string
	}{
		{"a batch of a proven image", 30, func(*rollout.Spec, *rollout.Snapshot, *rollout.Record) {}, "a 3"},
		{"to prove it", 30, func(_ *rollout.Spec, _ *rollout.Snapshot, r *rollout.Record) { r.Proven = false }, "a 1, b 1, c 1"},
		{"for a checkpoint", 30, func(p *rollout.Spec, _ *rollout.Snapshot, _ *rollout.Record) {
			p.Checkpoints = []rollout.Checkpoint{{Percentage: 50}}
		}, "a 1, b 1, c 1"},
		{"zones that serve for themselves", 30, func(_ *rollout.Spec, s *rollout.Snapshot, _ *rollout.Record) { s.Zonal = []string{"tg"} }, "a 1, b 1, c 1"},
		{"what a zone lacks and then the next", 30, func(_ *rollout.Spec, s *rollout.Snapshot, _ *rollout.Record) {
			for i := 0; i < 27; i += 3 { // nine of ten in a are new already
				s.Members[i].Version = target
			}
		}, "b 3"},
		{"the last ones of all", 6, func(p *rollout.Spec, _ *rollout.Snapshot, _ *rollout.Record) { p.MaxHealthy = 200 }, "a 2, b 2, c 2"},
		{"no more than AWS takes", 450, func(p *rollout.Spec, _ *rollout.Snapshot, _ *rollout.Record) { p.MaxHealthy = 150 }, "a 100, b 100, c 25"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, s := spec(100, 110), group(c.n)
			s.AttributesSeen = true
			rec := rolling(&s)
			c.change(&p, &s, &rec)
			mem := rollout.Memory{Progress: began, HealthySince: map[string]time.Time{}, Graduated: map[string]bool{}, FirstSeen: map[string]time.Time{}}
			for _, m := range s.Members {
				if m.Version == target {
					mem.HealthySince[m.ID], mem.FirstSeen[m.ID], mem.Graduated[m.ID] = began.Add(-time.Hour), began.Add(-time.Hour), true
				}
			}
			s.TargetsSeen = false // or old members would be ended as well
			var got []string
			d := rollout.Decide(rollout.Input{Spec: p, Snapshot: s, Record: rec, Memory: mem})
			for _, step := range d.Steps {
				if step.Kind == rollout.Launch {
					got = append(got, fmt.Sprintf("%s %d", step.Zone, step.Count))
				}
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("launches %q by %q, want %q", got, kinds(d), c.want)
			}
		})
	}
}
