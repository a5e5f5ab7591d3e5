package provider

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// imageQuarantineModel is refit_image_quarantine in configuration, plan and
// state.
type imageQuarantineModel struct {
	ImageID types.String `tfsdk:"image_id"`
	Reason  types.String `tfsdk:"reason"`
	Until   types.String `tfsdk:"until"`
}

// ban maps a model to the ban it stands for.
func (m imageQuarantineModel) ban() image.Ban {
	return image.Ban{Image: m.ImageID.ValueString(), Reason: m.Reason.ValueString(), Until: instantOf(m.Until)}
}

// set maps a ban to the model. An instant that means the same keeps its
// spelling.
func (m *imageQuarantineModel) set(b image.Ban) {
	m.Reason = types.StringValue(b.Reason)
	switch {
	case b.Until.IsZero():
		m.Until = types.StringNull()
	case !instantOf(m.Until).Equal(b.Until):
		m.Until = types.StringValue(b.Until.Format(time.RFC3339))
	}
}

// instantOf is the value of an attribute in RFC 3339: the zero time when it is
// null, unknown or something else, which the validator refuses.
func instantOf(s types.String) time.Time {
	t, err := time.Parse(time.RFC3339, s.ValueString())
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
