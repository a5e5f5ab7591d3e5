package rolltest

import (
	"maps"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// theirs is a suspension by others.
type theirs struct {
	at    time.Duration
	mixed bool // nobody can tell it from Refit's own, or it came too late to be known
}

// Theirs tells the referee that others have suspended a process, or resumed
// what was suspended.
func (s *Stage) Theirs(process, reason string) {
	found := maps.Clone(s.referee.found)
	s.referee.theirs[process] = theirs{at: s.Elapsed(), mixed: s.referee.unread}
	if found[process] = reason; reason == "" {
		delete(found, process)
	}
	s.referee.found = found
}

// holds takes note of a step of Refit that suspends or resumes processes.
func (r *referee) holds(step rollout.Step) {
	r.dead = false
	r.meets(step)
	if step.Kind == rollout.Suspend {
		r.unread, r.held = true, r.s.Elapsed()
	}
}

// meets mixes what a step of Refit suspends or resumes with what others have only just
// done about it, before the step or while its call was on its way.
func (r *referee) meets(step rollout.Step) {
	for p := range step.Processes {
		r.mix(p)
	}
}

// died takes note that Refit's process was killed: it may have been about to suspend
// processes, which is on record, and took with it what was not.
func (r *referee) died() {
	for p := range r.theirs {
		r.mix(p)
	}
	r.unread, r.held, r.dead = true, r.s.Elapsed(), true
}

// mix says that a process which others have only just suspended may count as
// suspended by Refit.
func (r *referee) mix(process string) {
	if t, ok := r.theirs[process]; ok && r.s.Elapsed()-t.at < lag {
		r.theirs[process] = theirs{at: t.at, mixed: true}
	}
}

// suspended checks that what others have suspended is so at the end, as far as it
// can be told from what Refit has, and nothing else.
func (s *Stage) suspended(g Truth) {
	s.tb.Helper()
	for p, reason := range s.referee.found {
		if g.Suspended[p] != reason && !s.referee.theirs[p].mixed {
			s.tb.Errorf("process %s is no more suspended by others (%s) at the end", p, reason)
		}
	}
	for p, reason := range g.Suspended {
		if s.referee.found[p] != reason {
			s.tb.Errorf("process %s is left suspended (%s)", p, reason)
		}
	}
}
