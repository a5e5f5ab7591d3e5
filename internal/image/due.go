package image

import (
	"cmp"
	"encoding/json"
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
	// Audience is set where a roll is to make the version, of which it is not
	// known what it will be a copy of: Source, From and At are what they would be at
	// the time of the record, and Data is empty.
	Audience *Audience `json:"audience,omitempty"`

	// Number is the version that came of it; 0: none is known to have.
	Number int64 `json:"-"`
}

// Audience is whom a roll tells of a version that it makes, since nothing of its
// own says so, and what they are told of whoever wants it.
type Audience struct {
	To          map[string]string `json:"to"` // addresses, by the names in Left
	Schedule    string            `json:"schedule,omitempty"`
	Environment string            `json:"environment,omitempty"`
	Pattern     string            `json:"pattern,omitempty"` // of [Sort]; empty: by date
}

// Sort is how images are ordered for an audience.
func (a Audience) Sort() (s Sort) {
	if a.Pattern != "" {
		s.Pattern, _ = VersionPattern(a.Pattern) // one that is bad was never written
	}
	return s
}

// Numbered is a version of a launch template or of a parameter, as it is there.
type Numbered struct {
	Parameter string // empty: a version of the template
	Number    int64
	Image     string
	Data      string // hash; empty with a parameter
	Bare      string // hash of the data without the image; empty with a parameter
	Made      time.Time
}

const (
	// MostDue bounds the record of a template: 12 take about 3 KB, and mostBytes
	// does where names are long. An SSM parameter holds 4,096 bytes.
	MostDue   = 12
	mostBytes = 4000
	// UnmadeFor is how long a version that was to be made is looked for. AWS may
	// not show one that it made a moment ago.
	UnmadeFor = 10 * time.Minute
	// UnrolledFor is how long one is that a roll is to make, which may wait for its
	// window. Each apply that leaves it to the roll counts anew.
	UnrolledFor = 90 * 24 * time.Hour
)

// come gives what came of it, with the number; ok is false when nothing has.
// there is what AWS shows, oldest first.
func (d Due) come(there []Numbered) (out Due, ok bool) {
	if d.Number != 0 {
		return d, true
	}
	for n, v := range there {
		if v.Parameter != d.Parameter || v.Image != d.Image || v.Number <= d.After {
			continue
		}
		if d.Audience == nil && v.Data == d.Data {
			d.Number = v.Number
			return d, true
		}
		if s, copied := copyOf(v, there[:n]); d.Audience != nil && copied {
			d.Number, d.Source, d.From, d.Data, d.At = v.Number, s.Number, s.Image, v.Data, v.Made.UTC()
			return d, true
		}
	}
	return d, false
}

// copyOf is the newest of older versions that one is a copy of, but for the image.
func copyOf(v Numbered, older []Numbered) (s Numbered, ok bool) {
	for _, s := range slices.Backward(older) {
		if s.Parameter == v.Parameter && s.Bare == v.Bare {
			return s, true
		}
	}
	return s, false
}

// Announce adds what is about to be made to what is due. An earlier try that
// came to nothing gives way, and so do the oldest where there are too many.
func Announce(due []Due, next Due) []Due {
	due = slices.DeleteFunc(slices.Clone(due), func(d Due) bool {
		return d.Parameter == next.Parameter && d.Image == next.Image && d.Data == next.Data && d.After == next.After && d.Audience == nil
	})
	return fit(append(due, next))
}

// fit leaves out the oldest until the rest fits a record.
func fit(due []Due) []Due {
	due = due[max(0, len(due)-MostDue):]
	for len(due) > 1 {
		if body, err := json.Marshal(due); err != nil || len(body) <= mostBytes {
			break
		}
		due = due[1:]
	}
	return due
}

// Leave adds a version that a roll is to make to what is due, in place of what a
// roll was to make before and has not; where nobody is to be told, it adds none.
// Only the newest has an audience, which is that of all: a record has room for one.
func Leave(due []Due, next Due, there []Numbered) []Due {
	var out []Due
	for _, d := range due {
		found, ok := d.come(there)
		switch {
		case d.Audience == nil:
			out = append(out, d)
		case ok:
			found.Audience = nil // it is known by its data now
			out = append(out, found)
		}
	}
	if len(next.Left) > 0 {
		out = append(out, next)
	}
	return fit(out)
}

// AudienceOf is whom a roll is to tell of all that is due; nil: nobody.
func AudienceOf(due []Due) *Audience {
	for _, d := range slices.Backward(due) {
		if d.Audience != nil {
			return d.Audience
		}
	}
	return nil
}

// Owed are those of due that came to something, with the number of it, oldest
// first. Two that led to the same are one. there is what AWS shows, oldest first.
func Owed(due []Due, there []Numbered) []Due {
	var owed []Due
	for _, d := range due {
		d, _ = d.come(there)
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
// after [UnmadeFor], or [UnrolledFor].
func StillDue(due, owed []Due, now time.Time) []Due {
	rest := slices.DeleteFunc(slices.Clone(due), func(d Due) bool {
		keep := UnmadeFor
		if d.Audience != nil {
			keep = UnrolledFor
		}
		return now.Sub(d.At) > keep || slices.ContainsFunc(owed, func(o Due) bool {
			return o.Parameter == d.Parameter && o.Image == d.Image && o.Number > d.After
		})
	})
	for _, o := range owed {
		if len(o.Left) > 0 {
			rest = append(rest, o)
		}
	}
	return rest
}
