package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/provider"
)

// TestAccWindow_wait changes the environment, so it is not parallel. Apply
// waits for the window and rolls then; it does not begin to wait for one that
// opens too late, and gives up when a freeze moves it there.
func TestAccWindow_wait(t *testing.T) {
	file := filepath.Join(t.TempDir(), "progress")
	t.Setenv("REFIT_PROGRESS", file)
	l, d := windowDesk(t, inWindow("  outside_window = \"wait\"\n"))
	schedule := func(day, from string) {
		l.world.PutParameter("/refit/schedules/web", anyDay(fmt.Sprintf(`{"day":%q,"time":%q,"duration":"4h"}`, day, from), ""))
	}
	schedule("fri", "10:30")
	output := d.run([]int{0}, "apply", "-auto-approve")
	d.says("waiting", output, "Not now because outside window (Fri 10:30–14:30 Europe/London). Next chance Fri 20 Nov 10:30 GMT.")
	if err := l.runs(second, 4)(nil); err != nil {
		t.Error(err)
	}
	g, _ := l.group()
	for _, m := range g.Members {
		if m.Image == second && m.LaunchedAt.Before(time.Date(2026, 11, 20, 10, 30, 0, 0, time.UTC)) {
			t.Errorf("got a member that was launched at %s, before the window", m.LaunchedAt)
		}
	}
	text, err := os.ReadFile(file) //nolint:gosec // a file of this test
	if err != nil || !strings.Contains(string(text), "09:00:00   web waiting for the window. Not now because") || !strings.Contains(string(text), "web waiting for the window for another 1h25m") {
		t.Errorf("got progress %v\n%s\nwant it to say for what it waits, and for how long", err, text)
	}

	// Too late for max_wait: nothing is waited for.
	schedule("sat", "10:30")
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	at := l.world.Clock().Now()
	l.world.ResetCalls()
	output = d.run([]int{1}, "apply", "-auto-approve")
	d.says("too late", output, "The apply waits for the window", "The window does not open within max_wait (2h).", "Next chance Sat 21 Nov 10:30 GMT", "Nothing was changed.", "raise max_wait")
	l.still("too late", second)
	if waited := l.world.Clock().Now().Sub(at); waited > time.Minute {
		t.Errorf("waited %s for a window that opens too late", waited)
	}

	// A freeze that is published meanwhile is seen.
	l.until("2026-11-21T09:00:00Z")
	l.world.At(30*time.Minute, func() {
		l.world.PutParameter("/refit/freezes/sale", freezeOf("2026-11-21T09:00:00Z", "2026-11-21T12:00:00Z"))
	})
	l.world.ResetCalls()
	output = d.run([]int{1}, "apply", "-auto-approve")
	d.says("a freeze meanwhile", output, "The window does not open within max_wait (2h).", `freeze "sale"`, "Next chance Sat 21 Nov 12:00 GMT")
	l.still("a freeze meanwhile", second)
	if now := l.world.Clock().Now(); now.After(time.Date(2026, 11, 21, 9, 36, 0, 0, time.UTC)) {
		t.Errorf("it noticed the freeze at %s, want within five minutes of 09:30", now)
	}
}

// TestAccWindow_fail: outside the window an apply that would roll fails, and a
// plan never does.
func TestAccWindow_fail(t *testing.T) {
	t.Parallel()
	l, d := windowDesk(t, inWindow("  outside_window = \"fail\"\n"))
	output, changes := d.plan()
	if !changes {
		t.Errorf("got no changes:\n%s", output)
	}
	output = d.run([]int{1}, "apply", "-auto-approve")
	d.says("outside", output, `Unable to roll Auto Scaling group "web"`, outsideProd, "Nothing was changed.")
	if err := l.runs(first, 4)(nil); err != nil {
		t.Error(err)
	}
	l.until("2026-11-25T15:00:00Z")
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(second, 4)(nil); err != nil {
		t.Error(err)
	}
	l.until("2026-11-25T20:00:00Z")
	d.wantNoChanges("outside, with nothing to roll")
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	output, changes = d.plan()
	if !changes {
		t.Errorf("a new image: got no changes:\n%s", output)
	}
	d.says("a new image", output, "The apply fails outside the window")
	l.world.ResetCalls()
	output = d.run([]int{1}, "apply", "-auto-approve")
	d.says("a new image", output, "Unable to refresh the image of launch template", "Next chance Wed 2 Dec 15:00 GMT", "Run terraform apply in the window.")
	l.still("a new image", second)
}

// TestAccWindow_run: windows and freezes are passed over, and that is said.
func TestAccWindow_run(t *testing.T) {
	t.Parallel()
	l, d := windowDesk(t, inWindow("  outside_window = \"run\"\n"))
	l.world.PutParameter("/refit/freezes/sale", freezeOf("2026-11-20T00:00:00Z", "2026-12-01T00:00:00Z"))
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(second, 4)(nil); err != nil {
		t.Error(err)
	}
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	output := d.run([]int{0}, "apply", "-auto-approve")
	d.says("a new image", output, `(1) freeze "sale" (Black Friday, CHG-17) until Tue 1 Dec 00:00 UTC; (2) outside window`, `With outside_window = "run", apply goes ahead all the same.`)
	if err := l.runs(third, 4)(nil); err != nil {
		t.Error(err)
	}
}

// TestAccWindow_badInput: what can be known at plan is an error there, and what
// only AWS knows is one of the apply, before anything goes on record.
func TestAccWindow_badInput(t *testing.T) {
	t.Parallel()
	roll := func(attributes string) string {
		return "resource \"refit_asg_rolling_update\" \"web\" {\n  autoscaling_group_name = \"web\"\n" + attributes + "\n}\n"
	}
	l, d := windowDesk(t, roll(""))
	write := func(text string) { d.write("main.tf", l.config(requireRefit+text)) }
	for name, c := range map[string]struct {
		config string
		want   []string
	}{
		"both":              {roll("schedule = \"web\"\nenvironment = \"prod\"\nwindows = [{ day = \"wed\", time = \"15:00\", timezone = \"UTC\" }]"), []string{"schedule and windows are both set"}},
		"environment alone": {roll(`environment = "prod"`), []string{"environment is one of a schedule, and schedule is not set"}},
		"mistyped key":      {roll(`windows = [{ day = "wed", tiem = "15:00", timezone = "UTC" }]`), []string{`windows[0]["tiem"]`, `Did you mean "time"?`}},
		"no zone":           {roll(`windows = [{ day = "wed", time = "15:00" }]`), []string{"windows[0]", "timezone"}},
		"bad day":           {roll(`windows = [{ day = "wed", time = "15:00", timezone = "UTC" }, { day = "wensday", time = "15:00", timezone = "UTC" }]`), []string{`windows[1]["day"]`, `Did you mean "wednesday"?`}},
		"no window":         {roll(`windows = []`), []string{"at least 1"}},
		"outside":           {roll(`outside_window = "later"`), []string{`"defer"`, `"later"`}},
		"max_wait":          {roll(`max_wait = "a day"`), []string{"max_wait"}},
		"no environment":    {strings.Replace(refresh, "  launch_template_id", "  schedule = \"web\"\n  launch_template_id", 1), []string{"schedule is set without environment"}},
	} {
		write(c.config)
		d.says(name, d.run([]int{1}, "plan"), c.want...)
	}
	write(roll(""))
	d.run([]int{0}, "apply", "-auto-approve")
	for name, c := range map[string]struct{ config, want string }{
		"schedule":    {roll("schedule = \"wbe\"\nenvironment = \"prod\""), `schedule "wbe" is not published, so there is no window; publish it, or name another one. Did you mean "web"?`},
		"environment": {roll("schedule = \"web\"\nenvironment = \"prd\""), `schedule "web" has no environment "prd"; it has "dev" or "prod". Did you mean "prod"?`},
	} {
		write(c.config)
		output, changes := d.plan()
		if !changes {
			t.Errorf("%s: got no changes", name)
		}
		d.says(name+", plan", output, c.want, "Apply fails unless it publishes that itself")
		d.says(name+", apply", d.run([]int{1}, "apply", "-auto-approve"), "Error: Unknown "+name, c.want)
		if state := d.run([]int{0}, "state", "show", "-no-color", rollAddress); strings.Contains(state, "schedule ") {
			t.Errorf("%s: it went on record:\n%s", name, state)
		}
		// The same for a resource that is new, which then is not on record.
		d.run([]int{0}, "state", "rm", rollAddress)
		d.says(name+", create", d.run([]int{1}, "apply", "-auto-approve"), "Error: Unknown "+name, c.want)
		write(roll(""))
		d.run([]int{0}, "apply", "-auto-approve")
	}
	if err := l.runs(first, 4)(nil); err != nil {
		t.Error(err)
	}
}

// TestAccWindow_blocked: whatever keeps a window from being read or trusted
// keeps the group as it is, and the plan says so.
func TestAccWindow_blocked(t *testing.T) {
	t.Parallel()
	tagged := func(tags string) string {
		return strings.Replace(fleet, "group \"web\" {\n", "group \"web\" {\n  tags = "+tags+"\n", 1)
	}
	byTags := strings.Replace(both, "  autoscaling_group_name", "  outside_window          = \"defer\"\n  autoscaling_group_name", 1)
	always := anyDay(`{"day":"daily","time":"00:00","duration":"24h"}`, "")
	for name, c := range map[string]struct {
		scenario, config string
		documents        map[string]string
		want             string // empty: it rolls
	}{
		"open":           {fleet, inWindow(""), map[string]string{"schedules/web": always}, ""},
		"suspended":      {fleet, inWindow(""), map[string]string{"schedules/web": strings.Replace(always, `"name"`, `"suspended":true,"name"`, 1)}, `schedule "web" is suspended`},
		"unreadable":     {fleet, inWindow(""), map[string]string{"schedules/web": always, "freezes/odd": `{"v":7,"name":"odd"}`}, "freezes/odd cannot be read: "},
		"no JSON":        {fleet, inWindow(""), map[string]string{"schedules/web": always, "freezes/odd": `frozen!`}, "freezes/odd cannot be read: "},
		"exception":      {fleet, inWindow(""), map[string]string{"schedules/web": always, "exceptions/old": `{"v":1,"name":"old","until":"2027-01-01T00:00:00Z","selector":{"all":{"Environment":["prod"]}},"reason":"vendor","approved_by":"B"}`}, "vendor"},
		"freeze by tag":  {tagged(`{ Team = "ops" }`), inWindow(""), map[string]string{"schedules/web": always, "freezes/ops": `{"v":1,"name":"ops","from":"2026-11-01T00:00:00Z","to":"2026-12-01T00:00:00Z","selector":{"all":{"Team":["ops"]}},"reason":"move"}`}, `freeze "ops" (move)`},
		"tags":           {tagged(`{ AMI_update_schedule = "web", Environment = "prod" }`), byTags, map[string]string{"schedules/web": always}, ""},
		"tags only":      {tagged(`{ AMI_update_day = "daily", AMI_update_time = "12:00" }`), byTags, nil, "outside window (Daily 12:00–16:00 UTC)"},
		"unmanaged":      {fleet, byTags, map[string]string{"schedules/web": always}, "no schedule is for it"},
		"unreadable tag": {tagged(`{ AMI_update_day = "wensday", AMI_update_time = "12:00" }`), byTags, nil, "wensday"},
		"two schedules": {tagged(`{ AMI_update_schedule = "web", Environment = "prod", Team = "ops" }`), byTags, map[string]string{
			"schedules/web": always, "schedules/ops": strings.Replace(always, `"name":"web"`, `"name":"ops","selector":{"all":{"Team":["ops"]}}`, 1),
		}, `the schedules "ops" and "web" all match`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.scenario)
			for path, document := range c.documents {
				l.world.PutParameter("/refit/"+path, document)
			}
			d := newDesk(t, l.world, false)
			l.url = d.url
			d.write("main.tf", l.config(requireRefit+c.config))
			d.run([]int{0}, "init")
			output := d.run([]int{0}, "apply", "-auto-approve")
			if c.want == "" {
				if err := l.runs(second, 4)(nil); err != nil {
					t.Errorf("%v\n%s", err, output)
				}
				return
			}
			d.says("the first apply", output, "Deferred to the next window", c.want)
			l.world.ResetCalls()
			output, changes := d.plan()
			if changes {
				t.Errorf("got a plan with changes:\n%s", output)
			}
			d.says("the next plan", output, "Deferred to the next window", c.want)
			l.still("the next plan", first)
		})
	}
}

// TestAccWindow_calls: what is published is read once in a process, however
// many groups there are, and not at all without a window.
func TestAccWindow_calls(t *testing.T) {
	t.Parallel()
	const groups = 30
	lists := map[string]int{}
	for name, more := range map[string]string{"without": "", "with": "schedule = \"web\"\n  environment = \"prod\""} {
		var scenario strings.Builder
		scenario.WriteString(fleet)
		for n := range groups {
			fmt.Fprintf(&scenario, "group \"g%d\" {\n template = \"web\"\n version = \"1\"\n min = 1\n max = 2\n desired = 1\n}\n", n)
		}
		l := newLab(t, scenario.String())
		l.world.PutParameter("/refit/schedules/web", webSchedule)
		d := newDesk(t, l.world, false)
		d.write("main.tf", l.config(requireRefit+fmt.Sprintf(`
resource "refit_asg_rolling_update" "all" {
  count                   = %d
  autoscaling_group_name  = "g${count.index}"
  launch_template_version = 1
  %s
}
`, groups, more)))
		d.run([]int{0}, "init")
		d.run([]int{0}, "apply", "-auto-approve", "-parallelism=50")
		l.world.Advance(time.Hour) // past what a process shares
		l.world.ResetCalls()
		d.wantNoChanges("after the first apply")
		calls := l.world.Calls()
		lists[name] = calls["ssm:GetParametersByPath"]
		if err := l.wroteNothing(nil); err != nil {
			t.Error(err)
		}
	}
	// One each for schedules, freezes and exceptions.
	if lists["with"] != lists["without"]+3 {
		t.Errorf("got %v lists of parameters, want three more with windows", lists)
	}
}

// TestAccWindow_clock: with this machine's clock an hour behind, windows go by
// AWS's, and so does the end of a roll.
func TestAccWindow_clock(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.world.PutParameter("/refit/schedules/web", strings.Replace(webSchedule, `,"cutoff":"45m"`, "", 1))
	d := newDesk(t, l.world, false)
	b := provider.New(provider.Options{Version: "test", Clock: off{l.world.Clock(), -time.Hour}})
	d.env = append(d.env, reattachTo(t, b()))
	l.url = d.url
	d.write("main.tf", l.config(requireRefit+inWindow("")))
	d.run([]int{0}, "init")
	d.run([]int{0}, "apply", "-auto-approve")
	l.until("2026-11-25T18:58:30Z") // this machine says 17:58
	output := d.run([]int{0}, "apply", "-auto-approve")
	d.says("inside", output, "This machine's clock is wrong", "closed at Wed 25 Nov 19:00 UTC")
	_, images := l.group()
	if images[second] > 2 {
		t.Errorf("got healthy members by image %v, want at most 2 new", images)
	}
	output, changes := d.plan() // this machine says a little past 18:00
	if changes {
		t.Errorf("outside: got a plan with changes:\n%s", output)
	}
	d.says("outside", output, "Next chance Wed 2 Dec 15:00 GMT")
}

// TestAccWindow_warned: what will surprise about a window is said in every
// plan, and stops nothing.
func TestAccWindow_warned(t *testing.T) {
	t.Parallel()
	const drift = "  tags = { AMI_update_schedule = \"web\", Environment = \"prod\", AMI_update_day = \"thu\", AMI_update_time = \"15:00\", AMI_update_tz = \"Europe/London\" }\n"
	own := func(windows string) string {
		return strings.Replace(both, "  autoscaling_group_name", "  windows = "+windows+"\n  autoscaling_group_name", 1)
	}
	for name, c := range map[string]struct{ scenario, config, want string }{
		"drift": {
			strings.Replace(fleet, "group \"web\" {\n", "group \"web\" {\n"+drift, 1), strings.Replace(inWindow(""), "  environment = \"prod\"\n  autoscaling", "  autoscaling", 1),
			`The tags say thu 15:00 Europe/London, and schedule "web" has wed 15:00 Europe/London for prod; the schedule holds.`,
		},
		"a gap":   {fleet, own(`[{ day = "sun", time = "01:30", timezone = "Europe/London" }]`), "01:30 does not exist in Europe/London on 2027-03-28 (opens at 02:30)"},
		"overlap": {fleet, own(`[{ day = "sun", time = "01:00", timezone = "UTC" }, { day = "sun", time = "02:00", timezone = "UTC" }]`), "Windows overlap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.scenario)
			l.world.PutParameter("/refit/schedules/web", webSchedule)
			d := newDesk(t, l.world, false)
			l.url = d.url
			d.write("main.tf", l.config(requireRefit+c.config))
			d.run([]int{0}, "init")
			d.run([]int{0}, "apply", "-auto-approve")
			output, changes := d.plan()
			if changes {
				t.Errorf("got a plan with changes:\n%s", output)
			}
			d.says(name, output, c.want, "Deferred to the next window")
		})
	}
}

// TestAccWindow_short: a roll that is longer than its window is warned of.
func TestAccWindow_short(t *testing.T) {
	t.Parallel()
	l, d := windowDesk(t, inWindow(""))
	l.world.PutParameter("/refit/schedules/web", anyDay(`{"day":"daily","time":"10:00","duration":"5m"}`, ""))
	d.run([]int{0}, "apply", "-auto-approve")
	l.until("2026-11-20T10:00:00Z")
	output, changes := d.plan()
	if !changes {
		t.Errorf("got no changes:\n%s", output)
	}
	d.says("a short window", output, "A window shorter than the roll", "the window (Daily 10:00–10:05 Europe/London) is open for 5m. It will take several windows, or a longer one.")
}
