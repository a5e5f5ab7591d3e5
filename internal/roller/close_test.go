package roller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestClose lets the window close in the middle of a roll of eight members, in
// each of the ways, and then opens the next one: that roll finishes. A close is
// no failure, and leaves no surge, suspension or quarantine.
func TestClose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		low, high int
		engine    rollout.Engine
		closing   rollout.Closing
		outcome   rollout.Outcome
		least     int // members of version 2 afterwards
		most      int
		within    time.Duration // how long after the close it may end
		reason    string
	}{
		{name: "finish_batch", low: 100, high: 125, closing: rollout.Closing{At: after(150), Over: time.Hour, How: rollout.FinishBatch}, outcome: rollout.Paused, least: 4, most: 4, within: 2 * time.Minute, reason: "the window closed at"},
		{name: "finish_batch, ending first", low: 75, high: 100, closing: rollout.Closing{At: after(200), Over: time.Hour, How: rollout.FinishBatch}, outcome: rollout.Paused, least: 3, most: 5, within: 3 * time.Minute, reason: "the window closed at"},
		{name: "finish_batch without overrun", low: 100, high: 125, closing: rollout.Closing{At: after(150), How: rollout.FinishBatch}, outcome: rollout.Paused, least: 2, most: 2, within: 5 * time.Second, reason: "the window closed at"},
		{name: "finish_batch in the last batch", low: 100, high: 200, closing: rollout.Closing{At: after(60), Over: time.Hour, How: rollout.FinishBatch}, outcome: rollout.Succeeded, least: 8, most: 8, within: time.Hour},
		{name: "finish_group", low: 100, high: 125, closing: rollout.Closing{At: after(150), Over: time.Hour, How: rollout.FinishGroup}, outcome: rollout.Succeeded, least: 8, most: 8, within: time.Hour},
		{name: "finish_group beyond the overrun", low: 100, high: 125, closing: rollout.Closing{At: after(150), Over: time.Minute, How: rollout.FinishGroup}, outcome: rollout.Paused, least: 2, most: 4, within: 65 * time.Second, reason: "its overrun of 1m is used up"},
		{name: "cancel_keep", low: 100, high: 125, closing: rollout.Closing{At: after(150), Over: time.Hour, How: rollout.CancelKeep}, outcome: rollout.Paused, least: 2, most: 2, within: 5 * time.Second, reason: "the window closed at"},
		{name: "rollback", low: 100, high: 125, closing: rollout.Closing{At: after(150), Over: time.Hour, How: rollout.GoBack}, outcome: rollout.RolledBack, within: 10 * time.Minute, reason: "the window closed at"},
		{name: "instance refresh, finish_batch", low: 100, high: 125, engine: rollout.EngineRefresh, closing: rollout.Closing{At: after(150), Over: time.Hour, How: rollout.FinishBatch}, outcome: rollout.Paused, most: 7, within: 2 * time.Minute, reason: "the window closed at"},
		{name: "instance refresh, finish_group", low: 100, high: 125, engine: rollout.EngineRefresh, closing: rollout.Closing{At: after(150), Over: 2 * time.Hour, How: rollout.FinishGroup}, outcome: rollout.Succeeded, least: 8, most: 8, within: 2 * time.Hour},
		{name: "instance refresh, rollback", low: 100, high: 125, engine: rollout.EngineRefresh, closing: rollout.Closing{At: after(200), Over: time.Hour, How: rollout.GoBack}, outcome: rollout.RolledBack, within: 30 * time.Minute, reason: "the window closed at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 8, Group: `health_check = "ELB"
				grace_period = "5m"`})
			if c.engine == rollout.EngineRefresh {
				s.Referee(rolltest.Request(c.low, c.high))
				s.Lenient() // AWS rounds its limits as it likes, and scales in at a cancel
			}
			q := rolltest.Request(c.low, c.high)
			q.Spec.Engine = c.engine
			q.Closing = c.closing
			closes := s.World.Clock().Now().Add(c.closing.At.Sub(time.Time{}))
			q.Closing.At, q.Closing.Window, q.Closing.Next = closes, "the window", "Wed 6 Jan 15:00 GMT"
			report, err := s.Roll(t.Context(), q)
			if err != nil || report.Outcome != c.outcome || !strings.Contains(report.Reason, c.reason) {
				t.Fatalf("roll = %s because %q (%v), want it %s because of %q\n%s", report.Outcome, report.Reason, err, c.outcome, c.reason, s.Story())
			}
			if report.Closed != (c.outcome != rollout.Succeeded) {
				t.Errorf("closed = %t for %s", report.Closed, report.Outcome)
			}
			if report.Closed && (len(report.Warnings) == 0 || !strings.Contains(report.Warnings[len(report.Warnings)-1], "The roll goes on in the next window, Wed 6 Jan 15:00 GMT.")) {
				t.Errorf("warnings = %q, want the next window in the last", report.Warnings)
			}
			if late := s.World.Clock().Now().Sub(closes); late > c.within {
				t.Errorf("ended %s after the close, want within %s\n%s", late, c.within, s.Story())
			}
			g := s.Group()
			if n := rolltest.On(g, 2); n < c.least || n > c.most || g.Launched() != 8 || g.Desired != 8 || len(g.Suspended) > 0 {
				t.Errorf("afterwards %d of %d on version 2, desired %d, suspended %v, want %d to %d of 8\n%s", n, g.Launched(), g.Desired, g.Suspended, c.least, c.most, s.Story())
			}
			q.Closing = rollout.Closing{}
			s.World.Advance(24 * time.Hour)
			if report, err = s.Roll(t.Context(), q); err != nil {
				t.Fatalf("the roll in the next window: %v\n%s", err, s.Story())
			}
			s.Settled(2)
		})
	}
}

// TestClose_finishedByAnother: a roll that its window has turned back is finished by
// another run, whose own window is open. That run says what it did, and that the roll
// is still to come: now, not in the next window.
func TestClose_finishedByAnother(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 8})
	q := rolltest.Request(100, 125)
	q.LockTimeout = 10 * time.Minute
	q.Closing = rollout.Closing{At: s.World.Clock().Now().Add(150 * time.Second), Over: time.Hour, How: rollout.GoBack, Window: "the window", Next: "Wed 6 Jan 15:00 GMT"}
	ctx, cancel := context.WithCancel(t.Context())
	s.World.At(200*time.Second, cancel) // on the way back
	if _, err := s.Roll(ctx, q); err == nil || !strings.Contains(s.Story(), "going back to version 1") {
		t.Fatalf("the first run was not interrupted on its way back (%v)\n%s", err, s.Story())
	}
	s.World.Advance(24 * time.Hour)
	s.Roller = s.NewRoller("second", 2)
	q.Closing = rollout.Closing{At: s.World.Clock().Now().Add(4 * time.Hour), Window: "the second window", Next: "Thu 7 Jan 15:00 GMT"}
	report, err := s.Roll(t.Context(), q)
	if err != nil || report.Outcome != rollout.RolledBack || !report.Closed || !strings.HasPrefix(report.Reason, "this run has finished the way back of an earlier one, which had turned round: the window closed at") {
		t.Fatalf("%s because %q (%v), want the way back finished\n%s", report.Outcome, report.Reason, err, s.Story())
	}
	if n := len(report.Warnings); n == 0 || !strings.HasSuffix(report.Warnings[n-1], "Run terraform apply again to roll to version 2.") {
		t.Errorf("warnings %q, want what to do in the last", report.Warnings)
	}
	if _, err = s.Roll(t.Context(), q); err != nil {
		t.Fatalf("the roll again: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}

// after is seconds after the start of a roll, until the start is known.
func after(seconds int) time.Time { return time.Time{}.Add(time.Duration(seconds) * time.Second) }

// TestClose_late: a roll that waits for a lock past the cutoff of its window
// does not begin, is no failure, and leaves nothing behind.
func TestClose_late(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, cluster("web"), false)
	held := holding(t, s, false, journal.Options{})
	start := s.World.Clock().Now()
	s.World.At(3*time.Minute, func() {
		if err := held.Release(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	q := underLock("web", 1)
	q.Closing = rollout.Closing{NoStart: start.Add(2 * time.Minute), At: start.Add(time.Hour), Window: "the window", Next: "Wed 6 Jan 15:00 GMT"}
	report, err := s.Roll(t.Context(), q)
	if err != nil || !report.Closed || report.Outcome != rollout.Paused || !report.Started.IsZero() {
		t.Fatalf("roll = %+v (%v), want it closed before it began\n%s", report, err, s.Story())
	}
	if want := "nothing starts in the window. The roll goes on in the next window, Wed 6 Jan 15:00 GMT."; len(report.Warnings) == 0 || !strings.Contains(report.Warnings[len(report.Warnings)-1], want) {
		t.Errorf("warnings = %q, want the last to say %q", report.Warnings, want)
	}
	if g, _ := s.World.Group("web"); rolltest.On(g, 1) != 3 || g.Launched() != 3 {
		t.Errorf("%d of %d members are on version 1, want 3 of 3\n%s", rolltest.On(g, 1), g.Launched(), s.Story())
	}
	q.Closing = rollout.Closing{}
	before := s.World.Clock().Now()
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("the roll in the next window: %v\n%s", err, s.Story())
	}
	if waited := s.World.Clock().Now().Sub(before); waited > 20*time.Minute {
		t.Errorf("the roll in the next window took %s", waited)
	}
	rolled(t, s, "web")
}
