package awssim

import (
	"fmt"
	"strings"
	"time"
)

// staleness lets the reads of one service answer from the past.
type staleness struct {
	max   time.Duration
	snaps []staleSnap // oldest first
}

type staleSnap struct {
	at      time.Time
	install func() (restore func())
}

// SetStaleness makes each read of a service (autoscaling, ec2,
// elasticloadbalancing) answer with the state of a random moment up to d ago,
// as eventually consistent services do: a later read may show an earlier
// state. 0 ends it. A service whose reads cannot be stale is an error.
func (w *World) SetStaleness(service string, d time.Duration) error {
	w.lock()
	defer w.mu.Unlock()
	if registry[service].snapshot == nil {
		return fmt.Errorf("staleness of %q: this service's reads are always fresh", service)
	}
	if d <= 0 {
		delete(w.stale, service)
		return nil
	}
	// What is so now counts as having been so ever since.
	w.stale[service] = &staleness{max: d, snaps: []staleSnap{{install: registry[service].snapshot(w)}}}
	return nil
}

// keepSnapshots remembers the present of each service whose reads may be
// stale, and forgets what is older than they may be.
func (w *World) keepSnapshots() {
	for name, s := range w.stale {
		snap := staleSnap{at: w.now, install: registry[name].snapshot(w)}
		if n := len(s.snaps); n > 0 && s.snaps[n-1].at.Equal(w.now) {
			s.snaps[n-1] = snap
			continue
		}
		s.snaps = append(s.snaps, snap)
		// The newest that is old enough still answers; those before it never will.
		drop := 0
		for drop+1 < len(s.snaps) && !s.snaps[drop+1].at.After(w.now.Add(-s.max)) {
			drop++
		}
		s.snaps = s.snaps[drop:]
	}
}

// installStale puts the past in place for a read, and returns what puts the
// present back.
func (w *World) installStale(c *Call) (restore func()) {
	s := w.stale[c.Service]
	if s == nil || !isRead(c.Operation) {
		return func() {}
	}
	at := w.now.Add(-time.Duration(w.rand.Int64N(int64(s.max) + 1)))
	pick := s.snaps[0]
	for _, snap := range s.snaps {
		if snap.at.After(at) {
			break
		}
		pick = snap
	}
	return pick.install()
}

func isRead(operation string) bool {
	return strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List")
}
