package roller_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestChaos_refresh stages random worlds in which owners with either engine come,
// are interrupted and die, and calls fail. The last one lets AWS drive, is left in
// peace, and brings the group to where it belongs.
func TestChaos_refresh(t *testing.T) {
	t.Parallel()
	refreshWorlds(t, false)
}

// TestChaos_meddlers is the same while somebody else starts an instance refresh,
// cancels the one that runs or rolls it back. A roll may end for it, and blames no
// image; when it is over, another one brings the group to where it belongs.
func TestChaos_meddlers(t *testing.T) {
	t.Parallel()
	refreshWorlds(t, true)
}

// refreshWorlds are the worlds of TestChaos_refresh, with or without somebody
// else at work.
func refreshWorlds(t *testing.T, meddled bool) {
	t.Helper()
	name := t.Name()
	for seed := range *worlds / kinds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := seeded(seed, 900+*stream<<8)
			image := pick(r, "", "", "never_healthy = true")
			shape := rolltest.Shape{
				Members: 1 + r.IntN(7), Pointer: pick(r, "1", "1", "$Default", "$Latest", "2"), S3: r.IntN(3) == 0, Image: image,
				Group: "launched_from = 1\n health_check = \"ELB\"",
			}
			s := rolltest.New(t, shape)
			if !*wire {
				s.Direct()
			}
			p := pick(r, [2]int{100, 110}, [2]int{100, 150}, [2]int{100, 200}, [2]int{90, 110}, [2]int{50, 100}, [2]int{75, 125})
			q := rolltest.Request(p[0], p[1])
			q.LockTimeout = 10 * time.Minute
			if r.IntN(3) == 0 {
				q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 1 + r.IntN(60), Bake: time.Duration(r.IntN(3)) * time.Minute}}
			}
			s.Referee(q)
			s.Excuse()
			s.Lenient()
			refreshTrouble(t, s, r)
			over, theirs := false, false
			if meddled {
				meddle(t, s, seeded(seed, 901+*stream<<8), &over, &theirs)
			}
			for owner := range 1 + r.IntN(3) {
				q.Spec.Engine = pick(r, rollout.EngineRefresh, rollout.EngineRefresh, rollout.EngineManaged)
				if image != "" {
					// A roll of a broken image that changes to this engine in the middle
					// may pause for good; see TestRefresh_switchedBroken.
					q.Spec.Engine = rollout.EngineRefresh
				}
				if r.IntN(2) == 0 {
					s.Crash(t.Context(), q, r.IntN(60), r.IntN(2) == 0)
				} else {
					ctx, cancel := context.WithCancel(t.Context())
					s.World.At(s.Elapsed()+time.Duration(r.IntN(400))*time.Second, cancel)
					_, _ = s.Roll(ctx, q) // how it ends matters to the last owner only
					cancel()
				}
				// It may be over. A look older than that would begin another roll.
				s.World.Advance(time.Minute)
				s.Roller = s.NewRoller(fmt.Sprint("next ", owner), 2+owner)
			}
			s.World.ClearFaults()
			q.Timeout = 3 * time.Hour // a roll that goes on for ever fails
			q.Spec.Engine = rollout.EngineRefresh
			report, err := s.Roll(t.Context(), q)
			lost := false
			if over = true; meddled {
				o := report.Outcome
				if image == "" && (o == rollout.RolledBack || o == rollout.FailedRoll) {
					t.Errorf("%s: %v", o, err)
				}
				lost = theirs && unknowable(s, shape, o)
				err = rollAfter(t, s, q)
			}
			s.World.Advance(5 * time.Minute)
			if g := s.Group(); !lost || err != nil || g.Desired != shape.Members || g.Launched() != shape.Members || len(g.Suspended) > 0 {
				refreshEnd(t, s, fmt.Sprintf("%+v at %v", shape, p), image, err)
			}
			if t.Failed() {
				t.Logf("to play this world again: go test ./internal/roller -run '^%s$/^%d$' -chaos %d -stream %d\n%s", name, seed, *worlds, *stream, s.Story())
			}
		})
	}
}

// unknowable says whether nobody can tell that there is anything to roll: of a group
// that was found pointing at a broken image nothing is left of the version before, and
// no roll that knows it is on record. Somebody cancelled the refresh when the broken
// members were all that AWS had left, or was to leave, or had AWS replace the others by
// a refresh of their own. o is how the last roll has ended.
func unknowable(s *rolltest.Stage, shape rolltest.Shape, o rollout.Outcome) bool {
	return shape.Image != "" && (shape.Pointer == "2" || shape.Pointer == "$Latest") && rolltest.On(s.Group(), 1) == 0 &&
		(o == rollout.Succeeded || o == rollout.Superseded)
}

// refreshEnd holds a group to its end: the target, or the version before a broken
// one.
func refreshEnd(t *testing.T, s *rolltest.Stage, world, image string, err error) {
	t.Helper()
	g, good, members := s.Group(), rolltest.On(s.Group(), 2), s.Wanted()
	if image == "" && (err != nil || good != members) || image != "" && (err == nil || good > 0) || (g.Points == 2) != (image == "") {
		t.Errorf("%s: %v, %d on version 2, the group points at %s", world, err, good, g.Version)
	}
	if g.Desired != members || g.Healthy() != members || g.Launched() != members || len(g.Suspended) > 0 {
		t.Errorf("desired %d, launched %d, healthy %d, suspended %v, want %d", g.Desired, g.Launched(), g.Healthy(), g.Suspended, members)
	}
}

// rollAfter rolls once somebody else's refresh is over: twice where that has undone
// this roll's own while nobody watched, which the first one tells and leaves.
func rollAfter(t *testing.T, s *rolltest.Stage, q roller.Request) error {
	t.Helper()
	do(t, s, awssim.Action{Do: "cancel_refresh"}) // as the roll says
	s.World.Advance(time.Hour)
	q.Retry = "what failed may have been theirs"
	report, err := s.Roll(t.Context(), q)
	if report.Outcome == rollout.Paused && strings.Contains(report.Reason, "members were not replaced") {
		_, err = s.Roll(t.Context(), q)
	}
	return err
}

// meddle lets somebody else start, cancel or roll back a refresh some time before
// it is over. theirs: AWS has cancelled one for them, or begun one that may go to
// version 2.
func meddle(t *testing.T, s *rolltest.Stage, r *rand.Rand, over, theirs *bool) {
	t.Helper()
	a := awssim.Action{Do: pick(r, "start_refresh", "cancel_refresh", "cancel_refresh", "rollback_refresh"), Version: pick(r, "", "1", "2")}
	s.World.At(time.Duration(r.IntN(900))*time.Second, func() {
		if !*over {
			*theirs = do(t, s, a) && (a.Do == "cancel_refresh" || a.Do == "start_refresh" && a.Version != "1")
		}
	})
}

// refreshTrouble lets looks be old and calls about instance refreshes fail, among
// others.
func refreshTrouble(t *testing.T, s *rolltest.Stage, r *rand.Rand) {
	t.Helper()
	if r.IntN(2) == 0 {
		s.Stale(time.Duration(1+r.IntN(25))*time.Second, "autoscaling")
	}
	calls := []string{
		"StartInstanceRefresh", "CancelInstanceRefresh", "RollbackInstanceRefresh", "DescribeInstanceRefreshes", "UpdateAutoScalingGroup",
		"DescribeAutoScalingGroups", "DescribeScalingActivities",
	}
	for range r.IntN(5) {
		inject(t, s, awssim.Fault{
			Calls: "autoscaling:" + pick(r, calls...),
			Kind:  pick(r, awssim.LoseAnswer, awssim.Drop, awssim.ServerError, awssim.Throttle), Skip: r.IntN(4), Times: 1 + r.IntN(3),
		})
	}
}

// TestRefresh_switchedBroken: what a roll of a broken image by the managed
// engine has added cannot be ended while AWS replaces it again and again. The
// other engine says so after instance_timeout, and the first one finishes it.
func TestRefresh_switchedBroken(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 1, Max: 3, Pointer: "2", Image: "never_healthy = true", Group: "launched_from = 1\n health_check = \"ELB\""})
	q := rolltest.Request(100, 200)
	ctx, cancel := context.WithCancel(t.Context())
	s.World.At(86*time.Second, cancel)
	if err := s.World.SetStaleness("autoscaling", 10*time.Second); err != nil {
		t.Fatal(err)
	}
	s.Referee(q)
	s.Excuse()
	s.Lenient()
	_, err := s.Roll(ctx, q)
	_ = ended(t, s, err, rollout.Paused)
	s.World.Advance(time.Minute)
	s.Roller = s.NewRoller("second", 2)
	q.Spec.Engine = rollout.EngineRefresh
	_, err = s.Roll(t.Context(), q)
	if e := ended(t, s, err, rollout.Paused); !strings.Contains(e.Happened, "cannot be ended") || !strings.Contains(e.Next, `engine = "managed"`) {
		t.Errorf("paused because %q, next %q", e.Happened, e.Next)
	}
	s.World.Advance(time.Minute)
	s.Roller = s.NewRoller("third", 3)
	q.Spec.Engine = rollout.EngineManaged
	_, err = s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	if g := s.Group(); g.Desired != 1 || g.Healthy() != 1 || rolltest.On(g, 2) > 0 {
		t.Errorf("at the end: %+v\n%s", g, s.Story())
	}
}
