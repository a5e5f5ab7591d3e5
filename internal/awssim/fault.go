package awssim

import (
	"fmt"
	"net/http"
	"path"
	"time"
)

// FaultKind says what goes wrong with a call.
type FaultKind string

// The kinds of faults. A fault acts before the operation has an effect, but
// for the two that say otherwise.
const (
	// Throttle answers that the rate was exceeded, in the service's own words.
	Throttle FaultKind = "throttle"
	// ServerError answers with the service's own 5xx.
	ServerError FaultKind = "server_error"
	// Drop ends the connection before the operation had any effect.
	Drop FaultKind = "drop"
	// LoseAnswer performs the operation and then ends the connection.
	LoseAnswer FaultKind = "lose_answer"
	// Deny answers that the caller may not, naming the action.
	Deny FaultKind = "deny"
	// Expire answers that the caller's credentials have expired.
	Expire FaultKind = "expire"
	// Fail answers Code and Message.
	Fail FaultKind = "fail"
	// FailWithEffect performs the operation and then answers Code and
	// Message, as ResourceContention does at times.
	FailWithEffect FaultKind = "fail_with_effect"
)

// Fault makes calls go wrong.
type Fault struct {
	// Calls are the calls it is for, as "service:Operation" with the wild
	// cards of [path.Match]: "autoscaling:Describe*", "ec2:*". Empty: all.
	Calls string
	Kind  FaultKind
	// Code, Message and Status are for Fail and FailWithEffect. Status 0 means 400.
	Code, Message string
	Status        int
	// Skip lets that many matching calls through first.
	Skip int
	// Times ends the fault after so many calls; 0 means never.
	Times int
	// For ends the fault after so much simulated time; 0 means never.
	For time.Duration
}

type activeFault struct {
	Fault
	until time.Time // zero: never
	gone  bool
}

// Inject makes calls go wrong from now on, until the fault ends by itself or
// remove is called. An unknown kind is an error.
func (w *World) Inject(f Fault) (remove func(), err error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.Calls == "" {
		f.Calls = "*"
	}
	w.lock()
	defer w.mu.Unlock()
	a := &activeFault{Fault: f}
	if f.For > 0 {
		a.until = w.now.Add(f.For)
	}
	w.faults = append(w.faults, a)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		a.gone = true
	}, nil
}

func (f Fault) check() error {
	switch f.Kind {
	case Throttle, ServerError, Drop, LoseAnswer, Deny, Expire, Fail, FailWithEffect:
	default:
		return fmt.Errorf("fault %q: no such kind", f.Kind)
	}
	if _, err := path.Match(f.Calls, ""); err != nil {
		return fmt.Errorf("fault pattern %q: %w", f.Calls, err)
	}
	return nil
}

// ClearFaults removes every fault of calls and launches.
func (w *World) ClearFaults() {
	w.lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		f.gone = true
	}
	w.faults, w.launchFaults = nil, nil
}

// faultFor is the fault that meets a call, or nil. The oldest one wins.
func (w *World) faultFor(c *Call) *activeFault {
	kept := w.faults[:0]
	var hit *activeFault
	for _, f := range w.faults {
		if f.gone || !f.until.IsZero() && !w.now.Before(f.until) {
			continue
		}
		if hit == nil && callMatches(f.Calls, c) {
			if f.Skip > 0 {
				f.Skip--
			} else {
				hit = f
				if f.Times > 0 {
					f.Times--
					f.gone = f.Times == 0
				}
			}
		}
		if !f.gone {
			kept = append(kept, f)
		}
	}
	w.faults = kept
	return hit
}

func callMatches(pattern string, c *Call) bool {
	ok, err := path.Match(pattern, c.Service+":"+c.Operation)
	return ok && err == nil
}

// effect says whether the operation is performed all the same.
func (f *activeFault) effect() bool { return f.Kind == LoseAnswer || f.Kind == FailWithEffect }

// answer is what the caller sees.
func (f *activeFault) answer(w *World, svc service, c *Call) (rawResponse, error) {
	e := f.refusal(w, c)
	if e == nil {
		return rawResponse{}, errDropped
	}
	return svc.fail(c, e).complete(), nil
}

// refusal is the error that the caller is told; nil: the connection breaks.
func (f *activeFault) refusal(w *World, c *Call) *Error {
	switch f.Kind {
	case Throttle:
		return throttled(c.Service)
	case ServerError:
		return serverError(c.Service)
	case Deny:
		return w.denied(c)
	case Expire:
		return expired(c.Service)
	case Fail, FailWithEffect:
		return &Error{Status: f.Status, Code: f.Code, Message: f.Message}
	case Drop, LoseAnswer:
	}
	return nil
}

// denies says whether a fault denies the caller an action of another service,
// which some operations try on the caller's behalf.
func (w *World) denies(service, operation string) bool {
	c := &Call{Service: service, Operation: operation}
	for _, f := range w.faults {
		if f.Kind == Deny && !f.gone && (f.until.IsZero() || w.now.Before(f.until)) && callMatches(f.Calls, c) {
			return true
		}
	}
	return false
}

func throttled(service string) *Error {
	switch service {
	case "ec2":
		return &Error{Status: http.StatusServiceUnavailable, Code: "RequestLimitExceeded", Message: "Request limit exceeded."}
	case "ssm", "events":
		return &Error{Code: "ThrottlingException", Message: "Rate exceeded"}
	case "lambda":
		return &Error{Status: http.StatusTooManyRequests, Code: "TooManyRequestsException", Message: "Rate Exceeded."}
	case "s3":
		return &Error{Status: http.StatusServiceUnavailable, Code: "SlowDown", Message: "Please reduce your request rate."}
	default:
		return &Error{Code: "Throttling", Message: "Rate exceeded"}
	}
}

func expired(service string) *Error {
	switch service {
	case "ec2":
		return &Error{Code: "RequestExpired", Message: "Request has expired."}
	case "ssm", "events":
		return &Error{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	case "lambda":
		return &Error{Status: http.StatusForbidden, Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	case "s3":
		return &Error{Code: "ExpiredToken", Message: "The provided token has expired."}
	default:
		return &Error{Status: http.StatusForbidden, Code: "ExpiredToken", Message: "The security token included in the request is expired"}
	}
}

func serverError(service string) *Error {
	code, message := "InternalFailure", "An internal failure occurred."
	switch service {
	case "ec2":
		code, message = "InternalError", "An internal error has occurred"
	case "ssm":
		code, message = "InternalServerError", "An error occurred on the server side."
	case "events":
		code, message = "InternalException", "An internal exception occurred."
	case "sns":
		code, message = "InternalError", "Internal Error"
	case "lambda":
		code, message = "ServiceException", "An error occurred and the request cannot be processed."
	case "s3":
		code, message = "InternalError", "We encountered an internal error. Please try again."
	default:
	}
	return &Error{Status: http.StatusInternalServerError, Code: code, Message: message}
}

// denied is the answer to a caller without permission.
func (w *World) denied(c *Call) *Error {
	action := c.Service + ":" + c.Operation
	if action == "lambda:Invoke" { // the one action that is not called as its operation
		action = "lambda:InvokeFunction"
	}
	text := fmt.Sprintf("User: arn:aws:iam::%s:user/refit is not authorized to perform: %s because no identity-based policy allows the %s action",
		w.account, action, action)
	switch c.Service {
	case "ec2":
		return &Error{Status: http.StatusForbidden, Code: "UnauthorizedOperation", Message: "You are not authorized to perform this operation. " + text}
	case "ssm", "events":
		return &Error{Code: "AccessDeniedException", Message: text}
	case "sns":
		return &Error{Status: http.StatusForbidden, Code: "AuthorizationError", Message: text}
	case "lambda":
		return &Error{Status: http.StatusForbidden, Code: "AccessDeniedException", Message: text}
	default:
		return &Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: text}
	}
}

// LaunchFault makes launches of instances fail. Fields that are empty match
// everything.
type LaunchFault struct {
	Zone  string // when set, launches by any means in that zone
	Group string // else launches by Auto Scaling groups: this one, or all
	// InstanceType and Market (on-demand or spot) narrow what Zone or Group say.
	InstanceType, Market string
	// Code is EC2's error code, such as InsufficientInstanceCapacity,
	// InvalidAMIID.NotFound, VcpuLimitExceeded, InsufficientFreeAddressesInSubnet,
	// UnauthorizedOperation or Client.InvalidKMSKey.InvalidState.
	Code string
	// Times ends the fault after so many launches; 0 means never.
	Times int
	// For ends the fault after so much simulated time; 0 means never.
	For time.Duration

	until time.Time
}

// FailLaunches makes launches fail from now on.
func (w *World) FailLaunches(f LaunchFault) {
	w.lock()
	defer w.mu.Unlock()
	if f.For > 0 {
		f.until = w.now.Add(f.For)
	}
	w.launchFaults = append(w.launchFaults, &f)
}

// zoneFault is what keeps EC2 from launching in a zone now, or nil. It counts
// as one launch.
func (w *World) zoneFault(zone, instanceType, market string) *Error {
	return w.launchFaultWhere(func(f *LaunchFault) bool {
		return f.Zone != "" && f.Zone == zone && f.hits(instanceType, market)
	})
}

// hits says whether a fault is for launches of a type in a market.
func (f *LaunchFault) hits(instanceType, market string) bool {
	return (f.InstanceType == "" || f.InstanceType == instanceType) && (f.Market == "" || f.Market == market)
}

// groupFault is what keeps a group from launching now, in any zone, or nil. It
// counts as one launch.
func (w *World) groupFault(r runRequest) *Error {
	instanceType, market := r.instanceType, r.market
	setDefault(&instanceType, r.template.data.InstanceType)
	if r.template.spot() {
		market = marketSpot
	}
	return w.launchFaultWhere(func(f *LaunchFault) bool {
		return f.Zone == "" && (f.Group == "" || f.Group == r.group) && f.hits(instanceType, market)
	})
}

func (w *World) launchFaultWhere(match func(*LaunchFault) bool) *Error {
	for i, f := range w.launchFaults {
		if !f.until.IsZero() && !w.now.Before(f.until) || !match(f) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				w.launchFaults = append(w.launchFaults[:i:i], w.launchFaults[i+1:]...)
			}
		}
		return launchError(f.Code, f.Zone)
	}
	return nil
}

// launchError is EC2's error answer to a launch that fails with a code.
func launchError(code, zone string) *Error {
	message := map[string]string{
		"InsufficientInstanceCapacity":      "We currently do not have sufficient capacity in the Availability Zone you requested (" + zone + "). Our system will be working on provisioning additional capacity.",
		"InvalidAMIID.NotFound":             "The image id does not exist",
		"InvalidAMIID.Unavailable":          "The image is not available",
		"VcpuLimitExceeded":                 "You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket that the specified instance type belongs to.",
		"InsufficientFreeAddressesInSubnet": "There are not enough free addresses in the subnet to satisfy the requested number of instances.",
		"UnauthorizedOperation":             "You are not authorized to perform this operation.",
		"Client.InvalidKMSKey.InvalidState": "The KMS key provided is in an incorrect state",
	}[code]
	if message == "" {
		message = "The launch failed."
	}
	status := http.StatusBadRequest
	switch code {
	case "InsufficientInstanceCapacity":
		status = http.StatusInternalServerError
	case "UnauthorizedOperation":
		status = http.StatusForbidden
	default:
	}
	return &Error{Status: status, Code: code, Message: message}
}

// SetImageBehaviour changes how instances of an image act, those that run
// already included where that makes sense.
func (w *World) SetImageBehaviour(imageID string, b ImageBehaviour) {
	w.lock()
	defer w.mu.Unlock()
	w.images[imageID] = b
}
