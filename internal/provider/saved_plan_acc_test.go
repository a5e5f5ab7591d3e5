package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// TestAccAMIRefresh_savedPlan: what went between plan and apply fails the apply
// with its cure, and changes nothing.
func TestAccAMIRefresh_savedPlan(t *testing.T) {
	t.Parallel()
	versions := []string{"1 " + first + " by hand", "2 " + second + " by hand"}
	for name, c := range map[string]struct {
		change func(*lab)
		want   string
		gone   bool // the template is
	}{
		"image deregistered": {
			change: func(l *lab) { l.world.SetImageState(third, "deregistered") },
			want:   "Image " + third + " of the plan does not exist any more, or this account may not see it any more. Nothing was changed. Plan again.",
		},
		"image failed": {
			change: func(l *lab) { l.world.SetImageState(third, "failed") },
			want:   "Image " + third + " of the plan is not acceptable any more: is \"failed\", not available. Nothing was changed. Plan again.",
		},
		"template deleted": {
			change: func(l *lab) {
				if _, err := l.ec2().DeleteLaunchTemplate(l.Context(), &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: aws.String(l.template)}); err != nil {
					l.Fatal(err)
				}
			},
			want: "Check launch_template_id, and the region and account of the provider.", gone: true,
		},
		"template full": {
			change: func(l *lab) {
				if err := l.world.SetTemplateVersionLimit(2); err != nil {
					l.Fatal(err)
				}
			},
			want: "Nothing was changed. Delete old versions of it, then apply again; keep_versions keeps them few from then on.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, fleet)
			d := newDesk(t, l.world, false)
			d.write("main.tf", l.config(requireRefit+refresh))
			d.run([]int{0}, "init")
			d.run([]int{0}, "apply", "-auto-approve", "-no-color")
			l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
			d.plan("-out", "plan")
			l.world.Advance(time.Minute) // the provider of the test is one process for both
			c.change(l)
			output := strings.Join(strings.Fields(strings.ReplaceAll(d.run([]int{1}, "apply", "-no-color", "plan"), "│", " ")), " ")
			if !strings.Contains(output, c.want) {
				t.Errorf("the apply lacks %q:\n%s", c.want, output)
			}
			if c.gone {
				return
			}
			if err := l.wantVersions(versions...)(nil); err != nil {
				t.Error(err)
			}
		})
	}
}
