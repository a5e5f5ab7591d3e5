package provider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// numbers is a set of version numbers as text, such as "1-4,7": what fits into
// private state of templates with thousands of versions.
type numbers string

// mostRuns bounds the text to about 250 bytes. The newest numbers are kept:
// nobody compares with a version of years ago.
const mostRuns = 20

// pack makes the text of ascending numbers.
func pack(list []int64) numbers {
	var runs []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		run := strconv.FormatInt(list[i], 10)
		if j > i {
			run = fmt.Sprintf("%d-%d", list[i], list[j])
		}
		runs = append(runs, run)
		i = j + 1
	}
	return numbers(strings.Join(runs[max(0, len(runs)-mostRuns):], ","))
}

// has tells whether a version, as text, is in the set.
func (n numbers) has(version string) bool {
	want, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n == "" {
		return false
	}
	return slices.ContainsFunc(strings.Split(string(n), ","), func(run string) bool {
		first, last, ok := strings.Cut(run, "-")
		if !ok {
			last = first
		}
		from, err1 := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(last, 10, 64)
		return err1 == nil && err2 == nil && from <= want && want <= to
	})
}

// isNumber tells whether a version is a plain number.
func isNumber(version string) bool {
	n, err := strconv.ParseInt(version, 10, 64)
	return err == nil && n > 0
}
