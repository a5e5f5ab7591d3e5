package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// protect protects the oldest member of the group from scale-in.
func (l *lab) protect() {
	l.Helper()
	g, _ := l.group()
	_, err := autoscaling.NewFromConfig(l.world.Config()).SetInstanceProtection(l.Context(), &autoscaling.SetInstanceProtectionInput{
		AutoScalingGroupName: aws.String(g.Name), InstanceIds: []string{g.Members[0].ID}, ProtectedFromScaleIn: aws.Bool(true),
	})
	if err != nil {
		l.Fatal(err)
	}
}

// A member left out on purpose is no error and no reason for another plan; a
// change of mind is.
func TestAccRollingUpdate_protected(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := func(treatment string) string {
		return l.config(fmt.Sprintf(`resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name       = "web"
  launch_template_version      = 2
  max_healthy_percentage       = 150
  instance_timeout             = "5m"
  scale_in_protected_instances = %q
}
`, treatment))
	}
	left := func(n int64) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("last_roll").AtMapKey("left_out"), knownvalue.Int64Exact(n))
	}
	onNew := func(want int) resource.TestCheckFunc {
		return func(*terraform.State) error {
			if g, _ := l.group(); rolltest.On(g, 2) != want || g.Desired != 4 || g.Version != "2" {
				return fmt.Errorf("%d members run version 2, desired %d, pointer %s; want %d, 4 and 2", rolltest.On(g, 2), g.Desired, g.Version, want)
			}
			return nil
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig:         func() { l.version(second); l.protect() },
				Config:            config("ignore"),
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("partial"), left(1)},
				Check:             onNew(3),
			},
			{Config: config("ignore"), ConfigPlanChecks: emptyPlan},
			{
				Config:      config("wait"),
				ExpectError: regexp.MustCompile(`(?s)no progress for 5m.*protected\s+from\s+scale-in.*Take\s+the\s+protection`),
			},
			{Config: config("ignore"), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("partial"), left(1)}},
			{Config: config("ignore"), ConfigPlanChecks: emptyPlan},
			{
				Config: config("refresh"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(rollAddress, "last_roll"),
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("forecast").AtMapKey("stale"), knownvalue.Int64Exact(1)),
				}},
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded"), left(0)},
				Check:             onNew(4),
			},
			{Config: config("ignore"), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}},
		},
	})
}

// A launch template that names a parameter in place of an image: what it means
// makes members stale, a broken image is held back until it means another one.
func TestAccRollingUpdate_parameter(t *testing.T) {
	t.Parallel()
	scenario := strings.Replace(strings.Replace(fleet, `image         = "golden-web-1"`, `image = "resolve:ssm:/golden/web"`, 1),
		`template "web" {`, "parameter \"/golden/web\" { value = \"golden-web-1\" }\n\ntemplate \"web\" {", 1)
	l := newLab(t, scenario)
	config := l.config(`resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 1
  max_healthy_percentage  = 150
}
`)
	means := func(id string) func() {
		return func() { l.world.PutParameter("/golden/web", id) }
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, ConfigStateChecks: []statecheck.StateCheck{converged}, Check: l.runs(first, 4)},
			{PreConfig: means(second), Config: config, ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: l.runs(second, 4)},
			{Config: config, ConfigPlanChecks: emptyPlan},
			{
				PreConfig: func() {
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true})
					means(third)()
				},
				Config: config, ExpectError: regexp.MustCompile(`(?s)rolled back`),
			},
			{Config: config, ConfigPlanChecks: emptyPlan, Check: l.runs(second, 4)},
			{
				PreConfig: func() {
					l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{})
					means("ami-00000000000000005")()
				},
				Config: config, ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: l.runs("ami-00000000000000005", 4),
			},
		},
	})
}
