package calendar_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// The generators go where calendars break: zones that change at midnight, by
// half an hour, or for Ramadan.
var zoneGen = rapid.Custom(func(t *rapid.T) calendar.Zone {
	hard := []string{
		"Africa/Cairo", "Africa/Casablanca", "America/New_York", "America/Santiago", "Asia/Beirut", "Asia/Kathmandu",
		"Australia/Lord_Howe", "Europe/London", "Pacific/Apia", "Pacific/Chatham", "UTC", "America/Havana", "Asia/Gaza",
	}
	name := rapid.SampledFrom(hard).Draw(t, "zone")
	if rapid.IntRange(0, 3).Draw(t, "any zone") == 0 {
		name = rapid.SampledFrom(calendar.ZoneNames()).Draw(t, "zone of all")
	}
	z, err := calendar.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
})

var phraseGen = rapid.Custom(func(t *rapid.T) calendar.Phrase {
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	ordinals := []string{"1st", "2nd", "3rd", "4th", "5th", "last"}
	text := ""
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		text = "daily"
	case 1:
		for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 6, rapid.ID).Draw(t, "days") {
			text += n + " "
		}
	case 2:
		text = rapid.SampledFrom(ordinals).Draw(t, "which") + " " + rapid.SampledFrom(names).Draw(t, "day")
	case 3:
		text = rapid.SampledFrom([]string{"1st", "15th", "28th", "29th", "30th", "31st", "last day"}).Draw(t, "day")
	}
	if n := rapid.IntRange(-31, 31).Draw(t, "offset"); n != 0 && text[len(text)-1] != ' ' && text != "daily" {
		text += fmt.Sprintf(" %+dd", n)
	}
	p, err := calendar.ParsePhrase(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
})

var windowGen = rapid.Custom(func(t *rapid.T) calendar.Window {
	w := calendar.Window{
		Day: phraseGen.Draw(t, "day"), Zone: zoneGen.Draw(t, "zone"),
		Time:     calendar.Minute(rapid.SampledFrom([]int{0, 15, 30, 60, 90, 120, 135, 150, 180, 600, 1380, 1439}).Draw(t, "time")),
		Duration: time.Duration(rapid.SampledFrom([]int{1, 30, 60, 240, 720, 1440, 1500, 4000, 10080}).Draw(t, "duration")) * time.Minute,
	}
	w.Cutoff = time.Duration(rapid.IntRange(0, 3).Draw(t, "cutoff")) * w.Duration / 4
	return w
})

var windowsGen = rapid.Custom(func(t *rapid.T) calendar.Windows {
	return calendar.Windows{ID: "web", List: rapid.SliceOfN(windowGen, 1, 3).Draw(t, "windows")}
})

// instantGen is within 2010 to 2037, and often near a change of the clocks.
var instantGen = rapid.Custom(func(t *rapid.T) time.Time {
	at := time.Unix(rapid.Int64Range(1262304000, 2145916800).Draw(t, "second"), 0).UTC()
	if rapid.Bool().Draw(t, "near a change") {
		if _, end := zoneGen.Draw(t, "zone").In(at).ZoneBounds(); !end.IsZero() {
			at = end.UTC().Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "minutes")) * time.Minute)
		}
	}
	return at
})

func TestProperty_resolveRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		z, at := zoneGen.Draw(t, "zone"), instantGen.Draw(t, "at")
		d, m := calendar.DateOf(at, z), calendar.Minute(rapid.IntRange(0, 1439).Draw(t, "minute"))
		got, fit := calendar.Resolve(d, m, z)
		local := z.In(got)
		shown := calendar.DateOf(got, z) == d && calendar.Minute(60*local.Hour()+local.Minute()) == m
		if shown != (fit != calendar.Gap) {
			t.Errorf("%s %s %s: got %s, which shows %s, fit %d", z, d, m, got, local, fit)
		}
		if fit == calendar.Gap && !local.After(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s %s %s: got %s", z, d, m, got)
		}
		later, _ := calendar.Resolve(d, min(m+1, 1439), z)
		tomorrow, _ := calendar.Resolve(d+1, m, z)
		if tomorrow.Before(got) || fit == calendar.Exact && later.Before(got.Add(-2*time.Hour)) {
			t.Errorf("%s %s %s: got %s, a minute later %s, a day later %s", z, d, m, got, later, tomorrow)
		}
	})
}

// naive says by itself whether one of the windows is open: it looks at every
// date of a month.
func naive(ws calendar.Windows, at time.Time, starts bool) bool {
	for _, w := range ws.List {
		today := calendar.DateOf(at, w.Zone)
		for d := today - 10; d <= today+2; d++ {
			if !w.Day.Matches(d) {
				continue
			}
			start, end := w.Start(d), w.Start(d).Add(w.Duration)
			if starts {
				end = end.Add(-w.Cutoff)
			}
			if !at.Before(start) && at.Before(end) {
				return true
			}
		}
	}
	return false
}

func TestProperty_containsIffListed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ws, from := windowsGen.Draw(t, "windows"), instantGen.Draw(t, "from")
		list := ws.Upcoming(from, 6)
		at := list[rapid.IntRange(0, 5).Draw(t, "which")].Start.Add(time.Duration(rapid.IntRange(-700, 11000).Draw(t, "minutes")) * time.Minute)
		if at.Before(from) || !at.Before(list[5].End) {
			at = from
		}
		listed := slices.ContainsFunc(list, func(o calendar.Occurrence) bool { return o.Contains(at) })
		o, open := ws.At(at)
		if want := naive(ws, at, false); listed != want || open != want {
			t.Errorf("at %s: listed %t, At %t, want %t\n%v\n%v", at, listed, open, want, o, list)
		}
		if may := open && at.Before(o.Close); naive(ws, at, true) && !may {
			t.Errorf("at %s: a window takes starts, and the union %v does not", at, o)
		}
	})
}

func TestProperty_sortedAndDisjoint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ws, from := windowsGen.Draw(t, "windows"), instantGen.Draw(t, "from")
		before := calendar.Occurrence{}
		ids := map[string]bool{}
		for n, o := range ws.Upcoming(from, 12) {
			if !o.Start.Before(o.End) || o.Close.After(o.End) || !o.End.After(from) {
				t.Fatalf("from %s: got %v", from, o)
			}
			if n > 0 && (o.Start.Before(before.End) || !o.Start.After(from)) {
				t.Fatalf("from %s: got %v after %v", from, o, before)
			}
			if ids[o.ID] {
				t.Fatalf("the id %s comes twice", o.ID)
			}
			ids[o.ID], before = true, o
		}
	})
}

// TestProperty_onePerDate: a window has exactly one occurrence for each
// matching date, whatever the clocks do.
func TestProperty_onePerDate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, from := windowGen.Draw(t, "window"), instantGen.Draw(t, "from")
		w.Duration, w.Cutoff = time.Minute, 0 // so that none unite
		got := map[string]int{}
		list := calendar.Windows{List: []calendar.Window{w}}.Upcoming(from, 10)
		for _, o := range list {
			got[o.ID]++
		}
		for d := list[0].Date; d <= list[9].Date; d++ {
			want := 0
			if w.Day.Matches(d) {
				want = 1
			}
			// Samoa had no 30 December 2011: what falls on it happens on the 31st.
			if got[d.String()] != want && w.Zone.String() != "Pacific/Apia" && w.Zone.String() != "Pacific/Fakaofo" {
				t.Errorf("%s on %s: got %d occurrences, want %d", w.Brief(), d, got[d.String()], want)
			}
		}
	})
}

func freezeGen(n int) *rapid.Generator[[]calendar.Freeze] {
	one := rapid.Custom(func(t *rapid.T) calendar.Freeze {
		spec := calendar.FreezeSpec{Name: "f", Selector: calendar.Selector{Everything: true}, Reason: "r", Timezone: zoneGen.Draw(t, "zone").String()}
		from := instantGen.Draw(t, "from")
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			spec.From, spec.To = from.Format(time.RFC3339), from.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "hours"))*time.Hour).Format(time.RFC3339)
		case 1:
			spec.From, spec.To = from.Format(time.DateOnly), from.AddDate(0, 0, rapid.IntRange(2, 60).Draw(t, "days")).Format(time.DateOnly)
		case 2:
			spec.Yearly = true
			spec.From, spec.To = from.Format("01-02"), from.AddDate(0, 0, rapid.IntRange(2, 300).Draw(t, "days")).Format("01-02")
		}
		f, problems := spec.Parse()
		if len(problems) > 0 {
			t.Fatalf("%+v: %v", spec, problems)
		}
		return f
	})
	return rapid.SliceOfN(one, 0, n)
}

// TestProperty_freezeNeverOpens: adding a freeze never opens time, and adding
// a window never closes it.
func TestProperty_freezeNeverOpens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ws, at, freezes := windowsGen.Draw(t, "windows"), instantGen.Draw(t, "at"), freezeGen(3).Draw(t, "freezes")
		if rapid.Bool().Draw(t, "in a window") {
			at = ws.Upcoming(at, 1)[0].Start
		}
		open := func(list []calendar.Window, freezes []calendar.Freeze) bool {
			return calendar.Calendar{Freezes: freezes}.Decide(calendar.Subject{Windows: list}, at).Open()
		}
		frozen := slices.ContainsFunc(freezes, func(f calendar.Freeze) bool { _, is := f.At(at); return is })
		bare, all := open(ws.List, nil), open(ws.List, freezes)
		if all != (bare && !frozen) {
			t.Errorf("at %s: open %t without freezes, %t with, frozen %t", at, bare, all, frozen)
		}
		if fewer := open(ws.List[:1], freezes); fewer && !all {
			t.Errorf("at %s: the first window alone is open, all of them are not", at)
		}
	})
}

// TestProperty_nextChance: the next chance is not before the instant, a roll
// may start then, and nothing may start before.
func TestProperty_nextChance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ws, at := windowsGen.Draw(t, "windows"), instantGen.Draw(t, "at")
		c := calendar.Calendar{Freezes: freezeGen(3).Draw(t, "freezes")}
		s := calendar.Subject{Windows: ws.List}
		d := c.Decide(s, at)
		if d.Explain() != c.Decide(s, at).Explain() {
			t.Fatal("the same input gave two answers")
		}
		if d.Next.Start.IsZero() {
			return // frozen over and over; every other case must find one
		}
		if d.Next.Start.Before(at) || d.Open() != d.Next.Start.Equal(at) || !c.Decide(s, d.Next.Start).Open() {
			t.Fatalf("at %s, open %t: got the next chance %s\n%s", at, d.Open(), d.Next.Start, c.Decide(s, d.Next.Start).Explain())
		}
		wait := d.Next.Start.Sub(at)
		for n := range 40 {
			if probe := at.Add(wait * time.Duration(n) / 40); probe.Before(d.Next.Start) && c.Decide(s, probe).Open() {
				t.Fatalf("at %s: got the next chance %s, and %s is open", at, d.Next.Start, probe)
			}
		}
		// It stays open until the end that was named, cutoff apart.
		if inside := d.Next.Close.Add(-time.Second); inside.After(d.Next.Start) && !c.Decide(s, inside).Open() {
			t.Fatalf("chance %v: closed at %s\n%s", d.Next, inside, c.Decide(s, inside).Explain())
		}
	})
}

// TestUpcoming_endless: windows that touch for ever come out in pieces without
// a gap, and end.
func TestUpcoming_endless(t *testing.T) {
	t.Parallel()
	ws := calendar.Windows{ID: "web", List: []calendar.Window{
		window(t, "daily", "00:00", "Europe/London", 25*time.Hour), window(t, "mon", "12:00", "UTC", 7*24*time.Hour),
	}}
	from := instant(t, "2026-11-20T09:00:00Z")
	list := ws.Upcoming(from, 24)
	if list[0].Start.After(from) {
		t.Fatalf("got %v first, want one that is open", list[0])
	}
	for n := 1; n < len(list); n++ {
		if !list[n].Start.Equal(list[n-1].End) {
			t.Errorf("got %v after %v, want no gap", list[n], list[n-1])
		}
	}
}

func TestOccurrence_ids(t *testing.T) {
	t.Parallel()
	w := window(t, "wed", "15:00", "Europe/London", 4*time.Hour)
	late := window(t, "wed", "23:00", "Europe/London", 2*time.Hour)
	from := instant(t, "2026-12-30T16:00:00Z")
	var got []string
	for _, o := range append((calendar.Windows{ID: "web", List: []calendar.Window{w}}).Upcoming(from, 2),
		calendar.Windows{ID: "web", List: []calendar.Window{w, late}}.Upcoming(from, 2)...) {
		got = append(got, o.ID)
	}
	want := []string{"web@2026-12-30", "web@2027-01-06", "web@2026-12-30T15:00Z", "web@2026-12-30T23:00Z"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUpcoming_midnight: a window belongs to the day it starts on and keeps
// its length, across midnight, the year's end and clock changes.
func TestUpcoming_midnight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ day, at, from, want string }{
		{"thu", "22:00", "2027-01-01T01:00:00Z", "web@2026-12-31 2026-12-31T22:00:00Z 2027-01-01T04:00:00Z"},
		{"sat", "22:00", "2026-03-28T12:00:00Z", "web@2026-03-28 2026-03-28T22:00:00Z 2026-03-29T04:00:00Z"},
		{"sat", "22:00", "2026-10-24T12:00:00Z", "web@2026-10-24 2026-10-24T21:00:00Z 2026-10-25T03:00:00Z"},
		{"sun", "01:30", "2026-03-29T00:00:00Z", "web@2026-03-29 2026-03-29T01:30:00Z 2026-03-29T07:30:00Z"},
		{"sun", "01:30", "2026-10-25T00:45:00Z", "web@2026-10-25 2026-10-25T00:30:00Z 2026-10-25T06:30:00Z"},
	} {
		ws := calendar.Windows{ID: "web", List: []calendar.Window{window(t, c.day, c.at, "Europe/London", 6*time.Hour)}}
		o := ws.Upcoming(instant(t, c.from), 1)[0]
		if got := o.ID + " " + o.Start.Format(time.RFC3339) + " " + o.End.Format(time.RFC3339); got != c.want {
			t.Errorf("%s %s from %s: got %s, want %s", c.day, c.at, c.from, got, c.want)
		}
	}
}

// TestUpcoming_union: a stretch of windows has the same start and id from
// wherever it is seen, and takes starts as long as one of its windows does.
func TestUpcoming_union(t *testing.T) {
	t.Parallel()
	week := 7 * 24 * time.Hour
	first, second := window(t, "1st", "00:00", "UTC", week), window(t, "8th", "00:00", "UTC", week)
	for _, at := range []string{"2026-12-01T00:00:00Z", "2026-12-08T00:00:00Z", "2026-12-14T23:59:59Z"} {
		o, open := calendar.Windows{ID: "web", List: []calendar.Window{second, first}}.At(instant(t, at))
		if !open || o.ID != "web@2026-12-01T00:00Z" || !o.Start.Equal(instant(t, "2026-12-01T00:00:00Z")) || !o.End.Equal(instant(t, "2026-12-15T00:00:00Z")) {
			t.Errorf("at %s: got %v, %t, want 1 to 15 December", at, o, open)
		}
	}
	long, short := window(t, "wed", "10:00", "UTC", 4*time.Hour), window(t, "wed", "13:00", "UTC", 65*time.Minute)
	short.Cutoff = time.Hour
	o := calendar.Windows{List: []calendar.Window{long, short}}.Upcoming(instant(t, "2026-11-25T10:00:00Z"), 1)[0]
	if !o.End.Equal(instant(t, "2026-11-25T14:05:00Z")) || !o.Close.Equal(instant(t, "2026-11-25T14:00:00Z")) {
		t.Errorf("got %v, want it to take starts until 14:00, as the longer window does", o)
	}
}
