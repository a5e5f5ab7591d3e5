package calendar

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// What happens to a roll when its window closes.
const (
	FinishBatch = "finish_batch" // what is under way is finished; the rest waits for the next window
	FinishGroup = "finish_group" // the group is finished, within the overrun
	CancelKeep  = "cancel_keep"  // the roll ends; what is new stays
	Rollback    = "rollback"     // the roll goes back
)

// Gates: the condition to open the next wave once the bake is over.
const (
	GateNone     = "none"
	GateApproval = "approval" // somebody says so
)

// ScheduleSpec declares a schedule: windows by environment, the waves of a
// release, and rules for whoever runs it. It is kept as JSON at [SchedulePath].
type ScheduleSpec struct {
	Version      int                          `json:"v"`
	Name         string                       `json:"name"`
	Timezone     string                       `json:"timezone,omitempty"`
	Defaults     map[string]string            `json:"defaults,omitempty"` // of every window
	Environments map[string]map[string]string `json:"environments"`       // windows, as [TagKeys.ReadWindow] reads them
	Selector     *Selector                    `json:"selector,omitempty"` // groups it is for, beside those that name it
	Waves        []WaveSpec                   `json:"waves,omitempty"`
	Budget       int                          `json:"budget,omitempty"` // groups in work at the same time; 0: no limit
	Lock         string                       `json:"lock,omitempty"`
	OnClose      string                       `json:"on_close,omitempty"` // one of the constants; empty: [FinishBatch]
	Overrun      string                       `json:"overrun,omitempty"`  // how long after the end of a window a roll may go on; empty: not at all
	CatchUp      bool                         `json:"catch_up,omitempty"` // a release that missed its cycle takes the next window
	Splay        string                       `json:"splay,omitempty"`    // groups start spread over so long
	Suspended    bool                         `json:"suspended,omitempty"`
	Keys         TagKeys                      `json:"tag_keys,omitzero"`
	// Roll and Source are settings of rolls and of the image source. They are
	// carried, not judged.
	Roll    json.RawMessage `json:"rolling_update,omitempty"`
	Source  json.RawMessage `json:"source,omitempty"`
	Cleared bool            `json:"cleared,omitempty"` // withdrawn, as in [FreezeSpec]
}

// WaveSpec is one step of a release: an environment, or a part of the groups,
// or both.
type WaveSpec struct {
	Environment string    `json:"environment,omitempty"`
	Selector    *Selector `json:"selector,omitempty"`
	Bake        string    `json:"bake,omitempty"`              // how long it must stay good before the next; empty: not at all
	Gate        string    `json:"gate,omitempty"`              // empty: [GateNone]
	Canary      int       `json:"canary_percentage,omitempty"` // part of the wave's groups that go first; 0: all at once
}

// SchedulePath is the path of a schedule's document.
func SchedulePath(name string) string { return ScheduleRoot + "/" + name }

// Schedule is a schedule that can be asked.
type Schedule struct {
	spec    ScheduleSpec
	zone    Zone
	windows map[string]Window
	bakes   []time.Duration
	overrun time.Duration
}

// Spec is the schedule as it is published: equal for equal schedules, however
// they were written.
func (s Schedule) Spec() ScheduleSpec { return s.spec }

// Environments are the names of the environments, sorted.
func (s Schedule) Environments() []string { return slices.Sorted(maps.Keys(s.windows)) }

// Window is the window of an environment.
func (s Schedule) Window(environment string) (Window, bool) {
	w, ok := s.windows[environment]
	return w, ok
}

// Windows are those of an environment, for asking when they open.
func (s Schedule) Windows(environment string) (Windows, bool) {
	w, ok := s.windows[environment]
	return Windows{ID: s.spec.Name, List: []Window{w}}, ok
}

// Overrun is how long after the end of a window a roll may go on.
func (s Schedule) Overrun() time.Duration { return s.overrun }

// UnknownEnvironmentProblem says that a schedule lacks an environment, and
// which it has.
func (s Schedule) UnknownEnvironmentProblem(environment string) Problem {
	known := s.Environments()
	return Problem{Path: []string{"environment"}, Code: UnknownEnvironment, Text: fmt.Sprintf(
		"schedule %q has no environment %q; it has %s.%s", s.spec.Name, environment, oneOf(known), meant(Nearest(environment, known)))}
}

// Parse makes a schedule of its declaration. With an error among the problems
// the schedule must not be used.
func (s ScheduleSpec) Parse() (Schedule, []Problem) {
	out := Schedule{windows: map[string]Window{}}
	problems := append(checkName(s.Name), s.checkRules()...)
	keys := s.Keys.WithDefaults()
	problems = append(problems, keys.check()...)
	if s.Timezone != "" {
		zone, err := ParseZone(s.Timezone)
		if err != nil {
			problems = append(problems, invalid([]string{"timezone"}, "%s", sentence("timezone: "+err.Error())))
			s.Timezone = "UTC" // so that each window is still read once
		}
		out.zone = zone
	}
	_, wrong := keys.read(s.Defaults, windowKeys...)
	problems = append(problems, below([]string{"defaults"}, wrong)...)
	if len(s.Environments) == 0 {
		problems = append(problems, invalid([]string{"environments"}, `environments is empty; give at least one, such as prod = { day = "wed", time = "15:00" }.`))
	}
	for _, e := range slices.Sorted(maps.Keys(s.Environments)) {
		at := []string{"environments", e}
		if e == "" {
			problems = append(problems, invalid([]string{"environments"}, "an environment has no name; give it one."))
		}
		w, wrong := keys.ReadWindow(s.Environments[e], s.Defaults, s.Timezone)
		problems = append(problems, below(at, wrong)...)
		out.windows[e] = w
	}
	bakes, waves, wrong := s.readWaves()
	problems = append(problems, wrong...)
	out.bakes = bakes
	out.overrun, _ = time.ParseDuration(s.Overrun)
	if len(Errors(problems)) == 0 {
		problems = append(problems, tagValues(s.Name, out)...)
		s.Waves = waves
		s.canonical(out)
	}
	out.spec = s
	return out, problems
}

// checkRules looks at what is neither window nor wave.
func (s ScheduleSpec) checkRules() []Problem {
	var problems []Problem
	if s.Selector != nil {
		problems = append(problems, below([]string{"selector"}, s.Selector.check())...)
	}
	if closes := []string{FinishBatch, FinishGroup, CancelKeep, Rollback}; s.OnClose != "" && !slices.Contains(closes, s.OnClose) {
		problems = append(problems, invalid([]string{"on_close"}, "on_close is %q; give %s.%s", s.OnClose, oneOf(closes), meant(Nearest(s.OnClose, closes))))
	}
	for _, d := range []struct{ name, text string }{{"overrun", s.Overrun}, {"splay", s.Splay}} {
		if v, err := time.ParseDuration(d.text); d.text != "" && (err != nil || v < 0) {
			problems = append(problems, invalid([]string{d.name}, `%s is %q; give a duration of zero or more, such as "30m".`, d.name, d.text))
		}
	}
	if s.Budget < 0 {
		problems = append(problems, invalid([]string{"budget"}, "budget is %d; give a number of groups of one or more, or leave it out for no limit.", s.Budget))
	}
	return problems
}

func (s ScheduleSpec) readWaves() ([]time.Duration, []WaveSpec, []Problem) {
	var problems []Problem
	bakes, waves := make([]time.Duration, len(s.Waves)), slices.Clone(s.Waves)
	known := slices.Sorted(maps.Keys(s.Environments))
	for n, w := range s.Waves {
		fail := func(name, format string, args ...any) {
			problems = append(problems, invalid([]string{"waves", strconv.Itoa(n), name}, format, args...))
		}
		switch {
		case w.Environment == "" && w.Selector == nil:
			fail("environment", "wave %d has neither environment nor selector; give one of them, or both.", n+1)
		case w.Environment != "" && !slices.Contains(known, w.Environment):
			problems = append(problems, Problem{Path: []string{"waves", strconv.Itoa(n), "environment"}, Code: UnknownEnvironment, Text: fmt.Sprintf(
				"wave %d is for environment %q, which is not among environments: %s.%s", n+1, w.Environment, oneOf(known), meant(Nearest(w.Environment, known)))})
		}
		if w.Selector != nil {
			problems = append(problems, below([]string{"waves", strconv.Itoa(n), "selector"}, w.Selector.check())...)
			selector := w.Selector.canonical()
			waves[n].Selector = &selector
		}
		if gates := []string{GateNone, GateApproval}; w.Gate != "" && !slices.Contains(gates, w.Gate) {
			fail("gate", "gate is %q; give %s.%s", w.Gate, oneOf(gates), meant(Nearest(w.Gate, gates)))
		}
		if w.Gate == GateNone {
			waves[n].Gate = ""
		}
		if w.Canary < 0 || w.Canary > 100 {
			fail("canary_percentage", "canary_percentage is %d; give 1 to 100, or leave it out.", w.Canary)
		}
		if w.Bake == "" {
			continue
		}
		bake, err := time.ParseDuration(w.Bake)
		if err != nil || bake < 0 {
			fail("bake", `bake is %q; give a duration of zero or more, such as "18h".`, w.Bake)
		}
		bakes[n], waves[n].Bake = bake, briefOrNone(bake)
	}
	return bakes, waves, problems
}

// briefOrNone is a duration in its one spelling; empty for zero.
func briefOrNone(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return Brief(d)
}

// canonical writes the declaration in the one way that its meaning has. What
// most windows share is said once, so that the document stays small.
func (s *ScheduleSpec) canonical(parsed Schedule) {
	s.Version, s.Cleared = Version, false
	if s.OnClose == FinishBatch {
		s.OnClose = ""
	}
	overrun, _ := time.ParseDuration(s.Overrun) // both were checked
	splay, _ := time.ParseDuration(s.Splay)
	s.Overrun, s.Splay = briefOrNone(overrun), briefOrNone(splay)
	if s.Keys.WithDefaults() == DefaultTagKeys {
		s.Keys = TagKeys{}
	}
	if s.Selector != nil {
		selector := s.Selector.canonical()
		s.Selector = &selector
	}
	full := make(map[string]map[string]string, len(parsed.windows))
	for e, w := range parsed.windows {
		full[e] = map[string]string{
			keyDay: w.Day.String(), keyTime: w.Time.String(), keyTimezone: w.Zone.String(),
			keyDuration: Brief(w.Duration), keyCutoff: Brief(w.Cutoff),
		}
	}
	s.Defaults = map[string]string{}
	for _, key := range []string{keyTimezone, keyDuration, keyCutoff} {
		common := commonest(full, key)
		for _, w := range full {
			if w[key] == common {
				delete(w, key)
			}
		}
		s.Defaults[key] = common
	}
	s.Timezone = s.Defaults[keyTimezone]
	delete(s.Defaults, keyTimezone)
	if s.Defaults[keyCutoff] == "0s" {
		delete(s.Defaults, keyCutoff)
	}
	s.Environments = full
}

// commonest is the value that most windows have; the smallest among equals.
func commonest(windows map[string]map[string]string, key string) string {
	count := map[string]int{}
	for _, w := range windows {
		count[w[key]]++
	}
	best := ""
	for _, value := range slices.Sorted(maps.Keys(count)) {
		if best == "" || count[value] > count[best] {
			best = value
		}
	}
	return best
}
