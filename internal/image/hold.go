package image

import (
	"fmt"
	"strings"
)

// Follower is a group that launches from whatever a floating text means then.
type Follower struct{ Group, Pointer string }

// Held says why a version of a template must not be made outside a roll: the
// groups, of those that follow the template, that would launch from it at once.
// Empty: it may be made.
func Held(all []Follower) []string {
	var out []string
	for _, f := range all {
		if strings.HasPrefix(f.Pointer, "$Latest") {
			out = append(out, fmt.Sprintf("%s (%s)", f.Group, f.Pointer))
		}
	}
	return out
}
