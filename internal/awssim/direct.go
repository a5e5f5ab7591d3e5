package awssim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// directServices are the services, by the SDK's service ids, whose operations
// are made with [typed] or [ec2Op], and so can be called without a wire.
var directServices = map[string]string{
	"Auto Scaling":              "autoscaling",
	"EC2":                       "ec2",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"SSM":                       "ssm",
}

// Direct is an API option for SDK clients ([github.com/aws/aws-sdk-go-v2/aws.Config.APIOptions])
// that hands their inputs to the world as they are and gives back its outputs,
// without signing, encoding and decoding. It is for tests that play very many
// worlds: everything else, faults, rates and stale reads included, is as over
// the wire. around is called with each such call and must make it. Services that
// it is not for go over the wire as ever.
func (w *World) Direct(around func(call func())) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("RefitDirect", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
			service, ok := directServices[awsmiddleware.GetServiceID(ctx)]
			if !ok || awsmiddleware.GetOperationName(ctx) == "RunInstances" { // which is not made so
				return next.HandleInitialize(ctx, in)
			}
			if err := ctx.Err(); err != nil {
				return out, meta, err
			}
			around(func() {
				out.Result, err = w.direct(&Call{
					Service: service, Operation: awsmiddleware.GetOperationName(ctx), Region: w.region, input: in.Parameters,
					HTTP: &http.Request{Header: http.Header{}},
				})
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
	w.runActors(c)
	out, err := w.performDirect(c)
	w.notify()
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

var timeType = reflect.TypeFor[time.Time]()

// copied is a deep copy of SDK structs.
func copied(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(copied(v.Elem()))
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(copied(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), copied(it.Value()))
		}
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v) // what is not exported is nothing that matters
		if v.Type() == timeType {
			return out
		}
		for i := range v.NumField() {
			if f := v.Field(i); v.Type().Field(i).IsExported() && holds(f.Kind()) {
				out.Field(i).Set(copied(f))
			}
		}
		return out
	default:
		return v
	}
}

// holds says whether values of a kind may lead to others.
func holds(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Slice || k == reflect.Map || k == reflect.Struct
}
