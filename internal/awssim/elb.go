package awssim

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// elbState is everything Elastic Load Balancing knows, by ARN.
type elbState struct {
	targetGroups map[string]*targetGroup
	balancers    map[string]*loadBalancer
	classics     map[string]*classicBalancer // by name
	listeners    map[string]*listener
	// registered leads from a target's id to the ARNs of its target groups.
	registered map[string][]string
	turn       int                          // which target a load balancer's next request goes to
	tags       map[string]map[string]string // the inner maps are replaced, never changed
}

func init() {
	operations := byVersion(elbOperations(), classicOperations())
	s := queryService("http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", operations)
	older := queryService("http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/", operations)
	newer := s
	s.answer = func(c *Call, out any) (rawResponse, error) {
		if isClassic(c) {
			return older.answer(c, out)
		}
		return newer.answer(c, out)
	}
	s.fail = func(c *Call, e *Error) rawResponse {
		if isClassic(c) {
			return older.fail(c, e)
		}
		return newer.fail(c, e)
	}
	s.setup = func(w *World) {
		w.elb = &elbState{
			classics: map[string]*classicBalancer{}, targetGroups: map[string]*targetGroup{}, balancers: map[string]*loadBalancer{},
			listeners: map[string]*listener{}, tags: map[string]map[string]string{}, registered: map[string][]string{},
		}
	}
	s.snapshot = snapshotELB
	register("elasticloadbalancing", s)
}

// snapshotELB copies the target groups with the states of their targets; the
// rest changes only when somebody changes it.
func snapshotELB(w *World) func() func() {
	past := *w.elb
	past.targetGroups = copies(past.targetGroups)
	for _, g := range past.targetGroups {
		g.targets = copies(g.targets)
	}
	past.classics = copies(past.classics)
	for _, b := range past.classics {
		b.pool = ptr(*b.pool)
		b.pool.targets = copies(b.pool.targets)
	}
	past.balancers, past.listeners = maps.Clone(past.balancers), maps.Clone(past.listeners)
	past.tags = maps.Clone(past.tags)
	return func() func() {
		present := w.elb
		w.elb = &past
		return func() { w.elb = present }
	}
}

func elbOperations() map[string]operation {
	return map[string]operation{
		"CreateTargetGroup":              typed(createTargetGroup),
		"DescribeTargetGroups":           typed(describeTargetGroups),
		"ModifyTargetGroup":              typed(modifyTargetGroup),
		"DeleteTargetGroup":              typed(deleteTargetGroup),
		"DescribeTargetGroupAttributes":  typed(describeTargetGroupAttributes),
		"ModifyTargetGroupAttributes":    typed(modifyTargetGroupAttributes),
		"RegisterTargets":                typed(registerTargets),
		"DeregisterTargets":              typed(deregisterTargets),
		"DescribeTargetHealth":           typed(describeTargetHealth),
		"CreateLoadBalancer":             typed(createLoadBalancer),
		"DescribeLoadBalancers":          typed(describeLoadBalancers),
		"DeleteLoadBalancer":             typed(deleteLoadBalancer),
		"DescribeLoadBalancerAttributes": typed(describeLoadBalancerAttributes),
		"ModifyLoadBalancerAttributes":   typed(modifyLoadBalancerAttributes),
		"SetSecurityGroups":              typed(setSecurityGroups),
		"SetSubnets":                     typed(setSubnets),
		"DescribeCapacityReservation":    typed(describeCapacityReservation),
		"CreateListener":                 typed(createListener),
		"DescribeListeners":              typed(describeListeners),
		"ModifyListener":                 typed(modifyListener),
		"DeleteListener":                 typed(deleteListener),
		"DescribeListenerAttributes":     typed(describeListenerAttributes),
		"ModifyListenerAttributes":       typed(modifyListenerAttributes),
		"DescribeRules":                  typed(describeRules),
		"AddTags":                        typed(elbAddTags),
		"RemoveTags":                     typed(elbRemoveTags),
		"DescribeTags":                   typed(elbDescribeTags),
		"DescribeAccountLimits":          typed(elbAccountLimits),
	}
}

// elbErr is an ELB client error.
func elbErr(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func elbMissing(name string) error {
	return elbErr("ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", lowerFirst(name))
}

// elbARN makes the ARN of a new resource; path is what comes before its id.
func (w *World) elbARN(path string) string {
	id := w.newID("x")
	return "arn:aws:elasticloadbalancing:" + w.region + ":" + w.account + ":" + path + "/" + id[len(id)-16:]
}

// elbPage cuts one page; ELB's pages hold 400 at most and by default.
func elbPage[T any](all []T, size *int32, marker *string) ([]T, *string, error) {
	n := int32(400)
	if size != nil {
		n = *size
	}
	if n < 1 || n > 400 {
		return nil, nil, elbErr("ValidationError", "1 validation error detected: Value '%d' at 'pageSize' failed to satisfy constraint: Member must have value between 1 and 400", n)
	}
	start := 0
	if deref(marker) != "" {
		raw, err := base64.StdEncoding.DecodeString(*marker)
		if err == nil {
			start, err = strconv.Atoi(strings.TrimPrefix(string(raw), "elb-page-"))
		}
		if err != nil || start < 0 {
			return nil, nil, elbErr("ValidationError", "Invalid marker '%s'", *marker)
		}
	}
	start = min(start, len(all))
	end := min(start+int(n), len(all))
	if end == len(all) {
		return all[start:end], nil, nil
	}
	next := base64.StdEncoding.EncodeToString([]byte("elb-page-" + strconv.Itoa(end)))
	return all[start:end], &next, nil
}

// notFoundOf is the error for an ARN that leads nowhere, by what it names.
func notFoundOf(arn string) error {
	switch {
	case strings.Contains(arn, ":targetgroup/"):
		return elbErr("TargetGroupNotFound", "One or more target groups not found")
	case strings.Contains(arn, ":loadbalancer/"):
		return elbErr("LoadBalancerNotFound", "One or more load balancers not found")
	case strings.Contains(arn, ":listener/"):
		return elbErr("ListenerNotFound", "One or more listeners not found")
	}
	return elbErr("ValidationError", "'%s' is not a valid ARN", arn)
}

func (w *World) elbExists(arn string) bool {
	return w.elb.targetGroups[arn] != nil || w.elb.balancers[arn] != nil || w.elb.listeners[arn] != nil
}

func elbTagMap(tags []types.Tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range tags {
		key := deref(t.Key)
		if _, twice := out[key]; twice {
			return nil, elbErr("DuplicateTagKeys", "Duplicate tag key '%s'", key)
		}
		if key == "" || strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, elbErr("ValidationError", "Tag key '%s' is not valid", key)
		}
		out[key] = deref(t.Value)
	}
	if len(out) > maxTags {
		return nil, elbErr("TooManyTags", "A resource can have at most %d tags", maxTags)
	}
	return out, nil
}

func elbAddTags(w *World, in *elb.AddTagsInput) (*elb.AddTagsOutput, error) {
	add, err := elbTagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	for _, arn := range in.ResourceArns {
		if !w.elbExists(arn) {
			return nil, notFoundOf(arn)
		}
	}
	for _, arn := range in.ResourceArns {
		tags := maps.Clone(w.elb.tags[arn])
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, add)
		if len(tags) > maxTags {
			return nil, elbErr("TooManyTags", "A resource can have at most %d tags", maxTags)
		}
		w.elb.tags[arn] = tags
	}
	return &elb.AddTagsOutput{}, nil
}

func elbRemoveTags(w *World, in *elb.RemoveTagsInput) (*elb.RemoveTagsOutput, error) {
	for _, arn := range in.ResourceArns {
		if !w.elbExists(arn) {
			return nil, notFoundOf(arn)
		}
		tags := maps.Clone(w.elb.tags[arn])
		maps.DeleteFunc(tags, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
		w.elb.tags[arn] = tags
	}
	return &elb.RemoveTagsOutput{}, nil
}

func elbDescribeTags(w *World, in *elb.DescribeTagsInput) (*elb.DescribeTagsOutput, error) {
	if len(in.ResourceArns) == 0 || len(in.ResourceArns) > 20 {
		return nil, elbErr("ValidationError", "Between 1 and 20 resource ARNs must be specified")
	}
	out := &elb.DescribeTagsOutput{TagDescriptions: []types.TagDescription{}}
	for _, arn := range in.ResourceArns {
		if !w.elbExists(arn) {
			return nil, notFoundOf(arn)
		}
		d := types.TagDescription{ResourceArn: &arn, Tags: []types.Tag{}}
		for _, k := range slices.Sorted(maps.Keys(w.elb.tags[arn])) {
			d.Tags = append(d.Tags, types.Tag{Key: &k, Value: ptr(w.elb.tags[arn][k])})
		}
		out.TagDescriptions = append(out.TagDescriptions, d)
	}
	return out, nil
}

func elbAccountLimits(_ *World, _ *elb.DescribeAccountLimitsInput) (*elb.DescribeAccountLimitsOutput, error) {
	return &elb.DescribeAccountLimitsOutput{Limits: []types.Limit{
		{Name: ptr("target-groups"), Max: ptr("3000")},
		{Name: ptr("targets-per-application-load-balancer"), Max: ptr("1000")},
		{Name: ptr("application-load-balancers"), Max: ptr("50")},
		{Name: ptr("network-load-balancers"), Max: ptr("50")},
	}}, nil
}
