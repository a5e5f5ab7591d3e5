package awssim

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	// spotNotice is how long before its end a Spot Instance is told.
	spotNotice = 2 * time.Minute
	// spotRetry is the pause after the launch of a successor failed.
	spotRetry = 30 * time.Second

	spotTermination = "Server.SpotInstanceTermination"

	// The wording of these two is the simulator's: AWS does not publish its own.
	causeRecommended = "in response to an EC2 instance rebalance recommendation"
	causeNotice      = "in response to an EC2 Spot Instance interruption notice"
)

// recommend is EC2's word that a Spot Instance is at an elevated risk. A group
// with Capacity Rebalancing launches a successor; others do nothing.
func (w *World) recommend(g *group, m *member) error {
	if m.market != marketSpot {
		return errors.New("not a Spot Instance")
	}
	if !m.atRisk {
		m.atRisk = true
		w.event(g.name(), "%s got a rebalance recommendation", m.id)
		w.lookSoon(g)
	}
	return nil
}

// interrupt gives a Spot Instance its notice, which EC2 carries out two
// minutes later. A group with Capacity Rebalancing takes the member out of
// service at once; others when its health check fails.
func (w *World) interrupt(g *group, m *member) error {
	if err := w.recommend(g, m); err != nil {
		return err
	}
	w.event(g.name(), "%s got a notice of its interruption in %s", m.id, spotNotice)
	w.after(spotNotice, func() { w.endInstanceFor(m.id, spotTermination) })
	if aws.ToBool(g.as.CapacityRebalance) && m.alive() && g.runs("Terminate") {
		g.replacing += replacements(m)
		w.terminate(g, m, w.at("instance %s was taken out of service %s", m.id, causeNotice))
		w.lookSoon(g)
	}
	return nil
}

// replacements is how many launches make up for a member: none where its
// successor is there already.
func replacements(m *member) int {
	if m.successor != nil && m.successor.alive() {
		return 0
	}
	return 1
}

// followRisk replaces the members at risk of a group with Capacity
// Rebalancing: a successor is launched first, beyond max size by a tenth of
// desired at most, and takes over when it is healthy.
func (w *World) followRisk(g *group) {
	if !aws.ToBool(g.as.CapacityRebalance) || g.deleting || !g.runs("Launch") || !g.runs("Terminate") {
		return
	}
	for _, m := range slices.Clone(g.members) {
		if !m.atRisk || !m.alive() {
			continue
		}
		s := m.successor
		switch {
		case s != nil && s.alive() && w.serves(g, s):
			w.terminate(g, m, w.at("instance %s was taken out of service %s", m.id, causeRecommended))
		case s != nil && s.alive(): // not yet
		case g.actual()+m.weight > max(g.max(), g.desired())+(g.desired()+9)/10:
		default:
			if m.successor = w.launchSomewhere(g, []string{w.at("an instance was started %s for instance %s", causeRecommended, m.id)}); m.successor == nil {
				w.lookIn(g, spotRetry)
			}
		}
	}
}

// early is the capacity of successors that are there beside those they replace.
func (g *group) early() int32 {
	var n int32
	for _, m := range g.members {
		if m.atRisk && m.alive() && m.successor != nil && m.successor.alive() {
			n += m.successor.weight
		}
	}
	return n
}

// serves says whether a member passes the health checks of its group.
func (w *World) serves(g *group, m *member) bool {
	if m.lifecycle != types.LifecycleStateInService || m.health != "Healthy" {
		return false
	}
	if !strings.Contains(aws.ToString(g.as.HealthCheckType), "ELB") {
		return true
	}
	return !slices.ContainsFunc(g.traffic(), func(arn string) bool {
		state, reason := w.targetState(arn, m.id)
		return state != "healthy" && reason != "Target.NotInUse"
	})
}
