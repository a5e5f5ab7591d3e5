package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const onVersion2 = `
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 2
}
`

func TestAccProvider_journalInS3(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet+"\nbucket \"state\" {}\n")
	l.version(second)
	config := strings.Replace(l.config(onVersion2), `provider "refit" {`, `provider "refit" {
  journal = { s3_bucket = "state", prefix = "refit/" }`, 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config: config, ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")}, Check: l.runs(second, 4),
		}},
	})
	for call := range l.world.Calls() {
		if strings.HasPrefix(call, "ssm:") {
			t.Errorf("got a call of %s, want the journal in S3 only", call)
		}
	}
}

// TestAccProvider_progress changes the environment, so it is not parallel.
func TestAccProvider_progress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress")
	t.Setenv("REFIT_PROGRESS", file)
	l := newLab(t, fleet)
	l.version(second)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps:                    []resource.TestStep{{Config: l.config(onVersion2)}},
	})
	text, err := os.ReadFile(file) //nolint:gosec // a file of this test
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	line := regexp.MustCompile(`^\d\d:\d\d:\d\d [ !] web \S`)
	for _, got := range lines {
		if !line.MatchString(got) {
			t.Errorf("got line %q, want time, mark, group and text", got)
		}
	}
	if len(lines) < 8 || !strings.Contains(lines[len(lines)-1], "succeeded") {
		t.Errorf("got %d lines, want one a change and the outcome last:\n%s", len(lines), text)
	}
}

// TestAccProvider_noCredentials changes the environment, so it is not parallel.
func TestAccProvider_noCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	l := newLab(t, fleet)
	bare := func(more string) string {
		config := l.config(more)
		config = strings.Replace(config, `  access_key = "AKIAREFITTEST"`, "", 1)
		return strings.Replace(config, `  secret_key = "simulated"`, "", 1)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			// A plan of which nothing is known yet needs none.
			{
				Config: bare(`
resource "terraform_data" "name" {}

resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name = terraform_data.name.id
}
`),
				PlanOnly: true, ExpectNonEmptyPlan: true,
			},
			{Config: bare(onVersion2), ExpectError: regexp.MustCompile(`(?s)No\s+AWS\s+credentials\s+were\s+found.*AWS_PROFILE`)},
		},
	})
}

func TestAccProvider_badInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"half a key":    {`secret_key = "simulated"`, ``, `secret_key\s+is\s+not`},
		"poll interval": {`region     = "eu-west-2"`, "region = \"eu-west-2\"\n poll_interval = \"0s\"", `(?s)poll_interval\s+is\s+"0s"`},
		"prefix":        {`region     = "eu-west-2"`, "region = \"eu-west-2\"\n journal = { prefix = \"my journal\" }", `path\s+of\s+letters`},
		"role":          {`region     = "eu-west-2"`, "region = \"eu-west-2\"\n assume_role = { role_arn = \"refit\" }", `ARN\s+of\s+a\s+role`},
		"endpoint":      {`region     = "eu-west-2"`, "region = \"eu-west-2\"\n retry_mode = \"often\"", `(?s)standard`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			config := strings.Replace(l.config(onVersion2), c.from, c.to, 1)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: config, PlanOnly: true, ExpectError: regexp.MustCompile(c.want)}},
			})
		})
	}
}

func TestAccRollingUpdate_throttled(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.version(second)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			PreConfig: func() {
				// In the middle of the roll, for five minutes.
				l.world.At(2*time.Minute, func() {
					fault := awssim.Fault{Calls: "autoscaling:*", Kind: awssim.Throttle, For: 5 * time.Minute}
					if _, err := l.world.Inject(fault); err != nil {
						t.Error(err)
					}
				})
			},
			Config:            l.config(onVersion2),
			ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
			Check:             l.runs(second, 4),
		}},
	})
}

func TestAccRollingUpdate_groupDeleted(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name = "web"
}
`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() { l.act(awssim.Action{Do: "delete_group", Group: "web"}) },
				Config:    config, PlanOnly: true, ExpectNonEmptyPlan: true,
				ConfigPlanChecks: resource.ConfigPlanChecks{},
			},
		},
	})
}

func TestAccRollingUpdate_deletedDuringRoll(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.version(second)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			PreConfig: func() {
				l.world.At(2*time.Minute, func() {
					if err := l.world.Act(awssim.Action{Do: "delete_group", Group: "web"}); err != nil {
						t.Error(err)
					}
				})
			},
			Config:      l.config(onVersion2),
			ExpectError: regexp.MustCompile(`(?s)was\s+deleted\s+during\s+the\s+roll`),
		}},
	})
}

func TestAccRollingUpdate_edges(t *testing.T) {
	t.Parallel()
	for name, capacity := range map[string]string{
		"no members":  "min = 0\n max = 8\n desired = 0",
		"max size 0":  "min = 0\n max = 0\n desired = 0",
		"one member":  "min = 1\n max = 2\n desired = 1",
		"only member": "min = 0\n max = 1\n desired = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := regexp.MustCompile(`min +=.*\n +max +=.*\n +desired +=.*`).ReplaceAllString(fleet, capacity)
			l := newLab(t, text)
			l.version(second)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{
						Config:            l.config(strings.Replace(onVersion2, "launch_template_version", "min_healthy_percentage  = 0\n  max_healthy_percentage  = 100\n  launch_template_version", 1)),
						ConfigStateChecks: []statecheck.StateCheck{converged},
					},
				},
			})
			if g, _ := l.group(); g.Version != "2" {
				t.Errorf("got a group that points at %s, want 2", g.Version)
			}
		})
	}
}

// TestAccPlan_manyGroups counts what a plan of a hundred groups asks AWS for.
func TestAccPlan_manyGroups(t *testing.T) {
	t.Parallel()
	const groups = 100
	var scenario, config strings.Builder
	scenario.WriteString(fleet)
	for n := range groups {
		fmt.Fprintf(&scenario, "group \"g%d\" {\n template = \"web\"\n version = \"1\"\n min = 1\n max = 2\n desired = 1\n}\n", n)
	}
	fmt.Fprintf(&config, `
resource "refit_asg_rolling_update" "all" {
  count                   = %d
  autoscaling_group_name  = "g${count.index}"
  launch_template_version = 1
}
`, groups)
	l := newLab(t, scenario.String())
	d := newDesk(t, l.world, false)
	d.write("main.tf", l.config(requireRefit+config.String()))
	d.run([]int{0}, "init")
	d.run([]int{0}, "apply", "-auto-approve", "-parallelism=50")
	l.world.ResetCalls()
	d.wantNoChanges("after the first apply")
	calls := l.world.Calls()
	// The hundred groups and "web" take two pages.
	if got, most := calls["autoscaling:DescribeAutoScalingGroups"], 1+2; got > most {
		t.Errorf("got %d calls of DescribeAutoScalingGroups, want at most %d: %v", got, most, calls)
	}
	if err := l.wroteNothing(nil); err != nil {
		t.Error(err)
	}
	t.Log(calls)
}

func TestAccRollingUpdate_refreshRunning(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.version(second)
	if err := l.world.Act(awssim.Action{Do: "start_refresh", Group: "web"}); err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config:      l.config(onVersion2),
			ExpectError: regexp.MustCompile(`(?s)instance\s+refresh\s+of\s+the\s+group\s+is\s+running.*since.*Nothing\s+was\s+changed`),
		}},
	})
}
