package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// numbers fails unless the template has just those versions.
func (l *lab) numbers(want ...int64) resource.TestCheckFunc {
	return func(*terraform.State) error {
		out, err := l.ec2().DescribeLaunchTemplateVersions(l.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(l.template)})
		if err != nil {
			return err
		}
		var got []int64
		for _, v := range out.LaunchTemplateVersions {
			got = append([]int64{aws.ToInt64(v.VersionNumber)}, got...)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("got versions %d, want %d", got, want)
		}
		return nil
	}
}

const keep = `
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["self"], name = "golden-*" }
  keep_versions      = 3
}
`

// five is the fleet with five versions of its template; the group runs the second.
var five = strings.Replace(strings.Replace(fleet, `version       = "1"`, `version       = "2"`, 1), "template \"web\" {\n", "template \"web\" {\n"+
	strings.Repeat("  version {\n    image = \"golden-web-1\"\n    instance_type = \"t3.small\"\n  }\n", 4), 1)

func TestAccAMIRefresh_keepVersions(t *testing.T) {
	t.Parallel()
	l := newLab(t, five)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(strings.Replace(keep, "= 3", "= 2", 1)), ExpectError: regexp.MustCompile(`keep_versions value must be at least 3, got: 2`)},
			// All are too young.
			{Config: l.config(keep), Check: l.numbers(1, 2, 3, 4, 5, 6)},
			// Old alone is no reason: nothing is made, nothing deleted.
			{
				PreConfig: func() { l.world.Advance(31 * 24 * time.Hour) }, Config: l.config(keep),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				Check:            l.numbers(1, 2, 3, 4, 5, 6),
			},
			// 1 is the default, 2 runs, 5 to 7 are the newest.
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) }, Config: l.config(keep),
				Check: l.numbers(1, 2, 5, 6, 7),
			},
			// More are to be kept: no change of AWS.
			{
				Config: l.config(strings.Replace(keep, "= 3", "= 9", 1)), Check: l.numbers(1, 2, 5, 6, 7),
			},
		},
	})
}

// keeps makes steps that publish an image, let days pass and apply: the group
// runs the image, and those versions are left.
func (l *lab) keeps(config string) func(days time.Duration, id, name string, left ...int64) resource.TestStep {
	return func(days time.Duration, id, name string, left ...int64) resource.TestStep {
		return resource.TestStep{
			PreConfig: func() {
				l.publish(id, name, awssim.ImageBehaviour{})
				l.world.Advance(days * 24 * time.Hour)
			},
			Config: config, Check: resource.ComposeTestCheckFunc(l.runs(id, 4), l.numbers(left...)),
		}
	}
}

// Where rolls make the versions, as for a group on $Latest, old ones go as well,
// but none that the group still runs.
func TestAccAMIRefresh_keepVersionsLatest(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(five, `version       = "2"`, `version       = "$Latest"`, 1))
	config := l.config(strings.Replace(toLatest, "  source ", "  keep_versions      = 3\n  source ", 1))
	step := l.keeps(config)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			step(0, third, "golden-web-4", 1, 2, 3, 4, 5, 6),
			// Before the roll 4 to 6 are the newest, and 1 is the default.
			step(31, "ami-00000000000000005", "golden-web-5", 1, 4, 5, 6, 7),
			// 4 is too old now.
			step(31, "ami-00000000000000006", "golden-web-6", 1, 5, 6, 7, 8),
		},
	})
}

// The version that the last roll came from stays, to go back to.
func TestAccAMIRefresh_keepVersionsRolled(t *testing.T) {
	t.Parallel()
	l := newLab(t, five)
	config := l.config(strings.Replace(both, "  source ", "  keep_versions      = 3\n  source ", 1))
	step := l.keeps(config)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			step(0, third, "golden-web-4", 1, 2, 3, 4, 5, 6),
			// 1 is the default, 2 the one before the roll to 6.
			step(31, "ami-00000000000000005", "golden-web-5", 1, 2, 5, 6, 7),
			step(31, "ami-00000000000000006", "golden-web-6", 1, 6, 7, 8),
		},
	})
}

// The version that state has as the source stays: without it, the next plan would
// not be empty.
func TestAccAMIRefresh_keepVersionsSource(t *testing.T) {
	t.Parallel()
	l := newLab(t, five)
	config := func(latest int64) string {
		return l.config(strings.Replace(keep, "  source ", fmt.Sprintf("  source_version     = %d\n  source ", latest), 1))
	}
	d := newDesk(t, l.world, false)
	l.url = d.url
	// As with aws_launch_template, the latest version is the one that Refit made.
	apply := func(latest int64, left ...int64) {
		t.Helper()
		d.write("main.tf", requireRefit+config(latest))
		if latest == 5 {
			d.run([]int{0}, "init")
		}
		d.run([]int{0}, "apply", "-auto-approve", "-no-color")
		if err := l.numbers(left...)(nil); err != nil {
			t.Error(err)
		}
		d.write("main.tf", requireRefit+config(latest+1))
		d.wantNoChanges(fmt.Sprintf("after version %d", latest+1))
	}
	apply(5, 1, 2, 3, 4, 5, 6)
	for n, left := range [][]int64{{1, 2, 5, 6, 7}, {1, 2, 5, 6, 7, 8}, {1, 2, 5, 7, 8, 9}} {
		l.world.Advance(31 * 24 * time.Hour)
		l.publish(fmt.Sprintf("ami-0000000000000000%d", n+4), fmt.Sprintf("golden-web-%d", n+4), awssim.ImageBehaviour{})
		apply(int64(n+6), left...)
	}
}

// What AWS keeps of several versions is said, and the others are gone.
func TestAccAMIRefresh_keepVersionsPartly(t *testing.T) {
	t.Parallel()
	l := newLab(t, five)
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", l.config(requireRefit+keep))
	d.run([]int{0}, "init")
	l.version(first)
	l.version(first)
	l.world.Advance(31 * 24 * time.Hour)
	l.world.BeforeCall("ec2:DeleteLaunchTemplateVersions", 1, func() { l.setDefault("3") })
	output := d.run([]int{0}, "apply", "-auto-approve", "-no-color")
	d.says("partly", output, "Old versions of launch template", "were not deleted", "AWS kept 3 (unexpectedError: The default version of a launch template cannot be deleted.)",
		"They are tried again with the next new image.")
	if err := l.numbers(1, 2, 3, 6, 7, 8)(nil); err != nil {
		t.Error(err)
	}
}

// What cannot be deleted, or looked at, is no failed apply.
func TestAccAMIRefresh_keepVersionsFails(t *testing.T) {
	t.Parallel()
	for _, calls := range []string{"ec2:DeleteLaunchTemplateVersions", "autoscaling:DescribeInstanceRefreshes"} {
		t.Run(calls, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, five)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{
						PreConfig: func() {
							l.world.Advance(31 * 24 * time.Hour)
							if _, err := l.world.Inject(awssim.Fault{Calls: calls, Kind: awssim.Deny}); err != nil {
								t.Fatal(err)
							}
						},
						Config: l.config(keep), Check: l.numbers(1, 2, 3, 4, 5, 6),
					},
					{Config: l.config(keep), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}},
				},
			})
		})
	}
}
