package image

import (
	"fmt"
	"strings"
	"time"
)

// Pin keeps a template at one image. Somebody decided so. The zero value pins
// nothing.
type Pin struct {
	Image  string
	Reason string    // for people
	Until  time.Time // when it ends by itself; zero: never
}

// Active tells whether the pin holds at now.
func (p Pin) Active(now time.Time) bool {
	return p.Image != "" && (p.Until.IsZero() || now.Before(p.Until))
}

// Why says for people what is pinned, until when and what for.
func (p Pin) Why() string {
	until := ""
	if !p.Until.IsZero() {
		until = " until " + p.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	return fmt.Sprintf("pinned to %s%s: %s", p.Image, until, strings.TrimRight(p.Reason, ". \n"))
}
