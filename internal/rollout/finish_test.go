package rollout_test

import (
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestDecide_last: a roll forward ends with its last steps where their answers
// tell all that a look after them would.
func TestDecide_last(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(*rollout.Spec, *rollout.Snapshot, *rollout.Record)
		want    string
		over    bool
		healthy int // of the last record, where it is over
	}{
		{name: "suspensions only", change: func(*rollout.Spec, *rollout.Snapshot, *rollout.Record) {}, want: "resume", over: true, healthy: 4},
		{name: "the last old member", change: func(_ *rollout.Spec, s *rollout.Snapshot, rec *rollout.Record) {
			s.Members, s.Group.Desired, rec.Surge = append(s.Members, healthy(4, old)), 5, 1
		}, want: "end-, resume", over: true, healthy: 4},
		{name: "a pointer to give back", change: func(_ *rollout.Spec, _ *rollout.Snapshot, rec *rollout.Record) {
			rec.Pointer = "$Latest"
		}, want: "resume, point $Latest"},
		{name: "a default version to move", change: func(p *rollout.Spec, _ *rollout.Snapshot, _ *rollout.Record) {
			p.SetDefault = true
		}, want: "resume, set-default 2"},
		{name: "max size to put back", change: func(_ *rollout.Spec, s *rollout.Snapshot, rec *rollout.Record) {
			s.Group.Max, rec.Headroom = 6, &rollout.Headroom{Found: 4, Set: 6, Before: 4}
		}, want: "resume, lower-max-size"},
		{name: "back", change: func(_ *rollout.Spec, s *rollout.Snapshot, rec *rollout.Record) {
			for i := range s.Members {
				s.Members[i].Version = old
			}
			rec.Direction, rec.Copy, rec.Pointed = rollout.Back, 3, "3"
			s.Group.Pointer, s.Group.Points, s.Group.Latest = "3", old, 3
		}, want: "resume"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, s := spec(100, 150), group(4)
			for i := range s.Members {
				s.Members[i].Version = target
			}
			rec := rolling(&s)
			c.change(&p, &s, &rec)
			mem := rollout.Memory{Graduated: map[string]bool{}, FirstSeen: map[string]time.Time{}, HealthySince: map[string]time.Time{}, Progress: began}
			for _, m := range s.Members[:4] {
				mem.Graduated[m.ID], mem.FirstSeen[m.ID], mem.HealthySince[m.ID] = true, began, began
			}
			got := decide(p, later(s, 2*time.Minute), rec, mem)
			if kinds(got) != c.want || (got.Ending != nil) != c.over {
				t.Fatalf("steps %q, ending %+v, want %q and an ending: %t; notes %s", kinds(got), got.Ending, c.want, c.over, notes(got))
			}
			if !c.over {
				return
			}
			if got.Ending.Outcome != rollout.Succeeded || got.Record.Counts.Healthy != c.healthy {
				t.Errorf("ending %+v with %d healthy, want succeeded with %d", got.Ending, got.Record.Counts.Healthy, c.healthy)
			}
			// Each step can fail, and AWS can tell of others: then it is not the end.
			for i := range got.Steps {
				mem := got.Memory
				for j, step := range got.Steps {
					var res rollout.Result
					if i == j {
						res.Failure = &rollout.Failure{Kind: rollout.Lost, Text: "no answer"}
					}
					_, mem, _ = rollout.Settle(got.Record, mem, step, res, s.At)
				}
				if got.Ending.Stands(mem) {
					t.Errorf("it ends where step %d, %s, had no answer", i, got.Steps[i].Kind)
				}
			}
			was, end := got.Record.Base+got.Record.Surge, got.Memory
			for _, step := range got.Steps {
				var res rollout.Result
				if step.Kind == rollout.End {
					_, untold, _ := rollout.Settle(got.Record, end, step, res, s.At)
					if got.Ending.Stands(untold) {
						t.Errorf("it ends where AWS has not said from what it lowered desired")
					}
					res.Was = &was
				}
				_, end, _ = rollout.Settle(got.Record, end, step, res, s.At)
			}
			if !got.Ending.Stands(end) || got.Ending.Stands(rollout.Memory{Halted: true}) {
				t.Error("want it to end where all steps worked, and not where AWS has told of others")
			}
		})
	}
	if e := (rollout.Ending{Outcome: rollout.Paused}); !e.Stands(rollout.Memory{Stumbled: true}) {
		t.Error("a safe point goes on where a step did not work, want it to end")
	}
}
