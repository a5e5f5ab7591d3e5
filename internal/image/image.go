// Package image is the rule of which machine image is the newest acceptable
// one, and why others were not.
//
// It owns the order of images, the conditions an image must meet, what was
// removed by which condition, and the automatic quarantine. It is pure: values
// in, values out. It must not call AWS or read a clock, and it imports nothing
// but the standard library.
package image

import (
	"fmt"
	"strings"
	"time"
)

// Image is a machine image as far as the choice cares.
type Image struct {
	ID           string
	Name         string
	Owner        string   // account id
	Alias        string   // AWS's name of the owner: amazon, aws-marketplace, aws-backup-vault; empty: none
	Architecture string   // AWS's word: x86_64, arm64, i386, …
	State        string   // AWS's word: available, pending, failed, deregistered, disabled, …
	Reason       string   // AWS's text on the state; mostly empty
	BootMode     string   // AWS's word: uefi, legacy-bios, uefi-preferred; empty: whatever the instance type does by default
	RootDevice   string   // name, such as /dev/xvda
	RootType     string   // AWS's word: ebs, instance-store; empty: unknown
	Encrypted    bool     // some volume of it is
	Snapshots    []string // ids; of its volumes
	Disallowed   bool     // the account's Allowed AMIs setting, in audit mode, says that it would not be allowed
	CreatedAt    time.Time
	DeprecatedAt time.Time // zero: never
	Tags         map[string]string
	SizeGiB      int // of its volumes together; 0: unknown
	// SourceID and SourceRegion are what it was copied from; empty: it is no
	// copy, or AWS does not tell.
	SourceID, SourceRegion string
	// Via is the owner of the original, where this stands for a copy of it.
	Via string
}

// Available is AWS's word for an image that instances can be launched from.
const Available = "available"

// Removal is how many images one condition took away, in the order the
// conditions were applied.
type Removal struct {
	Condition string // for people, such as `name "golden-*"`
	Count     int
	// AtLeast: more may have been taken away than were counted.
	AtLeast bool
}

// Verdict is one candidate with the reason why it is not acceptable.
type Verdict struct {
	Image Image
	Why   string // in a few words; empty: it is acceptable
}

// Choice is the outcome of [Choose].
type Choice struct {
	// Acceptable are the images that meet every condition, newest first.
	Acceptable []Image
	Removed    []Removal // conditions that removed nothing are left out
	// Verdicts are all candidates, newest first.
	Verdicts []Verdict
}

// Newest is the newest acceptable image; ok is false when there is none.
func (c Choice) Newest() (i Image, ok bool) {
	if len(c.Acceptable) == 0 {
		return Image{}, false
	}
	return c.Acceptable[0], true
}

// Choose applies the rule to the candidates. The result does not depend on
// their order, and an image that is in them twice, as happens where AWS's list
// changes between two pages, counts once. What is newest is up to the rule's
// [Sort]; two images that it holds equal are ordered by id.
func Choose(candidates []Image, rule Rule) Choice {
	conditions := rule.conditions()
	counts := make([]int, len(conditions))
	c := Choice{Verdicts: make([]Verdict, 0, len(candidates))}
	for _, i := range rule.Sort.newestFirst(candidates) {
		if n := len(c.Verdicts); n > 0 && c.Verdicts[n-1].Image.ID == i.ID {
			continue
		}
		v := Verdict{Image: i}
		for n, condition := range conditions {
			if v.Why = condition.problem(i); v.Why != "" {
				counts[n]++
				break
			}
		}
		if v.Why == "" {
			c.Acceptable = append(c.Acceptable, i)
		}
		c.Verdicts = append(c.Verdicts, v)
	}
	for n, condition := range conditions {
		if counts[n] > 0 {
			c.Removed = append(c.Removed, Removal{Condition: condition.text, Count: counts[n]})
		}
	}
	return c
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

const (
	// mostRows bounds the table, and mostName a name in it.
	mostRows = 12
	mostName = 48
)

// Table is a text for people: the newest candidates, which of them is chosen,
// and why each of the others is not. Every line is indented, so that Terraform
// does not wrap it. held says for images that are acceptable as such why they
// must not be used now; chosen may be empty.
func (c Choice) Table(chosen string, held map[string]string) string {
	if len(c.Verdicts) == 0 {
		return ""
	}
	type row struct{ mark, id, name, created, why string }
	rows := []row{{"", "IMAGE", "NAME", "CREATED", ""}}
	for _, v := range c.Verdicts[:min(len(c.Verdicts), mostRows)] {
		r := row{"", v.Image.ID, clip(v.Image.Name, mostName), v.Image.CreatedAt.UTC().Format("2006-01-02 15:04"), v.Why}
		switch {
		case v.Image.ID == chosen:
			r.mark, r.why = ">", "chosen"
		case r.why == "" && held[v.Image.ID] != "":
			r.why = held[v.Image.ID]
		case r.why == "":
			r.why = "acceptable, but not the newest"
		}
		rows = append(rows, r)
	}
	id, name := 0, 0
	for _, r := range rows {
		id, name = max(id, len(r.id)), max(name, len([]rune(r.name)))
	}
	var b strings.Builder
	for _, r := range rows {
		line := fmt.Sprintf("%3s %-*s  %-*s  %-16s  %s", r.mark, id, r.id, name, r.name, r.created, r.why)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if more := len(c.Verdicts) - mostRows; more > 0 {
		fmt.Fprintf(&b, "    and %d older %s\n", more, plural(more, "image"))
	}
	return b.String()
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
