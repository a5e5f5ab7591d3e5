package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
)

// pruneCopies deletes the copies made for a template that nothing needs any
// more, and those that failed. What goes wrong is a warning: the image was taken
// up, and the next apply that takes up an image tries again.
func (b *backend) pruneCopies(ctx context.Context, c *clients, w amiWant, inUse image.Image) diag.Diagnostics {
	old, err := b.prunableCopies(ctx, c, w, inUse)
	var left []string
	for _, i := range old {
		tflog.Info(ctx, "deleting an old copy of an image", map[string]any{"template": w.template, "image": i.ID, "original": i.SourceID})
		left = append(left, c.images.Discard(ctx, i, i.Tags[image.TagCopy])...)
	}
	var happened string
	switch {
	case err != nil:
		happened, _ = explain(err)
	case len(left) > 0:
		happened = roller.Sentence("not deleted: " + strings.Join(left, ", "))
	default:
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("copy").AtName("keep"),
		fmt.Sprintf("Old copies for launch template %q were not deleted", w.template),
		lines{happened, "The image was taken up, and nothing else depends on this.", "They are tried again when the next image is taken up; a snapshot that is left has to be deleted by hand."}.String())}
}

// prunableCopies are those to delete.
func (b *backend) prunableCopies(ctx context.Context, c *clients, w amiWant, inUse image.Image) ([]image.Image, error) {
	all, err := c.images.CopiesFor(ctx, w.template)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{inUse.ID: true}
	for _, i := range all {
		if w.pin.Image != "" && i.SourceID == w.pin.Image {
			used[i.ID] = true
		}
	}
	perhaps := image.PruneCopies(all, w.template, w.copy.keep, used)
	if !slices.ContainsFunc(perhaps, func(i image.Image) bool { return i.State == image.Available || i.State == "disabled" }) {
		return perhaps, nil // nobody can use what failed
	}
	ids := imageIDs(perhaps)
	if err := namedBy(ctx, c, ids, used); err != nil {
		return nil, err
	}
	var history []string
	if w.target != nil {
		history = w.target.History
		if err := rollsThrough(ctx, c, w.target.Name, used); err != nil {
			return nil, err
		}
	}
	bans, err := b.bans(ctx, c, slices.Concat(ids, history)...)
	if err != nil {
		return nil, err
	}
	quarantines, err := b.quarantines(ctx, c, w.template)
	if err != nil {
		return nil, err
	}
	held := func(id string) bool {
		return bans.Why(id) != "" || slices.ContainsFunc(quarantines, func(q image.Quarantine) bool { return q.Image == id })
	}
	for _, id := range ids {
		// Without the copy, nothing would keep its like from being made again.
		used[id] = used[id] || held(id)
	}
	for _, id := range image.BackTo(history, held) {
		used[id] = true
	}
	return image.PruneCopies(all, w.template, w.copy.keep, used), nil
}

// namedBy adds the images that anything of this region names.
func namedBy(ctx context.Context, c *clients, ids []string, used map[string]bool) error {
	named, err := c.images.References(ctx, ids...)
	if err != nil {
		return err
	}
	maps.Copy(used, named)
	overrides, err := c.live.OverrideImages(ctx)
	maps.Copy(used, overrides)
	return err
}

// rollsThrough adds the images that rolls under way go to, and may go back to,
// in groups that follow a parameter. No version names those.
func rollsThrough(ctx context.Context, c *clients, parameter string, used map[string]bool) error {
	groups, err := c.live.NamingNow(ctx, func(image string) bool { return ami.Names(image, parameter) })
	if err != nil {
		return err
	}
	for _, arn := range groups {
		rec, ended, err := rollOf(ctx, c, arn)
		if err != nil {
			return err
		}
		if rec != nil && !ended {
			used[rec.Target.Image], used[rec.Previous.Image] = true, true
		}
	}
	return nil
}
