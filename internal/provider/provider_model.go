package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// providerModel is the provider block.
type providerModel struct {
	Region                 types.String `tfsdk:"region"`
	Profile                types.String `tfsdk:"profile"`
	AccessKey              types.String `tfsdk:"access_key"`
	SecretKey              types.String `tfsdk:"secret_key"`
	Token                  types.String `tfsdk:"token"`
	SharedConfigFiles      types.List   `tfsdk:"shared_config_files"`
	SharedCredentialsFiles types.List   `tfsdk:"shared_credentials_files"`
	AssumeRole             types.Object `tfsdk:"assume_role"`
	MaxRetries             types.Int64  `tfsdk:"max_retries"`
	RetryMode              types.String `tfsdk:"retry_mode"`
	SkipMetadataAPICheck   types.Bool   `tfsdk:"skip_metadata_api_check"`
	Endpoints              types.Object `tfsdk:"endpoints"`
	Journal                types.Object `tfsdk:"journal"`
	PollInterval           types.String `tfsdk:"poll_interval"`
}

type assumeRoleModel struct {
	RoleARN           types.String `tfsdk:"role_arn"`
	SessionName       types.String `tfsdk:"session_name"`
	ExternalID        types.String `tfsdk:"external_id"`
	Duration          types.String `tfsdk:"duration"`
	Policy            types.String `tfsdk:"policy"`
	SourceIdentity    types.String `tfsdk:"source_identity"`
	PolicyARNs        types.List   `tfsdk:"policy_arns"`
	Tags              types.Map    `tfsdk:"tags"`
	TransitiveTagKeys types.List   `tfsdk:"transitive_tag_keys"`
}

type journalModel struct {
	Prefix   types.String `tfsdk:"prefix"`
	S3Bucket types.String `tfsdk:"s3_bucket"`
}

// journalSettings is where the journal is kept.
type journalSettings struct {
	prefix string
	bucket string // empty: SSM parameters
}

const defaultPrefix = "/refit"

// validate finds what no single attribute can see.
func (m providerModel) validate() diag.Diagnostics {
	var diags diag.Diagnostics
	pair := func(have, lack types.String, name, missing string) {
		if have.ValueString() != "" && lack.IsNull() {
			diags.AddAttributeError(path.Root(name), "Incomplete credentials",
				name+" is set but "+missing+" is not. Set both, or neither to use the environment, a profile or a role.")
		}
	}
	pair(m.AccessKey, m.SecretKey, "access_key", "secret_key")
	pair(m.SecretKey, m.AccessKey, "secret_key", "access_key")
	return diags
}

// settings maps the block to what makes clients. Unknown values count as not
// set: by the time a call is made they are known.
func (m providerModel) settings(ctx context.Context) (awsconf.Settings, journalSettings, time.Duration, diag.Diagnostics) {
	var diags diag.Diagnostics
	s := awsconf.Settings{
		Region: m.Region.ValueString(), Profile: m.Profile.ValueString(),
		AccessKey: m.AccessKey.ValueString(), SecretKey: m.SecretKey.ValueString(), Token: m.Token.ValueString(),
		SharedConfigFiles:      texts(ctx, m.SharedConfigFiles, &diags),
		SharedCredentialsFiles: texts(ctx, m.SharedCredentialsFiles, &diags),
		MaxRetries:             int(m.MaxRetries.ValueInt64()), RetryMode: m.RetryMode.ValueString(),
		SkipMetadata: m.SkipMetadataAPICheck.ValueBool(),
		Endpoints:    map[string]string{},
	}
	for name, value := range m.Endpoints.Attributes() {
		if url, ok := value.(types.String); ok && url.ValueString() != "" {
			s.Endpoints[name] = url.ValueString()
		}
	}
	if !m.AssumeRole.IsNull() && !m.AssumeRole.IsUnknown() {
		var r assumeRoleModel
		diags.Append(m.AssumeRole.As(ctx, &r, basetypes.ObjectAsOptions{})...)
		s.AssumeRole = &awsconf.AssumeRole{
			RoleARN: r.RoleARN.ValueString(), SessionName: r.SessionName.ValueString(), ExternalID: r.ExternalID.ValueString(),
			Duration: duration(r.Duration), Policy: r.Policy.ValueString(), SourceIdentity: r.SourceIdentity.ValueString(),
			PolicyARNs: texts(ctx, r.PolicyARNs, &diags), TransitiveTagKeys: texts(ctx, r.TransitiveTagKeys, &diags),
		}
		if !r.Tags.IsNull() && !r.Tags.IsUnknown() {
			diags.Append(r.Tags.ElementsAs(ctx, &s.AssumeRole.Tags, false)...)
		}
	}
	j := journalSettings{prefix: defaultPrefix}
	if !m.Journal.IsNull() && !m.Journal.IsUnknown() {
		var jm journalModel
		diags.Append(m.Journal.As(ctx, &jm, basetypes.ObjectAsOptions{})...)
		j.bucket = jm.S3Bucket.ValueString()
		if jm.Prefix.ValueString() != "" {
			j.prefix = jm.Prefix.ValueString()
		}
	}
	poll := rollout.Defaults().Poll
	if d := duration(m.PollInterval); d > 0 {
		poll = d
	}
	return s, j, poll, diags
}

// list is what lists and sets have in common.
type list interface {
	IsNull() bool
	IsUnknown() bool
	ElementsAs(ctx context.Context, target any, allowUnhandled bool) diag.Diagnostics
}

// texts gives the elements of a list or a set, none when it is null or unknown.
func texts(ctx context.Context, l list, diags *diag.Diagnostics) []string {
	if l.IsNull() || l.IsUnknown() {
		return nil
	}
	var out []string
	diags.Append(l.ElementsAs(ctx, &out, false)...)
	return out
}
