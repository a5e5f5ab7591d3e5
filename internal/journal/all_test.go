package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// shelf lists the same documents of any directory.
type shelf map[string]json.RawMessage

// List implements journal.Lister.
func (s shelf) List(context.Context, string) (map[string]json.RawMessage, error) { return s, nil }

func TestAll(t *testing.T) {
	t.Parallel()
	type book struct{ Title string }
	got, err := journal.All[book](t.Context(), shelf{"b/2": []byte(`{"Title":"two"}`), "b/1": []byte(`{"Title":"one"}`)}, "b")
	if want := []book{{"one"}, {"two"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	var unreadable *journal.UnreadableError
	if _, err = journal.All[book](t.Context(), shelf{"b/1": []byte(`torn`)}, "b"); !errors.As(err, &unreadable) {
		t.Errorf("got %v, want an error that names the document", err)
	}
}
