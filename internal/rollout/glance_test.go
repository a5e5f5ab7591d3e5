package rollout_test

import (
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// expecting is a proven roll that has just launched two of four.
func expecting(t *testing.T, p rollout.Spec) (rollout.Snapshot, rollout.Decision) {
	t.Helper()
	s := group(4)
	s.AttributesSeen = true
	rec := rolling(&s)
	d := rollout.Decide(rollout.Input{Spec: p, Snapshot: s, Record: rec, Memory: rollout.Memory{Progress: began}})
	rec, mem, launched := rollout.Intend(d.Record, d.Steps), d.Memory, 0
	for _, step := range d.Steps {
		var r rollout.Result
		for range step.Count {
			r.IDs = append(r.IDs, healthy(4+launched, target).ID)
			launched++
		}
		rec, mem, _ = rollout.Settle(rec, mem, step, r, s.At)
	}
	if launched != 2 {
		t.Fatalf("%d launched by %s, want 2", launched, kinds(d))
	}
	d.Record, d.Memory = rec, mem
	return s, d
}

// glanced is a glance at so many healthy targets of a group, of whom the first
// four are old.
func glanced(s rollout.Snapshot, after time.Duration, ids ...string) rollout.Snapshot {
	g := rollout.Snapshot{At: s.At.Add(after), Group: s.Group, Glanced: true, TargetsSeen: true}
	for _, m := range s.Members {
		g.Members = append(g.Members, rollout.Member{ID: m.ID, Targets: m.Targets})
	}
	for _, id := range ids {
		g.Members = append(g.Members, rollout.Member{ID: id, Targets: []rollout.Target{{Group: "tg", State: "healthy"}}})
	}
	return g
}

// TestGlance_asked: a glance is asked for where it is enough, and only there.
func TestGlance_asked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*rollout.Spec)
		want   bool
	}{
		{"target health", func(*rollout.Spec) {}, true},
		{"status checks", func(p *rollout.Spec) { p.EC2Status = true }, false},
		{"a probe", func(p *rollout.Spec) { p.Probe = &rollout.Probe{URL: "http://{private_ip}/", Passes: 1} }, false},
		{"no load balancer asked", func(p *rollout.Spec) { p.LoadBalancer = false }, false},
		{"healthy is enough at once", func(p *rollout.Spec) { p.MinHealthyTime = 0 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := spec(100, 150)
			c.change(&p)
			s := group(4)
			s.StatusSeen, s.ProbesSeen, s.AttributesSeen = true, true, true
			for i := range s.Members {
				s.Members[i].Status, s.Members[i].Probed = rollout.Status{System: "ok", Instance: "ok"}, true
			}
			rec := rolling(&s)
			d := rollout.Decide(rollout.Input{Spec: p, Snapshot: s, Record: rec, Memory: rollout.Memory{Progress: began}})
			if d.Look.Glance != c.want {
				t.Errorf("after %s it asks for %+v, want a glance: %t", kinds(d), d.Look, c.want)
			}
			failed := rollout.Memory{Stumbled: true}
			if d.Look.After(failed).Glance || d.Look.After(rollout.Memory{Halted: true}).Glance {
				t.Errorf("a glance follows steps that did not work")
			}
		})
	}
}

// TestGlance_decides: a glance leads to another one or to a look, never to a
// step; min_healthy_time counts from the glance that found a member healthy.
func TestGlance_decides(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	a, b := healthy(4, target).ID, healthy(5, target).ID
	for _, c := range []struct {
		name   string
		after  time.Duration
		ids    []string
		in     rollout.Input
		glance bool
		next   time.Duration
	}{
		{name: "nobody yet", after: 75 * time.Second, glance: true, next: 75*time.Second + 75*time.Second/8},
		{name: "one of two", after: 75 * time.Second, ids: []string{a}, glance: true, next: 75*time.Second + 75*time.Second/8},
		{name: "both", after: 75 * time.Second, ids: []string{a, b}, next: 105 * time.Second},
		{name: "others' targets", after: 75 * time.Second, ids: []string{"i-0", "10.0.0.7"}, glance: true, next: 75*time.Second + 75*time.Second/8},
		{name: "long overdue", after: 2 * time.Minute, next: 135 * time.Second},
		{name: "asked to stop", after: 75 * time.Second, ids: []string{a, b}, in: rollout.Input{Stop: "it is"}, next: 75 * time.Second},
		{name: "the window closes", after: 75 * time.Second, ids: []string{a, b}, in: rollout.Input{Closing: rollout.Closing{At: began.Add(80 * time.Second)}}, next: 80 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, d := expecting(t, p)
			c.in.Spec, c.in.Snapshot, c.in.Record, c.in.Memory = p, glanced(s, c.after, c.ids...), d.Record, d.Memory
			got := rollout.Decide(c.in)
			if len(got.Steps) > 0 || got.Ending != nil || got.Look.Glance != c.glance || !got.Look.Targets || got.Next.Sub(s.At) != c.next {
				t.Errorf("%s, ending %+v, looks at %+v after %s; want no step, a glance %t after %s", kinds(got), got.Ending, got.Look, got.Next.Sub(s.At), c.glance, c.next)
			}
		})
	}
}

// TestGlance_graduates: the look after a glance finds members graduated that are
// healthy still; one that was not at any glance or look in between begins anew.
func TestGlance_graduates(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	a, b := healthy(4, target), healthy(5, target)
	for _, c := range []struct {
		name  string
		again []string // healthy at a second glance; nil: there is none
		sick  bool     // one of them at the look
		want  string
	}{
		{"both stay healthy", nil, false, "end-, end-"},
		{"seen twice", []string{a.ID, b.ID}, false, "end-, end-"},
		{"one was not in between", []string{a.ID}, false, "end-, launch 1"},
		{"one is not any more", nil, true, "end-, launch 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, d := expecting(t, p)
			d = rollout.Decide(rollout.Input{Spec: p, Snapshot: glanced(s, 75*time.Second, a.ID, b.ID), Record: d.Record, Memory: d.Memory})
			if c.again != nil {
				d = rollout.Decide(rollout.Input{Spec: p, Snapshot: glanced(s, 90*time.Second, c.again...), Record: d.Record, Memory: d.Memory})
			}
			full := later(s, 106*time.Second)
			full.ActivitiesSeen = false
			full.Members = append(append([]rollout.Member(nil), s.Members...), a, b)
			full.Group.Desired = 6
			if c.sick {
				full.Members[5].Targets = []rollout.Target{{Group: "tg", State: "unhealthy"}}
			}
			d = rollout.Decide(rollout.Input{Spec: p, Snapshot: full, Record: d.Record, Memory: d.Memory})
			if got := kinds(d); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestGlance_fell: a graduated member that a glance finds sick is looked at at
// once.
func TestGlance_fell(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	s, d := expecting(t, p)
	d.Memory.Graduated = map[string]bool{s.Members[0].ID: true}
	g := glanced(s, 75*time.Second)
	g.Members[0].Targets = []rollout.Target{{Group: "tg", State: "unhealthy"}}
	d = rollout.Decide(rollout.Input{Spec: p, Snapshot: g, Record: d.Record, Memory: d.Memory})
	if d.Look.Glance || !d.Next.Equal(g.At) {
		t.Errorf("it looks at %+v at %s, want a look at once", d.Look, d.Next)
	}
}

// TestGlance_replaced: ending first, AWS launches members whose ids nobody knows
// yet; as many new targets as it owes are they.
func TestGlance_replaced(t *testing.T) {
	t.Parallel()
	p := spec(50, 100)
	p.MaxRunning = 200
	s := group(4)
	s.AttributesSeen = true
	rec := rolling(&s)
	d := rollout.Decide(rollout.Input{Spec: p, Snapshot: s, Record: rec, Memory: rollout.Memory{Progress: began}})
	if kinds(d) != "end, end" || !d.Look.Glance {
		t.Fatalf("%s and then %+v, want two ends and a glance", kinds(d), d.Look)
	}
	rec, mem := rollout.Intend(d.Record, d.Steps), d.Memory
	for _, step := range d.Steps {
		rec, mem, _ = rollout.Settle(rec, mem, step, rollout.Result{}, s.At)
	}
	for _, c := range []struct {
		ids    []string
		glance bool
	}{{nil, true}, {[]string{"i-1"}, true}, {[]string{"i-1", "i-2"}, false}} {
		got := rollout.Decide(rollout.Input{Spec: p, Snapshot: glanced(s, 78*time.Second, c.ids...), Record: rec, Memory: mem})
		if got.Look.Glance != c.glance || len(got.Steps) > 0 {
			t.Errorf("with %q healthy: %s, then %+v after %s, want a glance: %t", c.ids, kinds(got), got.Look, got.Next.Sub(s.At), c.glance)
		}
	}
}

// TestGlance_tries: where a roll tries whether its members are healthy sooner than
// last time, and they are not, the next glance is when they were then.
func TestGlance_tries(t *testing.T) {
	t.Parallel()
	p := spec(90, 100)
	for _, c := range []struct {
		name          string
		known         rollout.Typical
		first, second time.Duration // after the launch
		former        time.Duration
	}{
		{"sharp", rollout.Typical{Healthy: 30 * time.Second, Sharp: true}, 75 * time.Second, 75*time.Second + 75*time.Second/8, 0},
		{"not sharp", rollout.Typical{Healthy: 30 * time.Second}, 70 * time.Second, 75 * time.Second, 30 * time.Second},
		{"unknown", rollout.Typical{}, 55 * time.Second, 55*time.Second + 55*time.Second/8, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(4)
			s.AttributesSeen, s.Typical.Healthy = true, 0
			s.Group.Pointer, s.Group.Points = "2", target
			rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target, Epoch: 1, Known: c.known})
			if rec.Typical.Former != c.former {
				t.Errorf("former = %s, want %s", rec.Typical.Former, c.former)
			}
			rec.Proven, rec.Held = true, true
			s.Members[0].Version = target // launched now
			s.Members[0].State, s.Members[0].Targets = rollout.Pending, nil
			d := decide(p, s, rec, rollout.Memory{Progress: began, FirstSeen: map[string]time.Time{s.Members[0].ID: s.At}})
			if !d.Look.Glance || d.Next.Sub(s.At) != c.first {
				t.Fatalf("looks at %+v after %s, want a glance after %s", d.Look, d.Next.Sub(s.At), c.first)
			}
			d = decide(p, glanced(s, c.first), d.Record, d.Memory)
			if d.Next.Sub(s.At) != c.second {
				t.Errorf("nobody yet: looks again after %s, want %s", d.Next.Sub(s.At), c.second)
			}
		})
	}
}
