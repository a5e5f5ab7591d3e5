// Package journal is the one authority on who may act on a group: a lease and
// the durable record of a roll, in SSM parameters or S3 objects.
//
// It owns the order of ownership (epochs), the heartbeat, the judgement that an
// owner is gone, and what is stored. It must not know what is in the record:
// that is the roller's, and opaque here.
//
// # How a lease stays safe
//
// An owner acts only while less than TTL has passed since it sent the last
// write that landed ([Lease.Check]). A taker claims the next epoch only after it
// has seen the sequence number stand still for TTL + Grace on its own monotonic
// clock, so the owner stopped acting at least Grace before. No two machines'
// clocks are ever compared.
package journal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// State is how far the roll of an entry has come, as the lease sees it.
type State string

// The states of an entry. Only a running one is held by its owner; a paused one
// has work left in its record, a settled one has none.
const (
	Running State = "running"
	Paused  State = "paused"
	Settled State = "settled"
)

// Entry is what is stored for a group: who owns its roll, and the roller's
// record. An Entry is a value; it is not changed after it was returned.
type Entry struct {
	Group   string          // name of the group, for people
	ARN     string          // what the key is made of
	Epoch   int64           // 1 and up; each owner has its own. Starts again only when a person deleted the entries
	Seq     int64           // 1 and up within the epoch, + 1 each write; a lease is judged by this standing still
	Owner   Owner           // who wrote it
	State   State           // running, paused or settled
	Record  json.RawMessage // the roller's, opaque; nil when it has not written one yet
	Updated time.Time       // when it was written by the owner's wall clock, whole seconds, for people
}

// Options are the times of a lease. The zero value gives the defaults.
type Options struct {
	TTL       time.Duration // how long after a write an owner may act; 120 s
	Grace     time.Duration // how much longer a taker waits, and lets calls in flight land; 60 s
	Heartbeat time.Duration // how long after a write the next one is due; 100 s
	Poll      time.Duration // how often a waiting taker looks; 15 s
	Owner     Owner         // who we are; the zero value is [Self]
	Nonce     func() string // makes the nonce of a lease, at most 26 bytes; nil is random. For repeatable tests
}

// Journal hands out leases. It is safe for concurrent use.
type Journal struct {
	store *Store
	clock clock.Clock
	opts  Options
}

// New returns a journal in store that runs on the store's clock.
func New(store *Store, opts Options) *Journal {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&opts.TTL, 120*time.Second)
	def(&opts.Grace, 60*time.Second)
	def(&opts.Heartbeat, 100*time.Second)
	def(&opts.Poll, 15*time.Second)
	if opts.Owner == (Owner{}) {
		opts.Owner = Self()
	}
	if opts.Nonce == nil {
		opts.Nonce = rand.Text
	}
	return &Journal{store: store, clock: store.clock, opts: opts}
}

// Key is the name under which a group's entries are stored: 32 hexadecimal
// digits of a hash of its ARN. Names of groups hold spaces and slashes, and a
// group created again under its name is another group with another ARN.
func Key(groupARN string) string {
	sum := sha256.Sum256([]byte(groupARN))
	return hex.EncodeToString(sum[:16])
}

// Peek returns the newest entry of a group without taking a lease; ok is false
// when there is none. It costs one call. Errors: [*NewerError],
// [*UnreadableError], [*DeniedError], and what the call gave.
func (j *Journal) Peek(ctx context.Context, groupARN string) (e Entry, ok bool, err error) {
	f, err := j.store.chain.newest(ctx, Key(groupARN))
	if err != nil || f == nil {
		return Entry{}, false, err
	}
	e, err = f.entry()
	return e, err == nil, err
}

// Forget removes everything stored for a group. Only for a group that no longer
// exists: its ARN never comes back, so nobody can claim the epochs again. An
// owner that is still there finds its lease lost at its next write.
func (j *Journal) Forget(ctx context.Context, groupARN string) error {
	return j.store.chain.remove(ctx, Key(groupARN), nil)
}

// Room is how many bytes the record of a group may have once encoded as JSON:
// what the store holds, less the rest of the entry at its longest. It does not
// depend on who the owner is, so what one owner could write another can inherit.
func (j *Journal) Room(groupARN string) int {
	return j.store.max - envelopeSize(groupARN)
}
