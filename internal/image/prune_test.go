package image_test

import (
	"slices"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

func TestPrune(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	version := func(n int64, days int) image.Version {
		return image.Version{Number: n, Made: now.AddDate(0, 0, -days)}
	}
	byDefault := version(2, 100)
	byDefault.Default = true
	all := []image.Version{version(7, 1), version(1, 200), byDefault, version(4, 31), version(3, 90), version(6, 2), version(5, 30)}
	for _, c := range []struct {
		name string
		all  []image.Version
		keep int
		used map[int64]bool
		want []int64
	}{
		{"the newest and the default stay", all, 3, nil, []int64{1, 3, 4}},
		{"fewer than three count as three", all, 0, nil, []int64{1, 3, 4}},
		{"more are kept", all, 5, nil, []int64{1}},
		{"those in use stay", all, 3, map[int64]bool{3: true, 1: true}, []int64{4}},
		{"younger than 30 days stay", []image.Version{version(1, 29), version(2, 1), version(3, 1), version(4, 1)}, 3, nil, nil},
		{"of 30 days go", []image.Version{version(1, 30), version(2, 1), version(3, 1), version(4, 1)}, 3, nil, []int64{1}},
		{"no more than are kept", all[:3], 3, nil, nil},
		{"none", nil, 3, nil, nil},
	} {
		if got := image.Prune(c.all, c.keep, c.used, now); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %d, want %d of %+v", c.name, got, c.want, c.all)
		}
	}
}
