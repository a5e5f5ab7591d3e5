package provider_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const refresh = `
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["self"], name = "golden-*" }
}
`

const refreshAddress = "refit_ami_refresh.web"

func state(address, attribute, value string) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), knownvalue.StringExact(value))
}

func planned(address, attribute, value string) plancheck.PlanCheck {
	return plancheck.ExpectKnownValue(address, tfjsonpath.New(attribute), knownvalue.StringExact(value))
}

func plannedUnknown(address, attribute string) plancheck.PlanCheck {
	return plancheck.ExpectUnknownValue(address, tfjsonpath.New(attribute))
}

func (l *lab) wantVersions(want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if got := l.versions(); !slices.Equal(got, want) {
			return fmt.Errorf("got versions %q, want %q", got, want)
		}
		return nil
	}
}

func TestAccAMIRefresh_newImage(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "image_id", second),
					state(refreshAddress, "image_name", "golden-web-2"),
					state(refreshAddress, "image_created_at", "2026-11-02T04:00:00Z"),
					state(refreshAddress, "launch_template_version", "2"),
				},
				Check: l.wantVersions("1 "+first+" by hand", "2 "+second+" by hand"),
			},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    l.config(refresh),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(refreshAddress, plancheck.ResourceActionUpdate),
					planned(refreshAddress, "image_id", third),
					planned(refreshAddress, "image_name", "golden-web-4"),
					plannedUnknown(refreshAddress, "launch_template_version"),
				}},
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "3")},
			},
		},
	})
}

func TestAccAMIRefresh_templateEdit(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	withSource := func(number int) string {
		return l.config(fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source_version     = %d
  source             = { owners = ["self"], name = "golden-*" }
}
`, number))
	}
	unchanged := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: withSource(1), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "2")}},
			// latest_version is now the one that Refit made.
			{Config: withSource(2), ConfigPlanChecks: unchanged},
			{
				PreConfig: func() { l.edit("2", "t3.medium") },
				Config:    withSource(3),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", second), plannedUnknown(refreshAddress, "launch_template_version"),
				}},
				// The user's version has the image already: no copy is made.
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "3")},
				Check:             l.wantVersions("1 "+first+" by hand", "2 "+second+" by hand", "3 "+second+" by hand"),
			},
			{Config: withSource(3), ConfigPlanChecks: unchanged},
		},
	})
}

func TestAccAMIRefresh_latestEditedOutside(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh)},
			{
				PreConfig: func() { l.edit("1", "t3.medium") },
				Config:    l.config(refresh),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", second), plannedUnknown(refreshAddress, "launch_template_version"),
				}},
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "4")},
			},
		},
	})
}

func TestAccAMIRefresh_import(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh)},
			{
				ResourceName: refreshAddress, ImportState: true, ImportStateId: l.template, ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "launch_template_id",
				ImportStateVerifyIgnore:              []string{"source"},
			},
		},
	})
}

func TestAccAMIRefresh_badInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, want string }{
		"any owner": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "lt-0123"
  source             = { owners = ["*"], name = "golden-*" }
}`, `any owner`},
		"no condition": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "lt-0123"
  source             = { owners = ["self"] }
}`, `Set name, tags or\s+filters`},
		"template name": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "web"
  source             = { owners = ["self"], name = "golden-*" }
}`, `id of a launch template`},
		"version text": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "lt-0123"
  source_version     = "newest"
  source             = { owners = ["self"], name = "golden-*" }
}`, `number of a version`},
		"no image": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["self"], name = "golden-*", filters = { "tag:Stage" = ["golden"] } }
}`, `(?s)Unable to refresh the image of launch template.*of 3 images: tag:Stage "golden"\s+removed 3`},
		"other architecture": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["self"], name = "golden-arm-*" }
}`, `(?s)name\s+"golden-arm-\*"\s+removed\s+2,\s+architecture\s+\S+(\s+or\s+\S+)*\s+of\s+instance\s+type\s+t3.small\s+removed\s+1`},
		"no such version": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source_version     = 9
  source             = { owners = ["self"], name = "golden-*" }
}`, `(?s)has no\s+version\s+9;\s+its\s+versions\s+run\s+from\s+1\s+to\s+1`},
		"no such template": {`
resource "refit_ami_refresh" "web" {
  launch_template_id = "lt-0123456789abcdef0"
  source             = { owners = ["self"], name = "golden-*" }
}`, `(?s)does\s+not\s+exist.*Check\s+launch_template_id`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.config(c.config), ExpectError: regexp.MustCompile(c.want)}},
			})
		})
	}
}

func TestAccAMIRefresh_denied(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	if _, err := l.world.Inject(awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config:      l.config(refresh),
			ExpectError: regexp.MustCompile(`(?s)does not\s+allow\s+ec2:CreateLaunchTemplateVersion.*Nothing\s+was\s+changed`),
		}},
	})
}

// A version that could not be put on record is there, and the error says so.
func TestAccAMIRefresh_unrecorded(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	lift, err := l.world.Inject(awssim.Fault{Calls: "ssm:PutParameter", Kind: awssim.Deny})
	if err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh), ExpectError: regexp.MustCompile(`Version\s+2\s+was\s+made,\s+and\s+no\s+group\s+was\s+changed`)},
			{
				PreConfig: lift, Config: l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "2")},
			},
		},
	})
	if got := l.versions(); len(got) != 2 {
		t.Errorf("got versions %v, want 2 of them", got)
	}
}

func TestAccAMIRefresh_unavailable(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.world.SetImageState(second, "pending")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			// The newest is not available yet: the one before is, and the source has it.
			{Config: l.config(refresh), ConfigStateChecks: []statecheck.StateCheck{
				state(refreshAddress, "image_id", first), state(refreshAddress, "launch_template_version", "1"),
			}},
			{
				PreConfig: func() { l.world.SetImageState(first, "deregistered") },
				Config:    l.config(refresh),
				// Nothing is acceptable now: what is in state stays, with a warning.
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
		},
	})
}

// quarantine keeps a version's data from being tried again, as a failed roll
// of it does.
func (l *lab) quarantine(version int64) {
	l.Helper()
	out, err := l.ec2().DescribeLaunchTemplateVersions(l.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: aws.String(l.template), Versions: []string{fmt.Sprint(version)},
	})
	if err != nil {
		l.Fatal(err)
	}
	data := out.LaunchTemplateVersions[0].LaunchTemplateData
	hash := asg.DataHash(data)
	body, err := json.Marshal(image.Quarantine{
		Template: l.template, Data: hash, Image: aws.ToString(data.ImageId), Reason: "it failed", Until: l.world.Clock().Now().Add(24 * time.Hour),
	})
	if err != nil {
		l.Fatal(err)
	}
	l.world.PutParameter("/refit/"+image.QuarantinePath(l.template, hash), string(body))
}

func TestAccAMIRefresh_quarantine(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh)},
			{
				PreConfig:         func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:            l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "3")},
			},
			// Its roll fails: the image before it stands in, without a diff.
			{
				PreConfig:        func() { l.quarantine(3) },
				Config:           l.config(refresh),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "image_id", second), state(refreshAddress, "launch_template_version", "2"),
				},
			},
			// An edit of the template does not make it worth another try.
			{
				PreConfig: func() { l.edit("2", "t3.medium") },
				Config:    l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "image_id", second), state(refreshAddress, "launch_template_version", "4"),
				},
			},
			{
				PreConfig:         func() { l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{}) },
				Config:            l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", "ami-00000000000000005")},
			},
		},
	})
}

func TestAccAMIRefresh_editFailed(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	empty := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "2")}},
			{
				PreConfig:         func() { l.edit("2", "t3.medium") },
				Config:            l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "3")},
			},
			// The image is the same as before, so no older one is the cure.
			{
				PreConfig: func() { l.quarantine(3) }, Config: l.config(refresh), ConfigPlanChecks: empty,
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)},
			},
			// The user's next edit is tried with it.
			{
				PreConfig: func() { l.edit("2", "t3.large") },
				Config:    l.config(refresh),
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "image_id", second), state(refreshAddress, "launch_template_version", "4"),
				},
			},
		},
	})
}

func TestAccAMIRefresh_sourceChanged(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.publish(third, "platinum-web-1", awssim.ImageBehaviour{})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)}},
			{
				Config: l.config(strings.Replace(refresh, "golden-*", "platinum-*", 1)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(refreshAddress, "image_id"), plannedUnknown(refreshAddress, "launch_template_version"),
				}},
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", third)},
			},
		},
	})
}

func TestAccAMIRefresh_templateDeleted(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh)},
			{
				PreConfig: func() {
					_, err := l.ec2().DeleteLaunchTemplate(l.Context(), &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: aws.String(l.template)})
					if err != nil {
						l.Fatal(err)
					}
				},
				Config: l.config(refresh), PlanOnly: true, ExpectNonEmptyPlan: true,
			},
		},
	})
}

// Of two groups on one template one fails: the other, which runs the image, is
// not led back with it.
func TestAccAMIRefresh_oneOfTwoFails(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet+strings.ReplaceAll(fleet[strings.Index(fleet, "\ngroup"):], `"web" {`, `"api" {`))
	config := func(name string) string {
		return l.config(strings.Replace(refresh, `"golden-*"`, fmt.Sprintf("%q", name), 1) + `
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  max_healthy_percentage  = 150
}

resource "refit_asg_rolling_update" "api" {
  autoscaling_group_name  = "api"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  max_healthy_percentage  = 150
  depends_on              = [refit_asg_rolling_update.web]
}`)
	}
	var seen sync.Map
	l.world.OnTick(func() {
		g, _ := l.world.Group("api")
		for _, m := range g.Members {
			if m.Image != second || !m.Healthy() {
				continue
			}
			if _, old := seen.LoadOrStore(m.ID, true); !old {
				l.world.At(0, func() {
					if err := l.world.Act(awssim.Action{Do: "break", Group: "api", Instance: m.ID}); err != nil {
						t.Error(err)
					}
				})
			}
		}
	})
	runs := func(group, image string) {
		g, _ := l.world.Group(group)
		for _, m := range g.Members {
			if m.Image != image {
				t.Errorf("member %s of %s: got image %s, want %s", m.ID, group, m.Image, image)
			}
		}
	}
	stays := []statecheck.StateCheck{
		state(refreshAddress, "image_id", second), state(refreshAddress, "launch_template_version", "2"),
		state("refit_asg_rolling_update.web", "launch_template_version", "2"),
		state("refit_asg_rolling_update.api", "launch_template_version", "1"),
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config("golden-web-1")},
			{Config: config("golden-web-*"), ExpectError: regexp.MustCompile(`rolled\s+back`)},
			{Config: config("golden-web-*"), ConfigPlanChecks: emptyPlan, ConfigStateChecks: stays},
			{
				PreConfig: func() {
					l.world.Advance(10 * time.Minute) // the members that failed are gone by then
					runs("web", second)
					runs("api", first)
				},
				Config: config("golden-web-*"), ConfigPlanChecks: emptyPlan, ConfigStateChecks: stays,
			},
		},
	})
}
