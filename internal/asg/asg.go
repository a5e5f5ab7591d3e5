// Package asg observes one Auto Scaling group and makes single changes to it.
//
// It owns the SDK calls for both: Auto Scaling, target health, status checks,
// alarms, launch template versions; and what AWS's error codes and activity texts mean. It holds no
// rules of rolls: it answers what it is asked and does what it is told, once.
package asg

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Options make a [Client]. All but Shared are needed.
type Options struct {
	AutoScaling *autoscaling.Client
	EC2         *ec2.Client
	ELB         *elb.Client
	Classic     *elasticloadbalancing.Client
	CloudWatch  *cloudwatch.Client
	Clock       clock.Clock
	// Patient lets the SDK retry reads by itself, for one-off looks. A roll
	// leaves it off: its loop comes back by its own clock.
	Patient bool
	// Shared answers observations from one paged describe of all groups that is
	// kept for 30 s, as is what else was read of a group. For Read and plan only; a
	// roll must see now.
	Shared bool
}

// Client looks at groups and changes them. Safe for concurrent use.
type Client struct {
	o        Options
	versions versionCache
	groups   sharedGroups
	recent   recentTemplates
	found    foundAddresses
	answers  answers
	lately   lately
}

// New returns a client.
func New(o Options) *Client {
	c := &Client{o: o}
	c.versions.byKey = map[versionKey]rollout.Version{}
	c.versions.images = map[string]string{}
	c.versions.usable = map[string]usability{}
	c.versions.aliased = map[versionKey]*ec2types.ResponseLaunchTemplateData{}
	c.versions.means = map[versionKey]meaning{}
	c.versions.members = map[string]string{}
	c.versions.taken = map[string]string{}
	c.recent.at = map[string]heldTemplate{}
	c.answers.at = map[string]answer{}
	c.lately.at = map[string]attachedGroup{}
	return c
}

// ErrNotFound says that the group does not exist.
var ErrNotFound = errors.New("the Auto Scaling group does not exist")

// callTimeout bounds one call that is made once: a lost answer is settled by
// looking.
const callTimeout = 20 * time.Second

// once makes a call without the SDK's retries: what is not idempotent at AWS
// is never sent twice (rollouts.md, Capacity).
func once(o *autoscaling.Options) { o.Retryer = aws.NopRetryer{} }

func onceEC2(o *ec2.Options) { o.Retryer = aws.NopRetryer{} }

func (c *Client) reads() []func(*autoscaling.Options) {
	if c.o.Patient {
		return nil
	}
	return []func(*autoscaling.Options){once}
}

func (c *Client) readsEC2() []func(*ec2.Options) {
	if c.o.Patient {
		return nil
	}
	return []func(*ec2.Options){onceEC2}
}

func (c *Client) readsELB() []func(*elb.Options) {
	if c.o.Patient {
		return nil
	}
	return []func(*elb.Options){func(o *elb.Options) { o.Retryer = aws.NopRetryer{} }}
}

// Describe is a group as the API tells it. Errors: [ErrNotFound], what the call gave.
func (c *Client) Describe(ctx context.Context, name string) (astypes.AutoScalingGroup, error) {
	return c.describe(ctx, name)
}

func (c *Client) readsClassic() []func(*elasticloadbalancing.Options) {
	if c.o.Patient {
		return nil
	}
	return []func(*elasticloadbalancing.Options){func(o *elasticloadbalancing.Options) { o.Retryer = aws.NopRetryer{} }}
}

func (c *Client) readsCloudWatch() []func(*cloudwatch.Options) {
	if c.o.Patient {
		return nil
	}
	return []func(*cloudwatch.Options){func(o *cloudwatch.Options) { o.Retryer = aws.NopRetryer{} }}
}

// describe reads one group. The error is [ErrNotFound] when there is none.
func (c *Client) describe(ctx context.Context, name string) (astypes.AutoScalingGroup, error) {
	if c.o.Shared {
		if g, ok := c.groups.get(ctx, c, name); ok {
			return g, nil
		}
	}
	out, err := c.o.AutoScaling.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{name},
	}, c.reads()...)
	if err != nil {
		return astypes.AutoScalingGroup{}, fmt.Errorf("describe group %s: %w", name, err)
	}
	if len(out.AutoScalingGroups) == 0 {
		return astypes.AutoScalingGroup{}, fmt.Errorf("describe group %s: %w", name, ErrNotFound)
	}
	c.recent.put(name, out.AutoScalingGroups[0], c.o.Clock.Now())
	return out.AutoScalingGroups[0], nil
}

// sharedFor is how long one describe of all groups serves other reads.
const sharedFor = 30 * time.Second

// sharedPages is how many pages of 100 groups are worth reading to save calls
// by name: beyond it, a region is so full that a stack's own groups are few.
const sharedPages = 10

// sharedGroups is one look at all groups, for the Reads of one plan.
type sharedGroups struct {
	mu  sync.Mutex
	at  time.Time
	all map[string]astypes.AutoScalingGroup // nil: denied, or too many groups: ask by name
}

// get finds a group in the shared look, taking one if the last is old. Not ok
// means to ask by name.
func (s *sharedGroups) get(ctx context.Context, c *Client, name string) (astypes.AutoScalingGroup, bool) {
	g, ok := s.everyone(ctx, c)[name]
	return g, ok
}

// everyone is the shared look by name, empty where it cannot be had.
func (s *sharedGroups) everyone(ctx context.Context, c *Client) map[string]astypes.AutoScalingGroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := c.o.Clock.Now(); s.at.IsZero() || now.Sub(s.at) > sharedFor {
		s.all = c.allGroups(ctx)
		s.at = now
	}
	return s.all
}

func (c *Client) allGroups(ctx context.Context) map[string]astypes.AutoScalingGroup {
	all := map[string]astypes.AutoScalingGroup{}
	in := &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(100)}
	for range sharedPages {
		out, err := c.o.AutoScaling.DescribeAutoScalingGroups(ctx, in)
		if err != nil {
			return nil // by name may be allowed, and will word the error
		}
		for _, g := range out.AutoScalingGroups {
			all[aws.ToString(g.AutoScalingGroupName)] = g
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return all
		}
	}
	return nil
}

// Tags are the tags of a group. Errors: [ErrNotFound], what the call gave.
func (c *Client) Tags(ctx context.Context, name string) (map[string]string, error) {
	g, err := c.describe(ctx, name)
	if err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(g.Tags))
	for _, t := range g.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags, nil
}
