package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// choosing is a refit_ami_refresh with a source.
func (l *lab) choosing(source string) string {
	return l.config(fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source = {
    %s
  }
}
`, source))
}

// market adds images of other accounts, parameters, and images that this or
// that condition removes. The world's clock is at 20 November 2026.
func (l *lab) market() {
	at := func(day int) time.Time { return time.Date(2026, time.November, day, 4, 0, 0, 0, time.UTC) }
	for _, i := range []awssim.Image{
		{ID: "ami-00000000000000010", Name: "golden-web-v1.9", Created: at(10), Tags: map[string]string{"Stage": "golden"}},
		{ID: "ami-00000000000000011", Name: "golden-web-v1.10", Created: at(9)},
		{ID: "ami-00000000000000012", Name: "golden-uefi-1", Created: at(12), BootMode: "uefi"},
		{ID: "ami-00000000000000013", Name: "golden-old-1", Created: at(13), DeprecatedAt: at(14)},
		{ID: "ami-00000000000000014", Name: "golden-new-1", Created: at(19)},
		{ID: "ami-00000000000000015", Name: "golden-store-1", Created: at(12), RootType: "instance-store"},
		{ID: "ami-00000000000000020", Name: "base-1", Owner: "222222222222", SharedWith: []string{"123456789012"}, Created: at(5)},
		{ID: "ami-00000000000000021", Name: "golden-web-v9.9", Owner: "999999999999", Public: true, Created: at(18)},
		{ID: "ami-00000000000000022", Name: "al2023-1", Owner: "137112412989", OwnerAlias: "amazon", Public: true, Created: at(4)},
	} {
		l.world.AddImage(i)
	}
	l.world.PutParameter("/golden/web", "ami-00000000000000010")
	l.world.PutParameter("/golden/squatted", "ami-00000000000000021")
	l.world.PutParameter("/golden/text", "latest")
	l.world.PutParameter("/aws/service/al2023", "ami-00000000000000022")
	l.world.PutParameter("/aws/service/wrong", "ami-00000000000000021")
}

// Each source and condition chooses the image it should, and the second plan
// is empty.
func TestAccImageSource(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"newest":            {`owners = ["self"], name = "golden-*"`, "ami-00000000000000014"},
		"name_regex":        {`owners = ["self"], name = "golden-*", name_regex = "web-[0-9]+$"`, second},
		"tags":              {`owners = ["self"], tags = { Stage = "gold*" }`, "ami-00000000000000010"},
		"min_age":           {`owners = ["self"], name = "golden-*", min_age = "3d"`, "ami-00000000000000012"}, // 13 is deprecated, 15 does not fit
		"min_age in hours":  {`owners = ["self"], name = "golden-new-*", min_age = "24h"`, "ami-00000000000000014"},
		"max_age":           {`owners = ["self"], name = "golden-web-*", max_age = "11d"`, "ami-00000000000000010"},
		"exclude":           {`owners = ["self"], name = "golden-*", exclude = ["golden-new-*", "golden-uef?-*", "ami-00000000000000010"]`, "ami-00000000000000011"},
		"by version":        {`owners = ["self"], name = "golden-web-*", sort = { by = "version", pattern = "v([0-9]+)\\.([0-9]+)$" }`, "ami-00000000000000011"},
		"by creation":       {`owners = ["self"], name = "golden-web-*", sort = { by = "created" }`, "ami-00000000000000010"},
		"own parameter":     {`owners = ["self"], ssm_parameter = "/golden/web"`, "ami-00000000000000010"},
		"public parameter":  {`owners = ["amazon"], ssm_parameter = "/aws/service/al2023"`, "ami-00000000000000022"},
		"id":                {`owners = ["222222222222"], image_id = "ami-00000000000000020"`, "ami-00000000000000020"},
		"another's, shared": {`owners = ["222222222222"], name = "base-*"`, "ami-00000000000000020"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.market()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{Config: l.choosing(c.source), ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", c.want)}},
					{Config: l.choosing(c.source), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}},
				},
			})
		})
	}
}

// A parameter that moves moves the image, and one that is broken later leaves
// it where it is.
func TestAccImageSource_parameterMoves(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.market()
	config := l.choosing(`owners = ["self"], ssm_parameter = "/golden/web"`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config},
			{
				PreConfig: func() { l.world.PutParameter("/golden/web", second) },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					planned(refreshAddress, "image_id", second), plannedUnknown(refreshAddress, "launch_template_version"),
				}},
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_id", second)},
			},
			{
				PreConfig:        func() { l.world.PutParameter("/golden/web", "ami-00000000000000021") },
				Config:           config, // somebody else's image: nothing is acceptable, so nothing changes
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
		},
	})
}

func TestAccImageSource_badInput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"regular expression":     {`owners = ["self"], name = "golden-*", name_regex = "web-("`, `"web-\(" is not a regular expression of Go \(RE2\): missing closing \): "web-\("`},
		"pattern without group":  {`owners = ["self"], name = "golden-*", sort = { by = "version", pattern = "v[0-9]+" }`, `captures nothing; put the numbers of the version into groups`},
		"no pattern":             {`owners = ["self"], name = "golden-*", sort = { by = "version" }`, `Set pattern`},
		"pattern without use":    {`owners = ["self"], name = "golden-*", sort = { by = "created", pattern = "([0-9])" }`, `takes no pattern`},
		"name_regex alone":       {`owners = ["self"], name_regex = "web"`, `Set name, tags or filters as well`},
		"two kinds":              {`owners = ["self"], name = "golden-*", image_id = "` + second + `"`, `image_id names one image, so there is nothing for name to choose from`},
		"two names":              {`owners = ["self"], ssm_parameter = "/golden/web", image_id = "` + second + `"`, `both ssm_parameter and image_id`},
		"unknown owner":          {`owners = ["microsoft"], name = "golden-*"`, `must be an account id of 12 digits`},
		"age":                    {`owners = ["self"], name = "golden-*", min_age = "a week"`, `min_age is "a week"; give an age of more than zero`},
		"ages":                   {`owners = ["self"], name = "golden-*", min_age = "10d", max_age = "72h"`, `no image is ever both`},
		"tag twice":              {`owners = ["self"], tags = { Stage = "golden" }, filters = { "tag:Stage" = ["golden"] }`, `Remove one of them`},
		"no such parameter":      {`owners = ["self"], ssm_parameter = "/golden/none"`, `parameter /golden/none does not exist in this region and account.*Correct ssm_parameter of source`},
		"parameter with a text":  {`owners = ["self"], ssm_parameter = "/golden/text"`, `parameter /golden/text holds "latest", not the id of an image`},
		"parameter squatted":     {`owners = ["self"], ssm_parameter = "/golden/squatted"`, `is not acceptable: is of account 999999999999, not of self`},
		"public but not AWS's":   {`owners = ["999999999999"], ssm_parameter = "/aws/service/wrong"`, `is named by AWS's parameter /aws/service/wrong, but is of account 999999999999 and not of amazon`},
		"id of somebody":         {`owners = ["self"], image_id = "ami-00000000000000021"`, `is of account 999999999999, not of self.*Name another image \(image_id of source or pin, or what the parameter holds\), or correct owners`},
		"no such id":             {`owners = ["self"], image_id = "ami-0123456789abcdef0"`, `image ami-0123456789abcdef0 does not exist in this region`},
		"name squatted":          {`owners = ["self"], name = "golden-web-v9*"`, `name "golden-web-v9\*" removed`},
		"root device type":       {`owners = ["self"], name = "golden-store-*"`, `root device of the template removed 1`},
		"deprecated":             {`owners = ["self"], name = "golden-old-*"`, `not deprecated removed 1`},
		"none old enough":        {`owners = ["self"], name = "golden-new-*", min_age = "7d"`, `min_age 7 days removed 1`},
		"parameter is no name":   {`owners = ["self"], ssm_parameter = "//"`, `must be the name of a parameter`},
		"exclude leaves nothing": {`owners = ["self"], name = "golden-new-*", exclude = ["golden-*"]`, `exclude removed 1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.market()
			want := "(?si)" + strings.Join(strings.Split(c.want, " "), `\s+`)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.choosing(c.source), ExpectError: regexp.MustCompile(want)}},
			})
			if got := l.versions(); len(got) != 1 {
				t.Errorf("got versions %q, want nothing changed", got)
			}
		})
	}
}

func TestAccImageSource_tooMany(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	for n := range 10_001 {
		l.world.AddImage(awssim.Image{Name: fmt.Sprintf("crowd-%d", n)})
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config:      l.choosing(`owners = ["self"], name = "crowd-*"`),
			ExpectError: regexp.MustCompile(`(?s)More\s+than\s+10000\s+images\s+of\s+self\s+match.*narrower`),
		}},
	})
}

// A type of instance that boots by legacy BIOS only takes no image for UEFI.
func TestAccImageSource_bootMode(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(fleet, "t3.small", "t2.small", 1))
	l.market()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config:      l.choosing(`owners = ["self"], name = "golden-uefi-*"`),
			ExpectError: regexp.MustCompile(`(?s)boot\s+mode\s+of\s+instance\s+type\s+t2.small\s+removed\s+1`),
		}},
	})
}
