package rollout

import (
	"fmt"
	"strings"
	"time"
)

// busy is how many changes of the desired capacity within an hour make a group
// one whose policies are at work.
const busy = 3

// Advise says which engine suits a group better for a roll with this spec, and
// why. Where the choice does not matter, it is the spec's own, without a reason.
func Advise(spec Spec, s Snapshot, f Facts) (engine Engine, why string) {
	if spec.Engine == EngineRefresh {
		var blind []string
		if spec.Probe != nil {
			blind = append(blind, "health.probe")
		}
		if len(spec.Checks) > 0 {
			blind = append(blind, "checks")
		}
		if len(blind) > 0 && !s.Group.WarmPool && len(weightProblems(spec, s)) == 0 {
			return EngineManaged, fmt.Sprintf("EC2 Auto Scaling does not wait for %s before it ends old members; Refit judges by it at every look and stops "+
				"the instance refresh, which may be later than min_healthy_percentage asks for", strings.Join(blind, " and "))
		}
		return EngineRefresh, ""
	}
	if s.Group.WarmPool && !spec.TerminateWarm {
		return EngineRefresh, "the group has a warm pool, whose members only an instance refresh replaces"
	}
	if spec.MaxHealthy <= 100 {
		return EngineManaged, "" // it changes no capacity
	}
	const race = "launching first raises the desired capacity and lowers it again, which an instance refresh does without"
	if n := changes(s, time.Hour); n >= busy && len(f.Policies) > 0 {
		return EngineRefresh, fmt.Sprintf("others have changed the desired capacity %d times within the last hour (%s); %s", n, few(f.Policies), race)
	}
	if f.Rebalance {
		return EngineRefresh, "capacity rebalancing launches and ends members on its own; " + race
	}
	if heavy := s.Group.heaviest(); s.Group.lightest() != heavy && s.Group.Desired%heavy != 0 {
		return EngineRefresh, fmt.Sprintf("its instance types differ in weight (%d to %d) and it wants %d units, which is no multiple of the heaviest, so that desired "+
			"capacity may be higher after the roll; %s", s.Group.lightest(), heavy, s.Group.Desired, race)
	}
	return EngineManaged, ""
}

// changes counts the changes of the desired capacity that others have made
// lately, as far as the snapshot tells.
func changes(s Snapshot, lately time.Duration) int {
	n := 0
	for _, c := range s.Changes {
		if !c.Launched && c.Member == "" && s.At.Sub(c.At) <= lately {
			n++
		}
	}
	return n
}
