package provider

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestNumbersHoldWhatWasPacked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfNDistinct(rapid.Int64Range(1, 40), 0, 20, rapid.ID).Draw(t, "list")
		slices.Sort(list)
		packed := pack(list)
		for n := int64(0); n < 45; n++ {
			if got, want := packed.has(strconv.FormatInt(n, 10)), slices.Contains(list, n); got != want {
				t.Fatalf("%v packed to %q: has %d is %v, want %v", list, packed, n, got, want)
			}
		}
	})
}

func TestNumbersStaySmallAndKeepTheNewest(t *testing.T) {
	t.Parallel()
	var list []int64
	for n := int64(1); n < 20_000; n += 2 {
		list = append(list, n)
	}
	packed := pack(list)
	if len(packed) > 250 || !packed.has("19999") || packed.has("19998") {
		t.Errorf("got %d bytes: %s", len(packed), packed)
	}
}

func TestAttributePaths(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"final_bake": "final_bake", "health.min_healthy_time": "health.min_healthy_time",
		"checkpoints[12].bake": "checkpoints[12].bake", "checkpoints[0].percentage": "checkpoints[0].percentage",
	} {
		if got := attribute(field).String(); got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
}

// longestWindow is a window that fills everything to its bound.
func longestWindow() *windowSeen {
	return &windowSeen{Why: strings.Repeat("y", mostWhy), Length: 604_800, Brief: strings.Repeat("b", 120), Finding: strings.Repeat("f", 250)}
}

// largest is a snapshot that fills everything to its bound.
func largest() groupSeen {
	var list []int64
	for n := int64(50_000); n < 50_400; n += 3 {
		list = append(list, n, n+1)
	}
	s := groupSeen{
		Target: 50_000, Image: "ami-0123456789abcdef0", Same: pack(list), Latest: 50_000, Default: 50_000,
		Points: 50_000, Desired: 10_000, Max: 10_000, Targets: true, From: "ami-0123456789abcdef0", Times: [3]int{9999, 9999, 9999},
		Protected: [2]int{5000, 5000}, Standby: [2]int{5000, 5000}, Left: 10_000,
		Spot: true, Weighed: "memory-mib", Weights: []int{100, 998, 999}, Units: [2]int{10_000, 10_000},
	}
	for range 6 {
		s.Zones = append(s.Zones, zoneSeen{"ap-northeast-1-iah-1a", 5000, 5000})
	}
	for range 3 {
		s.Held = append(s.Held, heldSeen{pack(list), rollout.Clip(strings.Repeat("ä", 500), 250), strings.Repeat("r", 64), "ami-0123456789abcdef0"})
	}
	s.Missing = strings.Repeat("m", 250)
	s.Window = longestWindow()
	for range 2 {
		s.Problems = append(s.Problems, strings.Repeat("p", mostWarning))
		s.Warnings = append(s.Warnings, strings.Repeat("w", mostWarning))
	}
	return s
}

func TestSnapshotsStayBelowTwoKilobytes(t *testing.T) {
	t.Parallel()
	group := largest()
	group.fit()
	ami := amiSeen{
		Image: imageSeen{"ami-0123456789abcdef0", strings.Repeat("n", 128), "2026-11-20T09:00:00Z", "ami-0123456789abcdef1"}, Version: "10000", Latest: "10000",
		Same: group.Same, Root: strings.Repeat("r", mostWarning), Caution: strings.Repeat("c", mostWarning), Warnings: []string{strings.Repeat("w", mostWarning), strings.Repeat("w", mostWarning)}, Window: longestWindow(),
	}
	ami.fit()
	for name, seen := range map[string]any{"group": group, "ami": ami} {
		body, err := json.Marshal(seen)
		if err != nil || len(body) > 2048 {
			t.Errorf("%s: got %d bytes, %v; want at most 2048", name, len(body), err)
		}
	}
	if group.Window.Why == "" || ami.Window.Why == "" {
		t.Error("got no reason of a closed window, want one")
	}
	if len(group.Problems) == 0 || len(group.Held) == 0 {
		t.Errorf("got %d problems and %d held versions, want at least one each", len(group.Problems), len(group.Held))
	}
}

func TestCertain(t *testing.T) {
	t.Parallel()
	found := []rollout.Problem{
		{Field: "max_healthy_percentage"}, {Field: "final_bake"}, {Field: "checkpoints[1].percentage"}, {Field: "instance_timeout"}, {},
	}
	for unknown, want := range map[string]int{
		"": 5, "min_healthy_percentage": 4, "final_bake": 4, "checkpoints": 4, "health.min_healthy_time": 4, "on_failure": 5,
	} {
		if got := certain(found, map[string]bool{unknown: unknown != ""}); len(got) != want {
			t.Errorf("with %q unknown: got %v, want %d of %v", unknown, got, want, found)
		}
	}
}

// priorRoll is a converged group of four on version 2.
func priorRoll() rollingUpdateModel {
	m := rollingUpdateModel{AutoscalingGroupName: types.StringValue("web")}
	m.fill(survey{assessment: rollout.Assessment{Found: rollout.Version{Number: 2}}})
	m.Converged, m.MaxHealthy = types.BoolValue(true), types.Int64Value(150)
	m.ImageID = types.StringValue("ami-2")
	return m
}

// seenRoll is what Read saw of it after a rollback: 4 is a copy of 2, and 3 is
// in quarantine.
func seenRoll() *groupSeen {
	return &groupSeen{
		Target: 2, Image: "ami-2", Same: "2,4", Latest: 4, Default: 1, Points: 4, Converged: true, Desired: 4, Max: 8,
		Zones: []zoneSeen{{Zone: "a", Stale: 0, New: 2}, {Zone: "b", New: 2}}, From: "ami-2", Held: []heldSeen{{Versions: "3", Why: "it failed", Retry: "once"}},
	}
}

func TestPlanRollingUpdate(t *testing.T) {
	t.Parallel()
	text := types.StringValue
	for name, c := range map[string]struct {
		change  func(m *rollingUpdateModel)
		seen    func(s *groupSeen)
		version types.String // planned launch_template_version
		rolls   bool
		diags   int
	}{
		"nothing":               {version: text("2")},
		"settings only":         {change: func(m *rollingUpdateModel) { m.MinHealthy = types.Int64Value(90) }, version: text("2")},
		"a copy":                {change: func(m *rollingUpdateModel) { m.LaunchTemplateVersion = text("4") }, version: text("2")},
		"a copy and stale ones": {change: func(m *rollingUpdateModel) { m.LaunchTemplateVersion = text("4") }, seen: func(s *groupSeen) { s.Converged = false }, version: text("4"), rolls: true},
		"another":               {change: func(m *rollingUpdateModel) { m.LaunchTemplateVersion, m.ImageID = text("5"), text("ami-5") }, version: text("5"), rolls: true},
		"not known":             {change: func(m *rollingUpdateModel) { m.LaunchTemplateVersion = types.StringUnknown() }, version: types.StringUnknown(), rolls: true, diags: 1},
		"held":                  {change: func(m *rollingUpdateModel) { m.LaunchTemplateVersion, m.ImageID = text("3"), text("ami-3") }, version: text("2"), diags: 1},
		"held, same retry": {
			change:  func(m *rollingUpdateModel) { m.LaunchTemplateVersion, m.Retry = text("3"), text("once") },
			version: text("2"), diags: 1,
		},
		"held, new retry": {
			change: func(m *rollingUpdateModel) {
				m.LaunchTemplateVersion, m.ImageID, m.Retry = text("3"), text("ami-3"), text("twice")
			},
			version: text("3"), rolls: true,
		},
		"banned, new retry": {
			change: func(m *rollingUpdateModel) {
				m.LaunchTemplateVersion, m.ImageID, m.Retry = text("3"), text("ami-3"), text("twice")
			},
			seen:    func(s *groupSeen) { s.Held[0].Ban = "ami-3" },
			version: text("2"), diags: 1,
		},
		"latest with equal data":     {change: func(m *rollingUpdateModel) { m.LaunchTemplateVersion = text("$Latest") }, version: text("$Latest")},
		"default with other":         {change: func(m *rollingUpdateModel) { m.LaunchTemplateVersion = text("$Default") }, version: text("$Default"), rolls: true},
		"drift":                      {seen: func(s *groupSeen) { s.Converged = false; s.Zones[0] = zoneSeen{Zone: "a", Stale: 1, New: 1} }, version: text("2"), rolls: true},
		"refused, but nothing to do": {seen: func(s *groupSeen) { s.Problems = []string{"no"} }, version: text("2")},
		"refused":                    {seen: func(s *groupSeen) { s.Problems = []string{"no"}; s.Converged = false }, version: text("2"), rolls: true, diags: 1},
		"no headroom": {
			change:  func(m *rollingUpdateModel) { m.LaunchTemplateVersion, m.ImageID = text("5"), text("ami-5") },
			seen:    func(s *groupSeen) { s.Max = 4 },
			version: text("5"), rolls: true, diags: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prior, plan, seen := priorRoll(), priorRoll(), seenRoll()
			if c.change != nil {
				c.change(&plan)
			}
			if c.seen != nil {
				c.seen(seen)
			}
			got := planRollingUpdate(t.Context(), prior, plan, seen, 5*time.Second)
			if !got.model.LaunchTemplateVersion.Equal(c.version) {
				t.Errorf("got version %s, want %s", got.model.LaunchTemplateVersion, c.version)
			}
			if got.model.Converged.IsUnknown() != c.rolls || got.model.LastRoll.IsUnknown() != c.rolls {
				t.Errorf("got converged %s and last_roll %s; want unknown: %v", got.model.Converged, got.model.LastRoll, c.rolls)
			}
			if len(got.diags) != c.diags {
				t.Errorf("got diagnostics %v, want %d", got.diags, c.diags)
			}
			again := planRollingUpdate(t.Context(), prior, plan, seen, 5*time.Second)
			if a, b := fmt.Sprint(got.model), fmt.Sprint(again.model); a != b {
				t.Errorf("planned again with the same arguments:\n%s\nwas\n%s", b, a)
			}
		})
	}
}

func TestPlanAMIRefresh(t *testing.T) {
	t.Parallel()
	text := types.StringValue
	prior := func() amiRefreshModel {
		return amiRefreshModel{
			LaunchTemplateID: text("lt-1"), SourceVersion: text("1"), ImageID: text("ami-2"), ImageName: text("two"),
			ImageCreatedAt: text("2026-11-02T04:00:00Z"), LaunchTemplateVersion: text("2"),
		}
	}
	for name, c := range map[string]struct {
		change         func(m *amiRefreshModel)
		seen           amiSeen
		source         types.String
		image, version types.String
	}{
		"nothing":              {seen: amiSeen{Image: imageSeen{ID: "ami-2"}, Version: "2", Same: "1-2"}, source: text("1"), image: text("ami-2"), version: text("2")},
		"new image":            {seen: amiSeen{Image: imageSeen{ID: "ami-3"}, Same: "1-2"}, source: text("1"), image: text("ami-3"), version: types.StringUnknown()},
		"source made by refit": {change: func(m *amiRefreshModel) { m.SourceVersion = text("2") }, seen: amiSeen{Image: imageSeen{ID: "ami-2"}, Version: "2", Same: "1-2"}, source: text("1"), image: text("ami-2"), version: text("2")},
		"source gone":          {change: func(m *amiRefreshModel) { m.SourceVersion = text("2") }, seen: amiSeen{Image: imageSeen{ID: "ami-2"}, Version: "2", Same: "2"}, source: text("2"), image: text("ami-2"), version: text("2")},
		"source edited":        {change: func(m *amiRefreshModel) { m.SourceVersion = text("3") }, seen: amiSeen{Image: imageSeen{ID: "ami-2"}, Version: "2", Same: "1-2"}, source: text("3"), image: text("ami-2"), version: types.StringUnknown()},
		"source not known":     {change: func(m *amiRefreshModel) { m.SourceVersion = types.StringUnknown() }, seen: amiSeen{Image: imageSeen{ID: "ami-2"}, Version: "2", Same: "1-2"}, source: types.StringUnknown(), image: text("ami-2"), version: types.StringUnknown()},
		"source left out":      {change: func(m *amiRefreshModel) { m.SourceVersion = types.StringNull() }, seen: amiSeen{Image: imageSeen{ID: "ami-2"}, Version: "2", Same: "1-2", Latest: "2"}, source: types.StringNull(), image: text("ami-2"), version: text("2")},
		"other template":       {change: func(m *amiRefreshModel) { m.LaunchTemplateID = text("lt-2") }, seen: amiSeen{Image: imageSeen{ID: "ami-2"}, Version: "2", Same: "1-2"}, source: text("1"), image: types.StringUnknown(), version: types.StringUnknown()},
	} {
		plan := prior()
		if c.change != nil {
			c.change(&plan)
		}
		got := planAMIRefresh(prior(), plan, &c.seen, time.Time{})
		if !got.SourceVersion.Equal(c.source) || !got.ImageID.Equal(c.image) || !got.LaunchTemplateVersion.Equal(c.version) {
			t.Errorf("%s: got source %s, image %s, version %s; want %s, %s, %s", name,
				got.SourceVersion, got.ImageID, got.LaunchTemplateVersion, c.source, c.image, c.version)
		}
	}
}

// anyVersion draws a launch_template_version; unknown ones only where asked.
func anyVersion(t *rapid.T, unknown bool) types.String {
	list := []types.String{types.StringNull(), types.StringValue("$Latest"), types.StringValue("$Default")}
	for _, n := range []string{"1", "2", "4", "5"} { // not 3, which is in quarantine and so never made anew
		list = append(list, types.StringValue(n))
	}
	if unknown {
		list = append(list, types.StringUnknown(), types.StringUnknown(), types.StringUnknown())
	}
	return rapid.SampledFrom(list).Draw(t, "version")
}

func anyImage(t *rapid.T, unknown bool) types.String {
	list := []types.String{types.StringNull(), types.StringValue("ami-1"), types.StringValue("ami-2"), types.StringValue("ami-5")}
	if unknown {
		list = append(list, types.StringUnknown(), types.StringUnknown())
	}
	return rapid.SampledFrom(list).Draw(t, "image")
}

// What is planned while a version or an image is unknown must still be planned
// once it is known, whatever it turns out to be: Terraform plans again during
// apply and ends in "Provider produced inconsistent final plan" otherwise.
func TestPlanRollingUpdateKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		prior, plan, seen := priorRoll(), priorRoll(), seenRoll()
		seen.Converged = rapid.Bool().Draw(t, "converged")
		if !seen.Converged {
			seen.Zones[0] = zoneSeen{Zone: "a", Stale: 1, New: 1}
			if seen.Named = rapid.Bool().Draw(t, "named"); seen.Named {
				seen.From = "ami-1"
			}
		}
		plan.LaunchTemplateVersion, plan.ImageID = anyVersion(t, true), anyImage(t, true)
		if rapid.Bool().Draw(t, "closed") {
			seen.Window = &windowSeen{Why: "outside window"}
			plan.Schedule, prior.Schedule = types.StringValue("web"), types.StringValue("web")
			plan.OutsideWindow = types.StringValue(rapid.SampledFrom([]string{"defer", "wait", "fail", "run"}).Draw(t, "outside"))
			if rapid.Bool().Draw(t, "first time") {
				prior.LaunchTemplateVersion, prior.ImageID = types.StringNull(), types.StringNull()
			}
		}
		plan.Match = types.StringValue(rapid.SampledFrom([]string{"data", "image"}).Draw(t, "match"))
		final := plan
		if final.LaunchTemplateVersion.IsUnknown() {
			final.LaunchTemplateVersion = anyVersion(t, false)
		}
		if final.ImageID.IsUnknown() {
			final.ImageID = anyImage(t, false)
		}
		before := planRollingUpdate(t.Context(), prior, plan, seen, 5*time.Second).model
		after := planRollingUpdate(t.Context(), prior, final, seen, 5*time.Second).model
		for name, v := range map[string][2]attr.Value{
			"launch_template_version": {before.LaunchTemplateVersion, after.LaunchTemplateVersion}, "image_id": {before.ImageID, after.ImageID},
			"target_version": {before.TargetVersion, after.TargetVersion}, "converged": {before.Converged, after.Converged},
			"last_roll": {before.LastRoll, after.LastRoll}, "forecast": {before.Forecast, after.Forecast},
		} {
			if broken(v[0], v[1]) {
				t.Fatalf("%s was planned %s, and %s with version %s and image %s", name, v[0], v[1], final.LaunchTemplateVersion, final.ImageID)
			}
		}
	})
}

// broken tells whether a planned value does not leave room for the final one.
func broken(planned, final attr.Value) bool {
	if planned.IsUnknown() {
		return false
	}
	before, ok := planned.(types.Object)
	if !ok || before.IsNull() {
		return !planned.Equal(final)
	}
	after, ok := final.(types.Object)
	if !ok || after.IsNull() || after.IsUnknown() {
		return true
	}
	for name, v := range before.Attributes() {
		if broken(v, after.Attributes()[name]) {
			return true
		}
	}
	return false
}

// TestForecastOfAParameterTakenBack: after a rollback, the parameter of version 1
// means the broken image, and the members run the one before.
func TestForecastOfAParameterTakenBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version types.String
		image   string                // empty: not known yet
		warning string                // empty: none
		want    map[string]attr.Value // of the forecast; nil: it is not known
	}{
		"back":                {version: types.StringUnknown(), image: "ami-2", warning: "Members run ami-2 already."},
		"back, known":         {version: types.StringValue("5"), image: "ami-2", warning: "Members run ami-2 already."},
		"back, same version":  {version: types.StringValue("1"), image: "ami-2", warning: "Members run ami-2 already."},
		"perhaps back":        {version: types.StringValue("5"), warning: "known only then"},
		"on to another image": {version: types.StringUnknown(), image: "ami-5", want: map[string]attr.Value{"stale": types.Int64Value(4), "from_image": types.StringValue("ami-2")}},
		"to the broken image": {version: types.StringValue("1"), image: "ami-3", want: map[string]attr.Value{"stale": types.Int64Value(4), "from_image": types.StringValue("ami-2")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prior, plan, seen := priorRoll(), priorRoll(), seenRoll()
			seen.Target, seen.Image, seen.Named, seen.Same, seen.Converged, seen.Held = 1, "ami-3", true, "1", false, nil
			seen.Zones = []zoneSeen{{Zone: "a", Stale: 2}, {Zone: "b", Stale: 2}}
			prior.LaunchTemplateVersion, prior.Converged = types.StringValue("1"), types.BoolValue(false)
			plan.LaunchTemplateVersion, plan.ImageID = c.version, types.StringValue(c.image)
			if c.image == "" {
				plan.ImageID = types.StringUnknown()
			}
			got := planRollingUpdate(t.Context(), prior, plan, seen, 5*time.Second)
			if !got.model.Converged.IsUnknown() {
				t.Errorf("got converged %s, want it unknown", got.model.Converged)
			}
			if c.warning == "" && len(got.diags) != 0 || c.warning != "" && (len(got.diags) != 1 || !strings.Contains(got.diags[0].Detail(), c.warning)) {
				t.Errorf("got diagnostics %v, want %q", got.diags, c.warning)
			}
			if unknown := got.model.Forecast.IsUnknown(); unknown != (c.want == nil) {
				t.Fatalf("got forecast %s, want unknown: %v", got.model.Forecast, c.want == nil)
			}
			for name, want := range c.want {
				if have := got.model.Forecast.Attributes()[name]; !have.Equal(want) {
					t.Errorf("%s: got %s, want %s", name, have, want)
				}
			}
		})
	}
}

func TestForecastLeavesOutAnUnfinishedRollsSurge(t *testing.T) {
	t.Parallel()
	seen := seenRoll()
	seen.Max, seen.Zones = 6, []zoneSeen{{Zone: "a", Stale: 2, New: 1}, {Zone: "b", Stale: 2, New: 1}} // two of its new members are surplus
	prior, plan := priorRoll(), priorRoll()
	seen.Converged = false
	got := planRollingUpdate(t.Context(), prior, plan, seen, 5*time.Second)
	if len(got.diags) != 0 || got.model.Forecast.IsUnknown() {
		t.Fatalf("got %v, %s; want a forecast", got.diags, got.model.Forecast)
	}
	for name, want := range map[string]int64{"stale": 4, "lowest_healthy": 4, "highest_launched": 6} {
		if have := got.model.Forecast.Attributes()[name]; !have.Equal(types.Int64Value(want)) {
			t.Errorf("%s: got %s, want %d", name, have, want)
		}
	}
}

// TestForecastOfWeights: a plan counts in units of capacity where the group does.
func TestForecastOfWeights(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(*groupSeen)
		want    map[string]int64 // of the forecast
		problem string           // empty: none
	}{
		{
			"of 4, in members of 4", func(s *groupSeen) { s.Weights = []int{4} },
			map[string]int64{"stale": 3, "lowest_healthy": 12, "highest_launched": 16, "batches": 3},
			"",
		},
		{
			"of 4 and 2, in members of 2", func(s *groupSeen) { s.Weights, s.Zones[0].Stale, s.Zones[1].Stale = []int{2, 4}, 4, 2 },
			map[string]int64{"stale": 6, "lowest_healthy": 12, "highest_launched": 16, "batches": 3},
			"",
		},
		{
			"with a roll's surge", func(s *groupSeen) { s.Weights, s.Zones[1].New, s.Units[1] = []int{4}, 1, 4 },
			map[string]int64{"stale": 3, "lowest_healthy": 12, "highest_launched": 16, "batches": 3},
			"",
		},
		{"no multiple", func(s *groupSeen) { s.Weights = []int{2, 5} }, nil, "5 is no multiple of the weight 2"},
		{"spot", func(s *groupSeen) { s.Weights, s.Spot = []int{2, 4}, true }, nil, "Spot Instances of different weights"},
		{"weighed by AWS", func(s *groupSeen) { s.Weighed = "vcpu" }, nil, `desired capacity type is "vcpu"`},
		{"no room", func(s *groupSeen) { s.Weights, s.Max = []int{4}, 14 }, nil, "raise max_size of the group to at least 16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seen := seenRoll()
			seen.Desired, seen.Max, seen.Converged = 12, 24, false
			seen.Zones, seen.Units = []zoneSeen{{Zone: "a", Stale: 2}, {Zone: "b", Stale: 1}}, [2]int{12}
			c.change(seen)
			got := planRollingUpdate(t.Context(), priorRoll(), priorRoll(), seen, 5*time.Second)
			if c.problem != "" {
				if len(got.diags) != 1 || !strings.Contains(got.diags[0].Detail(), c.problem) {
					t.Fatalf("got %v, want an error with %q", got.diags, c.problem)
				}
				return
			}
			if len(got.diags) != 0 || got.model.Forecast.IsUnknown() {
				t.Fatalf("got %v, %s; want a forecast", got.diags, got.model.Forecast)
			}
			for name, want := range c.want {
				if have := got.model.Forecast.Attributes()[name]; !have.Equal(types.Int64Value(want)) {
					t.Errorf("%s: got %s, want %d", name, have, want)
				}
			}
		})
	}
}
