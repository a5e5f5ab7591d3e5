package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// copyModel says how images are copied to the provider's region and account.
type copyModel struct {
	SourceRegion  types.String `tfsdk:"source_region"`
	Encrypted     types.Bool   `tfsdk:"encrypted"`
	KMSKeyID      types.String `tfsdk:"kms_key_id"`
	CopyImageTags types.Bool   `tfsdk:"copy_image_tags"`
	Tags          types.Map    `tfsdk:"tags"`
	Keep          types.Int64  `tfsdk:"keep"`
	Timeout       types.String `tfsdk:"timeout"`
}

// copyWant is what a copyModel asks for.
type copyWant struct {
	image.Copying // an empty region is the provider's
	tags          map[string]string
	copyTags      bool
	keep          int // 0: all
	timeout       time.Duration
	planned       string // the copy that the plan names; empty: it named none
	inUse         string // the copy in state; empty: there is none
}

// aim notes what the plan and the state name before an apply.
func (w *copyWant) aim(m, prior *amiRefreshModel) {
	if w == nil {
		return
	}
	w.planned = m.ImageID.ValueString()
	if prior != nil {
		w.inUse = prior.ImageID.ValueString()
	}
}

// current is the image that is in use: the one in state, or what the channel
// holds.
func (w amiWant) current(inState string) string {
	if w.target != nil {
		return w.target.Image
	}
	return inState
}

const (
	defaultCopyTimeout = "2h"
	// mostCopyTags leaves room for Refit's own among the 50 that AWS takes.
	mostCopyTags = 40
)

var regionName = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-\d+$`)

func copyAttribute() schema.SingleNestedAttribute {
	attributes := copyingAttributes()
	attributes["copy_image_tags"] = schema.BoolAttribute{
		Optional: true, Computed: true, Default: booldefault.StaticBool(true),
		MarkdownDescription: "Whether the copy gets the tags of the original. AWS copies those of this account only. Default: `true`. A change concerns copies that are made later.",
	}
	attributes["tags"] = schema.MapAttribute{
		Optional: true, ElementType: types.StringType, Validators: []validator.Map{mapvalidator.SizeBetween(1, mostCopyTags), copyTagsValidator{}},
		MarkdownDescription: fmt.Sprintf("Tags for the copy and its snapshots, at most %d, beside those that Refit writes (`%s…`). Default: none. A change concerns copies that are made later.",
			mostCopyTags, image.TagPrefix),
	}
	attributes["keep"] = schema.Int64Attribute{
		Optional: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
		MarkdownDescription: "How many of the newest copies that Refit made for this template to keep, at least 1. Each apply that takes up an image deletes older ones, with their " +
			"snapshots, unless anything in the region names them: an instance, any version of a launch template, a group's override, a parameter, a recipe of Image Builder, the pin, " +
			"a quarantine or a ban. With `target`, what the parameter held before stays too, and what rolls under way in groups that follow it go to or from. " +
			"With `keep_versions`, versions let go of copies in time. A failure is a warning. Default: all are kept.",
	}
	attributes["timeout"] = schema.StringAttribute{
		Optional: true, Computed: true, Default: stringdefault.StaticString(defaultCopyTimeout),
		Validators: []validator.String{durationValidator{positive: true}}, PlanModifiers: []planmodifier.String{sameDuration{}},
		MarkdownDescription: "How long to wait for a copy. Then the apply fails, AWS goes on copying, and the next apply waits for the same copy. Default: `" + defaultCopyTimeout + "`.",
	}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Copies the image to the provider's region and account and uses the copy: `source` is looked for in `source_region`, and owner and conditions are checked there. " +
			"A copy that is there already is used, whoever made it; of several, the one in use. A copy is made in the apply, which waits for it; then `image_id` is unknown at plan, and `source_image_id` says what is copied. " +
			"A copy that AWS gives up is deleted with its snapshots. Destroying the resource leaves copies, as versions and parameters name them. Default: no copy.",
		Attributes: attributes,
	}
}

// copyingAttributes say what copies are of and how they are encrypted. The data
// source takes them too.
func copyingAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"source_region": schema.StringAttribute{
			Optional: true, Validators: []validator.String{stringvalidator.RegexMatches(regionName, `must be the name of a region, such as "eu-west-1"`)},
			MarkdownDescription: "Region that the originals are in, such as `eu-west-1`. Default: the provider's region, for images that another account shares or that are to be encrypted.",
		},
		"encrypted": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Whether the copy's snapshots are encrypted. Copies of encrypted images are in any case. Default: `false`.",
		},
		"kms_key_id": schema.StringAttribute{
			Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 2048)},
			MarkdownDescription: "Key to encrypt with, in the provider's region: id, ARN or alias (`alias/…`). Auto Scaling's service-linked role needs it to launch. Needs `encrypted = true`. " +
				"Default: the key that EBS makes for the account.",
		},
	}
}

// copyTagsValidator refuses tags that AWS or Refit writes.
type copyTagsValidator struct{}

// Description implements validator.Map.
func (copyTagsValidator) Description(context.Context) string {
	return `keys of at most 128 characters, values of at most 256, and no key that begins with "aws:" or "` + image.TagPrefix + `"`
}

// MarkdownDescription implements validator.Map.
func (v copyTagsValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateMap implements validator.Map.
func (v copyTagsValidator) ValidateMap(ctx context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	for key, value := range req.ConfigValue.Elements() {
		text, _ := value.(types.String)
		if key == "" || len(key) > 128 || len(text.ValueString()) > 256 || strings.HasPrefix(strings.ToLower(key), "aws:") || strings.HasPrefix(key, image.TagPrefix) {
			resp.Diagnostics.AddAttributeError(req.Path.AtMapKey(key), "Not a tag for a copy",
				fmt.Sprintf("%s has the tag %q = %q; give %s.", req.Path, key, text.ValueString(), v.Description(ctx)))
		}
	}
}

// checkCopy finds what is wrong with copy as it is written.
func checkCopy(o types.Object) (diags diag.Diagnostics) {
	if o.IsNull() || o.IsUnknown() {
		return nil
	}
	encrypted, _ := o.Attributes()["encrypted"].(types.Bool)
	if key := o.Attributes()["kms_key_id"]; key != nil && !key.IsNull() && !encrypted.IsUnknown() && !encrypted.ValueBool() {
		diags.AddAttributeError(path.Root("copy").AtName("kms_key_id"), "Key without encryption",
			fmt.Sprintf("copy.kms_key_id is %s and copy.encrypted is not true, so the key would not be used. Set encrypted = true, or remove kms_key_id.", key))
	}
	return diags
}

// copyOf maps a copy that is known; nil: there is none.
func copyOf(ctx context.Context, o types.Object, diags *diag.Diagnostics) *copyWant {
	if o.IsNull() || o.IsUnknown() {
		return nil
	}
	var m copyModel
	diags.Append(o.As(ctx, &m, basetypes.ObjectAsOptions{})...)
	w := &copyWant{
		Copying:  image.Copying{Region: m.SourceRegion.ValueString(), Encrypted: m.Encrypted.ValueBool(), Key: m.KMSKeyID.ValueString()},
		copyTags: m.CopyImageTags.ValueBool(), keep: int(m.Keep.ValueInt64()), timeout: duration(m.Timeout), tags: map[string]string{},
	}
	if !m.Tags.IsNull() {
		diags.Append(m.Tags.ElementsAs(ctx, &w.tags, false)...)
	}
	return w
}

// sameCopying tells whether two values of copy take the same image and make the
// same copy of it: how many are kept, say, is no matter.
func sameCopying(a, b types.Object) bool {
	if a.IsNull() || b.IsNull() || a.IsUnknown() || b.IsUnknown() {
		return a.Equal(b)
	}
	plain := func(v attr.Value) attr.Value {
		if no, is := v.(types.Bool); is && !no.IsUnknown() && !no.ValueBool() {
			return types.BoolNull()
		}
		return v
	}
	for _, name := range []string{"source_region", "encrypted", "kms_key_id"} {
		if !plain(a.Attributes()[name]).Equal(plain(b.Attributes()[name])) {
			return false
		}
	}
	return true
}

// at is the client of the region that a source is looked for in.
func (w amiWant) at(c *clients) *ami.Client {
	if w.copy == nil {
		return c.images
	}
	return c.in(w.copy.Region)
}

// region fills in the region that originals are in by default.
func (w amiWant) region(c *clients) amiWant {
	if w.copy != nil && w.copy.Region == "" {
		here := *w.copy
		here.Region = c.region
		w.copy = &here
	}
	return w
}

// original is a candidate as it is where it was found, without its copy.
func (w amiWant) original(i image.Image) image.Image {
	if i.Via != "" {
		i.ID, i.Owner, i.SourceID, i.SourceRegion = i.SourceID, i.Via, "", ""
	}
	return i
}

// copied is an image as a version has it, through its copy. An id that is empty
// is that of a copy that has to be made.
func (w amiWant) copied(original image.Image, id, account string) image.Image {
	i := original
	i.Via, i.SourceID, i.SourceRegion = original.Owner, original.ID, w.copy.Region
	i.ID, i.Owner, i.Alias = id, account, ""
	return i
}

// copies puts in place of each acceptable image its copy, where there is one,
// and holds back those of which the original or the copy is banned.
func (b *backend) copies(ctx context.Context, c *clients, l *look, w amiWant, found []image.Image, others []string) error {
	all, err := c.images.CopiesOf(ctx, w.copy.Region, imageIDs(found)...)
	if err != nil {
		return err
	}
	bans, err := b.bansIn(ctx, c, w.at(c), imageIDs(found)...)
	if err != nil {
		return err
	}
	if l.bans, err = b.bans(ctx, c, append(imageIDs(all), others...)...); err != nil {
		return err
	}
	l.copies, l.copying = map[string][]string{}, map[string]image.Image{}
	for _, original := range found {
		held, id, account := bans.Why(original.ID), "", l.rule.Account
		switch i, ok := w.copy.CopyOf(original, all, w.current(cmp.Or(others...))); {
		case ok && i.State == image.Available:
			id, account = i.ID, i.Owner
			if held == "" {
				held = l.bans.Why(id)
			}
		case ok:
			l.copying[original.ID] = i
		}
		l.options = append(l.options, image.Option{Image: w.copied(original, id, account), Held: held})
		l.copies[original.ID] = w.copy.Copies(original, all)
	}
	return nil
}

// mendCopy is [backend.mend] where images are copied: the id was not planned
// then, but what it is a copy of was. i is the image of that version.
func (b *backend) mendCopy(ctx context.Context, c *clients, m amiRefreshModel, version int64, i image.Image) (amiRefreshModel, error) {
	if i.ID == "" || i.ID == m.ImageID.ValueString() && i.SourceID == m.SourceImageID.ValueString() {
		return m, nil
	}
	w := amiWant{}
	if i.SourceID != "" {
		w.copy = &copyWant{Copying: image.Copying{Region: i.SourceRegion}}
		original, err := w.at(c).Image(ctx, i.SourceID)
		if err != nil && !errors.Is(err, ami.ErrNoImage) {
			return m, err
		}
		if err == nil {
			i = w.copied(original, i.ID, i.Owner)
		}
	}
	m.set(i, version)
	return m, nil
}

// inUse finds out which original the template has already, so that its age is
// not held against it.
func (w amiWant) inUse(ctx context.Context, c *clients, imageID string) (string, error) {
	if w.copy == nil || imageID == "" {
		return imageID, nil
	}
	i, err := c.images.Image(ctx, imageID)
	if errors.Is(err, ami.ErrNoImage) || err == nil && i.SourceRegion != w.copy.Region {
		return "", nil
	}
	return i.SourceID, err
}

// has tells whether a template has a version with an image, or with a copy of
// it, or whether the channel has held one.
func (w amiWant) has(ctx context.Context, c *clients, t ami.Template, imageID string) (bool, error) {
	ids := []string{imageID}
	if w.copy != nil {
		all, err := c.images.CopiesOf(ctx, w.copy.Region, imageID)
		if err != nil {
			return false, err
		}
		ids = imageIDs(all)
	}
	return slices.ContainsFunc(ids, w.target.Held) ||
		slices.ContainsFunc(t.Versions, func(v ami.Version) bool { return slices.Contains(ids, v.Image) }), nil
}

// copy makes sure of a copy of an image and waits for it. The image comes back
// as the version will have it.
func (r *amiRefresh) copy(ctx context.Context, c *clients, w amiWant, i image.Image) (image.Image, error) {
	original := w.original(i)
	var copied image.Image
	var err error
	if w.copy.planned != "" {
		copied, err = w.plannedCopy(ctx, c, original)
	} else {
		copied, err = r.makeCopy(ctx, c, w, original)
	}
	if err != nil {
		return image.Image{}, err
	}
	bans, err := r.backend.bans(ctx, c, copied.ID)
	if why := bans.Why(copied.ID); why != "" {
		return image.Image{}, fmt.Errorf("the copy of image %s must not be used: %s; plan again, or lift the ban", original.ID, why)
	}
	return w.copied(original, copied.ID, copied.Owner), err
}

// plannedCopy reads the copy that the plan named.
func (w amiWant) plannedCopy(ctx context.Context, c *clients, original image.Image) (image.Image, error) {
	i, err := c.images.Image(ctx, w.copy.planned)
	if err != nil && !errors.Is(err, ami.ErrNoImage) {
		return i, err
	}
	if i, ok := w.copy.CopyOf(original, []image.Image{i}, ""); ok && i.State == image.Available {
		return i, nil
	}
	return i, fmt.Errorf("the copy %s of image %s, which the plan names, cannot be used any more; plan again, and another copy is used or made", w.copy.planned, original.ID)
}

// makeCopy finds a copy or has one made, and tells how far it is.
func (r *amiRefresh) makeCopy(ctx context.Context, c *clients, w amiWant, original image.Image) (image.Image, error) {
	last := image.Took{Time: -1}
	told := ami.Step{Percent: -1}
	return c.images.Copy(ctx, ami.Order{
		For: w.template, Original: original, Copying: w.copy.Copying, InUse: w.current(w.copy.inUse),
		CopyTags: w.copy.copyTags, Tags: w.copy.tags, Timeout: w.copy.timeout,
		Tell: func(s ami.Step) {
			if last.Time < 0 || s.State != told.State || s.Percent >= told.Percent+10 || s.Waited >= last.Time+5*time.Minute {
				r.backend.tellCopy(ctx, w, s)
				told, last.Time = s, s.Waited
			}
		},
	})
}

// copyAside is how long a copy may take without the window being judged again
// after it.
const copyAside = time.Minute

// copyWithin is [amiRefresh.copy] for an image that is taken up in a window: a
// copy that took long may have outlasted it. closed says so then.
func (r *amiRefresh) copyWithin(ctx context.Context, c *clients, w amiWant, i image.Image, judge func() (string, diag.Diagnostics)) (
	copied image.Image, closed string, diags diag.Diagnostics, err error,
) {
	began := r.backend.clock.Now()
	if copied, err = r.copy(ctx, c, w, i); err == nil && r.backend.clock.Now().Sub(began) > copyAside {
		closed, diags = judge()
	}
	return copied, closed, diags, err
}

// tellCopy tells of one step of a copy, as of those of a roll.
func (b *backend) tellCopy(ctx context.Context, w amiWant, s ami.Step) {
	text := fmt.Sprintf("copying image %s of %s to %s: %s", s.Original, w.copy.Region, s.Image, s.State)
	if s.Percent >= 0 {
		text += fmt.Sprintf(", %d %%", s.Percent)
	}
	if s.Waited > 0 {
		text += ", waited " + image.Span(s.Waited)
	}
	b.tell(ctx, roller.Event{At: b.clock.Now(), Group: w.template, Text: text})
}

// warnCopy words for a plan what will be copied, or is being copied already, and
// roughly how long it takes.
func (b *backend) warnCopy(ctx context.Context, c *clients, l look, i image.Image) diag.Diagnostics {
	w, original := l.want, l.original(i)
	last, err := c.images.LastCopy(ctx, w.template)
	if err != nil {
		last = image.Took{} // only how long is not known then
	}
	text := lines{
		happened: w.copy.Words(original, last),
		state:    fmt.Sprintf("The apply makes the copy and waits for it, up to %s; image_id is known then. No group changes for a copy.", rollout.Brief(w.copy.timeout)),
	}
	if under, ok := l.copying[original.ID]; ok {
		text.state = fmt.Sprintf("The copy %s is under way since %s. The apply waits for that one, up to %s, and makes no second one; image_id is known then. No group changes for a copy.",
			under.ID, under.CreatedAt.UTC().Format("2006-01-02 15:04 MST"), rollout.Brief(w.copy.timeout))
	}
	if original.Encrypted && original.Owner != i.Owner && i.Owner != "" {
		text.next = fmt.Sprintf("%s is encrypted by account %s: the copy succeeds only if that account lets this one use the key.", original.ID, original.Owner)
	}
	if w.copy.Key != "" {
		if why := c.images.EncryptionKey(ctx, w.copy.Key, i.Owner).Trouble(i.Owner); why != "" {
			text.next = strings.TrimSpace(text.next + "\n" + roller.Sentence(why))
		}
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(fmt.Sprintf("An image is copied for launch template %q", w.template), text.String())}
}

// explainCopy says what happened to a copy and what to do; ok is false when an
// error is none of a copy.
func explainCopy(err error) (l lines, ok bool) {
	var failed *ami.CopyError
	var waiting *ami.CopyingError
	var unsure *ami.UnsureError
	var refused *ami.RefusedError
	switch {
	case errors.As(err, &failed):
		l = lines{
			roller.Sentence(failed.Error()), "Nothing else was changed, and nothing is left of the copy.",
			"Check that the key of copy.kms_key_id exists in this region and may be used, also the key of the original. Then apply again, which makes another copy.",
		}
		if len(failed.Left) > 0 {
			l.state = "Nothing else was changed. What is left of the copy could not be deleted: " + strings.Join(failed.Left, ", ") + "."
			l.next = "Delete that. " + l.next
		}
	case errors.As(err, &waiting):
		l = lines{
			roller.Sentence(waiting.Error()), "Nothing else was changed. AWS goes on copying.",
			"Apply again: it waits for the same copy and makes no second one. If copies take this long, raise copy.timeout.",
		}
	case errors.As(err, &unsure):
		happened, next := explainAWS(unsure)
		l = lines{
			happened, "Nothing else was changed. Whether AWS began the copy is not known.",
			strings.TrimSpace(next + " Apply again: if the copy was begun, it waits for that one and makes no second one."),
		}
	case errors.As(err, &refused):
		happened, next := explainAWS(refused)
		if next == "" {
			next = "An image of another account can be copied only while that account shares its snapshots with this one, too, and lets it use the key of encrypted ones."
		}
		l = lines{happened, unchanged, next}
	default:
		return lines{}, false
	}
	return l, true
}
