package awssim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// The markets an instance is bought in.
const (
	marketOnDemand = "on-demand"
	marketSpot     = "spot"
)

// marketType is a market as LaunchInstances writes it.
func marketType(market string) string {
	if market == marketSpot {
		return "Spot"
	}
	return "OnDemand"
}

// onDemandWanted is how much of a capacity a group's policy wants on demand. A
// part of a unit counts as a whole one on demand.
func (g *group) onDemandWanted(capacity int32) int32 {
	p := g.as.MixedInstancesPolicy
	if p == nil {
		return capacity
	}
	base := min(*p.InstancesDistribution.OnDemandBaseCapacity, capacity)
	percentage := *p.InstancesDistribution.OnDemandPercentageAboveBaseCapacity
	return base + ((capacity-base)*percentage+99)/100
}

// capacityIn is the capacity of the members of one market that count.
func (g *group) capacityIn(market string) int32 {
	var n int32
	for _, m := range g.members {
		if m.alive() && m.market == market {
			n += m.weight
		}
	}
	return n
}

// nextMarket is the market that the policy wants the next member from: on
// demand until its share of what is wanted is there.
func (g *group) nextMarket() string {
	if g.as.MixedInstancesPolicy == nil || g.capacityIn(marketOnDemand) < g.onDemandWanted(max(g.desired(), g.actual()+1)) {
		return marketOnDemand
	}
	return marketSpot
}

// surplusMarket is the market that a group whose capacity shrinks to n has too
// much of, or empty.
func (g *group) surplusMarket(n int32) string {
	if !g.mixed() {
		return ""
	}
	wanted := g.onDemandWanted(n)
	switch onDemand, spot := g.capacityIn(marketOnDemand), g.capacityIn(marketSpot); {
	case onDemand > wanted:
		return marketOnDemand
	case spot > n-wanted:
		return marketSpot
	}
	return ""
}

// purchase is one way to launch a member: a type in a market.
type purchase struct {
	override *types.LaunchTemplateOverrides // nil: as the template says
	market   string
}

func (p purchase) weight() int32 {
	if p.override == nil {
		return 1
	}
	return weightOf(*p.override)
}

// purchases are the ways to launch the next member in a zone, in the order in
// which the group's allocation strategy tries them.
func (w *World) purchases(g *group, zone string) []purchase {
	market := g.nextMarket()
	overrides := g.overrides()
	if len(overrides) == 0 {
		return []purchase{{market: market}}
	}
	out := make([]purchase, len(overrides))
	for i := range overrides {
		out[i] = purchase{override: &overrides[i], market: market}
	}
	d := g.as.MixedInstancesPolicy.InstancesDistribution
	byPrice := func(a, b purchase) int { return cmp.Compare(a.unitPrice(), b.unitPrice()) }
	use := w.poolUse(zone, market)
	byRoom := func(a, b purchase) int {
		return cmp.Compare(use[*a.override.InstanceType], use[*b.override.InstanceType])
	}
	switch {
	case market == marketOnDemand && *d.OnDemandAllocationStrategy == "lowest-price":
		slices.SortStableFunc(out, byPrice)
	case market == marketOnDemand: // prioritized: the order of the list
	case *d.SpotAllocationStrategy == "lowest-price":
		slices.SortStableFunc(out, byPrice)
		n := min(int(*d.SpotInstancePools), len(out))
		slices.SortStableFunc(out[:n], byRoom)
	case *d.SpotAllocationStrategy == "price-capacity-optimized":
		slices.SortStableFunc(out, byPrice)
		slices.SortStableFunc(out, byRoom)
	case *d.SpotAllocationStrategy == "capacity-optimized":
		slices.SortStableFunc(out, byRoom)
	default: // capacity-optimized-prioritized: the order of the list
	}
	return out
}

// unitPrice stands for what a unit of capacity costs in a purchase. Prices are
// not modelled: they grow with processors and memory here, the same for both
// markets.
func (p purchase) unitPrice() float64 {
	t, _ := findInstanceType(*p.override.InstanceType) // checked when the policy was set
	return (float64(t.vcpu)*4 + float64(t.mib)/1024) / float64(p.weight())
}

// poolUse is how many spot instances of each type run in a zone. The pool with
// the fewest stands for the one with the most room.
func (w *World) poolUse(zone, market string) map[string]int {
	if market != marketSpot {
		return nil
	}
	use := map[string]int{}
	for _, i := range w.ec2.instances {
		if i.zone == zone && i.market == marketSpot && (i.state == "pending" || i.state == "running") {
			use[i.instanceType]++
		}
	}
	return use
}

// note is what the event log says about a launch by a policy: type and market.
func (m *member) note(g *group) string {
	if g.as.MixedInstancesPolicy == nil {
		return ""
	}
	return fmt.Sprintf(", %s %s", m.instanceType, m.market)
}
