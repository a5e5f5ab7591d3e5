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
	const build = "222222222222"
	gone := "Image " + third + " of the plan does not exist any more, is not shared with this account any more, or is hidden by the account's Allowed AMIs setting. " +
		"Nothing was changed. Plan again."
	for name, c := range map[string]struct {
		change func(*lab)
		want   string
		gone   bool // the template is
	}{
		"image deregistered": {
			change: func(l *lab) { l.world.SetImageState(third, "deregistered") },
			want:   gone,
		},
		"image no longer shared": {
			change: func(l *lab) { l.world.AddImage(awssim.Image{ID: third, Name: "golden-web-4", Owner: build}) },
			want:   gone,
		},
		"image no longer allowed": {
			change: func(l *lab) { l.world.SetAllowedImages("enabled", "amazon") },
			want:   gone,
		},
		"image deprecated": {
			change: func(l *lab) { l.world.DeprecateImage(third, l.world.Clock().Now()) },
			want:   "Image " + third + " of the plan is not acceptable any more: deprecated since 2026-11-20. Nothing was changed. Plan again.",
		},
		"image of somebody else": {
			change: func(l *lab) {
				l.world.AddImage(awssim.Image{ID: third, Name: "golden-web-4", Owner: "999999999999", Public: true})
			},
			want: "Image " + third + " of the plan is not acceptable any more: is of account 999999999999, not of 222222222222 or self. Nothing was changed. Plan again.",
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
			d.write("main.tf", l.config(requireRefit+strings.Replace(refresh, `["self"]`, `["self", "`+build+`"]`, 1)))
			d.run([]int{0}, "init")
			d.run([]int{0}, "apply", "-auto-approve", "-no-color")
			l.world.AddImage(awssim.Image{ID: third, Name: "golden-web-4", Owner: build, SharedWith: []string{"123456789012"}})
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
