package awssim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// zoneCounts is the capacity of the members in each of the group's zones that count.
func (g *group) zoneCounts() map[string]int {
	counts := make(map[string]int, len(g.as.AvailabilityZones))
	for _, m := range g.members {
		if m.alive() {
			counts[m.zone] += int(m.weight)
		}
	}
	return counts
}

// zonesByMembers are the group's zones, the emptiest first.
func (g *group) zonesByMembers() []string {
	counts, staying := g.zoneCounts(), g.stayingCounts()
	zones := slices.Clone(g.as.AvailabilityZones)
	if len(zones) > 1 {
		zones = slices.DeleteFunc(zones, func(z string) bool { return z == g.shifted })
	}
	slices.SortStableFunc(zones, func(a, b string) int {
		return cmp.Or(cmp.Compare(staying[a], staying[b]), cmp.Compare(counts[a], counts[b]))
	})
	return zones
}

// subnetIn is a subnet of the group in a zone, in turn where it has several.
func (g *group) subnetIn(zone string) string {
	subnets := g.subnets[zone]
	if len(subnets) == 0 {
		return ""
	}
	g.nextSubnet++
	return subnets[g.nextSubnet%len(subnets)]
}

// tooMuch says whether a group could do without a member that weighs no more
// than the excess of its capacity.
func (g *group) tooMuch(excess int32) bool {
	return slices.ContainsFunc(g.members, func(m *member) bool { return m.alive() && m.weight <= excess })
}

// shrinking ends the sentence of why a member goes.
func shrinking(from, to int32) string {
	return fmt.Sprintf(", shrinking the capacity from %d to %d.", from, to)
}

// scaleIn ends members until a group has no more capacity than wanted, or the
// next one to go would leave it with less.
func (w *World) scaleIn(g *group, actual, wanted int32) {
	causes := g.causes
	for actual > wanted {
		m, protected := w.victim(g, actual-wanted)
		if m == nil {
			if protected {
				w.event(g.name(), "cannot scale in: every member is protected")
			}
			break
		}
		why := slices.Clone(causes)
		why = append(why,
			strings.TrimSuffix(w.at("an instance was taken out of service in response to a difference between desired and actual capacity"), ".")+
				shrinking(actual, actual-m.weight),
			w.at("instance %s was selected for termination", m.id))
		m.returning = g.reuses()
		w.terminate(g, m, why...)
		actual -= m.weight
	}
	g.causes = nil
}

// victim chooses the member to end: one that weighs no more than the excess, in
// the zone with the most capacity that has one without protection, by the
// group's policies in their order, then by order of launch. Without one it says
// whether protection is why.
func (w *World) victim(g *group, excess int32) (chosen *member, protected bool) {
	counts := g.zoneCounts()
	var candidates []*member
	most := -1
	for _, m := range g.members {
		if !m.alive() || m.weight > excess {
			continue
		}
		if m.protected {
			protected = true
			continue
		}
		n := counts[m.zone]
		if !slices.Contains(g.as.AvailabilityZones, m.zone) {
			n = math.MaxInt // a zone the group left is emptied first
		}
		if n > most {
			most, candidates = n, nil
		}
		if n == most && (len(candidates) == 0 || candidates[0].zone == m.zone) {
			candidates = append(candidates, m)
		}
	}
	policies := g.as.TerminationPolicies
	if len(policies) == 0 {
		policies = []string{"Default"}
	}
	for _, p := range policies {
		if len(candidates) > 1 {
			candidates = w.narrow(g, p, candidates)
		}
	}
	if len(candidates) == 0 {
		return nil, protected
	}
	return candidates[0], false
}

// narrow keeps the members that a termination policy prefers to end.
func (w *World) narrow(g *group, policy string, in []*member) []*member {
	switch policy {
	case "OldestInstance":
		return keepLeast(in, func(m *member) int64 { return m.launchedAt.UnixNano() })
	case "NewestInstance":
		return keepLeast(in, func(m *member) int64 { return -m.launchedAt.UnixNano() })
	case "OldestLaunchTemplate":
		return oldestTemplate(g, in)
	case "ClosestToNextInstanceHour":
		return keepLeast(in, w.toNextHour)
	case "AllocationStrategy":
		return surplus(g, in)
	case "Default":
		return keepLeast(oldestTemplate(g, surplus(g, in)), w.toNextHour)
	default: // OldestLaunchConfiguration: all members are alike
		return in
	}
}

// surplus keeps the members of the market that the group's policy wants fewer
// of, if there are any.
func surplus(g *group, in []*member) []*member {
	market := g.surplusMarket(g.desired())
	if market == "" {
		return in
	}
	return keepLeast(in, func(m *member) int64 {
		if m.market == market {
			return 0
		}
		return 1
	})
}

// oldestTemplate keeps the members of another template than the group's, if
// there are any, else those of the lowest version.
func oldestTemplate(g *group, in []*member) []*member {
	current := map[string]bool{*g.pointer().LaunchTemplateId: true}
	for _, o := range g.overrides() {
		if o.LaunchTemplateSpecification != nil {
			current[*o.LaunchTemplateSpecification.LaunchTemplateId] = true
		}
	}
	return keepLeast(in, func(m *member) int64 {
		if !current[m.templateID] {
			return -1
		}
		return m.version
	})
}

// toNextHour is the time until a member's next hour of running begins.
func (w *World) toNextHour(m *member) int64 {
	return int64(time.Hour - w.now.Sub(m.launchedAt)%time.Hour)
}

// keepLeast keeps the members with the least score.
func keepLeast(in []*member, score func(*member) int64) []*member {
	var out []*member
	var least int64
	for _, m := range in {
		switch s := score(m); {
		case len(out) == 0 || s < least:
			least, out = s, []*member{m}
		case s == least:
			out = append(out, m)
		}
	}
	return out
}

// validPolicies are the termination policies that may be named.
var validPolicies = []string{
	"AllocationStrategy", "ClosestToNextInstanceHour", "Default", "NewestInstance",
	"OldestInstance", "OldestLaunchConfiguration", "OldestLaunchTemplate",
}

// unevenZones are the emptiest and the fullest zone of a group whose spread
// could be better by a move.
func (g *group) unevenZones() (emptiest, fullest string, uneven bool) {
	counts := g.zoneCounts()
	zones := g.zonesByMembers()
	emptiest, fullest = zones[0], zones[len(zones)-1]
	for zone := range counts {
		if !slices.Contains(zones, zone) {
			return emptiest, zone, true // members where the group is no more
		}
	}
	least := math.MaxInt // what the smallest move takes along
	for _, m := range g.members {
		if m.alive() && m.zone == fullest {
			least = min(least, int(m.weight))
		}
	}
	return emptiest, fullest, counts[fullest]-counts[emptiest] > least
}

// rebalance moves one member to the emptiest zone after a while of unevenness:
// it launches one there first, beyond desired and, if need be, max.
func (w *World) rebalance(g *group) {
	if g.rebalanceDue || g.rebalancing != nil || g.deleting || !g.canRebalance() {
		return
	}
	if _, _, uneven := g.unevenZones(); !uneven {
		return
	}
	g.rebalanceDue = true
	w.after(rebalanceAfter, func() {
		g.rebalanceDue = false
		if g.gone || g.deleting || !g.canRebalance() || g.rebalancing != nil || g.actual() < g.desired() || g.tooMuch(g.actual()-g.desired()) {
			return
		}
		emptiest, fullest, uneven := g.unevenZones()
		if !uneven {
			return
		}
		cause := w.at("instances were launched to balance instances in zones %s with other zones resulting in more than desired number of instances in the group", fullest)
		m, err := w.launchMember(g, emptiest, g.subnetIn(emptiest), cause)
		if err != nil {
			w.lookIn(g, rebalanceAfter)
			return
		}
		g.rebalancing = m
		g.causes = append(g.causes, cause)
		w.event(g.name(), "zones are being balanced: one more in %s, one less in %s to follow", emptiest, fullest)
	})
}

func (g *group) canRebalance() bool {
	if g.shifted != "" || !g.runs("AZRebalance") || !g.runs("Launch") || !g.runs("Terminate") {
		return false
	}
	// While members come or go the spread is not settled.
	return !slices.ContainsFunc(g.members, func(m *member) bool {
		settled := m.lifecycle == types.LifecycleStateInService || m.lifecycle == types.LifecycleStateStandby
		return !settled && !m.retained() && !m.warm()
	})
}
