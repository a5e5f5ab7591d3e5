package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/spf13/cobra"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
)

// accountOptions are the flags of every command that speaks to AWS: which
// account and region, and where the journal is.
type accountOptions struct{ region, profile, prefix, bucket string }

func (o *accountOptions) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&o.region, "region", "", "AWS region (default: as the AWS command line finds it)")
	f.StringVar(&o.profile, "profile", "", "AWS profile")
	f.StringVar(&o.prefix, "journal-prefix", "/refit", "prefix of the journal, as in the provider's journal block")
	f.StringVar(&o.bucket, "journal-bucket", "", "S3 bucket of the journal; Parameter Store when not given")
}

// account is one account and region with its journal.
type account struct {
	config  aws.Config
	expires func(context.Context) time.Time // when the credentials do
	store   *journal.Store
	clock   clock.Clock
}

// open finds credentials and region. It calls nothing of AWS beyond that.
func (o accountOptions) open(ctx context.Context) (*account, error) {
	source := awsconf.New(awsconf.Settings{Region: o.region, Profile: o.profile})
	config, err := source.Config(ctx)
	if err != nil {
		return nil, err
	}
	a := &account{config: config, expires: source.Expires, clock: clock.Real{}}
	if o.bucket == "" {
		a.store = journal.NewSSM(ssm.NewFromConfig(config), a.clock, o.prefix)
		return a, nil
	}
	a.store = journal.NewS3(s3.NewFromConfig(config, func(s *s3.Options) {
		s.UsePathStyle = source.URL("s3") != "" // bucket names are no part of such hosts
	}), a.clock, o.bucket, o.prefix)
	return a, nil
}

// arn finds a group by its name.
func (a *account) arn(ctx context.Context, group string) (string, error) {
	found, err := autoscaling.NewFromConfig(a.config).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{group},
	})
	if err != nil {
		return "", fmt.Errorf("find group %s: %w", group, err)
	}
	if len(found.AutoScalingGroups) == 0 {
		return "", fmt.Errorf("there is no Auto Scaling group %q in region %s", group, a.config.Region)
	}
	return aws.ToString(found.AutoScalingGroups[0].AutoScalingGroupARN), nil
}

// journal is who may act on a group, and what a roll of it has left.
func (a *account) journal() *journal.Journal { return journal.New(a.store, journal.Options{}) }

// documents are what is kept beside the journals.
func (a *account) documents() *journal.Documents { return journal.NewDocuments(a.store) }

// one takes exactly one argument and says what it is when it is missing.
func one(what, example string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return fmt.Errorf("%s needs %s, such as %q, and nothing else: got %d arguments", strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" "), what, example, len(args))
	}
}

// plain is an error without the SDK's wrapping, for people.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(asg.Plain(err))
}

// roller acts on groups and tells each change.
func (a *account) roller(tell func(roller.Event)) *roller.Roller {
	return &roller.Roller{
		Groups: asg.New(asg.Options{
			AutoScaling: autoscaling.NewFromConfig(a.config), EC2: ec2.NewFromConfig(a.config),
			ELB: elb.NewFromConfig(a.config), Classic: elasticloadbalancing.NewFromConfig(a.config), Clock: a.clock,
		}),
		Journal: a.journal(), Docs: a.documents(), Clock: a.clock, Expires: a.expires, Progress: tell, // no Images: it settles, and rolls to nothing
	}
}
