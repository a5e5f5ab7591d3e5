// Package awssim is a simulated AWS: one account and one region of EC2, EC2
// Auto Scaling, Elastic Load Balancing, SSM, S3 and STS behind their real wire
// protocols, with its own clock and faults.
//
// It owns the behaviour of the simulated services over time. It must not know
// anything about Refit, and nothing but tests and the command that serves it
// may import it.
package awssim

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// World is one simulated account in one region. All exported methods are safe
// for concurrent use; unexported ones expect mu to be held.
type World struct {
	mu sync.Mutex

	region, account string

	// clock
	speed     float64 // 0: virtual, time moves only by [World.Clock]'s Sleep
	wallStart time.Time
	simStart  time.Time
	now       time.Time
	queue     eventQueue
	eventSeq  int
	wake      chan struct{}
	onTick    []func()

	rand   *rand.Rand
	nextID uint64

	calls map[string]int // "autoscaling:DescribeAutoScalingGroups" → count

	services map[string]map[string]operation
	client   *http.Client
}

// event is something due at an instant. Events at the same instant run in the
// order they were scheduled, which keeps a virtual world deterministic.
type event struct {
	at   time.Time
	seq  int
	fn   func()
	dead *bool
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// after schedules fn, with mu held, d from now. The returned function cancels it.
func (w *World) after(d time.Duration, fn func()) (cancel func()) {
	dead := false
	w.eventSeq++
	heap.Push(&w.queue, event{at: w.now.Add(max(d, 0)), seq: w.eventSeq, fn: fn, dead: &dead})
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return func() { dead = true }
}

// advance runs every event due up to the instant to, in order, and then makes
// it the current instant. After each event the observers of [World.OnTick] run.
func (w *World) advance(to time.Time) {
	for len(w.queue) > 0 && !w.queue[0].at.After(to) {
		e := heap.Pop(&w.queue).(event)
		if *e.dead {
			continue
		}
		if e.at.After(w.now) {
			w.now = e.at
		}
		e.fn()
		for _, f := range w.onTick {
			f()
		}
	}
	if to.After(w.now) {
		w.now = to
	}
}

// catchUp brings a real or scaled world to the instant its clock shows.
func (w *World) catchUp() {
	if w.speed > 0 {
		w.advance(w.simStart.Add(time.Duration(float64(time.Since(w.wallStart)) * w.speed)))
	}
}

// worldClock is the world's virtual clock, as Refit's clock.
type worldClock struct{ w *World }

// Now implements clock.Clock.
func (c worldClock) Now() time.Time {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return c.w.now
}

// Sleep implements clock.Clock by moving the world's time.
func (c worldClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.advance(c.w.now.Add(max(d, 0)))
	return ctx.Err()
}
