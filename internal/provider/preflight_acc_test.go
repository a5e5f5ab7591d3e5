package provider_test

import (
	"strings"
	"testing"
)

// TestAccPlan_preflight: a plan names what surrounds the group and will slow the
// roll, and refuses one that cannot work, with the cure. It changes nothing.
func TestAccPlan_preflight(t *testing.T) {
	t.Parallel()
	hooks := "desired       = 4\n  hook \"join\" {\n    transition = \"launching\"\n    timeout    = \"20m\"\n  }\n"
	for name, c := range map[string]struct {
		scenario string
		code     int
		want     []string
	}{
		"slow": {
			scenario: "vcpu_limits = { on_demand = 10 }\n" + strings.Replace(fleet, "desired       = 4\n", hooks, 1), code: 2,
			want: []string{
				"instance_timeout is 10m, and AWS gives a new member 25m itself: the timeouts of its launch hooks (join)",
				"of 10 vCPUs has 8 in use and room for 1 more members",
			},
		},
		"no quota": {
			scenario: "vcpu_limits = { on_demand = 8 }\n" + fleet, code: 1,
			want: []string{"Unable to roll Auto Scaling group \"web\"", "of 8 vCPUs has 8 in use, so that no member can be added; raise the quota, or lower min_healthy_percentage"},
		},
		"no addresses": {
			scenario: "free_addresses = { a = 0, b = 0, c = 0 }\n" + fleet, code: 1,
			want: []string{"the group's subnets have no free address; free some, add a subnet"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.scenario)
			d := newDesk(t, l.world, false)
			config := l.config(requireRefit + `resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 1
  max_healthy_percentage  = 150
}
`)
			d.write("main.tf", config)
			d.run([]int{0}, "init")
			d.run([]int{0}, "apply", "-auto-approve") // nothing is stale
			l.edit("1", "t3.medium")
			d.write("main.tf", strings.Replace(config, "launch_template_version = 1", "launch_template_version = 2", 1))
			l.world.ResetCalls()
			output := d.run([]int{c.code}, "plan", "-detailed-exitcode")
			output = strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
			for _, want := range c.want {
				if !strings.Contains(output, want) {
					t.Errorf("the plan lacks %q:\n%s", want, output)
				}
			}
			if err := l.wroteNothing(nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAccPlan_looksOnce: survey, assessment and preflight of one plan share what
// they read of a group.
func TestAccPlan_looksOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	d.write("main.tf", l.config(requireRefit+onVersion2))
	l.version(second)
	d.run([]int{0}, "init")
	for _, plan := range []string{"the first roll", "the next one"} {
		l.world.ResetCalls()
		d.run([]int{2}, "plan", "-detailed-exitcode")
		calls := l.world.Calls()
		for _, call := range []string{
			"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities", "autoscaling:DescribeInstanceRefreshes",
			"elasticloadbalancing:DescribeTargetGroupAttributes",
		} {
			if n := calls[call]; n > 1 || n == 0 && strings.HasPrefix(call, "autoscaling") {
				t.Errorf("the plan of %s makes %d calls of %s, want one: %v", plan, n, call, calls)
			}
		}
		d.run([]int{0}, "apply", "-auto-approve")
		l.edit("2", "t3.medium")
		d.write("main.tf", strings.Replace(l.config(requireRefit+onVersion2), "launch_template_version = 2", "launch_template_version = 3", 1))
	}
}
