package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// everyone selects every group.
var everyone = calendar.Selector{Everything: true}

// spec is the schedule of the design page.
func spec() calendar.ScheduleSpec {
	return calendar.ScheduleSpec{
		Name: "web", Timezone: "Europe/London", Defaults: map[string]string{"duration": "4h", "cutoff": "45m"},
		Environments: map[string]map[string]string{
			"sandbox": {"day": "mon", "time": "10:00"},
			"dev":     {"day": "sun", "time": "19:00"},
			"stage":   {"day": "tue", "time": "15:00"},
			"prod":    {"day": "wed", "time": "15:00"},
		},
		Waves: []calendar.WaveSpec{{Environment: "dev", Bake: "18h"}, {Environment: "stage", Bake: "18h"}, {Environment: "prod"}},
	}
}

func schedule(t testing.TB, s calendar.ScheduleSpec) calendar.Schedule {
	t.Helper()
	out, problems := s.Parse()
	if len(calendar.Errors(problems)) > 0 {
		t.Fatalf("%+v: %v", s, problems)
	}
	return out
}

func freeze(t testing.TB, s calendar.FreezeSpec) calendar.Freeze {
	t.Helper()
	if s.Selector.IsEmpty() {
		s.Selector = everyone
	}
	if s.Reason == "" {
		s.Reason = "no changes"
	}
	out, problems := s.Parse()
	if len(problems) > 0 {
		t.Fatalf("%+v: %v", s, problems)
	}
	return out
}

func exception(t testing.TB, s calendar.ExceptionSpec) calendar.Exception {
	t.Helper()
	out, problems := s.Parse()
	if len(problems) > 0 {
		t.Fatalf("%+v: %v", s, problems)
	}
	return out
}

func codes(d calendar.Decision) string {
	var out []string
	for _, b := range d.Blockers {
		out = append(out, b.Code)
	}
	return strings.Join(out, " ")
}

// fleetCalendar is a calendar with something of everything.
func fleetCalendar(t testing.TB) calendar.Calendar {
	other := spec()
	other.Name, other.Selector = "ops", &calendar.Selector{All: map[string][]string{"Team": {"ops", "dba"}}}
	asleep := spec()
	asleep.Name, asleep.Suspended = "asleep", true
	own := spec()
	own.Name, own.Keys = "own", calendar.TagKeys{Day: "patch-day", Time: "patch-time", Schedule: "patch-schedule"}
	return calendar.Calendar{
		Schedules: []calendar.Schedule{schedule(t, spec()), schedule(t, other), schedule(t, asleep), schedule(t, own)},
		Freezes: []calendar.Freeze{
			freeze(t, calendar.FreezeSpec{Name: "year-end", From: "12-19", To: "01-04", Yearly: true, Timezone: "UTC"}),
			freeze(t, calendar.FreezeSpec{
				Name: "sale", From: "2026-11-25T16:00:00Z", To: "2026-11-30T00:00:00Z", Reason: "Black Friday", Ticket: "CHG-17",
				Selector: calendar.Selector{All: map[string][]string{"Environment": {"prod"}}},
			}),
		},
		Exceptions: []calendar.Exception{exception(t, calendar.ExceptionSpec{
			Name: "legacy-db", Until: "2027-03-31", Timezone: "Europe/London", Reason: "vendor forbids it", ApprovedBy: "A. Boss",
			Selector: calendar.Selector{Any: map[string][]string{"Role": {"db"}}},
		})},
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	web := calendar.Subject{Schedule: "web", Environment: "prod"}
	tagged := func(pairs ...string) calendar.Subject { return calendar.Subject{Tags: kv(pairs...)} }
	for _, c := range []struct {
		name    string
		subject calendar.Subject
		at      string
		codes   string
		explain string
	}{
		{"before", web, "2026-11-18T14:59:59Z", "OUTSIDE_WINDOW", "Not now because outside window (Wed 15:00–19:00 Europe/London). Next chance Wed 18 Nov 15:00 GMT."},
		{"inside", web, "2026-11-18T15:00:00Z", "", "Now: inside window (Wed 15:00–19:00 Europe/London) until Wed 18 Nov 19:00 GMT. Nothing starts after Wed 18 Nov 18:15 GMT."},
		{
			"cutoff", web, "2026-11-18T18:15:00Z", "PAST_CUTOFF",
			"Not now because the window is open until Wed 18 Nov 19:00 GMT, but 45m before its end nothing starts any more. Next chance Wed 25 Nov 15:00 GMT.",
		},
		{"after", web, "2026-11-18T19:00:00Z", "OUTSIDE_WINDOW", "Not now because outside window (Wed 15:00–19:00 Europe/London). Next chance Wed 25 Nov 15:00 GMT."},
		{
			"freeze and outside", web, "2026-12-24T10:00:00Z", "FROZEN OUTSIDE_WINDOW",
			`Not now because (1) freeze "year-end" (no changes) until Mon 4 Jan 00:00 UTC; (2) outside window (Wed 15:00–19:00 Europe/London). Next chance Wed 6 Jan 15:00 GMT.`,
		},
		{
			"frozen inside", web, "2026-12-30T16:00:00Z", "FROZEN",
			`Not now because freeze "year-end" (no changes) until Mon 4 Jan 00:00 UTC. Next chance Wed 6 Jan 15:00 GMT.`,
		},
		{
			"a freeze begins in the window",
			calendar.Subject{Schedule: "web", Environment: "prod", Tags: map[string]string{"Environment": "prod"}},
			"2026-11-25T15:00:00Z", "", "Now: inside window (Wed 15:00–19:00 Europe/London) until Wed 25 Nov 16:00 GMT.",
		},
		{
			"all of them",
			calendar.Subject{Schedule: "asleep", Environment: "prod", Tags: map[string]string{"Environment": "prod", "Role": "db"}},
			"2026-11-27T10:00:00Z", "SUSPENDED FROZEN EXCEPTED OUTSIDE_WINDOW",
			`Not now because (1) schedule "asleep" is suspended; (2) freeze "sale" (Black Friday, CHG-17) until Mon 30 Nov 00:00 UTC; ` +
				`(3) exception "legacy-db" (vendor forbids it, approved by A. Boss) until Tue 30 Mar 23:00 UTC; (4) outside window (Wed 15:00–19:00 Europe/London). ` +
				"No chance within two years as things stand.",
		},
		{"summer time", web, "2027-04-07T13:59:59Z", "OUTSIDE_WINDOW", "Not now because outside window (Wed 15:00–19:00 Europe/London). Next chance Wed 7 Apr 15:00 BST."},
		{"no such schedule", calendar.Subject{Schedule: "wbe"}, "2026-11-18T15:00:00Z", "UNMANAGED", `Not now because schedule "wbe" is not published, so there is no window; publish it, or name another one. Did you mean "web"?`},
		{
			"no such environment",
			calendar.Subject{Schedule: "web", Environment: "prd"},
			"2026-11-18T15:00:00Z", "UNKNOWN_ENVIRONMENT",
			`Not now because schedule "web" has no environment "prd"; it has "dev", "prod", "sandbox" or "stage". Did you mean "prod"?`,
		},
		{"unmanaged", tagged("Name", "x"), "2026-11-18T15:00:00Z", "UNMANAGED", "Not now because no schedule is for it: it names none, none selects it, and it has no tags for day and time."},
		{
			"by tags", tagged("AMI_update_day", "wed", "AMI_update_time", "15:00", "AMI_update_tz", "Europe/London", "AMI_update_schedule", "web"),
			"2026-11-18T15:00:00Z", "", "Now: inside window (Wed 15:00–19:00 Europe/London) until Wed 18 Nov 19:00 GMT. Nothing starts after Wed 18 Nov 18:15 GMT.",
		},
		{"by the other spelling", tagged("AMI_refresh_schedule", "web", "Environment", "prod"), "2026-11-18T16:00:00Z", "", ""},
		{"by own keys", tagged("patch-schedule", "own", "Environment", "prod"), "2026-11-18T16:00:00Z", "", ""},
		{"by selector", tagged("Team", "dba", "Environment", "stage"), "2026-11-17T16:00:00Z", "", ""},
		{
			"by two", tagged("Team", "ops", "AMI_update_schedule", "web", "Environment", "prod"), "2026-11-18T16:00:00Z", "AMBIGUOUS_SCHEDULE",
			`Not now because the schedules "ops" and "web" all match; change their selectors or the group's tags so that one does.`,
		},
		{
			"tags only", tagged("AMI_refresh_day", "Wednesday", "AMI_refresh_time", "15:00"), "2026-11-18T14:00:00Z", "OUTSIDE_WINDOW",
			"Not now because outside window (Wed 15:00–19:00 UTC). Next chance Wed 18 Nov 15:00 UTC.",
		},
		{"bad tag", tagged("AMI_update_day", "wensday", "AMI_update_time", "15:00"), "2026-11-18T16:00:00Z", "INVALID_TAG", ""},
		{"half of the tags", tagged("AMI_update_day", "wed"), "2026-11-18T16:00:00Z", "INVALID_TAG", ""},
		{
			"mixed tags", tagged("AMI_update_day", "wed", "AMI_update_time", "15:00", "AMI_refresh_day", "thu", "AMI_refresh_time", "15:00"),
			"2026-11-18T16:00:00Z", "MIXED_KEYS", "",
		},
		{
			"tags of no environment", tagged("AMI_update_day", "thu", "AMI_update_time", "15:00", "AMI_update_tz", "Europe/London", "AMI_update_schedule", "web"),
			"2026-11-18T16:00:00Z", "TAG_DRIFT", "",
		},
		{"schedule without environment", tagged("AMI_update_schedule", "web"), "2026-11-18T16:00:00Z", "UNKNOWN_ENVIRONMENT", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := fleetCalendar(t).Decide(c.subject, instant(t, c.at))
			if codes(d) != c.codes {
				t.Errorf("%+v at %s: got %q, want %q: %s", c.subject, c.at, codes(d), c.codes, d.Explain())
			}
			if got := d.Explain(); c.explain != "" && got != c.explain {
				t.Errorf("%+v at %s\n got %s\nwant %s", c.subject, c.at, got, c.explain)
			}
		})
	}
}

func TestDecide_drift(t *testing.T) {
	t.Parallel()
	d := fleetCalendar(t).Decide(calendar.Subject{Tags: map[string]string{
		"AMI_update_day": "thu", "AMI_update_time": "15:00", "AMI_update_tz": "Europe/London", "AMI_update_schedule": "web", "Environment": "prod",
	}}, instant(t, "2026-11-18T16:00:00Z"))
	if !d.Open() || len(d.Findings) != 1 || d.Findings[0].Code != calendar.TagDrift {
		t.Fatalf("got %q and findings %v, want it open, because the schedule holds, and TAG_DRIFT", codes(d), d.Findings)
	}
	if want := `the tags say thu 15:00 Europe/London, and schedule "web" has wed 15:00 Europe/London for prod`; !strings.Contains(d.Findings[0].Text, want) {
		t.Errorf("got %q, want it to say %q", d.Findings[0].Text, want)
	}
}

func TestDecide_unreadable(t *testing.T) {
	t.Parallel()
	c := fleetCalendar(t)
	c.Unread = []calendar.Unread{{Path: "freezes/x", Why: "it is not JSON"}}
	d := c.Decide(calendar.Subject{Schedule: "web", Environment: "prod"}, instant(t, "2026-11-18T16:00:00Z"))
	if codes(d) != "UNREADABLE" || !d.Next.Start.IsZero() {
		t.Errorf("got %q, next %v, want UNREADABLE and no chance", codes(d), d.Next)
	}
	if want := "Not now because freezes/x cannot be read: it is not JSON. No chance within two years as things stand."; d.Explain() != want {
		t.Errorf("got %s\nwant %s", d.Explain(), want)
	}
}

func TestDecide_due(t *testing.T) {
	t.Parallel()
	c := fleetCalendar(t)
	s := calendar.Subject{Schedule: "web", Environment: "prod", Due: instant(t, "2026-12-31T00:00:00Z")}
	got := c.Decide(s, instant(t, "2026-12-20T00:00:00Z")).Explain()
	if want := "Next chance Wed 6 Jan 15:00 GMT. Due Thu 31 Dec 00:00 GMT, which is before the next chance."; !strings.HasSuffix(got, want) {
		t.Errorf("got %s\nwant it to end with %s", got, want)
	}
}

func TestDecide_cleared(t *testing.T) {
	t.Parallel()
	c := fleetCalendar(t)
	var err error
	for n, f := range c.Freezes {
		s := f.Spec()
		s.Cleared = true
		body, _ := calendar.Encode(s)
		if c.Freezes[n], err = calendar.DecodeFreeze([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if d := c.Decide(calendar.Subject{Schedule: "web", Environment: "prod"}, instant(t, "2026-12-30T16:00:00Z")); !d.Open() {
		t.Errorf("got %s, want lifted freezes not to count", d.Explain())
	}
	s := c.Schedules[0].Spec()
	s.Cleared = true
	body, _ := calendar.Encode(s)
	if c.Schedules[0], err = calendar.DecodeSchedule([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if d := c.Decide(calendar.Subject{Schedule: "web", Environment: "prod"}, instant(t, "2026-11-18T16:00:00Z")); codes(d) != "UNMANAGED" {
		t.Errorf("got %s, want a withdrawn schedule not to count", d.Explain())
	}
}

func TestSelector(t *testing.T) {
	t.Parallel()
	tags := map[string]string{"Environment": "prod", "Team": "web", "Empty": ""}
	for _, c := range []struct {
		s    calendar.Selector
		want bool
	}{
		{calendar.Selector{}, false},
		{calendar.Selector{Everything: true}, true},
		{calendar.Selector{All: map[string][]string{"Environment": {"stage", "prod"}, "Team": {"web"}}}, true},
		{calendar.Selector{All: map[string][]string{"Environment": {"prod"}, "Team": {"ops"}}}, false},
		{calendar.Selector{All: map[string][]string{"Empty": {""}}}, true},
		{calendar.Selector{All: map[string][]string{"Missing": {""}}}, false},
		{calendar.Selector{All: map[string][]string{"Empty": {"*"}, "Team": {"*"}}}, true},
		{calendar.Selector{Any: map[string][]string{"Environment": {"dev"}, "Team": {"web"}}}, true},
		{calendar.Selector{Any: map[string][]string{"Environment": {"dev"}, "Team": {"ops"}}}, false},
		{calendar.Selector{None: map[string][]string{"Environment": {"prod"}}}, false},
		{calendar.Selector{None: map[string][]string{"Environment": {"dev"}}}, true},
		{calendar.Selector{Any: map[string][]string{"Team": {"web"}}, None: map[string][]string{"Team": {"*"}}}, false},
		{calendar.Selector{All: map[string][]string{"environment": {"prod"}}}, false}, // tags have case
	} {
		if got := c.s.Matches(tags); got != c.want {
			t.Errorf("%+v: got %t, want %t", c.s, got, c.want)
		}
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from, to string
		zone     string
		yearly   bool
		inside   []string
		outside  []string
	}{
		{
			"dates", "2026-12-19", "2027-01-04", "Europe/London", false,
			[]string{"2026-12-19T00:00:00Z", "2027-01-03T23:59:59Z"},
			[]string{"2026-12-18T23:59:59Z", "2027-01-04T00:00:00Z", "2027-12-25T00:00:00Z"},
		},
		{"summer", "2026-07-01", "2026-07-02", "Europe/London", false, []string{"2026-06-30T23:00:00Z"}, []string{"2026-07-01T23:00:00Z"}},
		{"instants", "2026-11-25T16:00:00+01:00", "2026-11-25T15:00:01Z", "", false, []string{"2026-11-25T15:00:00Z"}, []string{"2026-11-25T15:00:01Z"}},
		{
			"yearly over the year's end", "12-19", "01-04", "UTC", true,
			[]string{"2026-12-19T00:00:00Z", "2027-01-03T23:59:59Z", "2030-12-31T12:00:00Z"},
			[]string{"2027-01-04T00:00:00Z", "2027-12-18T23:59:59Z"},
		},
		{"yearly", "06-01", "06-02", "Asia/Kathmandu", true, []string{"2027-05-31T18:15:00Z"}, []string{"2027-06-01T18:15:00Z", "2027-05-31T18:14:59Z"}},
		{
			"29 February", "02-29", "03-02", "UTC", true,
			[]string{"2028-02-29T00:00:00Z", "2027-03-01T00:00:00Z"},
			[]string{"2027-02-28T23:00:00Z", "2028-02-28T23:00:00Z", "2027-03-02T00:00:00Z"},
		},
		{"midnight is skipped", "2026-04-24", "2026-04-25", "Africa/Cairo", false, []string{"2026-04-23T22:00:00Z"}, []string{"2026-04-23T21:59:59Z", "2026-04-24T21:00:00Z"}},
	} {
		f := freeze(t, calendar.FreezeSpec{Name: "f", From: c.from, To: c.to, Timezone: c.zone, Yearly: c.yearly})
		for n, list := range [][]string{c.outside, c.inside} {
			for _, at := range list {
				if _, got := f.At(instant(t, at)); got != (n == 1) {
					t.Errorf("%s at %s: got %t", c.name, at, got)
				}
			}
		}
	}
}

func TestFreeze_refused(t *testing.T) {
	t.Parallel()
	good := calendar.FreezeSpec{Name: "f", From: "2026-12-19", To: "2027-01-04", Timezone: "UTC", Selector: everyone, Reason: "r"}
	for name, c := range map[string]struct {
		change func(*calendar.FreezeSpec)
		field  string
		text   string
	}{
		"ends before":        {func(s *calendar.FreezeSpec) { s.To = "2026-12-18" }, "to", "not after from"},
		"ends at once":       {func(s *calendar.FreezeSpec) { s.To = s.From }, "to", "not after from"},
		"never yearly":       {func(s *calendar.FreezeSpec) { s.Yearly, s.From, s.To = true, "12-19", "12-19" }, "to", "never holds"},
		"zone missing":       {func(s *calendar.FreezeSpec) { s.Timezone = "" }, "from", "timezone is missing"},
		"zone unknown":       {func(s *calendar.FreezeSpec) { s.Timezone = "CET" }, "timezone", `"Europe/Paris"?`},
		"no such day":        {func(s *calendar.FreezeSpec) { s.To = "2027-02-30" }, "to", "give a date"},
		"yearly with a year": {func(s *calendar.FreezeSpec) { s.Yearly = true }, "from", `such as "12-19"`},
		"no year":            {func(s *calendar.FreezeSpec) { s.From = "12-19" }, "from", "set yearly = true"},
		"empty selector":     {func(s *calendar.FreezeSpec) { s.Selector = calendar.Selector{} }, "selector", "is empty"},
		"both selectors":     {func(s *calendar.FreezeSpec) { s.Selector.None = map[string][]string{"a": {"b"}} }, "selector.everything", "leave one"},
		"selector, no value": {func(s *calendar.FreezeSpec) { s.Selector = calendar.Selector{Any: map[string][]string{"a": nil}} }, "selector.any.a", "no values"},
		"no reason":          {func(s *calendar.FreezeSpec) { s.Reason = " " }, "reason", "is empty"},
		"long ticket":        {func(s *calendar.FreezeSpec) { s.Ticket = strings.Repeat("x", 201) }, "ticket", "shorten it to 200"},
		"bad name":           {func(s *calendar.FreezeSpec) { s.Name = "year end" }, "name", "1 to 64 letters"},
	} {
		s := good
		c.change(&s)
		if _, problems := s.Parse(); len(problems) == 0 || strings.Join(problems[0].Path, ".") != c.field || !strings.Contains(problems[0].Text, c.text) {
			t.Errorf("%s: got %v, want %s: %s", name, problems, c.field, c.text)
		}
	}
	if _, problems := (calendar.ExceptionSpec{Name: "e", Selector: everyone, Reason: "r", ApprovedBy: "b"}).Parse(); len(problems) != 1 || !strings.Contains(problems[0].Text, "until is missing") {
		t.Errorf("exception without an end: got %v", problems)
	}
}

func BenchmarkNextTen(b *testing.B) {
	ws := calendar.Windows{ID: "web", List: []calendar.Window{window(b, "2nd tue +3d", "02:30", "Europe/London", 4*time.Hour)}}
	daily := calendar.Windows{ID: "web", List: []calendar.Window{window(b, "daily", "00:00", "America/Santiago", 24*time.Hour)}}
	at := instant(b, "2026-11-20T09:00:00Z")
	for name, ws := range map[string]calendar.Windows{"monthly": ws, "endless": daily} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				ws.Upcoming(at, 10)
			}
		})
	}
}

// bigCalendar has 1,000 schedules and 200 freezes, all of which hold for the
// subject.
func bigCalendar(t testing.TB) (calendar.Calendar, calendar.Subject) {
	var c calendar.Calendar
	for n := range 1000 {
		s := spec()
		s.Name = fmt.Sprintf("s%d", n)
		s.Selector = &calendar.Selector{All: map[string][]string{"App": {s.Name}}}
		c.Schedules = append(c.Schedules, schedule(t, s))
	}
	for n := range 200 {
		day := time.Date(2026, 11, 21+2*n, 0, 0, 0, 0, time.UTC)
		f := calendar.FreezeSpec{Name: fmt.Sprintf("f%d", n), From: day.Format(time.DateOnly), To: day.AddDate(0, 0, 2).Format(time.DateOnly), Timezone: "Europe/London"}
		if n%4 == 0 {
			f.Yearly, f.From, f.To = true, day.Format("01-02"), day.AddDate(0, 0, 1).Format("01-02")
		}
		c.Freezes = append(c.Freezes, freeze(t, f))
	}
	return c, calendar.Subject{Tags: map[string]string{"App": "s500", "Environment": "prod"}}
}

func BenchmarkDecide(b *testing.B) {
	c, s := bigCalendar(b)
	at := instant(b, "2026-11-23T09:00:00Z")
	for b.Loop() {
		c.Decide(s, at)
	}
}

// TestFigures holds the figures of the issue, with room for a busy machine.
func TestFigures(t *testing.T) {
	t.Parallel()
	c, s := bigCalendar(t)
	at := instant(t, "2026-11-23T09:00:00Z")
	if d := c.Decide(s, at); codes(d) != "FROZEN OUTSIDE_WINDOW" || d.Schedule != "s500" {
		t.Fatalf("got %q by %s", codes(d), d.Schedule)
	}
	fastest := func(f func()) time.Duration {
		var took []time.Duration
		for range 20 {
			began := time.Now()
			f()
			took = append(took, time.Since(began))
		}
		return slices.Min(took)
	}
	if took := fastest(func() { c.Decide(s, at) }); took > 10*time.Millisecond {
		t.Errorf("a decision over 1,000 schedules and 200 freezes: got %s, want 10ms at most", took)
	}
	ws := calendar.Windows{ID: "web", List: []calendar.Window{window(t, "daily", "00:00", "America/Santiago", 24*time.Hour)}}
	if took := fastest(func() { ws.Upcoming(at, 10) }); took > time.Millisecond {
		t.Errorf("the next ten of windows without end: got %s, want 1ms at most", took)
	}
}
