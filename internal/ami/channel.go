package ami

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
)

// alias begins an image of a launch template that is a parameter.
const alias = "resolve:ssm:"

// imageType is the data type of parameters that launch templates can name.
const imageType = "aws:ec2:image"

// Channel is a parameter that launch templates name in place of an image.
type Channel struct {
	Name    string // as the caller gave it
	Version int64  // 0: there is no such parameter
	Image   string // what it holds
	// History are the images that it has held, newest first, each once. AWS
	// keeps a hundred versions.
	History []string
	// versions are all that AWS keeps, oldest first.
	versions []image.Numbered
}

// Held tells whether a channel has held an image; a nil one has held none.
func (c *Channel) Held(image string) bool { return c != nil && slices.Contains(c.History, image) }

// ChannelError says that a parameter cannot be used as a channel.
type ChannelError struct {
	Name string
	Why  string // what is wrong with it, for people
}

// Error implements error.
func (e *ChannelError) Error() string { return fmt.Sprintf("parameter %s %s", e.Name, e.Why) }

// Channel reads a parameter with its history. The error is a [*ChannelError]
// when it cannot be one.
func (c *Client) Channel(ctx context.Context, name string) (Channel, error) {
	ch := Channel{Name: name}
	p, err := c.value(ctx, name)
	if err != nil || p == nil {
		return ch, err
	}
	ch.Version, ch.Image = p.Version, strings.TrimSpace(aws.ToString(p.Value))
	in := &ssm.GetParameterHistoryInput{Name: &name}
	var all []ssmtypes.ParameterHistory
	for {
		out, err := c.ssm.GetParameterHistory(ctx, in)
		if code(err) == "ParameterNotFound" {
			return Channel{Name: name}, nil
		}
		if err != nil {
			return ch, fmt.Errorf("read the history of parameter %s: %w", name, err)
		}
		all = append(all, out.Parameters...)
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b ssmtypes.ParameterHistory) int { return int(b.Version - a.Version) })
	for _, v := range all {
		id := strings.TrimSpace(aws.ToString(v.Value))
		if imageID.MatchString(id) && !slices.Contains(ch.History, id) {
			ch.History = append(ch.History, id)
		}
		ch.versions = append(ch.versions, image.Numbered{Parameter: name, Number: v.Version, Image: id})
	}
	slices.Reverse(ch.versions)
	return ch, nil
}

// value reads what a channel holds; nil: there is no such parameter.
func (c *Client) value(ctx context.Context, name string) (*ssmtypes.Parameter, error) {
	out, err := c.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	if code(err) == "ParameterNotFound" {
		return nil, nil //nolint:nilnil // none is a good answer
	}
	if err != nil {
		return nil, fmt.Errorf("read parameter %s: %w", name, err)
	}
	p := out.Parameter
	switch {
	case p == nil:
		return nil, &ChannelError{Name: name, Why: "was answered without a value"}
	case p.Type != ssmtypes.ParameterTypeString:
		return nil, &ChannelError{Name: name, Why: fmt.Sprintf("is a %s, and no String", p.Type)}
	case aws.ToString(p.DataType) != imageType:
		return nil, &ChannelError{Name: name, Why: fmt.Sprintf("has the data type %s, and AWS changes none into %s, which launch templates need", aws.ToString(p.DataType), imageType)}
	}
	return p, nil
}

// UnvalidatedError says that AWS took an image for a channel, and did not store
// it in time.
type UnvalidatedError struct {
	Channel Channel // as it still is
	Image   string
	Waited  time.Duration
	Why     string // what is known to be wrong with the image, for people; empty: nothing
}

// Error implements error.
func (e *UnvalidatedError) Error() string {
	why := e.Why
	if why == "" {
		why = "AWS validates it later and tells why not by an event of EventBridge only (Parameter Store Change)"
	}
	holds := "does not exist"
	if e.Channel.Version > 0 {
		holds = fmt.Sprintf("still holds %s (version %d)", e.Channel.Image, e.Channel.Version)
	}
	return fmt.Sprintf("AWS took image %s for parameter %s and has not stored it within %s: %s; the parameter %s", e.Image, e.Channel.Name, e.Waited, why, holds)
}

const (
	// validatedIn is how long AWS may take to validate an image, and lookEvery
	// how often we look.
	validatedIn = time.Minute
	lookEvery   = 2 * time.Second
)

// Moving is what a channel is to be moved to.
type Moving struct {
	Channel Channel // as it is
	Image   string
	// Template is the launch template that Image was chosen for, on whose record
	// the move goes, and Version its version that names the channel.
	Template string
	Version  int64
	By       string // where the image was found, for people
	// Tell are those who are to be told if the channel is moved; see [Client.Owed].
	Tell []string
}

// Move puts an image into a channel and waits until AWS has stored it, which it
// does after it has answered, or not at all. It is safe to repeat. Errors:
// [*ChannelError], [*UnvalidatedError], [*UnrecordedError], what a call gave.
func (c *Client) Move(ctx context.Context, m Moving) (Channel, error) {
	ch := m.Channel
	if ch.Image == m.Image {
		return ch, nil
	}
	err := c.announce(ctx, m.Template, image.Due{Parameter: ch.Name, After: ch.Version, Source: m.Version, From: ch.Image, Image: m.Image, Left: m.Tell})
	if err != nil {
		return ch, err
	}
	if ch, err = c.put(ctx, ch, m.Image); err != nil {
		return ch, err
	}
	c.announced(m.Template, image.Numbered{Parameter: ch.Name, Number: ch.Version, Image: ch.Image})
	return ch, c.record(ctx, m.Template, origin{Parameter: ch.Name, Version: ch.Version, Image: ch.Image, Before: m.Channel.Image, By: m.By})
}

// put writes an image into a channel and waits until it holds it.
func (c *Client) put(ctx context.Context, ch Channel, image string) (Channel, error) {
	in := &ssm.PutParameterInput{Name: &ch.Name, Value: &image, Type: ssmtypes.ParameterTypeString, DataType: aws.String(imageType), Overwrite: aws.Bool(ch.Version > 0)}
	if ch.Version == 0 {
		in.Tier = ssmtypes.ParameterTierStandard // an account's default may cost money
	}
	_, err := c.ssm.PutParameter(ctx, in)
	switch code(err) {
	case "ParameterMaxVersionLimitExceeded":
		return ch, fmt.Errorf("put image %s: %w", image, &ChannelError{ch.Name, "has a hundred versions, the oldest of which has a label, so that AWS cannot delete it: " + err.Error()})
	case "ParameterAlreadyExists":
		return ch, fmt.Errorf("put image %s: %w", image, &ChannelError{ch.Name, "was made by somebody else a moment ago"})
	}
	if err != nil {
		return ch, fmt.Errorf("put image %s into parameter %s: %w", image, ch.Name, err)
	}
	return c.stored(ctx, ch, image)
}

// stored waits until a channel holds an image.
func (c *Client) stored(ctx context.Context, ch Channel, image string) (Channel, error) {
	for begin := c.clock.Now(); ; {
		p, err := c.value(ctx, ch.Name)
		if err != nil {
			return ch, err
		}
		if p != nil && p.Version > ch.Version {
			if held := strings.TrimSpace(aws.ToString(p.Value)); held != image {
				return ch, &ChannelError{ch.Name, fmt.Sprintf("was moved to %s by somebody else meanwhile (version %d)", held, p.Version)}
			}
			ch.Version, ch.Image = p.Version, image
			ch.History = append([]string{image}, slices.DeleteFunc(slices.Clone(ch.History), func(id string) bool { return id == image })...)
			return ch, nil
		}
		if waited := c.clock.Now().Sub(begin); waited >= validatedIn {
			return ch, &UnvalidatedError{Channel: ch, Image: image, Waited: validatedIn, Why: c.wrong(ctx, image)}
		}
		if err := c.clock.Sleep(ctx, lookEvery); err != nil {
			return ch, fmt.Errorf("wait until parameter %s holds %s: %w", ch.Name, image, err)
		}
	}
}

// wrong is what can be seen to be wrong with an image.
func (c *Client) wrong(ctx context.Context, id string) string {
	i, err := c.Image(ctx, id)
	switch {
	case errors.Is(err, ErrNoImage):
		return "the image does not exist any more, or is not shared with this account any more"
	case err == nil && i.State != "available":
		return "the image is " + i.State
	}
	return ""
}

// Follows tells whether a version names a parameter in place of an image: as it
// is now, not one of its versions or labels.
func (v Version) Follows(parameter string) bool { return Names(v.Image, parameter) }

// Names tells whether the image of a launch template is a parameter.
func Names(image, parameter string) bool {
	name, is := strings.CutPrefix(image, alias)
	return is && SameParameter(name, parameter)
}

// SameParameter tells whether two names, or ARNs, are of one parameter.
func SameParameter(a, b string) bool { return normal(a) == normal(b) }

// normal makes names of one parameter equal: with and without the slash, and
// its ARN.
func normal(name string) string { return "/" + strings.TrimPrefix(parameterName(name), "/") }

// Meant is the image of a version: where it names a parameter, the one that this
// holds now.
func (c *Client) Meant(ctx context.Context, v Version) (string, error) {
	name, is := strings.CutPrefix(v.Image, alias)
	if !is {
		return v.Image, nil
	}
	return c.parameter(ctx, name)
}

// Meaning is the template with an image in place of a parameter, in the
// versions that name it.
func (t Template) Meaning(parameter, image string) Template {
	t.Versions = slices.Clone(t.Versions)
	for n, v := range t.Versions {
		if v.Follows(parameter) {
			content := ltversion.WithImage(v.Content, &image)
			t.Versions[n].Image, t.Versions[n].Content, t.Versions[n].Data = image, content, ltversion.Hash(content)
		}
	}
	return t
}
