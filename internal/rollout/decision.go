package rollout

import "time"

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
	// Now: CancelRefresh does not wait for members that are being launched or ended.
	Now bool
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
	// Unsupported: the endpoint or the group does not know this call; of a copy, that
	// none can be made of a version which is there.
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
