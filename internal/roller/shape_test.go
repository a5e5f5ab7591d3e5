package roller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

const twoTypes = `
override { instance_type = "c6i.large" }
override { instance_type = "c5.large" }
`

const halfSpot = twoTypes + `
distribution {
  on_demand_base_capacity                  = 1
  on_demand_percentage_above_base_capacity = 50
}
`

// policy is the mixed instances policy of the group as AWS describes it,
// without the version in its pointer; empty: it has none.
func policy(t *testing.T, s *rolltest.Stage) string {
	t.Helper()
	out, err := s.AutoScaling().DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	p := out.AutoScalingGroups[0].MixedInstancesPolicy
	if p == nil {
		return ""
	}
	var parts []string
	for _, o := range p.LaunchTemplate.Overrides {
		own := ""
		if l := o.LaunchTemplateSpecification; l != nil {
			own = aws.ToString(l.LaunchTemplateId) + " " + aws.ToString(l.Version)
		}
		parts = append(parts, aws.ToString(o.InstanceType), aws.ToString(o.ImageId), own)
	}
	d := p.InstancesDistribution
	return fmt.Sprint(parts, *d.OnDemandBaseCapacity, *d.OnDemandPercentageAboveBaseCapacity, *d.SpotAllocationStrategy)
}

// TestShape_mixed rolls groups with a mixed instances policy, of which nothing
// but the version changes.
func TestShape_mixed(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]string{"on-demand": twoTypes, "half of it spot": halfSpot} {
		for _, p := range percentages {
			s := rolltest.New(t, rolltest.Shape{Members: 4, Group: shape})
			before := policy(t, s)
			q := rolltest.Request(p[0], p[1])
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("%s, %v: %v\n%s", name, p, err, s.Story())
			}
			s.Settled(2)
			if after := policy(t, s); after != before || s.Group().Version != "2" {
				t.Errorf("%s, %v: policy %s, pointer %s, want %s and 2", name, p, after, s.Group().Version, before)
			}
			if used := strings.Contains(s.Story(), "LaunchInstances"); used != (shape == twoTypes) && p[1] > 100 {
				t.Errorf("%s, %v: LaunchInstances used: %t", name, p, used)
			}
			if t.Failed() {
				t.Fatal(s.Story())
			}
		}
	}
}

func TestShape_mixedRollsBack(t *testing.T) {
	t.Parallel()
	for _, shape := range []string{twoTypes, halfSpot} {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Group: shape, Image: "never_healthy = true"})
		before := policy(t, s)
		_, err := s.Roll(t.Context(), rolltest.Request(100, 150))
		_ = ended(t, s, err, rollout.RolledBack)
		if g := s.Group(); g.Healthy() != 4 || rolltest.On(g, 2) != 0 || g.Desired != 4 || policy(t, s) != before {
			t.Errorf("after the rollback: %+v\n%s", g, s.Story())
		}
	}
}

// overridden is a group one of whose types has a launch template of its own.
func overridden(own string) string {
	return `
image "golden-web-1" { created = "2026-01-01T00:00:00Z" }
image "golden-web-2" { created = "2026-02-01T00:00:00Z" }
image "special" { created = "2026-02-01T00:00:00Z" }
template "web" {
  version { image = "golden-web-1" }
  version { image = "golden-web-2" }
}
template "other" {
  version { image = "special" }
  version { image = "golden-web-2" }
}
target_group "web" {}
group "web" {
  template = "web"
  version  = "1"
  min      = 0
  max      = 12
  desired  = 6
  target_groups = ["web"]
  override { instance_type = "c6i.large" }
  override {
    instance_type = "c5.large"
    ` + own + `
  }
  distribution {
    on_demand_percentage_above_base_capacity = 0
    spot_allocation_strategy                 = "capacity-optimized"
  }
}
`
}

// TestShape_overrides: members of a type with a launch template or an image of
// its own are current when they run that.
func TestShape_overrides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		own  string
		kept int // members of the other type that need not be replaced
	}{
		"a template of its own":               {`template = "other"` + "\n" + `version = "1"`, 3},
		"a template of its own that moved on": {`template = "other"`, 0},
		"an image of its own":                 {`image = "special"`, 0}, // its version changes all the same
	} {
		s := rolltest.FromScenario(t, overridden(c.own), false)
		before := policy(t, s)
		old := map[string]bool{}
		for _, m := range s.Group().Members {
			old[m.ID] = true
		}
		q := rolltest.Request(100, 150)
		report, err := s.Roll(t.Context(), q)
		if err != nil || report.Outcome != rollout.Succeeded {
			t.Fatalf("%s: %s, %v\n%s", name, report.Outcome, err, s.Story())
		}
		g := s.Group()
		kept := 0
		for _, m := range g.Members {
			if old[m.ID] && m.Launched() {
				kept++
			}
		}
		if kept != c.kept || g.Desired != 6 || policy(t, s) != before {
			t.Errorf("%s: %d members kept of %d wanted, want %d\n%s", name, kept, g.Desired, c.kept, s.Story())
		}
		if a, err := s.Roller.Assess(t.Context(), q); err != nil || !a.Converged {
			t.Errorf("%s: a plan after it is not empty: %+v, %v", name, a, err)
		}
	}
}

// TestShape_interrupted: EC2 takes new spot members, which is no failure of the
// image.
func TestShape_interrupted(t *testing.T) {
	t.Parallel()
	for _, shape := range []rolltest.Shape{{Group: twoTypes + allSpot}, {Group: twoTypes + allSpot + "capacity_rebalance = true"}, {Spot: true}} {
		shape.Members, shape.Max = 4, 12
		for at := 90 * time.Second; at < 6*time.Minute; at += 45 * time.Second {
			s := rolltest.New(t, shape)
			q := rolltest.Request(100, 150)
			s.Referee(q)
			s.Excuse()
			s.Lenient()
			s.World.At(at, func() {
				for _, m := range s.Group().Members {
					if m.Launched() && m.Version == 2 {
						if err := s.World.Act(awssim.Action{Do: "interrupt", Group: "web", Instance: m.ID}); err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("%+v, after %s: %v\n%s", shape, at, err, s.Story())
			}
			s.World.Advance(5 * time.Minute)
			if g := s.Group(); rolltest.On(g, 2) != 4 || rolltest.On(g, 1) != 0 || g.Desired != 4 {
				t.Fatalf("%+v, after %s: %+v\n%s", shape, at, g, s.Story())
			}
		}
	}
}

// channel is a group whose template names a parameter in place of an image.
const channel = `
image "golden-web-1" { created = "2026-01-01T00:00:00Z" }
image "golden-web-2" {
  created = "2026-02-01T00:00:00Z"
  %s
}
image "golden-web-3" { created = "2026-03-01T00:00:00Z" }
parameter "/golden/web" { value = "golden-web-1" }
template "web" {
  version { image = "resolve:ssm:/golden/web" }
}
target_group "web" {}
group "web" {
  template = "web"
  version  = "1"
  min      = 0
  max      = 8
  desired  = 4
  target_groups = ["web"]
}
`

// imageOf is the id of an image of the world.
func imageOf(t *testing.T, s *rolltest.Stage, name string) string {
	t.Helper()
	for _, i := range s.World.Images() {
		if i.Name == name {
			return i.ID
		}
	}
	t.Fatalf("no image %s", name)
	return ""
}

// runs counts the launched members by the name of their image.
func runs(s *rolltest.Stage) string {
	n := map[string]int{}
	for _, m := range s.Group().Members {
		if m.Launched() {
			for _, i := range s.World.Images() {
				if i.ID == m.Image {
					n[i.Name]++
				}
			}
		}
	}
	return fmt.Sprint(n)
}

// TestShape_channel: the version stays, the image its parameter means does not.
func TestShape_channel(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		s := rolltest.FromScenario(t, fmt.Sprintf(channel, ""), false)
		q := rolltest.Request(p[0], p[1])
		q.Version = "1"
		a, err := s.Roller.Assess(t.Context(), q)
		if err != nil || !a.Converged {
			t.Fatalf("before: %+v, %v, want nothing to do", a, err)
		}
		s.World.PutParameter("/golden/web", imageOf(t, s, "golden-web-2"))
		s.World.Advance(time.Minute)
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("%v: %v\n%s", p, err, s.Story())
		}
		if got := runs(s); got != "map[golden-web-2:4]" || s.Group().Desired != 4 {
			t.Fatalf("%v: %s\n%s", p, got, s.Story())
		}
		if a, err := s.Roller.Assess(t.Context(), q); err != nil || !a.Converged {
			t.Errorf("%v: a plan after it is not empty: %+v, %v", p, a, err)
		}
	}
}

// TestShape_channelRollsBack: the copy names the old image itself, because the
// parameter means the broken one.
func TestShape_channelRollsBack(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		s := rolltest.FromScenario(t, fmt.Sprintf(channel, "never_healthy = true"), false)
		q := rolltest.Request(p[0], p[1])
		q.Version = "1"
		s.Referee(q)
		s.Excuse()
		s.World.PutParameter("/golden/web", imageOf(t, s, "golden-web-2"))
		s.World.Advance(time.Minute)
		_, err := s.Roll(t.Context(), q)
		_ = ended(t, s, err, rollout.RolledBack)
		if got := runs(s); got != "map[golden-web-1:4]" || s.Group().Desired != 4 || s.Group().Version != "2" {
			t.Fatalf("%v: %s, pointer %s\n%s", p, got, s.Group().Version, s.Story())
		}
		_, err = s.Roller.Roll(t.Context(), q)
		if err == nil || !strings.Contains(err.Error(), "in quarantine") {
			t.Errorf("%v: the broken image is tried again: %v", p, err)
		}
		s.World.PutParameter("/golden/web", imageOf(t, s, "golden-web-3"))
		s.World.Advance(time.Minute)
		if _, err = s.Roll(t.Context(), q); err != nil || runs(s) != "map[golden-web-3:4]" {
			t.Errorf("%v: the next image of the channel: %v, %s", p, err, runs(s))
		}
		if t.Failed() {
			t.Fatal(s.Story())
		}
	}
}

// TestShape_channelNoCopy: nothing but the copy names the old image, so the group
// does not go back without it.
func TestShape_channelNoCopy(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, fmt.Sprintf(channel, "never_healthy = true"), false)
	q := rolltest.Request(100, 150)
	q.Version = "1"
	s.Referee(q)
	s.Excuse()
	s.World.PutParameter("/golden/web", imageOf(t, s, "golden-web-2"))
	s.World.Advance(time.Minute)
	inject(t, s, awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Deny})
	_, err := s.Roll(t.Context(), q)
	if e := ended(t, s, err, rollout.FailedRoll); !strings.Contains(e.Happened, "then the rollback failed: UnauthorizedOperation: ") {
		t.Errorf("it says %q", e.Happened)
	}
	if got := runs(s); got != "map[golden-web-1:4 golden-web-2:2]" || len(s.Group().Suspended) > 0 {
		t.Errorf("%s, suspended %v, want the four old members, the two new ones and nothing\n%s", got, s.Group().Suspended, s.Story())
	}
	s.World.ClearFaults()
	_, err = s.Roll(t.Context(), q)
	_ = ended(t, s, err, rollout.RolledBack)
	if got := runs(s); got != "map[golden-web-1:4]" || s.Group().Desired != 4 || s.Group().Version != "2" {
		t.Errorf("%s, pointer %s, want four and the copy 2\n%s", got, s.Group().Version, s.Story())
	}
}

// TestShape_channelMoves moves the parameter in the middle of a roll.
func TestShape_channelMoves(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		for _, at := range []time.Duration{90 * time.Second, 3 * time.Minute} {
			s := rolltest.FromScenario(t, fmt.Sprintf(channel, ""), false)
			q := rolltest.Request(p[0], p[1])
			q.Version = "1"
			s.World.PutParameter("/golden/web", imageOf(t, s, "golden-web-2"))
			s.World.Advance(time.Minute)
			s.World.At(at, func() { s.World.PutParameter("/golden/web", imageOf(t, s, "golden-web-3")) })
			if _, err := s.Roll(t.Context(), q); err != nil {
				e := ended(t, s, err, rollout.Superseded)
				if !strings.Contains(e.Happened, "resolve:ssm:/golden/web of the launch template means "+imageOf(t, s, "golden-web-3")) {
					t.Errorf("happened = %q", e.Happened)
				}
			}
			s.World.Advance(5 * time.Minute)
			if _, err := s.Roll(t.Context(), q); err != nil || runs(s) != "map[golden-web-3:4]" || s.Group().Desired != 4 {
				t.Fatalf("%v, moved after %s: %v, %s\n%s", p, at, err, runs(s), s.Story())
			}
		}
	}
}

// TestShape_launchHook: members in a launch hook are launched and not healthy.
func TestShape_launchHook(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Group: `
hook "ready" {
  transition        = "launching"
  timeout = "10m"
  default_result    = "ABANDON"
  completes_after   = "90s"
}
hook "drain" {
  transition        = "terminating"
  timeout = "10m"
  default_result    = "CONTINUE"
  completes_after   = "60s"
}`})
		if _, err := s.Roll(t.Context(), rolltest.Request(p[0], p[1])); err != nil {
			t.Fatalf("%v: %v\n%s", p, err, s.Story())
		}
		s.Settled(2)
		if t.Failed() {
			t.FailNow()
		}
	}
}

// TestShape_retained: termination hooks are abandoned, and the group's policy
// keeps those members. They are not ended again, and stop the roll when they
// fill what may run.
func TestShape_retained(t *testing.T) {
	t.Parallel()
	abandoned := `
retain_on_abandon = true
hook "save" {
  transition        = "terminating"
  timeout = "1m"
  default_result    = "ABANDON"
}`
	s := rolltest.New(t, rolltest.Shape{Members: 4, Group: abandoned})
	q := rolltest.Request(100, 150)
	q.Spec.MaxRunning = 300
	report, err := s.Roll(t.Context(), q)
	if err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	retained := 0
	for _, m := range s.Group().Members {
		if m.Lifecycle == "Terminating:Retained" {
			retained++
		}
	}
	if retained == 0 || report.Outcome != rollout.Partial || !strings.Contains(strings.Join(report.Warnings, " "), "(Terminating:Retained)") {
		t.Errorf("%d retained, outcome %s, warnings %q\n%s", retained, report.Outcome, report.Warnings, s.Story())
	}
	if a, err := s.Roller.Assess(t.Context(), q); err != nil || !a.Converged {
		t.Errorf("a plan after it is not empty: %+v, %v", a, err)
	}

	s = rolltest.New(t, rolltest.Shape{Members: 8, Group: abandoned})
	_, err = s.Roll(t.Context(), rolltest.Request(100, 125))
	e := ended(t, s, err, rollout.Paused)
	if !strings.Contains(e.Happened, "termination hook was abandoned") || !strings.Contains(e.Next, "terminate-instance-in-auto-scaling-group") {
		t.Errorf("happened %q, next %q, want the members and the command", e.Happened, e.Next)
	}
}
