package roller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Roll makes every member of the group run the requested version but those that
// the spec leaves out, and returns when that is so. Anything else is an [*Error]. When ctx ends, the roll comes
// to a safe point first and returns an error that says what is left.
func (r *Roller) Roll(ctx context.Context, q Request) (Report, error) {
	if p := append(q.Spec.Validate(), q.Lock.problems()...); len(p) > 0 {
		return Report{}, problem(q.Group, p)
	}
	o := &owner{Roller: r, q: q}
	// A signal must not cut the calls that put things in order.
	o.ctx = context.WithoutCancel(ctx)
	o.stop = ctx
	report, err := o.run()
	report.Warnings = append(report.Warnings, o.unlock()...)
	if err == nil {
		return report, nil
	}
	var ended *Error
	if o.lease != nil && !errors.As(err, &ended) && !errors.Is(err, asg.ErrNotFound) {
		err = o.yield(err)
	}
	return report, o.explain(err)
}

// owner is one roll by one process.
type owner struct {
	*Roller
	q    Request
	ctx  context.Context // never cancelled
	stop context.Context // its end asks for a safe point

	target   rollout.Version
	lease    *journal.Lease
	slot     *journal.Lock     // nil: the roll has no lock
	first    *rollout.Decision // taken before the lease was claimed, and announced with it; nil: none
	rec      rollout.Record
	mem      rollout.Memory
	started  time.Time // first step; zero: none yet
	looking  outage    // AWS does not let us look
	writing  outage    // nor write to the journal
	warnings []string
	deadline string // why it must stop, once it must
	told     bool   // that the target was made
}

func (o *owner) run() (Report, error) {
	snap, err := o.open()
	if err != nil {
		return Report{}, err
	}
	a := rollout.Assess(o.q.Spec, snap, o.target)
	if a.Converged {
		entry, found, err := o.Journal.Peek(o.ctx, snap.Group.ARN)
		if err != nil {
			return Report{}, err
		}
		if !found || entry.State == journal.Settled {
			return Report{Outcome: rollout.Succeeded, From: a.Found, To: o.target, Warnings: a.Warnings}, nil
		}
	}
	if len(a.Problems)+len(a.Alarms) > 0 {
		// A former roll's surge is not what others want.
		if snap, a, err = o.withoutSurge(snap, a); err != nil {
			return Report{}, err
		}
	}
	if p := append(a.Problems, a.Alarms...); len(p) > 0 {
		return Report{}, problem(o.q.Group, p)
	}
	if !a.Converged {
		if held, err := o.keptFrom(snap); err != nil || held.why != "" {
			return Report{}, quarantined(o.q.Group, held, err)
		}
	}
	o.warnings = a.Warnings
	for _, w := range slices.Concat(a.Warnings, a.Special) {
		o.say(rollout.Note{Text: w, Warn: true})
	}
	if why := o.expiring(); why != "" {
		return Report{}, &Error{Happened: Sentence(why), State: "Nothing was changed.", Next: "Renew the credentials, then run terraform apply again."}
	}
	before := snap.At
	inherited, snap, err := o.inherit(snap, o.decideFirst)
	if err != nil {
		return Report{}, err
	}
	if inherited == nil && snap.At.After(before) {
		if report, over, err := o.overtaken(snap); over {
			return report, err
		}
		if why := o.q.Closing.Late(o.Clock.Now()); why != "" {
			return o.tooLate(why)
		}
	}
	if o.first == nil {
		o.begin(snap, inherited)
	}
	return o.loop(snap)
}

// withoutSurge assesses the group again as it is without what an unfinished
// roll has added, or has AWS do. After one that has only just ended it looks again
// when that must show.
func (o *owner) withoutSurge(snap rollout.Snapshot, a rollout.Assessment) (rollout.Snapshot, rollout.Assessment, error) {
	entry, found, err := o.Journal.Peek(o.ctx, snap.Group.ARN)
	switch wait := o.showing(&entry); {
	case err != nil || !found:
		return snap, a, err
	case entry.State != journal.Settled:
		a = rollout.Assess(o.q.Spec, others(entry, snap), o.target)
		a.Alarms = nil // they went off since it began: the rule of the roll says what that means
	case wait > 0:
		if err := o.Clock.Sleep(o.stop, wait); err != nil {
			return snap, a, err
		}
		if snap, err = o.look(rollout.Everything(o.q.Spec)); err != nil {
			return snap, a, err
		}
		a = rollout.Assess(o.q.Spec, snap, o.target)
	}
	return snap, a, nil
}

// loop observes, decides and acts until the roll has ended.
func (o *owner) loop(snap rollout.Snapshot) (Report, error) {
	for {
		d := o.next(snap)
		o.rec, o.mem = d.Record, d.Memory
		for _, n := range d.Notes {
			o.say(n)
		}
		done, err := o.act(d.Steps)
		if err != nil {
			return o.report(), err
		}
		o.tellMade()
		if done {
			if d.Ending != nil && d.Ending.Stands(o.mem) {
				return o.end(*d.Ending)
			}
			if err := o.pause(d.Next); err != nil {
				return o.report(), err
			}
		}
		if snap, err = o.look(d.Look.After(o.mem)); err != nil {
			return o.report(), err
		}
	}
}

// act journals the steps in one write, then makes them in order. The time of
// the first one is when timeouts begin to count. It reports false when the
// journal could not be written for now: then no step was made, and what to do is
// decided anew.
func (o *owner) act(steps []rollout.Step) (bool, error) {
	if len(steps) == 0 {
		return true, nil
	}
	if o.started.IsZero() {
		o.started = o.Clock.Now()
	}
	if ok, err := o.announce(steps); !ok {
		return false, err
	}
	var failed []rollout.Step
	for _, s := range steps {
		if why := o.skip(s, failed); why != "" {
			o.rec, o.mem, _ = rollout.Settle(o.rec, o.mem, s, rollout.Result{Failure: &rollout.Failure{Kind: rollout.Again, Text: why}}, o.Clock.Now())
			continue
		}
		if err := o.alive(); err != nil {
			return false, err
		}
		res := o.Groups.Do(o.ctx, o.q.Group, s)
		if res.Failure != nil {
			failed = append(failed, s)
		}
		var note rollout.Note
		o.rec, o.mem, note = rollout.Settle(o.rec, o.mem, s, res, o.Clock.Now())
		o.say(note)
	}
	return true, nil
}

// alive says whether the lease allows a call now. One that has run out, because
// calls took long, is renewed.
func (o *owner) alive() error {
	var expired *journal.ExpiredError
	err := o.lease.Check()
	if errors.As(err, &expired) && o.lease.Write(o.ctx, o.rec.Fit(o.lease.Room())) == nil {
		err = o.lease.Check()
	}
	return err
}

// skip says why a step must not be made after all; empty: it may.
func (o *owner) skip(s rollout.Step, failed []rollout.Step) string {
	for _, f := range failed {
		if rollout.Skip(s, f) {
			return "the step before it failed"
		}
	}
	switch {
	case o.mem.Halts(s):
		return "others have changed the desired capacity"
	case o.barred(s):
		return "the lock is gone"
	case o.deadline == "" && o.stop.Err() != nil:
		return "the run was interrupted" // after this was decided; the safe point comes first
	}
	return ""
}

// patient is how long a heartbeat may be put off for a look. With the
// heartbeat's 100 s it stays within the lease's 120 s.
const patient = 12 * time.Second

// pause waits until an instant, or until the roll must stop, and keeps the
// lease alive meanwhile.
func (o *owner) pause(until time.Time) error {
	for {
		now := o.Clock.Now()
		if !now.Before(until) || o.deadline == "" && o.stopReason() != "" {
			return nil // what must be done about a reason to stop is decided at once
		}
		// A look that is due soon comes first: what it leads to is often written
		// down, and that renews the lease as well.
		wake, due := until, o.due()
		soon := !until.After(due.Add(patient))
		if !soon && due.Before(wake) {
			wake = due
		}
		if last := o.lastCall(); last.After(now) && last.Before(wake) {
			wake = last
		}
		sleep := o.stop
		if o.deadline != "" {
			sleep = o.ctx // it is on its way to a safe point already
		}
		if err := o.Clock.Sleep(sleep, wake.Sub(now)); err != nil {
			return nil // asked to stop: decide so at once
		}
		if !soon && !o.Clock.Now().Before(o.due()) {
			if err := o.keep(); err != nil {
				return err
			}
			if !o.Clock.Now().Before(o.due()) {
				_ = o.Clock.Sleep(o.stop, 5*time.Second) // it did not land; not in a tight loop
			}
		}
	}
}

// beat writes the heartbeat. One that did not land is no reason to stop: a
// lease that runs out is good again with the next write that lands, unless
// somebody has taken over meanwhile.
func (o *owner) beat() error {
	err := o.lease.Write(o.ctx, o.rec.Fit(o.lease.Room()))
	if most, _ := o.bound(err); err != nil && most == 0 {
		return err
	}
	return nil
}

// look observes, and waits out what AWS does not answer now.
func (o *owner) look(look rollout.Look) (rollout.Snapshot, error) {
	for wait := time.Second; ; wait = min(2*wait, 20*time.Second) {
		snap, err := o.observe(look)
		if err == nil {
			o.recovered(&o.looking)
			return snap, nil
		}
		if err := o.endure(&o.looking, err, wait); err != nil {
			return snap, err
		}
	}
}

// observe looks once. Members and checks may take long to answer: one who is
// asked to stop does not wait for them, and does without.
func (o *owner) observe(look rollout.Look) (rollout.Snapshot, error) {
	look.Glance = look.Glance && o.stopReason() == "" // what must be done now needs a look
	if (look.Probe != nil || look.Inquiry != nil) && o.stop.Err() == nil {
		ctx, cancel := context.WithCancel(o.ctx)
		defer cancel()
		defer context.AfterFunc(o.stop, cancel)()
		snap, err := o.Groups.Observe(ctx, o.q.Group, look)
		if o.stop.Err() == nil {
			return snap, err
		}
	}
	look.Probe, look.Inquiry = nil, nil
	return o.Groups.Observe(o.ctx, o.q.Group, look)
}

// nap is a pause that also goes on when the roll has been asked to stop.
func (o *owner) nap(d time.Duration) error {
	if err := o.Clock.Sleep(o.ctx, d); err != nil {
		return err
	}
	if o.lease != nil {
		return o.keep()
	}
	return nil
}

// stopReason says why the roll must come to a safe point; empty: it need not.
func (o *owner) stopReason() string {
	switch {
	case o.deadline != "":
	case o.stop.Err() != nil:
		o.deadline = "the run was interrupted"
		if errors.Is(o.stop.Err(), context.DeadlineExceeded) {
			o.deadline = "its time was up"
		}
	case o.q.Timeout > 0 && !o.started.IsZero() && o.Clock.Now().Sub(o.started) >= o.q.Timeout:
		o.deadline = "it did not finish within " + rollout.Brief(o.q.Timeout)
	default:
		if o.deadline = o.lockGone(); o.deadline == "" {
			o.deadline = o.expiring()
		}
	}
	return o.deadline
}

// end writes the last record, gives the lease back and reports.
func (o *owner) end(e rollout.Ending) (Report, error) {
	o.rec.Outcome = e.Outcome
	if e.Reason != "" && (e.Outcome != rollout.Paused || o.rec.Direction != rollout.Back) {
		o.rec.Reason = rollout.Clip(e.Reason, 300) // a rollback keeps what had failed
	}
	var err, unheld error
	if e.Quarantine { // first: once the record is settled, nobody else would do it
		unheld = o.quarantine(e)
	}
	if o.left(e) {
		err = o.lease.Pause(o.ctx, o.rec.Fit(o.lease.Room()))
	} else {
		o.rec.Intents = nil
		err = o.lease.Settle(o.ctx, o.rec.Fit(o.lease.Room()))
	}
	good := e.Outcome == rollout.Succeeded || e.Outcome == rollout.Partial || e.Closed
	if good && e.Reason != "" {
		o.warnings = append(o.warnings, strings.TrimSpace(Sentence(e.Reason)+" "+e.Next))
	}
	report := o.report()
	report.Closed = e.Closed
	if err == nil {
		err = unheld
	}
	if err != nil {
		o.warnings = append(o.warnings, "the journal could not be closed: "+asg.Plain(err))
		report.Warnings = o.warnings
	}
	text := strings.ReplaceAll(string(e.Outcome), "_", " ")
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	o.say(rollout.Note{Text: text})
	if good {
		return report, nil
	}
	return report, &Error{
		Summary: summary(o.q.Group), Happened: Sentence(headline(e.Outcome) + e.Reason), State: e.State, Next: e.Next, Report: &report,
	}
}

// left says whether a successor has something to finish.
func (o *owner) left(e rollout.Ending) bool {
	return e.Outcome == rollout.Paused || len(o.rec.Suspended) > 0 || o.rec.Headroom != nil || o.rec.Surge > 0 && e.Outcome != rollout.Succeeded && e.Outcome != rollout.Partial || len(o.rec.Intents) > 0 ||
		o.rec.Refresh.Running()
}

func (o *owner) report() Report {
	r := Report{
		Outcome: o.rec.Outcome, From: o.rec.Previous, To: o.rec.Target, Started: o.rec.Started, Launched: o.rec.Launched, Ended: o.rec.Ended, Failed: o.rec.Failed,
		Foreseen: o.rec.Foreseen, Counts: o.rec.Counts, Reason: o.rec.Reason, Warnings: o.warnings,
	}
	if o.rec.Meant {
		r.From, r.To = o.rec.Target, o.target // it was asked to go back
	}
	if !o.rec.Started.IsZero() {
		r.Duration = o.Clock.Now().Sub(o.rec.Started).Round(time.Second)
	}
	return r
}

// say tells people, and keeps the line for those who watch the journal.
func (o *owner) say(n rollout.Note) {
	if n.Text == "" {
		return
	}
	o.rec.Last = rollout.Clip(n.Text, 160)
	if o.Progress != nil {
		o.Progress(Event{At: o.Clock.Now(), Group: o.q.Group, Text: n.Text, Warn: n.Warn, Counts: o.rec.Counts})
	}
}
