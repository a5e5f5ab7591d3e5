package calendar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// lintFrom is the instant that lints are made at.
const lintFrom = "2026-11-20T09:00:00Z"

func TestLint_clock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ day, at, zone, want string }{
		{"sun", "01:30", "Europe/London", "01:30 does not exist in Europe/London on 2027-03-28 (opens at 02:30), because the clocks go forward"},
		{"sun", "01:30", "Europe/London", "01:30 comes twice in Europe/London on 2027-10-31, because the clocks go back"},
		{"daily", "00:00", "Africa/Cairo", "00:00 does not exist in Africa/Cairo on 2027-04-30 (opens at 01:00)"},
		{"daily", "02:15", "Australia/Lord_Howe", "02:15 does not exist in Australia/Lord_Howe on 2027-10-03 (opens at 02:45)"},
	} {
		found := ""
		for _, p := range window(t, c.day, c.at, c.zone, time.Hour).Lint(instant(t, lintFrom)) {
			if p.Code != calendar.ClockChange || !p.Warn {
				t.Errorf("%s: got %+v", c.want, p)
			}
			found += p.Text + "\n"
		}
		if !strings.Contains(found, c.want) {
			t.Errorf("got %q, want %q", found, c.want)
		}
	}
	for _, day := range []string{"mon", "2nd tue"} {
		if got := window(t, day, "01:30", "Europe/London", time.Hour).Lint(instant(t, lintFrom)); len(got) > 0 {
			t.Errorf("%s: got %v, want nothing", day, got)
		}
	}
}

func TestLint_overlap(t *testing.T) {
	t.Parallel()
	now := instant(t, lintFrom)
	got := window(t, "mon tue", "20:00", "UTC", 26*time.Hour).Lint(now)
	if len(got) != 1 || got[0].Code != calendar.OverlappingWindows || !strings.Contains(got[0].Text, "still open when it opens again, first on 2026-11-23; 2026-11-30; 2026-12-07") {
		t.Errorf("a window with itself: got %v", got)
	}
	a, b := window(t, "wed", "15:00", "Europe/London", 4*time.Hour), window(t, "wed", "18:59", "UTC", time.Hour)
	got = calendar.LintOverlap([]calendar.Window{a, b}, now)
	if len(got) != 1 || !strings.Contains(got[0].Text, "Wed 15:00–19:00 Europe/London and Wed 18:59–19:59 UTC overlap, first on 2026-11-25") {
		t.Errorf("two windows: got %v", got)
	}
	b.Time, b.Zone = 19*60, a.Zone
	if got = calendar.LintOverlap([]calendar.Window{a, b}, now); len(got) > 0 {
		t.Errorf("windows that touch: got %v, want nothing", got)
	}
	if got = window(t, "daily", "00:00", "UTC", 24*time.Hour).Lint(now); len(got) > 0 {
		t.Errorf("every day, all day: got %v, want nothing", got)
	}
}

func TestLint_forecast(t *testing.T) {
	t.Parallel()
	w := window(t, "wed", "15:00", "UTC", 4*time.Hour)
	if got := w.LintForecast(4 * time.Hour); len(got) > 0 {
		t.Errorf("it fits: got %v", got)
	}
	if got := w.LintForecast(5 * time.Hour); len(got) != 1 || got[0].Code != calendar.ShortWindow || !strings.Contains(got[0].Text, "forecast to take 5h") {
		t.Errorf("it does not fit: got %v", got)
	}
}

func TestLint_cadence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*calendar.ScheduleSpec)
		want   string // empty: nothing
	}{
		{"as designed", func(*calendar.ScheduleSpec) {}, ""},
		{
			"the trap", func(s *calendar.ScheduleSpec) { s.Waves[1].Bake = "24h" },
			"prod can never follow stage in the same cycle: a bake of 24h after stage's window ends too late for the next window of prod " +
				"(2026-11-24: the bake ends Wed 19:00, prod closes for starts Wed 18:15; 2026-12-01: ",
		},
		{
			"a part of the window", func(s *calendar.ScheduleSpec) { s.Waves[1].Bake = "21h" },
			"prod loses a part of its window in 52 of 52 cycles of the next year: a bake of 21h after stage's window ends after it opens " +
				"(2026-11-24: the bake ends Wed 16:00, prod opens Wed 15:00;",
		},
		{"just in time", func(s *calendar.ScheduleSpec) { s.Waves[1].Bake = "20h" }, ""},
		{
			"only at a change of the clocks", func(s *calendar.ScheduleSpec) {
				s.Environments["stage"], s.Environments["prod"] = kv("day", "sat", "time", "15:00"), kv("day", "sun", "time", "15:00")
				s.Waves[1].Bake = "20h"
			},
			"prod loses a part of its window in 1 of 53 cycles of the next year: a bake of 20h after stage's window ends after it opens " +
				"(2027-03-27: the bake ends Sun 16:00, prod opens Sun 15:00)",
		},
		{
			"some cycles", func(s *calendar.ScheduleSpec) {
				s.Environments["stage"], s.Environments["prod"] = kv("day", "mon-fri", "time", "15:00"), kv("day", "wed", "time", "15:00")
				s.Waves = []calendar.WaveSpec{{Environment: "stage", Bake: "24h"}, {Environment: "prod"}}
			},
			"prod misses the cycle of stage in 104 of 261 cycles",
		},
		{
			"a canary in the same window", func(s *calendar.ScheduleSpec) {
				s.Waves = []calendar.WaveSpec{{Environment: "prod", Bake: "1h", Selector: &everyone}, {Environment: "prod"}}
			},
			"",
		},
		{
			"too long a bake for the same window", func(s *calendar.ScheduleSpec) {
				s.Waves = []calendar.WaveSpec{{Environment: "prod", Bake: "4h", Selector: &everyone}, {Environment: "prod"}}
			},
			"prod can never follow prod in the same cycle",
		},
		{"waves by selector", func(s *calendar.ScheduleSpec) {
			s.Waves = []calendar.WaveSpec{{Selector: &everyone, Bake: "1000h"}, {Selector: &everyone}}
		}, ""},
	} {
		s := spec()
		c.change(&s)
		got := schedule(t, s).Lint(instant(t, lintFrom))
		if c.want == "" {
			if len(got) > 0 {
				t.Errorf("%s: got %v, want nothing", c.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Code != calendar.CadenceTrap || !got[0].Warn || !strings.Contains(got[0].Text, c.want) {
			t.Errorf("%s: got %v\nwant %s", c.name, got, c.want)
		}
	}
}

func TestLint_freezes(t *testing.T) {
	t.Parallel()
	now := instant(t, lintFrom)
	week := freeze(t, calendar.FreezeSpec{Name: "a", From: "2026-12-01", To: "2026-12-15", Timezone: "UTC"})
	rest := freeze(t, calendar.FreezeSpec{Name: "b", From: "2026-12-16", To: "2027-01-01", Timezone: "UTC"})
	if got := calendar.LintFreezes([]calendar.Freeze{week}, now); len(got) > 0 {
		t.Errorf("two weeks: got %v", got)
	}
	got := calendar.LintFreezes([]calendar.Freeze{rest, week}, now)
	if len(got) > 0 {
		t.Errorf("48 hours: got %v, want nothing", got)
	}
	more := freeze(t, calendar.FreezeSpec{Name: "c", From: "2026-12-15", To: "2026-12-16", Timezone: "UTC"})
	got = calendar.LintFreezes([]calendar.Freeze{rest, week, more}, now)
	if len(got) != 1 || got[0].Code != calendar.LongFreeze || !strings.Contains(got[0].Text, "leave 24h of the 32 days from") {
		t.Errorf("24 hours: got %v", got)
	}
	long := freeze(t, calendar.FreezeSpec{Name: "d", From: "06-01", To: "07-15", Yearly: true, Timezone: "UTC"})
	got = calendar.LintFreezes([]calendar.Freeze{long}, now)
	if len(got) != 1 || !strings.Contains(got[0].Text, "leave 0s of the 32 days from Tue 1 Jun 2027 00:00 UTC open") {
		t.Errorf("six weeks of every year: got %v", got)
	}
}

func TestCalendar_LintFreezes(t *testing.T) {
	t.Parallel()
	prod := calendar.Selector{All: map[string][]string{"Environment": {"prod"}}}
	c := calendar.Calendar{Freezes: []calendar.Freeze{
		freeze(t, calendar.FreezeSpec{Name: "all", From: "2026-12-01", To: "2026-12-16", Timezone: "UTC"}),
		freeze(t, calendar.FreezeSpec{Name: "prod", From: "2026-12-16", To: "2027-01-01", Timezone: "UTC", Selector: prod}),
	}}
	for environment, want := range map[string]int{"prod": 1, "dev": 0} {
		if got := c.LintFreezes(kv("Environment", environment), instant(t, lintFrom)); len(got) != want {
			t.Errorf("%s: got %v, want %d", environment, got, want)
		}
	}
}

func TestICS(t *testing.T) {
	t.Parallel()
	ws, _ := schedule(t, spec()).Windows("prod")
	got := calendar.ICS("web prod, "+strings.Repeat("é", 40), ws.Upcoming(instant(t, lintFrom), 2), instant(t, lintFrom))
	for _, want := range []string{
		"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "UID:web@2026-11-25/web prod\\, ", "DTSTAMP:20261120T090000Z\r\n",
		"DTSTART:20261125T150000Z\r\nDTEND:20261125T190000Z\r\n", "DTSTART:20261202T150000Z\r\n", "END:VEVENT\r\nEND:VCALENDAR\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want it to have %q", got, want)
		}
	}
	for line := range strings.SplitSeq(got, "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line has %d bytes, want 75 at most: %q", len(line), line)
		}
	}
	if strings.Contains(strings.ReplaceAll(got, "\r\n", ""), "\n") {
		t.Error("a line ends without a carriage return")
	}
}
