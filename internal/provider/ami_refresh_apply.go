package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// apply makes sure of a version, or a channel, with the planned image, or with
// the newest acceptable one when none is planned, and fills in the model.
// Outside the window the version of the prior model stays; nil: there is none.
func (r *amiRefresh) apply(ctx context.Context, m, prior *amiRefreshModel, p private) diag.Diagnostics {
	w, diags := m.want(ctx)
	if diags.HasError() {
		return diags
	}
	what := fmt.Sprintf("refresh the image of launch template %q", w.template)
	fail := func(err error) diag.Diagnostics { return append(diags, refreshError(what, err)) }
	c, err := r.backend.clients(ctx)
	if err != nil {
		return fail(err)
	}
	w = w.region(c)
	w.copy.aim(m, prior)
	judge := func() (string, diag.Diagnostics) { return r.closed(ctx, m, prior, what) }
	closed, more := judge()
	if diags.Append(more...); diags.HasError() {
		return diags
	}
	chosen, err := r.choose(ctx, c, *m, w)
	if err == nil && closed == "" && w.copy != nil {
		chosen, closed, more, err = r.copyWithin(ctx, c, w, chosen, judge)
		diags.Append(more...)
	}
	if err != nil {
		return fail(err)
	}
	if diags.HasError() {
		return diags
	}
	if closed != "" {
		m.record(*prior)
		diags.Append(remember(ctx, p, m.asPlanned())...)
		return append(diags, deferral(closed))
	}
	if w.target != nil {
		err = r.move(ctx, c, m, w, chosen)
	} else {
		more, err = r.version(ctx, c, m, w, chosen)
		diags.Append(more...)
	}
	if err != nil {
		return fail(err)
	}
	if w.copy != nil && !diags.HasError() {
		diags.Append(r.backend.pruneCopies(ctx, c, w, chosen)...)
	}
	return append(diags, remember(ctx, p, m.asPlanned())...)
}

// version makes sure of a version with the chosen image and fills in the model.
func (r *amiRefresh) version(ctx context.Context, c *clients, m *amiRefreshModel, w amiWant, chosen image.Image) (diag.Diagnostics, error) {
	to, diags := m.notify(ctx)
	if diags.HasError() {
		return diags, nil
	}
	made, held, err := r.backend.ensure(ctx, c, ami.Want{Template: w.template, Source: w.version, Image: chosen.ID, Tell: to.told(), Audience: m.audience(to, w)})
	if err != nil {
		return diags, err
	}
	m.set(chosen, made.Version.Number)
	if len(held) > 0 {
		diags.Append(warnHeld(w.template, chosen.ID, made.Version.Number, held)...)
	}
	if keep := m.KeepVersions; (made.New || len(held) > 0) && !keep.IsNull() {
		diags.Append(r.backend.prune(ctx, c, w, int(keep.ValueInt64()))...)
	}
	return diags, nil
}

// refreshError words a failure, at the attribute that it is of.
func refreshError(what string, err error) diag.Diagnostic {
	state := unchanged
	var made *ami.UnrecordedError
	if errors.As(err, &made) {
		state = fmt.Sprintf("Version %d was made, and no group was changed. The next apply goes on with that version.", made.Number)
		if made.Parameter != "" {
			state = "The parameter holds the new image, and no member was replaced. The next apply goes on with it."
		}
	}
	d := unable(what, err, state)
	l, copying := explainCopy(err)
	switch {
	case copying:
		d = diag.NewAttributeErrorDiagnostic(path.Root("copy"), "Unable to "+what, l.String())
	case errors.As(err, new(*ami.VersionError)), errors.As(err, new(*sourceError)):
		d = diag.WithPath(path.Root("source_version"), d)
	case errors.As(err, new(*ami.NoImageError)), errors.As(err, new(*ami.TooManyError)), errors.As(err, new(*ami.ParameterError)):
		d = diag.WithPath(path.Root("source"), d)
	case errors.Is(err, ami.ErrNoTemplate):
		d = diag.WithPath(path.Root("launch_template_id"), d)
	case errors.As(err, new(*ami.ChannelError)), errors.As(err, new(*ami.UnvalidatedError)), errors.As(err, new(*notFollowingError)):
		d = diag.WithPath(path.Root("target"), d)
	}
	return d
}

// closed says why the image of the prior model stays for now: the window is
// closed. Empty: it does not.
func (r *amiRefresh) closed(ctx context.Context, m, prior *amiRefreshModel, what string) (why string, diags diag.Diagnostics) {
	if prior == nil || !m.bound() || m.outside() == outsideRun {
		return "", nil
	}
	v, diags := r.backend.reached(ctx, m.timing, what, m.LaunchTemplateID.ValueString(), func(context.Context) (map[string]string, error) { return nil, nil })
	if !diags.HasError() && !v.open() {
		why = v.decision.Explain()
	}
	return why, diags
}

// choose gives the planned image if it is still there and fit, or finds one.
func (r *amiRefresh) choose(ctx context.Context, c *clients, m amiRefreshModel, w amiWant) (image.Image, error) {
	t, err := patiently(ctx, r.backend.clock, absentYet, func() (ami.Template, error) {
		t, err := c.images.Template(ctx, w.template)
		if err == nil {
			_, err = base(t, w.version)
		}
		return t, err
	})
	if err != nil {
		return image.Image{}, err
	}
	t, from, err := r.backend.begin(ctx, c, t, w)
	if err != nil {
		return image.Image{}, err
	}
	if id := m.chosen().ValueString(); id != "" {
		i, err := r.planned(ctx, c, t, from, w, id)
		if err == nil && w.copy != nil {
			err = t.RootFrom(from, i)
		}
		return i, err
	}
	l, err := r.backend.lookAt(ctx, c, t, from, "", w)
	if err != nil {
		return image.Image{}, err
	}
	if l.none != nil {
		return image.Image{}, l.none
	}
	pick, passed, ok := image.Settle(l.options)
	if !ok {
		return image.Image{}, fmt.Errorf("every acceptable image is held back: %s", passed[0].Held)
	}
	if w.copy != nil {
		err = t.RootFrom(from, l.original(pick.Image))
	}
	return pick.Image, err
}

// planned checks the image that the plan named. A newer one waits for the next
// plan.
func (r *amiRefresh) planned(ctx context.Context, c *clients, t ami.Template, from ami.Version, w amiWant, id string) (image.Image, error) {
	rule, err := r.backend.rule(ctx, c, t, from, w)
	if err != nil {
		return image.Image{}, err
	}
	// What a pin names, or what the template has already, was taken up before its
	// age, say, was held against it; it is no reason to refuse an edit.
	known, err := w.has(ctx, c, t, id)
	if err != nil {
		return image.Image{}, err
	}
	if id == w.pin.Image || known {
		rule = rule.Chosen()
	}
	// As when it was chosen, but by its id: what its parameter holds by now
	// waits for the next plan too.
	choice, err := w.at(c).Find(ctx, ami.Source{Owners: w.source.Owners, Image: id}, rule)
	var none *ami.NoImageError
	if errors.As(err, &none) {
		return image.Image{}, &planError{none}
	}
	if err != nil {
		return image.Image{}, err
	}
	i := choice.Acceptable[0]
	bans, err := r.backend.bansIn(ctx, c, w.at(c), id)
	if why := bans.Why(id); why != "" {
		return i, fmt.Errorf("image %s of the plan must not be used: %s; plan again, or lift the ban", id, why)
	}
	return i, err
}

// planError says that the image of a plan cannot be used any more.
type planError struct{ *ami.NoImageError }

// Error implements error.
func (e *planError) Error() string {
	for _, v := range e.Choice.Verdicts {
		return fmt.Sprintf("image %s of the plan is not acceptable any more: %s", e.Named, v.Why)
	}
	return fmt.Sprintf("image %s of the plan does not exist any more, is not shared with this account any more, or is hidden by the account's Allowed AMIs setting", e.Named)
}

// absentYet tells whether a template or a version may simply not be visible
// yet: it may have been made in this very apply.
func absentYet(err error) bool {
	var version *ami.VersionError
	return errors.Is(err, ami.ErrNoTemplate) || errors.As(err, &version)
}
