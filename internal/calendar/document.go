package calendar

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MostDocument is how large a document may be, in bytes: what a parameter of
// Parameter Store holds without charge.
const MostDocument = 4096

// Encode is the document of a schedule, freeze or exception: JSON, the same
// for the same meaning.
func Encode(spec any) (string, error) {
	body, err := json.Marshal(spec)
	if err != nil {
		return "", fmt.Errorf("encode document: %w", err)
	}
	return string(body), nil
}

// CheckSize finds a document that is too large, and names what to shorten.
func CheckSize(document string) []Problem {
	if len(document) <= MostDocument {
		return nil
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(document), &parts); err != nil {
		return []Problem{invalid(nil, "the document cannot be read again: %v.", err)}
	}
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		if n := len(parts[b]) - len(parts[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return []Problem{invalid([]string{names[0]}, "the document to publish has %d bytes, and %d is the most; %s is the largest part, with %d. Shorten it by %d bytes: fewer or shorter "+
		"names, values that go into defaults, or two documents.", len(document), MostDocument, names[0], len(parts[names[0]]), len(document)-MostDocument)}
}

// Collect makes a calendar of published documents, by their paths. One that
// cannot be read is among the unread, which stops everything: it may have been
// a freeze. Lifted and withdrawn ones are left out.
func Collect(documents map[string]json.RawMessage) Calendar {
	var c Calendar
	for _, path := range slices.Sorted(maps.Keys(documents)) {
		root, _, _ := strings.Cut(path, "/")
		var err error
		switch body := documents[path]; root {
		case ScheduleRoot:
			err = collect(&c.Schedules, body, DecodeSchedule, func(s Schedule) bool { return s.spec.Cleared })
		case FreezeRoot:
			err = collect(&c.Freezes, body, DecodeFreeze, func(f Freeze) bool { return f.spec.Cleared })
		case ExceptionRoot:
			err = collect(&c.Exceptions, body, DecodeException, func(e Exception) bool { return e.spec.Cleared })
		}
		if err != nil {
			c.Unread = append(c.Unread, Unread{Path: path, Why: err.Error()})
		}
	}
	return c
}

func collect[T any](into *[]T, body []byte, read func([]byte) (T, error), cleared func(T) bool) error {
	one, err := read(body)
	if err == nil && !cleared(one) {
		*into = append(*into, one)
	}
	return err
}

// DecodeSchedule reads a published schedule. A document without a version was
// written by hand, before there were versions; its windows may be in any
// spelling, and it is read as it stands. One of a newer version is refused,
// because it may forbid what an older reader does not see.
func DecodeSchedule(body []byte) (Schedule, error) {
	var spec ScheduleSpec
	err := decode(body, &spec, func() int { return spec.Version })
	if err != nil || spec.Cleared {
		return Schedule{spec: spec}, err
	}
	s, problems := spec.Parse()
	return s, firstError(problems)
}

// DecodeFreeze reads a published freeze.
func DecodeFreeze(body []byte) (Freeze, error) {
	var spec FreezeSpec
	err := decode(body, &spec, func() int { return spec.Version })
	if err != nil || spec.Cleared {
		return Freeze{spec: spec}, err
	}
	f, problems := spec.Parse()
	return f, firstError(problems)
}

// DecodeException reads a published exception.
func DecodeException(body []byte) (Exception, error) {
	var spec ExceptionSpec
	err := decode(body, &spec, func() int { return spec.Version })
	if err != nil || spec.Cleared {
		return Exception{spec: spec}, err
	}
	e, problems := spec.Parse()
	return e, firstError(problems)
}

// Cleared is the document that takes the place of one that was lifted or
// withdrawn: Parameter Store does not take a deleted name again at once.
func Cleared(name string) string {
	body, _ := Encode(struct {
		Version int    `json:"v"`
		Name    string `json:"name"`
		Cleared bool   `json:"cleared"`
	}{Version, name, true}) // three plain fields always encode
	return body
}

// IsCleared tells whether a document says that it was lifted or withdrawn.
func IsCleared(body []byte) bool {
	var doc struct {
		Cleared bool `json:"cleared"`
	}
	return json.Unmarshal(body, &doc) == nil && doc.Cleared
}

func decode(body []byte, into any, version func() int) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("it is not the JSON it should be: %w", err)
	}
	if v := version(); v > Version {
		return fmt.Errorf("it has version %d, and this Refit knows versions up to %d; use the Refit that wrote it, or a newer one", v, Version)
	}
	return nil
}

func firstError(problems []Problem) error {
	for _, p := range Errors(problems) {
		return errors.New(strings.TrimRight(p.String(), "."))
	}
	return nil
}
