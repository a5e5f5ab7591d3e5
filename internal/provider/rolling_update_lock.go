package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
)

var lockTypes = map[string]attr.Type{"key": types.StringType, "max_holders": types.Int64Type}

type lockModel struct {
	Key        types.String `tfsdk:"key"`
	MaxHolders types.Int64  `tfsdk:"max_holders"`
}

func lockAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Keeps groups that must not roll at the same time apart: of the groups with one key, at most `max_holders` roll at a time, " +
			"within one apply and across applies and machines that keep their journal in the same place. A roll waits for the lock up to " +
			"`lock_timeout` and gives it back at its end, also when it stops at a safe point. Default: no lock. A change alone rolls nothing, and does " +
			"not concern a roll that is running.",
		Attributes: map[string]schema.Attribute{
			"key": schema.StringAttribute{
				Required: true, Validators: []validator.String{lockKeyValidator{}},
				MarkdownDescription: "Name of the lock, such as `etcd-main`: 1 to 64 letters, digits, `.`, `_` and `-`. It means the same to all groups " +
					"whose rolls share a journal: an account and region in Parameter Store, or a bucket and prefix.",
			},
			"max_holders": schema.Int64Attribute{
				Optional: true, Computed: true, Default: int64default.StaticInt64(1),
				Validators: []validator.Int64{int64validator.Between(1, journal.MostHolders)},
				MarkdownDescription: fmt.Sprintf("How many groups with this key may roll at a time, 1 to %d. Give all of them the same number: a group "+
					"with a smaller one waits for that many slots only, while groups with a larger one may take the others beside it. Default: `1`.", journal.MostHolders),
			},
		},
	}
}

// lock maps the attribute lock to a roll's. What is unknown is only so where
// nothing rolls yet.
func (m rollingUpdateModel) lock(ctx context.Context) (roller.Lock, diag.Diagnostics) {
	if m.Lock.IsNull() || m.Lock.IsUnknown() {
		return roller.Lock{}, nil
	}
	var l lockModel
	diags := m.Lock.As(ctx, &l, basetypes.ObjectAsOptions{})
	return roller.Lock{Key: l.Key.ValueString(), MaxHolders: int(l.MaxHolders.ValueInt64())}, diags
}

// lockKeyValidator takes what a lock may be called.
type lockKeyValidator struct{}

// Description implements validator.Describer.
func (lockKeyValidator) Description(context.Context) string {
	return "1 to 64 letters, digits, '.', '_' and '-'"
}

// MarkdownDescription implements validator.Describer.
func (v lockKeyValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v lockKeyValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || journal.ValidLockKey(req.ConfigValue.ValueString()) {
		return
	}
	resp.Diagnostics.AddAttributeError(req.Path, "Invalid lock key",
		fmt.Sprintf("lock.key is %q; give %s.", req.ConfigValue.ValueString(), v.Description(ctx)))
}
