package image

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The tags that Refit gives to the copies it makes, and to their snapshots.
const (
	// TagCopy has the client token that the copy was asked for with. It tells
	// one attempt from another.
	TagCopy = "refit:copy"
	// TagOriginal has the region and id of the image that was copied.
	TagOriginal = "refit:original"
	// TagEncryption has what was wished for: none, default, or the key.
	TagEncryption = "refit:encryption"
	// TagTemplate has the launch template that the copy was made for.
	TagTemplate = "refit:launch-template"
	// TagPrefix is what no other tag of a copy may begin with.
	TagPrefix = "refit:"
)

// Copying says what copies of a template's images have to be.
type Copying struct {
	Region    string // where the originals are; never empty
	Encrypted bool
	// Key is the KMS key as it was written: id, alias or ARN. Empty: with
	// Encrypted the default key of EBS.
	Key string
}

// encryption is the wish as a tag says it.
func (c Copying) encryption() string {
	switch {
	case !c.Encrypted:
		return "none"
	case c.Key == "":
		return "default"
	}
	return c.Key
}

// Tags are those of a copy that is made of an image for a template. more are
// given to it beside them.
func (c Copying) Tags(original Image, template, token string, more map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range more {
		out[k] = v
	}
	out[TagCopy], out[TagOriginal] = token, c.Region+"/"+original.ID
	out[TagEncryption], out[TagTemplate] = c.encryption(), template
	return out
}

// MadeByRefit tells whether Refit made an image by copying. Tags alone do not
// tell, because a copy of a copy may have them too: AWS has to name the same
// original.
func (i Image) MadeByRefit() bool {
	return i.Tags[TagCopy] != "" && i.SourceID != "" && i.Tags[TagOriginal] == i.SourceRegion+"/"+i.SourceID
}

// CopyOf finds among images of the own account and region the copy of an
// image that is to be used: one that is available before one that is pending,
// then the one that is in use already, empty for none, and then the newest. Another
// copy holds the same, so that it is no reason for a roll. Copies that somebody else made count as well, unless a
// certain key is wished for, which AWS does not name. ok is false when a copy
// has to be made.
func (c Copying) CopyOf(original Image, all []Image, inUse string) (found Image, ok bool) {
	for _, i := range all {
		if c.isCopy(i, original) && (!ok || better(i, found, inUse)) {
			found, ok = i, true
		}
	}
	return found, ok
}

// Copies are the ids of the images that CopyOf chooses from.
func (c Copying) Copies(original Image, all []Image) []string {
	var ids []string
	for _, i := range all {
		if c.isCopy(i, original) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// Pending is AWS's word for an image that is not complete yet.
const Pending = "pending"

func (c Copying) isCopy(i, original Image) bool {
	if i.SourceID != original.ID || i.SourceRegion != c.Region || i.State != Available && i.State != Pending {
		return false
	}
	switch {
	case i.MadeByRefit():
		return i.Tags[TagEncryption] == c.encryption()
	case c.Key != "":
		return false
	}
	return i.Encrypted == (c.Encrypted || original.Encrypted)
}

func better(a, b Image, inUse string) bool {
	switch {
	case (a.State == Available) != (b.State == Available):
		return a.State == Available
	case a.ID == inUse || b.ID == inUse:
		return a.ID == inUse
	}
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID)) > 0
}

// PruneCopies chooses of all images of the own account and region the copies
// to delete: those that Refit made for the template, but for the newest keep
// and those in use. A keep of 0 keeps all. Copies that failed can never be used,
// so they always go and count for nothing; those that are pending stay.
func PruneCopies(all []Image, template string, keep int, used map[string]bool) []Image {
	var out, good []Image
	for _, i := range all {
		if !i.MadeByRefit() || i.Tags[TagTemplate] != template {
			continue
		}
		switch i.State {
		case "failed", "error", "invalid":
			out = append(out, i)
		case Pending:
		default:
			good = append(good, i)
		}
	}
	if keep > 0 {
		slices.SortFunc(good, func(a, b Image) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
		})
		for _, i := range good[min(len(good), keep):] {
			if !used[i.ID] {
				out = append(out, i)
			}
		}
	}
	slices.SortFunc(out, func(a, b Image) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// BackTo are the images that a parameter holds and may be led back to: of those
// that it has held, newest first, all down to the newest but one that is not held
// back.
func BackTo(history []string, held func(id string) bool) []string {
	for n, id := range history {
		if n > 0 && !held(id) {
			return history[:n+1]
		}
	}
	return history
}

// Took is how long a copy took.
type Took struct {
	SizeGiB int
	Time    time.Duration
}

// Words says for people what will be copied, how, and roughly how long that
// takes. last is the template's last copy; the zero value: none is known of. Of
// one that was smaller or larger, the time is taken to grow with the size.
func (c Copying) Words(original Image, last Took) string {
	how := ""
	switch c.encryption() {
	case "none":
	case "default":
		how = ", encrypted with the default key of EBS"
	default:
		how = ", encrypted with " + c.Key
	}
	text := fmt.Sprintf("%s (%s, %d GiB) is copied from %s%s. ", original.ID, original.Name, original.SizeGiB, c.Region, how)
	if last.Time <= 0 || last.SizeGiB <= 0 || original.SizeGiB <= 0 {
		return text + "AWS promises no time for that: some GiB take minutes, hundreds of GiB may take hours."
	}
	about := last.Time * time.Duration(original.SizeGiB) / time.Duration(last.SizeGiB)
	return text + fmt.Sprintf("That takes roughly %s, going by the last copy (%d GiB in %s).",
		Span(max(about, time.Minute)), last.SizeGiB, Span(max(last.Time, time.Minute)))
}
