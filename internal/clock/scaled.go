package clock

import (
	"context"
	"time"
)

// Scaled is a clock that shows now when it is made and runs speed times as
// fast as base from then on. It is what a program goes by that works with a
// simulator of that speed. speed must be above zero.
func Scaled(base Clock, now time.Time, speed float64) Clock {
	return scaled{base: base, made: base.Now(), now: now, speed: speed}
}

type scaled struct {
	base      Clock
	made, now time.Time
	speed     float64
}

// Now implements [Clock].
func (s scaled) Now() time.Time {
	return s.now.Add(time.Duration(float64(s.base.Now().Sub(s.made)) * s.speed))
}

// Sleep implements [Clock].
func (s scaled) Sleep(ctx context.Context, d time.Duration) error {
	return s.base.Sleep(ctx, time.Duration(float64(d)/s.speed))
}
