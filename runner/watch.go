package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// watchOptions are the flags of the watch command.
type watchOptions struct {
	accountOptions
	every time.Duration
	once  bool
}

// newWatchCommand follows a roll through its journal.
func newWatchCommand() *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch GROUP",
		Short: "Follow the roll of an Auto Scaling group",
		Long: `Reads the journal of a group and prints a line whenever it changes, until the
roll has ended. It needs to read the group and the journal, and changes nothing.

The exit code is 0 when the roll succeeded, and 1 when it ended in another way.`,
		Example: `  refit-runner watch web
  refit-runner watch web --journal-bucket tfstate --journal-prefix refit/ --once`,
		Args: one("the name of an Auto Scaling group", "web"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			w, err := o.watcher(ctx, args[0], cmd.OutOrStdout())
			if err == nil {
				err = w.follow(ctx)
			}
			if err != nil {
				return errors.New(asg.Plain(err))
			}
			return nil
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.DurationVar(&o.every, "every", 5*time.Second, "pause between two looks")
	f.BoolVar(&o.once, "once", false, "look once and exit")
	return cmd
}

// watcher follows one group.
type watcher struct {
	group, arn string
	journal    *journal.Journal
	clock      clock.Clock
	options    watchOptions
	out        io.Writer
}

// watcher finds the group and its journal.
func (o watchOptions) watcher(ctx context.Context, group string, out io.Writer) (*watcher, error) {
	a, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	arn, err := a.arn(ctx, group)
	if err != nil {
		return nil, err
	}
	return &watcher{group: group, arn: arn, journal: a.journal(), clock: a.clock, options: o, out: out}, nil
}

// follow prints changes until the roll has ended.
func (w *watcher) follow(ctx context.Context) error {
	last := ""
	for {
		e, ok, err := w.journal.Peek(ctx, w.arn)
		if err != nil {
			return err
		}
		line, end := fmt.Sprintf("no roll of %s is on record", w.group), error(nil)
		if ok {
			line, end = describe(e)
		}
		if line != last {
			last = line
			if _, err := fmt.Fprintf(w.out, "%s  %s\n", w.clock.Now().Format(time.TimeOnly), line); err != nil {
				return err
			}
		}
		if w.options.once || ok && e.State != journal.Running {
			return end
		}
		if err := w.clock.Sleep(ctx, w.options.every); err != nil {
			return nil // the user has seen enough
		}
	}
}

// describe words an entry, and gives an error for a roll that did not succeed.
func describe(e journal.Entry) (string, error) {
	var r rollout.Record
	if len(e.Record) > 0 {
		if err := json.Unmarshal(e.Record, &r); err != nil {
			return fmt.Sprintf("%s, by %s; its record cannot be read: %v", e.State, e.Owner.Name, err), nil
		}
	}
	what := string(e.State)
	if e.State != journal.Running && r.Outcome != "" {
		what = string(r.Outcome)
	}
	to, are := "", "new"
	if r.Direction == rollout.Back { // the counts are of the version before then
		to, are = "back from ", "on the version before"
	}
	of := r.Base
	if there := r.Counts.Current + r.Counts.Stale + r.Counts.Left; there > 0 {
		of = min(of, there) // in a weighted group base is units of capacity
	}
	line := fmt.Sprintf("%s by %s since %s: %sversion %d, %d of %d members %s, %d healthy",
		what, e.Owner.Name, e.Owner.Since.UTC().Format("15:04:05"), to, r.Target.Number, r.Counts.Current, of, are, r.Counts.Healthy)
	switch {
	case e.State == journal.Running && r.Started.IsZero():
		line = fmt.Sprintf("held by %s since %s, not begun yet", e.Owner.Name, e.Owner.Since.UTC().Format("15:04:05"))
	}
	if e.State == journal.Running && r.Last != "" {
		line += "; " + r.Last
	}
	if e.State != journal.Running && r.Outcome != rollout.Succeeded {
		return line, fmt.Errorf("the roll of %s ended %s: %s", e.Group, r.Outcome, r.Reason)
	}
	return line, nil
}
