// Package bench measures rolls on the virtual clock: time against the physical
// floor, AWS calls, and CPU. It has benchmarks only; nothing here passes or
// fails by a time.
package bench_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// physics is what a scenario's members take, in its own words, and so what no
// roll can beat.
type physics struct {
	launch, healthy, drain, terminate time.Duration
}

// usual are the simulator's default latencies; quick is a small image that
// serves ten seconds after its boot.
var (
	usual = physics{45 * time.Second, 30 * time.Second, 30 * time.Second, 40 * time.Second}
	quick = physics{20 * time.Second, 10 * time.Second, 5 * time.Second, 10 * time.Second}
)

// reaction is how long the simulated Auto Scaling takes to replace a member.
const reaction = 2 * time.Second

func (p physics) hcl() string {
	return fmt.Sprintf("latencies {\n  launch = %q\n  healthy = %q\n  terminate = %q\n}\n", p.launch, p.healthy, p.terminate)
}

// floor is the physical floor of rolling n members: the fastest schedule that
// keeps to the limits, played through with members that take exactly as long
// as the scenario says. It knows the limits and nothing of how Refit decides.
func floor(p physics, n int, spec rollout.Spec, targets bool) time.Duration {
	lim, _ := spec.Limits(n, 2*n)
	cycle := p.launch + spec.MinHealthyTime
	gone := p.terminate
	if targets {
		cycle += p.healthy
		gone += p.drain
	}
	if !lim.First {
		// The first member alone is the proof, then ⌈the others ÷ slots⌉ cycles
		// (rollouts.md, Counting). Where running binds, a slot is free only when
		// the member before is gone. AWS launches the replacements by itself.
		cycle += reaction
		slots := min(lim.Slots, lim.Running-n)
		rounds := (n - 1 + slots - 1) / slots
		return time.Duration(rounds)*max(cycle, time.Duration(slots/max(lim.Running-n, 1))*gone) + cycle
	}
	return launchingFirst(lim, n, cycle, gone)
}

// launchingFirst plays the fastest launching-first schedule: members are
// launched as soon as ceiling and running allow, and a stale one is ended as
// soon as a new one has graduated.
func launchingFirst(lim rollout.Limits, n int, cycle, gone time.Duration) time.Duration {
	type at struct {
		when time.Duration
		what int // +1 graduates, -1 is gone
	}
	var due []at
	now, launched, running, started, graduated := time.Duration(0), n, n, 0, 0
	for {
		for started < n && launched < lim.Ceiling && running < lim.Running {
			launched, running, started = launched+1, running+1, started+1
			due = append(due, at{now + cycle, 1})
		}
		if graduated == n {
			return now
		}
		next := 0
		for i := range due {
			if due[i].when < due[next].when {
				next = i
			}
		}
		e := due[next]
		due = append(due[:next], due[next+1:]...)
		now = e.when
		if e.what > 0 {
			graduated, launched = graduated+1, launched-1
			due = append(due, at{now + gone, -1})
		} else {
			running--
		}
	}
}

// shape is one roll to measure.
type shape struct {
	members int
	physics physics
	targets bool // behind a target group
	again   bool // the group has been rolled before
}

func BenchmarkRoll(b *testing.B) {
	for _, c := range []struct {
		name string
		shape
	}{
		{"usual/first", shape{physics: usual, targets: true}},
		{"usual/again", shape{physics: usual, targets: true, again: true}},
		{"quick/first", shape{physics: quick, targets: true}},
		{"quick/again", shape{physics: quick, targets: true, again: true}},
		{"quick-no-targets/first", shape{physics: quick}},
		{"quick-no-targets/again", shape{physics: quick, again: true}},
	} {
		for _, limits := range [][2]int{{100, 150}, {90, 100}} {
			for _, n := range []int{4, 20, 100} {
				c.members = n
				b.Run(fmt.Sprintf("%s/%d-%d/%d", c.name, limits[0], limits[1], n), func(b *testing.B) {
					q := rolltest.Request(limits[0], limits[1])
					if c.physics == quick {
						q.Spec.MinHealthyTime = 10 * time.Second
					}
					for b.Loop() {
						measure(b, q, c.shape)
					}
				})
			}
		}
	}
}

// measure rolls a group for the first time, or one that was rolled before, as
// a group that is patched every week was.
func measure(b *testing.B, q roller.Request, c shape) {
	b.StopTimer()
	n, p, targets := c.members, c.physics, c.targets
	s := rolltest.New(b, rolltest.Shape{Members: n, NoTargets: !targets, Extra: p.hcl(), Drain: p.drain.String()})
	s.Silence()
	if c.again {
		if _, err := s.Roller.Roll(b.Context(), q); err != nil {
			b.Fatal(err)
		}
		q.Version = "1"
		s.World.Advance(24 * time.Hour)
		s.Roller = s.NewRoller("second", 2)
	}
	s.World.ResetCalls()
	start := s.Elapsed()
	b.StartTimer()
	report, err := s.Roller.Roll(b.Context(), q)
	b.StopTimer()
	if err != nil || report.Outcome != rollout.Succeeded {
		b.Fatalf("roll: %v, %s", err, report.Outcome)
	}
	total, describes := 0, 0
	for call, count := range s.World.Calls() {
		total += count
		if strings.Contains(call, "Describe") {
			describes += count
		}
	}
	b.ReportMetric(float64(s.Elapsed()-start)/float64(floor(p, n, q.Spec, targets)), "time/floor")
	b.ReportMetric((s.Elapsed() - start).Seconds(), "simulated-s")
	b.ReportMetric(float64(total), "calls")
	b.ReportMetric(float64(describes), "describes")
	b.StartTimer()
}
