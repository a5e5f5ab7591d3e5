package provider

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// afterRoll is the one value of set_default.
const afterRoll = "after_roll"

func setDefaultAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Validators: []validator.String{stringvalidator.OneOf(afterRoll)},
		MarkdownDescription: "`after_roll` makes the version that was rolled to the launch template's default version, once every member runs it and the " +
			"final bake is over. A roll that fails leaves the default where it was. One that somebody else has moved meanwhile stays where they put it, " +
			"and a warning says so. Default: the default version is moved for a group on `$Default` only. A change alone rolls and moves nothing.",
	}
}
