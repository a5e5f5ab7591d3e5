package provider

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

func amiRefreshSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Finds the newest acceptable machine image and keeps a launch template version of it: a copy of a source version in " +
			"which only the image differs. Each new version is read back and compared with its source, field by field; one that differs in " +
			"anything else is withdrawn. Nothing of the template's other versions, its default or any group is changed.\n\n" +
			"Where a group follows the template by `$Latest`, no version is made: the group would launch from it before a roll has tested it. The roll of the group " +
			"makes it then, and the next refresh takes it up; see the guide \"Stacks\".\n\n" +
			"An image that was rolled back on this template is passed over until a newer one appears or its quarantine ends, and so is one " +
			"that a `refit_image_quarantine` bans. A ban of the image in use leads back to the newest acceptable one that the template has a version of.",
		Attributes: map[string]schema.Attribute{
			"launch_template_id": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Id of the launch template (`lt-…`). A change replaces the resource.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
				Validators: []validator.String{stringvalidator.RegexMatches(
					regexp.MustCompile(`^lt-[0-9a-f]+$`), `must be the id of a launch template, such as "lt-0123456789abcdef0" (not its name)`)},
			},
			"source_version": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Number of the version to copy everything but the image from, usually `aws_launch_template.….latest_version`. " +
					"Default: the latest version. A version that differs in the image only, such as one that Refit made, is no change.",
				Validators: []validator.String{stringvalidator.RegexMatches(
					regexp.MustCompile(`^[1-9][0-9]*$`), `must be the number of a version, such as 3 (leave it out for the latest)`)},
			},
			"source": schema.SingleNestedAttribute{
				Required: true,
				MarkdownDescription: "Which images to choose the newest of, and what makes one acceptable. Either a search (`name`, `tags`, `filters`), " +
					"`ssm_parameter` or `image_id`. A change of it makes the image unknown at plan; a warning then says what it will be.",
				Attributes: sourceAttributes(),
			},
			"target": targetAttribute(),
			"pin": schema.SingleNestedAttribute{
				Optional: true,
				MarkdownDescription: "Stays at one image, or goes back to it, whatever else the source finds. Conditions on age and name, `exclude` and deprecation do not count " +
					"for it; whose it is and whether it can run do. A ban ends a pin. Default: none.",
				Attributes: map[string]schema.Attribute{
					"image_id": schema.StringAttribute{
						Required: true,
						MarkdownDescription: "Id of the image (`ami-…`). If it is the one in use, nothing else changes; if not, it is taken up as any other is. " +
							"With `copy`, the id of the original, as in `source_image_id`.",
						Validators: []validator.String{imageIDValidator{}},
					},
					"reason": schema.StringAttribute{
						Required:            true,
						MarkdownDescription: fmt.Sprintf("Why, for people: 1 to %d bytes.", mostReason),
						Validators:          []validator.String{reasonValidator{}},
					},
					"until": schema.StringAttribute{
						Optional: true,
						MarkdownDescription: "When the pin ends by itself, in RFC 3339, such as `2027-01-31T18:00:00Z`. From then on it is as if it were not there. " +
							"Default: never.",
						PlanModifiers: []planmodifier.String{sameInstant{}},
						Validators:    []validator.String{instantValidator{}},
					},
				},
			},
			"copy": copyAttribute(),
			"explain": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether each plan has a warning with the newest candidates, which of them is chosen, and which condition removed each of the " +
					"others. Where nothing is acceptable, the plan has it anyhow. Default: `false`. A change of it changes nothing else.",
			},
			"schedule":         scheduleAttribute("Default: no schedule, so that an apply takes up a new image at any time."),
			"environment":      environmentAttribute("Required with `schedule`."),
			"windows":          windowsAttribute(),
			"outside_window":   outsideAttribute("takes up an image", "It counts with `schedule` or `windows` only."),
			"max_wait":         maxWaitAttribute(),
			"keep_versions":    keepAttribute(),
			"notify":           notifyAttribute(),
			"notified":         notifiedAttribute(),
			"image_id":         computed("Id of the image. Known at plan, once the resource exists, unless a copy has to be made."),
			"image_name":       computed("Name of the image."),
			"image_created_at": computed("When the image was made, in RFC 3339; with `copy`, the original."),
			"source_image_id":  computed("With `copy`, id of the image that `image_id` is a copy of. Null without."),
			"launch_template_version": computed("Number of the launch template version with the image; of the newest version while one is left to the roll of a group on `$Latest`. " +
				"Unknown at plan when a version has to be made."),
		},
	}
}

func computed(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}
