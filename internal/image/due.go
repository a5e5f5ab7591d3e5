package image

import (
	"cmp"
	"slices"
	"time"
)

// Due is an image that a launch template or a parameter has taken up, or is about
// to, of which others are still to be told.
type Due struct {
	// Parameter is the one that the image goes into; empty: a version of the
	// template is made.
	Parameter string `json:"parameter,omitempty"`
	// After is the latest version before it, of the template or of the parameter.
	After int64 `json:"after"`
	// Source is the version of the template that it is a copy of, or that names
	// the parameter.
	Source int64     `json:"source"`
	From   string    `json:"from,omitempty"` // the image before; empty: there was none
	Image  string    `json:"image"`
	Data   string    `json:"data,omitempty"` // hash; empty with a parameter
	At     time.Time `json:"at"`
	// Left are those who are still to be told, by names of the caller's.
	Left []string `json:"left"`

	// Number is the version that came of it; 0: none is known to have.
	Number int64 `json:"-"`
}

// Numbered is a version of a launch template or of a parameter, as it is there.
type Numbered struct {
	Parameter string // empty: a version of the template
	Number    int64
	Image     string
	Data      string // hash; empty with a parameter
}

const (
	// MostDue bounds the record of a template: 12 take about 3 KB.
	MostDue = 12
	// UnmadeFor is how long a version that was to be made is looked for. AWS may
	// not show one that it made a moment ago.
	UnmadeFor = 10 * time.Minute
)

// wants tells whether two are after the same thing.
func (d Due) wants(o Due) bool {
	return d.Parameter == o.Parameter && d.Image == o.Image && d.Data == o.Data
}

// of tells whether a version is what came of it.
func (d Due) of(n Numbered) bool {
	return d.Parameter == n.Parameter && d.Image == n.Image && d.Data == n.Data && n.Number > d.After
}

// Announce adds what is about to be made to what is due. An earlier try that
// came to nothing gives way, and so do the oldest where there are too many.
func Announce(due []Due, next Due) []Due {
	due = slices.DeleteFunc(slices.Clone(due), func(d Due) bool { return d.wants(next) && d.After == next.After })
	due = append(due, next)
	return due[max(0, len(due)-MostDue):]
}

// Owed are those of due that came to something, with the number of it, oldest
// first. Two that led to the same are one. there is what AWS shows, oldest first.
func Owed(due []Due, there []Numbered) []Due {
	var owed []Due
	for _, d := range due {
		if n := slices.IndexFunc(there, d.of); d.Number == 0 && n >= 0 {
			d.Number = there[n].Number
		}
		if d.Number != 0 && !slices.ContainsFunc(owed, func(o Due) bool { return o.Parameter == d.Parameter && o.Number == d.Number }) {
			owed = append(owed, d)
		}
	}
	slices.SortStableFunc(owed, func(a, b Due) int {
		if a.Parameter == b.Parameter {
			return cmp.Compare(a.Number, b.Number)
		}
		return a.At.Compare(b.At)
	})
	return owed
}

// StillDue is what stays due after those that [Owed] gave have been told, but
// for who is left of each. What was to be made, or was withdrawn, is forgotten
// after [UnmadeFor].
func StillDue(due, owed []Due, now time.Time) []Due {
	rest := slices.DeleteFunc(slices.Clone(due), func(d Due) bool {
		return now.Sub(d.At) > UnmadeFor || slices.ContainsFunc(owed, func(o Due) bool { return o.wants(d) && o.Number > d.After })
	})
	for _, o := range owed {
		if len(o.Left) > 0 {
			rest = append(rest, o)
		}
	}
	return rest
}
