package provider

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var owner = regexp.MustCompile(`^(\d{12}|self|amazon|aws-marketplace|aws-backup-vault)$`)

func amiRefreshSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Finds the newest acceptable machine image and keeps a launch template version of it: a copy of a source version in " +
			"which only the image differs. Each new version is read back and compared with its source, field by field; one that differs in " +
			"anything else is withdrawn. Nothing of the template's other versions, its default or any group is changed.\n\n" +
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
				Required:            true,
				MarkdownDescription: "Which images to choose the newest of. At least one of `name` and `filters` is needed.",
				Attributes: map[string]schema.Attribute{
					"owners": schema.SetAttribute{
						Required: true, ElementType: types.StringType,
						MarkdownDescription: "Owners of the images: account ids, `self`, `amazon`, `aws-marketplace` or `aws-backup-vault`. " +
							"Required, so that nobody else's image of a matching name is ever taken.",
						Validators: []validator.Set{
							setvalidator.SizeAtLeast(1),
							setvalidator.ValueStringsAre(stringvalidator.RegexMatches(owner,
								`must be an account id of 12 digits, "self", "amazon", "aws-marketplace" or "aws-backup-vault"; `+
									`any owner ("*") would take whatever anybody in the world publishes under a matching name`)),
						},
					},
					"name": schema.StringAttribute{
						Optional:            true,
						MarkdownDescription: "Name of the images; `*` stands for any text and `?` for one character.",
						Validators:          []validator.String{stringvalidator.LengthBetween(1, 255)},
					},
					"filters": schema.MapAttribute{
						Optional: true, ElementType: types.ListType{ElemType: types.StringType},
						MarkdownDescription: "Filters of EC2's [DescribeImages](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html), " +
							"each with the values that pass, such as `{ architecture = [\"x86_64\"], \"tag:Stage\" = [\"golden\"] }`.",
						Validators: []validator.Map{mapvalidator.SizeAtLeast(1), mapvalidator.ValueListsAre(listvalidator.SizeAtLeast(1))},
					},
				},
			},
			"image_id":         computed("Id of the image. Known at plan, once the resource exists."),
			"image_name":       computed("Name of the image."),
			"image_created_at": computed("When the image was made, in RFC 3339."),
			"launch_template_version": computed("Number of the launch template version with the image. Unknown at plan when a version has to be " +
				"made."),
		},
	}
}

func computed(description string) schema.StringAttribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}
