package calendar

import (
	"fmt"
	"regexp"
	"slices"
)

// tagValue is what AWS takes as a tag's value; a dash of the longer kinds, a
// comma or a bracket is refused there.
var tagValue = regexp.MustCompile(`^[\p{L}\p{Nd} +=._:/@-]{0,256}$`)

// tagKey is what AWS takes as a tag's key.
var tagKey = regexp.MustCompile(`^[\p{L}\p{Nd} +=._:/@-]{1,128}$`)

// check finds keys that AWS would refuse, or that two attributes share.
func (k TagKeys) check() []Problem {
	var problems []Problem
	seen := map[string]string{}
	for _, part := range []struct{ name, key string }{
		{"day", k.Day}, {"time", k.Time}, {"timezone", k.Timezone}, {"schedule", k.Schedule}, {"environment", k.Environment},
	} {
		at := []string{"tag_keys", part.name}
		if !tagKey.MatchString(part.key) || len(part.key) > 4 && part.key[:4] == "aws:" {
			problems = append(problems, invalid(at, "%.140q is no key of a tag that AWS takes; use up to 128 letters, digits, spaces and + - = . _ : / @, not beginning with aws:.", part.key))
		}
		if other := seen[part.key]; other != "" {
			problems = append(problems, invalid(at, "%q is the key of both %s and %s; give each its own.", part.key, other, part.name))
		}
		seen[part.key] = part.name
	}
	return problems
}

// tagValues finds values that AWS would refuse on a tag.
func tagValues(name string, s Schedule) []Problem {
	var problems []Problem
	for _, e := range s.Environments() {
		for _, v := range []string{name, s.windows[e].Day.String(), s.windows[e].Time.String(), s.windows[e].Zone.String()} {
			if !tagValue.MatchString(v) {
				problems = append(problems, invalid([]string{"environments", e}, "%q cannot be the value of a tag; AWS takes letters, digits, spaces and + - = . _ : / @.", v))
			}
		}
	}
	return problems
}

// Tags are what goes on the groups of an environment, so that they select the
// schedule and show their window.
func (s Schedule) Tags(environment string) map[string]string {
	w := s.windows[environment]
	k := s.spec.Keys.WithDefaults()
	return map[string]string{k.Day: w.Day.String(), k.Time: w.Time.String(), k.Timezone: w.Zone.String(), k.Schedule: s.spec.Name}
}

// MergeTags lays a team's override over the defaults of its environment, both
// in any spelling, and gives the tags of the result under the usual keys. It
// is what a plain merge() gets wrong when the two are spelled differently.
func MergeTags(defaults, override map[string]string) (map[string]string, []Problem) {
	keys := append(slices.Clone(windowKeys), keySchedule)
	d, problems := DefaultTagKeys.read(defaults, keys...)
	problems = below([]string{"defaults"}, problems)
	o, more := DefaultTagKeys.read(override, keys...)
	problems = append(problems, below([]string{"override"}, more)...)
	if len(Errors(problems)) > 0 {
		return nil, problems
	}
	s := merged(d, o)
	zoned := s.value[keyTimezone] != ""
	if !zoned {
		s.value[keyTimezone] = "UTC" // not shown: which zone holds is for the schedule to say
	}
	w, wrong := windowOf(s)
	problems = append(problems, wrong...)
	out := map[string]string{DefaultTagKeys.Day: w.Day.String(), DefaultTagKeys.Time: w.Time.String()}
	if zoned {
		out[DefaultTagKeys.Timezone] = w.Zone.String()
	}
	if name := s.value[keySchedule]; name != "" {
		out[DefaultTagKeys.Schedule] = name
		if !nameForm.MatchString(name) {
			problems = append(problems, invalid(s.path(keySchedule), "schedule is %.80q, which is no name of a schedule; give 1 to 64 letters, digits, '_', '.' or '-'.", name))
		}
	}
	return out, problems
}

// Reading is what the tags of a group say.
type Reading struct {
	Schedule    string
	Environment string
	Window      Window // of day and time on the tags; zero: they have none
	Findings    []Problem
}

// Readable tells whether nothing in the tags stands in the way.
func (r Reading) Readable() bool { return len(Errors(r.Findings)) == 0 }

// ReadTags reads the tags of a group. Other tags are left alone. Where a zone
// is missing, timezone holds. What cannot be read is a finding, and the group
// must not be touched on the strength of the rest.
func (k TagKeys) ReadTags(tags map[string]string, timezone string) Reading {
	k = k.WithDefaults()
	r := Reading{Environment: tags[k.Environment]}
	names := []string{keyDay, keyTime, keyTimezone, keySchedule}
	own := map[string]string{}
	for name, spellings := range k.spellings() {
		for _, key := range spellings {
			// A tag called plainly "day" or "schedule" is somebody else's.
			if value, there := tags[key]; there && key != name {
				own[key] = value
			}
		}
	}
	s, problems := k.read(own, names...)
	r.Schedule = s.value[keySchedule]
	if r.Schedule != "" && !nameForm.MatchString(r.Schedule) {
		problems = append(problems, invalid(s.path(keySchedule), "%.80q is no name of a schedule.", r.Schedule))
	}
	_, hasDay := s.value[keyDay]
	_, hasTime := s.value[keyTime]
	if hasDay || hasTime {
		if s.value[keyTimezone] == "" {
			s.value[keyTimezone] = timezone
		}
		w, wrong := windowOf(s)
		problems = append(problems, wrong...)
		if len(Errors(problems)) == 0 {
			r.Window = w
		}
	}
	for n := range problems {
		if problems[n].Code == Invalid {
			problems[n].Code = InvalidTag
		}
		problems[n].Text = fmt.Sprintf("tags: %s", problems[n].Text)
	}
	r.Findings = problems
	return r
}

// Environment finds the environment of a group in a schedule by what its tags
// say: the environment they name, else the one whose window they show.
func (s Schedule) environmentOf(r Reading) (environment string, findings []Problem, ok bool) {
	shown := r.Window
	if w, there := s.windows[r.Environment]; there {
		if !shown.Day.IsZero() && !shows(shown, w) {
			findings = append(findings, s.drift(shown, r.Environment, w))
		}
		return r.Environment, findings, true
	}
	if shown.Day.IsZero() {
		return "", nil, false
	}
	for _, e := range s.Environments() {
		if shows(shown, s.windows[e]) {
			return e, nil, true
		}
	}
	return "", []Problem{{Code: TagDrift, Text: fmt.Sprintf("the tags say %s, and no environment of schedule %q has that window.", shown.Brief(), s.spec.Name)}}, false
}

// shows tells whether tags with one window are right about another: they have
// no duration.
func shows(tags, w Window) bool {
	return tags.Day == w.Day && tags.Time == w.Time && tags.Zone == w.Zone
}

func (s Schedule) drift(tags Window, environment string, w Window) Problem {
	return Problem{Code: TagDrift, Warn: true, Text: fmt.Sprintf(
		"the tags say %s %s %s, and schedule %q has %s %s %s for %s; the schedule holds. Apply the stack that sets the tags.",
		tags.Day, tags.Time, tags.Zone, s.spec.Name, w.Day, w.Time, w.Zone, environment)}
}
