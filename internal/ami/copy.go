package ami

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
)

// Copies is what copying needs of the SDK's client, in the region of the copies.
type Copies interface {
	CopyImage(context.Context, *ec2.CopyImageInput, ...func(*ec2.Options)) (*ec2.CopyImageOutput, error)
	DescribeSnapshots(context.Context, *ec2.DescribeSnapshotsInput, ...func(*ec2.Options)) (*ec2.DescribeSnapshotsOutput, error)
	Removals
}

// Removals is what deleting copies needs of the SDK's client.
type Removals interface {
	DeregisterImage(context.Context, *ec2.DeregisterImageInput, ...func(*ec2.Options)) (*ec2.DeregisterImageOutput, error)
	DeleteSnapshot(context.Context, *ec2.DeleteSnapshotInput, ...func(*ec2.Options)) (*ec2.DeleteSnapshotOutput, error)
	DescribeImageReferences(context.Context, *ec2.DescribeImageReferencesInput, ...func(*ec2.Options)) (*ec2.DescribeImageReferencesOutput, error)
}

// CopyOf finds the copy of an image that is available or being made in this
// client's region; ok is false when there is none. inUse is the one that is in
// use already; see [image.Copying.CopyOf].
func (c *Client) CopyOf(ctx context.Context, want image.Copying, original image.Image, inUse string) (found image.Image, ok bool, err error) {
	all, err := c.CopiesOf(ctx, want.Region, original.ID)
	if err != nil {
		return image.Image{}, false, err
	}
	found, ok = want.CopyOf(original, all, inUse)
	return found, ok, nil
}

// CopiesOf lists the images of this account and region that were made of images
// of another region by copying, in whatever state, with one call for 200 of
// them.
func (c *Client) CopiesOf(ctx context.Context, region string, originals ...string) ([]image.Image, error) {
	var out []image.Image
	for ids := range slices.Chunk(originals, filterValues) {
		found, err := c.own(ctx, map[string][]string{"source-image-id": ids, "source-image-region": {region}})
		if err != nil {
			return nil, fmt.Errorf("find copies of images of %s: %w", region, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// CopiesFor lists the copies that were made for a template, in whatever state.
func (c *Client) CopiesFor(ctx context.Context, template string) ([]image.Image, error) {
	found, err := c.own(ctx, map[string][]string{"tag:" + image.TagTemplate: {template}})
	if err != nil {
		return nil, fmt.Errorf("find the copies made for launch template %s: %w", template, err)
	}
	return found, nil
}

func (c *Client) own(ctx context.Context, filters map[string][]string) ([]image.Image, error) {
	found, _, err := c.images(ctx, Source{Owners: []string{"self"}, Filters: filters}, search{all: true})
	return found, err
}

// percent is how far the least complete snapshot of a copy is; -1 where AWS
// does not say.
func (c *Client) percent(ctx context.Context, copyToken string) int {
	least := -1
	for _, s := range c.snapshotsOf(ctx, copyToken) {
		n, err := strconv.Atoi(strings.TrimSuffix(aws.ToString(s.Progress), "%"))
		if err == nil && (least < 0 || n < least) {
			least = n
		}
	}
	return least
}

// snapshotsOf are those of a copy that Refit made; none where they cannot be
// listed.
func (c *Client) snapshotsOf(ctx context.Context, copyToken string) []types.Snapshot {
	if copyToken == "" {
		return nil
	}
	out, err := c.copies.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{
		OwnerIds: []string{"self"}, Filters: []types.Filter{{Name: aws.String("tag:" + image.TagCopy), Values: []string{copyToken}}},
	})
	if err != nil {
		return nil
	}
	return out.Snapshots
}

// Discard deregisters a copy and deletes its snapshots, also those that AWS
// does not count as the image's because it is not complete. It gives what could
// not be deleted, each with the reason.
func (c *Client) Discard(ctx context.Context, i image.Image, copyToken string) (left []string) {
	if i.State != notListed {
		_, err := c.copies.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: aws.String(i.ID), DeleteAssociatedSnapshots: aws.Bool(true)})
		if err != nil && !strings.HasPrefix(code(err), "InvalidAMIID.") {
			return []string{fmt.Sprintf("image %s (%v)", i.ID, err)}
		}
	}
	for _, s := range c.snapshotsOf(ctx, copyToken) {
		id := aws.ToString(s.SnapshotId)
		if _, err := c.copies.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: s.SnapshotId}); err != nil && code(err) != "InvalidSnapshot.NotFound" {
			left = append(left, fmt.Sprintf("snapshot %s (%v)", id, err))
		}
	}
	return left
}

// References tells which of the images anything of this account and region
// names: an instance that is not terminated, any version of a launch template,
// a parameter, a recipe of Image Builder. It costs a call for ten images.
func (c *Client) References(ctx context.Context, ids ...string) (map[string]bool, error) {
	out := map[string]bool{}
	for chunk := range slices.Chunk(ids, 10) {
		in := &ec2.DescribeImageReferencesInput{
			ImageIds: chunk, IncludeAllResourceTypes: aws.Bool(true), MaxResults: aws.Int32(1000),
			ResourceTypes: []types.ResourceTypeRequest{
				{ResourceType: types.ImageReferenceResourceTypeEc2LaunchTemplate, ResourceTypeOptions: []types.ResourceTypeOption{
					{OptionName: types.ImageReferenceOptionNameVersionDepth, OptionValues: []string{"10000"}},
				}},
				{ResourceType: types.ImageReferenceResourceTypeEc2Instance, ResourceTypeOptions: []types.ResourceTypeOption{
					{OptionName: types.ImageReferenceOptionNameStateName, OptionValues: []string{"pending", "running", "shutting-down", "stopping", "stopped"}},
				}},
			},
		}
		for {
			answer, err := c.copies.DescribeImageReferences(ctx, in)
			if err != nil {
				return nil, fmt.Errorf("find out what uses the images %s: %w", strings.Join(chunk, ", "), err)
			}
			for _, r := range answer.ImageReferences {
				out[aws.ToString(r.ImageId)] = true
			}
			if in.NextToken = answer.NextToken; aws.ToString(in.NextToken) == "" {
				break
			}
		}
	}
	return out, nil
}

// RootFrom finds out whether version data would give members another root disk
// than an image's; the error is a [*RootSnapshotError] then. It is for an image
// that is not in this region yet; see [Client.RootSnapshot].
func (t Template) RootFrom(source Version, i image.Image) error {
	if s := ltversion.Snapshots(source.Content)[i.RootDevice]; s != "" {
		return &RootSnapshotError{Template: t.ID, Version: source.Number, Device: i.RootDevice, Snapshot: s, Image: i.ID}
	}
	return nil
}
