package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// byRefresh is the resource of the issue on the engine instance_refresh.
var byRefresh = strings.Replace(both, "min_healthy_percentage  = 100", "engine = \"instance_refresh\"\n  min_healthy_percentage  = 100", 1)

// asked checks how many instance refreshes were started since the last reset.
func (l *lab) asked(starts int) resource.TestCheckFunc {
	return func(*terraform.State) error {
		calls := l.world.Calls()
		if got := calls["autoscaling:StartInstanceRefresh"]; got != starts || calls["autoscaling:LaunchInstances"] > 0 {
			return fmt.Errorf("got %d calls of StartInstanceRefresh and %d of LaunchInstances, want %d and 0", got, calls["autoscaling:LaunchInstances"], starts)
		}
		return nil
	}
}

func TestAccRollingUpdate_instanceRefresh(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:            l.config(byRefresh),
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded"), state(rollAddress, "target_version", "2")},
				Check:             resource.ComposeTestCheckFunc(l.runs(second, 4), l.asked(1)),
			},
			{Config: l.config(byRefresh), ConfigPlanChecks: emptyPlan},
			// A change of engine alone rolls nothing.
			{Config: l.config(both), Check: l.asked(1)},
			{Config: l.config(byRefresh), Check: l.asked(1)},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true}) },
				Config:    l.config(byRefresh),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("forecast"), knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"stale": knownvalue.Int64Exact(4), "lowest_healthy": knownvalue.Int64Exact(4), "highest_launched": knownvalue.Int64Exact(6),
					})),
				}},
				ExpectError: regexp.MustCompile(`(?s)Unable to roll Auto Scaling group "web".*rolled back`),
			},
			{
				Config: l.config(byRefresh), ConfigPlanChecks: emptyPlan,
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("rolled_back"), state(rollAddress, "launch_template_version", "2")},
				Check:             resource.ComposeTestCheckFunc(l.runs(second, 4), l.asked(2)),
			},
		},
	})
}

// Somebody else's refresh stops the plan of a roll, which names it; the cure that
// the message gives works.
func TestAccRollingUpdate_adopt(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := func(more string) string {
		return l.config(fmt.Sprintf(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 2
  max_healthy_percentage  = 150
  %s
}
`, more))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig: func() {
					l.version(second)
					l.act(awssim.Action{Do: "start_refresh", Group: "web", Version: "2"})
				},
				Config: config(""), PlanOnly: true,
				ExpectError: regexp.MustCompile(`(?s)An\s+instance\s+refresh\s+of\s+the\s+group\s+is\s+running.*since\s+2026-.*adopt_instance_refresh`),
			},
			{
				PreConfig:         l.world.ResetCalls,
				Config:            config("engine = \"instance_refresh\"\n adopt_instance_refresh = true"),
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check:             resource.ComposeTestCheckFunc(l.runs(second, 4), l.asked(0)),
			},
		},
	})
}

func TestAccRollingUpdate_instanceRefreshRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, more, want string }{
		"other bakes":     {more: `checkpoints = [{ percentage = 20, bake = "1m" }, { percentage = 50, bake = "2m" }]`, want: `checkpoints\[1\]\.bake\s+is\s+2m`},
		"a long bake":     {more: `final_bake = "49h"`, want: `final_bake\s+is\s+49h`},
		"running":         {more: `max_running_percentage = 200`, want: `max_running_percentage\s+is\s+200`},
		"failure limit":   {more: `failure_limit = 2`, want: `failure_limit\s+is\s+2`},
		"EC2 health":      {from: `health_check  = "ELB"`, to: `health_check = "EC2"`, want: `(?s)health\.load_balancer\s+is\s+true.*health_check_type`},
		"suspended":       {from: `grace_period  = "300s"`, to: `suspended = ["InstanceRefresh"]`, want: `(?s)process\s+InstanceRefresh.*suspended`},
		"adopt by Refit":  {more: "engine = \"managed\"\n adopt_instance_refresh = true", want: `adopt_instance_refresh\s+is\s+true`},
		"unknown engines": {more: `engine = "steam"`, want: `engine\s+is\s+"steam"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, strings.Replace(fleet, c.from, c.to, 1))
			l.version(second)
			if !strings.Contains(c.more, "engine") {
				c.more += "\n engine = \"instance_refresh\""
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{{
					Config:      l.config("resource \"refit_asg_rolling_update\" \"web\" {\n autoscaling_group_name = \"web\"\n launch_template_version = 2\n " + c.more + "\n}\n"),
					PlanOnly:    true,
					ExpectError: regexp.MustCompile(c.want),
				}},
			})
		})
	}
}
