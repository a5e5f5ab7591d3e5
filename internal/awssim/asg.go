package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

func init() {
	s := queryService("http://autoscaling.amazonaws.com/doc/2011-01-01/", autoscalingOperations())
	s.setup = func(w *World) { w.asg = newASGState() }
	s.snapshot = func(w *World) func() func() {
		past := w.asg.copy()
		return func() func() {
			present := w.asg
			w.asg = past
			return func() { w.asg = present }
		}
	}
	register("autoscaling", s)
}

// asgState is everything Auto Scaling knows.
type asgState struct {
	groups map[string]*group
	// memberOf finds the group of an instance.
	memberOf map[string]*group
	// withoutLaunchInstances makes the endpoint answer as one that does not
	// know LaunchInstances.
	withoutLaunchInstances bool
	// scaleOutOld is set by [World.SetRefreshScaleOut].
	scaleOutOld bool
	// deleted holds the activities of groups that are gone, newest first.
	deleted []*activity
}

func newASGState() *asgState {
	return &asgState{groups: map[string]*group{}, memberOf: map[string]*group{}}
}

// group is one Auto Scaling group.
type group struct {
	// as is what DescribeAutoScalingGroups shows, but for what is below.
	// Its slices and pointers are replaced, never changed in place.
	as        types.AutoScalingGroup
	subnets   map[string][]string // zone → subnets
	tags      []types.TagDescription
	suspended map[string]string // process → reason
	members   []*member         // in order of launch
	byID      map[string]*member
	refreshes []types.InstanceRefresh // newest first
	refresh   *refresh                // the first of these, until it ends
	tokens    map[string]launchAnswer // LaunchInstances by client token
	hooks     []*hook
	shifted   string    // the zone that a zonal shift leads away from, or empty
	shiftedAt time.Time // when that began

	activities []*activity // oldest first

	// causes tells why desired changed since the last look at the group.
	causes []string
	// looking is set while a look at the group is scheduled, lookAt its time.
	looking    bool
	lookAt     time.Time
	cancelLook func()
	// replacing counts launches that make up for members taken for being unhealthy.
	replacing int
	// rebalancing is the member too many that AZRebalance launched, until it
	// is in service and the fullest zone gives one up; nil when there is none.
	rebalancing    *member
	rebalanceDue   bool
	failures       int       // launches failed in a row
	retryAt        time.Time // no launch is tried before
	lastScaled     time.Time
	nextSubnet     int
	deleting, gone bool
}

// member is an instance of a group.
type member struct {
	id, zone, subnet, instanceType, imageID string
	templateID, templateName                string
	version                                 int64
	// weight is the capacity it counts for: 1 unless it is weighted.
	weight   int32
	weighted bool
	market   string // on-demand or spot
	// atRisk is set once EC2 recommended to replace a Spot Instance, successor
	// is what Capacity Rebalancing launched in its place.
	atRisk    bool
	successor *member
	// returning is set on the way back to the warm pool after a scale-in.
	returning bool
	// ownImage is set when an override named the image, which describes show.
	ownImage                bool
	lifecycle               types.LifecycleState
	health                  string // Healthy or Unhealthy
	unhealthyCause          string
	protected               bool
	launchedAt, inServiceAt time.Time
	wait                    *hooksWait      // set while it waits for lifecycle hooks
	draining                map[string]bool // target groups that still drain it
	launch, end, standby    *activity
}

// alive says whether a member counts towards the group's actual capacity.
func (m *member) alive() bool {
	return m.pending() || m.lifecycle == types.LifecycleStateInService
}

// pending says whether a member is on its way into service.
func (m *member) pending() bool {
	return slices.Contains([]types.LifecycleState{
		types.LifecycleStatePending, types.LifecycleStatePendingWait, types.LifecycleStatePendingProceed,
	}, m.lifecycle)
}

func (g *group) name() string   { return aws.ToString(g.as.AutoScalingGroupName) }
func (g *group) desired() int32 { return aws.ToInt32(g.as.DesiredCapacity) }
func (g *group) min() int32     { return aws.ToInt32(g.as.MinSize) }
func (g *group) max() int32     { return aws.ToInt32(g.as.MaxSize) }

// is says whether a process runs.
func (g *group) runs(process string) bool {
	_, suspended := g.suspended[process]
	return !suspended
}

// actual is the capacity of the members that are launched and not on their way out.
func (g *group) actual() int32 {
	var n int32
	for _, m := range g.members {
		if m.alive() {
			n += m.weight
		}
	}
	return n
}

// copy is the part of the state that reads answer from, as it is now.
func (s *asgState) copy() *asgState {
	out := newASGState()
	out.deleted = s.deleted
	for name, g := range s.groups {
		c := &group{
			as: g.as, subnets: g.subnets, tags: slices.Clone(g.tags), suspended: maps.Clone(g.suspended),
			refreshes: slices.Clone(g.refreshes), hooks: g.hooks, byID: make(map[string]*member, len(g.members)),
		}
		past := make([]member, len(g.members))
		for i, m := range g.members {
			past[i] = *m
			past[i].draining = nil
			c.members = append(c.members, &past[i])
			c.byID[m.id] = &past[i]
			out.memberOf[m.id] = c
		}
		// Reads of activities look at the newest; a snapshot need not hold all. One
		// that is over stays as it is.
		c.activities = slices.Clone(g.activities[max(0, len(g.activities)-recentActivities):])
		for i, a := range c.activities {
			if a.end.IsZero() {
				c.activities[i] = ptr(*a)
			}
		}
		out.groups[name] = c
	}
	return out
}

const recentActivities = 200

// findGroup is the group of a name, as every operation but the describing ones
// needs it.
func (w *World) findGroup(name *string) (*group, error) {
	if name == nil {
		return nil, missing("autoScalingGroupName")
	}
	g := w.asg.groups[*name]
	if g == nil {
		return nil, invalidf("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", *name)
	}
	return g, nil
}

// findMember is the member that is an instance, and its group.
func (w *World) findMember(id *string) (*group, *member, error) {
	if id == nil {
		return nil, nil, missing("instanceId")
	}
	g := w.asg.memberOf[*id]
	if g == nil {
		return nil, nil, invalidf("Instance Id not found - No managed instance found for instance ID: %s", *id)
	}
	return g, g.byID[*id], nil
}

func invalidf(format string, args ...any) *Error { return invalid(fmt.Sprintf(format, args...)) }

func missing(parameter string) *Error {
	return invalidf("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", parameter)
}

func unmodelled(what string) *Error {
	return invalidf("The simulator does not model %s.", what)
}

// description is a member as DescribeAutoScalingGroups shows it.
func (m *member) description() types.Instance {
	out := types.Instance{
		InstanceId: aws.String(m.id), InstanceType: aws.String(m.instanceType),
		AvailabilityZone: aws.String(m.zone), AvailabilityZoneId: aws.String(zoneID(m.zone)),
		LifecycleState: m.lifecycle, HealthStatus: aws.String(m.health),
		ProtectedFromScaleIn: aws.Bool(m.protected), LaunchTemplate: m.templateSpec(),
		WeightedCapacity: m.weightText(),
	}
	if m.ownImage {
		out.ImageId = aws.String(m.imageID)
	}
	return out
}

// weightText is a member's weight as describes show it: only where the group
// has weights.
func (m *member) weightText() *string {
	if !m.weighted {
		return nil
	}
	return aws.String(strconv.Itoa(int(m.weight)))
}

func (m *member) templateSpec() *types.LaunchTemplateSpecification {
	return &types.LaunchTemplateSpecification{
		LaunchTemplateId: aws.String(m.templateID), LaunchTemplateName: aws.String(m.templateName),
		Version: aws.String(fmt.Sprint(m.version)),
	}
}
