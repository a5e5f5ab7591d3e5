package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

// TestAccPermissions records what plans and applies use.
func TestAccPermissions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, journal, read, write string }{
		{name: "Parameter Store", read: readSSM, write: writeSSM},
		{name: "bucket", journal: `journal = { s3_bucket = "journal" }`, read: readS3, write: writeS3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := strings.Replace(provider, "region", c.journal+"\n  region", 1)
			s := newProject(t, settings+rolling)
			s.world.CreateBucket("journal")
			s.uses([]string{"plan"}, planRoll, beforeRoll, targetGroups, c.read)
			s.allowShifts()
			s.uses([]string{"plan"}, planRoll, beforeRoll, zonalShifts, targetGroups, c.read)
			s.uses([]string{"apply", "-auto-approve"}, planRoll, beforeRoll, zonalShifts, rollGroup, launchFirst, targetGroups, c.read, c.write)

			refresh := fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "golden-*" }
}`, s.template())
			s = newProject(t, settings+refresh)
			s.world.CreateBucket("journal")
			s.publish("golden-web-3") // that of version 2 needs no new version
			s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, makeVersion, c.read, c.write)
			s.publish("golden-web-4")
			s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, makeVersion, c.read, c.write)

			// The data source needs no more, and less where it is given less.
			s = newProject(t, settings+strings.Replace(refresh, `resource "refit_ami_refresh"`, `data "refit_ami"`, 1))
			s.world.CreateBucket("journal")
			if r := tftest.Run(t, s.dir, s.env, "plan"); r.Code != 0 {
				t.Fatal(r.Output)
			}
			got := used(s.world)
			maps.DeleteFunc(got, func(a string, _ bool) bool { return !strings.HasPrefix(a, "ec2:") })
			exactly(t, got, planImage)

			s = newProject(t, settings+strings.Replace(refresh, `name = "golden-*"`, `ssm_parameter = "/golden/web"`, 1))
			s.world.CreateBucket("journal")
			s.publish("golden-web-3")
			s.world.PutParameter("/golden/web", newest(s.world))
			s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, makeVersion, imageParameter, c.read, c.write)
		})
	}
	t.Run("windows", func(t *testing.T) {
		t.Parallel()
		always := `windows = [{ day = "daily", time = "00:00", timezone = "UTC", duration = "24h" }]` + "\n}"
		s := newProject(t, provider+strings.Replace(rolling, "\n}", "\n  "+always, 1))
		s.uses([]string{"plan"}, planRoll, beforeRoll, targetGroups, readSSM)
		s.uses([]string{"apply", "-auto-approve"}, planRoll, beforeRoll, rollGroup, launchFirst, targetGroups, readSSM, writeSSM)
	})
	t.Run("assume_role", func(t *testing.T) {
		t.Parallel()
		role := `assume_role = { role_arn = "arn:aws:iam::123456789012:role/refit" }`
		s := newProject(t, strings.Replace(provider, "region", role+"\n  region", 1)+rolling)
		s.uses([]string{"plan"}, planRoll, beforeRoll, targetGroups, readSSM, assumeRole)
	})
}

// calendarProject declares one of each resource about windows.
const calendarProject = `
resource "refit_patch_schedule" "web" {
  name         = "web"
  environments = { prod = { day = "wed", time = "15:00", timezone = "Europe/London" } }
}
resource "refit_patch_freeze" "sale" {
  name     = "sale"
  from     = "2027-11-26T18:00:00Z"
  to       = "2027-12-01T06:00:00Z"
  reason   = "sale"
  selector = { everything = true }
}
resource "refit_patch_exception" "old" {
  name        = "old"
  until       = "2037-01-01T00:00:00Z"
  reason      = "old"
  approved_by = "A. Boss"
  selector    = { all = { Name = ["old"] } }
}
`

// TestAccPermissions_calendar records what resources and data sources about
// windows use.
func TestAccPermissions_calendar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, journal, publish, windows, decision string }{
		{"Parameter Store", "", publishSSM, windowsSSM, decisionSSM},
		{"bucket", `journal = { s3_bucket = "journal" }`, publishS3, windowsS3, decisionS3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			settings := strings.Replace(provider, "region", c.journal+"\n  region", 1)
			s := newProject(t, settings+calendarProject)
			s.world.CreateBucket("journal")
			s.uses([]string{"apply", "-auto-approve"}, c.publish)
			s.write(settings + calendarProject + "data \"refit_patch_windows\" \"it\" {\n  schedule    = \"web\"\n  environment = \"prod\"\n}\n")
			s.uses([]string{"plan", "-refresh=false"}, c.windows)
			s.write(settings + calendarProject + "data \"refit_patch_decision\" \"it\" {\n  autoscaling_group_name = \"web\"\n}\n")
			s.uses([]string{"plan", "-refresh=false"}, c.decision)
		})
	}
}

// TestAccPermissions_keepVersions records what deleting old versions uses.
func TestAccPermissions_keepVersions(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, "history = \"1000h\"\n"+scenario, provider) // versions 1 and 2 are older than 30 days
	s.write(provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  keep_versions      = 3
  source             = { owners = ["self"], name = "golden-*" }
}`, s.template()))
	for n := 3; n <= 5; n++ { // the last of them makes version 5, and 2 is not needed any more
		s.publish(fmt.Sprintf("golden-web-%d", n))
		rows := []string{planImage, newVersion, makeVersion, readSSM, writeSSM}
		if n == 5 {
			rows = append(rows, keepVersions)
		}
		s.uses([]string{"apply", "-auto-approve"}, rows...)
	}
}

// TestAccPermissions_target records what a parameter as the target uses.
func TestAccPermissions_target(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, following, provider)
	s.publish("golden-web-9")
	config := provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source_version     = 1
  source             = { owners = ["self"], name = "golden-*" }
  target             = { ssm_parameter = "/golden/web" }`, s.template())
	s.write(config + "\n}")
	s.uses([]string{"plan"}, planImage, newVersion, channelTarget, readSSM)
	s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, channelTarget, moveChannel, readSSM, writeSSM)
	s.uses([]string{"plan"}, planImage, channelTarget, readSSM)

	s.write(config + "\n  notify = { event_bus_name = \"default\" }\n}")
	s.publish("golden-web-10")
	s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, channelTarget, moveChannel, notifyBus, readSSM, writeSSM)
}

// TestAccPermissions_notify records what telling others uses.
func TestAccPermissions_notify(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, scenario+"topic \"images\" {}\nevent_bus \"fleet\" {}\n", provider)
	const topic = "sns_topic_arn = \"arn:aws:sns:eu-west-2:123456789012:images\""
	for n, c := range []struct {
		to   string
		rows []string
	}{
		{topic, []string{notifyTopic}},
		{`event_bus_name = "default"`, []string{notifyBus}},
		{`event_bus_name = "fleet"`, []string{notifyBus, notifyOwnBus}},
	} {
		s.write(provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "golden-*" }
  notify             = { %s }
}`, s.template(), c.to))
		s.publish(fmt.Sprintf("golden-web-%d", n+3))
		s.uses([]string{"apply", "-auto-approve"}, append(c.rows, planImage, newVersion, makeVersion, readSSM, writeSSM)...)
	}
}

// TestAccPermissions_notifyLatest records what it uses to tell of a version that a
// roll makes.
func TestAccPermissions_notifyLatest(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, followsLatest, provider)
	s.write(provider + strings.Replace(refreshOf(s.template()), "\n}", "\n  notify = { event_bus_name = \"default\" }\n}", 1) + rollNewest("web"))
	s.uses([]string{"apply", "-auto-approve"}, planImage, newVersion, planRoll, beforeRoll, rollGroup, launchFirst, targetGroups, rollBack, notifyBus, readSSM, writeSSM)
}

// uses runs terraform and compares what it used with rows of the guide.
func (s *stack) uses(args []string, rows ...string) {
	s.Helper()
	s.world.ResetCalls()
	if slices.Contains(rows, writeSSM) {
		loseWrite(s.T, s.world)
	}
	if r := tftest.Run(s.T, s.dir, s.env, args...); r.Code != 0 {
		s.Fatal(r.Output)
	}
	exactly(s.T, used(s.world), rows...)
}

// allowShifts lets the group follow zonal shifts.
func (s *stack) allowShifts() {
	s.Helper()
	_, err := autoscaling.NewFromConfig(s.world.Config()).UpdateAutoScalingGroup(s.Context(), &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("web"), AvailabilityZoneImpairmentPolicy: &types.AvailabilityZoneImpairmentPolicy{
			ZonalShiftEnabled: aws.Bool(true), ImpairedZoneHealthCheckBehavior: types.ImpairedZoneHealthCheckBehaviorIgnoreUnhealthy,
		},
	})
	if err != nil {
		s.Fatal(err)
	}
}

// publish puts a newer image into the world.
func (s *stack) publish(name string) {
	s.world.Advance(time.Minute)
	s.world.AddImage(awssim.Image{Name: name})
}

// newest is the image that was published last.
func newest(w *awssim.World) string {
	all := w.Images()
	return all[len(all)-1].ID
}
