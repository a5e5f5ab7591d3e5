package runner_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/runner"
)

// startSim runs the sim command and gives what it prints and how it ended.
func startSim(ctx context.Context, args ...string) (lines *bufio.Scanner, ended <-chan error) {
	read, write := io.Pipe()
	done := make(chan error, 1)
	cmd := runner.New()
	cmd.SetArgs(append([]string{"sim"}, args...))
	cmd.SetOut(write)
	cmd.SetErr(io.Discard)
	go func() {
		done <- cmd.ExecuteContext(ctx)
		_ = write.Close() // the reader sees the end
	}()
	return bufio.NewScanner(read), done
}

func TestSimServesUntilItIsTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines, ended := startSim(ctx, "--speed", "0", "--scenario", "../examples/scenarios/web.hcl")
	if !lines.Scan() {
		t.Fatalf("printed nothing: %v", <-ended)
	}
	address, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok || !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Fatalf("first line %q, want listening on http://127.0.0.1:PORT", lines.Text())
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/_refit/groups", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct{ Name string }
	err = json.NewDecoder(res.Body).Decode(&groups)
	_ = res.Body.Close() // it was read
	if err != nil || len(groups) != 1 || groups[0].Name != "web" {
		t.Errorf("groups %+v, %v; want web", groups, err)
	}
	cancel() // what SIGTERM does
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestSimPrintsEvents(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lines, _ := startSim(ctx, "--speed", "0", "--events", "--scenario", "../examples/scenarios/web.hcl")
	lines.Scan()
	address := strings.TrimPrefix(lines.Text(), "listening on ")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/_refit/actions", strings.NewReader(`{"do": "set_desired", "group": "web", "value": 5}`))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if res, err := http.DefaultClient.Do(r); err == nil {
			_ = res.Body.Close() // only the event matters
		}
	}()
	if want := "09:00:00 web desired 4 → 5: a user request explicitly set group desired capacity"; !lines.Scan() || lines.Text() != want {
		t.Errorf("printed %q, want %q", lines.Text(), want)
	}
}

func TestSimRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"the world as listener":  {[]string{"--listen", "0.0.0.0:0"}, "not a loopback one"},
		"every interface":        {[]string{"--listen", ":0"}, "not a loopback one"},
		"no port":                {[]string{"--listen", "127.0.0.1"}, "missing port"},
		"negative speed":         {[]string{"--speed", "-1"}, "negative"},
		"a scenario not there":   {[]string{"--scenario", "nowhere.hcl"}, "nowhere.hcl"},
		"arguments":              {[]string{"now"}, "now"},
		"an address not its own": {[]string{"--listen", "192.0.2.1:0", "--key", "k"}, "listen on 192.0.2.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, ended := startSim(t.Context(), c.args...)
			if err := <-ended; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
