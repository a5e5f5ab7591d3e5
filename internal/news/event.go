// Package news tells others that an image has been taken up: on a topic of SNS
// and on an event bus of EventBridge.
//
// It owns the body of such an event, the calls that send it, and what their
// failures mean. It must not decide when there is something to tell.
package news

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// SchemaVersion is the version of the body. Fields may be added to it; when one
// changes its meaning or goes, the number is raised.
const SchemaVersion = 1

// The types of events.
const (
	VersionMade    = "launch_template_version_made" // a launch template has a new version
	ParameterMoved = "ssm_parameter_moved"          // a parameter has a new image
)

// Event is the body of what is told. docs/guides/images.md is its reference for
// those who receive it.
type Event struct {
	SchemaVersion int    `json:"schema_version"`
	EventType     string `json:"event_type"`
	// EventID is the same for every copy of an event, and for no other.
	EventID   string    `json:"event_id"`
	EventTime time.Time `json:"event_time"` // UTC, whole seconds
	Account   string    `json:"account"`    // empty: unknown
	Region    string    `json:"region"`

	LaunchTemplate LaunchTemplate `json:"launch_template"`
	// Parameter is the one that has the image now; nil: a version was made.
	Parameter     *Parameter `json:"parameter"`
	Image         Image      `json:"image"`
	PreviousImage *Image     `json:"previous_image"` // nil: the source names none, or the parameter is new
	Schedule      *string    `json:"schedule"`
	Environment   *string    `json:"environment"`
	Groups        []Group    `json:"groups"` // nil: they could not be looked up

	// LeftOut names the fields that are null because the body would be too
	// large with them.
	LeftOut []string `json:"left_out"`
}

// LaunchTemplate is a launch template and its version that an event is about.
type LaunchTemplate struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Version is the new one, or the one that names the parameter.
	Version       int64  `json:"version"`
	SourceVersion *int64 `json:"source_version"` // nil: no version was made
}

// Parameter is a parameter of Systems Manager that launch templates name in
// place of an image.
type Parameter struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
}

// Image is an image and what is known of it: all but the id is nil where AWS
// does not show it any more.
type Image struct {
	ID           string     `json:"id"`
	Name         *string    `json:"name"`
	Owner        *string    `json:"owner"`
	Architecture *string    `json:"architecture"`
	CreatedAt    *time.Time `json:"created_at"`
	AgeDays      *int64     `json:"age_days"` // at the time of the event
	// SupersededSince is since when there has been the image that takes its
	// place; nil where that one is the older of the two.
	SupersededSince *time.Time        `json:"superseded_since"`
	Tags            map[string]string `json:"tags"` // nil: it has none, or is another account's, whose tags AWS does not show
}

// Group is an Auto Scaling group that launches from the template, or from what
// the parameter holds.
type Group struct {
	Name    string `json:"name"`
	Version string `json:"version"` // a number, $Latest or $Default
}

// Facts is what an event says of an image at an instant.
func Facts(i image.Image, now time.Time) Image {
	out := Image{ID: i.ID}
	if i.Name == "" && i.CreatedAt.IsZero() {
		return out
	}
	age, created := i.AgeDays(now), i.CreatedAt.UTC()
	out.Name, out.Owner, out.Architecture, out.CreatedAt, out.AgeDays, out.Tags = &i.Name, &i.Owner, &i.Architecture, &created, &age, i.Tags
	return out
}

// VersionID is the id of the event about a launch template version. A number
// is never given to two versions of a template, nor an id to two templates.
func VersionID(template string, version int64) string { return fmt.Sprintf("%s:%d", template, version) }

// MoveID is the event about a parameter's new image. A parameter that is
// deleted and made again counts its versions from 1, so the time belongs to it.
// SNS takes 128 characters for a FIFO topic, and names may be longer.
func MoveID(name string, version int64, at time.Time) string {
	id := fmt.Sprintf("%s:%d:%d", name, version, at.Unix())
	if len(id) > mostID {
		id = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(id)))
	}
	return id
}

const mostID = 128

// most is the largest body, in bytes. SNS takes 262,144 with the subject, and
// EventBridge with source, type and resources.
const most = 262_144 - 2048

// Encode gives the body as JSON in one line. What is not needed to act on the
// event is left out of one that would be too large, the longest first.
func (e Event) Encode() (string, error) {
	for {
		body, err := e.encode()
		if err != nil || len(body) <= most {
			return body, err
		}
		if !e.shorten() {
			return "", fmt.Errorf("the event has %d bytes, and SNS and EventBridge take %d", len(body), most)
		}
	}
}

func (e Event) encode() (string, error) {
	if e.LeftOut == nil {
		e.LeftOut = []string{}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // it would make six bytes of one
	if err := encoder.Encode(e); err != nil {
		return "", fmt.Errorf("encode event %s: %w", e.EventID, err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// shorten takes one thing out, and tells whether there was one.
func (e *Event) shorten() bool {
	tags, before, groups := size(e.Image.Tags), 0, 0
	if e.PreviousImage != nil {
		before = size(e.PreviousImage.Tags)
	}
	for _, g := range e.Groups {
		groups += len(g.Name) + len(g.Version)
	}
	switch longest := max(tags, before, groups); longest {
	case 0:
		return false
	case before:
		shorter := *e.PreviousImage
		shorter.Tags = nil
		e.PreviousImage = &shorter
		e.LeftOut = append(e.LeftOut, "previous_image.tags")
	case groups:
		e.Groups = nil
		e.LeftOut = append(e.LeftOut, "groups")
	default:
		e.Image.Tags = nil
		e.LeftOut = append(e.LeftOut, "image.tags")
	}
	return true
}

func size(tags map[string]string) int {
	n := 0
	for k, v := range tags {
		n += len(k) + len(v)
	}
	return n
}
