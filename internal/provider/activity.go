package provider

import (
	"context"
	"sync"
)

// Activity knows the changes that are under way in this process, so that it
// can be left without cutting one off. The zero value is ready; a nil one
// knows nothing. It is safe for concurrent use.
type Activity struct {
	mu      sync.Mutex
	next    int
	cancels map[int]context.CancelFunc
	idle    sync.WaitGroup
	stopped bool
}

// begin makes a context for a change that ends early when the process is to be
// left. done must be called at the change's end.
func (a *Activity) begin(ctx context.Context) (_ context.Context, done func()) {
	if a == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		cancel()
		return ctx, cancel
	}
	if a.cancels == nil {
		a.cancels = map[int]context.CancelFunc{}
	}
	id := a.next
	a.next++
	a.cancels[id] = cancel
	a.idle.Add(1)
	return ctx, func() {
		cancel()
		a.mu.Lock()
		delete(a.cancels, id)
		a.mu.Unlock()
		a.idle.Done()
	}
}

// Stop asks every change under way to come to a safe point, waits until each
// has, and lets no other begin.
func (a *Activity) Stop() {
	a.mu.Lock()
	a.stopped = true
	for _, cancel := range a.cancels {
		cancel()
	}
	a.mu.Unlock()
	a.idle.Wait()
}
