package asg

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// parameter begins an image that is a parameter of Systems Manager rather than
// an id.
const parameter = "resolve:ssm:"

// meansFor is how long what a parameter means is not asked for again.
const meansFor = 30 * time.Second

// meaning is the image that a parameter means.
type meaning struct {
	image string
	at    time.Time
}

func (v *versionCache) putAliased(found rollout.Version, data *ec2types.ResponseLaunchTemplateData) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.aliased[versionKey{found.TemplateID, found.Number}] = data
}

// naming is a version that names a parameter as if it named an image: with that
// one's data, too. Other versions stay as they are, but for the image.
func (v *versionCache) naming(found rollout.Version, image string) rollout.Version {
	found.Image = image
	v.mu.Lock()
	defer v.mu.Unlock()
	if data := v.aliased[versionKey{found.TemplateID, found.Number}]; data != nil && found.Alias != "" {
		found.Data = DataHash(ltversion.WithImage(data, &image))
	}
	return found
}

// meaning finds the image that a version's parameter means now.
func (c *Client) meaning(ctx context.Context, v rollout.Version) (string, error) {
	key, now := versionKey{v.TemplateID, v.Number}, c.o.Clock.Now()
	c.versions.mu.Lock()
	known, ok := c.versions.means[key]
	c.versions.mu.Unlock()
	if ok && now.Sub(known.at) < meansFor {
		return known.image, nil
	}
	out, err := c.o.EC2.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: aws.String(v.TemplateID), Versions: []string{strconv.FormatInt(v.Number, 10)}, ResolveAlias: aws.Bool(true),
	}, c.readsEC2()...)
	if err != nil {
		return "", fmt.Errorf("find the image that %s means: %w", v.Alias, err)
	}
	image := ""
	for _, found := range out.LaunchTemplateVersions {
		if d := found.LaunchTemplateData; d != nil {
			image = aws.ToString(d.ImageId)
		}
	}
	c.versions.mu.Lock()
	defer c.versions.mu.Unlock()
	c.versions.means[key] = meaning{image, now}
	return image, nil
}

// mostInstances is how many instances one call describes.
const mostInstances = 100

// memberImages fills in the images of members whose version does not tell them
// (a parameter, none at all, one that was deleted): one call for each hundred,
// once a member. Members that EC2 does not know any more stay without.
func (c *Client) memberImages(ctx context.Context, members []rollout.Member) error {
	var ids []string
	for _, m := range members {
		c.versions.mu.Lock()
		_, known := c.versions.members[m.ID]
		c.versions.mu.Unlock()
		if m.Version.Image == "" && !known {
			ids = append(ids, m.ID)
		}
	}
	for some := range slices.Chunk(ids, mostInstances) {
		// By a filter, because one id that is gone would fail the others.
		out, err := c.o.EC2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{
			Filters: []ec2types.Filter{{Name: aws.String("instance-id"), Values: some}},
		}, c.readsEC2()...)
		if err != nil {
			return fmt.Errorf("read the images of members: %w", err)
		}
		c.versions.mu.Lock()
		for _, r := range out.Reservations {
			for _, i := range r.Instances {
				c.versions.members[aws.ToString(i.InstanceId)] = aws.ToString(i.ImageId)
			}
		}
		c.versions.mu.Unlock()
	}
	for i, m := range members {
		if m.Version.Image != "" {
			continue
		}
		c.versions.mu.Lock()
		image := c.versions.members[m.ID]
		c.versions.mu.Unlock()
		if image != "" {
			members[i].Version = c.versions.naming(m.Version, image)
		}
	}
	return nil
}
