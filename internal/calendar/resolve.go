package calendar

import "time"

// Fit tells how a local time met the clocks of its zone.
type Fit int

// How a local time met the clocks.
const (
	Exact   Fit = iota // it came once
	Gap                // it was skipped: the instant is as much later as was skipped
	Overlap            // it came twice: the instant is the first
)

// Resolve is the instant of a local date and time, and the only way from one
// to the other. A time that the clocks skip moves forward by what they skip:
// 02:30 in a gap of an hour is 03:30. Of a time that comes twice, it is the
// first. The result is in UTC.
func Resolve(d Date, m Minute, z Zone) (time.Time, Fit) {
	local := int64(d)*daySeconds + int64(m)*60
	if z.loc == nil || z.loc == time.UTC {
		return time.Unix(local, 0).UTC(), Exact
	}
	// No zone is or was more than 16 hours from UTC. Between 36 hours before
	// and after, every stretch of one offset is tried in order; the first in
	// which the clocks show the wanted time is it. Where none does, the time
	// lies between two stretches: it is taken as if the clocks had not changed.
	t, before, first := time.Unix(local-36*3600, 0).In(z.loc), int64(0), true
	for {
		_, offset := t.Zone()
		end := changeAfter(t)
		at := local - int64(offset)
		if !first && at < t.Unix() {
			return time.Unix(local-before, 0).UTC(), Gap
		}
		if end.IsZero() || at < end.Unix() {
			return time.Unix(at, 0).UTC(), repeated(at, local, end)
		}
		t, before, first = end, int64(offset), false
	}
}

// changeAfter is an instant after t up to which t's offset holds; zero: for
// ever. The offset need not change there. In zones that change by a rule, the
// time package lets stretches end with the year, and that on 31 December at
// midnight in a leap year, where it would find the same end for ever.
func changeAfter(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if end.IsZero() || end.After(t) {
		return end
	}
	return t.Add(15 * time.Minute) // all clocks change at a quarter of an hour
}

// repeated tells whether a local time that the clocks show at an instant comes
// again after the stretch of one offset that ends at end. No clock was ever
// put back by more than a day.
func repeated(at, local int64, end time.Time) Fit {
	for !end.IsZero() && end.Unix()-at <= 25*3600 {
		_, offset := end.Zone()
		next := changeAfter(end)
		if again := local - int64(offset); again >= end.Unix() && (next.IsZero() || again < next.Unix()) {
			return Overlap
		}
		end = next
	}
	return Exact
}
