package provider_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const (
	builds = "222222222222" // the account that builds images
	abroad = "eu-west-1"    // and where
	built1 = "ami-0000000000000b001"
	built2 = "ami-0000000000000b002"
	built3 = "ami-0000000000000b003"
)

// copyFrom is a refresh from the build account's region; more is what else copy says.
func copyFrom(more string) string {
	return strings.Replace(`
resource "refit_ami_refresh" "web" {
  launch_template_id = "$LT"
  source             = { owners = ["222222222222"], name = "built-*" }
  copy               = { source_region = "eu-west-1", $MORE }
}
`, "$MORE", more, 1)
}

// build publishes an image in the build account, which shares it, storage too.
func (l *lab) build(id, name string) {
	l.Helper()
	l.world.AddImage(awssim.Image{
		ID: id, Name: name, Region: abroad, Owner: builds, SharedWith: []string{"123456789012"}, StorageSharedWith: []string{"123456789012"},
	})
}

// copies lists the images of the account that are copies: state, original and
// name, oldest first.
func (l *lab) copies() []types.Image {
	l.Helper()
	out, err := l.ec2().DescribeImages(l.Context(), &ec2.DescribeImagesInput{
		Owners: []string{"self"}, IncludeDisabled: aws.Bool(true),
		Filters: []types.Filter{{Name: aws.String("source-image-region"), Values: []string{"*"}}},
	})
	if err != nil {
		l.Fatal(err)
	}
	slices.SortFunc(out.Images, func(a, b types.Image) int {
		return strings.Compare(aws.ToString(a.CreationDate)+aws.ToString(a.SourceImageId), aws.ToString(b.CreationDate)+aws.ToString(b.SourceImageId))
	})
	return out.Images
}

// wantCopies fails unless those are the copies, each as "state original", and
// each has just one snapshot.
func (l *lab) wantCopies(want ...string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		var got []string
		for _, i := range l.copies() {
			got = append(got, fmt.Sprintf("%s %s", i.State, aws.ToString(i.SourceImageId)))
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("got copies %q, want %q", got, want)
		}
		own := l.world.Snapshots("")
		if extra := len(own) - 3; extra != len(want) { // the fleet has three images
			return fmt.Errorf("got %d snapshots of copies, want %d: %q", extra, len(want), own)
		}
		return nil
	}
}

// askedCopies fails unless so many copies were asked for since the calls were reset.
func (l *lab) askedCopies(n int) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if got := l.world.Calls()["ec2:CopyImage"]; got != n {
			return fmt.Errorf("got %d calls of CopyImage, want %d", got, n)
		}
		return nil
	}
}

// runsCopyOf fails unless the state names the available copy of an image.
func (l *lab) runsCopyOf(original string) resource.TestCheckFunc {
	return func(s *terraform.State) error {
		a := s.RootModule().Resources[refreshAddress].Primary.Attributes
		for _, i := range l.copies() {
			if aws.ToString(i.ImageId) == a["image_id"] && i.State == types.ImageStateAvailable &&
				aws.ToString(i.SourceImageId) == original && a["source_image_id"] == original {
				return nil
			}
		}
		return fmt.Errorf("image_id is %s and source_image_id %s, want an available copy of %s", a["image_id"], a["source_image_id"], original)
	}
}

var noChanges = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}

func TestAccCopy_firstReusedSecond(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	config := l.config(copyFrom(`encrypted = true, tags = { Team = "web" }`))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:           config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plannedUnknown(refreshAddress, "image_id")}},
				ConfigStateChecks: []statecheck.StateCheck{
					state(refreshAddress, "source_image_id", built1), state(refreshAddress, "image_name", "built-1"),
					state(refreshAddress, "launch_template_version", "2"),
				},
				Check: resource.ComposeTestCheckFunc(l.runsCopyOf(built1), l.wantCopies("available "+built1), func(*terraform.State) error {
					i := l.copies()[0]
					tags := map[string]string{}
					for _, tag := range i.Tags {
						tags[*tag.Key] = *tag.Value
					}
					if tags["Team"] != "web" || tags["refit:original"] != abroad+"/"+built1 || tags["refit:launch-template"] != l.template || tags["refit:encryption"] != "default" ||
						aws.ToString(i.Name) != "built-1" || !aws.ToBool(i.BlockDeviceMappings[0].Ebs.Encrypted) {
						return fmt.Errorf("got copy %s with tags %v, encrypted %t", aws.ToString(i.Name), tags, aws.ToBool(i.BlockDeviceMappings[0].Ebs.Encrypted))
					}
					return nil
				}),
			},
			{Config: config, ConfigPlanChecks: noChanges},
			// How many are kept, and what later copies are tagged with, is no new image.
			{
				Config: l.config(copyFrom(`encrypted = true, keep = 5, timeout = "1h", tags = { Team = "ops" }`)), Check: resource.ComposeTestCheckFunc(l.askedCopies(1), l.wantCopies("available "+built1)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(refreshAddress, plancheck.ResourceActionUpdate),
					planned(refreshAddress, "launch_template_version", "2"), planned(refreshAddress, "source_image_id", built1),
				}},
			},
			{
				PreConfig: func() { l.build(built2, "built-2"); l.world.ResetCalls() },
				Config:    config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plannedUnknown(refreshAddress, "image_id"), plannedUnknown(refreshAddress, "launch_template_version"),
					planned(refreshAddress, "source_image_id", built2), planned(refreshAddress, "image_name", "built-2"),
				}},
				Check: resource.ComposeTestCheckFunc(l.askedCopies(1), l.runsCopyOf(built2), l.wantCopies("available "+built1, "available "+built2)),
			},
			{Config: config, ConfigPlanChecks: noChanges},
			// The other image is pinned: its copy is there.
			{
				PreConfig: l.world.ResetCalls,
				Config:    strings.Replace(config, "copy  ", `pin = { image_id = "`+built1+`", reason = "2 is slow" }`+"\n  copy  ", 1),
				Check:     resource.ComposeTestCheckFunc(l.askedCopies(0), l.runsCopyOf(built1)),
			},
			// Without copy, nothing of the source is here; what is in use stays. Destroying leaves copies.
			{Config: l.config(""), Check: l.wantCopies("available "+built1, "available "+built2)},
		},
	})
}

// A copy that somebody else made is used, if nothing speaks against it, and so
// is one that was made for another template.
func TestAccCopy_reused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more    string
		copy    awssim.Image
		reused  bool
		missing string
	}{
		"somebody else's": {reused: true},
		"encrypted":       {more: "encrypted = true", copy: awssim.Image{Encrypted: true}, reused: true},
		"not encrypted":   {more: "encrypted = true"},
		"encrypted for nothing, with whatever key":  {copy: awssim.Image{Encrypted: true}},
		"of which the key is not known":             {more: `encrypted = true, kms_key_id = "alias/golden"`, copy: awssim.Image{Encrypted: true}},
		"from another region":                       {copy: awssim.Image{SourceRegion: "us-east-1"}},
		"of an instance that was made of the image": {copy: awssim.Image{SourceInstance: "i-0123456789abcdef0"}},
		"disabled":                         {copy: awssim.Image{State: "disabled"}},
		"of another account, shared to us": {copy: awssim.Image{Owner: builds, SharedWith: []string{"123456789012"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.world.AddKey(awssim.Key{Alias: "alias/golden"})
			l.build(built1, "built-1")
			there := c.copy
			there.ID, there.Name, there.Source = "ami-0000000000000c001", "a copy", built1
			if there.SourceRegion == "" {
				there.SourceRegion = abroad
			}
			l.world.AddImage(there)
			want, unknown := 1, plannedUnknown(refreshAddress, "image_id")
			if c.reused {
				want = 0
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{
						Config: l.config(copyFrom(c.more)), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{unknown}},
						Check: resource.ComposeTestCheckFunc(l.askedCopies(want), l.runsCopyOf(built1)),
					},
					{Config: l.config(copyFrom(c.more)), ConfigPlanChecks: noChanges},
				},
			})
		})
	}
}

// A copy that outlasts its window stays, and is taken up in the next. Outside of
// a window nothing is copied.
func TestAccCopy_window(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	config := l.config(strings.Replace(copyFrom(""), "copy  ", `windows = [{ day = "fri", time = "09:00", duration = "30m", timezone = "UTC" }]
  copy  `, 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: l.runsCopyOf(built1)},
			{
				PreConfig: func() { l.until("2026-11-20T09:25:00Z"); l.build(built2, "built-2") }, Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{planned(refreshAddress, "source_image_id", built2)}},
				Check:            l.wantCopies("available "+built1, "available "+built2),
			},
			{
				PreConfig: func() { l.build(built3, "built-3") }, Config: config, ConfigPlanChecks: noChanges,
				Check:             resource.ComposeTestCheckFunc(l.runsCopyOf(built1), l.wantCopies("available "+built1, "available "+built2), l.numbers(1, 2)),
				ConfigStateChecks: []statecheck.StateCheck{state(refreshAddress, "image_name", "built-1")},
			},
			{
				PreConfig: func() {
					l.world.SetImageState(built3, "deregistered")
					l.until("2026-11-27T09:01:00Z")
					l.world.ResetCalls()
				}, Config: config,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plannedUnknown(refreshAddress, "launch_template_version")}},
				Check:            resource.ComposeTestCheckFunc(l.askedCopies(0), l.runsCopyOf(built2), l.numbers(1, 2, 3)),
			},
			{Config: config, ConfigPlanChecks: noChanges},
		},
	})
}

// The plan says what is wrong with a key, as far as that is known.
func TestAccCopy_key(t *testing.T) {
	t.Parallel()
	const role = ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
	usable := []string{"123456789012"}
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	d := newDesk(t, l.world, false)
	l.url = d.url
	first := true
	for _, c := range []struct {
		name string
		key  awssim.Key
		ref  string // empty: the key's ARN
		want string // empty: nothing is wrong
	}{
		{"good", awssim.Key{}, "", ""},
		{"missing", awssim.Key{}, "alias/none", "Key alias/none does not exist in this region"},
		{"disabled", awssim.Key{State: "Disabled", Alias: "alias/off"}, "alias/off", "Key alias/off is Disabled: the copy will fail"},
		{"asymmetric", awssim.Key{Asymmetric: true, Alias: "alias/sign"}, "alias/sign", "Key alias/sign is not a symmetric key"},
		{"another's, not granted", awssim.Key{Account: builds, UsableBy: usable, GrantedTo: []string{"arn:aws:iam::999999999999" + role}}, "", "has no grant for Auto Scaling's service-linked role of account 123456789012"},
		{"another's, granted", awssim.Key{Account: builds, UsableBy: usable, GrantedTo: []string{"arn:aws:iam::123456789012" + role + "_CMK"}}, "", ""},
		{"another's, denied", awssim.Key{Account: builds}, "", ""},
	} {
		arn := l.world.AddKey(c.key)
		if c.ref == "" {
			c.ref = arn
		}
		d.write("main.tf", l.config(requireRefit+copyFrom(fmt.Sprintf("encrypted = true, kms_key_id = %q", c.ref))))
		if first {
			d.run([]int{0}, "init")
			first = false
		}
		output, _ := d.plan()
		output = strings.Join(strings.Fields(strings.ReplaceAll(output, "│", " ")), " ")
		if !strings.Contains(output, "An image is copied for launch template") || !strings.Contains(output, c.want) ||
			c.want == "" && (strings.Contains(output, "will fail") || strings.Contains(output, "no grant")) {
			t.Errorf("%s: got a plan that does not say %q of the key:\n%s", c.name, c.want, output)
		}
	}
}

// Two templates of one apply share a copy.
func TestAccCopy_shared(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet+`
template "api" {
  version {
    image = "golden-web-1"
  }
}
`)
	l.build(built1, "built-1")
	out, err := l.ec2().DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"api"}})
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReplacer(`"web"`, `"api"`, "$LT", aws.ToString(out.LaunchTemplates[0].LaunchTemplateId)).Replace(copyFrom(""))
	config := l.config(copyFrom("") + other)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: resource.ComposeTestCheckFunc(l.askedCopies(1), l.runsCopyOf(built1), l.wantCopies("available "+built1))},
			{Config: config, ConfigPlanChecks: noChanges},
		},
	})
}

// Within one region, what is copied is never a copy.
func TestAccCopy_sameRegion(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	config := l.config(strings.Replace(refresh, "golden-*\" }", "golden-*\" }\n  copy = { encrypted = true }", 1))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			// Its name is taken in this region, so the copy has another.
			{Config: config, Check: resource.ComposeTestCheckFunc(l.runsCopyOf(second), l.wantCopies("available "+second), func(*terraform.State) error {
				if name := aws.ToString(l.copies()[0].Name); !strings.HasPrefix(name, "golden-web-2-") {
					return fmt.Errorf("got name %q, want the original's and a part of the token", name)
				}
				return nil
			})},
			{Config: config, ConfigPlanChecks: noChanges},
		},
	})
}

// A group rolls to the copy like to any image.
func TestAccCopy_roll(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	config := l.config(strings.Replace(both, refresh, copyFrom(""), 1))
	if !strings.Contains(config, "source_region") {
		t.Fatal("the configuration has no copy")
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: config, Check: resource.ComposeTestCheckFunc(l.runsCopyOf(built1), func(s *terraform.State) error { return l.runs(l.copyID(), 4)(s) })},
			{Config: config, ConfigPlanChecks: noChanges},
		},
	})
}

func TestAccCopy_data(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	began := l.world.Clock().Now().UTC().Format(time.RFC3339)
	l.build(built1, "built-1")
	data := l.config(`
data "refit_ami" "used" {
  source             = { owners = ["222222222222"], name = "built-*" }
  copy               = { source_region = "eu-west-1" }
  launch_template_id = "$LT"
}

data "refit_ami" "web" {
  source        = { owners = ["222222222222"], name = "built-*" }
  copy          = { source_region = "eu-west-1" }
  instance_type = "t3.small"
}
`)
	const address = "data.refit_ami.web"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: data, ExpectError: regexp.MustCompile(`(?s)No\s+acceptable\s+image\s+of\s+eu-west-1\s+has\s+a\s+copy.*` + built1 + `.*makes\s+no\s+copy`)},
			{PreConfig: func() { l.world.Advance(time.Hour) }, Config: l.config(copyFrom(""))},
			{
				PreConfig: func() { l.build(built2, "built-2"); l.world.ResetCalls() },
				Config:    data, Check: l.askedCopies(0),
				ConfigStateChecks: []statecheck.StateCheck{
					state(address, "source_image_id", built1), state(address, "image_name", "built-1"), state(address, "owner_id", "123456789012"),
					statecheck.ExpectKnownValue(address, tfjsonpath.New("image_id"), knownvalue.StringFunc(func(id string) error {
						if id != l.copyID() {
							return fmt.Errorf("got %s, want the copy %s", id, l.copyID())
						}
						return nil
					})),
					// A copy that is in use is as old as its original.
					statecheck.ExpectKnownValue("data.refit_ami.used", tfjsonpath.New("in_use").AtMapKey("created_at"), knownvalue.StringExact(began)),
				},
			},
		},
	})
}
