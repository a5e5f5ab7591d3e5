package calendar_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// golden is what testdata/golden.py found, with Python's own zone arithmetic
// and recurrence rules.
type golden struct {
	Dates   map[string][]string `json:"dates"`
	Windows []struct {
		Day, Time, Timezone string
		Minutes             int
		From                time.Time
		Windows             [][2]time.Time
	} `json:"windows"`
	Resolved [][3]string `json:"resolved"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	body, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(body, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Dates) < 50 || len(g.Windows) < 300 || len(g.Resolved) < 2000 {
		t.Fatalf("golden.json has %d phrases, %d windows and %d local times; it is not whole", len(g.Dates), len(g.Windows), len(g.Resolved))
	}
	return g
}

func TestGolden_dates(t *testing.T) {
	t.Parallel()
	for text, want := range readGolden(t).Dates {
		p := phrase(t, text)
		d := date(t, want[0]) - 1
		for n, w := range want {
			if d = p.Next(d + 1); d.String() != w {
				t.Errorf("%s, date %d: got %s, want %s", text, n, d, w)
				break
			}
		}
	}
}

func TestGolden_resolved(t *testing.T) {
	t.Parallel()
	for _, v := range readGolden(t).Resolved {
		d := date(t, v[1][:10])
		m, err := calendar.ParseMinute(v[1][11:])
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := calendar.Resolve(d, m, zone(t, v[0])); got.Format(time.RFC3339) != v[2] {
			t.Errorf("%s %s: got %s, want %s", v[0], v[1], got.Format(time.RFC3339), v[2])
		}
	}
}

func TestGolden_windows(t *testing.T) {
	t.Parallel()
	for _, c := range readGolden(t).Windows {
		w := window(t, c.Day, c.Time, c.Timezone, time.Duration(c.Minutes)*time.Minute)
		got := calendar.Windows{List: []calendar.Window{w}}.Upcoming(c.From, len(c.Windows))
		for n, want := range c.Windows {
			if !got[n].Start.Equal(want[0]) || !got[n].End.Equal(want[1]) {
				t.Errorf("%s from %s, window %d: got %s to %s, want %s to %s", w.Brief(), c.From, n, got[n].Start, got[n].End, want[0], want[1])
				break
			}
		}
	}
}

func phrase(t testing.TB, s string) calendar.Phrase {
	t.Helper()
	p, err := calendar.ParsePhrase(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func date(t testing.TB, s string) calendar.Date {
	t.Helper()
	d, err := calendar.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func zone(t testing.TB, s string) calendar.Zone {
	t.Helper()
	z, err := calendar.ParseZone(s)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func window(t testing.TB, day, at, timezone string, length time.Duration) calendar.Window {
	t.Helper()
	w, problems := calendar.NewWindow(day, at, timezone, length.String())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return w
}

func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
