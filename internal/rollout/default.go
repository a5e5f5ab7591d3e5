package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// restore gives back our suspensions and max size, moves the template's default
// version where the roll is to, and gives back the text of the pointer, in that
// order.
func (t *turn) restore() {
	t.resume()
	t.keepMaxSize()
	t.lowerMaxSize()
	if floating(t.rec.Pointer) && t.pointer() == t.rec.Pointer && !t.spec.SetDefault {
		return
	}
	t.moveDefault()
	t.givePointer()
}

// onDefault says whether the group was found following the default version.
func (t *turn) onDefault() bool { return t.rec.Pointer == "$Default" }

// moveDefault makes the goal the default version: of a group that follows the
// default, or where the spec asks for it. It comes before the text of the pointer:
// the other way round, launches in between would come from the old default.
func (t *turn) moveDefault() {
	at, to := t.defaultNow(), t.defaultGoal()
	if to == 0 || at == to {
		return
	}
	if t.defaultTaken(at, to) {
		t.leave("default", fmt.Sprintf("the launch template's default version was moved from %d to %d by somebody else, and stays there", t.rec.Default, at))
		return
	}
	t.out.Look.Versions = true
	t.step(Step{Kind: SetDefault, Version: number(to), Template: t.goal.TemplateID, Why: "make version " + number(to) + " the default"})
}

// defaultNow is the number of the default version as far as we know: what we
// set last, until an observation is late enough to be believed.
func (t *turn) defaultNow() int64 {
	if t.rec.Defaulted != 0 && t.now.Sub(t.mem.DefaultedAt) < settle {
		return t.rec.Defaulted
	}
	return t.snap.Group.Default
}

// defaultGoal is the number that the default version is to have at the end of
// the roll; 0: it stays where it is. A rollback moves it only where it is on what
// has failed: to the copy for a group that follows it, else back to what was found.
func (t *turn) defaultGoal() int64 {
	broken := t.defaultNow() == t.rec.Target.Number
	switch {
	case t.rec.Direction != Back && (t.onDefault() || t.spec.SetDefault), t.onDefault() && broken:
		return t.goal.Number
	case t.rec.Direction == Back && broken && t.rec.Defaulted == t.rec.Target.Number:
		return t.rec.Default
	}
	return 0
}

// defaultTaken says whether somebody else has moved the default version during
// the roll. One that is on the target of a group which follows it was moved too
// early, whoever did it.
func (t *turn) defaultTaken(at, to int64) bool {
	return t.rec.Default != 0 && !slices.Contains([]int64{t.rec.Default, t.rec.Defaulted, t.rec.Target.Number, to}, at)
}

// givePointer gives back the text of the pointer where it means the goal.
func (t *turn) givePointer() {
	text, g := t.rec.Pointer, t.snap.Group
	if !floating(text) || t.pointer() == text {
		return
	}
	means := g.Latest != 0 && (g.Latest == t.goal.Number || t.spec.same(g.LatestIs, t.goal) && g.LatestIs.TemplateID == t.goal.TemplateID)
	if t.onDefault() {
		means = g.DefaultIs.Number != 0 && t.spec.same(g.DefaultIs, t.goal) || t.defaultNow() == t.goal.Number || t.deciding(SetDefault) > 0
	}
	if !means {
		t.leave("pointer", fmt.Sprintf("the group pointed at %s, which is not version %d; it stays on the number", text, t.goal.Number))
		return
	}
	t.step(Step{Kind: Point, Version: text, Why: "point the group at " + text + " again"})
}

// leave tells people what the roll leaves other than it would have had it.
func (t *turn) leave(key, text string) {
	t.warnOnce(key, "%s", text)
	t.unrestored = append(t.unrestored, text)
}

// remarks are what there is to tell of a roll that did what it was to: parts,
// those of them that are not empty, and what it left.
func (t *turn) remarks(parts ...string) string {
	all := slices.DeleteFunc(slices.Concat(parts, t.unrestored), func(s string) bool { return s == "" })
	return Clip(strings.Join(all, "; "), longestReason)
}

// needsVersions says whether the end of the roll depends on what the template's
// newest and default versions are.
func (t *turn) needsVersions() bool {
	return floating(t.rec.Pointer) || t.spec.SetDefault || t.rec.Defaulted != 0
}

// unseenVersions asks for them where this look has not got them.
func (t *turn) unseenVersions() bool {
	if g := t.snap.Group; !t.needsVersions() || g.Latest+g.Default != 0 {
		return false
	}
	t.out.Look.Versions = true
	t.wake(t.now)
	return true
}
