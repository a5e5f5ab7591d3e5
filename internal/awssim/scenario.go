package awssim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsimple"
)

// Scenario describes a world at its start, and what goes wrong later. It is
// read from HCL by [ReadScenario]; docs/guides/simulator.md is its reference.
// Durations are text such as "45s" or "20m".
type Scenario struct {
	Start   string `hcl:"start,optional"`   // RFC 3339; empty: see Options.Start
	Region  string `hcl:"region,optional"`  // empty: see Options.Region
	Account string `hcl:"account,optional"` // empty: see Options.Account
	// History is how long before the start the groups were made; 72h when empty.
	History string `hcl:"history,optional"`
	// LaunchInstances says whether the endpoint knows that operation; true when nil.
	LaunchInstances *bool `hcl:"launch_instances,optional"`
	// RefreshScaleOut is what a scale-out launches during an instance refresh
	// with a desired configuration: "desired" (also when empty) or "group".
	RefreshScaleOut string `hcl:"refresh_scale_out,optional"`

	// VCPULimits are how many virtual processors may run, by on_demand and spot.
	VCPULimits map[string]int `hcl:"vcpu_limits,optional"`
	// FreeAddresses are how many addresses the subnets have left at the start, by zone.
	FreeAddresses map[string]int `hcl:"free_addresses,optional"`

	Latencies    *LatencySpec      `hcl:"latencies,block"`
	Staleness    map[string]string `hcl:"staleness,optional"` // by service
	Rates        map[string]string `hcl:"rates,optional"`     // by service: "10/40" is 10 a second after a burst of 40
	Images       []ImageSpec       `hcl:"image,block"`
	Templates    []TemplateSpec    `hcl:"template,block"`
	TargetGroups []TargetGroupSpec `hcl:"target_group,block"`
	Balancers    []BalancerSpec    `hcl:"load_balancer,block"`
	Groups       []GroupSpec       `hcl:"group,block"`
	Alarms       []AlarmSpec       `hcl:"alarm,block"`
	Functions    []FunctionSpec    `hcl:"function,block"`
	Parameters   []ParameterSpec   `hcl:"parameter,block"`
	Topics       []TopicSpec       `hcl:"topic,block"`
	EventBuses   []BusSpec         `hcl:"event_bus,block"`
	Buckets      []BucketSpec      `hcl:"bucket,block"`
	Faults       []FaultSpec       `hcl:"fault,block"`
	LaunchFaults []LaunchFaultSpec `hcl:"launch_fault,block"`
	Actors       []ActorSpec       `hcl:"actor,block"`
}

// LatencySpec overrides some of the latencies.
type LatencySpec struct {
	Launch      string `hcl:"launch,optional" json:"launch"`
	WarmStart   string `hcl:"warm_start,optional" json:"warm_start"`
	StatusCheck string `hcl:"status_check,optional" json:"status_check"`
	Healthy     string `hcl:"healthy,optional" json:"healthy"`
	Unhealthy   string `hcl:"unhealthy,optional" json:"unhealthy"`
	Drain       string `hcl:"drain,optional" json:"drain"`
	Terminate   string `hcl:"terminate,optional" json:"terminate"`
	React       string `hcl:"react,optional" json:"react"`
	Copy        string `hcl:"copy,optional" json:"copy"`
}

// ImageSpec is an image, and how its instances act from the start on.
type ImageSpec struct {
	Name         string            `hcl:"name,label" json:"name"`
	ID           string            `hcl:"id,optional" json:"id"`
	Owner        string            `hcl:"owner,optional" json:"owner"`
	Architecture string            `hcl:"architecture,optional" json:"architecture"`
	BootMode     string            `hcl:"boot_mode,optional" json:"boot_mode"`
	Public       bool              `hcl:"public,optional" json:"public"`
	SharedWith   []string          `hcl:"shared_with,optional" json:"shared_with"`
	Region       string            `hcl:"region,optional" json:"region"`
	StorageWith  []string          `hcl:"storage_shared_with,optional" json:"storage_shared_with"`
	Encrypted    bool              `hcl:"encrypted,optional" json:"encrypted"`
	SizeGiB      int32             `hcl:"size,optional" json:"size"`
	Created      string            `hcl:"created,optional" json:"created"` // RFC 3339
	Deprecated   string            `hcl:"deprecated,optional" json:"deprecated"`
	Tags         map[string]string `hcl:"tags,optional" json:"tags"`
	NeverHealthy bool              `hcl:"never_healthy,optional" json:"never_healthy"`
	BootFactor   float64           `hcl:"boot_factor,optional" json:"boot_factor"`
	DiesAfter    string            `hcl:"dies_after,optional" json:"dies_after"`
	LaunchError  string            `hcl:"launch_error,optional" json:"launch_error"`

	StatusImpaired bool `hcl:"status_impaired,optional" json:"status_impaired"`

	HTTP            []HTTPSpec         `hcl:"http,block" json:"http"`
	HTTPPort        int                `hcl:"http_port,optional" json:"http_port"`
	UnhealthyStatus int                `hcl:"unhealthy_status,optional" json:"unhealthy_status"`
	Counts          map[string]float64 `hcl:"counts,optional" json:"counts"`
	CountsAfter     string             `hcl:"counts_after,optional" json:"counts_after"`
}

// HTTPSpec is an [HTTPAnswer].
type HTTPSpec struct {
	Path        string `hcl:"path,label" json:"path"`
	Status      int    `hcl:"status,optional" json:"status"`
	Body        string `hcl:"body,optional" json:"body"`
	ContentType string `hcl:"content_type,optional" json:"content_type"`
	After       string `hcl:"after,optional" json:"after"`
}

// TemplateSpec is a launch template with its versions, numbered from 1.
type TemplateSpec struct {
	Name     string            `hcl:"name,label"`
	Default  int               `hcl:"default,optional"` // 1 when 0
	Tags     map[string]string `hcl:"tags,optional"`
	Versions []VersionSpec     `hcl:"version,block"`
}

// VersionSpec is one version of a template.
type VersionSpec struct {
	Image        string `hcl:"image"` // name or id
	InstanceType string `hcl:"instance_type,optional"`
	Description  string `hcl:"description,optional"`
	Spot         bool   `hcl:"spot,optional"`        // the version asks for Spot by itself
	Hibernation  bool   `hcl:"hibernation,optional"` // its instances can be hibernated
}

// TargetGroupSpec is a target group behind a load balancer of its own.
type TargetGroupSpec struct {
	Name      string `hcl:"name,label"`
	Drain     string `hcl:"deregistration_delay,optional"` // 30s when empty
	SlowStart string `hcl:"slow_start,optional"`           // none when empty
	// CrossZone is true, false or use_load_balancer_configuration, the default.
	CrossZone string `hcl:"cross_zone,optional"`
	// Zones are those of its load balancer, as letters; all when empty.
	Zones []string `hcl:"zones,optional"`
	// Unused leaves the target group without a listener, so that its targets
	// are unused.
	Unused bool `hcl:"unused,optional"`
}

// BalancerSpec is a classic load balancer in all zones, that listens on port 80.
type BalancerSpec struct {
	Name  string `hcl:"name,label"`
	Drain string `hcl:"connection_draining,optional"` // 30s when empty, "0s" for none
	// UnknownAfter is how long after the start it cannot tell the health of
	// its instances for UnknownFor; empty: never.
	UnknownAfter string `hcl:"unknown_after,optional"`
	UnknownFor   string `hcl:"unknown_for,optional"`
}

// GroupSpec is an Auto Scaling group.
type GroupSpec struct {
	Name     string `hcl:"name,label"`
	Template string `hcl:"template"`
	// Version is the pointer's text; $Latest when empty.
	Version string `hcl:"version,optional"`
	// LaunchedFrom is the version that the first members were launched
	// from; 1 when 0.
	LaunchedFrom        int               `hcl:"launched_from,optional"`
	Min                 int               `hcl:"min"`
	Max                 int               `hcl:"max"`
	Desired             int               `hcl:"desired"`
	Zones               []string          `hcl:"zones,optional"` // a, b, c; all when empty
	TargetGroups        []string          `hcl:"target_groups,optional"`
	LoadBalancers       []string          `hcl:"load_balancers,optional"` // classic ones
	HealthCheck         string            `hcl:"health_check,optional"`   // EC2 or ELB
	GracePeriod         string            `hcl:"grace_period,optional"`
	TerminationPolicies []string          `hcl:"termination_policies,optional"`
	Protected           bool              `hcl:"protected,optional"` // from scale-in
	Suspended           []string          `hcl:"suspended,optional"`
	Tags                map[string]string `hcl:"tags,optional"`
	Latencies           *LatencySpec      `hcl:"latencies,block"`
	Overrides           []OverrideSpec    `hcl:"override,block"`
	Distribution        *DistributionSpec `hcl:"distribution,block"`
	WarmPool            *WarmPoolSpec     `hcl:"warm_pool,block"`
	Hooks               []HookSpec        `hcl:"hook,block"`
	// RetainOnAbandon keeps instances whose termination hook was abandoned.
	RetainOnAbandon   bool `hcl:"retain_on_abandon,optional"`
	CapacityRebalance bool `hcl:"capacity_rebalance,optional"`
}

// ParameterSpec is a parameter of SSM. Its value may be the name of an image.
type ParameterSpec struct {
	Name   string `hcl:"name,label"`
	Value  string `hcl:"value"`
	Region string `hcl:"region,optional"`
}

// BucketSpec is an empty bucket of S3.
type BucketSpec struct {
	Name string `hcl:"name,label"`
}

// FaultSpec is a [Fault] from a moment on.
type FaultSpec struct {
	Calls   string `hcl:"calls,optional" json:"calls"`
	Kind    string `hcl:"kind" json:"kind"`
	Code    string `hcl:"code,optional" json:"code"`
	Message string `hcl:"message,optional" json:"message"`
	Status  int    `hcl:"status,optional" json:"status"`
	Skip    int    `hcl:"skip,optional" json:"skip"`
	Times   int    `hcl:"times,optional" json:"times"`
	After   string `hcl:"after,optional" json:"after"`
	For     string `hcl:"for,optional" json:"for"`
}

// LaunchFaultSpec is a [LaunchFault] from a moment on. Zone may be a letter.
type LaunchFaultSpec struct {
	Zone         string `hcl:"zone,optional" json:"zone"`
	Group        string `hcl:"group,optional" json:"group"`
	InstanceType string `hcl:"instance_type,optional" json:"instance_type"`
	Market       string `hcl:"market,optional" json:"market"`
	Code         string `hcl:"code" json:"code"`
	Times        int    `hcl:"times,optional" json:"times"`
	After        string `hcl:"after,optional" json:"after"`
	For          string `hcl:"for,optional" json:"for"`
}

// ActorSpec is somebody else who acts: at a time, again and again, or just
// before a call.
type ActorSpec struct {
	At     string `hcl:"at,optional" json:"at"`
	Every  string `hcl:"every,optional" json:"every"`
	Before string `hcl:"before,optional" json:"before"` // pattern of calls
	Nth    int    `hcl:"nth,optional" json:"nth"`       // 1 when 0
	Action Action `hcl:"action,block" json:"action"`
}

// ReadScenario reads a scenario file, whose name must end in .hcl.
func ReadScenario(path string) (*Scenario, error) {
	s := new(Scenario)
	if err := hclsimple.DecodeFile(path, nil, s); err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return s, nil
}

// ParseScenario reads a scenario from text; name is for error messages.
func ParseScenario(name, text string) (*Scenario, error) {
	s := new(Scenario)
	if err := hclsimple.Decode(name+".hcl", []byte(text), nil, s); err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return s, nil
}

// duration parses a duration that may be left out.
func duration(text, what string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	if d < 0 {
		return 0, fmt.Errorf("%s: %s is negative", what, text)
	}
	return d, nil
}

// instant parses a time that may be left out.
func instant(text, what string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", what, err)
	}
	return t.UTC(), nil
}

// over gives base with what the spec overrides.
func (s *LatencySpec) over(base Latencies) (Latencies, error) {
	if s == nil {
		return base, nil
	}
	var errs []error
	set := func(to *time.Duration, text, name string) {
		if text == "" {
			return
		}
		d, err := duration(text, "latency "+name)
		*to, errs = d, append(errs, err)
	}
	set(&base.Launch, s.Launch, "launch")
	set(&base.WarmStart, s.WarmStart, "warm_start")
	set(&base.StatusCheck, s.StatusCheck, "status_check")
	set(&base.Healthy, s.Healthy, "healthy")
	set(&base.Unhealthy, s.Unhealthy, "unhealthy")
	set(&base.Drain, s.Drain, "drain")
	set(&base.Terminate, s.Terminate, "terminate")
	set(&base.React, s.React, "react")
	set(&base.Copy, s.Copy, "copy")
	return base, errors.Join(errs...)
}

func (s FaultSpec) fault() (Fault, error) {
	d, err := duration(s.For, "fault: for")
	return Fault{
		Calls: s.Calls, Kind: FaultKind(s.Kind), Code: s.Code, Message: s.Message, Status: s.Status,
		Skip: s.Skip, Times: s.Times, For: d,
	}, err
}

func (s LaunchFaultSpec) fault(region string) (LaunchFault, error) {
	d, err := duration(s.For, "launch_fault: for")
	zone := s.Zone
	if len(zone) == 1 {
		zone = region + zone
	}
	if s.Market != "" && s.Market != marketOnDemand && s.Market != marketSpot {
		err = errors.Join(err, fmt.Errorf("launch_fault: market %q is neither %s nor %s", s.Market, marketOnDemand, marketSpot))
	}
	return LaunchFault{
		Zone: zone, Group: s.Group, InstanceType: s.InstanceType, Market: s.Market, Code: s.Code, Times: s.Times, For: d,
	}, err
}

func (s ImageSpec) behaviour() (ImageBehaviour, error) {
	what := "image " + s.Name
	dies, err := duration(s.DiesAfter, what+": dies_after")
	if err != nil {
		return ImageBehaviour{}, err
	}
	counts, err := duration(s.CountsAfter, what+": counts_after")
	if err != nil {
		return ImageBehaviour{}, err
	}
	if s.UnhealthyStatus != 0 && (s.UnhealthyStatus < 400 || s.UnhealthyStatus > 599) {
		return ImageBehaviour{}, fmt.Errorf("%s: unhealthy_status: %d is not from 400 to 599", what, s.UnhealthyStatus)
	}
	out := ImageBehaviour{
		NeverHealthy: s.NeverHealthy, BootFactor: s.BootFactor, DiesAfter: dies, LaunchError: s.LaunchError,
		StatusImpaired: s.StatusImpaired, HTTPPort: s.HTTPPort, UnhealthyStatus: s.UnhealthyStatus, Counts: s.Counts, CountsAfter: counts,
	}
	for _, h := range s.HTTP {
		a, err := h.answer(what)
		if err != nil {
			return ImageBehaviour{}, err
		}
		out.HTTP = append(out.HTTP, a)
	}
	return out, nil
}

func (s HTTPSpec) answer(what string) (HTTPAnswer, error) {
	after, err := duration(s.After, what+": http "+s.Path+": after")
	switch {
	case err != nil:
		return HTTPAnswer{}, err
	case s.Path != "*" && !strings.HasPrefix(s.Path, "/"):
		return HTTPAnswer{}, fmt.Errorf("%s: http %q: a path begins with / or is *", what, s.Path)
	case s.Status != 0 && (s.Status < 200 || s.Status > 599):
		return HTTPAnswer{}, fmt.Errorf("%s: http %s: status: %d is not from 200 to 599", what, s.Path, s.Status)
	}
	return HTTPAnswer{Path: s.Path, Status: s.Status, Body: s.Body, ContentType: s.ContentType, After: after}, nil
}
