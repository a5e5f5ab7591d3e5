// Package image is the rule of which machine image is the newest acceptable
// one, and why others were not.
//
// It owns the order of images, the conditions an image must meet, what was
// removed by which condition, and the automatic quarantine. It is pure: values
// in, values out. It must not call AWS or read a clock, and it imports nothing
// but the standard library.
package image

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Image is a machine image as far as the choice cares.
type Image struct {
	ID           string
	Name         string
	Owner        string // account id
	Architecture string // AWS's word: x86_64, arm64, i386, …
	State        string // AWS's word: available, pending, failed, deregistered, disabled, …
	CreatedAt    time.Time
	DeprecatedAt time.Time // zero: never
}

// Available is AWS's word for an image that instances can be launched from.
const Available = "available"

// Rule says what makes an image acceptable, beyond what AWS was asked to find.
type Rule struct {
	// Architectures are those the template's instance type runs; empty: any.
	Architectures []string
	// InstanceType is used in messages only; empty: unknown.
	InstanceType string
	// Now is the instant deprecation is judged at.
	Now time.Time
}

// Removal is how many images one condition took away, in the order the
// conditions were applied.
type Removal struct {
	Condition string // for people, such as `name "golden-*"`
	Count     int
	// AtLeast: more may have been taken away than were counted.
	AtLeast bool
}

// Choice is the outcome of [Choose].
type Choice struct {
	// Acceptable are the images that meet every condition, newest first.
	Acceptable []Image
	Removed    []Removal // conditions that removed nothing are left out
}

// Newest is the newest acceptable image; ok is false when there is none.
func (c Choice) Newest() (i Image, ok bool) {
	if len(c.Acceptable) == 0 {
		return Image{}, false
	}
	return c.Acceptable[0], true
}

// Choose applies the rule to the candidates. The result does not depend on
// their order: two images of the same instant are ordered by id.
func Choose(candidates []Image, rule Rule) Choice {
	var c Choice
	rest := candidates
	for _, condition := range rule.conditions() {
		kept := make([]Image, 0, len(rest))
		for _, i := range rest {
			if condition.met(i) {
				kept = append(kept, i)
			}
		}
		if n := len(rest) - len(kept); n > 0 {
			c.Removed = append(c.Removed, Removal{Condition: condition.text, Count: n})
		}
		rest = kept
	}
	c.Acceptable = slices.SortedFunc(slices.Values(rest), newestFirst)
	return c
}

// Problem says in a few words why one image is not acceptable; empty: it is.
func (r Rule) Problem(i Image) string {
	switch {
	case i.State != Available:
		return fmt.Sprintf("is %q, not available", i.State)
	case !r.runs(i):
		return fmt.Sprintf("is for %s, but instance type %s runs %s", i.Architecture, r.InstanceType, strings.Join(r.Architectures, ", "))
	default:
		return ""
	}
}

type condition struct {
	text string
	met  func(Image) bool
}

func (r Rule) conditions() []condition {
	architecture := "architecture"
	if len(r.Architectures) > 0 {
		architecture = fmt.Sprintf("architecture %s of instance type %s", strings.Join(r.Architectures, " or "), r.InstanceType)
	}
	return []condition{
		{"state available", func(i Image) bool { return i.State == Available }},
		{"not deprecated", func(i Image) bool { return i.DeprecatedAt.IsZero() || r.Now.Before(i.DeprecatedAt) }},
		{architecture, r.runs},
	}
}

func (r Rule) runs(i Image) bool {
	return len(r.Architectures) == 0 || slices.Contains(r.Architectures, i.Architecture)
}

func newestFirst(a, b Image) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	return cmp.Compare(b.ID, a.ID)
}

// Explain says for people how many images each condition removed, such as
// `of 12 images: name "golden-*" removed 9, state available removed 3`. total
// is how many there were before the first removal.
func Explain(total int, removed []Removal) string {
	if total == 0 {
		return "there are no images of these owners that this identity can see"
	}
	parts := make([]string, 0, len(removed))
	more := ""
	for _, r := range removed {
		least := ""
		if r.AtLeast {
			least, more = "at least ", "at least "
		}
		parts = append(parts, fmt.Sprintf("%s removed %s%d", r.Condition, least, r.Count))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("of %s%d images none was removed", more, total)
	}
	return fmt.Sprintf("of %s%d %s: %s", more, total, plural(total, "image"), strings.Join(parts, ", "))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
