package e2e_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestPermissions_runner records what the commands use, after a roll that failed.
func TestPermissions_runner(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "refit-runner")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/fleetrefit/terraform-provider-refit/runner/cmd/refit-runner").CombinedOutput(); err != nil {
		t.Fatalf("build refit-runner: %v\n%s", err, out)
	}
	for _, c := range []struct {
		shape              rolltest.Shape
		flags              []string
		watch, list, clear string
	}{
		{rolltest.Shape{}, nil, watchSSM, heldSSM, clearSSM},
		{rolltest.Shape{S3: true}, []string{"--journal-bucket", "journal", "--journal-prefix", "refit/"}, watchS3, heldS3, clearS3},
	} {
		c.shape.Members, c.shape.Image = 2, "never_healthy = true"
		s := rolltest.New(t, c.shape)
		if _, err := s.Roller.Roll(t.Context(), rolltest.Request(100, 150)); err == nil {
			t.Fatal("the broken image succeeded")
		}
		template := templateOf(t, s.World)
		server := httptest.NewServer(s.World)
		defer server.Close()
		for _, run := range []struct {
			row  string
			args []string
		}{
			{c.watch, []string{"watch", "web", "--once"}},
			{c.list, []string{"quarantine", "list"}},
			{c.clear, []string{"quarantine", "clear", template, "--all"}},
		} {
			s.World.ResetCalls()
			cmd := exec.CommandContext(t.Context(), program, append(append(run.args, "--region", "eu-west-2"), c.flags...)...)
			cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
			out, err := cmd.CombinedOutput()
			if err != nil && run.row != c.watch { // it tells how the roll ended
				t.Errorf("refit-runner %v: %v\n%s", run.args, err, out)
			}
			exactly(t, used(s.World), run.row)
		}
	}
}

// Settling needs no more than a roll does, wherever that was interrupted.
func TestPermissions_settle(t *testing.T) {
	t.Parallel()
	listed, most := table(t), actions{}
	for _, name := range []string{rollGroup, targetGroups, readSSM, writeSSM} {
		most.add(listed[name].uses)
	}
	for n := 0; n < 80; n += 8 {
		s := rolltest.New(t, rolltest.Shape{Members: 4})
		s.Crash(t.Context(), rolltest.Request(100, 150), n, true)
		s.Roller = s.NewRoller("second", 2)
		s.World.ResetCalls()
		if _, err := s.Roller.Settle(t.Context(), "web", 10*time.Minute); err != nil {
			t.Errorf("settle after call %d: %v", n, err)
		}
		if more := used(s.World).less(most); len(more) > 0 {
			t.Errorf("settling after call %d used %s, which the rows for rolling do not list", n, more)
		}
	}
}
