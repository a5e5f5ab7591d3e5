package awssim

import (
	"container/heap"
	"context"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// wall is the machine's clock, which paces worlds that are not virtual. It is
// the only place where the simulator meets real time.
var wall clock.Real

// scheduled is something due at an instant. Those due at the same instant run
// in the order they were scheduled, which keeps a virtual world deterministic.
type scheduled struct {
	at   time.Time
	seq  int
	fn   func()
	dead *bool
}

type eventQueue []scheduled

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *eventQueue) Push(x any) {
	if e, ok := x.(scheduled); ok {
		*q = append(*q, e)
	}
}

// Pop implements [heap.Interface].
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// after schedules fn, with mu held, d from now. The returned function cancels
// it; calling that more than once, or late, does nothing.
func (w *World) after(d time.Duration, fn func()) (cancel func()) {
	dead := false
	w.eventSeq++
	heap.Push(&w.queue, scheduled{at: w.now.Add(max(d, 0)), seq: w.eventSeq, fn: fn, dead: &dead})
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return func() { dead = true }
}

// advance runs every event due up to the instant to, in order, and then makes
// it the current instant, unless an event ends ctx before. The observers run
// after each event, without the lock.
func (w *World) advance(ctx context.Context, to time.Time) {
	for len(w.queue) > 0 && !w.queue[0].at.After(to) {
		e, ok := heap.Pop(&w.queue).(scheduled)
		if !ok || *e.dead {
			continue
		}
		if e.at.After(w.now) {
			w.now = e.at
		}
		e.fn()
		w.notify()
		if ctx.Err() != nil {
			return
		}
	}
	if to.After(w.now) {
		w.now = to
	}
}

// Advance lets d of simulated time pass. It does nothing in a world that is
// not virtual.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.speed == 0 {
		w.advance(context.Background(), w.now.Add(max(d, 0)))
	}
}

// lock takes the lock and, in a world that is not virtual, brings it to the
// instant its clock shows.
func (w *World) lock() {
	w.mu.Lock()
	if w.speed > 0 {
		w.advance(context.Background(), w.simNow())
	}
}

// simNow is the instant that the clock of a real or scaled world shows.
func (w *World) simNow() time.Time {
	return w.simStart.Add(time.Duration(float64(wall.Now().Sub(w.wallStart)) * w.speed))
}

// run advances a real or scaled world at each due event, so that observers see
// it without anybody asking.
func (w *World) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		w.lock()
		w.notify()
		wait := time.Hour
		if len(w.queue) > 0 {
			wait = time.Duration(float64(w.queue[0].at.Sub(w.now))/w.speed) + time.Microsecond
		}
		w.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// Clock is the world's time. In a virtual world Sleep moves it: with several
// goroutines asleep at once each moves it by its own, so concurrent code is
// better tested in a world of speed 1 inside a testing/synctest bubble.
func (w *World) Clock() clock.Clock {
	if w.speed > 0 {
		return scaledClock{w}
	}
	return virtualClock{w}
}

type virtualClock struct{ w *World }

// Now implements clock.Clock.
func (c virtualClock) Now() time.Time {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return c.w.now
}

// Sleep implements clock.Clock by moving the world's time, no further than to
// the event that ends ctx.
func (c virtualClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.advance(ctx, c.w.now.Add(max(d, 0)))
	return ctx.Err()
}

type scaledClock struct{ w *World }

// Now implements clock.Clock.
func (c scaledClock) Now() time.Time { return c.w.simNow() }

// Sleep implements clock.Clock.
func (c scaledClock) Sleep(ctx context.Context, d time.Duration) error {
	return wall.Sleep(ctx, time.Duration(float64(d)/c.w.speed))
}
