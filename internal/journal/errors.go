package journal

import (
	"errors"
	"fmt"
	"time"
)

// ErrClosed is returned by a lease that was paused or settled.
var ErrClosed = errors.New("the lease was given up")

// errTaken is how storage says that another owner has the epoch that was to be
// claimed, or has claimed the one after ours.
var errTaken = errors.New("taken by another owner")

// HeldError says that somebody else is rolling the group.
type HeldError struct {
	Held   Entry
	Waited time.Duration // how long it was waited for
	Needed time.Duration // how long to wait for an owner that is gone: TTL + Grace
}

// Error implements error.
func (e *HeldError) Error() string {
	o := e.Held.Owner
	text := fmt.Sprintf("group %s is being rolled by %s (process %d) since %s, last sign of life %s",
		e.Held.Group, o.Name, o.PID, stamp(o.Since), stamp(e.Held.Updated))
	if e.Waited > 0 {
		text += fmt.Sprintf("; waited %s", e.Waited.Round(time.Second))
	}
	return text + fmt.Sprintf("; if that process is gone, the group is free once nothing was heard of it for %s", e.Needed)
}

// LostError says that another owner has taken a lease over.
type LostError struct {
	Group string
	Epoch int64
	By    *Entry // the owner now, nil when that could not be read
}

// Error implements error.
func (e *LostError) Error() string {
	text := fmt.Sprintf("the roll of group %s (epoch %d) was taken over", e.Group, e.Epoch)
	if e.By == nil {
		return text + " by another owner"
	}
	return fmt.Sprintf("%s by %s (process %d, epoch %d) at %s",
		text, e.By.Owner.Name, e.By.Owner.PID, e.By.Epoch, stamp(e.By.Owner.Since))
}

// ExpiredError says that a lease was not renewed in time. Nobody else needs to
// have it: a write that succeeds makes it good again.
type ExpiredError struct {
	Group    string
	Age, TTL time.Duration // time since the last write was sent, and the limit
}

// Error implements error.
func (e *ExpiredError) Error() string {
	return fmt.Sprintf("the lease of group %s was last renewed %s ago, more than the %s it holds",
		e.Group, e.Age.Round(time.Second), e.TTL)
}

// TooLargeError says that a record does not fit the store. Nothing was sent.
type TooLargeError struct {
	What       string // such as "record of group web"
	Size, Room int    // bytes of the record, and how many may be
	Store      string
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the %s has %d bytes, %s take at most %d", e.What, e.Size, e.Store, e.Room)
}

// NewerError says that an entry was written by a newer Refit.
type NewerError struct {
	Where           string // the parameter or object
	Schema, Highest int    // its schema, and the highest that this Refit reads
}

// Error implements error.
func (e *NewerError) Error() string {
	return fmt.Sprintf("%s was written by a newer Refit (schema %d, this one reads up to %d): use that version or a later one",
		e.Where, e.Schema, e.Highest)
}

// UnreadableError says that what is stored is not an entry.
type UnreadableError struct {
	Where string // the parameter or object
	Err   error
}

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s is not a journal entry (%v): if nothing is rolling the group, put an earlier version of it back, or remove it",
		e.Where, e.Err)
}

// Unwrap gives the decoding error.
func (e *UnreadableError) Unwrap() error { return e.Err }

// DeniedError says which permission is missing.
type DeniedError struct {
	Action   string // such as ssm:PutParameter
	Resource string // such as parameter /refit/rolls/…/e1
	Err      error  // AWS's answer
}

// Error implements error.
func (e *DeniedError) Error() string {
	return fmt.Sprintf("%s on %s is not allowed: %v", e.Action, e.Resource, e.Err)
}

// Unwrap gives AWS's answer.
func (e *DeniedError) Unwrap() error { return e.Err }

// stamp writes an instant for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
