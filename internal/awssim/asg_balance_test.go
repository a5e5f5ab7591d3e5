package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// oneZone makes a group of three whose members differ in age and version: the
// oldest is of version 2, the middle one of version 1, the newest of version 2.
func oneZone(t *testing.T, policies string) *fleet {
	t.Helper()
	f := newFleet(t, "", "desired       = 4", "desired = 1\n zones = [\"a\"]\n launched_from = 2\n termination_policies = ["+policies+"]")
	f.set(2) // the pointer is version 1
	f.Advance(10 * time.Minute)
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	f.set(3)
	f.Advance(10 * time.Minute)
	f.expect("made", 3, 3, 3)
	return f
}

func TestTerminationPolicies(t *testing.T) {
	t.Parallel()
	const closestToHour = `"ClosestToNextInstanceHour"`
	for policies, victim := range map[string]int{
		`"OldestInstance"`:       0,
		`"NewestInstance"`:       2,
		`"OldestLaunchTemplate"`: 1,
		`"Default"`:              1,

		`"OldestLaunchTemplate", "NewestInstance"`:            1,
		`"AllocationStrategy", "NewestInstance"`:              2,
		`"OldestLaunchConfiguration", "OldestInstance"`:       0,
		`"OldestLaunchConfiguration", "OldestLaunchTemplate"`: 1,

		closestToHour: -1, // worked out below
	} {
		t.Run(policies, func(t *testing.T) {
			t.Parallel()
			f := oneZone(t, policies)
			victim := victim
			if policies == closestToHour {
				victim = closest(f)
			}
			want := f.web().Members[victim].ID
			f.set(2)
			f.Advance(2 * time.Second)
			for i, m := range f.web().Members {
				if (m.Lifecycle == "Terminating") != (m.ID == want) {
					t.Errorf("member %d (%s) is %s, want only %s to end", i, m.ID, m.Lifecycle, want)
				}
			}
		})
	}
}

// closest is the member whose next hour begins first, worked out by hand.
func closest(f *fleet) int {
	best, least := 0, time.Hour
	for i, m := range f.web().Members {
		age := f.Clock().Now().Add(2 * time.Second).Sub(m.LaunchedAt)
		if left := time.Hour - age%time.Hour; left < least {
			best, least = i, left
		}
	}
	return best
}

func TestScaleInTakesFromTheFullestZone(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "desired       = 4", "desired = 4\n termination_policies = [\"NewestInstance\"]")
	f.set(3)
	f.Advance(2 * time.Second)
	for _, m := range f.web().Members {
		if (m.Lifecycle == "Terminating") && m.Zone != "eu-west-2a" {
			t.Errorf("%s of %s was taken, want one of eu-west-2a, which has two", m.ID, m.Zone)
		}
	}
	f.expect("later", 3, 3, 3)
}

func TestProtectionFromScaleIn(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "desired       = 4", "desired = 4\n protected = true")
	g := f.web()
	f.set(2)
	f.Advance(10 * time.Minute)
	f.expect("all are protected", 2, 4, 4)
	_, err := f.client.SetInstanceProtection(t.Context(), &autoscaling.SetInstanceProtectionInput{
		AutoScalingGroupName: aws.String("web"), InstanceIds: []string{g.Members[1].ID}, ProtectedFromScaleIn: aws.Bool(false),
	})
	f.do(err)
	f.do(f.Act(awssim.Action{Do: "resume", Group: "web"}))
	f.Advance(10 * time.Minute)
	f.expect("one is not", 2, 3, 3)
	f.do(f.terminate(g.Members[0].ID, false)) // protection does not stop a terminate call
	if f.web().Members[0].Lifecycle != "Terminating" {
		t.Error("the protected member was not terminated by its id")
	}
}

func TestAZRebalance(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", "max           = 8", "max = 6")
	_, err := launchIn(f, "eu-west-2a", "t", 2) // now 4, 1, 1
	f.do(err)
	most := 0
	f.OnTick(func() { most = max(most, f.web().Launched()) })
	f.Advance(30 * time.Minute)
	f.expect("later", 6, 6, 6)
	zones := map[string]int{}
	for _, m := range f.web().Members {
		zones[m.Zone]++
	}
	if zones["eu-west-2a"] != 2 || zones["eu-west-2b"] != 2 {
		t.Errorf("spread %v, want two each", zones)
	}
	if most != 7 {
		t.Errorf("at most %d were launched; want 7, one above desired and max, while balancing", most)
	}
	if got := causeOf(f, "Terminating"); !strings.Contains(got, "to balance instances in zones eu-west-2a") {
		t.Errorf("cause %q does not tell of balancing", got)
	}
}

func TestAZRebalanceSuspended(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.do(f.Act(awssim.Action{Do: "suspend", Group: "web", Processes: []string{"AZRebalance"}}))
	_, err := launchIn(f, "eu-west-2a", "t", 2)
	f.do(err)
	f.Advance(30 * time.Minute)
	f.expect("later", 6, 6, 6)
	for _, m := range f.web().Members[4:] {
		if m.Zone != "eu-west-2a" {
			t.Errorf("%s is in %s, want it where it was launched", m.ID, m.Zone)
		}
	}
}
