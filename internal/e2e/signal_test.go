// Package e2e_test runs the built provider under the real terraform binary as
// separate processes, and interrupts them as people and CI systems do.
package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

const scenario = `
image "golden-web-1" { created = "2026-10-05T04:00:00Z" }
image "golden-web-2" { created = "2026-11-02T04:00:00Z" }
template "web" {
  version { image = "golden-web-1" }
  version { image = "golden-web-2" }
}
target_group "web" {}
group "web" {
  template      = "web"
  version       = "1"
  min           = 2
  max           = 8
  desired       = 4
  target_groups = ["web"]
}
`

const config = `
terraform {
  required_providers {
    refit = { source = "registry.terraform.io/fleetrefit/refit" }
  }
}
provider "refit" {
  region = "eu-west-2"
}
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = "2"
  min_healthy_percentage  = 100
  max_healthy_percentage  = 150
}
`

// stack is a simulated AWS and a Terraform project beside it.
type stack struct {
	*testing.T
	world *awssim.World
	dir   string
	env   []string
}

// mirror builds the provider once per run of the tests.
var mirror = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "refit-e2e-")
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "registry.terraform.io", "fleetrefit", "refit", "0.0.1", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-refit_v0.0.1")
	cmd := exec.Command("go", "build", "-o", to, "github.com/fleetrefit/terraform-provider-refit")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the provider: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := mirror(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func newStack(t *testing.T) *stack {
	t.Helper()
	if testing.Short() || os.Getenv("TF_ACC") == "" {
		t.Skip("SKIPPED: acceptance tests run with TF_ACC=1")
	}
	tftest.Terraform(t)
	providers, err := mirror()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := awssim.ParseScenario("e2e", scenario)
	if err != nil {
		t.Fatal(err)
	}
	world, err := awssim.NewScenario(awssim.Options{Speed: 60}, parsed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	server := httptest.NewServer(world)
	t.Cleanup(server.Close)
	s := &stack{T: t, world: world, dir: t.TempDir()}
	s.env = []string{
		"TF_CLI_CONFIG_FILE=" + tftest.CLIConfig(t, providers),
		"AWS_ENDPOINT_URL=" + server.URL, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
	}
	if err := os.WriteFile(filepath.Join(s.dir, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := tftest.Run(t, s.dir, s.env, "init"); r.Code != 0 {
		t.Fatal(r.Output)
	}
	return s
}

// at gives a channel that closes when the simulator has told of an event with
// text in it n times.
func (s *stack) at(text string, n int) <-chan struct{} {
	done := make(chan struct{})
	var mu sync.Mutex
	s.world.OnEvent(func(e awssim.Event) {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 && strings.Contains(e.Text, text) {
			if n--; n == 0 {
				close(done)
			}
		}
	})
	return done
}

// started is an apply in a process group of its own.
type started struct {
	cmd *exec.Cmd
	out *bytes.Buffer
}

func (s *stack) apply() started {
	s.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(s.Context()), tftest.Terraform(s.T), "apply", "-auto-approve", "-no-color", "-input=false")
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Env = append(cmd.Env, "AWS_EC2_METADATA_DISABLED=true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return started{cmd, out}
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatalf("waited two minutes for %s", what)
	}
}

// finish applies until nothing is left to do and checks how the group stands.
func (s *stack) finish() {
	s.Helper()
	if r := tftest.Run(s.T, s.dir, s.env, "apply", "-auto-approve"); r.Code != 0 {
		s.Fatalf("the apply after it: %s", r.Output)
	}
	if r := tftest.Run(s.T, s.dir, s.env, "plan", "-detailed-exitcode"); r.Code != 0 {
		s.Fatalf("the plan after it is not empty: %s", r.Output)
	}
	g, _ := s.world.Group("web")
	on := 0
	for _, m := range g.Members {
		if m.Launched() && m.Version == 2 {
			on++
		}
	}
	if on != 4 || g.Desired != 4 || len(g.Suspended) != 0 || g.Version != "2" {
		s.Errorf("at the end: %d members on version 2, %+v", on, g)
	}
}

// points are moments of a roll to interrupt it at.
var points = []struct {
	name, event string
	times       int
}{
	{"new members launched", "launched in", 1},
	{"a new member healthy", "healthy in web", 1},
	{"old members ended", "terminating", 2},
}

func TestAccSignal_interruptTerraform(t *testing.T) {
	t.Parallel()
	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			now := s.at(p.event, p.times)
			a := s.apply()
			wait(t, p.name, now)
			if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := a.cmd.Wait(); err == nil {
				t.Fatalf("the interrupted apply ended well: %s", a.out)
			}
			if text := a.out.String(); !strings.Contains(text, "safe point") || !strings.Contains(text, "terraform apply again") {
				t.Errorf("it does not say what state things are in and what to do:\n%s", text)
			}
			if g, _ := s.world.Group("web"); len(g.Suspended) != 0 {
				t.Errorf("processes are left suspended: %v", g.Suspended)
			}
			s.finish()
		})
	}
}

// SIGTERM to the whole process group is what systemd and some CI systems send:
// terraform must be the one to tell the provider.
func TestAccSignal_terminateProcessGroup(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	now := s.at("launched in", 1)
	a := s.apply()
	wait(t, "new members", now)
	if err := syscall.Kill(-a.cmd.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Wait(); err == nil || !strings.Contains(a.out.String(), "safe point") {
		t.Fatalf("the apply ended with %v: %s", err, a.out)
	}
	s.finish()
}

// A killed terraform leaves a provider without a parent: it comes to a safe
// point by itself, and leaves.
func TestAccSignal_killTerraformOnly(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	now, safe := s.at("launched in", 1), s.at("AZRebalance resumed", 1)
	a := s.apply()
	wait(t, "new members", now)
	if err := a.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.cmd.Wait() // killed, as asked
	wait(t, "the provider to come to a safe point", safe)
	s.finish()
}

// When everything is killed at once, the next run finds the owner gone.
func TestAccSignal_killEverything(t *testing.T) {
	t.Parallel()
	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			now := s.at(p.event, p.times)
			a := s.apply()
			wait(t, p.name, now)
			if err := syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = a.cmd.Wait() // killed, as asked
			s.finish()
		})
	}
}
