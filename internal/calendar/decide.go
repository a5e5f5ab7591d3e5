package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Unread is a published document that cannot be read.
type Unread struct {
	Path string // of the document
	Why  string
}

// Calendar is everything that is published, as one look found it. The zero
// value has no schedule, so nothing may be touched.
type Calendar struct {
	Schedules  []Schedule
	Freezes    []Freeze
	Exceptions []Exception
	Unread     []Unread
	// Keys are those of tags; of a schedule's own groups, the schedule's hold.
	Keys TagKeys
	// Timezone is that of groups with tags for day and time only, without one
	// for a zone; empty: UTC.
	Timezone string
}

// Schedule is the published schedule of a name.
func (c Calendar) Schedule(name string) (Schedule, bool) {
	for _, s := range c.Schedules {
		if s.spec.Name == name && !s.spec.Cleared {
			return s, true
		}
	}
	return Schedule{}, false
}

// Subject is what is asked about: a group, or an environment of a schedule.
type Subject struct {
	Schedule    string            // by name; empty: by the tags
	Environment string            // empty: by the tags
	Windows     []Window          // instead of a schedule; nil: none
	Tags        map[string]string // of the group
	Due         time.Time         // when it must be done; zero: no such date
}

// Blocker is one reason why not now.
type Blocker struct {
	Code   string
	Text   string    // what holds, without until when
	Source string    // the document, or "tags"; empty: what was asked
	Until  time.Time // zero: until somebody changes something
	zone   Zone      // to show until in
}

// Decision is whether a roll may start, and if not, why and when.
type Decision struct {
	At       time.Time
	Blockers []Blocker // none: a roll may start now
	Findings []Problem // what should be looked after, without standing in the way
	Schedule string    // that was decided by; empty: none, or the tags alone
	// Environment of the schedule; empty where windows were given.
	Environment string
	// Current is the window that is open now; the zero value when none is. A
	// freeze that begins in it ends it.
	Current Occurrence
	// Next is the first time from now on at which a roll may start, with the
	// window it is in; zero: none within two years.
	Next  Occurrence
	Due   time.Time
	zone  Zone
	due   bool // the next chance is after the due date
	text  string
	asked bool // windows were given
}

// Open tells whether a roll may start now.
func (d Decision) Open() bool { return len(d.Blockers) == 0 }

// horizon is how far ahead a chance is looked for.
const horizon = 2 * 366 * 24 * time.Hour

// Decide says whether a roll of the subject may start at an instant. All
// reasons against it are named, not only the first. It ends for every input,
// and the same input gives the same answer.
func (c Calendar) Decide(s Subject, at time.Time) Decision {
	d := Decision{At: at.UTC(), Due: s.Due, zone: UTC, asked: len(s.Windows) > 0}
	windows, ok := c.windowsOf(s, &d)
	if ok {
		d.zone = windows.List[0].Zone
		d.text = texts(windows.List)
	}
	stops := c.stops(s.tagged(c.keysOf(d.Schedule)))
	d.Blockers = append(d.Blockers, stops.blockers(at)...)
	for _, u := range c.Unread {
		text := fmt.Sprintf("%s cannot be read: %s", u.Path, strings.TrimRight(u.Why, "."))
		d.Blockers = append(d.Blockers, Blocker{Code: Unreadable, Source: u.Path, Text: text})
	}
	for _, b := range d.Blockers {
		ok = ok && !b.Until.IsZero() // what has no end leaves no chance
	}
	if len(windows.List) == 0 {
		return d
	}
	stopped := stops.spans(at)
	d.judgeWindow(windows, stopped, at)
	if ok {
		d.Next, _ = next(windows, stopped, at)
	}
	d.due = !s.Due.IsZero() && (d.Next.Start.IsZero() || !d.Next.Start.Before(s.Due))
	return d
}

// judgeWindow adds what the windows themselves say.
func (d *Decision) judgeWindow(windows Windows, stopped []Span, at time.Time) {
	for _, o := range windows.Upcoming(at, 1) {
		switch {
		case !o.Contains(at):
			d.Blockers = append(d.Blockers, Blocker{
				Code: OutsideWindow, Source: d.source(), Until: o.Start, zone: d.zone,
				Text: fmt.Sprintf("outside window (%s)", d.text),
			})
			return
		case !at.Before(o.Close):
			after := windows.Upcoming(o.End, 1)[0]
			d.Blockers = append(d.Blockers, Blocker{
				Code: PastCutoff, Source: d.source(), Until: after.Start, zone: d.zone,
				Text: fmt.Sprintf("the window is open until %s, but %s before its end nothing starts any more", stamp(o.End, d.At, d.zone), Brief(o.End.Sub(o.Close))),
			})
		}
		d.Current = clip(o, at, stopped)
	}
}

func (d *Decision) source() string {
	switch {
	case d.asked:
		return ""
	case d.Schedule == "":
		return "tags"
	}
	return SchedulePath(d.Schedule)
}

func texts(list []Window) string {
	var out []string
	for _, w := range list {
		out = append(out, w.Brief())
	}
	return strings.Join(out, ", ")
}

// windowsOf finds the windows that hold for a subject. Where there are none,
// or they must not be trusted, it adds the reason.
func (c Calendar) windowsOf(s Subject, d *Decision) (Windows, bool) {
	if len(s.Windows) > 0 {
		return Windows{List: s.Windows}, true
	}
	timezone := c.Timezone
	if timezone == "" {
		timezone = "UTC"
	}
	reading := c.Keys.ReadTags(s.Tags, timezone)
	schedule, ok := c.choose(s, &reading, timezone, d)
	if !ok {
		return Windows{}, false
	}
	for _, f := range reading.Findings {
		if !f.Warn && s.Environment == "" {
			d.Blockers = append(d.Blockers, Blocker{Code: f.Code, Source: "tags", Text: strings.TrimRight(f.Text, ".")})
			continue
		}
		d.Findings = append(d.Findings, f)
	}
	if len(d.Blockers) > 0 {
		return Windows{}, false
	}
	if schedule == nil {
		return Windows{ID: "tags", List: []Window{reading.Window}}, true
	}
	return schedule.windowsFor(s, reading, d)
}

// windowsFor are the windows of a subject in its schedule.
func (s Schedule) windowsFor(subject Subject, reading Reading, d *Decision) (Windows, bool) {
	d.Schedule, d.Environment = s.spec.Name, subject.Environment
	if d.Environment == "" {
		environment, findings, ok := s.environmentOf(reading)
		if !ok {
			b := Blocker{Code: UnknownEnvironment, Source: "tags", Text: fmt.Sprintf("the tags do not say which environment of schedule %q holds; it has %s",
				s.spec.Name, oneOf(s.Environments()))}
			for _, f := range findings {
				b.Code, b.Text = f.Code, strings.TrimRight(f.Text, ".")
			}
			d.Blockers = append(d.Blockers, b)
			return Windows{}, false
		}
		d.Environment = environment
		d.Findings = append(d.Findings, findings...)
	}
	windows, ok := s.Windows(d.Environment)
	if !ok {
		p := s.UnknownEnvironmentProblem(d.Environment)
		d.Blockers = append(d.Blockers, Blocker{Code: p.Code, Source: SchedulePath(s.spec.Name), Text: strings.TrimRight(p.Text, ".")})
		return Windows{}, false
	}
	if s.spec.Suspended {
		d.Blockers = append(d.Blockers, Blocker{Code: Suspended, Source: SchedulePath(s.spec.Name), Text: fmt.Sprintf("schedule %q is suspended", s.spec.Name)})
	}
	return windows, true
}

// choose finds the schedule of a subject: the one it names, else the one that
// its tags name or that selects it. nil with ok: the tags have a window and no
// schedule.
func (c Calendar) choose(s Subject, reading *Reading, timezone string, d *Decision) (*Schedule, bool) {
	var found []*Schedule
	for n := range c.Schedules {
		candidate := &c.Schedules[n]
		switch {
		case candidate.spec.Cleared:
		case s.Schedule != "":
			if candidate.spec.Name == s.Schedule {
				found = append(found, candidate)
			}
		default:
			own := *reading
			if candidate.spec.Keys != (TagKeys{}) {
				own = candidate.spec.Keys.ReadTags(s.Tags, timezone)
			}
			if own.Schedule == candidate.spec.Name || candidate.spec.Selector != nil && candidate.spec.Selector.Matches(s.Tags) {
				found = append(found, candidate)
			}
		}
	}
	wanted := s.Schedule
	if wanted == "" {
		wanted = reading.Schedule
	}
	block := func(code, format string, args ...any) (*Schedule, bool) {
		d.Blockers = append(d.Blockers, Blocker{Code: code, Text: fmt.Sprintf(format, args...)})
		return nil, false
	}
	switch {
	case len(found) == 1:
		if own := found[0].spec.Keys; own != (TagKeys{}) {
			*reading = own.ReadTags(s.Tags, timezone)
		}
		return found[0], true
	case len(found) > 1:
		var names []string
		for _, f := range found {
			names = append(names, f.spec.Name)
		}
		slices.Sort(names)
		return block(AmbiguousSchedule, "the schedules %s all match; change their selectors or the group's tags so that one does", allOf(names))
	case wanted != "":
		return block(Unmanaged, "%s", strings.TrimRight(c.UnknownScheduleProblem(wanted).Text, "."))
	case !reading.Window.Day.IsZero() || !reading.Readable():
		return nil, true
	}
	return block(Unmanaged, "no schedule is for it: it names none, none selects it, and it has no tags for day and time")
}

// UnknownScheduleProblem says that no schedule of a name is published, and
// which was most likely meant.
func (c Calendar) UnknownScheduleProblem(name string) Problem {
	var known []string
	for _, s := range c.Schedules {
		known = append(known, s.spec.Name)
	}
	return Problem{Path: []string{"schedule"}, Code: Unmanaged, Text: fmt.Sprintf(
		"schedule %q is not published, so there is no window; publish it, or name another one.%s", name, meant(Nearest(name, known)))}
}

// stops are the freezes and exceptions that hold for a subject.
type stops struct {
	freezes    []Freeze
	exceptions []Exception
}

func (c Calendar) stops(tags map[string]string) stops {
	var out stops
	for _, f := range c.Freezes {
		if !f.spec.Cleared && f.spec.Selector.Matches(tags) {
			out.freezes = append(out.freezes, f)
		}
	}
	for _, e := range c.Exceptions {
		if !e.spec.Cleared && e.spec.Selector.Matches(tags) {
			out.exceptions = append(out.exceptions, e)
		}
	}
	return out
}

// blockers are the stops that hold at an instant, those that end first in
// front.
func (s stops) blockers(at time.Time) []Blocker {
	var out []Blocker
	for _, f := range s.freezes {
		if span, frozen := f.At(at); frozen {
			out = append(out, Blocker{Code: Frozen, Source: FreezePath(f.spec.Name), Text: f.Text(), Until: span.End, zone: f.zone})
		}
	}
	for _, e := range s.exceptions {
		if e.Active(at) {
			out = append(out, Blocker{Code: Excepted, Source: ExceptionPath(e.spec.Name), Text: e.Text(), Until: e.until, zone: UTC})
		}
	}
	slices.SortStableFunc(out, func(a, b Blocker) int {
		if n := a.Until.Compare(b.Until); n != 0 {
			return n
		}
		return strings.Compare(a.Source, b.Source)
	})
	return out
}

// spans are the stretches from an instant to the horizon in which something
// stops, sorted and disjoint.
func (s stops) spans(from time.Time) []Span {
	var out []Span
	for _, f := range s.freezes {
		out = append(out, f.Spans(from, from.Add(horizon))...)
	}
	for _, e := range s.exceptions {
		if e.Active(from) {
			out = append(out, Span{from, e.until})
		}
	}
	return unite(out)
}

// free is the first instant from t on that is in none of the spans.
func free(t time.Time, spans []Span) time.Time {
	for _, s := range spans {
		if !t.Before(s.Start) && t.Before(s.End) {
			t = s.End
		}
	}
	return t
}

// clip ends an occurrence where the next of the spans begins.
func clip(o Occurrence, at time.Time, spans []Span) Occurrence {
	for _, s := range spans {
		if s.Start.After(at) {
			o.End, o.Close = earliest(o.End, s.Start), earliest(o.Close, s.Start)
		}
	}
	return o
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// next is the first chance from at on: when something may start, and the
// window it is in, as far as nothing ends it before.
func next(windows Windows, stopped []Span, at time.Time) (Occurrence, bool) {
	limit := at.Add(horizon)
	for t := free(at, stopped); t.Before(limit); {
		var found Occurrence
		windows.each(t, func(o Occurrence) bool {
			found = o
			return !o.Close.After(t)
		})
		start := latest(found.Start, t)
		if t = free(start, stopped); t.Equal(start) {
			found.Start = start
			return clip(found, start, stopped), true
		}
	}
	return Occurrence{}, false
}
