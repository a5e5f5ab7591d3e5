package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// inWindow is both resources with a schedule, and what else is given.
func inWindow(more string) string {
	settings := "  schedule    = \"web\"\n  environment = \"prod\"\n" + more
	text := strings.Replace(both, "  launch_template_id", settings+"  launch_template_id", 1)
	return strings.Replace(text, "  autoscaling_group_name", settings+"  autoscaling_group_name", 1)
}

// webSchedule is a published schedule: production is on Wednesday afternoon.
const webSchedule = `{"v":1,"name":"web","timezone":"Europe/London","defaults":{"duration":"4h","cutoff":"45m"},` +
	`"environments":{"dev":{"day":"sun","time":"19:00"},"prod":{"day":"wed","time":"15:00"}}}`

// windowDesk is a desk on the fleet of the other tests, with a published
// schedule. It is Friday, and the window opens on Wednesday.
func windowDesk(t *testing.T, config string) (*lab, *desk) {
	t.Helper()
	l := newLab(t, fleet)
	l.world.PutParameter("/refit/schedules/web", webSchedule)
	d := newDesk(t, l.world, false)
	l.url = d.url
	d.write("main.tf", l.config(requireRefit+config))
	d.run([]int{0}, "init")
	return l, d
}

// until advances the world to an instant.
func (l *lab) until(at string) {
	l.Helper()
	to, err := time.Parse(time.RFC3339, at)
	if err != nil {
		l.Fatal(err)
	}
	by := to.Sub(l.world.Clock().Now())
	if by < 0 {
		l.Fatalf("it is %s already", l.world.Clock().Now())
	}
	l.world.Advance(by)
}

// flat is terraform's output without frames and line breaks.
func flat(output string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(output)), " ")
}

// says fails the test unless an output has all of these.
func (d *desk) says(when, output string, wants ...string) {
	d.Helper()
	for _, want := range wants {
		if !strings.Contains(flat(output), want) {
			d.Errorf("%s: got\n%s\nwant it to say %q", when, output, want)
		}
	}
}

// still fails the test unless the group is as it was and nothing was written
// since the calls were reset.
func (l *lab) still(when, image string) {
	l.Helper()
	if err := l.runs(image, 4)(nil); err != nil {
		l.Errorf("%s: %v", when, err)
	}
	if err := l.wroteNothing(nil); err != nil {
		l.Errorf("%s: %v", when, err)
	}
}

const outsideProd = "Not now because outside window (Wed 15:00–19:00 Europe/London). Next chance Wed 25 Nov 15:00 GMT."

// TestAccWindow_defer: outside the window the plan is empty and says why; in
// the window it rolls, and not after the cutoff.
func TestAccWindow_defer(t *testing.T) {
	t.Parallel()
	l, d := windowDesk(t, inWindow(""))
	// The first apply, outside the window, puts the group on record as it is.
	output, _ := d.plan()
	d.says("the first plan", output, outsideProd, "puts the resource on record and rolls nothing")
	output = d.run([]int{0}, "apply", "-auto-approve")
	d.says("the first apply", output, "Deferred to the next window", outsideProd)
	l.world.ResetCalls()
	l.still("after the first apply", first)

	output, changes := d.plan()
	if changes {
		t.Fatalf("outside: got a plan with changes\n%s", output)
	}
	d.says("outside", output, "Deferred to the next window", outsideProd, "No changes.")
	if strings.Contains(flat(output), `"web"`) && strings.Contains(strings.Split(flat(output), "Deferred")[1], `group "web"`) {
		t.Errorf("the warning names the group, so that it does not collapse with others:\n%s", output)
	}
	d.run([]int{0}, "apply", "-auto-approve")
	l.still("applied outside", first)

	l.until("2026-11-25T18:20:00Z")
	output, changes = d.plan()
	if changes {
		t.Fatalf("after the cutoff: got a plan with changes\n%s", output)
	}
	d.says("after the cutoff", output, "the window is open until Wed 25 Nov 19:00 GMT, but 45m before its end nothing starts any more", "Next chance Wed 2 Dec 15:00 GMT")

	l.until("2026-12-02T15:00:00Z")
	output, changes = d.plan()
	if !changes || strings.Contains(output, "Deferred") {
		t.Fatalf("inside: got no roll\n%s", output)
	}
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(second, 4)(nil); err != nil {
		t.Error(err)
	}
	d.wantNoChanges("after the roll")

	// A new image outside the window changes neither version nor group.
	l.until("2026-12-03T15:00:00Z")
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	l.world.ResetCalls()
	output, changes = d.plan()
	if changes {
		t.Fatalf("a new image outside: got a plan with changes\n%s", output)
	}
	d.says("a new image outside", output, "Deferred to the next window", "Next chance Wed 9 Dec 15:00 GMT")
	d.run([]int{0}, "apply", "-auto-approve")
	l.still("a new image outside", second)
	l.until("2026-12-09T15:30:00Z")
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(third, 4)(nil); err != nil {
		t.Error(err)
	}
}

// TestAccWindow_savedPlan: plans that are applied on the other side of a
// window's edge.
func TestAccWindow_savedPlan(t *testing.T) {
	t.Parallel()
	l, d := windowDesk(t, inWindow(""))
	d.run([]int{0}, "apply", "-auto-approve")
	// Made outside, applied inside: it rolls nothing.
	if _, changes := d.plan("-out=saved"); changes {
		t.Fatal("outside: got a plan with changes")
	}
	l.until("2026-11-25T15:00:00Z")
	l.world.ResetCalls()
	d.run([]int{0}, "apply", "saved")
	l.still("made outside, applied inside", first)
	// Made inside, applied outside: a warning, and nothing changes.
	if _, changes := d.plan("-out=saved"); !changes {
		t.Fatal("inside: got a plan without changes")
	}
	l.until("2026-11-25T19:00:00Z")
	l.world.ResetCalls()
	output := d.run([]int{0}, "apply", "saved")
	d.says("made inside, applied outside", output, "Deferred to the next window", "Next chance Wed 2 Dec 15:00 GMT")
	l.still("made inside, applied outside", first)
	d.wantNoChanges("outside, after that")
	l.until("2026-12-02T15:00:00Z")
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(second, 4)(nil); err != nil {
		t.Error(err)
	}
	d.wantNoChanges("after the roll")

	// The same with an image that the template has no version of yet.
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	if _, changes := d.plan("-out=saved"); !changes {
		t.Fatal("inside, a new image: got a plan without changes")
	}
	l.until("2026-12-02T19:00:00Z")
	l.world.ResetCalls()
	before := l.versions()
	d.run([]int{0}, "apply", "saved")
	l.still("a new image, applied outside", second)
	if after := l.versions(); len(after) != len(before) {
		t.Errorf("applied outside: got versions %v, want %v", after, before)
	}
	d.wantNoChanges("outside, after that, with a new image")
	l.until("2026-12-09T15:00:00Z")
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(third, 4)(nil); err != nil {
		t.Error(err)
	}
	d.wantNoChanges("after the second roll")

	// An image that is gone since the plan is an error, in any window.
	l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{})
	if _, changes := d.plan("-out=saved"); !changes {
		t.Fatal("inside, another image: got a plan without changes")
	}
	l.world.SetImageState("ami-00000000000000005", "deregistered")
	l.until("2026-12-09T19:00:00Z")
	l.world.ResetCalls()
	output = d.run([]int{1}, "apply", "saved")
	d.says("an image that is gone", output, "does not exist any more", "Nothing was changed")
	l.still("an image that is gone", third)
}

// TestAccWindow_literal: a literal version and settings.
func TestAccWindow_literal(t *testing.T) {
	t.Parallel()
	config := func(version, more string) string {
		return fmt.Sprintf(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  schedule                = "web"
  environment             = "prod"
  %s
  min_healthy_percentage  = %s
}
`, version, more)
	}
	l, d := windowDesk(t, config("", "90"))
	write := func(text string) { d.write("main.tf", l.config(requireRefit+text)) }
	l.version(second)
	l.world.ResetCalls()
	// Nothing is stale, so there is nothing to wait for.
	output := d.run([]int{0}, "apply", "-auto-approve")
	if strings.Contains(output, "Deferred") {
		t.Errorf("a group with nothing stale is deferred:\n%s", output)
	}
	d.wantNoChanges("nothing stale")
	// Without a prior version the configured one goes on record, once.
	write(config("launch_template_version = 2", "90"))
	if output, changes := d.plan(); !changes || !strings.Contains(output, "Deferred") {
		t.Errorf("first version: got changes %t\n%s", changes, output)
	}
	d.run([]int{0}, "apply", "-auto-approve")
	l.still("a version for the first time", first)
	d.wantNoChanges("after the first version")
	// Settings apply in any window, and roll nothing.
	write(config("launch_template_version = 2", "75"))
	if output, changes := d.plan(); !changes || strings.Contains(output, "(known after apply)") {
		t.Errorf("settings: got changes %t\n%s", changes, output)
	}
	d.run([]int{0}, "apply", "-auto-approve")
	l.still("settings", first)
	d.wantNoChanges("after the settings")
	// A prior version is planned instead of a new one.
	l.version(third)
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	l.world.ResetCalls()
	write(config("launch_template_version = 3", "75"))
	d.wantNoChanges("a new version outside")
	l.still("a new version outside", first)
	l.until("2026-11-25T15:00:00Z")
	d.run([]int{0}, "apply", "-auto-approve")
	if err := l.runs(third, 4)(nil); err != nil {
		t.Error(err)
	}
	d.wantNoChanges("after the roll")
}
