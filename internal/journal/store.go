package journal

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// Store is where journals and documents are kept: [NewSSM] or [NewS3]. It is
// safe for concurrent use.
type Store struct {
	clock clock.Clock
	chain chain
	docs  docs
	max   int
	name  string
}

// MaxSize is how many bytes one entry or document may have.
func (s *Store) MaxSize() int { return s.max }

// String names the store in messages, such as "SSM parameters under /refit".
func (s *Store) String() string { return s.name }

// chain is what leases need of storage. Each method reports errTaken when
// another owner has the epoch in question.
type chain interface {
	// newest returns the entry with the highest epoch, nil if there is none.
	newest(ctx context.Context, key string) (*found, error)
	// claim creates the epoch of m, which follows prev (nil: the first). Of any
	// number of claims of one epoch exactly one succeeds.
	claim(ctx context.Context, prev *found, m mark, body []byte) (mark, error)
	// replace overwrites our own entry. It returns the new mark, and also on an
	// error the one to go on with.
	replace(ctx context.Context, cur mark, body []byte) (mark, error)
	// remove deletes the named older epochs, or everything of the key when
	// names is nil.
	remove(ctx context.Context, key string, names []string) error
}

// blindChain is a chain where replace can succeed after another owner has
// claimed the next epoch.
type blindChain interface {
	// overtaken reports errTaken if the epoch after ours exists.
	overtaken(ctx context.Context, cur mark) error
}

// docs is storage for small documents by path; see [Documents].
type docs interface {
	get(ctx context.Context, path string) ([]byte, bool, error)
	put(ctx context.Context, path string, body []byte) error
	// list reads those documents below a directory whose paths are wanted.
	list(ctx context.Context, dir string, want func(path string) bool) (map[string][]byte, error)
	delete(ctx context.Context, path string) error
}

// mark is where our entry stands in storage.
type mark struct {
	key     string
	epoch   int64
	nonce   string // of the lease
	version int64  // SSM: the parameter's version
	etag    string // S3: the object's
	// pending is a write whose answer was lost and could not be looked up:
	// it must be settled before the next one.
	pending []byte
}

// found is a stored entry as it was read.
type found struct {
	where string // for messages
	body  []byte
	etag  string     // S3
	prev  [][]byte   // SSM: the entries that the record is borrowed from, newest first
	older []oldEpoch // SSM: the epochs before, ascending
}

// entry decodes what was found.
func (f *found) entry() (Entry, error) {
	e, took, err := decode(f.where, f.body)
	if err != nil {
		return Entry{}, err
	}
	e.Record = f.lender(e.Record, took, 0)
	return e, nil
}

// before decodes the entry of the epoch before, if the record is borrowed from
// it and it is readable.
func (f *found) before() (Entry, bool) {
	if len(f.prev) == 0 {
		return Entry{}, false
	}
	e, took, err := decode(f.where, f.prev[0])
	e.Record = f.lender(e.Record, took, 1)
	return e, err == nil
}

// lender gives the record that counts for an entry which borrowed its record
// from prev[i] when that had the sequence number took (0: it has its own).
// Until a new owner writes a record of its own, it repeats that of the epoch
// before as it saw it last; if the owner of that epoch wrote again, or had
// borrowed in turn, then what is there now counts.
func (f *found) lender(record json.RawMessage, took int64, i int) json.RawMessage {
	if took == 0 || i >= len(f.prev) {
		return record
	}
	e, tookBefore, err := decode(f.where, f.prev[i])
	if err != nil || e.Seq <= took && tookBefore == 0 {
		return record
	}
	return f.lender(e.Record, tookBefore, i+1)
}

// oldEpoch is an epoch before the newest one.
type oldEpoch struct {
	name    string
	written time.Time // by AWS's clock
}

// keepEpochs is how long an epoch is kept after its successor was last written.
const keepEpochs = 24 * time.Hour

// prunable gives the names of at most ten epochs (one call's worth) that nobody
// needs any more. What counts is the age of an epoch's *successor*: when that is
// a day old, every reader has long seen it, and nobody who lags behind can take
// the removed name for a free one. older ascends, so this is a beginning of it.
func prunable(older []oldEpoch, now time.Time) []string {
	var names []string
	for i := 0; i+1 < len(older) && len(names) < 10; i++ {
		if now.Sub(older[i+1].written) > keepEpochs {
			names = append(names, older[i].name)
		}
	}
	return names
}
