package awssim

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func cloudwatchOperations() map[string]operation {
	return map[string]operation{
		"PutMetricAlarm":      typed(putMetricAlarm),
		"DescribeAlarms":      typed(describeAlarms),
		"SetAlarmState":       typed(setAlarmState),
		"DeleteAlarms":        typed(deleteAlarms),
		"ListTagsForResource": typed(alarmTags),
		"TagResource":         typed(tagAlarm),
		"UntagResource":       typed(untagAlarm),
	}
}

// maxAlarms is how many alarm names one call may give.
const maxAlarms = 100

func alarmMissing(parameter string) error {
	return &Error{Code: "MissingParameter", Message: "The parameter " + parameter + " is required."}
}

func alarmInvalid(format string, args ...any) error {
	return &Error{Code: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

// checkAlarm checks a metric alarm of one metric; others are not modelled.
func checkAlarm(in *cloudwatch.PutMetricAlarmInput) error {
	switch {
	case deref(in.AlarmName) == "":
		return alarmMissing("AlarmName")
	case len(in.Metrics) > 0 || in.EvaluationCriteria != nil || in.EvaluationWindow != nil || in.WarmUpConfiguration != nil || in.ThresholdMetricId != nil:
		return alarmInvalid("The simulator models alarms of one metric with a threshold only.")
	case in.EvaluationPeriods == nil:
		return alarmMissing("EvaluationPeriods")
	case in.ComparisonOperator == "":
		return alarmMissing("ComparisonOperator")
	case in.MetricName == nil:
		return alarmMissing("MetricName")
	case in.Namespace == nil:
		return alarmMissing("Namespace")
	case in.Period == nil:
		return alarmMissing("Period")
	case in.Threshold == nil:
		return alarmMissing("Threshold")
	case (in.Statistic == "") == (in.ExtendedStatistic == nil):
		return alarmInvalid("Exactly one of Statistic and ExtendedStatistic must be specified")
	case *in.EvaluationPeriods < 1:
		return alarmInvalid("1 validation error detected: Value '%d' at 'evaluationPeriods' failed to satisfy constraint: Member must have value greater than or equal to 1", *in.EvaluationPeriods)
	case *in.Period != 10 && *in.Period != 20 && *in.Period != 30 && (*in.Period < 1 || *in.Period%60 != 0):
		return alarmInvalid("Period must be 10, 20, 30 or a multiple of 60")
	}
	return nil
}

func putMetricAlarm(w *World, in *cloudwatch.PutMetricAlarmInput) (*cloudwatch.PutMetricAlarmOutput, error) {
	if err := checkAlarm(in); err != nil {
		return nil, err
	}
	a := w.cw.alarms[*in.AlarmName]
	if a != nil && a.composite {
		return nil, alarmInvalid("An alarm of another type with the name %s exists", *in.AlarmName)
	}
	if a == nil {
		a = w.newAlarm(*in.AlarmName)
		for _, t := range in.Tags { // of an alarm that exists they are ignored, as AWS does
			a.tags[deref(t.Key)] = deref(t.Value)
		}
	}
	old := a.metric
	a.metric = types.MetricAlarm{
		AlarmName: old.AlarmName, AlarmArn: old.AlarmArn, AlarmConfigurationUpdatedTimestamp: ptr(w.now),
		StateValue: old.StateValue, StateReason: old.StateReason, StateUpdatedTimestamp: old.StateUpdatedTimestamp, StateTransitionedTimestamp: old.StateTransitionedTimestamp,
		ActionsEnabled: in.ActionsEnabled, AlarmDescription: in.AlarmDescription, AlarmActions: orNone(in.AlarmActions), OKActions: orNone(in.OKActions),
		InsufficientDataActions: orNone(in.InsufficientDataActions), MetricName: in.MetricName, Namespace: in.Namespace, Statistic: in.Statistic,
		ExtendedStatistic: in.ExtendedStatistic, Dimensions: orNone(in.Dimensions), Period: in.Period, Unit: in.Unit, EvaluationPeriods: in.EvaluationPeriods,
		DatapointsToAlarm: in.DatapointsToAlarm, Threshold: in.Threshold, ComparisonOperator: in.ComparisonOperator, TreatMissingData: in.TreatMissingData,
		EvaluateLowSampleCountPercentile: in.EvaluateLowSampleCountPercentile,
	}
	setMissing(&a.metric.ActionsEnabled, true)
	return &cloudwatch.PutMetricAlarmOutput{}, nil
}

// orNone gives an empty list for none, because answers hold one.
func orNone[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func describeAlarms(w *World, in *cloudwatch.DescribeAlarmsInput) (*cloudwatch.DescribeAlarmsOutput, error) {
	switch {
	case len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil:
		return nil, alarmInvalid("AlarmNames and AlarmNamePrefix cannot be specified at the same time")
	case len(in.AlarmNames) > maxAlarms:
		return nil, alarmInvalid("1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: Member must have length less than or equal to %d", maxAlarms)
	case in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil || in.ActionPrefix != nil:
		return nil, alarmInvalid("The simulator does not model ChildrenOfAlarmName, ParentsOfAlarmName and ActionPrefix.")
	}
	w.followTruth()
	kinds := in.AlarmTypes
	if len(kinds) == 0 {
		kinds = []types.AlarmType{types.AlarmTypeMetricAlarm}
	}
	var all []*alarm
	for _, name := range slices.Sorted(maps.Keys(w.cw.alarms)) {
		a := w.cw.alarms[name]
		kind := types.AlarmTypeMetricAlarm
		if a.composite {
			kind = types.AlarmTypeCompositeAlarm
		}
		switch {
		case !slices.Contains(kinds, kind):
		case len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name):
		case !strings.HasPrefix(name, deref(in.AlarmNamePrefix)):
		case in.StateValue != "" && in.StateValue != a.metric.StateValue:
		default:
			all = append(all, a)
		}
	}
	page, next, err := alarmPage(all, in.MaxRecords, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []types.MetricAlarm{}, CompositeAlarms: []types.CompositeAlarm{}, NextToken: next}
	for _, a := range page {
		if !a.composite {
			out.MetricAlarms = append(out.MetricAlarms, a.metric)
			continue
		}
		m := a.metric
		out.CompositeAlarms = append(out.CompositeAlarms, types.CompositeAlarm{
			AlarmName: m.AlarmName, AlarmArn: m.AlarmArn, AlarmRule: &a.rule, ActionsEnabled: m.ActionsEnabled, AlarmActions: m.AlarmActions,
			OKActions: m.OKActions, InsufficientDataActions: m.InsufficientDataActions, StateValue: m.StateValue, StateReason: m.StateReason,
			StateUpdatedTimestamp: m.StateUpdatedTimestamp, StateTransitionedTimestamp: m.StateTransitionedTimestamp,
			AlarmConfigurationUpdatedTimestamp: m.AlarmConfigurationUpdatedTimestamp,
		})
	}
	return out, nil
}

// alarmPage cuts one page; 50 alarms by default and 100 at most.
func alarmPage(all []*alarm, size *int32, token *string) ([]*alarm, *string, error) {
	n := int32(50)
	if size != nil {
		n = *size
	}
	if n < 1 || n > 100 {
		return nil, nil, alarmInvalid("1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member must have value between 1 and 100", n)
	}
	start := 0
	if token != nil {
		raw, err := base64.StdEncoding.DecodeString(*token)
		if err == nil {
			start, err = strconv.Atoi(strings.TrimPrefix(string(raw), "alarms-"))
		}
		if err != nil || start < 0 {
			return nil, nil, &Error{Code: "InvalidNextToken", Message: "The next token is invalid."}
		}
	}
	start = min(start, len(all))
	end := min(start+int(n), len(all))
	if end == len(all) {
		return all[start:end], nil, nil
	}
	return all[start:end], ptr(base64.StdEncoding.EncodeToString([]byte("alarms-" + strconv.Itoa(end)))), nil
}

func setAlarmState(w *World, in *cloudwatch.SetAlarmStateInput) (*cloudwatch.SetAlarmStateOutput, error) {
	a := w.cw.alarms[deref(in.AlarmName)]
	switch {
	case deref(in.AlarmName) == "":
		return nil, alarmMissing("AlarmName")
	case in.StateReason == nil:
		return nil, alarmMissing("StateReason")
	case !slices.Contains(in.StateValue.Values(), in.StateValue):
		return nil, alarmInvalid("1 validation error detected: Value '%s' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]", in.StateValue)
	case a == nil:
		return nil, &Error{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "Alarm " + *in.AlarmName + " does not exist"}
	}
	a.cancel()
	w.moveAlarm(a, in.StateValue, *in.StateReason)
	a.metric.StateReasonData = in.StateReasonData
	return &cloudwatch.SetAlarmStateOutput{}, nil
}

// deleteAlarms deletes those that are named and exist; the others are no error.
func deleteAlarms(w *World, in *cloudwatch.DeleteAlarmsInput) (*cloudwatch.DeleteAlarmsOutput, error) {
	switch {
	case len(in.AlarmNames) == 0:
		return nil, alarmMissing("AlarmNames")
	case len(in.AlarmNames) > maxAlarms:
		return nil, alarmInvalid("1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: Member must have length less than or equal to %d", maxAlarms)
	}
	for _, name := range in.AlarmNames {
		if a := w.cw.alarms[name]; a != nil {
			a.cancel()
			delete(w.cw.alarms, name)
		}
	}
	return &cloudwatch.DeleteAlarmsOutput{}, nil
}

func (w *World) alarmOf(arn *string) (*alarm, error) {
	_, name, ok := strings.Cut(deref(arn), ":alarm:")
	if a := w.cw.alarms[name]; ok && a != nil {
		return a, nil
	}
	return nil, &Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: "Resource not found: " + deref(arn)}
}

func alarmTags(w *World, in *cloudwatch.ListTagsForResourceInput) (*cloudwatch.ListTagsForResourceOutput, error) {
	a, err := w.alarmOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	out := &cloudwatch.ListTagsForResourceOutput{Tags: []types.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(a.tags)) {
		out.Tags = append(out.Tags, types.Tag{Key: &k, Value: ptr(a.tags[k])})
	}
	return out, nil
}

func tagAlarm(w *World, in *cloudwatch.TagResourceInput) (*cloudwatch.TagResourceOutput, error) {
	a, err := w.alarmOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		a.tags[deref(t.Key)] = deref(t.Value)
	}
	return &cloudwatch.TagResourceOutput{}, nil
}

func untagAlarm(w *World, in *cloudwatch.UntagResourceInput) (*cloudwatch.UntagResourceOutput, error) {
	a, err := w.alarmOf(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(a.tags, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
	return &cloudwatch.UntagResourceOutput{}, nil
}
