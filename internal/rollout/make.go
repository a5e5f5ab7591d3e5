package rollout

import (
	"fmt"
	"strings"
	"time"
)

// A group on $Latest launches from a version as soon as it is there. So a roll of
// such a group that is to bring a new image makes the version itself: it pins the
// group to a number, sees that it is pinned and that no other group follows the
// newest version, and only then makes it. The text comes back at the end.

// Makes says whether a roll to what text means makes a version of its own: it is
// to have an image, and text is $Latest, which means newest now, that has another.
// Of a version that names a parameter in place of an image none is made.
func Makes(text, imageID string, newest Version) bool {
	return text == "$Latest" && imageID != "" && newest.Image != imageID && newest.Alias == "" && newest.Number != 0
}

// Made says whether the version exists.
func (v Version) Made() bool { return v.Number != 0 || v.Source == 0 }

// othersPin is how long a roll waits for other groups on $Latest to be pinned,
// by rolls of their own that begin in the same apply.
const othersPin = 2 * time.Minute

// making brings the target's version into being where it does not exist yet, and
// reports whether it is still at that: then nothing else is to be decided.
func (t *turn) making() bool {
	if t.rec.Target.Made() || t.rec.Direction == Back {
		return false
	}
	switch at := t.pointer(); {
	case at == "" || floating(at):
		t.step(Step{Kind: Point, Version: number(t.rec.Pinned), Why: fmt.Sprintf("pin the group to version %d before a newer one is made", t.rec.Pinned)})
		t.out.Look.Followers = true
		t.wake(t.now) // and look at the result
	case floating(t.snap.Group.Pointer):
		t.wake(t.now.Add(t.spec.Poll)) // AWS may not go by the number yet
	case !t.snap.FollowersSeen:
		t.out.Look.Followers = true
		t.wake(t.now)
	case t.followed():
	case t.now.Before(t.mem.LaunchAfter):
		t.wake(t.mem.LaunchAfter)
	default:
		to := t.rec.Target
		t.step(Step{
			Kind: Make, Template: to.TemplateID, Source: to.Source, Image: to.Image,
			// The same for every roll of the template: two groups get one version.
			Token: fmt.Sprintf("refit-make-%s-%d-%s", to.TemplateID, to.Source, to.Image),
			Why:   fmt.Sprintf("make a version with image %s, a copy of version %d", to.Image, to.Source),
		})
	}
	return true
}

// makingFirst is [turn.making] before an instance refresh, once no alarm holds it up.
func (t *turn) makingFirst() bool {
	return !t.rec.Target.Made() && (t.waitHeld() || t.making())
}

// followed waits while other groups follow the newest version, and ends the roll
// when they do not stop.
func (t *turn) followed() bool {
	var names []string
	for _, f := range t.snap.Followers {
		if f.onLatest() {
			names = append(names, f.Group+" ("+f.Pointer+")")
		}
	}
	if len(names) == 0 {
		return false
	}
	if t.mem.FollowedSince.IsZero() {
		t.mem.FollowedSince = t.now
		t.note("waiting for other groups that follow the newest version to be put on a number: %s", few(names))
	}
	if t.now.Sub(t.mem.FollowedSince) < othersPin {
		t.out.Look.Followers = true
		t.wake(t.now.Add(2 * t.spec.Poll))
		return true
	}
	e := Ending{
		Outcome: FailedRoll,
		Reason:  "other groups follow the newest version of the launch template and would launch from the new one before anything has tested it: " + few(names),
		Next: `Give each of them the number of a version, or a launch template of its own, or roll it in the same apply with launch_template_version = "$Latest" ` +
			"and the same image_id. Then run terraform apply again.",
	}
	t.rec.Reason = Clip(e.Reason, longestReason)
	t.safePoint(e)
	return true
}

// Held says why a version of a template must not be made outside a roll: the
// groups, of those that follow the template, that would launch from it at once.
// Empty: it may be made.
func Held(all []Follower) []string {
	var out []string
	for _, f := range all {
		if f.onLatest() {
			out = append(out, fmt.Sprintf("%s (%s)", f.Group, f.Pointer))
		}
	}
	return out
}

// onLatest says whether the newest version is what a group follows.
func (f Follower) onLatest() bool { return strings.HasPrefix(f.Pointer, "$Latest") }

// unmade says whether the version to roll to does not exist, and $Latest still
// means what it meant before.
func (t *turn) unmade() bool { return !t.rec.Target.Made() && !t.rec.Unproven }

// goalText is the goal for people.
func (t *turn) goalText() string {
	if t.goal.Made() {
		return "version " + number(t.goal.Number)
	}
	if t.rec.Unproven {
		return "the version to roll to, of which it is not known whether it was made"
	}
	return "the version to roll to, which was not made"
}
