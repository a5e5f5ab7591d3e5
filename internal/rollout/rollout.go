// Package rollout is the whole rule of a roll: what to do next with a group,
// given what was asked, what is seen and what is on record.
//
// It owns counting, limits, health, checkpoints, proof, failure, rollback,
// restoring and the forecast. It is pure: values in, values out. It must not
// know AWS SDK types, a context, a clock, a logger or the network, and it
// imports nothing but the standard library.
//
// Reading order: rollout.go (what is seen), record.go (what is kept), decision.go
// (what is decided), decide.go (one decision), then one file per rule.
package rollout

import "time"

// Version is one numbered version of a launch template, as far as a roll
// cares. Two versions with equal Data and Image are the same to a roll,
// whatever their numbers.
type Version struct {
	TemplateID   string `json:"t,omitempty"`
	TemplateName string `json:"-"`
	Number       int64  `json:"n,omitempty"`
	Data         string `json:"d,omitempty"` // hash of the whole version data
	Image        string `json:"i,omitempty"`
	ImageName    string `json:"-"`
	// Alias is the parameter ("resolve:ssm:…") that the version names in place of
	// an image; empty: it names Image. Data is then what it would be if the
	// version named Image, so that another image makes another version of it.
	Alias string `json:"a,omitempty"`
	// Spot: it asks for Spot Instances by itself.
	Spot bool `json:"-"`
	// Source is the number of the version that this one is to be a copy of, with
	// Image in it: it does not exist yet, and Number is 0. 0: it exists.
	Source int64 `json:"src,omitempty"`
}

// Lifecycle is a member's lifecycle state, coarser than AWS's: the rule needs
// no finer one.
type Lifecycle int

// The lifecycle states. Pending covers every Pending:* and members whose root
// volume is being replaced, Terminating every other Terminating:* and Detaching.
const (
	Pending Lifecycle = iota
	InService
	Terminating
	Standby  // and EnteringStandby: no part of desired
	Retained // Terminating:Retained: kept for people when a termination hook was abandoned; no part of desired
	Other    // a state this rule does not act on (Warmed:*, Quarantined)
)

// Member is an instance of the group as seen in one observation.
type Member struct {
	ID         string
	Zone       string
	State      Lifecycle
	StateText  string // AWS's own word, for messages
	Healthy    bool   // AWS's health status of the member is Healthy
	Version    Version
	LaunchedAt time.Time // AWS's time; zero: before every known one
	Protected  bool      // protected from scale-in
	Type       string    // instance type
	Weight     int       // capacity it counts for in a weighted group; 0: 1
	// Targets are the states in the attached target groups and classic load
	// balancers. Meaningful only where Snapshot.TargetsSeen.
	Targets []Target
	// Status is what EC2's status checks say. Meaningful only where
	// Snapshot.StatusSeen.
	Status Status
	// Addresses fill the placeholders of a probe's URL; empty ones are not known.
	Addresses Addresses
	// Probed: the member was asked in this observation, and Probe says why the
	// answer was not the expected one; empty: it was.
	Probed bool
	Probe  string
}

// Target is the state of a member in one target group or classic load balancer.
type Target struct {
	Group string // name of the target group or classic load balancer
	// State is AWS's word: initial, healthy, unhealthy, unused, draining,
	// unavailable; of a classic load balancer InService, OutOfService or Unknown.
	State  string
	Reason string // AWS's description, may be empty
	// Starting: a classic load balancer has only begun to look at the member.
	Starting bool
}

// Group is the Auto Scaling group as seen in one observation.
type Group struct {
	Name, ARN         string
	Min, Max, Desired int
	Zones             []string
	// Pointer is the template version text the group holds: a number,
	// "$Latest" or "$Default". Points is what it resolves to now.
	Pointer string
	Points  Version
	// Default is the number of the template's default version, Latest that of
	// the newest.
	Default, Latest int64
	// DefaultIs and LatestIs are those versions themselves; zero where the
	// numbers are.
	DefaultIs, LatestIs Version
	// Suspended are the suspended processes with AWS's reason.
	Suspended    map[string]string
	TargetGroups []string // names; empty: no target group attached
	Balancers    []string // names of attached classic load balancers
	// Warmup is the default instance warmup; zero: none.
	Warmup      time.Duration
	Grace       time.Duration
	HealthCheck string // EC2, ELB, …
	// Refused names each feature this version of Refit cannot roll yet, in
	// words for people ("a warm pool"). Empty: none.
	Refused []string
	// WarmPool: the group has a warm pool.
	WarmPool bool
	// Deleting: the group is being deleted.
	Deleting bool
	// Policy: the group's pointer is in a mixed instances policy.
	Policy bool
	// Weights are the policy's, by instance type; then desired and limits are units
	// of capacity and not members. Empty: it has none.
	Weights map[string]int
	// Weighed is AWS's word for how it weighs members itself ("vcpu",
	// "memory-mib"); empty: it does not.
	Weighed string
	// Spot: the policy asks for Spot Instances.
	Spot bool
	// Mixes: the policy combines on-demand and spot, for which there is no
	// LaunchInstances.
	Mixes bool
	// Overrides are those instance types of the policy that have a launch template
	// or an image of their own.
	Overrides []Override
	// ProtectsNew: the group protects each new member from scale-in.
	ProtectsNew bool
}

// Override is what a mixed instances policy says about one instance type beside
// the group's pointer.
type Override struct {
	Type    string
	Version Version // of a launch template of its own; zero: the group's
	Image   string  // in place of the version's; empty: none
}

// Change is one change of the desired capacity as AWS's activities tell it.
type Change struct {
	At       time.Time // AWS's time
	Absolute bool      // a person, a scheduled action, constraints: an absolute value was written
	From, To int
	Cause    string // AWS's text
	// Launched: by LaunchInstances, which only rolls use.
	Launched bool
	Member   string // for a decrement: the member that was ended by request
}

// Departure is why a member was ended, as AWS's activities tell it.
type Departure struct {
	Text string // AWS's own
	// Wanted: somebody wanted it gone (a person, a scale-in, spot, a
	// rebalance). Otherwise AWS replaced it because it was not healthy.
	Wanted  bool
	Refresh bool // an instance refresh replaced it
}

// Look says what an observation must hold beyond the group and its members.
// Each costs calls; see rollouts.md, Snapshots lie.
type Look struct {
	// Targets: health. The rule only says whether; [Spec.Complete] fills in by
	// which signals.
	Targets    bool // health in the attached target groups and classic load balancers
	Status     bool // EC2's status checks of the members
	Probe      *Probe
	Alarms     []string // states of these CloudWatch alarms
	Attributes bool     // what is set up for the attached target groups
	// Inquiry are the checks of the group to run; nil: none.
	Inquiry    *Inquiry
	Activities bool // changes of desired and reasons of recent launches and terminations
	Versions   bool // the template's latest and default version, where the pointer alone does not need them
	Refreshes  bool // the newest instance refreshes
	Warm       bool // the members of the warm pool, where there is one
	Images     bool // whether the members' images could be launched now
	Followers  bool // other groups that follow the newest or the default version of the template
	// Glance: nothing but Targets, of whoever is registered; see [Snapshot].Glanced.
	Glance bool
}

// Snapshot is one observation of a group. It may lie: AWS's services are
// eventually consistent. The rule overlays what it has asked for itself.
type Snapshot struct {
	At      time.Time // on the observer's clock, when the looking began
	Group   Group
	Members []Member
	// WarmSeen: Warm, the members of the group's warm pool, were looked up; of them,
	// InService are those that can be drawn.
	WarmSeen bool
	Warm     []Member
	// Glanced: nothing was looked up but who is healthy in the attached target
	// groups. Members are all of their targets, with nothing but ID and Targets, and
	// Group is as it was at the last look.
	Glanced bool
	// TargetsSeen: Members' Targets were looked up.
	TargetsSeen bool
	// StatusSeen and ProbesSeen: Members' Status was looked up, and members were
	// probed.
	StatusSeen, ProbesSeen bool
	// AlarmsSeen: Alarms were looked up. One that is not in it does not exist.
	AlarmsSeen bool
	Alarms     map[string]Alarm
	// AttributesSeen: SlowStart and Drain, the longest slow start and deregistration
	// delay of the attached target groups, and Zonal, those of them without
	// cross-zone load balancing, were looked up.
	AttributesSeen bool
	SlowStart      time.Duration
	Drain          time.Duration
	Zonal          []string
	// Asked is the moment for which checks of the group were run, empty when
	// none were; Answers holds what came of each, by name.
	Asked   Moment
	Answers map[string]Answer
	// ActivitiesSeen: Changes, Departures and the launch failure were looked up.
	ActivitiesSeen bool
	Changes        []Change             // oldest first
	Departures     map[string]Departure // members that were ended, newest reason
	// LaunchFailure is AWS's text of the newest failed launch activity since
	// the last success, empty when none; LaunchFatal when trying again cannot help.
	LaunchFailure   string
	LaunchFailureAt time.Time // AWS's time of it
	LaunchFatal     bool
	// ImagesSeen: Unusable was looked up for the members' images. It says, by
	// image, why it cannot be launched any more; others can.
	ImagesSeen bool
	Unusable   map[string]string
	// FollowersSeen: Followers, other groups that float over the template, were
	// looked up among all groups, as they are now.
	FollowersSeen bool
	Followers     []Follower
	// RefreshesSeen: Refreshes were looked up: the group's newest, newest first.
	RefreshesSeen bool
	Refreshes     []InstanceRefresh
	// Typical are durations learnt from the group's history; zero: unknown.
	Typical Typical
}

// Typical are the durations of a group's members, learnt or stated.
type Typical struct {
	Launch    time.Duration `json:"l,omitempty"` // asked for → in service
	Healthy   time.Duration `json:"h,omitempty"` // in service → healthy by every chosen signal
	Terminate time.Duration `json:"t,omitempty"` // asked to end → gone
	// Sharp: a look shortly before Healthy had passed found it too early, so
	// Healthy is not too long.
	Sharp bool `json:"s,omitempty"`
	// Former is Healthy as the last roll had it, where this one tries whether it
	// has become less; zero, or no more than Healthy: it does not.
	Former time.Duration `json:"f,omitempty"`
}
