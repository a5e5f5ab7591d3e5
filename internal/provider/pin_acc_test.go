package provider_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// pinned is a refit_ami_refresh with a pin; more is an attribute of that.
func (l *lab) pinned(id, more string) string {
	return l.config(fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["self"], name = "golden-*", min_age = "1h", exclude = ["golden-web-1"] }
  pin                = { image_id = %q, reason = "the driver of the next one", %s }
}
`, id, more))
}

func (l *lab) unpinned() string {
	return l.choosing(`owners = ["self"], name = "golden-*", min_age = "1h", exclude = ["golden-web-1"]`)
}

func TestAccPin(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	empty := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	is := func(id, version string) []statecheck.StateCheck {
		return []statecheck.StateCheck{state(refreshAddress, "image_id", id), state(refreshAddress, "launch_template_version", version)}
	}
	until := l.world.Clock().Now().Add(8 * time.Hour).Format(time.RFC3339)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.unpinned(), ConfigStateChecks: is(second, "2")},
			// Pinned where it is: the newer image changes nothing, not even the plan's values.
			{
				PreConfig: func() {
					l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
					l.world.Advance(2 * time.Hour)
				},
				Config: l.pinned(second, ""),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(refreshAddress, plancheck.ResourceActionUpdate),
					planned(refreshAddress, "image_id", second), planned(refreshAddress, "launch_template_version", "2"),
				}},
				ConfigStateChecks: is(second, "2"),
			},
			{Config: l.pinned(second, ""), ConfigPlanChecks: empty},
			// Pinned to the one before, which the source even excludes: back to it.
			{
				Config: l.pinned(first, fmt.Sprintf("until = %q", until)), ConfigStateChecks: is(first, "3"),
				Check: l.wantVersions("1 "+first+" by hand", "2 "+second+" by hand", "3 "+first+" by hand"),
			},
			{Config: l.pinned(first, fmt.Sprintf("until = %q", until)), ConfigPlanChecks: empty},
			// The pin ends by itself.
			{
				PreConfig: func() { l.world.Advance(9 * time.Hour) },
				Config:    l.pinned(first, fmt.Sprintf("until = %q", until)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", third), plannedUnknown(refreshAddress, "launch_template_version"),
				}},
				ConfigStateChecks: is(third, "4"),
			},
			{Config: l.unpinned(), ConfigStateChecks: is(third, "4")},
			{Config: l.unpinned(), ConfigPlanChecks: empty},
			// A pin that is made to end in the past ends in that apply.
			{Config: l.pinned(second, ""), ConfigStateChecks: is(second, "5")},
			{Config: l.pinned(second, fmt.Sprintf("until = %q", until)), ConfigStateChecks: is(third, "6")},
		},
	})
}

// A ban of the pinned image ends the pin.
func TestAccPin_banned(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.pinned(first, ""), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", first)}},
			{
				PreConfig: func() {
					l.version(second)
					l.world.PutParameter("/refit/"+image.BanPath(first), `{"image":"`+first+`","reason":"CVE"}`)
					l.world.Advance(time.Minute)
				},
				Config:            l.pinned(first, ""),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)},
			},
		},
	})
}

// An edit of the template goes through although the image in use is not
// acceptable any more.
func TestAccImageSource_editWithAnOldImage(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := func(number int) string {
		return l.config(fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source_version     = %d
  source             = { owners = ["self"], name = "golden-web-2", max_age = "20d" }
}
`, number))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config(1), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "2")}},
			{
				PreConfig: func() {
					l.edit("1", "t3.medium")
					l.world.Advance(30 * 24 * time.Hour)
				},
				Config: config(3),
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "image_id", second), state(refreshAddress, "launch_template_version", "4"),
				},
				Check: l.wantVersions("1 "+first+" by hand", "2 "+second+" by hand", "3 "+first+" by hand", "4 "+second+" by hand"),
			},
		},
	})
}

func TestAccPin_badInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ id, more, want string }{
		"no id":        {"golden-web-1", "", `golden-web-1`},
		"no instant":   {first, `until = "next week"`, `until`},
		"gone":         {"ami-0123456789abcdef0", "", `(?s)image\s+ami-0123456789abcdef0\s+does\s+not\s+exist`},
		"another's":    {"ami-00000000000000021", "", `(?s)is\s+of\s+account\s+999999999999,\s+not\s+of\s+self`},
		"does not fit": {arm, "", `(?s)is\s+for\s+arm64,\s+but\s+instance\s+type\s+t3.small\s+runs\s+x86_64`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.market()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.pinned(c.id, c.more), ExpectError: regexp.MustCompile("(?i)" + c.want)}},
			})
		})
	}
}
