package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

const probed = provider + `
resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = "2"
  max_healthy_percentage  = 150
  instance_timeout        = "4m"
  health = {
    probe = {
      url        = "http://{private_ip}:8080/healthz?key=5ecret"
      headers_wo = { Authorization = "Bearer 5ecret" }
    }
  }
}
`

// TestAccProbe_throughProxy probes members through the proxy that the
// environment names, with the real binaries: an image that does not answer as
// expected is rolled back, one that does is rolled out, and no log tells a
// secret.
func TestAccProbe_throughProxy(t *testing.T) {
	t.Parallel()
	s := newProject(t, probed)
	log := filepath.Join(t.TempDir(), "terraform.log")
	s.env = append(s.env, "HTTP_PROXY="+s.url, "http_proxy="+s.url, "NO_PROXY=", "no_proxy=", "TF_LOG_PROVIDER=TRACE", "TF_LOG_PATH="+log)
	newer := ""
	for _, i := range s.world.Images() {
		if i.Name == "golden-web-2" {
			newer = i.ID
		}
	}
	s.world.SetImageBehaviour(newer, awssim.ImageBehaviour{HTTP: []awssim.HTTPAnswer{{Path: "/healthz", Status: http.StatusTeapot}}})
	r := tftest.Run(t, s.dir, s.env, "apply", "-auto-approve", "-no-color")
	if said := strings.Join(strings.Fields(strings.ReplaceAll(r.Output, "│", "")), " "); r.Code == 0 || !strings.Contains(said, "does not pass its probe: expected status 200-299, got 418") {
		t.Fatalf("apply with a broken image: code %d\n%s", r.Code, r.Output)
	}
	s.world.SetImageBehaviour(newer, awssim.ImageBehaviour{})
	s.write(strings.Replace(probed, "instance_timeout ", "retry = \"repaired\"\n  instance_timeout ", 1))
	if r = tftest.Run(t, s.dir, s.env, "apply", "-auto-approve", "-no-color"); r.Code != 0 {
		t.Fatalf("apply with the repaired image: code %d\n%s", r.Code, r.Output)
	}
	text, err := os.ReadFile(log) //nolint:gosec // the test named it
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "5ecret") {
			t.Fatalf("the log tells a secret: %s", line)
		}
	}
	state, err := os.ReadFile(filepath.Join(s.dir, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(state), "Bearer 5ecret") {
		t.Errorf("the state tells a secret header:\n%s", state)
	}
}
