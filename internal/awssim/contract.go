package awssim

import "time"

// This file holds what the services of the world owe each other. A service
// lives in its own files, registers itself from an init function with
// [register], keeps its state in one struct that the world holds a pointer to,
// and talks to the others only through what is named here:
//
//	Auto Scaling and the core give   instanceChanged, targetChanged, imageBehaviour,
//	                                 zoneFault, launchError, latencyFor, event, after, newID
//	EC2 gives                        resolveTemplate, runInstance, endInstance, subnetZone, zoneID, breakInstance
//	ELB gives                        registerTarget, deregisterTarget, targetState

// service is one simulated AWS service. See queryService and jsonService for
// the two protocols the core speaks; others bring their own functions.
type service struct {
	// name tells which operation a request asks for, "" when it cannot be told.
	name func(c *Call) string
	// operations by name. A request for another answers InvalidAction.
	operations map[string]operation
	// answer encodes what an operation returned. An operation may also
	// return a rawResponse, which is sent as it is.
	answer func(c *Call, out any) (rawResponse, error)
	// fail encodes an error.
	fail func(c *Call, e *Error) rawResponse
	// setup, if not nil, allocates the service's state in a new world.
	setup func(w *World)
	// snapshot, if not nil, makes reads of this service able to be stale. It
	// copies the state that reads answer from; the function it returns puts
	// that copy in place of the live state and returns one that undoes this.
	snapshot func(w *World) (install func() (restore func()))
}

// registry holds the services by name. Only init functions write it.
var registry = map[string]service{}

// register adds a service under its name in IAM's actions, which for all but
// CloudWatch is its signing name too. It is for init functions.
func register(name string, s service) { registry[name] = s }

// ImageBehaviour is how instances of one image act. The zero value is a good
// image.
type ImageBehaviour struct {
	// NeverHealthy keeps instances of the image from ever becoming healthy
	// in a target group.
	NeverHealthy bool
	// BootFactor multiplies the time to healthy; 0 means 1.
	BootFactor float64
	// DiesAfter is how long after its launch an instance stops working: it
	// fails its status checks and its targets turn unhealthy. 0 means never.
	DiesAfter time.Duration
	// LaunchError is the EC2 error code that launches of the image fail
	// with. Empty means they succeed.
	LaunchError string
	// StatusImpaired makes its instances fail the instance status check when
	// it is first made, while they serve all the same.
	StatusImpaired bool
	// HTTP is what an instance answers once it serves, which is the time to
	// healthy after it runs. Empty: "OK" on every path. On paths without an
	// answer it is 404.
	HTTP []HTTPAnswer
	// HTTPPort is the only port it answers on; 0 means every port.
	HTTPPort int
	// UnhealthyStatus is the HTTP status of an instance that runs but does not
	// serve: it still boots, never becomes healthy, or broke. 0 means that it
	// refuses connections.
	UnhealthyStatus int
	// Counts are numbers that a member which serves adds to its group's, for
	// bodies of answers; CountsAfter is how long after it began to serve.
	Counts      map[string]float64
	CountsAfter time.Duration
}

// imageBehaviour is the name the services use for it.
type imageBehaviour = ImageBehaviour

// Latencies are how long things take in a world. All are simulated time.
type Latencies struct {
	Launch      time.Duration // pending to running
	WarmStart   time.Duration // pending to running of an instance that was stopped in a warm pool
	StatusCheck time.Duration // running to status checks passed
	Healthy     time.Duration // registration with a target group to healthy
	Unhealthy   time.Duration // an instance fails to its target being seen unhealthy
	Drain       time.Duration // deregistration delay where the target group gives none
	Terminate   time.Duration // shutting-down to terminated
	React       time.Duration // Auto Scaling notices a difference to its acting on it
	Copy        time.Duration // copying one GiB of an image
}

// DefaultLatencies are plausible for a small Linux image behind a load balancer.
func DefaultLatencies() Latencies {
	return Latencies{
		Launch: 45 * time.Second, WarmStart: 15 * time.Second, StatusCheck: 60 * time.Second, Healthy: 30 * time.Second, Unhealthy: 20 * time.Second,
		Drain: 30 * time.Second, Terminate: 40 * time.Second, React: 2 * time.Second, Copy: time.Minute,
	}
}

// latencyFor gives the latencies for members of a group; group may be empty.
func (w *World) latencyFor(group string) Latencies {
	if l, ok := w.groupLatency[group]; ok {
		return l
	}
	return w.latency
}

// imageBehaviour tells how instances of an image act.
func (w *World) imageBehaviour(imageID string) imageBehaviour {
	b := w.images[imageID]
	if b.BootFactor == 0 {
		b.BootFactor = 1
	}
	return b
}

// runRequest asks EC2 for one instance on behalf of a group.
type runRequest struct {
	template       *templateVersion
	zone, subnetID string
	group          string            // name of the Auto Scaling group
	instanceType   string            // overrides the template's when not empty
	imageID        string            // overrides the template's when not empty
	market         string            // on-demand or spot; a template that asks for Spot goes before
	tags           map[string]string // those the group propagates
}
