package asg

import (
	"sync"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// foundFor is how long a member's addresses are good: an elastic address may
// be moved to it, or away.
const foundFor = 5 * time.Minute

// foundAddresses are members' addresses by id.
type foundAddresses struct {
	mu   sync.Mutex
	byID map[string]foundAddress
}

type foundAddress struct {
	rollout.Addresses
	at time.Time
}

func (f *foundAddresses) put(id string, a rollout.Addresses, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byID == nil {
		f.byID = map[string]foundAddress{}
	}
	f.byID[id] = foundAddress{a, now}
}

func (f *foundAddresses) get(id string, now time.Time) (rollout.Addresses, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found, ok := f.byID[id]
	if ok && now.Sub(found.at) > foundFor {
		delete(f.byID, id)
		return rollout.Addresses{}, false
	}
	return found.Addresses, ok
}
