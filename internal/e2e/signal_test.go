package e2e_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// points are moments of a roll to interrupt it at.
var points = []struct {
	name, event string
	times       int
}{
	{"new members launched", "launched in", 1},
	{"a new member healthy", "healthy in web", 1},
	{"old members ended", "terminating", 2},
}

// atPoints starts an apply, waits for each of the points in a world of its own,
// interrupts, and lets later applies finish the roll.
func atPoints(t *testing.T, interrupt func(t *testing.T, s *stack, a started)) {
	t.Helper()
	for _, p := range points {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t)
			now := s.at(p.event, p.times)
			a := s.apply()
			wait(t, p.name, now)
			interrupt(t, s, a)
			s.finish()
		})
	}
}

// stopped waits for an apply to end, and checks that it says so, in what state
// things are and what to do, and that the group is whole.
func (a started) stopped(s *stack) {
	a.Helper()
	if err := a.cmd.Wait(); err == nil {
		a.Fatalf("the interrupted apply ended well: %s", a.out)
	}
	if text := a.out.String(); !strings.Contains(text, "safe point") || !strings.Contains(text, "terraform apply again") {
		a.Errorf("it does not say what state things are in and what to do:\n%s", text)
	}
	if g, _ := s.world.Group("web"); len(g.Suspended) != 0 {
		a.Errorf("processes are left suspended: %v", g.Suspended)
	}
}

func TestAccSignal_interruptTerraform(t *testing.T) {
	t.Parallel()
	atPoints(t, func(t *testing.T, s *stack, a started) {
		t.Helper()
		a.interrupt()
		a.stopped(s)
	})
}

// SIGTERM to the whole process group is what systemd and some CI systems send:
// terraform must be the one to tell the provider.
func TestAccSignal_terminateProcessGroup(t *testing.T) {
	t.Parallel()
	atPoints(t, func(t *testing.T, s *stack, a started) {
		t.Helper()
		a.signal(syscall.SIGTERM)
		a.stopped(s)
	})
}

// A killed terraform leaves a provider without a parent: it comes to a safe
// point by itself, and leaves.
func TestAccSignal_killTerraformOnly(t *testing.T) {
	t.Parallel()
	atPoints(t, func(t *testing.T, s *stack, a started) {
		t.Helper()
		safe := s.at("AZRebalance resumed", 1)
		if err := a.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = a.cmd.Wait() // killed, as asked
		wait(t, "the provider to come to a safe point", safe)
		wait(t, "the provider to leave", a.gone())
	})
}

// When everything is killed at once, the next run finds the owner gone.
func TestAccSignal_killEverything(t *testing.T) {
	t.Parallel()
	atPoints(t, func(t *testing.T, _ *stack, a started) {
		t.Helper()
		a.signal(syscall.SIGKILL)
		_ = a.cmd.Wait() // killed, as asked
	})
}

// The second of two SIGINTs makes terraform leave at once. What it did not wait
// for comes to a safe point by itself.
func TestAccSignal_interruptTwice(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(*stack, started) <-chan struct{}{
		"at once": func(_ *stack, a started) <-chan struct{} { return a.out.says("Interrupt received") },
		"a second later": func(s *stack, _ started) <-chan struct{} {
			c := make(chan struct{})
			s.world.At(speed*time.Second, func() { close(c) })
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atPoints(t, func(t *testing.T, s *stack, a started) {
				t.Helper()
				again := second(s, a)
				a.interrupt()
				wait(t, "the second interrupt", again)
				a.interrupt()
				if err := a.cmd.Wait(); err == nil {
					t.Errorf("the interrupted apply ended well:\n%s", a.out)
				}
			})
		})
	}
}

// An apply that waits for a window ends at the first interrupt, and has taken
// no lease that a successor would have to wait for.
func TestAccSignal_waitingForWindow(t *testing.T) {
	t.Parallel()
	s := newProject(t, provider+strings.Replace(rolling, "  min_healthy", `  windows                 = [{ day = "last day", time = "23:00", timezone = "UTC", duration = "30m" }]
  outside_window          = "wait"
  max_wait                = "1500h"
  min_healthy`, 1))
	a := s.apply()
	wait(t, "terraform to say that it waits", a.out.says("Still creating"))
	started := time.Now()
	a.interrupt()
	err := a.cmd.Wait()
	text := strings.Join(strings.Fields(a.out.String()), " ")
	if err == nil || !strings.Contains(text, "The run was interrupted while it waited for the window.") || !strings.Contains(text, "Nothing was changed.") {
		t.Errorf("the interrupted apply ended with %v and does not say why, and what was changed:\n%s", err, a.out)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %s to end after the interrupt", took)
	}
	for call, n := range s.world.Calls() {
		if call == "ssm:PutParameter" || call == "autoscaling:LaunchInstances" {
			t.Errorf("got %d calls of %s while waiting, want none", n, call)
		}
	}
}
