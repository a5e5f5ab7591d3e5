package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// defaultIs checks which version is the template's default.
func (l *lab) defaultIs(want int64) resource.TestCheckFunc {
	return func(*terraform.State) error {
		out, err := l.ec2().DescribeLaunchTemplates(l.Context(), &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{l.template}})
		if err != nil {
			return err
		}
		if got := aws.ToInt64(out.LaunchTemplates[0].DefaultVersionNumber); got != want {
			return fmt.Errorf("got default version %d, want %d", got, want)
		}
		return nil
	}
}

// TestAccRollingUpdate_setDefault: the default version moves after a roll that
// succeeded, and with none that did not; the option alone moves nothing.
func TestAccRollingUpdate_setDefault(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	with := strings.Replace(both, `  on_failure              = "rollback"`, "  on_failure  = \"rollback\"\n  set_default = \"after_roll\"", 1)
	if with == both {
		t.Fatal("the configuration has changed")
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config:      l.config(strings.Replace(with, `"after_roll"`, `"always"`, 1)),
				ExpectError: regexp.MustCompile(`Attribute set_default value must be one of: \["after_roll"\], got: "always"`),
			},
			{Config: l.config(both), Check: resource.ComposeTestCheckFunc(l.runs(second, 4), l.defaultIs(1))},
			{Config: l.config(with), ConfigStateChecks: []statecheck.StateCheck{converged}, Check: l.defaultIs(1)},
			{Config: l.config(with), ConfigPlanChecks: emptyPlan},
			{
				PreConfig:         func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) },
				Config:            l.config(with),
				ConfigStateChecks: []statecheck.StateCheck{converged, outcome("succeeded")},
				Check:             resource.ComposeTestCheckFunc(l.runs(third, 4), l.defaultIs(3)),
			},
			{Config: l.config(with), ConfigPlanChecks: emptyPlan},
			{
				PreConfig: func() {
					l.publish("ami-00000000000000005", "golden-web-5", awssim.ImageBehaviour{NeverHealthy: true})
				},
				Config:      l.config(with),
				ExpectError: regexp.MustCompile(`rolled\s+back`),
			},
			{Config: l.config(with), ConfigPlanChecks: emptyPlan, Check: resource.ComposeTestCheckFunc(l.runs(third, 4), l.defaultIs(3))},
		},
	})
}
