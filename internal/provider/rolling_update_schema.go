package provider

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// defaultLockTimeout bounds the wait for somebody else's roll of the group.
const defaultLockTimeout = "10m"

func rollingUpdateSchema(ctx context.Context) schema.Schema {
	d := rollout.Defaults()
	attributes := map[string]schema.Attribute{
		"autoscaling_group_name": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Name of the Auto Scaling group. A change replaces the resource; no member is touched by that.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{stringvalidator.LengthBetween(1, 255)},
		},
		"launch_template_version": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Version of the group's launch template that its members shall run: a number, `$Latest` or `$Default`. `$Latest` with an " +
				"`image_id` that the newest version does not have makes a version with it in the roll, once the group is on a number. Default: what the " +
				"group points at. A change rolls the group, unless the new version's data equals the old one's and no member is stale.",
			Validators: []validator.String{stringvalidator.RegexMatches(
				regexp.MustCompile(`^([1-9][0-9]*|\$Latest|\$Default)$`), `must be the number of a version, "$Latest" or "$Default"`)},
		},
		"image_id": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Image that the version must have, or of `$Latest` shall have, usually `refit_ami_refresh.….image_id`. It is known at plan when the version is not " +
				"yet, so that the plan shows the image from → to. Default: not checked.",
			Validators: []validator.String{stringvalidator.RegexMatches(regexp.MustCompile(`^ami-[0-9a-f]+$`), `must be the id of an image, such as "ami-0123456789abcdef0"`)},
		},
		"on_failure": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(d.OnFailure)),
			MarkdownDescription: "What to do when new members fail while old ones are fine: `rollback` to the previous version, `pause` at a safe " +
				"point, or `leave` things as they are. Where the version or the image that old members run is gone, a roll cannot go back: `rollback` " +
				"is `pause` then, and the plan says so. Default: `rollback`.",
		},
		"failure_limit": schema.Int64Attribute{
			Optional: true, Computed: true, Default: int64default.StaticInt64(int64(d.FailureLimit)),
			MarkdownDescription: "Which failed new member fails the roll, 1 to 100: `3` ends the first two that fail and launches others in their " +
				"place, and follows `on_failure` at the third. Each may take `instance_timeout` once more. Default: `1`. A change alone rolls nothing.",
		},
		"set_default": setDefaultAttribute(),
		"match": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(d.Match)),
			MarkdownDescription: "What makes a member current: the whole version `data` with the image, or the `image` only. Default: `data`.",
		},
		"scale_in_protected_instances": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(d.Protected)),
			MarkdownDescription: "What to do with old members that are protected from scale-in: `refresh` replaces them like any other, `ignore` leaves " +
				"them as they are, and the roll ends `partial` with a warning, `wait` rolls the others and then waits until somebody takes the " +
				"protection off. A wait without progress for `instance_timeout` pauses the roll. Default: `wait`. A change rolls the group where members " +
				"were left out before.",
		},
		"standby_instances": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(d.Standby)),
			MarkdownDescription: "What to do with old members in standby: `terminate` ends them, `ignore` leaves them as they are, and the roll ends " +
				"`partial` with a warning, `wait` rolls the others and then waits until somebody puts them back in service, which is when they are " +
				"replaced. A wait without progress for `instance_timeout` pauses the roll. Default: `wait`. A change rolls the group where members " +
				"were left out before.",
		},
		"terminate_warm_instances": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(d.TerminateWarm),
			MarkdownDescription: "Whether the roll may end old members of a warm pool through EC2, because no call of EC2 Auto Scaling ends one by itself. " +
				"`engine = \"managed\"` refuses groups with a warm pool without it; with `instance_refresh` it ends those that AWS has left. EC2 Auto Scaling " +
				"makes others in their place, and until then launches take as long as without a warm pool. It needs `ec2:TerminateInstances`. Default: " +
				"`false`. A change alone rolls nothing, unless old members are in the pool.",
		},
		"engine": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(d.Engine)),
			MarkdownDescription: "Who replaces the members: `managed`, Refit itself, or `instance_refresh`, an instance refresh of EC2 Auto Scaling that Refit " +
				"starts, watches and judges. Outcomes are the same; see the guide \"Engines\" for what differs. Default: `managed`. A change alone rolls nothing.",
		},
		"adopt_instance_refresh": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(d.AdoptRefresh),
			MarkdownDescription: "With `engine = \"instance_refresh\"`: attach to an instance refresh that somebody else has started where it goes to this " +
				"version, instead of refusing to roll beside it. It may then be cancelled or rolled back, too. Default: `false`. A change alone rolls nothing.",
		},
		"lock": lockAttribute(),
		"lock_timeout": durationAttribute(defaultLockTimeout, true,
			"How long to wait for somebody else's roll of this group to end, and for the `lock`, together. With a `lock`, allow for the rolls before "+
				"this one. Default: `"+defaultLockTimeout+"`."),
		"schedule":       scheduleAttribute("Default: no schedule, so that an apply rolls at any time."),
		"environment":    environmentAttribute("Default: what the group's tags say."),
		"windows":        windowsAttribute(),
		"outside_window": outsideAttribute("rolls", "Where it is set without `schedule` and `windows`, the group's tags say which schedule or window holds."),
		"max_wait":       maxWaitAttribute(),
		"retry": schema.StringAttribute{
			Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 64)},
			MarkdownDescription: "Any text. A new one lifts the quarantine of what was rolled back on this group's launch template, so that it is tried again.",
		},
		"timeouts": timeouts.Attributes(ctx, timeouts.Opts{
			Create: true, Update: true, Delete: true,
			CreateDescription: "How long the first roll may take from its first step on, such as `60m`. At its end the roll stops at a safe point. Default: `60m`.",
			UpdateDescription: "How long a later roll may take, as for create. Default: `60m`.",
			DeleteDescription: "How long putting back what an unfinished roll left may take. Default: `5m`.",
		}),
	}
	for _, more := range []map[string]schema.Attribute{percentageAttributes(d), healthAttributes(d), checkAttributes(), rollingUpdateComputed()} {
		for name, a := range more {
			attributes[name] = a
		}
	}
	return schema.Schema{
		MarkdownDescription: "States that every member of an Auto Scaling group runs one launch template version. When that is not so, apply " +
			"replaces members a few at a time, waits until each new one is healthy, goes back if they fail, and returns when it is so.\n\n" +
			"Destroying the resource puts back what an unfinished roll left and touches no member.",
		Attributes: attributes,
	}
}

func percentageAttributes(d rollout.Spec) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"min_healthy_percentage": schema.Int64Attribute{
			Optional: true, Computed: true, Default: int64default.StaticInt64(int64(d.MinHealthy)),
			MarkdownDescription: "Least healthy members at any moment, in percent of what the group wants, 0 to 100, rounded up. In a group with weights, this " +
				"and the next two are of its units of capacity. Default: `100`. A change alone rolls nothing.",
		},
		"max_healthy_percentage": schema.Int64Attribute{
			Optional: true, Computed: true, Default: int64default.StaticInt64(int64(d.MaxHealthy)),
			MarkdownDescription: "Most launched members at any moment, in percent of what the group wants, 100 to 200, rounded down but at least one member more where it is " +
				"above 100, and at most 100 above `min_healthy_percentage`. Above 100, new members are launched before old ones are ended. The group's max size is not exceeded, unless `raise_max_size` is true, " +
				"and but for what EC2 Auto Scaling rounds up to whole members in a group with weights. " +
				"Default: `110`. A change alone rolls nothing.",
		},
		"max_running_percentage": schema.Int64Attribute{
			Optional: true,
			MarkdownDescription: "Most launched and terminating members together, in percent of what the group wants: what quotas, addresses and the bill " +
				"see. Default: `max_healthy_percentage` + 25, at least one member more.",
		},
		"raise_max_size": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(d.RaiseMaxSize),
			MarkdownDescription: "Whether the roll may raise the group's max size where it leaves no room for `max_healthy_percentage`, for its own time and no " +
				"further than it needs. It is put back as soon as the desired capacity fits below it again, also after an interruption, unless somebody else " +
				"has changed it since. Without it, a group at its max size can only end members first. Only with `engine = \"managed\"`. Default: `false`. " +
				"A change alone rolls nothing.",
		},
		"checkpoints": schema.ListNestedAttribute{
			Optional: true, Validators: []validator.List{listvalidator.SizeAtLeast(1)},
			MarkdownDescription: "Points at which the roll waits, in rising order. Default: none.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"percentage": schema.Int64Attribute{
					Required:            true,
					MarkdownDescription: "Share of the group that is new when the roll waits, 1 to 99, at least one member; by capacity in a group with weights.",
				},
				"bake": schema.StringAttribute{
					Required: true, Validators: []validator.String{durationValidator{}}, PlanModifiers: []planmodifier.String{sameDuration{}},
					MarkdownDescription: "How long they must stay healthy before the roll goes on, such as `2m`.",
				},
			}},
		},
		"final_bake": durationAttribute(rollout.Brief(d.FinalBake), false,
			"How long the whole group must stay healthy at the end before the roll counts as good. Default: `"+rollout.Brief(d.FinalBake)+"`."),
		"instance_timeout": durationAttribute(rollout.Brief(d.InstanceTimeout), true,
			"How long a new member may take from its launch to having been healthy for `min_healthy_time`, and how long the roll may go without "+
				"progress. Longer than launch hooks and grace period together. Default: `"+rollout.Brief(d.InstanceTimeout)+"`."),
	}
}

func durationAttribute(byDefault string, positive bool, description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, Default: stringdefault.StaticString(byDefault),
		Validators:          []validator.String{durationValidator{positive: positive}},
		PlanModifiers:       []planmodifier.String{sameDuration{}},
		MarkdownDescription: description,
	}
}

func rollingUpdateComputed() map[string]schema.Attribute {
	number := func(description string) schema.Attribute {
		return schema.Int64Attribute{Computed: true, MarkdownDescription: description}
	}
	return map[string]schema.Attribute{
		"target_version": computed("Number of the version that the members shall run."),
		"converged": schema.BoolAttribute{
			Computed: true,
			MarkdownDescription: "Whether a roll would do nothing now. `false` in state means that the next apply rolls. It moves with the group; do not " +
				"make other resources depend on it.",
		},
		"forecast": schema.SingleNestedAttribute{
			Computed: true, MarkdownDescription: "How a planned roll goes when nothing fails. Null when none is planned.",
			Attributes: map[string]schema.Attribute{
				"from_image":       computed("Image of the members to replace."),
				"to_image":         computed("Image of the version to roll to."),
				"stale":            number("Members to replace."),
				"batches":          number("Times that members are launched or ended together."),
				"lowest_healthy":   number("Least healthy members at any moment; units of capacity in a group with weights."),
				"highest_launched": number("Most launched members at any moment; units of capacity in a group with weights."),
				"duration":         computed("Time until the end, bakes included."),
			},
		},
		"last_roll": schema.SingleNestedAttribute{
			Computed: true, MarkdownDescription: "How the newest roll by this resource ended. Null before the first one.",
			Attributes: map[string]schema.Attribute{
				"outcome":      computed("`succeeded`, `partial`, `rolled_back`, `paused`, `superseded` or `failed`."),
				"from_version": computed("Version that most replaced members ran."),
				"to_version":   computed("Version that was rolled to."),
				"from_image":   computed("Image of the former."),
				"to_image":     computed("Image of the latter."),
				"started":      computed("When it began, in RFC 3339."),
				"duration":     computed("How long it took."),
				"forecast_duration": computed("How long the forecast made at its start said it would take. Null where none was made: after an " +
					"interruption, say."),
				"launched": number("Members launched."),
				"ended":    number("Members ended."),
				"failed":   number("New members that failed."),
				"left_out": number("Members left as they were on purpose."),
				"reason":   computed("Why it did not succeed, what failed on the way, or who was left out. Null when there is nothing to tell."),
			},
		},
	}
}

var forecastTypes = map[string]attr.Type{
	"from_image": types.StringType, "to_image": types.StringType, "stale": types.Int64Type, "batches": types.Int64Type,
	"lowest_healthy": types.Int64Type, "highest_launched": types.Int64Type, "duration": types.StringType,
}

var lastRollTypes = map[string]attr.Type{
	"outcome": types.StringType, "from_version": types.StringType, "to_version": types.StringType, "from_image": types.StringType,
	"to_image": types.StringType, "started": types.StringType, "duration": types.StringType, "forecast_duration": types.StringType, "launched": types.Int64Type,
	"ended": types.Int64Type, "failed": types.Int64Type, "left_out": types.Int64Type, "reason": types.StringType,
}
