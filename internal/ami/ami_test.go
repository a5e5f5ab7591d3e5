package ami_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const scenario = `
start = "2026-11-20T09:00:00Z"

image "golden-web-1" {
  id      = "ami-00000000000000001"
  created = "2026-10-05T04:00:00Z"
}

image "golden-web-2" {
  id      = "ami-00000000000000002"
  created = "2026-11-02T04:00:00Z"
}

template "web" {
  version {
    image         = "golden-web-1"
    instance_type = "t3.small"
    description   = "by hand"
  }
}
`

const (
	first  = "ami-00000000000000001"
	second = "ami-00000000000000002"
)

// docs keeps documents in memory.
type docs map[string][]byte

func (d docs) Get(_ context.Context, path string, doc any) (bool, error) {
	body, ok := d[path]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(body, doc)
}

func (d docs) Put(_ context.Context, path string, doc any) error {
	body, err := json.Marshal(doc)
	d[path] = body
	return err
}

type fixture struct {
	*ami.Client
	world    *awssim.World
	docs     docs
	template string
}

func start(t *testing.T) fixture {
	t.Helper()
	s, err := awssim.ParseScenario(t.Name(), scenario)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	client := ec2.NewFromConfig(w.Config())
	out, err := client.DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{})
	if err != nil || len(out.LaunchTemplates) != 1 {
		t.Fatalf("got %v, %v; want one template", out, err)
	}
	d := docs{}
	return fixture{
		ami.New(ami.Options{EC2: client, SSM: ssm.NewFromConfig(w.Config()), Docs: d, Clock: w.Clock()}), w, d,
		aws.ToString(out.LaunchTemplates[0].LaunchTemplateId),
	}
}

func TestEnsureMakesOneVersion(t *testing.T) {
	t.Parallel()
	f := start(t)
	for try := range 3 {
		made, err := f.Ensure(t.Context(), ami.Want{Template: f.template, Source: 1, Image: second})
		if err != nil {
			t.Fatal(err)
		}
		v := made.Version
		if v.Number != 2 || v.Image != second || v.Description != "by hand" || made.New != (try == 0) {
			t.Errorf("try %d: got %+v, new %v; want version 2 with %s, made by the first try", try, v, made.New, second)
		}
	}
	want := fmt.Sprintf(`"version":2,"source":1,"image":%q`, second)
	if got := string(f.docs["versions/"+f.template]); !strings.Contains(got, want) {
		t.Errorf("got record %s, want it to hold %s", got, want)
	}
}

func TestEnsureAfterALostAnswer(t *testing.T) {
	t.Parallel()
	f := start(t)
	if _, err := f.world.Inject(awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.LoseAnswer, Times: 1}); err != nil {
		t.Fatal(err)
	}
	want := ami.Want{Template: f.template, Source: 1, Image: second}
	if _, err := f.Ensure(t.Context(), want); err == nil {
		t.Fatal("got no error although the answer was lost")
	}
	made, err := f.Ensure(t.Context(), want)
	if err != nil || made.Version.Number != 2 || made.New {
		t.Errorf("got %+v, %v; want version 2, made before", made, err)
	}
}

// behind lists no version above a number, as AWS does for a while after it made one.
type behind struct {
	*ec2.Client
	last int64
}

func (b behind) DescribeLaunchTemplateVersions(ctx context.Context, in *ec2.DescribeLaunchTemplateVersionsInput, o ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	out, err := b.Client.DescribeLaunchTemplateVersions(ctx, in, o...)
	if err == nil && len(in.Versions) == 0 {
		out.LaunchTemplateVersions = slices.DeleteFunc(out.LaunchTemplateVersions, func(v types.LaunchTemplateVersion) bool { return *v.VersionNumber > b.last })
	}
	return out, err
}

// The client token makes one version of one wish, also while AWS does not list
// it yet, and two of two.
func TestEnsureByToken(t *testing.T) {
	t.Parallel()
	f := start(t)
	const third = "ami-00000000000000003"
	f.world.AddImage(awssim.Image{ID: third, Name: "golden-web-3"})
	api := ec2.NewFromConfig(f.world.Config())
	if _, err := api.CreateLaunchTemplateVersion(t.Context(), &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: &f.template, SourceVersion: aws.String("1"), LaunchTemplateData: &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Large},
	}); err != nil {
		t.Fatal(err)
	}
	client := ami.New(ami.Options{EC2: behind{api, 2}, Docs: f.docs, Clock: f.world.Clock()})
	if _, err := f.world.Inject(awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.LoseAnswer, Times: 1}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		source int64
		image  string
		want   int64 // 0: the answer is lost
	}{
		{"lost", 1, second, 0},
		{"the same again", 1, second, 3},
		{"later", 1, second, 3},
		{"another image", 1, third, 4},
		{"another source", 2, second, 5},
	} {
		f.world.Advance(time.Second)
		made, err := client.Ensure(t.Context(), ami.Want{Template: f.template, Source: c.source, Image: c.image})
		if made.Version.Number != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%s: got version %d, %v; want %d", c.name, made.Version.Number, err, c.want)
		}
	}
}

func TestEnsureCopiesAnOldVersionAgain(t *testing.T) {
	t.Parallel()
	f := start(t)
	// 2 has the second image, 3 goes back to the first one.
	for n, id := range []string{second, first, second} {
		made, err := f.Ensure(t.Context(), ami.Want{Template: f.template, Image: id})
		if err != nil || made.Version.Number != int64(n+2) || !made.New {
			t.Fatalf("got %+v, %v; want a new version %d", made, err, n+2)
		}
	}
	template, err := f.Template(t.Context(), f.template)
	if err != nil || len(template.Versions) != 4 {
		t.Fatalf("got %d versions, %v; want 4", len(template.Versions), err)
	}
	v := template.Versions
	if v[1].Data != v[3].Data || v[0].Data != v[2].Data || v[0].Data == v[1].Data || v[0].Bare != v[3].Bare {
		t.Errorf("got hashes that do not tell the data apart: %+v", v)
	}
}

func TestEnsureErrors(t *testing.T) {
	t.Parallel()
	f := start(t)
	var version *ami.VersionError
	if _, err := f.Ensure(t.Context(), ami.Want{Template: f.template, Source: 7, Image: second}); !errors.As(err, &version) || version.Latest != 1 {
		t.Errorf("got %v, want a version error that names the latest", err)
	}
	if _, err := f.Ensure(t.Context(), ami.Want{Template: "lt-0123456789abcdef0", Image: second}); !errors.Is(err, ami.ErrNoTemplate) {
		t.Errorf("got %v, want %v", err, ami.ErrNoTemplate)
	}
	if _, err := f.Image(t.Context(), "ami-0123456789abcdef0"); !errors.Is(err, ami.ErrNoImage) {
		t.Errorf("got %v, want %v", err, ami.ErrNoImage)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	f := start(t)
	source := ami.Source{Owners: []string{"self"}, Name: "golden-*"}
	rule := image.Rule{Now: f.world.Clock().Now()}
	found, err := f.Find(t.Context(), source, rule)
	if err != nil || len(found.Acceptable) != 2 || found.Acceptable[0].ID != second {
		t.Errorf("got %v, %v; want the second image first", found, err)
	}
	source.Filters = map[string][]string{"architecture": {"arm64"}, "tag:Stage": {"golden"}}
	var none *ami.NoImageError
	if _, err = f.Find(t.Context(), source, rule); !errors.As(err, &none) {
		t.Fatalf("got %v, want no image", err)
	}
	if got, want := none.Error(), `no image of self is acceptable; of 2 images: architecture "arm64" removed 2`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestKnownIsShared(t *testing.T) {
	t.Parallel()
	f := start(t)
	for range 3 {
		if _, err := f.Known(t.Context(), f.template); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.world.Calls()["ec2:DescribeLaunchTemplateVersions"]; got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
}
