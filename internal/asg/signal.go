package asg

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// signals looks up what a look wants to know beyond the group itself.
func (c *Client) signals(ctx context.Context, g astypes.AutoScalingGroup, look rollout.Look, s *rollout.Snapshot) error {
	if look.Targets {
		if err := c.targets(ctx, g, s); err != nil {
			return err
		}
		if err := c.classic(ctx, s); err != nil {
			return err
		}
		s.TargetsSeen = true
	}
	if look.Attributes {
		if err := c.attributes(ctx, g, s); err != nil {
			return err
		}
	}
	if look.Status {
		if err := c.status(ctx, s); err != nil {
			return err
		}
	}
	if len(look.Alarms) > 0 {
		if err := c.alarms(ctx, look.Alarms, s); err != nil {
			return err
		}
	}
	if look.Probe != nil && look.Probe.NeedsAddresses() {
		return c.addresses(ctx, *look.Probe, s)
	}
	return nil
}

// balancers are the names of the attached classic load balancers, each once.
func balancers(g astypes.AutoScalingGroup) []string { return attached(g, g.LoadBalancerNames, "elb") }

// classic reads the health of the members in every attached classic load
// balancer.
func (c *Client) classic(ctx context.Context, s *rollout.Snapshot) error {
	at := places(s)
	for _, name := range s.Group.Balancers {
		out, err := c.o.Classic.DescribeInstanceHealth(ctx, &elasticloadbalancing.DescribeInstanceHealthInput{LoadBalancerName: aws.String(name)}, c.readsClassic()...)
		if err != nil {
			return fmt.Errorf("read instance health in classic load balancer %s for group %s: %w", name, s.Group.Name, err)
		}
		for _, i := range out.InstanceStates {
			if n, ok := at[aws.ToString(i.InstanceId)]; ok {
				s.Members[n].Targets = append(s.Members[n].Targets, rollout.Target{
					Group: name, State: aws.ToString(i.State), Reason: notApplicable(i.Description),
					// The load balancer, and not the instance, is why: it is registering it.
					Starting: aws.ToString(i.State) == "OutOfService" && aws.ToString(i.ReasonCode) == "ELB",
				})
			}
		}
	}
	return nil
}

// notApplicable is a description, empty where AWS has none.
func notApplicable(text *string) string {
	if s := aws.ToString(text); s != "N/A" {
		return strings.TrimSuffix(s, ".")
	}
	return ""
}

// places are the members' indexes by id.
func places(s *rollout.Snapshot) map[string]int {
	at := make(map[string]int, len(s.Members))
	for i, m := range s.Members {
		at[m.ID] = i
	}
	return at
}

// askable are the ids of the members in service: the others' signals tell
// nothing.
func askable(s *rollout.Snapshot) []string {
	var ids []string
	for _, m := range s.Members {
		if m.Askable() {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// missingInstance finds the ids in AWS's text about instances it does not know.
var missingInstance = regexp.MustCompile(`\bi-[0-9a-f]{8,17}\b`)

// status reads EC2's status checks of the members in service, 100 a call. Ids
// that EC2 does not know (yet, or any more) fail a call: it is made again without
// them.
func (c *Client) status(ctx context.Context, s *rollout.Snapshot) error {
	at := places(s)
	for ids := range slices.Chunk(askable(s), 100) {
		var out *ec2.DescribeInstanceStatusOutput
		var err error
		for try := 0; try < 3 && len(ids) > 0; try++ {
			out, err = c.o.EC2.DescribeInstanceStatus(ctx, &ec2.DescribeInstanceStatusInput{InstanceIds: ids}, c.readsEC2()...)
			if code(err) != "InvalidInstanceID.NotFound" {
				break
			}
			gone := missingInstance.FindAllString(text(err), -1)
			ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(gone, id) })
		}
		if err != nil && (code(err) != "InvalidInstanceID.NotFound" || len(ids) > 0) {
			return fmt.Errorf("read instance status of group %s: %w", s.Group.Name, err)
		}
		if err != nil || out == nil {
			continue
		}
		for _, i := range out.InstanceStatuses {
			if n, ok := at[aws.ToString(i.InstanceId)]; ok {
				s.Members[n].Status = statusOf(i)
			}
		}
	}
	s.StatusSeen = true
	return nil
}

func statusOf(i ec2types.InstanceStatus) rollout.Status {
	var out rollout.Status
	if i.InstanceStatus != nil {
		out.Instance = string(i.InstanceStatus.Status)
	}
	if i.SystemStatus != nil {
		out.System = string(i.SystemStatus.Status)
	}
	if i.AttachedEbsStatus != nil {
		out.Volumes = string(i.AttachedEbsStatus.Status)
	}
	return out
}

// alarms reads the states of CloudWatch alarms, metric and composite ones.
func (c *Client) alarms(ctx context.Context, names []string, s *rollout.Snapshot) error {
	out, err := c.o.CloudWatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm, cwtypes.AlarmTypeCompositeAlarm},
	}, c.readsCloudWatch()...)
	if err != nil {
		return fmt.Errorf("read the alarms for group %s: %w", s.Group.Name, err)
	}
	s.Alarms = map[string]rollout.Alarm{}
	for _, a := range out.MetricAlarms {
		s.Alarms[aws.ToString(a.AlarmName)] = rollout.Alarm{State: string(a.StateValue), Reason: aws.ToString(a.StateReason)}
	}
	for _, a := range out.CompositeAlarms {
		s.Alarms[aws.ToString(a.AlarmName)] = rollout.Alarm{State: string(a.StateValue), Reason: aws.ToString(a.StateReason)}
	}
	s.AlarmsSeen = true
	return nil
}

// The attributes of target groups that matter to a roll.
const (
	slowStart = "slow_start.duration_seconds"
	drain     = "deregistration_delay.timeout_seconds"
	crossZone = "load_balancing.cross_zone.enabled"
)

// attributes reads what is set up for the attached target groups: one call
// each, and two more for those of a Network Load Balancer that leave cross-zone
// load balancing to it.
func (c *Client) attributes(ctx context.Context, g astypes.AutoScalingGroup, s *rollout.Snapshot) error {
	for _, arn := range targetGroups(g) {
		out, err := shared(c, "attributes of "+arn, func() (*elb.DescribeTargetGroupAttributesOutput, error) {
			return c.o.ELB.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(arn)}, c.readsELB()...)
		})
		if err != nil {
			return fmt.Errorf("read the attributes of target group %s for group %s: %w", targetGroupName(arn), s.Group.Name, err)
		}
		set := map[string]string{}
		for _, a := range out.Attributes {
			set[aws.ToString(a.Key)] = aws.ToString(a.Value)
		}
		if n, err := strconv.Atoi(set[slowStart]); err == nil {
			s.SlowStart = max(s.SlowStart, time.Duration(n)*time.Second)
		}
		if n, err := strconv.Atoi(set[drain]); err == nil {
			s.Drain = max(s.Drain, time.Duration(n)*time.Second)
		}
		_, application := set[slowStart] // only target groups of Application Load Balancers have it
		on := cmp.Or(set[crossZone], "true")
		if on == "use_load_balancer_configuration" && !application {
			if on, err = c.balancerCrossZone(ctx, arn); err != nil {
				return fmt.Errorf("read cross-zone load balancing of target group %s for group %s: %w", targetGroupName(arn), s.Group.Name, err)
			}
		}
		if on == "false" {
			s.Zonal = append(s.Zonal, targetGroupName(arn))
		}
	}
	s.AttributesSeen = true
	return nil
}

// balancerCrossZone is the attribute of the load balancers that a target group
// is behind: "false" where one of them has it off.
func (c *Client) balancerCrossZone(ctx context.Context, arn string) (string, error) {
	groups, err := c.o.ELB.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}}, c.readsELB()...)
	if err != nil {
		return "", err
	}
	for _, g := range groups.TargetGroups {
		for _, balancer := range g.LoadBalancerArns {
			out, err := c.o.ELB.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: aws.String(balancer)}, c.readsELB()...)
			if err != nil {
				return "", err
			}
			for _, a := range out.Attributes {
				if aws.ToString(a.Key) == crossZone && aws.ToString(a.Value) == "false" {
					return "false", nil
				}
			}
		}
	}
	return "true", nil
}

// addresses fills in where the members in service are reached, 200 a call. They
// are kept for a while once the probe has what it needs.
func (c *Client) addresses(ctx context.Context, p rollout.Probe, s *rollout.Snapshot) error {
	now, at := c.o.Clock.Now(), places(s)
	var ids []string
	for _, id := range askable(s) {
		if a, ok := c.found.get(id, now); ok {
			s.Members[at[id]].Addresses = a
		} else {
			ids = append(ids, id)
		}
	}
	for chunk := range slices.Chunk(ids, 200) {
		// By a filter, because one id that is gone would fail the others.
		in := &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{{Name: aws.String("instance-id"), Values: chunk}}}
		for {
			out, err := c.o.EC2.DescribeInstances(ctx, in, c.readsEC2()...)
			if err != nil {
				return fmt.Errorf("read the addresses of the members of group %s: %w", s.Group.Name, err)
			}
			for _, r := range out.Reservations {
				for _, i := range r.Instances {
					n, ok := at[aws.ToString(i.InstanceId)]
					if !ok {
						continue
					}
					m := &s.Members[n]
					m.Addresses = rollout.Addresses{
						PrivateIP: aws.ToString(i.PrivateIpAddress), PublicIP: aws.ToString(i.PublicIpAddress), PrivateDNS: aws.ToString(i.PrivateDnsName),
					}
					if _, _, ok := p.For(*m); ok {
						c.found.put(m.ID, m.Addresses, now)
					}
				}
			}
			if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
				break
			}
		}
	}
	return nil
}
