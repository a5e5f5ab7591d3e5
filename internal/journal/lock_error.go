package journal

import (
	"fmt"
	"strings"
	"time"
)

// String says who holds a slot and since when, such as "group db, rolled by
// ann@laptop (process 12) since 2026-11-20 09:00:00 UTC".
func (h Holder) String() string {
	return fmt.Sprintf("group %s, rolled by %s (process %d) since %s", h.Group, h.Owner.Name, h.Owner.PID, stamp(h.Owner.Since))
}

// LockedError says that every slot of a lock that may be used is held.
type LockedError struct {
	Key     string
	Holders []Holder      // by slot, highest first
	Broken  error         // a slot that cannot be read and therefore counts as held; nil: none
	Waited  time.Duration // how long it was waited for
	Needed  time.Duration // how long to wait for a holder that is gone: TTL + Grace
}

// Error implements error.
func (e *LockedError) Error() string {
	var who []string
	for _, h := range e.Holders {
		who = append(who, fmt.Sprintf("%s, last sign of life %s", h, stamp(h.Seen)))
	}
	if e.Broken != nil {
		who = append(who, "a slot that cannot be read: "+e.Broken.Error())
	}
	if len(who) == 0 {
		who = append(who, "others, who were faster each time")
	}
	text := fmt.Sprintf("the lock %q is held by %s", e.Key, strings.Join(who, "; and by "))
	if e.Waited > 0 {
		text += fmt.Sprintf("; waited %s", e.Waited.Round(time.Second))
	}
	return text
}

// Unwrap gives the error of a slot that cannot be read.
func (e *LockedError) Unwrap() error { return e.Broken }

// LockLostError says that a slot of a lock was taken over.
type LockLostError struct {
	Key string
	By  *Holder // who has it now, nil when that could not be read
}

// Error implements error.
func (e *LockLostError) Error() string {
	if e.By == nil {
		return fmt.Sprintf("the lock %q was taken over by another owner", e.Key)
	}
	return fmt.Sprintf("the lock %q was taken over: it is held by %s", e.Key, *e.By)
}
