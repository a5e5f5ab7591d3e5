package ami

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// origin is where a version of a template came from, or what a parameter of it
// holds.
type origin struct {
	// Parameter is the one whose version this is; empty: the template's.
	Parameter string `json:"parameter,omitempty"`
	Version   int64  `json:"version"`
	// Source is the version that it is a copy of; 0 with a parameter.
	Source int64  `json:"source,omitempty"`
	Image  string `json:"image"`
	// Before is what the parameter held, and By the source of the image, or the
	// roll that made the version.
	Before string    `json:"before,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

// The record of a template is bounded: of versions, 20 take about 2 KB of the 4
// that an SSM parameter holds. Names of parameters may be long.
const (
	originsKept = 20
	originsSize = 3500 // bytes
)

// UnrecordedError is a version that was made, or an image that a parameter holds
// now, which could not be put on record. The next call finds it.
type UnrecordedError struct {
	Template  string // id
	Parameter string // empty: it is the template's version
	Number    int64
	Err       error // why it could not
}

// Error implements error.
func (e *UnrecordedError) Error() string {
	of := "launch template " + e.Template
	if e.Parameter != "" {
		of = "parameter " + e.Parameter
	}
	return fmt.Sprintf("record where version %d of %s came from: %v", e.Number, of, e.Err)
}

// Unwrap gives the error of the record.
func (e *UnrecordedError) Unwrap() error { return e.Err }

// record notes where a version came from, for people and for audits. The
// description of a version cannot hold it: aws_launch_template would show it
// and plan to change it back. The error is an [*UnrecordedError].
func (c *Client) record(ctx context.Context, template string, o origin) error {
	o.At = c.clock.Now().UTC().Truncate(time.Second)
	path := "versions/" + template
	var made []origin
	_, err := c.docs.Get(ctx, path, &made)
	if slices.ContainsFunc(made, func(m origin) bool { return m.Parameter == "" && o.Parameter == "" && m.Version == o.Version }) {
		return nil
	}
	if err == nil {
		made = append(made, o)
		made = made[max(0, len(made)-originsKept):]
		for len(made) > 1 && size(made) > originsSize {
			made = made[1:]
		}
		err = c.docs.Put(ctx, path, made)
	}
	if err != nil {
		return &UnrecordedError{Template: template, Parameter: o.Parameter, Number: o.Version, Err: err}
	}
	return nil
}

func size(made []origin) int {
	body, err := json.Marshal(made)
	if err != nil {
		return 0 // the store says what does not encode
	}
	return len(body)
}
