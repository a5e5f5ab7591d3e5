package roller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// crash is a roll to be killed at each of its calls.
type crash struct {
	name      string
	shape     rolltest.Shape
	low, high int
	spec      func(*rollout.Spec)
	broken    bool // the image: the group of three ends on what it had
}

// stage makes the world of a roll, and its request.
func (c crash) stage(t *testing.T) (*rolltest.Stage, roller.Request) {
	t.Helper()
	if c.broken {
		c.shape.Members = 3
	}
	s := rolltest.New(t, c.shape)
	s.Direct()
	q := rolltest.Request(c.low, c.high)
	q.LockTimeout = 10 * time.Minute
	if c.spec != nil {
		c.spec(&q.Spec)
	}
	s.Referee(q)
	if c.broken {
		s.Excuse()
	}
	return s, q
}

// check compares what a successor has left with where the roll was going.
func (c crash) check(t *testing.T, s *rolltest.Stage, err error) {
	t.Helper()
	g := s.Group()
	switch {
	case !c.broken && err != nil:
		t.Errorf("resume: %v", err)
	case !c.broken:
		s.Settled(2)
	case outcomeOf(err) != rollout.RolledBack && !strings.Contains(fmt.Sprint(err), "is in quarantine"): // the latter where it was over
		t.Errorf("resume: %v, want it rolled back", err)
	case g.Desired != 3 || g.Healthy() != 3 || rolltest.On(g, 2) != 0 || g.Points == 2 || len(g.Suspended) > 0:
		t.Errorf("the group is %+v", g)
	}
	if entry, _, err := s.Roller.Journal.Peek(t.Context(), g.ARN); err != nil || entry.State != journal.Settled {
		t.Errorf("the journal says %s, %v", entry.State, err)
	}
	before, after, _ := strings.Cut(s.Story(), "the process is dead")
	if strings.Contains(before, "going back to version 1") && strings.Contains(after, "from version 2") {
		t.Error("the broken image is tried again")
	}
}

// TestCrash kills the owner of representative rolls before and after every single
// call to AWS. The successor brings the group to where the roll was going, and never
// breaks a limit on the way.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, c := range []crash{
		{name: "ending first", shape: rolltest.Shape{Members: 3}, low: 60, high: 100},
		{name: "a checkpoint and a bake", shape: rolltest.Shape{Members: 4, Pointer: "$Default"}, low: 100, high: 150, spec: func(s *rollout.Spec) {
			s.Checkpoints, s.FinalBake = []rollout.Checkpoint{{Percentage: 25, Bake: time.Minute}}, time.Minute
		}},
		{name: "the pointer on it already, in S3", shape: rolltest.Shape{Members: 3, Pointer: "2", Group: "launched_from = 1", S3: true}, low: 100, high: 150},
		{name: "without LaunchInstances", shape: rolltest.Shape{Members: 3, Group: halfSpot + "suspended = [\"AZRebalance\"]"}, low: 100, high: 150},
		{name: "a broken image", shape: broken(""), low: 100, high: 150, broken: true},
		{name: "a broken image, ending first", shape: broken("$Default"), low: 50, high: 100, broken: true},
		{name: "a broken image on $Latest", shape: broken("$Latest"), low: 100, high: 200, broken: true},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after: %t", c.name, after), func(t *testing.T) {
				t.Parallel()
				for n := 0; ; n++ {
					s, q := c.stage(t)
					if !s.Crash(t.Context(), q, n, after) {
						t.Logf("%d points of crash", n)
						break
					}
					s.Roller = s.NewRoller("second", 2)
					_, err := s.Roll(t.Context(), q)
					if c.check(t, s, err); t.Failed() {
						t.Fatalf("crash at call %d\n%s", n, s.Story())
					}
				}
			})
		}
	}
}
