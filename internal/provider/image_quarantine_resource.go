package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// imageQuarantine is the resource refit_image_quarantine.
type imageQuarantine struct{ backend *backend }

var (
	_ resource.ResourceWithConfigure   = (*imageQuarantine)(nil)
	_ resource.ResourceWithImportState = (*imageQuarantine)(nil)
	_ resource.ResourceWithModifyPlan  = (*imageQuarantine)(nil)
)

func newImageQuarantine() resource.Resource { return &imageQuarantine{} }

// Metadata implements resource.Resource.
func (r *imageQuarantine) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_image_quarantine"
}

// Schema implements resource.Resource.
func (r *imageQuarantine) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = imageQuarantineSchema()
}

// Configure implements resource.ResourceWithConfigure.
func (r *imageQuarantine) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.backend = backendOf(req.ProviderData, &resp.Diagnostics)
}

// Create implements resource.Resource. A ban that somebody else declared is
// not taken over: whichever of the two were destroyed first would lift both.
func (r *imageQuarantine) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx = awsconf.Context(ctx)
	var m imageQuarantineModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	want := m.ban()
	found, there, err := r.read(ctx, want.Image)
	switch {
	case err != nil:
		resp.Diagnostics.Append(r.unable("ban", want.Image, err, unchanged))
	case there && (found.Reason != want.Reason || !found.Until.Equal(want.Until)):
		// The same in every word is our own, from an apply whose answer was lost.
		resp.Diagnostics.AddAttributeError(path.Root("image_id"), fmt.Sprintf("Unable to ban image %q", want.Image), lines{
			"It is banned already: " + found.Why(want.Image) + ".", unchanged,
			fmt.Sprintf("Keep the ban where it is declared, or bring it here with: terraform import refit_image_quarantine.NAME %s", want.Image),
		}.String())
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.write(ctx, &m)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Update implements resource.Resource.
func (r *imageQuarantine) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx = awsconf.Context(ctx)
	var m imageQuarantineModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.write(ctx, &m)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Read implements resource.Resource. A ban that was lifted is removed; one that
// has ended by itself stays, since it is still what the configuration says.
func (r *imageQuarantine) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx = awsconf.Context(ctx)
	var m imageQuarantineModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	found, there, err := r.read(ctx, m.ImageID.ValueString())
	if err != nil {
		resp.Diagnostics.Append(r.unable("read the ban of", m.ImageID.ValueString(), err, unchanged))
		return
	}
	if !there {
		resp.State.RemoveResource(ctx)
		return
	}
	m.set(found)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// Delete implements resource.Resource. What says "lifted" takes the place of
// the ban, so that the same image can be banned again at once.
func (r *imageQuarantine) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx = awsconf.Context(ctx)
	var m imageQuarantineModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	id := m.ImageID.ValueString()
	found, there, err := r.read(ctx, id)
	if err == nil && there {
		found.Cleared = true
		err = r.put(ctx, found)
	}
	if err != nil {
		resp.Diagnostics.Append(r.unable("lift the ban of", id, err, "The image is still banned."))
	}
}

// ModifyPlan implements resource.ResourceWithModifyPlan. It looks at the clock
// for what to say only.
func (r *imageQuarantine) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() || r.backend == nil {
		return
	}
	var plan, prior imageQuarantineModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	}
	until, now := instantOf(plan.Until), r.backend.clock.Now()
	if resp.Diagnostics.HasError() || until.IsZero() || now.Before(until) {
		return
	}
	at := path.Root("until")
	if plan.Until.Equal(prior.Until) && plan.ImageID.Equal(prior.ImageID) {
		resp.Diagnostics.AddAttributeWarning(at, "The ban has ended",
			fmt.Sprintf("%s may be used again since %s. Remove this resource, or set until to a later instant.", plan.ImageID.ValueString(), until.Format(time.RFC3339)))
		return
	}
	resp.Diagnostics.AddAttributeError(at, "Not in the future",
		fmt.Sprintf("until is %q, and now it is %s; give an instant that lies ahead, or leave until out for a ban without end.",
			plan.Until.ValueString(), now.UTC().Format(time.RFC3339)))
}

// ImportState implements resource.ResourceWithImportState.
func (r *imageQuarantine) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	if !imageID.MatchString(req.ID) {
		resp.Diagnostics.AddError("Not an image id", fmt.Sprintf("The import id is %q; give %s.", req.ID, imageIDValidator{}.Description(ctx)))
		return
	}
	resource.ImportStatePassthroughID(ctx, path.Root("image_id"), req, resp)
}

// read finds the ban of an image; there is false when it was lifted.
func (r *imageQuarantine) read(ctx context.Context, id string) (found image.Ban, there bool, err error) {
	c, err := r.backend.clients(ctx)
	if err != nil {
		return found, false, err
	}
	there, err = c.docs.Get(ctx, image.BanPath(id), &found)
	return found, there && !found.Cleared, err
}

// errNotShown says that a ban was written and cannot be read.
var errNotShown = errors.New("the ban was written and cannot be read; somebody may have lifted it meanwhile")

func (r *imageQuarantine) put(ctx context.Context, b image.Ban) error {
	c, err := r.backend.clients(ctx)
	if err != nil {
		return err
	}
	defer r.backend.banned.forget()
	return c.docs.Put(ctx, image.BanPath(b.Image), b)
}

// write publishes the ban of a model, and reads it back.
func (r *imageQuarantine) write(ctx context.Context, m *imageQuarantineModel) diag.Diagnostics {
	b := m.ban()
	err := r.put(ctx, b)
	if err == nil {
		b, err = patiently(ctx, r.backend.clock, func(err error) bool { return errors.Is(err, errNotShown) }, func() (image.Ban, error) {
			found, there, err := r.read(ctx, b.Image)
			if err == nil && !there {
				err = errNotShown
			}
			return found, err
		})
	}
	if err != nil {
		return diag.Diagnostics{r.unable("ban", m.ImageID.ValueString(), err, "Whether the image is banned now is not known; the next plan tells.")}
	}
	m.set(b)
	return nil
}

func (r *imageQuarantine) unable(verb, id string, err error, state string) diag.Diagnostic {
	return unable(fmt.Sprintf("%s image %q", verb, id), err, state)
}
