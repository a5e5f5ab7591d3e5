package provider_test

import (
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// TestAccStack_latestInterrupted: a roll that ends after it has made the version
// leaves the group on a number. The next apply of the whole stack, in which the real
// hashicorp/aws comes first, leaves it there until the roll has proven the version.
func TestAccStack_latestInterrupted(t *testing.T) {
	t.Parallel()
	s := newStack(t, "latest")
	s.run([]int{0}, "apply", "-auto-approve")
	s.wantNoChanges("after the first apply")
	s.publish(second, 2, awssim.ImageBehaviour{})
	if _, err := s.world.Inject(awssim.Fault{Calls: "autoscaling:LaunchInstances", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	if output := s.run([]int{1}, "apply", "-auto-approve"); !strings.Contains(output, "LaunchInstances") {
		t.Errorf("the apply does not say what AWS refused:\n%s", output)
	}
	s.runs("after the failure", first)
	if g, _ := s.world.Group("web"); g.Version != "1" {
		t.Errorf("after the failure the group is at %s, want 1", g.Version)
	}
	s.world.ClearFaults()
	before := len(s.world.Events(0))
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("after the next apply", second)
	ended := 0
	for _, e := range s.world.Events(before) {
		if strings.HasSuffix(e.Text, " terminating") {
			ended++
		}
		if strings.HasPrefix(e.Text, "template pointer is now $Latest") && ended < 4 {
			t.Errorf("the group is put on $Latest when %d of its 4 old members are ended", ended)
		}
	}
	s.wantNoChanges("after the next apply")
}
