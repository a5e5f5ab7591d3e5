package calendar_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

func TestSchedule_tags(t *testing.T) {
	t.Parallel()
	got := schedule(t, spec()).Tags("prod")
	want := kv("AMI_update_day", "wed", "AMI_update_time", "15:00", "AMI_update_tz", "Europe/London", "AMI_update_schedule", "web")
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	own := spec()
	own.Keys = calendar.TagKeys{Day: "patch:day", Schedule: "patch:schedule"}
	got = schedule(t, own).Tags("dev")
	want = kv("patch:day", "sun", "AMI_update_time", "19:00", "AMI_update_tz", "Europe/London", "patch:schedule", "web")
	if !maps.Equal(got, want) {
		t.Errorf("own keys: got %v, want %v", got, want)
	}
}

// TestSchedule_spellings: what means the same has the same document.
func TestSchedule_spellings(t *testing.T) {
	t.Parallel()
	other := calendar.ScheduleSpec{
		Name: "web", Defaults: map[string]string{"timezone": "Europe/London", "cutoff": "2700s"},
		Environments: map[string]map[string]string{
			"sandbox": {"AMI_refresh_day": "Monday", "AMI_refresh_time": "10:00"},
			"dev":     {"AMI_update_day": "SUN", "AMI_update_time": "19:00", "duration": "240m"},
			"stage":   {"day": "tues", "time": "15:00", "timezone": "Europe/London"},
			"prod":    {"day": "wed wed", "time": "15:00", "cutoff": "45m"},
		},
		Waves:   []calendar.WaveSpec{{Environment: "dev", Bake: "1080m", Gate: "none"}, {Environment: "stage", Bake: "18h"}, {Environment: "prod", Bake: "0s"}},
		OnClose: "finish_batch", Overrun: "0s", Keys: calendar.TagKeys{Day: "AMI_update_day"},
	}
	a, err1 := calendar.Encode(schedule(t, spec()).Spec())
	b, err2 := calendar.Encode(schedule(t, other).Spec())
	if err1 != nil || err2 != nil || a != b {
		t.Errorf("got %s, %v\nwant %s, %v", b, err2, a, err1)
	}
	want := `{"v":1,"name":"web","timezone":"Europe/London","defaults":{"cutoff":"45m","duration":"4h"},"environments":{"dev":{"day":"sun","time":"19:00"},` +
		`"prod":{"day":"wed","time":"15:00"},"sandbox":{"day":"mon","time":"10:00"},"stage":{"day":"tue","time":"15:00"}},` +
		`"waves":[{"environment":"dev","bake":"18h"},{"environment":"stage","bake":"18h"},{"environment":"prod"}]}`
	if a != want {
		t.Errorf("got %s\nwant %s", a, want)
	}
	again, err := calendar.DecodeSchedule([]byte(a))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := calendar.Encode(again.Spec()); err != nil || c != a {
		t.Errorf("read and written again: got %s, %v\nwant %s", c, err, a)
	}
}

// TestDecodeSchedule_older: a document from before there were versions.
func TestDecodeSchedule_older(t *testing.T) {
	t.Parallel()
	s, err := calendar.DecodeSchedule([]byte(`{"name":"web","timezone":"Europe/London","defaults":{"duration":"4h","cutoff":"45m"},"environments":{
		"sandbox":{"AMI_refresh_day":"mon","AMI_refresh_time":"10:00"},"dev":{"AMI_update_day":"sunday","AMI_update_time":"19:00"},
		"stage":{"day":"tue","time":"15:00"},"prod":{"day":"wed","time":"15:00"}},
		"waves":[{"environment":"dev","bake":"18h"},{"environment":"stage","bake":"18h"},{"environment":"prod"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, _ := calendar.Encode(s.Spec())
	want, _ := calendar.Encode(schedule(t, spec()).Spec())
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestDecode_refused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{`:                    "not the JSON",
		`{"v":2,"name":"web"}`: "it has version 2, and this Refit knows versions up to 1",
		`{"v":1,"name":"web"}`: "environments is empty",
		`{"v":1,"name":"web","environments":{"prod":{"day":"wed","time":"15:00"}}}`: "time zone is missing",
	} {
		if _, err := calendar.DecodeSchedule([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", body, err, want)
		}
	}
	if _, err := calendar.DecodeFreeze([]byte(`{"v":9}`)); err == nil {
		t.Error("a freeze of a newer version: got no error")
	}
	if _, err := calendar.DecodeException([]byte(`{"name":"x"}`)); err == nil {
		t.Error("an exception without an end: got no error")
	}
}

func TestSchedule_refused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*calendar.ScheduleSpec)
		want   string
	}{
		"name":            {func(s *calendar.ScheduleSpec) { s.Name = "my web" }, "name INVALID 1 to 64 letters"},
		"zone":            {func(s *calendar.ScheduleSpec) { s.Timezone = "GMT Standard Time" }, `timezone INVALID "Europe/London"?`},
		"zone missing":    {func(s *calendar.ScheduleSpec) { s.Timezone = "" }, "environments.dev.timezone INVALID time zone is missing"},
		"nothing":         {func(s *calendar.ScheduleSpec) { s.Environments = nil; s.Waves = nil }, "environments INVALID environments is empty"},
		"bad day":         {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["day"] = "sundau" }, `environments.dev.day INVALID Did you mean "sunday"?`},
		"bad time":        {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["time"] = "9:30" }, `environments.dev.time INVALID Did you mean "09:30"?`},
		"mistyped":        {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["tiem"] = "09:30" }, `environments.dev.tiem UNKNOWN_KEY Did you mean "time"?`},
		"defaults":        {func(s *calendar.ScheduleSpec) { s.Defaults["cutof"] = "45m" }, `defaults.cutof UNKNOWN_KEY Did you mean "cutoff"?`},
		"zero":            {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["duration"] = "0h" }, "environments.dev.duration INVALID never open"},
		"too long":        {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["duration"] = "169h" }, "environments.dev.duration INVALID lasts 168h at most"},
		"no duration":     {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["duration"] = "4 hours" }, "environments.dev.duration INVALID no duration"},
		"cutoff":          {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["cutoff"] = "4h" }, "environments.dev.cutoff INVALID nothing could ever start"},
		"negative cutoff": {func(s *calendar.ScheduleSpec) { s.Environments["dev"]["cutoff"] = "-1m" }, "environments.dev.cutoff INVALID zero or more"},
		"wave":            {func(s *calendar.ScheduleSpec) { s.Waves[1].Environment = "stag" }, `waves.1.environment UNKNOWN_ENVIRONMENT Did you mean "stage"?`},
		"empty wave":      {func(s *calendar.ScheduleSpec) { s.Waves[1].Environment = "" }, "waves.1.environment INVALID neither environment nor selector"},
		"wave selector":   {func(s *calendar.ScheduleSpec) { s.Waves[1].Selector = &calendar.Selector{} }, "waves.1.selector INVALID is empty"},
		"bake":            {func(s *calendar.ScheduleSpec) { s.Waves[0].Bake = "1d" }, "waves.0.bake INVALID duration of zero or more"},
		"gate":            {func(s *calendar.ScheduleSpec) { s.Waves[0].Gate = "aproval" }, `waves.0.gate INVALID Did you mean "approval"?`},
		"canary":          {func(s *calendar.ScheduleSpec) { s.Waves[0].Canary = 101 }, "waves.0.canary_percentage INVALID 1 to 100"},
		"selector":        {func(s *calendar.ScheduleSpec) { s.Selector = &calendar.Selector{} }, "selector INVALID is empty"},
		"on_close":        {func(s *calendar.ScheduleSpec) { s.OnClose = "finish" }, "on_close INVALID give"},
		"overrun":         {func(s *calendar.ScheduleSpec) { s.Overrun = "-1h" }, "overrun INVALID zero or more"},
		"splay":           {func(s *calendar.ScheduleSpec) { s.Splay = "x" }, "splay INVALID zero or more"},
		"budget":          {func(s *calendar.ScheduleSpec) { s.Budget = -1 }, "budget INVALID one or more"},
		"tag key":         {func(s *calendar.ScheduleSpec) { s.Keys.Day = "aws:day" }, "tag_keys.day INVALID no key of a tag"},
		"tag key twice":   {func(s *calendar.ScheduleSpec) { s.Keys.Day = "AMI_update_time" }, "tag_keys.time INVALID its own"},
		"mixed": {func(s *calendar.ScheduleSpec) {
			s.Environments["dev"] = kv("AMI_update_day", "sun", "AMI_update_time", "19:00", "AMI_refresh_day", "mon")
		}, "environments.dev.AMI_refresh_day MIXED_KEYS different values"},
		"mixed, no matter": {func(s *calendar.ScheduleSpec) {
			s.Environments["dev"] = kv("AMI_update_day", "sun", "AMI_update_time", "19:00", "AMI_refresh_day", "Sunday")
		}, "environments.dev.AMI_refresh_day MIXED_KEYS keep one"},
	} {
		s := spec()
		s.Environments, s.Defaults = map[string]map[string]string{}, maps.Clone(s.Defaults)
		for e, w := range spec().Environments {
			s.Environments[e] = maps.Clone(w)
		}
		c.change(&s)
		_, problems := s.Parse()
		checkProblem(t, name, problems, c.want)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"day", "time", "timezone", "duration", "cutoff"}
	for in, want := range map[string]string{
		"dya": "day", "Day": "day", "tiem": "time", "time_zone": "timezone", "durration": "duration", "cutof": "cutoff", "x": "", "": "", "window": "",
	} {
		if got := calendar.Nearest(in, known); got != want {
			t.Errorf("Nearest(%q): got %q, want %q", in, got, want)
		}
	}
}
