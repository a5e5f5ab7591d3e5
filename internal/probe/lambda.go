package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// payload is what a function is told. Fields are only ever added to it; a
// change of their meaning makes another Version. The health guide documents it.
type payload struct {
	Version         int            `json:"version"` // of this payload: 1
	Check           string         `json:"check"`
	Group           string         `json:"autoscaling_group_name"`
	Moment          rollout.Moment `json:"moment"`
	Template        string         `json:"launch_template_id"`
	TemplateVersion string         `json:"launch_template_version"`
	Image           string         `json:"image_id"`
	PreviousVersion string         `json:"previous_launch_template_version,omitempty"`
	PreviousImage   string         `json:"previous_image_id,omitempty"`
}

func payloadOf(in rollout.Inquiry, c rollout.Check, g rollout.Group) payload {
	p := payload{
		Version: 1, Check: c.Name, Group: g.Name, Moment: in.Moment,
		Template: in.Target.TemplateID, TemplateVersion: strconv.FormatInt(in.Target.Number, 10), Image: in.Target.Image,
		PreviousImage: in.Previous.Image,
	}
	if in.Previous.Number != 0 {
		p.PreviousVersion = strconv.FormatInt(in.Previous.Number, 10)
	}
	return p
}

// verdict is what a function answers.
type verdict struct {
	Pass    *bool  `json:"pass"`
	Message string `json:"message"`
}

// tries is how often a function is invoked that AWS throttles, or that gives no
// answer.
const tries = 3

// invoke runs a check by a function. It may run it more than once.
func (w *Watcher) invoke(ctx context.Context, c rollout.Check, p payload) rollout.Answer {
	if w.o.Lambda == nil {
		return rollout.Answer{Failed: "functions cannot be invoked here", Unasked: true}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return rollout.Answer{Failed: "its payload cannot be encoded: " + err.Error(), Unasked: true}
	}
	var out *lambda.InvokeOutput
	for try := range tries {
		if out, err = w.once(ctx, c, body); err == nil || !worthAnother(err) || ctx.Err() != nil {
			break
		}
		if try < tries-1 {
			rest(ctx, pause<<try)
		}
	}
	if err != nil {
		return rollout.Answer{Failed: unheard(ctx, c, err), Unasked: true}
	}
	return judge(out)
}

// once invokes a function once.
func (w *Watcher) once(ctx context.Context, c rollout.Check, body []byte) (*lambda.InvokeOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return w.o.Lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(c.Function), InvocationType: types.InvocationTypeRequestResponse, Payload: body,
	}, func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} })
}

// worthAnother says whether an invocation may work when tried again.
func worthAnother(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return true // no answer
	}
	switch api.ErrorCode() {
	case "TooManyRequestsException", "ThrottlingException", "ServiceException", "EC2ThrottledException", "ResourceConflictException":
		return true
	}
	return false
}

// unheard words that a function could not be invoked, AWS's text last.
func unheard(ctx context.Context, c rollout.Check, err error) string {
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		return fmt.Sprintf("function %s cannot be invoked: %s: %s", c.Function, api.ErrorCode(), api.ErrorMessage())
	case ctx.Err() != nil:
		return fmt.Sprintf("function %s: there was no time left to ask", c.Function)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("function %s gave no answer within %s", c.Function, rollout.Brief(c.Timeout))
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Sprintf("function %s cannot be invoked: %s", c.Function, err)
}

// judge reads what a function answered. A function that fails, or answers
// something else than a verdict, does not pass.
func judge(out *lambda.InvokeOutput) rollout.Answer {
	got := got(out.Payload)
	if out.FunctionError != nil {
		var failed struct {
			Message string `json:"errorMessage"`
		}
		if json.Unmarshal(out.Payload, &failed) == nil && failed.Message != "" {
			got = rollout.Clip(failed.Message, 200)
		}
		return rollout.Answer{Failed: fmt.Sprintf("the function failed (%s): %s", *out.FunctionError, got)}
	}
	var v verdict
	switch {
	case out.StatusCode != http.StatusOK, json.Unmarshal(out.Payload, &v) != nil, v.Pass == nil:
		return rollout.Answer{Failed: `expected {"pass": true or false, "message": "…"} from the function, got ` + got}
	case *v.Pass:
		return rollout.Answer{}
	case v.Message == "":
		return rollout.Answer{Failed: "the function says that it does not pass, and not why"}
	}
	return rollout.Answer{Failed: "the function says: " + rollout.Clip(strings.TrimSpace(v.Message), 200)}
}

// got quotes the beginning of a payload.
func got(payload []byte) string {
	if len(payload) == 0 {
		return "nothing"
	}
	return strconv.Quote(rollout.Clip(strings.ToValidUTF8(string(payload), "?"), 100))
}

// rest waits, unless the time is up.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
