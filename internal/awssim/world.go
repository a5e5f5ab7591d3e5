// Package awssim is a simulated AWS: one account and one region of EC2, EC2
// Auto Scaling, Elastic Load Balancing, SSM, S3 and STS behind their real wire
// protocols, with its own clock and faults, and the images and parameters of
// other regions.
//
// It owns the behaviour of the simulated services over time. It must not know
// anything about Refit, and nothing but tests and the command that serves it
// may import it.
package awssim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Options describe a new world. The zero value is a virtual world in
// eu-west-2, account 123456789012.
type Options struct {
	Region  string // eu-west-2 when empty
	Account string // 123456789012 when empty
	// Start is the world's first instant: when zero, a fixed Monday morning for a virtual
	// world and the present for others.
	Start time.Time
	// Speed is how fast simulated time passes: 0 means virtual (it passes
	// only in Sleep of [World.Clock] and in [World.Advance]), 1 is real time
	// and 60 a minute a second.
	Speed float64
	// Seed makes ids and random choices differ between worlds.
	Seed uint64
	// Latencies are how long things take; the zero value means [DefaultLatencies].
	Latencies Latencies
}

// World is one simulated account in one region. All exported methods are safe
// for concurrent use; unexported ones expect mu to be held.
type World struct {
	mu sync.Mutex

	region, account string
	regions         map[string]*elsewhere // the others, by name

	speed     float64
	wallStart time.Time
	simStart  time.Time
	now       time.Time
	queue     eventQueue
	eventSeq  int
	wake      chan struct{}
	stop      context.CancelFunc
	stopped   sync.WaitGroup

	onTick  []func()
	onEvent []func(Event)
	events  []Event
	told    int           // how many of events the observers have seen
	noticed time.Time     // the instant that they have last looked at
	news    chan struct{} // closed and replaced when an event is added

	rand  *rand.Rand
	calls map[string]int // "autoscaling:DescribeAutoScalingGroups" → count

	latency      Latencies
	groupLatency map[string]Latencies
	images       map[string]ImageBehaviour
	faults       []*activeFault
	launchFaults []*LaunchFault
	actors       []*callActor
	stale        map[string]*staleness
	rates        map[string]*rateBucket

	asg *asgState
	ec2 *ec2State
	elb *elbState
	ssm *ssmState
	s3  *s3State
	sts *stsState
	cw  *cloudwatchState

	lambda *lambdaState
	sns    *snsState
	bus    *busState
}

// New makes a world. [World.Close] ends the goroutine of one whose speed is
// not 0.
func New(o Options) *World {
	w := newWorld(o)
	w.begin(o.Speed)
	return w
}

// begin lets the world's time pass as fast as it should.
func (w *World) begin(speed float64) {
	if speed <= 0 {
		return
	}
	w.speed, w.wallStart, w.simStart = speed, wall.Now(), w.now
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.stopped.Go(func() { w.run(ctx) })
}

// newWorld makes a world whose time stands still.
func newWorld(o Options) *World {
	if o.Region == "" {
		o.Region = "eu-west-2"
	}
	if o.Account == "" {
		o.Account = "123456789012"
	}
	if o.Latencies == (Latencies{}) {
		o.Latencies = DefaultLatencies()
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, time.November, 16, 9, 0, 0, 0, time.UTC)
		if o.Speed > 0 {
			o.Start = wall.Now().UTC()
		}
	}
	w := &World{
		region: o.Region, account: o.Account, regions: map[string]*elsewhere{},
		now:  o.Start,
		wake: make(chan struct{}, 1), news: make(chan struct{}), stop: func() {},
		rand:  rand.New(rand.NewPCG(o.Seed, 0x5ee0)),
		calls: map[string]int{}, latency: o.Latencies, groupLatency: map[string]Latencies{},
		images: map[string]ImageBehaviour{}, stale: map[string]*staleness{}, rates: map[string]*rateBucket{},
	}
	// In a fixed order, because services may use the random numbers.
	for _, name := range slices.Sorted(maps.Keys(registry)) {
		if setup := registry[name].setup; setup != nil {
			setup(w)
		}
	}
	return w
}

// Close ends the world's goroutine. The world still answers afterwards, but
// nothing happens by itself.
func (w *World) Close() {
	w.stop()
	w.stopped.Wait()
}

// Region is where the world is.
func (w *World) Region() string { return w.region }

// Account is the account whose world it is.
func (w *World) Account() string { return w.account }

// Event is something that happened to a group, for people.
type Event struct {
	Number int       `json:"number"` // from 1 on
	At     time.Time `json:"at"`     // simulated
	Group  string    `json:"group,omitempty"`
	Text   string    `json:"text"`
}

// OnTick adds an observer that runs after every simulated event and after
// every call that may have changed something, without the world's lock, so that
// it may look at the ground truth.
func (w *World) OnTick(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onTick = append(w.onTick, f)
}

// OnEvent adds an observer of the event log. It is told of each event once,
// in order, without the world's lock.
func (w *World) OnEvent(f func(Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onEvent = append(w.onEvent, f)
}

// Events gives the event log from the one after number since.
func (w *World) Events(since int) []Event {
	w.lock()
	defer w.mu.Unlock()
	return append([]Event(nil), w.events[min(max(since, 0), len(w.events)):]...)
}

// event writes a line to the event log.
func (w *World) event(group, format string, args ...any) {
	w.events = append(w.events, Event{Number: len(w.events) + 1, At: w.now, Group: group, Text: fmt.Sprintf(format, args...)})
	close(w.news)
	w.news = make(chan struct{})
}

// notify tells the observers. It is called with the lock and gives it up
// meanwhile, so callers must not hold on to anything across it.
func (w *World) notify() {
	w.noticed = w.now
	w.followTruth()
	w.keepSnapshots()
	if len(w.onTick) == 0 && len(w.onEvent) == 0 {
		return
	}
	news, ticks, tells := w.events[w.told:], w.onTick, w.onEvent
	w.told = len(w.events)
	w.mu.Unlock()
	defer w.mu.Lock()
	for _, e := range news {
		for _, f := range tells {
			f(e)
		}
	}
	for _, f := range ticks {
		f()
	}
}

// notifyAfter is notify after a call. A read changes nothing: where nobody acted
// just before it, and the observers have looked since time has moved, there is
// nothing to tell them.
func (w *World) notifyAfter(c *Call, acted bool) {
	if acted || !isRead(c.Operation) || !w.noticed.Equal(w.now) || w.told < len(w.events) {
		w.notify()
	}
}

// Calls counts the calls since the last reset by service and operation, such
// as "autoscaling:DescribeAutoScalingGroups". Calls that met a fault count too.
func (w *World) Calls() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]int, len(w.calls))
	for k, n := range w.calls {
		out[k] = n
	}
	return out
}

// ResetCalls sets all counts to zero.
func (w *World) ResetCalls() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.calls)
}

// newID makes an id as EC2 does: prefix, "-", 17 hexadecimal digits.
func (w *World) newID(prefix string) string {
	return fmt.Sprintf("%s-0%016x", prefix, w.rand.Uint64())
}

// newUUID makes an id as Auto Scaling does for activities and requests.
func (w *World) newUUID() string {
	a, b := w.rand.Uint64(), w.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}
