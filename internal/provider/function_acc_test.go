package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
)

// TestAccFunctions runs without a provider block: functions need none.
func TestAccFunctions(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	start := func(start, end string) knownvalue.Check {
		return knownvalue.ObjectExact(map[string]knownvalue.Check{"start": knownvalue.StringExact(start), "end": knownvalue.StringExact(end)})
	}
	for name, c := range map[string]struct {
		call string
		want knownvalue.Check
	}{
		"patch tuesday": {
			`next_windows("2nd tue +3d", "02:00", "Europe/London", "4h", "2026-11-20T09:00:00Z", 2)`,
			knownvalue.ListExact([]knownvalue.Check{start("2026-12-11T02:00:00Z", "2026-12-11T06:00:00Z"), start("2027-01-15T02:00:00Z", "2027-01-15T06:00:00Z")}),
		},
		"the open one first": {
			`next_windows("thu", "22:00", "Europe/London", "4h", "2027-01-01T01:00:00Z", 1)`,
			knownvalue.ListExact([]knownvalue.Check{start("2026-12-31T22:00:00Z", "2027-01-01T02:00:00Z")}),
		},
		"open":   {`in_window("Wednesday", "15:00", "Europe/London", "4h", "2026-11-25T15:00:00Z")`, knownvalue.Bool(true)},
		"closed": {`in_window("wed", "15:00", "Europe/London", "4h", "2026-11-25T20:00:00+01:00")`, knownvalue.Bool(false)},
		"words":  {`describe_window("mon-fri", "22:00", "Asia/Kathmandu", "90m")`, knownvalue.StringExact("Every Monday to Friday from 22:00 for 1 hour 30 minutes, Asia/Kathmandu time.")},
		"tags": {
			`schedule_tags({ AMI_update_day = "sun", AMI_update_time = "19:00", AMI_update_tz = null }, { AMI_refresh_day = "Monday" })`,
			knownvalue.MapExact(map[string]knownvalue.Check{"AMI_update_day": knownvalue.StringExact("mon"), "AMI_update_time": knownvalue.StringExact("19:00")}),
		},
		"tags without an override": {
			`schedule_tags({ day = "sun", time = "19:00", timezone = "Europe/London", duration = "4h", schedule = "web" }, {})`,
			knownvalue.MapExact(map[string]knownvalue.Check{
				"AMI_update_day": knownvalue.StringExact("sun"), "AMI_update_time": knownvalue.StringExact("19:00"),
				"AMI_update_tz": knownvalue.StringExact("Europe/London"), "AMI_update_schedule": knownvalue.StringExact("web"),
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: []resource.TestStep{{
				Config:            "terraform {\n  required_providers {\n    refit = { source = \"hashicorp/refit\" } # as plugin-testing serves it\n  }\n}\n" + fmt.Sprintf("output \"it\" {\n  value = provider::refit::%s\n}\n", c.call),
				ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("it", c.want)},
			}}})
		})
	}
}

// TestAccFunctions_refused: each bad argument is named, with the cure.
func TestAccFunctions_refused(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	d.write("main.tf", requireRefit)
	d.run([]int{0}, "init")
	for call, want := range map[string][]string{
		`describe_window("sundau", "19:00", "UTC", "4h")`:                                        {`"day" parameter`, `Did you mean "sunday"?`},
		`describe_window("sun", "7pm", "UTC", "4h")`:                                             {`"time" parameter`, "hours and minutes on 24 hours"},
		`describe_window("sun", "19:00", "GMT Standard Time", "4h")`:                             {`"timezone" parameter`, `Did you mean "Europe/London"?`},
		`describe_window("sun", "19:00", "UTC", "0h")`:                                           {`"duration" parameter`, "never open"},
		`next_windows("sun", "19:00", "UTC", "4h", "tomorrow", 1)`:                               {`"from" parameter`, "an instant in RFC 3339"},
		`next_windows("sun", "19:00", "UTC", "4h", "2026-11-20T09:00:00Z", 0)`:                   {`"count" parameter`, "give 1 to 1000"},
		`in_window("sun", "19:00", "UTC", "4h", "2026-11-20")`:                                   {`"at" parameter`, "an instant in RFC 3339"},
		`schedule_tags({ day = "sun", time = "19:00" }, { dya = "mon" })`:                        {`"override" parameter`, `Did you mean "day"?`},
		`schedule_tags({ day = "sun" }, {})`:                                                     {`"defaults" parameter`, "time is missing"},
		`schedule_tags({ AMI_update_day = "sun", AMI_refresh_day = "mon", time = "19:00" }, {})`: {`"defaults" parameter`, "two spellings of one key with different values"},
	} {
		d.write("out.tf", fmt.Sprintf("output \"it\" {\n  value = provider::refit::%s\n}\n", call))
		output := strings.Join(strings.Fields(strings.ReplaceAll(d.run([]int{1}, "plan"), "│", " ")), " ")
		for _, w := range want {
			if !strings.Contains(output, w) {
				t.Errorf("%s: got\n%s\nwant it to say %s", call, output, w)
			}
		}
	}
}

// TestAccFunctions_check: in a check block, with what only apply knows, and
// the same in plan and apply.
func TestAccFunctions_check(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	d.write("main.tf", requireRefit+`
resource "terraform_data" "zone" {
  input = "Europe/London"
}
locals {
  day = "sun"
}
check "window" {
  assert {
    condition     = provider::refit::in_window(local.day, "19:00", "UTC", "4h", "2026-11-23T09:00:00Z")
    error_message = "closed"
  }
}
output "later" {
  value = provider::refit::describe_window("sun", "19:00", terraform_data.zone.output, "4h")
}
`)
	d.run([]int{0}, "init")
	if output := d.run([]int{0}, "apply", "-auto-approve"); !strings.Contains(output, "Check block assertion failed") || !strings.Contains(output, `later = "Every Sunday from 19:00 for 4 hours, Europe/London time."`) {
		t.Errorf("got\n%s\nwant the check's warning and the sentence", output)
	}
	d.wantNoChanges("after the apply")
}
