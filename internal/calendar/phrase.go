package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Phrase says on which dates a window starts. The zero value is none. Phrases
// can be compared: equal ones mean the same, however they were written.
//
//	sun · mon wed · mon-fri · daily     days of the week
//	2nd tue · last fri · 2nd tue +3d    a weekday of the month, and days from it
//	15th · last day -2d                 a day of the month, and days from it
//
// A month that lacks the day, such as a fifth Friday or a 31st, has no date.
type Phrase struct {
	kind    phraseKind
	days    uint8        // weekly: bit 1<<weekday
	weekday time.Weekday // of a weekday of the month
	n       int          // 1 to 31, which; -1 the last
	offset  int          // days from it, -31 to 31
}

type phraseKind uint8

const (
	noPhrase phraseKind = iota
	weekly
	weekdayOfMonth
	dayOfMonth
)

const (
	last       = -1
	mostOffset = 31
	allDays    = 1<<7 - 1
)

// phraseForms is what a phrase may look like, for people.
const phraseForms = `"sun", "mon wed", "mon-fri", "daily", "2nd tue", "last fri", "2nd tue +3d", "15th" or "last day -2d"`

var dayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

var dayWords = map[string]time.Weekday{
	"sun": 0, "sunday": 0, "mon": 1, "monday": 1, "tue": 2, "tues": 2, "tuesday": 2, "wed": 3, "weds": 3, "wednesday": 3,
	"thu": 4, "thur": 4, "thurs": 4, "thursday": 4, "fri": 5, "friday": 5, "sat": 6, "saturday": 6,
}

// IsZero tells whether there is no phrase.
func (p Phrase) IsZero() bool { return p.kind == noPhrase }

// ParsePhrase reads a phrase in any case and spacing. The error says what is
// wrong with it and what was most likely meant.
func ParsePhrase(s string) (Phrase, error) {
	words := strings.Fields(strings.ToLower(s))
	if len(s) > 100 || len(words) == 0 || len(words) > 8 {
		return Phrase{}, fmt.Errorf("%.100q names no day; give %s", s, phraseForms)
	}
	p, err := parseWords(words)
	if err != nil {
		return Phrase{}, fmt.Errorf("%q names no day: %w; give %s.%s", s, err, phraseForms, meant(err.meant))
	}
	return p, nil
}

// wordError says what is wrong with a word, and what it may have meant.
type wordError struct{ text, meant string }

// Error implements error.
func (e *wordError) Error() string { return e.text }

func wrong(format string, args ...any) *wordError {
	return &wordError{text: fmt.Sprintf(format, args...)}
}

func parseWords(words []string) (Phrase, *wordError) {
	p := Phrase{}
	if tail := words[len(words)-1]; len(words) > 1 && (tail[0] == '+' || tail[0] == '-') {
		offset, err := parseOffset(tail)
		if err != nil {
			return Phrase{}, err
		}
		p.offset, words = offset, words[:len(words)-1]
	}
	n, ordinal, err := parseOrdinal(words[0])
	if err != nil {
		return Phrase{}, err
	}
	if !ordinal {
		if p.offset != 0 {
			return Phrase{}, wrong("days can be added to a day of the month only, not to a day of the week")
		}
		p.kind = weekly
		p.days, err = parseWeekly(words)
		return p, err
	}
	p.n = n
	switch {
	case len(words) == 1 && n != last:
		p.kind = dayOfMonth
	case len(words) == 2 && words[1] == "day" && n == last:
		p.kind = dayOfMonth
	case len(words) == 2:
		day, ok := dayWords[words[1]]
		if !ok {
			return Phrase{}, unknownWord(words[1])
		}
		if n > 5 {
			return Phrase{}, wrong("no month has a %s %s", words[0], dayNames[day])
		}
		p.kind, p.weekday = weekdayOfMonth, day
	case len(words) == 1:
		return Phrase{}, wrong(`after "last" comes a day of the week, or "day"`)
	default:
		return Phrase{}, wrong("%q is too much", strings.Join(words[2:], " "))
	}
	return p, nil
}

// parseOffset reads "+3d" and "-2d".
func parseOffset(s string) (int, *wordError) {
	digits, ok := strings.CutSuffix(s[1:], "d")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > mostOffset || digits[0] == '+' || digits[0] == '-' {
		return 0, wrong(`%q is no number of days, from "+1d" to "+%dd" or from "-1d" to "-%dd"`, s, mostOffset, mostOffset)
	}
	if s[0] == '-' {
		n = -n
	}
	return n, nil
}

// parseOrdinal reads "1st" to "31st" and "last"; ordinal is false for a word
// that begins with no digit.
func parseOrdinal(s string) (n int, ordinal bool, err *wordError) {
	if s == "last" {
		return last, true, nil
	}
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	if digits == "" || s[0] < '0' || s[0] > '9' {
		return 0, false, nil
	}
	n, bad := strconv.Atoi(digits)
	if bad != nil || n < 1 || n > 31 {
		return 0, true, wrong("%q is no day of a month", s)
	}
	if s != ordinalOf(n) {
		return 0, true, &wordError{text: fmt.Sprintf("%q is no ordinal", s), meant: ordinalOf(n)}
	}
	return n, true, nil
}

// ordinalOf is "1st", "2nd" and so on; "last" for -1.
func ordinalOf(n int) string {
	switch {
	case n == last:
		return "last"
	case n%10 == 1 && n != 11:
		return strconv.Itoa(n) + "st"
	case n%10 == 2 && n != 12:
		return strconv.Itoa(n) + "nd"
	case n%10 == 3 && n != 13:
		return strconv.Itoa(n) + "rd"
	}
	return strconv.Itoa(n) + "th"
}

// parseWeekly reads days and ranges of days, or "daily".
func parseWeekly(words []string) (uint8, *wordError) {
	if len(words) == 1 && words[0] == "daily" {
		return allDays, nil
	}
	var days uint8
	for _, w := range words {
		from, to, ranged := strings.Cut(w, "-")
		first, ok := dayWords[from]
		if !ok {
			return 0, unknownWord(from)
		}
		end := first
		if ranged {
			if end, ok = dayWords[to]; !ok {
				return 0, unknownWord(to)
			}
		}
		for d := first; ; d = (d + 1) % 7 {
			days |= 1 << d
			if d == end {
				break
			}
		}
	}
	return days, nil
}

func unknownWord(w string) *wordError {
	words := []string{"daily", "last"}
	for d := range dayWords {
		words = append(words, d)
	}
	cures := map[string]string{
		"weekdays": "mon-fri", "weekday": "mon-fri", "weekend": "sat sun", "weekends": "sat sun", "everyday": "daily", "every": "daily",
		"first": "1st", "second": "2nd", "third": "3rd", "fourth": "4th", "fifth": "5th",
	}
	cure := cures[w]
	if cure == "" {
		cure = Nearest(w, words)
	}
	if strings.ContainsAny(w, ",;&") {
		return wrong("%q has a comma or the like; put spaces between days", w)
	}
	return &wordError{text: fmt.Sprintf("%q is not understood", w), meant: cure}
}

// String is the one way to write the phrase: legal in HCL and as a tag's value.
// Three days of the week or more in a row are a range.
func (p Phrase) String() string {
	out := ""
	switch p.kind {
	case noPhrase:
		return ""
	case weekly:
		return p.weeklyText("-", func(d time.Weekday) string { return dayNames[d] })
	case weekdayOfMonth:
		out = ordinalOf(p.n) + " " + dayNames[p.weekday]
	case dayOfMonth:
		out = ordinalOf(p.n)
		if p.n == last {
			out += " day"
		}
	}
	if p.offset != 0 {
		out += fmt.Sprintf(" %+dd", p.offset)
	}
	return out
}

// weeklyText joins days and ranges, in the order from Monday.
func (p Phrase) weeklyText(dash string, name func(time.Weekday) string) string {
	if p.days == allDays {
		return "daily"
	}
	has := func(d int) bool { return p.days&(1<<((d+7)%7)) != 0 }
	type item struct {
		day  int // from Monday
		text string
	}
	var items []item
	for n := range 7 {
		d := (n + 1) % 7 // Monday first
		if !has(d) || has(d-1) {
			continue // no run begins here
		}
		length := 1
		for has(d + length) {
			length++
		}
		if length > 2 {
			items = append(items, item{n, name(time.Weekday(d)) + dash + name(time.Weekday((d+length-1)%7))})
			continue
		}
		for k := range length {
			items = append(items, item{(n + k) % 7, name(time.Weekday((d + k) % 7))})
		}
	}
	slices.SortFunc(items, func(a, b item) int { return a.day - b.day })
	texts := make([]string, len(items))
	for n, i := range items {
		texts[n] = i.text
	}
	return strings.Join(texts, " ")
}

// Next is the first date of the phrase on or after a date. Every phrase has
// one within three months.
func (p Phrase) Next(from Date) Date {
	if p.kind == noPhrase {
		return from // the zero value is refused before; it must still end
	}
	if p.kind == weekly {
		d := from
		for p.days != 0 && p.days&(1<<d.Weekday()) == 0 {
			d++
		}
		return d
	}
	year, month, _ := (from - Date(p.offset)).Parts()
	for ; ; month++ { // NewDate carries over into the next year
		if d, ok := p.inMonth(year, month); ok && d >= from {
			return d
		}
	}
}

// Matches tells whether the phrase names a date.
func (p Phrase) Matches(d Date) bool { return p.kind != noPhrase && p.Next(d) == d }

// inMonth is the phrase's date that belongs to a month, which an offset may
// put into another one.
func (p Phrase) inMonth(year int, month time.Month) (Date, bool) {
	first, after := NewDate(year, month, 1), NewDate(year, month+1, 1)
	var d Date
	switch {
	case p.kind == dayOfMonth && p.n == last:
		d = after - 1
	case p.kind == dayOfMonth:
		d = first + Date(p.n-1)
	case p.n == last:
		d = after - 7 + Date((p.weekday-(after-7).Weekday()+7)%7)
	default:
		d = first + Date((p.weekday-first.Weekday()+7)%7) + Date(7*(p.n-1))
	}
	return d + Date(p.offset), d < after
}
