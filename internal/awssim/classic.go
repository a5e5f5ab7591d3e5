package awssim

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// classicVersion is the API version of classic load balancers. They share the
// endpoint, and some operations' names, with the newer ones.
const classicVersion = "2012-06-01"

// classicBalancer is a classic load balancer. Its instances are the targets of
// a pool that nobody else sees, because they live as targets do.
type classicBalancer struct {
	d          types.LoadBalancerDescription // without instances
	attributes types.LoadBalancerAttributes
	tags       map[string]string // replaced, never changed
	pool       *targetGroup
}

func classicOperations() map[string]operation {
	return map[string]operation{
		"CreateLoadBalancer":                  typed(createClassic),
		"DescribeLoadBalancers":               typed(describeClassics),
		"DeleteLoadBalancer":                  typed(deleteClassic),
		"CreateLoadBalancerListeners":         typed(createClassicListeners),
		"DeleteLoadBalancerListeners":         typed(deleteClassicListeners),
		"AttachLoadBalancerToSubnets":         typed(attachClassicToSubnets),
		"DetachLoadBalancerFromSubnets":       typed(detachClassicFromSubnets),
		"ApplySecurityGroupsToLoadBalancer":   typed(applyClassicGroups),
		"ConfigureHealthCheck":                typed(configureHealthCheck),
		"DescribeLoadBalancerAttributes":      typed(describeClassicAttributes),
		"ModifyLoadBalancerAttributes":        typed(modifyClassicAttributes),
		"RegisterInstancesWithLoadBalancer":   typed(registerInstances),
		"DeregisterInstancesFromLoadBalancer": typed(deregisterInstances),
		"DescribeInstanceHealth":              typed(describeInstanceHealth),
		"AddTags":                             typed(classicAddTags),
		"RemoveTags":                          typed(classicRemoveTags),
		"DescribeTags":                        typed(classicDescribeTags),
	}
}

func isClassic(c *Call) bool { return c.Form.Get("Version") == classicVersion }

// byVersion puts the operations of both API versions together. One that the
// version of a call does not have is unknown.
func byVersion(newer, older map[string]operation) map[string]operation {
	out := map[string]operation{}
	for _, name := range append(slices.Sorted(maps.Keys(newer)), slices.Sorted(maps.Keys(older))...) {
		out[name] = func(w *World, c *Call) (any, error) {
			op := newer[name]
			if isClassic(c) {
				op = older[name]
			}
			if op == nil {
				return nil, unknownOperation(c)
			}
			return op(w, c)
		}
	}
	return out
}

func (w *World) findClassic(name *string) (*classicBalancer, error) {
	if deref(name) == "" {
		return nil, elbMissing("LoadBalancerName")
	}
	if b := w.elb.classics[*name]; b != nil {
		return b, nil
	}
	return nil, elbErr("LoadBalancerNotFound", "There is no ACTIVE Load Balancer named '%s'", *name)
}

// pool is the targets behind an ARN of a target group, or the name of a
// classic load balancer; nil when there is none.
func (w *World) pool(key string) *targetGroup {
	if b := w.elb.classics[key]; b != nil {
		return b.pool
	}
	return w.elb.targetGroups[key]
}

// classicZones are the zones that a pool's load balancer serves; ok is false
// for a target group.
func (w *World) classicZones(g *targetGroup) (zones []string, ok bool) {
	b := w.elb.classics[deref(g.tg.TargetGroupArn)]
	if b == nil {
		return nil, false
	}
	return b.d.AvailabilityZones, true
}

func createClassic(w *World, in *classic.CreateLoadBalancerInput) (*classic.CreateLoadBalancerOutput, error) {
	name := deref(in.LoadBalancerName)
	if err := checkELBName("load balancer", name); err != nil {
		return nil, err
	}
	if w.elb.classics[name] != nil {
		return nil, elbErr("DuplicateLoadBalancerName", "Load Balancer named '%s' already exists and it is configured with different parameters.", name)
	}
	listeners, err := classicListeners(in.Listeners)
	if err != nil {
		return nil, err
	}
	d := types.LoadBalancerDescription{
		LoadBalancerName: &name, Scheme: in.Scheme, CreatedTime: ptr(w.now), ListenerDescriptions: listeners,
		BackendServerDescriptions: []types.BackendServerDescription{}, CanonicalHostedZoneNameID: ptr("ZHURV8PSTC4K8"),
		Policies: &types.Policies{
			AppCookieStickinessPolicies: []types.AppCookieStickinessPolicy{}, LBCookieStickinessPolicies: []types.LBCookieStickinessPolicy{}, OtherPolicies: []string{},
		},
		HealthCheck: &types.HealthCheck{
			Target: ptr("TCP:" + strconv.Itoa(int(deref(listeners[0].Listener.InstancePort)))), Interval: ptr(int32(30)), Timeout: ptr(int32(5)),
			HealthyThreshold: ptr(int32(10)), UnhealthyThreshold: ptr(int32(2)),
		},
	}
	setMissing(&d.Scheme, "internet-facing")
	if err := w.placeClassic(&d, in); err != nil {
		return nil, err
	}
	tags, err := classicTags(in.Tags)
	if err != nil {
		return nil, err
	}
	d.DNSName = ptr(w.balancerDNS(name, elbtypes.LoadBalancerSchemeEnum(*d.Scheme), elbtypes.LoadBalancerTypeEnumApplication))
	d.CanonicalHostedZoneName = d.DNSName
	w.elb.classics[name] = &classicBalancer{
		d: d, tags: tags,
		attributes: types.LoadBalancerAttributes{
			AccessLog: &types.AccessLog{}, ConnectionDraining: &types.ConnectionDraining{Timeout: ptr(int32(300))},
			ConnectionSettings: &types.ConnectionSettings{IdleTimeout: ptr(int32(60))}, CrossZoneLoadBalancing: &types.CrossZoneLoadBalancing{},
			AdditionalAttributes: []types.AdditionalAttribute{{Key: ptr("elb.http.desyncmitigationmode"), Value: ptr("defensive")}},
		},
		pool: &targetGroup{
			tg:         elbtypes.TargetGroup{TargetGroupArn: &name, TargetGroupName: &name, Port: listeners[0].Listener.InstancePort, VpcId: d.VPCId, TargetType: elbtypes.TargetTypeEnumInstance},
			attributes: map[string]string{drainAttribute: "0"}, targets: map[string]*target{},
		},
	}
	return &classic.CreateLoadBalancerOutput{DNSName: d.DNSName}, nil
}

// classicListeners checks the listeners and completes them.
func classicListeners(in []types.Listener) ([]types.ListenerDescription, error) {
	if len(in) == 0 {
		return nil, elbErr("ValidationError", "Listeners must not be empty")
	}
	var out []types.ListenerDescription
	for _, l := range in {
		protocol := strings.ToUpper(deref(l.Protocol))
		if !slices.Contains([]string{"HTTP", "HTTPS", "TCP", "SSL"}, protocol) {
			return nil, elbErr("UnsupportedProtocol", "The specified protocol '%s' is not supported", deref(l.Protocol))
		}
		for _, port := range []int32{l.LoadBalancerPort, deref(l.InstancePort)} {
			if port < 1 || port > 65535 {
				return nil, elbErr("ValidationError", "The port %d must be between 1 and 65535", port)
			}
		}
		if (protocol == "HTTPS" || protocol == "SSL") && deref(l.SSLCertificateId) == "" {
			return nil, elbErr("InvalidConfigurationRequest", "SSLCertificateId is required for listeners of protocol %s", protocol)
		}
		back := protocol
		if l.InstanceProtocol != nil {
			back = strings.ToUpper(*l.InstanceProtocol)
		}
		out = append(out, types.ListenerDescription{PolicyNames: []string{}, Listener: &types.Listener{
			Protocol: &protocol, InstanceProtocol: &back, LoadBalancerPort: l.LoadBalancerPort, InstancePort: l.InstancePort, SSLCertificateId: l.SSLCertificateId,
		}})
	}
	return out, nil
}

// placeClassic finds the zones and subnets of a new load balancer.
func (w *World) placeClassic(d *types.LoadBalancerDescription, in *classic.CreateLoadBalancerInput) error {
	subnets := slices.Clone(in.Subnets)
	if (len(subnets) == 0) == (len(in.AvailabilityZones) == 0) {
		return elbErr("ValidationError", "Either AvailabilityZones or SubnetIds must be specified")
	}
	for _, z := range in.AvailabilityZones {
		id := w.ec2.defaultSubnets[z]
		if id == "" {
			return elbErr("ValidationError", "Availability Zone '%s' is not valid", z)
		}
		subnets = append(subnets, id)
	}
	subnets, err := w.balancerSubnets("", subnets, nil)
	if err != nil {
		return err
	}
	d.Subnets, d.VPCId = subnets, &w.ec2.subnets[subnets[0]].vpcID
	for _, id := range subnets {
		d.AvailabilityZones = append(d.AvailabilityZones, w.ec2.subnets[id].zone)
	}
	slices.Sort(d.AvailabilityZones)
	d.SecurityGroups, err = w.balancerGroups(elbtypes.LoadBalancerTypeEnumApplication, *d.VPCId, in.SecurityGroups)
	if err == nil && len(d.SecurityGroups) > 0 {
		d.SourceSecurityGroup = &types.SourceSecurityGroup{OwnerAlias: &w.account, GroupName: &w.ec2.groups[d.SecurityGroups[0]].name}
	}
	return err
}

func describeClassics(w *World, in *classic.DescribeLoadBalancersInput) (*classic.DescribeLoadBalancersOutput, error) {
	for _, name := range in.LoadBalancerNames {
		if _, err := w.findClassic(&name); err != nil {
			return nil, err
		}
	}
	var all []*classicBalancer
	for _, b := range byID(w.elb.classics) {
		if len(in.LoadBalancerNames) == 0 || slices.Contains(in.LoadBalancerNames, *b.d.LoadBalancerName) {
			all = append(all, b)
		}
	}
	all, next, err := elbPage(all, in.PageSize, in.Marker)
	if err != nil {
		return nil, err
	}
	out := &classic.DescribeLoadBalancersOutput{LoadBalancerDescriptions: []types.LoadBalancerDescription{}, NextMarker: next}
	for _, b := range all {
		d := b.d
		d.Instances = b.instances()
		out.LoadBalancerDescriptions = append(out.LoadBalancerDescriptions, d)
	}
	return out, nil
}

// instances are those registered and not on their way out.
func (b *classicBalancer) instances() []types.Instance {
	out := []types.Instance{}
	for _, t := range byID(b.pool.targets) {
		if t.state != elbtypes.TargetHealthStateEnumDraining {
			out = append(out, types.Instance{InstanceId: &t.id})
		}
	}
	return out
}

func deleteClassic(w *World, in *classic.DeleteLoadBalancerInput) (*classic.DeleteLoadBalancerOutput, error) {
	if b := w.elb.classics[deref(in.LoadBalancerName)]; b != nil { // deleting twice is not an error at AWS
		for _, t := range byID(b.pool.targets) {
			w.removeTarget(b.pool, t)
		}
		delete(w.elb.classics, *in.LoadBalancerName)
	}
	return &classic.DeleteLoadBalancerOutput{}, nil
}

func configureHealthCheck(w *World, in *classic.ConfigureHealthCheckInput) (*classic.ConfigureHealthCheckOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	h := in.HealthCheck
	switch {
	case h == nil || h.Target == nil || h.Interval == nil || h.Timeout == nil || h.HealthyThreshold == nil || h.UnhealthyThreshold == nil:
		return nil, elbMissing("HealthCheck")
	case *h.Timeout >= *h.Interval:
		return nil, elbErr("ValidationError", "HealthCheck timeout must be less than interval")
	}
	b.d.HealthCheck = h
	return &classic.ConfigureHealthCheckOutput{HealthCheck: h}, nil
}

func describeClassicAttributes(w *World, in *classic.DescribeLoadBalancerAttributesInput) (*classic.DescribeLoadBalancerAttributesOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	return &classic.DescribeLoadBalancerAttributesOutput{LoadBalancerAttributes: ptr(b.attributes)}, nil
}

func modifyClassicAttributes(w *World, in *classic.ModifyLoadBalancerAttributesInput) (*classic.ModifyLoadBalancerAttributesOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	a := in.LoadBalancerAttributes
	switch {
	case a == nil:
		return nil, elbMissing("LoadBalancerAttributes")
	case a.AccessLog != nil && a.AccessLog.Enabled:
		return nil, elbErr("InvalidConfigurationRequest", "The simulator does not model access logs.")
	case a.ConnectionDraining != nil && a.ConnectionDraining.Timeout != nil && (*a.ConnectionDraining.Timeout < 1 || *a.ConnectionDraining.Timeout > 3600):
		return nil, elbErr("InvalidConfigurationRequest", "ConnectionDraining timeout must be between 1 and 3600 seconds")
	}
	replace(&b.attributes.CrossZoneLoadBalancing, a.CrossZoneLoadBalancing)
	replace(&b.attributes.ConnectionSettings, a.ConnectionSettings)
	if d := a.ConnectionDraining; d != nil {
		timeout := b.attributes.ConnectionDraining.Timeout
		replace(&timeout, d.Timeout)
		b.attributes.ConnectionDraining = &types.ConnectionDraining{Enabled: d.Enabled, Timeout: timeout}
		seconds := "0"
		if d.Enabled {
			seconds = strconv.Itoa(int(*timeout))
		}
		b.pool.attributes = map[string]string{drainAttribute: seconds}
	}
	if len(a.AdditionalAttributes) > 0 {
		b.attributes.AdditionalAttributes = a.AdditionalAttributes
	}
	return &classic.ModifyLoadBalancerAttributesOutput{LoadBalancerName: in.LoadBalancerName, LoadBalancerAttributes: ptr(b.attributes)}, nil
}

func createClassicListeners(w *World, in *classic.CreateLoadBalancerListenersInput) (*classic.CreateLoadBalancerListenersOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	more, err := classicListeners(in.Listeners)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(b.d.ListenerDescriptions)
	for _, l := range more {
		i := slices.IndexFunc(all, func(o types.ListenerDescription) bool {
			return o.Listener.LoadBalancerPort == l.Listener.LoadBalancerPort
		})
		switch {
		case i < 0:
			all = append(all, l)
		case *all[i].Listener.InstancePort != *l.Listener.InstancePort || *all[i].Listener.Protocol != *l.Listener.Protocol:
			return nil, elbErr("DuplicateListener", "A listener already exists for %s with LoadBalancerPort %d, but with a different InstancePort, Protocol, or SSLCertificateId",
				*in.LoadBalancerName, l.Listener.LoadBalancerPort)
		}
	}
	b.d.ListenerDescriptions = all
	return &classic.CreateLoadBalancerListenersOutput{}, nil
}

func deleteClassicListeners(w *World, in *classic.DeleteLoadBalancerListenersInput) (*classic.DeleteLoadBalancerListenersOutput, error) {
	b, err := w.findClassic(in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	b.d.ListenerDescriptions = slices.DeleteFunc(slices.Clone(b.d.ListenerDescriptions), func(l types.ListenerDescription) bool {
		return slices.Contains(in.LoadBalancerPorts, l.Listener.LoadBalancerPort)
	})
	return &classic.DeleteLoadBalancerListenersOutput{}, nil
}
