package awssim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// directServices are the services, by the SDK's service ids, that can be called
// without a wire: their operations are made with [typed] or [ec2Op], or
// [restRequest] knows their requests.
var directServices = map[string]string{
	"Auto Scaling":              "autoscaling",
	"CloudWatch":                "cloudwatch",
	"EC2":                       "ec2",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"Lambda":                    "lambda",
	"S3":                        "s3",
	"SSM":                       "ssm",
}

// noRequest stands for the HTTP request of calls that have none.
var noRequest = &http.Request{Header: http.Header{}}

// directCall is a call that does not come over the wire. Not ok: it must.
func (w *World) directCall(serviceID, operation string, input any) (c *Call, ok bool) {
	c = &Call{Service: directServices[serviceID], Operation: operation, Region: w.region, input: input}
	switch c.Service {
	case "":
		return nil, false
	case "lambda", "s3":
		c.HTTP, c.Body, ok = restRequest(input)
		return c, ok
	}
	c.HTTP = noRequest
	return c, operation != "RunInstances" // which is not made with ec2Op
}

// Direct is an API option for SDK clients ([github.com/aws/aws-sdk-go-v2/aws.Config.APIOptions])
// that hands their inputs to the world as they are and gives back its outputs,
// without signing, encoding and decoding. It is for tests that play very many
// worlds: everything else, faults, rates and stale reads included, is as over
// the wire. around is called with each such call, which gives its error, and must make it. Services that
// it is not for go over the wire as ever.
func (w *World) Direct(around func(operation string, call func() error)) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("RefitDirect", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			c, ok := w.directCall(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), in.Parameters)
			if !ok {
				return next.HandleInitialize(ctx, in)
			}
			if err := ctx.Err(); err != nil {
				return out, meta, err
			}
			around(c.Operation, func() error {
				out.Result, err = w.direct(c)
				return err
			})
			return out, meta, err
		}), middleware.After)
	}
}

// direct does one call that did not come over the wire. Its errors are those
// that an SDK client makes of AWS's answers.
func (w *World) direct(c *Call) (any, error) {
	w.lock()
	defer w.mu.Unlock()
	c.RequestID = w.newUUID()
	w.calls[c.Service+":"+c.Operation]++
	acted := w.runActors(c)
	out, err := w.performDirect(c)
	w.notifyAfter(c, acted)
	if res, raw := out.(rawResponse); raw && err == nil {
		return restOutput(c.input, res.complete())
	}
	if err == nil {
		return copied(reflect.ValueOf(out)).Interface(), nil
	}
	if errors.Is(err, errDropped) {
		host := "https://" + c.Service + "." + w.region + ".amazonaws.com/"
		return nil, &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{}},
			Err:      &smithyhttp.RequestSendError{Err: &url.Error{Op: "Post", URL: host, Err: err}},
		}}
	}
	e := asError(err)
	fault := smithy.FaultClient
	if e.status() >= http.StatusInternalServerError {
		fault = smithy.FaultServer
	}
	return nil, &awshttp.ResponseError{RequestID: c.RequestID, ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: e.status(), Header: http.Header{}}},
		Err:      &smithy.GenericAPIError{Code: e.Code, Message: e.Message, Fault: fault},
	}}
}

// performDirect is [World.perform] for a direct call.
func (w *World) performDirect(c *Call) (any, error) {
	if w.overRate(c) {
		return nil, throttled(c.Service)
	}
	fault := w.faultFor(c)
	var out any
	var err error
	if fault == nil || fault.effect() {
		op, ok := registry[c.Service].operations[c.Operation]
		if !ok {
			return nil, unknownOperation(c)
		}
		undo := w.stage(c)
		out, err = op(w, c)
		undo()
	}
	if fault == nil {
		return out, err
	}
	if e := fault.refusal(w, c); e != nil {
		return nil, e
	}
	return nil, errDropped
}

// givenInput is a copy of a direct call's input, so that nothing is shared
// between caller and world.
func givenInput[In any](c *Call) (*In, error) {
	in, ok := copied(reflect.ValueOf(c.input)).Interface().(*In)
	if !ok {
		return nil, fmt.Errorf("%s:%s takes %T, not %T", c.Service, c.Operation, in, c.input)
	}
	return in, nil
}

// copied is a deep copy of a pointer to an SDK struct.
func copied(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	disjoin(out)
	return out
}

// disjoin gives v copies of its own of what it leads to. What is not exported
// is nothing that matters.
func disjoin(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		own := reflect.New(v.Type().Elem())
		own.Elem().Set(v.Elem())
		if leads(v.Type().Elem()) {
			disjoin(own.Elem())
		}
		v.Set(own)
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		if leads(v.Type().Elem()) {
			for i := range own.Len() {
				disjoin(own.Index(i))
			}
		}
		v.Set(own)
	case reflect.Map:
		if v.IsNil() {
			return
		}
		own := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			own.SetMapIndex(it.Key(), copied(it.Value()))
		}
		v.Set(own)
	case reflect.Struct:
		for _, i := range leadingFields(v.Type()) {
			disjoin(v.Field(i))
		}
	default:
	}
}

// leads says whether values of a type may lead to others.
func leads(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return true
	case reflect.Struct:
		return len(leadingFields(t)) > 0
	default:
		return false
	}
}

// leading remembers leadingFields, which are asked for at every call.
var leading sync.Map // reflect.Type → []int

// leadingFields are the exported fields of a struct that may lead to other values.
func leadingFields(t reflect.Type) []int {
	if known, ok := leading.Load(t); ok {
		return known.([]int) //nolint:forcetypeassert // nothing else is stored
	}
	out := []int{}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && leads(f.Type) {
			out = append(out, i)
		}
	}
	leading.Store(t, out)
	return out
}
