package rollout

import "time"

// How long things usually take where nothing is known about a group yet.
const (
	usualLaunch    = time.Minute
	usualHealthy   = 30 * time.Second
	usualTerminate = time.Minute
	// earliest is when to begin looking for something of unknown duration.
	earliest = 10 * time.Second
	// reaction is how long Auto Scaling takes to act on a difference.
	reaction = 3 * time.Second
	// longestWait bounds the time between two looks where nothing is due: others
	// are at work too. While something is due later than that, one look in
	// between is enough.
	longestWait = time.Minute
)

// wake asks for a look at the instant at. The earliest wish wins.
func (t *turn) wake(at time.Time) {
	if at.Before(t.now) {
		at = t.now
	}
	if t.out.Next.IsZero() || at.Before(t.out.Next) {
		t.out.Next = at
	}
}

// schedule decides when to look again and at what: when something is due,
// not on a fixed beat. A launch that usually takes 45 s is looked at after
// 45 s, and if it is late, after ever longer pauses.
func (t *turn) schedule() {
	if t.out.Ending != nil {
		return
	}
	// What is not known is looked for early, at the cost of some more looks.
	typical := t.mem.Learnt.Or(Typical{Launch: usualLaunch, Healthy: earliest, Terminate: earliest})
	for _, m := range t.fresh {
		t.dueMember(m, typical)
	}
	t.dueCapacity(typical)
	if len(t.rec.Intents) > 0 {
		t.wake(t.now.Add(2 * reaction)) // an answer was lost: look what happened
	}
	if t.launched()+t.terminating == 0 || len(t.out.Steps) == 0 && t.out.Next.IsZero() || t.baking() {
		t.wake(t.now.Add(longestWait))
	}
	t.wake(t.now.Add(2 * longestWait))
	if !t.known && t.planned == 0 && len(t.fresh) == 0 && len(t.stale) > 0 {
		t.wake(t.now) // nothing can be ended before old members' health is known
	}
	pause := t.spec.Poll
	if t.rec.Restoring && len(t.out.Steps) > 0 {
		pause = min(pause, reaction) // the last look, unless something is wrong
	}
	if floor := t.now.Add(pause); t.out.Next.Before(floor) && !t.atOnce() {
		t.out.Next = floor
	}
	t.out.Look.Targets = t.out.Look.Targets || t.wantTargets(typical)
	if t.mem.LaunchError != "" || t.launched() < t.desired() {
		t.out.Look.Activities = t.out.Look.Activities || t.overdue(typical)
	}
	t.roster()
	t.out.Look.Glance = t.glances(typical)
}

// dueMember wakes for what is due next of a new member.
func (t *turn) dueMember(m Member, typical Typical) {
	switch {
	case t.mem.Graduated[m.ID]:
	case !t.mem.HealthySince[m.ID].IsZero():
		t.wake(t.mem.HealthySince[m.ID].Add(t.minHealthy()))
	case t.mem.Passes[m.ID] > 0:
		t.wake(t.now.Add(t.spec.Poll)) // it must answer several times in a row
	default:
		// In service is nothing by itself: look when it should be healthy.
		t.dueHealthy(t.mem.FirstSeen[m.ID], typical)
	}
}

// dueHealthy wakes when a member that is awaited since an instant usually is
// healthy. Where it was only tried whether that has become sooner, and it has
// not, it is looked for when it was in the last roll.
func (t *turn) dueHealthy(since time.Time, typical Typical) {
	usual := typical.Launch + t.toHealthy(typical)
	if former := since.Add(typical.Launch + typical.Former); t.needsSignals() && t.now.Before(former) && !t.now.Before(since.Add(usual)) {
		t.wake(former)
		return
	}
	t.due(since, usual)
}

// baking says whether new members are only being watched.
func (t *turn) baking() bool { return !t.mem.BakeSince.IsZero() }

// atOnce says whether the next look may come without the usual pause: a
// rollback has just been decided, or a step's number is needed to go on.
func (t *turn) atOnce() bool {
	return t.asking || t.deciding(Copy) > 0 || t.unpublished() && !t.now.Before(t.mem.LaunchAfter)
}

// wantTargets says whether the next look is worth the calls for target health.
// It is not while a roll forward only waits for members that cannot be in
// service by then, or for ended ones to be gone.
func (t *turn) wantTargets(typical Typical) bool {
	if len(t.failures) > 0 || t.rec.Direction == Back || t.baking() {
		return true
	}
	if t.rec.Restoring {
		return !t.justKnown(t.out.Next)
	}
	if t.queued {
		return true // to end more of them, it must be known who is healthy
	}
	waiting := t.bound
	for _, m := range t.fresh {
		if t.mem.Graduated[m.ID] {
			continue
		}
		if m.State == InService || !t.out.Next.Before(t.mem.FirstSeen[m.ID].Add(typical.Launch)) {
			return true
		}
		waiting = true
	}
	if t.planned > 0 || t.exposing() {
		if !t.out.Next.Before(t.now.Add(typical.Launch)) {
			return true
		}
		waiting = true
	}
	return !waiting
}

// toHealthy is the usual time from in service to healthy: none where in
// service is all that is asked.
func (t *turn) toHealthy(typical Typical) time.Duration {
	if !t.needsSignals() {
		return 0
	}
	return typical.Healthy
}

// due wakes when something that began at since usually is done, and after that
// with pauses that grow with how late it is, from an eighth of what is usual
// on: a launch of 80 s is then seen at most 10 s late, for a handful of looks.
func (t *turn) due(since time.Time, usual time.Duration) {
	at := since.Add(usual)
	if t.now.Before(at) {
		t.wake(at)
		return
	}
	t.wake(t.now.Add(min(max(t.spec.Poll, usual/8, t.now.Sub(at)/3), 30*time.Second)))
}

// dueCapacity wakes for what is waited for that no new member stands for yet:
// a replacement AWS has to launch, or a running member to be gone.
func (t *turn) dueCapacity(typical Typical) {
	if len(t.out.Steps) > 0 {
		t.wakeForSteps(typical)
	}
	if t.launched() < t.desired() || t.exposing() {
		// AWS launches by itself. Until proof the pointer must go back as soon as
		// it has; after that the new member is looked at when it should be healthy.
		wait := max(t.spec.Poll, reaction)
		if t.rec.Proven && t.exposing() {
			wait = reaction + typical.Launch + t.toHealthy(typical)
		}
		t.wake(t.now.Add(wait))
	}
	if (t.bound || t.queued) && t.terminating > 0 {
		if t.mem.Learnt.Terminate == 0 {
			// Seconds or many minutes: nobody knows. Each pause is half as long as
			// it has taken so far.
			t.wake(t.now.Add(min(max(earliest-t.now.Sub(t.oldestEnd()), t.now.Sub(t.oldestEnd())/2, t.spec.Poll), 30*time.Second)))
		} else {
			t.due(t.oldestEnd(), typical.Terminate)
		}
	}
}

// oldestEnd is when the first member still terminating was ended.
func (t *turn) oldestEnd() time.Time {
	oldest := t.now
	for _, m := range t.snap.Members {
		if at := t.mem.EndedAt[m.ID]; !at.IsZero() && at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// wakeForSteps wakes after steps that no member stands for in this look.
func (t *turn) wakeForSteps(typical Typical) {
	for _, s := range t.out.Steps {
		switch s.Kind {
		case Launch:
			t.wake(t.now.Add(typical.Launch + t.toHealthy(typical)))
		case Copy, Make, Resume, SetDefault:
			t.wake(t.now)
		case Point:
			if t.rec.Restoring {
				t.wake(t.now)
			}
		case Raise, RaiseMaxSize, LowerMaxSize, End, EndWarm, Suspend, StepRefresh:
		}
	}
}

// overdue says whether AWS takes longer to launch than usual, so that its
// activities may tell why.
func (t *turn) overdue(typical Typical) bool {
	return t.now.Sub(t.mem.Progress) > typical.Launch/2
}
