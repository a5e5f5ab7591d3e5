package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// lockReferee knows every slot that was handed out.
type lockReferee struct {
	t     *testing.T
	most  int
	mu    sync.Mutex
	locks []*journal.Lock
	acts  int
	full  bool // at some time all slots were used
}

// act notes that somebody acts under a lock that says it may: no more than most
// others may at that instant.
func (f *lockReferee) act(l *journal.Lock) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.Check() != nil {
		return
	}
	holders := 0
	slots := map[int]bool{}
	for _, other := range f.locks {
		if other.Check() == nil {
			holders++
			if slots[other.Slot] {
				f.t.Errorf("slot %d has two holders", other.Slot)
			}
			slots[other.Slot] = true
		}
	}
	if holders > f.most {
		f.t.Errorf("%d holders may act, want at most %d", holders, f.most)
	}
	f.full = f.full || holders == f.most
	f.acts++
}

// TestLockChaos lets five rollers fight over the two slots of a lock for four
// simulated hours while they freeze and their calls are lost or land late, and
// checks that at no instant more than two may act.
func TestLockChaos(t *testing.T) {
	t.Parallel()
	inEveryWorld(t, lockChaos)
}

func lockChaos(t *testing.T, backend string, seed uint64) {
	w := chaosWorld(t, backend)
	defer w.Close()
	referee := &lockReferee{t: t, most: 2}
	end := w.Clock().Now().Add(4 * time.Hour)
	var rollers, late sync.WaitGroup
	for i := range 5 {
		j, n := onBadWire(w, backend, seed, i, &late)
		q := journal.LockRequest{Key: "etcd-main", MaxHolders: 2, Group: fmt.Sprint("group-", i), Timeout: 20 * time.Minute}
		rollers.Go(func() {
			for w.Clock().Now().Before(end) {
				l, err := j.Lock(t.Context(), q)
				if err != nil {
					n.sleep(60)
					continue
				}
				referee.mu.Lock()
				referee.locks = append(referee.locks, l)
				referee.mu.Unlock()
				hold(referee, l, n, w.Clock())
			}
		})
	}
	rollers.Wait()
	late.Wait()
	if referee.acts < 50 || len(referee.locks) < 12 || !referee.full {
		t.Errorf("nothing was tried: %d acts under %d locks, both slots used: %t", referee.acts, len(referee.locks), referee.full)
	}
}

// hold is the life of one holder: some acts and renewals, then it gives the
// slot back, or dies without a word.
func hold(f *lockReferee, l *journal.Lock, n *network, clk clock.Clock) {
	ctx := context.Background()
	for range n.roll(30) {
		n.sleep(20)
		if n.roll(100) < 4 {
			n.sleep(500) // frozen
		}
		if !clk.Now().Before(l.Due()) {
			var lost *journal.LockLostError
			if err := l.Renew(ctx); errors.As(err, &lost) {
				return
			}
		}
		f.act(l)
	}
	if n.roll(3) > 0 {
		_ = l.Release(ctx) // if it cannot be, it is free later
	}
}
