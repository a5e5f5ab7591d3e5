package calendar

import (
	"fmt"
	"strings"
	"time"
)

// ICS is an iCalendar (RFC 5545) with one event for each occurrence. Instants
// are in UTC, so that it needs no zone definitions; made is when the text was
// made.
func ICS(title string, occurrences []Occurrence, made time.Time) string {
	var b strings.Builder
	line := func(format string, args ...any) { fold(&b, fmt.Sprintf(format, args...)) }
	line("BEGIN:VCALENDAR")
	line("VERSION:2.0")
	line("PRODID:-//fleetrefit//refit//EN")
	for _, o := range occurrences {
		line("BEGIN:VEVENT")
		line("UID:%s", escape(o.ID+"/"+title))
		line("DTSTAMP:%s", icsTime(made))
		line("DTSTART:%s", icsTime(o.Start))
		line("DTEND:%s", icsTime(o.End))
		line("SUMMARY:%s", escape(title))
		line("END:VEVENT")
	}
	line("END:VCALENDAR")
	return b.String()
}

func icsTime(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r", "", "\n", `\n`).Replace(s)
}

// fold writes a line in pieces of at most 75 bytes, which a letter of several
// bytes is never cut by.
func fold(b *strings.Builder, s string) {
	room := 75
	for _, r := range s {
		size := len(string(r))
		if room < size {
			b.WriteString("\r\n ")
			room = 74
		}
		b.WriteRune(r)
		room -= size
	}
	b.WriteString("\r\n")
}
