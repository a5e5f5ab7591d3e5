package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Check is one test of the whole group: an HTTP request, or a Lambda function.
type Check struct {
	Name    string
	URL     string // empty: Function is set
	Headers Headers
	Expect  Expect
	Number  *Number       // a number in the answer to judge; nil: none
	Timeout time.Duration // of one request
	// Settle is how long a check that does not pass at a checkpoint or the end may
	// take until it does; zero: it must pass at once.
	Settle   time.Duration
	Function string // name or ARN of a Lambda function
}

// DefaultCheck is a check of which nothing but the name is set.
func DefaultCheck(name string) Check {
	return Check{Name: name, Expect: Expect{Status: "200-299"}, Timeout: 10 * time.Second}
}

// Number is a number in a JSON answer, and what is expected of it.
type Number struct {
	Path string // JSON pointer (RFC 6901), such as "/devices/connected"
	// Within is by how many percent it may differ from its value before the roll;
	// nil: by any.
	Within   *int
	Min, Max *float64 // nil: no bound
}

// Moment is when checks of the group are run.
type Moment string

// The moments. Empty: none.
const (
	Before       Moment = "before"
	AtCheckpoint Moment = "checkpoint"
	AtEnd        Moment = "end"
)

// Inquiry is which checks to run, and what they are told.
type Inquiry struct {
	Moment           Moment
	Checks           []Check
	Target, Previous Version
}

// Answer is what came of one check.
type Answer struct {
	// Failed says what was expected and what was got; empty: it passed.
	Failed string
	// Unasked: it could not be run at all, which says nothing about the image.
	Unasked bool
	// Value is the number in the answer, where the check has one.
	Value float64
}

// Judge judges an HTTP answer, but for how its number compares with that from
// before the roll.
func (c Check) Judge(r Reply) Answer {
	if why := c.Expect.Judge(r); why != "" || c.Number == nil {
		return Answer{Failed: why}
	}
	if r.Cut {
		return Answer{Failed: fmt.Sprintf("the answer is longer than %d bytes", len(r.Body))}
	}
	v, err := pointed(r.Body, c.Number.Path)
	n := c.Number
	switch {
	case err != nil:
		return Answer{Failed: fmt.Sprintf("expected a number at %q: %s, got %s", n.Path, err, excerpt(r.Body))}
	case n.Min != nil && v < *n.Min:
		return Answer{Value: v, Failed: fmt.Sprintf("expected %s of at least %s, got %s", n.Path, digits(*n.Min), digits(v))}
	case n.Max != nil && v > *n.Max:
		return Answer{Value: v, Failed: fmt.Sprintf("expected %s of at most %s, got %s", n.Path, digits(*n.Max), digits(v))}
	}
	return Answer{Value: v}
}

func digits(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// pointed is the number a JSON pointer names.
func pointed(body []byte, pointer string) (float64, error) {
	var at any
	if err := json.Unmarshal(body, &at); err != nil {
		return 0, errors.New("the answer is not JSON")
	}
	for key := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if pointer == "" {
			break
		}
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		switch in := at.(type) {
		case map[string]any:
			inner, ok := in[key]
			if !ok {
				return 0, fmt.Errorf("there is no %q", key)
			}
			at = inner
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(in) {
				return 0, fmt.Errorf("a list of %d has no element %q", len(in), key)
			}
			at = in[i]
		default:
			return 0, fmt.Errorf("there is no %q", key)
		}
	}
	v, ok := at.(float64)
	if !ok {
		return 0, errors.New("what is there is no number")
	}
	return v, nil
}

// opened says whether the roll may make its first change: the checks of the
// group have passed before it. A roll that has changed something already is past
// that.
func (t *turn) opened() bool {
	if len(t.spec.Checks) == 0 || t.rec.Direction == Back || t.rec.Launched+t.rec.Ended > 0 {
		t.rec.Checked = true
	}
	if t.rec.Checked {
		return true
	}
	if t.snap.Asked != Before {
		t.ask(Before, 0)
		return false
	}
	for _, c := range t.spec.Checks {
		a := t.snap.Answers[c.Name]
		if a.Failed != "" {
			e := Ending{
				Outcome: FailedRoll, Reason: fmt.Sprintf("the check %q failed before the roll: %s", c.Name, a.Failed),
				Next: "Repair what the check tests, or the check, and run terraform apply again.",
			}
			t.rec.Reason = Clip(e.Reason, longestReason)
			if t.rec.Pointed == "" && t.rec.Surge == 0 && len(t.rec.Suspended)+len(t.rec.Intents) == 0 {
				e.State = "Nothing was changed."
				t.conclude(e)
			} else {
				t.safePoint(e) // a roll to another target left something
			}
			return false
		}
		if n := c.Number; n != nil && n.Within != nil {
			if t.rec.Values == nil {
				t.rec.Values = map[string]float64{}
			}
			t.rec.Values[c.Name] = a.Value
			t.note("the check %q gave %s before the roll", c.Name, digits(a.Value))
		}
	}
	t.rec.Checked = true
	t.note("the checks of the group passed before the roll")
	return true
}

// ask has the checks run with a look after the given pause, zero for at once.
func (t *turn) ask(m Moment, pause time.Duration) {
	t.out.Look.Inquiry = &Inquiry{Moment: m, Checks: t.spec.Checks, Target: t.rec.Target, Previous: t.rec.Previous}
	t.out.Look.Targets = true // whom a failure speaks against shows in the old members
	t.mem.Progress = t.now    // being tested is no stall
	t.asking = pause == 0
	t.wake(t.now.Add(pause))
}

// checked says whether the checks of the group pass at a checkpoint or before
// the end. Those that do not have some time to. After that a failure counts as
// one of the image; a check that could not be run at all says nothing about it.
func (t *turn) checked(m Moment) bool {
	if len(t.spec.Checks) == 0 {
		return true
	}
	if t.snap.Asked != m || !t.known {
		t.ask(m, 0)
		return false
	}
	waiting := false
	for _, c := range t.spec.Checks {
		a := t.snap.Answers[c.Name]
		why := a.Failed
		if why == "" {
			why = t.drifts(c, a.Value)
		}
		if why == "" {
			delete(t.mem.Failing, c.Name)
			continue
		}
		if t.mem.Failing[c.Name].IsZero() {
			t.mem.Failing[c.Name] = t.now
			t.note("the check %q does not pass: %s", c.Name, why)
		}
		if t.now.Sub(t.mem.Failing[c.Name]) < c.Settle {
			waiting = true
			continue
		}
		t.condemn(fmt.Sprintf("the check %q failed %s: %s", c.Name, m.text(), why), a.Unasked)
		return false
	}
	if waiting {
		t.ask(m, max(t.spec.Poll, earliest))
		return false
	}
	t.note("the checks of the group passed %s", m.text())
	return true
}

// text is the moment for people.
func (m Moment) text() string {
	switch m {
	case AtCheckpoint:
		return "at a checkpoint"
	case AtEnd:
		return "before the end"
	case Before:
	}
	return "before the roll"
}

// drifts says how far a number is from its value before the roll; empty: near
// enough, or not compared.
func (t *turn) drifts(c Check, v float64) string {
	if c.Number == nil || c.Number.Within == nil {
		return ""
	}
	before, ok := t.rec.Values[c.Name]
	if !ok {
		t.warnOnce("value "+c.Name, "the check %q has no value from before the roll, and is not compared with it", c.Name)
		return ""
	}
	if math.Abs(v-before) <= math.Abs(before)*float64(*c.Number.Within)/100 {
		return ""
	}
	return fmt.Sprintf("expected %s within %d %% of %s, its value before the roll, got %s", c.Number.Path, *c.Number.Within, digits(before), digits(v))
}

// condemn ends the roll forward for a check of the group that failed for good.
func (t *turn) condemn(reason string, unasked bool) {
	t.condemned = true
	switch {
	case unasked:
		t.safePoint(Ending{
			Outcome: Paused, Reason: reason + "; this says nothing about the image",
			Next: "Make the check work, then run terraform apply again to continue where this roll stopped.",
		})
	case t.blameless(reason):
	default:
		t.rec.Blame = true
		t.giveUp(reason)
	}
}

var checkName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// mostChecks bounds the checks, and by that their values on record.
const mostChecks = 5

// checkListProblems finds what is wrong with the checks of the group.
func (s Spec) checkListProblems(out *problems) {
	if len(s.Checks) > mostChecks {
		out.add("checks", "holds %d checks; give at most %d", len(s.Checks), mostChecks)
	}
	var names []string
	for i, c := range s.Checks {
		field := fmt.Sprintf("checks[%d]", i)
		if !checkName.MatchString(c.Name) {
			out.add(field+".name", "is %q; give 1 to 32 letters, digits, hyphens and underscores", c.Name)
		} else if slices.Contains(names, c.Name) {
			out.add(field+".name", "is %q, as that of another check; give each its own", c.Name)
		}
		names = append(names, c.Name)
		c.problems(out, field)
	}
}

func (c Check) problems(out *problems, field string) {
	timeoutProblem(out, field+".timeout", c.Timeout)
	if c.Settle < 0 || c.Settle > 2*time.Hour {
		out.add(field+".settle", "is %s; give zero to 2h", Brief(c.Settle))
	}
	switch {
	case c.URL == "" && c.Function == "":
		out.add(field, "has neither url nor function_name; give one of them")
	case c.URL != "" && c.Function != "":
		out.add(field+".function_name", "is set beside url; give one of them, or make two checks")
	case c.Function != "":
		if len(c.Headers) > 0 || c.Number != nil || c.Expect != DefaultCheck("").Expect {
			out.add(field+".function_name", "goes with no headers, expected_status, expected_body or number; the function judges by itself")
		}
	default:
		if name := placeholder.FindString(c.URL); name != "" {
			out.add(field+".url", "has the placeholder %s, which only health.probe.url knows; a check asks the group as a whole", name)
			return
		}
		urlProblem(out, field+".url", c.URL)
		c.Headers.problems(out, field+".headers")
		c.Expect.problems(out, field)
		c.Number.problems(out, field+".number")
	}
}

func (n *Number) problems(out *problems, field string) {
	if n == nil {
		return
	}
	if n.Path != "" && !strings.HasPrefix(n.Path, "/") {
		out.add(field+".path", "is %q; give a JSON pointer such as \"/devices/connected\"", n.Path)
	}
	if n.Within == nil && n.Min == nil && n.Max == nil {
		out.add(field, "says nothing about the number; give within_percentage, min or max")
	}
	if n.Within != nil && (*n.Within < 0 || *n.Within > 100) {
		out.add(field+".within_percentage", "is %d; give a whole number from 0 to 100", *n.Within)
	}
	if n.Min != nil && n.Max != nil && *n.Min > *n.Max {
		out.add(field+".min", "is %s, above max (%s); give a range", digits(*n.Min), digits(*n.Max))
	}
}
