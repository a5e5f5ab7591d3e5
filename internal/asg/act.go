package asg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/ltversion"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Do makes one step, once. It never retries; a step whose answer does not
// arrive within 20 s is [rollout.Lost]. What AWS says is in the failure's text.
func (c *Client) Do(ctx context.Context, group string, s rollout.Step) rollout.Result {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var r rollout.Result
	var err error
	switch s.Kind {
	case rollout.Suspend:
		err = c.suspend(ctx, group, s)
	case rollout.Resume:
		_, err = c.o.AutoScaling.ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{
			AutoScalingGroupName: aws.String(group), ScalingProcesses: names(s),
		}, once)
	case rollout.Point:
		err = c.point(ctx, group, s)
	case rollout.Launch:
		return c.launch(ctx, group, s)
	case rollout.Raise:
		err = c.raise(ctx, group, s)
	case rollout.EndWarm:
		err = c.endWarm(ctx, group, s)
	case rollout.RaiseMaxSize, rollout.LowerMaxSize:
		err = c.resize(ctx, group, s)
	case rollout.End:
		r.Was, r.Already, err = c.end(ctx, s)
	case rollout.Copy:
		r.Version, err = c.copyVersion(ctx, s)
	case rollout.Make:
		r.Version, err = c.copyVersion(ctx, s)
	case rollout.SetDefault:
		_, err = c.o.EC2.ModifyLaunchTemplate(ctx, &ec2.ModifyLaunchTemplateInput{
			LaunchTemplateId: aws.String(s.Template), DefaultVersion: aws.String(s.Version),
		}, onceEC2)
	case rollout.StepRefresh:
		r.Refresh, err = c.drive(ctx, group, s)
	}
	if err != nil {
		r.Failure = failure(s, err)
	}
	if kind, ok := refreshRefusals[code(err)]; ok && s.Kind == rollout.StepRefresh {
		r.Failure.Kind = kind
	}
	return r
}

// end ends a member. Where that lowers desired, AWS's answer may say from what; or
// it tells of an end for another reason, which was under way.
func (c *Client) end(ctx context.Context, s rollout.Step) (was *int, already bool, err error) {
	out, err := c.o.AutoScaling.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
		InstanceId: aws.String(s.Member), ShouldDecrementDesiredCapacity: aws.Bool(s.Decrement),
	}, once)
	if err != nil || !s.Decrement || out.Activity == nil {
		return nil, false, err
	}
	cause := aws.ToString(out.Activity.Cause)
	if m := resized.FindStringSubmatch(cause); m != nil {
		from := atoi(m[1])
		was = &from
	}
	return was, cause != "" && !strings.Contains(cause, "in response to a user request"), nil
}

// names are the processes of a step. Never empty: AWS takes no names for all.
func names(s rollout.Step) []string { return slices.Sorted(maps.Keys(s.Processes)) }

func (c *Client) suspend(ctx context.Context, group string, s rollout.Step) error {
	_, err := c.o.AutoScaling.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{
		AutoScalingGroupName: aws.String(group), ScalingProcesses: names(s),
	}, once)
	return err
}

// point sets the version of the group's launch template and nothing else.
func (c *Client) point(ctx context.Context, group string, s rollout.Step) error {
	if s.Policy {
		now, err := c.describe(ctx, group)
		if err != nil {
			return err
		}
		if p := now.MixedInstancesPolicy; p != nil && p.LaunchTemplate != nil {
			return c.pointPolicy(ctx, group, s.Version, p)
		}
		return &knownError{rollout.Again, "the group has no mixed instances policy any more"}
	}
	_, err := c.o.AutoScaling.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(group),
		LaunchTemplate: &astypes.LaunchTemplateSpecification{
			LaunchTemplateId: aws.String(s.Template), Version: aws.String(s.Version),
		},
	}, once)
	return err
}

// launch adds members in one zone. AWS may launch some and refuse others.
func (c *Client) launch(ctx context.Context, group string, s rollout.Step) rollout.Result {
	asked := s.Count
	if len(s.Weights) == 0 {
		asked = min(asked, 100) // with weights, AWS counts the members itself
	}
	in := &autoscaling.LaunchInstancesInput{
		AutoScalingGroupName: aws.String(group), ClientToken: aws.String(s.Token),
		RequestedCapacity: aws.Int32(int32(asked)), //nolint:gosec // at least 1, at most a group's size
		RetryStrategy:     astypes.RetryStrategyNone,
	}
	if s.Zone != "" {
		in.AvailabilityZones = []string{s.Zone}
	}
	out, err := c.o.AutoScaling.LaunchInstances(ctx, in, once)
	if err != nil {
		return rollout.Result{Failure: failure(s, err)}
	}
	var r rollout.Result
	for _, i := range out.Instances {
		r.IDs = append(r.IDs, i.InstanceIds...)
		for range i.InstanceIds {
			r.Types = append(r.Types, aws.ToString(i.InstanceType))
		}
	}
	for _, e := range out.Errors {
		text := aws.ToString(e.ErrorMessage)
		if text == "" {
			text = aws.ToString(e.ErrorCode)
		}
		kind := launchKind(aws.ToString(e.ErrorCode) + " " + text)
		r.Failure = &rollout.Failure{Kind: kind, Code: aws.ToString(e.ErrorCode), Text: text}
		if kind == rollout.Fatal {
			break
		}
	}
	return r
}

// raise is the guarded fallback: read again, write once, upwards only.
func (c *Client) raise(ctx context.Context, group string, s rollout.Step) error {
	now, err := c.describe(ctx, group)
	if err != nil {
		return err
	}
	if got := int(aws.ToInt32(now.DesiredCapacity)); got != s.From || s.To <= s.From {
		return &knownError{rollout.Again, fmt.Sprintf("desired capacity is %d, not %d as a moment ago", got, s.From)}
	}
	_, err = c.o.AutoScaling.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
		AutoScalingGroupName: aws.String(group), DesiredCapacity: aws.Int32(int32(s.To)), //nolint:gosec // a group's size
		HonorCooldown: aws.Bool(false),
	}, once)
	return err
}

// resize sets max size and nothing else: read again, write once. AWS would lower
// a desired capacity that does not fit below it.
func (c *Client) resize(ctx context.Context, group string, s rollout.Step) error {
	now, err := c.describe(ctx, group)
	if err != nil {
		return err
	}
	switch got, desired := int(aws.ToInt32(now.MaxSize)), int(aws.ToInt32(now.DesiredCapacity)); {
	case got != s.From && got != s.To: // To is written once more: a read may be older than the change to From
		return &knownError{rollout.Again, fmt.Sprintf("max size is %d, not %d as a moment ago", got, s.From)}
	case desired > s.To:
		return &knownError{rollout.Again, fmt.Sprintf("desired capacity is %d, and AWS would lower it to a max size of %d", desired, s.To)}
	}
	_, err = c.o.AutoScaling.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String(group), MaxSize: aws.Int32(int32(s.To)), //nolint:gosec // a group's size
	}, once)
	return err
}

// knownError says why a step was not made, before AWS was asked.
type knownError struct {
	kind rollout.FailureKind
	text string
}

// Error implements error.
func (e *knownError) Error() string { return e.text }

// copyVersion publishes a copy of a version, as it is or with another image,
// which must be equal to the source: the rollback would roll to something else.
func (c *Client) copyVersion(ctx context.Context, s rollout.Step) (int64, error) {
	source := strconv.FormatInt(s.Source, 10)
	found, err := c.readVersions(ctx, s.Template, source)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, &VersionError{Template: s.Template, Version: source, Err: errors.New("AWS lists none")}
	}
	data := found[0].data
	if s.Image != "" {
		data = ltversion.WithImage(data, &s.Image)
	}
	made, err := ltversion.Client{
		EC2: c.o.EC2, Clock: c.o.Clock, Reads: c.readsEC2(), Writes: []func(*ec2.Options){onceEC2},
	}.Publish(ctx, ltversion.Copy{Template: s.Template, Source: s.Source, Description: found[0].description, Data: data, Token: s.Token})
	limited := errors.As(err, new(*ltversion.LimitError))
	switch refused := limited || denied(code(err)) && !expired(code(err)) || errors.As(err, new(*ltversion.DifferenceError)); {
	case refused && s.Kind == rollout.Copy:
		return 0, &knownError{rollout.Unsupported, Plain(err)} // its source was there just now
	case limited:
		return 0, &knownError{rollout.Fatal, Plain(err)} // with its cure
	case err != nil:
		return 0, err
	}
	return made, nil
}

// code is AWS's error code of err, empty when it has none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// failure says what an error of a step means.
func failure(s rollout.Step, err error) *rollout.Failure {
	f := &rollout.Failure{Code: code(err), Text: text(err)}
	f.Refreshing = refreshing(s, f.Text)
	var known *knownError
	var version *VersionError
	var different *ltversion.DifferenceError
	switch {
	case errors.As(err, &known):
		f.Kind = known.kind
	case errors.As(err, &version), errors.As(err, &different), errors.Is(err, ErrNotFound):
		f.Kind = rollout.Fatal
	case f.Code == "":
		f.Kind = rollout.Lost // no answer, or none that could be read
	case throttled(f.Code), expired(f.Code), f.Code == "ResourceContention", f.Code == "ScalingActivityInProgress":
		f.Kind = rollout.Again
	case serverError(f.Code):
		f.Kind = rollout.Lost // a server error says nothing about the effect
	case f.Code == "InvalidAction", f.Code == "UnknownOperation", f.Code == "UnsupportedOperation", f.Code == "NotImplemented":
		f.Kind = rollout.Unsupported
	case s.Kind == rollout.End && f.Code == "ValidationError" && strings.Contains(f.Text, "not found"):
		f.Kind = rollout.Gone
	case s.Kind == rollout.Launch && f.Code == "ValidationError" && !strings.Contains(strings.ToLower(f.Text), "max"):
		f.Kind = rollout.Unsupported // a group LaunchInstances is not for
	case s.Kind == rollout.Raise && f.Code == "ValidationError", s.Kind == rollout.Launch && f.Code == "ValidationError":
		f.Kind = rollout.Again
	case s.Kind == rollout.Launch || s.Kind == rollout.Raise:
		f.Kind = launchKind(f.Code + " " + f.Text)
	case s.Kind == rollout.End && !denied(f.Code):
		f.Kind = rollout.Again
	default:
		f.Kind = rollout.Fatal
	}
	return f
}

// refreshing says whether AWS refused to move the pointer for the sake of an
// instance refresh.
func refreshing(s rollout.Step, text string) bool {
	return s.Kind == rollout.Point && strings.Contains(text, "active instance refresh")
}

// text is what AWS said, without the SDK's wrapping.
func text(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return err.Error()
}

// Plain is the text of an error for people: AWS's code and sentence, or what
// was wrong with the connection, without the SDK's wrapping of it (operation,
// status, request id). What was wrapped around that by Refit stays.
func Plain(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return err.Error()
	}
	var wire *url.Error
	said := text(op)
	if code(op) == "" && errors.As(op, &wire) {
		said = wire.Error()
	}
	return strings.Replace(err.Error(), op.Error(), said, 1)
}

// Throttled says whether AWS refused a call because there were too many.
func Throttled(err error) bool { return throttled(code(err)) }

func throttled(code string) bool {
	switch code {
	case "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled", "SlowDown":
		return true
	}
	return false
}

// Passing says whether an error of a look may be gone at the next one:
// throttling, a server error, or no answer that could be read.
func Passing(err error) bool {
	c := code(err)
	var version *VersionError
	return !errors.Is(err, ErrNotFound) && !errors.As(err, &version) && !errors.Is(err, context.Canceled) &&
		(c == "" || throttled(c) || serverError(c))
}

func serverError(code string) bool {
	switch code {
	case "InternalFailure", "InternalError", "ServiceUnavailable", "Unavailable", "RequestTimeout":
		return true
	}
	return false
}

// Expired says whether AWS refused a call because the credentials have expired.
func Expired(err error) bool { return expired(code(err)) }

func expired(code string) bool {
	return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "RequestExpired"
}

// Denied says whether AWS refused a call for want of permission or credentials.
func Denied(err error) bool { return denied(code(err)) }

func denied(code string) bool {
	switch code {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "InvalidClientTokenId",
		"AuthFailure", "SignatureDoesNotMatch", "UnrecognizedClientException":
		return true
	}
	return expired(code)
}

// launchKind sorts launch errors by whether, and where, trying again can help
// (rollouts.md, Facts). It reads codes and, because scaling activities carry
// only text, AWS's sentences.
func launchKind(text string) rollout.FailureKind {
	for _, k := range []struct {
		kind  rollout.FailureKind
		marks []string
	}{
		{rollout.Unsupported, []string{"InvalidAction", "not supported for groups"}},
		{rollout.Elsewhere, []string{"not supported in your requested Availability Zone", "InsufficientInstanceCapacity", "sufficient capacity", "InsufficientFreeAddresses", "free addresses", "not enough free"}},
		{rollout.Again, []string{"VcpuLimitExceeded", "vCPU", "InstanceLimitExceeded", "LimitExceeded", "Throttling", "RequestLimitExceeded", "ScalingActivityInProgress", "ResourceContention"}},
	} {
		for _, m := range k.marks {
			if strings.Contains(text, m) {
				return k.kind
			}
		}
	}
	return rollout.Fatal
}
