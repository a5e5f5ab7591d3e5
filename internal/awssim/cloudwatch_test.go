package awssim_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// alarmStates is "name=STATE …" of all alarms, as DescribeAlarms shows them.
func (f *fleet) alarmStates() string {
	f.Helper()
	out, err := cloudwatch.NewFromConfig(f.Config()).DescribeAlarms(f.Context(), &cloudwatch.DescribeAlarmsInput{
		AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	f.do(err)
	var all []string
	for _, a := range out.MetricAlarms {
		all = append(all, *a.AlarmName+"="+string(a.StateValue))
	}
	for _, a := range out.CompositeAlarms {
		all = append(all, *a.AlarmName+"="+string(a.StateValue))
	}
	return strings.Join(all, " ")
}

func (f *fleet) expectAlarms(when, want string) {
	f.Helper()
	if got := f.alarmStates(); got != want {
		f.Errorf("%s: alarms are %q, want %q", when, got, want)
	}
}

func TestAlarmsFollowTheTruth(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `
alarm "few" {
  while_healthy_below = 4
  group               = "web"
}
alarm "new-image" {
  while_image = "new"
  delay       = "1m"
}
alarm "set" {
  state     = "INSUFFICIENT_DATA"
  composite = true
}
actor {
  at = "10m"
  action {
    do    = "set_alarm"
    alarm = "set"
    text  = "ALARM"
  }
}
`)
	f.expectAlarms("at the start", "few=OK new-image=OK set=INSUFFICIENT_DATA")
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	f.BreakInstance(f.web().Members[0].ID)
	f.expectAlarms("a member broke", "few=ALARM new-image=OK set=INSUFFICIENT_DATA")
	f.Advance(90 * time.Second) // its successor is in service after 49 s and healthy 30 s later
	f.expectAlarms("its successor serves", "few=OK new-image=OK set=INSUFFICIENT_DATA")
	f.Advance(25 * time.Second)
	f.expectAlarms("and has been in service for a minute", "few=OK new-image=ALARM set=INSUFFICIENT_DATA")
	f.Advance(10 * time.Minute)
	f.expectAlarms("somebody set it", "few=OK new-image=ALARM set=ALARM")
	if state, known := f.AlarmState("set"); state != "ALARM" || !known {
		t.Errorf("AlarmState(set): got %q, %t; want ALARM", state, known)
	}
}

func TestAlarmOperations(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	c := cloudwatch.NewFromConfig(f.Config())
	put := &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("5xx"), MetricName: aws.String("HTTPCode_ELB_5XX_Count"), Namespace: aws.String("AWS/ApplicationELB"),
		Statistic: types.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(2), Threshold: aws.Float64(0.5),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("web")}},
	}
	_, err := c.PutMetricAlarm(f.Context(), put)
	f.do(err)
	f.expectAlarms("a new one", "5xx=INSUFFICIENT_DATA")
	_, err = c.SetAlarmState(f.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: put.AlarmName, StateValue: types.StateValueAlarm, StateReason: aws.String("test")})
	f.do(err)
	put.Threshold = aws.Float64(-3)
	_, err = c.PutMetricAlarm(f.Context(), put)
	f.do(err)
	out, err := c.DescribeAlarms(f.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"5xx", "gone"}})
	f.do(err)
	a := out.MetricAlarms[0]
	if a.StateValue != types.StateValueAlarm || *a.StateReason != "test" || *a.Threshold != -3 || !a.StateUpdatedTimestamp.Equal(f.Clock().Now()) || len(out.MetricAlarms) != 1 {
		t.Errorf("DescribeAlarms after an update: got %+v of %d; want ALARM because of test since %v, threshold -3", a, len(out.MetricAlarms), f.Clock().Now())
	}
	tags, err := c.ListTagsForResource(f.Context(), &cloudwatch.ListTagsForResourceInput{ResourceARN: a.AlarmArn})
	f.do(err)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "Team" {
		t.Errorf("tags: got %v, want Team", tags.Tags)
	}
	_, err = c.DeleteAlarms(f.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"5xx", "gone"}})
	f.do(err)
	f.expectAlarms("deleted", "")
	for _, p := range []struct {
		code, text string
		call       func() error
	}{
		{"ResourceNotFound", "5xx", func() error {
			_, err := c.SetAlarmState(f.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("5xx"), StateValue: types.StateValueOk, StateReason: aws.String("")})
			return err
		}},
		{"MissingParameter", "Period", func() error {
			bad := *put
			bad.Period = nil
			_, err := c.PutMetricAlarm(f.Context(), &bad)
			return err
		}},
		{"ValidationError", "AlarmNamePrefix", func() error {
			_, err := c.DescribeAlarms(f.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"a"}, AlarmNamePrefix: aws.String("a")})
			return err
		}},
	} {
		wantCode(t, p.call(), p.code, p.text)
	}
}

func TestAlarmPages(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `
alarm "a" {}
alarm "b" { state = "ALARM" }
alarm "c" {}
`)
	c := cloudwatch.NewFromConfig(f.Config())
	pages := cloudwatch.NewDescribeAlarmsPaginator(c, &cloudwatch.DescribeAlarmsInput{MaxRecords: aws.Int32(2)})
	var sizes []int
	for pages.HasMorePages() {
		p, err := pages.NextPage(context.WithoutCancel(t.Context()))
		f.do(err)
		sizes = append(sizes, len(p.MetricAlarms))
	}
	if len(sizes) != 2 || sizes[0] != 2 || sizes[1] != 1 {
		t.Errorf("pages of three alarms by two: got sizes %v, want [2 1]", sizes)
	}
}

func TestAWSCommandLineReadsAlarms(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `alarm "few" { state = "ALARM" }`)
	out := runClient(f, "aws", "cloudwatch", "describe-alarms", "--output", "text", "--query", "MetricAlarms[].[AlarmName,StateValue,Threshold,StateReason]")
	if got := strings.Join(strings.Fields(out), " "); got != "few ALARM 1 the scenario says so" {
		t.Errorf("aws described %q", got)
	}
}

// queryAlarmScript asks by the query protocol, which older clients speak, and by JSON.
const queryAlarmScript = `
import sys
try:
    import boto3, botocore
    from botocore.loaders import Loader
except ImportError:
    print("NO BOTO3"); sys.exit(0)
load = Loader.load_service_model
for protocol in ("query", "json", "smithy-rpc-v2-cbor"):
    def only(self, *args, **kw):
        m = load(self, *args, **kw)
        if args[0] == "cloudwatch" and args[1] == "service-2":
            m["metadata"].update(protocol=protocol, protocols=[protocol])
        return m
    Loader.load_service_model = only
    c = boto3.session.Session().client("cloudwatch")
    a = c.describe_alarms()["MetricAlarms"][0]
    try:
        c.set_alarm_state(AlarmName="gone", StateValue="OK", StateReason="x")
    except botocore.exceptions.ClientError as e:
        code = e.response["Error"]["Code"]
    print(c.meta.service_model.protocol_name if hasattr(c.meta.service_model, "protocol_name") else protocol, a["AlarmName"], a["StateValue"], a["StateUpdatedTimestamp"].year, code)
`

func TestAlarmsInEveryProtocol(t *testing.T) {
	t.Parallel()
	f := newFleet(t, `alarm "few" { state = "ALARM" }`)
	out := runClient(f, "python3", "-c", queryAlarmScript)
	if strings.HasPrefix(out, "NO BOTO3") {
		t.Skip("SKIPPED: boto3 is not installed, so nothing checks that it understands the simulator")
	}
	want := `query few ALARM 2026 ResourceNotFound
json few ALARM 2026 ResourceNotFound
smithy-rpc-v2-cbor few ALARM 2026 ResourceNotFound
`
	if out != want {
		t.Errorf("boto3 understood\n%s\nwant\n%s", out, want)
	}
}
