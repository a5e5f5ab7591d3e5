// Package bench measures rolls on the virtual clock: time against the physical
// floor, AWS calls, and CPU. Its test holds the first two to what was reached;
// nothing here passes or fails by a real time.
package bench_test

import (
	"fmt"
	"slices"
	"strconv"
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
		return endingFirst(lim, n, cycle+reaction, gone)
	}
	return launchingFirst(lim, n, cycle, gone)
}

// endingFirst plays the fastest ending-first schedule: the first member alone is
// the proof (rollouts.md, Counting). From then on members are ended as soon as
// those that are down leave a slot, and those that are going leave room among the
// running ones. AWS launches the replacements by itself.
func endingFirst(lim rollout.Limits, n int, cycle, gone time.Duration) time.Duration {
	started := []time.Duration{0}
	for at := cycle; len(started) < n; {
		down, going, next := 0, 0, at+cycle
		for _, since := range started {
			if at < since+cycle {
				down, next = down+1, min(next, since+cycle)
			}
			if at < since+gone {
				going, next = going+1, min(next, since+gone)
			}
		}
		if down < lim.Slots && going < lim.Running-n {
			started = append(started, at)
		} else {
			at = next
		}
	}
	return started[n-1] + cycle
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
	name    string
	physics physics
	targets bool // behind a target group
	before  int  // how often the group has been rolled before
}

var (
	shapes = []shape{
		{"usual/first", usual, true, 0},
		{"usual/again", usual, true, 1},
		{"usual/third", usual, true, 2},
		{"quick/first", quick, true, 0},
		{"quick/again", quick, true, 1},
		{"quick-no-targets/first", quick, false, 0},
		{"quick-no-targets/again", quick, false, 1},
	}
	percentages = [][2]int{{100, 150}, {100, 110}, {90, 100}, {50, 100}}
	sizes       = []int{4, 20, 100}
)

// each names every roll to measure.
func each(measure func(name string, c shape, limits [2]int, n int)) {
	for _, c := range shapes {
		for _, limits := range percentages {
			for _, n := range sizes {
				measure(fmt.Sprintf("%s/%d-%d/%d", c.name, limits[0], limits[1], n), c, limits, n)
			}
		}
	}
}

func BenchmarkRoll(b *testing.B) {
	each(func(name string, c shape, limits [2]int, n int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				roll := stage(b, c, limits, n)
				b.StartTimer()
				report, err := roll.Roller.Roll(b.Context(), roll.q)
				b.StopTimer()
				f := roll.figures(report, err)
				b.ReportMetric(f.ratio, "time/floor")
				b.ReportMetric(f.took.Seconds(), "simulated-s")
				b.ReportMetric(float64(f.calls), "calls")
				b.ReportMetric(float64(f.describes), "describes")
				b.StartTimer()
			}
		})
	})
}

// staged is a roll that can begin.
type staged struct {
	*rolltest.Stage
	tb    testing.TB
	q     roller.Request
	start time.Duration
	least time.Duration // the physical floor
}

// stage stages a group to be rolled for the first time, or one that was rolled
// before, as a group that is patched every week was.
func stage(tb testing.TB, c shape, limits [2]int, n int) staged {
	tb.Helper()
	q := rolltest.Request(limits[0], limits[1])
	if c.physics == quick {
		q.Spec.MinHealthyTime = 10 * time.Second
	}
	s := rolltest.New(tb, rolltest.Shape{Members: n, NoTargets: !c.targets, Extra: c.physics.hcl(), Drain: c.physics.drain.String()})
	s.Silence()
	for i := range c.before {
		if _, err := s.Roller.Roll(tb.Context(), q); err != nil {
			tb.Fatal(err)
		}
		q.Version = strconv.Itoa(1 + i%2)
		s.World.Advance(24 * time.Hour)
		s.Roller = s.NewRoller(fmt.Sprintf("roller %d", i+2), i+2)
	}
	s.World.ResetCalls()
	return staged{s, tb, q, s.Elapsed(), floor(c.physics, n, q.Spec, c.targets)}
}

// figures are what a roll took.
type figures struct {
	took             time.Duration
	ratio            float64 // of that to the physical floor
	calls, describes int
}

func (s staged) figures(report roller.Report, err error) figures {
	s.tb.Helper()
	if err != nil || report.Outcome != rollout.Succeeded {
		s.tb.Fatalf("roll: %v, %s", err, report.Outcome)
	}
	f := figures{took: s.Elapsed() - s.start}
	f.ratio = float64(f.took) / float64(s.least)
	for call, count := range s.World.Calls() {
		f.calls += count
		if strings.Contains(call, "Describe") {
			f.describes += count
		}
	}
	return f
}

// reached are the calls of each shape, for 4, 20 and 100 members. ADR 0011 says
// where they go, and why there are not fewer.
var reached = map[string][3]int{
	"usual/first/100-150":            {41, 59, 139},
	"usual/first/100-110":            {42, 90, 171},
	"usual/first/90-100":             {39, 83, 163},
	"usual/first/50-100":             {57, 81, 161},
	"usual/third/100-150":            {34, 52, 132},
	"usual/third/100-110":            {40, 88, 169},
	"usual/third/90-100":             {37, 81, 161},
	"usual/third/50-100":             {45, 69, 149},
	"usual/again/100-150":            {33, 51, 131},
	"usual/again/100-110":            {39, 87, 168},
	"usual/again/90-100":             {36, 80, 160},
	"usual/again/50-100":             {45, 69, 149},
	"quick/first/100-150":            {34, 52, 132},
	"quick/first/100-110":            {39, 87, 168},
	"quick/first/90-100":             {36, 80, 160},
	"quick/first/50-100":             {42, 62, 142},
	"quick/again/100-150":            {34, 52, 132},
	"quick/again/100-110":            {40, 88, 169},
	"quick/again/90-100":             {37, 81, 161},
	"quick/again/50-100":             {40, 60, 140},
	"quick-no-targets/first/100-150": {30, 48, 128},
	"quick-no-targets/first/100-110": {34, 76, 157},
	"quick-no-targets/first/90-100":  {30, 67, 147},
	"quick-no-targets/first/50-100":  {30, 48, 128},
	"quick-no-targets/again/100-150": {30, 48, 128},
	"quick-no-targets/again/100-110": {34, 76, 157},
	"quick-no-targets/again/90-100":  {30, 67, 147},
	"quick-no-targets/again/50-100":  {30, 48, 128},
}

// TestFigures holds every shape to the calls that were reached, and to a tenth
// above the physical floor.
func TestFigures(t *testing.T) {
	t.Parallel()
	each(func(name string, c shape, limits [2]int, n int) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roll := stage(t, c, limits, n)
			report, err := roll.Roller.Roll(t.Context(), roll.q)
			f := roll.figures(report, err)
			most := reached[strings.TrimSuffix(name, fmt.Sprintf("/%d", n))][slices.Index(sizes, n)]
			if f.calls > most || f.ratio > 1.10 {
				t.Errorf("%d calls and %.3f times the physical floor, want at most %d and 1.10", f.calls, f.ratio, most)
			}
			if f.calls < most {
				t.Errorf("%d calls, fewer than the %d on record: lower the number there and in ADR 0011", f.calls, most)
			}
		})
	})
}
