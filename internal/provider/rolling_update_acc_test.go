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

const rollAddress = "refit_asg_rolling_update.web"

// both is the resource of the issue, on the version and image of refresh.
const both = refresh + `
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id
  min_healthy_percentage  = 100
  max_healthy_percentage  = 150
  checkpoints             = [{ percentage = 20, bake = "2m" }]
  final_bake              = "0s"
  health                  = { load_balancer = true, min_healthy_time = "30s" }
  instance_timeout        = "10m"
  on_failure              = "rollback"
  timeouts                = { create = "60m", update = "60m" }
}
`

var converged = statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("converged"), knownvalue.Bool(true))

func outcome(want string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("last_roll").AtMapKey("outcome"), knownvalue.StringExact(want))
}

// runs checks that every member of the group runs an image and is healthy.
func (l *lab) runs(image string, members int) resource.TestCheckFunc {
	return func(*terraform.State) error {
		g, images := l.group()
		if images[image] != members || len(images) != 1 || g.Desired != members {
			return fmt.Errorf("got healthy members by image %v, desired %d; want %d of %s", images, g.Desired, members, image)
		}
		if len(g.Suspended) != 0 {
			return fmt.Errorf("got suspended processes %v, want none", g.Suspended)
		}
		return nil
	}
}

var emptyPlan = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}

func TestAccRollingUpdate_roll(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(both),
				ConfigStateChecks: []statecheck.StateCheck{
					converged, outcome("succeeded"),
					state(rollAddress, "launch_template_version", "2"), state(rollAddress, "target_version", "2"),
					statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("last_roll").AtMapKey("from_image"), knownvalue.StringExact(first)),
					statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("last_roll").AtMapKey("to_image"), knownvalue.StringExact(second)),
					statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("forecast"), knownvalue.Null()),
				},
				Check: l.runs(second, 4),
			},
			{Config: l.config(both), ConfigPlanChecks: emptyPlan},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    l.config(both),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(rollAddress, "image_id", third),
					plannedUnknown(rollAddress, "launch_template_version"),
					plannedUnknown(rollAddress, "target_version"),
					plannedUnknown(rollAddress, "converged"),
					plannedUnknown(rollAddress, "last_roll"),
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("forecast"), knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"from_image": knownvalue.StringExact(second), "to_image": knownvalue.StringExact(third),
						"stale": knownvalue.Int64Exact(4), "lowest_healthy": knownvalue.Int64Exact(4), "highest_launched": knownvalue.Int64Exact(6),
					})),
				}},
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded"), state(rollAddress, "target_version", "3")},
				Check:             l.runs(third, 4),
			},
		},
	})
}

// Another source may find the same image: then nothing rolls, although the plan
// could not know.
func TestAccRollingUpdate_sameImageAfterAll(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	other := strings.Replace(both, `"golden-*"`, `"golden-web-*"`, 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(both)},
			{
				Config: l.config(other),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(rollAddress, "image_id"), plannedUnknown(rollAddress, "forecast"),
				}},
				ConfigStateChecks: []statecheck.StateCheck{converged, state(rollAddress, "target_version", "2")},
			},
			{Config: l.config(other), ConfigPlanChecks: emptyPlan},
		},
	})
}

func TestAccRollingUpdate_rollback(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(both), Check: l.runs(second, 4)},
			{
				PreConfig:   func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true}) },
				Config:      l.config(both),
				ExpectError: regexp.MustCompile(`(?s)Unable to roll Auto Scaling group "web".*rolled back`),
			},
			{
				Config: l.config(both), ConfigPlanChecks: emptyPlan,
				ConfigStateChecks: []statecheck.StateCheck{
					converged, outcome("rolled_back"),
					state(rollAddress, "launch_template_version", "2"), state(refreshAddress, "image_id", second),
				},
				Check: l.runs(second, 4),
			},
			{
				PreConfig:         func() { l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{}) },
				Config:            l.config(both),
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check:             l.runs("ami-00000000000000005", 4),
			},
		},
	})
}

func TestAccRollingUpdate_literalHeld(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	literal := func(version int, more string) string {
		return l.config(fmt.Sprintf(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = %d
  %s
}
`, version, more))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:            literal(1, ""),
				ConfigStateChecks: []statecheck.StateCheck{converged, statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("last_roll"), knownvalue.Null())},
			},
			{
				PreConfig: func() {
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true})
					l.version(third)
				},
				Config:      literal(2, ""),
				ExpectError: regexp.MustCompile(`(?s)rolled back`),
			},
			// The configuration still says 2. It is held back, with a warning.
			{Config: literal(2, ""), ConfigPlanChecks: emptyPlan, ConfigStateChecks: []statecheck.StateCheck{
				converged, state(rollAddress, "launch_template_version", "1"),
			}},
			{
				PreConfig: func() { l.world.SetImageBehaviour(third, awssim.ImageBehaviour{}) },
				Config:    literal(2, `retry = "the disk was full"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(rollAddress, "launch_template_version", "2"), plannedUnknown(rollAddress, "converged"),
				}},
				Check: l.runs(third, 4),
			},
		},
	})
}

func TestAccRollingUpdate_drift(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 1
}
`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() {
					l.version(second)
					l.act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"})
					l.act(awssim.Action{Do: "terminate", Group: "web"})
				},
				Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(rollAddress, "converged"),
					planned(rollAddress, "target_version", "1"),
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("forecast").AtMapKey("stale"), knownvalue.Int64Exact(1)),
				}},
				Check: l.runs(first, 4),
			},
			// Scaling is no drift.
			{
				PreConfig:        func() { l.act(awssim.Action{Do: "set_desired", Group: "web", Value: 6}) },
				Config:           config,
				ConfigPlanChecks: emptyPlan,
			},
		},
	})
}

func TestAccRollingUpdate_settingsOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	with := func(more string) string {
		return l.config(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name = "web"
  ` + more + `
}
`)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: with(`final_bake = "60s"`)},
			{Config: with(`final_bake = "1m"`), ConfigPlanChecks: emptyPlan},
			{
				PreConfig: func() { l.world.ResetCalls() },
				Config:    with(`min_healthy_percentage = 90`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("converged"), knownvalue.Bool(true)),
					plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("last_roll"), knownvalue.Null()),
				}},
				Check: l.wroteNothing,
			},
		},
	})
}

func TestAccRollingUpdate_import(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 1
}
`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config},
			{
				ResourceName: rollAddress, ImportState: true, ImportStateId: "web", ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "autoscaling_group_name",
			},
		},
	})
}

func TestAccRollingUpdate_destroyChangesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := `
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name = "web"
}
`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(config)},
			{PreConfig: l.world.ResetCalls, Config: l.config(config), Destroy: true},
		},
		CheckDestroy: func(s *terraform.State) error {
			if err := l.wroteNothing(s); err != nil {
				return err
			}
			return l.runs(first, 4)(s)
		},
	})
}

// wroteNothing checks that no call since the last reset changed anything.
func (l *lab) wroteNothing(*terraform.State) error {
	for call, n := range l.world.Calls() {
		_, operation, _ := strings.Cut(call, ":")
		if operation == "RunInstances" {
			continue // the simulator answers dry runs of it only
		}
		if n > 0 && !strings.HasPrefix(operation, "Describe") && !strings.HasPrefix(operation, "Get") && !strings.HasPrefix(operation, "List") {
			return fmt.Errorf("got %d calls of %s, want reads only", n, call)
		}
	}
	return nil
}

func TestAccRollingUpdate_badInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ more, want string }{
		"min above 100":        {`min_healthy_percentage = 101`, `min_healthy_percentage\s+is\s+101`},
		"max above 200":        {`max_healthy_percentage = 201`, `max_healthy_percentage\s+is\s+201`},
		"100/100":              {"min_healthy_percentage = 100\n max_healthy_percentage = 100", `leaves\s+no\s+room`},
		"difference":           {"min_healthy_percentage = 50\n max_healthy_percentage = 200", `more\s+than\s+100\s+above`},
		"checkpoints falling":  {`checkpoints = [{ percentage = 50, bake = "1m" }, { percentage = 20, bake = "1m" }]`, `(?s)checkpoints\[1\].*rising\s+order`},
		"no duration":          {`final_bake = "soon"`, `(?s)final_bake\s+is\s+"soon"`},
		"negative":             {`final_bake = "-1m"`, `(?s)final_bake\s+is\s+"-1m"`},
		"negative in a list":   {`checkpoints = [{ percentage = 50, bake = "-1m" }]`, `(?s)bake\s+is\s+"-1m"`},
		"time that no one has": {`instance_timeout = "10s"`, `instance_timeout\s+is\s+10s`},
		"unknown version":      {`launch_template_version = 7`, `(?s)has\s+no\s+version.*7`},
		"other image":          {`image_id = "` + second + `"`, `(?s)has\s+image\s+` + first},
		"version text":         {`launch_template_version = "newest"`, `number\s+of\s+a\s+version`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			config := l.config("resource \"refit_asg_rolling_update\" \"web\" {\n autoscaling_group_name = \"web\"\n " + c.more + "\n}\n")
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: config, ExpectError: regexp.MustCompile(c.want)}},
			})
		})
	}
}

func TestAccRollingUpdate_unknownGroup(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name = "nobody"
}
`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, PlanOnly: true, ExpectNonEmptyPlan: true},
			{Config: config, ExpectError: regexp.MustCompile(`(?s)Unable\s+to\s+roll\s+Auto\s+Scaling\s+group\s+"nobody".*does\s+not\s+exist`)},
		},
	})
}

func TestAccRollingUpdate_denied(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"autoscaling:DescribeAutoScalingGroups": `autoscaling:DescribeAutoScalingGroups`,
		"autoscaling:UpdateAutoScalingGroup":    `autoscaling:UpdateAutoScalingGroup`,
		"ssm:PutParameter":                      `ssm:PutParameter`,
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			if _, err := l.world.Inject(awssim.Fault{Calls: call, Kind: awssim.Deny}); err != nil {
				t.Fatal(err)
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{{
					PreConfig:   func() { l.version(second) },
					Config:      l.config("resource \"refit_asg_rolling_update\" \"web\" {\n autoscaling_group_name = \"web\"\n launch_template_version = 2\n}\n"),
					ExpectError: regexp.MustCompile(want),
				}},
			})
		})
	}
}

func TestAccRollingUpdate_refused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"launch suspended": {`grace_period  = "300s"`, `suspended = ["Launch"]`, `(?s)process\s+Launch.*is\s+suspended`},
		"no headroom":      {`max           = 8`, `max = 4`, `(?s)no\s+headroom.*raise\s+max_size`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, strings.Replace(fleet, c.from, c.to, 1))
			l.version(second)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{{
					Config:      l.config("resource \"refit_asg_rolling_update\" \"web\" {\n autoscaling_group_name = \"web\"\n launch_template_version = 2\n}\n"),
					ExpectError: regexp.MustCompile(c.want),
				}},
			})
		})
	}
}

func TestAccRollingUpdate_retry(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	again := strings.Replace(both, `on_failure              = "rollback"`, "on_failure = \"rollback\"\n  retry = \"the disk was full\"", 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(both)},
			{
				PreConfig:   func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true}) },
				Config:      l.config(both),
				ExpectError: regexp.MustCompile(`(?s)rolled back`),
			},
			// A new text lifts the quarantine; the next plan takes the image up.
			{
				PreConfig:          func() { l.world.SetImageBehaviour(third, awssim.ImageBehaviour{}) },
				Config:             l.config(again),
				Check:              l.runs(second, 4),
				ExpectNonEmptyPlan: true,
			},
			{Config: l.config(again), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: l.runs(third, 4)},
		},
	})
}

func TestAccRollingUpdate_floating(t *testing.T) {
	t.Parallel()
	for _, pointer := range []string{"$Latest", "$Default"} {
		t.Run(pointer, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, strings.Replace(fleet, `version       = "1"`, fmt.Sprintf("version = %q", pointer), 1))
			config := func(version string) string {
				return l.config(fmt.Sprintf(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = %q
}
`, version))
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{Config: config(pointer), ConfigStateChecks: []statecheck.StateCheck{converged, state(rollAddress, "target_version", "1")}},
					{
						PreConfig: func() { l.version(second); l.setDefault("2") },
						Config:    config(pointer),
						ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
							plannedUnknown(rollAddress, "target_version"), plannedUnknown(rollAddress, "converged"),
						}},
						ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded"), state(rollAddress, "target_version", "2")},
						Check:             l.runs(second, 4),
					},
					// Pinning what it means now is no roll.
					{Config: config("2"), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
						plancheck.ExpectKnownValue(rollAddress, tfjsonpath.New("converged"), knownvalue.Bool(true)),
						planned(rollAddress, "launch_template_version", "2"),
					}}},
				},
			})
			if g, _ := l.group(); g.Version != pointer {
				t.Errorf("got a group that points at %s, want %s as before", g.Version, pointer)
			}
		})
	}
}
