package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

// TestAccPermissions_copy records what copying images uses.
func TestAccPermissions_copy(t *testing.T) {
	t.Parallel()
	s := newProject(t, provider)
	template := s.template()
	build := func(name string) { s.world.AddImage(awssim.Image{Name: name, Region: "eu-west-1", RootVolumeGiB: 2}) }
	apply := []string{"apply", "-auto-approve"}
	build("built-1")
	write := func(more string) {
		s.write(provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "built-*" }
  copy               = { source_region = "eu-west-1", %s }
}`, template, more))
	}
	key := s.world.AddKey(awssim.Key{})
	write(fmt.Sprintf("encrypted = true, kms_key_id = %q", key))
	s.uses([]string{"plan"}, planImage, newVersion, planCopy, copyKey, readSSM)
	key = s.world.AddKey(awssim.Key{Account: "222222222222", UsableBy: []string{s.world.Account()}})
	write(fmt.Sprintf("encrypted = true, kms_key_id = %q", key))
	s.uses([]string{"plan"}, planImage, newVersion, planCopy, copyKey, foreignKey, readSSM)
	write("keep = 1")
	s.uses(apply, planImage, newVersion, makeVersion, copyImages, readSSM, writeSSM)
	forget(t, s.world, template) // the version that names the first copy
	build("built-2")
	s.uses(apply, planImage, newVersion, makeVersion, copyImages, copyKeep, readSSM, writeSSM)

	build("built-3")
	s.world.FailCopies(1, "the disk is bad")
	s.world.ResetCalls()
	if r := tftest.Run(s.T, s.dir, s.env, apply...); r.Code != 1 {
		t.Fatalf("got exit code %d, want 1\n%s", r.Code, r.Output)
	}
	exactly(t, used(s.world), planImage, newVersion, copyImages, copyGivenUp, readSSM, writeSSM)
}

// TestAccPermissions_encrypted records what planning an encrypted image uses.
func TestAccPermissions_encrypted(t *testing.T) {
	t.Parallel()
	s := newProject(t, provider)
	s.write(provider + refreshOf(s.template()))
	s.uses([]string{"apply", "-auto-approve"}, planImage, readSSM)
	for n, c := range []struct {
		key  awssim.Key
		rows []string
	}{
		{awssim.Key{}, []string{imageKey}},
		{awssim.Key{Account: "222222222222", UsableBy: []string{s.world.Account()}}, []string{imageKey, foreignKey}},
	} {
		s.world.Advance(time.Minute)
		s.world.AddImage(awssim.Image{Name: fmt.Sprintf("golden-web-%d", n+3), Encrypted: true, Key: s.world.AddKey(c.key)})
		s.uses([]string{"plan"}, append(c.rows, planImage, newVersion, readSSM)...)
	}
}

// TestAccPermissions_copyTarget records what copies that go into a parameter use.
func TestAccPermissions_copyTarget(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, following, provider)
	for n, keep := range []int{2, 2, 1} {
		s.write(provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source_version     = 1
  source             = { owners = ["self"], name = "built-*" }
  copy               = { source_region = "eu-west-1", keep = %d }
  target             = { ssm_parameter = "/golden/web" }
}`, s.template(), keep))
		s.world.AddImage(awssim.Image{Name: fmt.Sprintf("built-%d", n+1), Region: "eu-west-1", RootVolumeGiB: 2})
		s.uses([]string{"plan"}, planImage, newVersion, channelTarget, planCopy, readSSM)
		rows := []string{planImage, newVersion, channelTarget, moveChannel, copyImages, readSSM, writeSSM}
		if n == 2 { // what the parameter held before the last one is not needed any more
			rows = append(rows, copyKeep)
		}
		s.uses([]string{"apply", "-auto-approve"}, rows...)
	}
	s.uses([]string{"plan"}, planImage, channelTarget, readSSM)
}

// forget deletes the latest version of a template.
func forget(t *testing.T, w *awssim.World, template string) {
	t.Helper()
	client := ec2.NewFromConfig(w.Config())
	out, err := client.DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{template}})
	if err != nil || len(out.LaunchTemplates) != 1 {
		t.Fatalf("got %v, %v; want one template", out, err)
	}
	if _, err := client.DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{
		LaunchTemplateId: aws.String(template), Versions: []string{fmt.Sprint(aws.ToInt64(out.LaunchTemplates[0].LatestVersionNumber))},
	}); err != nil {
		t.Fatal(err)
	}
}
