package roller

import (
	"context"
	"fmt"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// quarantineFor is how long version data that failed is not tried again
// unasked. A week covers the usual patch cycle.
const quarantineFor = 7 * 24 * time.Hour

// quarantine keeps the target from being rolled to again by this template.
func (o *owner) quarantine(e rollout.Ending) error {
	t := o.rec.Target
	if t.Data == "" {
		return nil
	}
	return o.Docs.Put(o.ctx, image.QuarantinePath(t.TemplateID, t.Data), image.Quarantine{
		Template: t.TemplateID, Data: t.Data, Image: t.Image, Reason: rollout.Clip(e.Reason, 300),
		Until: o.Clock.Now().Add(quarantineFor).UTC().Truncate(time.Second), Retry: o.q.Retry,
	})
}

// hold is why a version must not be rolled to now, and what to do about it.
// The zero value: it may.
type hold struct{ why, next string }

// held looks for what keeps a version from being rolled to. A ban comes first:
// no retry lifts it.
func (r *Roller) held(ctx context.Context, q Request, target rollout.Version) (hold, error) {
	if h, err := r.banned(ctx, target.Image); err != nil || h.why != "" || target.Data == "" {
		return h, err
	}
	var doc image.Quarantine
	ok, err := r.Docs.Get(ctx, image.QuarantinePath(target.TemplateID, target.Data), &doc)
	if err != nil || !ok || !doc.Active(r.Clock.Now()) || doc.Lifts(q.Retry) {
		return hold{}, err
	}
	return hold{doc.Why(), doc.Cure()}, nil
}

// banned looks for a ban that an image falls under.
func (r *Roller) banned(ctx context.Context, id string) (hold, error) {
	all, err := journal.All[image.Ban](ctx, r.Docs, image.BanRoot)
	if err != nil {
		return hold{}, fmt.Errorf("read the bans of images: %w", err)
	}
	bans := image.Bans{Active: image.StillBanned(all, r.Clock.Now())}
	if len(bans.Active) > 0 && r.Images != nil {
		if bans.Origins, err = r.Images.Origins(ctx, id); err != nil {
			return hold{}, err
		}
	}
	ban, is := bans.Of(id)
	if !is {
		return hold{}, nil
	}
	return hold{ban.Why(id), ban.Cure()}, nil
}
