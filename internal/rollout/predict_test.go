package rollout_test

import (
	"fmt"
	. "github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"testing"
	"time"
)

func group(n int) Snapshot {
	old := Version{TemplateID: "lt-1", Number: 1, Data: "d1", Image: "ami-1"}
	s := Snapshot{At: time.Unix(1e9, 0), TargetsSeen: true, ActivitiesSeen: true, Typical: Typical{45 * time.Second, 30 * time.Second, 70 * time.Second}}
	s.Group = Group{Name: "web", Min: 1, Max: 2 * n, Desired: n, Zones: []string{"a", "b", "c"}, Pointer: "1", Points: old, Default: 1, Latest: 2, TargetGroups: []string{"tg"}}
	for i := range n {
		s.Members = append(s.Members, Member{ID: fmt.Sprintf("i-%03d", i), Zone: s.Group.Zones[i%3], State: InService, StateText: "InService", Healthy: true, Version: old, Targets: []Target{{"tg", "healthy", ""}}})
	}
	return s
}
func TestPredict(t *testing.T) {
	target := Version{TemplateID: "lt-1", Number: 2, Data: "d2", Image: "ami-2"}
	for _, n := range []int{1, 4, 20, 100} {
		for _, p := range [][2]int{{100, 150}, {90, 100}, {100, 110}, {90, 110}, {50, 100}} {
			sp := Defaults()
			sp.MinHealthy, sp.MaxHealthy = p[0], p[1]
			st := time.Now()
			f := Predict(sp, group(n), target)
			t.Logf("%d %v: %+v cpu %v", n, p, f, time.Since(st))
		}
	}
}
