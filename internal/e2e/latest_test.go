package e2e_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

// followsLatest is a world with a group on $Latest of a template whose one version has
// the older of two images.
var followsLatest = strings.Replace(strings.Replace(scenario, "  version { image = \"golden-web-2\" }\n", "", 1), `version       = "1"`, `version       = "$Latest"`, 1)

// rollNewest leaves the version to the roll of a group.
func rollNewest(group string) string {
	return fmt.Sprintf(`
resource "refit_asg_rolling_update" %[1]q {
  autoscaling_group_name  = %[1]q
  launch_template_version = "$Latest"
  image_id                = refit_ami_refresh.web.image_id
  min_healthy_percentage  = 100
  max_healthy_percentage  = 150
}
`, group)
}

func refreshOf(template string) string {
	return fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "golden-*" }
}
`, template)
}

func newNewest(t *testing.T, more string, groups ...string) *stack {
	t.Helper()
	s := newProjectOn(t, followsLatest+more, provider)
	config := provider + refreshOf(s.template())
	for _, g := range groups {
		config += rollNewest(g)
	}
	s.write(config)
	return s
}

// stands fails the test unless the template has two versions and the group points
// at a text.
func (s *stack) stands(when, pointer string) {
	s.Helper()
	out, err := ec2.NewFromConfig(s.world.Config()).DescribeLaunchTemplateVersions(s.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(s.template())})
	if err != nil {
		s.Fatal(err)
	}
	if g, _ := s.world.Group("web"); g.Version != pointer || len(out.LaunchTemplateVersions) != 2 {
		s.Errorf("%s: the group is at %s and the template has %d versions, want %s and 2", when, g.Version, len(out.LaunchTemplateVersions), pointer)
	}
}

// goesOn applies again after the first apply has ended in some way.
func (s *stack) goesOn() {
	s.Helper()
	if r := tftest.Run(s.T, s.dir, s.env, "apply", "-auto-approve"); r.Code != 0 {
		s.Fatalf("the apply after it: %s", r.Output)
	}
	if r := tftest.Run(s.T, s.dir, s.env, "plan", "-detailed-exitcode"); r.Code != 0 {
		s.Fatalf("the plan after it is not empty: %s", r.Output)
	}
	s.stands("at the end", "$Latest")
	for _, name := range []string{"web", "api"} {
		g, ok := s.world.Group(name)
		on := 0
		for _, m := range g.Members {
			if m.Launched() && m.Version == 2 {
				on++
			}
		}
		if ok && (on != g.Desired || g.Version != "$Latest" || len(g.Suspended) != 0) {
			s.Errorf("at the end: %d of %d members of %s on version 2, suspended %v, at %s", on, g.Desired, name, g.Suspended, g.Version)
		}
	}
}

// TestAccLatest_killed kills terraform and the provider while the version is
// being made: nobody hears of it. The group stays on the number, and the next apply
// makes no other version and goes on.
func TestAccLatest_killed(t *testing.T) {
	t.Parallel()
	s := newNewest(t, "", "web")
	dead, running := make(chan struct{}), make(chan started, 1)
	s.wire.before("test", "CreateLaunchTemplateVersion", func() {
		a := <-running
		_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		_ = a.cmd.Wait()
		close(dead)
	})
	running <- s.apply()
	wait(t, "the version to be made", dead)
	s.stands("after the kill", "1")
	s.goesOn()
}

// TestAccLatest_killedBeforeNews kills terraform and the provider when a version has
// been made and others are not told yet, or nobody knows whether they are. The next
// apply tells them, and where the version came from is on record.
func TestAccLatest_killedBeforeNews(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		call        string
		least, most int // events
	}{
		{"CreateLaunchTemplateVersion", 1, 1},
		{"Publish", 2, 2}, // that one lands
	} {
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			s := newProjectOn(t, followsLatest+"topic \"images\" {}\n", provider)
			s.write(provider + strings.Replace(refreshOf(s.template()), "\n}", "\n  notify = { sns_topic_arn = \"arn:aws:sns:eu-west-2:123456789012:images\" }\n}", 1) + rollNewest("web"))
			dead, running := make(chan struct{}), make(chan started, 1)
			s.wire.before("test", c.call, func() {
				a := <-running
				_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
				_ = a.cmd.Wait()
				close(dead)
			})
			running <- s.apply()
			wait(t, c.call, dead)
			s.stands("after the kill", "1")
			s.goesOn()
			sent := s.world.Published("images")
			for _, n := range sent {
				if id := s.template() + ":2"; !strings.Contains(n.Body, `"event_id":"`+id+`"`) || !strings.Contains(n.Body, `"source_version":1`) {
					t.Errorf("got the event %s, want that of %s, a copy of version 1", n.Body, id)
				}
			}
			if n := len(sent); n < c.least || n > c.most {
				t.Errorf("got %d events, want %d to %d", n, c.least, c.most)
			}
			record, err := ssm.NewFromConfig(s.world.Config()).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/refit/versions/" + s.template())})
			if err != nil {
				t.Fatal(err)
			}
			if got := aws.ToString(record.Parameter.Value); strings.Count(got, `"version":2,"source":1,`) != 1 || strings.Count(got, `"version"`) != 1 {
				t.Errorf("got the record %s, want version 2 from version 1 in it, once", got)
			}
		})
	}
}

// TestAccLatest_interrupted stops the apply when the first new member is about to
// be launched: the group goes back to the number, and the next apply goes on.
func TestAccLatest_interrupted(t *testing.T) {
	t.Parallel()
	s := newNewest(t, "", "web")
	sent, running := make(chan struct{}), make(chan started, 1)
	s.wire.before("test", "LaunchInstances", func() {
		a := <-running
		_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGINT)
		close(sent)
	})
	a := s.apply()
	running <- a
	wait(t, "a launch", sent)
	if err := a.cmd.Wait(); err == nil || !strings.Contains(a.out.String(), "interrupted") {
		t.Errorf("the apply ended with %v and\n%s\nwant it to say that it was interrupted", err, a.out)
	}
	s.stands("after the interruption", "1")
	s.goesOn()
}

// TestAccLatest_together rolls two groups on $Latest of one template in one apply:
// each waits until the other is on a number, and they share one version.
func TestAccLatest_together(t *testing.T) {
	t.Parallel()
	s := newNewest(t, `
group "api" {
  template      = "web"
  version       = "$Latest"
  min           = 2
  max           = 6
  desired       = 3
  target_groups = ["web"]
}
`, "web", "api")
	s.goesOn()
}

// TestAccDefault_killed kills terraform and the provider while the default version
// is being moved, when every member is current. The next apply gives the group its
// text back.
func TestAccDefault_killed(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, strings.Replace(scenario, `version       = "1"`, `version       = "$Default"`, 1), provider+rolling)
	dead, running := make(chan struct{}), make(chan started, 1)
	s.wire.before("test", "ModifyLaunchTemplate", func() {
		a := <-running
		_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		_ = a.cmd.Wait()
		close(dead)
	})
	running <- s.apply()
	wait(t, "the default to be moved", dead)
	s.stands("after the kill", "2")
	if r := tftest.Run(s.T, s.dir, s.env, "apply", "-auto-approve"); r.Code != 0 {
		s.Fatalf("the apply after it: %s", r.Output)
	}
	if r := tftest.Run(s.T, s.dir, s.env, "plan", "-detailed-exitcode"); r.Code != 0 {
		s.Fatalf("the plan after it is not empty: %s", r.Output)
	}
	s.stands("at the end", "$Default")
	out, err := ec2.NewFromConfig(s.world.Config()).DescribeLaunchTemplates(s.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{s.template()}})
	if err != nil || aws.ToInt64(out.LaunchTemplates[0].DefaultVersionNumber) != 2 {
		s.Errorf("the template at the end: %+v, %v; want version 2 to be the default", out, err)
	}
}
