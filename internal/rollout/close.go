package rollout

import (
	"fmt"
	"time"
)

// OnClose is what becomes of a roll that is under way when its window closes.
type OnClose string

// What to do at the close: finish the members that are on their way and leave
// the rest for the next window; finish the group; stop and keep what is new; go
// back. Only what is finished at once needs no overrun.
const (
	FinishBatch OnClose = "finish_batch"
	FinishGroup OnClose = "finish_group"
	CancelKeep  OnClose = "cancel_keep"
	GoBack      OnClose = "rollback"
)

// Closing is the end of the window that a roll may use. The zero value is a roll
// without one.
type Closing struct {
	// NoStart is the cutoff: from then on nothing starts that had to wait for its
	// turn; zero: At.
	NoStart time.Time
	At      time.Time     // the first moment outside; zero: it never closes
	Over    time.Duration // overrun: how long after At the roll may still go on
	How     OnClose       // empty: FinishBatch
	// Ahead is how far the clock that people go by is ahead of the one that At
	// and snapshots go by; usually zero.
	Ahead time.Duration
	// Window names what closes, and Next when the next one opens, both for people.
	Window, Next string
}

// Late says why a roll that had to wait for its turn must not begin any more;
// empty: it may.
func (c Closing) Late(now time.Time) string {
	last := c.NoStart
	if last.IsZero() {
		last = c.At
	}
	if last.IsZero() || now.Before(last) {
		return ""
	}
	return fmt.Sprintf("it had to wait for its turn, and from %s on nothing starts in %s. %s", stamp(last.Add(c.Ahead)), c.Window, c.goesOn())
}

func stamp(t time.Time) string { return t.UTC().Format("Mon 2 Jan 15:04 MST") }

// goesOn says when the roll goes on.
func (c Closing) goesOn() string {
	if c.Next == "" {
		return "The roll goes on in the next window."
	}
	return "The roll goes on in the next window, " + c.Next + "."
}

// closeWindow applies the close of the window: it says why the roll must come
// to a safe point now, empty when it need not.
func (t *turn) closeWindow(c Closing) string {
	t.closing = c
	switch {
	case c.At.IsZero() || t.now.Before(c.At):
		return ""
	case !t.now.Before(c.At.Add(c.Over)):
		return t.closed()
	case t.rec.Restoring, t.rec.Direction == Back, c.How == FinishGroup:
		return "" // nearly over, or the way to a good state: the overrun is for these
	case c.How == GoBack && t.rec.NoReturn == "" && t.rec.Previous.Number != 0 && t.rec.Launched+t.rec.Ended > 0:
		t.leaving = true
		return ""
	case c.How == CancelKeep, c.How == GoBack, t.awsDrives():
		return t.closed() // an instance refresh has no batches that could be waited for
	}
	t.leaving = true
	return ""
}

// wakeAtClose looks again when the window, or its overrun, is over.
func (t *turn) wakeAtClose() {
	c := t.closing
	if c.At.IsZero() || t.out.Ending != nil {
		return
	}
	for _, at := range []time.Time{c.At, c.At.Add(c.Over)} {
		if t.now.Before(at) {
			t.wake(at)
			return
		}
	}
}

// closed words the close of the window.
func (t *turn) closed() string {
	text := t.closing.Window + " closed at " + stamp(t.closing.At.Add(t.closing.Ahead))
	if t.closing.Over > 0 && t.now.Sub(t.closing.At) >= t.closing.Over {
		text += fmt.Sprintf(", and its overrun of %s is used up", Brief(t.closing.Over))
	}
	return text
}

// close ends or turns a roll whose window has closed, once what is under way
// allows it, and says whether nothing else is to be decided.
func (t *turn) close() bool {
	switch {
	case !t.leaving:
		return false
	case t.closing.How == GoBack:
		t.rec.Closed = true
		t.rec.Reason = Clip(t.closed(), longestReason)
		t.turnBack(t.rec.Reason)
	case t.missing() <= 0:
		return false // this is the last batch: it only has to be finished
	case t.unready() > 0 || t.coming > 0 || t.launched() < t.desired():
		t.point()
	default:
		t.safePoint(*t.closeEnding(t.closed()))
	}
	return true
}

// closeEnding is the ending of a roll that its window has ended.
func (t *turn) closeEnding(why string) *Ending {
	return &Ending{Outcome: Paused, Reason: why, Closed: true, Next: t.closing.goesOn()}
}
