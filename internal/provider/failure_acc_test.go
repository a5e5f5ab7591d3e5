package provider_test

import (
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// One new member breaks; the limit is two, so that the roll gets over it, says
// so, and the plan after it is empty.
func TestAccRollingUpdate_failureLimit(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	var once sync.Once
	l.world.OnTick(func() {
		g, _ := l.world.Group("web")
		for _, m := range g.Members {
			if m.Image == second && m.Healthy() {
				once.Do(func() {
					l.world.At(0, func() {
						if err := l.world.Act(awssim.Action{Do: "break", Group: "web", Instance: m.ID}); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	})
	limited := strings.Replace(both, "on_failure ", "failure_limit = 2\n  on_failure ", 1)
	last := tfjsonpath.New("last_roll")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(limited),
				ConfigStateChecks: []statecheck.StateCheck{
					converged, outcome("succeeded"),
					statecheck.ExpectKnownValue(rollAddress, last.AtMapKey("failed"), knownvalue.Int64Exact(1)),
					statecheck.ExpectKnownValue(rollAddress, last.AtMapKey("reason"), knownvalue.NotNull()),
				},
				Check: l.runs(second, 4),
			},
			{Config: l.config(limited), ConfigPlanChecks: emptyPlan},
		},
	})
}

// Credentials expire while a roll goes back from what the group points at. The image
// is banned then, which keeps nobody from finishing that.
func TestAccRollingUpdate_goingBackFromBanned(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name = "web"
  max_healthy_percentage = 150
  instance_timeout       = "10m"
}
`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, ConfigStateChecks: []statecheck.StateCheck{converged}},
			{
				PreConfig: func() {
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true})
					l.version(third)
					l.act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"})
					l.world.BeforeCall("autoscaling:TerminateInstanceInAutoScalingGroup", 1, func() { l.fault(awssim.Fault{Kind: awssim.Expire}) })
				},
				Config: config, ExpectError: regexp.MustCompile(`(?s)Unable to roll Auto Scaling group "web".*expired`),
			},
			{
				PreConfig: func() {
					l.world.ClearFaults()
					if g, _ := l.group(); g.Desired != 6 || len(l.versions()) != 3 {
						t.Errorf("desired capacity is %d and the versions are %q, want 6, two of them new, and a copy of the first", g.Desired, l.versions())
					}
					l.banned(third)
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate),
				}},
				ExpectError: regexp.MustCompile(`(?s)Unable to roll Auto Scaling group "web".*rolled\s+back`),
			},
			{
				Config: config, ConfigPlanChecks: emptyPlan,
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("rolled_back")}, Check: l.runs(first, 4),
			},
		},
	})
}

// The template has no room for the copy that a rollback publishes: the group goes back
// all the same, and the apply after the cure publishes it.
func TestAccRollingUpdate_noRoomForACopy(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	limit := func(n int) {
		if err := l.world.SetTemplateVersionLimit(n); err != nil {
			t.Fatal(err)
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(both), Check: l.runs(second, 4)},
			{
				PreConfig: func() {
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true})
					limit(3)
				},
				Config: l.config(both),
				ExpectError: regexp.MustCompile(`(?s)back\s+on\s+version\s+2,\s+but\s+no\s+copy\s+of\s+that\s+could\s+be\s+published:.*VersionLimitExceeded.*` +
					`run\s+terraform\s+apply\s+again:\s+it\s+publishes\s+the\s+copy.*may\s+launch\s+from\s+version\s+3`),
			},
			{
				PreConfig: func() {
					if err := l.runs(second, 4)(nil); err != nil {
						t.Error(err)
					}
					limit(4)
				},
				Config: l.config(both), ConfigStateChecks: []statecheck.StateCheck{converged, state(refreshAddress, "image_id", second)},
				Check: resource.ComposeAggregateTestCheckFunc(
					l.runs(second, 4), l.wantVersions("1 "+first+" by hand", "2 "+second+" by hand", "3 "+third+" by hand", "4 "+second+" by hand"),
				),
			},
			{Config: l.config(both), ConfigPlanChecks: emptyPlan},
		},
	})
}
