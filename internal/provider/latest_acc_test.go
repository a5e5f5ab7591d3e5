package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// onLatest is the fleet with its group on $Latest, and more groups.
func onLatest(more string) string {
	return strings.Replace(fleet, `version       = "1"`, `version       = "$Latest"`, 1) + more
}

// toLatest is a template whose versions are left to the roll of its group.
var toLatest = strings.Replace(both, "refit_ami_refresh.web.launch_template_version", `"$Latest"`, 1)

// at checks what the group points at and which images the versions have, oldest first.
func (l *lab) at(pointer string, images ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		g, _ := l.group()
		var want, got []string
		for i, id := range images {
			want = append(want, fmt.Sprintf("%d %s by hand", i+1, id))
		}
		if got = l.versions(); g.Version != pointer || strings.Join(got, "\n") != strings.Join(want, "\n") {
			return fmt.Errorf("got a group at %s and versions %q, want %s and %q", g.Version, got, pointer, want)
		}
		return nil
	}
}

// TestAccLatest_life: refit_ami_refresh makes no version for a group on $Latest;
// the roll of the group does. Plans are empty after a roll and after a rollback,
// and a better image goes through afterwards.
func TestAccLatest_life(t *testing.T) {
	t.Parallel()
	const fifth = "ami-00000000000000005"
	l := newLab(t, onLatest(""))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:            l.config(toLatest),
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded"), state(rollAddress, "target_version", "2"), state(refreshAddress, "image_id", second)},
				Check:             resource.ComposeTestCheckFunc(l.runs(second, 4), l.at("$Latest", first, second)),
			},
			{Config: l.config(toLatest), ConfigPlanChecks: emptyPlan, ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "2")}},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    l.config(toLatest),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(rollAddress, "image_id", third), plannedUnknown(rollAddress, "target_version"),
				}},
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded"), state(rollAddress, "target_version", "3")},
				Check:             resource.ComposeTestCheckFunc(l.runs(third, 4), l.at("$Latest", first, second, third)),
			},
			{Config: l.config(toLatest), ConfigPlanChecks: emptyPlan},
			{
				PreConfig:   func() { l.publish(fifth, "golden-web-5", awssim.ImageBehaviour{NeverHealthy: true}) },
				Config:      l.config(toLatest),
				ExpectError: regexp.MustCompile(`rolled\s+back`),
			},
			{
				Config: l.config(toLatest), ConfigPlanChecks: emptyPlan,
				Check: resource.ComposeTestCheckFunc(l.runs(third, 4), l.at("$Latest", first, second, third, fifth, third)),
			},
			{
				PreConfig: func() { l.publish("ami-00000000000000006", "golden-web-6", awssim.ImageBehaviour{}) },
				Config:    l.config(toLatest), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check: resource.ComposeTestCheckFunc(l.runs("ami-00000000000000006", 4), l.at("$Latest", first, second, third, fifth, third, "ami-00000000000000006")),
			},
			{Config: l.config(toLatest), ConfigPlanChecks: emptyPlan},
		},
	})
}

// TestAccLatest_literal: a roll makes the version of an image that no
// refit_ami_refresh has chosen, too; but not where members would not run it.
func TestAccLatest_literal(t *testing.T) {
	t.Parallel()
	l := newLab(t, onLatest(""))
	config := func(image string) string {
		return l.config(fmt.Sprintf(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = "$Latest"
  image_id                = %q
  max_healthy_percentage  = 150
}`, image))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: config(second), ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check: resource.ComposeTestCheckFunc(l.runs(second, 4), l.at("$Latest", first, second)),
			},
			{Config: config(second), ConfigPlanChecks: emptyPlan},
			{
				PreConfig: func() { l.disk("/dev/xvda"); l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    config(third),
				ExpectError: regexp.MustCompile(`(?s)Version\s+3\s+of\s+launch\s+template\s+\S+\s+makes\s+the\s+root\s+disk\s+/dev/xvda\s+from\s+snap-0123456789abcdef0:.*` +
					`not\s+from\s+image\s+` + third + `.*Nothing\s+was\s+changed.*Remove\s+snapshot_id`),
			},
		},
	})
	if g, _ := l.group(); g.Version != "$Latest" || len(l.versions()) != 3 {
		t.Errorf("got a group at %s and versions %q, want nothing changed", g.Version, l.versions())
	}
}

// TestAccLatest_noRoll: without a roll no version is made, and each plan says
// whose fault that is; once the group is on a number, it is.
func TestAccLatest_noRoll(t *testing.T) {
	t.Parallel()
	l := newLab(t, onLatest(""))
	alone := refresh
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(alone), Check: l.at("$Latest", first), ExpectNonEmptyPlan: true},
			{
				PreConfig: func() { l.act(awssim.Action{Do: "set_pointer", Group: "web", Version: "1"}) },
				Config:    l.config(alone), Check: l.at("1", first, second),
			},
			{Config: l.config(alone), ConfigPlanChecks: emptyPlan},
		},
	})
}

// TestAccLatest_two: two groups on $Latest of one template, rolled in one apply.
// Alone, the first is refused, and nothing is changed.
func TestAccLatest_two(t *testing.T) {
	t.Parallel()
	l := newLab(t, onLatest(`
group "api" {
  template = "web"
  version  = "$Latest"
  min      = 0
  max      = 2
  desired  = 1
}
`))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(toLatest), ExpectError: regexp.MustCompile(`(?s)Other\s+groups\s+follow\s+the\s+newest\s+version.*api\s+\(\$Latest\)`)},
			{
				PreConfig: func() {
					if err := l.at("$Latest", first)(nil); err != nil {
						t.Error(err)
					}
				},
				Config: l.config(toLatest), ExpectError: regexp.MustCompile(`Give\s+each\s+of\s+them\s+the\s+number\s+of\s+a\s+version`),
			},
		},
	})
}

// TestAccLatest_sourceVersion: a version that is not the newest cannot be what a
// roll on $Latest copies.
func TestAccLatest_sourceVersion(t *testing.T) {
	t.Parallel()
	l := newLab(t, onLatest(""))
	l.edit("1", "t3.medium")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config:      l.config(strings.Replace(toLatest, "  source ", "  source_version = \"1\"\n  source ", 1)),
			ExpectError: regexp.MustCompile(`(?s)source_version is 1, but these groups follow \$Latest, and their rolls\s+copy\s+the\s+newest\s+version,\s+2:\s+web\s+\(\$Latest\)`),
		}},
	})
	if err := l.at("$Latest", first, first)(nil); err != nil {
		t.Error(err)
	}
}
