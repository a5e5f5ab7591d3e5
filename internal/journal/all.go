package journal

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
)

// Lister lists documents. [Documents] does.
type Lister interface {
	List(ctx context.Context, dir string) (map[string]json.RawMessage, error)
}

// All reads all documents below a directory that are of one kind, in the order
// of their paths. Errors: [*UnreadableError], and those of [Documents.List].
func All[T any](ctx context.Context, docs Lister, dir string) ([]T, error) {
	found, err := docs.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	return Decode[T](found)
}

// Decode gives documents of one kind in the order of their paths. Error:
// [*UnreadableError].
func Decode[T any](found map[string]json.RawMessage) ([]T, error) {
	list := make([]T, len(found))
	for n, where := range slices.Sorted(maps.Keys(found)) {
		if err := json.Unmarshal(found[where], &list[n]); err != nil {
			return nil, &UnreadableError{Where: "document " + where, Err: err}
		}
	}
	return list, nil
}
