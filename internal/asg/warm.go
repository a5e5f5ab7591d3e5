package asg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// warmPool reads the members of a group's warm pool.
func (c *Client) warmPool(ctx context.Context, g astypes.AutoScalingGroup) ([]rollout.Member, error) {
	pool := g
	var err error
	if pool.Instances, err = c.describeWarm(ctx, aws.ToString(g.AutoScalingGroupName)); err != nil {
		return nil, err
	}
	members, err := c.members(ctx, pool)
	for i, m := range members {
		members[i].State = warmState(m.StateText)
	}
	return members, err
}

func (c *Client) describeWarm(ctx context.Context, group string) ([]astypes.Instance, error) {
	var out []astypes.Instance
	in := &autoscaling.DescribeWarmPoolInput{AutoScalingGroupName: aws.String(group)}
	for {
		page, err := c.o.AutoScaling.DescribeWarmPool(ctx, in, c.reads()...)
		if err != nil {
			return nil, fmt.Errorf("read the warm pool of group %s: %w", group, err)
		}
		out = append(out, page.Instances...)
		if in.NextToken = page.NextToken; aws.ToString(in.NextToken) == "" {
			return out, nil
		}
	}
}

// warmState is the state of a member within its warm pool.
func warmState(text string) rollout.Lifecycle {
	switch state := strings.TrimPrefix(text, "Warmed:"); {
	case slices.Contains([]string{"Stopped", "Running", "Hibernated"}, state):
		return rollout.InService
	case strings.HasPrefix(state, "Terminat"):
		return rollout.Terminating
	}
	return rollout.Pending
}

// endWarm ends members of a warm pool, which only EC2 can. Its call does not
// know of pools, so the pool is read right before: who was drawn from it since is
// left alone.
func (c *Client) endWarm(ctx context.Context, group string, s rollout.Step) error {
	pool, err := c.describeWarm(ctx, group)
	if err != nil {
		return err
	}
	var ids []string
	for _, i := range pool {
		if id := aws.ToString(i.InstanceId); slices.Contains(s.Members, id) && warmState(string(i.LifecycleState)) != rollout.Terminating {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err = c.o.EC2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids}, onceEC2)
	if code(err) == "InvalidInstanceID.NotFound" {
		return &knownError{rollout.Again, text(err)} // one is gone since; EC2 has ended none
	}
	return err
}
