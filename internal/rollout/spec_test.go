package rollout_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestSpec_Validate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		input func(*rollout.Spec)
		field string // empty: usable
		cure  string // part of the text
	}{
		{"defaults", func(*rollout.Spec) {}, "", ""},
		{"launch first, double", func(s *rollout.Spec) { s.MaxHealthy = 200 }, "", ""},
		{"end first, all at once", func(s *rollout.Spec) { s.MinHealthy, s.MaxHealthy = 0, 100 }, "", ""},
		{"running as max", func(s *rollout.Spec) { s.MaxRunning = 110 }, "", ""},
		{"rising checkpoints", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{Percentage: 1}, {Percentage: 99}} }, "", ""},
		{"min below 0", func(s *rollout.Spec) { s.MinHealthy = -1 }, "min_healthy_percentage", "from 0 to 100"},
		{"min above 100", func(s *rollout.Spec) { s.MinHealthy = 101 }, "min_healthy_percentage", "from 0 to 100"},
		{"max below 100", func(s *rollout.Spec) { s.MaxHealthy = 99 }, "max_healthy_percentage", "from 100 to 200"},
		{"max above 200", func(s *rollout.Spec) { s.MaxHealthy = 201 }, "max_healthy_percentage", "from 100 to 200"},
		{"no room", func(s *rollout.Spec) { s.MaxHealthy = 100 }, "max_healthy_percentage", "110 launches first"},
		{"too far apart", func(s *rollout.Spec) { s.MinHealthy, s.MaxHealthy = 50, 151 }, "max_healthy_percentage", "use at most 150"},
		{"running below max", func(s *rollout.Spec) { s.MaxRunning = 109 }, "max_running_percentage", "leave it out for 135"},
		{"checkpoint of 0", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{}} }, "checkpoints[0].percentage", "from 1 to 99"},
		{"checkpoint of 100", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{Percentage: 100}} }, "checkpoints[0].percentage", "final_bake covers 100"},
		{
			"falling checkpoints", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{Percentage: 20}, {Percentage: 20}} },
			"checkpoints[1].percentage", "rising order",
		},
		{
			"negative bake", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{Percentage: 20, Bake: -1}} },
			"checkpoints[0].bake", "zero or more",
		},
		{"negative final bake", func(s *rollout.Spec) { s.FinalBake = -time.Second }, "final_bake", "zero or more"},
		{"negative healthy time", func(s *rollout.Spec) { s.MinHealthyTime = -time.Second }, "health.min_healthy_time", "zero or more"},
		{"no timeout", func(s *rollout.Spec) { s.InstanceTimeout = 0 }, "instance_timeout", "positive duration"},
		{"timeout too short", func(s *rollout.Spec) { s.InstanceTimeout = s.MinHealthyTime }, "instance_timeout", "no member can meet"},
		{"no poll", func(s *rollout.Spec) { s.Poll = 0 }, "poll_interval", "positive duration"},
		{"unknown failure rule", func(s *rollout.Spec) { s.OnFailure = "explode" }, "on_failure", `"rollback", "pause" or "leave"`},
		{"unknown match", func(s *rollout.Spec) { s.Match = "name" }, "match", `"data" or "image"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rollout.Defaults()
			c.input(&s)
			got := s.Validate()
			if c.field == "" {
				if len(got) > 0 {
					t.Errorf("Validate(%+v) = %v, want nothing", s, got)
				}
				return
			}
			if len(got) != 1 || got[0].Field != c.field || !strings.Contains(got[0].Text, c.cure) {
				t.Errorf("Validate(%+v) = %v, want one problem of %s with %q", s, got, c.field, c.cure)
			}
		})
	}
}

func TestSpec_Validate_namesEveryProblem(t *testing.T) {
	t.Parallel()
	got := rollout.Spec{MinHealthy: -1, MaxHealthy: 1, MaxRunning: -5, FinalBake: -1, OnFailure: "x", Match: "y", Protected: "terminate", Standby: "refresh"}.Validate()
	if len(got) != 11 {
		t.Errorf("%d problems, want 11: %v", len(got), got)
	}
}

func TestSpec_Limits(t *testing.T) {
	t.Parallel()
	type want struct {
		floor, ceiling, running, slots int
		first, tight                   bool
		cure                           string // of the problem, empty: none
	}
	for _, c := range []struct {
		name                string
		low, high, base, mx int
		want                want
	}{
		{"nobody", 100, 110, 0, 0, want{0, 0, 1, 0, false, false, ""}},
		{"one, launch first", 100, 110, 1, 2, want{1, 2, 3, 1, true, true, ""}},
		{"one, end first", 90, 100, 1, 1, want{0, 1, 2, 1, false, true, ""}},
		{"one, no headroom", 100, 110, 1, 1, want{1, 1, 2, 0, false, true, "raise max_size of the group to at least 2"}},
		{"four, 10 % up rounds down to none", 100, 110, 4, 8, want{4, 5, 6, 1, true, true, ""}},
		{"four, 10 % down rounds up to none", 90, 100, 4, 8, want{3, 4, 5, 1, false, true, ""}},
		{"four by half", 100, 150, 4, 8, want{4, 6, 7, 2, true, false, ""}},
		{"four doubled", 100, 200, 4, 8, want{4, 8, 9, 4, true, false, ""}},
		{"four, max size between", 100, 200, 4, 5, want{4, 5, 9, 1, true, false, ""}},
		{"four, max size is desired: ends first", 75, 125, 4, 4, want{3, 4, 6, 1, false, false, ""}},
		{"four, max size is desired", 100, 125, 4, 4, want{4, 4, 6, 0, false, false, "lower min_healthy_percentage to 75 or less"}},
		{"twenty, both", 90, 110, 20, 40, want{18, 22, 27, 2, true, false, ""}},
		{"seven, floor up, ceiling down", 90, 120, 7, 14, want{7, 8, 10, 1, true, false, ""}},
		{"all at once", 0, 100, 4, 8, want{0, 4, 5, 4, false, false, ""}},
		{"max size below what runs", 100, 110, 10, 8, want{10, 11, 13, 1, true, false, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, problem := spec(c.low, c.high).Limits(c.base, c.mx)
			cure := ""
			if problem != nil {
				cure = problem.Text
			}
			w := rollout.Limits{Floor: c.want.floor, Ceiling: c.want.ceiling, Running: c.want.running, Slots: c.want.slots, First: c.want.first, Tight: c.want.tight}
			if got != w || (cure != "") != (c.want.cure != "") || !strings.Contains(cure, c.want.cure) {
				t.Errorf("Limits(%d/%d of %d, max %d) = %+v, %q, want %+v, %q", c.low, c.high, c.base, c.mx, got, cure, w, c.want.cure)
			}
		})
	}
}

// anySpec draws specs that Validate accepts.
func anySpec(t *rapid.T) rollout.Spec {
	s := rollout.Defaults()
	s.MinHealthy = rapid.IntRange(0, 100).Draw(t, "min")
	s.MaxHealthy = rapid.IntRange(100, min(200, s.MinHealthy+100)).Draw(t, "max")
	if s.MinHealthy == 100 && s.MaxHealthy == 100 {
		s.MaxHealthy = 101
	}
	if rapid.Bool().Draw(t, "running given") {
		s.MaxRunning = rapid.IntRange(s.MaxHealthy, 300).Draw(t, "running")
	}
	last := 0
	for range rapid.IntRange(0, 3).Draw(t, "checkpoints") {
		if last < 99 {
			last = rapid.IntRange(last+1, 99).Draw(t, "percentage")
			s.Checkpoints = append(s.Checkpoints, rollout.Checkpoint{Percentage: last, Bake: time.Duration(rapid.IntRange(0, 5).Draw(t, "bake")) * time.Minute})
		}
	}
	s.RaiseMaxSize = rapid.Bool().Draw(t, "raise max size")
	s.FinalBake = time.Duration(rapid.IntRange(0, 5).Draw(t, "final bake")) * time.Minute
	s.Protected = rapid.SampledFrom([]rollout.Treatment{rollout.Refresh, rollout.Ignore, rollout.Wait}).Draw(t, "protected")
	s.Standby = rapid.SampledFrom([]rollout.Treatment{rollout.Terminate, rollout.Ignore, rollout.Wait}).Draw(t, "standby")
	return s
}

func TestSpec_Limits_hold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := anySpec(t)
		if p := s.Validate(); len(p) > 0 {
			t.Fatalf("Validate(%+v) = %v", s, p)
		}
		base := rapid.IntRange(0, 500).Draw(t, "base")
		limit := rapid.IntRange(0, 1000).Draw(t, "max size")
		l, problem := s.Limits(base, limit)
		switch {
		case l.Floor < 0 || l.Floor > base || base > l.Ceiling:
			t.Errorf("floor %d, base %d, ceiling %d are out of order", l.Floor, base, l.Ceiling)
		case l.Running <= l.Ceiling:
			t.Errorf("running %d leaves no room above the ceiling, %d", l.Running, l.Ceiling)
		case base <= limit && l.Ceiling > limit && (!s.RaiseMaxSize || l.Ceiling > max(limit*s.MaxHealthy/100, limit+1)):
			t.Errorf("ceiling %d is above max size %d", l.Ceiling, limit)
		case base > 0 && (l.Slots < 1) != (problem != nil):
			t.Errorf("%d slots, problem %v", l.Slots, problem)
		case l.First != (l.Ceiling > base):
			t.Errorf("launches first: %t, base %d, ceiling %d", l.First, base, l.Ceiling)
		case !l.Tight && base > 0 && (l.Floor*100 < base*s.MinHealthy || l.Ceiling*100 > base*s.MaxHealthy):
			t.Errorf("limits %+v of %d break %d/%d without being tight", l, base, s.MinHealthy, s.MaxHealthy)
		}
	})
}

func TestBrief(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 30 * time.Second: "30s", 2 * time.Minute: "2m", 90 * time.Second: "1m30s", time.Hour: "1h",
		90 * time.Minute: "1h30m", 48 * time.Hour: "48h", time.Hour + time.Second: "1h0m1s",
	} {
		if got := rollout.Brief(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
		if back, err := time.ParseDuration(rollout.Brief(d)); err != nil || back != d {
			t.Errorf("%s: reads back as %s, %v", rollout.Brief(d), back, err)
		}
	}
}
