package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/tftest"
)

const (
	// mostCalls and mostMemory are what an answer of 10,000 images may cost: calls
	// of DescribeImages, and MB that the larger of the processes of terraform and of
	// the provider ever took.
	mostCalls  = 12
	mostMemory = 200
)

// TestAccTenThousandImages: a plan that has to choose of 10,000 images is bounded
// in calls and in memory, and so is one in which AWS filters them.
func TestAccTenThousandImages(t *testing.T) {
	t.Parallel()
	s := newProjectOn(t, scenario, provider)
	now := s.world.Clock().Now()
	for i := range 10_000 {
		s.world.AddImage(awssim.Image{
			ID: fmt.Sprintf("ami-%017x", i+0x1000), Name: fmt.Sprintf("crowd-%05d", i), Created: now.Add(time.Duration(i-20_000) * time.Minute),
			Description: strings.Repeat("d", 200), Tags: map[string]string{"Build": fmt.Sprint(i), "Commit": strings.Repeat("c", 40), "Team": "web"},
		})
	}
	asking := func(source string) string {
		return provider + fmt.Sprintf(`
data "refit_ami" "web" {
  source = { owners = ["self"], %s }
}
output "id" { value = data.refit_ami.web.image_id }`, source)
	}
	refresh := provider + fmt.Sprintf(`
resource "refit_ami_refresh" "web" {
  launch_template_id = %q
  source             = { owners = ["self"], name = "crowd-*" }
}`, s.template())
	newest := fmt.Sprintf("ami-%017x", 9_999+0x1000)
	for _, c := range []struct {
		name, config, command, want string
		looks                       int // how often it is asked
	}{
		{"of one, by AWS", asking(`tags = { Build = "1234" }`), "plan", fmt.Sprintf("ami-%017x", 1234+0x1000), 0},
		{"of all", asking(`name = "crowd-*"`), "plan", newest, 1},
		{"of all, by version", asking(`name = "crowd-*", sort = { by = "version", pattern = "([0-9]+)$" }`), "plan", newest, 1},
		// Terraform plans again when it applies.
		{"create", refresh, "apply", "1 added", 3},
		{"in use", refresh, "plan", "No changes", 1},
	} {
		s.write(c.config)
		s.world.ResetCalls()
		args := []string{c.command}
		if c.command == "apply" {
			args = append(args, "-auto-approve")
		}
		r := tftest.Run(t, s.dir, s.env, args...)
		words, memory := strings.Join(strings.Fields(strings.ReplaceAll(r.Output, "│", " ")), " "), r.Memory/1e6
		most := max(c.looks*mostCalls, 1)
		calls := s.world.Calls()["ec2:DescribeImages"]
		t.Logf("%s: %d calls, %d MB", c.name, calls, memory)
		if r.Code != 0 || !strings.Contains(words, c.want) || calls > most || memory == 0 || memory > mostMemory {
			t.Errorf("%s: got %d calls and %d MB, want at most %d and %d, and an output with %q:\n%s", c.name, calls, memory, most, mostMemory, c.want, words)
		}
	}
}
