package calendar

import (
	"maps"
	"slices"
)

// Selector picks groups by their tags. A key with the value "*" is met by any
// value; no tag of AWS can have that one.
type Selector struct {
	Everything bool                `json:"everything,omitempty"` // every group
	All        map[string][]string `json:"all,omitempty"`        // each key has one of its values
	Any        map[string][]string `json:"any,omitempty"`        // at least one key has one of its values
	None       map[string][]string `json:"none,omitempty"`       // no key has one of its values
}

// IsEmpty tells whether the selector says nothing at all.
func (s Selector) IsEmpty() bool {
	return !s.Everything && len(s.All)+len(s.Any)+len(s.None) == 0
}

// Matches tells whether a group with these tags is picked. An empty selector
// picks none.
func (s Selector) Matches(tags map[string]string) bool {
	if s.IsEmpty() {
		return false
	}
	for key, values := range s.None {
		if has(tags, key, values) {
			return false
		}
	}
	for key, values := range s.All {
		if !has(tags, key, values) {
			return false
		}
	}
	for key, values := range s.Any {
		if has(tags, key, values) {
			return true
		}
	}
	return len(s.Any) == 0
}

func has(tags map[string]string, key string, values []string) bool {
	value, there := tags[key]
	return there && (slices.Contains(values, "*") || slices.Contains(values, value))
}

// check finds what is wrong with a selector that has to pick something.
func (s Selector) check() []Problem {
	if s.IsEmpty() {
		return []Problem{invalid(nil, "the selector is empty; give all, any or none, each with tags and their values, or everything = true.")}
	}
	var problems []Problem
	if s.Everything && len(s.All)+len(s.Any)+len(s.None) > 0 {
		problems = append(problems, invalid([]string{"everything"}, "everything is true beside other conditions; leave one or the other out."))
	}
	for _, part := range []struct {
		name string
		tags map[string][]string
	}{{"all", s.All}, {"any", s.Any}, {"none", s.None}} {
		for _, key := range slices.Sorted(maps.Keys(part.tags)) {
			if len(part.tags[key]) == 0 {
				problems = append(problems, invalid([]string{part.name, key}, `%s has no values for the tag %s; give at least one, or "*" for any.`, part.name, key))
			}
			if key == "" {
				problems = append(problems, invalid([]string{part.name}, "%s has a tag without a key; give the key of a tag.", part.name))
			}
		}
	}
	return problems
}

// canonical sorts values, so that equal selectors have equal documents.
func (s Selector) canonical() Selector {
	sorted := func(tags map[string][]string) map[string][]string {
		if len(tags) == 0 {
			return nil
		}
		out := make(map[string][]string, len(tags))
		for key, values := range tags {
			out[key] = slices.Compact(slices.Sorted(slices.Values(values)))
		}
		return out
	}
	return Selector{Everything: s.Everything, All: sorted(s.All), Any: sorted(s.Any), None: sorted(s.None)}
}
