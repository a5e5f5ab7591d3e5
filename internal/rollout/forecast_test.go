package rollout_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestPredict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                     string
		low, high, members       int
		batches, lowest, highest int
		least, most              time.Duration
	}{
		// 45 s to launch, 30 s to be healthy, 30 s to graduate: 105 s a batch,
		// and 70 s to be gone.
		{"one launches first", 100, 110, 1, 1, 1, 2, 105 * time.Second, 3 * time.Minute},
		{"one ends first", 90, 100, 1, 1, 0, 1, 105 * time.Second, 3 * time.Minute},
		{"four, one slot", 100, 110, 4, 4, 4, 5, 4 * 105 * time.Second, 8 * time.Minute},
		{"four by half", 100, 150, 4, 2, 4, 6, 2 * 105 * time.Second, 6 * time.Minute},
		{"four doubled", 100, 200, 4, 1, 4, 8, 105 * time.Second, 3 * time.Minute},
		{"four end first", 75, 100, 4, 4, 3, 4, 4 * 105 * time.Second, 9 * time.Minute},
		{"twenty both", 90, 110, 20, 0, 18, 22, 5 * 105 * time.Second, 20 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := rollout.Predict(spec(c.low, c.high), group(c.members), target)
			if c.batches > 0 && got.Batches != c.batches || got.Lowest != c.lowest || got.Highest != c.highest ||
				got.Duration < c.least || got.Duration > c.most {
				t.Errorf("Predict(%d of %d/%d) = %+v, want %d batches between %d and %d in %s to %s",
					c.members, c.low, c.high, got, c.batches, c.lowest, c.highest, c.least, c.most)
			}
		})
	}
}

// TestPredict_mixed: where LaunchInstances cannot be used, the forecast is the same.
func TestPredict_mixed(t *testing.T) {
	t.Parallel()
	mixed := group(4)
	mixed.Group.Mixes = true
	got, want := rollout.Predict(spec(100, 150), mixed, target), rollout.Predict(spec(100, 150), group(4), target)
	if got.Batches != want.Batches || got.Lowest != want.Lowest || got.Highest != want.Highest || got.Duration > want.Duration+time.Minute {
		t.Errorf("Predict of a mixed group = %+v, want about %+v", got, want)
	}
}

func TestPredict_bakes(t *testing.T) {
	t.Parallel()
	plain := rollout.Predict(spec(100, 150), group(10), target)
	s := spec(100, 150)
	s.Checkpoints, s.FinalBake = []rollout.Checkpoint{{Percentage: 20, Bake: 10 * time.Minute}}, 20*time.Minute
	got := rollout.Predict(s, group(10), target)
	if more := got.Duration - plain.Duration; more < 29*time.Minute || more > 33*time.Minute {
		t.Errorf("bakes of 30 m make the roll %s longer (%s, %s without)", more, got.Duration, plain.Duration)
	}
}

func TestPredict_basis(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		known rollout.Typical
		want  string
	}{
		{rollout.Typical{Launch: 1, Healthy: 1, Terminate: 1}, "this group's recent scaling activities and its last roll"},
		{rollout.Typical{Launch: 1, Terminate: 1}, "this group's recent scaling activities; the time to healthy is a stated default"},
		{rollout.Typical{Healthy: 1}, "this group's last roll; launch and termination are stated defaults"},
		{rollout.Typical{}, "stated defaults"},
	} {
		s := group(4)
		s.Typical = c.known
		if got := rollout.Predict(spec(100, 150), s, target).Basis; got != c.want {
			t.Errorf("basis with %+v = %q, want %q", c.known, got, c.want)
		}
	}
}

func TestPredict_badSpec(t *testing.T) {
	t.Parallel()
	if got := rollout.Predict(rollout.Spec{}, group(4), target); got != (rollout.Forecast{}) {
		t.Errorf("Predict with a bad spec = %+v, want nothing", got)
	}
}

// TestPredict_keepsLimits: every roll in the model comes to its end within its
// limits, whatever the spec and the group's spread.
func TestPredict_keepsLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, n := anySpec(t), rapid.IntRange(1, 40).Draw(t, "members")
		g := group(n)
		for i := range g.Members {
			g.Members[i].Zone = rapid.SampledFrom([]string{"a", "b", "c", "left"}).Draw(t, "zone")
			if rapid.IntRange(0, 4).Draw(t, "current") == 0 {
				g.Members[i].Version = target
			}
			g.Members[i].Protected = rapid.IntRange(0, 3).Draw(t, "protected") == 0
		}
		g.Group.Max = rapid.IntRange(n, 2*n).Draw(t, "max")
		g.Group.Pointer, g.Group.Points = "1", old
		l, problem := s.Limits(n, g.Group.Max)
		if problem != nil {
			return
		}
		got := rollout.Predict(s, g, target)
		if got.Duration == 0 && got.Highest == 0 {
			t.Fatalf("Predict(%+v, %d members) = %+v, want an end", s, n, got)
		}
		if got.Lowest < l.Floor || got.Highest > l.Ceiling {
			t.Errorf("Predict(%+v, %d members) = %+v, want it within %+v", s, n, got, l)
		}
	})
}
