package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAccPatchExamples applies the examples about windows to a simulated AWS:
// without a warning, with what they promise, and with an empty plan after.
func TestAccPatchExamples(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]struct{ output, document, value string }{
		"project": {
			`AMI_update_schedule" = "web"`, "/refit/schedules/web",
			`{"v":1,"name":"web","timezone":"Europe/London","defaults":{"cutoff":"45m","duration":"4h"},"environments":{` +
				`"build":{"day":"sat","time":"12:00"},"dev":{"day":"sun","time":"19:00"},"prod":{"day":"wed","duration":"6h","time":"15:00"},` +
				`"qa":{"day":"mon","time":"15:00"},"qa2":{"day":"mon","time":"17:00"},"sandbox":{"day":"mon","time":"10:00"},"stage":{"day":"tue","time":"15:00"},` +
				`"test":{"day":"mon","time":"19:00"},"training":{"day":"sat","time":"08:00"}},"waves":[{"environment":"dev","bake":"18h"},` +
				`{"environment":"stage","bake":"18h","gate":"approval"},{"environment":"prod"}]}`,
		},
		"patch-tuesday": {
			`next = [`, "/refit/schedules/windows-servers",
			`{"v":1,"name":"windows-servers","timezone":"America/New_York","defaults":{"cutoff":"1h","duration":"5h"},"environments":{` +
				`"dev":{"day":"2nd tue +1d","time":"20:00"},"prod":{"day":"2nd tue +3d","time":"22:00"}},"waves":[{"environment":"dev","bake":"40h"},{"environment":"prod"}]}`,
		},
		"year-end-freeze": {
			`2 added`, "/refit/freezes/year-end",
			`{"v":1,"name":"year-end","from":"12-19","to":"01-04","yearly":true,"timezone":"Europe/London","selector":{"all":{"Environment":["prod","stage"]}},` +
				`"reason":"no changes while nobody is in the office","ticket":"CHG-2201"}`,
		},
		"canary-region": {
			`3 added`, "/refit/schedules/shop",
			`{"v":1,"name":"shop","timezone":"UTC","defaults":{"duration":"5h"},"environments":{"prod":{"day":"tue-thu","time":"02:00"}},"waves":[` +
				`{"environment":"prod","selector":{"all":{"Region":["eu-west-3"]}},"bake":"1h"},{"environment":"prod","selector":{"none":{"Region":["eu-west-3"]}}}],` +
				`"budget":5,"on_close":"finish_group","overrun":"30m"}`,
		},
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			d := newDesk(t, l.world, false)
			l.url = d.url
			if err := os.CopyFS(filepath.Join(d.dir, "examples"), os.DirFS("../../examples")); err != nil {
				t.Fatal(err)
			}
			d.dir = filepath.Join(d.dir, "examples", "windows", dir)
			d.write("provider_override.tf", l.config(""))
			d.env = append(d.env, "TF_VAR_launch_template_id="+l.template)
			d.run([]int{0}, "init")
			output := d.run([]int{0}, "apply", "-auto-approve")
			// It is Friday morning, in none of the windows.
			rolls := strings.Contains(output, "refit_asg_rolling_update.")
			if !strings.Contains(output, want.output) || strings.Contains(output, "Deferred to the next window") != rolls || !rolls && strings.Contains(output, "Warning: ") {
				t.Errorf("got\n%s\nwant it to have %s, and its group deferred, or no warning", output, want.output)
			}
			if err := l.runs(first, 4)(nil); err != nil {
				t.Error(err)
			}
			if err := l.document(want.document, want.value)(nil); err != nil {
				t.Error(err)
			}
			if output, _ := d.plan(); !strings.Contains(output, "without changing any real infrastructure") && !strings.Contains(output, "No changes.") {
				t.Errorf("the second plan changes something:\n%s", output)
			}
		})
	}
}
