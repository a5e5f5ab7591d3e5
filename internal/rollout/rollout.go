// Package rollout is the whole rule of a roll: what to do next with a group,
// given what was asked, what is seen and what is on record.
//
// It owns counting, limits, health, checkpoints, proof, failure, rollback,
// restoring and the forecast. It is pure: values in, values out. It must not
// know AWS SDK types, a context, a clock, a logger or the network, and it
// imports nothing but the standard library.
//
// Reading order: rollout.go (the values), decide.go (one decision), then one
// file per rule.
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

// Direction is where a roll is going.
type Direction string

// The directions: towards the target, or back to the previous version after a failure.
const (
	Forward Direction = ""
	Back    Direction = "back"
)

// Intent is a change that was journalled and whose answer is not in yet. Ends
// of one batch are packed into one intent, so that 100 ids fit a small record.
type Intent struct {
	Kind StepKind `json:"k"`
	IDs  IDs      `json:"id,omitempty"`  // End: the members
	Dec  bool     `json:"dec,omitempty"` // End: with decrement
	// Weight is what each of the members takes off desired; 0: 1.
	Weight int      `json:"w,omitempty"`
	Count  int      `json:"n,omitempty"`   // Launch: how many
	Token  string   `json:"tok,omitempty"` // Launch
	From   int      `json:"from,omitempty"`
	To     int      `json:"to,omitempty"` // Raise
	Names  []string `json:"p,omitempty"`  // Suspend, Resume: processes
	// Lost: the answer did not arrive, or its owner died; only looking can
	// tell what happened. Since then it has been looked for.
	Lost  bool      `json:"lost,omitempty"`
	Since time.Time `json:"-"`
}

// Record is what a roll keeps in its journal: everything a successor needs
// that cannot be found out by looking.
type Record struct {
	Epoch     int64     `json:"e"`
	Seq       int64     `json:"s"` // of steps, for tokens
	Started   time.Time `json:"at"`
	Target    Version   `json:"to"`
	Previous  Version   `json:"from"`
	Direction Direction `json:"dir,omitempty"`
	// Meant: the present owner was asked for what a rollback that it inherited
	// goes back to, so that going back is success.
	Meant bool `json:"meant,omitempty"`

	// NoReturn says why a rollback to Previous would not work; empty: nothing is
	// known against it.
	NoReturn string `json:"nr,omitempty"`

	// What was found and is put back.
	Pointer   string            `json:"ptr"`            // the text found
	Pinned    int64             `json:"pin,omitempty"`  // where the pointer stays until proof; 0: it was on the target already
	Pointed   string            `json:"ptd,omitempty"`  // the text we set last
	Default   int64             `json:"def,omitempty"`  // number of the template's default version found; 0: not known
	Defaulted int64             `json:"defd,omitempty"` // the number we made the default last, or tried to
	Suspended map[string]string `json:"sus,omitempty"`  // by us: process → AWS's reason
	Held      bool              `json:"held,omitempty"` // our suspensions are done
	Restoring bool              `json:"rest,omitempty"` // all members are in order; what was found is put back

	// Capacity.
	Base    int       `json:"base"`  // what others want now
	Surge   int       `json:"surge"` // desired beyond base that is provably ours
	Size    int       `json:"size"`  // base at the start, for checkpoints
	Changed time.Time `json:"chg"`   // AWS's time of the newest change of desired accounted for for good
	// Drift is what others' changes since then have added that are known so far.
	// AWS may tell of more of them, also of earlier ones.
	Drift Drift `json:"dr,omitzero"`
	// Doubts are calls that would change desired and have not happened as far as
	// was seen, but may yet, or have without AWS's telling: ends, and raises.
	Doubts []Intent `json:"db,omitempty"`

	Proven      bool `json:"proven,omitempty"` // a new member graduated and the first checkpoint passed
	Checkpoints int  `json:"cp,omitempty"`     // passed
	// Unproven: the newest version may be one that nothing has proven: the making
	// of the target's had no answer, or another roll has made one.
	Unproven bool `json:"unp,omitempty"`
	// MadeFrom is the number of the version that the target is a copy of, where it
	// was made for this roll, by this or another; 0: it was there, or is not yet.
	MadeFrom int64 `json:"mk,omitempty"`
	Copy     int64 `json:"copy,omitempty"` // the version a rollback published
	Fallback bool  `json:"fb,omitempty"`   // LaunchInstances cannot be used here

	// Headroom is what the roll has made of max size; nil: nothing, or it is put back.
	Headroom *Headroom `json:"mx,omitempty"`

	// Raised are the newest of our absolute writes of desired, from and to: a
	// successor must know them for ours.
	Raised [][2]int `json:"rd,omitempty"`

	// Taken is when the present owner took over from another, whose members
	// it does not know; zero: the roll has had one owner only.
	Taken time.Time `json:"tk,omitzero"`
	// Written is when the former owner's record was written: a launch since then
	// is not in it. Zero: there was no former owner, or it is not known.
	Written time.Time `json:"-"`

	// Started0 is AWS's time of the newest activity when the roll began; older
	// ones are history.
	Started0 time.Time `json:"at0"`

	// Checked: the checks of the group have passed before the first change.
	// Values are the numbers they gave then, by name, where a later one is judged
	// against it.
	Checked bool               `json:"chk,omitempty"`
	Values  map[string]float64 `json:"v,omitempty"`

	Stale0   int     `json:"st0"`            // stale members at the start
	Failed   int     `json:"f,omitempty"`    // new members that failed
	Launched int     `json:"l"`              // members launched by us
	Ended    int     `json:"x"`              // members ended by us
	Reason   string  `json:"why,omitempty"`  // first failure, for people
	Blame    bool    `json:"bad,omitempty"`  // the target is at fault: quarantine it
	Closed   bool    `json:"cl,omitempty"`   // it goes back because its window closed
	Last     string  `json:"last,omitempty"` // newest event, for people
	Counts   Counts  `json:"c"`
	Typical  Typical `json:"typ"` // learnt, for the next roll of the group
	// Foreseen is how long the forecast made at the start said it would take;
	// 0: it made none. Stops and waits between owners are not in it.
	Foreseen time.Duration `json:"fc,omitempty"`
	Outcome  Outcome       `json:"end,omitempty"` // empty while it goes on
	// Refresh is the instance refresh that works for this roll; nil: none.
	Refresh *RefreshRecord `json:"ir,omitempty"`
	Intents []Intent       `json:"in,omitempty"`
}

// Memory is what an owner remembers between its looks and a successor rebuilds
// by looking. Maps are keyed by member id. The zero value is an owner that has
// not looked yet.
type Memory struct {
	FirstSeen    map[string]time.Time // current members: first observation, or the launch call
	InService    map[string]time.Time // current members: first seen in service
	HealthySince map[string]time.Time // current members: healthy at every look since
	SickSince    map[string]time.Time // had graduated and is not healthy now
	Graduated    map[string]bool
	Falls        map[string]int     // how often it had graduated and was sick again
	Ailing       map[string]bool    // old members that have been sick since a rollback began
	Announced    map[string]Version // launched by us and not seen yet
	Weights      map[string]int     // what those weigh; 0: 1
	Excess       time.Time          // since when AWS has launched more than is wanted, by a member's weight
	EndedAt      map[string]time.Time
	Ours         map[string]bool      // launched by us, by id
	Asked        time.Time            // when AWS was last asked to launch by itself
	LookedAt     time.Time            // the last look
	Suspect      bool                 // somebody else's instance refresh seems to be running
	Missing      map[string]time.Time // gone, and why is not known yet
	Counted      map[string]bool      // departures already judged
	Failed       map[string]bool      // failures on record already whose members are still there
	BadZones     map[string]time.Time
	Progress     time.Time // last graduation or stale member down
	BakeSince    time.Time // zero: not baking
	LaunchAfter  time.Time // no launch before, after a failed one
	LaunchError  string    // AWS's text of the newest launch that failed
	LaunchFails  int       // in a row
	Refused      *Failure  // a step AWS refuses for good
	PointedAt    time.Time
	DefaultedAt  time.Time // when we moved the default version
	// FollowedSince: since when the target's version is not made because other
	// groups follow the newest one.
	FollowedSince time.Time
	HeldAt        time.Time // when processes were suspended
	// PointDoubt: since when a write of the pointer that did not work leaves
	// open which of our texts it holds; zero: it is known.
	PointDoubt time.Time
	// WarmEnded is when members of the warm pool were asked to end; WarmLeast the
	// fewest stale ones seen, nil: not looked yet.
	WarmEnded map[string]time.Time
	WarmLeast *int

	// MaxSizeAt is when max size was written, or may have been; MaxSizeSeen: a look
	// has shown what was written; MaxSizeLowered: it was asked to be put back;
	// MaxSizeTheirs: others have changed it since; MaxSizeLeft says why it is left
	// to them.
	MaxSizeAt                                  time.Time
	MaxSizeSeen, MaxSizeLowered, MaxSizeTheirs bool
	MaxSizeLeft                                string

	KnownAt time.Time // the last look that told everybody's health
	// Of glances: who was a member at the last look, how many members AWS had still
	// to launch then; since when glances have found new members healthy, and the
	// last glance.
	Roster      map[string]bool
	Owed        int
	Glanced     map[string]time.Time
	GlancedAt   time.Time
	Unexplained time.Time // since when desired is not what is expected
	PuzzledAt   time.Time // when it last was not, and not just by an old look
	Changes     []Change  // of desired, since those that are accounted for for good
	Applied     []Change  // of those, by others and booked
	Claimed     []Change  // raises of ours whose answer was lost
	Verify      []Intent  // raises whose cause has not been seen yet
	Recent      []expected
	Learnt      Typical // in this roll; zero fields: not yet
	Warned      map[string]bool
	// Before are the members at the owner's first look, where the target names a
	// parameter: others were launched since.
	Before  map[string]bool
	Passes  map[string]int       // probes that a member has passed in a row
	Young   map[string]time.Time // stale members that came during the roll and were never healthy: since when
	Present map[string]bool      // stale members that were there at the first look, or healthy since; nil: no look yet
	Failing map[string]time.Time // checks of the group that do not pass, at this moment: since when
	// Setup is what is set up for the attached target groups; nil: not seen yet.
	Setup *Setup
	// Of an instance refresh: what was asked of it last, and when; since when its
	// status is what it is; what was told of it last.
	RefreshOp     RefreshOp
	RefreshOpAt   time.Time
	RefreshSeen   time.Time // first look of this owner
	RefreshSince  time.Time
	RefreshTold   string
	RefreshToldAt time.Time
	Tallied       map[string]bool // new members counted as launched
	Brought       map[string]bool // of those, true: launched by a rollback
	StoppedAt     time.Time       // when it was first asked to stop
	Unclear       bool            // the last decision was taken on a lagging observation
	// Halted: others have changed desired since the last decision, as AWS's answer
	// to one of its steps has told.
	Halted bool
	// Stumbled: a step of the last decision did not work.
	Stumbled bool
	// Untold: AWS's answer to an end of the last decision did not say from what it
	// lowered desired.
	Untold bool
}

// Blind is the memory of an owner that could not look for d: what is bounded by
// time, and could not have been seen meanwhile, gets that time back.
func (m Memory) Blind(d time.Duration) Memory {
	if !m.Progress.IsZero() {
		m.Progress = m.Progress.Add(d)
	}
	if !m.Unexplained.IsZero() {
		m.Unexplained = m.Unexplained.Add(d)
	}
	m.Missing = cloneMap(m.Missing)
	for id, since := range m.Missing {
		m.Missing[id] = since.Add(d)
	}
	return m
}

// expected is a desired capacity that was right until a change of ours, kept
// because stale observations still show it.
type expected struct {
	desired int
	until   time.Time
}

// StepKind names a change of somebody's fleet.
type StepKind string

// The kinds of step. Each is one intent and, except for Point's read back,
// one call.
const (
	Suspend StepKind = "suspend"
	Resume  StepKind = "resume"
	Point   StepKind = "point"  // set the group's template pointer
	Launch  StepKind = "launch" // LaunchInstances: +Count in Zone
	Raise   StepKind = "raise"  // fallback: desired From → To, upwards only
	// EndWarm ends Members of the warm pool, through EC2.
	EndWarm StepKind = "end-warm"
	// RaiseMaxSize and LowerMaxSize set max size, From → To.
	RaiseMaxSize StepKind = "raise-max-size"
	LowerMaxSize StepKind = "lower-max-size"
	End          StepKind = "end"         // end Member, with or without decrement
	Copy         StepKind = "copy"        // publish a copy of version Source
	Make         StepKind = "make"        // make the target's version: Source with Image
	SetDefault   StepKind = "set-default" // move the template's default version
	// StepRefresh is about an instance refresh: start, cancel, roll back.
	StepRefresh StepKind = "refresh"
)

// Step is one change to make, in order. A step that fails does not keep the
// following ones from being tried unless it is fatal.
type Step struct {
	Kind      StepKind
	Member    string
	Members   []string // EndWarm
	Decrement bool
	Zone      string
	Count     int
	Token     string // Launch, Copy, Make: makes the call idempotent
	Version   string // Point: the text to set; SetDefault: the number
	Source    int64  // Copy, Make
	Image     string // Make: the new image. Copy: takes the place of a parameter in the source; empty: an exact copy
	From, To  int    // Raise, RaiseMaxSize, LowerMaxSize
	Processes map[string]string
	Policy    bool   // Point: the pointer is in a mixed instances policy
	Template  string // Point, Copy, Make, SetDefault, StepRefresh: the launch template's id
	Refresh   *RefreshCall
	Aside     bool // End: the member is in standby, so nothing takes its place
	// Weight is the capacity of the member to end, or of a member that a raise
	// brings at most; 0: 1.
	Weight  int
	Weights map[string]int // Launch: what members weigh, by instance type; empty: 1
	Why     string         // for people
}

// RefreshCall is what a step asks of an instance refresh.
type RefreshCall struct {
	Op RefreshOp
	// ID is the refresh to cancel or roll back. AWS's calls do not name it: it is
	// left alone when another one is running.
	ID          string
	Preferences RefreshPreferences // StartRefresh
}

// Result is what came of a step.
type Result struct {
	IDs     []string // Launch: the members
	Types   []string // Launch: their instance types, in the same order; empty: not known
	Version int64    // Copy, Make: the number made
	Refresh string   // StepRefresh: the id of the refresh
	Was     *int     // End that lowers desired: what it was before, as AWS says; nil: AWS does not
	Already bool     // End that lowers desired: AWS says that it was ending the member before
	Failure *Failure // nil: done
}

// FailureKind says what a failed step means.
type FailureKind int

// The kinds of failure of a step.
const (
	// Lost: the answer did not arrive; it may have happened.
	Lost FailureKind = iota
	// Again: it did not happen; trying again later may help.
	Again
	// Elsewhere: it did not happen; another zone may do.
	Elsewhere
	// Fatal: it did not happen and trying again cannot help (missing image,
	// denied permission, KMS key).
	Fatal
	// Unsupported: the endpoint or the group does not know this call.
	Unsupported
	// Gone: what was to change is not there any more.
	Gone
)

// Failure is a failed step: AWS's own text, and what it means.
type Failure struct {
	Kind FailureKind
	Step StepKind // of the step that failed; set by [Settle]
	Code string
	Text string
	// Refreshing: a Point was refused because an instance refresh is running.
	Refreshing bool
}

// Counts are a group's members at one moment, for people and the journal. Where
// it has weights, Running, Lowest and Highest are units of capacity.
type Counts struct {
	Stale   int `json:"stale"`
	Current int `json:"new"`
	Ready   int `json:"ready"`          // graduated
	Left    int `json:"left,omitempty"` // left out on purpose
	Healthy int `json:"ok"`
	Running int `json:"run"`
	// Lowest and Highest are the extremes of healthy and launched so far.
	Lowest  int `json:"low"`
	Highest int `json:"high"`
}

// Outcome is how a roll ended.
type Outcome string

// The outcomes.
const (
	Succeeded  Outcome = "succeeded"
	Partial    Outcome = "partial"
	RolledBack Outcome = "rolled_back"
	Paused     Outcome = "paused"
	Superseded Outcome = "superseded"
	FailedRoll Outcome = "failed"
)

// Ending is how a roll ended, for people.
type Ending struct {
	Outcome Outcome
	Reason  string   // what happened, with AWS's own text last
	State   string   // what state things are in
	Next    string   // what to do
	Left    []string // what could not be put in order
	// Quarantine: the target failed by its own fault and must not be tried again unasked.
	Quarantine bool
	// Closed: the window ended the roll, which is no failure of anything.
	Closed bool
}

// Stands says whether a roll has ended after the steps decided with its ending
// have been made, given the memory after them. One that has reached its goal with
// them goes on where one did not work, or AWS has told of others, or might not have.
func (e Ending) Stands(m Memory) bool {
	return e.Outcome != Succeeded && e.Outcome != Partial || !m.Stumbled && !m.Halted && !m.Untold
}

// Note is one line for people about what changed and why.
type Note struct {
	Text string
	Warn bool
}

// Decision is what to do now. Steps are journalled together in one write and
// then made in order; after that the owner looks again at Next, or at once
// when steps were made whose effect matters.
type Decision struct {
	Steps  []Step
	Look   Look      // what the next observation must hold
	Next   time.Time // when to look again
	Ending *Ending   // not nil: the roll is over with the steps, where it [Ending.Stands]
	Record Record
	Memory Memory
	Notes  []Note
}
