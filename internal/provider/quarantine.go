package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// heldReading is one look at all quarantines, which the resources of one plan
// share: there are few of them, and a call for each resource is one too many.
// The zero value is ready. It is safe for concurrent use.
type heldReading struct {
	mu   sync.Mutex
	at   time.Time // zero: none yet
	list []image.Quarantine
}

// heldFor is how long a look is good. What decides about a roll is looked up
// by the roll itself.
const heldFor = 30 * time.Second

func (h *heldReading) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = time.Time{}
}

// quarantines are the active ones of a template.
func (b *backend) quarantines(ctx context.Context, c *clients, template string) ([]image.Quarantine, error) {
	b.held.mu.Lock()
	defer b.held.mu.Unlock()
	now := b.clock.Now()
	if b.held.at.IsZero() || now.Sub(b.held.at) > heldFor {
		found, err := c.docs.List(ctx, image.QuarantineRoot)
		if err != nil {
			return nil, fmt.Errorf("read the quarantines: %w", err)
		}
		list := make([]image.Quarantine, 0, len(found))
		for where, body := range found {
			var q image.Quarantine
			if err := json.Unmarshal(body, &q); err != nil {
				return nil, &journal.UnreadableError{Where: "document " + where, Err: err}
			}
			list = append(list, q)
		}
		slices.SortFunc(list, func(a, b image.Quarantine) int { return strings.Compare(a.Data, b.Data) })
		b.held.list, b.held.at = list, now
	}
	var out []image.Quarantine
	for _, q := range b.held.list {
		if q.Template == template && q.Active(now) {
			out = append(out, q)
		}
	}
	return out, nil
}
