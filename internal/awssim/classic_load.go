package awssim

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	classic "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"
)

// classic makes a classic load balancer.
func (l *loader) classic(b BalancerSpec) error {
	drain, err := duration(b.Drain, "connection_draining")
	if err != nil {
		return err
	}
	if b.Drain == "" {
		drain = l.w.latency.Drain
	}
	ctx, client := context.Background(), classic.NewFromConfig(l.w.Config())
	_, err = client.CreateLoadBalancer(ctx, &classic.CreateLoadBalancerInput{
		LoadBalancerName: &b.Name, Subnets: l.w.Subnets(),
		Listeners: []types.Listener{{Protocol: aws.String("HTTP"), LoadBalancerPort: 80, InstancePort: aws.Int32(80)}},
	})
	if err != nil || drain == 0 {
		return err
	}
	seconds, err := strconv.ParseInt(strconv.FormatFloat(drain.Seconds(), 'f', 0, 64), 10, 32)
	if err != nil {
		return err
	}
	_, err = client.ModifyLoadBalancerAttributes(ctx, &classic.ModifyLoadBalancerAttributesInput{
		LoadBalancerName: &b.Name, LoadBalancerAttributes: &types.LoadBalancerAttributes{
			ConnectionDraining: &types.ConnectionDraining{Enabled: true, Timeout: aws.Int32(int32(seconds))},
		},
	})
	return err
}

// planDoubt schedules when a classic load balancer cannot tell its instances'
// health.
func (w *World) planDoubt(b BalancerSpec) error {
	after, err1 := duration(b.UnknownAfter, "load_balancer "+b.Name+": unknown_after")
	span, err2 := duration(b.UnknownFor, "load_balancer "+b.Name+": unknown_for")
	if err := errors.Join(err1, err2); err != nil || span == 0 {
		return err
	}
	w.lock()
	defer w.mu.Unlock()
	w.after(after, func() {
		if c := w.elb.classics[b.Name]; c != nil {
			c.pool.doubt = true
			w.after(span, func() { c.pool.doubt = false })
		}
	})
	return nil
}
