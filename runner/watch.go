package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/spf13/cobra"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// watchOptions are the flags of the watch command.
type watchOptions struct {
	region, profile, prefix, bucket string
	every                           time.Duration
	once                            bool
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
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			w, err := o.open(ctx, args[0], cmd.OutOrStdout())
			if err != nil {
				return err
			}
			return w.follow(ctx)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.region, "region", "", "AWS region (default: as the AWS command line finds it)")
	f.StringVar(&o.profile, "profile", "", "AWS profile")
	f.StringVar(&o.prefix, "journal-prefix", "/refit", "prefix of the journal, as in the provider's journal block")
	f.StringVar(&o.bucket, "journal-bucket", "", "S3 bucket of the journal; Parameter Store when not given")
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

// open finds the group and its journal.
func (o watchOptions) open(ctx context.Context, group string, out io.Writer) (*watcher, error) {
	source := awsconf.New(awsconf.Settings{Region: o.region, Profile: o.profile})
	config, err := source.Config(ctx)
	if err != nil {
		return nil, err
	}
	found, err := autoscaling.NewFromConfig(config).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{group},
	})
	if err != nil {
		return nil, fmt.Errorf("find group %s: %w", group, err)
	}
	if len(found.AutoScalingGroups) == 0 {
		return nil, fmt.Errorf("there is no Auto Scaling group %q in region %s", group, config.Region)
	}
	clk := clock.Real{}
	store := journal.NewSSM(ssm.NewFromConfig(config), clk, o.prefix)
	if o.bucket != "" {
		store = journal.NewS3(s3.NewFromConfig(config, func(s *s3.Options) {
			s.UsePathStyle = source.URL("s3") != "" // bucket names are no part of such hosts
		}), clk, o.bucket, o.prefix)
	}
	return &watcher{
		group: group, arn: aws.ToString(found.AutoScalingGroups[0].AutoScalingGroupARN),
		journal: journal.New(store, journal.Options{}), clock: clk, options: o, out: out,
	}, nil
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
	line := fmt.Sprintf("%s by %s since %s: version %d, %d of %d members new, %d healthy",
		e.State, e.Owner.Name, e.Owner.Since.UTC().Format("15:04:05"), r.Target.Number, r.Counts.Current, r.Base, r.Counts.Healthy)
	if r.Direction == rollout.Back {
		line += ", going back"
	}
	if r.Last != "" {
		line += "; " + r.Last
	}
	if e.State != journal.Running && r.Outcome != rollout.Succeeded {
		return line, fmt.Errorf("the roll of %s ended %s: %s", e.Group, r.Outcome, r.Reason)
	}
	return line, nil
}
