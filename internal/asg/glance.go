package asg

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// lately is what each group was at the last look: a glance asks its target
// groups without asking again which they are.
type lately struct {
	mu sync.Mutex
	at map[string]attachedGroup
}

type attachedGroup struct {
	group   rollout.Group
	targets []string // ARNs of target groups
}

func (l *lately) put(name string, g attachedGroup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[name] = g
}

func (l *lately) get(name string) (attachedGroup, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, ok := l.at[name]
	return g, ok
}

// errNeverSeen says that a group has not been looked at yet.
var errNeverSeen = errors.New("the group has not been looked at yet")

// glance reads who is healthy in the target groups of a group: one call each.
func (c *Client) glance(ctx context.Context, name string) (rollout.Snapshot, error) {
	s := rollout.Snapshot{At: c.o.Clock.Now(), Glanced: true, TargetsSeen: true}
	last, ok := c.lately.get(name)
	if !ok {
		return s, errNeverSeen
	}
	s.Group = last.group
	at := map[string]int{}
	for _, arn := range last.targets {
		out, err := c.o.ELB.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn)}, c.readsELB()...)
		if err != nil {
			return s, fmt.Errorf("read target health of %s for group %s: %w", targetGroupName(arn), name, err)
		}
		for _, d := range out.TargetHealthDescriptions {
			if d.Target == nil || d.TargetHealth == nil {
				continue
			}
			id := aws.ToString(d.Target.Id)
			i, seen := at[id]
			if !seen {
				i = len(s.Members)
				at[id] = i
				s.Members = append(s.Members, rollout.Member{ID: id})
			}
			s.Members[i].Targets = append(s.Members[i].Targets, target(arn, d))
		}
	}
	return s, nil
}
