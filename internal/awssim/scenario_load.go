package awssim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// defaultHistory is how long before a scenario's start its groups were made.
const defaultHistory = 72 * time.Hour

// NewScenario makes a world as a scenario describes it. What the scenario says
// about region, account and start goes before the options. The groups are made
// some time before the start and that time is lived through, so that members
// have an age and groups have scaling activities.
func NewScenario(o Options, s *Scenario) (*World, error) {
	if s.Region != "" {
		o.Region = s.Region
	}
	if s.Account != "" {
		o.Account = s.Account
	}
	at, err := instant(s.Start, "start")
	if err != nil {
		return nil, err
	}
	if !at.IsZero() {
		o.Start = at
	}
	history, err := duration(s.History, "history")
	if err != nil {
		return nil, err
	}
	if history == 0 {
		history = defaultHistory
	}
	if o.Latencies == (Latencies{}) {
		o.Latencies = DefaultLatencies()
	}
	if o.Latencies, err = s.Latencies.over(o.Latencies); err != nil {
		return nil, err
	}
	w := newWorld(o)
	start := w.now
	w.now = start.Add(-history)
	l := loader{w: w, images: map[string]string{}, targetGroups: map[string]string{}}
	if err := l.past(s); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.advance(context.Background(), start)
	w.mu.Unlock()
	if err := l.present(s); err != nil {
		return nil, err
	}
	clear(w.calls)
	w.events, w.told = nil, 0
	w.begin(o.Speed)
	return w, nil
}

// loader builds a world, which is still virtual then. Everything that AWS has
// an operation for is made by that operation.
type loader struct {
	w            *World
	images       map[string]string // name → id
	targetGroups map[string]string // name → ARN
}

// config is for the clients that build the world.
func (l *loader) config() aws.Config {
	cfg := l.w.Config()
	cfg.APIOptions = append(cfg.APIOptions, l.w.Direct(func(_ string, call func() error) { _ = call() }))
	return cfg
}

// past makes what was there before the start.
func (l *loader) past(s *Scenario) error {
	for _, i := range s.Images {
		if err := l.image(i); err != nil {
			return err
		}
	}
	// Templates may find their images through parameters.
	for _, p := range s.Parameters {
		value := p.Value
		if id, known := l.images[value]; known {
			value = id
		}
		l.w.PutParameterIn(p.Region, p.Name, value)
	}
	for _, t := range s.Templates {
		if err := l.template(t); err != nil {
			return fmt.Errorf("template %q: %w", t.Name, err)
		}
	}
	if err := l.balancers(s.TargetGroups); err != nil {
		return err
	}
	for _, b := range s.Balancers {
		if err := l.classic(b); err != nil {
			return fmt.Errorf("load_balancer %q: %w", b.Name, err)
		}
	}
	for _, g := range s.Groups {
		if err := l.group(g); err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
	}
	for _, b := range s.Buckets {
		l.w.CreateBucket(b.Name)
	}
	return nil
}

func (l *loader) image(i ImageSpec) error {
	created, err := instant(i.Created, "image "+i.Name+": created")
	if err != nil {
		return err
	}
	deprecated, err := instant(i.Deprecated, "image "+i.Name+": deprecated")
	if err != nil {
		return err
	}
	l.images[i.Name] = l.w.AddImage(Image{
		ID: i.ID, Name: i.Name, Owner: i.Owner, Architecture: i.Architecture, BootMode: i.BootMode, Public: i.Public, SharedWith: i.SharedWith, Created: created, DeprecatedAt: deprecated, Tags: i.Tags,
		Region: i.Region, StorageSharedWith: i.StorageWith, Encrypted: i.Encrypted, RootVolumeGiB: i.SizeGiB,
	})
	return nil
}

func (l *loader) template(t TemplateSpec) error {
	client := ec2.NewFromConfig(l.config())
	for n, v := range t.Versions {
		image := v.Image
		if id, known := l.images[image]; known {
			image = id
		}
		kind := v.InstanceType
		if kind == "" {
			kind = "t3.micro"
		}
		data := &ec2types.RequestLaunchTemplateData{ImageId: aws.String(image), InstanceType: ec2types.InstanceType(kind)}
		if v.Spot {
			data.InstanceMarketOptions = &ec2types.LaunchTemplateInstanceMarketOptionsRequest{MarketType: ec2types.MarketTypeSpot}
		}
		if v.Hibernation {
			data.HibernationOptions = &ec2types.LaunchTemplateHibernationOptionsRequest{Configured: aws.Bool(true)}
		}
		var description *string
		if v.Description != "" {
			description = aws.String(v.Description)
		}
		var err error
		if n == 0 {
			in := &ec2.CreateLaunchTemplateInput{LaunchTemplateName: aws.String(t.Name), LaunchTemplateData: data, VersionDescription: description}
			if len(t.Tags) > 0 {
				in.TagSpecifications = []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeLaunchTemplate}}
				for _, k := range slices.Sorted(maps.Keys(t.Tags)) {
					in.TagSpecifications[0].Tags = append(in.TagSpecifications[0].Tags, ec2types.Tag{Key: aws.String(k), Value: aws.String(t.Tags[k])})
				}
			}
			_, err = client.CreateLaunchTemplate(context.Background(), in)
		} else {
			_, err = client.CreateLaunchTemplateVersion(context.Background(), &ec2.CreateLaunchTemplateVersionInput{
				LaunchTemplateName: aws.String(t.Name), LaunchTemplateData: data, VersionDescription: description,
			})
		}
		if err != nil {
			return err
		}
	}
	if t.Default > 1 {
		_, err := client.ModifyLaunchTemplate(context.Background(), &ec2.ModifyLaunchTemplateInput{
			LaunchTemplateName: aws.String(t.Name), DefaultVersion: aws.String(strconv.Itoa(t.Default)),
		})
		return err
	}
	return nil
}

// balancers makes each target group, with a load balancer and a listener of
// its own where it is used.
func (l *loader) balancers(specs []TargetGroupSpec) error {
	if len(specs) == 0 {
		return nil
	}
	ctx := context.Background()
	client := elb.NewFromConfig(l.config())
	vpcs, err := ec2.NewFromConfig(l.config()).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	if err != nil {
		return err
	}
	for _, t := range specs {
		drain, err := duration(t.Drain, "target_group "+t.Name+": deregistration_delay")
		if err != nil {
			return err
		}
		if t.Drain == "" {
			drain = l.w.latency.Drain
		}
		tg, err := client.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
			Name: aws.String(t.Name), Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: vpcs.Vpcs[0].VpcId,
		})
		if err != nil {
			return fmt.Errorf("target_group %q: %w", t.Name, err)
		}
		arn := tg.TargetGroups[0].TargetGroupArn
		l.targetGroups[t.Name] = *arn
		attributes, err := t.attributes(drain)
		if err != nil {
			return err
		}
		_, err = client.ModifyTargetGroupAttributes(ctx, &elb.ModifyTargetGroupAttributesInput{TargetGroupArn: arn, Attributes: attributes})
		if err != nil {
			return fmt.Errorf("target_group %q: %w", t.Name, err)
		}
		if t.Unused {
			continue
		}
		if err := l.listener(client, t, arn); err != nil {
			return fmt.Errorf("load balancer of target_group %q: %w", t.Name, err)
		}
	}
	return nil
}

// attributes are a target group's, as far as they are not the defaults.
func (s TargetGroupSpec) attributes(drain time.Duration) ([]elbtypes.TargetGroupAttribute, error) {
	out := []elbtypes.TargetGroupAttribute{{
		Key: aws.String(drainAttribute), Value: aws.String(strconv.Itoa(int(drain.Seconds()))),
	}}
	slow, err := duration(s.SlowStart, "target_group "+s.Name+": slow_start")
	if err != nil {
		return nil, err
	}
	if slow > 0 {
		out = append(out, elbtypes.TargetGroupAttribute{Key: aws.String(slowStartAttribute), Value: aws.String(strconv.Itoa(int(slow.Seconds())))})
	}
	if s.CrossZone != "" {
		out = append(out, elbtypes.TargetGroupAttribute{Key: aws.String(crossZoneAttribute), Value: aws.String(s.CrossZone)})
	}
	return out, nil
}

func (l *loader) listener(client *elb.Client, t TargetGroupSpec, targetGroup *string) error {
	ctx := context.Background()
	subnets := l.w.Subnets()
	if len(t.Zones) > 0 {
		all := subnets
		subnets = nil
		for _, z := range t.Zones {
			if len(z) != 1 || z < "a" || z > "c" {
				return fmt.Errorf("zone %q is not one of a, b and c", z)
			}
			subnets = append(subnets, all[z[0]-'a'])
		}
	}
	lb, err := client.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String(t.Name), Subnets: subnets})
	if err != nil {
		return err
	}
	_, err = client.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: targetGroup}},
	})
	return err
}

func (l *loader) group(g GroupSpec) error {
	latency, err := g.Latencies.over(l.w.latency)
	if err != nil {
		return err
	}
	l.w.groupLatency[g.Name] = latency
	grace, err := duration(g.GracePeriod, "grace_period")
	if err != nil {
		return err
	}
	zones := g.Zones
	if len(zones) == 0 {
		zones = []string{"a", "b", "c"}
	}
	var subnets []string
	for _, z := range zones {
		if len(z) != 1 || z < "a" || z > "c" {
			return fmt.Errorf("zone %q is not one of a, b and c", z)
		}
		subnets = append(subnets, l.w.Subnets()[z[0]-'a'])
	}
	in := &autoscaling.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(g.Name), MinSize: int32Of(&g.Min), MaxSize: int32Of(&g.Max), DesiredCapacity: int32Of(&g.Desired),
		VPCZoneIdentifier:      aws.String(strings.Join(subnets, ",")),
		HealthCheckGracePeriod: aws.Int32(int32(grace.Seconds())), TerminationPolicies: g.TerminationPolicies,
		NewInstancesProtectedFromScaleIn: aws.Bool(g.Protected),
	}
	pointer := &astypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String(g.Template), Version: aws.String(strconv.Itoa(max(g.LaunchedFrom, 1)))}
	if in.MixedInstancesPolicy, err = l.policy(g, pointer, true); err != nil {
		return err
	}
	if in.MixedInstancesPolicy == nil {
		in.LaunchTemplate = pointer
	}
	if g.RetainOnAbandon {
		in.InstanceLifecyclePolicy = &astypes.InstanceLifecyclePolicy{RetentionTriggers: &astypes.RetentionTriggers{TerminateHookAbandon: astypes.RetentionActionRetain}}
	}
	if g.CapacityRebalance {
		in.CapacityRebalance = aws.Bool(true)
	}
	if g.HealthCheck != "" {
		in.HealthCheckType = aws.String(g.HealthCheck)
	}
	for _, name := range g.TargetGroups {
		arn, known := l.targetGroups[name]
		if !known {
			return fmt.Errorf("no target_group %q", name)
		}
		in.TargetGroupARNs = append(in.TargetGroupARNs, arn)
	}
	in.LoadBalancerNames = g.LoadBalancers
	for _, k := range slices.Sorted(maps.Keys(g.Tags)) {
		in.Tags = append(in.Tags, astypes.Tag{
			Key: aws.String(k), Value: aws.String(g.Tags[k]), PropagateAtLaunch: aws.Bool(true),
			ResourceId: in.AutoScalingGroupName, ResourceType: aws.String(tagResource),
		})
	}
	if _, err = autoscaling.NewFromConfig(l.config()).CreateAutoScalingGroup(context.Background(), in); err != nil {
		return err
	}
	return l.warmPool(g)
}

// point sets a group's pointer to what it is at the start.
func (l *loader) point(g GroupSpec) error {
	version := g.Version
	setDefault(&version, "$Latest")
	pointer := &astypes.LaunchTemplateSpecification{LaunchTemplateName: aws.String(g.Template), Version: aws.String(version)}
	in := &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(g.Name), LaunchTemplate: pointer}
	var err error
	if in.MixedInstancesPolicy, err = l.policy(g, pointer, false); err != nil {
		return err
	}
	if in.MixedInstancesPolicy != nil {
		in.LaunchTemplate = nil
	}
	_, err = autoscaling.NewFromConfig(l.config()).UpdateAutoScalingGroup(context.Background(), in)
	return err
}

// present changes what changed at the start, and plans what comes later.
func (l *loader) present(s *Scenario) error {
	for _, g := range s.Groups {
		if err := errors.Join(l.point(g), l.hooks(g)); err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
		if len(g.Suspended) > 0 {
			if err := l.w.Act(Action{Do: "suspend", Group: g.Name, Processes: g.Suspended}); err != nil {
				return err
			}
		}
	}
	for _, i := range s.Images {
		b, err := i.behaviour()
		if err != nil {
			return err
		}
		l.w.SetImageBehaviour(l.images[i.Name], b)
	}
	if s.LaunchInstances != nil {
		l.w.SetLaunchInstances(*s.LaunchInstances)
	}
	switch s.RefreshScaleOut {
	case "", "desired":
	case "group":
		l.w.SetRefreshScaleOut(true)
	default:
		return fmt.Errorf("refresh_scale_out: %q is not one of desired and group", s.RefreshScaleOut)
	}
	for _, service := range slices.Sorted(maps.Keys(s.Staleness)) {
		d, err := duration(s.Staleness[service], "staleness of "+service)
		if err != nil {
			return err
		}
		if err := l.w.SetStaleness(service, d); err != nil {
			return err
		}
	}
	for _, service := range slices.Sorted(maps.Keys(s.Rates)) {
		var perSecond, burst int
		if _, err := fmt.Sscanf(s.Rates[service], "%d/%d", &perSecond, &burst); err != nil || perSecond < 1 || burst < 1 {
			return fmt.Errorf("rate of %s: %q is not like 10/40", service, s.Rates[service])
		}
		l.w.SetRate(service, perSecond, burst)
	}
	return l.w.plan(s)
}

// plan schedules a scenario's faults and actors.
func (w *World) plan(s *Scenario) error {
	errs := []error{w.SetVCPULimits(s.VCPULimits)}
	for _, zone := range slices.Sorted(maps.Keys(s.FreeAddresses)) {
		errs = append(errs, w.SetFreeAddresses(zone, s.FreeAddresses[zone]))
	}
	for _, a := range s.Alarms {
		errs = append(errs, w.SetAlarm(a))
	}
	for _, b := range s.Balancers {
		errs = append(errs, w.planDoubt(b))
	}
	for _, f := range s.Functions {
		errs = append(errs, w.SetFunction(f))
	}
	for _, t := range s.Topics {
		errs = append(errs, w.SetTopic(t))
	}
	for _, b := range s.EventBuses {
		errs = append(errs, w.SetEventBus(b))
	}
	for _, f := range s.Faults {
		errs = append(errs, w.planFault(f))
	}
	for _, f := range s.LaunchFaults {
		errs = append(errs, w.planLaunchFault(f))
	}
	for _, a := range s.Actors {
		errs = append(errs, w.planActor(a))
	}
	return errors.Join(errs...)
}

func (w *World) planFault(s FaultSpec) error {
	f, err := s.fault()
	if err != nil {
		return err
	}
	after, err := duration(s.After, "fault: after")
	if err != nil {
		return err
	}
	if after == 0 {
		_, err = w.Inject(f)
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	w.At(after, func() { _, _ = w.Inject(f) }) // checked above
	return nil
}

func (w *World) planLaunchFault(s LaunchFaultSpec) error {
	f, err := s.fault(w.region)
	if err != nil {
		return err
	}
	after, err := duration(s.After, "launch_fault: after")
	if err != nil {
		return err
	}
	if after == 0 {
		w.FailLaunches(f)
		return nil
	}
	w.At(after, func() { w.FailLaunches(f) })
	return nil
}

// planActor schedules an actor. What an action is refused for goes to the
// event log, because nobody waits for its answer.
func (w *World) planActor(s ActorSpec) error {
	at, err := duration(s.At, "actor: at")
	if err != nil {
		return err
	}
	every, err := duration(s.Every, "actor: every")
	if err != nil {
		return err
	}
	act := func() {
		if err := w.Act(s.Action); err != nil {
			w.mu.Lock()
			w.event(s.Action.Group, "%v", err)
			w.mu.Unlock()
		}
	}
	if s.Before != "" {
		w.BeforeCall(s.Before, s.Nth, act)
		return nil
	}
	var again func()
	again = func() {
		act()
		if every > 0 {
			w.At(every, again)
		}
	}
	w.At(at, again)
	return nil
}

// SetLaunchInstances says whether the endpoint knows the operation
// LaunchInstances, which older ones and other emulators do not.
func (w *World) SetLaunchInstances(known bool) {
	w.lock()
	defer w.mu.Unlock()
	w.asg.withoutLaunchInstances = !known
}
