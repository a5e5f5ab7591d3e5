package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

var seeds = flag.Int("seeds", 3, "how many seeds TestChaos runs on each backend")

// network makes calls late, lost or slow, and freezes the process around them.
// It ignores deadlines on purpose: a frozen process does not see them either.
type network struct {
	mu    sync.Mutex
	rand  *rand.Rand
	clock clock.Clock
	late  *sync.WaitGroup
}

var errNetwork = errors.New("the network is broken")

func (n *network) roll(most int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rand.IntN(most)
}

func (n *network) sleep(most int) {
	_ = n.clock.Sleep(context.Background(), time.Duration(n.roll(most*1000))*time.Millisecond)
}

// call makes one call, somehow.
func call[In, Out, Opt any](
	ctx context.Context, n *network, in *In, opts []func(*Opt), f func(context.Context, *In, ...func(*Opt)) (*Out, error),
) (*Out, error) {
	do := func() (*Out, error) { return f(context.WithoutCancel(ctx), in, opts...) }
	switch what := n.roll(100); {
	case what < 3: // frozen, and then it goes out after all
		n.sleep(400)
		return do()
	case what < 6:
		out, err := do()
		n.sleep(400)
		return out, err
	case what < 9: // given up on, and then it lands
		own := *in // the caller goes on to its next page meanwhile
		n.late.Go(func() {
			n.sleep(300)
			_, _ = f(context.WithoutCancel(ctx), &own, opts...)
		})
		return nil, errNetwork
	case what < 12:
		_, _ = do()
		return nil, errNetwork
	case what < 15:
		return nil, errNetwork
	default:
		n.sleep(2)
		return do()
	}
}

type badSSM struct {
	*network
	*ssm.Client
}

func (b badSSM) GetParameter(ctx context.Context, in *ssm.GetParameterInput, opts ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	return call(ctx, b.network, in, opts, b.Client.GetParameter)
}

func (b badSSM) GetParametersByPath(ctx context.Context, in *ssm.GetParametersByPathInput, opts ...func(*ssm.Options)) (*ssm.GetParametersByPathOutput, error) {
	return call(ctx, b.network, in, opts, b.Client.GetParametersByPath)
}

func (b badSSM) PutParameter(ctx context.Context, in *ssm.PutParameterInput, opts ...func(*ssm.Options)) (*ssm.PutParameterOutput, error) {
	return call(ctx, b.network, in, opts, b.Client.PutParameter)
}

type badS3 struct {
	*network
	*s3.Client
}

func (b badS3) GetObject(ctx context.Context, in *s3.GetObjectInput, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return call(ctx, b.network, in, opts, b.Client.GetObject)
}

func (b badS3) PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return call(ctx, b.network, in, opts, b.Client.PutObject)
}

// referee knows every lease that was handed out, and what was done under them.
type referee struct {
	t       *testing.T
	mu      sync.Mutex
	leases  []*journal.Lease
	epochs  map[int64]bool
	counter int // of intents
	acted   int // the last intent that was acted on
	settled int // the last intent that somebody tried to settle
	acts    int
}

// handed checks a new lease: if it is good, then nobody else's is, no epoch
// comes twice, and no intent that was acted on is missing from what it
// inherits. It returns the intent that the owner starts from.
func (f *referee) handed(l *journal.Lease) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range f.leases {
		if l.Check() == nil && other.Check() == nil {
			f.t.Errorf("epoch %d was handed out while epoch %d may still act", l.Epoch, other.Epoch)
		}
	}
	if f.epochs[l.Epoch] {
		f.t.Errorf("epoch %d was handed out twice", l.Epoch)
	}
	f.epochs[l.Epoch] = true
	f.leases = append(f.leases, l)
	known := f.settled
	if l.Inherited != nil && len(l.Inherited.Record) > 0 {
		if err := json.Unmarshal(l.Inherited.Record, &known); err != nil {
			f.t.Error(err)
		}
	}
	if known < f.acted && l.Check() == nil {
		f.t.Errorf("epoch %d inherits intent %d, but %d was acted on", l.Epoch, known, f.acted)
	}
	return known
}

// act notes that an intent is acted on under a lease that says it may.
func (f *referee) act(l *journal.Lease, intent int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range f.leases {
		if other != l && other.Check() == nil {
			f.t.Errorf("epochs %d and %d may both act", l.Epoch, other.Epoch)
		}
	}
	f.acted = max(f.acted, intent)
	f.acts++
}

func (f *referee) next() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counter++
	return f.counter
}

// TestChaos lets four owners fight over one group for eight simulated hours
// while they freeze and their calls are lost or land late, and checks that at
// no instant two of them may act, and that nobody forgets an intent.
func TestChaos(t *testing.T) {
	t.Parallel()
	inEveryWorld(t, chaos)
}

// inEveryWorld runs a story for each kind of store and each seed.
func inEveryWorld(t *testing.T, story func(t *testing.T, backend string, seed uint64)) {
	t.Helper()
	for _, backend := range []string{"ssm", "stale ssm", "s3"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			for seed := range *seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { story(t, backend, uint64(seed)) })
				})
			}
		})
	}
}

// chaosWorld is where the stories play.
func chaosWorld(t *testing.T, backend string) *awssim.World {
	t.Helper()
	w := awssim.New(awssim.Options{Speed: 1})
	w.CreateBucket("team-state")
	if backend == "stale ssm" { // S3 promises that reads are not
		if err := w.SetStaleness("ssm", 30*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// onBadWire is the journal of the ith owner, whose calls go over a bad network.
func onBadWire(w *awssim.World, backend string, seed uint64, i int, late *sync.WaitGroup) (*journal.Journal, *network) {
	n := &network{rand: rand.New(rand.NewPCG(seed, uint64(i))), clock: w.Clock(), late: late} //nolint:gosec // repeatable chances, no secrets
	store := journal.NewSSM(badSSM{n, ssm.NewFromConfig(w.Config())}, w.Clock(), "/refit")
	if backend == "s3" {
		store = journal.NewS3(badS3{n, s3.NewFromConfig(w.Config())}, w.Clock(), "team-state", "")
	}
	return journal.New(store, journal.Options{Owner: journal.Owner{Name: fmt.Sprint("owner", i)}}), n
}

func chaos(t *testing.T, backend string, seed uint64) {
	w := chaosWorld(t, backend)
	defer w.Close()
	referee := &referee{t: t, epochs: map[int64]bool{}}
	end := w.Clock().Now().Add(8 * time.Hour)
	var owners, late sync.WaitGroup
	for i := range 4 {
		j, n := onBadWire(w, backend, seed, i, &late)
		owners.Go(func() {
			for w.Clock().Now().Before(end) {
				l, err := j.Acquire(t.Context(), group, arn, journal.AcquireOptions{Timeout: 20 * time.Minute})
				if err != nil {
					n.sleep(60)
					continue
				}
				own(referee, l, referee.handed(l), n, w.Clock())
			}
		})
	}
	owners.Wait()
	late.Wait()
	if referee.acts < 50 || len(referee.epochs) < 8 {
		t.Errorf("nothing was tried: %d acts in %d epochs", referee.acts, len(referee.epochs))
	}
}

// own is the life of one owner: some intents and acts, then it ends, pauses, or
// dies without a word.
func own(f *referee, l *journal.Lease, intent int, n *network, clk clock.Clock) {
	ctx := context.Background()
	wrote := false
	for range n.roll(30) {
		n.sleep(20)
		if n.roll(100) < 4 {
			n.sleep(500) // frozen
		}
		if n.roll(3) == 0 || !clk.Now().Before(l.Due()) {
			next := f.next()
			var lost *journal.LostError
			if err := l.Write(ctx, next); errors.As(err, &lost) {
				return
			} else if err != nil {
				continue
			}
			intent, wrote = next, true
		}
		if wrote && l.Check() == nil {
			f.act(l, intent)
		}
	}
	switch n.roll(3) {
	case 0:
		f.mu.Lock()
		f.settled = max(f.settled, intent)
		f.mu.Unlock()
		_ = l.Settle(ctx, intent)
	case 1:
		_ = l.Pause(ctx, intent)
	}
}
