package roller

import (
	"context"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// resolve finds the version that a request is for: one that exists, or one that is to
// be made in the roll, because a version that $Latest does not mean yet must not
// be there before the group is pinned.
func (r *Roller) resolve(ctx context.Context, q Request) (rollout.Version, error) {
	v, err := r.Groups.Resolve(ctx, q.Group, q.Version)
	if err != nil || !rollout.Makes(q.Version, q.Image, v) {
		return v, err
	}
	return r.Groups.WithImage(ctx, v, q.Image)
}
