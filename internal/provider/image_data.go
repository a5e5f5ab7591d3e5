package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	resourceschema "github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// imageData is the data source refit_ami.
type imageData struct{ backend *backend }

var (
	_ datasource.DataSourceWithConfigure      = (*imageData)(nil)
	_ datasource.DataSourceWithValidateConfig = (*imageData)(nil)
)

func newImageData() datasource.DataSource { return &imageData{} }

// imageDataModel is refit_ami.
type imageDataModel struct {
	Source           types.Object `tfsdk:"source"`
	Copy             types.Object `tfsdk:"copy"`
	LaunchTemplateID types.String `tfsdk:"launch_template_id"`
	InstanceType     types.String `tfsdk:"instance_type"`
	ImageID          types.String `tfsdk:"image_id"`
	SourceImageID    types.String `tfsdk:"source_image_id"`
	ImageName        types.String `tfsdk:"image_name"`
	CreatedAt        types.String `tfsdk:"created_at"`
	AgeDays          types.Int64  `tfsdk:"age_days"`
	Owner            types.String `tfsdk:"owner_id"`
	Architecture     types.String `tfsdk:"architecture"`
	Tags             types.Map    `tfsdk:"tags"`
	Candidates       types.String `tfsdk:"candidates"`
	InUse            *inUseModel  `tfsdk:"in_use"`
}

// inUseModel is what the image is about that a template has.
type inUseModel struct {
	ImageID         types.String `tfsdk:"image_id"`
	ImageName       types.String `tfsdk:"image_name"`
	CreatedAt       types.String `tfsdk:"created_at"`
	AgeDays         types.Int64  `tfsdk:"age_days"`
	SupersededSince types.String `tfsdk:"superseded_since"`
	Tags            types.Map    `tfsdk:"tags"`
}

// Metadata implements datasource.DataSource.
func (d *imageData) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_ami"
}

// Schema implements datasource.DataSource.
func (d *imageData) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	tags := func(whose string) schema.MapAttribute {
		return schema.MapAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "Tags of " + whose + ", such as what its build left. Empty for images of other accounts: AWS shows them to the owner only.",
		}
	}
	days := schema.Int64Attribute{Computed: true, MarkdownDescription: "How many whole days ago that was."}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Chooses an image as `refit_ami_refresh` does, and says why, without changing anything. With `launch_template_id` the answer is what a " +
			"`refit_ami_refresh` of that template would go for. It is an error if no image is acceptable.",
		Attributes: map[string]schema.Attribute{
			"source": schema.SingleNestedAttribute{
				Required:            true,
				MarkdownDescription: "Which images to choose the newest of, and what makes one acceptable. Either a search (`name`, `tags`, `filters`), `ssm_parameter` or `image_id`.",
				Attributes:          dataAttributes(sourceAttributes()),
			},
			"launch_template_id": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Id of a launch template (`lt-…`). Its latest version says what the image must fit, and its quarantines hold. Default: none.",
				Validators:          []validator.String{stringvalidator.ConflictsWith(path.MatchRoot("instance_type"))},
			},
			"instance_type": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Instance type whose architectures and boot modes the image must fit, such as `t3.micro`, where there is no launch template yet. " +
					"Default: any.",
				Validators: []validator.String{stringvalidator.LengthBetween(1, 64)},
			},
			"copy": schema.SingleNestedAttribute{
				Optional: true,
				MarkdownDescription: "Answers with the copy of the image in the provider's region and account, as `copy` of a `refit_ami_refresh` would have it. None is made: " +
					"an image without a copy is passed over, and it is an error if none has one. Default: no copy.",
				Attributes: dataAttributes(copyingAttributes()),
			},
			"image_id":        computedText("Id of the image."),
			"source_image_id": computedText("With `copy`, id of the image that `image_id` is a copy of. Null without."),
			"image_name":      computedText("Name of the image."),
			"created_at":      computedText("When the image was made, in RFC 3339; with `copy`, the original."),
			"age_days":        days,
			"owner_id":        computedText("Account that owns the image."),
			"architecture":    computedText("Architecture of the image, such as `x86_64`."),
			"tags":            tags("the image"),
			"candidates": computedText("The newest images of the source as a table for people, under a line that says so: which one is chosen, and which condition removed each of the others. " +
				"Twelve at most. Its form may change."),
			"in_use": schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "The image of the launch template's latest version. Null without `launch_template_id`, and where that version names none.",
				Attributes: map[string]schema.Attribute{
					"image_id":   computedText("Id of the image. Where the version names a parameter, that of the image which this holds."),
					"image_name": computedText("Name of the image. Null: AWS does not show the image any more."),
					"created_at": computedText("When it was made, in RFC 3339; with `copy`, the original. Null as above."),
					"age_days":   days,
					"superseded_since": computedText("Since when there has been a newer acceptable image, in RFC 3339. Null: there is none. Where the newer one is newer by its version " +
						"only, that is the creation of this one."),
					"tags": tags("it"),
				},
			},
		},
	}
}

// dataAttributes are a resource's attributes for a data source. It knows the
// kinds that sources have.
func dataAttributes(of map[string]resourceschema.Attribute) map[string]schema.Attribute {
	out := map[string]schema.Attribute{}
	for name, a := range of {
		switch a := a.(type) {
		case resourceschema.StringAttribute:
			out[name] = schema.StringAttribute{Required: a.Required, Optional: a.Optional, MarkdownDescription: a.MarkdownDescription, Validators: a.Validators}
		case resourceschema.BoolAttribute:
			out[name] = schema.BoolAttribute{Required: a.Required, Optional: a.Optional, MarkdownDescription: a.MarkdownDescription, Validators: a.Validators}
		case resourceschema.SetAttribute:
			out[name] = schema.SetAttribute{Required: a.Required, Optional: a.Optional, ElementType: a.ElementType, MarkdownDescription: a.MarkdownDescription, Validators: a.Validators}
		case resourceschema.MapAttribute:
			out[name] = schema.MapAttribute{Required: a.Required, Optional: a.Optional, ElementType: a.ElementType, MarkdownDescription: a.MarkdownDescription, Validators: a.Validators}
		case resourceschema.SingleNestedAttribute:
			out[name] = schema.SingleNestedAttribute{Required: a.Required, Optional: a.Optional, MarkdownDescription: a.MarkdownDescription, Attributes: dataAttributes(a.Attributes)}
		}
	}
	return out
}

// ValidateConfig implements datasource.DataSourceWithValidateConfig.
func (d *imageData) ValidateConfig(ctx context.Context, req datasource.ValidateConfigRequest, resp *datasource.ValidateConfigResponse) {
	var m imageDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(checkSource(ctx, m.Source)...)
		resp.Diagnostics.Append(checkCopy(m.Copy)...)
	}
}

// Configure implements datasource.DataSourceWithConfigure.
func (d *imageData) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.backend = backendOf(req.ProviderData, &resp.Diagnostics)
}

// Read implements datasource.DataSource.
func (d *imageData) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx = awsconf.Context(ctx)
	var m imageDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	var s sourceModel
	resp.Diagnostics.Append(m.Source.As(ctx, &s, basetypes.ObjectAsOptions{})...)
	w := amiWant{template: m.LaunchTemplateID.ValueString()}
	w.source, w.rule = s.want(ctx, &resp.Diagnostics)
	w.copy = copyingOf(ctx, m.Copy, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if err := d.choose(ctx, &m, w, &resp.Diagnostics); err != nil {
		resp.Diagnostics.Append(unable("choose an image of "+strings.Join(w.source.Owners, ", "), err, ""))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// choose looks, and fills in the model.
func (d *imageData) choose(ctx context.Context, m *imageDataModel, w amiWant, diags *diag.Diagnostics) error {
	c, err := d.backend.clients(ctx)
	if err != nil {
		return err
	}
	var l look
	if w.template != "" {
		t, err := c.images.Known(ctx, w.template)
		if err != nil {
			return err
		}
		if l, err = d.backend.lookAt(ctx, c, t, t.Latest(), t.Latest().Image, w); err != nil {
			return err
		}
		if err := d.inUse(ctx, c, m, l, diags); err != nil {
			return err
		}
	} else if l, err = d.backend.lookWithout(ctx, c, m.InstanceType.ValueString(), w); err != nil {
		return err
	}
	if l.none != nil {
		return l.none
	}
	options := slices.DeleteFunc(slices.Clone(l.options), func(o image.Option) bool { return o.Image.ID == "" })
	if len(options) == 0 && len(l.options) > 0 {
		return &notCopiedError{original: l.original(l.options[0].Image), region: l.want.copy.Region}
	}
	pick, _, ok := image.Settle(options)
	if !ok {
		return &heldError{l.table("")}
	}
	i := pick.Image
	m.SourceImageID = types.StringNull()
	if i.Via != "" {
		m.SourceImageID = types.StringValue(i.SourceID)
	}
	m.ImageID, m.ImageName, m.Owner = types.StringValue(i.ID), types.StringValue(i.Name), types.StringValue(i.Owner)
	m.Architecture, m.CreatedAt = types.StringValue(i.Architecture), types.StringValue(i.CreatedAt.UTC().Format(time.RFC3339))
	m.AgeDays, m.Tags = types.Int64Value(i.AgeDays(l.rule.Now)), tagsValue(ctx, i.Tags, diags)
	m.Candidates = types.StringValue(l.explanation(l.name(pick)))
	return nil
}

// inUse tells about the image of the template's latest version, as far as AWS
// still shows it.
func (d *imageData) inUse(ctx context.Context, c *clients, m *imageDataModel, l look, diags *diag.Diagnostics) error {
	latest := l.template.Latest()
	id, err := c.images.Meant(ctx, latest)
	if errors.As(err, new(*ami.ParameterError)) {
		id, err = latest.Image, nil // it names a parameter that names no image
	}
	if err != nil || id == "" {
		return err
	}
	i, err := c.images.Image(ctx, id)
	if err != nil && !errors.Is(err, ami.ErrNoImage) {
		return err
	}
	m.InUse = &inUseModel{ImageID: types.StringValue(id), Tags: tagsValue(ctx, i.Tags, diags)}
	if i.ID == "" {
		return nil
	}
	i = l.dated(i)
	m.InUse.ImageName = types.StringValue(i.Name)
	m.InUse.CreatedAt = types.StringValue(i.CreatedAt.UTC().Format(time.RFC3339))
	m.InUse.AgeDays = types.Int64Value(i.AgeDays(l.rule.Now))
	if since := l.choice.SupersededSince(i, l.rule.Sort); !since.IsZero() {
		m.InUse.SupersededSince = types.StringValue(since.UTC().Format(time.RFC3339))
	}
	return nil
}

func tagsValue(ctx context.Context, tags map[string]string, diags *diag.Diagnostics) types.Map {
	if tags == nil {
		tags = map[string]string{}
	}
	out, more := types.MapValueFrom(ctx, types.StringType, tags)
	diags.Append(more...)
	return out
}

// lookWithout is a look at a source where there is no template.
func (b *backend) lookWithout(ctx context.Context, c *clients, instanceType string, w amiWant) (look, error) {
	var fit ami.Fit
	var err error
	if instanceType != "" {
		if fit, err = c.images.FitType(ctx, instanceType); err != nil {
			return look{}, err
		}
		if len(fit.Architectures) == 0 {
			return look{}, fmt.Errorf("AWS does not know instance type %s in this region; correct instance_type", instanceType)
		}
	}
	w = w.region(c)
	l := look{rule: fit.Apply(w.rule), want: w}
	l.rule.Originals = w.copy != nil && w.copy.Region == c.region
	l.rule.Now = b.clock.Now()
	return l, b.candidates(ctx, c, &l, w)
}

// heldError says that everything acceptable is held back.
type heldError struct{ table string }

// Error implements error.
func (e *heldError) Error() string { return "every acceptable image is held back" }

// notCopiedError says that no acceptable image has a copy here.
type notCopiedError struct {
	original image.Image // the newest
	region   string
}

// Error implements error.
func (e *notCopiedError) Error() string {
	return fmt.Sprintf("no acceptable image of %s has a copy in this region and account; the newest is %s (%s)", e.region, e.original.ID, e.original.Name)
}

// copyingOf maps copy of the data source; nil: there is none.
func copyingOf(ctx context.Context, o types.Object, diags *diag.Diagnostics) *copyWant {
	if o.IsNull() {
		return nil
	}
	var m struct {
		SourceRegion types.String `tfsdk:"source_region"`
		Encrypted    types.Bool   `tfsdk:"encrypted"`
		KMSKeyID     types.String `tfsdk:"kms_key_id"`
	}
	diags.Append(o.As(ctx, &m, basetypes.ObjectAsOptions{})...)
	return &copyWant{Copying: image.Copying{Region: m.SourceRegion.ValueString(), Encrypted: m.Encrypted.ValueBool(), Key: m.KMSKeyID.ValueString()}}
}
