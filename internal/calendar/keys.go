package calendar

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// TagKeys are the keys of the tags on a group that select its schedule and
// show its window. An empty one stands for its default.
type TagKeys struct {
	Day         string `json:"day,omitempty"`
	Time        string `json:"time,omitempty"`
	Timezone    string `json:"timezone,omitempty"`
	Schedule    string `json:"schedule,omitempty"`
	Environment string `json:"environment,omitempty"`
}

// DefaultTagKeys are the keys that are used where none are configured. Many
// stacks spell the first four with AMI_refresh_ instead; see [OtherTagKeys].
var DefaultTagKeys = TagKeys{
	Day: "AMI_update_day", Time: "AMI_update_time", Timezone: "AMI_update_tz", Schedule: "AMI_update_schedule",
	Environment: "Environment",
}

// OtherTagKeys are the other spelling in use. It is always understood.
var OtherTagKeys = TagKeys{
	Day: "AMI_refresh_day", Time: "AMI_refresh_time", Timezone: "AMI_refresh_tz", Schedule: "AMI_refresh_schedule",
}

// WithDefaults fills in the keys that are not configured.
func (k TagKeys) WithDefaults() TagKeys {
	for to, from := range map[*string]string{
		&k.Day: DefaultTagKeys.Day, &k.Time: DefaultTagKeys.Time, &k.Timezone: DefaultTagKeys.Timezone,
		&k.Schedule: DefaultTagKeys.Schedule, &k.Environment: DefaultTagKeys.Environment,
	} {
		if *to == "" {
			*to = from
		}
	}
	return k
}

// Names of a window's attributes. The first four are on tags too.
const (
	keyDay      = "day"
	keyTime     = "time"
	keyTimezone = "timezone"
	keySchedule = "schedule"
	keyDuration = "duration"
	keyCutoff   = "cutoff"
)

// spellings are what every attribute may be called, in order of preference.
func (k TagKeys) spellings() map[string][]string {
	k = k.WithDefaults()
	return map[string][]string{
		keyDay:      unique(keyDay, k.Day, DefaultTagKeys.Day, OtherTagKeys.Day),
		keyTime:     unique(keyTime, k.Time, DefaultTagKeys.Time, OtherTagKeys.Time),
		keyTimezone: unique(keyTimezone, k.Timezone, DefaultTagKeys.Timezone, OtherTagKeys.Timezone),
		keySchedule: unique(keySchedule, k.Schedule, DefaultTagKeys.Schedule, OtherTagKeys.Schedule),
		keyDuration: {keyDuration},
		keyCutoff:   {keyCutoff},
	}
}

func unique(words ...string) []string {
	var out []string
	for _, w := range words {
		if w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// settings are the attributes of a window by their plain names, and the key
// that each was found under.
type settings struct {
	value, key map[string]string
}

// path is where an attribute was written; its plain name where it was not.
func (s settings) path(name string) []string {
	if key := s.key[name]; key != "" {
		return []string{key}
	}
	return []string{name}
}

// read sorts what somebody wrote by plain names; only some of these may be
// there. An attribute in several spellings is a problem: a warning where all
// mean the same, since the next edit of one of them would not.
func (k TagKeys) read(written map[string]string, allowed ...string) (settings, []Problem) {
	s, problems := settings{map[string]string{}, map[string]string{}}, []Problem(nil)
	spellings := k.spellings()
	var known []string
	used := map[string]bool{}
	for _, name := range allowed {
		known = append(known, spellings[name]...)
		for _, key := range spellings[name] {
			value, there := written[key]
			if !there {
				continue
			}
			used[key] = true
			if first := s.key[name]; first != "" {
				problems = append(problems, mixture(name, first, s.value[name], key, value))
				continue
			}
			s.key[name], s.value[name] = key, value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(written)) {
		if !used[key] {
			problems = append(problems, Problem{Path: []string{key}, Code: UnknownKey, Text: fmt.Sprintf(
				"%q is no key of a window; the keys are %s.%s", key, oneOf(allowed), meant(Nearest(key, known)))})
		}
	}
	if p, mixed := s.families(); mixed {
		problems = append(problems, p)
	}
	return s, problems
}

// mixture is the problem of one attribute under two keys.
func mixture(name, first, value, second, other string) Problem {
	if same(name, value, other) {
		return Problem{Path: []string{second}, Code: MixedKeys, Warn: true, Text: fmt.Sprintf(
			"%s and %s are two spellings of one key, here with the same meaning; keep one of them, or the next change of one is lost.", first, second)}
	}
	return Problem{Path: []string{second}, Code: MixedKeys, Text: fmt.Sprintf(
		"%s is %q and %s is %q: two spellings of one key with different values, as merge() leaves them behind; write both maps with the same keys.",
		first, value, second, other)}
}

// families finds a window whose day is in one spelling and whose time is in
// another. It is complete, but half of it may be a leftover.
func (s settings) families() (Problem, bool) {
	family := func(key string) string {
		i := strings.LastIndex(key, "_")
		if i < 0 {
			return ""
		}
		return key[:i]
	}
	day, time := s.key[keyDay], s.key[keyTime]
	if family(day) == "" || family(time) == "" || family(day) == family(time) {
		return Problem{}, false
	}
	return Problem{Path: []string{time}, Code: MixedKeys, Warn: true, Text: fmt.Sprintf(
		"%s and %s are of two spellings; keep to one of them, or the next change of one is lost.", day, time)}, true
}

// same tells whether two values of an attribute mean the same.
func same(name, a, b string) bool {
	if a == b {
		return true
	}
	switch name {
	case keyDay:
		p, err1 := ParsePhrase(a)
		q, err2 := ParsePhrase(b)
		return err1 == nil && err2 == nil && p == q
	case keyDuration, keyCutoff:
		p, err1 := time.ParseDuration(a)
		q, err2 := time.ParseDuration(b)
		return err1 == nil && err2 == nil && p == q
	}
	return false
}

// merged lays an override over defaults: what is in the override counts,
// whatever the spelling of either.
func merged(defaults, override settings) settings {
	out := settings{maps.Clone(defaults.value), maps.Clone(defaults.key)}
	maps.Copy(out.value, override.value)
	maps.Copy(out.key, override.key)
	return out
}
