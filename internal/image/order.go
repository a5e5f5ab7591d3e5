package image

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Sort says which of two images is newer. The zero value goes by the date of
// creation.
type Sort struct {
	// Pattern captures a version from the name, by its groups, the first of
	// which counts most; nil: by date.
	Pattern *regexp.Regexp
}

var number = regexp.MustCompile(`[0-9]+`)

// version is the numbers of a name, without leading zeros; nil: it has none.
type version []string

// of gives the numbers that the groups capture. A group may hold several, such
// as 1.10.2; one that took part in no match counts as lower than zero.
func (s Sort) of(name string) version {
	m := s.Pattern.FindStringSubmatchIndex(name)
	if m == nil {
		return nil
	}
	out := version{}
	found := false
	for g := 1; g < len(m)/2; g++ {
		if m[2*g] < 0 {
			out = append(out, "")
			continue
		}
		for _, n := range number.FindAllString(name[m[2*g]:m[2*g+1]], -1) {
			n = strings.TrimLeft(n, "0")
			if n == "" {
				n = "0"
			}
			out, found = append(out, n), true
		}
	}
	if !found {
		return nil
	}
	return out
}

// compare goes by numbers of any length, "" being lower than all; of two
// versions of which one begins with the other, the longer is the newer.
func (v version) compare(o version) int {
	return slices.CompareFunc(v, o, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
}

func (s Sort) problem(i Image) string {
	if s.Pattern == nil || s.of(i.Name) != nil {
		return ""
	}
	return "name has no version that the pattern of sort captures"
}

// newestFirst gives the images in order. Those without a version come last.
func (s Sort) newestFirst(images []Image) []Image {
	type keyed struct {
		at  int
		key version
	}
	list := make([]keyed, len(images))
	for n := range images {
		list[n].at = n
		if s.Pattern != nil {
			list[n].key = s.of(images[n].Name)
		}
	}
	slices.SortFunc(list, func(x, y keyed) int {
		a, b := &images[x.at], &images[y.at]
		return cmp.Or(y.key.compare(x.key), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	out := make([]Image, len(images))
	for n, k := range list {
		out[n] = images[k.at]
	}
	return out
}

// Pattern compiles a regular expression that people wrote. An error says what
// is wrong and where.
func Pattern(text string) (*regexp.Regexp, error) {
	p, err := regexp.Compile(text)
	if err == nil {
		return p, nil
	}
	var wrong *syntax.Error
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("%q is not a regular expression of Go (RE2): %s: %q", text, wrong.Code, wrong.Expr)
	}
	return nil, fmt.Errorf("%q is not a regular expression of Go (RE2): %w", text, err)
}

// VersionPattern is [Pattern] for [Sort]: it must capture something.
func VersionPattern(text string) (*regexp.Regexp, error) {
	p, err := Pattern(text)
	if err == nil && p.NumSubexp() == 0 {
		err = fmt.Errorf(`%q captures nothing; put the numbers of the version into groups, as in "-v([0-9]+)\\.([0-9]+)$"`, text)
	}
	return p, err
}
