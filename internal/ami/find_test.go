package ami_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const (
	build   = "222222222222" // account that images are built in
	amazon  = "137112412989"
	shared  = "ami-0000000000000000a"
	foreign = "ami-0000000000000000b"
	al2023  = "ami-0000000000000000c"
	missing = "ami-0123456789abcdef0"
)

// others adds images of other accounts, and parameters that name them.
func others(f fixture) {
	f.world.AddImage(awssim.Image{ID: shared, Name: "golden-web-3", Owner: build, SharedWith: []string{"123456789012"}})
	f.world.AddImage(awssim.Image{ID: foreign, Name: "golden-web-4", Owner: "999999999999", Public: true})
	f.world.AddImage(awssim.Image{ID: al2023, Name: "al2023", Owner: amazon, OwnerAlias: "amazon", Public: true})
	for name, value := range map[string]string{
		"/golden/web": second, "/golden/squatted": foreign, "/golden/gone": missing, "/golden/text": "latest", "/golden/json": `{"image_id":"` + second + `"}`,
		"/aws/service/al2023": al2023, "/aws/service/wrong": foreign,
	} {
		f.world.PutParameter(name, value)
	}
}

func TestFindByNameOfOneImage(t *testing.T) {
	t.Parallel()
	f := start(t)
	others(f)
	_, err := ssm.NewFromConfig(f.world.Config()).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/golden/secret"), Value: aws.String("hunter2"), Type: ssmtypes.ParameterTypeSecureString,
	})
	if err != nil {
		t.Fatal(err)
	}
	self, amazonOnly := []string{"self"}, []string{"amazon"}
	for _, c := range []struct {
		name, account string
		source        ami.Source
		want, wrong   string
	}{
		{"own id", "", ami.Source{Owners: self, Image: second}, second, ""},
		{"own id, account known", "123456789012", ami.Source{Owners: self, Image: second}, second, ""},
		{"shared id", "", ami.Source{Owners: []string{"self", build}, Image: shared}, shared, ""},
		{"somebody's id", "", ami.Source{Owners: self, Image: foreign}, "", "image " + foreign + " (golden-web-4) is not acceptable: is of account 999999999999, not of self"},
		{"Amazon's id said to be own", "123456789012", ami.Source{Owners: self, Image: al2023}, "", "image " + al2023 + " (al2023) is not acceptable: is of account 137112412989 (amazon), not of self"},
		{"no such id", "", ami.Source{Owners: self, Image: missing}, "", "image " + missing + " does not exist in this region, is not shared with this account, or is hidden by the account's Allowed AMIs setting"},
		{"own parameter", "", ami.Source{Owners: self, Parameter: "/golden/web"}, second, ""},
		{"own parameter by ARN", "", ami.Source{Owners: self, Parameter: "arn:aws:ssm:eu-west-2:123456789012:parameter/golden/web"}, second, ""},
		{"parameter that names somebody's", "", ami.Source{Owners: self, Parameter: "/golden/squatted"}, "", "image " + foreign + " of parameter /golden/squatted (golden-web-4) is not acceptable: is of account 999999999999, not of self"},
		{"parameter that names nothing", "", ami.Source{Owners: self, Parameter: "/golden/gone"}, "", "image " + missing + " of parameter /golden/gone does not exist in this region"},
		{"parameter with a text", "", ami.Source{Owners: self, Parameter: "/golden/text"}, "", `parameter /golden/text holds "latest", not the id of an image`},
		{"parameter with JSON", "", ami.Source{Owners: self, Parameter: "/golden/json"}, "", "parameter /golden/json holds a JSON document; use the one below it that ends in /image_id"},
		{"secret", "", ami.Source{Owners: self, Parameter: "/golden/secret"}, "", "parameter /golden/secret is a SecureString, not a String with the id of an image"},
		{"no such parameter", "", ami.Source{Owners: self, Parameter: "/golden/none"}, "", "parameter /golden/none does not exist in this region and account"},
		{"public parameter", "", ami.Source{Owners: amazonOnly, Parameter: "/aws/service/al2023"}, al2023, ""},
		{"public parameter by account", "", ami.Source{Owners: []string{amazon}, Parameter: "/aws/service/al2023"}, al2023, ""},
		{"public parameter by ARN", "", ami.Source{Owners: []string{"999999999999"}, Parameter: "arn:aws:ssm:eu-west-2::parameter/aws/service/wrong"}, "", "is named by AWS's parameter /aws/service/wrong, but is of account 999999999999 and not of amazon"},
		{"public parameter that names somebody's", "", ami.Source{Owners: []string{"999999999999"}, Parameter: "/aws/service/wrong"}, "", "is named by AWS's parameter /aws/service/wrong, but is of account 999999999999 and not of amazon"},
	} {
		got, err := f.Find(t.Context(), c.source, image.Rule{Now: f.world.Clock().Now(), Account: c.account})
		newest, ok := got.Newest()
		if (err == nil) != (c.want != "") || newest.ID != c.want || ok != (c.want != "") || c.wrong != "" && !strings.Contains(fmt.Sprint(err), c.wrong) {
			t.Errorf("%s: got %q, %v; want %q, %q", c.name, newest.ID, err, c.want, c.wrong)
		}
	}
	f.world.SetAllowedImages("enabled", "amazon")
	_, err = f.Find(t.Context(), ami.Source{Owners: []string{build}, Image: shared}, image.Rule{})
	if !strings.Contains(fmt.Sprint(err), "hidden by the account's Allowed AMIs setting") {
		t.Errorf("got %v, want it to tell of the setting", err)
	}
}

// A search sees deprecated and disabled images only where nothing else is left.
func TestFindTellsOfHiddenImages(t *testing.T) {
	t.Parallel()
	f := start(t)
	now := f.world.Clock().Now()
	f.world.AddImage(awssim.Image{ID: al2023, Name: "al2023", Owner: amazon, OwnerAlias: "amazon", Public: true, DeprecatedAt: now})
	f.world.SetImageState(first, "disabled")
	f.world.SetImageState(second, "disabled")
	for owner, want := range map[string]string{
		"amazon": "no image of amazon is acceptable; of 1 image: not deprecated removed 1",
		"self":   `no image of self is acceptable; of 2 images: state available removed 2`,
	} {
		choice, err := f.Find(t.Context(), ami.Source{Owners: []string{owner}, Name: "*"}, image.Rule{Now: now})
		if fmt.Sprint(err) != want || len(choice.Verdicts) == 0 {
			t.Errorf("%s: got %+v, %v; want %s", owner, choice, err, want)
		}
	}
}

func TestFitOfATemplate(t *testing.T) {
	t.Parallel()
	f := start(t)
	data := &types.ResponseLaunchTemplateData{
		InstanceType: "m6g.large",
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMapping{
			{DeviceName: aws.String("/dev/sda1"), Ebs: &types.LaunchTemplateEbsBlockDevice{VolumeSize: aws.Int32(20)}},
			{DeviceName: aws.String("/dev/sdb"), Ebs: &types.LaunchTemplateEbsBlockDevice{VolumeSize: aws.Int32(20)}},
			{DeviceName: aws.String("/dev/xvda"), NoDevice: aws.String("")},
		},
	}
	fit, err := f.Fit(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(fit), "{m6g.large [arm64] [uefi] [ebs] [/dev/sda1]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f.world.AddImage(awssim.Image{ID: shared, Name: "arm", Architecture: "arm64"})
	_, err = f.Find(t.Context(), ami.Source{Owners: []string{"self"}, Image: shared}, fit.Apply(image.Rule{}))
	if want := "has root device /dev/xvda, but the template's block device mappings are for /dev/sda1"; !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// crowd adds images of the kind that a build a few minutes apart leaves.
func crowd(w *awssim.World, n int) {
	now := w.Clock().Now()
	for i := range n {
		w.AddImage(awssim.Image{
			ID: fmt.Sprintf("ami-%017x", i+0x1000), Name: fmt.Sprintf("crowd-%05d", i), Created: now.Add(time.Duration(i-n) * time.Minute),
			Description: strings.Repeat("d", 200), Tags: map[string]string{"Build": fmt.Sprint(i), "Commit": strings.Repeat("c", 40), "Team": "web"},
		})
	}
}

func TestFindAmongTenThousand(t *testing.T) {
	t.Parallel()
	f := start(t)
	crowd(f.world, 10_000)
	for _, c := range []struct {
		name   string
		source ami.Source
		rule   image.Rule
		want   string
		most   int
	}{
		{"all of them", ami.Source{Owners: []string{"self"}, Name: "crowd-*"}, image.Rule{}, fmt.Sprintf("ami-%017x", 9_999+0x1000), 10},
		{"by a filter of AWS", ami.Source{Owners: []string{"self"}, Filters: map[string][]string{"tag:Build": {"1234"}}}, image.Rule{}, fmt.Sprintf("ami-%017x", 1234+0x1000), 1},
		{"none is fit", ami.Source{Owners: []string{"self"}, Name: "crowd-*"}, image.Rule{Architectures: []string{"arm64"}}, "", 10},
	} {
		f.world.ResetCalls()
		c.rule.Now = f.world.Clock().Now()
		choice, err := f.Find(t.Context(), c.source, c.rule)
		newest, _ := choice.Newest()
		if got := f.world.Calls()["ec2:DescribeImages"]; newest.ID != c.want || got > c.most {
			t.Errorf("%s: got %q, %v after %d calls; want %q after %d at most", c.name, newest.ID, err, got, c.want, c.most)
		}
	}
	f.world.AddImage(awssim.Image{Name: "crowd-x"})
	var many *ami.TooManyError
	if _, err := f.Find(t.Context(), ami.Source{Owners: []string{"self"}, Name: "crowd-*"}, image.Rule{}); !errors.As(err, &many) {
		t.Errorf("got %v, want it refused as too many", err)
	}
}

// BenchmarkFindAmongTenThousand tells what the judged answer holds in memory, and
// what the whole process ever took of the machine, simulator and all.
func BenchmarkFindAmongTenThousand(b *testing.B) {
	w := awssim.New(awssim.Options{})
	defer w.Close()
	crowd(w, 10_000)
	client := ami.New(ami.Options{EC2: ec2.NewFromConfig(w.Config()), Clock: w.Clock()})
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		choice, err := client.Find(b.Context(), ami.Source{Owners: []string{"self"}, Name: "crowd-*"}, image.Rule{Now: w.Clock().Now()})
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.Sys)/1e6, "MB-process")
		b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/1e6, "MB-held")
		runtime.KeepAlive(choice)
	}
}
