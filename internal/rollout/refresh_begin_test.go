package rollout_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestPreferences(t *testing.T) {
	t.Parallel()
	sp := byRefresh()
	sp.MinHealthyTime, sp.FinalBake = 1500*time.Millisecond, 5*time.Minute
	sp.Checkpoints = []rollout.Checkpoint{{Percentage: 20, Bake: 2 * time.Minute}, {Percentage: 50, Bake: 2 * time.Minute}}
	sp.Alarms, sp.Protected, sp.Standby = []string{"5xx"}, rollout.Ignore, rollout.Terminate
	s := group(4)
	got := rollout.Preferences(sp, s, target)
	want := rollout.RefreshPreferences{
		MinHealthy: 100, MaxHealthy: 150, Warmup: 2 * time.Second, Checkpoints: []int{20, 50, 100}, Delay: 2 * time.Minute, Bake: 5 * time.Minute,
		Protected: rollout.Ignore, Standby: rollout.Terminate, Alarms: []string{"5xx"}, SkipMatching: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("preferences of %+v:\n got  %+v\n want %+v", sp, got, want)
	}
	s.Group.Warmup, s.SlowStart = 90*time.Second, 2*time.Minute
	if got := rollout.Preferences(sp, s, target).Warmup; got != 2*time.Minute {
		t.Errorf("warmup beside a default of 90s and a slow start of 2m = %s, want 2m", got)
	}
	if got := rollout.Preferences(spec(100, 150), group(4), target); len(got.Checkpoints) > 0 || got.Delay != 0 {
		t.Errorf("without checkpoints: %v, delay %s, want neither", got.Checkpoints, got.Delay)
	}
}

// Skip matching compares numbers: it is on only where that spares nobody who is
// stale.
func TestPreferences_skipMatching(t *testing.T) {
	t.Parallel()
	moved := target
	moved.Image = "ami-9"
	copied := old
	copied.Number, copied.Data, copied.Image = 7, target.Data, target.Image
	for name, c := range map[string]struct {
		member rollout.Version
		match  rollout.Match
		want   bool
		note   string
	}{
		"current":                   {target, rollout.MatchData, true, ""},
		"another number":            {copied, rollout.MatchData, true, "1 members that need no replacement"},
		"same number, other image":  {moved, rollout.MatchData, false, ""},
		"by image":                  {moved, rollout.MatchImage, false, ""},
		"by image, another version": {copied, rollout.MatchImage, true, "1 members that need no replacement"},
	} {
		sp, s := byRefresh(), group(4)
		sp.Match = c.match
		s.Group.HealthCheck = "ELB"
		s.Members[0].Version = c.member
		if got := rollout.Preferences(sp, s, target).SkipMatching; got != c.want {
			t.Errorf("%s: skip matching = %t, want %t", name, got, c.want)
		}
		a := rollout.Assess(sp, s, target)
		a.Limits, _ = sp.Limits(4, 8)
		_, warnings := rollout.Preflight(sp, s, rollout.Facts{}, a)
		if got := strings.Join(warnings, "; "); strings.Contains(got, "need no replacement") != (c.note != "") || !strings.Contains(got, c.note) {
			t.Errorf("%s: warnings %q, want %q", name, got, c.note)
		}
	}
}

func TestValidate_instanceRefresh(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*rollout.Spec)
		want   string
	}{
		{"nothing", func(*rollout.Spec) {}, ""},
		{"equal bakes", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{10, time.Hour}, {20, time.Hour}} }, ""},
		{"other bakes", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{10, time.Hour}, {20, time.Minute}} }, "checkpoints[1].bake is 1m, and checkpoints[0].bake is 1h"},
		{"a long checkpoint", func(s *rollout.Spec) { s.Checkpoints = []rollout.Checkpoint{{10, 49 * time.Hour}} }, "checkpoints[0].bake is 49h"},
		{"a long bake", func(s *rollout.Spec) { s.FinalBake = 49 * time.Hour }, "final_bake is 49h"},
		{"running", func(s *rollout.Spec) { s.MaxRunning = 200 }, "max_running_percentage is 200"},
		{"failures", func(s *rollout.Spec) { s.FailureLimit = 3 }, "failure_limit is 3"},
		{"adopting by Refit", func(s *rollout.Spec) { s.Engine, s.AdoptRefresh = rollout.EngineManaged, true }, "adopt_instance_refresh is true"},
		{"no engine", func(s *rollout.Spec) { s.Engine = "steam" }, `engine is "steam"`},
	} {
		s := byRefresh()
		c.change(&s)
		if got := texts(s.Validate()); (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if s.Engine == rollout.EngineRefresh && !s.AdoptRefresh {
			s.Engine = rollout.EngineManaged
			if got := texts(s.Validate()); got != "" {
				t.Errorf("%s on the other engine: %q, want nothing", c.name, got)
			}
		}
	}
}

func TestAssess_engineProblems(t *testing.T) {
	t.Parallel()
	theirs := []rollout.InstanceRefresh{{ID: "r-9", Status: rollout.RefreshInProgress, Started: began, TemplateID: "lt-1", Version: "2"}}
	for _, c := range []struct {
		name   string
		engine rollout.Engine
		change func(*rollout.Spec, *rollout.Snapshot)
		want   string
	}{
		{"nothing", rollout.EngineRefresh, func(*rollout.Spec, *rollout.Snapshot) {}, ""},
		{"EC2 health", rollout.EngineRefresh, func(_ *rollout.Spec, s *rollout.Snapshot) { s.Group.HealthCheck = "EC2" }, "health.load_balancer is true"},
		{"EC2 health, not asked", rollout.EngineRefresh, func(sp *rollout.Spec, s *rollout.Snapshot) { s.Group.HealthCheck, sp.LoadBalancer = "EC2", false }, ""},
		{"EC2 health, managed", rollout.EngineManaged, func(_ *rollout.Spec, s *rollout.Snapshot) { s.Group.HealthCheck = "EC2" }, ""},
		{"suspended", rollout.EngineRefresh, func(_ *rollout.Spec, s *rollout.Snapshot) { s.Group.Suspended["InstanceRefresh"] = "x" }, " the process InstanceRefresh"},
		{"suspended, managed", rollout.EngineManaged, func(_ *rollout.Spec, s *rollout.Snapshot) { s.Group.Suspended["InstanceRefresh"] = "x" }, ""},
		{"warm pool", rollout.EngineRefresh, func(_ *rollout.Spec, s *rollout.Snapshot) { s.Group.WarmPool = true }, ""},
		{"warm pool, managed", rollout.EngineManaged, func(_ *rollout.Spec, s *rollout.Snapshot) { s.Group.WarmPool = true }, "engine is \"managed\""},
		{"warm pool, managed, to be ended", rollout.EngineManaged, func(sp *rollout.Spec, s *rollout.Snapshot) { s.Group.WarmPool, sp.TerminateWarm = true, true }, ""},
		{"theirs", rollout.EngineRefresh, func(_ *rollout.Spec, s *rollout.Snapshot) { s.Refreshes = theirs }, " an instance refresh of the group is running that this roll has not started (r-9, InProgress since 2026-03-01T09:00:00Z"},
		{"theirs, adopted", rollout.EngineRefresh, func(sp *rollout.Spec, s *rollout.Snapshot) { s.Refreshes, sp.AdoptRefresh = theirs, true }, ""},
		{"theirs, elsewhere", rollout.EngineRefresh, func(sp *rollout.Spec, s *rollout.Snapshot) {
			sp.AdoptRefresh = true
			s.Refreshes = []rollout.InstanceRefresh{{ID: "r-9", Status: rollout.RefreshInProgress, TemplateID: "lt-1", Version: "1"}}
		}, " an instance refresh of the group is running"},
		{"theirs, over", rollout.EngineRefresh, func(_ *rollout.Spec, s *rollout.Snapshot) {
			s.Refreshes = []rollout.InstanceRefresh{{ID: "r-9", Status: rollout.RefreshFailed}}
		}, ""},
	} {
		sp, s := byRefresh(), group(4)
		sp.Engine, s.Group.HealthCheck = c.engine, "ELB"
		c.change(&sp, &s)
		if got := texts(rollout.Assess(sp, s, target).Problems); (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAdvise(t *testing.T) {
	t.Parallel()
	probe := rollout.DefaultProbe("http://{private_ip}/")
	scaled := func(s *rollout.Snapshot) {
		for i := range 3 {
			s.Changes = append(s.Changes, rollout.Change{At: s.At.Add(-time.Duration(i) * 10 * time.Minute), From: 4, To: 5})
		}
	}
	policies := rollout.Facts{Policies: []string{"cpu"}}
	for _, c := range []struct {
		name   string
		engine rollout.Engine
		high   int
		facts  rollout.Facts
		change func(*rollout.Spec, *rollout.Snapshot)
		want   rollout.Engine // empty: the choice does not matter
	}{
		{name: "quiet", engine: rollout.EngineManaged, high: 150, facts: policies},
		{name: "busy", engine: rollout.EngineManaged, high: 150, facts: policies, change: func(_ *rollout.Spec, s *rollout.Snapshot) { scaled(s) }, want: rollout.EngineRefresh},
		{name: "busy, ending first", engine: rollout.EngineManaged, high: 100, facts: policies, change: func(_ *rollout.Spec, s *rollout.Snapshot) { scaled(s) }},
		{name: "busy by hand", engine: rollout.EngineManaged, high: 150, change: func(_ *rollout.Spec, s *rollout.Snapshot) { scaled(s) }},
		{name: "busy already there", engine: rollout.EngineRefresh, high: 150, facts: policies, change: func(_ *rollout.Spec, s *rollout.Snapshot) { scaled(s) }},
		{name: "rebalance", engine: rollout.EngineManaged, high: 150, facts: rollout.Facts{Rebalance: true}, want: rollout.EngineRefresh},
		{name: "warm pool", engine: rollout.EngineManaged, high: 100, change: func(_ *rollout.Spec, s *rollout.Snapshot) { s.Group.WarmPool = true }, want: rollout.EngineRefresh},
		{name: "warm pool, ended", engine: rollout.EngineManaged, high: 100, change: func(sp *rollout.Spec, s *rollout.Snapshot) { s.Group.WarmPool, sp.TerminateWarm = true, true }},
		{name: "probe", engine: rollout.EngineRefresh, high: 150, change: func(sp *rollout.Spec, _ *rollout.Snapshot) { sp.Probe = &probe }, want: rollout.EngineManaged},
		{name: "checks", engine: rollout.EngineRefresh, high: 150, change: func(sp *rollout.Spec, _ *rollout.Snapshot) { sp.Checks = make([]rollout.Check, 1) }, want: rollout.EngineManaged},
		{name: "probe, warm pool", engine: rollout.EngineRefresh, high: 150, change: func(sp *rollout.Spec, s *rollout.Snapshot) { sp.Probe, s.Group.WarmPool = &probe, true }},
		{name: "different weights", engine: rollout.EngineManaged, high: 150, change: func(_ *rollout.Spec, s *rollout.Snapshot) {
			s.Group.Weights, s.Group.Desired = map[string]int{"a": 4, "b": 1}, 10
		}, want: rollout.EngineRefresh},
		{name: "different weights, in whole members", engine: rollout.EngineManaged, high: 150, change: func(_ *rollout.Spec, s *rollout.Snapshot) {
			s.Group.Weights, s.Group.Desired = map[string]int{"a": 4, "b": 1}, 12
		}},
		{name: "the same weights", engine: rollout.EngineManaged, high: 150, change: func(_ *rollout.Spec, s *rollout.Snapshot) {
			s.Group.Weights, s.Group.Desired = map[string]int{"a": 4, "b": 4}, 10
		}},
		{name: "probe, weights for one engine only", engine: rollout.EngineRefresh, high: 150, change: func(sp *rollout.Spec, s *rollout.Snapshot) {
			sp.Probe, s.Group.Weights = &probe, map[string]int{"a": 5, "b": 2}
		}},
		{name: "probe, managed", engine: rollout.EngineManaged, high: 150, change: func(sp *rollout.Spec, _ *rollout.Snapshot) { sp.Probe = &probe }},
	} {
		sp, s := spec(50, c.high), group(4)
		sp.Engine = c.engine
		if c.change != nil {
			c.change(&sp, &s)
		}
		got, why := rollout.Advise(sp, s, c.facts)
		if want := c.want; want == "" && (got != c.engine || why != "") || want != "" && (got != want || why == "") {
			t.Errorf("%s: %q because %q, want %q", c.name, got, why, want)
		}
	}
}

// The first steps: the pointer where AWS rolls back to, then the refresh, once.
func TestDecideRefresh_begin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pointer string
		points        rollout.Version
		onFailure     rollout.OnFailure
		image         string // of the old version: deregistered
		want          string
		auto          bool
	}{
		{"numbered", "1", old, rollout.Rollback, "", "refresh", true},
		{"$Latest", "$Latest", target, rollout.Rollback, "", "point 1", false},
		{"$Default", "$Default", old, rollout.Rollback, "", "point 1", false},
		{"on the target", "2", target, rollout.Rollback, "", "point 1", false},
		{"on the target, no way back", "2", target, rollout.Pause, "", "refresh", false},
		{"$Default, no rollback", "$Default", old, rollout.LeaveAsIs, "", "point 1", false},
		{"the old image is gone", "2", target, rollout.Rollback, "is deregistered", "refresh", false},
	} {
		sp, s := byRefresh(), group(4)
		sp.OnFailure = c.onFailure
		s.Group.Pointer, s.Group.Points, s.RefreshesSeen = c.pointer, c.points, true
		if c.image != "" {
			s.Unusable = map[string]string{"ami-1": c.image}
		}
		rec := rollout.Begin(rollout.Opening{Spec: sp, Snapshot: s, Target: target, Epoch: 1})
		d := rollout.Decide(rollout.Input{Spec: sp, Snapshot: s, Record: rec})
		if got := kinds(d); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
			continue
		}
		if c.want == "refresh" {
			call := d.Steps[0].Refresh
			if call.Op != rollout.StartRefresh || call.Preferences.AutoRollback != c.auto || d.Steps[0].Version != "2" {
				t.Errorf("%s: asks %+v for version %s, want auto rollback %t to 2", c.name, call, d.Steps[0].Version, c.auto)
			}
			// Its answer is lost: nothing is asked for again until it would show.
			rec = rollout.Intend(d.Record, d.Steps)
			rec, mem, _ := rollout.Settle(rec, d.Memory, d.Steps[0], rollout.Result{Failure: &rollout.Failure{Kind: rollout.Lost}}, s.At)
			for after, want := range map[time.Duration]string{10 * time.Second: "", 59 * time.Second: "", 61 * time.Second: "refresh"} {
				if again := rollout.Decide(rollout.Input{Spec: sp, Snapshot: later(s, after), Record: rec, Memory: mem}); kinds(again) != want {
					t.Errorf("%s: %s after the lost answer: %q, want %q", c.name, after, kinds(again), want)
				}
			}
		}
	}
}

// A roll that had paused goes on with a refresh that runs, and with a new one where
// the old one is over: what that had left, it would leave for good.
func TestBegin_pausedRefresh(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status rollout.RefreshStatus
		was    rollout.Outcome
		kept   bool
		want   string
	}{
		{rollout.RefreshInProgress, rollout.Paused, true, ""},
		{rollout.RefreshSuccessful, rollout.Paused, false, "point 1"},
		{rollout.RefreshSuccessful, "", true, ""}, // its owner died: how it ended is still to be judged
	} {
		s, in := awaited(group(2), c.status)
		in.Refresh.Status, in.Outcome = c.status, c.was
		s.Group.Pointer, s.Group.Points = "2", target
		rec := rollout.Begin(rollout.Opening{Spec: byRefresh(), Snapshot: s, Target: target, Inherited: &in, Epoch: 2})
		d := rollout.Decide(rollout.Input{Spec: byRefresh(), Snapshot: s, Record: rec})
		if (rec.Refresh != nil) != c.kept || kinds(d) != c.want {
			t.Errorf("%s after %q: kept %t, steps %q, want %t and %q", c.status, c.was, rec.Refresh != nil, kinds(d), c.kept, c.want)
		}
	}
}
