package provider

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// windowFunction is a function about one window: day, time, timezone and
// duration, and what else it asks for. It knows no clock, only embedded zone
// data: Terraform compares what it gives at plan and at apply.
type windowFunction struct {
	name       string
	definition function.Definition
	run        func(ctx context.Context, req function.RunRequest, resp *function.RunResponse)
}

// Metadata implements function.Function.
func (f windowFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = f.name
}

// Definition implements function.Function.
func (f windowFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = f.definition
}

// Run implements function.Function.
func (f windowFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	f.run(ctx, req, resp)
}

// windowArguments are the first four arguments of each of these functions.
var windowArguments = []string{"day", "time", "timezone", "duration"}

func windowParameters(more ...function.Parameter) []function.Parameter {
	return append([]function.Parameter{
		function.StringParameter{Name: "day", MarkdownDescription: "On which days the window opens, such as `sun`, `mon-fri`, `2nd tue +3d` or `last day`."},
		function.StringParameter{Name: "time", MarkdownDescription: "When it opens, in hours and minutes on 24 hours, such as `19:00`."},
		function.StringParameter{Name: "timezone", MarkdownDescription: "IANA name of the zone of day and time, such as `Europe/London` or `UTC`."},
		function.StringParameter{Name: "duration", MarkdownDescription: "How long it is open, such as `4h` or `90m`: one minute to seven days of elapsed time."},
	}, more...)
}

// windowOf makes the window of the first four arguments. An error points at
// the argument that is wrong.
func windowOf(day, at, timezone, duration string) (calendar.Window, *function.FuncError) {
	w, problems := calendar.NewWindow(day, at, timezone, duration)
	list := calendar.Errors(problems)
	if len(list) == 0 {
		return w, nil
	}
	argument := 0
	if at := list[0].Path; len(at) > 0 {
		argument = max(slices.Index(windowArguments, at[0]), 0)
	}
	return w, function.NewArgumentFuncError(int64(argument), list[0].Text)
}

// instantArgument reads an instant, the argument at a position.
func instantArgument(position int64, name, text string) (time.Time, *function.FuncError) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, function.NewArgumentFuncError(position, fmt.Sprintf("%s is %q; give %s.", name, text, instantValidator{}.Description(context.Background())))
	}
	return t, nil
}

// spanType is a window as next_windows gives it.
var spanType = map[string]attr.Type{"start": types.StringType, "end": types.StringType}

// span is one element of what next_windows gives.
type span struct {
	Start string `tfsdk:"start"`
	End   string `tfsdk:"end"`
}

// mostWindows bounds what one call gives.
const mostWindows = 1000

func newNextWindows() function.Function {
	return windowFunction{
		name: "next_windows",
		definition: function.Definition{
			Summary: "The next times a window opens",
			MarkdownDescription: "Gives the next windows from an instant on as a list of `{ start, end }` in RFC 3339, UTC. A window that is open at that instant comes " +
				"first. Openings that overlap or touch are one.",
			Parameters: windowParameters(
				function.StringParameter{Name: "from", MarkdownDescription: "Where to begin, in RFC 3339, such as `2026-11-20T09:00:00Z`; `plantimestamp()` for now."},
				function.Int64Parameter{Name: "count", MarkdownDescription: fmt.Sprintf("How many, 1 to %d.", mostWindows)},
			),
			Return: function.ListReturn{ElementType: types.ObjectType{AttrTypes: spanType}},
		},
		run: func(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
			var day, at, timezone, duration, text string
			var count int64
			if resp.Error = req.Arguments.Get(ctx, &day, &at, &timezone, &duration, &text, &count); resp.Error != nil {
				return
			}
			w, wrong := windowOf(day, at, timezone, duration)
			from, notInstant := instantArgument(4, "from", text)
			resp.Error = function.ConcatFuncErrors(wrong, notInstant)
			if count < 1 || count > mostWindows {
				resp.Error = function.ConcatFuncErrors(resp.Error, function.NewArgumentFuncError(5, fmt.Sprintf("count is %d; give 1 to %d.", count, mostWindows)))
			}
			if resp.Error != nil {
				return
			}
			out := make([]span, 0, count)
			for _, o := range (calendar.Windows{List: []calendar.Window{w}}).Upcoming(from, int(count)) {
				out = append(out, span{o.Start.Format(time.RFC3339), o.End.Format(time.RFC3339)})
			}
			resp.Error = resp.Result.Set(ctx, out)
		},
	}
}

func newInWindow() function.Function {
	return windowFunction{
		name: "in_window",
		definition: function.Definition{
			Summary:             "Whether a window is open at an instant",
			MarkdownDescription: "Tells whether a window is open at an instant: start ≤ instant < end. Freezes and exceptions do not count here; the data source `refit_patch_decision` knows them.",
			Parameters: windowParameters(
				function.StringParameter{Name: "at", MarkdownDescription: "The instant, in RFC 3339, such as `2026-11-20T09:00:00Z`; `plantimestamp()` for now."},
			),
			Return: function.BoolReturn{},
		},
		run: func(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
			var day, at, timezone, duration, text string
			if resp.Error = req.Arguments.Get(ctx, &day, &at, &timezone, &duration, &text); resp.Error != nil {
				return
			}
			w, wrong := windowOf(day, at, timezone, duration)
			instant, notInstant := instantArgument(4, "at", text)
			if resp.Error = function.ConcatFuncErrors(wrong, notInstant); resp.Error != nil {
				return
			}
			_, open := calendar.Windows{List: []calendar.Window{w}}.At(instant)
			resp.Error = resp.Result.Set(ctx, open)
		},
	}
}

func newDescribeWindow() function.Function {
	return windowFunction{
		name: "describe_window",
		definition: function.Definition{
			Summary:             "A window in one sentence",
			MarkdownDescription: "Describes a window in one English sentence, for descriptions, tags and change tickets.",
			Parameters:          windowParameters(),
			Return:              function.StringReturn{},
		},
		run: func(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
			var day, at, timezone, duration string
			if resp.Error = req.Arguments.Get(ctx, &day, &at, &timezone, &duration); resp.Error != nil {
				return
			}
			w, wrong := windowOf(day, at, timezone, duration)
			if resp.Error = wrong; resp.Error != nil {
				return
			}
			resp.Error = resp.Result.Set(ctx, w.Describe())
		},
	}
}

func newScheduleTags() function.Function {
	return windowFunction{
		name: "schedule_tags",
		definition: function.Definition{
			Summary: "The tags of an environment's window, with a team's override",
			MarkdownDescription: "Merges the window of an environment with a team's override and gives the tags that say so: `AMI_update_day`, `AMI_update_time` and, where " +
				"they are given, `AMI_update_tz` and `AMI_update_schedule`. What the override leaves out keeps the default. Both maps may use the keys `day`, `time`, " +
				"`timezone`, `duration`, `cutoff` and `schedule`, or the spellings `AMI_update_…` and `AMI_refresh_…`, each its own: unlike `merge()`, which " +
				"then leaves the old window in place. A key that is none of these is an error.",
			Parameters: []function.Parameter{
				function.MapParameter{Name: "defaults", ElementType: types.StringType, MarkdownDescription: "The window of the environment. Elements that are null count as absent."},
				function.MapParameter{Name: "override", ElementType: types.StringType, MarkdownDescription: "What the team wants otherwise; `{}` for nothing. Elements that are null count as absent."},
			},
			Return: function.MapReturn{ElementType: types.StringType},
		},
		run: func(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
			var defaults, override map[string]*string
			if resp.Error = req.Arguments.Get(ctx, &defaults, &override); resp.Error != nil {
				return
			}
			tags, problems := calendar.MergeTags(present(defaults), present(override))
			if list := calendar.Errors(problems); len(list) > 0 {
				argument := int64(0)
				if at := list[0].Path; len(at) > 0 && at[0] == "override" {
					argument = 1
				}
				resp.Error = function.NewArgumentFuncError(argument, list[0].Text)
				return
			}
			resp.Error = resp.Result.Set(ctx, tags)
		},
	}
}

// present leaves the elements out that are null: they stand for what somebody
// did not say.
func present(m map[string]*string) map[string]string {
	out := make(map[string]string, len(m))
	for key, value := range m {
		if value != nil {
			out[key] = *value
		}
	}
	return out
}
