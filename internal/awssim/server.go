package awssim

import (
	"net/http"
	"net/url"
)

// operation answers one AWS call. It runs with the world locked, at the
// world's current instant. What it returns is encoded by the service's
// protocol; an *[Error] becomes AWS's error answer.
type operation func(w *World, c *Call) (any, error)

// Call is one request, decoded as far as its protocol allows.
type Call struct {
	Service   string // signing name: autoscaling, ec2, elasticloadbalancing, ssm, s3, sts
	Operation string
	Region    string
	Form      url.Values    // query protocols (autoscaling, ec2, elasticloadbalancing, sts)
	Body      []byte        // JSON and REST protocols
	HTTP      *http.Request // method, path and headers for REST (s3)
}

// Error is an AWS error answer.
type Error struct {
	Status        int
	Code, Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }
