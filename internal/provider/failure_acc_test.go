package provider_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// One new member breaks; the limit is two, so that the roll gets over it, says
// so, and the plan after it is empty.
func TestAccRollingUpdate_failureLimit(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	var once sync.Once
	l.world.OnTick(func() {
		g, _ := l.world.Group("web")
		for _, m := range g.Members {
			if m.Image == second && m.Healthy() {
				once.Do(func() {
					l.world.At(0, func() {
						if err := l.world.Act(awssim.Action{Do: "break", Group: "web", Instance: m.ID}); err != nil {
							t.Error(err)
						}
					})
				})
			}
		}
	})
	limited := strings.Replace(both, "on_failure ", "failure_limit = 2\n  on_failure ", 1)
	last := tfjsonpath.New("last_roll")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(limited),
				ConfigStateChecks: []statecheck.StateCheck{
					converged, outcome("succeeded"),
					statecheck.ExpectKnownValue(rollAddress, last.AtMapKey("failed"), knownvalue.Int64Exact(1)),
					statecheck.ExpectKnownValue(rollAddress, last.AtMapKey("reason"), knownvalue.NotNull()),
				},
				Check: l.runs(second, 4),
			},
			{Config: l.config(limited), ConfigPlanChecks: emptyPlan},
		},
	})
}
