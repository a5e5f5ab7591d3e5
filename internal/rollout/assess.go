package rollout

import "time"

// Assessment is what a roll would face, for Read, plan and preflight.
type Assessment struct {
	Group     string
	Target    Version // what members should run
	Found     Version // what the group's pointer resolves to now
	Pointer   string  // the pointer's text
	Stale     int     // members to replace
	Current   int
	Left      int // members that are left out on purpose
	Sick      int // stale members that are not healthy now
	Desired   int
	Max       int
	Limits    Limits
	Converged bool // a roll with this spec would do nothing now
	// Held: the roll to Target is held back by a quarantine; the text says why and until when.
	Held string
	// GoingBack: an unfinished roll is on its way back from the target. It is
	// finished, also where the target is held back.
	GoingBack bool
	// NoReturn says why on_failure = rollback could not be followed; empty: it
	// could, as far as was looked.
	NoReturn string
	Problems []Problem // errors: the group cannot be rolled as things are
	// Alarms are chosen alarms with which no roll begins. They may have changed
	// by the time of an apply.
	Alarms   []Problem
	Warnings []string // what will be slow or is worth knowing
	// Special is what the roll does in particular, as asked: with members that are
	// kept from it, and with a maximum that leaves no room.
	Special  []string
	Forecast Forecast
	// Known is what the last roll of the group learnt; zero: nothing.
	Known Typical
}

// Forecast is how a roll is expected to go when nothing fails.
type Forecast struct {
	Batches  int
	Lowest   int // least healthy members at any moment
	Highest  int // most launched members at any moment
	Duration time.Duration
	Basis    string // where the durations come from, for people
}
