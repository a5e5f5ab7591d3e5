package roller_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// members are the ids of the first n members of the staged group.
func members(s *rolltest.Stage, n int) []string {
	var ids []string
	for _, m := range s.Group().Members[:n] {
		ids = append(ids, m.ID)
	}
	return ids
}

// protect puts members under protection from scale-in, or takes it off.
func protect(t *testing.T, s *rolltest.Stage, on bool, ids ...string) {
	t.Helper()
	_, err := s.AutoScaling().SetInstanceProtection(t.Context(), &autoscaling.SetInstanceProtectionInput{
		AutoScalingGroupName: aws.String("web"), InstanceIds: ids, ProtectedFromScaleIn: aws.Bool(on),
	})
	if err != nil {
		t.Error(err)
	}
}

// standby puts members in standby, or back in service.
func standby(t *testing.T, s *rolltest.Stage, on bool, ids ...string) {
	t.Helper()
	var err error
	if on {
		_, err = s.AutoScaling().EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{
			AutoScalingGroupName: aws.String("web"), InstanceIds: ids, ShouldDecrementDesiredCapacity: aws.Bool(true),
		})
	} else {
		_, err = s.AutoScaling().ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String("web"), InstanceIds: ids})
	}
	if err != nil {
		t.Error(err)
	}
}

// percentages are those of launching first and of ending first.
var percentages = [][2]int{{100, 110}, {100, 150}, {100, 200}, {75, 100}, {50, 100}, {75, 125}}

// sparing is a request with both treatments.
func sparing(p [2]int, protected, aside rollout.Treatment) roller.Request {
	q := rolltest.Request(p[0], p[1])
	q.Spec.Protected, q.Spec.Standby = protected, aside
	return q
}

func TestSpecial_protectedIgnored(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		for n := 1; n <= 4; n++ {
			s := rolltest.New(t, rolltest.Shape{Members: 4})
			protect(t, s, true, members(s, n)...)
			q := sparing(p, rollout.Ignore, rollout.Wait)
			report, err := s.Roll(t.Context(), q)
			if err != nil || report.Outcome != rollout.Partial || report.Counts.Left != n {
				t.Fatalf("%v, %d protected: %s with %d left, %v; want partial\n%s", p, n, report.Outcome, report.Counts.Left, err, s.Story())
			}
			if w := strings.Join(report.Warnings, "; "); !strings.Contains(w, members(s, 1)[0]+" (protected from scale-in)") {
				t.Errorf("warnings = %q, want the member named", w)
			}
			s.SettledBut(2, n)
			if g := s.Group(); g.Version != "2" {
				t.Errorf("%v, %d protected: pointer = %s, want 2", p, n, g.Version)
			}
			a, err := s.Roller.Assess(t.Context(), q)
			if err != nil || !a.Converged {
				t.Errorf("%v, %d protected: a plan after it is not empty: %+v, %v", p, n, a, err)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

func TestSpecial_protectedRefreshed(t *testing.T) {
	t.Parallel()
	s := rolltest.New(t, rolltest.Shape{Members: 4, Group: "protected = true"})
	report, err := s.Roll(t.Context(), sparing([2]int{100, 150}, rollout.Refresh, rollout.Wait))
	if err != nil || report.Outcome != rollout.Succeeded {
		t.Fatalf("%s, %v, want succeeded\n%s", report.Outcome, err, s.Story())
	}
	s.Settled(2)
}

// TestSpecial_protectedWaited: the others are rolled, then the roll waits until
// the protection is off, which here happens or does not.
func TestSpecial_protectedWaited(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		for _, released := range []bool{true, false} {
			s := rolltest.New(t, rolltest.Shape{Members: 4})
			ids := members(s, 2)
			protect(t, s, true, ids...)
			if released {
				s.World.At(8*time.Minute, func() { protect(t, s, false, ids...) })
			}
			q := sparing(p, rollout.Wait, rollout.Wait)
			report, err := s.Roll(t.Context(), q)
			if released {
				if err != nil || report.Outcome != rollout.Succeeded {
					t.Fatalf("%v: %s, %v, want succeeded\n%s", p, report.Outcome, err, s.Story())
				}
				s.Settled(2)
				continue
			}
			e := ended(t, s, err, rollout.Paused)
			if !strings.Contains(e.Happened, ids[0]+" (protected from scale-in)") || !strings.Contains(e.Next, "Take the protection from scale-in off") {
				t.Errorf("%v: happened %q, next %q, want the members and the cure", p, e.Happened, e.Next)
			}
			s.SettledBut(2, 2)
			protect(t, s, false, ids...)
			if _, err := s.Roll(t.Context(), q); err != nil {
				t.Fatalf("%v: resume: %v\n%s", p, err, s.Story())
			}
			s.Settled(2)
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// TestSpecial_protectedByGroup: new members are protected too, which does not
// keep a rollback from ending them.
func TestSpecial_protectedByGroup(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Group: "protected = true", Image: "never_healthy = true"})
		protect(t, s, false, members(s, 3)...)
		s.Referee(rolltest.Request(p[0], p[1]))
		_, err := s.Roll(t.Context(), sparing(p, rollout.Ignore, rollout.Wait))
		_ = ended(t, s, err, rollout.RolledBack)
		if g := s.Group(); rolltest.On(g, 2) != 0 || g.Desired != 4 || g.Healthy() != 4 {
			t.Fatalf("%v: after the rollback: %+v\n%s", p, g, s.Story())
		}
	}
}

func TestSpecial_standby(t *testing.T) {
	t.Parallel()
	for _, p := range percentages {
		for _, treatment := range []rollout.Treatment{rollout.Terminate, rollout.Ignore, rollout.Wait} {
			s := rolltest.New(t, rolltest.Shape{Members: 5})
			ids := members(s, 1)
			standby(t, s, true, ids...)
			s.World.Advance(2 * time.Minute)
			if treatment == rollout.Wait {
				s.World.At(8*time.Minute, func() {
					s.Outside(5)
					s.Lenient() // it comes back unhealthy, beside what is launched
					standby(t, s, false, ids...)
				})
			}
			report, err := s.Roll(t.Context(), sparing(p, rollout.Wait, treatment))
			want := rollout.Succeeded
			if treatment == rollout.Ignore {
				want = rollout.Partial
			}
			if err != nil || report.Outcome != want {
				t.Fatalf("%v, %s: %s, %v, want %s\n%s", p, treatment, report.Outcome, err, want, s.Story())
			}
			s.Settled(2)
			aside := 0
			for _, m := range s.Group().Members {
				if m.Lifecycle == "Standby" {
					aside++
				}
			}
			if left := treatment == rollout.Ignore; (aside == 1) != left {
				t.Errorf("%v, %s: %d in standby at the end", p, treatment, aside)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// TestSpecial_putAside puts an old member in standby in the middle of a roll.
func TestSpecial_putAside(t *testing.T) {
	t.Parallel()
	for at := 20 * time.Second; at < 4*time.Minute; at += 20 * time.Second {
		s := rolltest.New(t, rolltest.Shape{Members: 4, Max: 12})
		q := sparing([2]int{100, 125}, rollout.Wait, rollout.Terminate)
		s.Referee(q)
		s.Lenient()
		s.Excuse()
		s.World.At(at, func() {
			for _, m := range s.Group().Members {
				if m.Lifecycle == "InService" && m.Version == 1 {
					s.Outside(3)
					standby(t, s, true, m.ID)
					return
				}
			}
		})
		report, err := s.Roll(t.Context(), q)
		if err != nil || report.Outcome != rollout.Succeeded {
			t.Fatalf("after %s: %s, %v\n%s", at, report.Outcome, err, s.Story())
		}
		if g := s.Group(); rolltest.On(g, 2) != g.Desired || rolltest.On(g, 1) != 0 {
			t.Fatalf("after %s: %+v\n%s", at, g, s.Story())
		}
	}
}
