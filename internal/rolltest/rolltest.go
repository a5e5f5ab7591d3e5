// Package rolltest stages rolls in a simulated world for tests and benchmarks:
// a scenario, the real adapters and journal on its virtual clock, and a
// referee that checks the invariants of rollouts.md on ground truth at every
// tick. It is imported by tests and benchmarks only.
package rolltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/probe"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Shape is a group to stage: Members of version 1 of template "web", whose
// version 2 has a newer image.
type Shape struct {
	Members int
	Max     int    // 2 × Members when 0; 0 when negative
	Pointer string // "1" when empty
	// Image is HCL inside the newer image's block, such as "never_healthy = true".
	Image string
	// First is the same inside the older image's block.
	First string
	// Spot: both versions of the template ask for Spot Instances.
	Spot bool
	// Group is HCL inside the group's block, Extra at the scenario's top level.
	Group, Extra string
	// NoTargets leaves the group without a target group.
	NoTargets bool
	// Drain is the target group's deregistration delay; 30s when empty.
	Drain string
	// Targets is HCL inside the target group's block, such as slow_start = "2m".
	Targets string
	// S3 keeps the journal in a bucket rather than in SSM.
	S3 bool
}

func (s Shape) scenario() string {
	switch {
	case s.Max < 0:
		s.Max = 0
	case s.Max == 0:
		s.Max = max(2*s.Members, 1)
	}
	if s.Pointer == "" {
		s.Pointer = "1"
	}
	if s.Drain == "" {
		s.Drain = "30s"
	}
	targets := `target_groups = ["web"]`
	if s.NoTargets {
		targets = ""
	}
	return fmt.Sprintf(`
image "golden-web-1" {
  created = "2026-01-01T00:00:00Z"
  %s
}
image "golden-web-2" {
  created = "2026-02-01T00:00:00Z"
  %s
}
template "web" {
  version {
    image = "golden-web-1"
    spot  = %t
  }
  version {
    image = "golden-web-2"
    spot  = %t
  }
}
target_group "web" {
  deregistration_delay = %q
  %s
}
group "web" {
  template = "web"
  version  = %q
  min      = 0
  max      = %d
  desired  = %d
  %s
  %s
}
%s
`, s.First, s.Image, s.Spot, s.Spot, s.Drain, s.Targets, s.Pointer, s.Max, s.Members, targets, s.Group, s.Extra)
}

// weighs finds the weights in a scenario.
var weighs = regexp.MustCompile(`weighted_capacity\s*=\s*(\d+)`)

// Stage is one world with a roller in it.
type Stage struct {
	tb     testing.TB
	World  *awssim.World
	Roller *roller.Roller
	// Log is what people would read, one line an event, and the world's own events.
	Log []string

	logging sync.Mutex
	referee *referee
	start   time.Time
	inS3    bool
	silent  bool
	direct  bool
	heavy   int  // the largest weight in the scenario; 1: there are none
	uneven  bool // there are several
}

// New stages a shape in a virtual world.
func New(tb testing.TB, shape Shape) *Stage {
	tb.Helper()
	return FromScenario(tb, shape.scenario(), shape.S3)
}

// FromScenario stages a scenario given as HCL.
func FromScenario(tb testing.TB, text string, inS3 bool) *Stage {
	tb.Helper()
	return atSpeed(tb, text, inS3, 0)
}

// InBubble stages a scenario given as HCL where time passes as in a bubble of
// testing/synctest, so that several rollers can wait at the same time. In a
// virtual world each wait moves the clock for everybody.
func InBubble(tb testing.TB, text string, inS3 bool) *Stage {
	tb.Helper()
	return atSpeed(tb, text, inS3, 1)
}

func atSpeed(tb testing.TB, text string, inS3 bool, speed float64) *Stage {
	tb.Helper()
	scenario := parsed(tb, text)
	world, err := awssim.NewScenario(awssim.Options{Speed: speed}, scenario)
	if err != nil {
		tb.Fatal(err)
	}
	if speed > 0 { // others have nothing to close, and tests keep what they clean up to their end
		tb.Cleanup(world.Close)
	}
	s := &Stage{tb: tb, World: world, start: world.Clock().Now(), inS3: inS3, heavy: 1}
	for i, found := range weighs.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(found[1]); err == nil {
			s.uneven = s.uneven || i > 0 && n != s.heavy
			s.heavy = max(s.heavy, n)
		}
	}
	if inS3 {
		world.CreateBucket("journal")
	}
	s.Roller = s.NewRoller("first", 1)
	world.OnEvent(func(e awssim.Event) { s.log(e.At, "  aws    "+e.Text) })
	return s
}

// scenarios are those that were read before, by their text: random worlds
// differ in little. Nothing changes them.
var scenarios sync.Map

func parsed(tb testing.TB, text string) *awssim.Scenario {
	tb.Helper()
	if known, ok := scenarios.Load(text); ok {
		return known.(*awssim.Scenario) //nolint:forcetypeassert // nothing else is stored
	}
	scenario, err := awssim.ParseScenario("test", text)
	if err != nil {
		tb.Fatal(err)
	}
	scenarios.Store(text, scenario)
	return scenario
}

// NewRoller is another process: its own caches, its own owner.
func (s *Stage) NewRoller(name string, pid int) *roller.Roller {
	cfg, clk := s.World.Config(), s.World.Clock()
	wire := &transport{RoundTripper: s.World.RoundTripper(), crash: func(bool) bool { return false }}
	cfg.HTTPClient = &http.Client{Transport: wire}
	if s.direct {
		cfg.APIOptions = append(cfg.APIOptions, s.World.Direct(wire.call))
	}
	store := journal.NewSSM(ssm.NewFromConfig(cfg), clk, "/refit")
	if s.inS3 {
		store = journal.NewS3(s3.NewFromConfig(cfg), clk, "journal", "refit/")
	}
	groups := asg.New(asg.Options{
		AutoScaling: autoscaling.NewFromConfig(cfg), EC2: ec2.NewFromConfig(cfg), ELB: elb.NewFromConfig(cfg),
		Classic: elasticloadbalancing.NewFromConfig(cfg), CloudWatch: cloudwatch.NewFromConfig(cfg), Clock: clk,
	})
	asking := probe.New(groups, probe.Options{Transport: s.World.RoundTripper(), Lambda: lambda.NewFromConfig(cfg)})
	return &roller.Roller{
		Groups: &guard{Groups: asking, s: s, wire: wire}, Docs: journal.NewDocuments(store), Clock: clk,
		Journal:  journal.New(store, journal.Options{Owner: journal.Owner{Name: name, MachineID: name, BootID: "boot", PID: pid}}),
		Progress: func(e roller.Event) { s.log(e.At, "refit    "+e.Text) },
	}
}

// Direct lets the roller, and those to come, call the world without a wire,
// which is several times as fast: see [awssim.World.Direct].
func (s *Stage) Direct() {
	s.direct = true
	s.Roller = s.NewRoller("first", 1)
}

// Silence stops keeping the log, for benchmarks.
func (s *Stage) Silence() { s.silent = true }

func (s *Stage) log(at time.Time, text string) {
	if s.silent {
		return
	}
	s.logging.Lock()
	defer s.logging.Unlock()
	s.Log = append(s.Log, fmt.Sprintf("%7s  %s", at.Sub(s.start).Round(time.Second), text))
}

// Story is the log as one text.
func (s *Stage) Story() string { return strings.Join(s.Log, "\n") + "\n" }

// Request is a roll of the staged group to version 2 with a spec's percentages.
func Request(minHealthy, maxHealthy int) roller.Request {
	spec := rollout.Defaults()
	spec.MinHealthy, spec.MaxHealthy = minHealthy, maxHealthy
	return roller.Request{Group: "web", Version: "2", Spec: spec}
}

// Roll rolls with the referee watching, and fails the test when an invariant
// was broken. Its results are the roll's.
func (s *Stage) Roll(ctx context.Context, q roller.Request) (roller.Report, error) {
	s.tb.Helper()
	s.Referee(q)
	report, err := s.Roller.Roll(ctx, q)
	s.Verdict()
	return report, err
}

// Group is the truth about the staged group.
func (s *Stage) Group() awssim.Group {
	s.tb.Helper()
	g, ok := s.World.Group("web")
	if !ok {
		s.tb.Fatal("the group is gone")
	}
	return g
}

// On counts the launched members of a version.
func On(g awssim.Group, version int64) int {
	n := 0
	for _, m := range g.Members {
		if m.Launched() && m.Version == version {
			n++
		}
	}
	return n
}

// CapacityOn is the capacity of the launched members of a version: how many they
// are where there are no weights.
func CapacityOn(g awssim.Group, version int64) int {
	n := 0
	for _, m := range g.Members {
		if m.Launched() && m.Version == version {
			n += m.Weight
		}
	}
	return n
}

// AutoScaling is somebody else's way to AWS, such as a person's.
func (s *Stage) AutoScaling() *autoscaling.Client { return autoscaling.NewFromConfig(s.World.Config()) }

// Elapsed is the simulated time since the start.
func (s *Stage) Elapsed() time.Duration { return s.World.Clock().Now().Sub(s.start) }

// transport is a process's wire to AWS; the process can die at any call.
type transport struct {
	http.RoundTripper
	crash func(after bool) bool
	// freeze, if set, says whether the process freezes before a call. send makes
	// the call all the same, and gives AWS's HTTP status.
	freeze func(operation string, send func() int) bool
}

// RoundTrip implements http.RoundTripper. A process that dies never returns.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.crash(false) || t.freeze != nil && t.freezes(r) {
		runtime.Goexit()
	}
	res, err := t.RoundTripper.RoundTrip(r)
	if t.crash(true) {
		runtime.Goexit()
	}
	return res, err
}

// freezes asks freeze about a request. Those of the query protocol name their
// operation in the body.
func (t *transport) freezes(r *http.Request) bool {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body) // of a reader in memory
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	form, _ := url.ParseQuery(string(body)) // what is no form names none
	late := r.Clone(context.WithoutCancel(r.Context()))
	late.Body = io.NopCloser(bytes.NewReader(body))
	return t.freeze(form.Get("Action"), func() int {
		res, err := t.RoundTripper.RoundTrip(late)
		if err != nil {
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	})
}

// call makes one call that does not go over the wire.
func (t *transport) call(operation string, do func() error) {
	if t.crash(false) || t.freeze != nil && t.freeze(operation, func() int { return statusOf(do()) }) {
		runtime.Goexit()
	}
	_ = do() // the caller is given it
	if t.crash(true) {
		runtime.Goexit()
	}
}

// statusOf is the HTTP status of a call that gave an error, or none.
func statusOf(err error) int {
	var failed *smithyhttp.ResponseError
	if errors.As(err, &failed) {
		return failed.HTTPStatusCode()
	}
	return http.StatusOK
}

// Crash rolls in a process that dies just before or just after its nth call
// to AWS, the first being 0. It reports whether the roll got that far.
func (s *Stage) Crash(ctx context.Context, q roller.Request, n int, after bool) bool {
	s.tb.Helper()
	s.Referee(q)
	g, ok := s.Roller.Groups.(*guard)
	if !ok {
		s.tb.Fatal("the roller is not of this stage")
	}
	calls, crashed := 0, false
	g.wire.crash = func(now bool) bool {
		if crashed {
			return true // one that died in a call of another goroutine sends nothing more
		}
		if now != after {
			return false
		}
		crashed = calls == n
		calls++
		return crashed
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Roller.Roll(ctx, q) // how it ends matters to the successor only
	}()
	<-done
	if crashed && s.referee != nil {
		s.referee.died()
	}
	s.log(s.World.Clock().Now(), "the process is dead")
	s.Verdict()
	return crashed
}

// Freeze rolls in a process that freezes for good when it is about to send its
// nth call of an operation, the first being 0. land sends that call, whose
// answer reaches nobody, and gives AWS's HTTP status; it is nil when the roll did
// not get that far.
func (s *Stage) Freeze(ctx context.Context, q roller.Request, operation string, n int) (land func() int) {
	s.tb.Helper()
	s.Referee(q)
	g, ok := s.Roller.Groups.(*guard)
	if !ok {
		s.tb.Fatal("the roller is not of this stage")
	}
	g.wire.freeze = func(called string, send func() int) bool {
		if land != nil || called == operation {
			n--
		}
		if land == nil && n == -1 {
			land = func() int {
				status := send()
				s.log(s.World.Clock().Now(), fmt.Sprintf("the frozen process's %s lands: %d", operation, status))
				return status
			}
		}
		return land != nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Roller.Roll(ctx, q) // its answer reaches nobody
	}()
	<-done
	s.log(s.World.Clock().Now(), "the process is frozen")
	s.Verdict()
	return land
}

// OnCall runs f before each call of the present roller, with the number of
// calls before it.
func (s *Stage) OnCall(f func(n int)) {
	s.tb.Helper()
	g, ok := s.Roller.Groups.(*guard)
	if !ok {
		s.tb.Fatal("the roller is not of this stage")
	}
	n := 0
	g.wire.freeze = func(string, func() int) bool {
		f(n)
		n++
		return false
	}
}
