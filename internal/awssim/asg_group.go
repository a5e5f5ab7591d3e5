package awssim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

func createAutoScalingGroup(w *World, in *autoscaling.CreateAutoScalingGroupInput) (*autoscaling.CreateAutoScalingGroupOutput, error) {
	name := aws.ToString(in.AutoScalingGroupName)
	switch {
	case name == "":
		return nil, missing("autoScalingGroupName")
	case len(name) > 255 || strings.Contains(name, ":"):
		return nil, invalidf("Group name '%s' is not valid.", name)
	case w.asg.groups[name] != nil && w.asg.groups[name].deleting:
		return nil, &Error{Code: "AlreadyExists", Message: "AutoScalingGroup by this name already exists and is pending delete - A group with the name " + name + " already exists"}
	case w.asg.groups[name] != nil:
		return nil, &Error{Code: "AlreadyExists", Message: "AutoScalingGroup by this name already exists - A group with the name " + name + " already exists"}
	case in.MinSize == nil:
		return nil, missing("minSize")
	case in.MaxSize == nil:
		return nil, missing("maxSize")
	}
	if err := refuseCreate(in); err != nil {
		return nil, err
	}
	g := w.newGroup(name)
	// What creating and updating share is set by the same code.
	err := w.configure(g, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: in.AutoScalingGroupName, AvailabilityZones: in.AvailabilityZones, AvailabilityZoneIds: in.AvailabilityZoneIds,
		CapacityRebalance: in.CapacityRebalance, Context: in.Context, DefaultCooldown: in.DefaultCooldown,
		DefaultInstanceWarmup: in.DefaultInstanceWarmup, DeletionProtection: in.DeletionProtection, DesiredCapacityType: in.DesiredCapacityType,
		HealthCheckGracePeriod: in.HealthCheckGracePeriod, HealthCheckType: in.HealthCheckType, LaunchTemplate: in.LaunchTemplate,
		MixedInstancesPolicy:      in.MixedInstancesPolicy,
		InstanceMaintenancePolicy: in.InstanceMaintenancePolicy, MaxInstanceLifetime: in.MaxInstanceLifetime,
		AvailabilityZoneDistribution: in.AvailabilityZoneDistribution, AvailabilityZoneImpairmentPolicy: in.AvailabilityZoneImpairmentPolicy,
		InstanceLifecyclePolicy:          in.InstanceLifecyclePolicy,
		NewInstancesProtectedFromScaleIn: in.NewInstancesProtectedFromScaleIn, PlacementGroup: in.PlacementGroup,
		ServiceLinkedRoleARN: in.ServiceLinkedRoleARN, TerminationPolicies: in.TerminationPolicies, VPCZoneIdentifier: in.VPCZoneIdentifier,
	})
	if err != nil {
		return nil, err
	}
	if g.pointer() == nil {
		return nil, invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	}
	if len(g.as.AvailabilityZones) == 0 {
		return nil, invalid("At least one Availability Zone or VPC Subnet is required.")
	}
	desired := aws.ToInt32(in.MinSize)
	if in.DesiredCapacity != nil {
		desired = *in.DesiredCapacity
	}
	if err := checkSizes(*in.MinSize, *in.MaxSize, desired); err != nil {
		return nil, err
	}
	g.as.MinSize, g.as.MaxSize = in.MinSize, in.MaxSize
	if err := w.furnish(g, in); err != nil {
		return nil, err
	}
	w.asg.groups[name] = g
	w.changeDesired(g, desired, "a user request created an AutoScalingGroup")
	return &autoscaling.CreateAutoScalingGroupOutput{}, nil
}

// furnish gives a new group what has operations of its own later: tags, hooks
// and target groups.
func (w *World) furnish(g *group, in *autoscaling.CreateAutoScalingGroupInput) error {
	for _, t := range in.Tags {
		if err := g.setTag(t); err != nil {
			return err
		}
	}
	for _, s := range in.LifecycleHookSpecificationList {
		h, err := g.newHook(s)
		if err != nil {
			return err
		}
		g.hooks = append(g.hooks, h)
	}
	sources, err := trafficKeys(in.TrafficSources)
	if err != nil {
		return err
	}
	return w.attach(g, slices.Concat(in.TargetGroupARNs, in.LoadBalancerNames, sources))
}

func (w *World) newGroup(name string) *group {
	return &group{
		as: types.AutoScalingGroup{
			AutoScalingGroupName: aws.String(name),
			AutoScalingGroupARN: aws.String(fmt.Sprintf("arn:aws:autoscaling:%s:%s:autoScalingGroup:%s:autoScalingGroupName/%s",
				w.region, w.account, w.newUUID(), name)),
			CreatedTime: aws.Time(w.now), DefaultCooldown: aws.Int32(300), DesiredCapacity: aws.Int32(0),
			HealthCheckType: aws.String("EC2"), HealthCheckGracePeriod: aws.Int32(0),
			NewInstancesProtectedFromScaleIn: aws.Bool(false), TerminationPolicies: []string{"Default"},
			AvailabilityZoneDistribution: &types.AvailabilityZoneDistribution{
				CapacityDistributionStrategy: types.CapacityDistributionStrategyBalancedBestEffort,
			},
			ServiceLinkedRoleARN: aws.String("arn:aws:iam::" + w.account + ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"),
			TrafficSources:       []types.TrafficSourceIdentifier{}, TargetGroupARNs: []string{}, LoadBalancerNames: []string{},
		},
		suspended: map[string]string{}, byID: map[string]*member{}, tokens: map[string]launchAnswer{},
	}
}

// refuseCreate names the first thing of a creation that is not modelled.
func refuseCreate(in *autoscaling.CreateAutoScalingGroupInput) error {
	switch {
	case in.LaunchConfigurationName != nil:
		return unmodelled("launch configurations")
	case in.InstanceId != nil:
		return unmodelled("groups made from an instance")
	case in.Operator != nil:
		return unmodelled("operators of groups")
	}
	return refuseUpdate(&autoscaling.UpdateAutoScalingGroupInput{
		AvailabilityZoneDistribution:     in.AvailabilityZoneDistribution,
		CapacityReservationSpecification: in.CapacityReservationSpecification, DesiredCapacityType: in.DesiredCapacityType,
	})
}

// refuseUpdate names the first thing of an update that is not modelled.
func refuseUpdate(in *autoscaling.UpdateAutoScalingGroupInput) error {
	distribution, reservation := in.AvailabilityZoneDistribution, in.CapacityReservationSpecification
	switch {
	case in.LaunchConfigurationName != nil:
		return unmodelled("launch configurations")
	case distribution != nil && distribution.CapacityDistributionStrategy == types.CapacityDistributionStrategyReservationsThenBalanced:
		return unmodelled("zone distributions by capacity reservations")
	case reservation != nil && reservation.CapacityReservationPreference != types.CapacityReservationPreferenceDefault:
		return unmodelled("capacity reservations")
	case aws.ToString(in.DesiredCapacityType) != "" && *in.DesiredCapacityType != "units":
		return unmodelled("desired capacity in other units than instances")
	}
	return nil
}

func checkSizes(least, most, desired int32) error {
	switch {
	case least < 0 || most < 0:
		return invalid("Min bound and max bound must not be negative.")
	case most < least:
		return invalidf("Max bound, %d, must be greater than or equal to min bound, %d", most, least)
	case desired < least || desired > most:
		return invalidf("Desired capacity:%d must be between the specified min size:%d and max size:%d", desired, least, most)
	}
	return nil
}

func updateAutoScalingGroup(w *World, in *autoscaling.UpdateAutoScalingGroupInput) (*autoscaling.UpdateAutoScalingGroupOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if g.deleting {
		return nil, pendingDelete()
	}
	if err := refuseUpdate(in); err != nil {
		return nil, err
	}
	if err := g.refuseWhileRefreshing(in); err != nil {
		return nil, err
	}
	least, most, desired := g.min(), g.max(), g.desired()
	if in.MinSize != nil {
		least = *in.MinSize
	}
	if in.MaxSize != nil {
		most = *in.MaxSize
	}
	if in.DesiredCapacity != nil {
		desired = *in.DesiredCapacity
	} else { // new bounds move a desired capacity that is outside of them
		desired = max(min(desired, most), least)
	}
	if err := checkSizes(least, most, desired); err != nil {
		return nil, err
	}
	if err := w.configure(g, in); err != nil {
		return nil, err
	}
	g.as.MinSize, g.as.MaxSize = aws.Int32(least), aws.Int32(most)
	w.changeDesired(g, desired, fmt.Sprintf("a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d", least, most, desired))
	w.lookSoon(g)
	return &autoscaling.UpdateAutoScalingGroupOutput{}, nil
}

// configure sets what a creation and an update have in common, but for sizes.
// It changes nothing when it fails.
func (w *World) configure(g *group, in *autoscaling.UpdateAutoScalingGroupInput) error {
	as := g.as
	subnets := g.subnets
	if err := w.configureLaunch(&as, in); err != nil {
		return err
	}
	if in.VPCZoneIdentifier != nil || in.AvailabilityZones != nil || in.AvailabilityZoneIds != nil {
		var err error
		if subnets, err = w.place(in); err != nil {
			return err
		}
		as.AvailabilityZones = slices.Sorted(maps.Keys(subnets))
		if in.VPCZoneIdentifier != nil {
			as.VPCZoneIdentifier = in.VPCZoneIdentifier
		}
		as.AvailabilityZoneIds = nil
		for _, z := range as.AvailabilityZones {
			as.AvailabilityZoneIds = append(as.AvailabilityZoneIds, zoneID(z))
		}
	}
	if err := checkWords(in); err != nil {
		return err
	}
	if err := configurePolicies(&as, in); err != nil {
		return err
	}
	if len(in.TerminationPolicies) > 0 {
		as.TerminationPolicies = in.TerminationPolicies
	}
	replace(&as.HealthCheckType, in.HealthCheckType)
	if in.DefaultInstanceWarmup != nil {
		as.DefaultInstanceWarmup = in.DefaultInstanceWarmup
		if *in.DefaultInstanceWarmup == -1 { // how it is taken off
			as.DefaultInstanceWarmup = nil
		}
	}
	if in.DeletionProtection != "" {
		as.DeletionProtection = in.DeletionProtection
	}
	replace(&as.CapacityRebalance, in.CapacityRebalance)
	replace(&as.InstanceLifecyclePolicy, in.InstanceLifecyclePolicy)
	replace(&as.Context, in.Context)
	replace(&as.DefaultCooldown, in.DefaultCooldown)
	replace(&as.DesiredCapacityType, in.DesiredCapacityType)
	replace(&as.HealthCheckGracePeriod, in.HealthCheckGracePeriod)
	replace(&as.NewInstancesProtectedFromScaleIn, in.NewInstancesProtectedFromScaleIn)
	replace(&as.PlacementGroup, in.PlacementGroup)
	replace(&as.ServiceLinkedRoleARN, in.ServiceLinkedRoleARN)
	if err := w.checkWarm(&as, as.WarmPoolConfiguration); err != nil {
		return err
	}
	was := g.pointer()
	g.as, g.subnets = as, subnets
	if is := g.pointer(); was != nil && (*was.LaunchTemplateId != *is.LaunchTemplateId || *was.Version != *is.Version) {
		w.event(g.name(), "template pointer is now %s of %s", *is.Version, *is.LaunchTemplateName)
	}
	g.reweigh()
	return nil
}

// configureLaunch sets what a group launches from: a launch template or a
// mixed instances policy, of which the later one takes the other's place.
func (w *World) configureLaunch(as *types.AutoScalingGroup, in *autoscaling.UpdateAutoScalingGroupInput) error {
	switch {
	case in.LaunchTemplate != nil && in.MixedInstancesPolicy != nil:
		return invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
	case in.LaunchTemplate != nil:
		spec, err := w.templatePointer(in.LaunchTemplate)
		if err != nil {
			return err
		}
		as.LaunchTemplate, as.MixedInstancesPolicy = spec, nil
	case in.MixedInstancesPolicy != nil:
		policy, err := w.mixedPolicy(in.MixedInstancesPolicy, as.MixedInstancesPolicy)
		if err != nil {
			return err
		}
		as.LaunchTemplate, as.MixedInstancesPolicy = nil, policy
	}
	return nil
}

// checkWords checks the settings that are words of a list.
func checkWords(in *autoscaling.UpdateAutoScalingGroupInput) error {
	if p := in.InstanceLifecyclePolicy; p != nil && p.RetentionTriggers != nil {
		if a := p.RetentionTriggers.TerminateHookAbandon; !slices.Contains(a.Values(), a) {
			return invalidf("1 validation error detected: Value '%s' at 'instanceLifecyclePolicy.retentionTriggers.terminateHookAbandon' failed to satisfy constraint: Member must satisfy enum value set: [retain, terminate]", a)
		}
	}
	for _, p := range in.TerminationPolicies {
		if !slices.Contains(validPolicies, p) {
			return invalidf("Invalid termination policy: %s. Valid termination policies are %v.", p, validPolicies)
		}
	}
	if in.HealthCheckType == nil {
		return nil
	}
	for kind := range strings.SplitSeq(*in.HealthCheckType, ",") {
		if kind != "EC2" && kind != "ELB" {
			return invalidf("Invalid or not modelled health check type: %s.", kind)
		}
	}
	return nil
}

func replace[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// templatePointer checks a template pointer as Auto Scaling does, by trying to run an
// instance of it as the caller, and fills in what is left out. The version's
// text stays as it is.
func (w *World) templatePointer(in *types.LaunchTemplateSpecification) (*types.LaunchTemplateSpecification, error) {
	id, name := aws.ToString(in.LaunchTemplateId), aws.ToString(in.LaunchTemplateName)
	if (id == "") == (name == "") {
		return nil, invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
	}
	version := aws.ToString(in.Version)
	if version == "" {
		version = "$Default"
	}
	t, err := w.resolveTemplate(id+name, version)
	if err != nil {
		return nil, invalidf("You must use a valid fully-formed launch template. %s", asError(err).Message)
	}
	if w.denies("ec2", "RunInstances") {
		return nil, &Error{Status: 403, Code: "AccessDenied", Message: "You are not authorized to use launch template: " + t.templateID}
	}
	if t.data.ImageID == "" {
		return nil, invalid("You must use a valid fully-formed launch template. The request must contain the parameter ImageId")
	}
	return &types.LaunchTemplateSpecification{
		LaunchTemplateId: aws.String(t.templateID), LaunchTemplateName: aws.String(t.templateName), Version: aws.String(version),
	}, nil
}

// place finds the zones and subnets of a group.
func (w *World) place(in *autoscaling.UpdateAutoScalingGroupInput) (map[string][]string, error) {
	if len(in.AvailabilityZoneIds) > 0 {
		return nil, unmodelled("placing a group by zone ids")
	}
	subnets := map[string][]string{}
	for id := range strings.SplitSeq(aws.ToString(in.VPCZoneIdentifier), ",") {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		zone, err := w.subnetZone(id)
		if err != nil {
			return nil, invalidf("The subnet ID '%s' does not exist", id)
		}
		subnets[zone] = append(subnets[zone], id)
	}
	if len(subnets) > 0 {
		for _, z := range in.AvailabilityZones {
			if subnets[z] == nil {
				return nil, invalid("The availability zones of the specified subnets and the Auto Scaling group do not match")
			}
		}
		return subnets, nil
	}
	for _, z := range in.AvailabilityZones {
		id := w.ec2.defaultSubnets[z]
		if id == "" {
			return nil, invalidf("Invalid availability zones: [%s]", z)
		}
		subnets[z] = []string{id}
	}
	if len(subnets) == 0 {
		return nil, invalid("At least one Availability Zone or VPC Subnet is required.")
	}
	return subnets, nil
}

func deleteAutoScalingGroup(w *World, in *autoscaling.DeleteAutoScalingGroupInput) (*autoscaling.DeleteAutoScalingGroupOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	force := aws.ToBool(in.ForceDelete)
	switch {
	case g.as.DeletionProtection == types.DeletionProtectionPreventAllDeletion,
		g.as.DeletionProtection == types.DeletionProtectionPreventForceDeletion && force:
		return nil, &Error{Code: "ResourceInUse", Message: "The AutoScalingGroup " + g.name() + " is protected from deletion (" + string(g.as.DeletionProtection) + ")."}
	case !force && len(g.members) > 0 && (g.actual() > 0 || g.desired() > 0):
		return nil, &Error{Code: "ResourceInUse", Message: "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group."}
	case !force && len(g.members) > 0:
		return nil, &Error{Code: "ScalingActivityInProgress", Message: "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group."}
	}
	g.deleting = true
	g.as.Status = aws.String("Delete in progress")
	g.as.MinSize, g.as.DesiredCapacity = aws.Int32(0), aws.Int32(0)
	for _, m := range slices.Clone(g.members) {
		w.cutHooks(m)
		w.terminate(g, m, w.at("instance %s was taken out of service in response to a user request to delete the AutoScalingGroup", m.id))
	}
	w.event(g.name(), "group is being deleted")
	w.endGroup(g)
	return &autoscaling.DeleteAutoScalingGroupOutput{}, nil
}

// endGroup makes a group that is being deleted go when its last member has.
func (w *World) endGroup(g *group) {
	if !g.deleting || g.gone || len(g.members) > 0 {
		return
	}
	g.gone = true
	delete(w.asg.groups, g.name())
	past := make([]*activity, 0, len(g.activities)+len(w.asg.deleted))
	for _, a := range slices.Backward(g.activities) {
		a.groupDeleted = true
		past = append(past, a)
	}
	w.asg.deleted = append(past, w.asg.deleted...)
	w.event(g.name(), "group is gone")
}

// sortedGroups are all groups in order of their names.
func (w *World) sortedGroups() []*group {
	out := make([]*group, 0, len(w.asg.groups))
	for _, name := range slices.Sorted(maps.Keys(w.asg.groups)) {
		out = append(out, w.asg.groups[name])
	}
	return out
}

func (g *group) description(withInstances bool) types.AutoScalingGroup {
	out := g.as
	out.SuspendedProcesses = g.suspendedList()
	out.Tags = append([]types.TagDescription{}, g.tags...)
	out.EnabledMetrics = append([]types.EnabledMetric{}, g.as.EnabledMetrics...)
	out.TrafficSources = g.trafficSources()
	if g.as.WarmPoolConfiguration != nil {
		out.WarmPoolSize = aws.Int32(int32(len(g.warmInstances()))) //nolint:gosec // far below
	}
	if withInstances {
		out.Instances = make([]types.Instance, 0, len(g.members))
		for _, m := range g.members {
			if !m.warm() {
				out.Instances = append(out.Instances, m.description())
			}
		}
	}
	return out
}

func describeAutoScalingGroups(w *World, in *autoscaling.DescribeAutoScalingGroupsInput) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	var all []*group
	for _, g := range w.sortedGroups() {
		if len(in.AutoScalingGroupNames) > 0 && !slices.Contains(in.AutoScalingGroupNames, g.name()) {
			continue
		}
		ok, err := g.hasTags(in.Filters)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, g)
		}
	}
	page, next, err := paged(all, in.MaxRecords, in.NextToken, pageSize{50, 100})
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: make([]types.AutoScalingGroup, 0, len(page)), NextToken: next}
	for _, g := range page {
		out.AutoScalingGroups = append(out.AutoScalingGroups, g.description(in.IncludeInstances == nil || *in.IncludeInstances))
	}
	return out, nil
}

const maxDescribeInstances = 50

func describeAutoScalingInstances(w *World, in *autoscaling.DescribeAutoScalingInstancesInput) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	if len(in.InstanceIds) > maxDescribeInstances {
		return nil, invalidf("The number of instance ids is %d, which is above %d.", len(in.InstanceIds), maxDescribeInstances)
	}
	var all []types.AutoScalingInstanceDetails
	for _, g := range w.sortedGroups() {
		for _, m := range g.members {
			if len(in.InstanceIds) > 0 && !slices.Contains(in.InstanceIds, m.id) {
				continue
			}
			all = append(all, types.AutoScalingInstanceDetails{
				AutoScalingGroupName: g.as.AutoScalingGroupName, InstanceId: aws.String(m.id), InstanceType: aws.String(m.instanceType),
				AvailabilityZone: aws.String(m.zone), AvailabilityZoneId: aws.String(zoneID(m.zone)),
				HealthStatus:   aws.String(strings.ToUpper(m.health)), // this operation shouts
				LifecycleState: aws.String(string(m.lifecycle)), ProtectedFromScaleIn: aws.Bool(m.protected), LaunchTemplate: m.templateSpec(),
				ImageId: m.description().ImageId, WeightedCapacity: m.weightText(),
			})
		}
	}
	page, next, err := paged(all, in.MaxRecords, in.NextToken, pageSize{50, 50})
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: append([]types.AutoScalingInstanceDetails{}, page...), NextToken: next}, nil
}
