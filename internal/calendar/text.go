package calendar

import (
	"fmt"
	"strings"
	"time"
)

// Brief is the window in a few words: "Wed 15:00–19:00 Europe/London".
func (w Window) Brief() string {
	end := Minute((int(w.Time) + int(w.Duration/time.Minute)) % (24 * 60))
	length := fmt.Sprintf("%s–%s", w.Time, end)
	if w.Duration >= 24*time.Hour {
		length = fmt.Sprintf("%s for %s", w.Time, Brief(w.Duration))
	}
	return fmt.Sprintf("%s %s %s", w.Day.Title(), length, w.Zone)
}

// Title is the phrase with capitals, for people: "Mon–Fri", "2nd Tue +3d".
func (p Phrase) Title() string {
	if p.kind == weekly {
		s := p.weeklyText("–", func(d time.Weekday) string { return d.String()[:3] })
		return strings.Replace(s, "daily", "Daily", 1)
	}
	s := p.String()
	if p.kind == weekdayOfMonth {
		name := dayNames[p.weekday]
		s = strings.Replace(s, " "+name, " "+p.weekday.String()[:3], 1)
	}
	return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):]
}

// Describe is the window in one sentence: "Every Sunday from 19:00 for 4
// hours, Europe/London time."
func (w Window) Describe() string {
	return fmt.Sprintf("%s from %s for %s, %s time.", w.Day.Describe(), w.Time, spell(w.Duration), w.Zone)
}

// Describe says the phrase in words: "Every Monday and Wednesday".
func (p Phrase) Describe() string {
	switch p.kind {
	case weekly:
		return p.describeWeekly()
	case weekdayOfMonth:
		return p.describeOffset(fmt.Sprintf("the %s %s of every month", ordinalWord(p.n), p.weekday), p.n == 5)
	case dayOfMonth:
		if p.n == last {
			return p.describeOffset("the last day of every month", false)
		}
		return p.describeOffset(fmt.Sprintf("the %s of every month", ordinalOf(p.n)), p.n > 28)
	default:
		return "Never"
	}
}

func (p Phrase) describeWeekly() string {
	if p.days == allDays {
		return "Every day"
	}
	words := strings.Fields(p.weeklyText(" to ", func(d time.Weekday) string { return d.String() }))
	var items []string
	for n := 0; n < len(words); n++ {
		if n+2 < len(words) && words[n+1] == "to" {
			items = append(items, strings.Join(words[n:n+3], " "))
			n += 2
			continue
		}
		items = append(items, words[n])
	}
	if len(items) > 1 {
		items = []string{strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]}
	}
	return "Every " + items[0]
}

func (p Phrase) describeOffset(base string, sometimes bool) string {
	if sometimes {
		base += " that has one"
	}
	switch {
	case p.offset > 0:
		base = fmt.Sprintf("%s after %s", count(p.offset, "day"), base)
	case p.offset < 0:
		base = fmt.Sprintf("%s before %s", count(-p.offset, "day"), base)
	}
	return strings.ToUpper(base[:1]) + base[1:]
}

func ordinalWord(n int) string {
	if n == last {
		return "last"
	}
	return [...]string{"first", "second", "third", "fourth", "fifth"}[n-1]
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// spell is a duration in words: "4 hours", "1 hour 30 minutes".
func spell(d time.Duration) string {
	var parts []string
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if n := d / unit.d; n > 0 {
			parts = append(parts, count(int(n), unit.name))
			d -= n * unit.d
		}
	}
	return strings.Join(parts, " ")
}

// stamp is an instant for people, in a zone: "Wed 6 Jan 15:00 GMT". The year
// is said where it is not near now.
func stamp(t, now time.Time, z Zone) string {
	layout := "Mon 2 Jan 15:04 MST"
	if t.Sub(now).Abs() > 300*24*time.Hour {
		layout = "Mon 2 Jan 2006 15:04 MST"
	}
	local := z.In(t)
	s := local.Format(layout)
	if name, offset := local.Zone(); len(name) > 0 && (name[0] == '+' || name[0] == '-') {
		// Many zones have no abbreviation, only a number that reads like a time.
		s = strings.TrimSuffix(s, name) + "UTC" + hours(offset)
	}
	return s
}

// hours is an offset from UTC: "+05:45", "-03".
func hours(seconds int) string {
	sign := "+"
	if seconds < 0 {
		sign, seconds = "-", -seconds
	}
	if m := seconds / 60 % 60; m != 0 {
		return fmt.Sprintf("%s%02d:%02d", sign, seconds/3600, m)
	}
	return fmt.Sprintf("%s%02d", sign, seconds/3600)
}

// sentence ends a text with a full stop, unless it ends a sentence already.
func sentence(s string) string {
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}
