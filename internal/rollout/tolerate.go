package rollout

import (
	"fmt"
	"slices"
)

// failed is a new member that failed, and how. It may be gone already.
type failed struct{ id, text string }

// tolerated books the new members that failed since the last look, and says
// whether the roll may go on: with a limit of 3, after the first and the
// second, but not after the third. When an owner dies between booking a failure
// and ending the member, its successor may book it once more, which stops the
// roll early rather than late.
func (t *turn) tolerated() bool {
	var news []failed
	for _, f := range t.failures {
		if !t.mem.Failed[f.id] {
			t.mem.Failed[f.id] = true
			news = append(news, f)
		}
	}
	t.rec.Failed += len(news)
	if t.rec.Failed >= t.spec.FailureLimit {
		return false
	}
	for i, f := range news {
		t.rec.Reason = Clip(f.text, longestReason)
		n := t.rec.Failed - len(news) + 1 + i
		t.out.Notes = append(t.out.Notes, Note{Warn: true, Text: fmt.Sprintf("%s; it is replaced (failure %d, failure_limit is %d)", f.text, n, t.spec.FailureLimit)})
	}
	if len(news) > 0 {
		// The one that takes its place gets a time of its own, and the end of the
		// roll is as far as before.
		t.mem.Progress = t.now
		t.rec.Restoring = false
	}
	for _, f := range t.failures {
		if !slices.ContainsFunc(t.fresh, func(m Member) bool { return m.ID == f.id }) {
			t.forget(f.id) // AWS has replaced it
		}
	}
	return true
}

// replacing says whether AWS replaces a member by itself, or is about to. It is
// never ended with decrement: when the replacement is there already, that would
// leave one too many, for which AWS would pick a healthy victim.
func (t *turn) replacing(m Member) bool {
	_, suspended := t.snap.Group.Suspended["ReplaceUnhealthy"]
	return m.State == InService && !m.Healthy && !suspended
}

// replaceFailed ends failed new members that the roll tolerates, always for
// replacement and never with decrement; see [turn.replacing].
func (t *turn) replaceFailed() {
	running := t.soon()
	for _, f := range t.failures {
		i := slices.IndexFunc(t.fresh, func(m Member) bool { return m.ID == f.id })
		if i < 0 || t.inFlight()+t.deciding(End) >= t.mostEnds() || running+t.replacement(t.fresh[i].weight()) > t.lim.Running || !t.calm() || t.uneven() && t.deciding(End) > 0 {
			continue // gone already, or once others have gone
		}
		running += t.replacement(t.fresh[i].weight())
		t.expose()
		t.step(Step{
			Kind: End, Member: f.id, Zone: t.fresh[i].Zone,
			Why: fmt.Sprintf("end %s, which failed, so that another one of version %d takes its place", f.id, t.goal.Number),
		})
		t.terminating += t.fresh[i].weight()
		t.fresh = slices.Delete(t.fresh, i, i+1)
	}
}

// replaced tells of the failures that a roll got over, empty when there were
// none.
func (t *turn) replaced() string {
	if t.rec.Failed == 0 {
		return ""
	}
	what := "new members failed and were replaced"
	if t.rec.Failed == 1 {
		what = "new member failed and was replaced"
	}
	text := fmt.Sprintf("%d %s (failure_limit is %d)", t.rec.Failed, what, t.spec.FailureLimit)
	if t.rec.Reason != "" {
		text += "; the last one: " + t.rec.Reason
	}
	return Clip(text, longestReason)
}
