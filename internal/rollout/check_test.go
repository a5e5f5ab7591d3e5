package rollout_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func ptr[T any](v T) *T { return &v }

func devices() rollout.Check {
	c := rollout.DefaultCheck("devices")
	c.URL, c.Number = "https://hub.example.com/stats", &rollout.Number{Path: "/connected", Within: ptr(5)}
	return c
}

func TestCheck_Judge(t *testing.T) {
	t.Parallel()
	number := func(n rollout.Number) rollout.Check {
		c := devices()
		c.Number = &n
		return c
	}
	matching := rollout.DefaultCheck("body")
	matching.Expect.Body = `"ok":\s*true`
	for _, c := range []struct {
		name  string
		check rollout.Check
		reply rollout.Reply
		value float64
		want  string // why it fails; empty: it passes
	}{
		{"status", rollout.DefaultCheck("x"), rollout.Reply{Status: 204}, 0, ""},
		{"other status", rollout.DefaultCheck("x"), rollout.Reply{Status: 302}, 0, "expected status 200-299, got 302"},
		{"body", matching, rollout.Reply{Status: 200, Body: []byte(`{"ok": true}`)}, 0, ""},
		{"other body", matching, rollout.Reply{Status: 200, Body: []byte(`{"ok": false}`)}, 0, `expected a body that matches "\"ok\":\\s*true", got "{\"ok\": false}"`},
		{"empty body", matching, rollout.Reply{Status: 200}, 0, `expected a body that matches "\"ok\":\\s*true", got an empty one`},
		{"number", devices(), rollout.Reply{Status: 200, Body: []byte(`{"connected": 1234}`)}, 1234, ""},
		{"the whole answer", number(rollout.Number{Min: ptr(1.0)}), rollout.Reply{Status: 200, Body: []byte(`7`)}, 7, ""},
		{"deep", number(rollout.Number{Path: "/a~1b/1/~0c", Max: ptr(3.0)}), rollout.Reply{Status: 200, Body: []byte(`{"a/b": [0, {"~c": 2.5}]}`)}, 2.5, ""},
		{"too small", number(rollout.Number{Path: "/n", Min: ptr(10.0)}), rollout.Reply{Status: 200, Body: []byte(`{"n": 9}`)}, 9, "expected /n of at least 10, got 9"},
		{"too large", number(rollout.Number{Path: "/n", Max: ptr(0.5)}), rollout.Reply{Status: 200, Body: []byte(`{"n": 0.75}`)}, 0.75, "expected /n of at most 0.5, got 0.75"},
		{"absent", devices(), rollout.Reply{Status: 200, Body: []byte(`{}`)}, 0, `expected a number at "/connected": there is no "connected", got "{}"`},
		{"no number", devices(), rollout.Reply{Status: 200, Body: []byte(`{"connected":"1"}`)}, 0, `expected a number at "/connected": what is there is no number, got "{\"connected\":\"1\"}"`},
		{"no JSON", devices(), rollout.Reply{Status: 200, Body: []byte(`hello`)}, 0, `expected a number at "/connected": the answer is not JSON, got "hello"`},
		{"no element", number(rollout.Number{Path: "/2", Min: ptr(0.0)}), rollout.Reply{Status: 200, Body: []byte(`[1]`)}, 0, `expected a number at "/2": a list of 1 has no element "2", got "[1]"`},
		{"too long", devices(), rollout.Reply{Status: 200, Body: []byte(`{"conn`), Cut: true}, 0, "the answer is longer than 6 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.check.Judge(c.reply); got.Failed != c.want || got.Value != c.value {
				t.Errorf("Judge(%d %s) = %+v, want failed %q, value %v", c.reply.Status, c.reply.Body, got, c.want, c.value)
			}
		})
	}
}

// answer is an observation in which the checks were run at a moment.
func answer(s rollout.Snapshot, m rollout.Moment, a rollout.Answer) rollout.Snapshot {
	s.Asked, s.Answers = m, map[string]rollout.Answer{"devices": a}
	return s
}

// TestChecks_beforeWithFailure: a new member that others launched is replaced before the
// checks have passed. The look with their answers tells of it too: one without would
// find that it has disappeared, and one to find out why would be one without answers.
func TestChecks_beforeWithFailure(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	p.Checks, p.FailureLimit = []rollout.Check{devices()}, 2
	s := group(2)
	m := healthy(2, target)
	rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target, Epoch: 1})
	mem := rollout.Memory{FirstSeen: map[string]time.Time{m.ID: began}, Missing: map[string]time.Time{m.ID: began}, Progress: began}
	s.Departures = map[string]rollout.Departure{m.ID: {Text: "taken out of service in response to an EC2 health check"}}
	for i := range 3 {
		d := decide(p, later(s, time.Duration(5*i)*time.Second), rec, mem)
		if d.Record.Checked {
			if len(d.Steps) == 0 || d.Record.Failed != 1 || d.Look.Activities {
				t.Errorf("steps %q, %d failed, look %+v, want it to begin with one failure, and nothing more to be told", kinds(d), d.Record.Failed, d.Look)
			}
			return
		}
		s.ActivitiesSeen, s.TargetsSeen = d.Look.Activities, d.Look.Targets
		if s.Departures = nil; d.Look.Activities {
			s.Departures = map[string]rollout.Departure{m.ID: {Text: "taken out of service in response to an EC2 health check"}}
		}
		s.Asked, s.Answers = "", nil
		if d.Look.Inquiry != nil {
			s = answer(s, rollout.Before, rollout.Answer{Value: 100})
		}
		rec, mem = d.Record, d.Memory
	}
	t.Error("after three looks the checks before the roll have not passed, want that they have")
}

// Before the first change, the checks pass or nothing is changed.
func TestChecks_before(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	p.Checks = []rollout.Check{devices()}
	s := group(4)
	rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target, Epoch: 1})
	d := decide(p, s, rec, rollout.Memory{})
	if in := d.Look.Inquiry; len(d.Steps) > 0 || in == nil || in.Moment != rollout.Before || !d.Next.Equal(s.At) {
		t.Fatalf("steps %q, look %+v at %s, want only the checks asked for, at once", kinds(d), d.Look, d.Next)
	}
	failed := decide(p, answer(s, rollout.Before, rollout.Answer{Failed: "expected status 200-299, got 500"}), d.Record, d.Memory)
	if e := failed.Ending; len(failed.Steps) > 0 || e == nil || e.Outcome != rollout.FailedRoll || e.Quarantine || e.State != "Nothing was changed." ||
		e.Reason != `the check "devices" failed before the roll: expected status 200-299, got 500` {
		t.Errorf("steps %q, ending %+v, want it to stop with nothing changed", kinds(failed), e)
	}
	passed := decide(p, answer(s, rollout.Before, rollout.Answer{Value: 1000}), d.Record, d.Memory)
	if len(passed.Steps) == 0 || passed.Record.Values["devices"] != 1000 || !passed.Record.Checked {
		t.Errorf("steps %q, record %+v, want the roll begun and 1000 on record", kinds(passed), passed.Record)
	}
	// A successor has the value and does not ask again.
	text, err := json.Marshal(passed.Record)
	var kept rollout.Record
	if err != nil || json.Unmarshal(text, &kept) != nil {
		t.Fatal(err)
	}
	in := rollout.Begin(rollout.Opening{Spec: p, Snapshot: later(s, time.Minute), Target: target, Inherited: &kept, Epoch: 2})
	if d := decide(p, later(s, time.Minute), in, rollout.Memory{}); d.Look.Inquiry != nil || d.Record.Values["devices"] != 1000 {
		t.Errorf("the successor looks for %+v with %v, want no checks and the value", d.Look.Inquiry, d.Record.Values)
	}
}

// over is a roll of four at its very end, one look before the checks.
func over(t *testing.T, p rollout.Spec) (rollout.Snapshot, rollout.Record, rollout.Memory) {
	t.Helper()
	s := group(4)
	rec := rolling(&s)
	rec.Launched, rec.Ended, rec.Values = 4, 4, map[string]float64{"devices": 1000}
	for i := range s.Members {
		s.Members[i].Version = target
	}
	d := decide(p, s, rec, rollout.Memory{})
	return later(s, 31*time.Second), d.Record, d.Memory
}

// At the end a value has time to come back; one that does not, or a check that
// fails, is the image's failure, and one that could not be asked is not.
func TestChecks_atEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		settle  time.Duration
		answers []rollout.Answer // ten seconds apart
		outcome rollout.Outcome
		back    bool
		reason  string
	}{
		{"near enough", 0, []rollout.Answer{{Value: 951}}, "", false, ""},
		{"comes back", time.Minute, []rollout.Answer{{Value: 400}, {Value: 800}, {Value: 1050}}, "", false, ""},
		{"too far", 0, []rollout.Answer{{Value: 949}}, "", true, `the check "devices" failed before the end: expected /connected within 5 % of 1000, its value before the roll, got 949`},
		{"too many", 0, []rollout.Answer{{Value: 1051}}, "", true, "got 1051"},
		{"does not come back", 20 * time.Second, []rollout.Answer{{Value: 400}, {Value: 600}, {Value: 800}}, "", true, "got 800"},
		{"fails", 0, []rollout.Answer{{Failed: "expected status 200-299, got 500"}}, "", true, "got 500"},
		{"cannot be asked", 0, []rollout.Answer{{Failed: "no such host", Unasked: true}}, rollout.Paused, false, "this says nothing about the image"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := spec(100, 150)
			p.Checks = []rollout.Check{devices()}
			p.Checks[0].Settle = c.settle
			s, rec, mem := over(t, p)
			d := decide(p, s, rec, mem)
			for i, a := range c.answers {
				if d.Look.Inquiry == nil || d.Look.Inquiry.Moment != rollout.AtEnd {
					t.Fatalf("look %d = %+v, notes %q, want the checks at the end", i, d.Look, notes(d))
				}
				s = later(s, d.Next.Sub(s.At))
				d = decide(p, answer(s, rollout.AtEnd, a), d.Record, d.Memory)
			}
			if back := d.Record.Direction == rollout.Back; back != c.back || !strings.Contains(d.Record.Reason, c.reason) && c.outcome == "" {
				t.Errorf("back %t, reason %q, want %t, %q", back, d.Record.Reason, c.back, c.reason)
			}
			if c.outcome != "" && (d.Ending == nil || d.Ending.Outcome != c.outcome || d.Ending.Quarantine || !strings.Contains(d.Ending.Reason, c.reason)) {
				t.Errorf("ending %+v, want %s with %q", d.Ending, c.outcome, c.reason)
			}
			if ok := c.outcome == "" && !c.back; ok && !d.Record.Restoring {
				t.Errorf("record %+v, want the roll to come to its end", d.Record)
			}
		})
	}
}

// A bake is over once, however long the checks after it take.
func TestChecks_afterBake(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	p.Checks, p.FinalBake = []rollout.Check{devices()}, time.Minute
	p.Checks[0].Settle = 10 * time.Minute
	s, rec, mem := over(t, p)
	var d rollout.Decision
	for range 40 {
		d = decide(p, answer(s, rollout.AtEnd, rollout.Answer{Value: 1}), rec, mem)
		rec, mem = d.Record, d.Memory
		s = later(s, d.Next.Sub(s.At)+time.Second)
	}
	if n := strings.Count(notes(d), "baking"); n > 0 || d.Look.Inquiry == nil {
		t.Errorf("notes %q, look %+v, want it to ask the checks only", notes(d), d.Look)
	}
	d = decide(p, answer(s, rollout.AtEnd, rollout.Answer{Value: 1000}), rec, mem)
	if !d.Record.Restoring {
		t.Errorf("record %+v, notes %q, want it over", d.Record, notes(d))
	}
}

func TestChecks_atCheckpoint(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	p.Checks, p.Checkpoints = []rollout.Check{devices()}, []rollout.Checkpoint{{Percentage: 25}}
	var mem rollout.Memory
	s, rec := grown(&mem)
	rec.Values = map[string]float64{"devices": 1000}
	d := decide(p, s, rec, mem)
	if d.Look.Inquiry == nil || d.Look.Inquiry.Moment != rollout.AtCheckpoint || d.Record.Checkpoints != 0 {
		t.Fatalf("look %+v, checkpoints %d, want the checks asked for first", d.Look, d.Record.Checkpoints)
	}
	good := decide(p, answer(s, rollout.AtCheckpoint, rollout.Answer{Value: 1000}), d.Record, d.Memory)
	if good.Record.Checkpoints != 1 {
		t.Errorf("checkpoints = %d, notes %q, want it passed", good.Record.Checkpoints, notes(good))
	}
	bad := decide(p, answer(s, rollout.AtCheckpoint, rollout.Answer{Failed: "got 500"}), d.Record, d.Memory)
	if bad.Record.Direction != rollout.Back || !bad.Record.Blame || bad.Record.Checkpoints != 0 {
		t.Errorf("record %+v, want the image blamed", bad.Record)
	}
	s.Members[0].Targets[0].State = "unhealthy"
	ill := decide(p, answer(s, rollout.AtCheckpoint, rollout.Answer{Failed: "got 500"}), d.Record, d.Memory)
	if ill.Ending == nil || ill.Ending.Outcome != rollout.Paused || !strings.Contains(ill.Ending.Reason, "only 3 of 4 old members are healthy too") {
		t.Errorf("ending %+v, want it paused for the environment", ill.Ending)
	}
}

func TestValidate_signals(t *testing.T) {
	t.Parallel()
	probe := func(change func(*rollout.Probe)) func(*rollout.Spec) {
		return func(s *rollout.Spec) {
			p := rollout.DefaultProbe("http://{private_ip}:8080/healthz")
			change(&p)
			s.Probe = &p
		}
	}
	check := func(change func(*rollout.Check)) func(*rollout.Spec) {
		return func(s *rollout.Spec) {
			c := devices()
			change(&c)
			s.Checks = []rollout.Check{c}
		}
	}
	for name, c := range map[string]struct {
		change func(*rollout.Spec)
		want   string // empty: nothing is wrong
	}{
		"a probe":             {probe(func(*rollout.Probe) {}), ""},
		"every placeholder":   {probe(func(p *rollout.Probe) { p.URL = "https://{private_dns}/{instance_id}?ip={public_ip}" }), ""},
		"unknown placeholder": {probe(func(p *rollout.Probe) { p.URL = "http://{ip}/" }), "health.probe.url has the placeholder {ip}; use {private_ip}, {public_ip}, {private_dns}, {instance_id}"},
		"no placeholder":      {probe(func(p *rollout.Probe) { p.URL = "http://web/" }), "health.probe.url names no member"},
		"scheme":              {probe(func(p *rollout.Probe) { p.URL = "ftp://{private_ip}/" }), `health.probe.url has the scheme "ftp"`},
		"no host":             {probe(func(p *rollout.Probe) { p.URL = "http:///{instance_id}" }), "health.probe.url names no host"},
		"no URL":              {probe(func(p *rollout.Probe) { p.URL = "http://{private_ip}:port/" }), "health.probe.url is no URL"},
		"user":                {probe(func(p *rollout.Probe) { p.URL = "http://me:secret@{private_ip}/" }), "health.probe.url holds a user name or password"},
		"method":              {probe(func(p *rollout.Probe) { p.Method = "BREW" }), `health.probe.method is "BREW"`},
		"body of HEAD":        {probe(func(p *rollout.Probe) { p.Method, p.Expect.Body = "HEAD", "ok" }), "health.probe.expected_body is set, and the answer to HEAD"},
		"header name":         {probe(func(p *rollout.Probe) { p.Headers = rollout.Headers{"a b": "c"} }), `health.probe.headers holds "a b"`},
		"header value":        {probe(func(p *rollout.Probe) { p.Headers = rollout.Headers{"A": "secret\nB: c"} }), "health.probe.headers holds a value for A with a line break"},
		"status":              {probe(func(p *rollout.Probe) { p.Expect.Status = "2xx" }), `health.probe.expected_status is "2xx"`},
		"status range":        {probe(func(p *rollout.Probe) { p.Expect.Status = "299-200" }), `health.probe.expected_status is "299-200"`},
		"statuses":            {probe(func(p *rollout.Probe) { p.Expect.Status = "200, 301-302" }), ""},
		"pattern":             {probe(func(p *rollout.Probe) { p.Expect.Body = "(" }), "health.probe.expected_body is \"(\", which is no regular expression"},
		"passes":              {probe(func(p *rollout.Probe) { p.Passes = 0 }), "health.probe.passes is 0"},
		"timeout":             {probe(func(p *rollout.Probe) { p.Timeout = time.Minute }), "health.probe.timeout is 1m0s; give more than zero and at most 30s"},
		"alarm twice":         {func(s *rollout.Spec) { s.Alarms = []string{"a", "a"} }, `health.alarms holds "a"; give the name of each alarm once`},
		"too many alarms":     {func(s *rollout.Spec) { s.Alarms = strings.Split("abcdefghijk", "") }, "health.alarms names 11 alarms"},
		"a check":             {check(func(*rollout.Check) {}), ""},
		"a function":          {check(func(c *rollout.Check) { *c = rollout.DefaultCheck("x"); c.Function = "f" }), ""},
		"check name":          {check(func(c *rollout.Check) { c.Name = "a b" }), `checks[0].name is "a b"`},
		"same name":           {func(s *rollout.Spec) { s.Checks = []rollout.Check{devices(), devices()} }, `checks[1].name is "devices", as that of another check`},
		"nothing to ask":      {check(func(c *rollout.Check) { c.URL = "" }), "checks[0] has neither url nor function_name"},
		"both":                {check(func(c *rollout.Check) { c.Function = "f" }), "checks[0].function_name is set beside url"},
		"function and number": {check(func(c *rollout.Check) { c.URL, c.Function = "", "f" }), "checks[0].function_name goes with no headers"},
		"member of a check":   {check(func(c *rollout.Check) { c.URL = "http://{private_ip}/" }), "checks[0].url has the placeholder {private_ip}, which only health.probe.url knows"},
		"settle":              {check(func(c *rollout.Check) { c.Settle = 3 * time.Hour }), "checks[0].settle is 3h; give zero to 2h"},
		"pointer":             {check(func(c *rollout.Check) { c.Number.Path = "connected" }), `checks[0].number.path is "connected"; give a JSON pointer`},
		"nothing to judge":    {check(func(c *rollout.Check) { c.Number.Within = nil }), "checks[0].number says nothing about the number"},
		"percentage":          {check(func(c *rollout.Check) { c.Number.Within = ptr(101) }), "checks[0].number.within_percentage is 101"},
		"min above max":       {check(func(c *rollout.Check) { c.Number.Min, c.Number.Max = ptr(2.0), ptr(1.0) }), "checks[0].number.min is 2, above max (1)"},
		"too many checks":     {func(s *rollout.Spec) { s.Checks = make([]rollout.Check, 6) }, "checks holds 6 checks; give at most 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := rollout.Defaults()
			c.change(&s)
			got := texts(s.Validate())
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("problems = %q, want %q", got, c.want)
			}
			if strings.Contains(got, "secret") {
				t.Errorf("problems = %q tell a secret", got)
			}
		})
	}
}

// Headers may hold secrets; nothing prints their values.
func TestHeaders_secret(t *testing.T) {
	t.Parallel()
	s := rollout.Defaults()
	s.Probe = &rollout.Probe{Headers: rollout.Headers{"Authorization": "secret"}}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprintf("%v %+v %#v", *s.Probe, *s.Probe, *s.Probe), fmt.Sprint(s.Probe.Headers), string(text)} {
		if strings.Contains(got, "secret") || !strings.Contains(got, "Authorization") {
			t.Errorf("got %s, want the name and not the value", got)
		}
	}
}

func TestProbe_For(t *testing.T) {
	t.Parallel()
	m := rollout.Member{ID: "i-1", Addresses: rollout.Addresses{PrivateIP: "10.0.0.7"}}
	for text, want := range map[string]string{
		"http://{private_ip}:8080/{instance_id}": "http://10.0.0.7:8080/i-1",
		"http://{public_ip}/":                    "no public_ip",
	} {
		got, missing, ok := rollout.DefaultProbe(text).For(m)
		if !ok {
			got = "no " + missing
		}
		if got != want {
			t.Errorf("%s for %+v is %s, want %s", text, m, got, want)
		}
	}
}

// The values of the most checks there may be leave room in a record for the
// most ends at once.
func TestChecks_recordSize(t *testing.T) {
	t.Parallel()
	p := spec(100, 200)
	rec := rollout.Record{
		Epoch: 12, Seq: 345, Started: began, Target: target, Previous: old, Pointer: "$Latest", Pointed: "12345", Base: 1000, Size: 1000, Changed: began, Started0: began,
		Suspended: map[string]string{"AZRebalance": strings.Repeat("x", 60), "InstanceRefresh": strings.Repeat("x", 60)},
		Reason:    strings.Repeat("x", 300), Last: strings.Repeat("x", 160), Values: map[string]float64{},
	}
	for i := range 5 {
		c := devices()
		c.Name = fmt.Sprintf("%032d", i)
		p.Checks = append(p.Checks, c)
		rec.Values[c.Name] = 1234567.89
	}
	if found := p.Validate(); len(found) > 0 {
		t.Fatal(found)
	}
	var steps []rollout.Step
	for i := range 100 {
		steps = append(steps, rollout.Step{Kind: rollout.End, Member: healthy(i, old).ID, Decrement: true})
	}
	text, err := json.Marshal(rollout.Intend(rec, steps))
	if err != nil || len(text) > 3500 {
		t.Errorf("the record has %d bytes, want at most 3500: %s (%v)", len(text), text, err)
	}
}
