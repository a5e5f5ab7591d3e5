package roller_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// TestQuarantine_tidied: a roll that makes a quarantine removes those that ended
// long ago; every roll reads them all in one list, so there must not be ever more
// of them.
func TestQuarantine_tidied(t *testing.T) {
	t.Parallel()
	for _, inS3 := range []bool{false, true} {
		s := rolltest.New(t, rolltest.Shape{Members: 2, Image: "never_healthy = true", S3: inS3})
		now := s.World.Clock().Now()
		for data, q := range map[string]image.Quarantine{
			"past":    {Until: now.Add(-30 * time.Hour)},
			"ended":   {Until: now.Add(-time.Hour)},
			"active":  {Until: now.Add(time.Hour)},
			"cleared": {Until: now.Add(time.Hour), Cleared: true},
			"forever": {},
		} {
			q.Template, q.Data = "lt-1", data
			if err := s.Roller.Docs.Put(t.Context(), image.QuarantinePath(q.Template, data), q); err != nil {
				t.Fatal(err)
			}
		}
		q := rolltest.Request(100, 150)
		if _, err := s.Roll(t.Context(), q); err == nil {
			t.Fatalf("the roll of a broken image succeeded:\n%s", s.Story())
		}
		found, err := s.Roller.Docs.Pick(t.Context(), image.QuarantineRoot, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		target, err := s.Roller.Groups.Resolve(t.Context(), "web", "2")
		if err != nil {
			t.Fatal(err)
		}
		want := []string{image.QuarantinePath(target.TemplateID, target.Data)}
		for _, data := range []string{"active", "cleared", "ended", "forever"} {
			want = append(want, image.QuarantinePath("lt-1", data))
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
			t.Errorf("in S3 %t: left are %q, want %q", inS3, got, want)
		}
		if _, err := s.Roll(t.Context(), q); err == nil {
			t.Errorf("in S3 %t: it is rolled to again", inS3)
		}
	}
}
