package asg

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// remembered is how long EC2 tells of an instance that has ended.
const remembered = time.Hour

// interruptions finds out which of the members that Auto Scaling found ended
// were Spot Instances that EC2 took: the activity tells of a failed health check
// only. It asks once a member, and not at all without permission.
func (c *Client) interruptions(ctx context.Context, s *rollout.Snapshot, endedAt map[string]time.Time) error {
	var ids []string
	for id, d := range s.Departures {
		why, known := c.versions.tookSpot(id)
		switch {
		case d.Wanted || !strings.Contains(d.Text, "terminated or stopped"):
		case known && why != "":
			s.Departures[id] = rollout.Departure{Text: why, Wanted: true}
		case !known && s.At.Sub(endedAt[id]) < remembered:
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for some := range slices.Chunk(ids, mostInstances) {
		out, err := c.o.EC2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{
			Filters: []ec2types.Filter{{Name: aws.String("instance-id"), Values: some}},
		}, c.readsEC2()...)
		if Denied(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read why members of group %s ended: %w", s.Group.Name, err)
		}
		for _, r := range out.Reservations {
			for _, i := range r.Instances {
				id, why := aws.ToString(i.InstanceId), ""
				if reason := i.StateReason; reason != nil && strings.HasPrefix(aws.ToString(reason.Code), "Server.SpotInstance") {
					why = "EC2 took the Spot Instance back: " + aws.ToString(reason.Message)
					s.Departures[id] = rollout.Departure{Text: why, Wanted: true}
				}
				c.versions.tellSpot(id, why)
			}
		}
	}
	return nil
}

// tookSpot says why EC2 took an instance, empty when it did not, if that is known.
func (v *versionCache) tookSpot(id string) (why string, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	why, known = v.taken[id]
	return why, known
}

func (v *versionCache) tellSpot(id, why string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.taken[id] = why
}
