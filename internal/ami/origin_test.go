package ami_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	f := start(t)
	const copied, again, built, abroad, gone = "ami-0000000000000000a", "ami-0000000000000000b", "ami-0000000000000000c", "ami-0000000000000000d", "ami-0000000000000000e"
	f.world.AddImage(awssim.Image{ID: copied, Source: first})
	f.world.AddImage(awssim.Image{ID: again, Source: copied})
	f.world.AddImage(awssim.Image{ID: built, Source: again, SourceInstance: "i-0123456789abcdef0"})
	f.world.AddImage(awssim.Image{ID: abroad, Source: "ami-0000000000000000f"})
	want := map[string][]string{copied: {first}, again: {copied, first}, abroad: {"ami-0000000000000000f"}}
	for range 2 {
		got, err := f.Origins(t.Context(), first, again, copied, built, abroad, gone, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	// One for what was asked, one for the image that nobody can see.
	if n := f.world.Calls()["ec2:DescribeImages"]; n != 2 {
		t.Errorf("got %d calls, want 2: what an image was copied from never changes", n)
	}
}

func TestOriginsOfMany(t *testing.T) {
	t.Parallel()
	f := start(t)
	ids := make([]string, 250)
	for n := range ids {
		ids[n] = fmt.Sprintf("ami-%017x", n+16)
		f.world.AddImage(awssim.Image{ID: ids[n], Source: first})
	}
	got, err := f.Origins(t.Context(), ids...)
	if err != nil || len(got) != len(ids) {
		t.Errorf("got %d of %d, %v", len(got), len(ids), err)
	}
}

func TestOriginsDenied(t *testing.T) {
	t.Parallel()
	f := start(t)
	if _, err := f.world.Inject(awssim.Fault{Calls: "ec2:DescribeImages", Kind: awssim.Deny, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Origins(t.Context(), first); err == nil {
		t.Errorf("got %v, want an error: what is not known must not pass for an original", got)
	}
}
