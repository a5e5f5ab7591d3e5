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

// weighing is the fleet with a mixed instances policy of these weights: 12 units.
func weighing(weights ...int) string {
	types := []string{"t3.large", "t3.medium", "t3.small"}
	group := "  min = 4\n  max = 24\n  desired = 12\n"
	for i, w := range weights {
		group += fmt.Sprintf("  override {\n    instance_type = %q\n    weighted_capacity = %d\n  }\n", types[i], w)
	}
	return strings.Replace(fleet, "  min           = 2\n  max           = 8\n  desired       = 4\n", group, 1)
}

// units checks that capacity of an image is all there is, and that the group
// wants 12 again.
func (l *lab) units(image string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		g, images := l.group()
		if len(images) != 1 || images[image] == 0 || g.HealthyCapacity() != 12 || g.LaunchedCapacity() != 12 || g.Desired != 12 || len(g.Suspended) != 0 {
			return fmt.Errorf("got healthy members by image %v, %d units of them, %d launched, desired %d, suspended %v; want 12 units of %s",
				images, g.HealthyCapacity(), g.LaunchedCapacity(), g.Desired, g.Suspended, image)
		}
		return nil
	}
}

// A group of three members of 4 units, rolled with a surge of one member: a roll,
// a rollback, one that is interrupted and continued, and empty plans after each.
func TestAccRollingUpdate_weights(t *testing.T) {
	t.Parallel()
	for name, weights := range map[string][]int{"the same": {4}, "different": {4, 2, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, weighing(weights...))
			lowest, highest := 12, 12
			l.world.OnTick(func() {
				if g, ok := l.world.Group("web"); ok && g.LaunchedCapacity() >= 12 { // not while it is made
					lowest, highest = min(lowest, g.HealthyCapacity()), max(highest, g.LaunchedCapacity())
				}
			})
			hurried := strings.Replace(both, `update = "60m"`, `update = "3m"`, 1)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{
						PreConfig: func() { lowest, highest = 12, 12 },
						Config:    l.config(both), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: l.units(second),
					},
					{Config: l.config(both), ConfigPlanChecks: emptyPlan},
					{
						PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true}) },
						Config:    l.config(both), ExpectError: regexp.MustCompile(`(?s)Unable to roll Auto Scaling group "web".*rolled back`),
					},
					{
						Config: l.config(both), ConfigPlanChecks: emptyPlan,
						ConfigStateChecks: []statecheck.StateCheck{converged, outcome("rolled_back")}, Check: l.units(second),
					},
					{
						PreConfig: func() { l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{}) },
						Config:    l.config(hurried),
						ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
							plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("forecast"), knownvalue.ObjectPartial(map[string]knownvalue.Check{
								"stale": knownvalue.Int64Exact(3), "lowest_healthy": knownvalue.Int64Exact(12), "highest_launched": knownvalue.Int64Exact(16),
							})),
						}},
						ExpectError: regexp.MustCompile(`(?s)safe\s+point.*terraform\s+apply\s+again`),
					},
					{
						Config: l.config(both), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: l.units("ami-00000000000000005"),
					},
					{Config: l.config(both), ConfigPlanChecks: emptyPlan},
				},
			})
			if lowest < 12 || highest > 16 {
				t.Errorf("between %d units healthy and %d launched, want 12 to 16", lowest, highest)
			}
		})
	}
}

// What the managed engine cannot count, and a max size without room for a member,
// are errors at plan that name the cure.
func TestAccRollingUpdate_weightsRefused(t *testing.T) {
	t.Parallel()
	const config = `resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 2
  max_healthy_percentage  = 150
}
`
	for name, c := range map[string]struct{ scenario, want string }{
		"no multiple": {weighing(5, 2), `5\s+is\s+no\s+multiple\s+of\s+the\s+weight\s+2.*engine\s+=\s+"instance_refresh"`},
		"no room":     {strings.Replace(weighing(4), "max = 24", "max = 14", 1), `raise\s+max_size\s+of\s+the\s+group\s+to\s+at\s+least\s+16`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.scenario)
			l.version(second)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{Config: l.config(config), PlanOnly: true, ExpectError: regexp.MustCompile(`(?s)Unable to roll Auto Scaling group "web".*` + c.want)},
				},
			})
			if g, images := l.group(); images[first] == 0 || len(images) != 1 || g.Version != "1" || len(g.Suspended) != 0 {
				t.Errorf("got members by image %v, pointer %s, suspended %v; want the group as it was", images, g.Version, g.Suspended)
			}
		})
	}
}

// Different weights with Spot Instances: a roll where the floor leaves room for what
// EC2 Auto Scaling may end by itself, and a plan that names the room where it does not.
func TestAccRollingUpdate_weightsSpot(t *testing.T) {
	t.Parallel()
	spot := "  distribution {\n    on_demand_base_capacity = 4\n    on_demand_percentage_above_base_capacity = 50\n  }\n"
	l := newLab(t, strings.Replace(weighing(4, 2), "  max = 24\n  desired = 12\n", "  max = 80\n  desired = 40\n"+spot, 1))
	lowest := 40
	l.world.OnTick(func() {
		if g, ok := l.world.Group("web"); ok {
			lowest = min(lowest, g.HealthyCapacity())
		}
	})
	roomy := strings.Replace(both, "min_healthy_percentage  = 100", "min_healthy_percentage  = 75", 1)
	rolled := func(image string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			if g, images := l.group(); len(images) != 1 || images[image] == 0 || g.HealthyCapacity() < 40 || g.Desired != 40 {
				return fmt.Errorf("got healthy members by image %v, %d units, desired %d; want 40 units of %s", images, g.HealthyCapacity(), g.Desired, image)
			}
			return nil
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig: func() { lowest = 40 },
				Config:    l.config(roomy), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: rolled(second),
			},
			{Config: l.config(roomy), ConfigPlanChecks: emptyPlan},
			{
				PreConfig:   func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:      l.config(both),
				ExpectError: regexp.MustCompile(`(?s)7\s+units\s+must\s+be\s+to\s+spare\s+\(with\s+min_healthy_percentage\s+=\s+82\s+or\s+less\)`),
				Check:       rolled(second),
			},
			{Config: l.config(roomy), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: rolled(third)},
		},
	})
	if lowest < 30 {
		t.Errorf("%d units were healthy, want at least 30", lowest)
	}
}
