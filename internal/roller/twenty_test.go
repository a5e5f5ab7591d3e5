package roller_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestTwenty rolls twenty groups at once, begun a second apart as Terraform
// does when it works through them, with their journals in one scope of
// Parameter Store, which takes three writes a second: they need fewer.
func TestTwenty(t *testing.T) {
	t.Parallel()
	const groups, limit = 20, 3.0
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range groups {
			names = append(names, fmt.Sprintf("web-%02d", i))
		}
		s := rolltest.InBubble(t, cluster(names...), false)
		var all sync.WaitGroup
		for i, name := range names {
			all.Go(func() {
				if err := s.World.Clock().Sleep(t.Context(), time.Duration(i)*time.Second); err != nil {
					t.Error(err)
				}
				q := rolltest.Request(100, 134)
				q.Group = name
				if _, err := s.NewRoller(name, 10+i).Roll(t.Context(), q); err != nil {
					t.Errorf("roll of %s: %v", name, err)
				}
			})
		}
		over := make(chan struct{})
		go func() { all.Wait(); close(over) }()
		// A write that meets a throttle is sent again, so that a burst costs a
		// moment and no more: half a minute is what has to fit.
		const window = 30 * time.Second
		last, most := 0, 0
		for going := true; going; {
			select {
			case <-over:
				going = false
			case <-time.After(window):
			}
			puts := s.World.Calls()["ssm:PutParameter"]
			most, last = max(most, puts-last), puts
		}
		if rate := float64(most) / window.Seconds(); rate > limit {
			t.Errorf("%.1f writes a second in the worst half minute, want at most %.0f", rate, limit)
		}
		t.Logf("%d writes in %s, at most %d in half a minute", last, s.Elapsed(), most)
		for _, name := range names {
			rolled(t, s, name)
		}
	})
}
