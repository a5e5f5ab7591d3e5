package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// stacks is where the examples are that these tests apply as they stand.
const stacks = "../../examples/stacks"

// stack is one example stack, with the real hashicorp/aws beside Refit, on a
// world that runs many times as fast as the wall clock.
type stack struct{ *desk }

func newStack(t *testing.T, name string) *stack {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: runs terraform with hashicorp/aws for some minutes")
	}
	world := awssim.New(awssim.Options{Speed: 150})
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range world.Events(0) {
				t.Logf("%s %s %s", e.At.Format("15:04:05"), e.Group, e.Text)
			}
		}
	})
	world.AddImage(awssim.Image{ID: first, Name: "golden-web-1", Created: world.Clock().Now().Add(-48 * time.Hour)})
	s := &stack{newDesk(t, world, true)}
	files, err := filepath.Glob(filepath.Join(stacks, name, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("stack %s: got %d files, %v", name, len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f) //nolint:gosec // a file of this repository
		if err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Base(f), string(text))
	}
	s.configure("provider_override.tf")
	s.run([]int{0}, "init")
	return s
}

// runs fails the test unless every member runs an image and is healthy.
func (s *stack) runs(when, image string) {
	s.Helper()
	l := lab{T: s.T, world: s.world}
	g, images := l.group()
	if images[image] != 4 || len(images) != 1 || g.Desired != 4 || len(g.Suspended) != 0 {
		s.Fatalf("%s: got healthy members by image %v, desired %d, suspended %v; want 4 of %s", when, images, g.Desired, g.Suspended, image)
	}
}

// publish puts a newer image into the world.
func (s *stack) publish(id string, n int, b awssim.ImageBehaviour) {
	s.world.AddImage(awssim.Image{ID: id, Name: fmt.Sprintf("golden-web-%d", n)})
	s.world.SetImageBehaviour(id, b)
}

// edit changes the text of the stack.
func (s *stack) edit(from, to string) {
	s.Helper()
	file := filepath.Join(s.dir, "main.tf")
	text, err := os.ReadFile(file) //nolint:gosec // a file of this test
	if err != nil {
		s.Fatal(err)
	}
	edited := strings.Replace(string(text), from, to, 1)
	if edited == string(text) {
		s.Fatalf("the stack has no %q", from)
	}
	s.write("main.tf", edited)
}

// TestAccStack_life takes each supported stack through everything after which
// its next plan has to be empty.
func TestAccStack_life(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"recommended", "default-version", "guarded", "mixed", "latest"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, name)
			s.run([]int{0}, "apply", "-auto-approve")
			s.runs("after the first apply", first)
			s.wantNoChanges("after the first apply")

			s.publish(second, 2, awssim.ImageBehaviour{})
			output := s.run([]int{0}, "apply", "-auto-approve")
			if !strings.Contains(output, first+`" -> "`+second) {
				t.Errorf("the plan of the roll does not show the image from → to:\n%s", output)
			}
			s.runs("after a roll", second)
			s.wantNoChanges("after a roll")

			s.publish(third, 3, awssim.ImageBehaviour{NeverHealthy: true})
			output = s.run([]int{1}, "apply", "-auto-approve")
			if !strings.Contains(output, "rolled back") {
				t.Errorf("the failed roll does not say that it was rolled back:\n%s", output)
			}
			s.runs("after a rollback", second)
			s.wantNoChanges("after a rollback")

			s.edit(`instance_type          = "t3.micro"`, `instance_type          = "t3.small"`)
			s.run([]int{0}, "apply", "-auto-approve")
			if name == "latest" { // hashicorp/aws makes the version, which $Latest means by then; the roll is the next apply's
				s.run([]int{0}, "apply", "-auto-approve")
			}
			s.runs("after a template edit", second)
			if name != "mixed" { // its policy names the types
				s.types("after a template edit", "t3.small")
			}
			s.wantNoChanges("after a template edit")

			s.run([]int{0}, "destroy", "-auto-approve")
		})
	}
}

// types fails the test unless every member in service has an instance type.
func (s *stack) types(when, want string) {
	s.Helper()
	l := lab{T: s.T, world: s.world}
	g, _ := l.group()
	for _, m := range g.Members {
		if m.Lifecycle == "InService" && m.InstanceType != want {
			s.Fatalf("%s: got a member of type %s, want %s: %+v", when, m.InstanceType, want, m)
		}
	}
}
