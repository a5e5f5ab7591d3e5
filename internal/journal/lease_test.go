package journal_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

func TestLease_lifeOfARoll(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		j := r.journal("alice")
		if _, ok, err := j.Peek(t.Context(), arn); ok || err != nil {
			t.Fatalf("Peek before anything: %v, %v", ok, err)
		}
		l := r.acquire(j, journal.AcquireOptions{})
		if l.Epoch != 1 || l.Inherited != nil || l.SettleWait != 0 || l.Check() != nil {
			t.Fatalf("first lease: %+v, Check %v", l, l.Check())
		}
		r.write(l, "working")
		r.world.Advance(30 * time.Second)
		r.write(l, "working on")
		now := r.world.Clock().Now()
		e := r.peek()
		want := journal.Entry{
			Group: group, ARN: arn, Epoch: 1, Seq: 3, State: journal.Running, Record: e.Record, Updated: now,
			Owner: journal.Owner{Name: "alice@host", PID: 4711, Nonce: l.Nonce, Since: now.Add(-30 * time.Second)},
		}
		if !reflect.DeepEqual(e, want) || step(t, e.Record) != "working on" {
			t.Errorf("entry of a running roll\n%+v, want\n%+v", e, want)
		}
		if err := l.Settle(t.Context(), note{"done"}); err != nil {
			t.Fatal(err)
		}
		if e := r.peek(); e.State != journal.Settled || step(t, e.Record) != "done" {
			t.Errorf("settled entry: %+v", e)
		}
		next := r.acquire(r.journal("bob"), journal.AcquireOptions{})
		if next.Epoch != 2 || next.Inherited != nil || next.SettleWait != 0 {
			t.Errorf("lease after a settled one: %+v", next)
		}
	})
}

// A free lease is claimed with the first record of its roll in the same write;
// one that is inherited keeps the record that it takes over.
func TestLease_first(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		asked := 0
		first := journal.AcquireOptions{First: func(l *journal.Lease) any {
			if asked++; l.Epoch != int64(asked) || (l.Last == nil) != (asked == 1) {
				t.Errorf("asked the %d. time for the first record of epoch %d, after %+v", asked, l.Epoch, l.Last)
			}
			return note{"begun"}
		}}
		for epoch := range 2 {
			r.world.ResetCalls()
			l := r.acquire(r.journal("alice"), first)
			if n := r.calls()[r.put]; n != 1 {
				t.Errorf("the claim of epoch %d took %d writes, want 1", epoch+1, n)
			}
			if e := r.peek(); step(t, e.Record) != "begun" || e.State != journal.Running || e.Epoch != int64(epoch+1) {
				t.Errorf("entry of a new roll: %+v", e)
			}
			end := l.Settle
			if epoch == 1 {
				end = l.Pause
			}
			if err := end(t.Context(), note{"left"}); err != nil {
				t.Fatal(err)
			}
		}
		l := r.acquire(r.journal("bob"), first)
		if e := r.peek(); asked != 2 || l.Inherited == nil || step(t, e.Record) != "left" {
			t.Errorf("asked %d times, inherited %+v, entry %+v; want an unfinished roll's record as it was", asked, l.Inherited, e)
		}
	})
}

// A first record that is too large is an error, and nothing is claimed.
func TestLease_firstTooLarge(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		j := r.journal("alice")
		_, err := j.Acquire(t.Context(), group, arn, journal.AcquireOptions{First: func(l *journal.Lease) any { return strings.Repeat("x", l.Room()) }})
		var large *journal.TooLargeError
		if !errors.As(err, &large) {
			t.Errorf("Acquire: %v, want that the record is too large", err)
		}
		if _, ok, err := j.Peek(t.Context(), arn); ok || err != nil {
			t.Errorf("an entry is there: %t, %v", ok, err)
		}
	})
}

func TestLease_closed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		l := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		if err := l.Settle(t.Context(), note{"done"}); err != nil {
			t.Fatal(err)
		}
		if err := l.Check(); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Check of a settled lease: %v", err)
		}
		if err := l.Write(t.Context(), note{}); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Write on a settled lease: %v", err)
		}
	})
}

// Calls are counted out: one look and one claim, one for each write on time.
func TestLease_calls(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		for range 2 { // the second roll finds the end of the first
			r.world.ResetCalls()
			l := r.acquire(r.journal("alice"), journal.AcquireOptions{})
			for range 8 {
				r.world.Advance(50 * time.Second)
				r.write(l, "working")
			}
			if err := l.Settle(t.Context(), note{"done"}); err != nil {
				t.Fatal(err)
			}
			if calls := r.calls(); calls[r.get] != 1 || calls[r.put] != 10 || total(calls) != 11 {
				t.Errorf("calls: %v", calls)
			}
		}
	})
}

func TestLease_pausedIsInheritedAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		if err := a.Pause(t.Context(), note{"two of four"}); err != nil {
			t.Fatal(err)
		}
		b := r.acquire(r.journal("bob"), journal.AcquireOptions{})
		if b.Inherited == nil || step(t, b.Inherited.Record) != "two of four" || b.Inherited.Owner.Name != "alice@host" || b.SettleWait != 0 {
			t.Fatalf("lease after a paused one: %+v", b)
		}
		// Bob dies before writing anything: what Alice left must not be lost.
		if got := step(t, r.peek().Record); got != "two of four" {
			t.Errorf("record in the first write: %q", got)
		}
	})
}

func TestLease_heldByALiveOwner(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		looks := 0
		var err error
		waited := r.took(func() {
			_, err = r.journal("bob").Acquire(t.Context(), group, arn, journal.AcquireOptions{
				Timeout: 10 * time.Minute,
				OnWait: func(held journal.Entry) {
					looks++
					if held.Owner.Name != "alice@host" {
						t.Errorf("OnWait got %+v", held)
					}
					if now := r.world.Clock().Now(); !now.Before(a.Due()) {
						r.write(a, "working")
					}
				},
			})
		})
		var held *journal.HeldError
		if !errors.As(err, &held) || waited != 10*time.Minute || looks < 40 {
			t.Fatalf("after %s and %d looks: %v", waited, looks, err)
		}
		contains(t, held.Error(), group, "alice@host", "process 4711", "since 2026-11-16 09:00:00 UTC", "waited 10m0s", "3m0s")
		if err := a.Check(); err != nil {
			t.Errorf("the owner was disturbed: %v", err)
		}
	})
}

func TestLease_freeAsSoonAsItIsSettled(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		looks := 0
		waited := r.took(func() {
			r.acquire(r.journal("bob"), journal.AcquireOptions{Timeout: time.Hour, OnWait: func(journal.Entry) {
				if looks++; looks == 3 {
					if err := a.Settle(t.Context(), note{"done"}); err != nil {
						t.Error(err)
					}
				}
			}})
		})
		if waited != 45*time.Second {
			t.Errorf("waited %s, want three polls", waited)
		}
	})
}

func TestLease_silentOwnerIsTakenOver(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		r.write(a, "launching i-1")
		var b *journal.Lease
		waited := r.took(func() {
			b = r.acquire(r.journal("bob"), journal.AcquireOptions{Timeout: 10 * time.Minute})
		})
		// TTL + grace (the last poll is as long as what is missing), and again
		// grace for calls in flight, which a store may use for another look.
		if all := waited + b.SettleWait; all < 4*time.Minute || all > 4*time.Minute+2*time.Second {
			t.Errorf("taken over after %s, to settle for %s", waited, b.SettleWait)
		}
		if b.Epoch != 2 || b.Inherited == nil || step(t, b.Inherited.Record) != "launching i-1" {
			t.Errorf("lease after a takeover: %+v", b)
		}
		var expired *journal.ExpiredError
		if err := a.Check(); !errors.As(err, &expired) {
			t.Errorf("Check of the frozen owner: %v", err)
		}
		err := a.Write(t.Context(), note{"late"})
		var lost *journal.LostError
		if !errors.As(err, &lost) || lost.By == nil || lost.By.Owner.Name != "bob@host" {
			t.Fatalf("Write of the frozen owner: %v", err)
		}
		contains(t, err.Error(), group, "taken over by bob@host", "epoch 2")
		if err := a.Check(); !errors.As(err, &lost) {
			t.Errorf("Check after the loss: %v", err)
		}
		r.write(b, "going on")
		if e := r.peek(); e.Epoch != 2 || step(t, e.Record) != "going on" {
			t.Errorf("newest entry: %+v", e)
		}
	})
}

func TestLease_frozenOwnerComesBackInTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		r.world.Advance(119 * time.Second)
		if err := a.Check(); err != nil {
			t.Fatalf("Check one second before the deadline: %v", err)
		}
		r.world.Advance(time.Second)
		var expired *journal.ExpiredError
		if err := a.Check(); !errors.As(err, &expired) || expired.Age != 2*time.Minute {
			t.Fatalf("Check at the deadline: %v", err)
		}
		r.world.Advance(time.Hour)
		r.write(a, "back")
		if err := a.Check(); err != nil {
			t.Errorf("Check after coming back: %v", err)
		}
		r.world.Advance(13 * time.Hour)
		var lost *journal.LostError
		if err := a.Write(t.Context(), note{}); !errors.As(err, &lost) {
			t.Errorf("Write after half a day of silence: %v", err)
		}
	})
}

// The owner wakes up exactly between the taker's last look and its claim.
func TestLease_ownerWakesDuringTheTakeover(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		r.write(a, "before the freeze")
		var lost *journal.LostError
		r.world.BeforeCall(r.put, 1, func() {
			r.write(a, "woke up") // nobody has claimed anything yet
			if err := a.Check(); err != nil {
				t.Errorf("Check of the owner that woke up: %v", err)
			}
			r.world.BeforeCall(r.put, 2, func() {
				// The taker's first write, half a minute later.
				if err := a.Write(t.Context(), note{"going on"}); r.name == "ssm" && !errors.As(err, &lost) {
					t.Errorf("the owner did not notice the claim: %v", err)
				}
			})
		})
		var b *journal.Lease
		waited := r.took(func() {
			b = r.acquire(r.journal("bob"), journal.AcquireOptions{Timeout: time.Hour})
		})
		if waited < 6*time.Minute {
			t.Errorf("taken over after %s, while the owner could still act", waited)
		}
		if a.Check() == nil || b.Check() != nil {
			t.Errorf("Check: alice %v, bob %v", a.Check(), b.Check())
		}
		if got := step(t, b.Inherited.Record); got == "before the freeze" {
			t.Errorf("inherited an old record: %q", got)
		}
	})
}

func TestLease_manyAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		won, held := 0, 0
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := r.journal("someone").Acquire(t.Context(), group, arn, journal.AcquireOptions{})
				mu.Lock()
				defer mu.Unlock()
				var h *journal.HeldError
				switch {
				case err == nil:
					won++
				case errors.As(err, &h):
					held++
				default:
					t.Errorf("Acquire: %v", err)
				}
			})
		}
		all.Wait()
		if won != 1 || held != 19 {
			t.Errorf("%d won, %d found it held", won, held)
		}
	})
}

func TestLease_sizes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		room := a.Room()
		if r.name == "ssm" && (room < 3000 || room > 4096-400) {
			t.Errorf("room for a record: %d bytes", room)
		}
		r.world.ResetCalls()
		overhead := len(`{"step":""}`)
		var large *journal.TooLargeError
		if err := a.Write(t.Context(), note{strings.Repeat("x", room-overhead+1)}); !errors.As(err, &large) || large.Size != room+1 || large.Room != room {
			t.Fatalf("Write of a byte too much: %v", err)
		}
		if total(r.calls()) != 0 {
			t.Errorf("something was sent: %v", r.calls())
		}
		if err := a.Check(); err != nil {
			t.Errorf("a refused record ended the lease: %v", err)
		}
		// An escape counts as what it takes up, and two braces are no problem.
		r.write(a, strings.Repeat("x", room-overhead-9)+"<{{")
		if err := a.Pause(t.Context(), note{strings.Repeat("x", room-overhead)}); err != nil {
			t.Fatalf("Pause with a full record: %v", err)
		}
		// Whatever one owner wrote, one with the longest name can inherit.
		long := journal.New(r.store, journal.Options{Owner: journal.Owner{
			Name: strings.Repeat("n", 64), PID: 1 << 22, ProcessStart: strings.Repeat("9", 20),
			MachineID: strings.Repeat("f", 16), BootID: strings.Repeat("e", 16),
		}})
		b := r.acquire(long, journal.AcquireOptions{})
		if len(step(t, b.Inherited.Record)) != room-overhead {
			t.Errorf("inherited %d bytes", len(b.Inherited.Record))
		}
	})
}

func TestLease_writesOneAtATime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := a.Write(t.Context(), note{"x"}); err != nil {
					t.Errorf("Write: %v", err)
				}
				_, _ = a.Check(), a.Due()
			})
		}
		all.Wait()
		if e := r.peek(); e.Seq != 6 {
			t.Errorf("entry after five writes: %+v", e)
		}
	})
}

func TestLease_cancelled(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		a := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := r.journal("bob").Acquire(ctx, group, arn, journal.AcquireOptions{
			Timeout: time.Hour, OnWait: func(journal.Entry) { cancel() },
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire that was cancelled: %v", err)
		}
		if err := a.Write(ctx, note{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Write on a dead context: %v", err)
		}
		if err := a.Pause(t.Context(), note{"in order"}); err != nil {
			t.Errorf("Pause after a cancelled write: %v", err)
		}
	})
}

func TestForget(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, r *rig) {
		j := r.journal("alice")
		a := r.acquire(j, journal.AcquireOptions{})
		if err := j.Forget(t.Context(), arn); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := j.Peek(t.Context(), arn); ok || err != nil {
			t.Errorf("Peek afterwards: %v, %v", ok, err)
		}
		if err := j.Forget(t.Context(), arn); err != nil {
			t.Errorf("Forget of nothing: %v", err)
		}
		var lost *journal.LostError
		if err := a.Write(t.Context(), note{}); r.name == "s3" && !errors.As(err, &lost) {
			t.Errorf("Write of an owner whose entry is gone: %v", err)
		}
	})
}

func TestSSM_oldEpochsArePruned(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	r := newRig(t, "ssm", w)
	for range 15 {
		l := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		if err := l.Settle(t.Context(), note{"done"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.calls()["ssm:DeleteParameters"]; n != 0 {
		t.Errorf("pruned within the day: %d calls", n)
	}
	w.Advance(25 * time.Hour)
	for _, want := range []int64{16, 17, 18} {
		w.ResetCalls()
		l := r.acquire(r.journal("alice"), journal.AcquireOptions{})
		if l.Epoch != want {
			t.Fatalf("epoch %d, want %d", l.Epoch, want)
		}
		if err := l.Settle(t.Context(), note{"done"}); err != nil {
			t.Fatal(err)
		}
		if n := r.calls()["ssm:DeleteParameters"]; n > 1 {
			t.Errorf("%d calls to prune", n)
		}
	}
	w.ResetCalls()
	if e := r.peek(); e.Epoch != 18 || total(r.calls()) != 1 {
		t.Errorf("newest epoch %d, found with %v", e.Epoch, r.calls())
	}
}
