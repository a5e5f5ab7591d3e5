package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Engine is who replaces the members of a roll.
type Engine string

// The engines: Refit replaces members itself, or an instance refresh of EC2 Auto
// Scaling does and Refit watches it to its true end. The zero value is
// EngineManaged.
const (
	EngineManaged Engine = "managed"
	EngineRefresh Engine = "instance_refresh"
)

// RefreshStatus is AWS's word for where an instance refresh stands.
type RefreshStatus string

// The statuses, as EC2 Auto Scaling spells them.
const (
	RefreshPending            RefreshStatus = "Pending"
	RefreshInProgress         RefreshStatus = "InProgress"
	RefreshBaking             RefreshStatus = "Baking"
	RefreshCancelling         RefreshStatus = "Cancelling"
	RefreshRollbackInProgress RefreshStatus = "RollbackInProgress"
	RefreshSuccessful         RefreshStatus = "Successful"
	RefreshFailed             RefreshStatus = "Failed"
	RefreshCancelled          RefreshStatus = "Cancelled"
	RefreshRollbackSuccessful RefreshStatus = "RollbackSuccessful"
	RefreshRollbackFailed     RefreshStatus = "RollbackFailed"
)

// Active says whether a refresh in this status is not over yet. A group has at
// most one that is.
func (s RefreshStatus) Active() bool {
	return slices.Contains([]RefreshStatus{RefreshPending, RefreshInProgress, RefreshBaking, RefreshCancelling, RefreshRollbackInProgress}, s)
}

// InstanceRefresh is an instance refresh of the group as seen in one observation.
type InstanceRefresh struct {
	ID      string
	Status  RefreshStatus
	Reason  string    // AWS's own text on the status, or on why it rolls back; may be empty
	Started time.Time // AWS's time
	Percent int       // done, 0 to 100
	Left    int       // members still to replace
	// TemplateID and Version are its desired configuration; empty: it has none.
	// Version is a text as in [Group.Pointer].
	TemplateID, Version string
	ByHand              bool // it rolls back, or did, because somebody asked for it
}

// String names a refresh for people.
func (r InstanceRefresh) String() string {
	return fmt.Sprintf("%s, %s since %s, %d %% done", r.ID, r.Status, r.Started.UTC().Format(time.RFC3339), r.Percent)
}

// running says whether a refresh was seen and is not over.
func (r *InstanceRefresh) running() bool { return r != nil && r.Status.Active() }

// RefreshOp is what a step asks of an instance refresh.
type RefreshOp string

// The operations: begin one, stop the running one where it is, or stop it and
// replace what it has replaced by what was there before.
const (
	StartRefresh    RefreshOp = "start"
	CancelRefresh   RefreshOp = "cancel"
	RollbackRefresh RefreshOp = "rollback"
)

// RefreshRecord is what a roll keeps of the instance refresh that works for it.
type RefreshRecord struct {
	ID string `json:"id,omitempty"` // empty: AWS has not named it yet
	// Before is the newest refresh of the group when this one was asked for:
	// what is newer and goes to Version is this one, should its answer be lost.
	Before  string    `json:"b,omitempty"`
	Version int64     `json:"v"`  // that its members launch from
	Asked   time.Time `json:"at"` // on the owner's clock
	// Returns: AWS can roll it back.
	Returns bool `json:"r,omitempty"`
	Stale   int  `json:"st,omitempty"` // members to replace when it was asked for; 0: any number is less
	// Stopped: we asked AWS to cancel it.
	Stopped bool `json:"x,omitempty"`
	// Then is how the roll ends once this refresh has, and Why; empty: it goes on.
	Then   Outcome       `json:"then,omitempty"`
	Why    string        `json:"why,omitempty"`
	Next   string        `json:"n,omitempty"` // what to do about it, where that is special
	Status RefreshStatus `json:"s,omitempty"` // last seen
}

// Running says whether a refresh of this roll is on record that was not seen to
// be over. It may be called on nil.
func (r *RefreshRecord) Running() bool {
	return r != nil && (r.Status == "" || r.Status.Active())
}

// resumed is what a roll that goes on takes over: after a pause, the reason for it
// is history, and so is a refresh that was over; after a crash they are not.
func (r *RefreshRecord) resumed(was Outcome) *RefreshRecord {
	if r == nil || was == Paused && !r.Running() {
		return nil
	}
	c := *r
	if was == Paused {
		c.Then, c.Why, c.Next = "", "", ""
		c.Stale = 0 // somebody has looked at what it left, and tries again
	}
	return &c
}

// newestRefresh is the id of the group's newest refresh; empty: none.
func (s Snapshot) newestRefresh() string {
	if len(s.Refreshes) == 0 {
		return ""
	}
	return s.Refreshes[0].ID
}

// WithoutOwn is the snapshot without what the roll of a record has started or
// suspended: that keeps nobody from continuing it. Neither does somebody else's
// instance refresh that the roll's own suspension holds up: nobody but who
// continues the roll lifts that.
func (s Snapshot) WithoutOwn(rec Record) Snapshot {
	_, held := s.Group.Suspended["InstanceRefresh"]
	s.Group.Suspended = maps.Clone(s.Group.Suspended)
	for p, reason := range rec.Suspended {
		if reason == "" || reason == s.Group.Suspended[p] {
			delete(s.Group.Suspended, p)
		}
	}
	for _, in := range rec.Intents {
		if in.Kind == Suspend {
			for _, p := range in.Names {
				delete(s.Group.Suspended, p)
			}
		}
	}
	if _, theirs := s.Group.Suspended["InstanceRefresh"]; held && !theirs {
		s.Refreshes = nil
	}
	if own := s.own(rec); own != nil {
		id := own.ID
		s.Refreshes = slices.DeleteFunc(slices.Clone(s.Refreshes), func(r InstanceRefresh) bool { return r.ID == id })
	}
	return s
}

// own finds the refresh of a record: by its id, or, where AWS's answer with the
// id was lost, as the one that is newer than those before and goes to the same
// version. nil: it is not there, or not seen yet.
func (s Snapshot) own(rec Record) *InstanceRefresh {
	r := rec.Refresh
	if r == nil {
		return nil
	}
	for i, seen := range s.Refreshes { // newest first
		switch {
		case r.ID != "" && seen.ID == r.ID:
			return &s.Refreshes[i]
		case r.ID != "":
		case seen.ID == r.Before:
			return nil
		case seen.TemplateID == rec.Target.TemplateID && seen.Version == number(r.Version):
			return &s.Refreshes[i]
		}
	}
	return nil
}

// active is the group's running refresh; nil: none.
func (s Snapshot) active() *InstanceRefresh {
	for i := range s.Refreshes {
		if s.Refreshes[i].Status.Active() {
			return &s.Refreshes[i]
		}
	}
	return nil
}

// Refreshing says whether an instance refresh of the group is running.
func (s Snapshot) Refreshing() bool { return s.active() != nil }

// Version is a version of the group's launch template by its number, as far as
// the snapshot knows it: another one is equal to none that is seen. 0 is a
// version that is not made yet.
func (s Snapshot) Version(n int64, image string) Version {
	for _, v := range append([]Version{s.Group.Points}, versions(s.Members)...) {
		if v.Number == n && n != 0 && v.TemplateID == s.Group.Points.TemplateID {
			return v
		}
	}
	return Version{TemplateID: s.Group.Points.TemplateID, Number: n, Data: "unseen", Image: image}
}

func versions(members []Member) []Version {
	var out []Version
	for _, m := range members {
		out = append(out, m.Version)
	}
	return out
}

// adoptable says whether a roll may attach to a refresh that somebody else has
// started: it was told to, and the refresh goes to the roll's target.
func (s Spec) adoptable(r *InstanceRefresh, g Group, target Version) bool {
	if s.Engine != EngineRefresh || !s.AdoptRefresh || r.TemplateID != target.TemplateID ||
		r.Status == RefreshRollbackInProgress || r.Status == RefreshCancelling {
		return false
	}
	text := r.Version
	switch text {
	case "$Latest":
		text = number(g.Latest)
	case "$Default":
		text = number(g.Default)
	}
	return text == number(target.Number)
}
