package image_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

func TestSuperseded(t *testing.T) {
	t.Parallel()
	all := []image.Image{
		{ID: "ami-1", Name: "web-1", State: "available", CreatedAt: epoch.Add(-9 * day)},
		{ID: "ami-2", Name: "web-2", State: "pending", CreatedAt: epoch.Add(-7 * day)}, // counts for nothing
		{ID: "ami-3", Name: "web-30", State: "available", CreatedAt: epoch.Add(-5 * day)},
		{ID: "ami-4", Name: "web-4", State: "available", CreatedAt: epoch.Add(-3*day - time.Hour)},
	}
	byVersion := image.Sort{Pattern: regexp.MustCompile(`-([0-9]+)$`)}
	for _, c := range []struct {
		n    int
		sort image.Sort
		want string
	}{
		{0, image.Sort{}, "ami-1 (web-1, 9 days old, superseded since 2026-11-11)"},
		{1, image.Sort{}, "ami-2 (web-2, 7 days old, superseded since 2026-11-11)"},
		{3, image.Sort{}, "ami-4 (web-4, 3 days 1 h old)"},
		{2, byVersion, "ami-3 (web-30, 5 days old)"},
		{3, byVersion, "ami-4 (web-4, 3 days 1 h old, superseded since 2026-11-13)"}, // since it was made itself
	} {
		rule := image.Rule{Now: epoch, Sort: c.sort}
		if got := image.Choose(all, rule).Words(all[c.n], rule); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if got := all[3].AgeDays(epoch); got != 3 {
		t.Errorf("got an age of %d days, want 3 whole ones", got)
	}
}
