package roller_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// ill is an image that is ill by one signal or check only, and the choice of it.
type ill struct {
	image, extra string
	choose       func(*rollout.Spec)
}

// answers is how an image answers the probes of random worlds; one path after it
// counts more.
const answers = `
http "/" { body = "ok" }
`

// illnesses are images that fail by one thing each.
func illnesses() []ill {
	return []ill{
		{image: answers + `http "/healthz" { body = "starting" }`, choose: probing},
		{image: "status_impaired = true\n", choose: func(s *rollout.Spec) { s.EC2Status = true }},
		{extra: `alarm "web-4xx" {
  while_image = "golden-web-2"
  delay       = "1m"
}`, choose: func(s *rollout.Spec) { s.Alarms = append(s.Alarms, "web-4xx") }},
		{extra: `function "orders" { fail_while_image = "golden-web-2" }`, choose: func(s *rollout.Spec) {
			c := rollout.DefaultCheck("orders")
			c.Function = "orders"
			s.Checks = append(s.Checks, c)
		}},
	}
}

// TestChaos_oneSignal rolls to images that fail by one signal or check only:
// the group is back where it was in the end.
func TestChaos_oneSignal(t *testing.T) {
	t.Parallel()
	chaotic(t, 7, func(t *testing.T, r *rand.Rand) {
		with := pick(r, illnesses()...)
		// AWS would replace impaired members before they fail.
		shape := odd{image: with.image, extra: with.extra, first: answers + `http "/healthz" { body = "ok" }`, group: "\ngrace_period = \"1h\"\n"}
		s, q, members := chaosWith(t, r, shape, func(s *rolltest.Stage, q *roller.Request) {
			with.choose(&q.Spec)
			q.Spec.FinalBake = 3 * time.Minute // the alarm takes its time
			q.Spec.InstanceTimeout = 4 * time.Minute
			s.Referee(*q)
			s.Excuse() // all its members are ill
		})
		if _, err := s.Roll(t.Context(), q); err == nil {
			t.Fatalf("a broken image succeeded\n%s", s.Story())
		}
		wentBack(t, s, members)
	})
}

// wentBack holds a group to the state before a roll that failed.
func wentBack(t *testing.T, s *rolltest.Stage, members int) {
	t.Helper()
	s.World.Advance(3 * time.Minute)
	g := s.Group()
	if n := rolltest.On(g, 2); n > 0 || g.Points == 2 {
		t.Errorf("%d members run the broken image at the end, and the group points at %s", n, g.Version)
	}
	if g.Healthy() != members || g.Launched() != members || g.Desired != members {
		t.Errorf("%d of %d launched members are healthy, desired %d, want %d", g.Healthy(), g.Launched(), g.Desired, members)
	}
	if _, left := g.Suspended["InstanceRefresh"]; left {
		t.Errorf("suspended at the end: %v", g.Suspended)
	}
	if t.Failed() {
		t.Log(s.Story())
	}
}

// TestChaos_environment lets old and new members fail together for a while, by
// the probe or by a target group that flaps: the image is not to blame, nothing
// goes back or is put in quarantine, and the roll finishes afterwards.
func TestChaos_environment(t *testing.T) {
	t.Parallel()
	chaotic(t, 8, func(t *testing.T, r *rand.Rand) {
		at, long := time.Duration(r.IntN(300))*time.Second, time.Duration(1+r.IntN(20))*time.Minute
		flaps := r.IntN(2) == 0
		// Old members tell whose fault it is. Without any, the image is blamed.
		told, acted := true, false
		shape := odd{first: "http \"/healthz\" { body = \"ok\" }", image: "http \"/healthz\" { body = \"ok\" }", group: "\ngrace_period = \"1h\"\n"}
		s, q, _ := chaosWith(t, r, shape, func(s *rolltest.Stage, q *roller.Request) {
			q.Spec.InstanceTimeout = 5 * time.Minute
			probing(&q.Spec)
			s.Referee(*q)
			s.Excuse()
			s.World.OnTick(func() {
				if g, _ := s.World.Group("web"); acted && rolltest.On(g, 1) == 0 {
					told = false
				}
			})
			s.World.At(at, func() {
				s.Surprise()
				acted = true
				if flaps {
					for i := range long / time.Minute {
						s.World.At(i*time.Minute, s.Surprise)
					}
					s.World.FlapTargetGroup(s.World.TargetGroups()[0], time.Minute, int(long/time.Minute))
					return
				}
				s.World.At(long, func() { answer(s, 200) })
				answer(s, 503)
			})
		})
		s.World.Advance(25 * time.Minute)
		_, err := s.Roll(t.Context(), q)
		if err != nil && told {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		if err == nil {
			s.Settled(2)
		}
	})
}

// answer lets all members answer the probe with a status.
func answer(s *rolltest.Stage, status int) {
	for _, i := range s.World.Images() {
		s.World.SetImageBehaviour(i.ID, awssim.ImageBehaviour{HTTP: []awssim.HTTPAnswer{{Path: "/healthz", Status: status, Body: "ok"}}})
	}
}

// TestChaos_gone takes an image or a version away in the middle of a roll: that
// of the target, or that of the way back. The group is on one of the two in the
// end, whole and healthy.
func TestChaos_gone(t *testing.T) {
	t.Parallel()
	chaotic(t, 9, func(t *testing.T, r *rand.Rand) {
		version, what, at := pick(r, 1, 2), pick(r, "image", "version"), time.Duration(r.IntN(400))*time.Second
		s, q, members := chaosWith(t, r, odd{}, func(s *rolltest.Stage, _ *roller.Request) {
			client := ec2.NewFromConfig(s.World.Config())
			s.Excuse() // AWS cannot replace what it should
			s.World.At(at, func() {
				if what == "image" {
					for _, i := range s.World.Images() {
						if i.Name == fmt.Sprint("golden-web-", version) {
							s.World.SetImageState(i.ID, "deregistered")
						}
					}
					return
				}
				if version == 1 { // the default cannot be deleted
					_, err := client.ModifyLaunchTemplate(t.Context(), &ec2.ModifyLaunchTemplateInput{LaunchTemplateName: aws.String("web"), DefaultVersion: aws.String("2")})
					if err != nil {
						t.Error(err)
					}
				}
				_, err := client.DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{
					LaunchTemplateName: aws.String("web"), Versions: []string{fmt.Sprint(version)},
				})
				if err != nil {
					t.Error(err)
				}
			})
		})
		_, err := s.Roll(t.Context(), q)
		s.World.Advance(5 * time.Minute)
		g := s.Group()
		if err != nil {
			// A rollback that cannot launch leaves every healthy member, and a target
			// that is not there begins nothing: what others left is settled.
			if _, err := s.Roller.Settle(t.Context(), "web", 10*time.Minute); err != nil {
				t.Errorf("settle: %v", err)
			}
			g = s.Group()
		}
		lim, _ := q.Spec.Limits(members, g.Max)
		if g.Desired < members || err == nil && (g.Desired > members || g.Launched() != g.Desired) || g.Healthy() != g.Launched() || g.Healthy() < lim.Floor {
			t.Errorf("%s of version %d gone after %s: desired %d, launched %d, healthy %d, want %d", what, version, at, g.Desired, g.Launched(), g.Healthy(), members)
		}
		if _, left := g.Suspended["InstanceRefresh"]; left {
			t.Errorf("suspended at the end: %v", g.Suspended)
		}
		if t.Failed() {
			t.Logf("%v\n%s", err, s.Story())
		}
	})
}

// TestChaos_close closes the window of each owner in the middle, in each of the
// ways; who comes in the next one goes on. Whenever a roll ends, it leaves
// nothing behind.
func TestChaos_close(t *testing.T) {
	t.Parallel()
	chaotic(t, 10, func(t *testing.T, r *rand.Rand) {
		s, q, _ := chaosWith(t, r, odd{}, func(*rolltest.Stage, *roller.Request) {})
		for next := range 2 + r.IntN(3) {
			trouble(t, s, r)
			how := pick(r, rollout.FinishBatch, rollout.FinishGroup, rollout.CancelKeep, rollout.GoBack)
			q.Closing = rollout.Closing{
				At: s.World.Clock().Now().Add(time.Duration(r.IntN(400)) * time.Second), Over: time.Duration(r.IntN(3)) * time.Duration(r.IntN(20)) * time.Minute,
				How: how, Window: "the window", Next: "tomorrow",
			}
			t.Logf("window %d: %+v", next, q.Closing)
			s.Roller = s.NewRoller(fmt.Sprint("window ", next), 10+next)
			if r.IntN(4) == 0 {
				s.Crash(t.Context(), q, r.IntN(80), r.IntN(2) == 0)
			} else {
				ctx, cancel := context.WithCancel(t.Context())
				told := len(s.Story())
				report, err := s.Roll(ctx, q)
				cancel()
				outage := strings.Contains(s.Story()[told:], "AWS has not answered") // which it waits out: it cannot know what there is to settle
				if late := s.World.Clock().Now().Sub(q.Closing.At.Add(q.Closing.Over)); err == nil && report.Closed && late > 5*time.Minute && !outage {
					t.Errorf("window %d: %s after its overrun, because %s", next, late, report.Reason)
				}
			}
			s.World.Advance(time.Duration(r.IntN(600)) * time.Second)
		}
		s.World.ClearFaults()
		s.Roller = s.NewRoller("last", 30)
		q.Closing = rollout.Closing{}
		s.World.Advance(15 * time.Minute)
		report, err := s.Roll(t.Context(), q)
		if err == nil && report.Closed {
			_, err = s.Roll(t.Context(), q) // it had finished what a window had turned back
		}
		if err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.Settled(2)
	})
}

// TestChaos_late freezes owners just before a call, and lets that call land at
// any of their successor's: it takes no more than one member with it, and the
// successor puts that right.
func TestChaos_late(t *testing.T) {
	t.Parallel()
	chaotic(t, 11, func(t *testing.T, r *rand.Rand) {
		shape := rolltest.Shape{
			Members: 1 + r.IntN(9), Max: 40, Pointer: pick(r, "1", "1", "$Default", "2"), Group: "launched_from = 1\n suspended = [\"AZRebalance\"]\n" + pick(r, "", "", halfSpot), S3: r.IntN(3) == 0,
		}
		s := rolltest.New(t, shape)
		if !*wire {
			s.Direct()
		}
		p := pick(r, [2]int{100, 110}, [2]int{100, 150}, [2]int{100, 200}, [2]int{90, 100}, [2]int{50, 100}, [2]int{75, 125})
		q := rolltest.Request(p[0], p[1])
		q.LockTimeout = 10 * time.Minute
		call := pick(r, "LaunchInstances", "SetDesiredCapacity", "TerminateInstanceInAutoScalingGroup", "TerminateInstanceInAutoScalingGroup", "UpdateAutoScalingGroup", "SuspendProcesses", "ResumeProcesses")
		s.Referee(q)
		land := s.Freeze(t.Context(), q, call, r.IntN(4))
		at := r.IntN(60)
		t.Logf("%+v at %v: %s lands at call %d", shape, p, call, at)
		s.Roller = s.NewRoller("second", 2)
		const looking = "autoscaling:DescribeAutoScalingGroups"
		looks, least := -1, shape.Members
		if land != nil {
			s.OnCall(func(n int) {
				if n == at {
					s.Lenient() // a frozen owner lands one call, whatever the limits are then
					s.Hurt()
					land()
					looks = s.World.Calls()[looking]
				}
			})
		}
		_, err := s.Roll(t.Context(), q)
		s.OnCall(func(int) {})
		unseen := looks == s.World.Calls()[looking] // nobody has looked since
		if unseen && strings.HasPrefix(call, "Terminate") {
			least-- // AWS may lower desired once more
		}
		s.World.Advance(5 * time.Minute)
		if err != nil || rolltest.On(s.Group(), 2) < shape.Members || !strings.Contains("1 2 $Default", s.Group().Version) {
			// It landed as the successor left. Another apply puts it right.
			_, err = s.Roll(t.Context(), q)
		}
		if err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.World.Advance(5 * time.Minute)
		if g := s.Group(); g.Desired < least || g.Desired > shape.Members && !unseen && !reported(s) || rolltest.On(g, 2) != g.Launched() || g.Healthy() != g.Desired {
			t.Errorf("%s: desired %d, %d of %d on version 2, %d healthy, want %d\n%s", call, g.Desired, rolltest.On(g, 2), g.Launched(), g.Healthy(), shape.Members, s.Story())
		}
	})
}
