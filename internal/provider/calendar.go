package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/calendar"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// publishedReading is one look at everything that is published about windows,
// which the data sources of one plan share. The zero value is ready. It is
// safe for concurrent use.
type publishedReading struct {
	mu  sync.Mutex
	at  time.Time // zero: none yet
	cal calendar.Calendar
}

func (r *publishedReading) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = time.Time{}
}

// all gives the calendar as it was a moment ago.
func (r *publishedReading) all(ctx context.Context, docs *journal.Documents, now time.Time) (calendar.Calendar, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && now.Sub(r.at) <= readFor {
		return r.cal, nil
	}
	documents := map[string]json.RawMessage{}
	for _, root := range []string{calendar.ScheduleRoot, calendar.FreezeRoot, calendar.ExceptionRoot} {
		found, err := docs.List(ctx, root)
		if err != nil {
			return calendar.Calendar{}, fmt.Errorf("read the published %s: %w", root, err)
		}
		maps.Copy(documents, found)
	}
	r.cal, r.at = calendar.Collect(documents), now
	return r.cal, nil
}

// calendar is what is published about windows.
func (b *backend) calendar(ctx context.Context) (calendar.Calendar, error) {
	c, err := b.clients(ctx)
	if err != nil {
		return calendar.Calendar{}, err
	}
	return b.published.all(ctx, c.docs, b.clock.Now())
}
