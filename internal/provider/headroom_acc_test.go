package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// The whole stack with a group at its max size: the roll raises it for its time,
// and aws_autoscaling_group never sees another one, also after a rollback.
func TestAccStack_fullGroup(t *testing.T) {
	t.Parallel()
	s := newStack(t, "recommended")
	s.edit("max_size                  = 8", "max_size                  = 4")
	s.run([]int{0}, "apply", "-auto-approve")
	s.publish(second, 2, awssim.ImageBehaviour{})
	output := s.run([]int{1}, "plan", "-no-color")
	s.says("without it", output, "leaves no headroom", "raise max_size of the group to at least 5, or set raise_max_size = true, or lower min_healthy_percentage")

	s.edit("  max_healthy_percentage = 150", "  max_healthy_percentage = 150\n  raise_max_size         = true")
	output, _ = s.plan()
	s.says("with it", output, "Max size is raised from 4 to 6 for the time of the roll", "+ highest_launched = 6")
	if strings.Contains(output, "aws_autoscaling_group.web will be") {
		t.Errorf("the plan changes the group's own max size:\n%s", output)
	}
	most := 0
	s.world.OnTick(func() {
		if g, ok := s.world.Group("web"); ok {
			most = max(most, g.Max)
		}
	})
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("after a roll", second)
	if most != 6 {
		t.Errorf("max size was at most %d during the roll, want 6", most)
	}
	s.wantNoChanges("after a roll")
	s.publish(third, 3, awssim.ImageBehaviour{NeverHealthy: true})
	s.run([]int{1}, "apply", "-auto-approve")
	s.runs("after a rollback", second)
	s.wantNoChanges("after a rollback")
	if g, _ := s.world.Group("web"); g.Max != 4 {
		t.Errorf("max size is %d at the end, want 4", g.Max)
	}
}

// What the configuration says of raise_max_size is checked at plan, and a change
// of it alone rolls nothing.
func TestAccRollingUpdate_raiseMaxSize(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, `max           = 8`, `max = 4`, 1))
	config := func(more string) string {
		return l.config(fmt.Sprintf(`resource "refit_asg_rolling_update" "web" {
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
				PreConfig:   func() { l.version(second) },
				Config:      config("raise_max_size = true\n engine = \"instance_refresh\""),
				ExpectError: regexp.MustCompile(`(?s)raise_max_size\s+is\s+true;\s+an\s+instance\s+refresh\s+goes\s+above\s+the\s+desired\s+capacity`),
			},
			{
				Config: config("raise_max_size = true"),
				Check: func(*terraform.State) error {
					if g, images := l.group(); g.Max != 4 || g.Desired != 4 || images[second] != 4 {
						return fmt.Errorf("max size %d, desired %d, healthy members by image %v; want 4, 4 and 4 of %s", g.Max, g.Desired, images, second)
					}
					return nil
				},
			},
			{Config: config("raise_max_size = true"), ConfigPlanChecks: emptyPlan},
			{
				Config: config(""),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("raise_max_size"), knownvalue.Bool(false)),
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("converged"), knownvalue.Bool(true)),
				}},
			},
			{Config: config(""), ConfigPlanChecks: emptyPlan},
			{ResourceName: rollAddress, ImportState: true, ImportStateId: "web", ImportStateVerifyIdentifierAttribute: "autoscaling_group_name", ImportStateVerify: true, ImportStateVerifyIgnore: []string{"last_roll", "max_healthy_percentage"}},
		},
	})
}
