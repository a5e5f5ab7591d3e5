package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

// TestAccFollowers: a plan that wants a version names the groups that would launch
// from it without a roll, at create and later. None is made without one, so that
// the next plan names them again.
func TestAccFollowers(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, strings.Replace(scenario, `version       = "1"`, `version       = "$Latest"`, 1)+`
group "numbered" {
  template = "web"
  version  = "1"
  min      = 0
  max      = 1
  desired  = 0
}
group "usual" {
  template = "web"
  version  = "$Default"
  min      = 0
  max      = 1
  desired  = 0
}
`, provider)
	s.write(provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "golden-*" }
}`, s.template()))
	const want = "these groups follow it: usual (version $Default), web (version $Latest)."
	const versions = 2
	count := func() {
		t.Helper()
		out, err := ec2.NewFromConfig(s.world.Config()).DescribeLaunchTemplateVersions(t.Context(), &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(s.template())})
		if err != nil || len(out.LaunchTemplateVersions) != versions {
			t.Errorf("got %d versions, %v; want the %d of before", len(out.LaunchTemplateVersions), err, versions)
		}
	}
	for n := range 2 {
		s.publish(fmt.Sprintf("golden-web-%d", n+3))
		for _, step := range []struct {
			command string
			warns   bool
		}{{"plan", true}, {"apply", true}, {"plan", true}} {
			args := []string{step.command}
			if step.command == "apply" {
				args = append(args, "-auto-approve")
			}
			r := tftest.Run(s.T, s.dir, s.env, args...)
			words := strings.Join(strings.Fields(strings.ReplaceAll(r.Output, "│", " ")), " ")
			if r.Code != 0 || strings.Contains(words, want) != step.warns {
				t.Fatalf("image %d, %s: got code %d and\n%s\nwant it to say %q: %v", n, step.command, r.Code, r.Output, want, step.warns)
			}
		}
		count()
	}
}
