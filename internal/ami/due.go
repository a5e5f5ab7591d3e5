package ami

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

func duePath(template string) string { return "news/" + template }

// announce notes that an image is about to be taken up of which others are to be
// told. It is written before that: if whoever does it dies then, the next one
// finds both.
func (c *Client) announce(ctx context.Context, template string, next image.Due) error {
	if len(next.Left) == 0 {
		return nil
	}
	next.At = c.clock.Now().UTC().Truncate(time.Second)
	due, err := c.due(ctx, template)
	if err == nil {
		err = c.keepDue(ctx, template, image.Announce(due, next))
	}
	if err != nil {
		return fmt.Errorf("record that a new image of launch template %s is to be told of: %w", template, err)
	}
	return nil
}

// announced notes in memory which number came of it: a look a moment later may
// not show it yet.
func (c *Client) announced(template string, made image.Numbered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, d := range c.told[template] {
		if found := image.Owed([]image.Due{d}, []image.Numbered{made}); len(found) > 0 {
			c.told[template][n] = found[0]
		}
	}
}

// Leave notes that a version is left to a roll, of which others are to be told
// once it is made; with nobody to tell, that nobody is to be told of one.
func (c *Client) Leave(ctx context.Context, w Want, t Template, source Version) error {
	due, err := c.due(ctx, t.ID)
	if err == nil && len(due)+len(w.Tell) == 0 {
		return nil
	}
	if err == nil {
		err = c.keepDue(ctx, t.ID, image.Leave(due, image.Due{
			After: t.Latest().Number, Source: source.Number, From: source.Image, Image: w.Image,
			At: c.clock.Now().UTC().Truncate(time.Second), Left: w.Tell, Audience: w.Audience,
		}, c.numbered(t)))
	}
	if err != nil {
		return fmt.Errorf("record that a new image of launch template %s is to be told of: %w", t.ID, err)
	}
	return nil
}

// Rolled is a version that a roll has made.
type Rolled struct {
	Template       string // id
	Number, Source int64
	Image          string
	By             string // what has made it, for people
}

// RecordRolled records where a version came from; once, however often it is
// called. Whether it can or not, [Client.Owed] knows the version from now on: a look
// a moment later may not show it yet. The error is an [*UnrecordedError].
func (c *Client) RecordRolled(ctx context.Context, r Rolled) error {
	c.mu.Lock()
	if !slices.ContainsFunc(c.rolled[r.Template], func(o Rolled) bool { return o.Number == r.Number }) {
		c.rolled[r.Template] = append(c.rolled[r.Template], r)
	}
	c.mu.Unlock()
	return c.record(ctx, r.Template, origin{Version: r.Number, Source: r.Source, Image: r.Image, By: r.By})
}

// numbered are the versions of a template, with those that rolls of this process
// have made and that AWS does not show yet.
func (c *Client) numbered(t Template) []image.Numbered {
	var out []image.Numbered
	for _, v := range t.Versions {
		out = append(out, image.Numbered{Number: v.Number, Image: v.Image, Data: v.Data, Bare: v.Bare, Made: v.Made})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rolled[t.ID] {
		source, known := t.Version(r.Source)
		if known && r.Number > t.Latest().Number {
			out = append(out, image.Numbered{Number: r.Number, Image: r.Image, Data: t.With(source, r.Image), Bare: source.Bare, Made: c.clock.Now()})
		}
	}
	return out
}

// due reads the record: as this client wrote it last, since a read may be
// older than that.
func (c *Client) due(ctx context.Context, template string) ([]image.Due, error) {
	c.mu.Lock()
	due, written := c.told[template]
	c.mu.Unlock()
	if written {
		return slices.Clone(due), nil
	}
	_, err := c.docs.Get(ctx, duePath(template), &due)
	return due, err
}

func (c *Client) keepDue(ctx context.Context, template string, due []image.Due) error {
	if due == nil {
		due = []image.Due{}
	}
	if err := c.docs.Put(ctx, duePath(template), due); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[template] = slices.Clone(due)
	return nil
}

// Audience is whom rolls are to tell of versions of a template that they make;
// nil: nobody.
func (c *Client) Audience(ctx context.Context, template string) (*image.Audience, error) {
	due, err := c.due(ctx, template)
	return image.AudienceOf(due), err
}

// Owed gives what others are still to be told of about a template, oldest first:
// what is there. The template is as it was looked at for that; with nothing owed
// it may be empty.
func (c *Client) Owed(ctx context.Context, template string) ([]image.Due, Template, error) {
	due, err := c.due(ctx, template)
	if err != nil || len(due) == 0 {
		return nil, Template{}, err
	}
	t, err := c.Template(ctx, template)
	if err != nil {
		return nil, t, err
	}
	there := c.numbered(t)
	var read []string
	for _, d := range due {
		if d.Parameter == "" || slices.Contains(read, d.Parameter) {
			continue
		}
		ch, err := c.Channel(ctx, d.Parameter)
		if err != nil && !errors.As(err, new(*ChannelError)) { // somebody has made something else of it
			return nil, t, err
		}
		read, there = append(read, d.Parameter), append(there, ch.versions...)
	}
	return image.Owed(due, there), t, nil
}

// Told notes who is still to be told of what [Client.Owed] gave; with nothing
// left, it is forgotten.
func (c *Client) Told(ctx context.Context, template string, owed []image.Due) error {
	due, err := c.due(ctx, template)
	if err != nil {
		return err
	}
	rest := image.StillDue(due, owed, c.clock.Now())
	if slices.EqualFunc(rest, due, func(a, b image.Due) bool { return a.At.Equal(b.At) && slices.Equal(a.Left, b.Left) }) {
		return nil
	}
	return c.keepDue(ctx, template, rest)
}
