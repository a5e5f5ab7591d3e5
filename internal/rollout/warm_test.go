package rollout_test

import (
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
