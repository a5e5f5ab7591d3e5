package provider

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

func patchScheduleSchema() schema.Schema {
	attributes := map[string]schema.Attribute{
		"name": patchNameAttribute("schedule"),
		"timezone": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "IANA name of the zone of the windows that do not name their own, such as `Europe/London` or `UTC`.",
		},
		"defaults": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "What windows have that do not say otherwise: the keys of a window in `environments`, usually `duration` and `cutoff`.",
		},
		"environments": schema.MapAttribute{
			Required: true, ElementType: types.MapType{ElemType: types.StringType},
			MarkdownDescription: "The window of each environment, by name. Its keys:\n" +
				"    - `day`: on which days it opens: `sun`, `mon wed`, `mon-fri`, `daily`, `2nd tue`, `last fri`, `2nd tue +3d`, `15th` or `last day -2d`, in any case.\n" +
				"    - `time`: when, in hours and minutes on 24 hours, such as `19:00`.\n" +
				"    - `timezone`: IANA name of the zone of both. Default: `timezone` of the schedule.\n" +
				"    - `duration`: how long it is open, in elapsed time, one minute to seven days. Default: `4h`.\n" +
				"    - `cutoff`: how long before the end nothing starts any more. Default: `0s`.\n\n" +
				"    The spellings `AMI_update_day`, `AMI_update_time`, `AMI_update_tz` and `AMI_refresh_…` are understood, each window in one of them: a " +
				"`merge()` of two spellings is an error where they say different things. Elements that are null count as absent. A key that is none of these is an error.",
		},
		"selector": selectorAttribute(false, "Which groups the schedule is for, beside those that name it in a tag or a resource."),
		"waves": schema.ListNestedAttribute{
			Optional: true, Validators: []validator.List{listvalidator.SizeAtLeast(1)},
			MarkdownDescription: "The order in which a release goes through the environments. The plan warns of a wave that its window makes too late for the next one.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"environment":       schema.StringAttribute{Optional: true, MarkdownDescription: "Name of the environment. It may be left out where there is a `selector`."},
				"selector":          selectorAttribute(false, "Which of the groups the wave is for, such as those of a canary region."),
				"bake":              schema.StringAttribute{Optional: true, MarkdownDescription: "How long the wave must stay good before the next begins, such as `18h`. Default: not at all."},
				"gate":              schema.StringAttribute{Optional: true, MarkdownDescription: "What else opens the next wave: `none`, or `approval` by somebody. Default: `none`."},
				"canary_percentage": schema.Int64Attribute{Optional: true, MarkdownDescription: "Share of the wave's groups that goes first, 1 to 100. Default: all at once."},
			}},
		},
		"tag_keys": schema.SingleNestedAttribute{
			Optional: true, MarkdownDescription: "Keys of the tags on groups, where yours are called otherwise.",
			Attributes: map[string]schema.Attribute{
				"day":         schema.StringAttribute{Optional: true, MarkdownDescription: "Default: `AMI_update_day`."},
				"time":        schema.StringAttribute{Optional: true, MarkdownDescription: "Default: `AMI_update_time`."},
				"timezone":    schema.StringAttribute{Optional: true, MarkdownDescription: "Default: `AMI_update_tz`."},
				"schedule":    schema.StringAttribute{Optional: true, MarkdownDescription: "Default: `AMI_update_schedule`."},
				"environment": schema.StringAttribute{Optional: true, MarkdownDescription: "Of the tag that tells a group's environment. It is read, not set. Default: `Environment`."},
			},
		},
		"publish": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Whether the schedule is published under the provider's journal prefix, where it counts for others. Without, only the tags are worked out. Default: `true`.",
		},
		"document": documentAttribute(),
		"asg_tags": schema.MapAttribute{
			Computed: true, ElementType: tagsType,
			MarkdownDescription: "For each environment, the tags of its groups, such as `{ AMI_update_day = \"wed\", AMI_update_time = \"15:00\", AMI_update_tz = " +
				"\"Europe/London\", AMI_update_schedule = \"web\" }`.",
		},
		"asg_tag_blocks": schema.MapAttribute{
			Computed: true, ElementType: tagBlocksType,
			MarkdownDescription: "The same for each environment as a list of objects with `key`, `value` and `propagate_at_launch` (`false`), for a `dynamic \"tag\"` block of `aws_autoscaling_group`.",
		},
	}
	for name, a := range patchRunAttributes() {
		attributes[name] = a
	}
	return schema.Schema{
		MarkdownDescription: "Publishes when the groups of a service may be refreshed: a window for each environment, the order of the environments, and rules for whoever rolls. " +
			"What is published counts; the tags that the resource works out select the schedule and show its window.\n\n" +
			"Two spellings with one meaning, such as `sun` and `Sunday`, are no change. Destroying the resource withdraws the schedule: its groups are then not touched any more.",
		Attributes: attributes,
	}
}

// patchRunAttributes are what a schedule carries for whoever rolls.
func patchRunAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"budget": schema.Int64Attribute{
			Optional: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
			MarkdownDescription: "Most groups of the schedule in work at the same time. Default: no limit.",
		},
		"lock": schema.StringAttribute{
			Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 64)},
			MarkdownDescription: "Key of a lock that the groups of the schedule share: one of them rolls at a time. Default: none.",
		},
		"on_close": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(calendar.FinishBatch),
			MarkdownDescription: "What a roll does when its window closes: `finish_batch` (finish what is under way, and go on in the next window), `finish_group` (go on, within " +
				"`overrun`), `cancel_keep` (end, and keep what is new) or `rollback`. Default: `finish_batch`.",
		},
		"overrun": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long after the end of its window a roll may go on at most, such as `30m`. Default: not at all.",
		},
		"catch_up": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether a release that missed its cycle, by a freeze for example, takes the next window. Default: `false`.",
		},
		"splay": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Over how long the starts of the groups are spread from the start of the window on, such as `20m`. Default: not at all.",
		},
		"suspended": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "`true` holds everything of this schedule until it is `false` again. Default: `false`.",
		},
		"rolling_update": schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "How the runner rolls the groups of the schedule, with the meaning that the attributes have on `refit_asg_rolling_update`. What is left out " +
				"has its default there.",
			Attributes: map[string]schema.Attribute{
				"min_healthy_percentage": schema.Int64Attribute{Optional: true, MarkdownDescription: "Least healthy members, in percent."},
				"max_healthy_percentage": schema.Int64Attribute{Optional: true, MarkdownDescription: "Most launched members, in percent."},
				"max_running_percentage": schema.Int64Attribute{Optional: true, MarkdownDescription: "Most launched and terminating members, in percent."},
				"checkpoints": schema.ListNestedAttribute{
					Optional: true, MarkdownDescription: "Points at which the roll waits, in rising order.",
					NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
						"percentage": schema.Int64Attribute{Required: true, MarkdownDescription: "Share of the group that is new when the roll waits, 1 to 99."},
						"bake":       schema.StringAttribute{Required: true, MarkdownDescription: "How long they must stay healthy, such as `2m`."},
					}},
				},
				"final_bake":       schema.StringAttribute{Optional: true, MarkdownDescription: "How long the whole group must stay healthy at the end."},
				"min_healthy_time": schema.StringAttribute{Optional: true, MarkdownDescription: "How long a new member must have been healthy."},
				"instance_timeout": schema.StringAttribute{Optional: true, MarkdownDescription: "How long a new member may take."},
				"on_failure":       schema.StringAttribute{Optional: true, MarkdownDescription: "`rollback`, `pause` or `leave`."},
				"failure_limit":    schema.Int64Attribute{Optional: true, MarkdownDescription: "Which failed new member fails the roll."},
			},
		},
		"source": schema.SingleNestedAttribute{
			Optional: true, MarkdownDescription: "Which images the runner chooses the newest of, as on `refit_ami_refresh`.",
			Attributes: map[string]schema.Attribute{
				"owners": schema.SetAttribute{
					Required: true, ElementType: types.StringType,
					MarkdownDescription: "Owners of the images: account ids, `self`, `amazon`, `aws-marketplace` or `aws-backup-vault`.",
					Validators: []validator.Set{
						setvalidator.SizeAtLeast(1),
						setvalidator.ValueStringsAre(stringvalidator.RegexMatches(owner, `must be an account id of 12 digits, "self", "amazon", "aws-marketplace" or "aws-backup-vault"`)),
					},
				},
				"name": schema.StringAttribute{Optional: true, MarkdownDescription: "Name of the images; `*` stands for any text and `?` for one character."},
				"filters": schema.MapAttribute{
					Optional: true, ElementType: types.ListType{ElemType: types.StringType}, MarkdownDescription: "Filters of DescribeImages, each with the values that pass.",
				},
			},
		},
	}
}
