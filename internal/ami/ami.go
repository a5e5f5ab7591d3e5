// Package ami finds machine images, copies them, and makes launch template
// versions of them.
//
// It owns the EC2 calls for both, the record of where a version came from, and
// what each failure means. It must not decide which image is acceptable; that
// is internal/image.
package ami

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
)

// EC2 is what this package needs of the SDK's client.
type EC2 interface {
	DescribeImages(context.Context, *ec2.DescribeImagesInput, ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error)
	DescribeInstanceTypes(context.Context, *ec2.DescribeInstanceTypesInput, ...func(*ec2.Options)) (*ec2.DescribeInstanceTypesOutput, error)
	ltversion.EC2
}

// SSM is what this package needs of the SDK's client for Parameter Store.
type SSM interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	GetParameterHistory(context.Context, *ssm.GetParameterHistoryInput, ...func(*ssm.Options)) (*ssm.GetParameterHistoryOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// Docs keeps the record of where versions came from.
type Docs interface {
	// Get reads the document at path into doc and tells whether there is one.
	Get(ctx context.Context, path string, doc any) (bool, error)
	Put(ctx context.Context, path string, doc any) error
}

// Options make a [Client].
type Options struct {
	EC2    EC2
	Copies Copies // only for copying, and for keys of images
	KMS    KMS    // only for copying, and for keys of images
	SSM    SSM    // only for sources and targets that are parameters
	Docs   Docs
	Clock  clock.Clock
	Region string // for messages; empty: the reader's own
}

// Client is safe for concurrent use.
type Client struct {
	ec2    EC2
	copies Copies
	kms    KMS
	ssm    SSM
	docs   Docs
	clock  clock.Clock
	where  string // for people

	mu      sync.Mutex
	fits    map[string]Fit         // by instance type; a type never changes
	known   map[string]*reading    // by template
	sources map[string]string      // by image: what it was copied from, "" for nothing; that never changes
	told    map[string][]image.Due // by template: the record as it was last written
	rolled  map[string][]Rolled    // by template: what rolls of this process have made

	copying sync.Mutex        // held while one copy is found or asked for
	asked   map[string]string // copies that were asked for, by what they are of; under copying
}

// New returns a client.
func New(o Options) *Client {
	where := "this region"
	if o.Region != "" {
		where = "region " + o.Region
	}
	return &Client{
		ec2: o.EC2, copies: o.Copies, kms: o.KMS, ssm: o.SSM, docs: o.Docs, clock: o.Clock, where: where, asked: map[string]string{},
		fits: map[string]Fit{}, known: map[string]*reading{}, sources: map[string]string{}, told: map[string][]image.Due{}, rolled: map[string][]Rolled{},
	}
}

// ErrNoTemplate says that a launch template does not exist.
var ErrNoTemplate = errors.New("the launch template does not exist")

// VersionError says that a template has no such version.
type VersionError struct {
	Template       string
	Number         int64
	Oldest, Latest int64 // what there is
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("launch template %s has no version %d; its versions run from %d to %d", e.Template, e.Number, e.Oldest, e.Latest)
}

// RootSnapshotError says that a template's data names a snapshot for the root
// disk: members would run that disk whatever the image is.
type RootSnapshotError struct {
	Template         string
	Version          int64 // whose data it is
	Device, Snapshot string
	Image            string // the one that would not be used
}

// Error implements error.
func (e *RootSnapshotError) Error() string {
	return fmt.Sprintf("version %d of launch template %s makes the root disk %s from %s: members would start from that snapshot, not from image %s",
		e.Version, e.Template, e.Device, e.Snapshot, e.Image)
}

// code is AWS's error code of err, empty when it has none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
