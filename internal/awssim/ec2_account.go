package awssim

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func init() {
	register("ec2", service{
		name:       func(c *Call) string { return c.Form.Get("Action") },
		operations: ec2Operations(),
		answer: func(c *Call, out any) (rawResponse, error) {
			body, err := encodeEC2(c.Operation, out, c.RequestID)
			return rawResponse{Header: xmlHeader(c), Body: body}, err
		},
		fail: func(c *Call, e *Error) rawResponse {
			return rawResponse{Status: e.status(), Header: xmlHeader(c), Body: encodeEC2Error(e, c.RequestID)}
		},
		setup: func(w *World) {
			w.ec2 = newEC2State()
			w.buildDefaultVPC()
		},
		snapshot: snapshotEC2,
	})
}

// snapshotEC2 copies what changes by itself or in the course of a roll:
// images, snapshots, templates, instances and tags. Networks are always fresh.
func snapshotEC2(w *World) func() func() {
	past := *w.ec2
	past.images, past.templates, past.instances = copies(past.images), copies(past.templates), copies(past.instances)
	past.snapshots = copies(past.snapshots)
	for _, t := range past.templates {
		t.versions = maps.Clone(t.versions)
	}
	past.tags = maps.Clone(past.tags) // the maps in it are replaced, never changed
	return func() func() {
		present := w.ec2
		w.ec2 = &past
		return func() { w.ec2 = present }
	}
}

// copies clones a map and what its values point at.
func copies[T any](m map[string]*T) map[string]*T {
	out := make(map[string]*T, len(m))
	for k, v := range m {
		out[k] = ptr(*v)
	}
	return out
}

func ec2AccountOperations() map[string]operation {
	return map[string]operation{
		"DescribeAccountAttributes":     ec2Op(describeAccountAttributes),
		"DescribeAvailabilityZones":     ec2Op(describeAvailabilityZones),
		"DescribeRegions":               ec2Op(describeRegions),
		"DescribeInstanceTypes":         ec2Op(describeInstanceTypes),
		"DescribeInstanceTypeOfferings": ec2Op(describeInstanceTypeOfferings),
	}
}

func describeAccountAttributes(w *World, in *ec2.DescribeAccountAttributesInput) (*ec2.DescribeAccountAttributesOutput, error) {
	all := []struct{ name, value string }{
		{"supported-platforms", "VPC"},
		{"default-vpc", w.ec2.defaultVPC},
		{"max-instances", "20"},
		{"vpc-max-security-groups-per-interface", "5"},
		{"max-elastic-ips", "5"},
		{"vpc-max-elastic-ips", "5"},
	}
	out := &ec2.DescribeAccountAttributesOutput{AccountAttributes: []types.AccountAttribute{}}
	for _, a := range all {
		if len(in.AttributeNames) == 0 || slices.Contains(in.AttributeNames, types.AccountAttributeName(a.name)) {
			out.AccountAttributes = append(out.AccountAttributes, types.AccountAttribute{
				AttributeName: &a.name, AttributeValues: []types.AccountAttributeValue{{AttributeValue: &a.value}},
			})
		}
	}
	return out, nil
}

func describeAvailabilityZones(w *World, in *ec2.DescribeAvailabilityZonesInput) (*ec2.DescribeAvailabilityZonesOutput, error) {
	byName := map[string]string{}
	for _, z := range w.zones() {
		byName[z] = z
	}
	names := slices.Clone(in.ZoneNames)
	for _, id := range in.ZoneIds {
		z, err := w.zoneAsked("", id)
		if err != nil {
			return nil, err
		}
		names = append(names, z)
	}
	all, err := chosen(byName, names, func(id string) error {
		return ec2Err("InvalidParameterValue", "Invalid availability zone: [%s]", id)
	})
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, func(z string) string { return z }, resourceFilters[string]{
		"zone-name": one, "zone-id": func(z string) []string { return one(zoneID(z)) },
		"zone-type":        func(string) []string { return one("availability-zone") },
		"state":            func(string) []string { return one("available") },
		"region-name":      func(string) []string { return one(w.region) },
		"group-name":       func(string) []string { return one(w.region) },
		"opt-in-status":    func(string) []string { return one("opt-in-not-required") },
		"parent-zone-id":   func(string) []string { return nil },
		"parent-zone-name": func(string) []string { return nil },
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeAvailabilityZonesOutput{AvailabilityZones: []types.AvailabilityZone{}}
	for _, z := range all {
		out.AvailabilityZones = append(out.AvailabilityZones, types.AvailabilityZone{
			ZoneName: &z, ZoneId: ptr(zoneID(z)), RegionName: &w.region, GroupName: &w.region, NetworkBorderGroup: &w.region,
			State: types.AvailabilityZoneStateAvailable, OptInStatus: types.AvailabilityZoneOptInStatusOptInNotRequired,
			ZoneType: ptr("availability-zone"), Messages: []types.AvailabilityZoneMessage{},
		})
	}
	return out, nil
}

func describeRegions(w *World, in *ec2.DescribeRegionsInput) (*ec2.DescribeRegionsOutput, error) {
	known := map[string]string{w.region: w.region}
	for r := range w.regions {
		known[r] = r
	}
	all, err := chosen(known, in.RegionNames, func(id string) error {
		return ec2Err("InvalidParameterValue", "Invalid region: [%s]", id)
	})
	if err != nil {
		return nil, err
	}
	endpoint := func(r string) string { return "ec2." + r + ".amazonaws.com" }
	all, err = ec2Select(w, all, in.Filters, func(r string) string { return r }, resourceFilters[string]{
		"region-name": one, "endpoint": func(r string) []string { return one(endpoint(r)) },
		"opt-in-status": func(string) []string { return one("opt-in-not-required") },
	})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeRegionsOutput{Regions: []types.Region{}}
	for _, r := range all {
		out.Regions = append(out.Regions, types.Region{RegionName: &r, Endpoint: ptr(endpoint(r)), OptInStatus: ptr("opt-in-not-required")})
	}
	return out, nil
}
