// Package awsconf makes AWS SDK clients from settings, the way the
// hashicorp/aws provider does: the same profiles, SSO, assumed roles,
// environment variables and retries.
//
// It owns where credentials, region and endpoints come from. Nothing is looked
// up before the first client is asked for. It must not know which calls are
// made with the clients.
package awsconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
	"github.com/hashicorp/aws-sdk-go-base/v2/diag"
	"github.com/hashicorp/aws-sdk-go-base/v2/logging"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// Settings say where credentials, region and endpoints come from. The zero
// value takes everything from the environment and the shared files.
type Settings struct {
	Region, Profile             string
	AccessKey, SecretKey, Token string
	SharedConfigFiles           []string
	SharedCredentialsFiles      []string
	AssumeRole                  *AssumeRole // nil: none
	// MaxRetries is how often one call is tried; 0: AWS_MAX_ATTEMPTS, or 25.
	MaxRetries int
	RetryMode  string // standard or adaptive; empty: AWS_RETRY_MODE, or standard
	// Endpoints are base URLs by service: autoscaling, cloudwatch, ec2,
	// elasticloadbalancing, eventbridge, kms, lambda, s3, servicequotas, sns, ssm, sts. A missing one is taken from
	// AWS_ENDPOINT_URL_<SERVICE> or AWS_ENDPOINT_URL, else it is AWS's own.
	Endpoints map[string]string
	// SkipMetadata keeps from asking the EC2 metadata service for credentials,
	// which takes seconds on a machine that is not in EC2.
	SkipMetadata bool
	// Products are added to the user agent, name and version.
	Products [][2]string
	// Dated is told the time that each answer of AWS bears, to the second; nil:
	// nobody is.
	Dated func(time.Time)
}

// AssumeRole is a role to act in.
type AssumeRole struct {
	RoleARN, SessionName, ExternalID string
	Policy, SourceIdentity           string
	Duration                         time.Duration // 0: an hour
	PolicyARNs, TransitiveTagKeys    []string
	Tags                             map[string]string
}

// ErrNoCredentials says that no source of credentials had any; ErrNoRegion
// that no region is set anywhere.
var (
	ErrNoCredentials = errors.New("no valid source of AWS credentials")
	ErrNoRegion      = errors.New("no AWS region is set")
)

// defaultRetries is hashicorp/aws's. With waits of up to 20 s it outlasts
// several minutes of throttling.
const defaultRetries = 25

// Source gives the SDK configuration. It resolves it once, when first asked,
// and is safe for concurrent use.
type Source struct {
	settings Settings

	mu     sync.Mutex
	done   bool
	config aws.Config
	err    error
}

// New returns a source. It looks nothing up.
func New(s Settings) *Source { return &Source{settings: s} }

// Config gives the SDK configuration. Errors: [ErrNoCredentials], [ErrNoRegion]
// and what aws-sdk-go-base says. A failure is remembered, so that a hundred
// readers do not each wait for the same missing credentials.
func (s *Source) Config(ctx context.Context) (aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return s.config, s.err
	}
	config, err := s.settings.resolve(ctx)
	if ctx.Err() != nil {
		return aws.Config{}, ctx.Err() // says nothing about the credentials
	}
	s.done, s.config, s.err = true, config, err
	return config, err
}

// Endpoint is the base URL set for a service, nil when the SDK is to find it.
func (s *Source) Endpoint(service string) *string {
	if url := s.settings.Endpoints[service]; url != "" {
		return aws.String(url)
	}
	return nil
}

// URL is the base URL that somebody set for a service, here or in the
// environment; empty when it is AWS's own.
func (s *Source) URL(service string) string {
	for _, url := range []string{
		s.settings.Endpoints[service], os.Getenv("AWS_ENDPOINT_URL_" + variable(service)), os.Getenv("AWS_ENDPOINT_URL"),
	} {
		if url != "" {
			return url
		}
	}
	return ""
}

// variable is a service's name in AWS_ENDPOINT_URL_…, which goes by the SDK's
// service ids.
func variable(service string) string {
	switch service {
	case "autoscaling":
		return "AUTO_SCALING"
	case "elasticloadbalancing":
		return "ELASTIC_LOAD_BALANCING_V2"
	case "arczonalshift":
		return "ARC_ZONAL_SHIFT"
	case "servicequotas":
		return "SERVICE_QUOTAS"
	default:
		return strings.ToUpper(service)
	}
}

// Context makes SDK calls made with it write to Terraform's log, where that is
// on at a level that shows them.
func Context(ctx context.Context) context.Context {
	if !logsCalls() {
		return ctx
	}
	ctx, logger := logging.NewTfLogger(ctx)
	return logging.RegisterLogger(ctx, logger)
}

// logsCalls says whether Terraform's log is on at a level that shows calls.
func logsCalls() bool {
	for _, name := range []string{"TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_PROVIDER_REFIT"} {
		switch strings.ToUpper(os.Getenv(name)) {
		case "TRACE", "DEBUG", "JSON":
			return true
		}
	}
	return false
}

func (s Settings) resolve(ctx context.Context) (aws.Config, error) {
	ctx, logger := logging.NewTfLogger(ctx)
	base := s.base()
	base.Logger = logger
	base.SuppressDebugLog = !logsCalls()
	_, config, diags := awsbase.GetAwsConfig(ctx, base)
	if err := failure(diags); err != nil {
		return aws.Config{}, err
	}
	if config.Region == "" {
		return aws.Config{}, ErrNoRegion
	}
	config.HTTPClient = readOnly{config.HTTPClient, s.Dated}
	config.Credentials = &lasting{inner: config.Credentials, now: clock.Real{}.Now}
	return config, nil
}

// readOnly sends requests whose bodies can only be read, and tells what time
// the answers say it is.
//
// smithy-go closes a request's body as soon as there is an answer, and its body
// says io.EOF when it is asked to WriteTo after that, which net/http takes for
// a broken request: it closes the connection under the answer. With answers as
// fast as a simulator's on this machine, one in some hundreds breaks so. A body
// that cannot WriteTo is read instead, where io.EOF is what it should be.
type readOnly struct {
	aws.HTTPClient
	dated func(time.Time) // nil: nobody is told
}

// Do implements [aws.HTTPClient].
func (c readOnly) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	resp, err := c.HTTPClient.Do(r)
	if err == nil && c.dated != nil {
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			c.dated(at)
		}
	}
	return resp, err
}

func (s Settings) base() *awsbase.Config {
	c := &awsbase.Config{
		AccessKey: s.AccessKey, SecretKey: s.SecretKey, Token: s.Token,
		Profile: s.Profile, Region: s.Region,
		SharedConfigFiles: s.SharedConfigFiles, SharedCredentialsFiles: s.SharedCredentialsFiles,
		MaxRetries: s.MaxRetries, RetryMode: aws.RetryMode(s.RetryMode),
		StsEndpoint:            s.Endpoints["sts"],
		CallerName:             "Refit",
		CallerDocumentationURL: "https://registry.terraform.io/providers/fleetrefit/refit/latest/docs",
		// Who we are is found out by the first call that matters.
		SkipCredsValidation: true, SkipRequestingAccountId: true,
	}
	if c.MaxRetries == 0 && os.Getenv("AWS_MAX_ATTEMPTS") == "" {
		c.MaxRetries = defaultRetries
	}
	if s.SkipMetadata {
		c.EC2MetadataServiceEnableState = imds.ClientDisabled
	}
	for _, p := range s.Products {
		c.UserAgent = append(c.UserAgent, awsbase.UserAgentProduct{Name: p[0], Version: p[1]})
	}
	if r := s.AssumeRole; r != nil {
		c.AssumeRole = []awsbase.AssumeRole{{
			RoleARN: r.RoleARN, SessionName: r.SessionName, ExternalID: r.ExternalID,
			Policy: r.Policy, SourceIdentity: r.SourceIdentity, Duration: r.Duration,
			PolicyARNs: r.PolicyARNs, TransitiveTagKeys: r.TransitiveTagKeys, Tags: r.Tags,
		}}
	}
	return c
}

// failure turns the first error diagnostic into an error.
func failure(diags diag.Diagnostics) error {
	for _, d := range diags {
		if d.Severity() != diag.SeverityError {
			continue
		}
		var cause error
		if with, ok := d.(diag.DiagnosticWithErr); ok {
			cause = with.Err()
		}
		switch {
		case awsbase.IsNoValidCredentialSourcesError(d):
			return fmt.Errorf("%w: %w", ErrNoCredentials, cause)
		case cause != nil && strings.EqualFold(cause.Error(), d.Summary()):
			return cause // it would say the same twice
		case cause != nil:
			return fmt.Errorf("%s: %w", d.Summary(), cause)
		default:
			return fmt.Errorf("%s: %s", d.Summary(), d.Detail())
		}
	}
	return nil
}
