package asg

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// RootDiskError says that a version's data names a snapshot for the root disk:
// members would run that disk whatever the image is.
type RootDiskError struct {
	Version          rollout.Version
	Device, Snapshot string
}

// Error implements error.
func (e *RootDiskError) Error() string {
	return fmt.Sprintf("version %d of launch template %s makes the root disk %s from %s: members would start from that snapshot, not from image %s",
		e.Version.Source, e.Version.TemplateID, e.Device, e.Snapshot, e.Version.Image)
}

// WithImage is the version that a copy of source with another image would be. It
// makes none. Errors: [*VersionError], [*RootDiskError], what a call gave.
func (c *Client) WithImage(ctx context.Context, source rollout.Version, imageID string) (rollout.Version, error) {
	number := strconv.FormatInt(source.Number, 10)
	found, err := c.readVersions(ctx, source.TemplateID, number)
	if err != nil {
		return rollout.Version{}, err
	}
	if len(found) == 0 {
		return rollout.Version{}, &VersionError{Template: source.TemplateID, Version: number, Err: errors.New("AWS lists none")}
	}
	v := rollout.Version{
		TemplateID: source.TemplateID, TemplateName: source.TemplateName, Image: imageID, Source: source.Number,
		Data: DataHash(ltversion.WithImage(found[0].data, &imageID)),
	}
	if c.o.Patient {
		v.ImageName = c.imageName(ctx, imageID) // for plans; a roll needs no names
	}
	snapshots := ltversion.Snapshots(found[0].data)
	if len(snapshots) == 0 {
		return v, nil
	}
	out, err := c.o.EC2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{imageID}, IncludeDeprecated: aws.Bool(true)}, c.readsEC2()...)
	if err != nil {
		return rollout.Version{}, fmt.Errorf("read the root device of image %s: %w", imageID, err)
	}
	for _, i := range out.Images {
		root := aws.ToString(i.RootDeviceName)
		if s := snapshots[root]; s != "" {
			return rollout.Version{}, &RootDiskError{Version: v, Device: root, Snapshot: s}
		}
	}
	return v, nil
}
