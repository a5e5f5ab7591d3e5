package provider_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/provider"
)

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

// The plan says that a copy is under way, and since when.
func TestAccCopy_planUnderWay(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.build(built1, "built-1")
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", l.config(requireRefit+copyFrom(`timeout = "5m"`)))
	d.run([]int{0}, "init")
	const under = "is under way since"
	if output, _ := d.plan(); strings.Contains(flat(output), under) {
		t.Errorf("got a plan that says of a copy which is not there that it %s:\n%s", under, output)
	}
	began := l.world.Clock().Now()
	d.run([]int{1}, "apply", "-auto-approve")
	want := fmt.Sprintf("%s (built-1, 8 GiB) is copied from eu-west-1. AWS promises no time for that: some GiB take minutes, hundreds of GiB may take hours. "+
		"The copy %s is under way since %s. The apply waits for that one, up to 5m, and makes no second one; image_id is known then.",
		built1, l.copyID(), began.UTC().Format("2006-01-02 15:04 MST"))
	if output, _ := d.plan(); !strings.Contains(flat(output), want) {
		t.Errorf("got\n%s\nwant it to say %q", output, want)
	}
	d.run([]int{0}, "apply", "-auto-approve")
	if output, changes := d.plan(); changes || strings.Contains(flat(output), under) {
		t.Errorf("after the copy: got\n%s\nwant no changes, and no copy under way", output)
	}
	if err := l.askedCopies(1)(nil); err != nil {
		t.Error(err)
	}
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
