package calendar

import (
	"slices"
	"strings"
)

// Nearest is the known word that was most likely meant, compared without case;
// empty when none is near: at most a third of its letters wrong, and never
// more than three. Among equals the first in the alphabet.
func Nearest(word string, known []string) string {
	word = strings.ToLower(word)
	best, least := "", 4
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(word, strings.ToLower(k)); d < least && 3*d <= max(len(word), len(k)) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, drop, replace or swap with their
// neighbour to make a word of another.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64 // nobody meant that
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

// meant words a suggestion as a question, with a space in front; empty for
// none.
func meant(word string) string {
	if word == "" {
		return ""
	}
	return ` Did you mean "` + word + `"?`
}

// oneOf lists words: `"a", "b" or "c"`.
func oneOf(words []string) string { return list(words, "or") }

// allOf lists words: `"a", "b" and "c"`.
func allOf(words []string) string { return list(words, "and") }

func list(words []string, with string) string {
	quoted := make([]string, len(words))
	for n, w := range words {
		quoted[n] = `"` + w + `"`
	}
	switch len(quoted) {
	case 0:
		return "nothing"
	case 1:
		return quoted[0]
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " " + with + " " + quoted[len(quoted)-1]
}
