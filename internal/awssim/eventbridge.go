package awssim

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// busState is every event bus of EventBridge, by ARN.
type busState struct {
	buses map[string]*bus
}

// bus is an event bus without rules: what was put on it is kept.
type bus struct {
	BusSpec
	arn       string
	published []Notification
}

// BusSpec is an event bus of EventBridge. The bus "default" is always there.
type BusSpec struct {
	Name string `hcl:"name,label" json:"name"`
	// Account is whose it is; empty: the world's.
	Account string `hcl:"account,optional" json:"account"`
	// FailCode is the error of the next FailTimes entries, while the call
	// itself succeeds; such as AccessDeniedException or ThrottlingException.
	FailCode  string `hcl:"fail_code,optional" json:"fail_code"`
	FailTimes int    `hcl:"fail_times,optional" json:"fail_times"`
}

func init() {
	s := jsonService("AWSEvents", map[string]operation{
		"PutEvents":        typed(putEvents),
		"DescribeEventBus": typed(describeEventBus),
	})
	s.setup = func(w *World) {
		w.bus = &busState{buses: map[string]*bus{}}
		b := &bus{BusSpec: BusSpec{Name: "default", Account: w.account}, arn: w.busARN("default")}
		w.bus.buses[b.arn] = b
	}
	register("events", s)
}

var busName = regexp.MustCompile(`^[/.\-_A-Za-z0-9]{1,256}$`)

// SetEventBus adds an event bus, or changes the one with that name and owner
// but for what was put on it. A name that EventBridge does not take, and a code
// without a number of times, are errors.
func (w *World) SetEventBus(s BusSpec) error {
	switch {
	case !busName.MatchString(s.Name):
		return errors.New("event_bus " + s.Name + ": a name has up to 256 letters, digits, /, ., - and _")
	case (s.FailCode != "") != (s.FailTimes > 0):
		return errors.New("event_bus " + s.Name + ": fail_code and fail_times go together")
	}
	w.lock()
	defer w.mu.Unlock()
	setDefault(&s.Account, w.account)
	b := &bus{BusSpec: s, arn: "arn:aws:events:" + w.region + ":" + s.Account + ":event-bus/" + s.Name}
	if old := w.bus.buses[b.arn]; old != nil {
		b.published = old.published
	}
	w.bus.buses[b.arn] = b
	return nil
}

func (w *World) busARN(name string) string {
	return "arn:aws:events:" + w.region + ":" + w.account + ":event-bus/" + name
}

// busOf finds the bus of a name or an ARN, nil when there is none.
func (w *World) busOf(ref string) *bus {
	if !strings.HasPrefix(ref, "arn:") {
		ref = w.busARN(ref)
	}
	return w.bus.buses[ref]
}

func eventsConstraint(value, at, rule string) *Error {
	return &Error{Code: "ValidationException", Message: "1 validation error detected: Value '" + value + "' at '" + at + "' failed to satisfy constraint: " + rule}
}

func putEvents(w *World, in *eventbridge.PutEventsInput) (*eventbridge.PutEventsOutput, error) {
	if in.EndpointId != nil {
		return nil, &Error{Code: "ValidationException", Message: "The simulator does not model global endpoints."}
	}
	if n := len(in.Entries); n < 1 || n > 10 {
		return nil, eventsConstraint("["+strconv.Itoa(n)+" entries]", "entries", "Member must have length between 1 and 10")
	}
	size, complete := 0, false
	for i, e := range in.Entries {
		if name := deref(e.EventBusName); e.EventBusName != nil && !strings.HasPrefix(name, "arn:") && !busName.MatchString(name) {
			return nil, eventsConstraint(name, "entries."+strconv.Itoa(i+1)+".member.eventBusName",
				`Member must satisfy regular expression pattern: (arn:aws[\w-]*:events:[a-z]+-[a-z]+-[\w-]+:[0-9]{12}:event-bus\/)?[/\.\-_A-Za-z0-9]+`)
		}
		size += entrySize(e)
		complete = complete || e.Detail != nil && e.DetailType != nil && e.Source != nil
	}
	switch {
	case size > maxMessage:
		return nil, &Error{Code: "ValidationException", Message: "Total size of the entries in the request is over the limit."}
	case !complete:
		return nil, &Error{Code: "ValidationException", Message: "Parameter Entries is not valid. Reason: no entry has all of Detail, DetailType and Source."}
	}
	out := &eventbridge.PutEventsOutput{Entries: []types.PutEventsResultEntry{}}
	for _, e := range in.Entries {
		result := w.putEvent(e)
		if result.ErrorCode != nil {
			out.FailedEntryCount++
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

// entrySize is what an entry counts: its texts in bytes, and 14 for a time. See
// "Calculating PutEvents event entry size" in the EventBridge User Guide.
func entrySize(e types.PutEventsRequestEntry) int {
	n := len(deref(e.Source)) + len(deref(e.DetailType)) + len(deref(e.Detail))
	if e.Time != nil {
		n += 14
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

func (w *World) putEvent(e types.PutEventsRequestEntry) types.PutEventsResultEntry {
	failed := func(code, message string) types.PutEventsResultEntry {
		return types.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: &message}
	}
	for _, needed := range []struct {
		name  string
		value *string
	}{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if deref(needed.value) == "" {
			return failed("InvalidArgument", "Parameter "+needed.name+" is not valid. Reason: "+needed.name+" is a required argument.")
		}
	}
	var object map[string]any
	switch {
	case json.Unmarshal([]byte(*e.Detail), &object) != nil:
		return failed("MalformedDetail", "Detail is malformed.")
	case len(*e.DetailType) > 128:
		return failed("InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is longer than 128 characters.")
	case strings.HasPrefix(*e.Source, "aws."):
		return failed("NotAuthorizedForSourceException", "Not authorized for the source.")
	}
	ref := deref(e.EventBusName)
	setDefault(&ref, "default")
	result := types.PutEventsResultEntry{EventId: ptr(w.newUUID())}
	b := w.busOf(ref)
	if b == nil {
		// EventBridge takes events for a bus that does not exist, and drops them:
		// https://github.com/aws/aws-cli/issues/9186.
		w.event("", "event %s dropped: there is no event bus %s", *e.DetailType, ref)
		return result
	}
	if b.FailTimes > 0 {
		b.FailTimes--
		return failed(b.FailCode, "The simulated event bus "+b.Name+" refuses this entry.")
	}
	n := Notification{At: w.now, Body: *e.Detail, Source: *e.Source, DetailType: *e.DetailType, Resources: e.Resources, Time: w.now}
	if e.Time != nil {
		n.Time = *e.Time
	}
	b.published = append(b.published, n)
	w.event("", "put on event bus %s: %s", b.Name, n.DetailType)
	return result
}

func describeEventBus(w *World, in *eventbridge.DescribeEventBusInput) (*eventbridge.DescribeEventBusOutput, error) {
	ref := deref(in.Name)
	setDefault(&ref, "default")
	b := w.busOf(ref)
	if b == nil || b.Account != w.account {
		return nil, &Error{Code: "ResourceNotFoundException", Message: "Event bus " + ref + " does not exist."}
	}
	return &eventbridge.DescribeEventBusOutput{Arn: &b.arn, Name: &b.Name}, nil
}
