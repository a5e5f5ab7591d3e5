package awssim

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
)

// vcpuQuota is a limit of the virtual processors that run at once. Every
// instance type that exists here is of a standard family (A, C, D, H, I, M, R,
// T, Z).
type vcpuQuota struct {
	market, code, name string
}

var vcpuQuotas = []vcpuQuota{
	{marketOnDemand, "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"},
	{marketSpot, "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"},
}

// defaultVCPUs is the limit of an account whose scenario sets none: so high
// that no launch meets it.
const defaultVCPUs = 100_000

func init() {
	register("servicequotas", jsonService("ServiceQuotasV20190624", map[string]operation{
		"GetServiceQuota":   typed(getServiceQuota),
		"ListServiceQuotas": typed(listServiceQuotas),
	}))
}

// SetVCPULimits sets how many virtual processors may run at once, by market:
// on_demand and spot. An unknown market, and a limit below 1, are errors.
func (w *World) SetVCPULimits(limits map[string]int) error {
	w.lock()
	defer w.mu.Unlock()
	out := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		market, known := map[string]string{"on_demand": marketOnDemand, "spot": marketSpot}[name]
		if !known {
			return fmt.Errorf("vcpu_limits: %q is not on_demand or spot", name)
		}
		if limits[name] < 1 {
			return fmt.Errorf("vcpu_limits: %s: %d is less than 1", name, limits[name])
		}
		out[market] = limits[name]
	}
	w.ec2.vcpuLimits = out
	return nil
}

// vcpuLimit is the limit of a market.
func (w *World) vcpuLimit(market string) int {
	if n, set := w.ec2.vcpuLimits[market]; set {
		return n
	}
	return defaultVCPUs
}

// overVCPULimit is EC2's refusal of a launch that would run too many virtual
// processors, or nil.
func (w *World) overVCPULimit(kind, market string) error {
	setDefault(&market, marketOnDemand)
	limit, set := w.ec2.vcpuLimits[market]
	if !set {
		return nil
	}
	t, _ := findInstanceType(kind)
	used := int(t.vcpu)
	for _, i := range w.ec2.instances {
		if (i.market == marketSpot) == (market == marketSpot) && (i.state == "pending" || i.state == "running") {
			other, _ := findInstanceType(i.instanceType)
			used += int(other.vcpu)
		}
	}
	if used <= limit {
		return nil
	}
	if market == marketSpot {
		return ec2Err("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
	}
	return ec2Err("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of %d allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.", limit)
}

// SetFreeAddresses leaves a subnet of the default network so many addresses,
// as if others had taken the rest. It gives none back that members have.
func (w *World) SetFreeAddresses(zone string, free int) error {
	w.lock()
	defer w.mu.Unlock()
	if len(zone) == 1 {
		zone = w.region + zone
	}
	s := w.ec2.subnets[w.ec2.defaultSubnets[zone]]
	if s == nil {
		return fmt.Errorf("free_addresses: no zone %q", zone)
	}
	if free < 0 {
		return fmt.Errorf("free_addresses: %s: %d is negative", zone, free)
	}
	s.others = 0
	s.others = max(0, s.size()-len(s.used)-free)
	return nil
}

func (w *World) quotaAnswer(q vcpuQuota) types.ServiceQuota {
	return types.ServiceQuota{
		ServiceCode: ptr("ec2"), ServiceName: ptr("Amazon Elastic Compute Cloud (Amazon EC2)"), QuotaCode: &q.code, QuotaName: &q.name,
		QuotaArn: ptr("arn:aws:servicequotas:" + w.region + ":" + w.account + ":ec2/" + q.code), Unit: ptr("None"), Adjustable: true,
		Value: ptr(float64(w.vcpuLimit(q.market))), QuotaAppliedAtLevel: types.AppliedLevelEnumAccount,
	}
}

func noSuchQuota() error {
	return &Error{Status: http.StatusBadRequest, Code: "NoSuchResourceException", Message: "The request failed because the specified service quota does not exist."}
}

func getServiceQuota(w *World, in *servicequotas.GetServiceQuotaInput) (*servicequotas.GetServiceQuotaOutput, error) {
	i := slices.IndexFunc(vcpuQuotas, func(q vcpuQuota) bool { return q.code == deref(in.QuotaCode) })
	if i < 0 || deref(in.ServiceCode) != "ec2" || in.ContextId != nil {
		return nil, noSuchQuota()
	}
	return &servicequotas.GetServiceQuotaOutput{Quota: ptr(w.quotaAnswer(vcpuQuotas[i]))}, nil
}

func listServiceQuotas(w *World, in *servicequotas.ListServiceQuotasInput) (*servicequotas.ListServiceQuotasOutput, error) {
	if deref(in.ServiceCode) != "ec2" {
		return nil, noSuchQuota()
	}
	size := int32(100)
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > 100 {
		return nil, &Error{Code: "IllegalArgumentException", Message: fmt.Sprintf("MaxResults must be from 1 to 100, not %d", size)}
	}
	start := 0
	if in.NextToken != nil {
		raw, err := base64.StdEncoding.DecodeString(*in.NextToken)
		if err == nil {
			start, err = strconv.Atoi(strings.TrimPrefix(string(raw), "quotas-"))
		}
		if err != nil || start < 0 || start > len(vcpuQuotas) {
			return nil, &Error{Code: "InvalidPaginationTokenException", Message: "Invalid input was provided."}
		}
	}
	end := min(start+int(size), len(vcpuQuotas))
	out := &servicequotas.ListServiceQuotasOutput{Quotas: []types.ServiceQuota{}}
	for _, q := range vcpuQuotas[start:end] {
		if in.QuotaCode == nil || *in.QuotaCode == q.code {
			out.Quotas = append(out.Quotas, w.quotaAnswer(q))
		}
	}
	if end < len(vcpuQuotas) {
		out.NextToken = ptr(base64.StdEncoding.EncodeToString([]byte("quotas-" + strconv.Itoa(end))))
	}
	return out, nil
}
