package calendar

import (
	"slices"
	"time"
)

// Occurrence is one opening of one or more windows: those that overlap or
// touch are one. Instants are in UTC; the end is not part of it.
type Occurrence struct {
	// ID names it, the same at every look: schedule and local date. What was
	// done in an occurrence is not done again in it.
	ID    string
	Date  Date // the local date it starts on
	Start time.Time
	Close time.Time // from then on nothing starts
	End   time.Time
}

// Contains tells whether the window is open: start ≤ t < end.
func (o Occurrence) Contains(t time.Time) bool { return !t.Before(o.Start) && t.Before(o.End) }

// longestUnion is how far windows that touch without end, such as every day
// for 24 hours, are followed forward and back. They come out in pieces of
// about this length.
const longestUnion = 31 * 24 * time.Hour

// Windows are the windows of one schedule and environment; outside all of
// them it is closed.
type Windows struct {
	ID   string // of the schedule, for the ids of occurrences; may be empty
	List []Window
}

// Upcoming are the next occurrences: the one that is open at from, where there
// is one, and those after it. There are n of them unless there is no window.
func (ws Windows) Upcoming(from time.Time, n int) []Occurrence {
	out := make([]Occurrence, 0, min(n, 1000))
	ws.each(from, func(o Occurrence) bool {
		out = append(out, o)
		return len(out) < n
	})
	return out
}

// At is the occurrence that is open at an instant.
func (ws Windows) At(t time.Time) (Occurrence, bool) {
	for _, o := range ws.Upcoming(t, 1) {
		return o, o.Contains(t)
	}
	return Occurrence{}, false
}

// Until are the occurrences that overlap [from, to).
func (ws Windows) Until(from, to time.Time) []Occurrence {
	var out []Occurrence
	ws.each(from, func(o Occurrence) bool {
		if o.Start.Before(to) {
			out = append(out, o)
		}
		return o.Start.Before(to)
	})
	return out
}

// each hands over the occurrences that end after from, in order, until yield
// says stop.
func (ws Windows) each(from time.Time, yield func(Occurrence) bool) {
	if len(ws.List) == 0 {
		return
	}
	begin := ws.chain(from)
	raw := newMerge(ws, begin)
	floor := begin
	next := raw.pop()
	for {
		for !next.End.After(floor) {
			next = raw.pop()
		}
		o := next
		if o.Start.Before(floor) {
			o.Start = floor // the rest of it is in the piece before
		}
		limit := latest(o.Start, from).Add(longestUnion)
		for next = raw.pop(); !next.Start.After(o.End) && !next.Start.After(limit); next = raw.pop() {
			o.End, o.Close = latest(o.End, next.End), latest(o.Close, next.Close)
		}
		floor = o.End
		if o.End.After(from) && !yield(o) {
			return
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// chain is where the stretch of windows that touch each other and reach from
// begins; from itself when there is none.
func (ws Windows) chain(from time.Time) time.Time {
	begin := from
	for begin.After(from.Add(-longestUnion)) {
		earlier := begin
		for _, w := range ws.List {
			c := cursor{w: w}
			for c.seek(begin.Add(-w.Duration)); ; c.advance() {
				start := c.start
				if !start.Before(begin) {
					break
				}
				if !start.Add(w.Duration).Before(begin) && start.Before(earlier) {
					earlier = start
				}
			}
		}
		if earlier.Equal(begin) {
			break
		}
		begin = earlier
	}
	return begin
}

// cursor goes through the occurrences of one window.
type cursor struct {
	w     Window
	date  Date
	start time.Time
}

// seek goes to the first occurrence that may start at t or later. Two days
// make up for the widest offset and the widest gap.
func (c *cursor) seek(t time.Time) {
	c.date = c.w.Day.Next(DateOf(t, c.w.Zone) - 2)
	c.start = c.w.Start(c.date)
	for c.start.Before(t) {
		c.advance()
	}
}

func (c *cursor) advance() {
	c.date = c.w.Day.Next(c.date + 1)
	c.start = c.w.Start(c.date)
}

// merge goes through the occurrences of several windows by their starts.
type merge struct {
	id      string
	many    bool
	cursors []cursor
}

// newMerge begins with the occurrences that start at begin or later.
func newMerge(ws Windows, begin time.Time) *merge {
	m := &merge{id: ws.ID, many: len(ws.List) > 1, cursors: make([]cursor, len(ws.List))}
	for n, w := range ws.List {
		m.cursors[n] = cursor{w: w}
		m.cursors[n].seek(begin)
	}
	return m
}

func (m *merge) pop() Occurrence {
	first := &m.cursors[0]
	for n := range m.cursors {
		if m.cursors[n].start.Before(first.start) {
			first = &m.cursors[n]
		}
	}
	end := first.start.Add(first.w.Duration)
	o := Occurrence{ID: m.name(first), Date: first.date, Start: first.start, End: end, Close: end.Add(-first.w.Cutoff)}
	first.advance()
	return o
}

// name is the id of an occurrence. Where a schedule has several windows, two
// of them may start on one date, so their instants tell them apart.
func (m *merge) name(c *cursor) string {
	if m.id == "" {
		return c.date.String()
	}
	if m.many {
		return m.id + "@" + c.start.Format("2006-01-02T15:04Z")
	}
	return m.id + "@" + c.date.String()
}

// Span is a half-open stretch of time.
type Span struct{ Start, End time.Time }

// unite sorts spans and joins those that overlap or touch.
func unite(spans []Span) []Span {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 && !s.Start.After(out[n-1].End) {
			out[n-1].End = latest(out[n-1].End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out
}
