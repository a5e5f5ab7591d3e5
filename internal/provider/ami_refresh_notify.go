package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/news"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Who can be told, by the names of their attributes.
const (
	toTopic = "sns_topic_arn"
	toBus   = "event_bus_name"
)

// notifyModel is notify of refit_ami_refresh.
type notifyModel struct {
	SNSTopicARN  types.String `tfsdk:"sns_topic_arn"`
	EventBusName types.String `tfsdk:"event_bus_name"`
}

func notifyAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Whom to tell of each new version, or with `target` of each image that the parameter gets: the images guide says " +
			"[what they are told](../guides/images.md#telling-others). That it cannot be " +
			"sent is a warning, and no reason for an apply to fail; the next one sends it. Of a version that is left to the roll of a group on `$Latest`, the " +
			"`refit_asg_rolling_update` tells them. Default: nobody. A change tells nothing again.",
		Validators: []validator.Object{somebody{}},
		Attributes: map[string]schema.Attribute{
			toTopic: schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "ARN of a topic of SNS, standard or FIFO, in the region of the provider. It may be another account's.",
				Validators:          []validator.String{addressValidator{news.CheckTopic}},
			},
			toBus: schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of an event bus of EventBridge, such as `default`, or ARN of one in the region of the provider, which may be another account's.",
				Validators:          []validator.String{addressValidator{news.CheckBus}},
			},
		},
	}
}

func notifiedAttribute() schema.BoolAttribute {
	return schema.BoolAttribute{
		Computed: true,
		MarkdownDescription: "Whether those of `notify` were told of everything. While it is `false`, each plan has an update that tells them. " +
			"`null` without `notify`.",
	}
}

// somebody refuses a notify that names nobody.
type somebody struct{}

// Description implements validator.Object.
func (somebody) Description(context.Context) string {
	return "at least one of " + toTopic + " and " + toBus
}

// MarkdownDescription implements validator.Object.
func (v somebody) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateObject implements validator.Object.
func (somebody) ValidateObject(ctx context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	var n notifyModel
	resp.Diagnostics.Append(req.ConfigValue.As(ctx, &n, basetypes.ObjectAsOptions{})...)
	if n.SNSTopicARN.IsNull() && n.EventBusName.IsNull() {
		resp.Diagnostics.AddAttributeError(req.Path, "Nobody to tell",
			fmt.Sprintf("%s has neither %s nor %s, so nobody would be told. Set one of them, or remove %s.", req.Path, toTopic, toBus, req.Path))
	}
}

// addressValidator refuses what cannot be an address in any region.
type addressValidator struct {
	check func(address, region string) error
}

// Description implements validator.String.
func (addressValidator) Description(context.Context) string { return "an ARN or a name that AWS takes" }

// MarkdownDescription implements validator.String.
func (v addressValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v addressValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := v.check(req.ConfigValue.ValueString(), ""); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid "+req.Path.String(), fmt.Sprintf("%s: %s.", req.Path, err))
	}
}

// notify reads whom to tell; those that are not set, or not known yet, are empty.
func (m amiRefreshModel) notify(ctx context.Context) (n notifyModel, diags diag.Diagnostics) {
	if m.Notify.IsNull() || m.Notify.IsUnknown() {
		return n, nil
	}
	diags = m.Notify.As(ctx, &n, basetypes.ObjectAsOptions{})
	return n, diags
}

// told are the names of those to tell.
func (n notifyModel) told() []string {
	var out []string
	if n.SNSTopicARN.ValueString() != "" {
		out = append(out, toTopic)
	}
	if n.EventBusName.ValueString() != "" {
		out = append(out, toBus)
	}
	return out
}

// near refuses addresses of another region than the provider's. Without
// credentials or a region it says nothing: everything else will.
func (r *amiRefresh) near(ctx context.Context, m amiRefreshModel) diag.Diagnostics {
	n, diags := m.notify(ctx)
	if diags.HasError() || r.backend == nil || len(n.told()) == 0 {
		return diags
	}
	config, err := r.backend.source.Config(ctx)
	if err != nil {
		return diags
	}
	cure := "Give one of that region, to which a subscription or a rule of that region can forward, or a provider block of the other region."
	for _, a := range []struct {
		name  string
		value types.String
		check func(string, string) error
	}{{toTopic, n.SNSTopicARN, news.CheckTopic}, {toBus, n.EventBusName, news.CheckBus}} {
		if a.value.ValueString() == "" {
			continue
		}
		if err := a.check(a.value.ValueString(), config.Region); err != nil {
			diags.AddAttributeError(path.Root("notify").AtName(a.name), "Address in another region", lines{roller.Sentence(err.Error()), unchanged, cure}.String())
		}
	}
	return diags
}

// planNotified plans whether everybody has been told, which apply learns where
// there is something to tell.
func (m *amiRefreshModel) planNotified(prior amiRefreshModel) {
	switch {
	case m.Notify.IsNull():
		m.Notified = types.BoolNull()
	case m.Notify.IsUnknown(), m.LaunchTemplateVersion.IsUnknown(), m.moves(prior), !prior.Notified.IsNull() && !prior.Notified.ValueBool():
		m.Notified = types.BoolUnknown()
	default:
		m.Notified = types.BoolValue(true)
	}
}

// noticed notes on a refresh that others are still to be told of what a model
// took up in it: whoever made that ended before they were.
func (b *backend) noticed(ctx context.Context, c *clients, m *amiRefreshModel, prior amiRefreshModel) error {
	same := m.ImageID.Equal(prior.ImageID) && m.LaunchTemplateVersion.Equal(prior.LaunchTemplateVersion)
	if same || !m.Notified.ValueBool() {
		return nil
	}
	owed, _, err := c.images.Owed(ctx, m.LaunchTemplateID.ValueString())
	m.Notified = types.BoolValue(len(owed) == 0)
	return err
}

// tell tells those of notify of everything that they have not been told of,
// and fills in the model. What goes wrong is a warning: it is there.
func (r *amiRefresh) tell(ctx context.Context, m *amiRefreshModel) diag.Diagnostics {
	if !m.Notified.IsUnknown() {
		return nil
	}
	if m.Notified = types.BoolNull(); m.Notify.IsNull() {
		return nil
	}
	failed, err := r.tellAll(ctx, *m)
	m.Notified = types.BoolValue(err == nil && len(failed) == 0)
	if m.Notified.ValueBool() {
		return nil
	}
	at := path.Root("notify")
	for name := range failed {
		if len(failed) == 1 {
			at = at.AtName(name)
		}
	}
	of, made := fmt.Sprintf("the new version of launch template %q", m.LaunchTemplateID.ValueString()), "The version was made"
	if !m.Target.IsNull() {
		of, made = fmt.Sprintf("the new image for launch template %q", m.LaunchTemplateID.ValueString()), "The parameter holds it"
	}
	summary, text := warnNews(of, made, failed, err)
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(at, summary, text)}
}

// warnNews words that not everybody was told: of what, and what is so anyway.
func warnNews(of, made string, failed map[string]error, err error) (summary, text string) {
	var happened []string
	var next string
	for _, name := range []string{toTopic, toBus} {
		if failed[name] == nil {
			continue
		}
		what, cure := explainNews(failed[name])
		happened, next = append(happened, what), strings.TrimSpace(next+" "+cure)
	}
	if err != nil {
		what, cure := explain(err)
		happened, next = append(happened, what), strings.TrimSpace(next+" "+cure)
	}
	return "Not everybody was told of " + of,
		lines{strings.Join(happened, "\n"), made + ", and nothing else depends on this.", strings.TrimSpace(next + " The next apply tells them.")}.String()
}

// explainNews says what happened and what to do about an event that was not sent.
func explainNews(err error) (happened, next string) {
	switch {
	case errors.Is(err, news.ErrNoTopic):
		return roller.Sentence(asg.Plain(err)), "Create the topic, or correct sns_topic_arn."
	case errors.Is(err, news.ErrNoBus):
		return roller.Sentence(asg.Plain(err)), "Create the event bus, or correct event_bus_name."
	}
	return explain(err)
}

// audience is those of notify and what they are told of the resource.
func (m amiRefreshModel) audience(to notifyModel, w amiWant) *image.Audience {
	a := &image.Audience{To: map[string]string{}, Schedule: m.Schedule.ValueString(), Environment: m.Environment.ValueString()}
	for name, address := range map[string]types.String{toTopic: to.SNSTopicARN, toBus: to.EventBusName} {
		if address.ValueString() != "" {
			a.To[name] = address.ValueString()
		}
	}
	if p := w.rule.Sort.Pattern; p != nil {
		a.Pattern = p.String()
	}
	return a
}

// tellAll sends what is due, and gives by name of whom the first failure.
func (r *amiRefresh) tellAll(ctx context.Context, m amiRefreshModel) (failed map[string]error, err error) {
	c, err := r.backend.clients(ctx)
	if err != nil {
		return nil, err
	}
	n, diags := m.notify(ctx)
	w, more := m.want(ctx)
	if diags.Append(more...); diags.HasError() {
		return nil, errors.New(diags.Errors()[0].Detail())
	}
	return r.backend.tellAudience(ctx, c, m.LaunchTemplateID.ValueString(), *m.audience(n, w))
}

// tellAudience sends what is due about a template, in its order, and gives by
// name of whom the first failure. After that nothing more is sent there: the order
// would be lost.
func (b *backend) tellAudience(ctx context.Context, c *clients, template string, a image.Audience) (failed map[string]error, err error) {
	b.telling.Lock() // or two rolls of this process that share a version both send
	defer b.telling.Unlock()
	owed, t, err := c.images.Owed(ctx, template)
	if err != nil {
		return nil, err
	}
	failed = map[string]error{}
	var unrecorded error
	for i, d := range owed {
		if d.Audience != nil { // the roll may have ended before it got to that
			unrecorded = errors.Join(unrecorded, c.images.RecordRolled(ctx, ami.Rolled{Template: template, Number: d.Number, Source: d.Source, Image: d.Image, By: "roll"}))
		}
		event := b.event(ctx, c, t, d, a.Sort())
		event.Schedule, event.Environment = given(a.Schedule), given(a.Environment)
		var left []string
		for _, to := range slices.Sorted(maps.Keys(a.To)) {
			if !slices.Contains(d.Left, to) {
				continue
			}
			if failed[to] == nil {
				failed[to] = send(ctx, c.news, to, a.To[to], event)
			}
			if failed[to] != nil {
				left = append(left, to)
			} else {
				delete(failed, to)
			}
		}
		owed[i].Left = left
	}
	return failed, errors.Join(unrecorded, c.images.Told(ctx, template, owed))
}

// given is a text, nil where there is none.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func send(ctx context.Context, c *news.Client, to, address string, e news.Event) error {
	if to == toTopic {
		return c.ToTopic(ctx, address, e)
	}
	return c.ToBus(ctx, address, e)
}

// event is what is told of an image that was taken up. What cannot be looked up
// for it is left empty.
func (b *backend) event(ctx context.Context, c *clients, t ami.Template, d image.Due, sort image.Sort) news.Event {
	e := news.Event{
		SchemaVersion: news.SchemaVersion, EventType: news.VersionMade, EventID: news.VersionID(t.ID, d.Number), EventTime: d.At, Account: t.Account,
		LaunchTemplate: news.LaunchTemplate{ID: t.ID, Name: t.Name, Version: d.Number, SourceVersion: &d.Source},
	}
	if d.Parameter != "" {
		e.EventType, e.EventID = news.ParameterMoved, news.MoveID(d.Parameter, d.Number, d.At)
		e.Parameter = &news.Parameter{Name: d.Parameter, Version: d.Number}
		e.LaunchTemplate.Version, e.LaunchTemplate.SourceVersion = d.Source, nil
	}
	if config, err := b.source.Config(ctx); err == nil {
		e.Region = config.Region
	}
	to := b.shown(ctx, c, d.Image)
	e.Image = news.Facts(to, d.At)
	if strings.HasPrefix(d.From, "ami-") {
		from := b.shown(ctx, c, d.From)
		facts := news.Facts(from, d.At)
		choice := image.Choice{Acceptable: []image.Image{to}}
		if since := choice.SupersededSince(from, sort); !since.IsZero() && facts.Name != nil {
			facts.SupersededSince = &since
		}
		e.PreviousImage = &facts
	}
	if groups, known := concerned(ctx, c, t.ID, d); known {
		e.Groups = make([]news.Group, 0, len(groups))
		for _, g := range groups {
			e.Groups = append(e.Groups, news.Group{Name: g.Group, Version: g.Pointer})
		}
	}
	return e
}

// concerned are the groups that launch from the template or the parameter;
// known is false where not all groups could be looked at.
func concerned(ctx context.Context, c *clients, template string, d image.Due) (groups []rollout.Follower, known bool) {
	if d.Parameter == "" {
		return c.looks.Using(ctx, template)
	}
	return c.looks.Naming(ctx, func(image string) bool { return ami.Names(image, d.Parameter) })
}

// shown is an image as AWS shows it, its id alone where AWS does not.
func (b *backend) shown(ctx context.Context, c *clients, id string) image.Image {
	i, err := c.images.Image(ctx, id)
	if err != nil {
		return image.Image{ID: id}
	}
	return i
}
