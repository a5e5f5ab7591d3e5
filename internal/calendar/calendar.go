// Package calendar decides when a group may be refreshed: phrases for days,
// zones, windows, freezes, exceptions, what tags say, the next chance, and why
// not now.
//
// It is pure. An instant comes in as a value, and zone data comes from the
// database that is embedded here, never from the machine, so that a plan and
// its apply agree wherever they run. It must not read a clock, and nothing
// else may turn local dates and times into instants.
package calendar

import (
	"fmt"
	"strings"
)

// Codes of problems, findings and blockers. They are part of the interface:
// reports and tests go by them, people by the text.
const (
	Invalid            = "INVALID"             // a value that cannot be used
	UnknownKey         = "UNKNOWN_KEY"         // a key that nothing reads
	MixedKeys          = "MIXED_KEYS"          // both spellings of a key
	UnknownEnvironment = "UNKNOWN_ENVIRONMENT" // the schedule has no such environment
	InvalidTag         = "INVALID_TAG"         // a tag that cannot be read
	TagDrift           = "TAG_DRIFT"           // tags and published schedule disagree
	ClockChange        = "CLOCK_CHANGE"        // a window starts in a gap or an overlap
	ShortWindow        = "SHORT_WINDOW"        // a window is shorter than the forecast
	OverlappingWindows = "OVERLAPPING_WINDOWS" // windows overlap
	CadenceTrap        = "CADENCE_TRAP"        // a wave misses its window
	LongFreeze         = "LONG_FREEZE"         // fewer than 48 h open in 32 days
	Ended              = "ENDED"               // a freeze or an exception that is over

	OutsideWindow     = "OUTSIDE_WINDOW"     // no window is open
	PastCutoff        = "PAST_CUTOFF"        // the window is open, but too late to start
	Frozen            = "FROZEN"             // a freeze
	Excepted          = "EXCEPTED"           // an exception
	Suspended         = "SUSPENDED"          // the schedule is suspended
	Unmanaged         = "UNMANAGED"          // no schedule
	AmbiguousSchedule = "AMBIGUOUS_SCHEDULE" // two schedules match
	Unreadable        = "UNREADABLE"         // a document that cannot be read
)

// Problem is something wrong with what somebody wrote.
type Problem struct {
	Path []string // where: attribute, map key or index, and so on; may be empty
	Code string
	Text string // a sentence that names the value and the cure
	Warn bool   // it works all the same
}

// String is the problem with its place.
func (p Problem) String() string {
	if len(p.Path) == 0 {
		return p.Text
	}
	return strings.Join(p.Path, ".") + ": " + p.Text
}

// Errors are the problems that are no warnings.
func Errors(list []Problem) []Problem {
	var out []Problem
	for _, p := range list {
		if !p.Warn {
			out = append(out, p)
		}
	}
	return out
}

func invalid(path []string, format string, args ...any) Problem {
	return Problem{Path: path, Code: Invalid, Text: fmt.Sprintf(format, args...)}
}

// below puts a problem of a part under the path of the whole.
func below(path []string, list []Problem) []Problem {
	out := make([]Problem, len(list))
	for n, p := range list {
		p.Path = append(append([]string(nil), path...), p.Path...)
		out[n] = p
	}
	return out
}
