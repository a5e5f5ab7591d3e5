package calendar

import (
	"fmt"
	"time"
)

// Date is a day of the calendar, in no zone: the number of days since 1
// January 1970. Dates are counted, never made of instants, so that no clock
// change can lose or repeat one.
type Date int

const daySeconds = 24 * 60 * 60

// NewDate is a date by its parts. Parts that are out of range carry over, as
// in time.Date: 31 April is 1 May.
func NewDate(year int, month time.Month, day int) Date {
	return Date(floorDiv(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix(), daySeconds))
}

// DateOf is the local date of an instant.
func DateOf(t time.Time, z Zone) Date {
	y, m, d := z.In(t).Date()
	return NewDate(y, m, d)
}

// ParseDate reads "2026-11-20", and refuses days that do not exist.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is no date; give year, month and day, such as \"2026-12-19\"", s)
	}
	return NewDate(t.Date()), nil
}

// Parts are year, month and day of the month.
func (d Date) Parts() (int, time.Month, int) { return d.utc().Date() }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// String is the date as "2026-11-20".
func (d Date) String() string { return d.utc().Format(time.DateOnly) }

func (d Date) utc() time.Time { return time.Unix(int64(d)*daySeconds, 0).UTC() }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Minute is a time of day in minutes since midnight, 0 to 1439.
type Minute int

// ParseMinute reads "HH:MM" on 24 hours, "00:00" to "23:59".
func ParseMinute(s string) (Minute, error) {
	if len(s) == 5 && s[2] == ':' {
		h, ok1 := twoDigits(s[:2])
		m, ok2 := twoDigits(s[3:])
		if ok1 && ok2 && h < 24 && m < 60 {
			return Minute(60*h + m), nil
		}
	}
	cure := ""
	if t, err := time.Parse("15:04", s); err == nil {
		cure = meant(t.Format("15:04"))
	} else if t, err := time.Parse("3:04pm", s); err == nil {
		cure = meant(t.Format("15:04"))
	} else if s == "24:00" {
		cure = ` Midnight is "00:00", of the day that begins with it.`
	}
	return 0, fmt.Errorf("%q is no time of day; give hours and minutes on 24 hours, such as \"09:30\" or \"00:00\".%s", s, cure)
}

func twoDigits(s string) (int, bool) {
	if s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return 0, false
	}
	return int(s[0]-'0')*10 + int(s[1]-'0'), true
}

// String is the time as "HH:MM".
func (m Minute) String() string { return fmt.Sprintf("%02d:%02d", int(m)/60, int(m)%60) }
