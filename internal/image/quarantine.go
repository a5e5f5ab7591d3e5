package image

import (
	"fmt"
	"slices"
	"time"
)

// Quarantine keeps one template from being rolled to one version's data again
// after that data failed by its own fault. It is kept as JSON at
// [QuarantinePath] in the journal's documents. It is keyed by data and not by
// image, so that a group that runs the image well elsewhere is left alone.
type Quarantine struct {
	Template string    `json:"template"`
	Data     string    `json:"data"` // hash of the version data that failed
	Image    string    `json:"image"`
	Reason   string    `json:"reason"` // for people
	Until    time.Time `json:"until"`  // when it ends by itself; zero: never
	// Retry is the retry text of the roll that failed; another text lifts the
	// quarantine.
	Retry   string `json:"retry"`
	Cleared bool   `json:"cleared"`         // lifted by somebody
	Group   string `json:"group,omitempty"` // the group it failed in last; empty: not known
}

// Use is what a group launches from, and what its members were launched from.
type Use struct {
	Group   string
	Version string   // the number its pointer names, or $Latest or $Default
	Members []string // the number of each member in service; empty for one of another template
}

// RunsIn names a group, other than the one a quarantine is about, that points at
// one of some versions and whose members in service, of which there is one at
// least, were all launched from them. Empty: there is none. To lead such a group
// back to an older image, because the same data failed elsewhere, would make a
// healthy group stale.
func (q Quarantine) RunsIn(all []Use, versions []string) string {
	for _, u := range all {
		foreign := func(v string) bool { return !slices.Contains(versions, v) }
		if u.Group != q.Group && !foreign(u.Version) && len(u.Members) > 0 && !slices.ContainsFunc(u.Members, foreign) {
			return u.Group
		}
	}
	return ""
}

// QuarantineRoot is the directory that all quarantines are kept in.
const QuarantineRoot = HeldRoot + "/quarantine"

// QuarantinePath is the path of the quarantine of one template's version data.
func QuarantinePath(template, data string) string {
	return QuarantineRoot + "/" + template + "/" + data
}

// Active tells whether the quarantine holds at now. The zero value does not.
func (q Quarantine) Active(now time.Time) bool {
	return q.Data != "" && !q.Cleared && (q.Until.IsZero() || now.Before(q.Until))
}

// Past tells whether the quarantine ended so long before now that nobody who
// reads a while late takes it for one that holds.
func (q Quarantine) Past(now time.Time) bool {
	return !q.Until.IsZero() && now.Sub(q.Until) > 24*time.Hour
}

// Lifts tells whether a retry text lifts the quarantine: any text other than
// the one it was made under, except none at all.
func (q Quarantine) Lifts(retry string) bool { return retry != "" && retry != q.Retry }

// Why says for people what is held back and until when.
func (q Quarantine) Why() string {
	until := ""
	if !q.Until.IsZero() {
		until = " until " + q.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	return fmt.Sprintf("%s is in quarantine for this template%s: %s", q.Image, until, q.Reason)
}

// Cure says for people what to do about a quarantine.
func (q Quarantine) Cure() string {
	return "Publish a better image, or set retry to a new text to try this one again."
}

// Option is an acceptable image together with what the template has of it.
type Option struct {
	Image   Image
	Version int64  // the newest version with exactly the wanted data; 0: none yet
	Known   bool   // some version of the template has the image
	Held    string // why it must not be tried now; empty: it may
}

// Settle picks of options, newest first, the one to go for: the newest, unless
// it is held. Then it is the newest other one that the template knows, since an
// older image that never ran is no better than a held one. passed are the held
// options that were skipped; ok is false when nothing is left.
func Settle(options []Option) (pick Option, passed []Option, ok bool) {
	for n, o := range options {
		switch {
		case o.Held != "":
			passed = append(passed, o)
		case n == 0 || o.Known:
			return o, passed, true
		}
	}
	return Option{}, passed, false
}

// Holds says why a template must not be given an image now, empty when it may.
// data is the hash of the version data that would come of it, and held are the
// template's active quarantines. copies are all that hold the same as the image,
// where it is a copy.
//
// What failed is version data, but it was tried for its image: an edit of the
// template alone does not make the image worth another try. The image in use
// is the exception. There it was the edit that failed, and to pass the image
// over would lead every group of the template back to an older one.
func Holds(i Image, data, inUse string, held []Quarantine, copies ...string) string {
	for _, q := range held {
		if q.Data == data || i.ID != inUse && (q.Image == i.ID || slices.Contains(copies, q.Image)) {
			return q.Why()
		}
	}
	return ""
}
