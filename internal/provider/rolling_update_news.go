package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// heraldFor bounds how long a roll is held up by telling of its version: it does
// nothing meanwhile, and its lease lasts 120 s.
const heraldFor = 30 * time.Second

// herald records where a version came from that a roll has made, and tells those
// whom a refit_ami_refresh has named.
type herald struct {
	backend *backend
	clients *clients
	made    ami.Rolled // zero: none was made

	unrecorded error
	untold     error            // why nobody was told
	failed     map[string]error // who was not, by name
}

// hear is what a roll calls when it has made a version.
func (h *herald) hear(group string) func(context.Context, rollout.Version, int64) {
	return func(ctx context.Context, v rollout.Version, from int64) {
		h.made = ami.Rolled{Template: v.TemplateID, Number: v.Number, Source: from, Image: v.Image, By: "roll of group " + group}
		h.tell(ctx)
	}
}

func (h *herald) tell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, heraldFor)
	defer cancel()
	c, template := h.clients, h.made.Template
	h.unrecorded, h.failed = c.images.RecordRolled(ctx, h.made), nil
	var a *image.Audience
	if a, h.untold = c.images.Audience(ctx, template); h.untold == nil && a != nil {
		h.failed, h.untold = h.backend.tellAudience(ctx, c, template, *a)
	}
}

// close tries once more, after the roll, what had failed, and words what still
// does. That is a warning: the roll does not depend on it.
func (h *herald) close(ctx context.Context) (diags diag.Diagnostics) {
	if h.unrecorded == nil && h.untold == nil && len(h.failed) == 0 {
		return nil
	}
	h.tell(context.WithoutCancel(ctx))
	of := fmt.Sprintf("version %d of launch template %q", h.made.Number, h.made.Template)
	if h.untold != nil || len(h.failed) > 0 {
		diags.AddWarning(warnNews(of, "The roll made the version", h.failed, h.untold))
	}
	if h.unrecorded != nil {
		happened, next := explain(h.unrecorded)
		diags.AddWarning("No record of where "+of+" came from", lines{happened, "The roll made the version, and nothing else depends on this.", next}.String())
	}
	return diags
}
