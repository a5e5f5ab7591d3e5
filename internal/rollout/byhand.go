package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// byHand gives the commands with which a person goes back to the version
// before the roll, where the roll could not or must not do it.
func (t *turn) byHand() string {
	back := t.rec.Previous.Number
	if t.rec.Copy != 0 {
		back = t.rec.Copy
	}
	if back == 0 || t.rec.Target.TemplateID == "" {
		return "Look at the group's members, and end those that fail."
	}
	text := "Look at the members that failed. "
	if t.pointer() == number(back) {
		text += "To go back by hand, "
	} else if t.snap.Group.Policy {
		text += fmt.Sprintf("To go back by hand, set the launch template version in the group's mixed instances policy to %d. Then, ", back)
	} else {
		text += fmt.Sprintf("To go back by hand, run: aws autoscaling update-auto-scaling-group --auto-scaling-group-name %q --launch-template LaunchTemplateId=%s,Version=%d. Then, ",
			t.snap.Group.Name, t.rec.Target.TemplateID, back)
	}
	var ids []string
	for _, m := range append(t.old(), t.fresh...) {
		if t.ofTarget(m) {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 {
		return text + "wait until EC2 Auto Scaling has launched the members that are missing."
	}
	return text + fmt.Sprintf("one at a time, for each of %s: aws autoscaling terminate-instance-in-auto-scaling-group --instance-id ID --no-should-decrement-desired-capacity.", few(ids))
}

// unwell lists the members that are not healthy, with what is wrong with them,
// three at most; empty: none, or it is not known.
func (t *turn) unwell() string {
	if !t.known {
		return ""
	}
	var out []string
	for _, m := range append(slices.Clone(t.fresh), t.old()...) {
		if why := t.sick(m); why != "" {
			out = append(out, m.ID+" of version "+number(m.Version.Number)+" "+why)
		}
	}
	if len(out) > 3 {
		out = append(out[:3], fmt.Sprintf("%d more are not healthy", len(out)-3))
	}
	return strings.Join(out, ", ")
}
