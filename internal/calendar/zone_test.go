package calendar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

func TestParseZone_refused(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                        "missing",
		"Local":                   "another zone on every machine",
		"+01:00":                  "fixed offset",
		"UTC+1":                   "fixed offset",
		"Etc/GMT-5":               "fixed offset",
		"GMT+0":                   "fixed offset",
		"EST":                     `abbreviation, which does not say by which place's rules the clocks change; give an IANA name. Did you mean "America/New_York"?`,
		"est5edt":                 `"America/New_York"?`,
		"CET":                     `"Europe/Paris"?`,
		"GMT":                     `"UTC"?`,
		"utc":                     `"UTC"?`,
		"GMT Standard Time":       `"Europe/London"?`,
		"W. Europe Standard Time": `"Europe/Berlin"?`,
		"europe/london":           `"Europe/London"?`,
		"London":                  `"Europe/London"?`,
		"New York":                `"America/New_York"?`,
		"Europe/Lundon":           `"Europe/London"?`,
		"../etc/passwd":           "no time zone",
		"Europe/":                 "no time zone",
	} {
		_, err := calendar.ParseZone(name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseZone(%q): got %v, want an error with %q", name, err, want)
		}
	}
}

func TestWindowsZonesExist(t *testing.T) {
	t.Parallel()
	n := 0
	for line := range strings.Lines(calendar.WindowsZones) {
		name, iana, _ := strings.Cut(strings.TrimSpace(line), "|")
		_, err := calendar.ParseZone(iana)
		if err != nil && name != "UTC" && name != "Dateline Standard Time" {
			t.Errorf("%s: %v", name, err)
		}
		n++
	}
	if n < 130 {
		t.Errorf("got %d zones of Windows, want 130 or more", n)
	}
}

// TestResolve_everyZone goes through every change of offset from 2024 to 2037
// of every zone, and tries every fifth minute of the local times around it and
// all minutes at its edges. What it expects comes from watching the clocks
// minute by minute.
func TestResolve_everyZone(t *testing.T) {
	t.Parallel()
	from, to := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2038, 1, 1, 0, 0, 0, 0, time.UTC)
	names := calendar.ZoneNames()
	if len(names) < 500 {
		t.Fatalf("got %d zones, want 500 or more", len(names))
	}
	changes := 0
	for _, name := range names {
		z := zone(t, name)
		for at := from; ; {
			_, next := z.In(at).ZoneBounds()
			if next.IsZero() || !next.Before(to) {
				break
			}
			if !next.After(at) {
				next = at.Add(24 * time.Hour) // the time package, on the last day of a leap year
			}
			at = next
			if offset(z, at) != offset(z, at.Add(-1)) {
				changes++
				checkChange(t, z, at.UTC())
			}
		}
	}
	t.Logf("%d zones, %d changes", len(names), changes)
	if changes < 4000 {
		t.Errorf("got %d changes, want 4000 or more", changes)
	}
}

func offset(z calendar.Zone, t time.Time) int {
	_, o := z.In(t).Zone()
	return o
}

// checkChange compares Resolve with the clocks around one change of offset.
func checkChange(t *testing.T, z calendar.Zone, change time.Time) {
	t.Helper()
	const around = 5 * 60 // minutes
	local := func(at time.Time) int64 { return at.Unix()/60 + int64(offset(z, at))/60 }
	shown := map[int64][]time.Time{}
	for m := -around; m <= around; m++ {
		at := change.Add(time.Duration(m) * time.Minute)
		shown[local(at)] = append(shown[local(at)], at)
	}
	before := int64(offset(z, change.Add(-1))) / 60
	first := change.Unix()/60 + before
	for m := int64(-120); m <= 120; m++ {
		if edge := m%15 == 0 || m%15 == 1 || m%15 == -1; !edge && m%5 != 0 {
			continue
		}
		want, fit := time.Unix((first+m-before)*60, 0).UTC(), calendar.Gap
		if list := shown[first+m]; len(list) > 0 {
			want, fit = list[0], calendar.Exact
			if len(list) > 1 {
				fit = calendar.Overlap
			}
		}
		day, minute := (first+m)/1440, (first+m)%1440
		got, gotFit := calendar.Resolve(calendar.Date(day), calendar.Minute(minute), z)
		if !got.Equal(want) || gotFit != fit {
			t.Errorf("%s, %s %s: got %s, %d, want %s, %d", z, calendar.Date(day), calendar.Minute(minute), got, gotFit, want, fit)
			return
		}
	}
}

// TestResolve_named are changes that calendars get wrong.
func TestResolve_named(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, local, want string
		fit               calendar.Fit
	}{
		{"Europe/London", "2026-03-29 01:30", "2026-03-29T01:30:00Z", calendar.Gap},       // 02:30 BST
		{"Europe/London", "2026-10-25 01:30", "2026-10-25T00:30:00Z", calendar.Overlap},   // the first
		{"America/New_York", "2026-03-08 02:30", "2026-03-08T07:30:00Z", calendar.Gap},    // 03:30 EDT
		{"Africa/Cairo", "2026-04-24 00:00", "2026-04-23T22:00:00Z", calendar.Gap},        // midnight is skipped
		{"Africa/Cairo", "2026-10-29 23:30", "2026-10-29T20:30:00Z", calendar.Overlap},    // the day ends twice
		{"America/Santiago", "2026-09-06 00:00", "2026-09-06T04:00:00Z", calendar.Gap},    // midnight is skipped
		{"Asia/Beirut", "2026-03-29 00:15", "2026-03-28T22:15:00Z", calendar.Gap},         // midnight is skipped
		{"Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03T15:45:00Z", calendar.Gap}, // by half an hour: 02:45
		{"Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00Z", calendar.Overlap},
		{"Pacific/Apia", "2011-12-30 10:00", "2011-12-30T20:00:00Z", calendar.Gap}, // a day that never was: the 31st
		{"Pacific/Apia", "2011-12-31 10:00", "2011-12-30T20:00:00Z", calendar.Exact},
		{"Africa/Casablanca", "2026-02-15 02:30", "2026-02-15T01:30:00Z", calendar.Overlap}, // Ramadan begins
		{"Africa/Casablanca", "2026-03-22 02:30", "2026-03-22T02:30:00Z", calendar.Gap},     // and is over
		{"Asia/Kathmandu", "2026-11-20 00:00", "2026-11-19T18:15:00Z", calendar.Exact},
		{"UTC", "2028-02-29 00:00", "2028-02-29T00:00:00Z", calendar.Exact},
	} {
		m, err := calendar.ParseMinute(c.local[11:])
		if err != nil {
			t.Fatal(err)
		}
		got, fit := calendar.Resolve(date(t, c.local[:10]), m, zone(t, c.zone))
		if got.Format(time.RFC3339) != c.want || fit != c.fit {
			t.Errorf("%s %s: got %s, %d, want %s, %d", c.zone, c.local, got.Format(time.RFC3339), fit, c.want, c.fit)
		}
	}
}
