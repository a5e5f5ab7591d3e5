package awssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// lambdaState is every function, by name.
type lambdaState struct {
	functions map[string]*function
}

// function is a Lambda function: a verdict that follows the truth, and what it
// was sent.
type function struct {
	FunctionSpec
	arn                string
	failAfter, failFor time.Duration
	since              time.Time // from when FailAfter counts
	invocations        []Invocation
}

// FunctionSpec is a Lambda function that answers {"pass": …, "message": …}. It
// passes but while one of its conditions to fail holds.
type FunctionSpec struct {
	Name string `hcl:"name,label" json:"name"`
	// Message is what it says with a pass, FailMessage with a fail.
	Message     string `hcl:"message,optional" json:"message"`
	FailMessage string `hcl:"fail_message,optional" json:"fail_message"`
	// Fail makes it always fail.
	Fail bool `hcl:"fail,optional" json:"fail"`
	// FailAfter makes it fail from then on, for FailFor; without FailFor, for ever.
	FailAfter string `hcl:"fail_after,optional" json:"fail_after"`
	FailFor   string `hcl:"fail_for,optional" json:"fail_for"`
	// FailWhileImage makes it fail while any member with this image (name or
	// id) is in service.
	FailWhileImage string `hcl:"fail_while_image,optional" json:"fail_while_image"`
	// FailWhileHealthyBelow makes it fail while fewer members of Group serve.
	FailWhileHealthyBelow int    `hcl:"fail_while_healthy_below,optional" json:"fail_while_healthy_below"`
	Group                 string `hcl:"group,optional" json:"group"`
	// Error makes it raise an error with this text instead of a fail.
	Error string `hcl:"error,optional" json:"error"`
	// Answer is the payload of a pass in place of the usual one, as it is.
	Answer string `hcl:"answer,optional" json:"answer"`
}

// Invocation is one call of a function.
type Invocation struct {
	At      time.Time       `json:"at"` // simulated
	Payload json.RawMessage `json:"payload"`
}

const (
	lambdaPath = "/2015-03-31/functions/"
	// maxPayload is the largest payload of a synchronous invocation.
	maxPayload = 6 << 20
)

func init() {
	register("lambda", service{
		name: func(c *Call) string {
			rest, ok := strings.CutPrefix(c.HTTP.URL.EscapedPath(), lambdaPath)
			name, action, _ := strings.Cut(rest, "/")
			switch {
			case !ok || name == "":
				return ""
			case c.HTTP.Method == http.MethodPost && action == "invocations":
				return "Invoke"
			case c.HTTP.Method == http.MethodGet && action == "":
				return "GetFunction"
			}
			return c.HTTP.Method + " " + action // so that the refusal can name it
		},
		operations: map[string]operation{"Invoke": invoke, "GetFunction": getFunction},
		answer: func(c *Call, out any) (rawResponse, error) {
			body, err := json.Marshal(out)
			return rawResponse{Header: restHeader(c, ""), Body: body}, err
		},
		fail:  restError,
		setup: func(w *World) { w.lambda = &lambdaState{functions: map[string]*function{}} },
	})
}

// restHeader and restError are of AWS's REST protocol with JSON.
func restHeader(c *Call, code string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}, "X-Amzn-Requestid": {c.RequestID}}
	if code != "" {
		h.Set("X-Amzn-Errortype", code)
	}
	return h
}

func restError(c *Call, e *Error) rawResponse {
	kind := "User"
	if e.status() >= http.StatusInternalServerError {
		kind = "Service"
	}
	body, err := json.Marshal(map[string]string{"Type": kind, "Message": e.Message, "message": e.Message})
	if err != nil {
		panic(err) // strings always encode
	}
	return rawResponse{Status: e.status(), Header: restHeader(c, e.Code), Body: body}
}

// SetFunction adds a Lambda function, or replaces the one with that name but
// for what it was sent. A duration that is none, a missing group, and an answer
// that is not JSON are errors.
func (w *World) SetFunction(s FunctionSpec) error {
	what := "function " + s.Name
	after, err1 := duration(s.FailAfter, what+": fail_after")
	span, err2 := duration(s.FailFor, what+": fail_for")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	w.lock()
	defer w.mu.Unlock()
	switch {
	case s.Name == "":
		return errors.New("a function needs a name")
	case s.FailFor != "" && s.FailAfter == "":
		return fmt.Errorf("%s: fail_for needs fail_after", what)
	case (s.FailWhileHealthyBelow > 0) != (s.Group != ""):
		return fmt.Errorf("%s: fail_while_healthy_below and group go together", what)
	case s.Group != "" && w.asg.groups[s.Group] == nil:
		return fmt.Errorf("%s: group: no group %q", what, s.Group)
	case s.Answer != "" && !json.Valid([]byte(s.Answer)):
		return fmt.Errorf("%s: answer: %q is not JSON", what, s.Answer)
	}
	f := &function{
		FunctionSpec: s, failAfter: after, failFor: span, since: w.now,
		arn: "arn:aws:lambda:" + w.region + ":" + w.account + ":function:" + s.Name,
	}
	if old := w.lambda.functions[s.Name]; old != nil {
		f.invocations = old.invocations
	}
	w.lambda.functions[s.Name] = f
	return nil
}

// Invocations are the calls of a function, the oldest first.
func (w *World) Invocations(name string) []Invocation {
	w.lock()
	defer w.mu.Unlock()
	if f := w.lambda.functions[name]; f != nil {
		return slices.Clone(f.invocations)
	}
	return nil
}

// failure tells why a function fails now, or nothing.
func (w *World) failure(f *function) string {
	from := f.since.Add(f.failAfter)
	timed := f.FailAfter != "" && !w.now.Before(from) && (f.failFor == 0 || w.now.Before(from.Add(f.failFor)))
	why, holds := w.condition(AlarmSpec{WhileImage: f.FailWhileImage, WhileHealthyBelow: f.FailWhileHealthyBelow, Group: f.Group})
	switch {
	case !f.Fail && !timed && !holds:
		return ""
	case f.FailMessage != "":
		return f.FailMessage
	case holds:
		return why
	}
	return "the scenario says so"
}

// functionOf finds the function that a path names: by name, by ARN or by the
// part of an ARN from the account on, with a qualifier or not.
func (w *World) functionOf(c *Call) (*function, error) {
	text, _, _ := strings.Cut(strings.TrimPrefix(c.HTTP.URL.EscapedPath(), lambdaPath), "/")
	given, err := url.PathUnescape(text)
	if err != nil {
		given = text
	}
	name, qualifier := given, c.HTTP.URL.Query().Get("Qualifier")
	if _, after, ok := strings.Cut(given, "function:"); ok {
		name = after
	}
	if bare, q, ok := strings.Cut(name, ":"); ok {
		name, qualifier = bare, q
	}
	arn := "arn:aws:lambda:" + w.region + ":" + w.account + ":function:" + name
	elsewhere := strings.HasPrefix(given, "arn:") && !strings.HasPrefix(given, arn)
	f := w.lambda.functions[name]
	if f == nil || elsewhere || qualifier != "" && qualifier != "$LATEST" {
		if qualifier != "" {
			arn += ":" + qualifier
		}
		if elsewhere {
			arn = given
		}
		return nil, &Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException", Message: "Function not found: " + arn}
	}
	return f, nil
}

func invoke(w *World, c *Call) (any, error) {
	f, err := w.functionOf(c)
	if err != nil {
		return nil, err
	}
	if len(c.Body) > maxPayload {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestTooLargeException", Message: fmt.Sprintf("%d byte payload is too large for the RequestResponse invocation type (limit %d bytes)", len(c.Body), maxPayload)}
	}
	if len(c.Body) > 0 && !json.Valid(c.Body) {
		return nil, &Error{Code: "InvalidRequestContentException", Message: "Could not parse request body into json: invalid JSON"}
	}
	switch kind := c.HTTP.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
	case "DryRun":
		return rawResponse{Status: http.StatusNoContent, Header: restHeader(c, "")}, nil
	default:
		return nil, &Error{Code: "InvalidParameterValueException", Message: "The simulator does not model the invocation type " + kind + "."}
	}
	f.invocations = append(f.invocations, Invocation{At: w.now, Payload: slices.Clone(c.Body)})
	return f.run(c, w.failure(f)), nil
}

// run is a function's answer, with why it fails, if it does.
func (f *function) run(c *Call, why string) rawResponse {
	header := restHeader(c, "")
	header.Set("X-Amz-Executed-Version", "$LATEST")
	var out any = map[string]any{"pass": why == "", "message": f.Message}
	switch {
	case why != "" && f.Error != "":
		header.Set("X-Amz-Function-Error", "Unhandled")
		out = map[string]string{"errorMessage": f.Error, "errorType": "Error"}
	case why != "":
		out = map[string]any{"pass": false, "message": why}
	case f.Answer != "":
		out = json.RawMessage(f.Answer)
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // the answer was checked, and the rest always encodes
	}
	return rawResponse{Header: header, Body: body}
}

func getFunction(w *World, c *Call) (any, error) {
	f, err := w.functionOf(c)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"Configuration": map[string]any{
			"FunctionName": f.Name, "FunctionArn": f.arn, "Version": "$LATEST", "State": "Active", "LastUpdateStatus": "Successful",
			"Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 30, "MemorySize": 128, "PackageType": "Zip",
			"Role": "arn:aws:iam::" + w.account + ":role/" + f.Name, "LastModified": f.since.UTC().Format("2006-01-02T15:04:05.000-0700"),
		},
	}, nil
}
