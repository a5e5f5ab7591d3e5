package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// year is how far ahead lints look.
const year = 366 * 24 * time.Hour

// fewDates is how many dates prove a point.
const fewDates = 3

// Lint finds what will surprise in the year after now. Nothing of it is an
// error.
func (s Schedule) Lint(now time.Time) []Problem {
	var out []Problem
	for _, e := range s.Environments() {
		at := []string{"environments", e}
		out = append(out, below(at, s.windows[e].Lint(now))...)
	}
	return append(out, s.lintCadence(now)...)
}

// Lint finds what will surprise about one window in the year after now.
func (w Window) Lint(now time.Time) []Problem {
	return append(w.lintClock(now), LintOverlap([]Window{w}, now)...)
}

// lintClock finds the dates on which the window's start does not exist or
// comes twice.
func (w Window) lintClock(now time.Time) []Problem {
	var gaps, overlaps []string
	end := DateOf(now.Add(year), w.Zone)
	for d := w.Day.Next(DateOf(now, w.Zone)); d < end; d = w.Day.Next(d + 1) {
		switch t, fit := Resolve(d, w.Time, w.Zone); fit {
		case Gap:
			gaps = append(gaps, fmt.Sprintf("%s (opens at %s)", d, w.Zone.In(t).Format("15:04")))
		case Overlap:
			overlaps = append(overlaps, d.String())
		case Exact:
		}
	}
	var out []Problem
	if len(gaps) > 0 {
		out = append(out, Problem{Code: ClockChange, Warn: true, Text: fmt.Sprintf(
			"%s does not exist in %s on %s, because the clocks go forward; the window opens as much later as they skip.", w.Time, w.Zone, some(gaps))})
	}
	if len(overlaps) > 0 {
		out = append(out, Problem{Code: ClockChange, Warn: true, Text: fmt.Sprintf(
			"%s comes twice in %s on %s, because the clocks go back; the window opens the first time.", w.Time, w.Zone, some(overlaps))})
	}
	return out
}

// some lists the first few of many.
func some(list []string) string {
	if len(list) <= fewDates {
		return strings.Join(list, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(list[:fewDates], "; "), len(list)-fewDates)
}

// LintOverlap finds windows that are open at the same time in the year after
// now, one window with its own next opening included. They are one window
// then, which is rarely what was meant.
func LintOverlap(list []Window, now time.Time) []Problem {
	var out []Problem
	for n, w := range list {
		for m := n; m < len(list); m++ {
			dates := overlaps(w, list[m], n == m, now)
			if len(dates) == 0 {
				continue
			}
			text := fmt.Sprintf("the windows %s and %s overlap", w.Brief(), list[m].Brief())
			if n == m {
				text = fmt.Sprintf("the window %s is still open when it opens again", w.Brief())
			}
			out = append(out, Problem{Code: OverlappingWindows, Warn: true, Text: fmt.Sprintf("%s, first on %s; they count as one.", text, some(dates))})
		}
	}
	return out
}

// overlaps are the local dates of the openings of a that overlap with one of
// b; of a window with itself, with its next one.
func overlaps(a, b Window, self bool, now time.Time) []string {
	var out []string
	c, other := cursor{w: a}, cursor{w: b}
	other.seek(now.Add(-b.Duration))
	for c.seek(now); c.start.Before(now.Add(year)) && len(out) <= fewDates; c.advance() {
		end := c.start.Add(a.Duration)
		for !other.start.Add(b.Duration).After(c.start) || self && other.date <= c.date {
			other.advance()
		}
		if other.start.Before(end) {
			out = append(out, c.date.String())
		}
	}
	return out
}

// LintForecast finds out whether a roll of a certain length fits in a window.
func (w Window) LintForecast(forecast time.Duration) []Problem {
	room := w.Duration - w.Cutoff
	if forecast <= w.Duration {
		return nil
	}
	return []Problem{{Code: ShortWindow, Warn: true, Text: fmt.Sprintf(
		"the window %s lasts %s, %s of it for starting, and the roll is forecast to take %s; it will take several windows, or a longer one.",
		w.Brief(), Brief(w.Duration), Brief(room), Brief(forecast))}}
}

// lintCadence finds waves that miss their window: the bake of the wave before
// ends after it has opened.
func (s Schedule) lintCadence(now time.Time) []Problem {
	var out []Problem
	for n := 0; n+1 < len(s.spec.Waves); n++ {
		a, b := s.spec.Waves[n], s.spec.Waves[n+1]
		from, ok1 := s.windows[a.Environment]
		to, ok2 := s.windows[b.Environment]
		if !ok1 || !ok2 || s.bakes[n] == 0 {
			continue
		}
		c := cycles{from: Windows{List: []Window{from}}, to: Windows{List: []Window{to}}, bake: s.bakes[n], now: now}
		if text := c.judge(a.Environment, b.Environment); text != "" {
			out = append(out, Problem{Path: []string{"waves", strconv.Itoa(n), "bake"}, Code: CadenceTrap, Warn: true, Text: text})
		}
	}
	return out
}

// cycles are a wave's windows and those of the wave after it.
type cycles struct {
	from, to Windows
	bake     time.Duration
	now      time.Time
}

// judge looks at every cycle of a year. A wave may need its whole window, so
// its bake counts from the end; where the next wave shares the window, from
// the start, since nothing could ever follow in it otherwise.
func (c cycles) judge(from, to string) string {
	zone := c.to.List[0].Zone
	total, never, late := 0, []string(nil), []string(nil)
	for _, before := range c.from.Until(c.now, c.now.Add(year)) {
		if before.Start.Before(c.now) {
			continue
		}
		total++
		var after Occurrence
		c.to.each(before.Start, func(o Occurrence) bool {
			after = o
			return !o.Close.After(before.Start)
		})
		ready := before.End.Add(c.bake)
		if after.Start.Before(before.End) {
			ready = before.Start.Add(c.bake)
		}
		proof := fmt.Sprintf("%s: the bake ends %s, %s closes for starts %s", before.Date,
			zone.In(ready).Format("Mon 15:04"), to, zone.In(after.Close).Format("Mon 15:04"))
		switch {
		case !ready.Before(after.Close):
			never = append(never, proof)
		case ready.After(after.Start) && !after.Start.Before(before.End):
			late = append(late, fmt.Sprintf("%s: the bake ends %s, %s opens %s", before.Date,
				zone.In(ready).Format("Mon 15:04"), to, zone.In(after.Start).Format("Mon 15:04")))
		}
	}
	switch {
	case total > 0 && len(never) == total:
		return fmt.Sprintf("%s can never follow %s in the same cycle: a bake of %s after %s's window ends too late for the next window of %s (%s). "+
			"Shorten the bake, or move the window of %s back.", to, from, Brief(c.bake), from, to, some(never), to)
	case len(never) > 0:
		return fmt.Sprintf("%s misses the cycle of %s in %d of %d cycles of the next year: a bake of %s ends too late (%s). "+
			"Shorten the bake, or move the window of %s back.", to, from, len(never), total, Brief(c.bake), some(never), to)
	case len(late) > 0:
		return fmt.Sprintf("%s loses a part of its window in %d of %d cycles of the next year: a bake of %s after %s's window ends after it opens (%s). "+
			"Shorten the bake, or move the window of %s back.", to, len(late), total, Brief(c.bake), from, some(late), to)
	}
	return ""
}

// The least that freezes should leave open: 48 hours in every 32 days.
const (
	openSpan  = 32 * 24 * time.Hour
	leastOpen = 48 * time.Hour
)

// LintFreezes finds stretches of 32 days of the next two years in which
// freezes that hold for the same groups leave fewer than 48 hours: a fix for a
// hole that is found then waits for a month.
func LintFreezes(freezes []Freeze, now time.Time) []Problem {
	var spans []Span
	for _, f := range freezes {
		if !f.spec.Cleared {
			spans = append(spans, f.Spans(now, now.Add(horizon))...)
		}
	}
	spans = unite(spans)
	var starts []time.Time
	for _, s := range spans {
		// The least is left where the 32 days begin or end with a freeze.
		starts = append(starts, s.Start, s.End.Add(-openSpan))
	}
	slices.SortFunc(starts, func(a, b time.Time) int { return a.Compare(b) })
	for _, start := range starts {
		open := openSpan
		for _, s := range spans {
			if from, to := latest(s.Start, start), earliest(s.End, start.Add(openSpan)); from.Before(to) {
				open -= to.Sub(from)
			}
		}
		if open < leastOpen {
			return []Problem{{Code: LongFreeze, Warn: true, Text: fmt.Sprintf(
				"freezes leave %s of the 32 days from %s open, which is less than 48h: a security fix of that time could not go out.",
				Brief(open), start.Format("Mon 2 Jan 2006 15:04 MST"))}}
		}
	}
	return nil
}

// LintFreezes finds the same among the freezes that hold for a group with these
// tags.
func (c Calendar) LintFreezes(tags map[string]string, now time.Time) []Problem {
	return LintFreezes(c.stops(tags).freezes, now)
}
