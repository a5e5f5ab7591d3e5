package awssim

import (
	"net/http"
	"slices"
	"strings"

	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// balancerTarget is an instance that a load balancer sends requests to, and
// the port.
type balancerTarget struct {
	instance *instance
	port     int
}

// balancerTargets are the healthy targets behind a load balancer's name and
// port. found says whether there is such a load balancer; the error, that it
// does not listen on the port.
func (w *World) balancerTargets(host string, port int) (targets []balancerTarget, found bool, err error) {
	for _, lb := range w.elb.balancers {
		if !strings.EqualFold(deref(lb.lb.DNSName), host) {
			continue
		}
		if w.now.Before(lb.readyAt) {
			return nil, true, errUnreachable
		}
		for _, l := range w.elb.listeners {
			if *l.l.LoadBalancerArn == *lb.lb.LoadBalancerArn && int(deref(l.l.Port)) == port {
				return w.listenerTargets(l), true, nil
			}
		}
		return nil, true, errRefused
	}
	for _, b := range w.elb.classics {
		if strings.EqualFold(*b.d.DNSName, host) {
			targets, err = w.classicTargets(b, port)
			return targets, true, err
		}
	}
	return nil, false, nil
}

// classicTargets are the healthy instances of a classic load balancer.
func (w *World) classicTargets(b *classicBalancer, port int) ([]balancerTarget, error) {
	for _, l := range b.d.ListenerDescriptions {
		if int(l.Listener.LoadBalancerPort) != port {
			continue
		}
		var out []balancerTarget
		for _, t := range byID(b.pool.targets) {
			if i := w.ec2.instances[t.id]; i != nil && t.state == elbtypes.TargetHealthStateEnumHealthy {
				out = append(out, balancerTarget{i, int(deref(l.Listener.InstancePort))})
			}
		}
		return out, nil
	}
	return nil, errRefused
}

func (w *World) listenerTargets(l *listener) []balancerTarget {
	var out []balancerTarget
	for _, arn := range targetGroupsOf(l.l.DefaultActions) {
		g := w.elb.targetGroups[arn]
		if g == nil {
			continue
		}
		for _, t := range byID(g.targets) {
			one := balancerTarget{w.targetInstance(g, t), int(t.port)}
			if t.state == elbtypes.TargetHealthStateEnumHealthy && one.instance != nil && !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
	}
	return out
}

// balancerResponse is what one of the targets answers, each in its turn: 503
// without any, 502 from one that is gone before the load balancer saw it.
func (w *World) balancerResponse(targets []balancerTarget, path string) rawResponse {
	if len(targets) == 0 {
		return textResponse(http.StatusServiceUnavailable, "503 Service Temporarily Unavailable\n")
	}
	t := targets[w.elb.turn%len(targets)]
	w.elb.turn++
	res, err := w.memberAnswer(t.instance, t.port, path)
	if err != nil {
		return textResponse(http.StatusBadGateway, "502 Bad Gateway\n")
	}
	return res
}
