package roller_test

import (
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
)

func TestSentence(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                     "",
		" the group is gone":                   "The group is gone.",
		"gone. Look again.":                    "Gone. Look again.",
		"max_size is 3":                        "max_size is 3.",
		`engine = "managed" would suit better`: `engine = "managed" would suit better.`,
		"health.alarms names web":              "health.alarms names web.",
		"i-1 failed":                           "i-1 failed.",
		"this text was cut...":                 "This text was cut...",
	} {
		if got := roller.Sentence(in); got != want {
			t.Errorf("Sentence(%q) = %q, want %q", in, got, want)
		}
	}
}
