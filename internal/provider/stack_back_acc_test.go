package provider_test

import (
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// Where hashicorp/aws points the group at latest_version, only the newest version
// can have the image that a pin or a ban goes back to.
func TestAccStack_back(t *testing.T) {
	t.Parallel()
	s := newStack(t, "guarded")
	s.run([]int{0}, "apply", "-auto-approve")
	s.publish(second, 2, awssim.ImageBehaviour{})
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("after a roll", second)

	const open, pin = "  source = {", "  pin = { image_id = \"" + first + "\", reason = \"the driver\" }\n\n  source = {"
	s.edit(open, pin)
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("with the pin", first)
	s.wantNoChanges("with the pin")
	s.edit(pin, open)
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("without the pin", second)
	s.wantNoChanges("without the pin")

	s.world.PutParameter("/refit/"+image.BanPath(second), `{"image":"`+second+`","reason":"CVE"}`)
	s.world.Advance(time.Minute)
	s.run([]int{0}, "apply", "-auto-approve")
	s.runs("with the ban", first)
	s.wantNoChanges("with the ban")
}
