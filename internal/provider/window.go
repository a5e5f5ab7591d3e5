package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// What a resource does outside the window.
const (
	outsideDefer = "defer"
	outsideWait  = "wait"
	outsideFail  = "fail"
	outsideRun   = "run"
)

// defaultMaxWait bounds the wait for a window.
const defaultMaxWait = "2h"

// timing is when a resource may act, as its configuration has it. It is part of
// the models of refit_ami_refresh and refit_asg_rolling_update.
type timing struct {
	Schedule      types.String `tfsdk:"schedule"`
	Environment   types.String `tfsdk:"environment"`
	Windows       types.List   `tfsdk:"windows"`
	OutsideWindow types.String `tfsdk:"outside_window"`
	MaxWait       types.String `tfsdk:"max_wait"`
}

// windowsType is the type of the attribute windows.
var windowsType = types.MapType{ElemType: types.StringType}

// bound tells whether there is a window to keep to. What is unknown may be one.
func (t timing) bound() bool { return !t.Schedule.IsNull() || !t.Windows.IsNull() }

// boundGroup tells the same of a group: its tags may say the window where
// nothing else does, but for what to do outside of it.
func (t timing) boundGroup() bool { return t.bound() || !t.OutsideWindow.IsNull() }

// judged tells whether two timings have the same windows, so that what was
// found out for one holds for the other.
func (t timing) judged(prior timing) bool {
	return t.Schedule.Equal(prior.Schedule) && t.Environment.Equal(prior.Environment) && t.Windows.Equal(prior.Windows)
}

// known tells whether all that windows depend on is known.
func (t timing) known() bool {
	return !t.Schedule.IsUnknown() && !t.Environment.IsUnknown() && fullyKnown(t.Windows)
}

func fullyKnown(v attr.Value) bool {
	value, err := v.ToTerraformValue(context.Background())
	return err == nil && value.IsFullyKnown()
}

// outside is what to do outside the window.
func (t timing) outside() string {
	if o := t.OutsideWindow.ValueString(); o != "" {
		return o
	}
	return outsideDefer
}

func (t timing) maxWait() time.Duration {
	if t.MaxWait.IsNull() || t.MaxWait.IsUnknown() {
		d, _ := time.ParseDuration(defaultMaxWait)
		return d
	}
	return duration(t.MaxWait)
}

// subject maps a timing to what the calendar is asked about. The windows of a
// timing with problems must not be used.
func (t timing) subject(ctx context.Context, tags map[string]string) (calendar.Subject, []calendar.Problem) {
	s := calendar.Subject{Schedule: t.Schedule.ValueString(), Environment: t.Environment.ValueString(), Tags: tags}
	var maps []map[string]*string
	if t.Windows.ElementsAs(ctx, &maps, false).HasError() {
		return s, nil // parts are unknown
	}
	var problems []calendar.Problem
	for n, m := range maps {
		w, found := calendar.TagKeys{}.ReadWindow(present(m), nil, "")
		for _, p := range found {
			p.Path = append([]string{"windows", strconv.Itoa(n)}, p.Path...)
			problems = append(problems, p)
		}
		s.Windows = append(s.Windows, w)
	}
	return s, problems
}

// validate finds what is wrong with a timing. alone tells that there is no
// group whose tags could say the environment.
func (t timing) validate(ctx context.Context, alone bool) diag.Diagnostics {
	var diags diag.Diagnostics
	_, problems := t.subject(ctx, nil)
	diags.Append(patchProblems(problems)...)
	switch {
	case !t.Schedule.IsNull() && !t.Windows.IsNull():
		diags.AddAttributeError(path.Root("windows"), "Schedule and windows",
			"schedule and windows are both set, and only one of them can hold. Keep schedule, or windows for this resource alone.")
	case !t.Environment.IsNull() && t.Schedule.IsNull():
		diags.AddAttributeError(path.Root("environment"), "Environment without a schedule",
			"environment is one of a schedule, and schedule is not set. Set schedule, or leave environment out.")
	case alone && !t.Schedule.IsNull() && t.Environment.IsNull():
		diags.AddAttributeError(path.Root("environment"), "Schedule without an environment",
			"schedule is set without environment. A launch template has no tags that could say it; set environment.")
	}
	return diags
}

// windowSeen is what Read found out about a window, kept in private state for
// ModifyPlan. The zero value: it is open, or there is none.
type windowSeen struct {
	// Why is why nothing may be rolled now, with the next chance.
	Why string `json:"why,omitempty"`
	// Length is how long the longest of the windows is, in seconds, and Brief the
	// windows in a few words.
	Length int64  `json:"length,omitempty"`
	Brief  string `json:"brief,omitempty"`
	// Finding is what should be looked after.
	Finding string `json:"finding,omitempty"`
}

// mostWhy bounds Why in private state, in bytes.
const mostWhy = 800

// closed tells whether the window was not open.
func (s *windowSeen) closed() bool { return s != nil && s.Why != "" }

// short words that a roll does not fit in a window.
func (s *windowSeen) short(forecast time.Duration) string {
	if s == nil || s.Length == 0 || int64(forecast/time.Second) <= s.Length {
		return ""
	}
	return fmt.Sprintf("The roll is forecast to take %s, and the window (%s) is open for %s. It will take several windows, or a longer one.",
		rollout.Brief(forecast), s.Brief, calendar.Brief(time.Duration(s.Length)*time.Second))
}

// meet says what a plan that has something to do makes of the window that Read
// has seen, and whether all of it has to wait.
func (t timing) meet(prior timing, seen *windowSeen) (held bool, diags diag.Diagnostics) {
	if !seen.closed() || !t.judged(prior) {
		return false, nil
	}
	switch t.outside() {
	case outsideRun:
		diags.AddWarning("Outside the window", seen.Why+"\nWith outside_window = \"run\", apply goes ahead all the same.")
	case outsideWait:
		diags.AddWarning("The apply waits for the window", fmt.Sprintf("%s\nIt waits for %s at most (max_wait).", seen.Why, calendar.Brief(t.maxWait())))
	case outsideFail:
		diags.AddWarning("The apply fails outside the window", seen.Why+"\nWith outside_window = \"fail\", apply in the window.")
	default:
		return true, diag.Diagnostics{deferral(seen.Why)}
	}
	return false, diags
}

// warn words what should be looked after about a window, whether something is
// to be done or not: what Read has found, and windows of the resource's own
// that will surprise. The clock only tells which dates those are.
func (t timing) warn(ctx context.Context, seen *windowSeen, b *backend) diag.Diagnostics {
	var diags diag.Diagnostics
	if seen != nil && seen.Finding != "" {
		diags.AddWarning("About the window", roller.Sentence(seen.Finding))
	}
	s, problems := t.subject(ctx, nil)
	if b == nil || len(calendar.Errors(problems)) > 0 {
		return diags
	}
	now := b.clock.Now()
	problems = nil
	for _, w := range s.Windows {
		problems = append(problems, w.Lint(now)...)
	}
	for _, p := range append(problems, calendar.LintOverlap(s.Windows, now)...) {
		p.Path = []string{"windows"}
		diags.Append(patchProblems([]calendar.Problem{p})...)
	}
	return diags
}

// verdict is whether a resource may act at an instant.
type verdict struct {
	decision calendar.Decision
	closing  rollout.Closing
	windows  []calendar.Window
	// ahead is how far AWS's clock is ahead of this machine's, where it is off
	// enough to matter.
	ahead time.Duration
	// warnings say that it is.
	warnings diag.Diagnostics
	// problems make the timing unusable: there is no such schedule or environment.
	problems []calendar.Problem
}

func (v verdict) open() bool { return v.decision.Open() }

// seen maps a verdict to what plans need of it.
func (v verdict) seen() *windowSeen {
	s := &windowSeen{}
	if !v.open() {
		s.Why = rollout.Clip(v.decision.Explain(), mostWhy)
	}
	var texts []string
	for _, w := range v.windows {
		s.Length = max(s.Length, int64(w.Duration/time.Second))
		texts = append(texts, w.Brief())
	}
	s.Brief = rollout.Clip(strings.Join(texts, ", "), 120)
	for _, f := range v.decision.Findings[:min(len(v.decision.Findings), 1)] {
		s.Finding = rollout.Clip(f.Text, 250)
	}
	return s
}

// judge decides by what is published and by AWS's clock whether a resource may
// act. With fresh, nothing is taken from an earlier look.
func (b *backend) judge(ctx context.Context, t timing, tags map[string]string, fresh bool) (verdict, error) {
	if fresh {
		b.published.forget()
	}
	cal, err := b.calendar(ctx)
	if err != nil {
		return verdict{}, err
	}
	subject, _ := t.subject(ctx, tags)
	v, now := verdict{}, b.clock.Now()
	at := b.now(&v.warnings)
	v.ahead = at.Sub(now).Round(time.Second)
	v.decision = cal.Decide(subject, at)
	v.windows = subject.Windows
	schedule, published := cal.Schedule(subject.Schedule)
	if w, ok := schedule.Window(v.decision.Environment); published && ok {
		v.windows = []calendar.Window{w}
	}
	v.problems = unusable(cal, subject)
	if v.open() {
		c := cal.Closing(subject, v.decision)
		v.closing = rollout.Closing{
			NoStart: v.decision.Current.Close.Add(-v.ahead), At: c.End.Add(-v.ahead), Ahead: v.ahead, Over: c.Overrun, How: rollout.OnClose(c.How), Window: c.Window, Next: c.Next,
		}
	}
	return v, nil
}

// unusable finds out whether schedule and environment of a resource exist.
// What cannot be read may.
func unusable(cal calendar.Calendar, s calendar.Subject) []calendar.Problem {
	if s.Schedule == "" || slices.ContainsFunc(cal.Unread, func(u calendar.Unread) bool { return u.Path == calendar.SchedulePath(s.Schedule) }) {
		return nil
	}
	schedule, ok := cal.Schedule(s.Schedule)
	if !ok {
		return []calendar.Problem{cal.UnknownScheduleProblem(s.Schedule)}
	}
	if _, ok := schedule.Window(s.Environment); !ok && s.Environment != "" {
		return []calendar.Problem{schedule.UnknownEnvironmentProblem(s.Environment)}
	}
	return nil
}

// deferral warns that nothing is rolled now. Terraform collapses warnings of
// one summary, so that a hundred groups make one of them.
func deferral(why string) diag.Diagnostic {
	return diag.NewWarningDiagnostic("Deferred to the next window", why+"\nNothing is changed until then, and nothing has to be done now.")
}

// await judges the window live, before anything is changed, and waits for it
// where that is asked for. The error says why it failed; without one, a verdict
// that is not open means that nothing may be rolled now.
func (b *backend) await(ctx context.Context, t timing, name string, tags func(context.Context) (map[string]string, error)) (verdict, error) {
	deadline := b.clock.Now().Add(t.maxWait())
	for first := true; ; first = false {
		of, err := tags(ctx)
		if err != nil {
			return verdict{}, err
		}
		v, err := b.judge(ctx, t, of, true)
		switch {
		case err != nil || v.open() || t.outside() == outsideDefer:
			return v, err
		case len(v.problems) > 0:
			return v, nil
		case t.outside() == outsideFail:
			return v, &closedError{why: v.decision.Explain(), next: "Run terraform apply in the window. With outside_window = \"defer\" this is a warning, and with \"wait\" apply waits."}
		}
		now, next := b.clock.Now(), v.decision.Next.Start.Add(-v.ahead)
		if v.decision.Next.Start.IsZero() || next.After(deadline) {
			return v, &closedError{
				why:  fmt.Sprintf("The window does not open within max_wait (%s). %s", calendar.Brief(t.maxWait()), v.decision.Explain()),
				next: "Run terraform apply closer to the window, or raise max_wait.",
			}
		}
		if first {
			b.tell(ctx, roller.Event{At: now, Group: name, Text: "waiting for the window. " + v.decision.Explain()})
		} else {
			b.tell(ctx, roller.Event{At: now, Group: name, Text: fmt.Sprintf("waiting for the window for another %s", calendar.Brief(next.Sub(now).Round(time.Minute)))})
		}
		// Somebody may publish a freeze, or take one back.
		if err := b.clock.Sleep(ctx, min(max(next.Sub(now), time.Second), lookAgain)); err != nil {
			return v, &closedError{why: "The run was interrupted while it waited for the window. " + v.decision.Explain(), next: "Run terraform apply again."}
		}
	}
}

// reached awaits the window of a resource that is about to change something,
// and words what came of it: whether it is open, what there is to say, and
// whether that is why nothing more must be done (diags has an error then).
func (b *backend) reached(ctx context.Context, t timing, what, name string, tags func(context.Context) (map[string]string, error)) (verdict, diag.Diagnostics) {
	v, err := b.await(ctx, t, name, tags)
	var closed *closedError
	switch {
	case errors.As(err, &closed):
		return v, diag.Diagnostics{diag.NewErrorDiagnostic("Unable to "+what, lines{closed.why, unchanged, closed.next}.String())}
	case err != nil:
		return v, diag.Diagnostics{unable(what, err, unchanged)}
	}
	return v, append(v.warnings, patchProblems(v.problems)...)
}

// lookAgain is how often somebody who waits for a window looks whether it is
// still the same one.
const lookAgain = 5 * time.Minute

// closedError is a window that is not open.
type closedError struct{ why, next string }

// Error implements error.
func (e *closedError) Error() string { return e.why }
