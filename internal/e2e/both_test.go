package e2e_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

// with is the rolling update with another argument.
func with(argument string) string {
	return provider + strings.Replace(rolling, "min_healthy", argument+"\n  min_healthy", 1)
}

// waiting makes terraform tell what the provider tells its log.
const waiting = "TF_LOG_PROVIDER=INFO"

// Two applies at once on one group: one rolls, the others say who holds it and
// since when. Who has the patience finds nothing left to do.
func TestAccBoth_twoApplies(t *testing.T) {
	t.Parallel()
	s := newProject(t, with(`final_bake = "15m"`))
	patient := s.beside("patient", with(`lock_timeout = "2h"`))
	hasty := s.beside("hasty", with(`lock_timeout = "30s"`))
	now := s.at("launched in", 1)
	first := s.apply()
	wait(t, "the first roll", now)

	second := patient.apply(waiting)
	wait(t, "the second apply to wait", second.out.says("waiting for "))
	third := hasty.apply()
	if err := third.cmd.Wait(); err == nil {
		t.Fatalf("the third apply rolled a group that is held:\n%s", third.out)
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(third.out.String(), "│", "")), " ")
	for _, want := range []string{"Another roll of this group is running", "holds it since 20", "Nothing was changed", "refit-runner watch web"} {
		if !strings.Contains(text, want) {
			t.Errorf("the third apply does not say %q:\n%s", want, text)
		}
	}
	if err := first.cmd.Wait(); err != nil {
		t.Errorf("the first apply: %v\n%s", err, first.out)
	}
	if err := second.cmd.Wait(); err != nil {
		t.Errorf("the second apply: %v\n%s", err, second.out)
	}
	if !strings.Contains(second.out.String(), "who is rolling this group since 20") {
		t.Errorf("the second apply does not say since when:\n%s", second.out)
	}
	if changes := append(s.wire.by("patient"), s.wire.by("hasty")...); len(changes) > 0 {
		t.Errorf("those who waited made changes: %v", changes)
	}
	s.settled()
}

// Who has waited for a roll that failed does not try the same image again.
func TestAccBoth_failedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newProject(t, with(`instance_timeout = "5m"`))
	s.world.SetImageBehaviour(s.image("golden-web-2"), awssim.ImageBehaviour{NeverHealthy: true})
	patient := s.beside("patient", with(`lock_timeout = "2h"`))
	now := s.at("launched in", 1)
	first := s.apply()
	wait(t, "the first roll", now)

	second := patient.apply(waiting)
	wait(t, "the second apply to wait", second.out.says("waiting for "))
	for name, a := range map[string]started{"first": first, "second": second} {
		if err := a.cmd.Wait(); err == nil {
			t.Errorf("the %s apply ended well:\n%s", name, a.out)
		}
	}
	if !strings.Contains(first.out.String(), "was rolled back") || !strings.Contains(second.out.String(), "Nothing was changed") {
		t.Errorf("the first apply said\n%s\nthe second\n%s", first.out, second.out)
	}
	if changes := s.wire.by("patient"); len(changes) > 0 {
		t.Errorf("the second apply made %v", changes)
	}
}

// A saved plan stays valid when the group scales meanwhile.
func TestAccBoth_savedPlan(t *testing.T) {
	t.Parallel()
	s := newProject(t, strings.Replace(provider+rolling, `version = "2"`, `version = "1"`, 1))
	run := func(args ...string) {
		t.Helper()
		if r := tftest.Run(t, s.dir, s.env, args...); r.Code != 0 {
			t.Fatalf("terraform %v: %s", args, r.Output)
		}
	}
	run("apply", "-auto-approve")
	s.write(provider + rolling)
	run("plan", "-out=saved")
	now := s.at("healthy in web", 1)
	if err := s.world.Act(awssim.Action{Do: "scale", Group: "web", Value: 1}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the fifth member", now)
	run("apply", "saved")
	s.members = 5
	s.finish()
}

// freeze stops a process group and returns once all of it stands still, which
// takes a moment on a busy machine.
func freeze(t *testing.T, group int) {
	t.Helper()
	if err := syscall.Kill(-group, syscall.SIGSTOP); err != nil {
		t.Error(err)
		return
	}
	running := regexp.MustCompile(fmt.Sprintf(`(?m)^ *%d +[^TZ ]`, group))
	for range 1000 {
		list, err := exec.CommandContext(t.Context(), "ps", "-A", "-o", "pgid=,stat=").Output()
		if err != nil {
			t.Error(err)
			return
		}
		if !running.Match(list) {
			return
		}
	}
	t.Errorf("process group %d does not stop", group)
}

// An owner that is frozen in the middle of a call, and taken over from, makes
// no other call when it wakes, and says that it was taken over.
func TestAccBoth_frozenOwner(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"SuspendProcesses", "LaunchInstances", "TerminateInstanceInAutoScalingGroup"} {
		for name, awakeEarly := range map[string]bool{"awake while the successor rolls": true, "awake at the end": false} {
			t.Run(call+", "+name, func(t *testing.T) {
				t.Parallel()
				s := newStack(t)
				stopped := make(chan struct{})
				pids := make(chan int, 1)
				s.wire.before("test", call, func() {
					freeze(t, <-pids)
					close(stopped)
				})
				frozen := s.apply()
				pids <- frozen.cmd.Process.Pid
				wait(t, "the owner to be frozen", stopped)

				successor := s.beside("successor", provider+rolling)
				rolling := make(chan struct{})
				s.wire.before("successor", "TerminateInstanceInAutoScalingGroup", func() { close(rolling) })
				second := successor.apply()
				over := make(chan error, 1)
				go func() { over <- second.cmd.Wait() }()
				wait(t, "the successor to roll", rolling)
				if !awakeEarly {
					over <- <-over
				}
				frozen.signal(syscall.SIGCONT)
				if err := frozen.cmd.Wait(); err == nil || !strings.Contains(frozen.out.String(), "was taken over") {
					t.Errorf("the frozen apply ended with %v, and does not say that it was taken over:\n%s", err, frozen.out)
				}
				if err := <-over; err != nil {
					t.Errorf("the apply that took over: %v\n%s", err, second.out)
				}
				if made := s.wire.by("test"); made[len(made)-1] != call {
					t.Errorf("awake again, the frozen apply went on: %v", made)
				}
				s.finish()
			})
		}
	}
}
