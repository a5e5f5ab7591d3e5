package calendar

import (
	"fmt"
	"time"
)

// Closing is how the window that a roll may use ends, and what becomes of the
// roll then.
type Closing struct {
	End     time.Time     // the first moment outside
	Overrun time.Duration // how long after End a roll may go on; none where a freeze ends the window
	How     string        // one of the constants, such as [FinishBatch]
	Window  string        // what closes, for people: "the window (Wed 15:00–19:00 Europe/London)"
	Next    string        // when the next chance after End is, for people; empty: none within two years
}

// Closing is the end of the window that a decision found open. It is asked of
// the calendar that decided, about the same subject; the zero value when no
// window is open.
func (c Calendar) Closing(s Subject, d Decision) Closing {
	end := d.Current.End
	if end.IsZero() {
		return Closing{}
	}
	out := Closing{End: end, How: FinishBatch, Window: fmt.Sprintf("the window (%s)", d.text)}
	if schedule, ok := c.Schedule(d.Schedule); ok && d.Schedule != "" {
		out.Overrun = schedule.Overrun()
		if schedule.spec.OnClose != "" {
			out.How = schedule.spec.OnClose
		}
	}
	stops := c.stops(s.tagged(c.keysOf(d.Schedule)))
	for _, b := range stops.blockers(end) {
		out.Window, out.Overrun = fmt.Sprintf("the window (%s), ended by %s,", d.text, b.Text), 0
		break
	}
	for _, span := range stops.spans(end) {
		out.Overrun = min(out.Overrun, max(span.Start.Sub(end), 0))
	}
	if after := c.Decide(s, end).Next.Start; !after.IsZero() {
		out.Next = stamp(after, end, d.zone)
	}
	return out
}

// keysOf are the keys of tags that hold for a schedule.
func (c Calendar) keysOf(schedule string) TagKeys {
	if s, ok := c.Schedule(schedule); ok && s.spec.Keys != (TagKeys{}) {
		return s.spec.Keys.WithDefaults()
	}
	return c.Keys.WithDefaults()
}

// tagged are the tags that freezes and exceptions go by: a subject whose
// environment is given is in it, whether a tag says so or not. Otherwise a
// freeze of production would pass by whatever forgot the tag.
func (s Subject) tagged(k TagKeys) map[string]string {
	if _, there := s.Tags[k.Environment]; there || s.Environment == "" {
		return s.Tags
	}
	out := map[string]string{k.Environment: s.Environment}
	for key, value := range s.Tags {
		out[key] = value
	}
	return out
}
