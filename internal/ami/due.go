package ami

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Due is a version of a template of which others are still to be told.
type Due struct {
	// After is the latest version before it, Source the one it is a copy of.
	After  int64     `json:"after"`
	Source int64     `json:"source"`
	From   string    `json:"from,omitempty"` // the source's image
	Image  string    `json:"image"`
	Data   string    `json:"data"` // hash
	At     time.Time `json:"at"`
	// Left are those who are still to be told, by names of the caller's.
	Left []string `json:"left"`

	// Number is the version, found by [Client.Owed].
	Number int64 `json:"-"`
}

const (
	// mostDue bounds the record of a template: 12 take about 3 KB.
	mostDue = 12
	// unmadeFor is how long a version that was to be made is looked for. AWS may
	// not show one that it made a moment ago.
	unmadeFor = 10 * time.Minute
)

func duePath(template string) string { return "news/" + template }

// announce notes that a version is about to be made of which others are to be
// told. It is written before the version is made: if whoever makes it dies then,
// the next one finds both.
func (c *Client) announce(ctx context.Context, w Want, t Template, source Version) error {
	if len(w.Tell) == 0 {
		return nil
	}
	next := Due{
		After: t.Latest().Number, Source: source.Number, From: source.Image, Image: w.Image, Data: t.With(source, w.Image),
		At: c.clock.Now().UTC().Truncate(time.Second), Left: w.Tell,
	}
	due, err := c.due(ctx, t.ID)
	if err == nil {
		// An earlier try to make the same version came to nothing.
		due = slices.DeleteFunc(due, func(d Due) bool { return d.After == next.After && d.Data == next.Data })
		due = append(due, next)
		err = c.keepDue(ctx, t.ID, due[max(0, len(due)-mostDue):])
	}
	if err != nil {
		return fmt.Errorf("record that a version of launch template %s is to be told of: %w", t.ID, err)
	}
	return nil
}

// announced notes in memory which number a version got: a look a moment later
// may not show it yet.
func (c *Client) announced(template string, v Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, d := range c.told[template] {
		if d.Data == v.Data && d.After < v.Number {
			c.told[template][n].Number = v.Number
		}
	}
}

// due reads the record: as this client wrote it last, since a read may be
// older than that.
func (c *Client) due(ctx context.Context, template string) ([]Due, error) {
	c.mu.Lock()
	due, written := c.told[template]
	c.mu.Unlock()
	if written {
		return slices.Clone(due), nil
	}
	_, err := c.docs.Get(ctx, duePath(template), &due)
	return due, err
}

func (c *Client) keepDue(ctx context.Context, template string, due []Due) error {
	if due == nil {
		due = []Due{}
	}
	if err := c.docs.Put(ctx, duePath(template), due); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[template] = slices.Clone(due)
	return nil
}

// Owed gives the versions of a template of which others are still to be told,
// oldest first: those that are there. The name of the template is for people.
func (c *Client) Owed(ctx context.Context, template string) (owed []Due, name, account string, err error) {
	due, err := c.due(ctx, template)
	if err != nil || len(due) == 0 {
		return nil, "", "", err
	}
	t, err := c.Template(ctx, template)
	if err != nil {
		return nil, "", "", err
	}
	for _, d := range due {
		for _, v := range t.Versions {
			if d.Number == 0 && v.Number > d.After && v.Data == d.Data {
				d.Number = v.Number
			}
		}
		// Two tries to make a version may have led to one.
		if d.Number != 0 && !slices.ContainsFunc(owed, func(o Due) bool { return o.Number == d.Number }) {
			owed = append(owed, d)
		}
	}
	slices.SortFunc(owed, func(a, b Due) int { return cmp.Compare(a.Number, b.Number) })
	return owed, t.Name, t.Account, nil
}

// Told notes who is still to be told of versions that [Client.Owed] gave;
// with nothing left, a version is forgotten. So is one that was to be made, or
// was withdrawn, some time ago.
func (c *Client) Told(ctx context.Context, template string, owed []Due) error {
	due, err := c.due(ctx, template)
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(due), func(d Due) bool {
		return c.clock.Now().Sub(d.At) > unmadeFor || slices.ContainsFunc(owed, func(o Due) bool { return o.After <= d.After && o.Data == d.Data })
	})
	for _, o := range owed {
		if len(o.Left) > 0 {
			rest = append(rest, o)
		}
	}
	if len(rest) == len(due) && slices.EqualFunc(rest, due, func(a, b Due) bool { return a.At.Equal(b.At) && slices.Equal(a.Left, b.Left) }) {
		return nil
	}
	return c.keepDue(ctx, template, rest)
}
