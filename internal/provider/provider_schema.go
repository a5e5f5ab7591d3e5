package provider

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// services are those that Refit calls, as AWS_ENDPOINT_URL_… and the
// endpoints attribute name them.
var services = []string{"arczonalshift", "autoscaling", "cloudwatch", "ec2", "elasticloadbalancing", "eventbridge", "kms", "lambda", "s3", "servicequotas", "sns", "ssm", "sts"}

func providerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Refit keeps EC2 Auto Scaling groups on the newest machine image. Credentials, region and endpoints are found " +
			"as in the `hashicorp/aws` provider, and only when they are first needed.",
		Attributes: map[string]schema.Attribute{
			"region": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "AWS region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, or the region of the profile.",
			},
			"profile": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Profile in the shared configuration and credentials files. Default: `AWS_PROFILE`.",
			},
			"access_key": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Access key id. Default: `AWS_ACCESS_KEY_ID`. Prefer a profile or a role.",
			},
			"secret_key": schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "Secret access key. Default: `AWS_SECRET_ACCESS_KEY`.",
			},
			"token": schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "Session token of temporary credentials. Default: `AWS_SESSION_TOKEN`.",
			},
			"shared_config_files": schema.ListAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Paths of shared configuration files. Default: `AWS_CONFIG_FILE`, or `~/.aws/config`.",
			},
			"shared_credentials_files": schema.ListAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Paths of shared credentials files. Default: `AWS_SHARED_CREDENTIALS_FILE`, or `~/.aws/credentials`.",
			},
			"assume_role": assumeRoleSchema(),
			"max_retries": schema.Int64Attribute{
				Optional: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
				MarkdownDescription: "How many times one AWS call is tried before it counts as failed. Default: `AWS_MAX_ATTEMPTS`, or 25, which " +
					"outlasts several minutes of throttling. Calls that must not happen twice are never repeated, whatever is set here.",
			},
			"retry_mode": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.OneOf("standard", "adaptive")},
				MarkdownDescription: "`standard` or `adaptive`. Default: `AWS_RETRY_MODE`, or `standard`.",
			},
			"skip_metadata_api_check": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Do not ask the EC2 metadata service for credentials. Saves seconds on machines outside of EC2. " +
					"Default: `AWS_EC2_METADATA_DISABLED`, or `false`.",
			},
			"endpoints": endpointsSchema(),
			"journal":   journalSchema(),
			"poll_interval": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{positive: true}},
				MarkdownDescription: "The shortest pause between two observations of a roll, a duration such as `5s`. Default: `5s`. " +
					"Refit looks when something is due, not on this beat.",
			},
		},
	}
}

func assumeRoleSchema() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "Role to act in, with the credentials found as above.",
		Attributes: map[string]schema.Attribute{
			"role_arn": schema.StringAttribute{
				Required: true, MarkdownDescription: "ARN of the role.",
				Validators: []validator.String{stringvalidator.RegexMatches(regexp.MustCompile(`^arn:[^:]+:iam::\d{12}:role/`), `must be the ARN of a role, such as "arn:aws:iam::123456789012:role/refit"`)},
			},
			"session_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Name of the session, shown in CloudTrail."},
			"external_id":  schema.StringAttribute{Optional: true, MarkdownDescription: "External id that the role's trust policy asks for."},
			"duration": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{positive: true}},
				MarkdownDescription: "How long the role's credentials are valid, such as `1h`, at most 12 hours. Default: `1h`; Refit renews them.",
			},
			"policy":          schema.StringAttribute{Optional: true, MarkdownDescription: "JSON policy that narrows what the session may do."},
			"source_identity": schema.StringAttribute{Optional: true, MarkdownDescription: "Source identity, kept through chained roles."},
			"policy_arns": schema.ListAttribute{
				Optional: true, ElementType: types.StringType, MarkdownDescription: "ARNs of policies that narrow what the session may do.",
			},
			"tags": schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Session tags."},
			"transitive_tag_keys": schema.ListAttribute{
				Optional: true, ElementType: types.StringType, MarkdownDescription: "Keys of session tags that chained roles keep.",
			},
		},
	}
}

func endpointsSchema() schema.Attribute {
	attributes := map[string]schema.Attribute{}
	for _, name := range services {
		attributes[name] = schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Base URL of `" + name + "`.",
			Validators: []validator.String{stringvalidator.RegexMatches(
				regexp.MustCompile(`^https?://[^/]`), `must be a URL with a scheme, such as "http://127.0.0.1:4566"`)},
		}
	}
	return schema.SingleNestedAttribute{
		Optional: true, Attributes: attributes,
		MarkdownDescription: "Base URLs of services, for VPC endpoints and simulators. Default: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, " +
			"or AWS's own.",
	}
}

func journalSchema() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Where the durable record of rolls is kept. Default: SSM parameters under `/refit`. Everybody who rolls the same groups " +
			"must use the same journal: it is what keeps two rolls of one group apart.",
		Attributes: map[string]schema.Attribute{
			"prefix": schema.StringAttribute{
				Optional: true,
				Validators: []validator.String{
					stringvalidator.LengthAtMost(128),
					stringvalidator.RegexMatches(regexp.MustCompile(`^/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*/?$`),
						`must be a path of letters, digits, ".", "-" and "_", such as "/refit"`),
				},
				MarkdownDescription: "Path that parameter names or object keys start with. Default: `/refit`. A change starts an empty journal.",
			},
			"s3_bucket": schema.StringAttribute{
				Optional:            true,
				Validators:          []validator.String{stringvalidator.LengthBetween(3, 63)},
				MarkdownDescription: "Bucket to keep the journal in, instead of SSM parameters; for more than about twenty rolls at once. It must exist.",
			},
		},
	}
}
