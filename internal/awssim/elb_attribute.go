package awssim

import (
	"maps"
	"slices"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Attributes are text by name. Only those in a resource's defaults can be set.

const (
	drainAttribute     = "deregistration_delay.timeout_seconds"
	slowStartAttribute = "slow_start.duration_seconds"
	crossZoneAttribute = "load_balancing.cross_zone.enabled"
)

// targetGroupDefaults are what AWS answers for a new target group. HTTP groups
// belong to application load balancers, others to network load balancers.
func targetGroupDefaults(g *types.TargetGroup) map[string]string {
	out := map[string]string{
		drainAttribute:       "300",
		"stickiness.enabled": "false",
		crossZoneAttribute:   "use_load_balancer_configuration",
		"target_group_health.dns_failover.minimum_healthy_targets.count":                 "1",
		"target_group_health.dns_failover.minimum_healthy_targets.percentage":            "off",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count":      "1",
		"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
	}
	if isHTTP(g.Protocol) {
		maps.Copy(out, map[string]string{
			"stickiness.type":                             "lb_cookie",
			"stickiness.lb_cookie.duration_seconds":       "86400",
			"stickiness.app_cookie.cookie_name":           "",
			"stickiness.app_cookie.duration_seconds":      "86400",
			slowStartAttribute:                            "0",
			"load_balancing.algorithm.type":               "round_robin",
			"load_balancing.algorithm.anomaly_mitigation": "off",
		})
		return out
	}
	preserve := "true"
	if g.TargetType == types.TargetTypeEnumIp && g.Protocol != types.ProtocolEnumUdp && g.Protocol != types.ProtocolEnumTcpUdp {
		preserve = "false"
	}
	maps.Copy(out, map[string]string{
		"stickiness.type":                                              "source_ip",
		"proxy_protocol_v2.enabled":                                    "false",
		"preserve_client_ip.enabled":                                   preserve,
		"deregistration_delay.connection_termination.enabled":          "false",
		"target_health_state.unhealthy.connection_termination.enabled": "true",
		"target_health_state.unhealthy.draining_interval_seconds":      "0",
	})
	return out
}

// balancerDefaults are what AWS answers for a new load balancer.
func balancerDefaults(kind types.LoadBalancerTypeEnum) map[string]string {
	out := map[string]string{
		"access_logs.s3.enabled": "false", "access_logs.s3.bucket": "", "access_logs.s3.prefix": "",
		"deletion_protection.enabled": "false", "ipv6.deny_all_igw_traffic": "false", "zonal_shift.config.enabled": "false",
	}
	if kind == types.LoadBalancerTypeEnumNetwork {
		maps.Copy(out, map[string]string{
			"load_balancing.cross_zone.enabled":      "false",
			"dns_record.client_routing_policy":       "any_availability_zone",
			"secondary_ips.auto_assigned.per_subnet": "0",
		})
		return out
	}
	maps.Copy(out, map[string]string{
		"connection_logs.s3.enabled": "false", "connection_logs.s3.bucket": "", "connection_logs.s3.prefix": "",
		"client_keep_alive.seconds":                                "3600",
		"idle_timeout.timeout_seconds":                             "60",
		"load_balancing.cross_zone.enabled":                        "true",
		"routing.http.desync_mitigation_mode":                      "defensive",
		"routing.http.drop_invalid_header_fields.enabled":          "false",
		"routing.http.preserve_host_header.enabled":                "false",
		"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
		"routing.http.xff_client_port.enabled":                     "false",
		"routing.http.xff_header_processing.mode":                  "append",
		"routing.http2.enabled":                                    "true",
		"waf.fail_open.enabled":                                    "false",
	})
	return out
}

// listenerDefaults are what AWS answers for a new listener.
func listenerDefaults(protocol types.ProtocolEnum) map[string]string {
	if protocol == types.ProtocolEnumTcp {
		return map[string]string{"tcp.idle_timeout.seconds": "350"}
	}
	if !isHTTP(protocol) {
		return map[string]string{}
	}
	out := map[string]string{"routing.http.response.server.enabled": "true"}
	for _, h := range []string{
		"strict_transport_security", "access_control_allow_origin", "access_control_allow_methods", "access_control_allow_headers",
		"access_control_allow_credentials", "access_control_expose_headers", "access_control_max_age", "content_security_policy",
		"x_content_type_options", "x_frame_options",
	} {
		out["routing.http.response."+h+".header_value"] = ""
	}
	if protocol == types.ProtocolEnumHttps {
		for _, h := range []string{"", "_serial_number", "_issuer", "_subject", "_validity", "_leaf"} {
			out["routing.http.request.x_amzn_mtls_clientcert"+h+".header_name"] = "X-Amzn-Mtls-Clientcert"
		}
	}
	return out
}

func isHTTP(p types.ProtocolEnum) bool {
	return p == types.ProtocolEnumHttp || p == types.ProtocolEnumHttps
}

// setAttributes gives a copy of have with some attributes changed.
func setAttributes(have map[string]string, changes map[string]string) (map[string]string, error) {
	out := maps.Clone(have)
	for k, v := range changes {
		if _, known := have[k]; !known {
			return nil, elbErr("ValidationError", "The attribute key '%s' is not recognized", k)
		}
		out[k] = v
	}
	return out, nil
}

func describeTargetGroupAttributes(w *World, in *elb.DescribeTargetGroupAttributesInput) (*elb.DescribeTargetGroupAttributesOutput, error) {
	g, err := w.findTargetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	return &elb.DescribeTargetGroupAttributesOutput{Attributes: targetGroupAttributes(g)}, nil
}

func targetGroupAttributes(g *targetGroup) []types.TargetGroupAttribute {
	out := []types.TargetGroupAttribute{}
	for _, k := range slices.Sorted(maps.Keys(g.attributes)) {
		out = append(out, types.TargetGroupAttribute{Key: &k, Value: ptr(g.attributes[k])})
	}
	return out
}

func modifyTargetGroupAttributes(w *World, in *elb.ModifyTargetGroupAttributesInput) (*elb.ModifyTargetGroupAttributesOutput, error) {
	g, err := w.findTargetGroup(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	changes := map[string]string{}
	for _, a := range in.Attributes {
		changes[deref(a.Key)] = deref(a.Value)
	}
	after, err := setAttributes(g.attributes, changes)
	if err != nil {
		return nil, err
	}
	if err := checkTargetGroupAttributes(changes); err != nil {
		return nil, err
	}
	g.attributes = after
	return &elb.ModifyTargetGroupAttributesOutput{Attributes: targetGroupAttributes(g)}, nil
}

// checkTargetGroupAttributes checks the values of the attributes that matter here.
func checkTargetGroupAttributes(changes map[string]string) error {
	if n, given := changes[drainAttribute]; given && !isCount(n, 3600) {
		return elbErr("ValidationError", "'%s' must be a number from 0 to 3600", drainAttribute)
	}
	if n, given := changes[slowStartAttribute]; given && n != "0" && (!isCount(n, 900) || isCount(n, 29)) {
		return elbErr("ValidationError", "'%s' must be 0, or a number from 30 to 900", slowStartAttribute)
	}
	words := []string{"true", "false", "use_load_balancer_configuration"}
	if v, given := changes[crossZoneAttribute]; given && !slices.Contains(words, v) {
		return elbErr("ValidationError", "'%s' must be one of %v", crossZoneAttribute, words)
	}
	return nil
}

func describeLoadBalancerAttributes(w *World, in *elb.DescribeLoadBalancerAttributesInput) (*elb.DescribeLoadBalancerAttributesOutput, error) {
	lb, err := w.findBalancer(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	return &elb.DescribeLoadBalancerAttributesOutput{Attributes: balancerAttributes(lb)}, nil
}

func balancerAttributes(lb *loadBalancer) []types.LoadBalancerAttribute {
	out := []types.LoadBalancerAttribute{}
	for _, k := range slices.Sorted(maps.Keys(lb.attributes)) {
		out = append(out, types.LoadBalancerAttribute{Key: &k, Value: ptr(lb.attributes[k])})
	}
	return out
}

func modifyLoadBalancerAttributes(w *World, in *elb.ModifyLoadBalancerAttributesInput) (*elb.ModifyLoadBalancerAttributesOutput, error) {
	lb, err := w.findBalancer(in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	changes := map[string]string{}
	for _, a := range in.Attributes {
		changes[deref(a.Key)] = deref(a.Value)
	}
	if lb.attributes, err = orSame(lb.attributes, changes); err != nil {
		return nil, err
	}
	return &elb.ModifyLoadBalancerAttributesOutput{Attributes: balancerAttributes(lb)}, nil
}

// orSame is setAttributes that gives the old ones back on an error.
func orSame(have, changes map[string]string) (map[string]string, error) {
	after, err := setAttributes(have, changes)
	if err != nil {
		return have, err
	}
	return after, nil
}

func describeListenerAttributes(w *World, in *elb.DescribeListenerAttributesInput) (*elb.DescribeListenerAttributesOutput, error) {
	l, err := w.findListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	return &elb.DescribeListenerAttributesOutput{Attributes: listenerAttributes(l)}, nil
}

func listenerAttributes(l *listener) []types.ListenerAttribute {
	out := []types.ListenerAttribute{}
	for _, k := range slices.Sorted(maps.Keys(l.attributes)) {
		out = append(out, types.ListenerAttribute{Key: &k, Value: ptr(l.attributes[k])})
	}
	return out
}

func modifyListenerAttributes(w *World, in *elb.ModifyListenerAttributesInput) (*elb.ModifyListenerAttributesOutput, error) {
	l, err := w.findListener(in.ListenerArn)
	if err != nil {
		return nil, err
	}
	changes := map[string]string{}
	for _, a := range in.Attributes {
		changes[deref(a.Key)] = deref(a.Value)
	}
	if l.attributes, err = orSame(l.attributes, changes); err != nil {
		return nil, err
	}
	return &elb.ModifyListenerAttributesOutput{Attributes: listenerAttributes(l)}, nil
}
