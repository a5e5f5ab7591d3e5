package roller

import (
	"context"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
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
		Template: t.TemplateID, Data: t.Data, Image: t.Image, Reason: clip(e.Reason, 300),
		Until: o.Clock.Now().Add(quarantineFor).UTC().Truncate(time.Second), Retry: o.q.Retry,
	})
}

// held says why a version must not be rolled to now; empty: it may.
func (r *Roller) held(ctx context.Context, q Request, target rollout.Version) (string, error) {
	if target.Data == "" {
		return "", nil
	}
	var doc image.Quarantine
	ok, err := r.Docs.Get(ctx, image.QuarantinePath(target.TemplateID, target.Data), &doc)
	if err != nil || !ok || !doc.Active(r.Clock.Now()) || doc.Lifts(q.Retry) {
		return "", err
	}
	return doc.Why(), nil
}
