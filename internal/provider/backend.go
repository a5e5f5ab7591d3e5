package provider

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/news"
	"github.com/fleetrefit/terraform-provider-refit/internal/preflight"
	"github.com/fleetrefit/terraform-provider-refit/internal/probe"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
)

type backendOptions struct {
	source   *awsconf.Source
	journal  journalSettings
	poll     time.Duration
	clock    clock.Clock
	skew     *skew // nil: the clock is right
	activity *Activity
	// transport makes the requests of probes and checks; nil: the network.
	transport http.RoundTripper
	progress  string // file to append progress to; empty: none
}

// backend is what one configured provider gives its resources. It makes
// clients when the first of them is needed.
type backend struct {
	backendOptions

	mu   sync.Mutex
	made *clients
	// foreseen is the image that a planned refit_ami_refresh will put into a
	// template, for the wording of other diagnostics of the same plan.
	foreseen  map[string]string
	file      sync.Mutex // of the progress file
	telling   sync.Mutex // held while others are told of what is due
	held      reading[image.Quarantine]
	banned    reading[image.Ban]
	published publishedReading
}

func newBackend(o backendOptions) *backend {
	return &backend{backendOptions: o, foreseen: map[string]string{}}
}

// clients are the adapters, all on one set of credentials.
type clients struct {
	images *ami.Client
	region string
	// in finds images and parameters in another region.
	in func(region string) *ami.Client
	// looks shares describes between the Reads of one plan; rolls never does.
	looks *asg.Client
	// live is for what is decided by right before a change.
	live *asg.Client
	// rolls asks members and checks too; plans ask nobody but AWS.
	rolls     *probe.Watcher
	journal   *journal.Journal
	docs      *journal.Documents
	preflight *preflight.Client
	news      *news.Client
}

// clients resolves credentials and makes the adapters, once.
func (b *backend) clients(ctx context.Context) (*clients, error) {
	config, err := b.source.Config(ctx)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made != nil {
		return b.made, nil
	}
	groups := asg.Options{
		AutoScaling: autoscaling.NewFromConfig(config, func(o *autoscaling.Options) { override(&o.BaseEndpoint, b.source.Endpoint("autoscaling")) }),
		EC2:         ec2.NewFromConfig(config, func(o *ec2.Options) { override(&o.BaseEndpoint, b.source.Endpoint("ec2")) }),
		ELB:         elb.NewFromConfig(config, func(o *elb.Options) { override(&o.BaseEndpoint, b.source.Endpoint("elasticloadbalancing")) }),
		Classic: elasticloadbalancing.NewFromConfig(config, func(o *elasticloadbalancing.Options) {
			override(&o.BaseEndpoint, b.source.Endpoint("elasticloadbalancing"))
		}),
		CloudWatch: cloudwatch.NewFromConfig(config, func(o *cloudwatch.Options) { override(&o.BaseEndpoint, b.source.Endpoint("cloudwatch")) }),
		Clock:      b.clock,
	}
	functions := lambda.NewFromConfig(config, func(o *lambda.Options) { override(&o.BaseEndpoint, b.source.Endpoint("lambda")) })
	parameters := ssm.NewFromConfig(config, func(o *ssm.Options) { override(&o.BaseEndpoint, b.source.Endpoint("ssm")) })
	var store *journal.Store
	if b.journal.bucket != "" {
		store = journal.NewS3(s3.NewFromConfig(config, func(o *s3.Options) {
			override(&o.BaseEndpoint, b.source.Endpoint("s3"))
			o.UsePathStyle = b.source.URL("s3") != "" // bucket names are no part of such hosts
		}), b.clock, b.journal.bucket, b.journal.prefix)
	} else {
		store = journal.NewSSM(parameters, b.clock, b.journal.prefix)
	}
	shared := groups
	shared.Shared, shared.Patient = true, true
	live := asg.New(groups)
	made := &clients{
		looks: asg.New(shared), live: live, rolls: probe.New(live, probe.Options{Transport: b.transport, Lambda: functions}),
		journal: journal.New(store, journal.Options{}), docs: journal.NewDocuments(store),
	}
	machines := ec2.NewFromConfig(config, func(o *ec2.Options) { override(&o.BaseEndpoint, b.source.Endpoint("ec2")) })
	keys := kms.NewFromConfig(config, func(o *kms.Options) { override(&o.BaseEndpoint, b.source.Endpoint("kms")) })
	made.images = ami.New(ami.Options{EC2: machines, Copies: machines, KMS: keys, SSM: parameters, Docs: made.docs, Clock: b.clock})
	made.region = config.Region
	made.in = b.elsewhere(config, made)
	made.preflight = preflight.New(preflight.Options{
		AutoScaling: groups.AutoScaling, EC2: groups.EC2, Groups: made.looks, Clock: b.clock,
		Quotas:      servicequotas.NewFromConfig(config, func(o *servicequotas.Options) { override(&o.BaseEndpoint, b.source.Endpoint("servicequotas")) }),
		Shifts:      arczonalshift.NewFromConfig(config, func(o *arczonalshift.Options) { override(&o.BaseEndpoint, b.source.Endpoint("arczonalshift")) }),
		Credentials: config.Credentials,
	})
	made.news = &news.Client{
		SNS: sns.NewFromConfig(config, func(o *sns.Options) {
			override(&o.BaseEndpoint, b.source.Endpoint("sns"))
			o.RetryMaxAttempts = newsTries
		}),
		EventBridge: eventbridge.NewFromConfig(config, func(o *eventbridge.Options) {
			override(&o.BaseEndpoint, b.source.Endpoint("eventbridge"))
			o.RetryMaxAttempts = newsTries
		}),
		Clock: b.clock,
	}
	b.made = made
	return made, nil
}

// newsTries is how often an event is tried to be sent: nothing waits for it, so
// it must not hold up an apply for minutes.
const newsTries = 4

// elsewhere gives the clients of other regions, each made once.
func (b *backend) elsewhere(config aws.Config, c *clients) func(region string) *ami.Client {
	var mu sync.Mutex
	made := map[string]*ami.Client{c.region: c.images}
	return func(region string) *ami.Client {
		mu.Lock()
		defer mu.Unlock()
		if made[region] == nil {
			config.Region = region
			made[region] = ami.New(ami.Options{
				EC2:  ec2.NewFromConfig(config, func(o *ec2.Options) { override(&o.BaseEndpoint, b.source.Endpoint("ec2")) }),
				SSM:  ssm.NewFromConfig(config, func(o *ssm.Options) { override(&o.BaseEndpoint, b.source.Endpoint("ssm")) }),
				Docs: c.docs, Clock: b.clock, Region: region,
			})
		}
		return made[region]
	}
}

func override(endpoint **string, with *string) {
	if with != nil {
		*endpoint = with
	}
}

// looker assesses groups for Read and plan.
func (b *backend) looker(c *clients) *roller.Roller {
	return &roller.Roller{Groups: c.looks, Journal: c.journal, Docs: c.docs, Images: c.images, Clock: b.clock}
}

// roller rolls groups and tells Terraform's log and the progress file.
func (b *backend) roller(ctx context.Context, c *clients) *roller.Roller {
	return &roller.Roller{
		Groups: c.rolls, Journal: c.journal, Docs: c.docs, Images: c.images, Clock: b.clock,
		Expires: b.source.Expires, Progress: func(e roller.Event) { b.tell(ctx, e) },
	}
}

// tell writes one line of progress to Terraform's log and to the file that
// REFIT_PROGRESS names.
func (b *backend) tell(ctx context.Context, e roller.Event) {
	fields := map[string]any{
		"group": e.Group, "stale": e.Counts.Stale, "new": e.Counts.Current, "healthy": e.Counts.Healthy,
	}
	if e.Warn {
		tflog.Warn(ctx, e.Text, fields)
	} else {
		tflog.Info(ctx, e.Text, fields)
	}
	if b.progress == "" {
		return
	}
	b.file.Lock()
	defer b.file.Unlock()
	if err := appendLine(b.progress, progressLine(e)); err != nil {
		tflog.Warn(ctx, "REFIT_PROGRESS cannot be written", map[string]any{"error": err.Error()})
	}
}

func progressLine(e roller.Event) string {
	mark := " "
	if e.Warn {
		mark = "!"
	}
	counts := ""
	if c := e.Counts; c.Stale+c.Current > 0 {
		counts = fmt.Sprintf(" (%d old, %d new, %d healthy)", c.Stale, c.Current, c.Healthy)
	}
	return fmt.Sprintf("%s %s %s %s%s\n", e.At.UTC().Format("15:04:05"), mark, e.Group, e.Text, counts)
}

func appendLine(file, line string) error {
	//nolint:gosec // the user names the file and wants to read it
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// foresee remembers the image a plan will put into a template; foresight gives
// it, empty when unknown.
func (b *backend) foresee(template, image string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.foreseen[template] = image
}

func (b *backend) foresight(template string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.foreseen[template]
}

// label is an image's id with its name, for people; the id alone where the name
// cannot be read.
func (b *backend) label(ctx context.Context, c *clients, id string) string {
	if id == "" {
		return "an image that is not known"
	}
	i, err := c.images.Image(ctx, id)
	if err != nil || i.Name == "" {
		return id
	}
	return fmt.Sprintf("%s (%s)", id, i.Name)
}

// words is what an image is about, for people: the id alone where AWS does not
// show it.
func (b *backend) words(ctx context.Context, c *clients, l look, id string) string {
	i, err := c.images.Image(ctx, id)
	if err != nil {
		return b.label(ctx, c, id)
	}
	return l.choice.Words(l.dated(i), l.rule)
}

// backendOf is what Configure handed to a resource. It is nil while Terraform
// only validates.
func backendOf(data any, diags *diag.Diagnostics) *backend {
	if data == nil {
		return nil
	}
	b, ok := data.(*backend)
	if !ok {
		diags.AddError("Provider error", fmt.Sprintf("The provider handed over %T; please report this.", data))
	}
	return b
}
