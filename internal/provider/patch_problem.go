package provider

import (
	"slices"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// patchSummaries say what a problem of the calendar is about. They name no
// resource: Terraform shows one of many with the same summary.
var patchSummaries = map[string]string{
	calendar.Invalid:            "Not usable",
	calendar.UnknownKey:         "Unknown key",
	calendar.MixedKeys:          "Two spellings of a key",
	calendar.UnknownEnvironment: "Unknown environment",
	calendar.ClockChange:        "A window at a change of the clocks",
	calendar.ShortWindow:        "A window shorter than the roll",
	calendar.OverlappingWindows: "Windows overlap",
	calendar.CadenceTrap:        "A wave that misses its window",
	calendar.LongFreeze:         "Little time without a freeze",
	calendar.Ended:              "It has ended",
	calendar.TagDrift:           "Tags and schedule disagree",
	calendar.InvalidTag:         "A tag that cannot be read",
	calendar.Unmanaged:          "Unknown schedule",
}

// patchProblems makes diagnostics of what the calendar found.
func patchProblems(found []calendar.Problem) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, p := range found {
		summary, at := patchSummaries[p.Code], patchPath(p.Path)
		if len(p.Path) > 1 {
			// Terraform shows the resource only where it cannot find the place.
			p.Text = at.String() + ": " + p.Text
		}
		switch {
		case p.Warn && len(p.Path) == 0:
			diags.AddWarning(summary, p.Text)
		case p.Warn:
			diags.AddAttributeWarning(at, summary, p.Text)
		case len(p.Path) == 0:
			diags.AddError(summary, p.Text)
		default:
			diags.AddAttributeError(at, summary, p.Text)
		}
	}
	return diags
}

// patchMaps are the attributes whose children are keys of a map.
var patchMaps = []string{"environments", "defaults", "all", "any", "none"}

// patchPath is the path of an attribute as the calendar names it:
// ["waves", "1", "bake"] or ["environments", "prod", "day"].
func patchPath(steps []string) path.Path {
	at := path.Empty()
	for n, step := range steps {
		index, err := strconv.Atoi(step)
		switch {
		case n == 0:
			at = path.Root(step)
		case (steps[n-1] == "waves" || steps[n-1] == "windows") && err == nil:
			at = at.AtListIndex(index)
		case slices.Contains(patchMaps, steps[n-1]), steps[0] == "environments", steps[0] == "windows":
			at = at.AtMapKey(step)
		default:
			at = at.AtName(step)
		}
	}
	return at
}
