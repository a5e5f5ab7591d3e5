package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/provider"
)

// yearEnd is a freeze document.
const yearEnd = `{"v":1,"name":"year-end","from":"12-19","to":"01-04","yearly":true,"timezone":"UTC","selector":{"everything":true},"reason":"no changes"}`

// tag puts tags on the group "web", as its stack would.
func (l *lab) tag(pairs ...string) {
	l.Helper()
	var tags []types.Tag
	for n := 0; n+1 < len(pairs); n += 2 {
		tags = append(tags, types.Tag{
			ResourceId: aws.String("web"), ResourceType: aws.String("auto-scaling-group"), Key: aws.String(pairs[n]), Value: aws.String(pairs[n+1]),
			PropagateAtLaunch: aws.Bool(false),
		})
	}
	if _, err := autoscaling.NewFromConfig(l.world.Config()).CreateOrUpdateTags(l.Context(), &autoscaling.CreateOrUpdateTagsInput{Tags: tags}); err != nil {
		l.Fatal(err)
	}
}

// data checks an attribute of a data source.
func data(address, name string, want knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue("data."+address, tfjsonpath.New(name), want)
}

func TestAccPatchWindows(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.world.PutParameter(schedulePath, scheduleDocument)
	config := func(more string) string {
		return l.config("data \"refit_patch_windows\" \"prod\" {\n  schedule = \"web\"\n" + more + "\n}\n")
	}
	one := func(id, start, latest, end string) knownvalue.Check {
		return knownvalue.ObjectExact(map[string]knownvalue.Check{
			"id": knownvalue.StringExact(id), "start": knownvalue.StringExact(start), "latest_start": knownvalue.StringExact(latest), "end": knownvalue.StringExact(end),
		})
	}
	const address = "refit_patch_windows.prod"
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: []resource.TestStep{
		{
			Config: config(`environment = "prod"` + "\nwindow_count = 2\nat = \"2026-11-25T18:30:00Z\""),
			ConfigStateChecks: []statecheck.StateCheck{
				data(address, "open", knownvalue.Bool(true)),
				data(address, "description", knownvalue.StringExact("Every Wednesday from 15:00 for 4 hours, Europe/London time.")),
				data(address, "windows", knownvalue.ListExact([]knownvalue.Check{
					one("web@2026-11-25", "2026-11-25T15:00:00Z", "2026-11-25T18:15:00Z", "2026-11-25T19:00:00Z"),
					one("web@2026-12-02", "2026-12-02T15:00:00Z", "2026-12-02T18:15:00Z", "2026-12-02T19:00:00Z"),
				})),
				data(address, "ics", knownvalue.StringRegexp(regexp.MustCompile(`(?s)^BEGIN:VCALENDAR\r\n.*DTSTART:20261125T150000Z\r\nDTEND:20261125T190000Z\r\n.*END:VCALENDAR\r\n$`))),
			},
		},
		{
			Config: config(`environment = "prod"`),
			ConfigStateChecks: []statecheck.StateCheck{
				data(address, "open", knownvalue.Bool(false)), data(address, "windows", knownvalue.ListSizeExact(10)),
				data(address, "at", knownvalue.StringRegexp(regexp.MustCompile(`^2026-11-20T09:0`))),
			},
		},
		{Config: config(`environment = "prd"`), ExpectError: regexp.MustCompile(`(?s)has no environment "prd".*"dev", "prod", "sandbox"\s+or\s+"stage".*Did you mean\s+"prod"`)},
		{
			Config:      l.config("data \"refit_patch_windows\" \"prod\" {\n  schedule = \"wbe\"\n  environment = \"prod\"\n}\n"),
			ExpectError: regexp.MustCompile(`(?s)Unable to read schedule "wbe".*No schedule of that name is published.*depends_on`),
		},
		{
			PreConfig: func() { l.world.PutParameter(schedulePath, `{"v":99}`); l.world.Advance(time.Minute) },
			Config:    config(`environment = "prod"`), ExpectError: regexp.MustCompile(`(?s)Unable to read schedule "web".*version\s+99.*newer`),
		},
	}})
}

func TestAccPatchDecision(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	const address = "refit_patch_decision.it"
	config := func(attributes ...string) string {
		return l.config("data \"refit_patch_decision\" \"it\" {\n  " + strings.Join(attributes, "\n  ") + "\n}\n")
	}
	says := func(allowed bool, explanation string) []statecheck.StateCheck {
		return []statecheck.StateCheck{data(address, "allowed", knownvalue.Bool(allowed)), data(address, "explanation", knownvalue.StringExact(explanation))}
	}
	const web = `autoscaling_group_name = "web"`
	at := func(s string) string { return fmt.Sprintf("at = %q", s) }
	fresh := func(do func()) func() {
		return func() { do(); l.world.Advance(time.Minute) } // beyond what one plan's reads share
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: []resource.TestStep{
		{
			Config:            config(web, at("2026-11-25T15:00:00Z")),
			ConfigStateChecks: says(false, "Not now because no schedule is for it: it names none, none selects it, and it has no tags for day and time."),
		},
		{
			PreConfig: fresh(func() {
				l.world.PutParameter(schedulePath, scheduleDocument)
				l.world.PutParameter("/refit/freezes/year-end", yearEnd)
				l.tag("AMI_update_day", "wed", "AMI_update_time", "15:00", "AMI_update_tz", "Europe/London", "AMI_update_schedule", "web")
			}),
			Config: config(web, at("2026-11-25T15:00:00Z")),
			ConfigStateChecks: append(says(true, "Now: inside window (Wed 15:00–19:00 Europe/London) until Wed 25 Nov 19:00 GMT. Nothing starts after Wed 25 Nov 18:15 GMT."),
				data(address, "decided_environment", knownvalue.StringExact("prod")), data(address, "blockers", knownvalue.ListSizeExact(0))),
		},
		{
			Config: config(web, at("2026-12-24T10:00:00Z"), `due = "2026-12-31T00:00:00Z"`),
			ConfigStateChecks: append(says(false, `Not now because (1) freeze "year-end" (no changes) until Mon 4 Jan 00:00 UTC; (2) outside window (Wed 15:00–19:00 Europe/London). `+
				`Next chance Wed 6 Jan 15:00 GMT. Due Thu 31 Dec 00:00 GMT, which is before the next chance.`),
				data(address, "blockers", knownvalue.ListExact([]knownvalue.Check{
					knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"code": knownvalue.StringExact("FROZEN"), "source": knownvalue.StringExact("freezes/year-end"), "until": knownvalue.StringExact("2027-01-04T00:00:00Z"),
					}),
					knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"code": knownvalue.StringExact("OUTSIDE_WINDOW"), "source": knownvalue.StringExact("schedules/web"), "until": knownvalue.StringExact("2026-12-30T15:00:00Z"),
					}),
				})),
				data(address, "next_chance", knownvalue.ObjectExact(map[string]knownvalue.Check{
					"id": knownvalue.StringExact("web@2027-01-06"), "start": knownvalue.StringExact("2027-01-06T15:00:00Z"),
					"latest_start": knownvalue.StringExact("2027-01-06T18:15:00Z"), "end": knownvalue.StringExact("2027-01-06T19:00:00Z"),
				})),
				data(address, "current_window", knownvalue.Null())),
		},
		// By the clock of the world, which is Friday.
		{Config: config(web), ConfigStateChecks: says(false, "Not now because outside window (Wed 15:00–19:00 Europe/London). Next chance Wed 25 Nov 15:00 GMT.")},
		{
			PreConfig: fresh(func() { l.tag("AMI_update_day", "thu", "Environment", "prod") }), Config: config(web, at("2026-11-25T16:00:00Z")),
			ConfigStateChecks: []statecheck.StateCheck{
				data(address, "allowed", knownvalue.Bool(true)),
				data(address, "findings", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{"code": knownvalue.StringExact("TAG_DRIFT")})})),
			},
		},
		{
			PreConfig: fresh(func() { l.tag("AMI_update_day", "someday") }), Config: config(web, at("2026-11-25T16:00:00Z")),
			ConfigStateChecks: []statecheck.StateCheck{
				data(address, "allowed", knownvalue.Bool(false)),
				data(address, "blockers", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{"code": knownvalue.StringExact("INVALID_TAG")})})),
			},
		},
		{
			Config:            config(`tags = { Team = "ops", AMI_refresh_day = "wed", AMI_refresh_time = "15:00", AMI_update_tz = null }`, at("2026-11-25T15:30:00Z")),
			ConfigStateChecks: says(true, "Now: inside window (Wed 15:00–19:00 UTC) until Wed 25 Nov 19:00 UTC."),
		},
		{
			PreConfig: fresh(func() {
				l.world.PutParameter("/refit/schedules/a", `{"v":1,"name":"a","timezone":"UTC","environments":{"prod":{"day":"sun","time":"10:00"}},"selector":{"all":{"Team":["ops"]}}}`)
				l.world.PutParameter("/refit/schedules/b", `{"v":1,"name":"b","timezone":"UTC","environments":{"prod":{"day":"sun","time":"10:00"}},"selector":{"any":{"Team":["*"]}}}`)
			}),
			Config:            config(`tags = { Team = "ops", Environment = "prod" }`, at("2026-11-25T15:30:00Z")),
			ConfigStateChecks: says(false, `Not now because the schedules "a" and "b" all match; change their selectors or the group's tags so that one does.`),
		},
		{
			PreConfig:         fresh(func() { l.world.PutParameter("/refit/freezes/odd", `{"v":1,"name":"odd"}`) }),
			Config:            config(`schedule = "web"`, `environment = "prod"`, at("2026-11-25T15:30:00Z")),
			ConfigStateChecks: []statecheck.StateCheck{data(address, "allowed", knownvalue.Bool(false)), data(address, "next_chance", knownvalue.Null())},
		},
		{Config: config(`autoscaling_group_name = "gone"`), ExpectError: regexp.MustCompile(`(?s)Unable to decide for Auto Scaling group "gone".*does not exist`)},
		{Config: config(), ExpectError: regexp.MustCompile(`(?s)autoscaling_group_name,schedule,tags`)},
		{Config: config(web, `at = "tomorrow"`), ExpectError: regexp.MustCompile(`(?s)at is "tomorrow".*RFC 3339`)},
		{Config: l.config("")},
	}})
}

// off is a clock that is wrong.
type off struct {
	clock.Clock
	by time.Duration
}

func (o off) Now() time.Time { return o.Clock.Now().Add(o.by) }

// TestAccPatchDecision_clock: the clock is an hour behind, and AWS's says that
// the window has opened.
func TestAccPatchDecision_clock(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, "2026-11-20T09:00:00Z", "2026-11-25T15:30:00Z", 1))
	l.world.PutParameter(schedulePath, scheduleDocument)
	for by, want := range map[time.Duration]string{
		-time.Hour:       "It is 1h0m",
		-time.Minute:     "",
		time.Hour:        "It is 1h0m",
		90 * time.Second: "",
	} {
		b := provider.New(provider.Options{Version: "test", Clock: off{l.world.Clock(), by}})
		d := newDesk(t, l.world, false)
		d.env = append(d.env, reattachTo(t, b()))
		l.url = d.url
		d.write("main.tf", l.config(requireRefit+`
data "refit_patch_decision" "it" {
  schedule    = "web"
  environment = "prod"
}
data "refit_patch_windows" "it" {
  schedule    = "web"
  environment = "prod"
}
output "it" {
  value = "${data.refit_patch_decision.it.allowed} ${data.refit_patch_windows.it.open}"
}
`))
		d.run([]int{0}, "init")
		output := d.run([]int{0}, "plan")
		warned := strings.Contains(output, "This machine's clock is wrong")
		if !strings.Contains(output, `it = "true true"`) || warned != (want != "") || !strings.Contains(output, want) {
			t.Errorf("off by %s: got\n%s\nwant an open window, warned %t with %q", by, output, want != "", want)
		}
	}
}
