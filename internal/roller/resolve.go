package roller

import (
	"context"
	"encoding/json"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// resolve finds the version that a request is for: one that exists, or one that is to
// be made in the roll, because a version that $Latest does not mean yet must not
// be there before the group is pinned. entry is the group's in the journal.
func (r *Roller) resolve(ctx context.Context, q Request, g rollout.Group, entry journal.Entry) (rollout.Version, error) {
	text := rollout.Asked(q.Version, g, unfinished(entry))
	v, err := r.Groups.Resolve(ctx, q.Group, text)
	if err != nil || !rollout.Makes(q.Version, q.Image, v) {
		return v, err
	}
	return r.Groups.WithImage(ctx, v, q.Image)
}

// unfinished is the record of a roll that did not settle; nil: there is none that
// can be read. Who takes over will say what is wrong with it.
func unfinished(entry journal.Entry) *rollout.Record {
	var rec rollout.Record
	if entry.State == journal.Settled || json.Unmarshal(entry.Record, &rec) != nil || !begun(rec) {
		return nil
	}
	return &rec
}

// entry is the group's in the journal, as far as it matters to what a request is
// for: one that names its version does not ask.
func (r *Roller) entry(ctx context.Context, q Request, g rollout.Group) (journal.Entry, error) {
	if q.Version != "" {
		return journal.Entry{}, nil
	}
	entry, _, err := r.Journal.Peek(ctx, g.ARN)
	return entry, err
}
