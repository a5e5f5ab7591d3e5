package image

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Ban keeps an image, and every copy of it, from being rolled to by any
// template. Somebody decided so; that is what tells it from a [Quarantine]. It
// is kept as JSON at [BanPath] in the journal's documents.
type Ban struct {
	Image  string    `json:"image"`
	Reason string    `json:"reason"`         // for people
	Until  time.Time `json:"until,omitzero"` // when it ends by itself; zero: never
	// Cleared: lifted. The document stays, because Parameter Store does not take
	// a deleted name again for half a minute.
	Cleared bool `json:"cleared,omitempty"`
}

// HeldRoot is the directory that bans and quarantines are kept in, so that what
// may keep a roll from an image is read at once.
const HeldRoot = "held"

// BanRoot is the directory that all bans are kept in.
const BanRoot = HeldRoot + "/bans"

// BanPath is the path of the ban of one image.
func BanPath(imageID string) string { return BanRoot + "/" + imageID }

// Active tells whether the ban holds at now. The zero value does not.
func (b Ban) Active(now time.Time) bool {
	return b.Image != "" && !b.Cleared && (b.Until.IsZero() || now.Before(b.Until))
}

// Why says for people that the image is banned, until when and what for. id is
// the image in question: the banned one or a copy of it.
func (b Ban) Why(id string) string {
	subject := id + " is"
	if id != b.Image {
		subject = fmt.Sprintf("%s is a copy of %s, which is", id, b.Image)
	}
	until := ""
	if !b.Until.IsZero() {
		until = " until " + b.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	return fmt.Sprintf("%s banned%s: %s", subject, until, strings.TrimRight(b.Reason, ". \n"))
}

// Bans are the active bans of a fleet, and where copies come from.
type Bans struct {
	Active []Ban
	// Origins has for each image those it is a copy of, nearest first: the image
	// it was copied from, what that was copied from, and so on. An image that is
	// no copy, or of which nothing is known, need not be in it.
	Origins map[string][]string
}

// Of finds the ban that an image falls under: its own, or else that of the
// nearest image it is a copy of. A copy holds the same bits, so it has the same
// fault; an image that was built on top of another is not a copy.
func (b Bans) Of(id string) (ban Ban, banned bool) {
	for _, candidate := range append([]string{id}, b.Origins[id]...) {
		n := slices.IndexFunc(b.Active, func(ban Ban) bool { return ban.Image == candidate })
		if n >= 0 {
			return b.Active[n], true
		}
	}
	return Ban{}, false
}

// Why says why an image must not be used now; empty: it may.
func (b Bans) Why(id string) string {
	ban, banned := b.Of(id)
	if !banned {
		return ""
	}
	return ban.Why(id)
}

// Origins follows every image to what it was copied from, and that on to where
// no source is known. sources has an image's immediate source; a circle, which
// AWS cannot have, ends where it closes.
func Origins(sources map[string]string) map[string][]string {
	out := make(map[string][]string, len(sources))
	for id := range sources {
		var chain []string
		for at := sources[id]; at != "" && at != id && !slices.Contains(chain, at); at = sources[at] {
			chain = append(chain, at)
		}
		if len(chain) > 0 {
			out[id] = chain
		}
	}
	return out
}

// StillBanned keeps the bans that hold at now.
func StillBanned(all []Ban, now time.Time) []Ban {
	return slices.DeleteFunc(slices.Clone(all), func(b Ban) bool { return !b.Active(now) })
}

// Cure says for people what to do about a ban.
func (b Ban) Cure() string {
	return fmt.Sprintf("Use another image, or lift the ban by destroying the refit_image_quarantine of %s.", b.Image)
}
