package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const allSpot = twoTypes + "distribution {\non_demand_percentage_above_base_capacity = 0\n}\n"

func TestSpotInterruption(t *testing.T) {
	t.Parallel()
	f := newMixed(t, allSpot)
	id := f.web().Members[0].ID
	f.do(f.Act(awssim.Action{Do: "interrupt", Group: "web"}))
	f.Advance(2*time.Minute - time.Second)
	f.expect("before the two minutes are over", 4, 4, 4)
	if m := f.web().Members[0]; !m.AtRisk || m.Lifecycle != "InService" {
		t.Errorf("before the two minutes are over: got %+v, want it at risk and in service", m)
	}
	f.Advance(2 * time.Second)
	out, err := ec2.NewFromConfig(f.Config()).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	f.do(err)
	if i := out.Reservations[0].Instances[0]; *i.StateReason.Code != "Server.SpotInstanceTermination" || i.State.Name != "shutting-down" {
		t.Errorf("EC2 says %s, %s; want shutting-down for Server.SpotInstanceTermination", i.State.Name, *i.StateReason.Code)
	}
	f.Advance(5 * time.Minute)
	f.expect("later", 4, 4, 4)
	cause := ""
	for _, a := range f.activities() {
		if strings.HasPrefix(*a.Description, "Terminating EC2 instance: "+id) {
			cause = *a.Cause
		}
	}
	if !strings.HasSuffix(cause, "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.") {
		t.Errorf("cause of the termination: %q", cause)
	}
	if err := f.Act(awssim.Action{Do: "interrupt", Group: "web", Instance: "i-1"}); err == nil {
		t.Error("interrupting an unknown instance: got no error")
	}
}

func TestOnDemandIsNotInterrupted(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	for _, id := range []string{"", f.web().Members[0].ID} {
		if err := f.Act(awssim.Action{Do: "interrupt", Group: "web", Instance: id}); err == nil {
			t.Errorf("interrupt %q of a group on demand: got no error", id)
		}
	}
}

func TestCapacityRebalancing(t *testing.T) {
	t.Parallel()
	f := newMixed(t, allSpot+"capacity_rebalance = true\n", "max           = 8", "max = 4")
	id := f.web().Members[0].ID
	f.do(f.Act(awssim.Action{Do: "recommend", Group: "web"}))
	f.Advance(2 * time.Second)
	f.expect("a successor, above max size", 4, 5, 4)
	f.Advance(74 * time.Second)
	f.expect("a second before the successor is healthy", 4, 5, 4)
	f.Advance(4 * time.Second)
	f.expect("the successor is healthy", 4, 4, 4)
	if m := f.web().Members[0]; m.ID != id || m.Lifecycle != "Terminating" {
		t.Errorf("member at risk: got %+v, want it terminating", m)
	}
	if cause := *f.activities()[0].Cause; !strings.Contains(cause, "rebalance recommendation") {
		t.Errorf("cause of the termination: %q", cause)
	}
	f.Advance(3 * time.Minute)
	f.do(f.Act(awssim.Action{Do: "interrupt", Group: "web"}))
	f.expect("a notice takes the member out of service at once", 4, 3, 3)
	f.Advance(3 * time.Minute)
	f.expect("later", 4, 4, 4)
}

func TestRebalancingNeedsRoom(t *testing.T) {
	t.Parallel()
	f := newMixed(t, allSpot+"capacity_rebalance = true\n", "max           = 8", "max = 4")
	for range 3 { // a tenth of four, rounded up, is one
		f.do(f.Act(awssim.Action{Do: "recommend", Group: "web"}))
	}
	for range 200 {
		f.Advance(2 * time.Second)
		if n := f.web().Launched(); n > 5 {
			t.Fatalf("%d members launched, want no more than one above max size", n)
		}
	}
	f.Advance(10 * time.Minute) // zones may have to be balanced again
	f.expect("one after the other", 4, 4, 4)
	for _, m := range f.web().Members {
		if m.AtRisk {
			t.Errorf("%s is still there, and at risk", m.ID)
		}
	}
}
