package calendar_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// kv makes a map of pairs.
func kv(pairs ...string) map[string]string {
	out := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		out[pair[0]] = pair[len(pair)-1]
	}
	return out
}

func TestMergeTags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		defaults, override map[string]string
		want               map[string]string
		problem            string // of the first problem: path, code and part of the text
	}{
		{
			"no override", kv("day", "sun", "time", "19:00"), nil,
			kv("AMI_update_day", "sun", "AMI_update_time", "19:00"), "",
		},
		{
			"a part", kv("day", "sun", "time", "19:00", "timezone", "Europe/London", "duration", "4h", "schedule", "web"), kv("time", "07:30"),
			kv("AMI_update_day", "sun", "AMI_update_time", "07:30", "AMI_update_tz", "Europe/London", "AMI_update_schedule", "web"), "",
		},
		{
			"the other spelling wins as an override", kv("AMI_update_day", "sun", "AMI_update_time", "19:00"), kv("AMI_refresh_day", "Monday", "AMI_refresh_time", "10:00"),
			kv("AMI_update_day", "mon", "AMI_update_time", "10:00"), "",
		},
		{
			"new over old", kv("AMI_update_day", "sun", "AMI_update_time", "19:00"), kv("day", "2nd Tuesday +3d"),
			kv("AMI_update_day", "2nd tue +3d", "AMI_update_time", "19:00"), "",
		},
		{"mistyped", kv("day", "sun", "time", "19:00"), kv("dya", "mon"), nil, `override.dya UNKNOWN_KEY Did you mean "day"?`},
		{"mistyped old key", kv("day", "sun", "time", "19:00"), kv("AMI_updat_day", "mon"), nil, `override.AMI_updat_day UNKNOWN_KEY Did you mean "AMI_update_day"?`},
		{"no day", kv("time", "19:00"), nil, nil, ` INVALID day is missing`},
		{"bad zone", kv("day", "sun", "time", "19:00", "timezone", "EST"), nil, nil, `timezone INVALID abbreviation`},
		{"bad name", kv("day", "sun", "time", "19:00"), kv("schedule", "a b"), nil, `schedule INVALID no name of a schedule`},
		{
			"left behind by merge()", kv("AMI_update_day", "sun", "AMI_update_time", "19:00", "AMI_refresh_day", "mon", "AMI_refresh_time", "10:00"), nil, nil,
			`defaults.AMI_refresh_day MIXED_KEYS AMI_update_day is "sun" and AMI_refresh_day is "mon"`,
		},
	} {
		got, problems := calendar.MergeTags(c.defaults, c.override)
		if c.problem != "" {
			checkProblem(t, c.name, problems, c.problem)
			continue
		}
		if len(problems) > 0 || !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.name, got, problems, c.want)
		}
	}
}

// checkProblem wants the first problem to be "path code part of the text".
func checkProblem(t *testing.T, name string, problems []calendar.Problem, want string) {
	t.Helper()
	if len(problems) == 0 {
		t.Errorf("%s: got no problem, want %s", name, want)
		return
	}
	path, rest, _ := strings.Cut(want, " ")
	code, text, _ := strings.Cut(rest, " ")
	if p := problems[0]; strings.Join(p.Path, ".") != path || p.Code != code || !strings.Contains(p.Text, text) {
		t.Errorf("%s: got %s (%s), want %s", name, p, p.Code, want)
	}
}

func TestReadTags_mixture(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tags     map[string]string
		readable bool
		codes    string
	}{
		{kv("AMI_update_day", "wed", "AMI_update_time", "15:00"), true, ""},
		{kv("AMI_refresh_day", "wed", "AMI_refresh_time", "15:00"), true, ""},
		{kv("AMI_update_day", "wed", "AMI_update_time", "15:00", "AMI_refresh_day", "Wednesday"), true, "MIXED_KEYS "},
		{kv("AMI_update_day", "wed", "AMI_update_time", "15:00", "AMI_refresh_day", "wed"), true, "MIXED_KEYS "},
		{kv("AMI_update_day", "wed", "AMI_refresh_time", "15:00"), true, "MIXED_KEYS "},
		{kv("AMI_update_day", "wed", "AMI_update_time", "15:00", "AMI_refresh_day", "thu"), false, "MIXED_KEYS "},
		{kv("AMI_update_day", "wed", "AMI_update_time", "3pm"), false, "INVALID_TAG "},
		{kv("AMI_update_day", "wed"), false, "INVALID_TAG "},
		{kv("AMI_update_schedule", "a/b"), false, "INVALID_TAG "},
		{kv("day", "whatever", "schedule", "x", "Name", "web"), true, ""},
		{nil, true, ""},
	} {
		r := calendar.DefaultTagKeys.ReadTags(c.tags, "UTC")
		got := ""
		for _, f := range r.Findings {
			got += f.Code + " "
		}
		if r.Readable() != c.readable || got != c.codes || !c.readable && !r.Window.Day.IsZero() {
			t.Errorf("%v: got readable %t, %q, window %v, want %t, %q", c.tags, r.Readable(), got, r.Window, c.readable, c.codes)
		}
	}
}

// FuzzReadTags: no tags make the reader panic, and what it takes goes on a tag
// again and comes back the same.
func FuzzReadTags(f *testing.F) {
	f.Add("wed", "15:00", "Europe/London", "web", "sun")
	f.Add("2nd tue +3d", "00:00", "UTC", "a.b-c", "")
	f.Add("", "", "", "", "")
	f.Add("mon-", "24:00", "Local", "a b", "\x00")
	f.Fuzz(func(t *testing.T, day, at, zone, name, other string) {
		tags := kv("AMI_update_day", day, "AMI_update_time", at, "AMI_update_tz", zone, "AMI_update_schedule", name)
		if other != "" {
			tags["AMI_refresh_day"] = other
		}
		r := calendar.DefaultTagKeys.ReadTags(tags, "UTC")
		if !r.Readable() {
			if !r.Window.Day.IsZero() {
				t.Fatalf("%q: got the window %v of tags that cannot be read", tags, r.Window)
			}
			return
		}
		again := calendar.DefaultTagKeys.ReadTags(kv("AMI_update_day", r.Window.Day.String(), "AMI_update_time", r.Window.Time.String(),
			"AMI_update_tz", r.Window.Zone.String(), "AMI_update_schedule", r.Schedule), "UTC")
		if fmt.Sprint(again.Window, again.Schedule) != fmt.Sprint(r.Window, r.Schedule) {
			t.Fatalf("%q: got %v, and of that %v", tags, r, again)
		}
	})
}
