package provider

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// reading is one look at all documents of a kind, which the resources of one
// plan share: there are few of them, and a call for each resource is one too
// many. The zero value is ready. It is safe for concurrent use.
type reading[T any] struct {
	mu   sync.Mutex
	at   time.Time // zero: none yet
	list []T
}

// readFor is how long a look is good. What decides about a roll is looked up
// by the roll itself.
const readFor = 30 * time.Second

func (r *reading[T]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = time.Time{}
}

// all gives the documents below a directory as they were a moment ago.
func (r *reading[T]) all(ctx context.Context, docs *journal.Documents, dir string, now time.Time) ([]T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() || now.Sub(r.at) > readFor {
		list, err := journal.All[T](ctx, docs, dir)
		if err != nil {
			return nil, err
		}
		r.list, r.at = list, now
	}
	return r.list, nil
}

// quarantines are the active ones of a template.
func (b *backend) quarantines(ctx context.Context, c *clients, template string) ([]image.Quarantine, error) {
	now := b.clock.Now()
	all, err := b.held.all(ctx, c.docs, image.QuarantineRoot, now)
	if err != nil {
		return nil, fmt.Errorf("read the quarantines: %w", err)
	}
	var out []image.Quarantine
	for _, q := range all {
		if q.Template == template && q.Active(now) {
			out = append(out, q)
		}
	}
	return out, nil
}

// unheld is an error where an image failed with a template after it was chosen for
// it: just before a version, a copy of from, is made with it, or a parameter moved
// to it.
func (b *backend) unheld(ctx context.Context, c *clients, t ami.Template, from ami.Version, imageID string) error {
	held, err := b.quarantines(ctx, c, t.ID)
	if err != nil {
		return err
	}
	inUse := ""
	if known(t, imageID, held) || c.runs(ctx, t, imageID, held) {
		inUse = imageID
	}
	if why := image.Holds(image.Image{ID: imageID}, t.With(from, imageID), inUse, held); why != "" {
		return fmt.Errorf("image %s of the plan must not be used: %s; plan again", imageID, why)
	}
	return nil
}

// bans are the active ones of the whole fleet, with what is needed to tell
// which of these images they are about. Where nothing is banned, images cost
// no call.
func (b *backend) bans(ctx context.Context, c *clients, images ...string) (image.Bans, error) {
	return b.bansIn(ctx, c, c.images, images...)
}

// bansIn is [backend.bans] for images of the region of a client.
func (b *backend) bansIn(ctx context.Context, c *clients, in *ami.Client, images ...string) (image.Bans, error) {
	now := b.clock.Now()
	all, err := b.banned.all(ctx, c.docs, image.BanRoot, now)
	if err != nil {
		return image.Bans{}, fmt.Errorf("read the bans of images: %w", err)
	}
	bans := image.Bans{Active: image.StillBanned(all, now)}
	if len(bans.Active) > 0 {
		bans.Origins, err = in.Origins(ctx, images...)
	}
	return bans, err
}

func imageIDs(list []image.Image) []string {
	ids := make([]string, len(list))
	for n, i := range list {
		ids[n] = i.ID
	}
	return ids
}

func versionImages(t ami.Template) []string {
	ids := make([]string, len(t.Versions))
	for n, v := range t.Versions {
		ids[n] = v.Image
	}
	return ids
}

// ban notes the versions whose images are banned, newest first and three
// images at most: a plan looks for what it is about to roll to.
func (s *groupSeen) ban(t ami.Template, bans image.Bans) {
	var done []string
	for _, v := range slices.Backward(t.Versions) {
		ban, is := bans.Of(v.Image)
		if !is || slices.Contains(done, v.Image) || len(done) == 3 {
			continue
		}
		done = append(done, v.Image)
		s.Held = append(s.Held, heldSeen{
			Versions: pack(t.Numbers(func(other ami.Version) bool { return other.Image == v.Image })),
			Why:      rollout.Clip(ban.Why(v.Image), 250), Ban: ban.Image,
		})
	}
}
