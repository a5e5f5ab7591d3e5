package calendar_test

import (
	"slices"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// TestClosing asks how the window ends that is open at an instant: by itself,
// or by a freeze that begins in it, or in its overrun.
func TestClosing(t *testing.T) {
	t.Parallel()
	late := spec()
	late.Name, late.OnClose, late.Overrun = "late", calendar.FinishGroup, "90m"
	cal := fleetCalendar(t)
	cal.Schedules = append(cal.Schedules, schedule(t, late))
	prod := func(name string) calendar.Subject { return calendar.Subject{Schedule: name, Environment: "prod"} }
	inline, problems := calendar.NewWindow("daily", "22:00", "Europe/London", "4h")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		name    string
		subject calendar.Subject
		at      string
		want    calendar.Closing
	}{
		{"outside", prod("web"), "2026-11-18T14:00:00Z", calendar.Closing{}},
		{"by itself", prod("web"), "2026-11-18T16:00:00Z", calendar.Closing{
			End: instant(t, "2026-11-18T19:00:00Z"), How: "finish_batch", Window: "the window (Wed 15:00–19:00 Europe/London)", Next: "Wed 25 Nov 15:00 GMT",
		}},
		{"with overrun", prod("late"), "2026-11-18T16:00:00Z", calendar.Closing{
			End: instant(t, "2026-11-18T19:00:00Z"), Overrun: 90 * time.Minute, How: "finish_group", Window: "the window (Wed 15:00–19:00 Europe/London)", Next: "Wed 25 Nov 15:00 GMT",
		}},
		// The freeze is for Environment = prod, and the subject has no such tag.
		{"by a freeze", prod("late"), "2026-11-25T15:30:00Z", calendar.Closing{
			End: instant(t, "2026-11-25T16:00:00Z"), How: "finish_group",
			Window: `the window (Wed 15:00–19:00 Europe/London), ended by freeze "sale" (Black Friday, CHG-17),`, Next: "Wed 2 Dec 15:00 GMT",
		}},
		{"a freeze of others", calendar.Subject{Schedule: "late", Environment: "prod", Tags: map[string]string{"Environment": "prod-eu"}}, "2026-11-25T15:30:00Z", calendar.Closing{
			End: instant(t, "2026-11-25T19:00:00Z"), Overrun: 90 * time.Minute, How: "finish_group", Window: "the window (Wed 15:00–19:00 Europe/London)", Next: "Wed 2 Dec 15:00 GMT",
		}},
		{"inline, across midnight, into the turn of the year", calendar.Subject{Windows: []calendar.Window{inline}}, "2026-12-18T23:30:00Z", calendar.Closing{
			End: instant(t, "2026-12-19T00:00:00Z"), How: "finish_batch",
			Window: `the window (Daily 22:00–02:00 Europe/London), ended by freeze "year-end" (no changes),`, Next: "Mon 4 Jan 00:00 GMT",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := instant(t, c.at)
			if got := cal.Closing(c.subject, cal.Decide(c.subject, at)); got != c.want {
				t.Errorf("%+v at %s\n got %+v\nwant %+v", c.subject, c.at, got, c.want)
			}
		})
	}
	// A freeze that begins in the overrun ends that.
	later := cal
	later.Freezes = append(slices.Clone(cal.Freezes), freeze(t, calendar.FreezeSpec{Name: "soon", From: "2026-11-18T19:30:00Z", To: "2026-11-18T20:00:00Z"}))
	got := later.Closing(prod("late"), later.Decide(prod("late"), instant(t, "2026-11-18T16:00:00Z")))
	if got.Overrun != 30*time.Minute {
		t.Errorf("overrun before a freeze: got %s, want 30m", got.Overrun)
	}
}
