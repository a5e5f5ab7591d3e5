package awssim

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ec2State is everything EC2 knows. Maps are keyed by resource id.
type ec2State struct {
	images           map[string]*image
	snapshots        map[string]*snapshot
	keys             map[string]*Key // by ARN
	templates        map[string]*template
	templateTokens   map[string]tokenAnswer
	templateVersions int // how many versions a template may have
	instances        map[string]*instance
	allowed          string // the Allowed AMIs setting; "" is disabled
	allowedProviders []string
	copyFaults       []string                     // why the next copies fail
	vcpuLimits       map[string]int               // by market; none means as many as one likes
	hosts            map[string]*instance         // by address and name, of those not terminated
	lastPublic       netip.Addr                   // given out last
	tags             map[string]map[string]string // resource id → key → value

	vpcs           map[string]*vpc
	subnets        map[string]*subnet
	groups         map[string]*securityGroup
	gateways       map[string]*internetGateway
	routeTables    map[string]*routeTable
	networkACLs    map[string]*networkACL
	defaultVPC     string
	defaultSubnets map[string]string // zone → subnet id
}

// newEC2State returns an EC2 with nothing in it; [World.buildDefaultVPC] adds
// what every account starts with.
func newEC2State() *ec2State {
	return &ec2State{
		images:         map[string]*image{},
		snapshots:      map[string]*snapshot{},
		keys:           map[string]*Key{},
		templates:      map[string]*template{},
		templateTokens: map[string]tokenAnswer{}, templateVersions: defaultTemplateVersions,
		instances:      map[string]*instance{},
		hosts:          map[string]*instance{},
		tags:           map[string]map[string]string{},
		vpcs:           map[string]*vpc{},
		subnets:        map[string]*subnet{},
		groups:         map[string]*securityGroup{},
		gateways:       map[string]*internetGateway{},
		routeTables:    map[string]*routeTable{},
		networkACLs:    map[string]*networkACL{},
		defaultSubnets: map[string]string{},
	}
}

// tokenAnswer remembers what a client token asked for and what it got.
type tokenAnswer struct {
	request string // the request in text, to tell a repeat from another request
	result  string
}

// ec2Op makes an operation of a function on SDK structs. Input is decoded from
// the form; DryRun ends a call that would have been allowed.
func ec2Op[I, O any](fn func(w *World, in *I) (*O, error)) operation {
	return func(w *World, c *Call) (any, error) {
		in := new(I)
		var err error
		if c.input != nil {
			in, err = givenInput[I](c)
		} else {
			err = decodeEC2(c.Form, in)
		}
		if err != nil {
			return nil, err
		}
		if dry := reflect.ValueOf(in).Elem().FieldByName("DryRun"); dry.IsValid() && !dry.IsNil() && dry.Elem().Bool() {
			return nil, dryRunOK()
		}
		return fn(w, in)
	}
}

// ec2Operations is every EC2 operation the world answers.
func ec2Operations() map[string]operation {
	out := map[string]operation{}
	for _, part := range []map[string]operation{
		ec2AccountOperations(), ec2ImageOperations(), ec2SnapshotOperations(), ec2TemplateOperations(), ec2InstanceOperations(),
		ec2TagOperations(), ec2VPCOperations(), ec2SubnetOperations(), ec2RouteOperations(), ec2SecurityGroupOperations(),
	} {
		maps.Copy(out, part)
	}
	return out
}

// ec2Err is an EC2 client error.
func ec2Err(code, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

func missingParameter(name string) error {
	return ec2Err("MissingParameter", "The request must contain the parameter %s", name)
}

// resourceFilters maps a filter's name to the values a resource has for it. A
// resource without a value has none, and matches nothing.
type resourceFilters[T any] map[string]func(T) []string

// ec2Select keeps the resources that match every filter, in order. Values may
// hold the wildcards * and ?. The filters tag:KEY, tag-key and tag-value work
// on every resource.
func ec2Select[T any](w *World, all []T, in []types.Filter, id func(T) string, known resourceFilters[T]) ([]T, error) {
	for _, f := range in {
		name := deref(f.Name)
		if _, found := known[name]; !found && !strings.HasPrefix(name, "tag:") && name != "tag-key" && name != "tag-value" {
			return nil, ec2Err("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		if len(f.Values) == 0 {
			return nil, ec2Err("InvalidParameterValue", "The filter '%s' must have at least one value", name)
		}
	}
	var out []T
	for _, r := range all {
		if matchesAll(in, func(name string) []string { return filterValues(w, name, r, id, known) }) {
			out = append(out, r)
		}
	}
	return out, nil
}

func filterValues[T any](w *World, name string, r T, id func(T) string, known resourceFilters[T]) []string {
	if f, found := known[name]; found {
		return f(r)
	}
	tags := w.ec2.tags[id(r)]
	switch name {
	case "tag-key":
		return slices.Collect(maps.Keys(tags))
	case "tag-value":
		return slices.Collect(maps.Values(tags))
	}
	if v, found := tags[strings.TrimPrefix(name, "tag:")]; found {
		return []string{v}
	}
	return nil
}

func matchesAll(filters []types.Filter, values func(name string) []string) bool {
	for _, f := range filters {
		have := values(deref(f.Name))
		if !slices.ContainsFunc(f.Values, func(want string) bool {
			return slices.ContainsFunc(have, func(v string) bool { return matchWildcard(want, v) })
		}) {
			return false
		}
	}
	return true
}

// matchWildcard tells whether s matches a pattern of literals, * and ?; a
// backslash makes the next character a literal. It is case-sensitive.
func matchWildcard(pattern, s string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			pattern = strings.TrimLeft(pattern, "*")
			for i := 0; i <= len(s); i++ {
				if matchWildcard(pattern, s[i:]) {
					return true
				}
			}
			return false
		case s == "":
			return false
		case pattern[0] == '?':
		case pattern[0] == '\\' && len(pattern) > 1:
			pattern = pattern[1:]
			if pattern[0] != s[0] {
				return false
			}
		case pattern[0] != s[0]:
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

// ec2Paging is one call's place in a list.
type ec2Paging struct {
	max   *int32
	token *string
	min   int32 // least maxResults the operation takes
	limit int32 // most, and the page size when none is asked for
	whole bool  // without maxResults, everything comes in one page
}

// ec2Page cuts one page and gives the token of the next.
func ec2Page[T any](all []T, p ec2Paging) ([]T, *string, error) {
	size := len(all)
	if !p.whole {
		size = int(p.limit)
	}
	if p.max != nil {
		if *p.max < p.min || *p.max > p.limit {
			return nil, nil, ec2Err("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value between %d and %d.", *p.max, p.min, p.limit)
		}
		size = int(*p.max)
	}
	start := 0
	if deref(p.token) != "" {
		raw, err := base64.StdEncoding.DecodeString(*p.token)
		if err == nil {
			start, err = strconv.Atoi(strings.TrimPrefix(string(raw), "ec2-page-"))
		}
		if err != nil || start < 0 {
			return nil, nil, ec2Err("InvalidParameterValue", "Unable to parse pagination token")
		}
	}
	start = min(start, len(all))
	end := min(start+size, len(all))
	if end == len(all) {
		return all[start:end], nil, nil
	}
	next := base64.StdEncoding.EncodeToString([]byte("ec2-page-" + strconv.Itoa(end)))
	return all[start:end], &next, nil
}

// byID returns a map's values in the order of their keys, so that answers do
// not depend on the order of a Go map.
func byID[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// chosen returns the resources with the given ids, or all of them when none
// are given. An unknown id is the error that notFound makes of it.
func chosen[T any](m map[string]T, ids []string, notFound func(id string) error) ([]T, error) {
	if len(ids) == 0 {
		return byID(m), nil
	}
	out := make([]T, 0, len(ids))
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		r, found := m[id]
		if !found {
			return nil, notFound(id)
		}
		out = append(out, r)
	}
	return out, nil
}

func sortOrdered[T cmp.Ordered](s []T) { slices.Sort(s) }

// ptr returns a pointer to v, for the SDK's optional members.
func ptr[T any](v T) *T { return &v }

// deref returns what p points at, or the zero value.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// one wraps a value for a filter; an empty string is no value.
func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// yes is a boolean filter value.
func yes(b bool) []string { return []string{strconv.FormatBool(b)} }
