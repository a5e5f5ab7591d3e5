package roller_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// engines are both ways to replace members.
var engines = []rollout.Engine{rollout.EngineManaged, rollout.EngineRefresh}

// parity is one scenario that must end equally on both engines.
type parity struct {
	name    string
	shape   rolltest.Shape
	spec    func(*rollout.Spec)
	meet    func(*testing.T, *rolltest.Stage)                                          // what happens meanwhile
	roll    func(*testing.T, *rolltest.Stage, roller.Request) (rollout.Outcome, error) // nil: one roll
	outcome rollout.Outcome
	desired int    // 4 when 0
	version int64  // that all members run the data of: 2 when 0
	pointer string // at the end
	held    bool   // the target is in quarantine
}

// scenarios are what both engines are put through.
var scenarios = []parity{
	{name: "a good image", outcome: rollout.Succeeded, pointer: "2"},
	{name: "ending first", spec: percent(75, 100), outcome: rollout.Succeeded, pointer: "2"},
	{name: "a checkpoint", spec: func(s *rollout.Spec) {
		s.Checkpoints, s.FinalBake = []rollout.Checkpoint{{Percentage: 25, Bake: 2 * time.Minute}}, time.Minute
	}, outcome: rollout.Succeeded, pointer: "2"},
	{name: "on $Default", shape: rolltest.Shape{Pointer: "$Default"}, outcome: rollout.Succeeded, pointer: "$Default"},
	{name: "on $Latest", shape: rolltest.Shape{Pointer: "$Latest", Group: "launched_from = 1"}, outcome: rollout.Succeeded, pointer: "$Latest"},
	{name: "without target groups", shape: rolltest.Shape{NoTargets: true}, outcome: rollout.Succeeded, pointer: "2"},
	{name: "a broken image", shape: broken(""), outcome: rollout.RolledBack, version: 1, pointer: "3", held: true},
	{name: "a broken image, ending first", shape: broken(""), spec: percent(75, 100), outcome: rollout.RolledBack, version: 1, pointer: "3", held: true},
	{name: "a broken image on $Latest", shape: broken("$Latest"), outcome: rollout.RolledBack, version: 1, pointer: "$Latest", held: true},
	{name: "a broken image on $Default", shape: broken("$Default"), outcome: rollout.RolledBack, version: 1, pointer: "$Default", held: true},
	{name: "a broken image, the pointer on it already", shape: broken("2"), outcome: rollout.RolledBack, version: 1, pointer: "3", held: true},
	{name: "a late failure", shape: rolltest.Shape{Image: `dies_after = "4m"`}, spec: bakes(10 * time.Minute), outcome: rollout.RolledBack, version: 1, pointer: "3", held: true},
	{name: "others scale out", meet: func(t *testing.T, s *rolltest.Stage) {
		s.Outside(6)
		act(t, s, time.Minute, awssim.Action{Do: "scale", Value: 2})
	}, outcome: rollout.Succeeded, desired: 6, pointer: "2"},
	{name: "an alarm goes off", shape: rolltest.Shape{Extra: `alarm "web-5xx" {}`}, spec: func(s *rollout.Spec) {
		s.Alarms, s.FinalBake = []string{"web-5xx"}, 10*time.Minute
	}, meet: func(t *testing.T, s *rolltest.Stage) {
		act(t, s, 3*time.Minute, awssim.Action{Do: "set_alarm", Alarm: "web-5xx", Text: "ALARM"})
	}, outcome: rollout.RolledBack, version: 1, pointer: "3", held: true},
	{name: "an alarm goes off at the end", shape: rolltest.Shape{Extra: `alarm "web-5xx" {}`}, spec: func(s *rollout.Spec) {
		s.Alarms, s.FinalBake = []string{"web-5xx"}, 10*time.Minute
	}, meet: func(t *testing.T, s *rolltest.Stage) {
		act(t, s, 8*time.Minute, awssim.Action{Do: "set_alarm", Alarm: "web-5xx", Text: "ALARM"})
	}, outcome: rollout.RolledBack, version: 1, pointer: "3", held: true},
	{name: "an alarm without data for a while", shape: rolltest.Shape{Extra: `alarm "web-5xx" {}`}, spec: func(s *rollout.Spec) {
		s.Alarms = []string{"web-5xx"}
	}, meet: func(t *testing.T, s *rolltest.Stage) {
		if err := s.World.Act(awssim.Action{Do: "set_alarm", Alarm: "web-5xx", Text: "INSUFFICIENT_DATA"}); err != nil {
			t.Fatal(err)
		}
		act(t, s, 2*time.Minute, awssim.Action{Do: "set_alarm", Alarm: "web-5xx", Text: "OK"})
	}, outcome: rollout.Succeeded, pointer: "2"},
	{name: "interrupted and resumed", roll: func(t *testing.T, s *rolltest.Stage, q roller.Request) (rollout.Outcome, error) {
		ctx, cancel := context.WithCancel(t.Context())
		s.World.At(100*time.Second, cancel)
		if _, err := s.Roll(ctx, q); outcomeOf(err) != rollout.Paused {
			t.Fatalf("interrupted: %v, want it paused\n%s", err, s.Story())
		}
		s.Roller = s.NewRoller("second", 2)
		report, err := s.Roll(t.Context(), q)
		return report.Outcome, err
	}, outcome: rollout.Succeeded, pointer: "2"},
	{name: "its time is up, and resumed", roll: func(t *testing.T, s *rolltest.Stage, q roller.Request) (rollout.Outcome, error) {
		q.Timeout = 90 * time.Second
		if _, err := s.Roll(t.Context(), q); outcomeOf(err) != rollout.Paused {
			t.Fatalf("out of time: %v, want it paused\n%s", err, s.Story())
		}
		q.Timeout = 0
		report, err := s.Roll(t.Context(), q)
		return report.Outcome, err
	}, outcome: rollout.Succeeded, pointer: "2"},
}

func percent(low, high int) func(*rollout.Spec) {
	return func(s *rollout.Spec) { s.MinHealthy, s.MaxHealthy = low, high }
}

func bakes(d time.Duration) func(*rollout.Spec) {
	return func(s *rollout.Spec) { s.FinalBake = d }
}

// broken is a group whose newer image never becomes healthy.
func broken(pointer string) rolltest.Shape {
	return rolltest.Shape{Image: "never_healthy = true", Pointer: pointer, Group: "launched_from = 1"}
}

// outcomeOf is how a roll that failed ended; empty: it never began.
func outcomeOf(err error) rollout.Outcome {
	var e *roller.Error
	if errors.As(err, &e) && e.Report != nil {
		return e.Report.Outcome
	}
	return ""
}

// TestParity plays every scenario on both engines: the same outcome, and the
// group in the same state.
func TestParity(t *testing.T) {
	t.Parallel()
	for _, c := range scenarios {
		for _, engine := range engines {
			t.Run(fmt.Sprintf("%s/%s", c.name, engine), func(t *testing.T) {
				t.Parallel()
				c.play(t, engine)
			})
		}
	}
}

func (c parity) play(t *testing.T, engine rollout.Engine) {
	t.Helper()
	c.shape.Members = 4
	if !c.shape.NoTargets {
		c.shape.Group += "\n health_check = \"ELB\"" // what an instance refresh waits for
	}
	s := rolltest.New(t, c.shape)
	q := rolltest.Request(100, 150)
	q.LockTimeout = 10 * time.Minute
	q.Spec.Engine = engine
	if c.spec != nil {
		c.spec(&q.Spec)
	}
	s.Referee(q)
	s.Excuse()  // members fail by themselves
	s.Lenient() // AWS rounds its limits as it likes
	if c.meet != nil {
		c.meet(t, s)
	}
	got, err := rollout.Outcome(""), error(nil)
	if c.roll != nil {
		got, err = c.roll(t, s, q)
	} else {
		var report roller.Report
		report, err = s.Roll(t.Context(), q)
		got = report.Outcome
	}
	if err != nil {
		got = outcomeOf(err)
	}
	if got != c.outcome {
		t.Fatalf("outcome = %q (%v), want %q\n%s", got, err, c.outcome, s.Story())
	}
	c.check(t, s)
	if t.Failed() {
		t.Logf("error: %v\n%s", err, s.Story())
	}
}

// check compares the group with what the scenario leaves.
func (c parity) check(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	s.World.Advance(2 * time.Minute) // what is being ended goes
	g, want := s.Group(), max(c.desired, 4)
	on := rolltest.On(g, max(c.version, 2))
	if c.version == 1 {
		on = rolltest.On(g, 1) + rolltest.On(g, 3) // the copy is the same
	}
	if g.Desired != want || g.Launched() != want || g.Healthy() != want || on != want {
		t.Errorf("desired %d, launched %d, healthy %d, %d as wanted; want %d of each", g.Desired, g.Launched(), g.Healthy(), on, want)
	}
	if g.Version != c.pointer || len(g.Suspended) > 0 {
		t.Errorf("the pointer is on %s, suspended %v; want %s, none", g.Version, g.Suspended, c.pointer)
	}
	// What a plan would find now.
	q := rolltest.Request(100, 150)
	q.Version = "1"
	if c.version != 1 {
		q.Version = "2"
	}
	if a, err := s.Roller.Assess(t.Context(), q); err != nil || !a.Converged {
		t.Errorf("afterwards: converged %t, %v, want true", a.Converged, err)
	}
	q.Version = "2"
	if a, err := s.Roller.Assess(t.Context(), q); err != nil || (a.Held != "") != c.held {
		t.Errorf("afterwards: held %q, %v, want a quarantine: %t", a.Held, err, c.held)
	}
}
