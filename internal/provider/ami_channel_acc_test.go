package provider_test

import (
	"encoding/json"
	"fmt"
	"regexp"
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
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const stable = "/golden/web/stable"

// following is the fleet with a template that names a parameter, which holds
// the first image.
var following = strings.Replace(strings.Replace(fleet, `image         = "golden-web-1"`, `image         = "resolve:ssm:`+stable+`"`, 1),
	`template "web" {`, "parameter \""+stable+"\" { value = \"golden-web-1\" }\n\ntemplate \"web\" {", 1)

const moves = `
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["self"], name = "golden-*" }
  target             = { ssm_parameter = "/golden/web/stable" }
}
`

const movesAndRolls = moves + `
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id
  max_healthy_percentage  = 150
}
`

// holds fails unless the channel holds an image, in that version.
func (l *lab) holds(image string, version int64) resource.TestCheckFunc {
	return func(*terraform.State) error {
		out, err := ssm.NewFromConfig(l.world.Config()).GetParameter(l.Context(), &ssm.GetParameterInput{Name: aws.String(stable)})
		if err != nil {
			return err
		}
		if p := out.Parameter; aws.ToString(p.Value) != image || p.Version != version || aws.ToString(p.DataType) != "aws:ec2:image" {
			return fmt.Errorf("got %s in version %d of data type %s, want %s in version %d", aws.ToString(p.Value), p.Version, aws.ToString(p.DataType), image, version)
		}
		return nil
	}
}

func (l *lab) fault(f awssim.Fault) {
	l.Helper()
	if _, err := l.world.Inject(f); err != nil {
		l.Fatal(err)
	}
}

func TestAccChannel(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	oneVersion := l.wantVersions("1 resolve:ssm:" + stable + " by hand")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:            l.config(movesAndRolls),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second), state(refreshAddress, "launch_template_version", "1"), converged},
				Check:             resource.ComposeAggregateTestCheckFunc(l.holds(second, 2), oneVersion, l.runs(second, 4)),
			},
			{Config: l.config(movesAndRolls), ConfigPlanChecks: noChange},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    l.config(movesAndRolls),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", third), planned(refreshAddress, "launch_template_version", "1"),
					plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "1"), converged, outcome("succeeded")},
				Check:             resource.ComposeAggregateTestCheckFunc(l.holds(third, 3), oneVersion, l.runs(third, 4)),
			},
			{Config: l.config(movesAndRolls), ConfigPlanChecks: noChange},
			// Somebody else moves it: it is put back, and what they launched replaced.
			{
				PreConfig: func() { l.world.PutParameter(stable, first) },
				Config:    l.config(movesAndRolls),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(refreshAddress, plancheck.ResourceActionUpdate), planned(refreshAddress, "image_id", third),
				}},
				Check: resource.ComposeAggregateTestCheckFunc(l.holds(third, 5), l.runs(third, 4)),
			},
			{Config: l.config(movesAndRolls), ConfigPlanChecks: noChange},
		},
	})
}

// Without image_id in the roll nothing of it changes in the plan, so that it
// comes with the next one.
func TestAccChannel_versionAlone(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	config := l.config(strings.Replace(movesAndRolls, "  image_id                = refit_ami_refresh.web.image_id\n", "", 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: l.runs(second, 4)},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) }, Config: config,
				Check: resource.ComposeAggregateTestCheckFunc(l.holds(third, 3), l.runs(second, 4)), ExpectNonEmptyPlan: true,
			},
			{Config: config, Check: l.runs(third, 4)},
			{Config: config, ConfigPlanChecks: noChange},
		},
	})
}

// The parameter need not exist: a new stack makes it.
func TestAccChannel_new(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, "\ngroup \"web\" {", "\ntemplate \"other\" {\n  version { image = \"resolve:ssm:"+stable+"\" }\n}\n\ngroup \"web\" {", 1))
	out := l.config(strings.Replace(moves, "$LT", l.templateNamed("other"), 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: out, ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)}, Check: l.holds(second, 1)},
			{Config: out, ConfigPlanChecks: noChange},
			// Somebody deletes it: it is made again.
			{
				PreConfig: func() {
					if _, err := ssm.NewFromConfig(l.world.Config()).DeleteParameter(l.Context(), &ssm.DeleteParameterInput{Name: aws.String(stable)}); err != nil {
						t.Fatal(err)
					}
					l.act(awssim.Action{Do: "tag", Group: "web", Key: "time", Text: "passes"})
				},
				Config: out, Check: l.holds(second, 1),
			},
			{Config: out, ConfigPlanChecks: noChange},
		},
	})
}

// A pin, and a ban of the image in use, lead back to an image that the
// parameter has held.
func TestAccChannel_back(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	pinned := strings.Replace(moves, "\n}", "\n  pin = { image_id = \""+first+"\", reason = \"the driver\" }\n}", 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(moves), Check: l.holds(second, 2)},
			{Config: l.config(pinned), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", first)}, Check: l.holds(first, 3)},
			{Config: l.config(pinned), ConfigPlanChecks: noChange},
			{Config: l.config(moves), Check: l.holds(second, 4)},
			{PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) }, Config: l.config(moves), Check: l.holds(third, 5)},
			{
				PreConfig: func() {
					l.banned(third)
					// This one is older and was never in the parameter.
					l.world.AddImage(awssim.Image{ID: "ami-00000000000000006", Name: "golden-web-3", Created: l.world.Clock().Now().AddDate(0, 0, -3)})
				},
				Config: l.config(moves),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", second), planned(refreshAddress, "launch_template_version", "1"),
				}},
				Check: l.holds(second, 6),
			},
			{Config: l.config(moves), ConfigPlanChecks: noChange},
			// What has failed with this template does not get into the parameter.
			{
				PreConfig: func() {
					l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{})
					l.quarantined("ami-00000000000000005")
				},
				Config: l.config(moves), ConfigPlanChecks: noChange, Check: l.holds(second, 6),
			},
		},
	})
}

// quarantined keeps an image from the template's first version, as a failed
// roll of it does.
func (l *lab) quarantined(id string) {
	l.Helper()
	body, err := json.Marshal(image.Quarantine{Template: l.template, Data: "0123456789abcdef", Image: id, Reason: "it failed", Until: l.world.Clock().Now().Add(24 * time.Hour)})
	if err != nil {
		l.Fatal(err)
	}
	l.world.PutParameter("/refit/"+image.QuarantinePath(l.template, "0123456789abcdef"), string(body))
}

// The plan names the groups that follow, of other templates too, and no others.
func TestAccChannel_followers(t *testing.T) {
	t.Parallel()
	more := `
template "batch" {
  version { image = "golden-web-1" }
  version { image = "resolve:ssm:golden/web/stable" }
}
template "other" {
  version { image = "resolve:ssm:/golden/web/stable:1" }
}
`
	for _, g := range []string{"batch latest $Latest", "batch numbered 1", "batch usual $Default", "other fixed 1"} {
		f := strings.Fields(g)
		more += fmt.Sprintf("group %q {\n  template = %q\n  version = %q\n  min = 0\n  max = 1\n  desired = 0\n}\n", f[1], f[0], f[2])
	}
	l := newLab(t, following+more)
	d := newDesk(t, l.world, false)
	d.configure("provider.tf")
	d.write("main.tf", requireRefit+strings.ReplaceAll(moves, "$LT", l.template))
	for n, id := range []string{second, third} {
		if n == 1 {
			l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
		}
		output, _ := d.plan()
		for _, want := range []string{`Warning: Groups follow the parameter "/golden/web/stable"`, "It is moved to " + id, "these groups launch what it holds: latest (version $Latest), web (version 1).", "before a roll has tested it"} {
			if output = told(output); !strings.Contains(output, want) {
				t.Errorf("plan %d: got\n%s\nwant it to say %q", n, output, want)
			}
		}
		d.run([]int{0}, "apply", "-auto-approve")
		if output, changes := d.plan(); changes || strings.Contains(output, "Groups follow") {
			t.Errorf("after apply %d: got\n%s\nwant no changes and no followers", n, output)
		}
	}
}

// A window holds a move back, as any other new image.
func TestAccChannel_window(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	windowed := strings.Replace(moves, "\n}", "\n  windows = [{ day = \"sat\", time = \"10:00\", timezone = \"UTC\", duration = \"2h\" }]\n}", 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(windowed), Check: l.holds(second, 2)}, // a new resource does not wait
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:    l.config(windowed), ConfigPlanChecks: noChange, Check: l.holds(second, 2),
			},
			{
				PreConfig: func() { l.world.Advance(25*time.Hour + 30*time.Minute) }, // it is Friday, 09:00
				Config:    l.config(windowed), Check: l.holds(third, 3),
			},
			{Config: l.config(windowed), ConfigPlanChecks: noChange},
		},
	})
}

// Import finds the image by what the parameter means.
func TestAccChannel_import(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(moves)},
			{
				ResourceName: refreshAddress, ImportState: true, ImportStateId: l.template, ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "launch_template_id", ImportStateVerifyIgnore: []string{"source", "target"},
			},
		},
	})
}

// A roll that fails rolls its group back; the next apply takes the parameter
// back, too, and the group returns to the version that names it.
func TestAccChannel_rolledBack(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(movesAndRolls), Check: l.runs(second, 4)},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{NeverHealthy: true}) },
				Config:    l.config(movesAndRolls), ExpectError: regexp.MustCompile(`(?s)rolled back`),
			},
			{
				Config: l.config(movesAndRolls),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", second), plancheck.ExpectResourceAction(refreshAddress, plancheck.ResourceActionUpdate),
				}},
				ConfigStateChecks: []statecheck.StateCheck{converged, state(refreshAddress, "launch_template_version", "1")},
				Check:             resource.ComposeAggregateTestCheckFunc(l.holds(second, 4), l.runs(second, 4)),
			},
			{Config: l.config(movesAndRolls), ConfigPlanChecks: noChange},
			// Nothing brings the failed one back but time, a retry or a newer one.
			{
				PreConfig: func() { l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{}) },
				Config:    l.config(movesAndRolls), ConfigStateChecks: []statecheck.StateCheck{converged},
				Check: resource.ComposeAggregateTestCheckFunc(l.holds("ami-00000000000000005", 5), l.runs("ami-00000000000000005", 4)),
			},
			{Config: l.config(movesAndRolls), ConfigPlanChecks: noChange},
		},
	})
}

// An edit of the template flows through; it makes no move.
func TestAccChannel_templateEdit(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(movesAndRolls)},
			{
				PreConfig: func() { l.edit("1", "t3.medium") }, Config: l.config(movesAndRolls),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "launch_template_version", "2"), converged},
				Check:             resource.ComposeAggregateTestCheckFunc(l.holds(second, 2), l.runs(second, 4)),
			},
			{Config: l.config(movesAndRolls), ConfigPlanChecks: noChange},
		},
	})
}

// What ends after the put and before the parameter is read back is taken up by
// the next apply, without another put.
func TestAccChannel_interrupted(t *testing.T) {
	t.Parallel()
	l := newLab(t, following)
	puts := func(want int) resource.TestCheckFunc {
		return func(*terraform.State) error { return l.holds(second, int64(want))(nil) }
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				PreConfig: func() {
					l.world.BeforeCall("ssm:PutParameter", 1, func() { l.fault(awssim.Fault{Calls: "ssm:GetParameter", Kind: awssim.Deny, Times: 1}) })
				},
				Config: l.config(moves), ExpectError: regexp.MustCompile(`(?s)Unable to refresh the image of launch template.*does not\s+allow\s+ssm:GetParameter`),
			},
			{PreConfig: func() { l.act(awssim.Action{Do: "tag", Group: "web", Key: "time", Text: "passes"}) }, Config: l.config(moves), Check: puts(2)},
			{Config: l.config(moves), ConfigPlanChecks: noChange},
		},
	})
}

func TestAccChannel_fails(t *testing.T) {
	t.Parallel()
	other := strings.Replace(moves, "$LT", "lt-0123", 1)
	for name, c := range map[string]struct {
		scenario, config string
		before           func(*lab)
		want             string
	}{
		"not validated": {
			following, moves, func(l *lab) {
				l.world.BeforeCall("ssm:PutParameter", 1, func() { l.world.SetImageState(second, "pending") })
			},
			`(?s)Unable to refresh the image.*AWS\s+took\s+image\s+` + second + `.*within\s+1m0s:\s+the\s+image\s+is\s+pending;\s+the\s+parameter\s+still\s+holds\s+` + first + `.*available\s+in\s+this\s+account`,
		},
		"denied": {
			following, moves, func(l *lab) { l.fault(awssim.Fault{Calls: "ssm:PutParameter", Kind: awssim.Deny}) },
			`(?s)does not\s+allow\s+ssm:PutParameter.*Nothing\s+was\s+changed`,
		},
		"history denied": {
			following, moves, func(l *lab) { l.fault(awssim.Fault{Calls: "ssm:GetParameterHistory", Kind: awssim.Deny}) },
			`(?s)does not\s+allow\s+ssm:GetParameterHistory`,
		},
		"text": {
			following, moves, func(l *lab) {
				c := ssm.NewFromConfig(l.world.Config())
				_, err := c.DeleteParameter(l.Context(), &ssm.DeleteParameterInput{Name: aws.String(stable)})
				l.act(awssim.Action{Do: "tag", Group: "web", Key: "time", Text: "passes"})
				if err == nil {
					_, err = c.PutParameter(l.Context(), &ssm.PutParameterInput{Name: aws.String(stable), Value: aws.String(first), Type: "String"})
				}
				if err != nil {
					l.Fatal(err)
				}
			},
			`(?s)Unable to plan the image.*Parameter\s+/golden/web/stable\s+has\s+the\s+data\s+type\s+text.*does\s+not\s+exist\s+yet`,
		},
		"template names an image": {
			fleet, moves, nil,
			`(?s)Version\s+1\s+of\s+launch\s+template\s+\S+\s+names\s+image\s+` + first + `,\s+and\s+not\s+parameter\s+/golden/web/stable.*Set\s+image_id.*resolve:ssm:/golden/web/stable`,
		},
		"arn":      {fleet, strings.Replace(other, stable, "arn:aws:ssm:eu-west-2:123456789012:parameter/x", 1), nil, `name\s+of\s+a\s+parameter\s+of\s+this\s+account`},
		"version":  {fleet, strings.Replace(other, stable, stable+":3", 1), nil, `name\s+of\s+a\s+parameter\s+of\s+this\s+account`},
		"reserved": {fleet, strings.Replace(other, stable, "/aws/service/x", 1), nil, `(?s)"/aws/service/x"\s+begins\s+with\s+aws`},
		"loop": {
			fleet, strings.Replace(other, `name = "golden-*"`, `ssm_parameter = "golden/web/stable"`, 1), nil,
			`Source and target are the same`,
		},
		"keep_versions": {fleet, strings.Replace(other, "\n}", "\n  keep_versions = 3\n}", 1), nil, `Nothing to keep`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.scenario)
			if c.before != nil {
				c.before(l)
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.config(c.config), ExpectError: regexp.MustCompile(c.want)}},
			})
		})
	}
}

// templateNamed is the id of another template.
func (l *lab) templateNamed(name string) string {
	l.Helper()
	out, err := l.ec2().DescribeLaunchTemplates(l.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{name}})
	if err != nil || len(out.LaunchTemplates) != 1 {
		l.Fatalf("got %+v, %v; want template %s", out, err, name)
	}
	return aws.ToString(out.LaunchTemplates[0].LaunchTemplateId)
}
