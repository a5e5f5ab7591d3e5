package roller_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// copies is where images come from.
type copies map[string][]string

// Origins implements roller.Images.
func (c copies) Origins(context.Context, ...string) (map[string][]string, error) {
	if c == nil {
		return nil, errors.New("AWS does not say")
	}
	return c, nil
}

// TestBan: a roll does not go to a banned image or a copy of it; other bans,
// and those that are over, are no affair of it.
func TestBan(t *testing.T) {
	t.Parallel()
	const other = "ami-0000000000000000f"
	for name, c := range map[string]struct {
		ban  func(target string, now time.Time) image.Ban
		from func(target string) copies
		want string // in what holds it back; empty: nothing does
		err  string
	}{
		"itself":       {ban: func(id string, _ time.Time) image.Ban { return image.Ban{Image: id, Reason: "no"} }, want: "is banned: no"},
		"its original": {ban: func(string, time.Time) image.Ban { return image.Ban{Image: other, Reason: "no"} }, from: func(id string) copies { return copies{id: {other}} }, want: "is a copy of " + other + ", which is banned: no"},
		"another":      {ban: func(string, time.Time) image.Ban { return image.Ban{Image: other, Reason: "no"} }, from: func(string) copies { return copies{} }},
		"until now":    {ban: func(id string, now time.Time) image.Ban { return image.Ban{Image: id, Reason: "no", Until: now} }},
		"lifted":       {ban: func(id string, _ time.Time) image.Ban { return image.Ban{Image: id, Reason: "no", Cleared: true} }},
		"not known":    {ban: func(string, time.Time) image.Ban { return image.Ban{Image: other, Reason: "no"} }, from: func(string) copies { return nil }, err: "AWS does not say"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, rolltest.Shape{Members: 2})
			q := rolltest.Request(100, 150)
			q.Retry = "any text" // lifts a quarantine, never a ban
			target, err := s.Roller.Groups.Resolve(t.Context(), "web", "2")
			if err != nil {
				t.Fatal(err)
			}
			b := c.ban(target.Image, s.World.Clock().Now())
			if err := s.Roller.Docs.Put(t.Context(), image.BanPath(b.Image), b); err != nil {
				t.Fatal(err)
			}
			if c.from != nil {
				s.Roller.Images = c.from(target.Image)
			}
			a, err := s.Roller.Assess(t.Context(), q)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("assess = %+v, %v, want %q: what is not known must not pass", a, err, c.err)
				}
				return
			}
			if err != nil || (a.Held == "") != (c.want == "") || !strings.Contains(a.Held, c.want) {
				t.Errorf("held = %q, %v, want %q", a.Held, err, c.want)
			}
			_, err = s.Roller.Roll(t.Context(), q)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("roll = %v, want %q", err, c.want)
			}
			if c.want != "" && (rolltest.On(s.Group(), 2) > 0 || s.World.Calls()["autoscaling:SuspendProcesses"] > 0) {
				t.Errorf("something was changed:\n%s", s.Story())
			}
		})
	}
}
