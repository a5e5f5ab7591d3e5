package calendar

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Version is the version of the documents that this package writes. Documents
// without one were written by hand, before there were versions; see
// [DecodeSchedule].
const Version = 1

// FreezeRoot, ExceptionRoot and ScheduleRoot are the directories that the
// documents are kept in.
const (
	FreezeRoot    = "freezes"
	ExceptionRoot = "exceptions"
	ScheduleRoot  = "schedules"
)

// nameForm is what a name may look like: it is part of a path, and of a tag's
// value.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

func checkName(name string) []Problem {
	if nameForm.MatchString(name) {
		return nil
	}
	return []Problem{invalid([]string{"name"}, "name is %.80q; give 1 to 64 letters, digits, '_', '.' or '-', the first of them a letter or a digit.", name)}
}

// mostText bounds reasons, tickets and the like, in bytes: they go into
// warnings and reports.
const mostText = 200

func checkText(name, text string, required bool) []Problem {
	switch {
	case required && strings.TrimSpace(text) == "":
		return []Problem{invalid([]string{name}, "%s is empty; say in up to %d bytes what others need to know.", name, mostText)}
	case len(text) > mostText:
		return []Problem{invalid([]string{name}, "%s has %d bytes; shorten it to %d.", name, len(text), mostText)}
	}
	return nil
}

// FreezeSpec declares a freeze: a stretch of time in which no roll starts,
// whatever else. It is kept as JSON at [FreezePath].
type FreezeSpec struct {
	Version  int      `json:"v"`
	Name     string   `json:"name"`
	From     string   `json:"from"` // a local date ("2026-12-19"), an instant (RFC 3339), or a day of every year ("12-19")
	To       string   `json:"to"`   // in the same form; the first moment that is free again
	Yearly   bool     `json:"yearly,omitempty"`
	Timezone string   `json:"timezone,omitempty"` // of dates
	Selector Selector `json:"selector"`
	Reason   string   `json:"reason"`
	Ticket   string   `json:"ticket,omitempty"`
	Cleared  bool     `json:"cleared,omitempty"` // lifted; the document stays, because Parameter Store does not take a deleted name again at once
}

// FreezePath is the path of a freeze's document.
func FreezePath(name string) string { return FreezeRoot + "/" + name }

// Freeze is a freeze that can be asked.
type Freeze struct {
	spec     FreezeSpec
	zone     Zone
	from, to moment
}

// moment is one end of a freeze.
type moment struct {
	instant time.Time // of an instant, or a date that is resolved
	month   time.Month
	day     int // of a yearly one; 0: instant counts
}

// Spec is the freeze as it is published: equal for equal freezes, however they
// were written.
func (f Freeze) Spec() FreezeSpec { return f.spec }

// Zone is the zone of the freeze's dates; UTC where it has instants only.
func (f Freeze) Zone() Zone { return f.zone }

// Parse makes a freeze of its declaration.
func (s FreezeSpec) Parse() (Freeze, []Problem) {
	problems := append(checkName(s.Name), below([]string{"selector"}, s.Selector.check())...)
	problems = append(append(problems, checkText("reason", s.Reason, true)...), checkText("ticket", s.Ticket, false)...)
	f := Freeze{zone: UTC}
	if s.Timezone != "" {
		zone, err := ParseZone(s.Timezone)
		if err != nil {
			return f, append(problems, invalid([]string{"timezone"}, "%s", sentence("timezone: "+err.Error())))
		}
		f.zone = zone
	}
	var wrong []Problem
	f.from, s.From, wrong = parseMoment("from", s.From, s.Timezone, s.Yearly)
	problems = append(problems, wrong...)
	f.to, s.To, wrong = parseMoment("to", s.To, s.Timezone, s.Yearly)
	problems = append(problems, wrong...)
	if len(problems) == 0 {
		switch {
		case s.Yearly && f.from == f.to:
			problems = append(problems, invalid([]string{"to"}, "to is %q, like from, so the freeze never holds; to is the first day that is free again.", s.To))
		case !s.Yearly && !f.from.instant.Before(f.to.instant):
			problems = append(problems, invalid([]string{"to"}, "to is %q, which is not after from, %q: the freeze would end before it starts; to is the first moment that is free again.", s.To, s.From))
		}
	}
	s.Version, s.Selector = Version, s.Selector.canonical()
	f.spec = s
	return f, problems
}

// parseMoment reads one end, and gives the one way to write it.
func parseMoment(name, text, timezone string, yearly bool) (moment, string, []Problem) {
	fail := func(format string, args ...any) (moment, string, []Problem) {
		return moment{}, text, []Problem{invalid([]string{name}, format, args...)}
	}
	zone, err := ParseZone(timezone)
	zoned := err == nil
	monthDay, isMonthDay := parseMonthDay(text)
	switch {
	case yearly && !isMonthDay:
		return fail(`%s is %q in a yearly freeze; give month and day, such as "12-19".`, name, text)
	case !yearly && isMonthDay:
		return fail(`%s is %q; give the year too, such as "2026-%s", or set yearly = true.`, name, text, text)
	}
	if !yearly {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return moment{instant: t.UTC()}, t.UTC().Format(time.RFC3339), nil
		}
	}
	date := Date(0)
	if !yearly {
		if date, err = ParseDate(text); err != nil {
			return fail(`%s is %q; give a date, such as "2026-12-19", or an instant in RFC 3339, such as "2026-12-19T18:00:00Z".`, name, text)
		}
	}
	if !zoned {
		return fail(`%s is the date %q, and timezone is missing: a date begins at another moment in every zone; give an IANA name, such as "Europe/London" or "UTC".`, name, text)
	}
	if yearly {
		return monthDay, text, nil
	}
	t, _ := Resolve(date, 0, zone)
	return moment{instant: t}, date.String(), nil
}

// parseMonthDay reads "12-19". 29 February is a day of every year: where there
// is none, it is the day after 28 February.
func parseMonthDay(s string) (moment, bool) {
	t, err := time.Parse("2006-01-02", "2024-"+s) // a leap year
	if err != nil || len(s) != 5 {
		return moment{}, false
	}
	return moment{month: t.Month(), day: t.Day()}, true
}

// spanOf is the yearly freeze that begins in a year. One whose end is not
// after its start in the year goes into the next.
func (f Freeze) spanOf(year int) Span {
	start, end := NewDate(year, f.from.month, f.from.day), NewDate(year, f.to.month, f.to.day)
	if f.to.month < f.from.month || f.to.month == f.from.month && f.to.day < f.from.day {
		end = NewDate(year+1, f.to.month, f.to.day)
	}
	from, _ := Resolve(start, 0, f.zone)
	to, _ := Resolve(end, 0, f.zone)
	return Span{from, to}
}

// Spans are the stretches of the freeze that overlap [from, to).
func (f Freeze) Spans(from, to time.Time) []Span {
	var out []Span
	add := func(s Span) {
		if s.Start.Before(to) && from.Before(s.End) && s.Start.Before(s.End) {
			out = append(out, s)
		}
	}
	if !f.spec.Yearly {
		add(Span{f.from.instant, f.to.instant})
		return out
	}
	for year := from.UTC().Year() - 1; year <= to.UTC().Year()+1; year++ {
		add(f.spanOf(year))
	}
	return out
}

// At is the stretch of the freeze that holds at an instant.
func (f Freeze) At(t time.Time) (Span, bool) {
	if f.spec.Cleared {
		return Span{}, false
	}
	if !f.spec.Yearly {
		return Span{f.from.instant, f.to.instant}, !t.Before(f.from.instant) && t.Before(f.to.instant)
	}
	for _, s := range f.Spans(t, t.Add(1)) {
		return s, true
	}
	return Span{}, false
}

// Over tells whether the freeze has ended for good.
func (f Freeze) Over(now time.Time) bool { return !f.spec.Yearly && !now.Before(f.to.instant) }

// Text is the freeze in a few words, for people: its name, reason and ticket.
func (f Freeze) Text() string {
	out := fmt.Sprintf("freeze %q", f.spec.Name)
	var more []string
	for _, m := range []string{strings.TrimRight(f.spec.Reason, ". \n"), f.spec.Ticket} {
		if m != "" && m != f.spec.Name {
			more = append(more, m)
		}
	}
	if len(more) > 0 {
		out += " (" + strings.Join(more, ", ") + ")"
	}
	return out
}

// ExceptionSpec declares an exception: groups that are left alone until an
// instant. It is kept as JSON at [ExceptionPath].
type ExceptionSpec struct {
	Version    int      `json:"v"`
	Name       string   `json:"name"`
	Until      string   `json:"until"` // a local date or an instant; the first moment without it
	Timezone   string   `json:"timezone,omitempty"`
	Selector   Selector `json:"selector"`
	Reason     string   `json:"reason"`
	ApprovedBy string   `json:"approved_by"`
	Cleared    bool     `json:"cleared,omitempty"` // lifted, as in [FreezeSpec]
}

// ExceptionPath is the path of an exception's document.
func ExceptionPath(name string) string { return ExceptionRoot + "/" + name }

// Exception is an exception that can be asked.
type Exception struct {
	spec  ExceptionSpec
	until time.Time
}

// Spec is the exception as it is published.
func (e Exception) Spec() ExceptionSpec { return e.spec }

// Until is the first moment without the exception.
func (e Exception) Until() time.Time { return e.until }

// Active tells whether the exception holds at an instant.
func (e Exception) Active(t time.Time) bool { return !e.spec.Cleared && t.Before(e.until) }

// Parse makes an exception of its declaration. One without an end is refused:
// what nobody has to renew is never taken back.
func (s ExceptionSpec) Parse() (Exception, []Problem) {
	problems := append(checkName(s.Name), below([]string{"selector"}, s.Selector.check())...)
	problems = append(append(problems, checkText("reason", s.Reason, true)...), checkText("approved_by", s.ApprovedBy, true)...)
	if s.Timezone != "" {
		if _, err := ParseZone(s.Timezone); err != nil {
			return Exception{}, append(problems, invalid([]string{"timezone"}, "%s", sentence("timezone: "+err.Error())))
		}
	}
	if s.Until == "" {
		return Exception{}, append(problems, invalid([]string{"until"}, `until is missing; an exception has an end. Give a date, such as "2027-03-31", or an instant in RFC 3339.`))
	}
	until, text, wrong := parseMoment("until", s.Until, s.Timezone, false)
	s.Version, s.Until, s.Selector = Version, text, s.Selector.canonical()
	return Exception{spec: s, until: until.instant}, append(problems, wrong...)
}

// Text is the exception in a few words, for people.
func (e Exception) Text() string {
	return fmt.Sprintf("exception %q (%s, approved by %s)", e.spec.Name, strings.TrimRight(e.spec.Reason, ". \n"), e.spec.ApprovedBy)
}
