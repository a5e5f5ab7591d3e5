package provider

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

func scheduleAttribute(otherwise string) schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 64)},
		MarkdownDescription: "Name of the published schedule whose windows hold, usually `refit_patch_schedule.….name`. Freezes and exceptions hold with it. " +
			"A change alone changes nothing else. " + otherwise,
	}
}

func environmentAttribute(otherwise string) schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 256)},
		MarkdownDescription: "Environment of the schedule whose window holds, such as `prod`. Freezes and exceptions that select groups by that tag hold, too, " +
			"where the tag itself is missing. " + otherwise,
	}
}

func windowsAttribute() schema.Attribute {
	return schema.ListAttribute{
		Optional: true, ElementType: windowsType, Validators: []validator.List{listvalidator.SizeAtLeast(1)},
		MarkdownDescription: "Windows of this resource alone, instead of a `schedule`: maps with the keys `day`, `time`, `timezone`, `duration` and `cutoff`, as in " +
			"`refit_patch_schedule`; `timezone` is required. At the end of such a window a roll stops at a safe point and goes on in the next one. Default: none.",
	}
}

func outsideAttribute(acts, more string) schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Validators: []validator.String{stringvalidator.OneOf(outsideDefer, outsideWait, outsideFail, outsideRun)},
		MarkdownDescription: "What to do outside the window: `defer` plans no change and says why and until when, `wait` lets apply wait for the window, up to " +
			"`max_wait`, `fail` lets an apply that " + acts + " fail, and `run` " + acts + " all the same, freezes or not. Default: `defer`. " + more,
	}
}

func maxWaitAttribute() schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Validators: []validator.String{durationValidator{}},
		MarkdownDescription: "How long an apply with `outside_window = \"wait\"` may wait for the window, such as `90m`. It holds Terraform's state lock meanwhile, and none " +
			"of Refit's. When the window opens later than that, apply fails at once. Default: `" + defaultMaxWait + "`.",
	}
}
