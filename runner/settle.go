package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
)

// newSettleCommand puts back what an interrupted roll has left.
func newSettleCommand() *cobra.Command {
	var o accountOptions
	var lock time.Duration
	cmd := &cobra.Command{
		Use:   "settle GROUP",
		Short: "Put back what an interrupted roll of a group has left",
		Long: `Finishes the safe point of a roll that was interrupted: resumes the processes it
had suspended, puts the group's version back where the new one was not proven,
and ends members that the roll had launched beyond what the group wants. Members
are not replaced; the next apply or roll does that.

A group whose roll is still running is left alone. The exit code is 0 when
nothing is left, and 1 when something is, or the group is being rolled.`,
		Example: `  refit-runner settle web
  refit-runner settle web --lock-timeout 4m  # its owner died on another machine`,
		Args: one("the name of an Auto Scaling group", "web"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			a, err := o.open(ctx)
			if err != nil {
				return plain(err)
			}
			out := cmd.OutOrStdout()
			return settle(ctx, a.roller(teller(out)), settling{args[0], a.config.Region, lock}, out)
		},
	}
	o.flags(cmd)
	cmd.Flags().DurationVar(&lock, "lock-timeout", 0, "how long to wait for somebody who is rolling the group")
	return cmd
}

// teller prints what is done, a line each. A step that is tried again is one line.
func teller(out io.Writer) func(roller.Event) {
	last := ""
	return func(e roller.Event) {
		if e.Text == last {
			return
		}
		last = e.Text
		_, _ = fmt.Fprintf(out, "%s  %s\n", e.At.Format(time.TimeOnly), e.Text) // nobody to tell
	}
}

// settling is one group to settle.
type settling struct {
	group, region string
	lock          time.Duration
}

// settle puts back what is left of a group's roll, and says what that was.
func settle(ctx context.Context, r *roller.Roller, s settling, out io.Writer) error {
	done, err := r.Settle(ctx, s.group, s.lock)
	if err != nil {
		return s.failed(err)
	}
	lines := []string{fmt.Sprintf("no roll of %s is on record: there is nothing to settle", s.group)}
	if done.Found.State != "" {
		was, _ := describe(done.Found) // that it did not succeed is why we are here
		lines = []string{"found: " + was, fmt.Sprintf("nothing of it is left; %s is settled", s.group)}
		if done.Nothing {
			lines[1] = "it left nothing: there is nothing to settle"
		}
	}
	if len(done.Left) > 0 {
		lines = lines[:1]
		err = fmt.Errorf("settle group %s: not everything could be put back yet (%s); it is on record: run refit-runner settle %s again, or terraform apply",
			s.group, strings.Join(done.Left, "; "), s.group)
	}
	if _, printed := fmt.Fprintln(out, strings.Join(lines, "\n")); err == nil {
		err = printed
	}
	return err
}

// failed words what kept a group from being settled.
func (s settling) failed(err error) error {
	var held *journal.HeldError
	var told *roller.Error
	switch {
	case errors.Is(err, roller.ErrNotFound):
		return fmt.Errorf("there is no Auto Scaling group %q in region %s", s.group, s.region)
	case errors.As(err, &held):
		return fmt.Errorf("settle group %s: %w, and --lock-timeout %s waits that long; see refit-runner watch %s", s.group, held, held.Needed+time.Minute, s.group)
	case errors.As(err, &told):
		return fmt.Errorf("settle group %s: %s", s.group, told.Happened)
	}
	return plain(err)
}
