package roller_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// cluster is a scenario with some groups of three on version 1 of a template.
func cluster(groups ...string) string {
	var b strings.Builder
	b.WriteString(`
image "golden-web-1" { created = "2026-01-01T00:00:00Z" }
image "golden-web-2" { created = "2026-02-01T00:00:00Z" }
template "web" {
  version { image = "golden-web-1" }
  version { image = "golden-web-2" }
}
`)
	for _, g := range groups {
		fmt.Fprintf(&b, "group %q {\n  template = \"web\"\n  version = \"1\"\n  min = 0\n  max = 6\n  desired = 3\n}\n", g)
	}
	return b.String()
}

// underLock is a roll of a group that shares a lock.
func underLock(group string, holders int) roller.Request {
	q := rolltest.Request(100, 134)
	q.Group, q.LockTimeout = group, time.Hour
	q.Lock = roller.Lock{Key: "etcd-main", MaxHolders: holders}
	return q
}

// rolled asserts that every member of a group runs version 2, and none more
// than wanted is there.
func rolled(t *testing.T, s *rolltest.Stage, group string) {
	t.Helper()
	g, _ := s.World.Group(group)
	if rolltest.On(g, 2) != 3 || g.Launched() != 3 || g.Desired != 3 || len(g.Suspended) > 0 {
		t.Errorf("group %s has %d of %d members on version 2, desired %d, suspended %v\n%s",
			group, rolltest.On(g, 2), g.Launched(), g.Desired, g.Suspended, s.Story())
	}
}

// holding takes the lock's only slot as another roller would, on the stage's
// store.
func holding(t *testing.T, s *rolltest.Stage, inS3 bool, o journal.Options) *journal.Lock {
	t.Helper()
	store := journal.NewSSM(ssm.NewFromConfig(s.World.Config()), s.World.Clock(), "/refit")
	if inS3 {
		store = journal.NewS3(s3.NewFromConfig(s.World.Config()), s.World.Clock(), "journal", "refit/")
	}
	o.Owner = journal.Owner{Name: "ann@laptop", PID: 12, MachineID: "laptop", BootID: "boot"}
	l, err := journal.New(store, o).Lock(t.Context(), journal.LockRequest{Key: "etcd-main", MaxHolders: 1, Group: "other", Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLock_together rolls three groups under one lock at the same time: those
// with surge at any instant are never more than the lock has holders, and as
// many as it has where that is possible.
func TestLock_together(t *testing.T) {
	t.Parallel()
	for _, holders := range []int{1, 2} {
		for _, inS3 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d in S3 %t", holders, inS3), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { together(t, holders, inS3) })
			})
		}
	}
}

func together(t *testing.T, holders int, inS3 bool) {
	groups := []string{"etcd-a", "etcd-b", "etcd-c"}
	s := rolltest.InBubble(t, cluster(groups...), inS3)
	defer s.World.Close()
	most := 0
	var mu sync.Mutex
	s.World.OnTick(func() {
		if !mu.TryLock() {
			return // looking lets time pass, which is a tick again
		}
		defer mu.Unlock()
		surging := 0
		for _, name := range groups {
			if g, _ := s.World.Group(name); g.Launched() > 3 {
				surging++
			}
		}
		if surging > holders && most <= holders {
			t.Errorf("after %s %d groups have surge, the lock has %d holders", s.Elapsed(), surging, holders)
		}
		most = max(most, surging)
	})
	var rolls sync.WaitGroup
	for i, group := range groups {
		r := s.NewRoller(group, i+1)
		rolls.Go(func() {
			if _, err := r.Roll(t.Context(), underLock(group, holders)); err != nil {
				t.Errorf("roll of %s: %v", group, err)
			}
		})
	}
	rolls.Wait()
	for _, group := range groups {
		rolled(t, s, group)
	}
	mu.Lock()
	defer mu.Unlock()
	if most != holders {
		t.Errorf("at most %d groups had surge at a time, want %d\n%s", most, holders, s.Story())
	}
	if n := strings.Count(s.Story(), "got the lock"); n != len(groups)-holders {
		t.Errorf("%d rolls waited for the lock, want %d\n%s", n, len(groups)-holders, s.Story())
	}
}

// A lock that is not to be had in time changes nothing, leaves no lease behind,
// and the error says who has it.
func TestLock_timeout(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, cluster("etcd-a"), false)
	held := holding(t, s, false, journal.Options{})
	q := underLock("etcd-a", 1)
	q.LockTimeout = 2 * time.Minute
	_, err := s.Roller.Roll(t.Context(), q)
	var e *roller.Error
	if !errors.As(err, &e) {
		t.Fatalf("roll = %v, want an *Error\n%s", err, s.Story())
	}
	for _, c := range []struct{ got, want string }{
		{e.Summary, `Unable to roll Auto Scaling group "etcd-a"`},
		{e.Happened, `The lock "etcd-main" is held by group other, rolled by ann@laptop (process 12) since `},
		{e.Happened, "; waited 2m0s."},
		{e.State, "Nothing was changed."},
		{e.Next, "refit-runner watch other"},
		{s.Story(), `waiting for the lock "etcd-main", held by group other, rolled by ann@laptop`},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("got %q, want it to contain %q", c.got, c.want)
		}
	}
	// The group's lease is free, and what it was held with is no roll.
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.Elapsed()
	if _, err := s.NewRoller("second", 2).Roll(t.Context(), q); err != nil {
		t.Fatalf("the next roll: %v\n%s", err, s.Story())
	}
	if took := s.Elapsed() - before; took > 10*time.Minute || strings.Contains(s.Story(), "continuing the roll") {
		t.Errorf("the next roll took %s\n%s", took, s.Story())
	}
	rolled(t, s, "etcd-a")
}

// Whoever waits can be interrupted, and has not begun.
func TestLock_interruptedWait(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, cluster("etcd-a"), false)
	_ = holding(t, s, false, journal.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	s.World.At(time.Minute, cancel)
	_, err := s.Roller.Roll(ctx, underLock("etcd-a", 1))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "Nothing was changed.") {
		t.Errorf("roll = %v, want that it was interrupted and changed nothing\n%s", err, s.Story())
	}
	if s.Elapsed() > 90*time.Second {
		t.Errorf("it took %s to notice\n%s", s.Elapsed(), s.Story())
	}
}

// A paused roll gives its lock back: the next group need not wait.
func TestLock_paused(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, cluster("etcd-a", "etcd-b"), false)
	ctx, cancel := context.WithCancel(t.Context())
	s.World.At(time.Minute, cancel)
	_, err := s.Roller.Roll(ctx, underLock("etcd-a", 1))
	_ = ended(t, s, err, rollout.Paused)
	for i, group := range []string{"etcd-b", "etcd-a"} { // the other one, then the rest
		if _, err := s.NewRoller("next", 2+i).Roll(t.Context(), underLock(group, 1)); err != nil {
			t.Fatalf("roll of %s: %v\n%s", group, err, s.Story())
		}
		rolled(t, s, group)
	}
	if strings.Contains(s.Story(), "waiting for the lock") {
		t.Errorf("somebody waited\n%s", s.Story())
	}
}

// A holder that died holds the lock until nothing was heard of it for long
// enough, and not longer.
func TestLock_killed(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, cluster("etcd-a", "etcd-b"), false)
	progress := s.Roller.Progress
	s.Roller.Progress = func(e roller.Event) {
		progress(e)
		if strings.Contains(e.Text, "launched") {
			runtime.Goexit() // it dies, and gives nothing back
		}
	}
	var dying sync.WaitGroup
	dying.Go(func() { _, _ = s.Roller.Roll(t.Context(), underLock("etcd-a", 1)) })
	dying.Wait()
	before := s.Elapsed()
	var got time.Duration
	next := s.NewRoller("second", 2)
	said := next.Progress
	next.Progress = func(e roller.Event) {
		said(e)
		if strings.HasPrefix(e.Text, "got the lock") {
			got = s.Elapsed() - before
		}
	}
	if _, err := next.Roll(t.Context(), underLock("etcd-b", 1)); err != nil {
		t.Fatalf("roll of etcd-b: %v\n%s", err, s.Story())
	}
	rolled(t, s, "etcd-b")
	if got < 3*time.Minute || got > 5*time.Minute {
		t.Errorf("the lock of a dead holder was free after %s\n%s", got, s.Story())
	}
}

// A roll whose lock was taken over comes to a safe point and says so.
func TestLock_lost(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, cluster("etcd-a"), true)
	r := s.NewRoller("first", 1)
	progress := r.Progress
	taken := false
	r.Progress = func(e roller.Event) {
		progress(e)
		if !taken && strings.Contains(e.Text, "launched") {
			// Nobody who plays by the rules can do this: it takes a lease that is
			// alive for one that has run out.
			taken = true
			_ = holding(t, s, true, journal.Options{TTL: time.Millisecond, Grace: time.Millisecond})
		}
	}
	_, err := r.Roll(t.Context(), underLock("etcd-a", 1))
	e := ended(t, s, err, rollout.Paused)
	if want := `the lock "etcd-main" was taken over: it is held by group other, rolled by ann@laptop`; !strings.Contains(e.Happened, want) {
		t.Errorf("happened %q, want it to contain %q", e.Happened, want)
	}
	if g, _ := s.World.Group("etcd-a"); len(g.Suspended) > 0 || rolltest.On(g, 2) > 1 {
		t.Errorf("the safe point left %+v\n%s", g, s.Story())
	}
}

// Problems with the lock are told before anything is looked at.
func TestLock_invalid(t *testing.T) {
	t.Parallel()
	s := rolltest.FromScenario(t, cluster("etcd-a"), false)
	s.World.ResetCalls()
	for field, lock := range map[string]roller.Lock{
		"lock.key": {Key: "etcd/main", MaxHolders: 1}, "lock.max_holders": {Key: "etcd-main", MaxHolders: 6},
	} {
		q := underLock("etcd-a", 1)
		q.Lock = lock
		_, err := s.Roller.Roll(t.Context(), q)
		var e *roller.Error
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%+v: roll = %v, want an error at %s", lock, err, field)
		}
	}
	if n := len(s.World.Calls()); n != 0 {
		t.Errorf("calls were made: %v", s.World.Calls())
	}
}
