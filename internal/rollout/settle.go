package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// Intend puts steps on record before they are made. What it returns is to be
// journalled; only then may the steps be made.
func Intend(rec Record, steps []Step) Record {
	rec.Intents = slices.Clone(rec.Intents)
	for _, s := range steps {
		in := Intent{Kind: s.Kind, Count: s.Count, Token: s.Token, From: s.From, To: s.To}
		switch s.Kind {
		case End:
			if i := slices.IndexFunc(rec.Intents, func(in Intent) bool {
				return in.Kind == End && in.Dec == s.Decrement && in.Weight == s.booked() && !in.Lost
			}); i >= 0 {
				rec.Intents[i].IDs = append(slices.Clone(rec.Intents[i].IDs), s.Member)
				continue
			}
			in.IDs, in.Dec, in.Weight = []string{s.Member}, s.Decrement, s.booked()
		case Suspend, Resume:
			in.Names = slices.Sorted(maps.Keys(s.Processes))
		case Point:
			rec.Pointed = s.Version // a successor must know it for ours
		case SetDefault:
			rec.Defaulted, _ = strconv.ParseInt(s.Version, 10, 64) // here, too
		case EndWarm:
			in.IDs = s.Members
		case RaiseMaxSize:
			h := Headroom{Found: s.From, Set: s.To, Before: s.From}
			if rec.Headroom != nil {
				h.Found = rec.Headroom.Found
			}
			rec.Headroom = &h // a successor must know it for ours
		case Launch, Raise, LowerMaxSize, Copy, Make, StepRefresh:
		}
		rec.Intents = append(rec.Intents, in)
	}
	return rec
}

// Standing says whether what is on record stands for steps without an intent of
// their own: they only put back what the record says is to be put back (our
// suspensions; max size; the pointer, off a version that is not proven). A successor that
// finds it undone does it, and one that finds it done has nothing to do.
func Standing(rec Record, steps []Step) bool {
	for _, s := range steps {
		switch s.Kind {
		case Resume:
			for p := range s.Processes {
				if _, ours := rec.Suspended[p]; !ours {
					return false
				}
			}
		case Point:
			if rec.Proven || rec.Direction == Back || rec.Pinned == 0 || s.Version != number(rec.Pinned) {
				return false
			}
		case LowerMaxSize:
			if rec.Headroom == nil {
				return false
			}
		case Suspend, Launch, Raise, RaiseMaxSize, End, EndWarm, Copy, Make, SetDefault, StepRefresh:
			return false
		}
	}
	return true
}

// Skip says whether step must not be tried after failed did not work: a launch
// without its pointer would launch the wrong version, one without the end
// before it could go over the ceiling, and a raise from what another one was to
// lead to would be read as a change by others.
func Skip(step, failed Step) bool {
	if failed.Kind == End && (step.Kind == Launch || step.Kind == Raise || step.Kind == LowerMaxSize) {
		return true
	}
	if failed.Kind == Raise {
		return step.Kind == Raise // it counts on the one before it
	}
	if failed.Kind != Point && failed.Kind != SetDefault && failed.Kind != Suspend {
		return false
	}
	switch step.Kind {
	case Launch, Raise:
		return true
	case End:
		return !step.Decrement
	case Point:
		return failed.Kind == SetDefault
	case Make:
		return failed.Kind == Point
	case EndWarm, Suspend, Resume, RaiseMaxSize, LowerMaxSize, Copy, SetDefault, StepRefresh:
	}
	return false
}

// Halts says whether a step must not be made because of what AWS's answers to the
// steps before it have told: it was decided on another capacity of the group.
func (m Memory) Halts(step Step) bool {
	return m.Halted && (step.Kind == Launch || step.Kind == Raise || step.Kind == End || step.Kind == LowerMaxSize)
}

// mostRaised is how many absolute writes are kept on record.
const mostRaised = 6

// Settle books what came of a step at the instant now. It returns a line for
// people, empty when there is nothing to tell.
func Settle(rec Record, mem Memory, s Step, r Result, now time.Time) (Record, Memory, Note) {
	mem = mem.clone()
	rec.Suspended = maps.Clone(rec.Suspended)
	lost := r.Failure != nil && r.Failure.Kind == Lost
	rec.Intents = settleIntent(rec.Intents, s, lost, now)
	rec.booked(now)
	if s.Kind == StepRefresh {
		return settledRefresh(rec, mem, s, r, now)
	}
	if r.Failure != nil {
		return settleFailure(rec, mem, s, r, now)
	}
	var note Note
	switch s.Kind {
	case Suspend:
		rec.Held, mem.HeldAt = true, now
		if rec.Suspended == nil {
			rec.Suspended = map[string]string{}
		}
		maps.Copy(rec.Suspended, s.Processes)
	case Resume:
		for p := range s.Processes {
			delete(rec.Suspended, p)
		}
	case Point:
		rec.Pointed = s.Version
		mem.PointedAt, mem.PointDoubt = now, time.Time{}
	case Launch:
		mem.LaunchFails, mem.LaunchError = 0, ""
		rec, mem = launched(rec, mem, s, r, now)
		note.Text = fmt.Sprintf("launched %d in %s from version %d", len(r.IDs), s.Zone, rec.goal().Number)
	case Raise:
		mem.remember(rec.Base+rec.Surge, now)
		rec.Surge += s.To - s.From
		rec.Launched += (s.To - s.From + max(s.Weight, 1) - 1) / max(s.Weight, 1)
		rec.raised(s.From, s.To)
		mem.Verify = append(mem.Verify, Intent{Kind: Raise, From: s.From, To: s.To, Since: now})
		mem.Asked = now
		note.Text = fmt.Sprintf("raised desired capacity from %d to %d", s.From, s.To)
	case End:
		rec, mem, note = settledEnd(rec, mem, s, r, now)
	case EndWarm:
		for _, id := range s.Members {
			mem.WarmEnded[id] = now
		}
		note.Text = fmt.Sprintf("ended %d of the warm pool", len(s.Members))
	case RaiseMaxSize, LowerMaxSize:
		note.Text = resized(&rec, &mem, s, now)
	case Copy:
		rec.Copy = r.Version
		note.Text = fmt.Sprintf("published version %d, a copy of version %d", r.Version, s.Source)
	case Make:
		rec, note = made(rec, s, r)
	case SetDefault:
		mem.DefaultedAt = now
		note.Text = "version " + s.Version + " is the template's default now"
	case StepRefresh: // above
	}
	return rec, mem, note
}

// booked notes that an answer is booked now. Launches before are on record then, but
// for one without an answer.
func (r *Record) booked(now time.Time) {
	if !slices.ContainsFunc(r.Intents, func(in Intent) bool { return in.Kind == Launch && in.Lost }) {
		r.Booked = now.Truncate(time.Second) // as AWS's times are
	}
}

// settledEnd books the end of a member.
func settledEnd(rec Record, mem Memory, s Step, r Result, now time.Time) (Record, Memory, Note) {
	note := Note{Text: "ended " + s.Member}
	mem.EndedAt[s.Member] = now
	rec.Ended++
	if rec.Counts.Stale > 0 {
		rec.Counts.Stale-- // for people; the next look counts anew
		if mem.fewerStale(rec.Counts.Stale) {
			mem.Progress = now
		}
	}
	if s.Decrement {
		was := rec.Base + rec.Surge
		if r.Was != nil && *r.Was != was {
			mem.Halted = true
			note.Text += fmt.Sprintf("; others have changed the desired capacity meanwhile: it was %d and not %d", *r.Was, was)
		}
		mem.Untold = mem.Untold || r.Was == nil
		if r.Already {
			mem.Halted = true
			note.Text += ", which AWS was ending already"
		}
		if mem.Halted {
			// A look from after others' change and before this end shows just what is
			// expected now.
			mem.PuzzledAt = now
		}
		mem.remember(was, now)
		rec.Surge -= max(s.Weight, 1)
	} else if !s.Aside {
		mem.Asked = now
	}
	return rec, mem, note
}

// raised keeps an absolute write of ours on record.
func (r *Record) raised(from, to int) {
	r.Raised = append(slices.Clone(r.Raised[max(len(r.Raised)-mostRaised+1, 0):]), [2]int{from, to})
}

// made books the version that a roll has made.
func made(rec Record, s Step, r Result) (Record, Note) {
	rec.Target.Number, rec.Target.Source, rec.Unproven, rec.MadeFrom = r.Version, 0, false, s.Source
	return rec, Note{Text: fmt.Sprintf("made version %d with image %s, a copy of version %d", r.Version, s.Image, s.Source)}
}

// launched books members that a step has launched. AWS raises desired by their
// capacity, and by no more than was asked for.
func launched(rec Record, mem Memory, s Step, r Result, now time.Time) (Record, Memory) {
	ids, capacity := r.IDs, 0
	if len(ids) == 0 {
		return rec, mem
	}
	mem.remember(rec.Base+rec.Surge, now)
	rec.Launched += len(ids)
	rec.Counts.Current += len(ids)
	for i, id := range ids {
		mem.Announced[id] = rec.goal()
		mem.FirstSeen[id] = now
		mem.Ours[id] = true
		w := 0
		if i < len(r.Types) {
			w = s.Weights[r.Types[i]]
		}
		if w > 0 {
			if mem.Weights == nil {
				mem.Weights = map[string]int{}
			}
			mem.Weights[id] = w
		}
		capacity += max(w, 1)
	}
	if len(s.Weights) > 0 {
		capacity = min(capacity, s.Count)
	}
	rec.Surge += capacity
	return rec, mem
}

// settleIntent takes the step's intent off the record, or marks it lost.
func settleIntent(intents []Intent, s Step, lost bool, now time.Time) []Intent {
	out := slices.Clone(intents)
	for i, in := range out {
		if in.Kind != s.Kind || in.Lost {
			continue
		}
		switch s.Kind {
		case End:
			at := slices.Index(in.IDs, s.Member)
			if at < 0 {
				continue
			}
			out[i].IDs = slices.Delete(slices.Clone(in.IDs), at, at+1)
			if lost {
				out = loseEnd(out, s, now)
			}
			if len(out[i].IDs) == 0 {
				out = slices.Delete(out, i, i+1)
			}
			return out
		case Launch:
			if in.Token != s.Token {
				continue
			}
		case EndWarm, Suspend, Resume, Point, Raise, RaiseMaxSize, LowerMaxSize, Copy, Make, SetDefault, StepRefresh:
		}
		if lost && (s.Kind == Launch || s.Kind == Raise || s.Kind == Suspend) {
			out[i].Lost, out[i].Since = true, now
			return out
		}
		return slices.Delete(out, i, i+1)
	}
	return out
}

// loseEnd puts an end whose answer was lost with the others of its kind: one
// intent each would be too large for a record.
func loseEnd(intents []Intent, s Step, now time.Time) []Intent {
	for i, in := range intents {
		if in.Kind == End && in.Lost && in.Dec == s.Decrement && in.Weight == s.booked() {
			intents[i].IDs = append(slices.Clone(in.IDs), s.Member)
			intents[i].Since = now // the latest counts
			return intents
		}
	}
	return append(intents, Intent{Kind: End, IDs: []string{s.Member}, Dec: s.Decrement, Weight: s.booked(), Lost: true, Since: now})
}

// settleFailure books a step that did not work, or not wholly.
func settleFailure(rec Record, mem Memory, s Step, r Result, now time.Time) (Record, Memory, Note) {
	mem.Stumbled = true
	refusal := *r.Failure
	refusal.Step = s.Kind
	f := &refusal
	note := Note{Warn: true, Text: fmt.Sprintf("could not %s: %s", s.Why, f.Text)}
	if s.Kind == Point {
		// Nothing may be launched in the belief that it worked: what is seen
		// counts until a write has worked.
		mem.PointDoubt = now
	}
	rec, mem = unsized(rec, mem, s, f.Kind, now)
	if s.Kind == Launch || s.Kind == Raise {
		rec, mem = launched(rec, mem, s, r, now)
	}
	if s.Kind.paced() {
		mem.LaunchError = f.Text
	}
	switch f.Kind {
	case Fatal:
		mem.Refused = f
	case Unsupported:
		rec, mem, note = doWithout(rec, mem, f, note)
	case Elsewhere:
		mem.BadZones[s.Zone] = now.Add(5 * time.Minute)
		mem = mem.backOff(now)
	case Again:
		if s.Kind.paced() {
			mem = mem.backOff(now)
		}
	case Gone:
		if s.Kind == End {
			note = Note{Text: s.Member + " was gone already"}
			mem.EndedAt[s.Member] = now
		} else {
			mem.Refused = f
		}
	case Lost:
		note.Warn = s.Kind != Resume && s.Kind != Copy && s.Kind != Make
		if s.Kind == Copy || s.Kind == Make {
			mem = mem.backOff(now)
		}
		rec.Unproven = rec.Unproven || s.Kind == Make
	}
	return rec, mem, note
}

// doWithout books a step that is not to be had here: two can be done without.
func doWithout(rec Record, mem Memory, f *Failure, note Note) (Record, Memory, Note) {
	switch {
	case f.Step == Launch:
		rec.Fallback = true
		note = Note{Text: "LaunchInstances cannot be used here (" + f.Text + "); desired capacity is raised instead"}
	case f.Step == Copy && rec.Previous.Alias == "": // else nothing but the copy names the image before
		mem.NoCopy, mem.LaunchError = f.Text, ""
	default:
		mem.Refused = f
	}
	return rec, mem, note
}

// resized books a write of max size that worked, and words it.
func resized(rec *Record, mem *Memory, s Step, now time.Time) string {
	if s.Kind == LowerMaxSize {
		rec.Headroom = nil
		return fmt.Sprintf("put max size back to %d", s.To)
	}
	mem.sized(now)
	return fmt.Sprintf("raised max size from %d to %d", s.From, s.To)
}

// unsized books a write of max size that failed. One whose answer was lost may
// have happened.
func unsized(rec Record, mem Memory, s Step, kind FailureKind, now time.Time) (Record, Memory) {
	h := rec.Headroom
	switch {
	case h == nil || s.Kind != RaiseMaxSize && s.Kind != LowerMaxSize:
	case kind == Lost:
		mem.MaxSizeLowered = mem.MaxSizeLowered || s.Kind == LowerMaxSize
		seen := mem.MaxSizeSeen && s.Kind == LowerMaxSize
		mem.sized(now)
		mem.MaxSizeSeen = seen
	case s.Kind == RaiseMaxSize && h.Before == h.Found:
		rec.Headroom = nil
	case s.Kind == RaiseMaxSize:
		rec.Headroom = &Headroom{Found: h.Found, Set: h.Before, Before: h.Before}
	}
	return rec, mem
}

// paced says whether steps of a kind wait ever longer after failures.
func (k StepKind) paced() bool {
	return k == Launch || k == Raise || k == RaiseMaxSize || k == Copy || k == Make
}

// backOff waits ever longer between failed launches: 5 s, 10 s, … 2 min.
func (m Memory) backOff(now time.Time) Memory {
	m.LaunchFails++
	m.LaunchAfter = now.Add(min(5*time.Second<<min(m.LaunchFails-1, 5), 2*time.Minute))
	return m
}
