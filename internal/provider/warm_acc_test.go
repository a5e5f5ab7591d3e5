package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// A group with a warm pool is refused by the managed engine unless its old
// members may be ended; the plan after such a roll is empty.
func TestAccRollingUpdate_warmPool(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, "target_groups = [\"web\"]", "target_groups = [\"web\"]\n  warm_pool {\n    min_size = 2\n    max_group_prepared_capacity = 6\n  }", 1))
	config := func(more string) string {
		return l.config(fmt.Sprintf(`resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 2
  max_healthy_percentage  = 150
  %s
}
`, more))
	}
	warm := func() map[int64]int {
		g, _ := l.group()
		out := map[int64]int{}
		for _, m := range g.Members {
			if strings.HasPrefix(m.Lifecycle, "Warmed:") && !strings.HasPrefix(m.Lifecycle, "Warmed:Terminat") {
				out[m.Version]++
			}
		}
		return out
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig: func() {
					l.world.Advance(5 * time.Minute)
					if n := warm()[1]; n != 2 {
						t.Fatalf("the warm pool has %d old members, want 2", n)
					}
					l.version(second)
				},
				Config:      config(""),
				ExpectError: regexp.MustCompile(`(?s)engine\s+is\s+"managed",\s+and\s+the\s+group\s+has\s+a\s+warm\s+pool.*use\s+"instance_refresh",\s+or\s+set\s+terminate_warm_instances\s+=\s+true`),
			},
			{
				Config: config("terminate_warm_instances = true"),
				Check: func(*terraform.State) error {
					if g, _ := l.group(); rolltest.On(g, 2) != 4 || g.Desired != 4 || warm()[1] > 0 {
						return fmt.Errorf("%d members run version 2, desired %d, by version in the pool %v; want 4, 4 and none of version 1", rolltest.On(g, 2), g.Desired, warm())
					}
					return nil
				},
			},
			{Config: config("terminate_warm_instances = true"), ConfigPlanChecks: emptyPlan},
			{
				Config:           config("terminate_warm_instances = false"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate)}},
			},
			{Config: config(""), ConfigPlanChecks: emptyPlan},
		},
	})
}
