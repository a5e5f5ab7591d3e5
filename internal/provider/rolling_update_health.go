package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

type healthModel struct {
	LoadBalancer   types.Bool   `tfsdk:"load_balancer"`
	MinHealthyTime types.String `tfsdk:"min_healthy_time"`
	EC2Status      types.Bool   `tfsdk:"ec2_status"`
	Probe          types.Object `tfsdk:"probe"`
	Alarms         types.Set    `tfsdk:"alarms"`
}

type probeModel struct {
	URL            types.String `tfsdk:"url"`
	Method         types.String `tfsdk:"method"`
	Headers        types.Map    `tfsdk:"headers"`
	HeadersWO      types.Map    `tfsdk:"headers_wo"`
	ExpectedStatus types.String `tfsdk:"expected_status"`
	ExpectedBody   types.String `tfsdk:"expected_body"`
	Passes         types.Int64  `tfsdk:"passes"`
	Timeout        types.String `tfsdk:"timeout"`
}

type checkModel struct {
	Name           types.String `tfsdk:"name"`
	URL            types.String `tfsdk:"url"`
	FunctionName   types.String `tfsdk:"function_name"`
	Headers        types.Map    `tfsdk:"headers"`
	HeadersWO      types.Map    `tfsdk:"headers_wo"`
	ExpectedStatus types.String `tfsdk:"expected_status"`
	ExpectedBody   types.String `tfsdk:"expected_body"`
	Number         types.Object `tfsdk:"number"`
	Timeout        types.String `tfsdk:"timeout"`
	Settle         types.String `tfsdk:"settle"`
}

type numberModel struct {
	Path   types.String  `tfsdk:"path"`
	Within types.Int64   `tfsdk:"within_percentage"`
	Min    types.Float64 `tfsdk:"min"`
	Max    types.Float64 `tfsdk:"max"`
}

// reader reads a spec from attributes that may be unknown. Null means the
// default.
type reader struct {
	unknown map[string]bool // attributes that were not known, or are no durations
	diags   diag.Diagnostics
}

func (r *reader) set(name string, v attr.Value, put func()) {
	if v.IsUnknown() {
		r.unknown[name] = true
	} else if !v.IsNull() {
		put()
	}
}

func (r *reader) text(name string, v types.String, to *string) {
	r.set(name, v, func() { *to = v.ValueString() })
}

func (r *reader) span(name string, v types.String, least time.Duration, to *time.Duration) {
	r.set(name, v, func() {
		if d, err := time.ParseDuration(v.ValueString()); err != nil || d < least {
			r.unknown[name] = true
		} else {
			*to = d
		}
	})
}

// object reads a nested attribute into a model.
func (r *reader) object(ctx context.Context, v types.Object, to any) {
	r.diags.Append(v.As(ctx, to, basetypes.ObjectAsOptions{})...)
}

// health reads what makes a member healthy.
func (r *reader) health(ctx context.Context, v types.Object, s *rollout.Spec) {
	r.set("health", v, func() {
		var h healthModel
		r.object(ctx, v, &h)
		r.set("health.load_balancer", h.LoadBalancer, func() { s.LoadBalancer = h.LoadBalancer.ValueBool() })
		r.span("health.min_healthy_time", h.MinHealthyTime, 0, &s.MinHealthyTime)
		r.set("health.ec2_status", h.EC2Status, func() { s.EC2Status = h.EC2Status.ValueBool() })
		r.set("health.alarms", h.Alarms, func() {
			for _, e := range h.Alarms.Elements() {
				if name, ok := e.(types.String); ok {
					r.set("health.alarms", name, func() { s.Alarms = append(s.Alarms, name.ValueString()) })
				}
			}
			slices.Sort(s.Alarms)
		})
		r.set("health.probe", h.Probe, func() {
			var m probeModel
			r.object(ctx, h.Probe, &m)
			p := rollout.DefaultProbe("")
			const at = "health.probe"
			r.text(at, m.URL, &p.URL)
			r.text(at, m.Method, &p.Method)
			p.Headers = r.headers(at, at, m.Headers, m.HeadersWO)
			r.text(at, m.ExpectedStatus, &p.Expect.Status)
			r.text(at, m.ExpectedBody, &p.Expect.Body)
			r.set(at, m.Passes, func() { p.Passes = int(m.Passes.ValueInt64()) })
			r.span(at, m.Timeout, 1, &p.Timeout)
			s.Probe = &p
		})
	})
}

// headers joins the stored headers of an attribute, which is at a path, with
// those that are not.
func (r *reader) headers(name, at string, stored, secret types.Map) rollout.Headers {
	out := rollout.Headers{}
	for _, m := range []types.Map{stored, secret} {
		r.set(name, m, func() {
			for header, e := range m.Elements() {
				value, ok := e.(types.String)
				if !ok {
					continue
				}
				for other := range out {
					if strings.EqualFold(header, other) {
						r.diags.AddAttributeError(attribute(at), "Header given twice",
							fmt.Sprintf("%s sets the header %s twice; give it once, in headers or in headers_wo.", at, header))
					}
				}
				out[header] = "" // known by name even where its value is not
				r.set(name, value, func() { out[header] = value.ValueString() })
			}
		})
	}
	return out
}

// checks reads the checks of the group.
func (r *reader) checks(ctx context.Context, v types.List, s *rollout.Spec) {
	const name = "checks"
	r.set(name, v, func() {
		for i, e := range v.Elements() {
			o, ok := e.(types.Object)
			if !ok {
				continue
			}
			c := rollout.DefaultCheck("")
			r.set(name, o, func() { r.check(ctx, fmt.Sprintf("checks[%d]", i), o, &c) })
			s.Checks = append(s.Checks, c)
		}
	})
}

func (r *reader) check(ctx context.Context, at string, o types.Object, c *rollout.Check) {
	const name = "checks"
	var m checkModel
	r.object(ctx, o, &m)
	r.text(name, m.Name, &c.Name)
	r.text(name, m.URL, &c.URL)
	r.text(name, m.FunctionName, &c.Function)
	c.Headers = r.headers(name, at, m.Headers, m.HeadersWO)
	r.text(name, m.ExpectedStatus, &c.Expect.Status)
	r.text(name, m.ExpectedBody, &c.Expect.Body)
	r.span(name, m.Timeout, 1, &c.Timeout)
	r.span(name, m.Settle, 0, &c.Settle)
	r.set(name, m.Number, func() {
		var n numberModel
		r.object(ctx, m.Number, &n)
		c.Number = &rollout.Number{}
		r.text(name, n.Path, &c.Number.Path)
		r.set(name, n.Within, func() {
			within := int(n.Within.ValueInt64())
			c.Number.Within = &within
		})
		r.set(name, n.Min, func() { c.Number.Min = n.Min.ValueFloat64Pointer() })
		r.set(name, n.Max, func() { c.Number.Max = n.Max.ValueFloat64Pointer() })
	})
}

// confide takes over the headers of a configuration, which alone has those that
// are not stored.
func confide(to *rollout.Spec, from rollout.Spec) {
	if to.Probe != nil && from.Probe != nil {
		to.Probe.Headers = from.Probe.Headers
	}
	for i := range to.Checks {
		if i < len(from.Checks) {
			to.Checks[i].Headers = from.Checks[i].Headers
		}
	}
}
