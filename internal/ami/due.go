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
	var there []image.Numbered
	for _, v := range t.Versions {
		there = append(there, image.Numbered{Number: v.Number, Image: v.Image, Data: v.Data})
	}
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
