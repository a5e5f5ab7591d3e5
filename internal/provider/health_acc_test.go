package provider_test

import (
	"encoding/json"
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

// watched is the fleet with an alarm, functions and members that answer, and a
// second version of the template.
const watched = `
alarm "web-5xx" {}
alarm "loud" { state = "ALARM" }
function "smoke" {}
function "broken" {
  fail         = true
  fail_message = "the shop is closed"
}
`

// health is a roll to version 2 with these attributes.
func (l *lab) health(more string) string {
	return l.config("resource \"refit_asg_rolling_update\" \"web\" {\n  autoscaling_group_name  = \"web\"\n  launch_template_version = 2\n  max_healthy_percentage  = 150\n" + more + "\n}\n")
}

// every is every signal and check at once.
const every = `
  health = {
    ec2_status = true
    probe = {
      url           = "http://{private_ip}:8080/healthz"
      expected_body = "OK"
      headers       = { X-Asked-By = "refit" }
      headers_wo    = { Authorization = "Bearer 5ecret" }
    }
    alarms = ["web-5xx"]
  }
  checks = [
    { name = "smoke", function_name = "smoke" },
    { name = "healthy", url = "http://{hub}/", timeout = "5s", headers_wo = { Authorization = "Bearer 5ecret" } },
  ]`

func TestAccHealth_everySignal(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet+watched)
	l.version(second)
	g, _ := l.group()
	config := l.health(strings.Replace(every, "{hub}", l.balancer(), 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:            config,
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check: func(s *terraform.State) error {
					if text, err := json.Marshal(s); err != nil || strings.Contains(string(text), "5ecret") || !strings.Contains(string(text), "X-Asked-By") {
						return fmt.Errorf("the state tells a secret, or has no headers: %s (%w)", text, err)
					}
					return l.runs(second, g.Desired)(s)
				},
			},
			{Config: config, ConfigPlanChecks: emptyPlan},
			// A secret is no part of the plan: another one is no change.
			{Config: strings.ReplaceAll(config, "5ecret", "0ther"), ConfigPlanChecks: emptyPlan},
			{
				Config: l.health(`health = { min_healthy_time = "1m" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(rollAddress, plancheck.ResourceActionUpdate),
				}},
			},
		},
	})
}

// An image that fails by its probe only is rolled back; the error says by what.
func TestAccHealth_imageFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		behaviour  awssim.ImageBehaviour
		extra      string
		more, want string
	}{
		"probe": {
			awssim.ImageBehaviour{HTTP: []awssim.HTTPAnswer{{Path: "*", Status: 500}}},
			"",
			`health = { probe = { url = "http://{private_ip}:8080/healthz" } }`, `does\s+not\s+pass\s+its\s+probe:\s+expected\s+status\s+200-299,\s+got\s+500`,
		},
		"alarm": {
			awssim.ImageBehaviour{},
			"alarm \"web-latency\" { while_image = \"golden-web-2\" }\n",
			`health = { alarms = ["web-latency"] }`, `alarm\s+"web-latency"\s+went\s+off`,
		},
		"check": {
			awssim.ImageBehaviour{},
			"function \"orders\" {\n fail_while_image = \"golden-web-2\"\n fail_message = \"no order\"\n}\n",
			`checks = [{ name = "orders", function_name = "orders" }]`, `check\s+"orders"\s+failed\s+before\s+the\s+end:\s+the\s+function\s+says:\s+no\s+order`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet+watched+c.extra)
			l.version(second)
			l.world.SetImageBehaviour(second, c.behaviour)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{{
					Config: l.health(c.more + "\n  instance_timeout = \"5m\""), ExpectError: regexp.MustCompile(`(?s)rolled\s+back.*` + c.want),
				}},
			})
			if g, images := l.group(); images[first] != 4 || g.Desired != 4 {
				t.Errorf("healthy members by image %v, desired %d, want it back on %s", images, g.Desired, first)
			}
		})
	}
}

// What keeps a roll from beginning is an error that changes nothing, and where a
// plan can know of it, it says so.
func TestAccHealth_notBegun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ more, want string }{
		"alarm is on":     {`health = { alarms = ["loud"] }`, `(?s)health.alarms\s+names\s+"loud",\s+which\s+is\s+in\s+state\s+ALARM.*Nothing\s+was\s+changed`},
		"no such alarm":   {`health = { alarms = ["none"] }`, `(?s)health.alarms\s+names\s+"none",\s+and\s+there\s+is\s+no\s+such\s+alarm.*Nothing\s+was\s+changed`},
		"check fails":     {`checks = [{ name = "broken", function_name = "broken" }]`, `(?s)check\s+"broken"\s+failed\s+before\s+the\s+roll:\s+the\s+function\s+says:\s+the\s+shop\s+is\s+closed.*Nothing\s+was\s+changed`},
		"no such address": {`checks = [{ name = "hub", url = "http://172.31.200.200/" }]`, `(?s)check\s+"hub"\s+failed\s+before\s+the\s+roll:\s+no\s+answer\s+within\s+10s.*Nothing\s+was\s+changed`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet+watched)
			l.version(second)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.health(c.more), ExpectError: regexp.MustCompile(c.want)}},
			})
			if g, images := l.group(); images[first] != 4 || g.Version != "1" || len(g.Suspended) > 0 {
				t.Errorf("the group was changed: %+v", g)
			}
		})
	}
}

func TestAccHealth_badInput(t *testing.T) {
	t.Parallel()
	probe := func(more string) string {
		return `health = { probe = { url = "http://{private_ip}/", ` + more + ` } }`
	}
	check := func(more string) string { return `checks = [{ name = "x", ` + more + ` }]` }
	for name, c := range map[string]struct{ more, want string }{
		"placeholder":         {`health = { probe = { url = "http://{ip}/" } }`, `health.probe.url\s+has\s+the\s+placeholder\s+{ip}`},
		"no member":           {`health = { probe = { url = "http://web/" } }`, `health.probe.url\s+names\s+no\s+member`},
		"user in the URL":     {`health = { probe = { url = "http://me:5ecret@{private_ip}/" } }`, `headers_wo`},
		"method":              {probe(`method = "BREW"`), `health.probe.method\s+is\s+"BREW"`},
		"status":              {probe(`expected_status = "2xx"`), `expected_status\s+is\s+"2xx"`},
		"body":                {probe(`expected_body = "("`), `expected_body\s+is\s+"\("`},
		"passes":              {probe(`passes = 0`), `passes\s+is\s+0`},
		"timeout":             {probe(`timeout = "2m"`), `timeout\s+is\s+2m0s`},
		"header twice":        {probe(`headers = { A = "b" }, headers_wo = { a = "c" }`), `sets\s+the\s+header\s+a\s+twice`},
		"too many alarms":     {`health = { alarms = [for n in range(11) : "a${n}"] }`, `at\s+most\s+10`},
		"neither":             {check(`timeout = "1s"`), `checks\[0\]\s+has\s+neither\s+url\s+nor\s+function_name`},
		"both":                {check(`url = "http://web/", function_name = "f"`), `set\s+beside\s+url`},
		"pointer":             {check(`url = "http://web/", number = { path = "n", min = 1 }`), `number.path\s+is\s+"n"`},
		"no bound":            {check(`url = "http://web/", number = { path = "/n" }`), `says\s+nothing\s+about\s+the\s+number`},
		"percentage":          {check(`url = "http://web/", number = { path = "/n", within_percentage = 101 }`), `within_percentage\s+is\s+101`},
		"settle":              {check(`url = "http://web/", settle = "3h"`), `settle\s+is\s+3h`},
		"function and status": {check(`function_name = "f", expected_status = "204"`), `the\s+function\s+judges\s+by\s+itself`},
		"name":                {`checks = [{ name = "a b", url = "http://web/" }]`, `checks\[0\].name\s+is\s+"a\s+b"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.health(c.more), ExpectError: regexp.MustCompile(c.want), PlanOnly: true}},
			})
		})
	}
}

// Values that only apply knows are no reason to refuse a plan.
func TestAccHealth_unknown(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet+watched)
	l.version(second)
	config := `
resource "terraform_data" "known_later" {
  input = { url = "http://{private_ip}:8080/", alarm = "web-5xx", token = "t", function = "smoke" }
}
` + l.health(`
  health = {
    probe  = { url = terraform_data.known_later.output.url, headers = { A = terraform_data.known_later.output.token } }
    alarms = [terraform_data.known_later.output.alarm]
  }
  checks = [{ name = "smoke", function_name = terraform_data.known_later.output.function }]`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: l.runs(second, 4)},
			{Config: config, ConfigPlanChecks: emptyPlan},
		},
	})
}
