// Package ami finds machine images and makes launch template versions of them.
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
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// EC2 is what this package needs of the SDK's client.
type EC2 interface {
	DescribeImages(context.Context, *ec2.DescribeImagesInput, ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error)
	DescribeInstanceTypes(context.Context, *ec2.DescribeInstanceTypesInput, ...func(*ec2.Options)) (*ec2.DescribeInstanceTypesOutput, error)
	DescribeLaunchTemplateVersions(context.Context, *ec2.DescribeLaunchTemplateVersionsInput, ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplateVersionsOutput, error)
	CreateLaunchTemplateVersion(context.Context, *ec2.CreateLaunchTemplateVersionInput, ...func(*ec2.Options)) (*ec2.CreateLaunchTemplateVersionOutput, error)
}

// Docs keeps the record of where versions came from.
type Docs interface {
	// Get reads the document at path into doc and tells whether there is one.
	Get(ctx context.Context, path string, doc any) (bool, error)
	Put(ctx context.Context, path string, doc any) error
}

// Options make a [Client].
type Options struct {
	EC2   EC2
	Docs  Docs
	Clock clock.Clock
	// Hash tells version data apart: equal hashes, equal data.
	Hash func(*types.ResponseLaunchTemplateData) string
}

// Client is safe for concurrent use.
type Client struct {
	ec2   EC2
	docs  Docs
	clock clock.Clock
	hash  func(*types.ResponseLaunchTemplateData) string

	mu            sync.Mutex
	architectures map[string][]string // by instance type; a type never changes
	known         map[string]*reading // by template
	sources       map[string]string   // by image: what it was copied from, "" for nothing; that never changes
}

// New returns a client.
func New(o Options) *Client {
	return &Client{
		ec2: o.EC2, docs: o.Docs, clock: o.Clock, hash: o.Hash,
		architectures: map[string][]string{}, known: map[string]*reading{}, sources: map[string]string{},
	}
}

// ErrNoTemplate says that a launch template does not exist.
var ErrNoTemplate = errors.New("the launch template does not exist")

// VersionError says that a template has no such version.
type VersionError struct {
	Template         string
	Number           int64
	Oldest, Latest   int64 // what there is
	AfterMaking      bool  // it was made a moment ago and could not be read
	DifferentContent bool  // it was made, but its data is not what was asked for
}

// Error implements error.
func (e *VersionError) Error() string {
	switch {
	case e.DifferentContent:
		return fmt.Sprintf("version %d of launch template %s was made, but its data differs from the source in more than the image",
			e.Number, e.Template)
	case e.AfterMaking:
		return fmt.Sprintf("version %d of launch template %s was made, but cannot be read", e.Number, e.Template)
	default:
		return fmt.Sprintf("launch template %s has no version %d; its versions run from %d to %d", e.Template, e.Number, e.Oldest, e.Latest)
	}
}

// code is AWS's error code of err, empty when it has none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
