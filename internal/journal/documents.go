package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Documents are small JSON documents beside the journals, by path, such as
// "quarantine/lt-0abc/5f3e". Writes are not conditional: the last one counts.
// It is safe for concurrent use.
//
// After a Delete, wait 30 seconds before a Put of the same path: Parameter
// Store does not promise less. Where something is cleared and set again, put a
// document that says "cleared" instead of deleting.
type Documents struct{ store *Store }

// NewDocuments returns the documents of a store.
func NewDocuments(store *Store) *Documents { return &Documents{store} }

// documentPath is what both stores take as a path: Parameter Store's letters,
// at most ten levels (it takes fifteen with the prefix).
var documentPath = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,9}$`)

// Put stores doc (anything that encodes to JSON) at path, over what is there.
// Errors: [*TooLargeError] before anything was sent, [*DeniedError], what the
// call gave.
func (d *Documents) Put(ctx context.Context, path string, doc any) error {
	if err := checkPath(path); err != nil {
		return err
	}
	body, err := encodeJSON(doc)
	if err != nil {
		return fmt.Errorf("encode document %s: %w", path, err)
	}
	if len(body) > d.store.max {
		return &TooLargeError{What: "document " + path, Size: len(body), Room: d.store.max, Store: d.store.name}
	}
	return d.store.docs.put(ctx, path, body)
}

// Get reads the document at path into doc, and reports whether there is one.
// Errors: [*UnreadableError], [*DeniedError], what the call gave.
func (d *Documents) Get(ctx context.Context, path string, doc any) (bool, error) {
	if err := checkPath(path); err != nil {
		return false, err
	}
	body, ok, err := d.store.docs.get(ctx, path)
	if err != nil || !ok {
		return false, err
	}
	if err := json.Unmarshal(body, doc); err != nil {
		return false, &UnreadableError{Where: "document " + path, Err: err}
	}
	return true, nil
}

// List reads all documents below a directory, by their full paths. In Parameter
// Store that is one call for ten documents, in S3 one for each and one for a
// thousand names. A document that is not JSON is among them as it is.
func (d *Documents) List(ctx context.Context, dir string) (map[string]json.RawMessage, error) {
	return d.Pick(ctx, dir, func(string) bool { return true })
}

// Pick is List of those documents whose paths are wanted. In S3 the others cost
// no call of their own.
func (d *Documents) Pick(ctx context.Context, dir string, want func(path string) bool) (map[string]json.RawMessage, error) {
	dir = strings.TrimSuffix(dir, "/")
	if err := checkPath(dir); err != nil {
		return nil, err
	}
	found, err := d.store.docs.list(ctx, dir, want)
	if err != nil {
		return nil, err
	}
	out := make(map[string]json.RawMessage, len(found))
	for path, body := range found {
		out[path] = body
	}
	return out, nil
}

// Delete removes the document at path; that there is none is no error. See
// [Documents] for what to do instead where the path is used again.
func (d *Documents) Delete(ctx context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	return d.store.docs.delete(ctx, path)
}

func checkPath(path string) error {
	if !documentPath.MatchString(path) || path == "rolls" || strings.HasPrefix(path, "rolls/") {
		return fmt.Errorf("document path %q: only letters, digits, '_', '.', '-' between single slashes, at most ten levels, not under rolls", path)
	}
	return nil
}
