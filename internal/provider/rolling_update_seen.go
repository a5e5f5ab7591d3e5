package provider

import (
	"encoding/json"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// groupSeen is what Read of a refit_asg_rolling_update saw, kept in private
// state for ModifyPlan. It must stay below 2 KB, however large the group.
type groupSeen struct {
	// Target is the number of the version that the launch_template_version in
	// state means, and Image its image.
	Target int64  `json:"target,omitempty"`
	Image  string `json:"image,omitempty"`
	// Named says that the version names a parameter, and Image is what that holds.
	Named bool `json:"named,omitempty"`
	// Same are the versions that members of Target need not be replaced for.
	Same numbers `json:"same,omitempty"`
	// Latest, Default and Points are the numbers of the template's latest and
	// default versions, and of the one the group points at.
	Latest  int64 `json:"latest,omitempty"`
	Default int64 `json:"default,omitempty"`
	Points  int64 `json:"points,omitempty"`
	// Held are versions that are banned or in quarantine.
	Held []heldSeen `json:"held,omitempty"`
	// Converged: a roll to Target would do nothing.
	Converged bool `json:"converged,omitempty"`
	// Left are the members that a roll as in state leaves out.
	Left int `json:"left,omitempty"`

	Desired int        `json:"desired"` // by others
	Max     int        `json:"max"`
	Zones   []zoneSeen `json:"zones,omitempty"`
	// Protected are the stale members that are protected from scale-in, and the
	// others that are.
	Protected [2]int `json:"protected,omitzero"`
	// Standby are the members in standby that are stale, and all of them.
	Standby [2]int `json:"standby,omitzero"`
	// Weights are those of the group's instance types that matter, none where it has
	// none. Desired and Max are units of capacity then, and Units are those of the
	// stale and of the new members. Weighed is as in [rollout.Group].
	Weights []int  `json:"weights,omitempty"`
	Units   [2]int `json:"units,omitzero"`
	Weighed string `json:"weighed,omitempty"`
	Spot    bool   `json:"spot,omitempty"`    // asks for Spot Instances
	Targets bool   `json:"targets,omitempty"` // behind a load balancer
	From    string `json:"from,omitempty"`    // image that most members to replace run
	// Times are the seconds that launch, health and termination took lately.
	Times [3]int `json:"times,omitzero"`
	// Warmup is the group's default instance warmup, Slow the longest slow start of
	// its target groups and Drain their longest deregistration delay, in seconds.
	Warmup int `json:"warmup,omitempty"`
	Slow   int `json:"slow,omitempty"`
	Drain  int `json:"drain,omitempty"`
	// Missing says that the version in state does not exist.
	Missing string `json:"missing,omitempty"`
	// Problems keep this group from being rolled; Warnings are for the plan.
	Problems []string `json:"problems,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Window is how the window of the state was; nil: there is none.
	Window *windowSeen `json:"window,omitempty"`
}

// zoneSeen counts a zone's members.
type zoneSeen struct {
	Zone  string `json:"z"`
	Stale int    `json:"s,omitempty"`
	New   int    `json:"n,omitempty"`
}

type heldSeen struct {
	Versions numbers `json:"v"`
	Why      string  `json:"why"`
	Retry    string  `json:"retry,omitempty"` // text that does not lift it
	// Ban is the image whose ban it is, which no text lifts; empty: a quarantine.
	Ban string `json:"ban,omitempty"`
}

// leastWhy is what is left of a reason where there is no room for more, in bytes.
const leastWhy = 120

// mostSeen is the room for a snapshot, in bytes: 2 KB with some to spare.
const mostSeen = 2000

// fit leaves out the least important sentences until the snapshot is small
// enough: warnings, then all but the first of the others, then the end of that.
func (s *groupSeen) fit() {
	size := func() int {
		body, err := json.Marshal(s)
		if err != nil {
			return 0 // remember will say so
		}
		return len(body)
	}
	for size() > mostSeen {
		switch {
		case len(s.Warnings) > 0:
			s.Warnings = s.Warnings[:len(s.Warnings)-1]
		case len(s.Problems) > 1:
			s.Problems = s.Problems[:1]
		case len(s.Held) > 1:
			s.Held = s.Held[:len(s.Held)-1]
		case len(s.Held) > 0 && len(s.Held[0].Why) > leastWhy:
			s.Held[0].Why = rollout.Clip(s.Held[0].Why, leastWhy)
		case s.Window != nil && s.Window.Finding != "":
			s.Window.Finding = ""
		case s.Window != nil && len(s.Window.Why) > 400:
			s.Window.Why = rollout.Clip(s.Window.Why, len(s.Window.Why)-50)
		case len(s.Problems) > 0 && len(s.Problems[0]) > 200:
			s.Problems[0] = rollout.Clip(s.Problems[0], 200)
		case len(s.Missing) > 150:
			s.Missing = rollout.Clip(s.Missing, 150)
		case s.Window != nil && len(s.Window.Why) > 250:
			s.Window.Why = rollout.Clip(s.Window.Why, 250)
		case s.Window != nil && s.Window.Length > 0:
			s.Window.Length, s.Window.Brief = 0, ""
		default:
			return
		}
	}
}

// number is the number a version text means, empty when it cannot be told.
func (s *groupSeen) number(version types.String) string {
	n := int64(0)
	switch v := version.ValueString(); {
	case version.IsUnknown():
	case version.IsNull():
		n = s.Points
	case v == "$Latest":
		n = s.Latest
	case v == "$Default":
		n = s.Default
	default:
		return v
	}
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// held finds what keeps a version from being rolled to; the zero value: nothing.
func (s *groupSeen) held(m rollingUpdateModel) heldSeen {
	number, retry := s.number(m.LaunchTemplateVersion), m.Retry
	if s.Named && s.Same.has(number) && !m.ImageID.IsUnknown() && !m.ImageID.IsNull() && m.ImageID.ValueString() != s.Image {
		// The parameter will have been moved by then, and it is not the number that
		// is held back.
		return heldSeen{}
	}
	for _, h := range s.Held {
		if h.Versions.has(number) && (h.Ban != "" || retry.ValueString() == "" || retry.ValueString() == h.Retry) {
			return h
		}
	}
	return heldSeen{}
}

// cure is what to do about a version that is held back.
func (h heldSeen) cure() string {
	if h.Ban != "" {
		return image.Ban{Image: h.Ban}.Cure()
	}
	return image.Quarantine{}.Cure()
}

// runs says whether most members that do not run what the parameter of the
// version in state means now run imageID, another image: that one was rolled
// back, or moved by others, and a roll to imageID need not replace them.
func (s *groupSeen) runs(imageID types.String) bool {
	return s.strayed() && imageID.ValueString() == s.From
}

// strayed says whether most members to replace run another image than the
// parameter of the version in state means.
func (s *groupSeen) strayed() bool {
	return s.Named && s.From != "" && s.From != s.Image
}
