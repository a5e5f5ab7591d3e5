package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// full is a group of four members whose max size leaves no room, and a spec that
// may raise it.
func full() (rollout.Snapshot, rollout.Spec) {
	s, p := group(4), spec(100, 150)
	s.Group.Max, p.RaiseMaxSize = 4, true
	return s, p
}

func TestAssess_headroom(t *testing.T) {
	t.Parallel()
	s, p := full()
	a := rollout.Assess(p, s, target)
	if said := strings.Join(a.Special, "; "); len(a.Problems)+len(a.Warnings) > 0 || said != "max size is raised from 4 to 6 for the time of the roll, because raise_max_size = true" || a.Limits.Ceiling != 6 {
		t.Errorf("problems %v, warnings %v, special %q, ceiling %d, want one sentence and 6", a.Problems, a.Warnings, said, a.Limits.Ceiling)
	}
	p.RaiseMaxSize = false
	if got := texts(rollout.Assess(p, s, target).Problems); !strings.Contains(got, "raise max_size of the group to at least 5, or set raise_max_size = true, or lower min_healthy_percentage to 75 or less") {
		t.Errorf("without it the problems are %q, want the cures", got)
	}
	p.Engine, p.RaiseMaxSize = rollout.EngineRefresh, true
	if got := p.Validate(); len(got) != 1 || got[0].Field != "raise_max_size" {
		t.Errorf("with an instance refresh: %v, want one problem of raise_max_size", got)
	}
}

// TestPredict_headroom foresees the same roll as where max size leaves the room.
func TestPredict_headroom(t *testing.T) {
	t.Parallel()
	s, p := full()
	got := rollout.Predict(p, s, target)
	s.Group.Max = 8
	want := rollout.Predict(p, s, target)
	if got.Highest != 6 || got.Batches != want.Batches || got.Lowest != want.Lowest || got.Duration < want.Duration || got.Duration > want.Duration+10*time.Second {
		t.Errorf("got %+v, want %+v and a look more", got, want)
	}
}

// TestDecide_headroom follows max size through looks that show it late, or as
// others have set it.
func TestDecide_headroom(t *testing.T) {
	t.Parallel()
	s, p := full()
	rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target, Epoch: 1})
	d := rollout.Decide(rollout.Input{Spec: p, Snapshot: s, Record: rec})
	if got := kinds(d); got != "suspend, raise-max-size" || d.Steps[1].From != 4 || d.Steps[1].To != 6 {
		t.Fatalf("first decision: %s %+v, want max size raised from 4 to 6 before any launch", got, d.Steps)
	}
	rec = rollout.Intend(d.Record, d.Steps)
	if h := rec.Headroom; h == nil || *h != (rollout.Headroom{Found: 4, Set: 6, Before: 4}) {
		t.Errorf("on record before the call: %+v, want found 4, set 6", h)
	}
	mem := d.Memory
	for _, step := range d.Steps {
		rec, mem, _ = rollout.Settle(rec, mem, step, rollout.Result{}, s.At)
	}
	for _, c := range []struct {
		name  string
		after time.Duration
		most  int
		want  string // begins with
		said  string
	}{
		{"a look from before", 5 * time.Second, 4, "", ""},
		{"it shows", 5 * time.Second, 6, "point 2, launch", ""},
		{"AWS has forgotten it", 2 * time.Minute, 4, "raise-max-size", ""},
		{"a look from before others had made it what was found", 5 * time.Second, 3, "", ""},
		{"others have raised it further", 2 * time.Minute, 9, "point 2, launch", "max size was changed to 9 by somebody else"},
	} {
		look := later(s, c.after)
		look.Group.Max = c.most
		got := rollout.Decide(rollout.Input{Spec: p, Snapshot: look, Record: rec, Memory: mem})
		if k := kinds(got); !strings.HasPrefix(k, c.want) || c.want == "" && k != "" || !strings.Contains(notes(got), c.said) || c.said == "" && notes(got) != "" {
			t.Errorf("%s: %q, notes %q, want %q and %q", c.name, k, notes(got), c.want, c.said)
		}
	}
}

// TestDecide_headroomOnce: launches before and after ends of one decision share one
// raise of max size. A second one that failed would be taken for a refusal of the
// first, and what was raised would stay so.
func TestDecide_headroomOnce(t *testing.T) {
	t.Parallel()
	var mem rollout.Memory
	s, rec := grown(&mem)
	p := spec(100, 200)
	p.RaiseMaxSize = true
	s.Members = append(s.Members, healthy(6, old), healthy(7, old))
	s.Group.Desired, s.Group.Max, rec.Base = 8, 8, 6
	if d := decide(p, s, rec, mem); kinds(d) != "raise-max-size, end-, end-, point 2" {
		t.Errorf("%q, want max size raised once, and two ended", kinds(d))
	}
}

// TestSettle_headroom books the answers of a raise on top of one, and of putting
// it back.
func TestSettle_headroom(t *testing.T) {
	t.Parallel()
	first := rollout.Headroom{Found: 4, Set: 6, Before: 4}
	up := rollout.Step{Kind: rollout.RaiseMaxSize, From: 6, To: 7}
	down := rollout.Step{Kind: rollout.LowerMaxSize, From: 6, To: 4}
	lost, refused := &rollout.Failure{Kind: rollout.Lost}, &rollout.Failure{Kind: rollout.Again}
	for _, c := range []struct {
		name   string
		step   rollout.Step
		result rollout.Result
		want   *rollout.Headroom
	}{
		{"raised further", up, rollout.Result{}, &rollout.Headroom{Found: 4, Set: 7, Before: 6}},
		{"raised further, perhaps", up, rollout.Result{Failure: lost}, &rollout.Headroom{Found: 4, Set: 7, Before: 6}},
		{"not raised further", up, rollout.Result{Failure: refused}, &rollout.Headroom{Found: 4, Set: 6, Before: 6}},
		{"put back", down, rollout.Result{}, nil},
		{"put back, perhaps", down, rollout.Result{Failure: lost}, &first},
		{"not put back", down, rollout.Result{Failure: refused}, &first},
	} {
		rec := rollout.Intend(rollout.Record{Headroom: &first}, []rollout.Step{c.step})
		rec, _, _ = rollout.Settle(rec, rollout.Memory{}, c.step, c.result, began)
		if got := rec.Headroom; (got == nil) != (c.want == nil) || got != nil && *got != *c.want || len(rec.Intents) > 0 {
			t.Errorf("%s: %+v with intents %v, want %+v and none", c.name, got, rec.Intents, c.want)
		}
	}
	if !rollout.Skip(down, rollout.Step{Kind: rollout.End, Decrement: true}) {
		t.Error("max size is put back although an end before it failed: AWS would pick whom to end")
	}
}
