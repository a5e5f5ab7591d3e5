package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const dataAddress = "data.refit_ami.web"

func (l *lab) asking(more, source string) string {
	return l.config(fmt.Sprintf(`
data "refit_ami" "web" {
  %s
  source = {
    %s
  }
}
`, more, source))
}

func check(attribute string, want knownvalue.Check) statecheck.StateCheck {
	path := tfjsonpath.New(strings.Split(attribute, ".")[0])
	for _, step := range strings.Split(attribute, ".")[1:] {
		path = path.AtMapKey(step)
	}
	return statecheck.ExpectKnownValue(dataAddress, path, want)
}

func TestAccImageData(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.world.AddImage(awssim.Image{
		ID: third, Name: "golden-web-4", Created: time.Date(2026, time.November, 9, 4, 0, 0, 0, time.UTC), Tags: map[string]string{"Commit": "c0ffee"},
	})
	table := "The newest images of the source for " + l.template + `:
    IMAGE                  NAME          CREATED
  > ami-00000000000000004  golden-web-4  2026-11-09 04:00  chosen
    ami-00000000000000003  golden-arm-3  2026-11-03 04:00  is for arm64, but instance type t3.small runs x86_64
    ami-00000000000000002  golden-web-2  2026-11-02 04:00  acceptable, but not the newest
    ami-00000000000000001  golden-web-1  2026-10-05 04:00  acceptable, but not the newest
`
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.asking(`launch_template_id = "$LT"`, `owners = ["self"], name = "golden-*"`),
				ConfigStateChecks: []statecheck.StateCheck{
					check("image_id", knownvalue.StringExact(third)), check("image_name", knownvalue.StringExact("golden-web-4")),
					check("created_at", knownvalue.StringExact("2026-11-09T04:00:00Z")), check("age_days", knownvalue.Int64Exact(11)),
					check("owner_id", knownvalue.StringExact("123456789012")), check("architecture", knownvalue.StringExact("x86_64")),
					check("tags", knownvalue.MapExact(map[string]knownvalue.Check{"Commit": knownvalue.StringExact("c0ffee")})),
					check("candidates", knownvalue.StringExact(table)),
					check("in_use.image_id", knownvalue.StringExact(first)), check("in_use.image_name", knownvalue.StringExact("golden-web-1")),
					check("in_use.age_days", knownvalue.Int64Exact(46)), check("in_use.superseded_since", knownvalue.StringExact("2026-11-02T04:00:00Z")),
					check("in_use.tags", knownvalue.MapExact(map[string]knownvalue.Check{})),
				},
			},
			{
				Config: l.asking(`instance_type = "m6g.large"`, `owners = ["self"], name = "golden-*"`),
				ConfigStateChecks: []statecheck.StateCheck{
					check("image_id", knownvalue.StringExact(arm)), check("architecture", knownvalue.StringExact("arm64")), check("in_use", knownvalue.Null()),
					check("candidates", knownvalue.StringRegexp(regexp.MustCompile(`^The newest images of the source:\n    IMAGE `))),
				},
			},
			{
				// What a refit_ami_refresh would go for: a quarantine of the template counts.
				PreConfig: func() { l.version(third); l.quarantine(2) },
				Config:    l.asking(`launch_template_id = "$LT"`, `owners = ["self"], name = "golden-*", sort = { by = "version", pattern = "web-([0-9]+)$" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					check("image_id", knownvalue.StringExact(first)), // the newest that the template has a version of
					check("candidates", knownvalue.StringRegexp(regexp.MustCompile(`ami-00000000000000004 .* is in quarantine for this template`))),
				},
			},
			{
				PreConfig: func() { l.world.SetImageState(third, "deregistered") },
				Config:    l.asking(`launch_template_id = "$LT"`, `owners = ["self"], name = "golden-*"`),
				ConfigStateChecks: []statecheck.StateCheck{
					check("image_id", knownvalue.StringExact(second)), check("in_use.image_id", knownvalue.StringExact(third)), check("in_use.image_name", knownvalue.Null()),
				},
			},
		},
	})
	if got := l.versions(); len(got) != 2 {
		t.Errorf("got versions %q, want nothing made", got)
	}
}

// What a template has may be in a parameter, or be no image at all.
// Terraform takes blanks off the beginning of an output that it shows.
func TestAccImageData_output(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	d.write("main.tf", requireRefit+l.asking(`launch_template_id = "$LT"`, `owners = ["self"], name = "golden-*"`)+`
output "candidates" {
  value = data.refit_ami.web.candidates
}
`)
	d.run([]int{0}, "init")
	const want = `
  + candidates = <<-EOT
        The newest images of the source for %s:
            IMAGE                  NAME          CREATED
            ami-00000000000000003  golden-arm-3  2026-11-03 04:00  is for arm64, but instance type t3.small runs x86_64
          > ami-00000000000000002  golden-web-2  2026-11-02 04:00  chosen
            ami-00000000000000001  golden-web-1  2026-10-05 04:00  acceptable, but not the newest
    EOT
`
	if output, _ := d.plan(); !strings.Contains(output, fmt.Sprintf(want, l.template)) {
		t.Errorf("got\n%s\nwant it to show"+want, output, l.template)
	}
}

func TestAccImageData_inUse(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, `image         = "golden-web-1"`, `image = "resolve:ssm:/golden/web"`, 1))
	l.world.PutParameter("/golden/web", first)
	config := l.asking(`launch_template_id = "$LT"`, `owners = ["self"], name = "golden-*"`)
	chosen := check("image_id", knownvalue.StringExact(second))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: config,
				ConfigStateChecks: []statecheck.StateCheck{
					chosen, check("in_use.image_id", knownvalue.StringExact(first)), check("in_use.image_name", knownvalue.StringExact("golden-web-1")),
					check("in_use.superseded_since", knownvalue.StringExact("2026-11-02T04:00:00Z")),
				},
			},
			{
				PreConfig: func() { l.world.PutParameter("/golden/web", "none") },
				Config:    config,
				ConfigStateChecks: []statecheck.StateCheck{
					chosen, check("in_use.image_id", knownvalue.StringExact("resolve:ssm:/golden/web")), check("in_use.image_name", knownvalue.Null()),
				},
			},
			{
				PreConfig: func() {
					_, err := l.ec2().CreateLaunchTemplateVersion(l.Context(), &ec2.CreateLaunchTemplateVersionInput{
						LaunchTemplateId: &l.template, LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Small},
					})
					if err != nil {
						l.Fatal(err)
					}
					l.world.Advance(time.Minute)
				},
				Config:            config,
				ConfigStateChecks: []statecheck.StateCheck{chosen, check("in_use", knownvalue.Null())},
			},
		},
	})
}

func TestAccImageData_badInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ more, source, want string }{
		"nothing fits":          {`instance_type = "t3.small"`, `owners = ["self"], name = "golden-arm-*"`, `(?s)Unable to choose an image of self.*ami-00000000000000003  golden-arm-3  2026-11-03 04:00  is for arm64`},
		"everything banned":     {`launch_template_id = "$LT"`, `owners = ["self"], name = "golden-web-2"`, `(?s)Every acceptable image is held back.*ami-00000000000000002 .* is banned: CVE`},
		"no such template":      {`launch_template_id = "lt-0123456789abcdef0"`, `owners = ["self"], name = "golden-*"`, `(?s)does\s+not\s+exist.*Check\s+launch_template_id`},
		"no such type":          {`instance_type = "t99.huge"`, `owners = ["self"], name = "golden-*"`, `(?s)AWS\s+does\s+not\s+know\s+instance\s+type\s+t99.huge`},
		"both":                  {"instance_type = \"t3.small\"\nlaunch_template_id = \"$LT\"", `owners = ["self"], name = "golden-*"`, `cannot be specified when`},
		"no condition":          {``, `owners = ["self"]`, `Source without a condition`},
		"no regular expression": {``, `owners = ["self"], name = "x", name_regex = "["`, `missing\s+closing\s+\]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.world.PutParameter("/refit/"+image.BanPath(second), `{"image":"`+second+`","reason":"CVE"}`)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.asking(c.more, c.source), ExpectError: regexp.MustCompile(c.want)}},
			})
		})
	}
}
