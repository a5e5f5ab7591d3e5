package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
)

// selectorModel is a selector of groups by their tags.
type selectorModel struct {
	Everything *bool               `tfsdk:"everything"`
	All        map[string][]string `tfsdk:"all"`
	Any        map[string][]string `tfsdk:"any"`
	None       map[string][]string `tfsdk:"none"`
}

func (m *selectorModel) selector() *calendar.Selector {
	if m == nil {
		return nil
	}
	return &calendar.Selector{Everything: m.Everything != nil && *m.Everything, All: m.All, Any: m.Any, None: m.None}
}

func newSelectorModel(s *calendar.Selector) *selectorModel {
	if s == nil {
		return nil
	}
	m := &selectorModel{All: s.All, Any: s.Any, None: s.None}
	if s.Everything {
		m.Everything = &s.Everything
	}
	return m
}

func selectorAttribute(required bool, description string) schema.SingleNestedAttribute {
	tags := func(description string) schema.MapAttribute {
		return schema.MapAttribute{Optional: true, ElementType: types.SetType{ElemType: types.StringType}, MarkdownDescription: description}
	}
	return schema.SingleNestedAttribute{
		Required: required, Optional: !required,
		MarkdownDescription: description + " At least one of its attributes is needed; all that are given must hold. The value `*` stands for any.",
		Attributes: map[string]schema.Attribute{
			"everything": schema.BoolAttribute{Optional: true, MarkdownDescription: "`true`: every group, without further conditions."},
			"all":        tags("Every one of these tags has one of its values, such as `{ Environment = [\"prod\", \"stage\"] }`."),
			"any":        tags("At least one of these tags has one of its values."),
			"none":       tags("None of these tags has one of its values. A group without the tag passes."),
		},
	}
}
