package provider_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/provider"
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

func TestAccCopy_fails(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]struct {
		do   func(l *lab)
		more string
		want string
	}{
		"half-way": {
			func(l *lab) { l.world.FailCopies(1, "the disk is bad") }, "",
			`(?s)Unable to refresh the image.*AWS\s+gave\s+up\s+the\s+copy\s+ami-\S+\s+of\s+image\s+` + built1 + `\s+of\s+eu-west-1:\s+Copy\s+image\s+failed\s+with\s+an\s+internal\s+error:\s+the\s+disk\s+is\s+bad.*nothing\s+is\s+left\s+of\s+the\s+copy.*apply\s+again`,
		},
		"for its key": {
			func(*lab) {}, `encrypted = true, kms_key_id = "alias/none"`, `(?s)Given\s+key\s+ID\s+is\s+not\s+accessible.*nothing\s+is\s+left.*kms_key_id`,
		},
		"without a word": {
			func(l *lab) { l.world.At(4*time.Minute, l.world.DropCopies) }, "", `(?s)it\s+is\s+not\s+there\s+any\s+more.*nothing\s+is\s+left`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.build(built1, "built-1")
			good := l.config(copyFrom(""))
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps: []resource.TestStep{
					{PreConfig: func() { spoil.do(l) }, Config: l.config(copyFrom(spoil.more)), ExpectError: regexp.MustCompile(spoil.want)},
					{
						PreConfig: func() {
							if err := l.wantCopies()(nil); err != nil {
								t.Error(err)
							}
							if err := l.wantVersions("1 " + first + " by hand")(nil); err != nil {
								t.Error(err)
							}
						},
						Config: good, Check: resource.ComposeTestCheckFunc(l.runsCopyOf(built1), l.wantCopies("available "+built1)),
					},
				},
			})
		})
	}
}

// What may not be deleted of a copy that failed is named.
func TestAccCopy_failsAndStays(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	l.world.FailCopies(1, "the disk is bad")
	if _, err := l.world.Inject(awssim.Fault{Calls: "ec2:DeleteSnapshot", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config:      l.config(copyFrom("")),
			ExpectError: regexp.MustCompile(`(?s)What\s+is\s+left\s+of\s+the\s+copy\s+could\s+not\s+be\s+deleted:\s+snapshot\s+snap-\S+.*Delete\s+that`),
		}},
	})
}

// Neither a lost answer nor a connection that breaks before makes a second copy.
func TestAccCopy_lostAnswer(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]awssim.Fault{
		"the answer of the copy":   {Calls: "ec2:CopyImage", Kind: awssim.LoseAnswer, Times: 1},
		"the copy's first request": {Calls: "ec2:CopyImage", Kind: awssim.Drop, Times: 1},
		"every answer of the copy": {Calls: "ec2:CopyImage", Kind: awssim.LoseAnswer, Times: 2},
		"the journal, after it":    {Calls: "ssm:PutParameter", Kind: awssim.Fail, Code: "InternalServerError", Status: 400, Skip: 1, Times: 1},
		"sight of it, half-way":    {Calls: "ec2:DescribeImages", Kind: awssim.Fail, Code: "Unavailable", Status: 400, Skip: 14, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			l.build(built1, "built-1")
			// Retries wait in real time.
			config := strings.Replace(l.config(copyFrom("")), "region     =", "max_retries = 2\n  region     =", 1)
			if !strings.Contains(config, "max_retries") {
				t.Fatal("the configuration has no max_retries")
			}
			once := func() resource.TestCheckFunc {
				return resource.ComposeTestCheckFunc(l.runsCopyOf(built1), l.wantCopies("available "+built1), l.wantVersions("1 "+first+" by hand", "2 "+l.copyID()+" by hand"))
			}
			remove := func() {}
			steps := []resource.TestStep{{
				PreConfig: func() {
					var err error
					if remove, err = l.world.Inject(f); err != nil {
						t.Fatal(err)
					}
				},
				Config: config, Check: func(s *terraform.State) error { return once()(s) },
			}}
			if f.Times > 1 || f.Skip > 0 { // the first apply fails
				steps[0].Check, steps[0].ExpectError = nil, regexp.MustCompile(`(?s)Unable to refresh the image`)
				steps = append(steps, resource.TestStep{
					PreConfig: func() { remove() }, Config: config, Check: func(s *terraform.State) error { return once()(s) },
				})
			}
			steps = append(steps, resource.TestStep{Config: config, ConfigPlanChecks: noChanges})
			resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: l.factories(), Steps: steps})
		})
	}
}

// copyID is the id of the only copy, empty without one.
func (l *lab) copyID() string {
	l.Helper()
	if all := l.copies(); len(all) == 1 {
		return aws.ToString(all[0].ImageId)
	}
	return ""
}

// stopping is a clock whose nth sleep lasts until the process is to be left.
type stopping struct {
	clock.Clock
	activity *provider.Activity
	nth      int
}

// Sleep implements clock.Clock.
func (c *stopping) Sleep(ctx context.Context, d time.Duration) error {
	if c.nth--; c.nth == 0 {
		go c.activity.Stop()
		<-ctx.Done()
		return ctx.Err()
	}
	return c.Clock.Sleep(ctx, d)
}

func TestAccCopy_interrupted(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	activity := &provider.Activity{}
	interrupted := map[string]func() (tfprotov6.ProviderServer, error){
		"refit": providerserver.NewProtocol6WithError(provider.New(provider.Options{
			Version: "test", Clock: &stopping{l.world.Clock(), activity, 8}, Transport: l.world.RoundTripper(), Activity: activity,
		})()),
	}
	resource.Test(t, resource.TestCase{
		Steps: []resource.TestStep{
			{
				ProtoV6ProviderFactories: interrupted, Config: l.config(copyFrom("")),
				ExpectError: regexp.MustCompile(`(?s)The\s+copy\s+ami-\S+\s+of\s+image\s+` + built1 + `.*is\s+at\s+21\s+%\s+after\s+1\s+min:\s+the\s+apply\s+was\s+stopped.*AWS\s+goes\s+on\s+copying.*Apply\s+again:\s+it\s+waits\s+for\s+the\s+same\s+copy`),
			},
			{
				PreConfig: func() {
					if err := l.wantCopies("pending " + built1)(nil); err != nil {
						t.Error(err)
					}
				},
				ProtoV6ProviderFactories: l.factories(), Config: l.config(copyFrom("")),
				Check: resource.ComposeTestCheckFunc(l.askedCopies(1), l.runsCopyOf(built1), l.wantCopies("available "+built1)),
			},
		},
	})
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

// TestAccCopy_timeout changes the environment, so it is not parallel.
func TestAccCopy_timeout(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress")
	t.Setenv("REFIT_PROGRESS", file)
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:      l.config(copyFrom(`timeout = "3m"`)),
				ExpectError: regexp.MustCompile(`(?s)is\s+at\s+37\s+%\s+after\s+3\s+min.*AWS\s+goes\s+on\s+copying.*raise\s+copy\.timeout`),
			},
			{
				Config: l.config(copyFrom(`timeout = "10m"`)),
				Check:  resource.ComposeTestCheckFunc(l.askedCopies(1), l.runsCopyOf(built1), l.wantCopies("available "+built1)),
			},
		},
	})
	text, err := os.ReadFile(file) //nolint:gosec // the test's own
	for _, want := range []string{
		"copying image " + built1 + " of eu-west-1 to " + l.copyID() + ": pending, 0 %\n", ": pending, 12 %, waited 1 min\n", ": available, waited 5 min\n",
	} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("got progress %v\n%s\nwant it to have %q", err, text, want)
		}
	}
}

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
			// The original of the copy in use is banned: back to the copy before it.
			{Config: l.config(copyFrom("") + ban(built2)), Check: l.wantCopies("available "+built1, "available "+built2)},
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

// Whose the original is counts, as AWS answers it in its region.
func TestAccCopy_refused(t *testing.T) {
	t.Parallel()
	stranger := func(l *lab) {
		l.world.AddImage(awssim.Image{
			ID: built1, Name: "built-1", Region: abroad, Owner: "666666666666", SharedWith: []string{"123456789012"}, StorageSharedWith: []string{"123456789012"},
		})
	}
	for name, c := range map[string]struct {
		prepare func(l *lab)
		config  string
		want    string
	}{
		"a stranger's, by id": {
			stranger, strings.Replace(copyFrom(""), `name = "built-*"`, `image_id = "`+built1+`"`, 1),
			`(?s)Image\s+` + built1 + `\s+\(built-1\)\s+is\s+not\s+acceptable:\s+is\s+of\s+account\s+666666666666,\s+not\s+of\s+222222222222`,
		},
		"a stranger's, by name": {stranger, copyFrom(""), `(?s)No\s+image\s+of\s+222222222222\s+is\s+acceptable;\s+there\s+are\s+no\s+images\s+of\s+these\s+owners`},
		"a stranger's, by a parameter there": {
			func(l *lab) { stranger(l); l.world.PutParameterIn(abroad, "/golden/web", built1) },
			strings.Replace(copyFrom(""), `name = "built-*"`, `ssm_parameter = "/golden/web"`, 1), `(?s)is\s+of\s+account\s+666666666666`,
		},
		"a parameter here, not there": {
			func(l *lab) {
				l.build(built1, "built-1")
				l.world.PutParameter("/golden/web", built1)
				l.world.PutParameterIn(abroad, "/golden/other", built1)
			},
			strings.Replace(copyFrom(""), `name = "built-*"`, `ssm_parameter = "/golden/web"`, 1), `(?s)Parameter\s+/golden/web\s+does\s+not\s+exist\s+in\s+region\s+eu-west-1\s+and\s+account`,
		},
		"storage that is not shared": {
			func(l *lab) {
				l.world.AddImage(awssim.Image{ID: built1, Name: "built-1", Region: abroad, Owner: builds, SharedWith: []string{"123456789012"}})
			}, copyFrom(""), `(?s)Unable to refresh.*You\s+do\s+not\s+have\s+permission\s+to\s+access\s+the\s+storage\s+of\s+this\s+ami.*Nothing\s+was\s+changed.*shares\s+its\s+snapshots\s+with\s+this\s+one`,
		},
		"not allowed": {
			func(l *lab) {
				l.build(built1, "built-1")
				if _, err := l.world.Inject(awssim.Fault{Calls: "ec2:CopyImage", Kind: awssim.Deny}); err != nil {
					t.Fatal(err)
				}
			}, copyFrom(""), `(?s)does\s+not\s+allow\s+ec2:CopyImage.*Nothing\s+was\s+changed.*Allow\s+ec2:CopyImage`,
		},
		"a key without encryption": {func(*lab) {}, copyFrom(`kms_key_id = "alias/golden"`), `(?s)copy\.kms_key_id\s+is\s+"alias/golden"\s+and\s+copy\.encrypted\s+is\s+not\s+true`},
		"no region":                {func(*lab) {}, strings.Replace(copyFrom(""), `"eu-west-1"`, `"Ireland"`, 1), `must\s+be\s+the\s+name\s+of\s+a\s+region`},
		"keep nothing":             {func(*lab) {}, copyFrom("keep = 0"), `copy\.keep\s+value\s+must\s+be\s+at\s+least\s+1`},
		"a tag of Refit's":         {func(*lab) {}, copyFrom(`tags = { "refit:copy" = "mine" }`), `(?s)"refit:copy"\s+=\s+"mine".*no\s+key\s+that\s+begins\s+with`},
		"no time":                  {func(*lab) {}, copyFrom(`timeout = "0s"`), `copy\.timeout\s+is\s+"0s"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			c.prepare(l)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: l.factories(),
				Steps:                    []resource.TestStep{{Config: l.config(c.config), ExpectError: regexp.MustCompile(c.want)}},
			})
			if err := l.wantVersions("1 " + first + " by hand")(nil); err != nil {
				t.Error(err)
			}
		})
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
	l.build(built1, "built-1")
	data := l.config(`
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
			{Config: l.config(copyFrom(""))},
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
				},
			},
		},
	})
}
