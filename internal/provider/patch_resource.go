package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// patchKind is what tells the resources apart that publish a document of the
// calendar.
type patchKind struct {
	suffix string // of the type's name
	noun   string // for people
	root   string // of the documents
	schema func() schema.Schema
	// unknown are the computed attributes, to plan while something is unknown.
	unknown map[string]any
}

// drawing is what a configuration comes to.
type drawing struct {
	document string // to publish; empty with an error among the problems
	problems []calendar.Problem
	// lint finds what will surprise; it needs the time for that.
	lint func(now time.Time) []calendar.Problem
	// computed is what else follows, for the model's own use.
	computed any
}

// patchModel is a resource of the calendar in configuration, plan and state.
// It is decoded only where all of it is known.
type patchModel[M any] interface {
	*M
	key() string
	published() bool
	imported() bool
	draw() drawing
	// keep takes the prior spelling of what means the same. Terraform lets a
	// value that is set be planned as it was, but not set or unset.
	keep(prior M)
	// fill sets the computed attributes.
	fill(drawing)
	// found sets what is published; load fills the rest of an imported one.
	found(document string)
	load(document []byte) error
}

// patchResource is refit_patch_schedule, refit_patch_freeze or
// refit_patch_exception: a document under the prefix, which is the truth for
// whoever rolls.
//
// The computed document is what drift, upgrades and spellings are seen by: it
// is the same for the same meaning, planned from the configuration, and read
// back as it is published.
type patchResource[M any, P patchModel[M]] struct {
	kind    patchKind
	backend *backend
}

// Metadata implements resource.Resource.
func (r *patchResource[M, P]) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_" + r.kind.suffix
}

// Schema implements resource.Resource.
func (r *patchResource[M, P]) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = r.kind.schema()
}

// Configure implements resource.ResourceWithConfigure.
func (r *patchResource[M, P]) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.backend = backendOf(req.ProviderData, &resp.Diagnostics)
}

// ImportState implements resource.ResourceWithImportState.
func (r *patchResource[M, P]) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("name"), req, resp)
}

// ValidateConfig implements resource.ResourceWithValidateConfig. Terraform
// calls it once more at plan, when more is known.
func (r *patchResource[M, P]) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	if !req.Config.Raw.IsFullyKnown() {
		return
	}
	m := P(new(M))
	resp.Diagnostics.Append(req.Config.Get(ctx, m)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(patchProblems(m.draw().problems)...)
	}
}

// ModifyPlan implements resource.ResourceWithModifyPlan. It looks at the clock
// for what to warn of only.
func (r *patchResource[M, P]) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	if !req.Config.Raw.IsFullyKnown() {
		for name, unknown := range r.kind.unknown {
			resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root(name), unknown)...)
		}
		return
	}
	plan := P(new(M))
	for name, unknown := range r.kind.unknown {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root(name), unknown)...)
	}
	resp.Diagnostics.Append(resp.Plan.Get(ctx, plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	d := plan.draw()
	if len(calendar.Errors(d.problems)) > 0 {
		resp.Diagnostics.Append(patchProblems(d.problems)...)
		return
	}
	if !req.State.Raw.IsNull() {
		prior := P(new(M))
		resp.Diagnostics.Append(req.State.Get(ctx, prior)...)
		if resp.Diagnostics.HasError() {
			return
		}
		if prior.draw().document == d.document {
			plan.keep(*prior)
		}
	}
	plan.fill(d)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	if r.backend != nil && d.lint != nil {
		resp.Diagnostics.Append(patchProblems(d.lint(r.backend.clock.Now()))...)
	}
}

// Create implements resource.Resource. A document that somebody else published
// is not taken over: each of the two would undo what the other does.
func (r *patchResource[M, P]) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx = awsconf.Context(ctx)
	m := P(new(M))
	resp.Diagnostics.Append(req.Plan.Get(ctx, m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	d := m.draw()
	body, there, err := r.read(ctx, m.key())
	switch {
	case err != nil:
		resp.Diagnostics.Append(r.unable("publish", m.key(), err, unchanged))
	case m.published() && there && body != d.document:
		// The same in every byte is our own, from an apply whose answer was lost.
		resp.Diagnostics.AddAttributeError(path.Root("name"), fmt.Sprintf("Unable to publish %s %q", r.kind.noun, m.key()), lines{
			fmt.Sprintf("A %s of that name is published already.", r.kind.noun), unchanged,
			fmt.Sprintf("Choose another name, or bring it here with: terraform import refit_%s.NAME %s", r.kind.suffix, m.key()),
		}.String())
	default:
		resp.Diagnostics.Append(r.write(ctx, m, d)...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Update implements resource.Resource.
func (r *patchResource[M, P]) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx = awsconf.Context(ctx)
	m := P(new(M))
	resp.Diagnostics.Append(req.Plan.Get(ctx, m)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.write(ctx, m, m.draw())...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Read implements resource.Resource.
func (r *patchResource[M, P]) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx = awsconf.Context(ctx)
	m := P(new(M))
	resp.Diagnostics.Append(req.State.Get(ctx, m)...)
	if resp.Diagnostics.HasError() || !m.published() {
		return
	}
	body, there, err := r.read(ctx, m.key())
	if err == nil && there && m.imported() {
		err = m.load([]byte(body))
		if err == nil {
			m.fill(m.draw())
		}
	}
	switch {
	case err != nil:
		resp.Diagnostics.Append(r.unable("read", m.key(), err, unchanged))
	case !there:
		resp.State.RemoveResource(ctx)
	default:
		m.found(body)
		resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	}
}

// Delete implements resource.Resource. What says "cleared" takes the place of
// the document, so that the name can be used again at once.
func (r *patchResource[M, P]) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx = awsconf.Context(ctx)
	m := P(new(M))
	resp.Diagnostics.Append(req.State.Get(ctx, m)...)
	if resp.Diagnostics.HasError() || !m.published() {
		return
	}
	if err := r.put(ctx, m.key(), calendar.Cleared(m.key())); err != nil {
		resp.Diagnostics.Append(r.unable("withdraw", m.key(), err, fmt.Sprintf("The %s is still published.", r.kind.noun)))
	}
}

// read gives a document as it is published, without spaces; there is false
// when it was withdrawn.
func (r *patchResource[M, P]) read(ctx context.Context, name string) (body string, there bool, err error) {
	c, err := r.backend.clients(ctx)
	if err != nil {
		return "", false, err
	}
	var raw json.RawMessage
	there, err = c.docs.Get(ctx, r.kind.root+"/"+name, &raw)
	var unreadable *journal.UnreadableError
	if errors.As(err, &unreadable) {
		return "", true, nil // not JSON: to be written again
	}
	if err != nil || !there || calendar.IsCleared(raw) {
		return "", false, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return "", false, err
	}
	return out.String(), true, nil
}

func (r *patchResource[M, P]) put(ctx context.Context, name, document string) error {
	c, err := r.backend.clients(ctx)
	if err != nil {
		return err
	}
	defer r.backend.published.forget()
	return c.docs.Put(ctx, r.kind.root+"/"+name, json.RawMessage(document))
}

// errOtherDocument says that what was published is not what can be read.
var errOtherDocument = errors.New("what can be read now is not what was written; somebody may have written at the same time")

// write publishes a model's document and reads it back, or withdraws it.
func (r *patchResource[M, P]) write(ctx context.Context, m P, d drawing) diag.Diagnostics {
	m.fill(d)
	want := d.document
	if !m.published() {
		_, there, err := r.read(ctx, m.key())
		if err == nil && there {
			err = r.put(ctx, m.key(), calendar.Cleared(m.key()))
		}
		if err != nil {
			return diag.Diagnostics{r.unable("withdraw", m.key(), err, fmt.Sprintf("The %s is still published.", r.kind.noun))}
		}
		return nil
	}
	err := r.put(ctx, m.key(), want)
	if err == nil {
		_, err = patiently(ctx, r.backend.clock, func(err error) bool { return errors.Is(err, errOtherDocument) }, func() (string, error) {
			body, _, err := r.read(ctx, m.key())
			if err == nil && body != want {
				err = errOtherDocument
			}
			return body, err
		})
	}
	if err != nil {
		return diag.Diagnostics{r.unable("publish", m.key(), err, "What is published now is not known; the next plan tells.")}
	}
	return nil
}

func (r *patchResource[M, P]) unable(verb, name string, err error, state string) diag.Diagnostic {
	return unable(fmt.Sprintf("%s %s %q", verb, r.kind.noun, name), err, state)
}

// documentAttribute is the computed document of each of these resources.
func documentAttribute() schema.StringAttribute {
	return computed("What is published, as JSON: the same for the same meaning, however it is written. It differs from the configuration, and is written " +
		"again, when somebody changed it or when it is of an older version of Refit.")
}

// optionalText is a text, or null for an empty one.
func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// spelling is the prior one where there was one and there is one now.
func spelling(now, prior *string) *string {
	if now == nil || prior == nil {
		return now
	}
	return prior
}
