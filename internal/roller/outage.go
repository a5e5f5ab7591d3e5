package roller

import (
	"errors"
	"fmt"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// How long a roll waits for AWS to answer again before it ends where it is.
const (
	// patience is for a roll that has not begun.
	patience = 10 * time.Minute
	// silence is for throttling, server errors and a lost network.
	silence = time.Hour
	// renewal is for credentials that have expired: renewed ones may come.
	renewal = 5 * time.Minute
	// refusal is for a permission that was there a moment ago: changes of
	// policies do not reach all of AWS at once.
	refusal = time.Minute
	// stopping is for a roll that is to come to a safe point.
	stopping = time.Minute
)

// margin is how long before the credentials expire a roll comes to a safe point.
const margin = 5 * time.Minute

// bound says how long an error is waited out, and what is said meanwhile; zero:
// not at all.
func (o *owner) bound(err error) (most time.Duration, what string) {
	var lost *journal.LostError
	var large *journal.TooLargeError
	var denied *journal.DeniedError
	var version *asg.VersionError
	switch {
	case errors.As(err, &lost), errors.As(err, &large), errors.Is(err, journal.ErrClosed),
		errors.Is(err, asg.ErrNotFound), errors.As(err, &version): // an answer, and not for the journal to judge
		return 0, ""
	case asg.Expired(err):
		most, what = renewal, "the AWS credentials have expired for"
	case asg.Denied(err), errors.As(err, &denied):
		most, what = refusal, "AWS has refused a call for"
	case asg.Passing(err), journal.Passing(err):
		most, what = silence, "AWS has not answered for"
	default:
		return 0, ""
	}
	switch {
	case o.lease == nil && most == silence:
		most = patience // and not at all once asked to stop
		if o.stop.Err() != nil {
			most = 0
		}
	case !begun(o.rec) && most != silence:
		most = 0 // it never worked
	case o.stopReason() != "":
		most = min(most, stopping)
	}
	return most, what
}

// outage is a time in which calls of one kind do not work. The zero value: they do.
type outage struct {
	since time.Time
	told  time.Time // when that was said last
	given time.Time // until when the roll has got the time back that it could do nothing in
}

// endure waits a moment for an error of AWS to pass. It returns the error when
// it has waited for long enough, or when waiting does not help.
func (o *owner) endure(x *outage, err error, wait time.Duration) error {
	now := o.Clock.Now()
	if x.since.IsZero() {
		x.since, x.told, x.given = now, now, now
	}
	most, what := o.bound(err)
	waited := now.Sub(x.since)
	if waited >= most {
		return err
	}
	if now.Sub(x.told) >= time.Minute || waited == 0 && most < silence && o.lease != nil {
		x.told = now
		o.say(rollout.Note{Warn: true, Text: fmt.Sprintf("%s %s and the roll waits: %s", what, waited.Round(time.Second), asg.Plain(err))})
	}
	sleep := o.nap
	if o.lease == nil { // nothing to put in order: be gone at once when asked
		sleep = func(d time.Duration) error { return o.Clock.Sleep(o.stop, d) }
	}
	if sleep(wait) != nil {
		return err
	}
	o.mem = o.mem.Blind(o.Clock.Now().Sub(x.given))
	x.given = o.Clock.Now()
	return nil
}

// recovered notes that calls work again.
func (o *owner) recovered(x *outage) {
	if x.since.IsZero() {
		return
	}
	o.say(rollout.Note{Text: "AWS answers again"})
	*x = outage{}
}

// expiring says that the credentials expire too soon to go on; empty: they do
// not, or nobody knows.
func (o *owner) expiring() string {
	at := o.lastCall()
	if at.IsZero() || o.Clock.Now().Before(at) {
		return ""
	}
	return fmt.Sprintf("the AWS credentials expire at %s and have not been renewed", at.Add(margin).UTC().Format("15:04 MST on 2006-01-02"))
}

// lastCall is when a roll must be on its way to a safe point because of its
// credentials; zero: never, as far as known.
func (o *owner) lastCall() time.Time {
	if o.Expires == nil {
		return time.Time{}
	}
	at := o.Expires(o.ctx)
	if at.IsZero() {
		return at
	}
	return at.Add(-margin)
}
