package provider_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

const (
	built4 = "ami-0000000000000b004"
	built5 = "ami-0000000000000b005"
)

// copied is a configuration that moves the parameter, with copies of the build
// account's images in place of images of the own; more is what else copy says.
func copied(config, more string) string {
	return strings.Replace(config, `source             = { owners = ["self"], name = "golden-*" }`,
		`source             = { owners = ["222222222222"], name = "built-*" }
  copy               = { source_region = "eu-west-1", `+more+` }`, 1)
}

// copyOf is the id of the only copy of an image; empty where there is none, or
// where there are more.
func (l *lab) copyOf(original string) (id string) {
	l.Helper()
	for _, i := range l.copies() {
		if aws.ToString(i.SourceImageId) == original {
			if id != "" {
				return ""
			}
			id = aws.ToString(i.ImageId)
		}
	}
	return id
}

// holdsCopy fails unless the channel holds the only copy of an image, in that
// version.
func (l *lab) holdsCopy(original string, version int64) resource.TestCheckFunc {
	return func(s *terraform.State) error { return l.holds(l.copyOf(original), version)(s) }
}

// rolledTo fails unless all four members run the only copy of an image.
func (l *lab) rolledTo(original string) resource.TestCheckFunc {
	return func(s *terraform.State) error { return l.runs(l.copyOf(original), 4)(s) }
}

func TestAccChannelCopy(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	l.build(built1, "built-1")
	config := l.config(copied(movesAndRolls, ""))
	oneVersion := l.wantVersions("1 resolve:ssm:" + stable + " by hand")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plannedUnknown(refreshAddress, "image_id")}},
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "source_image_id", built1), state(refreshAddress, "image_name", "built-1"),
					state(refreshAddress, "launch_template_version", "1"), converged,
				},
				Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built1, 2), l.rolledTo(built1), l.askedCopies(1), oneVersion, l.wantCopies("available "+built1)),
			},
			{Config: config, ConfigPlanChecks: noChange},
			{
				PreConfig: func() { l.build(built2, "built-2") },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(refreshAddress, "image_id"), planned(refreshAddress, "source_image_id", built2), planned(refreshAddress, "launch_template_version", "1"),
					plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check:             resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built2, 3), l.rolledTo(built2), l.askedCopies(2), oneVersion),
			},
			{Config: config, ConfigPlanChecks: noChange},
			// Another apply that knows of nothing finds the copy, and that the parameter holds it.
			{Config: l.config(""), Check: l.wantCopies("available "+built1, "available "+built2)},
			{Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built2, 3), l.askedCopies(2))},
			{Config: config, ConfigPlanChecks: noChange},
			// Somebody else moves it: the copy is put back, and is not made again.
			{
				PreConfig: func() { l.world.PutParameter(stable, first) }, Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{planned(refreshAddress, "source_image_id", built2)}},
				Check:            resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built2, 5), l.rolledTo(built2), l.askedCopies(2)),
			},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}

// The plan says what is copied, where it goes and who launches it, also where
// there is no parameter yet.
func TestAccChannelCopy_plan(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, "\ngroup \"web\" {", "\ntemplate \"other\" {\n  version { image = \"resolve:ssm:"+stable+"\" }\n}\n\n"+
		"group \"batch\" {\n  template = \"other\"\n  version = \"1\"\n  min = 0\n  max = 1\n  desired = 0\n}\n\ngroup \"web\" {", 1))
	d := newDesk(t, l.world, false)
	d.configure("provider.tf")
	d.write("main.tf", requireRefit+strings.ReplaceAll(copied(moves, ""), "$LT", l.templateNamed("other")))
	for n, id := range []string{built1, built2} {
		name := fmt.Sprintf("built-%d", n+1)
		l.build(id, name)
		output, _ := d.plan()
		output = told(output)
		for _, want := range []string{
			"Warning: An image is copied for launch template", id + " (" + name + ", 8 GiB) is copied from eu-west-1.", "image_id is known then",
			`Warning: Groups follow the parameter "/golden/web/stable"`, "It is moved to a copy of " + id + " (" + name + ",", "these groups launch what it holds: batch (version 1).",
		} {
			if !strings.Contains(output, want) {
				t.Errorf("plan %d: got\n%s\nwant it to say %q", n, output, want)
			}
		}
		d.run([]int{0}, "apply", "-auto-approve")
		if output, changes := d.plan(); changes || strings.Contains(output, "Groups follow") || strings.Contains(output, "is copied") {
			t.Errorf("after apply %d: got\n%s\nwant no changes, no followers and no copy", n, output)
		}
		if err := l.holdsCopy(id, int64(n+1))(nil); err != nil {
			t.Error(err)
		}
	}
}

// A copy that AWS gives up leaves nothing behind, and the parameter as it was.
func TestAccChannelCopy_fails(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	l.build(built1, "built-1")
	config := l.config(copied(moves, ""))
	l.world.FailCopies(1, "the disk is bad")
	gaveUp := regexp.MustCompile(`(?s)AWS\s+gave\s+up\s+the\s+copy\s+ami-\S+\s+of\s+image\s+` + built1 + `.*Nothing\s+else\s+was\s+changed,\s+and\s+nothing\s+is\s+left\s+of\s+the\s+copy`)
	as := func(want ...resource.TestCheckFunc) func() {
		return func() {
			for _, check := range want {
				if err := check(nil); err != nil {
					t.Error(err)
				}
			}
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, ExpectError: gaveUp},
			{
				PreConfig: as(l.holds(first, 1), l.wantCopies()), Config: config,
				Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built1, 2), l.wantCopies("available "+built1)),
			},
			{PreConfig: func() { l.build(built2, "built-2"); l.world.FailCopies(1, "the disk is bad") }, Config: config, ExpectError: regexp.MustCompile(`gave\s+up\s+the\s+copy`)},
			{
				PreConfig: as(l.holdsCopy(built1, 2), l.wantCopies("available "+built1)), Config: config,
				Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built2, 3), l.wantCopies("available "+built1, "available "+built2)),
			},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}

// What ends between the copy and the put, or after the put, is taken up by the
// next apply with the same copy.
func TestAccChannelCopy_interrupted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault awssim.Fault
		holds func(*lab) resource.TestCheckFunc
	}{
		// The journal's are the first two puts.
		"before the put": {
			awssim.Fault{Calls: "ssm:PutParameter", Kind: awssim.Deny, Skip: 2, Times: 1},
			func(l *lab) resource.TestCheckFunc { return l.holds(first, 1) },
		},
		"before the put was answered": {
			awssim.Fault{Calls: "ssm:PutParameter", Kind: awssim.LoseAnswer, Skip: 2, Times: 1},
			func(l *lab) resource.TestCheckFunc { return l.holdsCopy(built1, 2) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, following)
			l.build(built1, "built-1")
			config := strings.Replace(l.config(copied(moves, "")), "region     =", "max_retries = 1\n  region     =", 1)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{PreConfig: func() { l.fault(c.fault) }, Config: config, ExpectError: regexp.MustCompile(`(?s)Unable to refresh the image`)},
					{
						PreConfig: func() {
							l.world.Advance(time.Minute) // AWS validates what was put
							for _, check := range []resource.TestCheckFunc{c.holds(l), l.wantCopies("available " + built1)} {
								if err := check(nil); err != nil {
									t.Error(err)
								}
							}
						},
						Config: config,
						Check:  resource.ComposeAggregateTestCheckFunc(l.askedCopies(1), l.holdsCopy(built1, 2), l.runsCopyOf(built1), l.wantCopies("available "+built1)),
					},
					{Config: config, ConfigPlanChecks: noChange},
				},
			})
		})
	}
}

// others is a second group that follows the parameter, with its own template.
const others = `
template "batch" {
  version { image = "resolve:ssm:/golden/web/stable" }
}

group "batch" {
  template = "batch"
  version  = "1"
  min      = 0
  max      = 1
  desired  = 0
}
`

// kept fails unless there are copies of just these images.
func (l *lab) kept(want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		var got []string
		for _, i := range l.copies() {
			got = append(got, aws.ToString(i.SourceImageId))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("got copies of %q, want %q", got, want)
		}
		return nil
	}
}

// Cleaning leaves what the parameter holds and held before, and what any group
// that follows it runs.
func TestAccChannelCopy_keep(t *testing.T) {
	t.Parallel()
	l := newLab(t, following+others)
	config := l.config(copied(movesAndRolls, "keep = 1"))
	batch := func(desired int) { l.act(awssim.Action{Do: "set_desired", Group: "batch", Value: desired}) }
	next := func(id, name string, more ...func()) func() {
		return func() {
			for _, do := range more {
				do()
			}
			l.world.Advance(time.Hour)
			l.build(id, name)
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{PreConfig: next(built1, "built-1"), Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.rolledTo(built1), l.kept(built1))},
			// The member of batch runs the first from here on.
			{PreConfig: next(built2, "built-2", func() { batch(1) }), Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.rolledTo(built2), l.kept(built1, built2))},
			{PreConfig: next(built3, "built-3"), Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.rolledTo(built3), l.kept(built1, built2, built3))},
			{PreConfig: next(built4, "built-4"), Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.rolledTo(built4), l.kept(built1, built3, built4))},
			{PreConfig: next(built5, "built-5", func() { batch(0) }), Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.rolledTo(built5), l.kept(built4, built5))},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}

// A roll under way in a group that follows may go back to an image that nobody
// runs any more.
func TestAccChannelCopy_keepForRolls(t *testing.T) {
	t.Parallel()
	l := newLab(t, following+others)
	config := l.config(copied(moves, "keep = 1"))
	g, ok := l.world.Group("batch")
	if !ok {
		t.Fatal("there is no group batch")
	}
	store := journal.NewSSM(ssm.NewFromConfig(l.world.Config()), l.world.Clock(), "/refit")
	var lease *journal.Lease
	next := func(id, name string) func() {
		return func() { l.world.Advance(time.Hour); l.build(id, name) }
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{PreConfig: next(built1, "built-1"), Config: config, Check: l.kept(built1)},
			{PreConfig: next(built2, "built-2"), Config: config, Check: l.kept(built1, built2)},
			{
				PreConfig: func() {
					rec := rollout.Record{
						Target: rollout.Version{TemplateID: l.templateNamed("batch"), Number: 1, Image: l.copyOf(built2)}, Previous: rollout.Version{Image: l.copyOf(built1)},
					}
					var err error
					if lease, err = journal.New(store, journal.Options{}).Acquire(t.Context(), "batch", g.ARN, journal.AcquireOptions{}); err != nil {
						t.Fatal(err)
					}
					if err := lease.Write(t.Context(), rec); err != nil {
						t.Fatal(err)
					}
					next(built3, "built-3")()
				},
				Config: config, Check: l.kept(built1, built2, built3),
			},
			// The roll has ended.
			{
				PreConfig: func() {
					if err := lease.Settle(t.Context(), rollout.Record{Previous: rollout.Version{Image: l.copyOf(built1)}}); err != nil {
						t.Fatal(err)
					}
					next(built4, "built-4")()
				},
				Config: config, Check: l.kept(built3, built4),
			},
		},
	})
}

// What the parameter held before stays, though nobody runs it: a ban leads back
// to it without another copy.
func TestAccChannelCopy_back(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	config := l.config(copied(moves, "keep = 1"))
	next := func(id, name string) func() {
		return func() { l.world.Advance(time.Hour); l.build(id, name) }
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{PreConfig: next(built1, "built-1"), Config: config, Check: l.holdsCopy(built1, 2)},
			{PreConfig: next(built2, "built-2"), Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built2, 3), l.kept(built1, built2))},
			{
				PreConfig: func() { l.banned(built2) }, Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{planned(refreshAddress, "source_image_id", built1)}},
				Check:            resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built1, 4), l.runsCopyOf(built1), l.askedCopies(2)),
			},
			{Config: config, ConfigPlanChecks: noChange},
			// The next one is bad, too, and what it leads back to is still the first.
			{PreConfig: next(built3, "built-3"), Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built3, 5), l.kept(built1, built2, built3))},
			{PreConfig: func() { l.banned(built3) }, Config: config, Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built1, 6), l.askedCopies(3))},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}

// A copy that outlasts its window stays out of the parameter until the next.
func TestAccChannelCopy_window(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	l.build(built1, "built-1")
	config := l.config(strings.Replace(copied(moves, ""), "copy  ", `windows = [{ day = "fri", time = "09:00", duration = "30m", timezone = "UTC" }]
  copy  `, 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: l.holdsCopy(built1, 2)},
			{
				PreConfig: func() { l.until("2026-11-20T09:25:00Z"); l.build(built2, "built-2") }, Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{planned(refreshAddress, "source_image_id", built2)}},
				Check:            resource.ComposeAggregateTestCheckFunc(l.wantCopies("available "+built1, "available "+built2), l.holdsCopy(built1, 2)),
			},
			{Config: config, ConfigPlanChecks: noChanges, Check: resource.ComposeAggregateTestCheckFunc(l.runsCopyOf(built1), l.holdsCopy(built1, 2))},
			{
				PreConfig: func() { l.until("2026-11-27T09:01:00Z"); l.world.ResetCalls() }, Config: config,
				Check: resource.ComposeAggregateTestCheckFunc(l.askedCopies(0), l.runsCopyOf(built2), l.holdsCopy(built2, 3)),
			},
			{Config: config, ConfigPlanChecks: noChanges},
		},
	})
}

// The parameter of the source region may have the target's name; in the same
// region it is the same parameter.
func TestAccChannelCopy_sourceParameter(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	l.build(built1, "built-1")
	l.world.PutParameterIn(abroad, stable, built1)
	config := strings.Replace(copied(moves, ""), `name = "built-*"`, `ssm_parameter = "`+stable+`"`, 1)
	here := strings.Replace(config, `"eu-west-1"`, `"eu-west-2"`, 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(strings.Replace(here, `source_region = "eu-west-2"`, "encrypted = true", 1)), ExpectError: regexp.MustCompile(`Source and target are the same`)},
			{Config: l.config(here), ExpectError: regexp.MustCompile(`(?s)Parameter\s+` + stable + `\s+is\s+source\.ssm_parameter\s+of\s+the\s+same\s+region`)},
			{Config: l.config(config), Check: l.holdsCopy(built1, 2)},
			{Config: l.config(config), ConfigPlanChecks: noChange},
		},
	})
}

// Another copy of the image in use is no reason for a change, and one that the
// plan names is not replaced by another.
func TestAccChannelCopy_anotherCopy(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"into a parameter": copied(moves, ""), "into a version": copyFrom("")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			if name == "into a parameter" {
				l = newLab(t, following)
			}
			l.build(built1, "built-1")
			another := func(id string) {
				l.world.AddImage(awssim.Image{ID: id, Name: "copy " + id, Source: built1, SourceRegion: abroad})
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{Config: l.config(config), Check: l.runsCopyOf(built1)},
					{PreConfig: func() { l.world.Advance(time.Hour); another("ami-0000000000000c001") }, Config: l.config(config), ConfigPlanChecks: noChange},
					// A change of the source leads to the same copy.
					{
						Config: l.config(strings.Replace(config, `"built-*"`, `"built-1*"`, 1)),
						Check: func(s *terraform.State) error {
							if id := s.RootModule().Resources[refreshAddress].Primary.Attributes["image_id"]; id == "ami-0000000000000c001" || id == "" {
								return fmt.Errorf("got image_id %q, want the copy that is in use", id)
							}
							return nil
						},
					},
					{Config: l.config(config), ConfigPlanChecks: resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}},
				},
			})
		})
	}
}

// A new source version keeps the copy in the parameter, though its original has
// been deprecated since.
func TestAccChannelCopy_templateEdit(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	l.build(built1, "built-1")
	from := func(version string) string {
		return l.config(strings.Replace(copied(movesAndRolls, ""), "  copy  ", "  source_version = "+version+"\n  copy  ", 1))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: from("1"), Check: l.rolledTo(built1)},
			{
				PreConfig: func() {
					l.world.DeprecateImage(built1, l.world.Clock().Now().Add(-time.Hour))
					l.edit("1", "t3.medium")
				},
				Config:            from("2"),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "2"), converged},
				Check:             resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built1, 2), l.rolledTo(built1), l.askedCopies(1)),
			},
			{Config: from("2"), ConfigPlanChecks: noChange},
		},
	})
}

// What has failed in one copy is not tried again in another.
func TestAccChannelCopy_quarantined(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"into a parameter": copied(moves, ""), "into a version": copyFrom("")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			if name == "into a parameter" {
				l = newLab(t, following)
			}
			l.build(built1, "built-1")
			pinned := strings.Replace(config, "copy  ", `pin = { image_id = "`+built1+`", reason = "2 is slow" }`+"\n  copy  ", 1)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{Config: l.config(config), Check: l.runsCopyOf(built1)},
					{PreConfig: func() { l.build(built2, "built-2") }, Config: l.config(config), Check: l.runsCopyOf(built2)},
					{Config: l.config(pinned), Check: l.runsCopyOf(built1)},
					{
						PreConfig: func() {
							l.quarantined(l.copyOf(built2))
							l.world.Advance(time.Hour)
							l.world.AddImage(awssim.Image{ID: "ami-0000000000000c001", Name: "another", Source: built2, SourceRegion: abroad})
						},
						Config: l.config(config), Check: l.runsCopyOf(built1),
					},
					{Config: l.config(config), ConfigPlanChecks: noChange},
				},
			})
		})
	}
}

// A copy that the plan names and that is gone is an error, not another copy.
func TestAccChannelCopy_vanished(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	l.build(built1, "built-1")
	l.build(built2, "built-2")
	config := copied(moves, "")
	pinned := strings.Replace(config, "copy  ", `pin = { image_id = "`+built1+`", reason = "2 is slow" }`+"\n  copy  ", 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(pinned), Check: l.holdsCopy(built1, 2)},
			{Config: l.config(config), Check: l.holdsCopy(built2, 3)},
			{
				PreConfig: func() {
					l.world.PutParameter(stable, first)
					l.world.BeforeCall("ssm:GetParameterHistory", 2, func() { l.world.SetImageState(l.copyOf(built2), "deregistered") })
				},
				Config:      l.config(config),
				ExpectError: regexp.MustCompile(`(?s)copy\s+ami-\S+\s+of\s+image\s+` + built2 + `,\s+which\s+the\s+plan\s+names,\s+cannot\s+be\s+used\s+any\s+more;\s+plan\s+again`),
			},
			{Config: l.config(config), Check: resource.ComposeAggregateTestCheckFunc(l.holdsCopy(built2, 5), l.askedCopies(3))},
		},
	})
	if out, err := l.ec2().DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{l.copyOf(built1)}}); err != nil || len(out.Images) != 1 {
		t.Errorf("got %v, want the first copy to be there", err)
	}
}
