package rollout_test

import (
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"three of four failed", 20, "three of four failed"},
		{"three of four failed", 19, "three of four..."},
		{"three of four failed", 16, "three of four..."},
		{"three of four failed", 15, "three of..."},
		{"three of four, and more", 18, "three of four..."},
		{"it failed. It was ended", 14, "it failed..."},
		{"one line\nand another", 13, "one line..."},
		{"it failed already...", 18, "it failed..."},
		{"a " + strings.Repeat("x", 40), 20, "a " + strings.Repeat("x", 15) + "..."}, // the word is worth more than half of the room
		{strings.Repeat("ä", 20), 20, strings.Repeat("ä", 8) + "..."},
		{strings.Repeat("ä", 20), 4, "..."},
	} {
		if got := rollout.Clip(c.text, c.n); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}
