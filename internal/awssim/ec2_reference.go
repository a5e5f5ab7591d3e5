package awssim

import (
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// defaultDepth is how many of a template's newest versions are looked at for
// references where the request does not say.
const defaultDepth = 10

// referenceScope is what a request for references looks at.
type referenceScope struct {
	instances, templates, parameters bool
	states                           []string // of instances; none: all
	depth                            int
}

// describeImageReferences tells what of this account names images. Image
// Builder does not exist here, so nothing of it does.
func describeImageReferences(w *World, in *ec2.DescribeImageReferencesInput) (*ec2.DescribeImageReferencesOutput, error) {
	if len(in.ImageIds) == 0 {
		return nil, missingParameter("ImageId")
	}
	if len(in.ImageIds) > 10 {
		return nil, ec2Err("InvalidParameterValue", "The request must contain at most 10 image IDs.")
	}
	scope, err := scopeOf(in)
	if err != nil {
		return nil, err
	}
	var all []types.ImageReference
	add := func(id string, kind types.ImageReferenceResourceType, arn string) {
		if slices.Contains(in.ImageIds, id) {
			all = append(all, types.ImageReference{Arn: &arn, ImageId: &id, ResourceType: kind})
		}
	}
	if scope.instances {
		for _, i := range byID(w.ec2.instances) {
			if len(scope.states) == 0 || slices.Contains(scope.states, i.state) {
				add(i.imageID, types.ImageReferenceResourceTypeEc2Instance, w.ec2ARN("instance", i.id))
			}
		}
	}
	if scope.templates {
		for _, t := range byID(w.ec2.templates) {
			numbers := slices.Sorted(maps.Keys(t.versions))
			named := map[string]bool{}
			for _, n := range numbers[max(0, len(numbers)-scope.depth):] {
				named[t.versions[n].data.ImageID] = true
			}
			for _, id := range slices.Sorted(maps.Keys(named)) {
				add(id, types.ImageReferenceResourceTypeEc2LaunchTemplate, w.ec2ARN("launch-template", t.id))
			}
		}
	}
	if scope.parameters {
		for _, name := range slices.Sorted(maps.Keys(w.ssm.parameters)) {
			if p := w.ssm.parameters[name]; p.latest().dataType == "aws:ec2:image" {
				add(p.latest().value, types.ImageReferenceResourceTypeSsmParameter, w.paramARN(p.name))
			}
		}
	}
	all, next, err := ec2Page(all, ec2Paging{max: in.MaxResults, token: in.NextToken, min: 5, limit: 1000})
	if err != nil {
		return nil, err
	}
	return &ec2.DescribeImageReferencesOutput{ImageReferences: append([]types.ImageReference{}, all...), NextToken: next}, nil
}

func scopeOf(in *ec2.DescribeImageReferencesInput) (referenceScope, error) {
	every := deref(in.IncludeAllResourceTypes)
	s := referenceScope{instances: every, templates: every, parameters: every, depth: defaultDepth}
	if !every && len(in.ResourceTypes) == 0 {
		return s, ec2Err("MissingParameter", "Either IncludeAllResourceTypes or ResourceTypes must be specified.")
	}
	for _, r := range in.ResourceTypes {
		switch r.ResourceType {
		case types.ImageReferenceResourceTypeEc2Instance:
			s.instances = true
		case types.ImageReferenceResourceTypeEc2LaunchTemplate:
			s.templates = true
		case types.ImageReferenceResourceTypeSsmParameter:
			s.parameters = true
		case types.ImageReferenceResourceTypeImageBuilderImageRecipe, types.ImageReferenceResourceTypeImageBuilderContainerRecipe:
		default:
			return s, ec2Err("InvalidParameterValue", "Value (%s) for parameter ResourceType is invalid.", r.ResourceType)
		}
		for _, o := range r.ResourceTypeOptions {
			if err := s.set(r.ResourceType, o); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// set applies an option of a resource type.
func (s *referenceScope) set(kind types.ImageReferenceResourceType, o types.ResourceTypeOption) error {
	switch {
	case kind == types.ImageReferenceResourceTypeEc2Instance && o.OptionName == types.ImageReferenceOptionNameStateName:
		s.states = o.OptionValues
		return nil
	case kind == types.ImageReferenceResourceTypeEc2LaunchTemplate && o.OptionName == types.ImageReferenceOptionNameVersionDepth && len(o.OptionValues) == 1:
		n, err := strconv.Atoi(o.OptionValues[0])
		if err == nil && n >= 1 && n <= 10000 {
			s.depth = n
			return nil
		}
	}
	return ec2Err("InvalidParameterValue", "Option %s with value %v is not valid for %s.", o.OptionName, o.OptionValues, kind)
}
