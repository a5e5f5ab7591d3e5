package awssim

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// operation answers one AWS call. It runs with the world locked, at the
// world's current instant. What it returns is encoded by the service's
// protocol; an *[Error] becomes AWS's error answer.
type operation func(w *World, c *Call) (any, error)

// Call is one request, decoded as far as its protocol allows.
type Call struct {
	Service   string // as in IAM's actions: autoscaling, cloudwatch, ec2, elasticloadbalancing, ssm, s3, sts
	Operation string
	Region    string        // from the signature
	AccessKey string        // from the signature
	Form      url.Values    // query protocols (autoscaling, ec2, elasticloadbalancing, sts)
	Body      []byte        // JSON and REST protocols
	HTTP      *http.Request // method, path and headers for REST (s3)
	RequestID string

	input any // the SDK's input of a direct call; nil: it is to be decoded
}

// Error is an AWS error answer.
type Error struct {
	Status        int // 400 when 0
	Code, Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// rawResponse is an answer as it goes over the wire.
type rawResponse struct {
	Status int // 200 when 0
	Header http.Header
	Body   []byte
}

// errDropped stands for a connection that ends without an answer.
var errDropped = errors.New("connection reset by the simulated network")

// maxBody is the largest request read; the largest legitimate one is an S3 object.
const maxBody = 64 << 20

// ServeHTTP implements [http.Handler]: AWS calls, the control path under
// /_refit/, and, as an HTTP proxy, members and load balancers.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	switch {
	case proxied(r):
		w.serveProxy(rw, r)
		return
	case isControl(r):
		w.serveControl(rw, r)
		return
	}
	res, err := w.answer(r)
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	rw.Header().Set("Date", w.Clock().Now().UTC().Format(http.TimeFormat)) // not this machine's
	for k, v := range res.Header {
		rw.Header()[k] = v
	}
	rw.WriteHeader(res.Status)
	_, _ = rw.Write(res.Body) // a client that went away is not our concern
}

// RoundTripper sends requests to the world without a socket. An SDK client
// with it can keep AWS's own endpoints. Requests that are not signed for AWS
// reach members by their addresses and names, and load balancers by theirs.
func (w *World) RoundTripper() http.RoundTripper { return roundTripper{w} }

// Client is an HTTP client of [World.RoundTripper].
func (w *World) Client() *http.Client { return &http.Client{Transport: roundTripper{w}} }

// Config is the configuration for SDK clients of this world, in process. It
// does not retry, because the SDK's retries wait in real time.
func (w *World) Config() aws.Config {
	return aws.Config{
		Region:      w.region,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAREFITSIMULATOR00", "simulated", ""),
		HTTPClient:  w.Client(),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
}

type roundTripper struct{ w *World }

// RoundTrip implements [http.RoundTripper].
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res, err, visited := t.w.visitInProcess(r)
	if !visited {
		res, err = t.w.answer(r)
	}
	if err != nil {
		return nil, err
	}
	if res.Header == nil {
		res.Header = http.Header{}
	}
	body := res.Body
	if r.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		Status: strconv.Itoa(res.Status) + " " + http.StatusText(res.Status), StatusCode: res.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(res.Body)), Request: r,
	}, nil
}

// answer does one AWS call. Its only error is a connection that breaks.
func (w *World) answer(r *http.Request) (rawResponse, error) {
	c, err := readCall(r)
	if err != nil {
		return rawResponse{}, err
	}
	w.lock()
	defer w.mu.Unlock()
	c.RequestID = w.newUUID()
	svc, refusal := w.admit(c)
	if refusal != nil {
		return svc.fail(c, refusal).complete(), nil
	}
	w.calls[c.Service+":"+c.Operation]++
	acted := w.runActors(c)
	res, err := w.perform(svc, c)
	w.notifyAfter(c, acted)
	return res, err
}

// perform runs the operation of an admitted call, within its faults.
func (w *World) perform(svc service, c *Call) (rawResponse, error) {
	if w.overRate(c) {
		return svc.fail(c, throttled(c.Service)).complete(), nil
	}
	fault := w.faultFor(c)
	if fault != nil && !fault.effect() {
		return fault.answer(w, svc, c)
	}
	op, ok := svc.operations[c.Operation]
	if !ok || c.Region != w.region && !w.modelledElsewhere(c) {
		return svc.fail(c, unknownOperation(c)).complete(), nil
	}
	undo := w.stage(c)
	out, err := op(w, c)
	undo()
	if fault != nil {
		return fault.answer(w, svc, c)
	}
	if err == nil {
		var res rawResponse
		if raw, ok := out.(rawResponse); ok {
			return raw.complete(), nil
		}
		if res, err = svc.answer(c, out); err == nil {
			return res.complete(), nil
		}
	}
	return svc.fail(c, asError(err)).complete(), nil
}

// readCall decodes what does not depend on the service.
func readCall(r *http.Request) (*Call, error) {
	c := &Call{HTTP: r}
	if r.Body != nil {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close() // everything was read
		c.Body = body
	}
	c.AccessKey, c.Region, c.Service = credentialScope(r)
	if c.Service == "monitoring" { // its signing name; everything else calls it this
		c.Service = "cloudwatch"
	}
	c.Form = r.URL.Query()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(c.Body))
		if err == nil {
			c.Form = form
		}
	}
	return c, nil
}

// admit finds the service of a call and refuses calls that are not signed, are
// for somewhere else, or ask for nothing. The service it returns can always
// encode the refusal.
func (w *World) admit(c *Call) (service, *Error) {
	svc, known := registry[c.Service]
	if !known {
		svc = queryService("https://refit.invalid/", nil)
		if isJSON(c) {
			svc = jsonService("", nil)
		}
	}
	switch {
	case c.Service == "":
		return svc, &Error{Status: http.StatusForbidden, Code: "MissingAuthenticationToken", Message: "Missing Authentication Token"}
	case !known:
		return svc, &Error{Code: "InvalidAction", Message: "The simulator does not model the service " + c.Service + "."}
	case c.Region != w.region && !w.elsewhere(c) && (c.Service != "sts" || c.Region != "us-east-1"):
		return svc, &Error{
			Status: http.StatusForbidden, Code: "SignatureDoesNotMatch",
			Message: "Credential should be scoped to a valid region. This simulated world is " + w.region + ", not " + c.Region + ".",
		}
	}
	if c.Operation = svc.name(c); c.Operation == "" {
		return svc, &Error{Code: "MissingAction", Message: "The request does not say which action to perform."}
	}
	return svc, nil
}

// credentialScope reads the access key, region and service that a SigV4
// signature was made for. Signatures are not verified: the simulator has no
// secrets to verify them with.
func credentialScope(r *http.Request) (key, region, svc string) {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(after, ",")
	}
	// AKID/20261120/eu-west-2/autoscaling/aws4_request
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) != 5 {
		return "", "", ""
	}
	return parts[0], parts[2], parts[3]
}

func unknownOperation(c *Call) *Error {
	if isJSON(c) {
		return &Error{Code: "UnknownOperationException", Message: "The simulator does not model " + c.Service + ":" + c.Operation + "."}
	}
	return &Error{Code: "InvalidAction", Message: "The action " + c.Operation + " is not valid for this web service. The simulator does not model it."}
}

// asError makes any error an AWS one. One that is not is a mistake in the
// simulator, and says so.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Code: "InternalFailure", Message: "simulator: " + err.Error()}
}

// status is the HTTP status of an error.
func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

func (r rawResponse) complete() rawResponse {
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	return r
}
