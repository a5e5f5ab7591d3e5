// Package provider is the Terraform provider: schemas, plan modifiers, and the
// mapping of models to specs and of results to state and diagnostics.
//
// Plan is a pure function here. Read observes and keeps a small snapshot in
// private state; ModifyPlan looks at configuration, prior state and that
// snapshot only, because Terraform calls it again during apply and every known
// value must come out equal. Create and Update look again, live. See
// docs/architecture.md.
//
// It must not decide how to roll; that is internal/rollout, by way of
// internal/roller.
package provider

import (
	"context"
	"net/http"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// Options make a provider.
type Options struct {
	Version string // of this provider, for the user agent
	// Clock is what rolls run on; nil: the machine's, or that of the simulator
	// where one is used.
	Clock clock.Clock
	// Transport makes the HTTP requests of probes and checks; nil: the network, by
	// the environment's proxy settings.
	Transport http.RoundTripper
	// Activity is told of changes under way; nil: nobody is.
	Activity *Activity
}

// New returns the provider's factory.
func New(o Options) func() provider.Provider {
	return func() provider.Provider { return &refit{options: o} }
}

// refit is the provider.
type refit struct{ options Options }

var (
	_ provider.Provider                   = (*refit)(nil)
	_ provider.ProviderWithValidateConfig = (*refit)(nil)
	_ provider.ProviderWithFunctions      = (*refit)(nil)
)

// Metadata implements provider.Provider.
func (p *refit) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "refit"
	resp.Version = p.options.Version
}

// Schema implements provider.Provider.
func (p *refit) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = providerSchema()
}

// ValidateConfig implements provider.ProviderWithValidateConfig.
func (p *refit) ValidateConfig(ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse) {
	var m providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(m.validate()...)
	}
}

// Configure implements provider.Provider. It calls nobody: credentials are
// looked for when the first resource needs them.
func (p *refit) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var m providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings, journal, poll, diags := m.settings(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings.Products = [][2]string{{"Terraform", req.TerraformVersion}, {"terraform-provider-refit", p.options.Version}}
	skew := &skew{}
	settings.Dated = skew.note
	source := awsconf.New(settings)
	clk := p.options.Clock
	if clk == nil {
		clk = simulated(ctx, clock.Real{}, source.URL("autoscaling"))
	}
	skew.use(clk)
	made := newBackend(backendOptions{
		source: source, journal: journal, poll: poll,
		clock: clk, skew: skew, activity: p.options.Activity, progress: os.Getenv("REFIT_PROGRESS"), transport: p.options.Transport,
	})
	resp.ResourceData, resp.DataSourceData = made, made
}

// Resources implements provider.Provider.
func (p *refit) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newAMIRefresh, newImageQuarantine, newPatchException, newPatchFreeze, newPatchSchedule, newRollingUpdate}
}

// DataSources implements provider.Provider.
func (p *refit) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newImageData, newPatchDecision, newPatchWindows}
}

// Functions implements provider.ProviderWithFunctions. They need no
// configuration and no account.
func (p *refit) Functions(context.Context) []func() function.Function {
	return []func() function.Function{newNextWindows, newInWindow, newDescribeWindow, newScheduleTags}
}
