package awssim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

func TestDescribeImages(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	now := w.Clock().Now()
	for _, i := range []awssim.Image{
		{ID: "ami-a", Name: "golden-web-1", Tags: map[string]string{"Team": "web"}},
		{ID: "ami-b", Name: "golden-web-2", Architecture: "arm64", DeprecatedAt: now.Add(-time.Hour)},
		{ID: "ami-c", Name: "al2023-ami-1", Owner: "137112412989", OwnerAlias: "amazon", Public: true},
		{ID: "ami-d", Name: "al2023-ami-2", Owner: "137112412989", OwnerAlias: "amazon", Public: true, DeprecatedAt: now.Add(time.Hour)},
		{ID: "ami-e", Name: "golden-web-3", State: "pending"},
		{ID: "ami-f", Name: "secret", Owner: "999999999999"},
		{ID: "ami-g", Name: "golden-web-4", State: "disabled"},
	} {
		w.AddImage(i)
	}
	list := func(in ec2.DescribeImagesInput) (out []string) {
		t.Helper()
		answer, err := client.DescribeImages(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range answer.Images {
			out = append(out, *i.ImageId)
		}
		return out
	}
	for name, c := range map[string]struct {
		in   ec2.DescribeImagesInput
		want []string
	}{
		"all that is visible":  {ec2.DescribeImagesInput{}, []string{"ami-a", "ami-b", "ami-c", "ami-d", "ami-e"}},
		"own":                  {ec2.DescribeImagesInput{Owners: []string{"self"}}, []string{"ami-a", "ami-b", "ami-e"}},
		"own, disabled too":    {ec2.DescribeImagesInput{Owners: []string{"self"}, IncludeDisabled: aws.Bool(true)}, []string{"ami-a", "ami-b", "ami-e", "ami-g"}},
		"by alias":             {ec2.DescribeImagesInput{Owners: []string{"amazon"}}, []string{"ami-c", "ami-d"}},
		"by account":           {ec2.DescribeImagesInput{Owners: []string{"137112412989"}}, []string{"ami-c", "ami-d"}},
		"by name":              {ec2.DescribeImagesInput{Filters: []types.Filter{filter("name", "golden-web-?")}}, []string{"ami-a", "ami-b", "ami-e"}},
		"by name and state":    {ec2.DescribeImagesInput{Filters: []types.Filter{filter("name", "golden*"), filter("state", "available")}}, []string{"ami-a", "ami-b"}},
		"by tag":               {ec2.DescribeImagesInput{Filters: []types.Filter{filter("tag:Team", "we*")}}, []string{"ami-a"}},
		"by one of two":        {ec2.DescribeImagesInput{Filters: []types.Filter{filter("architecture", "arm64", "mips")}}, []string{"ami-b"}},
		"by id":                {ec2.DescribeImagesInput{ImageIds: []string{"ami-b"}}, []string{"ami-b"}},
		"that others execute":  {ec2.DescribeImagesInput{ExecutableUsers: []string{"all"}}, []string{"ami-c", "ami-d"}},
		"with nothing to show": {ec2.DescribeImagesInput{Filters: []types.Filter{filter("name", "x")}}, nil},
	} {
		if got := list(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	w.Advance(2 * time.Hour)
	if got := list(ec2.DescribeImagesInput{Owners: []string{"amazon"}}); !slices.Equal(got, []string{"ami-c"}) {
		t.Errorf("after the deprecation: got %v, want ami-c alone", got)
	}
	if got := list(ec2.DescribeImagesInput{Owners: []string{"amazon"}, IncludeDeprecated: aws.Bool(true)}); len(got) != 2 {
		t.Errorf("deprecated ones too: got %v, want both", got)
	}
	for _, id := range []string{"ami-f", "ami-none"} {
		_, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{id}})
		wantCode(t, err, "InvalidAMIID.NotFound", id)
	}
	_, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{"resolve:ssm:/golden/web"}})
	wantCode(t, err, "InvalidAMIID.Malformed", "resolve:ssm:/golden/web")
	_, err = client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Filters: []types.Filter{filter("colour", "red")}})
	wantCode(t, err, "InvalidParameterValue", "The filter 'colour' is invalid")
}

func TestImagePages(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	for range 25 {
		w.AddImage(awssim.Image{})
	}
	pages := ec2.NewDescribeImagesPaginator(client, &ec2.DescribeImagesInput{Owners: []string{"self"}, MaxResults: aws.Int32(10)})
	var sizes []int
	seen := map[string]bool{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Images))
		for _, i := range page.Images {
			seen[*i.ImageId] = true
		}
	}
	if !slices.Equal(sizes, []int{10, 10, 5}) || len(seen) != 25 {
		t.Errorf("got pages of %v with %d images, want 10, 10, 5 with 25", sizes, len(seen))
	}
}

func TestDeregisterImage(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	own, foreign := w.AddImage(awssim.Image{}), w.AddImage(awssim.Image{Owner: "999999999999", Public: true})
	if _, err := client.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: &own}); err != nil {
		t.Fatal(err)
	}
	_, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{own}})
	wantCode(t, err, "InvalidAMIID.NotFound", own)
	_, err = client.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: &foreign})
	wantCode(t, err, "AuthFailure", foreign)
}

func TestTags(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	id := w.AddImage(awssim.Image{Tags: map[string]string{"a": "1"}})
	ctx := t.Context()
	if _, err := client.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{
		{Key: aws.String("a"), Value: aws.String("2")}, {Key: aws.String("b"), Value: aws.String("")},
	}}); err != nil {
		t.Fatal(err)
	}
	tags := func() map[string]string {
		t.Helper()
		out, err := client.DescribeTags(ctx, &ec2.DescribeTagsInput{Filters: []types.Filter{filter("resource-id", id)}})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, tag := range out.Tags {
			got[*tag.Key] = *tag.Value + " on " + string(tag.ResourceType)
		}
		return got
	}
	if got := tags(); len(got) != 2 || got["a"] != "2 on image" || got["b"] != " on image" {
		t.Errorf("got %v, want a = 2 and an empty b", got)
	}
	// A value that is given must be the tag's; without one, any goes.
	if _, err := client.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []types.Tag{
		{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b")},
	}}); err != nil {
		t.Fatal(err)
	}
	if got := tags(); len(got) != 1 || got["a"] != "2 on image" {
		t.Errorf("got %v, want a alone", got)
	}
	_, err := client.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}})
	wantCode(t, err, "InvalidParameterValue", "reserved")
	_, err = client.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{"lt-0"}, Tags: []types.Tag{{Key: aws.String("x"), Value: aws.String("")}}})
	wantCode(t, err, "InvalidLaunchTemplateId.NotFound", "lt-0")
}

func TestAllowedImages(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	own := w.AddImage(awssim.Image{})
	amazon := w.AddImage(awssim.Image{Owner: "137112412989", OwnerAlias: "amazon", Public: true})
	other := w.AddImage(awssim.Image{Owner: "999999999999", Public: true, Tags: map[string]string{"Stage": "golden"}})
	allowed := func(id string) string {
		t.Helper()
		out, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Filters: []types.Filter{filter("image-id", id)}})
		switch {
		case err != nil:
			t.Fatal(err)
		case len(out.Images) == 0:
			return "hidden"
		case out.Images[0].ImageAllowed == nil:
			return "unsaid"
		case *out.Images[0].ImageAllowed:
			return "yes"
		}
		return "no"
	}
	for _, c := range []struct {
		state, own, amazon, other string
	}{{"disabled", "unsaid", "unsaid", "unsaid"}, {"audit-mode", "yes", "yes", "no"}, {"enabled", "yes", "yes", "hidden"}} {
		w.SetAllowedImages(c.state, "amazon")
		if o, a, x := allowed(own), allowed(amazon), allowed(other); o != c.own || a != c.amazon || x != c.other {
			t.Errorf("%s: got own %s, amazon %s, other %s; want %+v", c.state, o, a, x, c)
		}
	}
	_, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{other}})
	wantCode(t, err, "InvalidAMIID.NotFound", other)
}

func TestImageDevices(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	store := w.AddImage(awssim.Image{RootType: "instance-store"})
	secret := w.AddImage(awssim.Image{Owner: "999999999999", SharedWith: []string{"123456789012"}, Encrypted: true, Tags: map[string]string{"Stage": "golden"}})
	out, err := client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{store}, Filters: []types.Filter{filter("root-device-type", "instance-store")}})
	if err != nil || len(out.Images) != 1 || len(out.Images[0].BlockDeviceMappings) != 0 {
		t.Errorf("got %+v, %v; want one image without EBS volumes", out, err)
	}
	out, err = client.DescribeImages(t.Context(), &ec2.DescribeImagesInput{ImageIds: []string{secret}})
	if err != nil || !aws.ToBool(out.Images[0].BlockDeviceMappings[0].Ebs.Encrypted) || len(out.Images[0].Tags) != 0 {
		t.Errorf("got %+v, %v; want an encrypted image without its owner's tags", out, err)
	}
}
