package calendar

import (
	"fmt"
	"time"
)

// DefaultDuration is how long a window is open that does not say.
const DefaultDuration = 4 * time.Hour

// mostDuration is the longest window. A week covers everything that repeats by
// the week.
const mostDuration = 7 * 24 * time.Hour

// Window is when a schedule is open: from a local time on certain dates, for
// an elapsed time. It belongs to the date it starts on, whatever midnight it
// crosses. It can be compared.
type Window struct {
	Day      Phrase
	Time     Minute
	Zone     Zone
	Duration time.Duration // above zero, at most a week
	Cutoff   time.Duration // before the end, in which nothing starts; zero: none
}

// NewWindow reads a window of four texts, as the provider functions take them.
func NewWindow(day, at, timezone, duration string) (Window, []Problem) {
	return windowOf(settings{value: map[string]string{
		keyDay: day, keyTime: at, keyTimezone: timezone, keyDuration: duration,
	}})
}

// ReadWindow reads a window of a map, in any spelling of its keys. What it
// lacks is taken from defaults, and a zone from timezone after that. Both maps
// may be nil.
func (k TagKeys) ReadWindow(written, defaults map[string]string, timezone string) (Window, []Problem) {
	d, problems := k.read(defaults, windowKeys...)
	if len(Errors(problems)) > 0 {
		return Window{}, nil // whoever owns the defaults says so
	}
	s, problems := k.read(written, windowKeys...)
	s = merged(d, s)
	if s.value[keyTimezone] == "" && timezone != "" {
		s.value[keyTimezone] = timezone
	}
	if len(Errors(problems)) > 0 {
		return Window{}, problems
	}
	w, more := windowOf(s)
	return w, append(problems, more...)
}

// windowKeys are what a window's map may have.
var windowKeys = []string{keyDay, keyTime, keyTimezone, keyDuration, keyCutoff}

// windowOf makes a window of its settings.
func windowOf(s settings) (Window, []Problem) {
	w, problems := Window{Duration: DefaultDuration}, []Problem(nil)
	fail := func(name string, err error) {
		problems = append(problems, invalid(s.path(name), "%s", sentence(name+": "+err.Error())))
	}
	missing := func(name, form string) {
		problems = append(problems, invalid(nil, "%s is missing; give %s.", name, form))
	}
	var err error
	if text, there := s.value[keyDay]; !there {
		missing(keyDay, phraseForms)
	} else if w.Day, err = ParsePhrase(text); err != nil {
		fail(keyDay, err)
	}
	if text, there := s.value[keyTime]; !there {
		missing(keyTime, `hours and minutes on 24 hours, such as "09:30"`)
	} else if w.Time, err = ParseMinute(text); err != nil {
		fail(keyTime, err)
	}
	if w.Zone, err = ParseZone(s.value[keyTimezone]); err != nil {
		problems = append(problems, invalid(s.path(keyTimezone), "%s", sentence("timezone: "+err.Error())))
	}
	if text, there := s.value[keyDuration]; there {
		if w.Duration, err = parseLength(text); err != nil {
			fail(keyDuration, err)
		}
	}
	if text, there := s.value[keyCutoff]; there {
		if w.Cutoff, err = time.ParseDuration(text); err != nil || w.Cutoff < 0 {
			problems = append(problems, invalid(s.path(keyCutoff), `cutoff is %q, which is no duration of zero or more, such as "45m".`, text))
		} else if w.Cutoff >= w.Duration && len(problems) == 0 {
			problems = append(problems, invalid(s.path(keyCutoff),
				"cutoff is %s and the window lasts %s, so nothing could ever start in it; make the cutoff shorter or the window longer.", Brief(w.Cutoff), Brief(w.Duration)))
		}
	}
	return w, problems
}

func parseLength(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf(`%q is no duration; give one such as "4h" or "1h30m"`, text)
	case d < time.Minute:
		return 0, fmt.Errorf("%q makes a window that is never open; give at least a minute", text)
	case d > mostDuration:
		return 0, fmt.Errorf("%q is too long; a window lasts %s at most", text, Brief(mostDuration))
	}
	return d, nil
}

// Brief is a duration without the units that are zero: "4h", "1h30m".
func Brief(d time.Duration) string {
	s := d.String()
	if d%time.Minute == 0 && len(s) > 2 && s[len(s)-2:] == "0s" && d != 0 {
		s = s[:len(s)-2]
	}
	if d%time.Hour == 0 && d != 0 {
		s = s[:len(s)-2]
	}
	return s
}

// Start is when the window that belongs to a date opens.
func (w Window) Start(d Date) time.Time {
	t, _ := Resolve(d, w.Time, w.Zone)
	return t
}
