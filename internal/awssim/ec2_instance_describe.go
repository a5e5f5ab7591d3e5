package awssim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// stateCodes are EC2's numbers for instance states.
var stateCodes = map[string]int32{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

// stateReasons are EC2's words for the reasons an instance ends for.
var stateReasons = map[string]string{
	userShutdown: "User initiated shutdown", spotTermination: "Spot instance termination",
}

func stateAnswer(state string) *types.InstanceState {
	return &types.InstanceState{Code: ptr(stateCodes[state]), Name: types.InstanceStateName(state)}
}

func instanceIDOf(i *instance) string { return i.id }

func (w *World) instanceFilters() resourceFilters[*instance] {
	return resourceFilters[*instance]{
		"instance-id":                 func(i *instance) []string { return one(i.id) },
		"instance-state-name":         func(i *instance) []string { return one(i.state) },
		"instance-state-code":         func(i *instance) []string { return one(itoa(int64(stateCodes[i.state]))) },
		"instance-type":               func(i *instance) []string { return one(i.instanceType) },
		"image-id":                    func(i *instance) []string { return one(i.imageID) },
		"availability-zone":           func(i *instance) []string { return one(i.zone) },
		"subnet-id":                   func(i *instance) []string { return one(i.subnetID) },
		"vpc-id":                      func(i *instance) []string { return one(i.vpcID) },
		"network-interface.subnet-id": func(i *instance) []string { return one(i.subnetID) },
		"private-ip-address":          func(i *instance) []string { return one(i.privateIP) },
		"ip-address":                  func(i *instance) []string { return one(i.publicIP) },
		"instance.group-id":           func(i *instance) []string { return i.securityGroups },
		"network-interface.group-id":  func(i *instance) []string { return i.securityGroups },
		"key-name":                    func(i *instance) []string { return one(i.keyName) },
		"architecture":                func(i *instance) []string { return one(w.architectureOf(i)) },
		"owner-id":                    func(*instance) []string { return one(w.account) },
		"launch-time":                 func(i *instance) []string { return one(i.launchedAt.UTC().Format(ec2TimeFormat)) },
		"instance-lifecycle":          func(i *instance) []string { return one(string(i.lifecycleAnswer())) },
		"root-device-type":            func(*instance) []string { return one("ebs") },
		"virtualization-type":         func(*instance) []string { return one("hvm") },
		"tenancy":                     func(*instance) []string { return one("default") },
	}
}

func (w *World) architectureOf(i *instance) string {
	if im := w.ec2.images[i.imageID]; im != nil {
		return im.Architecture
	}
	return "x86_64"
}

func describeInstances(w *World, in *ec2.DescribeInstancesInput) (*ec2.DescribeInstancesOutput, error) {
	if len(in.InstanceIds) > 0 && in.MaxResults != nil {
		return nil, ec2Err("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	all, err := chosen(w.ec2.instances, in.InstanceIds, instanceNotFound)
	if err != nil {
		return nil, err
	}
	all, err = ec2Select(w, all, in.Filters, instanceIDOf, w.instanceFilters())
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000, whole: len(in.InstanceIds) > 0})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstancesOutput{Reservations: []types.Reservation{}, NextToken: next}
	for _, i := range all {
		out.Reservations = append(out.Reservations, types.Reservation{
			// One launch, one reservation: its id is the instance's with another prefix.
			ReservationId: ptr("r-" + strings.TrimPrefix(i.id, "i-")), OwnerId: &w.account,
			Groups: []types.GroupIdentifier{}, Instances: []types.Instance{w.instanceAnswer(i)},
		})
	}
	return out, nil
}

// lifecycleAnswer is spot, or nothing for an instance on demand.
func (i *instance) lifecycleAnswer() types.InstanceLifecycleType {
	if i.market == marketSpot {
		return types.InstanceLifecycleTypeSpot
	}
	return ""
}

func (w *World) instanceAnswer(i *instance) types.Instance {
	out := types.Instance{
		InstanceId: &i.id, ImageId: &i.imageID, InstanceType: types.InstanceType(i.instanceType),
		State: stateAnswer(i.state), LaunchTime: &i.launchedAt, AmiLaunchIndex: ptr(int32(0)),
		Placement:    &types.Placement{AvailabilityZone: &i.zone, Tenancy: types.TenancyDefault, GroupName: ptr("")},
		Architecture: types.ArchitectureValues(w.architectureOf(i)), Monitoring: &types.Monitoring{State: types.MonitoringStateDisabled},
		RootDeviceName: ptr("/dev/xvda"), RootDeviceType: types.DeviceTypeEbs, VirtualizationType: types.VirtualizationTypeHvm,
		Hypervisor: types.HypervisorTypeXen, EbsOptimized: ptr(false), EnaSupport: ptr(true), SourceDestCheck: ptr(true),
		StateTransitionReason: ptr(i.reason), PublicDnsName: ptr(""), PrivateDnsName: ptr(""), Tags: w.tagsOf(i.id),
		BlockDeviceMappings: []types.InstanceBlockDeviceMapping{}, NetworkInterfaces: []types.InstanceNetworkInterface{},
		SecurityGroups: []types.GroupIdentifier{}, ClientToken: ptr(""), ProductCodes: []types.ProductCode{},
		MetadataOptions: &types.InstanceMetadataOptionsResponse{
			State: types.InstanceMetadataOptionsStateApplied, HttpTokens: types.HttpTokensStateRequired,
			HttpEndpoint: types.InstanceMetadataEndpointStateEnabled, HttpPutResponseHopLimit: ptr(int32(2)),
		},
	}
	out.InstanceLifecycle = i.lifecycleAnswer()
	if i.market == marketSpot {
		out.SpotInstanceRequestId = ptr("sir-" + strings.TrimPrefix(i.id, "i-0")[:8])
	}
	if im := w.ec2.images[i.imageID]; im != nil {
		out.RootDeviceName = &im.RootDevice
	}
	if t, known := findInstanceType(i.instanceType); known {
		out.CpuOptions = &types.CpuOptions{CoreCount: ptr(t.cores()), ThreadsPerCore: ptr(t.vcpu / t.cores())}
	}
	if i.keyName != "" {
		out.KeyName = &i.keyName
	}
	if i.state == "shutting-down" || i.state == "terminated" {
		out.StateReason = &types.StateReason{Code: &i.endedBy, Message: ptr(i.endedBy + ": " + stateReasons[i.endedBy])}
	}
	if i.state == "terminated" { // it has given back its addresses by then
		return out
	}
	out.SubnetId, out.VpcId, out.PrivateIpAddress = &i.subnetID, &i.vpcID, &i.privateIP
	out.PrivateDnsName, out.PublicDnsName = ptr(w.privateDNS(i)), ptr(w.publicDNS(i))
	if i.publicIP != "" {
		out.PublicIpAddress = &i.publicIP
	}
	for _, id := range i.securityGroups {
		if g := w.ec2.groups[id]; g != nil {
			out.SecurityGroups = append(out.SecurityGroups, types.GroupIdentifier{GroupId: &g.id, GroupName: &g.name})
		}
	}
	return out
}

func describeInstanceStatus(w *World, in *ec2.DescribeInstanceStatusInput) (*ec2.DescribeInstanceStatusOutput, error) {
	if len(in.InstanceIds) > 0 && in.MaxResults != nil {
		return nil, ec2Err("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
	}
	if len(in.InstanceIds) > 100 {
		return nil, ec2Err("InvalidParameterValue", "At most 100 instance IDs can be given.")
	}
	all, err := chosen(w.ec2.instances, in.InstanceIds, instanceNotFound)
	if err != nil {
		return nil, err
	}
	if !deref(in.IncludeAllInstances) {
		all = slices.DeleteFunc(all, func(i *instance) bool { return i.state != "running" })
	}
	status := func(i *instance) []string { return one(string(w.statusOf(i).Status)) }
	reached := func(s *types.InstanceStatusSummary) (out []string) {
		for _, d := range s.Details {
			out = append(out, string(d.Status))
		}
		return out
	}
	all, err = ec2Select(w, all, in.Filters, instanceIDOf, resourceFilters[*instance]{
		"availability-zone":            func(i *instance) []string { return one(i.zone) },
		"instance-state-name":          func(i *instance) []string { return one(i.state) },
		"instance-state-code":          func(i *instance) []string { return one(itoa(int64(stateCodes[i.state]))) },
		"instance-status.status":       status,
		"instance-status.reachability": func(i *instance) []string { return reached(w.statusOf(i)) },
		"attached-ebs-status.status":   func(i *instance) []string { return one(string(w.volumeStatusOf(i).Status)) },
		"system-status.status":         func(i *instance) []string { return one(string(w.systemStatusOf(i).Status)) },
		"system-status.reachability":   func(i *instance) []string { return reached(w.systemStatusOf(i)) },
	})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000, whole: len(in.InstanceIds) > 0})
	if err != nil {
		return nil, err
	}
	out := &ec2.DescribeInstanceStatusOutput{InstanceStatuses: []types.InstanceStatus{}, NextToken: next}
	for _, i := range all {
		out.InstanceStatuses = append(out.InstanceStatuses, types.InstanceStatus{
			InstanceId: &i.id, AvailabilityZone: &i.zone, InstanceState: stateAnswer(i.state),
			InstanceStatus: w.statusOf(i), SystemStatus: w.systemStatusOf(i), AttachedEbsStatus: w.volumeStatusOf(i),
			Operator: &types.OperatorResponse{Managed: ptr(false)},
		})
	}
	return out, nil
}

// checksPassed is whether the status checks of a sound instance are done.
func (w *World) checksPassed(i *instance) bool {
	return !i.runningAt.IsZero() && !w.now.Before(i.runningAt.Add(w.latencyFor(i.group).StatusCheck))
}

// fails says whether an instance fails one of its status checks: instance,
// system or ebs. A check says nothing before it was made once.
func (w *World) fails(i *instance, check string) bool {
	if i.state != "running" {
		return false
	}
	own := i.impaired || w.imageBehaviour(i.imageID).StatusImpaired && w.checksPassed(i)
	return check == "instance" && own || check == i.failing
}

func (w *World) statusOf(i *instance) *types.InstanceStatusSummary { return w.checkOf(i, "instance") }

func (w *World) systemStatusOf(i *instance) *types.InstanceStatusSummary {
	return w.checkOf(i, "system")
}

func (w *World) checkOf(i *instance, check string) *types.InstanceStatusSummary {
	switch {
	case i.state != "running":
		return &types.InstanceStatusSummary{Status: types.SummaryStatusNotApplicable}
	case w.fails(i, check):
		return statusSummary(types.SummaryStatusImpaired, types.StatusTypeFailed)
	case w.checksPassed(i):
		return statusSummary(types.SummaryStatusOk, types.StatusTypePassed)
	}
	return statusSummary(types.SummaryStatusInitializing, types.StatusTypeInitializing)
}

// volumeStatusOf is the check of the attached volumes, in a shape of its own.
func (w *World) volumeStatusOf(i *instance) *types.EbsStatusSummary {
	s := w.checkOf(i, "ebs")
	out := &types.EbsStatusSummary{Status: s.Status}
	for _, d := range s.Details {
		out.Details = append(out.Details, types.EbsStatusDetails{Name: d.Name, Status: d.Status})
	}
	return out
}

func statusSummary(status types.SummaryStatus, reached types.StatusType) *types.InstanceStatusSummary {
	return &types.InstanceStatusSummary{
		Status:  status,
		Details: []types.InstanceStatusDetails{{Name: types.StatusNameReachability, Status: reached}},
	}
}
