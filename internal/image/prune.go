package image

import (
	"slices"
	"time"
)

// Version is a launch template version, as far as keeping it goes.
type Version struct {
	Number  int64
	Made    time.Time
	Default bool
}

// LeastKept is the least number of versions that may be asked to be kept: the
// one in use, the one before it to go back to, and one more.
const LeastKept = 3

// PruneAge is how long a version is kept whatever else is true of it. What uses
// versions without being a group (a fleet, a run by hand) names young ones.
const PruneAge = 30 * 24 * time.Hour

// Prune chooses the versions of a template to delete, lowest number first: all
// but the newest keep, the default, those in use, and those younger than
// [PruneAge]. A keep below [LeastKept] counts as that.
func Prune(all []Version, keep int, used map[int64]bool, now time.Time) []int64 {
	all = slices.SortedFunc(slices.Values(all), func(a, b Version) int { return int(b.Number - a.Number) })
	var out []int64
	for _, v := range all[min(len(all), max(keep, LeastKept)):] {
		if !v.Default && !used[v.Number] && now.Sub(v.Made) >= PruneAge {
			out = append(out, v.Number)
		}
	}
	slices.Sort(out)
	return out
}
