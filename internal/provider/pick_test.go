package provider

import (
	"slices"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// What a plan says of images in quarantine: one that is in use and stays is not
// called passed over.
func TestPick(t *testing.T) {
	t.Parallel()
	option := func(id, held string) image.Option {
		return image.Option{Image: image.Image{ID: id}, Held: held, Known: true}
	}
	for name, c := range map[string]struct {
		options  []image.Option
		inUse    string
		pick     string // empty: what is in state stays
		warnings []string
		kept     string
	}{
		"a newer one failed": {
			options: []image.Option{option("ami-3", "ami-3 is in quarantine"), option("ami-2", ""), option("ami-1", "")}, inUse: "ami-2",
			pick: "ami-2", warnings: []string{"Passed over: ami-3 is in quarantine."},
		},
		"the one in use failed": {
			options: []image.Option{option("ami-2", "ami-2 is in quarantine"), option("ami-1", "")},
			pick:    "ami-1", warnings: []string{"Passed over: ami-2 is in quarantine."},
		},
		"the one in use failed, and runs elsewhere": {
			options: []image.Option{option("ami-3", "ami-3 is banned"), option("ami-2", "ami-2 is in quarantine"), option("ami-1", "ami-1 is banned")}, inUse: "ami-2",
			warnings: []string{"Passed over: ami-3 is banned."}, kept: "ami-2 is in quarantine.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen amiSeen
			p, ok := look{options: c.options, inUse: c.inUse}.pick("ami-2", &seen)
			got := ""
			if ok {
				got = p.Image.ID
			}
			if got != c.pick || !slices.Equal(seen.Warnings, c.warnings) || seen.Kept != c.kept {
				t.Errorf("pick of %+v: got %q, warnings %q, kept %q; want %q, %q, %q", c.options, got, seen.Warnings, seen.Kept, c.pick, c.warnings, c.kept)
			}
		})
	}
}
