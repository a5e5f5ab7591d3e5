package provider

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// amiSeen is what Read of a refit_ami_refresh saw, kept in private state for
// ModifyPlan. It must stay below 2 KB.
type amiSeen struct {
	// Image is the one to go for, with its name and date as in state.
	Image imageSeen `json:"image"`
	// Version is the one that has it; empty: one has to be made.
	Version string `json:"version,omitempty"`
	// Same are the versions that differ from the one in state by nothing but
	// the image, so that it makes no difference which of them is copied.
	Same   numbers `json:"same,omitempty"`
	Latest string  `json:"latest,omitempty"`
	// Followers names the groups that float over the template, where a version
	// has to be made.
	Followers string `json:"followers,omitempty"`
	// Holds is the image that the channel holds; empty: there is none.
	Holds string `json:"holds,omitempty"`
	// Kept says why the image in use is in quarantine, where it stays all the
	// same.
	Kept string `json:"kept,omitempty"`
	// None: no image of the source is acceptable.
	None bool `json:"none,omitempty"`
	// Caution is a sentence about the image to go for, where that is a new one.
	Caution string `json:"caution,omitempty"`
	// Root says why members would not start from the image to go for, where a
	// version with it has to be made.
	Root string `json:"root,omitempty"`
	// Warnings are sentences for the plan.
	Warnings []string `json:"warnings,omitempty"`
	// Window is how the window of the state was; nil: there is none.
	Window *windowSeen `json:"window,omitempty"`
}

type imageSeen struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	CreatedAt string `json:"at,omitempty"`
	// Source is the original, where images are copied; then an empty ID is that
	// of a copy that has to be made.
	Source string `json:"source,omitempty"`
}

// asPlanned is the snapshot by which a model is as it should be, until the next
// Read.
func (m amiRefreshModel) asPlanned() amiSeen {
	version := m.LaunchTemplateVersion.ValueString()
	return amiSeen{Image: m.seenAs(), Version: version, Latest: version, Same: numbers(version)}
}

// chosen is the image that was chosen of the source.
func (s imageSeen) chosen() string { return cmp.Or(s.Source, s.ID) }

// uncopied tells whether it is a copy that has to be made.
func (s imageSeen) uncopied() bool { return s.ID == "" && s.Source != "" }

// fit leaves out the least important sentences until the snapshot is small
// enough.
func (s *amiSeen) fit() {
	for {
		body, err := json.Marshal(s)
		switch {
		case err != nil || len(body) <= mostSeen: // remember says what does not encode
			return
		case s.Window != nil && s.Window.Finding != "":
			s.Window.Finding = ""
		case s.Caution != "":
			s.Caution = ""
		case len(s.Root) > leastWhy:
			s.Root = rollout.Clip(s.Root, leastWhy)
		case s.Kept != "" && len(s.Warnings) > 0:
			s.Kept = ""
		case len(s.Warnings) > 0:
			s.Warnings = s.Warnings[:len(s.Warnings)-1]
		case len(s.Followers) > 100:
			s.Followers = rollout.Clip(s.Followers, 100)
		case s.Window != nil && len(s.Window.Why) > 400:
			s.Window.Why = rollout.Clip(s.Window.Why, len(s.Window.Why)-50)
		default:
			return
		}
	}
}

// remarks are warnings about images that were passed over, and about one that
// was not, though it failed.
func (s *amiSeen) remarks(template string) (diags diag.Diagnostics) {
	if len(s.Warnings) > 0 {
		diags.AddWarning(fmt.Sprintf("Newest image not used in launch template %q", template), strings.Join(s.Warnings, "\n"))
	}
	if s.Kept != "" {
		diags.AddWarning(fmt.Sprintf("The image of launch template %q failed in a group and stays in use", template), lines{
			s.Kept,
			"It stays, because another group runs it, or another version with it has not failed. The group in which it failed is not rolled to it again.",
			"Publish a better image, or set retry of the roll that failed to a new text to try this one again.",
		}.String())
	}
	return diags
}

// mostWarning bounds one warning in private state, in bytes.
const mostWarning = 400

// planAMIRefresh plans an update from nothing but its arguments: prior state,
// the plan as Terraform proposes it, what Read saw (nil when nothing is known of
// that), and the time now.
func planAMIRefresh(prior, plan amiRefreshModel, seen *amiSeen, now time.Time) amiRefreshModel {
	if seen == nil {
		seen = &amiSeen{
			Image:   prior.seenAs(),
			Version: prior.LaunchTemplateVersion.ValueString(),
		}
	}
	if stay := pinnedTo(plan.Pin, now); stay != "" && stay == prior.chosen().ValueString() && !plan.Pin.Equal(prior.Pin) {
		// It is pinned where it is: whatever Read saw that is newer, it stays. Its
		// version does too, unless the one to copy from is another by now.
		here := *seen
		if seen.Image.chosen() != stay {
			here.Image = prior.seenAs()
			here.Version = ""
			if !plan.SourceVersion.IsNull() || seen.Same.has(seen.Latest) {
				here.Version = prior.LaunchTemplateVersion.ValueString()
			}
		}
		seen, prior.Pin = &here, plan.Pin
	}
	if plan.elsewhere(prior) {
		// What Read saw is of another template, source or target.
		plan.ImageID, plan.ImageName, plan.ImageCreatedAt = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
		plan.LaunchTemplateVersion, plan.SourceImageID = types.StringUnknown(), plan.original(types.StringUnknown())
		return plan
	}
	same := plan.SourceVersion.Equal(prior.SourceVersion)
	if !same && !plan.SourceVersion.IsUnknown() {
		number := plan.SourceVersion.ValueString()
		if plan.SourceVersion.IsNull() {
			number = seen.Latest
		}
		same = seen.Same.has(number)
		if same && !plan.SourceVersion.IsNull() && seen.Same.has(prior.SourceVersion.ValueString()) {
			// A version that Refit made itself, or one that says the same. To
			// plan it would show a change after every roll.
			plan.SourceVersion = prior.SourceVersion
		}
	}
	plan.aim(seen.Image)
	plan.LaunchTemplateVersion = types.StringUnknown()
	if same && seen.Version != "" {
		plan.LaunchTemplateVersion = types.StringValue(seen.Version)
	}
	return plan
}

// aim plans an image that Read saw. One of which a copy has to be made has no id
// yet.
func (m *amiRefreshModel) aim(at imageSeen) {
	m.ImageID, m.SourceImageID = types.StringValue(at.ID), m.original(types.StringValue(at.Source))
	if at.uncopied() {
		m.ImageID = types.StringUnknown()
	}
	m.ImageName, m.ImageCreatedAt = types.StringValue(at.Name), types.StringValue(at.CreatedAt)
}

// original is a value of source_image_id, which is null where images are not
// copied.
func (m amiRefreshModel) original(id types.String) types.String {
	if m.Copy.IsNull() || id.ValueString() == "" && !id.IsUnknown() {
		return types.StringNull()
	}
	return id
}

// elsewhere tells whether what Read saw is of another template, source or target.
func (m amiRefreshModel) elsewhere(prior amiRefreshModel) bool {
	return !m.LaunchTemplateID.Equal(prior.LaunchTemplateID) || !m.Source.Equal(prior.Source) || !m.Pin.Equal(prior.Pin) ||
		!sameCopying(m.Copy, prior.Copy) || !m.Target.Equal(prior.Target)
}

// hold plans the prior image and version where a planned one has to wait for
// the window. Without a prior source version the configured one goes on record.
func (m amiRefreshModel) hold(prior amiRefreshModel, seen *amiSeen) (amiRefreshModel, diag.Diagnostics) {
	if seen == nil || !m.LaunchTemplateID.Equal(prior.LaunchTemplateID) ||
		m.ImageID.Equal(prior.ImageID) && m.LaunchTemplateVersion.Equal(prior.LaunchTemplateVersion) {
		return m, nil
	}
	held, diags := m.meet(prior.timing, seen.Window)
	if held {
		m.stay(prior)
		m.LaunchTemplateVersion = prior.LaunchTemplateVersion
		if !prior.SourceVersion.IsNull() {
			m.SourceVersion = prior.SourceVersion
		}
	}
	return m, diags
}

// record fills in what making a version would have made known.
func (m *amiRefreshModel) record(prior amiRefreshModel) {
	for value, before := range map[*types.String]types.String{
		&m.ImageID: prior.ImageID, &m.ImageName: prior.ImageName, &m.ImageCreatedAt: prior.ImageCreatedAt, &m.SourceImageID: prior.SourceImageID,
	} {
		if value.IsUnknown() { // what was planned has to stay as planned until the next Read
			*value = before
		}
	}
	if m.LaunchTemplateVersion.IsUnknown() {
		m.LaunchTemplateVersion = prior.LaunchTemplateVersion
	}
}

// stay takes the image of a prior model.
func (m *amiRefreshModel) stay(prior amiRefreshModel) {
	m.ImageID, m.ImageName, m.ImageCreatedAt, m.SourceImageID = prior.ImageID, prior.ImageName, prior.ImageCreatedAt, prior.SourceImageID
}
