package provider

import "github.com/hashicorp/terraform-plugin-framework/types"

// toVersion is the number that a roll leads to, empty where it cannot be told or
// the roll makes the version.
func (s survey) toVersion(version types.String) string {
	if !s.assessment.Target.Made() {
		return ""
	}
	return s.seen.number(version)
}
