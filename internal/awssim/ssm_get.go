package awssim

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func getParameter(w *World, in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	ref := strings.TrimSpace(deref(in.Name))
	if ref == "" {
		return nil, ssmConstraint("", "name", "Member must have length greater than or equal to 1")
	}
	p, v, err := w.findParameter(ref)
	if err != nil {
		return nil, err
	}
	out := w.paramAnswer(p, v, selectorOf(ref), in.WithDecryption)
	return &ssm.GetParameterOutput{Parameter: &out}, nil
}

func getParameters(w *World, in *ssm.GetParametersInput) (*ssm.GetParametersOutput, error) {
	if n := len(in.Names); n < 1 || n > 10 {
		return nil, ssmConstraint("["+strings.Join(in.Names, ", ")+"]", "names", "Member must have length between 1 and 10")
	}
	out := &ssm.GetParametersOutput{Parameters: []types.Parameter{}, InvalidParameters: []string{}}
	for i, ref := range in.Names {
		if slices.Contains(in.Names[:i], ref) {
			return nil, notValid("Duplicate parameter names found in the request: " + ref)
		}
		p, v, err := w.findParameter(ref)
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, ref)
			continue
		}
		out.Parameters = append(out.Parameters, w.paramAnswer(p, v, selectorOf(ref), in.WithDecryption))
	}
	return out, nil
}

func getParametersByPath(w *World, in *ssm.GetParametersByPathInput) (*ssm.GetParametersByPathOutput, error) {
	path := deref(in.Path)
	if !strings.HasPrefix(path, "/") || !paramLetter.MatchString(path) || strings.Contains(path, "//") {
		return nil, notValid(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". ` +
			`It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). ` +
			`Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`)
	}
	if len(in.ParameterFilters) > 0 {
		return nil, paramError("InvalidFilterKey", "The simulator does not model filters for GetParametersByPath.")
	}
	var names []string
	for _, name := range w.scattered() {
		if underPath(w.ssm.parameters[name].name, path, deref(in.Recursive)) {
			names = append(names, name)
		}
	}
	names, next, err := paramPage(names, in.NextToken, in.MaxResults, 10)
	if err != nil {
		return nil, err
	}
	out := &ssm.GetParametersByPathOutput{Parameters: []types.Parameter{}, NextToken: next}
	for _, name := range names {
		p := w.ssm.parameters[name]
		out.Parameters = append(out.Parameters, w.paramAnswer(p, p.latest(), "", in.WithDecryption))
	}
	return out, nil
}

// underPath reports whether a name lies below a path, directly or at any depth.
// Names without slashes lie below none but the root.
func underPath(name, path string, recursive bool) bool {
	rest, ok := strings.CutPrefix(normalName(name), strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

func getParameterHistory(w *World, in *ssm.GetParameterHistoryInput) (*ssm.GetParameterHistoryOutput, error) {
	p := w.ssm.parameters[normalName(deref(in.Name))]
	if p == nil {
		return nil, paramError("ParameterNotFound", "")
	}
	if in.NextToken != nil {
		return nil, paramError("InvalidNextToken", "The specified token isn't valid.") // there is one page only
	}
	out := &ssm.GetParameterHistoryOutput{Parameters: []types.ParameterHistory{}}
	for i := range p.versions {
		v := &p.versions[i]
		a := w.paramAnswer(p, v, "", in.WithDecryption)
		out.Parameters = append(out.Parameters, types.ParameterHistory{
			Name: a.Name, Type: v.kind, DataType: a.DataType, Value: a.Value, Version: v.number, Tier: p.tier,
			LastModifiedDate: ptr(v.at), LastModifiedUser: ptr(w.callerARN()), Labels: []string{}, Policies: []types.ParameterInlinePolicy{},
		})
	}
	return out, nil
}

func describeParameters(w *World, in *ssm.DescribeParametersInput) (*ssm.DescribeParametersOutput, error) {
	if len(in.Filters) > 0 || deref(in.Shared) {
		return nil, paramError("InvalidFilterKey", "The simulator models ParameterFilters of unshared parameters only.")
	}
	var names []string
	for _, name := range w.scattered() {
		ok, err := matchesFilters(w.ssm.parameters[name], in.ParameterFilters)
		if err != nil {
			return nil, err
		}
		if ok && !strings.HasPrefix(name, "/aws/") {
			names = append(names, name)
		}
	}
	names, next, err := paramPage(names, in.NextToken, in.MaxResults, 50)
	if err != nil {
		return nil, err
	}
	out := &ssm.DescribeParametersOutput{Parameters: []types.ParameterMetadata{}, NextToken: next}
	for _, name := range names {
		p := w.ssm.parameters[name]
		v := p.latest()
		m := types.ParameterMetadata{
			ARN: ptr(w.paramARN(p.name)), Name: ptr(p.name), Type: v.kind, DataType: ptr(v.dataType), Tier: p.tier,
			Version: v.number, LastModifiedDate: ptr(v.at), LastModifiedUser: ptr(w.callerARN()), Policies: []types.ParameterInlinePolicy{},
		}
		for to, value := range map[**string]string{&m.Description: v.description, &m.AllowedPattern: v.pattern, &m.KeyId: v.keyID} {
			if value != "" {
				*to = ptr(value)
			}
		}
		out.Parameters = append(out.Parameters, m)
	}
	return out, nil
}

// matchesFilters applies the filters Name, Path, Type, Tier, DataType and tag:KEY.
func matchesFilters(p *parameter, filters []types.ParameterStringFilter) (bool, *Error) {
	for _, f := range filters {
		key, option := deref(f.Key), deref(f.Option)
		var got string
		switch tag, isTag := strings.CutPrefix(key, "tag:"); {
		case isTag:
			got = p.tags[tag]
		case key == "Name", key == "Path":
			got = p.name
		case key == "Type":
			got = string(p.latest().kind)
		case key == "Tier":
			got = string(p.tier)
		case key == "DataType":
			got = p.latest().dataType
		default:
			return false, paramError("InvalidFilterKey", "The specified key isn't valid: "+key)
		}
		match, ok := map[string]func(want string) bool{
			"": func(want string) bool {
				return key == "Path" && underPath(got, want, false) || key != "Path" && got == want
			},
			"Equals":     func(want string) bool { return got == want },
			"BeginsWith": func(want string) bool { return strings.HasPrefix(got, want) },
			"Contains":   func(want string) bool { return strings.Contains(got, want) },
			"OneLevel":   func(want string) bool { return underPath(got, want, false) },
			"Recursive":  func(want string) bool { return underPath(got, want, true) },
		}[option]
		isPath := option == "OneLevel" || option == "Recursive"
		if !ok || option != "" && isPath != (key == "Path") {
			return false, paramError("InvalidFilterOption", "The following filter option is not valid: "+option+". Valid options for this filter depend on its key.")
		}
		if !slices.ContainsFunc(f.Values, match) {
			return false, nil
		}
	}
	return true, nil
}

// tagged finds the parameter whose tags a request is about.
func (w *World) tagged(kind types.ResourceTypeForTagging, id *string) (*parameter, *Error) {
	if kind != types.ResourceTypeForTaggingParameter {
		return nil, paramError("InvalidResourceType", "The resource type is not valid. The simulator models Parameter only.")
	}
	p := w.ssm.parameters[normalName(deref(id))]
	if p == nil {
		return nil, paramError("InvalidResourceId", "The resource ID is not valid. Verify that you entered the correct ID and try again.")
	}
	return p, nil
}

func addTagsToResource(w *World, in *ssm.AddTagsToResourceInput) (*ssm.AddTagsToResourceOutput, error) {
	p, err := w.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		p.tags[deref(t.Key)] = deref(t.Value)
	}
	return &ssm.AddTagsToResourceOutput{}, nil
}

func removeTagsFromResource(w *World, in *ssm.RemoveTagsFromResourceInput) (*ssm.RemoveTagsFromResourceOutput, error) {
	p, err := w.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(p.tags, key)
	}
	return &ssm.RemoveTagsFromResourceOutput{}, nil
}

func listTagsForResource(w *World, in *ssm.ListTagsForResourceInput) (*ssm.ListTagsForResourceOutput, error) {
	p, err := w.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	out := &ssm.ListTagsForResourceOutput{TagList: []types.Tag{}}
	for k, v := range p.tags {
		out.TagList = append(out.TagList, types.Tag{Key: ptr(k), Value: ptr(v)})
	}
	slices.SortFunc(out.TagList, func(a, b types.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return out, nil
}
