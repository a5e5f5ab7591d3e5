package awssim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// status is a member's three status checks, as EC2 shows them.
func (f *fleet) status(id string) string {
	f.Helper()
	out, err := ec2.NewFromConfig(f.Config()).DescribeInstanceStatus(f.Context(), &ec2.DescribeInstanceStatusInput{
		InstanceIds: []string{id}, IncludeAllInstances: aws.Bool(true),
	})
	f.do(err)
	s := out.InstanceStatuses[0]
	return fmt.Sprint(s.InstanceStatus.Status, " ", s.SystemStatus.Status, " ", s.AttachedEbsStatus.Status)
}

func TestStatusChecks(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", `health_check  = "ELB"`, `health_check  = "ELB"
  suspended     = ["ReplaceUnhealthy"]`)
	m := f.web().Members[0]
	for _, s := range []struct{ do, text, want string }{
		{"impair", "system", "ok impaired ok"},
		{"impair", "ebs", "ok ok impaired"},
		{"impair", "", "impaired ok ok"},
		{"mend", "", "ok ok ok"},
	} {
		f.do(f.Act(awssim.Action{Do: s.do, Group: "web", Instance: m.ID, Text: s.text}))
		got := f.web().Members[0]
		if status := f.status(m.ID); status != s.want || got.Targets["web"] != "healthy" || !got.Serves || got.Impaired != strings.Contains(s.want, "impaired") {
			t.Errorf("%s %s: status is %q, member %+v; want %q, and that it still serves", s.do, s.text, status, got, s.want)
		}
	}
	if err := f.Act(awssim.Action{Do: "impair", Group: "web", Text: "disk"}); err == nil {
		t.Error("impair disk: got no error, want one that lists the checks")
	}
}

func TestImageThatFailsItsStatusCheckOnly(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", newImage, `image "new" {
  created         = "2026-11-02T04:00:00Z"
  status_impaired = true
}`)
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	f.set(5)
	f.Advance(100 * time.Second) // it runs after 47 s, and is checked a minute later
	m := f.web().Members[4]
	if got := f.status(m.ID); got != "initializing initializing initializing" || m.Targets["web"] != "healthy" {
		t.Errorf("before its first check: status is %q, target %s; want all initializing, healthy", got, m.Targets["web"])
	}
	f.Advance(8 * time.Second)
	if got := f.status(m.ID); got != "impaired ok ok" {
		t.Errorf("after its first check: status is %q, want impaired ok ok", got)
	}
	f.Advance(5 * time.Second)
	if got := f.web().Members[4]; got.Health != "Unhealthy" {
		t.Errorf("after its first check: Auto Scaling has it %s, want Unhealthy", got.Health)
	}
}
