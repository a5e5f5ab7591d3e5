package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

const (
	scheduleAddress = "refit_patch_schedule.web"
	schedulePath    = "/refit/schedules/web"
)

// patchSchedule is the schedule of the design page; what is given replaces the
// environments.
func patchSchedule(environments string, more ...string) string {
	if environments == "" {
		environments = `merge(local.defaults, { sandbox = { day = "mon", time = "10:00" } })`
	}
	return fmt.Sprintf(`
locals {
  defaults = {
    sandbox = { day = "sun", time = "19:00" }
    dev     = { day = "sun", time = "19:00" }
    stage   = { day = "tue", time = "15:00" }
    prod    = { day = "wed", time = "15:00" }
  }
}
resource "refit_patch_schedule" "web" {
  name         = "web"
  timezone     = "Europe/London"
  defaults     = { duration = "4h", cutoff = "45m" }
  environments = %s
  %s
}
`, environments, strings.Join(more, "\n  "))
}

const waves = `waves = [{ environment = "dev", bake = "18h" }, { environment = "stage", bake = "18h" }, { environment = "prod" }]`

// document wants a parameter to be what it should.
func (l *lab) document(path, want string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		out, err := ssm.NewFromConfig(l.world.Config()).GetParameter(l.Context(), &ssm.GetParameterInput{Name: aws.String(path)})
		if err != nil {
			return err
		}
		if got := aws.ToString(out.Parameter.Value); got != want {
			return fmt.Errorf("%s: got %s\nwant %s", path, got, want)
		}
		return nil
	}
}

const scheduleDocument = `{"v":1,"name":"web","timezone":"Europe/London","defaults":{"cutoff":"45m","duration":"4h"},"environments":` +
	`{"dev":{"day":"sun","time":"19:00"},"prod":{"day":"wed","time":"15:00"},"sandbox":{"day":"mon","time":"10:00"},"stage":{"day":"tue","time":"15:00"}},` +
	`"waves":[{"environment":"dev","bake":"18h"},{"environment":"stage","bake":"18h"},{"environment":"prod"}]}`

func TestAccPatchSchedule_basic(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	other := `{
    sandbox = { AMI_refresh_day = "Monday", AMI_refresh_time = "10:00" }
    dev     = { AMI_update_day = "SUNDAY", AMI_update_time = "19:00", AMI_update_tz = null }
    stage   = { day = "Tues", time = "15:00", duration = "240m" }
    prod    = { day = "wed", time = "15:00" }
  }`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(patchSchedule("", waves)),
				Check:  l.document(schedulePath, scheduleDocument),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("document"), knownvalue.StringExact(scheduleDocument)),
					statecheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("asg_tags").AtMapKey("prod"), knownvalue.MapExact(map[string]knownvalue.Check{
						"AMI_update_day": knownvalue.StringExact("wed"), "AMI_update_time": knownvalue.StringExact("15:00"),
						"AMI_update_tz": knownvalue.StringExact("Europe/London"), "AMI_update_schedule": knownvalue.StringExact("web"),
					})),
					statecheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("asg_tag_blocks").AtMapKey("sandbox").AtSliceIndex(0), knownvalue.ObjectExact(map[string]knownvalue.Check{
						"key": knownvalue.StringExact("AMI_update_day"), "value": knownvalue.StringExact("mon"), "propagate_at_launch": knownvalue.Bool(false),
					})),
				},
			},
			// Other spellings of the same are no change.
			{Config: l.config(patchSchedule(other, waves)), ConfigPlanChecks: emptyPlan},
			{Config: l.config(patchSchedule(other, strings.ReplaceAll(waves, "18h", "1080m"))), ConfigPlanChecks: emptyPlan},
			// To say what holds anyhow changes nothing that is published.
			{Config: l.config(patchSchedule(other, waves, `overrun = "0s"`)), Check: l.document(schedulePath, scheduleDocument)},
			// A change is one, of the tags too.
			{
				Config: l.config(patchSchedule(strings.Replace(other, `"Monday"`, `"2nd tue +3d"`, 1), waves)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(scheduleAddress, plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("asg_tags").AtMapKey("sandbox").AtMapKey("AMI_update_day"), knownvalue.StringExact("2nd tue +3d")),
				}},
			},
			{Config: l.config(patchSchedule("", waves)), Check: l.document(schedulePath, scheduleDocument)},
			{
				ResourceName: scheduleAddress, ImportState: true, ImportStateId: "web", ImportStateVerify: true,
				ImportStateVerifyIdentifierAttribute: "name",
			},
			// Unpublished, the tags stay.
			{
				Config: l.config(patchSchedule("", waves, "publish = false")),
				Check:  l.document(schedulePath, `{"v":1,"name":"web","cleared":true}`),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("document"), knownvalue.Null()),
					statecheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("asg_tags"), knownvalue.MapSizeExact(4)),
				},
			},
			{Config: l.config(patchSchedule("", waves)), Check: l.document(schedulePath, scheduleDocument)},
			{Config: l.config(""), Check: l.document(schedulePath, `{"v":1,"name":"web","cleared":true}`)},
			// The name can be used again at once.
			{Config: l.config(patchSchedule("", waves)), Check: l.document(schedulePath, scheduleDocument)},
		},
	})
}

// TestAccPatchSchedule_drift: a document that was changed, deleted, or is from
// an older version is written again.
func TestAccPatchSchedule_drift(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	older := `{"name":"web","timezone":"Europe/London","defaults":{"duration":"4h","cutoff":"45m"},"environments":{"sandbox":{"AMI_update_day":"mon","AMI_update_time":"10:00"},` +
		`"dev":{"day":"sun","time":"19:00"},"stage":{"day":"tue","time":"15:00"},"prod":{"day":"wed","time":"15:00"}}}`
	again := func(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
		return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(scheduleAddress, action)}}
	}
	var steps []resource.TestStep
	steps = append(steps, resource.TestStep{Config: l.config(patchSchedule("", waves))})
	for _, body := range []string{older, strings.Replace(scheduleDocument, `"wed"`, `"thu"`, 1), "not JSON", `{"v":7}`} {
		steps = append(steps, resource.TestStep{
			PreConfig: func() { l.world.PutParameter(schedulePath, body) },
			Config:    l.config(patchSchedule("", waves)), ConfigPlanChecks: again(plancheck.ResourceActionUpdate), Check: l.document(schedulePath, scheduleDocument),
		})
	}
	steps = append(steps, resource.TestStep{
		// Withdrawn by another hand: it is published anew.
		PreConfig: func() { l.world.PutParameter(schedulePath, `{"v":1,"name":"web","cleared":true}`) },
		Config:    l.config(patchSchedule("", waves)), ConfigPlanChecks: again(plancheck.ResourceActionCreate), Check: l.document(schedulePath, scheduleDocument),
	}, resource.TestStep{
		// The same, written with spaces, is no drift.
		PreConfig: func() { l.world.PutParameter(schedulePath, strings.ReplaceAll(scheduleDocument, ",", ", ")) },
		Config:    l.config(patchSchedule("", waves)), ConfigPlanChecks: emptyPlan,
	})
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: steps})
}

// TestAccPatchSchedule_unknown: what apply learns may be in a window; what
// follows from it is known after.
func TestAccPatchSchedule_unknown(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := func(zone string) string {
		return l.config(fmt.Sprintf("resource \"terraform_data\" \"zone\" {\n  input = %q\n}\n", zone) +
			patchSchedule(`{ prod = { day = "wed", time = "15:00", timezone = terraform_data.zone.output } }`))
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: []resource.TestStep{
		{
			Config:            config("Asia/Kathmandu"),
			ConfigPlanChecks:  resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectUnknownValue(scheduleAddress, tfjsonpath.New("asg_tags"))}},
			ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("asg_tags").AtMapKey("prod").AtMapKey("AMI_update_tz"), knownvalue.StringExact("Asia/Kathmandu"))},
		},
		{Config: config("Asia/Kathmandu"), ConfigPlanChecks: emptyPlan},
		{
			Config:            config("Asia/Tokyo"),
			ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownValue(scheduleAddress, tfjsonpath.New("asg_tags").AtMapKey("prod").AtMapKey("AMI_update_tz"), knownvalue.StringExact("Asia/Tokyo"))},
		},
		{Config: config("CET"), ExpectError: regexp.MustCompile(`Did\s+you\s+mean\s+"Europe/Paris"`)},
		{Config: config("Asia/Tokyo")},
	}})
}

func TestAccPatchSchedule_taken(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.world.PutParameter(schedulePath, strings.Replace(scheduleDocument, `"wed"`, `"thu"`, 1))
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: []resource.TestStep{
		{
			Config:      l.config(patchSchedule("", waves)),
			ExpectError: regexp.MustCompile(`(?s)Unable to publish schedule "web".*published already.*Nothing was changed.*terraform\s+import\s+refit_patch_schedule.NAME\s+web`),
		},
		{PreConfig: func() { l.world.PutParameter(schedulePath, scheduleDocument) }, Config: l.config(patchSchedule("", waves))},
	}})
}

// TestAccPatch_refused: what is wrong is named at plan, with its place and the
// cure.
func TestAccPatch_refused(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", requireRefit)
	d.run([]int{0}, "init")
	freeze := func(attributes string) string {
		return "resource \"refit_patch_freeze\" \"f\" {\n  name = \"f\"\n  reason = \"r\"\n" + attributes + "\n}\n"
	}
	exception := func(attributes string) string {
		return "resource \"refit_patch_exception\" \"e\" {\n  name = \"e\"\n" + attributes + "\n}\n"
	}
	const all = "selector = { everything = true }\n"
	var many strings.Builder
	many.WriteString("{\n")
	for n := range 120 {
		fmt.Fprintf(&many, "environment-%d = { day = \"sun\", time = \"19:00\" }\n", n)
	}
	many.WriteString("}")
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"mistyped key":        {patchSchedule(`{ prod = { day = "wed", tiem = "15:00" } }`), []string{`"tiem" is no key of a window`, `Did you mean "time"?`, `environments["prod"]["tiem"]: `}},
		"bad day":             {patchSchedule(`{ prod = { day = "wensday", time = "15:00" } }`), []string{`"wensday" names no day`, `Did you mean "wednesday"?`}},
		"mixture":             {patchSchedule(`{ prod = { AMI_update_day = "sun", AMI_update_time = "19:00", AMI_refresh_day = "mon" } }`), []string{"two spellings of one key with different values"}},
		"cutoff":              {patchSchedule(`{ prod = { day = "wed", time = "15:00", cutoff = "4h" } }`), []string{"nothing could ever start"}},
		"zone":                {patchSchedule(`{ prod = { day = "wed", time = "15:00", timezone = "GMT Standard Time" } }`), []string{`Did you mean "Europe/London"?`}},
		"unknown environment": {patchSchedule(`{ prod = { day = "wed", time = "15:00" } }`, `waves = [{ environment = "prd" }]`), []string{`Did you mean "prod"?`, "waves[0].environment: "}},
		"too large":           {patchSchedule(many.String()), []string{"4096 is the most; environments is the largest part"}},
		"roll":                {patchSchedule("", `rolling_update = { min_healthy_percentage = 101 }`), []string{"min_healthy_percentage", "from 0 to 100"}},
		"empty selector":      {patchSchedule("", `selector = {}`), []string{"the selector is empty"}},
		"freeze backwards":    {freeze("from = \"2026-12-19\"\nto = \"2026-12-18\"\ntimezone = \"UTC\"\n" + all), []string{"the freeze would end before it starts"}},
		"freeze, zone":        {freeze("from = \"2026-12-19\"\nto = \"2026-12-20\"\n" + all), []string{"timezone is missing"}},
		"freeze for nothing":  {freeze("from = \"2026-12-19\"\nto = \"2026-12-20\"\ntimezone = \"UTC\"\nselector = {}\n"), []string{"the selector is empty"}},
		"exception for ever":  {exception("reason = \"r\"\napproved_by = \"b\"\n" + all), []string{`The argument "until" is required`}},
		"exception, no end":   {exception("until = \"\"\nreason = \"r\"\napproved_by = \"b\"\n" + all), []string{"an exception has an end"}},
	} {
		d.write("main.tf", l.config(requireRefit+c.config))
		output := strings.Join(strings.Fields(strings.ReplaceAll(d.run([]int{1}, "plan"), "│", " ")), " ")
		for _, w := range c.want {
			if !strings.Contains(output, w) {
				t.Errorf("%s: got\n%s\nwant it to say %q", name, output, w)
			}
		}
	}
	if err := l.wroteNothing(nil); err != nil {
		t.Error(err)
	}
}

// TestAccPatch_warned: what will surprise is said at plan, with the dates that
// prove it, and stops nothing.
func TestAccPatch_warned(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", requireRefit)
	d.run([]int{0}, "init")
	for name, c := range map[string]struct {
		config string
		want   string
	}{
		"the cadence trap": {patchSchedule("", strings.Replace(waves, `"stage", bake = "18h"`, `"stage", bake = "24h"`, 1)), "prod can never follow stage in the same cycle"},
		"a gap":            {patchSchedule(`{ prod = { day = "sun", time = "01:30" } }`), "01:30 does not exist in Europe/London on 2027-03-28 (opens at 02:30)"},
		"overlap":          {patchSchedule(`{ prod = { day = "mon tue", time = "20:00", duration = "26h" } }`), "still open when it opens again, first on 2026-11-23"},
		"spellings":        {patchSchedule(`{ prod = { AMI_update_day = "wed", AMI_refresh_time = "15:00" } }`), "are of two spellings"},
		"a long freeze": {`
resource "refit_patch_freeze" "f" {
  name     = "f"
  from     = "06-01"
  to       = "07-15"
  yearly   = true
  timezone = "UTC"
  reason   = "summer"
  selector = { everything = true }
}
`, "freezes leave 0s of the 32 days from Tue 1 Jun 2027 00:00 UTC open"},
		"a freeze that is over": {`
resource "refit_patch_freeze" "f" {
  name     = "f"
  from     = "2026-11-01"
  to       = "2026-11-20"
  timezone = "UTC"
  reason   = "move"
  selector = { all = { Environment = ["prod"] } }
}
`, `the freeze "f" is over since 2026-11-20`},
		"an exception that has ended": {`
resource "refit_patch_exception" "e" {
  name        = "e"
  until       = "2026-11-20T08:00:00Z"
  reason      = "vendor"
  approved_by = "A. Boss"
  selector    = { all = { Role = ["db"] } }
}
`, `the exception "e" has ended: until is 2026-11-20T08:00:00Z, and now it is 2026-11-20T09:00`},
	} {
		d.write("main.tf", l.config(requireRefit+c.config))
		output := strings.Join(strings.Fields(strings.ReplaceAll(d.run([]int{0}, "plan"), "│", " ")), " ")
		if !strings.Contains(output, c.want) || !strings.Contains(output, "Warning: ") {
			t.Errorf("%s: got\n%s\nwant the warning %q", name, output, c.want)
		}
	}
}

// TestAccPatchFreeze_exception: both are published, keep their spelling, and
// can be imported.
func TestAccPatchFreeze_exception(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := func(from, until string) string {
		return l.config(fmt.Sprintf(`
resource "refit_patch_freeze" "year_end" {
  name     = "year-end"
  from     = %q
  to       = "2027-01-04T00:00:00Z"
  timezone = "UTC"
  reason   = "no changes at the turn of the year"
  ticket   = "CHG-1"
  selector = { all = { Environment = ["stage", "prod"] }, none = { Team = ["*"] } }
}
resource "refit_patch_exception" "legacy" {
  name        = "legacy"
  until       = %q
  reason      = "vendor forbids it"
  approved_by = "A. Boss"
  selector    = { any = { Role = ["db"] } }
}
`, from, until))
	}
	const freezeDoc = `{"v":1,"name":"year-end","from":"2026-12-19T00:00:00Z","to":"2027-01-04T00:00:00Z","timezone":"UTC","selector":` +
		`{"all":{"Environment":["prod","stage"]},"none":{"Team":["*"]}},"reason":"no changes at the turn of the year","ticket":"CHG-1"}`
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: []resource.TestStep{
		{
			Config: config("2026-12-19T00:00:00Z", "2027-03-31T00:00:00Z"),
			Check: resource.ComposeTestCheckFunc(
				l.document("/refit/freezes/year-end", freezeDoc),
				l.document("/refit/exceptions/legacy", `{"v":1,"name":"legacy","until":"2027-03-31T00:00:00Z","selector":{"any":{"Role":["db"]}},"reason":"vendor forbids it","approved_by":"A. Boss"}`),
			),
		},
		{Config: config("2026-12-19T01:00:00+01:00", "2027-03-31T02:00:00+02:00"), ConfigPlanChecks: emptyPlan},
		{ResourceName: "refit_patch_freeze.year_end", ImportState: true, ImportStateId: "year-end", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "name"},
		{ResourceName: "refit_patch_exception.legacy", ImportState: true, ImportStateId: "legacy", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "name"},
		{
			PreConfig: func() {
				l.world.PutParameter("/refit/freezes/year-end", strings.Replace(freezeDoc, "2027-01-04", "2027-01-03", 1))
			},
			Config: config("2026-12-19T00:00:00Z", "2027-03-31T00:00:00Z"), Check: l.document("/refit/freezes/year-end", freezeDoc),
		},
		{Config: l.config(""), Check: resource.ComposeTestCheckFunc(
			l.document("/refit/freezes/year-end", `{"v":1,"name":"year-end","cleared":true}`),
			l.document("/refit/exceptions/legacy", `{"v":1,"name":"legacy","cleared":true}`),
		)},
	}})
}
