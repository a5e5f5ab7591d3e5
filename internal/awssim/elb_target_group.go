package awssim

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// targetGroup is a target group and its targets.
type targetGroup struct {
	tg         types.TargetGroup // without LoadBalancerArns, which are looked up
	attributes map[string]string
	targets    map[string]*target // by targetKey
	doubt      bool               // a classic load balancer cannot tell its instances' health
}

func (w *World) findTargetGroup(arn *string) (*targetGroup, error) {
	if deref(arn) == "" {
		return nil, elbMissing("TargetGroupArn")
	}
	if g := w.elb.targetGroups[*arn]; g != nil {
		return g, nil
	}
	if !targetGroupARN.MatchString(*arn) {
		return nil, elbErr("ValidationError", "'%s' is not a valid target group ARN", *arn)
	}
	return nil, notFoundOf(*arn)
}

var targetGroupARN = regexp.MustCompile(`^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup/[a-zA-Z0-9-]+/[0-9a-f]+$`)

// isCount is whether s is a whole number from 0 to most.
func isCount(s string, most int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0 && n <= most
}

var elbName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$`)

func checkELBName(kind, name string) error {
	if name == "" {
		return elbMissing("Name")
	}
	if !elbName.MatchString(name) {
		return elbErr("ValidationError", "The %s name '%s' must be 1 to 32 letters, digits and hyphens, and must not begin or end with a hyphen", kind, name)
	}
	return nil
}

func createTargetGroup(w *World, in *elb.CreateTargetGroupInput) (*elb.CreateTargetGroupOutput, error) {
	if err := w.checkTargetGroup(in); err != nil {
		return nil, err
	}
	tags, err := elbTagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	for _, g := range byID(w.elb.targetGroups) {
		if *g.tg.TargetGroupName != *in.Name {
			continue
		}
		if wanted := settingsOf(in); describeValue(reflect.ValueOf(wanted)) != describeValue(reflect.ValueOf(g.settings())) {
			return nil, elbErr("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", *in.Name)
		}
		return &elb.CreateTargetGroupOutput{TargetGroups: []types.TargetGroup{w.targetGroupAnswer(g)}}, nil
	}
	g := w.newTargetGroup(in)
	w.elb.tags[*g.tg.TargetGroupArn] = tags
	return &elb.CreateTargetGroupOutput{TargetGroups: []types.TargetGroup{w.targetGroupAnswer(g)}}, nil
}

func (w *World) checkTargetGroup(in *elb.CreateTargetGroupInput) error {
	if err := checkELBName("target group", deref(in.Name)); err != nil {
		return err
	}
	switch in.TargetType {
	case "", types.TargetTypeEnumInstance, types.TargetTypeEnumIp:
	default:
		return notModelled("target groups of type " + string(in.TargetType))
	}
	switch {
	case in.Protocol == "":
		return elbErr("ValidationError", "A protocol must be specified")
	case in.Port == nil:
		return elbErr("ValidationError", "A port must be specified")
	case deref(in.VpcId) == "":
		return elbErr("ValidationError", "A VPC ID must be specified")
	case w.ec2.vpcs[*in.VpcId] == nil:
		return elbErr("ValidationError", "The VPC ID '%s' is not found", *in.VpcId)
	case *in.Port < 1 || *in.Port > 65535:
		return elbErr("ValidationError", "The port %d is out of range", *in.Port)
	}
	return nil
}

// settingsOf is a target group as asked for, with AWS's defaults.
func settingsOf(in *elb.CreateTargetGroupInput) types.TargetGroup {
	tg := types.TargetGroup{
		TargetGroupName: in.Name, Protocol: in.Protocol, Port: in.Port, VpcId: in.VpcId, TargetType: in.TargetType,
		IpAddressType: in.IpAddressType, HealthCheckEnabled: in.HealthCheckEnabled, HealthCheckIntervalSeconds: in.HealthCheckIntervalSeconds,
		HealthCheckPath: in.HealthCheckPath, HealthCheckPort: in.HealthCheckPort, HealthCheckProtocol: in.HealthCheckProtocol,
		HealthCheckTimeoutSeconds: in.HealthCheckTimeoutSeconds, HealthyThresholdCount: in.HealthyThresholdCount,
		UnhealthyThresholdCount: in.UnhealthyThresholdCount, Matcher: in.Matcher,
	}
	setDefault(&tg.TargetType, types.TargetTypeEnumInstance)
	setDefault(&tg.IpAddressType, types.TargetGroupIpAddressTypeEnumIpv4)
	setMissing(&tg.HealthCheckEnabled, true)
	setMissing(&tg.HealthCheckPort, "traffic-port")
	setMissing(&tg.HealthCheckIntervalSeconds, 30)
	setMissing(&tg.HealthyThresholdCount, 5)
	setMissing(&tg.UnhealthyThresholdCount, 2)
	timeout, matcher := int32(10), "200-399"
	if isHTTP(tg.Protocol) {
		timeout, matcher = 5, "200"
		tg.ProtocolVersion = in.ProtocolVersion
		setMissing(&tg.ProtocolVersion, "HTTP1")
		setDefault(&tg.HealthCheckProtocol, types.ProtocolEnumHttp)
	}
	setDefault(&tg.HealthCheckProtocol, types.ProtocolEnumTcp)
	if isHTTP(tg.HealthCheckProtocol) {
		if timeout == 10 {
			timeout = 6 // the default of an HTTP check by a network load balancer
		}
		setMissing(&tg.HealthCheckPath, "/")
		if tg.Matcher == nil {
			tg.Matcher = &types.Matcher{HttpCode: &matcher}
		}
	}
	setMissing(&tg.HealthCheckTimeoutSeconds, timeout)
	return tg
}

// setMissing gives an optional member its default.
func setMissing[T any](p **T, v T) {
	if *p == nil {
		*p = &v
	}
}

func (g *targetGroup) settings() types.TargetGroup {
	out := g.tg
	out.TargetGroupArn = nil
	return out
}

func (w *World) newTargetGroup(in *elb.CreateTargetGroupInput) *targetGroup {
	tg := settingsOf(in)
	arn := w.elbARN("targetgroup/" + *in.Name)
	tg.TargetGroupArn = &arn
	g := &targetGroup{tg: tg, attributes: targetGroupDefaults(&tg), targets: map[string]*target{}}
	w.elb.targetGroups[arn] = g
	return g
}

func (w *World) targetGroupAnswer(g *targetGroup) types.TargetGroup {
	out := g.tg
	out.LoadBalancerArns = []string{}
	for _, lb := range w.balancersOf(g) {
		out.LoadBalancerArns = append(out.LoadBalancerArns, *lb.lb.LoadBalancerArn)
	}
	return out
}

func describeTargetGroups(w *World, in *elb.DescribeTargetGroupsInput) (*elb.DescribeTargetGroupsOutput, error) {
	given := 0
	for _, used := range []bool{in.LoadBalancerArn != nil, len(in.TargetGroupArns) > 0, len(in.Names) > 0} {
		if used {
			given++
		}
	}
	if given > 1 {
		return nil, elbErr("ValidationError", "Load balancer ARN, target group ARNs and target group names cannot be specified at the same time")
	}
	for _, arn := range in.TargetGroupArns {
		if _, err := w.findTargetGroup(&arn); err != nil {
			return nil, err
		}
	}
	if in.LoadBalancerArn != nil {
		if _, err := w.findBalancer(in.LoadBalancerArn); err != nil {
			return nil, err
		}
	}
	var all []*targetGroup
	names := map[string]bool{}
	for _, g := range byID(w.elb.targetGroups) {
		names[*g.tg.TargetGroupName] = true
		switch {
		case len(in.TargetGroupArns) > 0 && !slices.Contains(in.TargetGroupArns, *g.tg.TargetGroupArn):
		case len(in.Names) > 0 && !slices.Contains(in.Names, *g.tg.TargetGroupName):
		case in.LoadBalancerArn != nil && !slices.ContainsFunc(w.balancersOf(g), func(lb *loadBalancer) bool { return *lb.lb.LoadBalancerArn == *in.LoadBalancerArn }):
		default:
			all = append(all, g)
		}
	}
	for _, n := range in.Names {
		if !names[n] {
			return nil, elbErr("TargetGroupNotFound", "One or more target groups not found")
		}
	}
	all, next, err := elbPage(all, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &elb.DescribeTargetGroupsOutput{TargetGroups: []types.TargetGroup{}, NextMarker: next}
	for _, g := range all {
		out.TargetGroups = append(out.TargetGroups, w.targetGroupAnswer(g))
	}
	return out, nil
}

func modifyTargetGroup(w *World, in *elb.ModifyTargetGroupInput) (*elb.ModifyTargetGroupOutput, error) {
	g, err := w.findTargetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	overwrite(&g.tg.HealthCheckEnabled, in.HealthCheckEnabled)
	overwrite(&g.tg.HealthCheckIntervalSeconds, in.HealthCheckIntervalSeconds)
	overwrite(&g.tg.HealthCheckPath, in.HealthCheckPath)
	overwrite(&g.tg.HealthCheckPort, in.HealthCheckPort)
	overwrite(&g.tg.HealthCheckTimeoutSeconds, in.HealthCheckTimeoutSeconds)
	overwrite(&g.tg.HealthyThresholdCount, in.HealthyThresholdCount)
	overwrite(&g.tg.UnhealthyThresholdCount, in.UnhealthyThresholdCount)
	overwrite(&g.tg.Matcher, in.Matcher)
	if in.HealthCheckProtocol != "" {
		g.tg.HealthCheckProtocol = in.HealthCheckProtocol
	}
	return &elb.ModifyTargetGroupOutput{TargetGroups: []types.TargetGroup{w.targetGroupAnswer(g)}}, nil
}

// overwrite sets an optional member when there is something to set it to.
func overwrite[T any](p **T, v *T) {
	if v != nil {
		*p = v
	}
}

func deleteTargetGroup(w *World, in *elb.DeleteTargetGroupInput) (*elb.DeleteTargetGroupOutput, error) {
	if deref(in.TargetGroupArn) == "" {
		return nil, elbMissing("TargetGroupArn")
	}
	g := w.elb.targetGroups[*in.TargetGroupArn]
	if g == nil {
		return &elb.DeleteTargetGroupOutput{}, nil // deleting twice is not an error at AWS
	}
	if len(w.balancersOf(g)) > 0 {
		return nil, elbErr("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", *in.TargetGroupArn)
	}
	for _, t := range byID(g.targets) {
		w.removeTarget(g, t)
	}
	delete(w.elb.targetGroups, *in.TargetGroupArn)
	delete(w.elb.tags, *in.TargetGroupArn)
	return &elb.DeleteTargetGroupOutput{}, nil
}
