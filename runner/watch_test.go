package runner_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
	"github.com/fleetrefit/terraform-provider-refit/runner"
)

// command runs refit-runner against the world of a stage.
func command(t *testing.T, s *rolltest.Stage, args ...string) (string, error) {
	t.Helper()
	// The commands go by the machine's clock. Time passes in the world too, or
	// Parameter Store would throttle for ever.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.World.Advance(time.Second)
		s.World.ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_REGION", "eu-west-2")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	cmd := runner.New()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// watch runs "refit-runner watch web --once" against the world of a stage.
func watch(t *testing.T, s *rolltest.Stage, args ...string) (string, error) {
	t.Helper()
	return command(t, s, append([]string{"watch", "--region", "eu-west-2", "--once"}, args...)...)
}

func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape rolltest.Shape
		roll  bool
		args  []string
		want  string
		fails string
	}{
		{name: "nothing yet", shape: rolltest.Shape{Members: 2}, args: []string{"web"}, want: "no roll of web is on record"},
		{name: "succeeded", shape: rolltest.Shape{Members: 2}, roll: true, args: []string{"web"}, want: "succeeded by first since 09:00:00: version 2, 2 of 2 members new, 2 healthy"},
		{name: "in S3", shape: rolltest.Shape{Members: 2, S3: true}, roll: true, args: []string{"web", "--journal-bucket", "journal", "--journal-prefix", "refit/"}, want: "succeeded by first"},
		{name: "rolled back", shape: rolltest.Shape{Members: 2, Image: "never_healthy = true"}, roll: true, args: []string{"web"}, want: "rolled_back by first since 09:00:00: back from version 2, 2 of 2 members on the version before, 2 healthy", fails: "ended rolled_back"},
		{name: "unknown group", shape: rolltest.Shape{Members: 2}, args: []string{"wob"}, fails: `there is no Auto Scaling group "wob"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := rolltest.New(t, c.shape)
			if c.roll {
				_, _ = s.Roller.Roll(t.Context(), rolltest.Request(100, 150)) // how it ends is what is watched
			}
			out, err := watch(t, s, c.args...)
			if !strings.Contains(out, c.want) {
				t.Errorf("printed %q, want it to contain %q", out, c.want)
			}
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error = %v, want %q", err, c.fails)
			}
		})
	}
}
