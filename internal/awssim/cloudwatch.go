package awssim

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// cloudwatchState is every alarm, by name. There are no metrics: an alarm's
// state is set, or follows what is really the case.
type cloudwatchState struct {
	alarms map[string]*alarm
}

// alarm is a metric alarm, or a composite one, of which only the name and the
// state are modelled.
type alarm struct {
	metric    types.MetricAlarm // state included, also of a composite one
	composite bool
	rule      string // of a composite one
	tags      map[string]string

	follow AlarmSpec // its conditions; without one the state stays as it is set
	delay  time.Duration
	holds  bool   // whether the condition holds
	cancel func() // stops the change that is due after the delay
}

// AlarmSpec is an alarm of CloudWatch: a state at first, and conditions that
// it follows. One with several conditions is in alarm while any of them holds.
type AlarmSpec struct {
	Name string `hcl:"name,label" json:"name"`
	// State is OK, ALARM or INSUFFICIENT_DATA; empty: OK.
	State string `hcl:"state,optional" json:"state"`
	// Composite makes it a composite alarm.
	Composite bool `hcl:"composite,optional" json:"composite"`
	// WhileImage puts it in alarm while any member of any group that runs
	// this image (name or id) is in service.
	WhileImage string `hcl:"while_image,optional" json:"while_image"`
	// WhileHealthyBelow puts it in alarm while fewer members of Group serve.
	WhileHealthyBelow int    `hcl:"while_healthy_below,optional" json:"while_healthy_below"`
	Group             string `hcl:"group,optional" json:"group"`
	// Delay is how long after a condition the state changes, either way.
	Delay string `hcl:"delay,optional" json:"delay"`
}

const cloudwatchTarget = "GraniteServiceVersion20100801"

// cloudwatchFaults are the names of its errors in the newer protocols, where
// they are not the codes.
var cloudwatchFaults = map[string]string{
	"InvalidFormat": "InvalidFormatFault", "LimitExceeded": "LimitExceededFault", "InvalidParameterValue": "InvalidParameterValueException",
	"InvalidParameterCombination": "InvalidParameterCombinationException", "MissingParameter": "MissingRequiredParameterException",
	"InternalServiceError": "InternalServiceFault",
}

// CloudWatch is spoken to in three ways: the query protocol by older clients,
// JSON, and CBOR by newer ones.
func init() {
	operations := cloudwatchOperations()
	query := queryService("http://monitoring.amazonaws.com/doc/2010-08-01/", operations)
	plain := jsonService(cloudwatchTarget, operations)
	register("cloudwatch", service{
		name: func(c *Call) string {
			switch {
			case isCBOR(c):
				return cborOperation(c, cloudwatchTarget)
			case isJSON(c):
				return plain.name(c)
			}
			return query.name(c)
		},
		operations: operations,
		answer: func(c *Call, out any) (rawResponse, error) {
			switch {
			case isCBOR(c):
				return cborAnswer(c, out), nil
			case isJSON(c):
				return plain.answer(c, out)
			}
			return query.answer(c, out)
		},
		fail: func(c *Call, e *Error) rawResponse {
			if !isCBOR(c) && !isJSON(c) {
				return query.fail(c, e)
			}
			fault := *e
			if name := cloudwatchFaults[e.Code]; name != "" {
				fault.Code = name
			}
			res := plain.fail(c, &fault)
			if isCBOR(c) {
				res = cborError(c, &fault)
			}
			kind := "Sender"
			if e.status() >= http.StatusInternalServerError {
				kind = "Receiver"
			}
			res.Header.Set("X-Amzn-Query-Error", e.Code+";"+kind)
			return res
		},
		setup: func(w *World) { w.cw = &cloudwatchState{alarms: map[string]*alarm{}} },
	})
}

// alarmState tells an alarm's state, as of the world's current instant, and
// whether there is such an alarm.
func (w *World) alarmState(name string) (state string, known bool) {
	w.followTruth()
	a := w.cw.alarms[name]
	if a == nil {
		return "", false
	}
	return string(a.metric.StateValue), true
}

// AlarmState tells an alarm's state, and whether there is such an alarm.
func (w *World) AlarmState(name string) (state string, known bool) {
	w.lock()
	defer w.mu.Unlock()
	return w.alarmState(name)
}

// SetAlarm adds an alarm, or changes the state and the conditions of the one
// with that name. A state that does not exist, a group that is missing, and a
// delay that is not a duration are errors.
func (w *World) SetAlarm(s AlarmSpec) error {
	delay, err := duration(s.Delay, "alarm "+s.Name+": delay")
	if err != nil {
		return err
	}
	setDefault(&s.State, string(types.StateValueOk))
	w.lock()
	defer w.mu.Unlock()
	switch {
	case s.Name == "":
		return errors.New("an alarm needs a name")
	case !slices.Contains(types.StateValue("").Values(), types.StateValue(s.State)):
		return fmt.Errorf("alarm %q: state: %q is not OK, ALARM or INSUFFICIENT_DATA", s.Name, s.State)
	case (s.WhileHealthyBelow > 0) != (s.Group != ""):
		return fmt.Errorf("alarm %q: while_healthy_below and group go together", s.Name)
	case s.Group != "" && w.asg.groups[s.Group] == nil:
		return fmt.Errorf("alarm %q: group: no group %q", s.Name, s.Group)
	}
	a := w.cw.alarms[s.Name]
	if a == nil {
		a = w.newAlarm(s.Name)
		a.metric.MetricName, a.metric.Namespace, a.metric.Statistic = ptr("Errors"), ptr("Simulated"), types.StatisticSum
		a.metric.Period, a.metric.EvaluationPeriods, a.metric.Threshold = ptr(int32(60)), ptr(int32(1)), ptr(1.0)
		a.metric.ComparisonOperator, a.metric.TreatMissingData = types.ComparisonOperatorGreaterThanOrEqualToThreshold, ptr("missing")
	}
	if a.composite = s.Composite; a.composite {
		a.rule = "FALSE"
	}
	a.cancel()
	a.follow, a.delay, a.holds = s, delay, false
	w.moveAlarm(a, types.StateValue(s.State), "the scenario says so")
	w.notify()
	return nil
}

func (w *World) newAlarm(name string) *alarm {
	arn := "arn:aws:cloudwatch:" + w.region + ":" + w.account + ":alarm:" + name
	a := &alarm{cancel: func() {}, tags: map[string]string{}, metric: types.MetricAlarm{
		AlarmName: &name, AlarmArn: &arn, ActionsEnabled: ptr(true), AlarmConfigurationUpdatedTimestamp: ptr(w.now),
		OKActions: []string{}, AlarmActions: []string{}, InsufficientDataActions: []string{}, Dimensions: []types.Dimension{},
		StateValue: types.StateValueInsufficientData, StateReason: ptr("Unchecked: Initial alarm creation"),
		StateUpdatedTimestamp: ptr(w.now), StateTransitionedTimestamp: ptr(w.now),
	}}
	w.cw.alarms[name] = a
	return a
}

// moveAlarm sets an alarm's state.
func (w *World) moveAlarm(a *alarm, state types.StateValue, why string) {
	if a.metric.StateValue != state {
		w.event("", "alarm %s: %s → %s: %s", *a.metric.AlarmName, a.metric.StateValue, state, why)
		a.metric.StateTransitionedTimestamp = ptr(w.now)
	}
	a.metric.StateValue, a.metric.StateReason, a.metric.StateUpdatedTimestamp = state, &why, ptr(w.now)
	w.alarmMoved(*a.metric.AlarmName)
}

// followTruth lets alarms follow their conditions.
func (w *World) followTruth() {
	if len(w.cw.alarms) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(w.cw.alarms)) {
		a := w.cw.alarms[name]
		why, holds := w.condition(a.follow)
		if holds == a.holds {
			continue
		}
		a.holds = holds
		a.cancel()
		state := types.StateValueOk
		if holds {
			state = types.StateValueAlarm
		}
		if a.delay == 0 {
			w.moveAlarm(a, state, why)
			continue
		}
		a.cancel = w.after(a.delay, func() { w.moveAlarm(a, state, why) })
	}
}

// condition is whether any of an alarm's conditions holds.
func (w *World) condition(s AlarmSpec) (why string, holds bool) {
	if s.WhileHealthyBelow > 0 {
		n := w.numbers(s.Group)["healthy"]
		if why = fmt.Sprintf("%v members of %s serve", n, s.Group); int(n) < s.WhileHealthyBelow {
			return why, true
		}
	}
	if s.WhileImage == "" {
		return why, false
	}
	for _, g := range w.sortedGroups() {
		for _, m := range g.members {
			if m.lifecycle == astypes.LifecycleStateInService && (m.imageID == s.WhileImage || w.imageName(m.imageID) == s.WhileImage) {
				return "a member of image " + s.WhileImage + " is in service", true
			}
		}
	}
	return strings.TrimPrefix(why+", no member of image "+s.WhileImage+" is in service", ", "), false
}
