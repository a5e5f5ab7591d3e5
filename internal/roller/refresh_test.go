package roller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// refreshed stages a group that an instance refresh can roll, and a request to.
func refreshed(t *testing.T, shape rolltest.Shape) (*rolltest.Stage, roller.Request) {
	t.Helper()
	shape.Members = 4
	shape.Group += "\n health_check = \"ELB\""
	s := rolltest.New(t, shape)
	q := rolltest.Request(100, 150)
	q.Spec.Engine = rollout.EngineRefresh
	q.LockTimeout = 10 * time.Minute
	s.Referee(q)
	s.Excuse()
	s.Lenient()
	return s, q
}

// inOrder checks that the group is whole and that nobody works on it any more.
func inOrder(t *testing.T, s *rolltest.Stage, versions ...int64) {
	t.Helper()
	s.World.Advance(3 * time.Minute)
	g, on := s.Group(), 0
	for _, v := range versions {
		on += rolltest.On(g, v)
	}
	if g.Desired != 4 || g.Launched() != 4 || g.Healthy() != 4 || on != 4 || len(g.Suspended) > 0 {
		t.Errorf("desired %d, launched %d, healthy %d, %d on versions %v, suspended %v\n%s", g.Desired, g.Launched(), g.Healthy(), on, versions, g.Suspended, s.Story())
	}
	if n, over := strings.Count(s.Story(), " begins\n"), strings.Count(s.Story(), "instance refresh ended: "); n != over {
		t.Errorf("%d instance refreshes began and %d ended\n%s", n, over, s.Story())
	}
}

// begun counts the instance refreshes of a story.
func begun(s *rolltest.Stage) int { return strings.Count(s.Story(), " begins\n") }

// TestRefresh_onFailure: pause and leave cancel the refresh and leave members as
// they are.
func TestRefresh_onFailure(t *testing.T) {
	t.Parallel()
	for on, want := range map[rollout.OnFailure]rollout.Outcome{rollout.Pause: rollout.Paused, rollout.LeaveAsIs: rollout.FailedRoll} {
		s, q := refreshed(t, rolltest.Shape{Image: "never_healthy = true"})
		q.Spec.OnFailure = on
		_, err := s.Roll(t.Context(), q)
		_ = ended(t, s, err, want)
		if g := s.Group(); g.Version != "1" || rolltest.On(g, 1) == 0 || strings.Contains(s.Story(), "rolls back") {
			t.Errorf("on_failure = %s leaves the pointer on %s and %d on version 1\n%s", on, g.Version, rolltest.On(g, 1), s.Story())
		}
		if begun(s) != strings.Count(s.Story(), "instance refresh ended: ") {
			t.Errorf("it ended before the instance refresh\n%s", s.Story())
		}
	}
}

// TestRefresh_cancellingForEver: a cancelled refresh waits for members in transition,
// of which there always are some where broken ones are replaced and take long to drain.
func TestRefresh_cancellingForEver(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{Image: "never_healthy = true", Drain: "5m"})
	q.Spec.MinHealthy, q.Spec.MaxHealthy, q.Spec.OnFailure = 50, 100, rollout.Pause
	s.Referee(q)
	_, err := s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.Paused)
	if g := s.Group(); g.Version != "1" || strings.Count(s.Story(), "instance refresh ended: Cancelled") != 1 || s.Elapsed() > 2*q.Spec.InstanceTimeout {
		t.Errorf("after %s the pointer is on %s, want 1 and the instance refresh cancelled\n%s", s.Elapsed(), g.Version, s.Story())
	}
	s.World.Advance(time.Minute)
	q.Spec.OnFailure, q.Retry = rollout.Rollback, "once more"
	_, err = s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	inOrder(t, s, 1, 3)
}

// TestRefresh_secondRefresh goes back by a second refresh where the first is
// over, or AWS cannot roll it back.
func TestRefresh_secondRefresh(t *testing.T) {
	t.Parallel()
	t.Run("irreversible", func(t *testing.T) {
		t.Parallel()
		s, q := refreshed(t, rolltest.Shape{Image: `dies_after = "3m"`})
		inject(t, s, awssim.Fault{Calls: "autoscaling:RollbackInstanceRefresh", Kind: awssim.Fail, Code: "IrreversibleInstanceRefresh", Message: "no", Status: 400})
		q.Spec.FinalBake = 10 * time.Minute
		_, err := s.Roll(t.Context(), q)
		_ = ended(t, s, err, rollout.RolledBack)
		inOrder(t, s, 1, 3)
		if begun(s) != 2 {
			t.Errorf("%d instance refreshes began, want 2\n%s", begun(s), s.Story())
		}
	})
}

// TestRefresh_slow: AWS would wait an hour for members that do not come up;
// instance_timeout is what counts.
func TestRefresh_slow(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{Image: "boot_factor = 60"})
	q.Spec.InstanceTimeout = 5 * time.Minute
	_, err := s.Roll(t.Context(), q)
	e := ended(t, s, err, rollout.RolledBack)
	if !strings.Contains(e.Happened, "instance_timeout is 5m") || s.Elapsed() > 12*time.Minute {
		t.Errorf("after %s: %s\n%s", s.Elapsed(), e.Happened, s.Story())
	}
	inOrder(t, s, 1, 3)
}

// TestRefresh_cannotLaunch: a launch that cannot work is not tried for an hour.
func TestRefresh_cannotLaunch(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{Image: `launch_error = "InvalidAMIID.NotFound"`})
	_, err := s.Roll(t.Context(), q)
	e := ended(t, s, err, rollout.RolledBack)
	if !strings.Contains(e.Happened, "cannot launch from version 2") || s.Elapsed() > 12*time.Minute {
		t.Errorf("after %s: %s\n%s", s.Elapsed(), e.Happened, s.Story())
	}
	inOrder(t, s, 1, 3)
}

// TestRefresh_others: a refresh of somebody else keeps a roll from starting, and
// is named; told to, the roll attaches to one that goes to its version.
func TestRefresh_others(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		version string
		engine  rollout.Engine
		adopt   bool
		want    string // empty: it succeeds
	}{
		{"managed", "2", rollout.EngineManaged, false, "adopt_instance_refresh"},
		{"refused", "2", rollout.EngineRefresh, false, "n instance refresh of the group is running"},
		{"elsewhere", "1", rollout.EngineRefresh, true, "n instance refresh of the group is running"},
		{"adopted", "2", rollout.EngineRefresh, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, q := refreshed(t, rolltest.Shape{})
			q.Spec.Engine, q.Spec.AdoptRefresh = c.engine, c.adopt
			act(t, s, 0, awssim.Action{Do: "start_refresh", Version: c.version, Refresh: &awssim.RefreshSpec{SkipMatching: c.version == "2"}})
			s.World.Advance(10 * time.Second)
			_, err := s.Roll(t.Context(), q)
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("roll = %v\n%s", err, s.Story())
			case c.want == "":
				inOrder(t, s, 2)
			case err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "since 2026-") || !strings.Contains(err.Error(), "Nothing was changed"):
				t.Errorf("roll = %v, want a refusal that says %q\n%s", err, c.want, s.Story())
			}
			if begun(s) != 1 {
				t.Errorf("%d instance refreshes began\n%s", begun(s), s.Story())
			}
		})
	}
}

// TestRefresh_adoptedFails: an adopted refresh is judged like one of Refit's own.
func TestRefresh_adoptedFails(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{Image: "never_healthy = true"})
	q.Spec.AdoptRefresh = true
	act(t, s, 0, awssim.Action{Do: "start_refresh", Version: "2"})
	s.World.Advance(10 * time.Second)
	_, err := s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	inOrder(t, s, 1, 3)
}

// TestRefresh_superseded: somebody cancels the roll's refresh, and may start
// their own.
func TestRefresh_superseded(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		s, q := refreshed(t, rolltest.Shape{})
		act(t, s, 70*time.Second, awssim.Action{Do: "cancel_refresh"})
		if own {
			act(t, s, 80*time.Second, awssim.Action{Do: "start_refresh", Version: "1"})
		}
		_, err := s.Roll(t.Context(), q)
		e := ended(t, s, err, rollout.Superseded)
		if !strings.Contains(e.Happened, "somebody else") {
			t.Errorf("happened = %q\n%s", e.Happened, s.Story())
		}
		if strings.Contains(s.Story(), "call   cancel") {
			t.Errorf("somebody else's refresh was cancelled\n%s", s.Story())
		}
	}
}

// TestRefresh_oldOnes: members of the old version that a scale-out brings during
// the refresh, against AWS's documentation, are replaced by another one.
func TestRefresh_oldOnes(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{})
	s.World.SetRefreshScaleOut(true)
	act(t, s, 2*time.Minute, awssim.Action{Do: "scale", Value: 2})
	s.Outside(6)
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	if begun(s) != 2 {
		t.Errorf("%d instance refreshes began, want 2\n%s", begun(s), s.Story())
	}
}

// TestRefresh_switched: a roll that one engine has begun is finished by the other.
func TestRefresh_switched(t *testing.T) {
	t.Parallel()
	for _, first := range engines {
		for at := 10 * time.Second; at < 4*time.Minute; at += 31 * time.Second {
			for _, crash := range []bool{false, true} {
				s, q := refreshed(t, rolltest.Shape{Pointer: "$Default"})
				q.Spec.Engine = first
				if crash {
					s.Crash(t.Context(), q, int(at/(4*time.Second)), true)
				} else {
					ctx, cancel := context.WithCancel(t.Context())
					s.World.At(at, cancel)
					_, _ = s.Roll(ctx, q) // how it ends is in the journal
				}
				q.Spec.Engine = engines[0]
				if first == engines[0] {
					q.Spec.Engine = engines[1]
				}
				s.Roller = s.NewRoller("second", 2)
				if _, err := s.Roll(t.Context(), q); err != nil {
					t.Fatalf("%s until %s (crash: %t), then the other: %v\n%s", first, at, crash, err, s.Story())
				}
				inOrder(t, s, 2)
				if t.Failed() {
					t.Fatalf("%s until %s (crash: %t), then the other", first, at, crash)
				}
			}
		}
	}
}

// TestRefresh_elsewhere: a roll to another version takes over from one that was
// killed while its refresh was running.
func TestRefresh_elsewhere(t *testing.T) {
	t.Parallel()
	for n := 0; n < 40; n += 3 {
		s, q := refreshed(t, rolltest.Shape{})
		if !s.Crash(t.Context(), q, n, true) {
			break
		}
		q.Version = "1"
		s.Roller = s.NewRoller("second", 2)
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("crash at call %d, then back: %v\n%s", n, err, s.Story())
		}
		inOrder(t, s, 1)
		if t.Failed() {
			t.Fatalf("crash at call %d", n)
		}
	}
}

// TestRefresh_keptMembers: what is asked for members that somebody keeps from a
// roll is what AWS is told.
func TestRefresh_keptMembers(t *testing.T) {
	t.Parallel()
	for treatment, want := range map[rollout.Treatment]rollout.Outcome{
		rollout.Ignore: rollout.Partial, rollout.Wait: rollout.Paused, rollout.Refresh: rollout.Succeeded,
	} {
		for _, engine := range engines {
			t.Run(fmt.Sprintf("%s/%s", treatment, engine), func(t *testing.T) {
				t.Parallel()
				s, q := refreshed(t, rolltest.Shape{})
				q.Spec.Engine, q.Spec.Protected = engine, treatment
				protect(t, s, true, s.Group().Members[0].ID)
				report, err := s.Roll(t.Context(), q)
				got := report.Outcome
				if err != nil {
					got = outcomeOf(err)
				}
				if on := rolltest.On(s.Group(), 2); got != want || want != rollout.Succeeded && on != 3 {
					t.Errorf("outcome %q (%v) with %d on version 2, want %q\n%s", got, err, on, want, s.Story())
				}
			})
		}
	}
}

// TestRefresh_denied: a missing permission is named.
func TestRefresh_denied(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]rollout.Outcome{
		"StartInstanceRefresh": rollout.FailedRoll, "RollbackInstanceRefresh": rollout.Paused,
	} {
		s, q := refreshed(t, rolltest.Shape{Image: "never_healthy = true"})
		inject(t, s, awssim.Fault{Calls: "autoscaling:" + call, Kind: awssim.Deny})
		_, err := s.Roll(t.Context(), q)
		e := ended(t, s, err, want)
		if !strings.Contains(e.Happened, "autoscaling:"+call) {
			t.Errorf("happened = %q, want the action\n%s", e.Happened, s.Story())
		}
	}
}

// TestRefresh_warmPool rolls a group with a warm pool, which no other engine can.
func TestRefresh_warmPool(t *testing.T) {
	t.Parallel()
	s, q := refreshed(t, rolltest.Shape{Group: "warm_pool {\n min_size = 2\n }"})
	s.World.Advance(5 * time.Minute)
	q.Spec.Engine = rollout.EngineManaged
	if _, err := s.Roll(t.Context(), q); err == nil || !strings.Contains(err.Error(), "warm pool") {
		t.Errorf("the other engine: %v, want a refusal that names the warm pool", err)
	}
	q.Spec.Engine = rollout.EngineRefresh
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	if g := s.Group(); rolltest.On(g, 2) != 4 || g.Healthy() != 4 {
		t.Errorf("%d on version 2, %d healthy, want 4\n%s", rolltest.On(g, 2), g.Healthy(), s.Story())
	}
}

// TestRefresh_mixed rolls groups with a mixed instances policy, of which nothing
// but the version changes, forward and back.
func TestRefresh_mixed(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]rollout.Outcome{"": rollout.Succeeded, "never_healthy = true": rollout.RolledBack} {
		s, q := refreshed(t, rolltest.Shape{Group: halfSpot, Image: image})
		before := policy(t, s)
		report, err := s.Roll(t.Context(), q)
		got := report.Outcome
		if err != nil {
			got = outcomeOf(err)
		}
		if got != want {
			t.Fatalf("roll = %q, %v, want %q\n%s", got, err, want, s.Story())
		}
		if want == rollout.Succeeded {
			inOrder(t, s, 2)
		} else {
			inOrder(t, s, 1, 3)
		}
		if after := policy(t, s); after != before {
			t.Errorf("policy = %s, was %s", after, before)
		}
	}
}

// TestRefresh_channel: the version stays, the image its parameter means does
// not; AWS cannot roll that back, so a second refresh goes to the copy that
// names the old image.
func TestRefresh_channel(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{"": "map[golden-web-2:4]", "never_healthy = true": "map[golden-web-1:4]"} {
		s := rolltest.FromScenario(t, strings.Replace(fmt.Sprintf(channel, image), "desired  = 4", "desired  = 4\n health_check = \"ELB\"", 1), false)
		q := rolltest.Request(100, 150)
		q.Version, q.Spec.Engine = "1", rollout.EngineRefresh
		s.Referee(q)
		s.Excuse()
		s.Lenient()
		s.World.PutParameter("/golden/web", imageOf(t, s, "golden-web-2"))
		s.World.Advance(time.Minute)
		_, err := s.Roll(t.Context(), q)
		if image != "" {
			_ = ended(t, s, err, rollout.RolledBack)
		} else if err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.World.Advance(5 * time.Minute)
		if got := runs(s); got != want || s.Group().Desired != 4 || s.Group().Healthy() != 4 {
			t.Errorf("%s, pointer %s, want %s\n%s", got, s.Group().Version, want, s.Story())
		}
	}
}

// TestRefresh_heldUp: somebody starts an instance refresh while the processes are
// suspended that a dead owner had suspended. It waits for them; who comes next
// resumes them, with either engine, and rolls once it is over.
func TestRefresh_heldUp(t *testing.T) {
	t.Parallel()
	for _, engine := range []rollout.Engine{rollout.EngineManaged, rollout.EngineRefresh} {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Group: `health_check = "ELB"`})
		q := rolltest.Request(100, 150)
		q.LockTimeout = 10 * time.Minute
		s.Crash(t.Context(), q, 14, true)
		if _, held := s.Group().Suspended["InstanceRefresh"]; !held {
			t.Fatalf("the owner died before it had suspended anything\n%s", s.Story())
		}
		s.Lenient()
		s.Excuse()
		if err := s.World.Act(awssim.Action{Do: "start_refresh", Group: "web", Version: "1"}); err != nil {
			t.Fatal(err)
		}
		s.World.Advance(time.Hour)
		s.Roller = s.NewRoller("second", 2)
		q.Spec.Engine = engine
		_, err := s.Roll(t.Context(), q)
		if e := ended(t, s, err, rollout.Superseded); !strings.Contains(e.Happened, "somebody else started an instance refresh") {
			t.Errorf("%s: %q, want that it is somebody else's instance refresh", engine, e.Happened)
		}
		if left := s.Group().Suspended; len(left) > 0 {
			t.Errorf("%s: suspended %v, want nothing", engine, left)
		}
		s.World.Advance(time.Hour)
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("%s: once it is over: %v\n%s", engine, err, s.Story())
		}
		s.World.Advance(5 * time.Minute)
		s.Settled(2)
	}
}
