// Package preflight reads what surrounds an Auto Scaling group and can slow or
// stop a roll: hooks, schedules, addresses, quota, image, permissions.
//
// It owns these SDK calls. It must not judge what it reads; the rule is
// rollout.Preflight. What it may not read is noted, never an error: a plan must
// not fail for want of a permission that a roll does not need.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	arctypes "github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Groups reads groups. internal/asg implements it.
type Groups interface {
	// Describe is a group as the API tells it.
	Describe(ctx context.Context, name string) (astypes.AutoScalingGroup, error)
	// Followers are the groups other than except whose pointer floats over a template.
	Followers(ctx context.Context, template, except string) []rollout.Follower
}

// Options make a [Client]. All are needed.
type Options struct {
	AutoScaling *autoscaling.Client
	EC2         *ec2.Client
	Quotas      *servicequotas.Client
	Shifts      *arczonalshift.Client
	Groups      Groups // those of plans, which share one describe
	Credentials aws.CredentialsProvider
	Clock       clock.Clock
}

// Client reads facts. Safe for concurrent use.
type Client struct {
	o Options

	mu    sync.Mutex
	usage map[string]usage // of a quota, by its code
}

// New returns a client.
func New(o Options) *Client { return &Client{o: o, usage: map[string]usage{}} }

// Ask names what a roll would use.
type Ask struct {
	Group string
	// Version is the number to roll to; 0: not made yet, the group's own stands for it.
	Version int64
	// Image is the image to roll to; empty: that of the version.
	Image string
}

// Observe reads the facts. It makes about ten calls.
func (c *Client) Observe(ctx context.Context, a Ask) rollout.Facts {
	r := &reader{Client: c, ctx: ctx, ask: a}
	var err error
	if r.group, err = c.o.Groups.Describe(ctx, a.Group); err != nil {
		r.unread("the group", err)
		return r.f
	}
	r.f.MaxLifetime = time.Duration(aws.ToInt32(r.group.MaxInstanceLifetime)) * time.Second
	r.f.Rebalance = aws.ToBool(r.group.CapacityRebalance)
	r.hooks()
	r.shift()
	r.schedule()
	r.template()
	r.image()
	r.types()
	r.subnets()
	r.quota()
	r.dryRun()
	if found, err := c.o.Credentials.Retrieve(ctx); err == nil && found.CanExpire {
		r.f.Expires = found.Expires
	}
	return r.f
}

// reader gathers the facts of one group.
type reader struct {
	*Client
	ctx   context.Context
	ask   Ask
	group astypes.AutoScalingGroup
	spec  *astypes.LaunchTemplateSpecification
	f     rollout.Facts
}

// unread notes what could not be read.
func (r *reader) unread(what string, err error) {
	why := "it is not there"
	if err != nil {
		why = err.Error()
		var api smithy.APIError
		if errors.As(err, &api) {
			why = api.ErrorCode()
		}
	}
	r.f.Unread = append(r.f.Unread, fmt.Sprintf("%s (%s)", what, why))
}

func (r *reader) hooks() {
	out, err := r.o.AutoScaling.DescribeLifecycleHooks(r.ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &r.ask.Group})
	if err != nil {
		r.unread("lifecycle hooks", err)
		return
	}
	for _, h := range out.LifecycleHooks {
		r.f.Hooks = append(r.f.Hooks, rollout.Hook{
			Name: aws.ToString(h.LifecycleHookName), Launching: aws.ToString(h.LifecycleTransition) == "autoscaling:EC2_INSTANCE_LAUNCHING",
			Timeout: time.Duration(aws.ToInt32(h.HeartbeatTimeout)) * time.Second,
		})
	}
}

// ahead is how far scheduled actions are read.
const ahead = 24 * time.Hour

func (r *reader) schedule() {
	now := r.o.Clock.Now()
	out, err := r.o.AutoScaling.DescribeScheduledActions(r.ctx, &autoscaling.DescribeScheduledActionsInput{
		AutoScalingGroupName: &r.ask.Group, StartTime: aws.Time(now), EndTime: aws.Time(now.Add(ahead)),
	})
	if err != nil {
		r.unread("scheduled actions", err)
		return
	}
	for _, a := range out.ScheduledUpdateGroupActions {
		d := rollout.ScheduledAction{Name: aws.ToString(a.ScheduledActionName), At: aws.ToTime(a.StartTime), Desired: -1}
		if a.DesiredCapacity != nil {
			d.Desired = int(*a.DesiredCapacity)
		}
		r.f.Due = append(r.f.Due, d)
	}
	policies, err := r.o.AutoScaling.DescribePolicies(r.ctx, &autoscaling.DescribePoliciesInput{AutoScalingGroupName: &r.ask.Group})
	if err != nil {
		r.unread("scaling policies", err)
		return
	}
	for _, p := range policies.ScalingPolicies {
		if p.Enabled == nil || *p.Enabled {
			r.f.Policies = append(r.f.Policies, aws.ToString(p.PolicyName))
		}
	}
}

// shift reads a zonal shift in effect, which only groups can have that enable it.
func (r *reader) shift() {
	if p := r.group.AvailabilityZoneImpairmentPolicy; p == nil || !aws.ToBool(p.ZonalShiftEnabled) {
		return
	}
	out, err := r.o.Shifts.ListZonalShifts(r.ctx, &arczonalshift.ListZonalShiftsInput{
		ResourceIdentifier: r.group.AutoScalingGroupARN, Status: arctypes.ZonalShiftStatusActive,
	})
	if err != nil {
		r.unread("zonal shifts", err)
		return
	}
	for _, s := range out.Items {
		r.f.Shift = fmt.Sprintf("away from %s until %s at most", aws.ToString(s.AwayFrom), aws.ToTime(s.ExpiryTime).UTC().Format("Mon 2 Jan 15:04 MST"))
	}
}
