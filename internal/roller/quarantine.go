package roller

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	if err := o.Docs.Put(o.ctx, image.QuarantinePath(t.TemplateID, t.Data), image.Quarantine{
		Template: t.TemplateID, Data: t.Data, Image: t.Image, Reason: rollout.Clip(e.Reason, 300),
		Until: o.Clock.Now().Add(quarantineFor).UTC().Truncate(time.Second), Retry: o.q.Retry, Group: o.q.Group,
	}); err != nil {
		return err
	}
	o.tidy()
	return nil
}

// tidy removes quarantines that ended long ago, so that there are never more to
// read than a fleet has failures in a week. It is housekeeping: what fails is
// left for the next one.
func (o *owner) tidy() {
	found, _ := o.Docs.Pick(o.ctx, image.QuarantineRoot, func(string) bool { return true })
	for _, path := range slices.Sorted(maps.Keys(found)) {
		var q image.Quarantine
		if json.Unmarshal(found[path], &q) == nil && q.Past(o.Clock.Now()) {
			_ = o.Docs.Delete(o.ctx, path)
		}
	}
}

// hold is why a version must not be rolled to now, and what to do about it.
// The zero value: it may.
type hold struct{ why, next string }

// keptFrom is held for the target of this roll. A rollback from it that somebody has
// left unfinished is finished all the same.
func (o *owner) keptFrom(snap rollout.Snapshot) (hold, error) {
	h, err := o.held(o.ctx, o.q, o.target)
	if err != nil || h.why == "" {
		return h, err
	}
	entry, _, err := o.Journal.Peek(o.ctx, snap.Group.ARN)
	if unfinished(entry).GoesBack(o.q.Spec, o.target) {
		return hold{}, err
	}
	return h, err
}

// held looks for what keeps a version from being rolled to, in one list. A ban
// comes first: no retry lifts it.
func (r *Roller) held(ctx context.Context, q Request, target rollout.Version) (hold, error) {
	quarantine := image.QuarantinePath(target.TemplateID, target.Data)
	found, err := r.Docs.Pick(ctx, image.HeldRoot, func(path string) bool {
		return path == quarantine || strings.HasPrefix(path, image.BanRoot+"/")
	})
	if err != nil {
		return hold{}, fmt.Errorf("read the bans of images and quarantines: %w", err)
	}
	failed, ok := found[quarantine]
	delete(found, quarantine)
	if h, err := r.banned(ctx, found, target.Image); err != nil || h.why != "" || !ok || target.Data == "" {
		return h, err
	}
	var doc image.Quarantine
	if err := json.Unmarshal(failed, &doc); err != nil {
		return hold{}, &journal.UnreadableError{Where: "document " + quarantine, Err: err}
	}
	if !doc.Active(r.Clock.Now()) || doc.Lifts(q.Retry) {
		return hold{}, nil
	}
	return hold{doc.Why(), doc.Cure()}, nil
}

// banned looks for a ban that an image falls under, among the documents of bans.
func (r *Roller) banned(ctx context.Context, found map[string]json.RawMessage, id string) (hold, error) {
	all, err := journal.Decode[image.Ban](found)
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
