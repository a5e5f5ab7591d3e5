package calendar

import (
	"fmt"
	"strings"
)

// Explain is the decision for people, in one line: every reason against it,
// and the next chance.
//
//	Not now because (1) freeze "Year end" until Mon 4 Jan 00:00 UTC; (2) outside
//	window (Wed 15:00–19:00 Europe/London). Next chance Wed 6 Jan 15:00 GMT.
func (d Decision) Explain() string {
	var b strings.Builder
	if d.Open() {
		fmt.Fprintf(&b, "Now: inside window (%s) until %s.", d.text, stamp(d.Current.End, d.At, d.zone))
		if d.Current.Close.Before(d.Current.End) {
			fmt.Fprintf(&b, " Nothing starts after %s.", stamp(d.Current.Close, d.At, d.zone))
		}
	} else {
		b.WriteString(sentence("Not now because " + strings.Join(d.reasons(), "; ")))
		if !d.Next.Start.IsZero() {
			fmt.Fprintf(&b, " Next chance %s.", stamp(d.Next.Start, d.At, d.zone))
		} else if d.text != "" {
			b.WriteString(" No chance within two years as things stand.")
		}
	}
	if !d.Due.IsZero() {
		fmt.Fprintf(&b, " Due %s", stamp(d.Due, d.At, d.zone))
		if d.due {
			b.WriteString(", which is before the next chance")
		}
		b.WriteString(".")
	}
	return b.String()
}

// reasons are the blockers for people. A window's next opening is not said
// with it: the next chance says more.
func (d Decision) reasons() []string {
	out := make([]string, len(d.Blockers))
	for n, b := range d.Blockers {
		if len(out) > 1 {
			out[n] = fmt.Sprintf("(%d) ", n+1)
		}
		out[n] += b.Text
		if !b.Until.IsZero() && b.Code != OutsideWindow && b.Code != PastCutoff {
			out[n] += " until " + stamp(b.Until, d.At, b.zone)
		}
	}
	return out
}
