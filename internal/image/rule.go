package image

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Rule says what makes an image acceptable, beyond what AWS was asked to find.
// The zero value takes any image that is available.
type Rule struct {
	// Owners are account ids, "self" and AWS's aliases; empty: anybody.
	Owners []string
	// Account is the own account, for "self"; empty: not known, so AWS is
	// trusted with it.
	Account string
	// Parameter is AWS's public parameter that named the image; empty: none
	// did. What it names must be of AWS or of a provider that AWS has verified.
	Parameter string
	// Name is what names must match; nil: any.
	Name *regexp.Regexp
	// Exclude are ids and names, in which * stands for any text and ? for one
	// character, of images that are never taken.
	Exclude []string
	// MinAge and MaxAge are how old an image must and may be; zero: any age.
	MinAge, MaxAge time.Duration
	// InUse is an image that MinAge does not hold back any more, because the
	// template has it already; empty: none.
	InUse string
	// Sort says what is newest.
	Sort Sort

	// Originals are wanted: no copy that Refit made is taken.
	Originals bool

	// InstanceType is used in messages only; empty: unknown.
	InstanceType string
	// Architectures, BootModes and RootTypes are what the template's instance
	// type runs, in AWS's words; empty: any.
	Architectures, BootModes, RootTypes []string
	// RootDevices are the names in the template's block device mappings that
	// are meant for the root; empty: none is.
	RootDevices []string

	// Deprecated images are taken as well.
	Deprecated bool
	// Now is the instant that ages and deprecation are judged at.
	Now time.Time
}

// Problem says in a few words why one image is not acceptable; empty: it is.
func (r Rule) Problem(i Image) string {
	for _, c := range r.conditions() {
		if why := c.problem(i); why != "" {
			return why
		}
	}
	return ""
}

// Chosen is the rule for an image that somebody named: its age, its name and
// whether it is excluded are no matter, and neither is deprecation. Whose it is
// and whether it can run stay.
func (r Rule) Chosen() Rule {
	r.Name, r.Exclude, r.MinAge, r.MaxAge, r.Sort, r.Deprecated = nil, nil, 0, 0, Sort{}, true
	return r
}

type condition struct {
	text    string
	problem func(Image) string // empty: it is met
}

// conditions are in the order that tells people most: whose it is, what it is,
// whether it runs, and last what was wished for.
func (r Rule) conditions() []condition {
	fits := "the instance type"
	if r.InstanceType != "" {
		fits = "instance type " + r.InstanceType
	}
	architecture := "architecture"
	if len(r.Architectures) > 0 {
		architecture = fmt.Sprintf("architecture %s of %s", strings.Join(r.Architectures, " or "), fits)
	}
	name := ""
	if r.Name != nil {
		name = fmt.Sprintf("name_regex %q", r.Name)
	}
	excluded := globs(r.Exclude)
	return []condition{
		{"owner " + strings.Join(r.Owners, " or "), r.owner},
		{"public parameter of AWS", r.public},
		{"original", r.original},
		{"state available", state},
		{"not deprecated", r.deprecated},
		{architecture, func(i Image) string { return r.architecture(i, fits) }},
		{"boot mode of " + fits, func(i Image) string { return r.bootMode(i, fits) }},
		{"root device of the template", func(i Image) string { return r.root(i, fits) }},
		{name, r.named},
		{"version in the name", func(i Image) string { return r.Sort.problem(i) }},
		{"exclude", func(i Image) string { return exclude(i, excluded) }},
		{"min_age " + Span(r.MinAge), r.young},
		{"max_age " + Span(r.MaxAge), r.old},
	}
}

func (r Rule) owner(i Image) string {
	for _, o := range r.Owners {
		switch {
		case o == i.Owner, o == i.Alias && o != "":
			return ""
		case o == "self" && (r.Account == i.Owner || r.Account == ""):
			return ""
		}
	}
	if len(r.Owners) == 0 {
		return ""
	}
	who := "account " + i.Owner
	if i.Alias != "" {
		who += " (" + i.Alias + ")"
	}
	return fmt.Sprintf("is of %s, not of %s", who, strings.Join(r.Owners, " or "))
}

// marketplace is where the parameters of the AWS Marketplace are.
const marketplace = "/aws/service/marketplace/"

func (r Rule) public(i Image) string {
	want := "amazon"
	if strings.HasPrefix(r.Parameter, marketplace) {
		want = "aws-marketplace"
	}
	if r.Parameter == "" || i.Alias == want {
		return ""
	}
	return fmt.Sprintf("is named by AWS's parameter %s, but is of account %s and not of %s", r.Parameter, i.Owner, want)
}

func (r Rule) original(i Image) string {
	if !r.Originals || !i.MadeByRefit() {
		return ""
	}
	return "is a copy that Refit made of " + i.SourceID
}

func state(i Image) string {
	if i.State == Available {
		return ""
	}
	return fmt.Sprintf("is %q, not available", i.State)
}

func (r Rule) deprecated(i Image) string {
	if r.Deprecated || i.DeprecatedAt.IsZero() || r.Now.Before(i.DeprecatedAt) {
		return ""
	}
	return "deprecated since " + i.DeprecatedAt.UTC().Format(time.DateOnly)
}

func (r Rule) architecture(i Image, fits string) string {
	if len(r.Architectures) == 0 || slices.Contains(r.Architectures, i.Architecture) {
		return ""
	}
	return fmt.Sprintf("is for %s, but %s runs %s", i.Architecture, fits, strings.Join(r.Architectures, ", "))
}

// bootMode: an image without one starts by whatever is the type's default, and
// uefi-preferred starts either way.
func (r Rule) bootMode(i Image, fits string) string {
	if len(r.BootModes) == 0 || i.BootMode == "" || i.BootMode == "uefi-preferred" || slices.Contains(r.BootModes, i.BootMode) {
		return ""
	}
	return fmt.Sprintf("boots by %s, but %s by %s", i.BootMode, fits, strings.Join(r.BootModes, ", "))
}

func (r Rule) root(i Image, fits string) string {
	switch {
	case len(r.RootTypes) > 0 && i.RootType != "" && !slices.Contains(r.RootTypes, i.RootType):
		return fmt.Sprintf("has a root device of type %s, but %s takes %s", i.RootType, fits, strings.Join(r.RootTypes, ", "))
	case len(r.RootDevices) > 0 && i.RootDevice != "" && !slices.Contains(r.RootDevices, i.RootDevice):
		return fmt.Sprintf("has root device %s, but the template's block device mappings are for %s", i.RootDevice, strings.Join(r.RootDevices, ", "))
	}
	return ""
}

func (r Rule) named(i Image) string {
	if r.Name == nil || r.Name.MatchString(i.Name) {
		return ""
	}
	return "name does not match name_regex"
}

func (r Rule) young(i Image) string {
	age := r.Now.Sub(i.CreatedAt)
	if r.MinAge <= 0 || age >= r.MinAge || i.ID == r.InUse {
		return ""
	}
	return fmt.Sprintf("is %s old, min_age is %s", Span(age), Span(r.MinAge))
}

func (r Rule) old(i Image) string {
	age := r.Now.Sub(i.CreatedAt)
	if r.MaxAge <= 0 || age <= r.MaxAge {
		return ""
	}
	return fmt.Sprintf("is %s old, max_age is %s", Span(age), Span(r.MaxAge))
}

// glob is one element of exclude.
type glob struct {
	text    string
	pattern *regexp.Regexp
}

func globs(list []string) []glob {
	out := make([]glob, len(list))
	for n, text := range list {
		p := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(text))
		out[n] = glob{text, regexp.MustCompile(`(?s)^` + p + `$`)}
	}
	return out
}

func exclude(i Image, list []glob) string {
	for _, g := range list {
		if g.text == i.ID || g.pattern.MatchString(i.Name) {
			return fmt.Sprintf("excluded by %q", g.text)
		}
	}
	return ""
}

// Span words a time for people: whole days from two days on, hours and minutes
// below.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0, d >= 10*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*day:
		return fmt.Sprintf("%d days %d h", d/day, d%day/time.Hour)
	case d >= time.Hour && d%time.Hour < time.Minute:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
}
