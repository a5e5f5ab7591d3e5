package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// A roll that is interrupted while resuming is denied leaves its suspensions.
func interrupted(t *testing.T, s *rolltest.Stage) {
	t.Helper()
	_, err := s.World.Inject(awssim.Fault{Calls: "autoscaling:ResumeProcesses", Kind: awssim.Deny, Times: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	s.World.At(2*time.Minute, interrupt)
	_, _ = s.Roller.Roll(ctx, rolltest.Request(100, 150)) // how it ends is in the journal
	if n := len(s.Group().Suspended); n != 2 {
		t.Fatalf("%d processes are suspended, want 2\n%s", n, s.Story())
	}
}

func TestSettle(t *testing.T) {
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	out, err := command(t, s, "settle", "web")
	if want := "no roll of web is on record: there is nothing to settle\n"; err != nil || out != want {
		t.Errorf("with no roll: printed %q, %v, want %q", out, err, want)
	}
	interrupted(t, s)
	out, err = command(t, s, "settle", "web")
	for _, want := range []string{"continuing the roll that first left paused", "found: paused by first since 09:00:", "nothing of it is left; web is settled"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("printed %q, %v, want it to contain %q", out, err, want)
		}
	}
	if g := s.Group(); len(g.Suspended) > 0 || g.Desired != 4 {
		t.Errorf("after settling: suspended %v, desired %d, want none, 4", g.Suspended, g.Desired)
	}
	out, err = command(t, s, "settle", "web")
	if want := "it left nothing: there is nothing to settle"; err != nil || !strings.Contains(out, want) {
		t.Errorf("again: printed %q, %v, want %q", out, err, want)
	}
}

func TestSettleRefuses(t *testing.T) {
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	s.Crash(t.Context(), rolltest.Request(100, 150), 14, true)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"settle", "web"}, []string{"group web is being rolled by first (process 1) since 2026-", "--lock-timeout 4m0s", "refit-runner watch web"}},
		{[]string{"settle", "wob"}, []string{`there is no Auto Scaling group "wob" in region eu-west-2`}},
		{[]string{"settle"}, []string{`settle needs the name of an Auto Scaling group, such as "web", and nothing else: got 0 arguments`}},
	} {
		out, err := command(t, s, c.args...)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: printed %q, error %v, want %q", c.args, out, err, want)
			}
		}
	}
}
