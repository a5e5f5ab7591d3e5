package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestAccCopy_keep(t *testing.T) {
	t.Parallel()
	l := newLab(t, five)
	l.build(built1, "built-1")
	// A copy that somebody made of Refit's, tags and all, is not Refit's.
	stranger := func() {
		i := l.copies()[0]
		tags := map[string]string{}
		for _, tag := range i.Tags {
			tags[*tag.Key] = *tag.Value
		}
		l.world.AddImage(awssim.Image{ID: "ami-0000000000000c001", Name: "a copy", Source: aws.ToString(i.ImageId), SourceRegion: "eu-west-2", Tags: tags})
	}
	config := l.config(strings.Replace(copyFrom("keep = 1"), "copy  ", "keep_versions = 3\n  copy  ", 1))
	next := func(id, name string) func() {
		return func() {
			l.world.Advance(31 * 24 * time.Hour)
			l.build(id, name)
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: l.wantCopies("available " + built1)},
			// Versions name the older copies, so they stay.
			{PreConfig: func() { stranger(); next(built2, "built-2")() }, Config: config, Check: l.runsCopyOf(built2)},
			{
				PreConfig: next(built3, "built-3"), Config: config,
				Check: resource.ComposeTestCheckFunc(l.runsCopyOf(built3), l.numbers(1, 2, 6, 7, 8)),
			},
			// keep_versions has let go of the first; so does keep.
			{
				PreConfig: next("ami-0000000000000b004", "built-4"), Config: config,
				Check: resource.ComposeTestCheckFunc(l.numbers(1, 2, 7, 8, 9), func(*terraform.State) error {
					var got []string
					for _, i := range l.copies() {
						got = append(got, aws.ToString(i.SourceImageId))
					}
					if len(got) != 4 || slices.Contains(got, built1) || !slices.Contains(got, built2) {
						return fmt.Errorf("got copies of %q, want those that versions name, and the stranger's", got)
					}
					return nil
				}),
			},
			{Config: config, ConfigPlanChecks: noChanges},
		},
	})
}

// What cannot be looked at or deleted is no failed apply.
func TestAccCopy_keepFails(t *testing.T) {
	t.Parallel()
	for _, calls := range []string{"ec2:DescribeImageReferences", "ec2:DeregisterImage"} {
		t.Run(calls, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.build(built1, "built-1")
			config := l.config(copyFrom("keep = 1"))
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{Config: config},
					{
						PreConfig: func() {
							l.build(built2, "built-2")
							if calls == "ec2:DeregisterImage" { // nothing names the first one
								if _, err := l.ec2().DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(l.template), Versions: []string{"2"}}); err != nil {
									t.Fatal(err)
								}
							}
							if _, err := l.world.Inject(awssim.Fault{Calls: calls, Kind: awssim.Deny}); err != nil {
								t.Fatal(err)
							}
						},
						Config: config, Check: resource.ComposeTestCheckFunc(l.runsCopyOf(built2), l.wantCopies("available "+built1, "available "+built2)),
					},
				},
			})
		})
	}
}

func TestAccCopy_banned(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	ban := func(id string) string {
		return fmt.Sprintf(`
resource "refit_image_quarantine" "bad" {
  image_id = %q
  reason   = "CVE-2026-1"
}
`, id)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(copyFrom("") + ban(built2)), Check: l.runsCopyOf(built1)},
			// A banned original is not copied.
			{
				PreConfig: func() { l.build(built2, "built-2") }, Config: l.config(copyFrom("") + ban(built2)), ConfigPlanChecks: noChanges,
				Check: l.wantCopies("available " + built1),
			},
			{Config: l.config(copyFrom("")), ExpectNonEmptyPlan: true}, // lifted, for the next plan
			{Config: l.config(copyFrom("")), Check: l.runsCopyOf(built2)},
			// The original of the copy in use is banned: the next plan goes back to the copy before it.
			{Config: l.config(copyFrom("") + ban(built2)), ExpectNonEmptyPlan: true, Check: l.wantCopies("available "+built1, "available "+built2)},
			{Config: l.config(copyFrom("") + ban(built2)), Check: l.runsCopyOf(built1)},
			{Config: l.config(copyFrom("") + ban(built2)), ConfigPlanChecks: noChanges},
		},
	})
}

// A ban of the copy itself is one of its original here: it is not copied anew.
func TestAccCopy_copyBanned(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	banned := ""
	ban := func() string {
		return l.config(copyFrom("") + fmt.Sprintf("\nresource \"refit_image_quarantine\" \"bad\" {\n  image_id = %q\n  reason = \"slow\"\n}\n", banned))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(copyFrom(""))},
			{
				PreConfig: func() { l.build(built2, "built-2") }, Config: l.config(copyFrom("")),
				Check: func(*terraform.State) error { banned = aws.ToString(l.copies()[1].ImageId); return nil },
			},
		},
	})
	if banned == "" {
		t.Skip("TF_ACC is not set")
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: l.config(fmt.Sprintf("\nresource \"refit_image_quarantine\" \"bad\" {\n  image_id = %q\n  reason = \"slow\"\n}\n", banned))},
			{Config: ban(), Check: resource.ComposeTestCheckFunc(l.runsCopyOf(built1), l.wantCopies("available "+built1, "available "+built2))},
		},
	})
}
