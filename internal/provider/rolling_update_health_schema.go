package provider

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

var headerTypes = types.MapType{ElemType: types.StringType}

var probeTypes = map[string]attr.Type{
	"url": types.StringType, "method": types.StringType, "headers": headerTypes, "headers_wo": headerTypes,
	"expected_status": types.StringType, "expected_body": types.StringType, "passes": types.Int64Type, "timeout": types.StringType,
}

var healthTypes = map[string]attr.Type{
	"load_balancer": types.BoolType, "min_healthy_time": types.StringType, "ec2_status": types.BoolType,
	"probe": types.ObjectType{AttrTypes: probeTypes}, "alarms": types.SetType{ElemType: types.StringType},
}

var numberTypes = map[string]attr.Type{
	"path": types.StringType, "within_percentage": types.Int64Type, "min": types.Float64Type, "max": types.Float64Type,
}

var checkTypes = types.ObjectType{AttrTypes: map[string]attr.Type{
	"name": types.StringType, "url": types.StringType, "function_name": types.StringType, "headers": headerTypes, "headers_wo": headerTypes,
	"expected_status": types.StringType, "expected_body": types.StringType, "number": types.ObjectType{AttrTypes: numberTypes},
	"timeout": types.StringType, "settle": types.StringType,
}}

// healthAttributes is what makes a member healthy. The object itself has no
// default: Terraform allows no write-only attribute in one that has.
func healthAttributes(d rollout.Spec) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"health": schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "What makes a member healthy, beyond being in service and healthy for Auto Scaling. See the guide on health. " +
				"A change alone rolls nothing.",
			Attributes: map[string]schema.Attribute{
				"load_balancer": schema.BoolAttribute{
					Optional: true, Computed: true, Default: booldefault.StaticBool(d.LoadBalancer),
					MarkdownDescription: "Healthy in every attached target group and classic load balancer too. Default: `true`.",
				},
				"min_healthy_time": durationAttribute(rollout.Brief(d.MinHealthyTime), false,
					"How long a new member must have been healthy before it counts. At least the slow start of its target groups and the group's "+
						"default instance warmup. Default: `"+rollout.Brief(d.MinHealthyTime)+"`."),
				"ec2_status": schema.BoolAttribute{
					Optional: true, Computed: true, Default: booldefault.StaticBool(d.EC2Status),
					MarkdownDescription: "Passing EC2's status checks (system, instance, attached EBS volumes) too. They take some minutes to pass on a new " +
						"instance. Default: `false`.",
				},
				"probe": probeAttribute(),
				"alarms": schema.SetAttribute{
					Optional: true, ElementType: types.StringType, Validators: []validator.Set{setvalidator.SizeBetween(1, 10)},
					MarkdownDescription: "Names of CloudWatch alarms (metric or composite), 1 to 10. No roll begins while one is in state `ALARM`. One that goes " +
						"off while new members serve counts as a failure of the image. Without data (`INSUFFICIENT_DATA`) the roll waits. Default: none.",
				},
			},
		},
	}
}

func probeAttribute() schema.Attribute {
	d := rollout.DefaultProbe("")
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "An HTTP request to each member, made from where Terraform runs, by the proxy settings of its environment. Redirects are " +
			"followed within the host only. Default: none.",
		Attributes: map[string]schema.Attribute{
			"url": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "URL with at least one of the placeholders `{private_ip}`, `{public_ip}`, `{private_dns}` and `{instance_id}`, such as " +
					"`http://{private_ip}:8080/healthz`.",
			},
			"method": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(d.Method),
				MarkdownDescription: "`GET`, `HEAD` or `POST`. Default: `" + d.Method + "`.",
			},
			"headers":         headersAttribute(),
			"headers_wo":      secretHeadersAttribute(),
			"expected_status": expectedStatus(d.Expect.Status),
			"expected_body":   expectedBody(),
			"passes": schema.Int64Attribute{
				Optional: true, Computed: true, Default: int64default.StaticInt64(int64(d.Passes)),
				MarkdownDescription: "How many probes in a row a new member must pass to be healthy, 1 to 20. Of an old one the last answer counts. Default: `3`.",
			},
			"timeout": durationAttribute(rollout.Brief(d.Timeout), true, "How long one request may take, at most `30s`. Default: `"+rollout.Brief(d.Timeout)+"`."),
		},
	}
}

func headersAttribute() schema.Attribute {
	return schema.MapAttribute{
		Optional: true, ElementType: types.StringType,
		MarkdownDescription: "Headers to send. They are stored in state as they are: put secrets into `headers_wo`. Default: none.",
	}
}

func secretHeadersAttribute() schema.Attribute {
	return schema.MapAttribute{
		Optional: true, WriteOnly: true, ElementType: types.StringType,
		MarkdownDescription: "More headers to send, such as `Authorization`, which are never stored (write-only, Terraform 1.11 or newer). Default: none.",
	}
}

func expectedStatus(byDefault string) schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, Default: stringdefault.StaticString(byDefault),
		MarkdownDescription: "Statuses of a good answer: codes and ranges, such as `200-299` or `200,301-302`. Default: `" + byDefault + "`.",
	}
}

func expectedBody() schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 1024)},
		MarkdownDescription: "Regular expression (RE2) that the body of a good answer matches somewhere. Default: any body.",
	}
}

// checkAttributes are the checks of the whole group.
func checkAttributes() map[string]schema.Attribute {
	d := rollout.DefaultCheck("")
	return map[string]schema.Attribute{
		"checks": schema.ListNestedAttribute{
			Optional: true, Validators: []validator.List{listvalidator.SizeBetween(1, 5)},
			MarkdownDescription: "Tests of the group as a whole, 1 to 5, run before the first change, at each checkpoint and before the end. One that fails before the " +
				"roll stops it; one that fails later counts as a failure of the image. See the guide on health. Default: none. A change alone rolls nothing.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the check in messages: 1 to 32 letters, digits, hyphens and underscores."},
				"url": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "URL to get, from where Terraform runs. Exactly one of `url` and `function_name`.",
				},
				"function_name": schema.StringAttribute{
					Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 170)},
					MarkdownDescription: "Name, ARN or `name:alias` of a Lambda function that judges by itself. The guide on health gives its payload and answer.",
				},
				"headers":         headersAttribute(),
				"headers_wo":      secretHeadersAttribute(),
				"expected_status": expectedStatus(d.Expect.Status),
				"expected_body":   expectedBody(),
				"number":          numberAttribute(),
				"timeout":         durationAttribute(rollout.Brief(d.Timeout), true, "How long one request may take, at most `30s`. Default: `"+rollout.Brief(d.Timeout)+"`."),
				"settle": durationAttribute("0s", false,
					"How long a check that does not pass at a checkpoint or before the end may take until it does, such as the time that devices need to come "+
						"back, at most `2h`. Default: `0s`."),
			}},
		},
	}
}

func numberAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true, MarkdownDescription: "A number in the answer, which must be JSON, and what is expected of it. At least one of the bounds is needed. Default: none.",
		Attributes: map[string]schema.Attribute{
			"path": schema.StringAttribute{
				Required: true, MarkdownDescription: "Where the number is, as a JSON pointer (RFC 6901), such as `/devices/connected`.",
			},
			"within_percentage": schema.Int64Attribute{
				Optional: true, MarkdownDescription: "By how many percent of its value before the roll it may differ from that, up or down, 0 to 100.",
			},
			"min": schema.Float64Attribute{Optional: true, MarkdownDescription: "The least it may be, before the roll too."},
			"max": schema.Float64Attribute{Optional: true, MarkdownDescription: "The most it may be, before the roll too."},
		},
	}
}
