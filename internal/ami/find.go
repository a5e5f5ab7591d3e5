package ami

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// Source is where images come from: a search that AWS evaluates, or a
// parameter or an id that names one image.
type Source struct {
	Owners    []string            // account ids, "self", "amazon", …; never empty
	Name      string              // pattern with * and ?; empty: any
	Filters   map[string][]string // as in DescribeImages
	Parameter string              // name of a parameter that holds the id; empty: none
	Image     string              // id; empty: none
}

// String says in HCL's words what a source looks for, and whose.
func (s Source) String() string {
	what := "filters"
	switch {
	case s.Image != "":
		what = "image_id " + s.Image
	case s.Parameter != "":
		what = "ssm_parameter " + s.Parameter
	case s.Name != "":
		what = "name " + s.Name
	}
	return what + " of " + strings.Join(s.Owners, ", ")
}

// AWS's public parameters begin so. Nobody else can make one.
const publicParameters = "/aws/service/"

// NoImageError says that no image of a source is acceptable, and why.
type NoImageError struct {
	Source  Source
	Total   int // images of the owners
	Removed []image.Removal
	// Choice has the candidates with what was wrong with each.
	Choice image.Choice
	// Named is the image that a parameter or an id names; empty: it was a search.
	Named string
	Where string // the region it was looked for in, for people
}

// Error implements error.
func (e *NoImageError) Error() string {
	owners := strings.Join(e.Source.Owners, ", ")
	if e.Named == "" {
		return fmt.Sprintf("no image of %s is acceptable; %s", owners, image.Explain(e.Total, e.Removed))
	}
	what := "image " + e.Named
	if e.Source.Parameter != "" {
		what = fmt.Sprintf("image %s of parameter %s", e.Named, e.Source.Parameter)
	}
	for _, v := range e.Choice.Verdicts {
		return fmt.Sprintf("%s (%s) is not acceptable: %s", what, v.Image.Name, v.Why)
	}
	return what + " does not exist in " + e.Where + ", is not shared with this account, or is hidden by the account's Allowed AMIs setting"
}

// mostImages bounds a search. It is some megabytes and ten calls.
const mostImages = 10_000

// TooManyError says that a source matches more images than anybody means.
type TooManyError struct{ Source Source }

// Error implements error.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("more than %d images of %s match name, tags and filters", mostImages, strings.Join(e.Source.Owners, ", "))
}

// ParameterError says that a parameter names no image.
type ParameterError struct {
	Name string
	Why  string // what is wrong with it, for people
}

// Error implements error.
func (e *ParameterError) Error() string { return fmt.Sprintf("parameter %s %s", e.Name, e.Why) }

// page is the most images AWS gives in one answer.
const page = 1000

// Find gives the images of a source, judged by a rule, whose owners and
// parameter it sets. When none is acceptable the error is a [*NoImageError];
// finding out what each condition removed costs one more call a condition, so
// it is done only then, and only where AWS found no more than a page.
func (c *Client) Find(ctx context.Context, s Source, rule image.Rule) (image.Choice, error) {
	rule.Owners = s.Owners
	if s.Parameter != "" {
		id, err := c.parameter(ctx, s.Parameter)
		if err != nil {
			return image.Choice{}, err
		}
		if name := parameterName(s.Parameter); strings.HasPrefix(name, publicParameters) {
			rule.Parameter = name
		}
		return c.named(ctx, s, id, rule)
	}
	if s.Image != "" {
		return c.named(ctx, s, s.Image, rule)
	}
	found, _, err := c.images(ctx, s, search{})
	if err != nil {
		return image.Choice{}, err
	}
	choice := image.Choose(found, rule)
	if len(choice.Acceptable) > 0 {
		return choice, nil
	}
	none := &NoImageError{Source: s, Total: len(found), Removed: choice.Removed, Choice: choice}
	if len(found) > page {
		return choice, none
	}
	// Those that AWS hides unless asked may be the explanation.
	if found, _, err = c.images(ctx, s, search{all: true}); err != nil {
		return choice, err
	}
	none.Choice = image.Choose(found, rule)
	total, removed, err := c.narrow(ctx, s)
	if err != nil {
		return choice, err
	}
	none.Total, none.Removed = total, append(removed, none.Choice.Removed...)
	return none.Choice, none
}

// named judges the one image that a source names. AWS is asked for the owner
// too, because only AWS can tell what "self" is.
func (c *Client) named(ctx context.Context, s Source, id string, rule image.Rule) (image.Choice, error) {
	one := Source{Owners: s.Owners, Filters: map[string][]string{"image-id": {id}}}
	found, _, err := c.images(ctx, one, search{all: true})
	if err == nil && len(found) == 0 {
		if rule.Account == "" {
			rule.Account = "another" // AWS has just said that it is not of this one
		}
		one.Owners = nil
		found, _, err = c.images(ctx, one, search{all: true})
	}
	if err != nil {
		return image.Choice{}, fmt.Errorf("read image %s: %w", id, err)
	}
	choice := image.Choose(found, rule)
	if len(choice.Acceptable) > 0 {
		return choice, nil
	}
	return choice, &NoImageError{Source: s, Choice: choice, Named: id, Where: c.where, Total: len(found), Removed: choice.Removed}
}

// parameterName is the name in an ARN, or the name itself.
func parameterName(ref string) string {
	if _, name, ok := strings.Cut(ref, ":parameter/"); ok && strings.HasPrefix(ref, "arn:") {
		return "/" + name
	}
	return ref
}

var imageID = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// parameter reads the id that a parameter holds.
func (c *Client) parameter(ctx context.Context, name string) (string, error) {
	out, err := c.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name)})
	switch code(err) {
	case "ParameterNotFound", "ParameterVersionNotFound":
		return "", &ParameterError{Name: name, Why: "does not exist in " + c.where + " and account"}
	case "ValidationException":
		return "", &ParameterError{Name: name, Why: "cannot be one: " + err.Error()}
	}
	if err != nil {
		return "", fmt.Errorf("read parameter %s: %w", name, err)
	}
	if out.Parameter == nil {
		return "", &ParameterError{Name: name, Why: "was answered without a value"}
	}
	value := strings.TrimSpace(aws.ToString(out.Parameter.Value))
	switch {
	case imageID.MatchString(value):
		return value, nil
	case out.Parameter.Type != ssmtypes.ParameterTypeString:
		// Its value is nothing to print.
		return "", &ParameterError{Name: name, Why: fmt.Sprintf("is a %s, not a String with the id of an image", out.Parameter.Type)}
	case strings.HasPrefix(value, "{"):
		return "", &ParameterError{Name: name, Why: "holds a JSON document; use the one below it that ends in /image_id"}
	default:
		return "", &ParameterError{Name: name, Why: fmt.Sprintf("holds %.40q, not the id of an image", value)}
	}
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
		found, more, err := c.images(ctx, part, search{all: true, once: true})
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

// search is how to ask for images.
type search struct {
	all  bool // deprecated and disabled ones too
	once bool // the first page only
}

// images asks AWS for the images of a source. more tells whether there are
// others, which is only so with once.
func (c *Client) images(ctx context.Context, s Source, how search) (found []image.Image, more bool, err error) {
	in := &ec2.DescribeImagesInput{Owners: s.Owners, MaxResults: aws.Int32(page)}
	if how.all {
		in.IncludeDeprecated, in.IncludeDisabled = aws.Bool(true), aws.Bool(true)
	}
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
		if how.once {
			return found, true, nil
		}
		if len(found) >= mostImages {
			return nil, false, &TooManyError{Source: s}
		}
	}
}

// ErrNoImage says that an image does not exist, or not any more.
var ErrNoImage = errors.New("the image does not exist, or not any more")

// Image reads one image. The error is [ErrNoImage] when it is gone, and for a text
// that is the id of none, such as the parameter that a template names.
func (c *Client) Image(ctx context.Context, id string) (image.Image, error) {
	if !strings.HasPrefix(id, "ami-") {
		return image.Image{}, fmt.Errorf("read image %q: %w", id, ErrNoImage)
	}
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
	out := image.Image{
		ID:           aws.ToString(i.ImageId),
		Name:         aws.ToString(i.Name),
		Owner:        aws.ToString(i.OwnerId),
		Alias:        aws.ToString(i.ImageOwnerAlias),
		Architecture: string(i.Architecture),
		State:        string(i.State),
		BootMode:     string(i.BootMode),
		RootDevice:   aws.ToString(i.RootDeviceName),
		RootType:     string(i.RootDeviceType),
		Disallowed:   i.ImageAllowed != nil && !*i.ImageAllowed,
		CreatedAt:    instant(i.CreationDate),
		DeprecatedAt: instant(i.DeprecationTime),
	}
	for _, m := range i.BlockDeviceMappings {
		if m.Ebs != nil {
			out.Encrypted = out.Encrypted || aws.ToBool(m.Ebs.Encrypted)
			out.SizeGiB += int(aws.ToInt32(m.Ebs.VolumeSize))
			if s := aws.ToString(m.Ebs.SnapshotId); s != "" {
				out.Snapshots = append(out.Snapshots, s)
			}
		}
	}
	// An image made from an instance is a new one; see [Client.Origins].
	if aws.ToString(i.SourceInstanceId) == "" {
		out.SourceID, out.SourceRegion = aws.ToString(i.SourceImageId), aws.ToString(i.SourceImageRegion)
	}
	if i.StateReason != nil {
		out.Reason = aws.ToString(i.StateReason.Message)
	}
	if len(i.Tags) > 0 {
		out.Tags = make(map[string]string, len(i.Tags))
		for _, t := range i.Tags {
			out.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
	}
	return out
}

// instant reads AWS's text of a time; the zero time when there is none.
func instant(s *string) time.Time {
	t, err := time.Parse(time.RFC3339, aws.ToString(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
