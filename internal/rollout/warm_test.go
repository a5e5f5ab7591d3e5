package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestDecide_warmEnded: a member of the warm pool that was ready when it was asked to
// end may be drawn until a look shows it go. One that shows it as it was before it was
// ready is older than that.
func TestDecide_warmEnded(t *testing.T) {
	t.Parallel()
	s, p := group(4), spec(100, 150)
	s.Group.WarmPool, s.WarmSeen, p.TerminateWarm = true, true, true
	m := healthy(9, old)
	s.Warm = []rollout.Member{m}
	rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target, Epoch: 1})
	d := rollout.Decide(rollout.Input{Spec: p, Snapshot: s, Record: rec})
	if got := kinds(d); got != "suspend, end-warm" {
		t.Fatalf("first decision: %q, want the ready member of the pool ended before any launch", got)
	}
	rec, mem := rollout.Intend(d.Record, d.Steps), d.Memory
	for _, step := range d.Steps {
		rec, mem, _ = rollout.Settle(rec, mem, step, rollout.Result{}, s.At)
	}
	for _, c := range []struct {
		name string
		pool []rollout.Lifecycle
		want string // begins with
	}{
		{"still ready", []rollout.Lifecycle{rollout.InService}, ""},
		{"not ready yet", []rollout.Lifecycle{rollout.Pending}, ""},
		{"going", []rollout.Lifecycle{rollout.Terminating}, "point 2, raise"},
		{"gone", nil, "point 2, raise"},
	} {
		look := later(s, 5*time.Second)
		look.Warm = nil
		for _, state := range c.pool {
			m.State = state
			look.Warm = append(look.Warm, m)
		}
		got := kinds(rollout.Decide(rollout.Input{Spec: p, Snapshot: look, Record: rec, Memory: mem}))
		if !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDecide_warmProven: from the proof on, members of the pool that are not ready yet
// go before a launch, too. They may be ready when AWS draws them, and are ended in any
// case.
func TestDecide_warmProven(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{false, true} {
		s, p := group(4), spec(75, 100)
		s.Group.WarmPool, s.WarmSeen, p.TerminateWarm = true, true, true
		rec := rolling(&s)
		rec.Proven, rec.Fallback = proven, true
		m := healthy(9, old)
		m.State = rollout.Pending
		s.Warm = []rollout.Member{m}
		want := "end"
		if proven {
			want = "end-warm"
		}
		if got := kinds(decide(p, s, rec, rollout.Memory{Progress: began})); got != want {
			t.Errorf("proven %t: %q, want %q", proven, got, want)
		}
	}
}

// TestDecide_warmDrawn: right after a launch, who was drawn by it may still show in the
// pool. EC2 would end it in service.
func TestDecide_warmDrawn(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{20 * time.Second: "", 40 * time.Second: "end-warm"} {
		s, p := group(4), spec(75, 100)
		s.Group.WarmPool, s.WarmSeen, p.TerminateWarm = true, true, true
		rec := rolling(&s)
		s.Warm = []rollout.Member{healthy(9, old)}
		mem := rollout.Memory{Progress: began, Asked: s.At}
		if got := kinds(decide(p, later(s, after), rec, mem)); got != want {
			t.Errorf("%s after a launch: %q, want %q", after, got, want)
		}
	}
}

// TestDecide_warmSplit: while AWS makes stale members of the pool in place of those
// that are ended, the ends of those that are ready wait for the rest, so that AWS makes
// all of them at the same time and there is a moment at which none is ready. A rest that
// takes half the instance timeout is not waited for.
func TestDecide_warmSplit(t *testing.T) {
	t.Parallel()
	const long = 5 * time.Minute // half the instance timeout
	for _, c := range []struct {
		name   string
		rest   rollout.Lifecycle // the other one of two in the pool
		points rollout.Version   // what the group points at
		proven bool              // the target is
		after  time.Duration     // since the pool was seen like this first
		want   int               // how many of the pool are ended
	}{
		{"one is ready", rollout.Pending, old, false, 0, 0},
		{"one is ready for long", rollout.Pending, old, false, long - time.Second, 0},
		{"one is ready for too long", rollout.Pending, old, false, long, 1},
		{"both are ready", rollout.InService, old, false, 0, 2},
		{"the rest goes", rollout.Terminating, old, false, 0, 1},
		{"AWS makes current ones", rollout.Pending, target, false, 0, 1},
		{"all go from the proof on", rollout.Pending, target, true, 0, 2},
	} {
		s, p, rec := splitPool(c.rest)
		s.Group.Pointer, s.Group.Points = fmt.Sprint(c.points.Number), c.points
		rec.Pointed, rec.Proven = s.Group.Pointer, c.proven
		d := decide(p, s, rec, rollout.Memory{Progress: began})
		if c.after > 0 {
			d = decide(p, later(s, c.after), d.Record, d.Memory)
		}
		if n := warmEnds(d); n != c.want || slices.ContainsFunc(d.Steps, func(s rollout.Step) bool { return s.Kind == rollout.End }) {
			t.Errorf("%s: %q, which end %d of the pool, want %d and no end of a member in service", c.name, kinds(d), n, c.want)
		}
	}
}

// TestDecide_warmSplitAgain: whenever some of the pool are ready and some are not, the
// wait begins anew.
func TestDecide_warmSplitAgain(t *testing.T) {
	t.Parallel()
	split, p, rec := splitPool(rollout.Pending)
	whole, _, _ := splitPool(rollout.InService)
	d := decide(p, split, rec, rollout.Memory{Progress: began})
	d = decide(p, later(whole, 4*time.Minute), d.Record, d.Memory)
	if n := warmEnds(d); n != 2 {
		t.Fatalf("both are ready: %q, which end %d of the pool, want 2", kinds(d), n)
	}
	if d = decide(p, later(split, 8*time.Minute), d.Record, d.Memory); len(d.Steps) > 0 {
		t.Errorf("one is ready once more: %q, want no step", kinds(d))
	}
}

// splitPool is a roll before its proof whose next step is to replace a member, and
// whose group points at the old version. Of two stale members of the pool one is ready.
func splitPool(rest rollout.Lifecycle) (rollout.Snapshot, rollout.Spec, rollout.Record) {
	s, p := group(4), spec(75, 100)
	s.Group.WarmPool, s.WarmSeen, p.TerminateWarm = true, true, true
	rec := rolling(&s)
	rec.Proven, rec.Fallback, rec.Pointed = false, true, "1"
	s.Group.Pointer, s.Group.Points = "1", old
	s.Warm = []rollout.Member{healthy(8, old), healthy(9, old)}
	s.Warm[1].State = rest
	return s, p, rec
}

// warmEnds is how many members of the pool a decision ends.
func warmEnds(d rollout.Decision) int {
	n := 0
	for _, s := range d.Steps {
		if s.Kind == rollout.EndWarm {
			n += len(s.Members)
		}
	}
	return n
}
