package image_test

import (
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

func TestPin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pin    image.Pin
		active bool
		why    string
	}{
		{image.Pin{}, false, "pinned to : "},
		{image.Pin{Image: "ami-1", Reason: "driver."}, true, "pinned to ami-1: driver"},
		{image.Pin{Image: "ami-1", Reason: "driver", Until: epoch.Add(time.Second)}, true, "pinned to ami-1 until 2026-11-16 09:00 UTC: driver"},
		{image.Pin{Image: "ami-1", Reason: "driver", Until: epoch}, false, "pinned to ami-1 until 2026-11-16 09:00 UTC: driver"},
	} {
		if got := c.pin.Active(epoch); got != c.active || c.pin.Why() != c.why {
			t.Errorf("%+v: got %v, %q; want %v, %q", c.pin, got, c.pin.Why(), c.active, c.why)
		}
	}
}
