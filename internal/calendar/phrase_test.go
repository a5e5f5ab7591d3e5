package calendar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

func TestParsePhrase(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"sun": "sun", "Sunday": "sun", " SUN ": "sun",
		"mon wed": "mon wed", "wed mon": "mon wed", "Tues": "tue", "thu": "thu", "thur": "thu", "THURS": "thu", "tue": "tue",
		"mon-fri": "mon-fri", "mon tue wed thu fri": "mon-fri", "monday-friday": "mon-fri", "mon-tue": "mon tue",
		"fri-mon": "fri-mon", "sat sun": "sat sun", "sun mon": "mon sun", "sun-sun": "sun", "mon-wed fri": "mon-wed fri",
		"sun-sat": "daily", "daily": "daily", "DAILY": "daily", "tue mon-sat sun": "daily",
		"2nd tue": "2nd tue", "2ND Tuesday": "2nd tue", "last fri": "last fri", "5th fri": "5th fri", "2nd tue +3d": "2nd tue +3d",
		"15th": "15th", "1st": "1st", "22nd": "22nd", "23rd": "23rd", "11th": "11th", "31st": "31st", "3rd +1d": "3rd +1d",
		"last day": "last day", "Last Day -2d": "last day -2d",
	} {
		p, err := calendar.ParsePhrase(in)
		if err != nil || p.String() != want {
			t.Errorf("ParsePhrase(%q): got %q, %v, want %q", in, p, err, want)
			continue
		}
		if again, err := calendar.ParsePhrase(p.String()); err != nil || again != p {
			t.Errorf("ParsePhrase(%q): got %v, %v, want the same phrase again", p.String(), again, err)
		}
	}
}

func TestParsePhrase_refused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                    "names no day; give",
		"   ":                                 "names no day; give",
		strings.Repeat("a", 500):              "names no day; give",
		"sun mon tue wed thu fri sat sun mon": "names no day; give",
		"sonday":                              `"sonday" is not understood; give "sun"`,
		"sundau":                              `Did you mean "sunday"?`,
		"weekdays":                            `Did you mean "mon-fri"?`,
		"first":                               `Did you mean "1st"?`,
		"mon,tue":                             "put spaces between days",
		"2th tue":                             `Did you mean "2nd"?`,
		"2 tue":                               `Did you mean "2nd"?`,
		"11st":                                `Did you mean "11th"?`,
		"0th":                                 "no day of a month",
		"32nd":                                "no day of a month",
		"6th fri":                             "no month has a 6th fri",
		"last":                                `after "last" comes`,
		"last day sun":                        "is too much",
		"2nd tue fri":                         "is too much",
		"sun +1d":                             "day of the month only",
		"2nd tue +0d":                         "no number of days",
		"2nd tue +32d":                        "no number of days",
		"2nd tue +3":                          "no number of days",
		"2nd tue ++3d":                        "no number of days",
		"+3d":                                 "is not understood",
		"mon-":                                "is not understood",
		"mon-xyz":                             "is not understood",
		"1st day":                             "is not understood",
	} {
		p, err := calendar.ParsePhrase(in)
		if err == nil || !strings.Contains(err.Error(), want) || !p.IsZero() {
			t.Errorf("ParsePhrase(%.40q): got %v, %v, want an error with %q", in, p, err, want)
		}
	}
}

func TestPhrase_named(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		phrase, from string
		want         []string
	}{
		{"last day", "2028-02-01", []string{"2028-02-29", "2028-03-31"}},
		{"29th", "2027-01-30", []string{"2027-03-29", "2027-04-29"}},
		{"29th", "2028-01-30", []string{"2028-02-29"}},
		{"5th fri", "2026-11-20", []string{"2027-01-29", "2027-04-30"}},
		{"last fri", "2026-11-20", []string{"2026-11-27", "2026-12-25"}},
		{"2nd tue +3d", "2026-11-20", []string{"2026-12-11", "2027-01-15"}},
		{"last day -2d", "2026-12-30", []string{"2027-01-29", "2027-02-26"}},
		{"31st +1d", "2026-12-02", []string{"2027-01-01", "2027-02-01", "2027-04-01"}},
		{"1st -1d", "2026-12-30", []string{"2026-12-31", "2027-01-31"}},
		{"mon", "2026-12-29", []string{"2027-01-04"}},
	} {
		p, d := phrase(t, c.phrase), date(t, c.from)
		for _, want := range c.want {
			if d = p.Next(d); d.String() != want {
				t.Errorf("%s from %s: got %s, want %s", c.phrase, c.from, d, want)
			}
			d++
		}
	}
}

// TestPhrase_nthWeekday compares with counting the days of each month.
func TestPhrase_nthWeekday(t *testing.T) {
	t.Parallel()
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	ordinals := []string{"1st", "2nd", "3rd", "4th", "5th"}
	for month := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); month.Year() < 2038; month = month.AddDate(0, 1, 0) {
		seen, lastOf := map[time.Weekday]int{}, map[time.Weekday]string{}
		for day := month; day.Month() == month.Month(); day = day.AddDate(0, 0, 1) {
			w, d := day.Weekday(), date(t, day.Format(time.DateOnly))
			for n, o := range ordinals {
				if got, want := phrase(t, o+" "+names[w]).Matches(d), n == seen[w]; got != want {
					t.Fatalf("%s %s matches %s: got %t, want %t", o, names[w], d, got, want)
				}
			}
			seen[w]++
			lastOf[w] = d.String()
		}
		for w, want := range lastOf {
			first := date(t, month.Format(time.DateOnly))
			if got := phrase(t, "last "+names[w]).Next(first).String(); got != want {
				t.Fatalf("last %s of %s: got %s, want %s", names[w], month.Format("2006-01"), got, want)
			}
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"sun":          "Every Sunday from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"mon wed fri":  "Every Monday, Wednesday and Friday from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"mon-fri":      "Every Monday to Friday from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"mon-wed sat":  "Every Monday to Wednesday and Saturday from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"daily":        "Every day from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"2nd tue":      "The second Tuesday of every month from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"2nd tue +3d":  "3 days after the second Tuesday of every month from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"5th fri -1d":  "1 day before the fifth Friday of every month that has one from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"31st":         "The 31st of every month that has one from 19:00 for 1 hour 30 minutes, Europe/London time.",
		"last day -2d": "2 days before the last day of every month from 19:00 for 1 hour 30 minutes, Europe/London time.",
	} {
		if got := window(t, in, "19:00", "Europe/London", 90*time.Minute).Describe(); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// FuzzParsePhrase: nothing makes the parser panic, and what it takes has one
// spelling, legal as a tag's value, that means the same.
func FuzzParsePhrase(f *testing.F) {
	for _, s := range []string{"sun", "mon-fri", "2nd tue +3d", "last day -2d", "31st", "fri-mon wed", "+", "-d", "1", "last +1d", "Sun", "mon--fri"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := calendar.ParsePhrase(s)
		if err != nil {
			if !p.IsZero() {
				t.Fatalf("ParsePhrase(%q): got %v beside an error", s, p)
			}
			return
		}
		again, err := calendar.ParsePhrase(p.String())
		if err != nil || again != p || again.String() != p.String() {
			t.Fatalf("ParsePhrase(%q) is %q, and that is %q, %v", s, p, again, err)
		}
		if strings.Trim(p.String(), "abcdefghijklmnopqrstuvwxyz0123456789 +-") != "" {
			t.Fatalf("ParsePhrase(%q) is %q, which AWS refuses on a tag", s, p)
		}
		if d := p.Next(20000); d < 20000 || d > 20000+100 || !p.Matches(d) {
			t.Fatalf("%q after %s: got %s", p, calendar.Date(20000), d)
		}
		if p.Describe() == "" || p.Title() == "" {
			t.Fatalf("%q has no description", p)
		}
	})
}

func TestParseMinute(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"00:00": "", "23:59": "", "09:30": "", "24:00": `Midnight is "00:00"`, "9:30": `Did you mean "09:30"?`, "7:15pm": `Did you mean "19:15"?`,
		"": "no time of day", "0930": "no time of day", "12:60": "no time of day", "-1:00": "no time of day", "１2:00": "no time of day", "12:00:00": "no time of day",
	} {
		m, err := calendar.ParseMinute(in)
		if want == "" && (err != nil || m.String() != in) {
			t.Errorf("ParseMinute(%q): got %v, %v", in, m, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("ParseMinute(%q): got %v, %v, want an error with %q", in, m, err, want)
		}
	}
}
