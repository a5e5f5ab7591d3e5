package roller_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestForecast compares forecasts with the truth: in random worlds without
// faults, nine rolls in ten take what the plan said, give or take 15 %. Each
// group is rolled for the second time, as one that is patched every month is.
func TestForecast(t *testing.T) {
	t.Parallel()
	const worlds = 60
	off := 0
	for seed := range worlds {
		said, took, what := foretold(t, seed)
		if share := math.Abs(float64(said-took)) / float64(took); share > 0.15 {
			off++
			t.Logf("%s: the forecast said %s and it took %s", what, said, took)
		}
	}
	if off > worlds/10 {
		t.Errorf("%d of %d forecasts are more than 15 %% off, want one in ten at most", off, worlds)
	}
}

// foretold rolls a random world's group twice and gives the forecast and the
// truth of the second roll.
func foretold(t *testing.T, seed int) (said, took time.Duration, what string) {
	t.Helper()
	r := seeded(seed, 20)
	latencies := fmt.Sprintf("latencies {\n  launch = \"%ds\"\n  healthy = \"%ds\"\n  terminate = \"%ds\"\n}", 15+r.IntN(120), 5+r.IntN(90), 10+r.IntN(90))
	shape := rolltest.Shape{Members: 1 + r.IntN(30), Extra: latencies, Drain: fmt.Sprintf("%ds", r.IntN(120)), NoTargets: r.IntN(4) == 0}
	p := pick(r, [2]int{100, 110}, [2]int{100, 150}, [2]int{100, 200}, [2]int{90, 100}, [2]int{50, 100}, [2]int{75, 125})
	q := rolltest.Request(p[0], p[1])
	q.Spec.MinHealthyTime = time.Duration(r.IntN(90)) * time.Second
	if r.IntN(3) == 0 {
		q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 1 + r.IntN(60), Bake: time.Duration(r.IntN(4)) * time.Minute}}
	}
	q.Spec.FinalBake = time.Duration(r.IntN(3)) * time.Minute
	s := rolltest.New(t, shape)
	s.Silence()
	if _, err := s.Roller.Roll(t.Context(), q); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	s.World.Advance(24 * time.Hour)
	s.Roller = s.NewRoller("second", 2)
	q.Version = "1"
	a, err := s.Roller.Assess(t.Context(), q)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	report, err := s.Roller.Roll(t.Context(), q)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if report.Foreseen != a.Forecast.Duration {
		t.Errorf("seed %d: the plan said %s and the roll's start %s", seed, a.Forecast.Duration, report.Foreseen)
	}
	return a.Forecast.Duration, report.Duration, fmt.Sprintf("seed %d, %+v at %v", seed, shape, p)
}

// TestForecast_drain forecasts first rolls of groups whose members take minutes to
// go, because their target group has a deregistration delay. No scaling activity
// tells of that yet; launches take as long as they usually do.
func TestForecast_drain(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]int{{50, 100}, {100, 110}, {100, 150}} {
		s := rolltest.New(t, rolltest.Shape{Members: 12, Drain: "5m", Extra: "latencies {\n  launch = \"60s\"\n  healthy = \"30s\"\n  terminate = \"30s\"\n}"})
		q := rolltest.Request(p[0], p[1])
		a, err := s.Roller.Assess(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.Roller.Roll(t.Context(), q)
		if err != nil {
			t.Fatalf("%v: %v\n%s", p, err, s.Story())
		}
		if share := math.Abs(float64(a.Forecast.Duration-report.Duration)) / float64(report.Duration); share > 0.15 {
			t.Errorf("%v: the forecast said %s and it took %s", p, a.Forecast.Duration, report.Duration)
		}
	}
}
