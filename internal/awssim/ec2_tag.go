package awssim

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func ec2TagOperations() map[string]operation {
	return map[string]operation{
		"CreateTags":   ec2Op(createTags),
		"DeleteTags":   ec2Op(deleteTags),
		"DescribeTags": ec2Op(describeTags),
	}
}

// maxTags is how many tags a resource can have, not counting those of AWS.
const maxTags = 50

// taggable says, per id prefix, the resource type's name, the error code of an
// unknown id, and whether an id exists.
var taggable = map[string]struct {
	kind, notFound string
	exists         func(e *ec2State, id string) bool
}{
	"ami":    {"image", "InvalidAMIID.NotFound", func(e *ec2State, id string) bool { return e.images[id] != nil }},
	"snap":   {"snapshot", "InvalidSnapshot.NotFound", func(e *ec2State, id string) bool { return e.snapshots[id] != nil }},
	"lt":     {"launch-template", "InvalidLaunchTemplateId.NotFound", func(e *ec2State, id string) bool { return e.templates[id] != nil }},
	"i":      {"instance", "InvalidInstanceID.NotFound", func(e *ec2State, id string) bool { return e.instances[id] != nil }},
	"vpc":    {"vpc", "InvalidVpcID.NotFound", func(e *ec2State, id string) bool { return e.vpcs[id] != nil }},
	"subnet": {"subnet", "InvalidSubnetID.NotFound", func(e *ec2State, id string) bool { return e.subnets[id] != nil }},
	"sg":     {"security-group", "InvalidGroup.NotFound", func(e *ec2State, id string) bool { return e.groups[id] != nil }},
	"sgr":    {"security-group-rule", "InvalidSecurityGroupRuleId.NotFound", func(e *ec2State, id string) bool { return e.rule(id) != nil }},
	"igw":    {"internet-gateway", "InvalidInternetGatewayID.NotFound", func(e *ec2State, id string) bool { return e.gateways[id] != nil }},
	"rtb":    {"route-table", "InvalidRouteTableID.NotFound", func(e *ec2State, id string) bool { return e.routeTables[id] != nil }},
	"acl":    {"network-acl", "InvalidNetworkAclID.NotFound", func(e *ec2State, id string) bool { return e.networkACLs[id] != nil }},
}

func prefixOf(id string) string {
	p, _, _ := strings.Cut(id, "-")
	return p
}

func (w *World) checkTaggable(ids []string) error {
	for _, id := range ids {
		t, known := taggable[prefixOf(id)]
		if !known {
			return ec2Err("InvalidID", "The ID '%s' is not valid", id)
		}
		if !t.exists(w.ec2, id) {
			return ec2Err(t.notFound, "The %s ID '%s' does not exist", t.kind, id)
		}
	}
	return nil
}

func createTags(w *World, in *ec2.CreateTagsInput) (*ec2.CreateTagsOutput, error) {
	if len(in.Resources) == 0 {
		return nil, missingParameter("resourceIdSet")
	}
	if len(in.Tags) == 0 {
		return nil, missingParameter("tagSet")
	}
	if err := w.checkTaggable(in.Resources); err != nil {
		return nil, err
	}
	add, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	for _, id := range in.Resources {
		if err := w.setTags(id, add); err != nil {
			return nil, err
		}
	}
	return &ec2.CreateTagsOutput{}, nil
}

// tagMap checks tags a caller sent. A key may not come twice nor be AWS's own.
func tagMap(tags []types.Tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range tags {
		key := deref(t.Key)
		_, twice := out[key]
		switch {
		case key == "":
			return nil, ec2Err("InvalidParameterValue", "Tag key cannot be empty")
		case twice:
			return nil, ec2Err("InvalidParameterValue", "Duplicate tag key '%s' specified.", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, ec2Err("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case len(key) > 128 || len(deref(t.Value)) > 256:
			return nil, ec2Err("InvalidParameterValue", "Tag '%s' is too long: a key has at most 128 characters, a value 256.", key)
		}
		out[key] = deref(t.Value)
	}
	return out, nil
}

// setTags adds tags to a resource. The old map stays as it was, so that
// snapshots of the past may share it.
func (w *World) setTags(id string, add map[string]string) error {
	tags := maps.Clone(w.ec2.tags[id])
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, add)
	own := 0
	for k := range tags {
		if !strings.HasPrefix(k, "aws:") {
			own++
		}
	}
	if own > maxTags {
		return ec2Err("TagLimitExceeded", "More than %d tags specified", maxTags)
	}
	w.ec2.tags[id] = tags
	return nil
}

// tagNew tags a resource that is being made, from the specifications for its
// kind. One for another kind is refused.
func (w *World) tagNew(id, kind string, specs []types.TagSpecification) error {
	for _, s := range specs {
		if string(s.ResourceType) != kind {
			return ec2Err("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation.", s.ResourceType)
		}
		add, err := tagMap(s.Tags)
		if err != nil {
			return err
		}
		if err := w.setTags(id, add); err != nil {
			return err
		}
	}
	return nil
}

// tagsOf lists a resource's tags in the order of their keys.
func (w *World) tagsOf(id string) []types.Tag {
	var out []types.Tag
	tags := w.ec2.tags[id]
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, types.Tag{Key: &k, Value: ptr(tags[k])})
	}
	return out
}

func deleteTags(w *World, in *ec2.DeleteTagsInput) (*ec2.DeleteTagsOutput, error) {
	if len(in.Resources) == 0 {
		return nil, missingParameter("resourceIdSet")
	}
	if err := w.checkTaggable(in.Resources); err != nil {
		return nil, err
	}
	for _, id := range in.Resources {
		tags := maps.Clone(w.ec2.tags[id])
		maps.DeleteFunc(tags, func(k, v string) bool {
			if len(in.Tags) == 0 {
				return !strings.HasPrefix(k, "aws:")
			}
			return slices.ContainsFunc(in.Tags, func(t types.Tag) bool {
				return deref(t.Key) == k && (t.Value == nil || *t.Value == v)
			})
		})
		w.ec2.tags[id] = tags
	}
	return &ec2.DeleteTagsOutput{}, nil
}

func describeTags(w *World, in *ec2.DescribeTagsInput) (*ec2.DescribeTagsOutput, error) {
	var all []types.TagDescription
	for _, id := range slices.Sorted(maps.Keys(w.ec2.tags)) {
		kind := types.ResourceType(taggable[prefixOf(id)].kind)
		for _, t := range w.tagsOf(id) {
			all = append(all, types.TagDescription{ResourceId: &id, ResourceType: kind, Key: t.Key, Value: t.Value})
		}
	}
	all, err := ec2Select(w, all, in.Filters, func(t types.TagDescription) string { return *t.ResourceId },
		resourceFilters[types.TagDescription]{
			"key":           func(t types.TagDescription) []string { return one(*t.Key) },
			"value":         func(t types.TagDescription) []string { return []string{*t.Value} },
			"resource-id":   func(t types.TagDescription) []string { return one(*t.ResourceId) },
			"resource-type": func(t types.TagDescription) []string { return one(string(t.ResourceType)) },
		})
	if err != nil {
		return nil, err
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeTagsOutput{Tags: append([]types.TagDescription{}, all...), NextToken: next}, nil
}
