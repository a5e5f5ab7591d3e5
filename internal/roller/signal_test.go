package roller_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// probing chooses a probe of every member.
func probing(s *rollout.Spec) {
	p := rollout.DefaultProbe("http://{private_ip}:8080/healthz")
	p.Expect.Body = "^ok$"
	s.Probe = &p
}

// smoke chooses a check of the group by a function.
func smoke(s *rollout.Spec) {
	c := rollout.DefaultCheck("smoke")
	c.Function = "smoke"
	s.Checks = []rollout.Check{c}
}

// counting chooses a check of the number of connected devices, asked of a host.
func counting(host string, settle time.Duration) func(*rollout.Spec) {
	return func(s *rollout.Spec) {
		within := 5
		c := rollout.DefaultCheck("devices")
		c.URL, c.Settle = "http://"+host+"/devices", settle
		c.Number = &rollout.Number{Path: "/connected", Within: &within}
		s.Checks = []rollout.Check{c}
	}
}

// signals stages a group of four with an image that answers the probe, and a
// newer one that acts as given.
func signals(t *testing.T, image, extra string) *rolltest.Stage {
	t.Helper()
	return rolltest.New(t, rolltest.Shape{Members: 4, Image: image, First: `
  http "/healthz" { body = "ok" }`, Extra: extra, Group: `grace_period = "1h"`}) // or AWS replaces impaired members first
}

// TestSignal_imageFails rolls to images that fail by one signal or check only:
// each is rolled back with that as the reason, and put in quarantine.
func TestSignal_imageFails(t *testing.T) {
	t.Parallel()
	const answers = `
  http "/healthz" { body = "ok" }`
	for _, c := range []struct {
		name, image, extra string
		choose             func(*rollout.Spec)
		want               string
	}{
		{"probe", `http "/healthz" { body = "starting" }`, "", probing, `does not pass its probe: expected a body that matches "^ok$", got "starting"`},
		{"probe without an answer", "http_port = 9090" + answers, "", probing, "does not pass its probe: no answer: dial tcp"},
		{"probe, later", `http "/healthz" { body = "ok" }
  http "/healthz" {
    status = 500
    after  = "3m"
  }`, "", probing, "had been healthy and then does not pass its probe: expected status 200-299, got 500"},
		{"EC2 status", "status_impaired = true", "", func(s *rollout.Spec) { s.EC2Status = true }, "has the EC2 instance status impaired"},
		{"classic load balancer", "never_healthy = true", `load_balancer "old" {}`, func(*rollout.Spec) {}, "is OutOfService in classic load balancer old"},
		{"alarm", answers, `alarm "web-5xx" {
  while_image = "golden-web-2"
  delay       = "1m"
}`, func(s *rollout.Spec) { s.Alarms = []string{"web-5xx"} }, `the alarm "web-5xx" went off`},
		{"function", answers, `function "smoke" {
  fail_while_image = "golden-web-2"
  fail_message     = "no order could be placed"
}`, smoke, `the check "smoke" failed before the end: the function says: no order could be placed`},
		{"function that fails", answers, `function "smoke" {
  fail_while_image = "golden-web-2"
  error            = "assertion failed"
}`, smoke, `the check "smoke" failed before the end: the function failed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := signals(t, c.image, c.extra)
			if strings.Contains(c.extra, "load_balancer") {
				attach(t, s)
			}
			q := rolltest.Request(100, 150)
			q.Spec.InstanceTimeout, q.Spec.FinalBake = 5*time.Minute, 6*time.Minute
			c.choose(&q.Spec)
			s.Referee(q)
			s.Excuse()
			_, err := s.Roll(t.Context(), q)
			e := ended(t, s, err, rollout.RolledBack)
			if !strings.Contains(e.Happened, c.want) {
				t.Errorf("it says %q, want %q\n%s", e.Happened, c.want, s.Story())
			}
			if g := s.Group(); rolltest.On(g, 2) != 0 || g.Desired != 4 || g.Launched() != 4 || len(g.Suspended) != 0 {
				t.Errorf("the group is %+v, want it back\n%s", g, s.Story())
			}
			s.World.Advance(5 * time.Minute)
			if _, err = s.Roller.Roll(t.Context(), q); err == nil || !strings.Contains(err.Error(), "uarantine") {
				t.Errorf("the next roll ends with %v, want it held back", err)
			}
		})
	}
}

// attach puts the staged group behind its classic load balancer only.
func attach(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	client := autoscaling.NewFromConfig(s.World.Config())
	_, err := client.AttachLoadBalancers(t.Context(), &autoscaling.AttachLoadBalancersInput{AutoScalingGroupName: aws.String("web"), LoadBalancerNames: []string{"old"}})
	if err == nil {
		_, err = client.DetachLoadBalancerTargetGroups(t.Context(), &autoscaling.DetachLoadBalancerTargetGroupsInput{AutoScalingGroupName: aws.String("web"), TargetGroupARNs: s.World.TargetGroups()})
	}
	if err != nil {
		t.Fatal(err)
	}
	s.World.Advance(5 * time.Minute)
}

// TestSignal_environment makes old members ill by the same signal: the roll
// stops, and neither goes back nor blames the image.
func TestSignal_environment(t *testing.T) {
	t.Parallel()
	for name, choose := range map[string]func(*rollout.Spec){
		"probe":      probing,
		"EC2 status": func(s *rollout.Spec) { s.EC2Status = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := signals(t, `http "/healthz" { body = "ok" }`, "")
			s.World.At(90*time.Second, func() {
				for _, m := range s.Group().Members {
					s.World.SetImageBehaviour(m.Image, awssim.ImageBehaviour{HTTP: []awssim.HTTPAnswer{{Path: "/healthz", Status: 503}}, StatusImpaired: true})
				}
			})
			q := rolltest.Request(100, 150)
			q.Spec.InstanceTimeout = 5 * time.Minute
			choose(&q.Spec)
			s.Referee(q)
			s.Excuse()
			_, err := s.Roll(t.Context(), q)
			e := ended(t, s, err, rollout.Paused)
			if !strings.Contains(e.Happened, "the image is not to blame") {
				t.Errorf("it says %q\n%s", e.Happened, s.Story())
			}
		})
	}
}

// TestSignal_good rolls with every signal and check at once, on an image that
// passes them.
func TestSignal_good(t *testing.T) {
	t.Parallel()
	s := signals(t, `http "/healthz" { body = "ok" }`, `
alarm "web-5xx" { composite = true }
function "smoke" {}`)
	q := rolltest.Request(100, 150)
	q.Spec.EC2Status, q.Spec.Alarms = true, []string{"web-5xx"}
	q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 25, Bake: time.Minute}}
	probing(&q.Spec)
	smoke(&q.Spec)
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	for _, moment := range []string{"before the roll", "at a checkpoint", "before the end"} {
		if n := strings.Count(s.Story(), "the checks of the group passed "+moment); n != 1 {
			t.Errorf("the checks passed %d times %s, want once\n%s", n, moment, s.Story())
		}
	}
	if n := s.World.Calls()["lambda:Invoke"]; n != 3 {
		t.Errorf("the function was invoked %d times, want 3\n%s", n, s.Story())
	}
}

// TestSignal_notBegun is every signal or check that keeps a roll from
// beginning: nothing is changed.
func TestSignal_notBegun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, extra string
		choose      func(*rollout.Spec)
		want        string
	}{
		{"alarm is on", `alarm "web-5xx" { state = "ALARM" }`, func(s *rollout.Spec) { s.Alarms = []string{"web-5xx"} }, `health.alarms names "web-5xx", which is in state ALARM already`},
		{"no such alarm", "", func(s *rollout.Spec) { s.Alarms = []string{"web-5xx"} }, `health.alarms names "web-5xx", and there is no such alarm`},
		{"check fails", `function "smoke" {
  fail         = true
  fail_message = "the shop is closed"
}`, smoke, `The check "smoke" failed before the roll: the function says: the shop is closed`},
		{"no such function", "", smoke, `The check "smoke" failed before the roll: function smoke cannot be invoked: ResourceNotFoundException`},
		{"malformed answer", `function "smoke" { answer = "{\"ok\": true}" }`, smoke, `expected {"pass": true or false, "message": "…"} from the function, got "{\"ok\":true}"`},
		{"no answer", "", counting("172.31.200.200", 0), `The check "devices" failed before the roll: no answer within 10s`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := signals(t, "", c.extra)
			q := rolltest.Request(100, 150)
			c.choose(&q.Spec)
			s.World.ResetCalls()
			_, err := s.Roller.Roll(t.Context(), q)
			var e *roller.Error
			if !errors.As(err, &e) || !strings.Contains(e.Happened, c.want) || e.State != "Nothing was changed." {
				t.Errorf("roll = %v\nwant %q with nothing changed\n%s", err, c.want, s.Story())
			}
			for call, n := range s.World.Calls() {
				if strings.HasPrefix(call, "autoscaling:") && !strings.HasPrefix(call, "autoscaling:Describe") && n > 0 {
					t.Errorf("%d calls of %s", n, call)
				}
			}
			if next, err := s.Roller.Roll(t.Context(), rolltest.Request(100, 150)); err != nil || next.Outcome != rollout.Succeeded {
				t.Errorf("the roll after it: %+v, %v", next, err)
			}
		})
	}
}

// TestSignal_number compares the number of connected devices with that from
// before the roll: they have time to come back, and must.
func TestSignal_number(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, image string
		settle      time.Duration
		want        string // why it is rolled back; empty: it succeeds
	}{
		{"as many", `counts = { devices = 250 }`, 0, ""},
		{"they come back", `counts = { devices = 250 }
  counts_after = "2m"`, 5 * time.Minute, ""},
		{"no time to come back", `counts = { devices = 250 }
  counts_after = "5m"`, 0, "expected /connected within 5 % of 1000, its value before the roll, got "},
		{"fewer for good", `counts = { devices = 200 }`, 3 * time.Minute, "expected /connected within 5 % of 1000, its value before the roll, got 800"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			answer := `
  http "/devices" { body = "{\"connected\": {{devices}}}" }
  `
			s := rolltest.New(t, rolltest.Shape{Members: 4, Image: c.image + answer, First: `counts = { devices = 250 }` + answer})
			balancers, err := elb.NewFromConfig(s.World.Config()).DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
			if err != nil {
				t.Fatal(err)
			}
			q := rolltest.Request(100, 150)
			counting(aws.ToString(balancers.LoadBalancers[0].DNSName), c.settle)(&q.Spec)
			_, err = s.Roll(t.Context(), q)
			if c.want == "" {
				if err != nil {
					t.Fatalf("roll: %v\n%s", err, s.Story())
				}
				s.Settled(2)
				return
			}
			if e := ended(t, s, err, rollout.RolledBack); !strings.Contains(e.Happened, c.want) {
				t.Errorf("it says %q, want %q\n%s", e.Happened, c.want, s.Story())
			}
		})
	}
}

// TestSignal_slowStart counts a new member only after the slow start of its
// target group, and says so.
func TestSignal_slowStart(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Targets: `slow_start = "3m"`})
	q := rolltest.Request(100, 150)
	report, err := s.Roll(t.Context(), q)
	if err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	if report.Duration < 6*time.Minute || !strings.Contains(s.Story(), "min_healthy_time is 30s and becomes 3m for this roll, because of the slow start of its target groups") {
		t.Errorf("it took %s, want two batches of 3m of slow start and a warning\n%s", report.Duration, s.Story())
	}
}

// TestSignal_alarmWithoutData waits for an alarm that has no data, however long
// beyond instance_timeout, and goes on when it has.
func TestSignal_alarmWithoutData(t *testing.T) {
	t.Parallel()
	s := signals(t, "", `alarm "web-5xx" { state = "INSUFFICIENT_DATA" }`)
	act(t, s, 20*time.Minute, awssim.Action{Do: "set_alarm", Alarm: "web-5xx", Text: "OK"})
	q := rolltest.Request(100, 150)
	q.Spec.Alarms = []string{"web-5xx"}
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("roll: %v\n%s", err, s.Story())
	}
	s.Settled(2)
	if s.Elapsed() < 20*time.Minute || !strings.Contains(s.Story(), "in state INSUFFICIENT_DATA") {
		t.Errorf("it took %s\n%s", s.Elapsed(), s.Story())
	}
}

// TestSignal_interrupted is told to stop in the middle, and killed at every
// call: whoever continues has the value from before the roll.
func TestSignal_interrupted(t *testing.T) {
	t.Parallel()
	q := rolltest.Request(100, 150)
	q.Spec.Checkpoints = []rollout.Checkpoint{{Percentage: 25}}
	q.LockTimeout = 10 * time.Minute
	probing(&q.Spec)
	smoke(&q.Spec)
	stage := func() *rolltest.Stage {
		return signals(t, `http "/healthz" { body = "ok" }`, `function "smoke" {}`)
	}
	for at := 20 * time.Second; at < 6*time.Minute; at += 20 * time.Second {
		s := stage()
		ctx, cancel := context.WithCancel(t.Context())
		s.World.At(at, cancel)
		if _, err := s.Roll(ctx, q); err != nil {
			_ = ended(t, s, err, rollout.Paused)
			s.Roller = s.NewRoller("second", 2)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("interrupted after %s, resume: %v\n%s", at, err, s.Story())
			}
		}
		cancel()
		s.Settled(2)
	}
	for n := 0; ; n += 3 {
		s := stage()
		if !s.Crash(t.Context(), q, n, true) {
			return
		}
		s.Roller = s.NewRoller("second", 2)
		if _, err := s.Roll(t.Context(), q); err != nil {
			t.Fatalf("crash at %d, resume: %v\n%s", n, err, s.Story())
		}
		s.Settled(2)
	}
}
