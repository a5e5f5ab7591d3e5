package journal_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// lock takes a slot and fails the test if that is not possible.
func (r *rig) lock(owner, group string, slots int) *journal.Lock {
	r.t.Helper()
	l, err := r.journal(owner).Lock(r.t.Context(), journal.LockRequest{Key: "etcd-main", MaxHolders: slots, Group: group})
	if err != nil {
		r.t.Fatalf("Lock for %s: %v", group, err)
	}
	return l
}

// locked asserts that every slot is held, and returns by whom.
func (r *rig) locked(owner string, q journal.LockRequest) *journal.LockedError {
	r.t.Helper()
	q.Key, q.Group = "etcd-main", "web"
	l, err := r.journal(owner).Lock(r.t.Context(), q)
	var held *journal.LockedError
	if !errors.As(err, &held) {
		r.t.Fatalf("Lock = %v, %v; want a LockedError", l, err)
	}
	return held
}

func TestLock_oneHolder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		r.world.ResetCalls()
		l := r.lock("ann", "db", 1)
		if n := total(r.calls()); n != 2 {
			t.Errorf("a free lock costs %d calls, want 2: %v", n, r.calls())
		}
		if err := l.Check(); err != nil || l.Slot != 1 {
			t.Errorf("slot %d, Check = %v", l.Slot, err)
		}
		held := r.locked("bob", journal.LockRequest{MaxHolders: 1})
		contains(t, held.Error(), `the lock "etcd-main" is held by group db, rolled by ann@host (process 4711) since `, "last sign of life")
		if len(held.Holders) != 1 || held.Holders[0].Group != "db" || held.Holders[0].Slot != 1 {
			t.Errorf("holders = %+v", held.Holders)
		}
		// Another key is another lock.
		if _, err := r.journal("bob").Lock(t.Context(), journal.LockRequest{Key: "etcd", MaxHolders: 1, Group: "web"}); err != nil {
			t.Errorf("another key: %v", err)
		}
		if err := l.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Check(); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Check after Release = %v, want ErrClosed", err)
		}
		r.lock("bob", "web", 1)
	})
}

// A holder that is there blocks for as long as it renews; the wait is told, and
// ends soon after the release.
func TestLock_waitsForRelease(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		l := r.lock("ann", "db", 1)
		looks := 0
		wait := journal.LockRequest{
			Key: "etcd-main", MaxHolders: 1, Group: "web", Timeout: time.Hour,
			OnWait: func(held []journal.Holder) error {
				looks++
				contains(t, held[0].String(), "group db, rolled by ann@host")
				switch {
				case looks == 60: // a quarter of an hour
					return l.Release(t.Context())
				case looks < 60 && !r.world.Clock().Now().Before(l.Due()):
					return l.Renew(t.Context())
				}
				return nil
			},
		}
		took := r.took(func() {
			if _, err := r.journal("bob").Lock(t.Context(), wait); err != nil {
				t.Fatal(err)
			}
		})
		if looks != 60 || took < 14*time.Minute || took > 16*time.Minute {
			t.Errorf("got the lock after %s and %d looks, want it one look after the release", took, looks)
		}
	})
}

func TestLock_goneHolder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		l := r.lock("ann", "db", 1)
		if held := r.locked("bob", journal.LockRequest{MaxHolders: 1, Timeout: 2 * time.Minute}); held.Waited != 2*time.Minute {
			t.Errorf("waited %s, want two minutes", held.Waited)
		}
		var second *journal.Lock
		took := r.took(func() {
			var err error
			second, err = r.journal("bob").Lock(t.Context(), journal.LockRequest{Key: "etcd-main", MaxHolders: 1, Group: "web", Timeout: 10 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
		})
		// TTL and grace of silence, then a grace for its last calls to land.
		if took < 4*time.Minute || took > 5*time.Minute {
			t.Errorf("the lock of a holder that is gone was free after %s", took)
		}
		// It was only frozen: it must not go on, and learns who has the lock.
		var expired *journal.ExpiredError
		if err := l.Check(); !errors.As(err, &expired) {
			t.Errorf("Check of the former holder = %v, want that it has expired", err)
		}
		var lost *journal.LockLostError
		if err := l.Renew(t.Context()); !errors.As(err, &lost) || lost.By == nil || lost.By.Group != "web" {
			t.Errorf("Renew of the former holder = %v, want that web has the lock", err)
		}
		contains(t, l.Check().Error(), `the lock "etcd-main" was taken over: it is held by group web, rolled by bob@host`)
		if err := l.Release(t.Context()); err == nil {
			t.Error("the former holder could release the lock of the new one")
		}
		if err := second.Renew(t.Context()); err != nil {
			t.Errorf("Renew of the new holder: %v", err)
		}
	})
}

func TestLock_severalSlots(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		var first *journal.Lock
		for i, owner := range []string{"ann", "bob", "cem"} {
			l := r.lock(owner, fmt.Sprint("db-", i), 3)
			if l.Slot != 3-i {
				t.Errorf("holder %d has slot %d, want the highest that is free", i, l.Slot)
			}
			if i == 0 {
				first = l
			}
		}
		held := r.locked("dan", journal.LockRequest{MaxHolders: 3})
		if len(held.Holders) != 3 {
			t.Errorf("holders = %+v, want three", held.Holders)
		}
		contains(t, held.Error(), "; and by group db-1")
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A group that allows one holder keeps to the first slot, which db-2 has.
		held = r.locked("dan", journal.LockRequest{MaxHolders: 1})
		if len(held.Holders) != 1 || held.Holders[0].Group != "db-2" {
			t.Errorf("holders = %+v, want db-2 only", held.Holders)
		}
		if l := r.lock("dan", "web", 2+1); l.Slot != 3 {
			t.Errorf("got slot %d, want the one that was released", l.Slot)
		}
	})
}

func TestLock_refused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		for _, q := range []journal.LockRequest{
			{Key: "", MaxHolders: 1},
			{Key: "a/b", MaxHolders: 1},
			{Key: "a b", MaxHolders: 1},
			{Key: "ok", MaxHolders: 0},
			{Key: "ok", MaxHolders: 6},
			{Key: string(make([]byte, 65)), MaxHolders: 1},
		} {
			if _, err := r.journal("ann").Lock(t.Context(), q); err == nil {
				t.Errorf("Lock(%+v) succeeded", q)
			}
		}
		if n := total(r.calls()); n != 0 {
			t.Errorf("%d calls were made: %v", n, r.calls())
		}
	})
}

func TestLock_interruptedWait(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		r.lock("ann", "db", 1)
		stop := errors.New("enough")
		q := journal.LockRequest{
			Key: "etcd-main", MaxHolders: 1, Group: "web", Timeout: time.Hour,
			OnWait: func([]journal.Holder) error { return stop },
		}
		if _, err := r.journal("bob").Lock(t.Context(), q); !errors.Is(err, stop) {
			t.Errorf("Lock = %v, want the error of OnWait", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		q.OnWait = func([]journal.Holder) error { cancel(); return nil }
		if _, err := r.journal("bob").Lock(ctx, q); !errors.Is(err, context.Canceled) {
			t.Errorf("Lock = %v, want context.Canceled", err)
		}
	})
}

// A slot that cannot be read may be somebody's: nobody takes it, the others go
// on, and who waits is told.
func TestLock_unreadableSlot(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	r := newRig(t, "ssm", w)
	client := ssm.NewFromConfig(r.world.Config())
	_, err := client.PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String("/refit/rolls/" + journal.Key("locks/etcd-main/1") + "/e1"), Value: aws.String(`{"v":99}`), Type: "String",
	})
	if err != nil {
		t.Fatal(err)
	}
	var newer *journal.NewerError
	_, err = r.journal("ann").Lock(t.Context(), journal.LockRequest{Key: "etcd-main", MaxHolders: 1, Group: "web", Timeout: time.Hour})
	if !errors.As(err, &newer) {
		t.Errorf("Lock = %v, want that the slot was written by a newer Refit", err)
	}
	if l := r.lock("ann", "db", 2); l.Slot != 2 {
		t.Errorf("got slot %d, want the other one", l.Slot)
	}
	held := r.locked("bob", journal.LockRequest{MaxHolders: 2})
	if !errors.As(held, &newer) {
		t.Errorf("LockedError = %v, want it to name the slot that cannot be read", held)
	}
	contains(t, held.Error(), "group db, rolled by ann@host", "; and by a slot that cannot be read")
}
