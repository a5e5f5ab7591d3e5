package roller_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestChaos_latest rolls groups on $Latest to an image that no version has, in
// worlds where calls fail, observations of groups are old, and owners are
// interrupted or die. The new version is never what $Latest means for the group
// before it is proven, it is made once, and the text comes back.
func TestChaos_latest(t *testing.T) {
	t.Parallel()
	chaotic(t, 21, func(t *testing.T, r *rand.Rand) {
		image := pick(r, "", "", "never_healthy = true")
		s := rolltest.FromScenario(t, newest(image, "suspended = [\"AZRebalance\"]", ""), r.IntN(3) == 0)
		if !*wire {
			s.Direct()
		}
		e, q := templatesOf(t, s), toNewest()
		p := pick(r, [2]int{100, 110}, [2]int{100, 150}, [2]int{100, 200}, [2]int{75, 100}, [2]int{75, 125})
		q.Spec.MinHealthy, q.Spec.MaxHealthy = p[0], p[1]
		if image != "" {
			q.Spec.InstanceTimeout = 3 * time.Minute
		}
		t.Logf("%q at %v", image, p)
		s.Referee(q)
		if r.IntN(2) == 0 {
			s.Stale(time.Duration(1+r.IntN(25))*time.Second, "autoscaling", "elasticloadbalancing")
		}
		s.World.OnEvent(func(ev awssim.Event) {
			if g := e.exposed(s); g != "" && !strings.Contains(s.Story(), "version 2 is proven") {
				t.Errorf("%s: %s would launch the new image\n%s", ev.Text, g, s.Story())
			}
		})
		trouble(t, s, r)
		for range r.IntN(3) {
			inject(t, s, awssim.Fault{
				Calls: "ec2:CreateLaunchTemplateVersion", Kind: pick(r, awssim.LoseAnswer, awssim.Drop, awssim.ServerError, awssim.Throttle), Times: 1 + r.IntN(3),
			})
		}
		for owner := range 1 + r.IntN(3) {
			if r.IntN(2) == 0 {
				s.Crash(t.Context(), q, r.IntN(60), r.IntN(2) == 0)
			} else {
				ctx, cancel := context.WithCancel(t.Context())
				s.World.At(time.Duration(r.IntN(300))*time.Second, cancel)
				_, _ = s.Roll(ctx, q) // how it ends matters to the last owner only
			}
			s.Roller = s.NewRoller(fmt.Sprint("next ", owner), 2+owner)
		}
		s.World.ClearFaults()
		_, err := s.Roll(t.Context(), q)
		g, images := s.Group(), strings.Join(e.images(), " ")
		if image != "" {
			if err == nil || rolltest.On(g, 2) > 0 || images != "1 2 1" || g.Version != "$Latest" {
				t.Errorf("a broken image ended with %v, %d members on it, versions with images %s, the group at %s\n%s", err, rolltest.On(g, 2), images, g.Version, s.Story())
			}
			return
		}
		if err != nil {
			t.Fatalf("roll: %v\n%s", err, s.Story())
		}
		s.Settled(2)
		if images != "1 2" || g.Version != "$Latest" {
			t.Errorf("versions with images %s, the group at %s\n%s", images, g.Version, s.Story())
		}
	})
}
