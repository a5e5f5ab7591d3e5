package awssim

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	tagResource  = "auto-scaling-group"
	maxGroupTags = 50
)

// setTag puts a tag on a group, which keeps them in order of their keys.
func (g *group) setTag(t types.Tag) error {
	key := aws.ToString(t.Key)
	switch {
	case key == "" || len(key) > 128:
		return invalid("1 validation error detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length between 1 and 128")
	case len(aws.ToString(t.Value)) > 256:
		return invalid("1 validation error detected: Value at 'tags.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 256")
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return invalid("Tag keys starting with 'aws:' are reserved for internal use.")
	}
	d := types.TagDescription{
		Key: t.Key, Value: aws.String(aws.ToString(t.Value)), ResourceId: g.as.AutoScalingGroupName,
		ResourceType: aws.String(tagResource), PropagateAtLaunch: aws.Bool(aws.ToBool(t.PropagateAtLaunch)),
	}
	at, found := slices.BinarySearchFunc(g.tags, key, func(d types.TagDescription, key string) int { return strings.Compare(*d.Key, key) })
	if found {
		g.tags[at] = d
		return nil
	}
	if len(g.tags) >= maxGroupTags {
		return &Error{Code: "LimitExceeded", Message: "An AutoScalingGroup may have at most 50 tags."}
	}
	g.tags = slices.Insert(g.tags, at, d)
	return nil
}

// taggedGroup is the group that a tag of a request is for.
func (w *World) taggedGroup(t types.Tag) (*group, error) {
	if aws.ToString(t.ResourceType) != tagResource {
		return nil, invalidf("Invalid resource type '%s'. Valid resource types are [auto-scaling-group].", aws.ToString(t.ResourceType))
	}
	return w.findGroup(t.ResourceId)
}

func asgCreateOrUpdateTags(w *World, in *autoscaling.CreateOrUpdateTagsInput) (*autoscaling.CreateOrUpdateTagsOutput, error) {
	for _, t := range in.Tags {
		g, err := w.taggedGroup(t)
		if err != nil {
			return nil, err
		}
		if err := g.setTag(t); err != nil {
			return nil, err
		}
	}
	return &autoscaling.CreateOrUpdateTagsOutput{}, nil
}

func asgDeleteTags(w *World, in *autoscaling.DeleteTagsInput) (*autoscaling.DeleteTagsOutput, error) {
	for _, t := range in.Tags {
		g, err := w.taggedGroup(t)
		if err != nil {
			return nil, err
		}
		g.tags = slices.DeleteFunc(slices.Clone(g.tags), func(d types.TagDescription) bool {
			return *d.Key == aws.ToString(t.Key) && (t.Value == nil || *d.Value == *t.Value)
		})
	}
	return &autoscaling.DeleteTagsOutput{}, nil
}

func asgDescribeTags(w *World, in *autoscaling.DescribeTagsInput) (*autoscaling.DescribeTagsOutput, error) {
	var all []types.TagDescription
	for _, g := range w.sortedGroups() {
		for _, d := range g.tags {
			ok, err := tagMatches(d, in.Filters)
			if err != nil {
				return nil, err
			}
			if ok {
				all = append(all, d)
			}
		}
	}
	page, next, err := paged(all, in.MaxRecords, in.NextToken, pageSize{50, 100})
	if err != nil {
		return nil, err
	}
	return &autoscaling.DescribeTagsOutput{Tags: append([]types.TagDescription{}, page...), NextToken: next}, nil
}

func tagMatches(d types.TagDescription, filters []types.Filter) (bool, error) {
	for _, f := range filters {
		var value string
		switch name := aws.ToString(f.Name); name {
		case "auto-scaling-group":
			value = *d.ResourceId
		case "key":
			value = *d.Key
		case "value":
			value = *d.Value
		case "propagate-at-launch":
			value = "false"
			if *d.PropagateAtLaunch {
				value = "true"
			}
		default:
			return false, invalidf("Invalid filter type: %s. Valid filters are: [auto-scaling-group, key, value, propagate-at-launch]", name)
		}
		if !slices.Contains(f.Values, value) {
			return false, nil
		}
	}
	return true, nil
}

// hasTags says whether a group passes the filters of DescribeAutoScalingGroups:
// all of them, each by any of its values.
func (g *group) hasTags(filters []types.Filter) (bool, error) {
	for _, f := range filters {
		name := aws.ToString(f.Name)
		var match func(d types.TagDescription) bool
		switch key, ofKey := strings.CutPrefix(name, "tag:"); {
		case ofKey:
			match = func(d types.TagDescription) bool { return *d.Key == key && slices.Contains(f.Values, *d.Value) }
		case name == "tag-key":
			match = func(d types.TagDescription) bool { return slices.Contains(f.Values, *d.Key) }
		case name == "tag-value":
			match = func(d types.TagDescription) bool { return slices.Contains(f.Values, *d.Value) }
		default:
			return false, invalidf("Invalid filter type: %s. Valid filters are: [tag-key, tag-value, tag:<key>]", name)
		}
		if !slices.ContainsFunc(g.tags, match) {
			return false, nil
		}
	}
	return true, nil
}
