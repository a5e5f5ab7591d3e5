package provider_test

import (
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// pair is two groups of two on version 1 of a template with two versions.
const pair = `
image "golden-1" { created = "2026-10-05T04:00:00Z" }
image "golden-2" { created = "2026-11-02T04:00:00Z" }

template "etcd" {
  version { image = "golden-1" }
  version { image = "golden-2" }
}

group "etcd-a" {
  template = "etcd"
  version  = "1"
  min      = 0
  max      = 4
  desired  = 2
}

group "etcd-b" {
  template = "etcd"
  version  = "1"
  min      = 0
  max      = 4
  desired  = 2
}
`

// pairRolled rolls both groups in one apply, under one lock.
const pairRolled = `
resource "refit_asg_rolling_update" "a" {
  autoscaling_group_name  = "etcd-a"
  launch_template_version = 2
  max_healthy_percentage  = 150
  lock                    = { key = "etcd-main" }
}

resource "refit_asg_rolling_update" "b" {
  autoscaling_group_name  = "etcd-b"
  launch_template_version = 2
  max_healthy_percentage  = 150
  lock                    = { key = "etcd-main" }
}
`

// pairReferee counts, at every tick, which of the two groups have surge.
type pairReferee struct {
	mu     sync.Mutex
	surged map[string]bool
	both   bool
}

func (p *pairReferee) watch(w *awssim.World) {
	p.surged = map[string]bool{}
	w.OnTick(func() {
		if !p.mu.TryLock() {
			return // looking lets time pass, which is a tick again
		}
		defer p.mu.Unlock()
		n := 0
		for _, name := range []string{"etcd-a", "etcd-b"} {
			if g, _ := w.Group(name); g.Launched() > 2 {
				p.surged[name] = true
				n++
			}
		}
		p.both = p.both || n == 2
	})
}

// TestAccRollingUpdate_lock applies two rolls at once, in a world where time
// passes, since both wait. It must not pass so fast that a lease runs out while
// the machine is busy.
func TestAccRollingUpdate_lock(t *testing.T) {
	t.Parallel()
	s, err := awssim.ParseScenario(t.Name(), pair)
	if err != nil {
		t.Fatal(err)
	}
	world, err := awssim.NewScenario(awssim.Options{Speed: 40}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	server := httptest.NewServer(world)
	t.Cleanup(server.Close)
	l := &lab{T: t, world: world, url: server.URL}
	referee := &pairReferee{}
	referee.watch(world)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(pairRolled),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("refit_asg_rolling_update.a", tfjsonpath.New("lock").AtMapKey("max_holders"), knownvalue.Int64Exact(1)),
				},
				Check: func(*terraform.State) error {
					for _, name := range []string{"etcd-a", "etcd-b"} {
						if g, _ := world.Group(name); rolltest.On(g, 2) != 2 || g.Launched() != 2 {
							t.Errorf("group %s: got %d of %d members on version 2, want 2 of 2", name, rolltest.On(g, 2), g.Launched())
						}
					}
					referee.mu.Lock()
					defer referee.mu.Unlock()
					if referee.both || len(referee.surged) != 2 {
						t.Errorf("groups that had surge: %v, both at a time: %t; want each, and never both", referee.surged, referee.both)
					}
					return nil
				},
			},
			{Config: l.config(pairRolled), ConfigPlanChecks: emptyPlan},
		},
	})
}

func TestAccRollingUpdate_lockSettings(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	with := func(lock string) string {
		return l.config(`
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = 1
  ` + lock + `
}
`)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{Config: with(`lock = { key = "etcd/main" }`), ExpectError: regexp.MustCompile(`(?s)Invalid lock key.*"etcd/main"`)},
			{Config: with(`lock = { key = "etcd-main", max_holders = 6 }`), ExpectError: regexp.MustCompile(`max_holders`)},
			{Config: with(""), Check: l.runs(first, 4)},
			// A change of the lock rolls nothing, and takes none.
			{
				PreConfig: func() { l.world.ResetCalls() },
				Config:    with(`lock = { key = "etcd-main", max_holders = 2 }`),
				ConfigStateChecks: []statecheck.StateCheck{
					converged, statecheck.ExpectKnownValue(rollAddress, tfjsonpath.New("lock").AtMapKey("max_holders"), knownvalue.Int64Exact(2)),
				},
				Check: l.wroteNothing,
			},
			{Config: with(""), Check: l.wroteNothing},
			{Config: with(""), ConfigPlanChecks: emptyPlan},
		},
	})
}
