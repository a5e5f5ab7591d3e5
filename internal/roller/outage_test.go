package roller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// fails lets all calls fail from an instant of the story on.
func fails(t *testing.T, s *rolltest.Stage, at time.Duration, f awssim.Fault) {
	t.Helper()
	s.World.At(at, func() {
		if _, err := s.World.Inject(f); err != nil {
			t.Error(err)
		}
	})
}

// TestOutage_passes takes the network away for ten minutes, or the credentials
// for four, at each moment of a roll: it waits, and then goes on.
func TestOutage_passes(t *testing.T) {
	t.Parallel()
	for _, f := range []awssim.Fault{
		{Kind: awssim.Drop, For: 10 * time.Minute},
		{Kind: awssim.Expire, For: 4 * time.Minute},
		{Calls: "ssm:*", Kind: awssim.Drop, For: 10 * time.Minute},
		{Calls: "ssm:*", Kind: awssim.Expire, For: 4 * time.Minute},
	} {
		for _, p := range [][2]int{{100, 150}, {75, 100}} {
			t.Run(string(f.Kind)+" "+f.Calls, func(t *testing.T) {
				t.Parallel()
				for at := 5 * time.Second; at < 5*time.Minute; at += 22 * time.Second {
					s := rolltest.New(t, rolltest.Shape{Members: 4})
					fails(t, s, at, f)
					if _, err := s.Roll(t.Context(), rolltest.Request(p[0], p[1])); err != nil {
						t.Fatalf("%s after %s: %v\n%s", f.Kind, at, err, s.Story())
					}
					s.Settled(2)
					if t.Failed() {
						t.Fatalf("%s after %s", f.Kind, at)
					}
				}
			})
		}
	}
}

// TestOutage_stays takes network, credentials or permissions away for good: the
// roll ends within its bound and says what to do, and another one goes on.
func TestOutage_stays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind    awssim.FaultKind
		calls   string
		timeout time.Duration
		most    time.Duration // from the fault on
		want    string
	}{
		{awssim.Drop, "", 0, 66 * time.Minute, "connection reset"},
		{awssim.Drop, "", 20 * time.Minute, 26 * time.Minute, "connection reset"},
		{awssim.Drop, "ssm:*", 0, 66 * time.Minute, "parameter /refit/rolls"},
		{awssim.Expire, "", 0, 7 * time.Minute, "Renew the AWS credentials"},
		{awssim.Expire, "ssm:*", 0, 8 * time.Minute, "Renew the AWS credentials"},
		{awssim.Deny, "autoscaling:Describe*", 0, 3 * time.Minute, "autoscaling:DescribeAutoScalingGroups"},
		{awssim.Deny, "ssm:PutParameter", 0, 5 * time.Minute, "ssm:PutParameter"},
	} {
		t.Run(string(c.kind)+" "+c.calls, func(t *testing.T) {
			t.Parallel()
			for at := 5 * time.Second; at < 3*time.Minute; at += 50 * time.Second {
				s := rolltest.New(t, rolltest.Shape{Members: 4})
				q := rolltest.Request(100, 150)
				q.Timeout, q.LockTimeout = c.timeout, 10*time.Minute
				fails(t, s, at, awssim.Fault{Calls: c.calls, Kind: c.kind})
				_, err := s.Roll(t.Context(), q)
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "refit-runner settle web") {
					t.Fatalf("after %s: %v, want it to end with %q and the next commands\n%s", at, err, c.want, s.Story())
				}
				if took := s.Elapsed() - at; took > c.most {
					t.Errorf("after %s: it ended %s later, want at most %s\n%s", at, took, c.most, s.Story())
				}
				s.World.ClearFaults()
				s.Roller = s.NewRoller("second", 2)
				q.Timeout = 0
				if _, err := s.Roll(t.Context(), q); err != nil {
					t.Fatalf("after %s, the roll after it: %v\n%s", at, err, s.Story())
				}
				s.Settled(2)
			}
		})
	}
}

// TestOutage_overtaken takes the network away from one owner for so long that
// another one takes over: the first finds that out and makes no more calls.
func TestOutage_overtaken(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	q.LockTimeout = 10 * time.Minute
	fails(t, s, time.Minute, awssim.Fault{Kind: awssim.Drop, For: 20 * time.Minute})
	second, rolled := s.NewRoller("second", 2), false
	s.World.At(21*time.Minute, func() {
		if _, err := second.Roll(t.Context(), q); err != nil {
			t.Errorf("the second owner: %v\n%s", err, s.Story())
		}
		rolled = true
	})
	_, err := s.Roll(t.Context(), q)
	if !rolled || err == nil || !strings.Contains(err.Error(), "taken over") {
		t.Fatalf("the first owner: %v, want it to give way\n%s", err, s.Story())
	}
	s.Settled(2)
}

// TestExpiry: a roll comes to a safe point five minutes before its credentials
// expire, says so, and does not begin where it could not get there.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4})
	q := rolltest.Request(100, 150)
	ends := s.World.Clock().Now().Add(6 * time.Minute)
	s.Roller.Expires = func(context.Context) time.Time { return ends }
	_, err := s.Roll(t.Context(), q)
	e := ended(t, s, err, rollout.Paused)
	if s.Elapsed() != time.Minute || !strings.Contains(e.Happened, "credentials expire at 09:06 UTC") {
		t.Errorf("ended after %s: %s, want after 1m0s with the time\n%s", s.Elapsed(), e.Happened, s.Story())
	}
	if g := s.Group(); len(g.Suspended) > 0 || g.Version != "1" || g.Desired != 4 {
		t.Errorf("at the safe point: %+v\n%s", g, s.Story())
	}
	calls := s.World.Calls()["autoscaling:SuspendProcesses"]
	_, err = s.Roll(t.Context(), q)
	if err == nil || !strings.Contains(err.Error(), "Nothing was changed. Renew the credentials") || s.World.Calls()["autoscaling:SuspendProcesses"] != calls {
		t.Errorf("with credentials for less than five minutes: %v, want nothing begun\n%s", err, s.Story())
	}
	s.Roller.Expires = func(context.Context) time.Time { return s.World.Clock().Now().Add(6 * time.Minute) } // renewed each time
	if _, err := s.Roll(t.Context(), q); err != nil {
		t.Fatalf("with renewed credentials: %v\n%s", err, s.Story())
	}
	s.Settled(2)
}
