// Package roller is the loop of a roll: observe, decide, write the journal,
// act, sleep. It owns the order of these and the lease. It holds no rules of
// rolls; those are in internal/rollout.
package roller

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Request is one roll to make.
type Request struct {
	Group   string // Auto Scaling group name
	Version string // a number, "$Latest", "$Default", or empty: what the group points at
	// Image is the image that version must have; optional. Of "$Latest", a version
	// with it is made in the roll where the newest one has another.
	Image string
	Spec  rollout.Spec
	// Timeout bounds the roll from its first step on; zero: no bound. At its end
	// the roll comes to a safe point.
	Timeout time.Duration
	// Closing is the end of the window that the roll may use; zero: it has none.
	Closing rollout.Closing
	// Lock keeps this group from rolling beside others with the same key.
	Lock Lock
	// LockTimeout bounds the wait for somebody else's roll of this group and for
	// the lock, together.
	LockTimeout time.Duration
	// Retry is a text that lifts an automatic quarantine when it differs from
	// the one the quarantine was made under.
	Retry string
}

// Groups is what the loop needs of AWS. internal/asg implements it.
type Groups interface {
	// Resolve finds the target version of a request. version is as in Request.
	Resolve(ctx context.Context, group, version string) (rollout.Version, error)
	// WithImage is the version that a copy of source with another image would be.
	WithImage(ctx context.Context, source rollout.Version, imageID string) (rollout.Version, error)
	// Observe looks at the group once; [asg.ErrNotFound] when there is none.
	Observe(ctx context.Context, group string, look rollout.Look) (rollout.Snapshot, error)
	// Do makes one step once.
	Do(ctx context.Context, group string, step rollout.Step) rollout.Result
}

// Docs keeps quarantines and bans. internal/journal implements it.
type Docs interface {
	Put(ctx context.Context, path string, doc any) error
	Get(ctx context.Context, path string, doc any) (bool, error)
	// Pick reads those documents below a directory whose paths are wanted.
	Pick(ctx context.Context, dir string, want func(path string) bool) (map[string]json.RawMessage, error)
	Delete(ctx context.Context, path string) error
}

// Images tells where images come from. internal/ami implements it.
type Images interface {
	// Origins gives for each image those it is a copy of, nearest first.
	Origins(ctx context.Context, ids ...string) (map[string][]string, error)
}

// Roller rolls groups. Safe for concurrent use by rolls of different groups.
type Roller struct {
	Groups  Groups
	Journal *journal.Journal
	Docs    Docs
	Clock   clock.Clock
	// Images extends the ban of an image to its copies; nil: it does not reach them.
	Images Images
	// Expires says when the present credentials expire; zero: never, or unknown.
	// Five minutes before, a roll comes to a safe point. nil: unknown.
	Expires func(ctx context.Context) time.Time
	// Made is told of a version that a roll has made, and the number of the one
	// that it is a copy of; by a roll that goes on with it, once more. The roll
	// does nothing until it returns, which must be well within the lease's 120 s.
	// nil: nobody is told.
	Made func(ctx context.Context, v rollout.Version, from int64)
	// Progress is told each change and each note, one line at a time; nil: nobody.
	Progress func(Event)
}

// Event is one line of progress.
type Event struct {
	At     time.Time
	Group  string
	Text   string
	Warn   bool
	Counts rollout.Counts
}

// Report is how a roll ended, for state, diagnostics and the log.
type Report struct {
	Outcome         rollout.Outcome
	From, To        rollout.Version
	Started         time.Time
	Duration        time.Duration
	Foreseen        time.Duration // how long the forecast at the start said; 0: it made none
	Launched, Ended int
	Failed          int // new members that failed, within failure_limit or not
	Counts          rollout.Counts
	Reason          string
	// Closed: the window ended the roll. Such a roll is no error.
	Closed bool
	// Warnings are things the user should know although the roll ended well.
	Warnings []string
}

// Error is a roll that did not do what was asked, in the three lines that
// people need. Summary is "Unable to <verb> <thing> "<name>"".
type Error struct {
	Summary  string
	Happened string // what happened, AWS's own text last
	State    string // what state things are in now
	Next     string // what to do
	Field    string // the attribute at fault as in HCL, empty: none
	Report   *Report
	Err      error // cause, may be nil
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Summary + ": " + e.Happened
	for _, more := range []string{e.State, e.Next} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

// Unwrap implements the errors package's interface.
func (e *Error) Unwrap() error { return e.Err }

// ErrNotFound says that the group does not exist.
var ErrNotFound = asg.ErrNotFound
