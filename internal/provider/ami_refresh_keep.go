package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func keepAttribute() schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional: true,
		MarkdownDescription: "How many of the template's newest versions to keep, at least 3. Each time a version was made, or is left to the roll of a group on `$Latest`, older ones are deleted, " +
			"whoever made them, unless they are the default, younger than 30 days, or in use: by a group's pointer or an override, by a member " +
			"(in standby and in warm pools too), by an instance refresh under way, by the last roll of a group, to or from, or by `source_version`. " +
			"What uses versions without being an Auto Scaling group of this region, such as an EC2 Fleet, is not looked for. " +
			"A failure is a warning. Default: all are kept.",
		Validators: []validator.Int64{int64validator.AtLeast(image.LeastKept)},
	}
}

// prune deletes old versions of a template after a new one was made, or before a
// roll makes one. What goes wrong is a warning: the next image tries again.
func (b *backend) prune(ctx context.Context, c *clients, w amiWant, keep int) diag.Diagnostics {
	old, err := b.prunable(ctx, c, w, keep)
	var kept map[int64]error
	if err == nil && len(old) > 0 {
		tflog.Info(ctx, "deleting old launch template versions", map[string]any{"template": w.template, "versions": old})
		kept, err = c.images.Delete(ctx, w.template, old...)
	}
	var happened string
	switch {
	case err != nil:
		happened, _ = explain(err)
	case len(kept) > 0:
		var list []string
		for _, n := range slices.Sorted(maps.Keys(kept)) {
			list = append(list, fmt.Sprintf("%d (%v)", n, kept[n]))
		}
		happened = roller.Sentence("AWS kept " + strings.Join(list, ", "))
	default:
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("keep_versions"),
		fmt.Sprintf("Old versions of launch template %q were not deleted", w.template),
		lines{happened, "Nothing else depends on this.", "They are tried again with the next new image."}.String())}
}

// prunable are the versions of a template that nothing needs any more. The one
// that state has as the source is needed: while it is there, a newer version that
// differs by nothing but the image is no change of it.
func (b *backend) prunable(ctx context.Context, c *clients, w amiWant, keep int) ([]int64, error) {
	t, err := c.images.Template(ctx, w.template)
	if err != nil {
		return nil, err
	}
	all := make([]image.Version, 0, len(t.Versions))
	for _, v := range t.Versions {
		all = append(all, image.Version{Number: v.Number, Made: v.Made, Default: v.Default})
	}
	if len(image.Prune(all, keep, nil, b.clock.Now())) == 0 {
		return nil, nil // whatever groups use
	}
	uses, err := c.looks.Uses(ctx, w.template)
	if err != nil {
		return nil, err
	}
	uses.Versions[w.version] = true
	for _, arn := range uses.Groups {
		if err := inRecord(ctx, c, w.template, arn, uses); err != nil {
			return nil, err
		}
	}
	return image.Prune(all, keep, uses.Versions, b.clock.Now()), nil
}

// inRecord adds the versions between which a group's last roll went: it may be
// under way, or go back.
func inRecord(ctx context.Context, c *clients, template, arn string, uses asg.Uses) error {
	rec, _, err := rollOf(ctx, c, arn)
	if err != nil || rec == nil {
		return err
	}
	for _, v := range []rollout.Version{rec.Target, rec.Previous} {
		if v.TemplateID == template {
			uses.Versions[v.Number] = true
		}
	}
	uses.Versions[rec.Copy] = true
	if n, err := strconv.ParseInt(rec.Pointer, 10, 64); err == nil {
		uses.Versions[n] = true
	}
	return nil
}

// rollOf reads the record of a group's last roll; nil: there is none. ended
// tells whether the roll has come to its end.
func rollOf(ctx context.Context, c *clients, arn string) (rec *rollout.Record, ended bool, err error) {
	entry, found, err := c.journal.Peek(ctx, arn)
	if err != nil || !found || len(entry.Record) == 0 {
		return nil, false, err
	}
	rec = &rollout.Record{}
	if err := json.Unmarshal(entry.Record, rec); err != nil {
		return nil, false, fmt.Errorf("read the record of the last roll of group %s: %w", entry.Group, err)
	}
	return rec, entry.State == journal.Settled, nil
}
