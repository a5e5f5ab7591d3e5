// Package ltversion publishes launch template versions that repeat another
// version's data in everything but the image, and tells data apart.
//
// It owns the one call that makes such a version, the look at what came of it,
// and the withdrawal of one that differs. It must not decide when a version is
// wanted.
package ltversion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// EC2 is what this package needs of the SDK's client.
type EC2 interface {
	CreateLaunchTemplateVersion(context.Context, *ec2.CreateLaunchTemplateVersionInput, ...func(*ec2.Options)) (*ec2.CreateLaunchTemplateVersionOutput, error)
	DescribeLaunchTemplateVersions(context.Context, *ec2.DescribeLaunchTemplateVersionsInput, ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplateVersionsOutput, error)
	DeleteLaunchTemplateVersions(context.Context, *ec2.DeleteLaunchTemplateVersionsInput, ...func(*ec2.Options)) (*ec2.DeleteLaunchTemplateVersionsOutput, error)
}

// Hash tells launch template data apart: equal hashes, equal data, however the
// versions are numbered. 16 hexadecimal digits, short enough for a journal.
func Hash(data *types.ResponseLaunchTemplateData) string {
	text, err := json.Marshal(lasting(data))
	if err != nil {
		panic("launch template data does not encode: " + err.Error()) // plain structs always do
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// lasting is data without what AWS changes by itself after a version was made:
// how far it is with the metadata options. That is the one difference between a
// version and its source, other than the image, that makes no other version.
func lasting(data *types.ResponseLaunchTemplateData) *types.ResponseLaunchTemplateData {
	if data.MetadataOptions == nil || data.MetadataOptions.State == "" {
		return data
	}
	out, options := *data, *data.MetadataOptions
	options.State = ""
	out.MetadataOptions = &options
	return &out
}

// Differences names the fields, as EC2's API does, in which two versions' data
// differ; none when they have the same [Hash].
func Differences(a, b *types.ResponseLaunchTemplateData) []string {
	var out []string
	x, y := reflect.ValueOf(*lasting(a)), reflect.ValueOf(*lasting(b))
	for i := range x.NumField() {
		f := x.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		left, errLeft := json.Marshal(x.Field(i).Interface())
		right, errRight := json.Marshal(y.Field(i).Interface())
		if errLeft != nil || errRight != nil || string(left) != string(right) {
			out = append(out, f.Name)
		}
	}
	return out
}

// WithImage is data with another image; the data itself is not changed.
func WithImage(data *types.ResponseLaunchTemplateData, id *string) *types.ResponseLaunchTemplateData {
	out := *data
	out.ImageId = id
	return &out
}

// Copy is a version to publish.
type Copy struct {
	Template    string // id
	Source      int64  // number of the version to repeat
	Description string // of the new version; aws_launch_template shows the latest one's
	// Data is the source's, with the image that the new version is to have.
	Data *types.ResponseLaunchTemplateData
	// Token makes a repeated call answer with the version of the first one.
	Token string
}

// Client publishes versions. Its zero value is of no use.
type Client struct {
	EC2   EC2
	Clock clock.Clock
	// Reads and Writes are for each call of their kind.
	Reads, Writes []func(*ec2.Options)
}

// DifferenceError says that what AWS made of a version is not what its source says.
type DifferenceError struct {
	Template       string
	Source, Number int64
	Fields         []string // names of EC2's API
	// Kept is why the version could not be withdrawn; nil when it was.
	Kept error
}

// Error implements error.
func (e *DifferenceError) Error() string {
	said := fmt.Sprintf("version %d of launch template %s, made from version %d, differs from it in more than the image: %s",
		e.Number, e.Template, e.Source, strings.Join(e.Fields, ", "))
	if e.Kept != nil {
		return fmt.Sprintf("%s; version %d is still there, delete it by hand: it could not be withdrawn: %v", said, e.Number, e.Kept)
	}
	return said + "; it was withdrawn"
}

// Unwrap implements the errors package's interface.
func (e *DifferenceError) Unwrap() error { return e.Kept }

// UnreadError says that a version was made but does not read back.
type UnreadError struct {
	Template string
	Number   int64
}

// Error implements error.
func (e *UnreadError) Error() string {
	return fmt.Sprintf("version %d of launch template %s was made, but cannot be read; perhaps it was deleted since", e.Number, e.Template)
}

// LimitError says that a template has as many versions as AWS allows.
type LimitError struct {
	Template string
	Err      error
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("launch template %s has as many versions as this account may have of a template (10,000 unless raised); "+
		"delete versions that no group uses, as keep_versions of refit_ami_refresh does: %v", e.Template, e.Err)
}

// Unwrap implements the errors package's interface.
func (e *LimitError) Unwrap() error { return e.Err }

// Publish makes a version, reads it back, and withdraws it if it differs from
// what was asked for. Errors: [*LimitError], [*UnreadError],
// [*DifferenceError], what a call gave.
func (c Client) Publish(ctx context.Context, v Copy) (int64, error) {
	out, err := c.EC2.CreateLaunchTemplateVersion(ctx, v.input(), c.Writes...)
	if said := code(err); strings.HasSuffix(said, "LimitExceeded") && said != "RequestLimitExceeded" {
		return 0, &LimitError{Template: v.Template, Err: err}
	}
	if err != nil {
		return 0, err
	}
	if out.LaunchTemplateVersion == nil {
		return 0, errors.New("AWS does not name the version it made")
	}
	number := aws.ToInt64(out.LaunchTemplateVersion.VersionNumber)
	back, err := c.readBack(ctx, v.Template, number)
	if err != nil {
		return number, err
	}
	if fields := Differences(v.Data, back); len(fields) > 0 {
		return number, &DifferenceError{v.Template, v.Source, number, fields, c.withdraw(ctx, v.Template, number)}
	}
	return number, nil
}

// input is the call. AWS copies the source, so fields that this SDK does not
// know yet are in the new version too.
func (v Copy) input() *ec2.CreateLaunchTemplateVersionInput {
	in := &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: aws.String(v.Template), SourceVersion: aws.String(strconv.FormatInt(v.Source, 10)),
		LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: v.Data.ImageId, BlockDeviceMappings: mappings(v.Data)},
		ClientToken:        aws.String(v.Token),
	}
	if v.Data.ImageId == nil {
		// EC2 refuses a request without any data, so one field is sent again.
		in.LaunchTemplateData.InstanceType = v.Data.InstanceType
	}
	if v.Description != "" {
		in.VersionDescription = aws.String(v.Description)
	}
	return in
}

// mappings repeats the block device mappings where one names a snapshot: EC2
// drops those from a version made from a source unless they are sent again.
func mappings(data *types.ResponseLaunchTemplateData) []types.LaunchTemplateBlockDeviceMappingRequest {
	if len(Snapshots(data)) == 0 {
		return nil
	}
	var out []types.LaunchTemplateBlockDeviceMappingRequest
	for _, m := range data.BlockDeviceMappings {
		r := types.LaunchTemplateBlockDeviceMappingRequest{DeviceName: m.DeviceName, NoDevice: m.NoDevice, VirtualName: m.VirtualName}
		if e := m.Ebs; e != nil {
			r.Ebs = &types.LaunchTemplateEbsBlockDeviceRequest{
				DeleteOnTermination: e.DeleteOnTermination, EbsCardIndex: e.EbsCardIndex, Encrypted: e.Encrypted, Iops: e.Iops,
				KmsKeyId: e.KmsKeyId, SnapshotId: e.SnapshotId, Throughput: e.Throughput,
				VolumeInitializationRate: e.VolumeInitializationRate, VolumeSize: e.VolumeSize, VolumeType: e.VolumeType,
			}
		}
		out = append(out, r)
	}
	return out
}

// Snapshots are the snapshots that block device mappings name, by device.
func Snapshots(data *types.ResponseLaunchTemplateData) map[string]string {
	out := map[string]string{}
	for _, m := range data.BlockDeviceMappings {
		if m.Ebs != nil && aws.ToString(m.Ebs.SnapshotId) != "" {
			out[aws.ToString(m.DeviceName)] = aws.ToString(m.Ebs.SnapshotId)
		}
	}
	return out
}

// mostReads is how often a new version is looked for, a second longer apart
// each time. AWS may not show it at once.
const mostReads = 6

func (c Client) readBack(ctx context.Context, template string, number int64) (*types.ResponseLaunchTemplateData, error) {
	for try := 1; ; try++ {
		out, err := c.EC2.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
			LaunchTemplateId: aws.String(template), Versions: []string{strconv.FormatInt(number, 10)},
		}, c.Reads...)
		if err == nil && len(out.LaunchTemplateVersions) == 1 && out.LaunchTemplateVersions[0].LaunchTemplateData != nil {
			return out.LaunchTemplateVersions[0].LaunchTemplateData, nil
		}
		if err != nil && code(err) != "InvalidLaunchTemplateId.VersionNotFound" {
			return nil, fmt.Errorf("read version %d of launch template %s: %w", number, template, err)
		}
		if try == mostReads {
			return nil, &UnreadError{template, number}
		}
		if err := c.Clock.Sleep(ctx, time.Duration(try)*time.Second); err != nil {
			return nil, err
		}
	}
}

// withdraw deletes a version that was just made.
func (c Client) withdraw(ctx context.Context, template string, number int64) error {
	kept, err := Delete(ctx, c.EC2, template, number)
	if err != nil {
		return err
	}
	return kept[number]
}

// Delete deletes versions of a template, in calls of at most 200. Those that
// AWS kept are in the answer, with what it says; a version that was gone
// already counts as deleted.
func Delete(ctx context.Context, api EC2, template string, numbers ...int64) (kept map[int64]error, err error) {
	kept = map[int64]error{}
	for len(numbers) > 0 {
		part := numbers[:min(len(numbers), 200)]
		numbers = numbers[len(part):]
		in := &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(template)}
		for _, n := range part {
			in.Versions = append(in.Versions, strconv.FormatInt(n, 10))
		}
		out, err := api.DeleteLaunchTemplateVersions(ctx, in)
		if err != nil {
			return kept, fmt.Errorf("delete versions %s of launch template %s: %w", strings.Join(in.Versions, ", "), template, err)
		}
		for _, item := range out.UnsuccessfullyDeletedLaunchTemplateVersions {
			said := item.ResponseError
			if said == nil {
				said = &types.ResponseError{}
			}
			if said.Code != types.LaunchTemplateErrorCodeLaunchTemplateVersionDoesNotExist {
				kept[aws.ToInt64(item.VersionNumber)] = fmt.Errorf("%s: %s", said.Code, aws.ToString(said.Message))
			}
		}
	}
	return kept, nil
}

// code is AWS's error code of err, empty when it has none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
