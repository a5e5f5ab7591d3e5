package ami

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// Source is where images come from. AWS evaluates it.
type Source struct {
	Owners  []string            // account ids, "self", "amazon", …; never empty
	Name    string              // pattern with * and ?; empty: any
	Filters map[string][]string // as in DescribeImages
}

// NoImageError says that no image of a source is acceptable, and why.
type NoImageError struct {
	Source  Source
	Total   int // images of the owners
	Removed []image.Removal
}

// Error implements error.
func (e *NoImageError) Error() string {
	return fmt.Sprintf("no image of %s is acceptable; %s", strings.Join(e.Source.Owners, ", "), image.Explain(e.Total, e.Removed))
}

// page is the most images AWS gives in one answer.
const page = 1000

// Find gives the acceptable images of a source, newest first. When there is
// none the error is a [*NoImageError]; finding out what each condition removed
// costs one more call a condition, so it is done only then.
func (c *Client) Find(ctx context.Context, s Source, rule image.Rule) ([]image.Image, error) {
	found, _, err := c.images(ctx, s, false)
	if err != nil {
		return nil, err
	}
	choice := image.Choose(found, rule)
	if len(choice.Acceptable) > 0 {
		return choice.Acceptable, nil
	}
	total, removed, err := c.narrow(ctx, s)
	if err != nil {
		return nil, err
	}
	return nil, &NoImageError{Source: s, Total: total, Removed: append(removed, choice.Removed...)}
}

// narrow counts what the name and each filter of a source take away, one after
// the other.
func (c *Client) narrow(ctx context.Context, s Source) (total int, removed []image.Removal, err error) {
	steps := []struct{ name, filter string }{{}}
	if s.Name != "" {
		steps = append(steps, struct{ name, filter string }{name: s.Name})
	}
	for _, f := range slices.Sorted(maps.Keys(s.Filters)) {
		steps = append(steps, struct{ name, filter string }{filter: f})
	}
	part := Source{Owners: s.Owners, Filters: map[string][]string{}}
	before, least := 0, false
	for n, step := range steps {
		condition := fmt.Sprintf("name %q", step.name)
		if step.name != "" {
			part.Name = step.name
		}
		if step.filter != "" {
			part.Filters[step.filter] = s.Filters[step.filter]
			condition = fmt.Sprintf("%s %s", step.filter, quoted(s.Filters[step.filter]))
		}
		found, more, err := c.images(ctx, part, true)
		if err != nil {
			return 0, nil, err
		}
		if n == 0 {
			total = len(found)
		} else if gone := before - len(found); gone > 0 {
			removed = append(removed, image.Removal{Condition: condition, Count: gone, AtLeast: least})
		}
		before, least = len(found), more
	}
	return total, removed, nil
}

func quoted(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprintf("%q", v)
	}
	return strings.Join(out, " or ")
}

// images asks AWS for the images of a source. With once, only the first page
// is read and more tells whether there are others.
func (c *Client) images(ctx context.Context, s Source, once bool) (found []image.Image, more bool, err error) {
	in := &ec2.DescribeImagesInput{Owners: s.Owners, MaxResults: aws.Int32(page)}
	if s.Name != "" {
		in.Filters = append(in.Filters, types.Filter{Name: aws.String("name"), Values: []string{s.Name}})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Filters)) {
		in.Filters = append(in.Filters, types.Filter{Name: aws.String(name), Values: s.Filters[name]})
	}
	for {
		out, err := c.ec2.DescribeImages(ctx, in)
		if err != nil {
			return nil, false, fmt.Errorf("find images of %s: %w", strings.Join(s.Owners, ", "), err)
		}
		for _, i := range out.Images {
			found = append(found, fromAWS(i))
		}
		in.NextToken = out.NextToken
		if aws.ToString(in.NextToken) == "" {
			return found, false, nil
		}
		if once {
			return found, true, nil
		}
	}
}

// ErrNoImage says that an image does not exist, or not any more.
var ErrNoImage = errors.New("the image does not exist, or not any more")

// Image reads one image. The error is [ErrNoImage] when it is gone.
func (c *Client) Image(ctx context.Context, id string) (image.Image, error) {
	out, err := c.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{id}, IncludeDeprecated: aws.Bool(true)})
	switch code(err) {
	case "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable":
		return image.Image{}, fmt.Errorf("read image %s: %w", id, ErrNoImage)
	}
	if err != nil {
		return image.Image{}, fmt.Errorf("read image %s: %w", id, err)
	}
	if len(out.Images) == 0 {
		return image.Image{}, fmt.Errorf("read image %s: %w", id, ErrNoImage)
	}
	return fromAWS(out.Images[0]), nil
}

func fromAWS(i types.Image) image.Image {
	return image.Image{
		ID:           aws.ToString(i.ImageId),
		Name:         aws.ToString(i.Name),
		Owner:        aws.ToString(i.OwnerId),
		Architecture: string(i.Architecture),
		State:        string(i.State),
		CreatedAt:    instant(i.CreationDate),
		DeprecatedAt: instant(i.DeprecationTime),
	}
}

// instant reads AWS's text of a time; the zero time when there is none.
func instant(s *string) time.Time {
	t, err := time.Parse(time.RFC3339, aws.ToString(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// Runs gives the instance type of version data and the architectures it runs.
// Both are empty where the data names none or AWS does not know the type.
func (c *Client) Runs(ctx context.Context, data *types.ResponseLaunchTemplateData) (instanceType string, architectures []string, err error) {
	if data.InstanceRequirements != nil {
		return byManufacturer(data.InstanceRequirements.CpuManufacturers)
	}
	if data.InstanceType == "" {
		return "", nil, nil
	}
	instanceType = string(data.InstanceType)
	c.mu.Lock()
	architectures, ok := c.architectures[instanceType]
	c.mu.Unlock()
	if ok {
		return instanceType, architectures, nil
	}
	out, err := c.ec2.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{data.InstanceType}})
	if err != nil && code(err) != "InvalidInstanceType" {
		return "", nil, fmt.Errorf("read instance type %s: %w", instanceType, err)
	}
	if err == nil && len(out.InstanceTypes) > 0 && out.InstanceTypes[0].ProcessorInfo != nil {
		for _, a := range out.InstanceTypes[0].ProcessorInfo.SupportedArchitectures {
			architectures = append(architectures, string(a))
		}
	}
	c.mu.Lock()
	c.architectures[instanceType] = architectures
	c.mu.Unlock()
	return instanceType, architectures, nil
}

// byManufacturer tells what instance requirements that name manufacturers
// allow: AWS's own processors are arm64, the others x86_64. Requirements that
// name none take whatever the image is for.
func byManufacturer(makers []types.CpuManufacturer) (what string, architectures []string, err error) {
	if len(makers) == 0 {
		return "", nil, nil
	}
	arm := slices.Contains(makers, types.CpuManufacturerAmazonWebServices)
	if arm {
		architectures = append(architectures, "arm64")
	}
	if !arm || len(makers) > 1 {
		architectures = append(architectures, "x86_64", "i386")
	}
	return "by instance_requirements", architectures, nil
}
