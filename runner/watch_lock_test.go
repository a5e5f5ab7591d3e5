package runner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// A roll that waits for its lock is seen to wait, and for whom; one that gave
// up is not taken for one that failed.
func TestWatch_waitingForLock(t *testing.T) {
	s := rolltest.New(t, rolltest.Shape{Members: 2})
	other := s.NewRoller("ann@laptop", 12)
	if _, err := other.Journal.Lock(t.Context(), journal.LockRequest{Key: "etcd-main", MaxHolders: 1, Group: "db"}); err != nil {
		t.Fatal(err)
	}
	looked := false
	progress := s.Roller.Progress
	s.Roller.Progress = func(e roller.Event) {
		progress(e)
		if looked || !strings.HasPrefix(e.Text, "got the lock") {
			return
		}
		looked = true
		out, err := watch(t, s, "web")
		want := `not begun yet; waiting for the lock "etcd-main", held by group db, rolled by ann@laptop`
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("watch = %q, %v; want it to contain %q", out, err, want)
		}
	}
	q := rolltest.Request(100, 150)
	q.Lock = roller.Lock{Key: "etcd-main", MaxHolders: 1}
	q.LockTimeout = time.Minute
	if _, err := s.Roller.Roll(t.Context(), q); err == nil {
		t.Fatal("the roll got the lock within a minute")
	}
	if out, err := watch(t, s, "web"); err == nil || !strings.Contains(err.Error(), "it never began") {
		t.Errorf("after it gave up: watch = %q, %v", out, err)
	}
	q.LockTimeout = 10 * time.Minute
	if _, err := s.Roller.Roll(t.Context(), q); err != nil || !looked {
		t.Errorf("roll = %v, looked %t\n%s", err, looked, s.Story())
	}
}
