package asg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Observe looks at a group: one call for the group, one per attached target
// group and classic load balancer where targets are asked for, one each for
// activities, images, alarms and the warm pool (per 50 members) where asked for, one per 100 members where their
// status is, and one for launch template versions that were never read before. A
// glance costs one per attached target group, and is a look where it is the first.
// Errors: [ErrNotFound], what a call gave.
func (c *Client) Observe(ctx context.Context, name string, look rollout.Look) (rollout.Snapshot, error) {
	if look.Glance {
		if s, err := c.glance(ctx, name); err == nil {
			return s, nil
		} // else the group may be another by now
	}
	s := rollout.Snapshot{At: c.o.Clock.Now()}
	g, err := c.describe(ctx, name)
	if err != nil {
		return s, err
	}
	s.Group = group(g)
	c.lately.put(name, attachedGroup{s.Group, targetGroups(g)})
	if err := c.pointer(ctx, g, look, &s); err != nil {
		return s, err
	}
	if s.Group.Overrides, err = c.overrides(ctx, g); err != nil {
		return s, fmt.Errorf("observe group %s: %w", name, err)
	}
	if s.Members, err = c.members(ctx, g); err != nil {
		return s, err
	}
	if look.Warm && s.Group.WarmPool {
		if s.Warm, err = c.warmPool(ctx, g); err != nil {
			return s, err
		}
		s.WarmSeen = true
	}
	if look.Images {
		if err := c.images(ctx, &s); err != nil {
			return s, err
		}
	}
	if err := c.signals(ctx, g, look, &s); err != nil {
		return s, err
	}
	if look.Activities {
		if err := c.activities(ctx, name, &s); err != nil {
			return s, err
		}
	}
	if look.Refreshes {
		s.Refreshes, err = c.refreshes(ctx, name)
		s.RefreshesSeen = err == nil
	}
	if spec := template(g); err == nil && look.Followers && spec != nil {
		s.Followers, err = c.FollowersNow(ctx, aws.ToString(spec.LaunchTemplateId), name)
		s.FollowersSeen = err == nil
	}
	return s, err
}

func group(g astypes.AutoScalingGroup) rollout.Group {
	out := rollout.Group{
		Name: aws.ToString(g.AutoScalingGroupName), ARN: aws.ToString(g.AutoScalingGroupARN),
		Min: int(aws.ToInt32(g.MinSize)), Max: int(aws.ToInt32(g.MaxSize)), Desired: int(aws.ToInt32(g.DesiredCapacity)),
		Zones: slices.Clone(g.AvailabilityZones), Suspended: map[string]string{},
		Grace:       time.Duration(aws.ToInt32(g.HealthCheckGracePeriod)) * time.Second,
		HealthCheck: aws.ToString(g.HealthCheckType), Refused: refused(g),
		Deleting: aws.ToString(g.Status) != "", ProtectsNew: aws.ToBool(g.NewInstancesProtectedFromScaleIn),
		Warmup:   time.Duration(max(aws.ToInt32(g.DefaultInstanceWarmup), 0)) * time.Second, // -1: none
		WarmPool: g.WarmPoolConfiguration != nil,
		Policy:   g.MixedInstancesPolicy != nil, Mixes: mixes(g), Spot: spot(g), Weights: weights(g), Weighed: weighed(g),
	}
	slices.Sort(out.Zones)
	for _, p := range g.SuspendedProcesses {
		out.Suspended[aws.ToString(p.ProcessName)] = aws.ToString(p.SuspensionReason)
	}
	for _, arn := range targetGroups(g) {
		out.TargetGroups = append(out.TargetGroups, targetGroupName(arn))
	}
	out.Balancers = balancers(g)
	return out
}

// refused names what this version cannot roll. Each goes when the feature comes.
func refused(g astypes.AutoScalingGroup) []string {
	var out []string
	add := func(on bool, what string) {
		if on {
			out = append(out, what)
		}
	}
	add(aws.ToString(g.LaunchConfigurationName) != "", "a launch configuration instead of a launch template")
	if why := refusedPolicy(g.MixedInstancesPolicy); why != "" {
		add(true, why)
	}
	add(slices.ContainsFunc(g.TrafficSources, func(t astypes.TrafficSourceIdentifier) bool { return aws.ToString(t.Type) == "vpc-lattice" }),
		"VPC Lattice target groups")
	return out
}

// targetGroups are the ARNs of the attached target groups, each once.
func targetGroups(g astypes.AutoScalingGroup) []string {
	return attached(g, g.TargetGroupARNs, "elbv2")
}

// attached are the names that a group lists and its traffic sources of a kind,
// each once.
func attached(g astypes.AutoScalingGroup, listed []string, kind string) []string {
	names := slices.Clone(listed)
	for _, t := range g.TrafficSources {
		if aws.ToString(t.Type) == kind {
			names = append(names, aws.ToString(t.Identifier))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// targetGroupName is the name in an ARN (…:targetgroup/web/0123).
func targetGroupName(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) == 3 {
		return parts[1]
	}
	return arn
}

// pointer fills what the group's pointer means. Floating pointers cost a call,
// and so does the first look at a group.
func (c *Client) pointer(ctx context.Context, g astypes.AutoScalingGroup, look rollout.Look, s *rollout.Snapshot) error {
	spec := template(g)
	if spec == nil {
		return nil
	}
	id, text := aws.ToString(spec.LaunchTemplateId), pointerText(spec)
	s.Group.Pointer = text
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || look.Versions {
		texts := []string{"$Latest", "$Default"}
		if err == nil {
			texts = append(texts, text)
		}
		found, err := c.readVersions(ctx, id, texts...)
		if deleted(err) && len(texts) > 2 {
			found, err = c.readVersions(ctx, id, texts[:2]...)
		}
		if err != nil {
			return fmt.Errorf("observe group %s: %w", s.Group.Name, err)
		}
		for _, v := range found {
			if !v.isDefault && v.Number < s.Group.Latest {
				continue
			}
			is := v.Version
			if v.Alias != "" {
				image, err := c.meaning(ctx, v.Version)
				if err != nil {
					return fmt.Errorf("observe group %s: %w", s.Group.Name, err)
				}
				is = c.versions.naming(v.Version, image)
			}
			if v.isDefault {
				s.Group.Default, s.Group.DefaultIs = v.Number, is
			}
			if v.Number > s.Group.Latest {
				s.Group.Latest, s.Group.LatestIs = v.Number, is
			}
		}
	}
	switch text {
	case "$Latest":
		text = strconv.FormatInt(s.Group.Latest, 10)
	case "$Default":
		text = strconv.FormatInt(s.Group.Default, 10)
	}
	s.Group.Points, err = c.resolve(ctx, id, text)
	if deleted(err) && n != 0 {
		// A group may point at a version that is gone, and must be got off it.
		s.Group.Points, err = rollout.Version{TemplateID: id, Number: n}, nil
	}
	if err != nil {
		return fmt.Errorf("observe group %s: %w", s.Group.Name, err)
	}
	return nil
}

// deleted says whether an error tells that a version is not there.
func deleted(err error) bool {
	var version *VersionError
	return errors.As(err, &version)
}

// members translates the group's instances, reading versions not known yet.
func (c *Client) members(ctx context.Context, g astypes.AutoScalingGroup) ([]rollout.Member, error) {
	if err := c.learnVersions(ctx, g); err != nil {
		return nil, err
	}
	out := make([]rollout.Member, 0, len(g.Instances))
	for _, i := range g.Instances {
		m := rollout.Member{
			ID: aws.ToString(i.InstanceId), Zone: aws.ToString(i.AvailabilityZone),
			State: lifecycle(i.LifecycleState), StateText: string(i.LifecycleState),
			Healthy:   strings.EqualFold(aws.ToString(i.HealthStatus), "healthy"),
			Protected: aws.ToBool(i.ProtectedFromScaleIn), Type: aws.ToString(i.InstanceType),
		}
		if n, err := strconv.Atoi(aws.ToString(i.WeightedCapacity)); err == nil {
			m.Weight = n
		}
		if t := i.LaunchTemplate; t != nil {
			m.Version = rollout.Version{TemplateID: aws.ToString(t.LaunchTemplateId)}
			if n, err := strconv.ParseInt(aws.ToString(t.Version), 10, 64); err == nil {
				m.Version.Number = n
				if v, ok := c.versions.get(m.Version.TemplateID, n); ok {
					m.Version = v
				}
			}
		}
		if image := aws.ToString(i.ImageId); image != "" {
			m.Version = c.versions.naming(m.Version, image)
		}
		out = append(out, m)
	}
	if err := c.memberImages(ctx, out); err != nil {
		return nil, fmt.Errorf("observe group %s: %w", aws.ToString(g.AutoScalingGroupName), err)
	}
	return out, nil
}

// learnVersions reads the members' versions that are not in the cache, in one
// call a template.
func (c *Client) learnVersions(ctx context.Context, g astypes.AutoScalingGroup) error {
	missing := map[string][]string{}
	for _, i := range g.Instances {
		if i.LaunchTemplate == nil {
			continue
		}
		id, text := aws.ToString(i.LaunchTemplate.LaunchTemplateId), aws.ToString(i.LaunchTemplate.Version)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			continue
		}
		if _, ok := c.versions.get(id, n); !ok && !slices.Contains(missing[id], text) {
			missing[id] = append(missing[id], text)
		}
	}
	for id, texts := range missing {
		_, err := c.readVersions(ctx, id, texts...)
		if err == nil {
			continue
		}
		// One deleted version fails them all: read those that are there. A member
		// whose version is gone is stale, its data being unknown.
		for _, text := range texts {
			if _, err := c.readVersions(ctx, id, text); err != nil && code(err) != "InvalidLaunchTemplateId.VersionNotFound" {
				return fmt.Errorf("observe group %s: %w", aws.ToString(g.AutoScalingGroupName), err)
			}
		}
	}
	return nil
}

func lifecycle(s astypes.LifecycleState) rollout.Lifecycle {
	switch s {
	case astypes.LifecycleStateInService:
		return rollout.InService
	case astypes.LifecycleStatePending, astypes.LifecycleStatePendingWait, astypes.LifecycleStatePendingProceed,
		astypes.LifecycleStateReplacingRootVolume, astypes.LifecycleStateReplacingRootVolumeWait,
		astypes.LifecycleStateReplacingRootVolumeProceed, astypes.LifecycleStateRootVolumeReplaced:
		return rollout.Pending
	case astypes.LifecycleStateStandby, astypes.LifecycleStateEnteringStandby:
		return rollout.Standby
	case astypes.LifecycleStateTerminatingRetained:
		return rollout.Retained
	case astypes.LifecycleStateTerminating, astypes.LifecycleStateTerminatingWait, astypes.LifecycleStateTerminatingProceed,
		astypes.LifecycleStateTerminated, astypes.LifecycleStateDetaching, astypes.LifecycleStateDetached:
		return rollout.Terminating
	default:
		return rollout.Other
	}
}

// targets reads the health of the members in every attached target group.
func (c *Client) targets(ctx context.Context, g astypes.AutoScalingGroup, s *rollout.Snapshot) error {
	at := places(s)
	for _, arn := range targetGroups(g) {
		out, err := c.o.ELB.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn)}, c.readsELB()...)
		if err != nil {
			return fmt.Errorf("read target health of %s for group %s: %w", targetGroupName(arn), s.Group.Name, err)
		}
		for _, d := range out.TargetHealthDescriptions {
			if d.Target == nil || d.TargetHealth == nil {
				continue
			}
			i, ok := at[aws.ToString(d.Target.Id)]
			if !ok {
				continue
			}
			s.Members[i].Targets = append(s.Members[i].Targets, target(arn, d))
		}
	}
	return nil
}

// target translates the state of one target.
func target(arn string, d elbtypes.TargetHealthDescription) rollout.Target {
	return rollout.Target{Group: targetGroupName(arn), State: string(d.TargetHealth.State), Reason: aws.ToString(d.TargetHealth.Description)}
}
