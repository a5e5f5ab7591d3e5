package image

import (
	"fmt"
	"time"
)

// AgeDays is how many whole days old an image is.
func (i Image) AgeDays(now time.Time) int64 { return int64(now.Sub(i.CreatedAt) / (24 * time.Hour)) }

// SupersededSince is since when there has been an acceptable image that is
// newer than this one, which itself need not be acceptable. The zero time: there
// is none.
func (c Choice) SupersededSince(i Image, sort Sort) time.Time {
	var since time.Time
	for _, newer := range sort.newestFirst(append([]Image{i}, c.Acceptable...)) {
		if newer.ID == i.ID {
			break
		}
		// By version, the newer one may be the older file.
		at := newer.CreatedAt
		if at.Before(i.CreatedAt) {
			at = i.CreatedAt
		}
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	return since
}

// Words says for people what an image is, how old it is and since when there is
// a newer one.
func (c Choice) Words(i Image, rule Rule) string {
	text := fmt.Sprintf("%s (%s, %s old", i.ID, i.Name, Span(rule.Now.Sub(i.CreatedAt)))
	if since := c.SupersededSince(i, rule.Sort); !since.IsZero() {
		text += ", superseded since " + since.UTC().Format(time.DateOnly)
	}
	return text + ")"
}
