package image_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

func TestBanActive(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		ban  image.Ban
		want bool
	}{
		"none":         {image.Ban{}, false},
		"for ever":     {image.Ban{Image: "ami-1"}, true},
		"still":        {image.Ban{Image: "ami-1", Until: now.Add(time.Second)}, true},
		"just over":    {image.Ban{Image: "ami-1", Until: now}, false},
		"lifted":       {image.Ban{Image: "ami-1", Cleared: true}, false},
		"lifted early": {image.Ban{Image: "ami-1", Cleared: true, Until: now.Add(time.Hour)}, false},
	} {
		if got := c.ban.Active(now); got != c.want {
			t.Errorf("%s: %+v active at %s is %v, want %v", name, c.ban, now, got, c.want)
		}
	}
}

func TestBansWhy(t *testing.T) {
	t.Parallel()
	bans := image.Bans{
		Active: []image.Ban{
			{Image: "ami-1", Reason: "kernel panics."},
			{Image: "ami-3", Reason: "CVE-2026-1", Until: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
		},
		Origins: map[string][]string{"ami-2": {"ami-1"}, "ami-4": {"ami-3", "ami-1"}, "ami-1": {"ami-3"}, "ami-6": {"ami-5"}},
	}
	for id, want := range map[string]string{
		"ami-1": "ami-1 is banned: kernel panics", // its own ban comes first
		"ami-2": "ami-2 is a copy of ami-1, which is banned: kernel panics",
		"ami-3": "ami-3 is banned until 2026-12-01 00:00 UTC: CVE-2026-1",
		"ami-4": "ami-4 is a copy of ami-3, which is banned until 2026-12-01 00:00 UTC: CVE-2026-1",
		"ami-5": "", "ami-6": "", "": "",
	} {
		if got := bans.Why(id); got != want {
			t.Errorf("%s: got %q, want %q", id, got, want)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	got := image.Origins(map[string]string{"c": "b", "b": "a", "a": "", "x": "gone", "round": "about", "about": "round", "self": "self"})
	want := map[string][]string{"c": {"b", "a"}, "b": {"a"}, "x": {"gone"}, "round": {"about"}, "about": {"round"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever the sources, circles among them, each chain ends, names no image
// twice and goes from copy to source.
func TestOriginsEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sources := map[string]string{}
		for n := range 8 {
			if from := rapid.IntRange(-1, 9).Draw(t, "from"); from >= 0 {
				sources[fmt.Sprint(n)] = fmt.Sprint(from)
			}
		}
		for id, chain := range image.Origins(sources) {
			at := id
			for _, next := range chain {
				if sources[at] != next {
					t.Fatalf("of %v: chain %v of %s has %s after %s", sources, chain, id, next, at)
				}
				at = next
			}
			if slices.Sort(chain); len(slices.Compact(chain)) != len(chain) || slices.Contains(chain, id) {
				t.Fatalf("of %v: chain %v of %s repeats itself", sources, chain, id)
			}
		}
	})
}
