package asg

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// usableFor is how long an image that could be launched is not asked for again.
const usableFor = 5 * time.Minute

// usability is what was found of an image: why it cannot be launched, empty
// when it can.
type usability struct {
	why string
	at  time.Time
}

// images finds out whether the members' images could be launched again, in one
// call at most. Without the permission to look, it stays unknown: that is no
// reason not to roll.
func (c *Client) images(ctx context.Context, s *rollout.Snapshot) error {
	now := c.o.Clock.Now()
	s.Unusable = map[string]string{}
	var ids []string
	for _, m := range s.Members {
		// A parameter ("resolve:ssm:…") in place of an id means another image each day.
		if strings.HasPrefix(m.Version.Image, "ami-") && !slices.Contains(ids, m.Version.Image) {
			ids = append(ids, m.Version.Image)
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool {
		c.versions.mu.Lock()
		defer c.versions.mu.Unlock()
		seen, ok := c.versions.usable[id]
		if ok = ok && now.Sub(seen.at) < usableFor; ok && seen.why != "" {
			s.Unusable[id] = seen.why
		}
		return ok
	})
	if len(ids) == 0 {
		s.ImagesSeen = true
		return nil
	}
	slices.Sort(ids)
	// By a filter, because one id that is gone would fail the others.
	out, err := c.o.EC2.DescribeImages(ctx, &ec2.DescribeImagesInput{
		Filters:           []ec2types.Filter{{Name: aws.String("image-id"), Values: ids}},
		IncludeDeprecated: aws.Bool(true), IncludeDisabled: aws.Bool(true),
	}, c.readsEC2()...)
	if Denied(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the images of group %s: %w", s.Group.Name, err)
	}
	c.versions.mu.Lock()
	defer c.versions.mu.Unlock()
	for _, id := range ids {
		why := "is deregistered, or not shared with this account any more"
		for _, i := range out.Images {
			if aws.ToString(i.ImageId) == id {
				why = state(i.State)
			}
		}
		c.versions.usable[id] = usability{why, now}
		if why != "" {
			s.Unusable[id] = why
		}
	}
	s.ImagesSeen = true
	return nil
}

// state says why an image in a state cannot be launched, empty when it can.
func state(s ec2types.ImageState) string {
	if s == ec2types.ImageStateAvailable {
		return ""
	}
	return "is " + string(s)
}

// recentFor is how long a description of a group serves to resolve a version
// for it: the observation and what its target means should be of one moment.
const recentFor = 10 * time.Second

// recentTemplates are the launch templates of groups described just now.
type recentTemplates struct {
	mu sync.Mutex
	at map[string]heldTemplate
}

type heldTemplate struct {
	spec *astypes.LaunchTemplateSpecification
	at   time.Time
}

func (r *recentTemplates) put(name string, g astypes.AutoScalingGroup, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[name] = heldTemplate{template(g), now}
}

func (r *recentTemplates) get(name string, now time.Time) (*astypes.LaunchTemplateSpecification, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held, ok := r.at[name]
	return held.spec, ok && now.Sub(held.at) <= recentFor
}
