package provider

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

var (
	owner         = regexp.MustCompile(`^(\d{12}|self|amazon|aws-marketplace|aws-backup-vault)$`)
	parameterName = regexp.MustCompile(`^(arn:[a-z-]+:ssm:[a-z0-9-]+:\d*:parameter)?/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*(:\d+)?$`)
)

// sourceAttributes say which images to choose from. Data sources take them too.
func sourceAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"owners": schema.SetAttribute{
			Required: true, ElementType: types.StringType,
			MarkdownDescription: "Owners of the images: account ids, `self`, `amazon` (Amazon and the providers that AWS has verified), " +
				"`aws-marketplace` or `aws-backup-vault`. Required, so that nobody else's image of a matching name is ever taken. It is also " +
				"checked on what AWS answers, whichever kind of source it is: an image of another owner is refused.",
			Validators: []validator.Set{
				setvalidator.SizeAtLeast(1),
				setvalidator.ValueStringsAre(stringvalidator.RegexMatches(owner,
					`must be an account id of 12 digits, "self", "amazon", "aws-marketplace" or "aws-backup-vault"; `+
						`any owner ("*") would take whatever anybody in the world publishes under a matching name`)),
			},
		},
		"name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Name of the images; `*` stands for any text and `?` for one character. AWS evaluates it.",
			Validators:          []validator.String{stringvalidator.LengthBetween(1, 255)},
		},
		"name_regex": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Regular expression ([RE2](https://github.com/google/re2/wiki/Syntax)) that the name must match somewhere, evaluated by Refit on " +
				"what AWS found by `name`, `tags` and `filters`, of which at least one is needed. Default: any name.",
			Validators: []validator.String{regexValidator{}},
		},
		"tags": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Tags that the images must have, each with its value; `*` and `?` in a value stand for any text and for one character. AWS " +
				"shows tags of an image to its owner only, so this finds nothing of other accounts.",
			Validators: []validator.Map{mapvalidator.SizeAtLeast(1)},
		},
		"filters": schema.MapAttribute{
			Optional: true, ElementType: types.ListType{ElemType: types.StringType},
			MarkdownDescription: "Filters of EC2's [DescribeImages](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html), " +
				"each with the values that pass, such as `{ architecture = [\"x86_64\"] }`.",
			Validators: []validator.Map{mapvalidator.SizeAtLeast(1), mapvalidator.ValueListsAre(listvalidator.SizeAtLeast(1))},
		},
		"ssm_parameter": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Name or ARN of a parameter of Systems Manager that holds the id of the image, such as `/golden/web/stable`, or one of AWS's, such as " +
				"`/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64`. What a parameter below `/aws/service/` names must be an image of Amazon " +
				"or of a provider that AWS has verified.",
			Validators: []validator.String{stringvalidator.RegexMatches(parameterName,
				`must be the name of a parameter, such as "/golden/web/stable", or its ARN`)},
		},
		"image_id": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Id of the image (`ami-…`), for whoever chooses it elsewhere.",
			Validators:          []validator.String{imageIDValidator{}},
		},
		"sort": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "What makes one image newer than another. Default: the date of creation.",
			Attributes: map[string]schema.Attribute{
				"by": schema.StringAttribute{
					Required:            true,
					MarkdownDescription: "`created`, or `version` for numbers in the name, which `pattern` captures.",
					Validators:          []validator.String{stringvalidator.OneOf("created", "version")},
				},
				"pattern": schema.StringAttribute{
					Optional: true,
					MarkdownDescription: "Regular expression whose groups capture the numbers of a version from the name, the first of which counts most, such as " +
						"`-v([0-9]+)\\.([0-9]+)$`. A group may hold several, as in `1.10.2`. Numbers are compared as numbers. An image whose name has no version is not acceptable. " +
						"Required with `version`, and not taken without.",
					Validators: []validator.String{regexValidator{captures: true}},
				},
			},
		},
		"min_age": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How old an image must be, such as `3d` or `36h`, so that others find its faults first. The image of the template's latest " +
				"version does not have to wait again. Default: any age.",
			Validators: []validator.String{ageValidator{}},
		},
		"max_age": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How old an image may be, such as `90d`. Where none is young enough, what is in use stays, with a warning. " +
				"Default: any age.",
			Validators: []validator.String{ageValidator{}},
		},
		"exclude": schema.SetAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Ids and names of images that are never taken; in names `*` stands for any text and `?` for one character. " +
				"To keep an image from everybody, use `refit_image_quarantine`.",
			Validators: []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.ValueStringsAre(stringvalidator.LengthBetween(1, 255))},
		},
	}
}
