package image_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

var noon = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)

var copying = image.Copying{Region: "eu-west-1"}

// made is a copy of an image as Refit makes it.
func made(id, original string, at int, change func(*image.Image)) image.Image {
	i := image.Image{
		ID: id, State: image.Available, SourceID: original, SourceRegion: "eu-west-1", CreatedAt: noon.Add(time.Duration(at) * time.Hour),
		Tags: copying.Tags(image.Image{ID: original}, "lt-1", "token", nil),
	}
	if change != nil {
		change(&i)
	}
	return i
}

// strange is a copy that somebody else made.
func strange(id string, change func(*image.Image)) image.Image {
	return made(id, "ami-a", 0, func(i *image.Image) {
		i.Tags = nil
		if change != nil {
			change(i)
		}
	})
}

func TestCopyOf(t *testing.T) {
	t.Parallel()
	plain, key := copying, image.Copying{Region: "eu-west-1", Encrypted: true, Key: "alias/golden"}
	encrypted := image.Copying{Region: "eu-west-1", Encrypted: true}
	keyed := func(i *image.Image) {
		i.Tags, i.Encrypted = key.Tags(image.Image{ID: "ami-a"}, "lt-1", "token", nil), true
	}
	for name, c := range map[string]struct {
		want  image.Copying
		from  image.Image
		all   []image.Image
		inUse string
		id    string // empty: one has to be made
	}{
		"none":                      {plain, image.Image{}, nil, "", ""},
		"the newest":                {plain, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, nil), made("ami-2", "ami-a", 2, nil)}, "", "ami-2"},
		"what is in use":            {plain, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, nil), made("ami-2", "ami-a", 2, nil)}, "ami-1", "ami-1"},
		"in use, seen first":        {plain, image.Image{}, []image.Image{made("ami-2", "ami-a", 2, nil), made("ami-1", "ami-a", 1, nil)}, "ami-2", "ami-2"},
		"in use, but pending":       {plain, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, nil), made("ami-2", "ami-a", 2, func(i *image.Image) { i.State = image.Pending })}, "ami-2", "ami-1"},
		"in use, of another image":  {plain, image.Image{}, []image.Image{made("ami-1", "ami-b", 1, nil), made("ami-2", "ami-a", 2, nil)}, "ami-1", "ami-2"},
		"what is available first":   {plain, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, nil), made("ami-2", "ami-a", 2, func(i *image.Image) { i.State = image.Pending })}, "", "ami-1"},
		"else what is pending":      {plain, image.Image{}, []image.Image{made("ami-2", "ami-a", 2, func(i *image.Image) { i.State = image.Pending })}, "", "ami-2"},
		"none that failed":          {plain, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, func(i *image.Image) { i.State = "failed" })}, "", ""},
		"none that is disabled":     {plain, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, func(i *image.Image) { i.State = "disabled" })}, "", ""},
		"not of another image":      {plain, image.Image{}, []image.Image{made("ami-1", "ami-b", 1, nil)}, "", ""},
		"not of another region":     {plain, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, func(i *image.Image) { i.SourceRegion = "us-east-1" })}, "", ""},
		"not of another key":        {encrypted, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, keyed)}, "", ""},
		"of that key":               {key, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, keyed)}, "", "ami-1"},
		"not without encryption":    {encrypted, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, nil)}, "", ""},
		"somebody else's":           {plain, image.Image{}, []image.Image{strange("ami-1", nil)}, "", "ami-1"},
		"theirs, key unknown":       {key, image.Image{}, []image.Image{strange("ami-1", func(i *image.Image) { i.Encrypted = true })}, "", ""},
		"theirs, encrypted":         {encrypted, image.Image{}, []image.Image{strange("ami-1", func(i *image.Image) { i.Encrypted = true })}, "", "ami-1"},
		"theirs, encrypted, why":    {plain, image.Image{}, []image.Image{strange("ami-1", func(i *image.Image) { i.Encrypted = true })}, "", ""},
		"theirs, as the original":   {plain, image.Image{Encrypted: true}, []image.Image{strange("ami-1", func(i *image.Image) { i.Encrypted = true })}, "", "ami-1"},
		"Refit's tags on another's": {key, image.Image{}, []image.Image{made("ami-1", "ami-a", 1, func(i *image.Image) { keyed(i); i.Tags[image.TagOriginal] = "eu-west-1/ami-b" })}, "", ""},
	} {
		c.from.ID = "ami-a"
		got, ok := c.want.CopyOf(c.from, c.all, c.inUse)
		if got.ID != c.id || ok != (c.id != "") {
			t.Errorf("%s: copy of %+v among %+v, %q in use: got %q, %t, want %q", name, c.from, c.all, c.inUse, got.ID, ok, c.id)
		}
	}
}

func TestPruneCopies(t *testing.T) {
	t.Parallel()
	all := []image.Image{
		made("ami-1", "ami-a", 1, nil), made("ami-2", "ami-b", 2, nil), made("ami-3", "ami-c", 3, nil), made("ami-4", "ami-d", 4, nil),
		made("ami-5", "ami-e", 0, func(i *image.Image) { i.State = "failed" }),
		made("ami-6", "ami-f", 0, func(i *image.Image) { i.State = image.Pending }),
		made("ami-7", "ami-g", 0, func(i *image.Image) { i.Tags[image.TagTemplate] = "lt-2" }),
		strange("ami-8", nil),
		made("ami-9", "ami-h", 0, func(i *image.Image) { i.SourceID = "ami-1" }), // a copy of a copy, tags and all
		made("ami-a", "ami-i", 0, func(i *image.Image) { i.SourceID, i.SourceRegion = "", "" }),
	}
	for name, c := range map[string]struct {
		keep int
		used map[string]bool
		want []string
	}{
		"all are kept":       {0, nil, []string{"ami-5"}},
		"one":                {1, nil, []string{"ami-1", "ami-2", "ami-3", "ami-5"}},
		"one, others in use": {1, map[string]bool{"ami-1": true, "ami-3": true}, []string{"ami-2", "ami-5"}},
		"more than there":    {9, nil, []string{"ami-5"}},
	} {
		var got []string
		for _, i := range image.PruneCopies(all, "lt-1", c.keep, c.used) {
			got = append(got, i.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: keep %d, used %v: got %v, want %v", name, c.keep, c.used, got, c.want)
		}
	}
}

// drawCopies are images of which most are copies, and which of them are in use.
func drawCopies(t *rapid.T) (all []image.Image, used map[string]bool) {
	states := []string{image.Available, image.Pending, "failed", "disabled"}
	used = map[string]bool{}
	for n := range rapid.IntRange(0, 12).Draw(t, "images") {
		original := fmt.Sprintf("ami-o%d", rapid.IntRange(0, 3).Draw(t, "original"))
		i := made(fmt.Sprintf("ami-%02d", n), original, rapid.IntRange(0, 3).Draw(t, "age"), func(i *image.Image) {
			i.State = rapid.SampledFrom(states).Draw(t, "state")
			if rapid.Bool().Draw(t, "strange") {
				delete(i.Tags, image.TagCopy)
			}
		})
		used[i.ID] = rapid.Bool().Draw(t, "used")
		all = append(all, i)
	}
	return all, used
}

// Whatever the copies are, those in use, the newest and those that Refit did not
// make stay, and the order of the list is no matter.
func TestPruneCopies_keeps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all, used := drawCopies(t)
		keep := rapid.IntRange(0, 4).Draw(t, "keep")
		gone := image.PruneCopies(all, "lt-1", keep, used)
		shuffled := slices.Clone(all)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] }) //nolint:gosec // any order does
		if again := image.PruneCopies(shuffled, "lt-1", keep, used); len(again) != len(gone) {
			t.Fatalf("in another order: got %v, want %v", again, gone)
		}
		usable := func(i image.Image) bool {
			return i.MadeByRefit() && (i.State == image.Available || i.State == "disabled")
		}
		for _, g := range gone {
			newer := 0
			for _, i := range all {
				if usable(i) && (i.CreatedAt.After(g.CreatedAt) || i.CreatedAt.Equal(g.CreatedAt) && i.ID > g.ID) {
					newer++
				}
			}
			if !g.MadeByRefit() || g.State == image.Pending || usable(g) && (used[g.ID] || keep == 0 || newer < keep) {
				t.Fatalf("of %+v with keep %d and used %v: %+v is to go", all, keep, used, g)
			}
		}
		for _, i := range all {
			stays := !slices.ContainsFunc(gone, func(g image.Image) bool { return g.ID == i.ID })
			if stays && i.MadeByRefit() && i.State == "failed" {
				t.Fatalf("of %+v: %+v failed and is to stay", all, i)
			}
		}
	})
}

func TestCopyingWords(t *testing.T) {
	t.Parallel()
	original := image.Image{ID: "ami-a", Name: "golden-web-2", SizeGiB: 8}
	for name, c := range map[string]struct {
		want image.Copying
		last image.Took
		text string
	}{
		"the first": {
			copying,
			image.Took{},
			"ami-a (golden-web-2, 8 GiB) is copied from eu-west-1. AWS promises no time for that: some GiB take minutes, hundreds of GiB may take hours.",
		},
		"encrypted": {
			image.Copying{Region: "eu-west-1", Encrypted: true},
			image.Took{SizeGiB: 16, Time: 14 * time.Minute},
			"ami-a (golden-web-2, 8 GiB) is copied from eu-west-1, encrypted with the default key of EBS. That takes roughly 7 min, going by the last copy (16 GiB in 14 min).",
		},
		"with a key": {
			image.Copying{Region: "eu-west-1", Encrypted: true, Key: "alias/golden"},
			image.Took{SizeGiB: 8, Time: 20 * time.Second},
			"ami-a (golden-web-2, 8 GiB) is copied from eu-west-1, encrypted with alias/golden. That takes roughly 1 min, going by the last copy (8 GiB in 1 min).",
		},
	} {
		if got := c.want.Words(original, c.last); got != c.text {
			t.Errorf("%s: got %q, want %q", name, got, c.text)
		}
	}
}

// Copies that Refit made are no originals.
func TestChoose_originals(t *testing.T) {
	t.Parallel()
	all := []image.Image{{ID: "ami-a", State: image.Available, CreatedAt: noon}, made("ami-1", "ami-a", 1, nil)}
	for wanted, want := range map[bool]string{true: "ami-a", false: "ami-1"} {
		i, ok := image.Choose(all, image.Rule{Originals: wanted, Now: noon.Add(48 * time.Hour)}).Newest()
		if !ok || i.ID != want {
			t.Errorf("originals %t: got %s, %t, want %s", wanted, i.ID, ok, want)
		}
	}
}

func TestBackTo(t *testing.T) {
	t.Parallel()
	held := func(id string) bool { return strings.HasPrefix(id, "ami-bad") }
	for _, c := range []struct{ history, want []string }{
		{nil, nil},
		{[]string{"ami-3"}, []string{"ami-3"}},
		{[]string{"ami-3", "ami-2", "ami-1"}, []string{"ami-3", "ami-2"}},
		{[]string{"ami-bad3", "ami-2", "ami-1"}, []string{"ami-bad3", "ami-2"}},
		{[]string{"ami-4", "ami-bad3", "ami-bad2", "ami-1", "ami-0"}, []string{"ami-4", "ami-bad3", "ami-bad2", "ami-1"}},
		{[]string{"ami-2", "ami-bad1"}, []string{"ami-2", "ami-bad1"}},
	} {
		if got := image.BackTo(c.history, held); !slices.Equal(got, c.want) {
			t.Errorf("of %q, got %q, want %q", c.history, got, c.want)
		}
	}
}
