package rollout

import "time"

// How long things usually take where nothing is known about a group yet.
const (
	usualLaunch    = time.Minute
	usualHealthy   = 30 * time.Second
	usualTerminate = time.Minute
	// longestWait bounds the time between two looks: others are at work too.
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
	typical := t.mem.Learnt.or(Typical{usualLaunch, usualHealthy, usualTerminate})
	inService := false
	for _, m := range t.fresh {
		inService = inService || m.State == InService
		switch {
		case t.mem.Graduated[m.ID]:
		case m.State != InService:
			first, ok := t.mem.FirstSeen[m.ID]
			if ok {
				t.due(first, typical.Launch)
			}
		case !t.mem.HealthySince[m.ID].IsZero():
			t.wake(t.mem.HealthySince[m.ID].Add(t.spec.MinHealthyTime))
		default:
			t.due(t.mem.InService[m.ID], typical.Healthy)
		}
	}
	t.dueCapacity(typical)
	t.wake(t.now.Add(longestWait))
	if floor := t.now.Add(t.spec.Poll); t.out.Next.Before(floor) && !t.atOnce() {
		t.out.Next = floor
	}
	// Targets are worth a call once a new member is in service, or where old
	// members can be ended without one.
	t.out.Look.Targets = t.out.Look.Targets || inService || t.arriving() || !t.lim.First || len(t.failures) > 0 || len(t.fresh) == 0 && len(t.stale) == 0
	if t.mem.LaunchError != "" || t.launched() < t.rec.Base+t.rec.Surge {
		t.out.Look.Activities = t.out.Look.Activities || t.overdue(typical)
	}
}

// atOnce says whether the next look may come without the usual pause: a
// rollback has just been decided, or a step's number is needed to go on.
func (t *turn) atOnce() bool {
	for _, s := range t.out.Steps {
		if s.Kind == Copy {
			return true
		}
	}
	return t.rec.Direction == Back && t.rec.Copy == 0
}

// arriving says whether the next look may find a new member in service, so
// that its health should be looked at in the same breath.
func (t *turn) arriving() bool {
	for _, m := range t.fresh {
		if m.State == Pending && !t.out.Next.Before(t.mem.FirstSeen[m.ID].Add(t.mem.Learnt.Launch)) {
			return true
		}
	}
	return false
}

// due wakes when something that began at since usually is done, and after
// that with pauses of an eighth of the time waited so far: a launch of 80 s is
// then seen at most 10 s late, for a handful of looks.
func (t *turn) due(since time.Time, usual time.Duration) {
	at := since.Add(usual)
	if t.now.Before(at) {
		t.wake(at)
		return
	}
	t.wake(t.now.Add(min(max(t.spec.Poll, t.now.Sub(since)/8), 30*time.Second)))
}

// dueCapacity wakes for what is waited for that no new member stands for yet:
// a replacement AWS has to launch, or a running member to be gone.
func (t *turn) dueCapacity(typical Typical) {
	if len(t.out.Steps) > 0 {
		t.wakeForSteps(typical)
	}
	if t.launched() < t.rec.Base+t.rec.Surge || t.exposing() {
		t.wake(t.now.Add(max(t.spec.Poll, 5*time.Second)))
	}
	if t.terminating > 0 && t.running() >= t.lim.Running && len(t.stale) > 0 {
		oldest := t.now
		for _, at := range t.mem.EndedAt {
			if at.Before(oldest) {
				oldest = at
			}
		}
		t.due(oldest, typical.Terminate)
	}
}

// wakeForSteps wakes after steps that no member stands for in this look.
func (t *turn) wakeForSteps(typical Typical) {
	for _, s := range t.out.Steps {
		switch s.Kind {
		case Launch:
			t.wake(t.now.Add(typical.Launch))
		case Copy, Resume, SetDefault:
			t.wake(t.now)
		case Point:
			if t.rec.Restoring {
				t.wake(t.now)
			}
		case Raise, End, Suspend:
		}
	}
}

// overdue says whether AWS takes longer to launch than usual, so that its
// activities may tell why.
func (t *turn) overdue(typical Typical) bool {
	return t.now.Sub(t.mem.Progress) > typical.Launch/2
}
