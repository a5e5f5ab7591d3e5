package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// OnFailure is what a roll does when its target fails.
type OnFailure string

// What to do when new members fail while stale ones are fine: go back to the
// previous version, stop at a safe point, or stop and leave things as they are.
const (
	Rollback  OnFailure = "rollback"
	Pause     OnFailure = "pause"
	LeaveAsIs OnFailure = "leave"
)

// Match is what makes a member current.
type Match string

// The ways to match: the whole version data and the image, or the image only.
const (
	MatchData  Match = "data"
	MatchImage Match = "image"
)

// Checkpoint holds a roll until Percentage of the group is new and has stayed
// healthy for Bake.
type Checkpoint struct {
	Percentage int // of base at the start, 1 to 99
	Bake       time.Duration
}

// Spec is what a user asks of a roll. [Defaults] gives the documented
// defaults; [Spec.Validate] must have found nothing before it is used.
type Spec struct {
	MinHealthy int // percentage of base, 0 to 100
	MaxHealthy int // percentage of base, 100 to 200
	MaxRunning int // percentage of base; 0: MaxHealthy + 25
	// RaiseMaxSize lets the roll raise the group's max size where it leaves no room
	// for MaxHealthy, and puts it back.
	RaiseMaxSize   bool
	Checkpoints    []Checkpoint
	FinalBake      time.Duration
	LoadBalancer   bool // members must be healthy in every attached target group and classic load balancer
	EC2Status      bool // members must pass EC2's status checks
	Probe          *Probe
	Alarms         []string // names of CloudWatch alarms that must not be in ALARM, at most 10
	Checks         []Check  // of the whole group, at most 5
	MinHealthyTime time.Duration
	// InstanceTimeout bounds the time from a member's launch to its graduation,
	// and the time a roll may go without progress.
	InstanceTimeout time.Duration
	OnFailure       OnFailure
	// FailureLimit is which failed new member fails the roll: 1 the first, 3 the
	// third. Those before it are ended and launched anew. 1 to 100.
	FailureLimit int
	Match        Match
	// Protected is how stale members are treated that are protected from
	// scale-in: Refresh, Ignore or Wait.
	Protected Treatment
	// Standby is how stale members in standby are treated: Terminate, Ignore or
	// Wait.
	Standby Treatment
	// TerminateWarm lets a roll end stale members of a warm pool through EC2.
	TerminateWarm bool
	// Engine is who replaces the members; empty: [EngineManaged].
	Engine Engine
	// AdoptRefresh lets a roll by EngineRefresh attach to an instance refresh to
	// the same target that somebody else has started.
	AdoptRefresh bool
	// SetDefault: the template's default version is moved to the target, too, after
	// the roll has succeeded. For a group on "$Default" that is so anyway.
	SetDefault bool
	// Poll is the shortest pause between two observations.
	Poll time.Duration
}

// Defaults is the spec of a resource that sets nothing.
func Defaults() Spec {
	return Spec{
		MinHealthy: 100, MaxHealthy: 110,
		LoadBalancer: true, MinHealthyTime: 30 * time.Second,
		InstanceTimeout: 10 * time.Minute, OnFailure: Rollback, FailureLimit: 1, Match: MatchData, Engine: EngineManaged,
		Protected: Wait, Standby: Wait,
		Poll: 5 * time.Second,
	}
}

// Problem is one thing wrong with a spec or a group, in words for people.
type Problem struct {
	Field string // the attribute's name as in HCL; empty: no single one
	Text  string // names the value and the cure
}

// Validate returns every problem of the spec itself, none when it is usable.
func (s Spec) Validate() []Problem {
	var p []Problem
	add := func(field, format string, a ...any) {
		p = append(p, Problem{Field: field, Text: fmt.Sprintf(format, a...)})
	}
	if s.MinHealthy < 0 || s.MinHealthy > 100 {
		add("min_healthy_percentage", "is %d; give a whole number from 0 to 100", s.MinHealthy)
	}
	if s.MaxHealthy < 100 || s.MaxHealthy > 200 {
		add("max_healthy_percentage", "is %d; give a whole number from 100 to 200", s.MaxHealthy)
	}
	if len(p) == 0 && s.MinHealthy == 100 && s.MaxHealthy == 100 {
		add("max_healthy_percentage", "is 100 and min_healthy_percentage is 100 too, which leaves no room to replace anything; "+
			"raise max_healthy_percentage (110 launches first) or lower min_healthy_percentage (90 ends first)")
	}
	if len(p) == 0 && s.MaxHealthy-s.MinHealthy > 100 {
		add("max_healthy_percentage", "is %d, more than 100 above min_healthy_percentage (%d); EC2 Auto Scaling refuses that too; "+
			"use at most %d", s.MaxHealthy, s.MinHealthy, s.MinHealthy+100)
	}
	if s.MaxRunning != 0 && s.MaxRunning < s.MaxHealthy {
		add("max_running_percentage", "is %d, below max_healthy_percentage (%d); raise it, or leave it out for %d",
			s.MaxRunning, s.MaxHealthy, s.MaxHealthy+25)
	}
	p = append(p, s.checkpointProblems()...)
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"final_bake", s.FinalBake},
		{"health.min_healthy_time", s.MinHealthyTime},
	} {
		if d.value < 0 {
			add(d.field, "is %s; give zero or more, such as \"30s\"", d.value)
		}
	}
	if s.InstanceTimeout <= 0 {
		add("instance_timeout", "is %s; give a positive duration, such as \"10m\"", Brief(s.InstanceTimeout))
	} else if s.InstanceTimeout <= s.MinHealthyTime {
		add("instance_timeout", "is %s, which no member can meet with min_healthy_time = %s; make it longer than launch and "+
			"health checks together, such as \"10m\"", s.InstanceTimeout, s.MinHealthyTime)
	}
	if s.Poll <= 0 {
		add("poll_interval", "is %s; give a positive duration, such as \"5s\"", s.Poll)
	}
	return append(append(p, s.choiceProblems()...), s.signalProblems()...)
}

func (s Spec) choiceProblems() []Problem {
	var p []Problem
	add := func(field, format string, a ...any) {
		p = append(p, Problem{Field: field, Text: fmt.Sprintf(format, a...)})
	}
	if !slices.Contains([]OnFailure{Rollback, Pause, LeaveAsIs}, s.OnFailure) {
		add("on_failure", "is %q; use \"rollback\", \"pause\" or \"leave\"", s.OnFailure)
	}
	if s.FailureLimit < 1 || s.FailureLimit > 100 {
		add("failure_limit", "is %d; give a whole number from 1 (the first failed member fails the roll) to 100", s.FailureLimit)
	}
	if !slices.Contains([]Engine{"", EngineManaged, EngineRefresh}, s.Engine) {
		add("engine", "is %q; use \"managed\" or \"instance_refresh\"", s.Engine)
	}
	if s.AdoptRefresh && s.Engine != EngineRefresh {
		add("adopt_instance_refresh", "is true, which only engine = \"instance_refresh\" can do; leave it out, or set that engine")
	}
	if s.Engine == EngineRefresh {
		p = append(p, s.refreshProblems()...)
	}
	if !slices.Contains([]Match{MatchData, MatchImage}, s.Match) {
		add("match", "is %q; use \"data\" or \"image\"", s.Match)
	}
	if !slices.Contains([]Treatment{Refresh, Ignore, Wait}, s.Protected) {
		add("scale_in_protected_instances", "is %q; use \"refresh\", \"ignore\" or \"wait\"", s.Protected)
	}
	if !slices.Contains([]Treatment{Terminate, Ignore, Wait}, s.Standby) {
		add("standby_instances", "is %q; use \"terminate\", \"ignore\" or \"wait\"", s.Standby)
	}
	return p
}

func (s Spec) checkpointProblems() []Problem {
	var p []Problem
	last := 0
	for i, c := range s.Checkpoints {
		field := fmt.Sprintf("checkpoints[%d]", i)
		switch {
		case c.Percentage < 1 || c.Percentage > 99:
			p = append(p, Problem{field + ".percentage", fmt.Sprintf("is %d; give a whole number from 1 to 99 (final_bake covers 100)", c.Percentage)})
		case c.Percentage <= last:
			p = append(p, Problem{field + ".percentage", fmt.Sprintf("is %d after %d; list checkpoints in rising order", c.Percentage, last)})
		}
		if c.Bake < 0 {
			p = append(p, Problem{field + ".bake", fmt.Sprintf("is %s; give zero or more, such as \"2m\"", c.Bake)})
		}
		last = max(last, c.Percentage)
	}
	return p
}

// Limits are a spec's percentages turned into numbers of members, or of units of
// capacity in a weighted group.
type Limits struct {
	Floor   int // least healthy at any moment
	Ceiling int // most launched (Pending or in service)
	Running int // most launched, terminating and standing by together
	// Rounding is how much of Ceiling and Running is for AWS to round up to whole
	// members; 0 where there are no weights.
	Rounding int
	// Slots is how many members a roll of this group moves at once.
	Slots int
	// First is true when it launches before it ends.
	First bool
	// Tight is true when rounding left no room and one slot was made
	// (Counting, in rollouts.md).
	Tight bool
}

// Limits turns the percentages into counts for a group that others want at
// base and bound at maxSize, as it is without what the roll makes of it. The second result is not nil when the group
// cannot move at all; it names both cures.
func (s Spec) Limits(base, maxSize int) (Limits, *Problem) { return s.LimitsBy(1, base, maxSize) }

// LimitsBy is [Spec.Limits] of a group whose heaviest member counts for weight
// units of capacity, in which all is counted then. Fewer units than that move
// nothing, and AWS rounds up to whole members.
func (s Spec) LimitsBy(weight, base, maxSize int) (Limits, *Problem) {
	w := max(weight, 1)
	l := Limits{
		Floor:    (base*s.MinHealthy + 99) / 100,
		Ceiling:  base * s.MaxHealthy / 100,
		Rounding: w - 1,
	}
	if l.Ceiling-base < w && base-l.Floor < w && base > 0 {
		// 4 members at 100/110: 4.4 rounds down to 4, which cannot move.
		l.Tight = true
		if s.MaxHealthy > 100 {
			l.Ceiling = base + w
		} else {
			l.Floor = max(base-w, 0)
		}
	}
	running := s.MaxRunning
	if running == 0 {
		running = s.MaxHealthy + 25
	}
	var problem *Problem
	maxSize = s.raisable(w, maxSize)
	if l.Ceiling > maxSize && base <= maxSize {
		if maxSize-base < w && base-l.Floor < w && base > 0 {
			what := "members"
			if w > 1 {
				what = "units of capacity"
			}
			problem = &Problem{"max_healthy_percentage", fmt.Sprintf("leaves no headroom: the group wants %d %s, its max size is %d and "+
				"min_healthy_percentage is %d; raise max_size of the group to at least %d, or set raise_max_size = true, or lower min_healthy_percentage "+
				"to %s so that a member may be ended first", base, what, maxSize, s.MinHealthy, base+w, endFirst(w, base))}
		}
		l.Ceiling = max(maxSize, base)
	}
	if l.Ceiling-base < w {
		l.Ceiling = min(l.Ceiling, base) // less than a member
	}
	l.Running = max(base*running/100, l.Ceiling+l.Rounding+w) + l.Rounding
	l.First = l.Ceiling > base
	l.Slots = max(l.Ceiling-base, 0)
	if !l.First {
		l.Slots = base - l.Floor
	}
	l.Ceiling += l.Rounding
	return l, problem
}

// endFirst words the min_healthy_percentage with which a member of a weight may
// be ended first of what base is. 0 only goes with a max_healthy_percentage of 100.
func endFirst(w, base int) string {
	if base <= w {
		return "0 with max_healthy_percentage = 100"
	}
	return fmt.Sprintf("%d or less", (base-w)*100/base)
}

// checkpointSize is how many new members checkpoint i asks for, at least one
// and at most all, in a group of size members at the start: 20 % of 4 is 1.
func (s Spec) checkpointSize(i, size int) int {
	return min(max((size*s.Checkpoints[i].Percentage+99)/100, 1), size)
}

// Brief writes a duration as people do: 10m rather than 10m0s, 1h rather than
// 1h0m0s.
func Brief(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// longestReason bounds a reason on record, in bytes: the record is small.
const longestReason = 300

// Clip shortens text for people to at most n bytes, at least 4, for records of bounded
// size: at the end of a word, unless that costs more than half of what there is
// room for.
func Clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const cut = "..."
	kept := strings.ToValidUTF8(text[:n-len(cut)], "")
	if at := strings.LastIndexAny(kept, " \n"); !strings.ContainsAny(text[len(kept):len(kept)+1], " \n") && at >= n/2 {
		kept = kept[:at]
	}
	return strings.TrimRight(kept, " \n.,:;") + cut
}
