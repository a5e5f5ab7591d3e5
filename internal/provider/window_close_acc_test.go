package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// anyDay is a published schedule with one window for production, and what else
// is given.
func anyDay(window, more string) string {
	return `{"v":1,"name":"web","timezone":"Europe/London","environments":{"prod":` + window + `}` + more + `}`
}

// TestAccWindow_close: a roll under way obeys the end of the window, whoever
// drives it, and the next window goes on with it. Neither is a failure.
func TestAccWindow_close(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, more, settings string
		outcome              string
		most                 int // new members when the window has closed
	}{
		{"at once", ``, "", "paused", 2},
		{"the batch", `,"on_close":"finish_batch","overrun":"1h"`, "", "paused", 3},
		{"the group", `,"on_close":"finish_group","overrun":"2h"`, "", "succeeded", 4},
		{"back", `,"on_close":"rollback","overrun":"1h"`, "", "rolled_back", 0},
		{"an instance refresh", ``, "  engine = \"instance_refresh\"\n", "paused", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := strings.Replace(inWindow(""), "  checkpoints             = [{ percentage = 20, bake = \"2m\" }]\n", c.settings, 1)
			if c.settings == "" {
				config = inWindow("") // a fifth, then the rest: after the bake it is past the end
			}
			l, d := windowDesk(t, config)
			l.world.PutParameter("/refit/schedules/web", anyDay(`{"day":"daily","time":"22:00","duration":"4h"}`, c.more))
			d.run([]int{0}, "apply", "-auto-approve")
			// The window is that of the day before, and midnight is past.
			l.until("2026-11-21T01:58:30Z")
			output := d.run([]int{0}, "apply", "-auto-approve")
			state := d.run([]int{0}, "state", "show", "-no-color", rollAddress)
			d.says(c.name, state, fmt.Sprintf(`outcome = "%s"`, c.outcome), fmt.Sprintf("converged = %t", c.outcome == "succeeded"))
			g, images := l.group()
			if images[second] > c.most || g.Desired != 4 || len(g.Suspended) != 0 || images[first]+images[second] != 4 {
				t.Fatalf("got healthy members by image %v, desired %d, suspended %v; want at most %d new of 4\n%s", images, g.Desired, g.Suspended, c.most, output)
			}
			if c.outcome == "succeeded" {
				d.wantNoChanges("after the group was finished")
				return
			}
			d.says(c.name, output, "The window (Daily 22:00–02:00 Europe/London) closed at Sat 21 Nov 02:00 UTC", "goes on in the next window, Sat 21 Nov 22:00 GMT")
			l.world.ResetCalls()
			plan, changes := d.plan()
			if changes {
				t.Fatalf("outside: got a plan with changes\n%s", plan)
			}
			d.says("outside", plan, "Deferred to the next window", "Next chance Sat 21 Nov 22:00 GMT")
			d.run([]int{0}, "apply", "-auto-approve")
			if err := l.wroteNothing(nil); err != nil {
				t.Error(err)
			}
			l.until("2026-11-21T22:00:00Z")
			d.run([]int{0}, "apply", "-auto-approve")
			if err := l.runs(second, 4)(nil); err != nil {
				t.Error(err)
			}
			d.wantNoChanges("after the next window")
		})
	}
}

// freezeOf is a published freeze of production.
func freezeOf(from, to string) string {
	return fmt.Sprintf(`{"v":1,"name":"sale","from":%q,"to":%q,"selector":{"all":{"Environment":["prod"]}},"reason":"Black Friday","ticket":"CHG-17"}`, from, to)
}

// TestAccWindow_freeze: a freeze of the environment keeps a roll from
// starting, also one that was published after the plan, and ends one that is
// under way when it begins, overrun or not.
func TestAccWindow_freeze(t *testing.T) {
	t.Parallel()
	l, d := windowDesk(t, inWindow(""))
	l.world.PutParameter("/refit/schedules/web", anyDay(`{"day":"daily","time":"08:00","duration":"12h"}`, `,"on_close":"finish_group","overrun":"4h"`))
	if _, changes := d.plan("-out=saved"); !changes {
		t.Fatal("got no changes")
	}
	// The plan was made in the window, and the freeze is published after it.
	l.world.PutParameter("/refit/freezes/sale", freezeOf("2026-11-20T08:00:00Z", "2026-11-21T00:00:00Z"))
	const frozen = `Not now because freeze "sale" (Black Friday, CHG-17) until Sat 21 Nov 00:00 UTC. Next chance Sat 21 Nov 08:00 GMT.`
	output := d.run([]int{0}, "apply", "saved")
	d.says("frozen after the plan", output, "Deferred to the next window", frozen)
	output, changes := d.plan()
	if changes {
		t.Fatalf("frozen: got a plan with changes\n%s", output)
	}
	d.says("frozen", output, frozen)
	if err := l.runs(first, 4)(nil); err != nil {
		t.Error(err)
	}
	// It begins during the roll. Nobody has tagged the group: the resource says
	// that it is production.
	l.world.PutParameter("/refit/freezes/sale", freezeOf("2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z"))
	l.until("2026-11-21T09:58:30Z")
	output = d.run([]int{0}, "apply", "-auto-approve")
	d.says("a freeze that begins during the roll", output, `ended by freeze "sale" (Black Friday, CHG-17), closed at Sat 21 Nov 10:00 UTC`, "next window, Sun 22 Nov 08:00 GMT")
	g, images := l.group()
	if images[second] > 2 || images[first]+images[second] != 4 || g.Desired != 4 {
		t.Errorf("got healthy members by image %v, desired %d; want at most 2 new of 4", images, g.Desired)
	}
	d.wantNoChanges("in the freeze")
	l.until("2026-11-22T08:00:00Z")
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(second, 4)(nil); err != nil {
		t.Error(err)
	}
}

// TestAccWindow_edges: windows at the changes of the clocks, across midnight
// and across the year's end are open from their first moment on, and not a
// minute earlier or later.
func TestAccWindow_edges(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, window, before, in, after string }{
		// 01:30 does not exist on 28 March 2027 in London: it is 02:30 there.
		{"spring", `{"day":"sun","time":"01:30","duration":"1h"}`, "2027-03-28T01:29:00Z", "2027-03-28T01:30:00Z", "2027-03-28T02:30:00Z"},
		// 01:30 comes twice on 31 October 2027: the first is 00:30 UTC.
		{"autumn", `{"day":"sun","time":"01:30","duration":"1h"}`, "2027-10-31T00:29:00Z", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"},
		{"midnight", `{"day":"wed","time":"23:00","duration":"3h"}`, "2026-11-25T22:59:00Z", "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z"},
		{"the year's end", `{"day":"31st","time":"23:30","duration":"2h"}`, "2026-12-31T23:29:00Z", "2027-01-01T00:30:00Z", "2027-01-01T01:30:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, d := windowDesk(t, inWindow(""))
			l.world.PutParameter("/refit/schedules/web", anyDay(c.window, ""))
			d.run([]int{0}, "apply", "-auto-approve")
			l.until(c.before)
			d.wantNoChanges("a minute before")
			l.until(c.in)
			if _, changes := d.plan("-out=saved"); !changes {
				t.Error("inside: got no changes")
			}
			l.until(c.after)
			d.wantNoChanges("at the end")
			d.run([]int{0}, "apply", "saved")
			if err := l.runs(first, 4)(nil); err != nil {
				t.Error(err)
			}
		})
	}
}
