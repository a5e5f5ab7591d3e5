package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/types"
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
	// Warnings are sentences for the plan.
	Warnings []string `json:"warnings,omitempty"`
}

type imageSeen struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	CreatedAt string `json:"at,omitempty"`
}

// mostWarning bounds one warning in private state, in bytes.
const mostWarning = 400

// planAMIRefresh plans an update from nothing but its arguments: prior state,
// the plan as Terraform proposes it, and what Read saw (nil when nothing is
// known of that).
func planAMIRefresh(prior, plan amiRefreshModel, seen *amiSeen) amiRefreshModel {
	if seen == nil {
		seen = &amiSeen{
			Image:   imageSeen{prior.ImageID.ValueString(), prior.ImageName.ValueString(), prior.ImageCreatedAt.ValueString()},
			Version: prior.LaunchTemplateVersion.ValueString(),
		}
	}
	if !plan.LaunchTemplateID.Equal(prior.LaunchTemplateID) || !plan.Source.Equal(prior.Source) {
		// What Read saw is of another template or source.
		plan.ImageID, plan.ImageName, plan.ImageCreatedAt = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
		plan.LaunchTemplateVersion = types.StringUnknown()
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
	plan.ImageID = types.StringValue(seen.Image.ID)
	plan.ImageName = types.StringValue(seen.Image.Name)
	plan.ImageCreatedAt = types.StringValue(seen.Image.CreatedAt)
	plan.LaunchTemplateVersion = types.StringUnknown()
	if same && seen.Version != "" {
		plan.LaunchTemplateVersion = types.StringValue(seen.Version)
	}
	return plan
}
