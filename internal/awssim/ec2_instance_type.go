package awssim

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// instanceFamily is what all sizes of a family have in common.
type instanceFamily struct {
	arm, burstable, xen bool
	gibPerVCPU          float64 // 0: the sizes say it themselves
}

var instanceFamilies = map[string]instanceFamily{
	"t2": {burstable: true, xen: true}, "t3": {burstable: true}, "t3a": {burstable: true}, "t4g": {burstable: true, arm: true},
	"m5": {gibPerVCPU: 4}, "m5a": {gibPerVCPU: 4}, "m6i": {gibPerVCPU: 4}, "m6a": {gibPerVCPU: 4}, "m6g": {gibPerVCPU: 4, arm: true},
	"m7i": {gibPerVCPU: 4}, "m7a": {gibPerVCPU: 4}, "m7g": {gibPerVCPU: 4, arm: true},
	"c5": {gibPerVCPU: 2}, "c6i": {gibPerVCPU: 2}, "c6g": {gibPerVCPU: 2, arm: true}, "c7i": {gibPerVCPU: 2}, "c7g": {gibPerVCPU: 2, arm: true},
	"r5": {gibPerVCPU: 8}, "r6i": {gibPerVCPU: 8}, "r6g": {gibPerVCPU: 8, arm: true}, "r7i": {gibPerVCPU: 8}, "r7g": {gibPerVCPU: 8, arm: true},
}

// instanceSize is a size's virtual processors; gib is for burstable families.
type instanceSize struct {
	vcpu int32
	gib  float64
}

// burstableSizes are the sizes of the T families.
var burstableSizes = map[string]instanceSize{
	"nano": {2, 0.5}, "micro": {2, 1}, "small": {2, 2}, "medium": {2, 4}, "large": {2, 8}, "xlarge": {4, 16}, "2xlarge": {8, 32},
}

var plainSizes = map[string]instanceSize{
	"medium": {1, 0}, "large": {2, 0}, "xlarge": {4, 0}, "2xlarge": {8, 0}, "4xlarge": {16, 0},
	"8xlarge": {32, 0}, "12xlarge": {48, 0}, "16xlarge": {64, 0}, "24xlarge": {96, 0},
}

// instanceType is one type in full.
type instanceType struct {
	name   string
	vcpu   int32
	mib    int64
	family instanceFamily
}

// findInstanceType looks a type up. Types outside the table do not exist here.
func findInstanceType(name string) (instanceType, bool) {
	family, size, _ := strings.Cut(name, ".")
	f, found := instanceFamilies[family]
	if !found {
		return instanceType{}, false
	}
	if f.burstable {
		s, found := burstableSizes[size]
		return instanceType{name: name, vcpu: s.vcpu, mib: int64(s.gib * 1024), family: f}, found
	}
	s, found := plainSizes[size]
	if size == "medium" && !f.arm { // only the ARM families start this small
		return instanceType{}, false
	}
	return instanceType{name: name, vcpu: s.vcpu, mib: int64(float64(s.vcpu) * f.gibPerVCPU * 1024), family: f}, found
}

func (t instanceType) architectures() []string {
	if t.family.arm {
		return []string{"arm64"}
	}
	if t.family.xen {
		return []string{"i386", "x86_64"}
	}
	return []string{"x86_64"}
}

func (t instanceType) bootModes() []string {
	switch {
	case t.family.arm:
		return []string{"uefi"}
	case t.family.xen:
		return []string{"legacy-bios"}
	}
	return []string{"legacy-bios", "uefi"}
}

func allInstanceTypes() map[string]instanceType {
	out := map[string]instanceType{}
	for family, f := range instanceFamilies {
		sizes := plainSizes
		if f.burstable {
			sizes = burstableSizes
		}
		for size := range sizes {
			if t, found := findInstanceType(family + "." + size); found {
				out[t.name] = t
			}
		}
	}
	return out
}

func describeInstanceTypes(w *World, in *ec2.DescribeInstanceTypesInput) (*ec2.DescribeInstanceTypesOutput, error) {
	var names []string
	for _, n := range in.InstanceTypes {
		names = append(names, string(n))
	}
	all, err := chosen(allInstanceTypes(), names, func(id string) error {
		return ec2Err("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", id)
	})
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(t instanceType) string { return t.name }, resourceFilters[instanceType]{
		"instance-type":                         func(t instanceType) []string { return one(t.name) },
		"processor-info.supported-architecture": instanceType.architectures,
		"supported-boot-mode":                   instanceType.bootModes,
		"current-generation":                    func(t instanceType) []string { return yes(!t.family.xen) },
		"burstable-performance-supported":       func(t instanceType) []string { return yes(t.family.burstable) },
		"bare-metal":                            func(instanceType) []string { return yes(false) },
		"vcpu-info.default-vcpus":               func(t instanceType) []string { return one(itoa(int64(t.vcpu))) },
		"memory-info.size-in-mib":               func(t instanceType) []string { return one(itoa(t.mib)) },
		"supported-root-device-type":            func(instanceType) []string { return one("ebs") },
		"supported-virtualization-type":         func(instanceType) []string { return one("hvm") },
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 100})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstanceTypesOutput{InstanceTypes: []types.InstanceTypeInfo{}, NextToken: next}
	for _, t := range all {
		out.InstanceTypes = append(out.InstanceTypes, t.answer())
	}
	return out, nil
}

// cores are the processors' cores; all but the ARM ones run two threads each.
func (t instanceType) cores() int32 {
	if t.family.arm {
		return t.vcpu
	}
	return max(t.vcpu/2, 1)
}

func (t instanceType) answer() types.InstanceTypeInfo {
	cores := t.cores()
	hypervisor := types.InstanceTypeHypervisorNitro
	if t.family.xen {
		hypervisor = types.InstanceTypeHypervisorXen
	}
	out := types.InstanceTypeInfo{
		InstanceType: types.InstanceType(t.name), CurrentGeneration: ptr(!t.family.xen), FreeTierEligible: ptr(strings.HasSuffix(t.name, ".micro")),
		SupportedUsageClasses:        []types.UsageClassType{types.UsageClassTypeOnDemand, types.UsageClassTypeSpot},
		SupportedRootDeviceTypes:     []types.RootDeviceType{types.RootDeviceTypeEbs},
		SupportedVirtualizationTypes: []types.VirtualizationType{types.VirtualizationTypeHvm},
		BareMetal:                    ptr(false), Hypervisor: hypervisor, BurstablePerformanceSupported: &t.family.burstable,
		HibernationSupported: ptr(false), InstanceStorageSupported: ptr(false), DedicatedHostsSupported: ptr(false), AutoRecoverySupported: ptr(true),
		ProcessorInfo: &types.ProcessorInfo{SustainedClockSpeedInGhz: ptr(2.5)},
		VCpuInfo:      &types.VCpuInfo{DefaultVCpus: &t.vcpu, DefaultCores: &cores, DefaultThreadsPerCore: ptr(t.vcpu / cores)},
		MemoryInfo:    &types.MemoryInfo{SizeInMiB: &t.mib},
	}
	out.EbsInfo, out.NetworkInfo = ebsInfo(), networkInfo()
	out.PlacementGroupInfo = &types.PlacementGroupInfo{SupportedStrategies: []types.PlacementGroupStrategy{
		types.PlacementGroupStrategyPartition, types.PlacementGroupStrategySpread,
	}}
	for _, a := range t.architectures() {
		out.ProcessorInfo.SupportedArchitectures = append(out.ProcessorInfo.SupportedArchitectures, types.ArchitectureType(a))
	}
	for _, m := range t.bootModes() {
		out.SupportedBootModes = append(out.SupportedBootModes, types.BootModeType(m))
	}
	return out
}

// ebsInfo and networkInfo are the same for every type; nothing here depends on
// them, but clients expect that a type has both.
func ebsInfo() *types.EbsInfo {
	return &types.EbsInfo{
		EbsOptimizedSupport: types.EbsOptimizedSupportDefault, EncryptionSupport: types.EbsEncryptionSupportSupported, NvmeSupport: types.EbsNvmeSupportRequired,
		EbsOptimizedInfo: &types.EbsOptimizedInfo{
			BaselineBandwidthInMbps: ptr(int32(1000)), BaselineIops: ptr(int32(4000)), BaselineThroughputInMBps: ptr(125.0),
			MaximumBandwidthInMbps: ptr(int32(2000)), MaximumIops: ptr(int32(12000)), MaximumThroughputInMBps: ptr(250.0),
		},
	}
}

func networkInfo() *types.NetworkInfo {
	return &types.NetworkInfo{
		EnaSupport: types.EnaSupportRequired, EfaSupported: ptr(false), Ipv6Supported: ptr(true), EncryptionInTransitSupported: ptr(false),
		Ipv4AddressesPerInterface: ptr(int32(4)), Ipv6AddressesPerInterface: ptr(int32(4)), NetworkPerformance: ptr("Up to 5 Gigabit"),
		MaximumNetworkInterfaces: ptr(int32(3)), MaximumNetworkCards: ptr(int32(1)), DefaultNetworkCardIndex: ptr(int32(0)),
		NetworkCards: []types.NetworkCardInfo{{
			NetworkCardIndex: ptr(int32(0)), NetworkPerformance: ptr("Up to 5 Gigabit"), MaximumNetworkInterfaces: ptr(int32(3)),
		}},
	}
}

func describeInstanceTypeOfferings(w *World, in *ec2.DescribeInstanceTypeOfferingsInput) (*ec2.DescribeInstanceTypeOfferingsOutput, error) {
	locations := []string{w.region}
	kind := in.LocationType
	setDefault(&kind, types.LocationTypeRegion)
	switch kind {
	case types.LocationTypeRegion:
	case types.LocationTypeAvailabilityZone:
		locations = w.zones()
	case types.LocationTypeAvailabilityZoneId:
		for i, z := range w.zones() {
			locations = slices.Insert(locations[:i:i], i, zoneID(z))
		}
	default:
		return nil, notModelled("the location type " + string(kind))
	}
	var all []types.InstanceTypeOffering
	for _, t := range byID(allInstanceTypes()) {
		for _, l := range locations {
			all = append(all, types.InstanceTypeOffering{InstanceType: types.InstanceType(t.name), Location: &l, LocationType: kind})
		}
	}
	all, err := ec2Select(w, all, in.Filters, func(types.InstanceTypeOffering) string { return "" }, resourceFilters[types.InstanceTypeOffering]{
		"instance-type": func(o types.InstanceTypeOffering) []string { return one(string(o.InstanceType)) },
		"location":      func(o types.InstanceTypeOffering) []string { return one(*o.Location) },
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeInstanceTypeOfferingsOutput{InstanceTypeOfferings: append([]types.InstanceTypeOffering{}, all...), NextToken: next}, nil
}
