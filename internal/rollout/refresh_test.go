package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// byRefresh is a spec for an instance refresh.
func byRefresh() rollout.Spec {
	s := spec(100, 150)
	s.Engine = rollout.EngineRefresh
	return s
}

// awaited is a roll whose refresh is on record, in an observation that shows it.
func awaited(s rollout.Snapshot, status rollout.RefreshStatus) (rollout.Snapshot, rollout.Record) {
	s.Group.HealthCheck = "ELB"
	rec := rollout.Begin(rollout.Opening{Spec: byRefresh(), Snapshot: s, Target: target, Epoch: 1})
	rec.Refresh = &rollout.RefreshRecord{ID: "r-1", Version: 2, Asked: s.At.Add(-time.Minute), Returns: true, Stale: len(s.Members), Status: rollout.RefreshPending}
	s.RefreshesSeen = true
	s.Refreshes = []rollout.InstanceRefresh{{ID: "r-1", Status: status, TemplateID: "lt-1", Version: "2", Started: s.At.Add(-time.Minute)}}
	return s, rec
}

// A roll by the other engine may leave calls of which it is not known whether they
// happened. An instance refresh does not begin on them: its percentages are of
// desired, and what is ours of that goes first.
func TestDecideRefresh_unsettled(t *testing.T) {
	t.Parallel()
	launch := rollout.Intent{Kind: rollout.Launch, Count: 1, Lost: true, Since: began}
	for _, c := range []struct {
		name    string
		intent  rollout.Intent
		desired int
		after   time.Duration
		want    string
		surge   int
	}{
		{"a launch that desired shows, and no activity yet", launch, 5, 59 * time.Second, "", 0},
		{"a launch that may come to show", launch, 4, 59 * time.Second, "", 0},
		{"a launch that did not happen", launch, 4, time.Minute, "refresh", 0},
		{"a suspension that may come to show", rollout.Intent{Kind: rollout.Suspend, Names: []string{"AZRebalance"}, Lost: true, Since: began}, 4, 59 * time.Second, "", 0},
		{"an end that may come to show", rollout.Intent{Kind: rollout.End, IDs: []string{healthy(0, old).ID}, Lost: true, Since: began}, 4, 59 * time.Second, "", 0},
	} {
		s := group(4)
		s.RefreshesSeen, s.Group.HealthCheck = true, "ELB"
		rec := rollout.Begin(rollout.Opening{Spec: byRefresh(), Snapshot: s, Target: target, Epoch: 1})
		rec.Intents = []rollout.Intent{c.intent}
		s.Group.Desired = c.desired
		d := rollout.Decide(rollout.Input{Spec: byRefresh(), Snapshot: later(s, c.after), Record: rec})
		if kinds(d) != c.want || d.Record.Surge != c.surge {
			t.Errorf("%s: %q, surge %d, want %q and %d", c.name, kinds(d), d.Record.Surge, c.want, c.surge)
		}
	}
	// Once desired can be told, the launch is ours and goes.
	s := group(4)
	s.RefreshesSeen = true
	rec := rollout.Begin(rollout.Opening{Spec: byRefresh(), Snapshot: s, Target: target, Epoch: 1})
	rec.Intents = []rollout.Intent{launch}
	s.Group.Desired = 5
	s.Members = append(s.Members, healthy(9, target))
	first := rollout.Decide(rollout.Input{Spec: byRefresh(), Snapshot: s, Record: rec})
	d := rollout.Decide(rollout.Input{Spec: byRefresh(), Snapshot: later(s, time.Minute), Record: first.Record, Memory: first.Memory})
	if d.Record.Surge != 1 || d.Record.Base != 4 || strings.Contains(kinds(first)+kinds(d), "refresh") {
		t.Errorf("base %d, surge %d, steps %q and %q, want 4, 1 and no refresh", d.Record.Base, d.Record.Surge, kinds(first), kinds(d))
	}
}

// TestDecideRefresh_lastOfZones: AWS has rebalanced zones after a roll by the other
// engine had resumed that, so that no zone spares its last old member. What is more
// than the group wants goes all the same, once every new member is healthy.
func TestDecideRefresh_lastOfZones(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{"healthy": "end-", "initial": ""} {
		s := group(2)
		s.RefreshesSeen, s.Group.HealthCheck = true, "ELB"
		rec := rollout.Begin(rollout.Opening{Spec: byRefresh(), Snapshot: s, Target: target, Epoch: 1})
		rec.Surge, rec.Proven, rec.Pointed, s.Group.Desired = 1, true, "2", 3
		added := healthy(2, target) // in the third zone
		added.Targets[0].State = state
		s.Members = append(s.Members, added)
		s.Group.Pointer, s.Group.Points = "2", target
		sp := byRefresh()
		sp.MinHealthy = 90
		d := decide(sp, s, rec, rollout.Memory{})
		d = decide(sp, later(s, 31*time.Second), d.Record, d.Memory)
		if kinds(d) != want {
			t.Errorf("a new member is %s: %q, want %q", state, kinds(d), want)
		}
	}
}

// What AWS says, and what follows.
func TestDecideRefresh_watch(t *testing.T) {
	t.Parallel()
	sick := func(s *rollout.Snapshot) {
		s.Members[0].Version, s.Members[0].Healthy = target, false
	}
	all := func(v rollout.Version) func(*rollout.Snapshot) {
		return func(s *rollout.Snapshot) {
			for i := range s.Members {
				s.Members[i].Version = v
			}
			s.Group.Pointer, s.Group.Points = "2", v
		}
	}
	for _, c := range []struct {
		name   string
		status rollout.RefreshStatus
		change func(*rollout.Snapshot)
		spec   func(*rollout.Spec)
		stop   string
		op     rollout.RefreshOp
		ending rollout.Outcome
	}{
		{name: "in progress", status: rollout.RefreshInProgress},
		{name: "a member fails", status: rollout.RefreshInProgress, change: sick, op: rollout.RollbackRefresh},
		{name: "a member fails, pause", status: rollout.RefreshInProgress, change: sick, spec: func(s *rollout.Spec) { s.OnFailure = rollout.Pause }, op: rollout.CancelRefresh},
		{name: "all are sick", status: rollout.RefreshInProgress, change: func(s *rollout.Snapshot) {
			sick(s)
			s.Members[1].Healthy, s.Members[2].Healthy = false, false
		}, op: rollout.CancelRefresh},
		{name: "the pointer moves", status: rollout.RefreshInProgress, change: func(s *rollout.Snapshot) { s.Group.Pointer = "9" }, op: rollout.CancelRefresh},
		{name: "interrupted", status: rollout.RefreshInProgress, stop: "a signal", op: rollout.CancelRefresh},
		{name: "interrupted at the end", status: rollout.RefreshSuccessful, change: all(target), stop: "a signal", ending: rollout.Paused},
		{name: "AWS cancels", status: rollout.RefreshCancelling},
		{name: "somebody cancelled", status: rollout.RefreshCancelled, ending: rollout.Superseded},
		{name: "AWS failed", status: rollout.RefreshFailed, change: func(s *rollout.Snapshot) { s.Members[0].Version = target }, op: rollout.StartRefresh},
		{name: "AWS failed, leave", status: rollout.RefreshFailed, spec: func(s *rollout.Spec) { s.OnFailure = rollout.LeaveAsIs }, ending: rollout.FailedRoll},
		{name: "the rollback failed", status: rollout.RefreshRollbackFailed, ending: rollout.FailedRoll},
		{name: "AWS says successful too early", status: rollout.RefreshSuccessful},
	} {
		sp := byRefresh()
		sp.MinHealthyTime = 0
		if c.spec != nil {
			c.spec(&sp)
		}
		s := group(4)
		s, rec := awaited(s, c.status)
		if c.change != nil {
			c.change(&s)
		}
		var mem rollout.Memory
		var d rollout.Decision
		var op rollout.RefreshOp
		var ending rollout.Outcome
		for range 3 { // going back takes a look of its own
			d = rollout.Decide(rollout.Input{Spec: sp, Snapshot: s, Record: rec, Memory: mem, Stop: c.stop})
			rec, mem = d.Record, d.Memory
			for _, step := range d.Steps {
				if step.Refresh != nil {
					op = step.Refresh.Op
				}
			}
			if d.Ending != nil {
				ending = d.Ending.Outcome
			}
			if op != "" || ending != "" {
				break
			}
			s = later(s, 5*time.Second)
		}
		if op != c.op || ending != c.ending {
			t.Errorf("%s: asks to %q and ends %q, want %q and %q (%s)", c.name, op, ending, c.op, c.ending, notes(d))
		}
	}
}

// A refresh that AWS has been cancelling for instance_timeout is cancelled without
// waiting, whoever had it cancelled; where that does not end it either, the roll
// ends. AWS waits for members that are being replaced, and a broken image has them
// replaced for ever.
func TestDecideRefresh_cancellingForEver(t *testing.T) {
	t.Parallel()
	sp := byRefresh()
	for _, c := range []struct {
		name   string
		change func(*rollout.Record)
		reason string
	}{
		{"somebody cancelled", func(*rollout.Record) {}, "instance refresh r-1 has been Cancelling for 20m"},
		{"for a pause", func(r *rollout.Record) { r.Refresh.Then, r.Refresh.Why = rollout.Paused, "no luck" }, "no luck; instance refresh r-1 has been Cancelling for 20m"},
		{"on the way back", func(r *rollout.Record) { r.Direction, r.Reason = rollout.Back, "sick" }, "sick; instance refresh r-1 has been Cancelling for 20m"},
	} {
		s, rec := awaited(group(4), rollout.RefreshCancelling)
		c.change(&rec)
		var mem rollout.Memory
		for _, look := range []struct {
			after time.Duration
			now   bool
		}{{0, false}, {sp.InstanceTimeout - time.Second, false}, {sp.InstanceTimeout, true}, {sp.InstanceTimeout + 59*time.Second, false}, {sp.InstanceTimeout + time.Minute, true}} {
			at := later(s, look.after)
			d := decide(sp, at, rec, mem)
			rec, mem = d.Record, d.Memory
			now := false
			for _, step := range d.Steps {
				now = now || step.Refresh != nil && step.Refresh.Op == rollout.CancelRefresh && step.Refresh.Now && step.Refresh.ID == "r-1"
				rec, mem, _ = rollout.Settle(rec, mem, step, rollout.Result{}, at.At)
			}
			if now != look.now || d.Ending != nil || len(d.Steps) > 1 {
				t.Fatalf("%s, after %s: cancels without waiting %t, want %t; steps %+v, ending %+v", c.name, look.after, now, look.now, d.Steps, d.Ending)
			}
		}
		d := decide(sp, later(s, 2*sp.InstanceTimeout), rec, mem)
		if e := d.Ending; e == nil || e.Outcome != rollout.Paused || e.Reason != c.reason || len(d.Steps) > 0 {
			t.Errorf("%s, after %s: ending %+v, want paused because %q", c.name, 2*sp.InstanceTimeout, e, c.reason)
		}
	}
}

// A refresh that is on record is not somebody else's, and neither is what the
// other engine has suspended.
func TestWithoutOwn(t *testing.T) {
	t.Parallel()
	s, rec := awaited(group(2), rollout.RefreshInProgress)
	s.Group.Suspended = map[string]string{"AZRebalance": "theirs", "InstanceRefresh": "ours"}
	rec.Suspended = map[string]string{"AZRebalance": "ours", "InstanceRefresh": "ours"}
	got := s.WithoutOwn(rec)
	if _, left := got.Group.Suspended["InstanceRefresh"]; left || len(got.Group.Suspended) != 1 || got.Refreshing() || !s.Refreshing() {
		t.Errorf("got suspended %v, refreshing %t (before: %t), want theirs only, and no refresh", got.Group.Suspended, got.Refreshing(), s.Refreshing())
	}
	rec.Refresh.ID, rec.Refresh.Before = "", "r-0"
	if s.WithoutOwn(rec).Refreshing() {
		t.Errorf("one whose answer was lost, newer than r-0 and to the same version, is taken for somebody else's")
	}
	rec.Refresh.Before = "r-1"
	if s.WithoutOwn(rec).Refreshing() {
		t.Errorf("somebody else's, which our own suspension holds up, keeps us from lifting that")
	}
	rec.Suspended = nil
	if !s.WithoutOwn(rec).Refreshing() {
		t.Errorf("one that was there before is taken for ours")
	}
}

// TestDecideRefresh_lostLaunch: what a roll by the other engine may have launched
// is found out before a refresh begins, or its surge would stay.
func TestDecideRefresh_lostLaunch(t *testing.T) {
	t.Parallel()
	sp, s := byRefresh(), group(4)
	sp.OnFailure, s.RefreshesSeen = rollout.LeaveAsIs, true
	rec := rollout.Begin(rollout.Opening{Spec: sp, Snapshot: s, Target: target, Epoch: 1})
	s.Members, s.Group.Desired = append(s.Members, healthy(4, target)), 5
	rec.Intents = []rollout.Intent{{Kind: rollout.Launch, Count: 1, Token: "t", Lost: true, Since: began}}
	d := rollout.Decide(rollout.Input{Spec: sp, Snapshot: s, Record: rec})
	if len(d.Steps) > 0 {
		t.Fatalf("%s while a launch is in doubt, want nothing", kinds(d))
	}
	d = rollout.Decide(rollout.Input{Spec: sp, Snapshot: later(s, 90*time.Second), Record: d.Record, Memory: d.Memory})
	if d.Record.Surge != 1 || d.Record.Base != 4 || strings.Contains(kinds(d), "refresh") {
		t.Errorf("%q with base %d and surge %d, want the surge known and ended first", kinds(d), d.Record.Base, d.Record.Surge)
	}
}

// TestDecide_olderThanRefresh: a look that does not show the roll's refresh, of
// which one before has shown the end, is older than its start. No other one is
// started on it.
func TestDecide_olderThanRefresh(t *testing.T) {
	t.Parallel()
	s := group(2)
	s.Members[0].Version = target
	s, rec := awaited(s, rollout.RefreshSuccessful)
	going := s.Members[1]
	s.Members[1].Version = target
	going.ID, going.State = "i-going", rollout.Terminating
	s.Members = append(s.Members, going) // of a roll by the other engine
	d := decide(byRefresh(), s, rec, rollout.Memory{})
	told := s.Refreshes
	s = later(s, 5*time.Second)
	s.Refreshes = nil
	d = decide(byRefresh(), s, d.Record, d.Memory)
	if len(d.Steps) > 0 || d.Record.Refresh == nil {
		t.Errorf("an older look: steps %q, refresh %+v, want that it waits", kinds(d), d.Record.Refresh)
	}
	s.Refreshes = told
	if d = decide(byRefresh(), later(s, 5*time.Second), d.Record, d.Memory); strings.Contains(kinds(d), "refresh") {
		t.Errorf("and a newer one: steps %q, want no other refresh", kinds(d))
	}
}
