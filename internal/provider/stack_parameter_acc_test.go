package provider_test

import (
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// TestAccStack_parameter takes the stack whose template names a parameter
// through its life. After a rollback it takes one apply: aws_launch_template
// wants its parameter back, and that leads to the image before.
func TestAccStack_parameter(t *testing.T) {
	t.Parallel()
	s := newStack(t, "parameter")
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("after the first apply", first)
	s.wantNoChanges("after the first apply")

	s.publish(second, 2, awssim.ImageBehaviour{})
	output := told(s.run([]int{0}, "apply", "-auto-approve", "-no-color"))
	for _, want := range []string{
		first + `" -> "` + second,
		`Warning: Groups follow the parameter "/golden/web/stable"`,
		"It is moved to " + second + ", and these groups launch what it holds: web (version 1).",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("the plan of the roll does not say %q:\n%s", want, output)
		}
	}
	s.runs("after a roll", second)
	s.wantNoChanges("after a roll")

	s.publish(third, 3, awssim.ImageBehaviour{NeverHealthy: true})
	if output = s.run([]int{1}, "apply", "-auto-approve"); !strings.Contains(output, "rolled back") {
		t.Errorf("the failed roll does not say that it was rolled back:\n%s", output)
	}
	s.runs("after a rollback", second)
	output = told(s.run([]int{0}, "apply", "-auto-approve", "-no-color"))
	if want := "Members run " + second + " already. Those that differ in nothing else stay."; !strings.Contains(output, want) {
		t.Errorf("the plan that takes the parameter back does not say %q:\n%s", want, output)
	}
	if strings.Contains(output, "+ stale ") {
		t.Errorf("the plan that takes the parameter back promises replacements, and none is due:\n%s", output)
	}
	s.runs("after the parameter was taken back", second)
	s.wantNoChanges("after the parameter was taken back")

	s.edit(`instance_type          = "t3.micro"`, `instance_type          = "t3.small"`)
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("after a template edit", second)
	s.types("after a template edit", "t3.small")
	s.wantNoChanges("after a template edit")

	s.run([]int{0}, "destroy", "-auto-approve")
}
