package awssim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// activity is a scaling activity.
type activity struct {
	id, group, arn, description, cause, message string
	zone, subnet                                string
	start, end                                  time.Time // end is zero while it goes on
	status                                      types.ScalingActivityStatusCode
	progress                                    int32
	groupDeleted                                bool
}

// maxStatusMessage is where AWS cuts an activity's status message.
const maxStatusMessage = 255

// at is a sentence of a cause, with its instant as Auto Scaling writes it.
func (w *World) at(format string, args ...any) string {
	return "At " + w.now.UTC().Format(time.RFC3339) + " " + fmt.Sprintf(format, args...) + "."
}

// startActivity begins an activity. The causes are whole sentences.
func (w *World) startActivity(g *group, description string, m *member, causes ...string) *activity {
	a := &activity{
		id: w.newUUID(), group: g.name(), arn: aws.ToString(g.as.AutoScalingGroupARN), description: description,
		cause: strings.Join(causes, "  "), zone: m.zone, subnet: m.subnet, start: w.now,
		status: types.ScalingActivityStatusCodeInProgress,
	}
	g.activities = append(g.activities, a)
	return a
}

func (w *World) endActivity(a *activity, status types.ScalingActivityStatusCode, message string) {
	if a == nil || !a.end.IsZero() {
		return
	}
	if len(message) > maxStatusMessage {
		message = message[:maxStatusMessage]
	}
	a.status, a.message, a.end, a.progress = status, message, w.now, 100
}

func (a *activity) sdk() types.Activity {
	details := map[string]string{"Availability Zone": a.zone}
	if a.subnet != "" {
		details["Subnet ID"] = a.subnet
	}
	text, err := json.Marshal(details)
	if err != nil {
		panic(err) // strings always encode
	}
	out := types.Activity{
		ActivityId: aws.String(a.id), AutoScalingGroupName: aws.String(a.group), AutoScalingGroupARN: aws.String(a.arn),
		Cause: aws.String(a.cause), Description: aws.String(a.description), Details: aws.String(string(text)),
		StartTime: aws.Time(a.start), StatusCode: a.status, Progress: aws.Int32(a.progress),
	}
	if !a.end.IsZero() {
		out.EndTime = aws.Time(a.end)
	}
	if a.message != "" {
		out.StatusMessage = aws.String(a.message)
	}
	if a.groupDeleted {
		out.AutoScalingGroupState = aws.String("Deleted")
	}
	return out
}

func describeScalingActivities(w *World, in *autoscaling.DescribeScalingActivitiesInput) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	if len(in.Filters) > 0 {
		return nil, unmodelled("filters of scaling activities")
	}
	var all []*activity
	switch name := aws.ToString(in.AutoScalingGroupName); {
	case name == "":
		for _, g := range w.asg.groups {
			all = append(all, g.activities...)
		}
		slices.SortStableFunc(all, func(a, b *activity) int { return a.start.Compare(b.start) })
	case w.asg.groups[name] != nil:
		all = slices.Clone(w.asg.groups[name].activities)
	case !aws.ToBool(in.IncludeDeletedGroups):
		return nil, invalidf("AutoScalingGroup name not found - AutoScalingGroup '%s' not found", name)
	}
	slices.Reverse(all)
	if aws.ToBool(in.IncludeDeletedGroups) {
		for _, a := range w.asg.deleted {
			if in.AutoScalingGroupName == nil || a.group == *in.AutoScalingGroupName {
				all = append(all, a)
			}
		}
	}
	if len(in.ActivityIds) > 0 {
		all = slices.DeleteFunc(all, func(a *activity) bool { return !slices.Contains(in.ActivityIds, a.id) })
	}
	page, next, err := paged(all, in.MaxRecords, in.NextToken, pageSize{100, 100})
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeScalingActivitiesOutput{Activities: make([]types.Activity, 0, len(page)), NextToken: next}
	for _, a := range page {
		out.Activities = append(out.Activities, a.sdk())
	}
	return out, nil
}

// pageSize is how many items a page holds unless asked, and at most.
type pageSize struct{ usual, most int }

// paged cuts one page out of a list. Tokens count items, which is enough for
// lists that only a reader pages through.
func paged[T any](all []T, maxRecords *int32, token *string, size pageSize) (page []T, next *string, err error) {
	n := size.usual
	if maxRecords != nil {
		if n = int(*maxRecords); n < 1 || n > size.most {
			return nil, nil, invalidf("1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member must have value between 1 and %d", n, size.most)
		}
	}
	from := 0
	if token != nil && *token != "" {
		from, err = strconv.Atoi(strings.TrimPrefix(*token, "page-"))
		if err != nil || from < 0 {
			return nil, nil, &Error{Code: "InvalidNextToken", Message: "The token '" + *token + "' is invalid."}
		}
	}
	from = min(from, len(all))
	to := min(from+n, len(all))
	if to < len(all) {
		next = aws.String("page-" + strconv.Itoa(to))
	}
	return all[from:to], next, nil
}
