package provider_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const banAddress = "refit_image_quarantine.bad"

// ban is the resource for an image, with more attributes.
func ban(id string, more ...string) string {
	return fmt.Sprintf(`
resource "refit_image_quarantine" "bad" {
  image_id = %q
  reason   = "kernel panics under load"
  %s
}
`, id, strings.Join(more, "\n  "))
}

// banned publishes a ban as another project would.
func (l *lab) banned(id string) {
	l.Helper()
	body, err := json.Marshal(image.Ban{Image: id, Reason: "kernel panics under load"})
	if err != nil {
		l.Fatal(err)
	}
	l.world.PutParameter("/refit/"+image.BanPath(id), string(body))
}

func TestAccImageQuarantine_newest(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(refresh + ban(third))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, ConfigStateChecks: []statecheck.StateCheck{
				state(refreshAddress, "image_id", second),
				statecheck.ExpectKnownValue(banAddress, tfjsonpath.New("until"), knownvalue.Null()),
			}},
			// A banned image is passed over when it comes out.
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    config, ConfigPlanChecks: emptyPlan,
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)},
			},
			// The ban is lifted: the plan after takes the image up.
			{Config: l.config(refresh), ExpectNonEmptyPlan: true},
			{Config: l.config(refresh), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", third)}},
		},
	})
}

func TestAccImageQuarantine_inUse(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(both), Check: l.runs(second, 4)},
			{Config: l.config(both + ban(second)), ExpectNonEmptyPlan: true, Check: l.runs(second, 4)},
			// The image before it stands in, in a version of its own, since others
			// may follow the latest, and the group goes there.
			{
				Config: l.config(both + ban(second)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", first),
					plannedUnknown(refreshAddress, "launch_template_version"),
					plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "image_id", first), state(refreshAddress, "launch_template_version", "3"), converged, outcome("succeeded"),
				},
				Check: l.runs(first, 4),
			},
			{Config: l.config(both + ban(second)), ConfigPlanChecks: emptyPlan},
			{
				PreConfig:         func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:            l.config(both + ban(second)),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", third), converged},
				Check:             l.runs(third, 4),
			},
		},
	})
}

// A group that is told a version by number does not go to a banned one, and
// one that runs it stays.
func TestAccImageQuarantine_literal(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.version(second)
	literal := func(version int) string {
		return l.config(fmt.Sprintf(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = %d
  retry                   = "I insist"
}
`, version))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig:   func() { l.banned(second) },
				Config:      literal(2),
				ExpectError: regexp.MustCompile(`(?s)Unable to roll Auto Scaling group "web".*is\s+banned:\s+kernel\s+panics.*Nothing\s+was\s+changed.*lift\s+the\s+ban\s+by\s+destroying`),
			},
			{Config: literal(1), Check: l.runs(first, 4)},
			{Config: literal(2), ConfigPlanChecks: emptyPlan, Check: l.runs(first, 4)},
			{
				PreConfig: func() { l.banned(first) }, // what the group runs: not this resource's affair
				Config:    literal(1), ConfigPlanChecks: emptyPlan, Check: l.runs(first, 4),
			},
		},
	})
}

// The plan says why an image is not used and until when, and what it comes to
// for a group that runs it.
func TestAccImageQuarantine_planSays(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	d.write("main.tf", l.config(requireRefit+both))
	d.run([]int{0}, "init")
	d.run([]int{0}, "apply", "-auto-approve", "-no-color")
	l.world.PutParameter("/refit/"+image.BanPath(second), `{"image":"`+second+`","reason":"kernel panics.","until":"2026-12-01T00:00:00Z"}`)
	output, changes := d.plan()
	output = strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
	for _, want := range []string{
		"Passed over: " + second + " is banned until 2026-12-01 00:00 UTC: kernel panics.",
		`~ image_id = "` + second + `" -> "` + first + `"`, `~ launch_template_version = "2" -> (known after apply)`,
	} {
		if !changes || !strings.Contains(output, want) {
			t.Errorf("the plan lacks %q:\n%s", want, output)
		}
	}
}

// A ban, or a failure elsewhere, that came after the plan stops the apply of it.
func TestAccImageQuarantine_savedPlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scenario, config string
		change           func(*lab)
		want             string
	}{
		"banned": {fleet, refresh, func(l *lab) { l.banned(third) }, "is banned: kernel panics under load; plan again, or lift the ban. Nothing was changed."},
		"failed": {fleet, refresh, func(l *lab) { l.failed(third) }, "is in quarantine for this template until 2026-11-21 09:00 UTC: it failed; plan again. Nothing was changed."},
		"banned, parameter": {
			following, moves, func(l *lab) { l.banned(third) }, "is banned: kernel panics under load; plan again, or lift the ban. Nothing was changed.",
		},
		"failed, parameter": {
			following, moves, func(l *lab) { l.failed(third) }, "is in quarantine for this template until 2026-11-21 09:00 UTC: it failed; plan again. Nothing was changed.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.scenario)
			d := newDesk(t, l.world, false)
			d.write("main.tf", l.config(requireRefit+c.config))
			d.run([]int{0}, "init")
			d.run([]int{0}, "apply", "-auto-approve", "-no-color")
			before := l.versions()
			l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
			d.plan("-out", "plan")
			l.world.Advance(time.Minute) // the provider of the test is one process for both
			c.change(l)
			if output := flat(d.run([]int{1}, "apply", "-no-color", "plan")); !strings.Contains(output, "must not be used: "+third+" "+c.want) {
				t.Errorf("the apply lacks %q:\n%s", c.want, output)
			}
			if err := l.wantVersions(before...)(nil); err != nil {
				t.Error(err)
			}
			if c.scenario == following {
				if err := l.holds(second, 2)(nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// failed is what a roll leaves that failed for an image of the template.
func (l *lab) failed(imageID string) {
	l.Helper()
	l.world.PutParameter("/refit/"+image.QuarantinePath(l.template, "0123456789abcdef"),
		`{"template":"`+l.template+`","data":"0123456789abcdef","image":"`+imageID+`","reason":"it failed","until":"2026-11-21T09:00:00Z"}`)
}

func TestAccImageQuarantine_copies(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	const copied, again, built = "ami-0000000000000000a", "ami-0000000000000000b", "ami-0000000000000000c"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(refresh + ban(third))},
			{
				PreConfig: func() {
					// From another region: the original is not to be seen here.
					l.world.AddImage(awssim.Image{ID: copied, Name: "golden-web-4", Source: third})
					l.world.AddImage(awssim.Image{ID: again, Name: "golden-web-5", Source: copied})
				},
				Config: l.config(refresh + ban(third)), ConfigPlanChecks: emptyPlan,
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)},
			},
			// What was built on top of it is another image.
			{
				PreConfig: func() {
					l.world.AddImage(awssim.Image{ID: built, Name: "golden-web-6", Source: third, SourceInstance: "i-0123456789abcdef0"})
				},
				Config:            l.config(refresh + ban(third)),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", built)},
			},
		},
	})
}

// A ban can be declared again right after it was destroyed, and says in between
// that it is lifted.
func TestAccImageQuarantine_again(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(ban(second)), ConfigStateChecks: []statecheck.StateCheck{state(banAddress, "image_id", second)}},
			{Config: l.config(ban(second)), Destroy: true},
			{Config: l.config(ban(second)), ConfigStateChecks: []statecheck.StateCheck{state(banAddress, "image_id", second)}},
			{Config: l.config(ban(third)), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(banAddress, plancheck.ResourceActionReplace),
			}}},
			{Config: l.config(ban(second)), ConfigStateChecks: []statecheck.StateCheck{state(banAddress, "image_id", second)}},
			// Somebody lifts it: the plan bans it again.
			{
				PreConfig: func() { l.world.PutParameter("/refit/"+image.BanPath(second), `{"image":"`+second+`","cleared":true}`) },
				Config:    l.config(ban(second)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(banAddress, plancheck.ResourceActionCreate),
				}},
			},
		},
	})
}

func TestAccImageQuarantine_until(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	until := func(text string) string { return ban(second, `until = "`+text+`"`) }
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(until("2026-11-20T11:00:00+01:00")), ConfigStateChecks: []statecheck.StateCheck{state(banAddress, "until", "2026-11-20T11:00:00+01:00")}},
			// The same instant in other words.
			{Config: l.config(until("2026-11-20T10:00:00Z")), ConfigPlanChecks: emptyPlan},
			{Config: l.config(refresh + until("2026-11-20T12:00:00Z")), ConfigStateChecks: []statecheck.StateCheck{
				state(banAddress, "until", "2026-11-20T12:00:00Z"), state(refreshAddress, "image_id", first),
			}},
			// It ends by itself, and the resource stays without effect.
			{
				PreConfig: func() { l.world.Advance(3 * time.Hour) },
				Config:    l.config(refresh + until("2026-11-20T12:00:00Z")),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(banAddress, plancheck.ResourceActionNoop),
				}},
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)},
			},
			{
				Config:      l.config(refresh + until("2026-11-20T11:30:00Z")),
				ExpectError: regexp.MustCompile(`(?s)until is "2026-11-20T11:30:00Z",\s+and\s+now\s+it\s+is\s+2026-11-20T12:.*give\s+an\s+instant\s+that\s+lies\s+ahead`),
			},
		},
	})
}

func TestAccImageQuarantine_import(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(ban(second, `until = "2026-12-20T10:00:00Z"`))},
			{
				ResourceName: banAddress, ImportState: true, ImportStateId: second, ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "image_id",
			},
			{
				ResourceName: banAddress, ImportState: true, ImportStateId: "golden-web-2",
				ExpectError: regexp.MustCompile(`(?s)import\s+id\s+is\s+"golden-web-2";\s+give\s+the\s+id\s+of\s+an\s+image`),
			},
			{
				ResourceName: banAddress, ImportState: true, ImportStateId: third,
				ExpectError: regexp.MustCompile(`(?s)non-existent remote object`),
			},
		},
	})
}

func TestAccImageQuarantine_declaredTwice(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.banned(second)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(ban(second, `until = "2026-12-20T10:00:00Z"`)),
				ExpectError: regexp.MustCompile(`(?s)Unable to ban image "` + second + `".*banned\s+already:.*kernel\s+panics.*Nothing\s+was\s+changed.*` +
					`terraform\s+import\s+refit_image_quarantine.NAME\s+` + second),
			},
		},
	})
}

func TestAccImageQuarantine_denied(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	if _, err := l.world.Inject(awssim.Fault{Calls: "ssm:PutParameter", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config:      l.config(ban(second)),
			ExpectError: regexp.MustCompile(`(?s)Unable to ban image.*does\s+not\s+allow\s+ssm:PutParameter.*Allow\s+ssm:PutParameter`),
		}},
	})
}

func TestAccImageQuarantine_badInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, want string }{
		"image name":   {ban("golden-web-2"), `(?s)image_id\s+is\s+"golden-web-2";\s+give\s+the\s+id\s+of\s+an\s+image`},
		"image id":     {ban("ami-0123"), `(?s)image_id\s+is\s+"ami-0123";\s+give`},
		"empty reason": {strings.Replace(ban(second), "kernel panics under load", " ", 1), `(?s)reason\s+is\s+" ";\s+give\s+a\s+text`},
		"long reason":  {strings.Replace(ban(second), "kernel panics", strings.Repeat("x", 300), 1), `(?s)reason\s+is\s+"x+.*give\s+a\s+text\s+of\s+1\s+to\s+200\s+bytes`},
		"until a day":  {ban(second, `until = "2027-01-31"`), `(?s)until\s+is\s+"2027-01-31";\s+give\s+an\s+instant\s+in\s+RFC\s+3339`},
		"until past":   {ban(second, `until = "2026-01-31T00:00:00Z"`), `(?s)until\s+is\s+"2026-01-31T00:00:00Z",\s+and\s+now\s+it\s+is\s+2026-11-20T09:.*lies\s+ahead`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.config(c.config), ExpectError: regexp.MustCompile(c.want)}},
				CheckDestroy: func(*terraform.State) error {
					if n := l.world.Calls()["ssm:PutParameter"]; n > 0 {
						return fmt.Errorf("got %d writes, want none", n)
					}
					return nil
				},
			})
		})
	}
}
