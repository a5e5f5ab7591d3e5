package ami

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// mostCopies is how often a copy of a copy is followed. AWS itself ends its
// lists of ancestors at 50; organisations that copy by region and then by
// account come to two or three.
const mostCopies = 10

// filterValues is the most values that a filter of EC2 takes.
const filterValues = 200

// Origins gives for each image those it is a copy of, nearest first; an image
// that is no copy is left out. It costs a call for up to 200 images that it has
// not seen before, and one for each step further back. Images that this account
// cannot see, or whose source is in another region, end a list; the source's id
// itself is still in it.
func (c *Client) Origins(ctx context.Context, ids ...string) (map[string][]string, error) {
	next := ids
	for range mostCopies {
		next = c.notAsked(next)
		if len(next) == 0 {
			break
		}
		for ask := range slices.Chunk(next, filterValues) {
			if err := c.askSources(ctx, ask); err != nil {
				return nil, err
			}
		}
		next = c.sourcesOf(next)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all := image.Origins(c.sources)
	out := map[string][]string{}
	for _, id := range ids {
		if chain := all[id]; len(chain) > 0 {
			out[id] = chain
		}
	}
	return out, nil
}

// notAsked gives the images whose source is not known yet, each once.
func (c *Client) notAsked(ids []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return slices.DeleteFunc(ids, func(id string) bool {
		_, asked := c.sources[id]
		return asked || id == ""
	})
}

func (c *Client) sourcesOf(ids []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, c.sources[id])
	}
	return out
}

// askSources asks AWS where images come from. By filter rather than by id,
// because one id that is gone would make the whole answer an error.
func (c *Client) askSources(ctx context.Context, ids []string) error {
	in := &ec2.DescribeImagesInput{
		Filters:           []types.Filter{{Name: aws.String("image-id"), Values: ids}},
		IncludeDeprecated: aws.Bool(true), IncludeDisabled: aws.Bool(true),
	}
	found := make(map[string]string, len(ids))
	for {
		out, err := c.ec2.DescribeImages(ctx, in)
		if err != nil {
			return fmt.Errorf("find out what images are copies of: %w", err)
		}
		for _, i := range out.Images {
			// An image made from an instance names the image of that as its source.
			// It is a new image, perhaps the very one with the cure.
			// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify-source-ami-used-to-create-new-ami.html
			if aws.ToString(i.SourceInstanceId) == "" {
				found[aws.ToString(i.ImageId)] = aws.ToString(i.SourceImageId)
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.sources[id] = found[id]
	}
	return nil
}
