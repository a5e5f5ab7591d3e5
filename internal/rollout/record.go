package rollout

import "time"

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
	// Written is when the former owner's record was written, or the last answer in it
	// was booked: a launch since then is not in it. Zero: there was no former owner,
	// or it is not known.
	Written time.Time `json:"-"`
	// Booked is when the answer to a call was last booked: launches before that are
	// in the record, whoever copies it, unless one has no answer.
	Booked time.Time `json:"bk,omitzero"`

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
	Missing      map[string]time.Time // gone at every look since, and why is not known or not acted on yet
	Unhealthy    map[string]time.Time // to EC2 Auto Scaling, and whether EC2 has taken them is not known yet
	Counted      map[string]bool      // departures already judged
	Failed       map[string]bool      // failures on record already whose members are still there
	BadZones     map[string]time.Time
	Progress     time.Time // last graduation or stale member down
	StaleLeast   *int      // fewest stale members in this direction; nil: not looked yet
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
	// fewest stale ones seen, nil: not looked yet; WarmSplit since when some are ready
	// and wait for the rest, zero: none does.
	WarmEnded map[string]time.Time
	WarmLeast *int
	WarmSplit time.Time

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
	// NoCopy is why a rollback goes on without the copy that it has to publish; empty:
	// there is no such reason. Whoever takes over tries again.
	NoCopy string
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
	m.Missing, m.Unhealthy = cloneMap(m.Missing), cloneMap(m.Unhealthy)
	for _, waits := range []map[string]time.Time{m.Missing, m.Unhealthy} {
		for id, since := range waits {
			waits[id] = since.Add(d)
		}
	}
	return m
}

// expected is a desired capacity that was right until a change of ours, kept
// because stale observations still show it.
type expected struct {
	desired int
	until   time.Time
}
