package roller_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// boundary is a call before which an outside actor acts.
func boundary(r *rand.Rand) (call string, nth int) {
	return pick(r,
		"*", "autoscaling:*", "autoscaling:LaunchInstances", "autoscaling:TerminateInstanceInAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup",
		"autoscaling:DescribeAutoScalingGroups", "autoscaling:SuspendProcesses", "autoscaling:ResumeProcesses", "ssm:PutParameter",
	), 1 + r.IntN(20)
}

// do lets somebody act on the staged group, and says whether AWS did it.
func do(t *testing.T, s *rolltest.Stage, a awssim.Action) bool {
	t.Helper()
	a.Group = "web"
	err := s.World.Act(a)
	return err == nil
}

// reported says whether a roll has told that it left more than others may want.
func reported(s *rolltest.Stage) bool {
	return strings.Contains(s.Story(), "no scaling activity explains it") || strings.Contains(s.Story(), "came late")
}

// TestChaos_writers lets somebody write the desired capacity at a call boundary:
// a person or a scheduled action, or aws_autoscaling_group, which writes the
// limits with it. That is what the group has in the end, or more where it cannot
// be told from what a dead owner did, and then the roll says so.
func TestChaos_writers(t *testing.T) {
	t.Parallel()
	chaotic(t, 12, func(t *testing.T, r *rand.Rand) {
		call, nth := boundary(r)
		want, stack := 1+r.IntN(12), r.IntN(3) == 0
		acted, over := false, false
		s, q, members := chaosWith(t, r, odd{}, func(s *rolltest.Stage, _ *roller.Request) {
			if stack {
				want = s.Group().Desired // it knows no other
			}
			s.World.BeforeCall(call, nth, func() {
				g := s.Group()
				if over || want >= g.Max || want == g.Desired {
					return // there must be room to roll; what changes nothing leaves no trace
				}
				acted = true
				s.Lenient()
				s.Hurt()
				s.Outside(min(want, s.Wanted())) // the least floor that is right
				if want > s.Wanted() {
					s.Excuse() // those are still to come
				}
				a := awssim.Action{Do: "set_desired", Value: want}
				if stack {
					a = awssim.Action{Do: "set_limits", Min: new(int), Max: &g.Max}
					do(t, s, a)
					a = awssim.Action{Do: "set_desired", Value: want}
				}
				if !do(t, s, a) {
					t.Errorf("%+v was refused", a)
				}
			})
		})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		over = true
		s.World.Advance(5 * time.Minute)
		g := s.Group()
		if !acted {
			want = members
		}
		if g.Desired < want || g.Desired > want && !reported(s) || rolltest.On(g, 2) != g.Desired {
			t.Errorf("%d written before %s %d: desired %d, %d on version 2\n%s", want, call, nth, g.Desired, rolltest.On(g, 2), s.Story())
		}
	})
}

// TestChaos_tracking is the same with target tracking, which takes the surge for
// idle capacity and scales in, several times. It has met nothing but surge.
func TestChaos_tracking(t *testing.T) {
	t.Parallel()
	chaotic(t, 13, func(t *testing.T, r *rand.Rand) {
		times, every := 1+r.IntN(3), time.Duration(30+r.IntN(120))*time.Second
		in, over := 0, false
		s, q, members := chaosWith(t, r, odd{}, func(s *rolltest.Stage, _ *roller.Request) {
			wanted := s.Group().Desired
			for i := range 8 {
				s.World.At(time.Duration(i+1)*every, func() {
					if surge := s.Group().Desired - wanted; !over && surge > 0 && times > 0 {
						times--
						in += surge
						s.Lenient()
						s.Excuse() // AWS takes whom it likes
						s.Outside(max(wanted-in, 1))
						do(t, s, awssim.Action{Do: "scale", Value: -surge})
					}
				})
			}
		})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		over = true
		s.World.Advance(3 * time.Minute)
		if g := s.Group(); g.Desired < members || g.Desired > members && !reported(s) || rolltest.On(g, 2) != g.Desired {
			t.Errorf("scaled in by %d: desired %d, %d on version 2, want %d\n%s", in, g.Desired, rolltest.On(g, 2), members, s.Story())
		}
	})
}

// TestChaos_processes lets somebody suspend the processes that a roll suspends,
// or resume them, at call boundaries. At the end only theirs are suspended.
func TestChaos_processes(t *testing.T) {
	t.Parallel()
	chaotic(t, 14, func(t *testing.T, r *rand.Rand) {
		const process = "InstanceRefresh"
		over := false
		s, q, _ := chaosWith(t, r, odd{}, func(s *rolltest.Stage, _ *roller.Request) {
			for range 1 + r.IntN(3) {
				call, nth := boundary(r)
				what := pick(r, "suspend", "resume")
				s.World.BeforeCall(call, nth, func() {
					if over {
						return
					}
					_, before := s.Group().Suspended[process]
					if !do(t, s, awssim.Action{Do: what, Processes: []string{process}}) {
						t.Errorf("%s was refused", what)
					}
					switch reason := s.Group().Suspended[process]; {
					case what == "resume":
						s.Theirs(process, "")
					case !before:
						s.Theirs(process, reason)
					}
				})
			}
		})
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		over = true
		s.Settled(2)
	})
}

// TestChaos_pointer lets somebody point the group elsewhere at a call boundary:
// whoever rolls then ends, and leaves it there; who is asked again rolls.
func TestChaos_pointer(t *testing.T) {
	t.Parallel()
	chaotic(t, 15, func(t *testing.T, r *rand.Rand) {
		call, nth := boundary(r)
		const theirs = "$Latest"
		var moved time.Duration
		over, seen := false, false
		s, q, _ := chaosWith(t, r, odd{}, func(s *rolltest.Stage, _ *roller.Request) {
			s.World.BeforeCall(call, nth, func() {
				if over || s.Group().Version == theirs {
					return
				}
				if seen = do(t, s, awssim.Action{Do: "set_pointer", Version: theirs}); seen {
					moved = s.Elapsed()
				}
			})
		})
		report, err := s.Roll(t.Context(), q)
		over = true
		if report.Outcome == rollout.Superseded {
			if at := s.Group().Version; at != theirs {
				t.Errorf("superseded, and the pointer is on %s, want %s", at, theirs)
			}
			_, err = s.Roll(t.Context(), q)
		}
		if err != nil {
			t.Fatalf("moved %t after %s: %v\n%s", seen, moved, err, s.Story())
		}
		s.Settled(2)
	})
}

// TestChaos_refreshers lets somebody start an instance refresh at a call
// boundary, and sometimes cancel it. The roll keeps it from beginning or ends, and
// blames no image for it; when it is over, another one finishes.
func TestChaos_refreshers(t *testing.T) {
	t.Parallel()
	chaotic(t, 16, func(t *testing.T, r *rand.Rand) {
		call, nth := boundary(r)
		began, over := false, false
		s, q, _ := chaosWith(t, r, odd{}, func(s *rolltest.Stage, _ *roller.Request) {
			cancel := r.IntN(2) == 0
			s.World.BeforeCall(call, nth, func() {
				if over || !do(t, s, awssim.Action{Do: "start_refresh", Version: pick(r, "", "1", "2")}) {
					return
				}
				began = true
				s.Lenient() // AWS replaces members as it likes
				s.Excuse()
				replacing := false
				s.World.OnEvent(func(e awssim.Event) {
					if strings.HasPrefix(e.Text, "instance refresh") {
						replacing = !strings.Contains(e.Text, " ended")
					}
					if replacing && !over && strings.HasSuffix(e.Text, "terminating") {
						s.Surprise() // a look may be older
					}
				})
				if cancel {
					s.World.At(90*time.Second, func() { do(t, s, awssim.Action{Do: "cancel_refresh"}) })
				}
			})
		})
		report, err := s.Roll(t.Context(), q)
		over = true
		if o := report.Outcome; err != nil && o != rollout.Superseded && o != "" {
			t.Errorf("%s: %v", o, err)
		}
		if began { // also one that began as the roll ended, which replaces what that has launched
			do(t, s, awssim.Action{Do: "cancel_refresh"}) // as it says
			s.World.Advance(time.Hour)
			_, err = s.Roll(t.Context(), q)
		}
		if err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.World.Advance(5 * time.Minute)
		s.Settled(2)
	})
}
