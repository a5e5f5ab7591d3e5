// Package clock is the one place where Refit reads the time and waits.
//
// It owns the Clock interface and its real implementation. Everything that
// waits takes a Clock, so that the simulator can stand in with virtual time.
// It must not hold rules about when something is due.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits. Implementations are safe for concurrent use.
type Clock interface {
	// Now is the current instant. Differences between two results are
	// monotonic; a wall clock that is set back does not make them negative.
	Now() time.Time
	// Sleep returns after d, or at once with ctx.Err() when ctx ends first.
	// A d of zero or less returns immediately.
	Sleep(ctx context.Context, d time.Duration) error
}

// Real is the machine's clock.
type Real struct{}

// Now implements [Clock].
func (Real) Now() time.Time { return time.Now() }

// Sleep implements [Clock].
func (Real) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
