package ami_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

const built = "ami-0000000000000b001"

// copier is a fixture whose client copies, with an image to copy.
func copier(t *testing.T) (fixture, ami.Order) {
	t.Helper()
	f := start(t)
	client := ec2.NewFromConfig(f.world.Config())
	f.Client = ami.New(ami.Options{EC2: client, Copies: client, SSM: ssm.NewFromConfig(f.world.Config()), Docs: f.docs, Clock: f.world.Clock()})
	f.world.AddImage(awssim.Image{ID: built, Name: "built-1", Region: "eu-west-1"})
	return f, ami.Order{
		For: f.template, Original: image.Image{ID: built, Name: "built-1", SizeGiB: 8}, Copying: image.Copying{Region: "eu-west-1"}, Timeout: time.Hour,
	}
}

func (f fixture) record() string { return string(f.docs["copies/"+f.template]) }

// The token is on record before AWS is asked, and its end when the copy is there.
func TestCopy_recorded(t *testing.T) {
	t.Parallel()
	f, order := copier(t)
	before := ""
	f.world.BeforeCall("ec2:CopyImage", 1, func() { before = f.record() })
	i, err := f.Copy(t.Context(), order)
	if err != nil || i.State != image.Available || i.SourceID != built || !i.MadeByRefit() {
		t.Fatalf("got %+v, %v, want Refit's copy", i, err)
	}
	if !strings.Contains(before, i.Tags[image.TagCopy]) || strings.Contains(before, "ended") {
		t.Errorf("before the call the record was %s, want the open token %s", before, i.Tags[image.TagCopy])
	}
	if want := `"ended":true,"last":{"gib":8,"seconds":480}`; !strings.Contains(f.record(), want) {
		t.Errorf("got record %s, want it to have %s", f.record(), want)
	}
	last, err := f.LastCopy(t.Context(), f.template)
	if want := (image.Took{SizeGiB: 8, Time: 8 * time.Minute}); err != nil || last != want {
		t.Errorf("got %+v, %v, want %+v", last, err, want)
	}
	again, err := f.Copy(t.Context(), order)
	if err != nil || again.ID != i.ID || f.world.Calls()["ec2:CopyImage"] != 1 {
		t.Errorf("again: got %s, %v after %d calls, want %s and no second call", again.ID, err, f.world.Calls()["ec2:CopyImage"], i.ID)
	}
}

// A copy that somebody deletes is made anew, with another token.
func TestCopy_deleted(t *testing.T) {
	t.Parallel()
	f, order := copier(t)
	i, err := f.Copy(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if left := f.Discard(t.Context(), i, i.Tags[image.TagCopy]); len(left) > 0 {
		t.Fatal(left)
	}
	client := ec2.NewFromConfig(f.world.Config())
	f.Client = ami.New(ami.Options{EC2: client, Copies: client, Docs: f.docs, Clock: f.world.Clock()}) // another apply
	again, err := f.Copy(t.Context(), order)
	if err != nil || again.ID == i.ID || again.Tags[image.TagCopy] == i.Tags[image.TagCopy] {
		t.Errorf("got %s, %v, want another copy than %s", again.ID, err, i.ID)
	}
}

// An answer that is lost for good leaves an open token, which is used again for
// a day.
func TestCopy_token(t *testing.T) {
	t.Parallel()
	for later, want := range map[time.Duration]int{time.Hour: 1, 25 * time.Hour: 2} {
		f, order := copier(t)
		if _, err := f.world.Inject(awssim.Fault{Calls: "ec2:CopyImage", Kind: awssim.LoseAnswer, Times: 1}); err != nil {
			t.Fatal(err)
		}
		var unsure *ami.UnsureError
		if _, err := f.Copy(t.Context(), order); !errors.As(err, &unsure) {
			t.Fatalf("got %v, want that it is not known", err)
		}
		// Nobody sees the copy, though it is there.
		f.world.Advance(later)
		out, err := ec2.NewFromConfig(f.world.Config()).DescribeImages(t.Context(), &ec2.DescribeImagesInput{Owners: []string{"self"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range out.Images {
			if aws.ToString(i.SourceImageId) == built {
				f.world.SetImageState(*i.ImageId, "disabled")
			}
		}
		tokens := map[string]bool{}
		first := f.record()
		tokens[first[strings.Index(first, "token"):][:80]] = true
		f.world.BeforeCall("ec2:CopyImage", 1, func() {
			now := f.record()
			tokens[now[strings.Index(now, "token"):][:80]] = true
		})
		_, _ = f.Copy(t.Context(), order) // what comes of a disabled one is tested elsewhere
		if len(tokens) != want {
			t.Errorf("%s later: got %d tokens, want %d: %v", later, len(tokens), want, slices.Sorted(maps.Keys(tokens)))
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	f, _ := copier(t)
	ids := []string{first, second}
	for n := range 12 { // more than one call takes
		ids = append(ids, fmt.Sprintf("ami-0000000000000f%03d", n))
	}
	got, err := f.References(t.Context(), ids...)
	if err != nil || !maps.Equal(got, map[string]bool{first: true}) || f.world.Calls()["ec2:DescribeImageReferences"] != 2 {
		t.Errorf("got %v, %v after %d calls, want the template's image after two", got, err, f.world.Calls()["ec2:DescribeImageReferences"])
	}
}
