package awssim

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	leastLifetime = 86400
	mostLifetime  = 31536000
)

// configurePolicies sets a group's policies about replacement and zones.
func configurePolicies(as *types.AutoScalingGroup, in *autoscaling.UpdateAutoScalingGroupInput) error {
	if p := in.InstanceMaintenancePolicy; p != nil {
		if p.MinHealthyPercentage == nil || p.MaxHealthyPercentage == nil {
			return invalid("Both MinHealthyPercentage and MaxHealthyPercentage must be specified in an instance maintenance policy.")
		}
		switch least, most := *p.MinHealthyPercentage, *p.MaxHealthyPercentage; {
		case least == -1 && most == -1: // how it is taken off
			p = nil
		case least < 0 || least > 100:
			return invalidf("MinHealthyPercentage %d must be between 0 and 100.", least)
		case most < 100 || most > 200:
			return invalidf("MaxHealthyPercentage %d must be between 100 and 200.", most)
		case most-least > 100:
			return invalid("The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100.")
		}
		as.InstanceMaintenancePolicy = p
	}
	if n := in.MaxInstanceLifetime; n != nil {
		if *n != 0 && (*n < leastLifetime || *n > mostLifetime) {
			return invalidf("Invalid value %d for MaxInstanceLifetime: it must be 0 or between %d and %d seconds.", *n, leastLifetime, mostLifetime)
		}
		as.MaxInstanceLifetime = n
		if *n == 0 {
			as.MaxInstanceLifetime = nil
		}
	}
	if d := in.AvailabilityZoneDistribution; d != nil {
		as.AvailabilityZoneDistribution = d
	}
	if p := in.AvailabilityZoneImpairmentPolicy; p != nil {
		if aws.ToBool(p.ZonalShiftEnabled) && p.ImpairedZoneHealthCheckBehavior == "" {
			return invalid("ImpairedZoneHealthCheckBehavior must be specified when zonal shift is enabled.")
		}
		as.AvailabilityZoneImpairmentPolicy = p
	}
	return nil
}

// replaceOld replaces the oldest member that is over the group's maximum
// lifetime, one at a time, and sees to it that the next one is looked at.
func (w *World) replaceOld(g *group) {
	if g.as.MaxInstanceLifetime == nil || g.deleting || !g.runs("Terminate") || !g.runs("Launch") {
		return
	}
	lifetime := time.Duration(*g.as.MaxInstanceLifetime) * time.Second
	var oldest *member
	for _, m := range g.members {
		if m.pending() || m.end != nil {
			return // one after the other
		}
		if m.lifecycle == types.LifecycleStateInService && (oldest == nil || m.launchedAt.Before(oldest.launchedAt)) {
			oldest = m
		}
	}
	if oldest == nil {
		return
	}
	if left := oldest.launchedAt.Add(lifetime).Sub(w.now); left > 0 {
		w.lookIn(g, left)
		return
	}
	w.terminate(g, oldest, w.at("instance %s was taken out of service in response to exceeding the maximum instance lifetime", oldest.id))
	w.lookSoon(g)
}

// shiftZone begins a zonal shift away from a zone, which groups that enabled
// it follow: they launch nothing there. An empty zone ends it.
func (w *World) shiftZone(g *group, zone string) error {
	if p := g.as.AvailabilityZoneImpairmentPolicy; p == nil || !aws.ToBool(p.ZonalShiftEnabled) {
		return invalidf("The AutoScalingGroup %s does not have zonal shift enabled.", g.name())
	}
	if zone != "" && !slices.Contains(g.as.AvailabilityZones, zone) {
		return invalidf("Availability Zone %s is not part of the AutoScalingGroup.", zone)
	}
	g.shifted, g.shiftedAt = zone, w.now
	if zone == "" {
		w.event(g.name(), "zonal shift ended")
	} else {
		w.event(g.name(), "zonal shift away from %s", zone)
	}
	w.lookSoon(g)
	return nil
}

// impaired says whether a member's health is left alone because of a zonal
// shift away from its zone.
func (g *group) impaired(m *member) bool {
	return g.shifted != "" && m.zone == g.shifted &&
		g.as.AvailabilityZoneImpairmentPolicy.ImpairedZoneHealthCheckBehavior == types.ImpairedZoneHealthCheckBehaviorIgnoreUnhealthy
}

// launchZones are the zones where a group launches now, the emptiest first:
// only that one where it must stay balanced.
func (g *group) launchZones() []string {
	zones := g.zonesByMembers()
	if d := g.as.AvailabilityZoneDistribution; d != nil && d.CapacityDistributionStrategy == types.CapacityDistributionStrategyBalancedOnly {
		return zones[:min(len(zones), 1)]
	}
	return zones
}
