package ami

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// Order is a copy that should exist.
type Order struct {
	For      string // the launch template whose versions are to have it
	Original image.Image
	image.Copying
	InUse string // the copy that is in use already, if one is
	// CopyTags takes along the tags of the original, as far as they are the
	// account's own; Tags are given to the copy and its snapshots beside them.
	CopyTags bool
	Tags     map[string]string
	Timeout  time.Duration // bounds the wait; more than zero
	// Tell is told of each step of the wait; nil: nobody is.
	Tell func(Step)
}

// Step is how far a copy is.
type Step struct {
	Image    string // the copy's id
	Original string
	Percent  int           // of the least complete snapshot; -1: AWS does not say
	Waited   time.Duration // in this wait
	State    string        // AWS's word
}

// CopyError says that AWS gave up a copy.
type CopyError struct {
	Original, Region, Image string
	Why                     string   // as far as AWS tells
	Left                    []string // what could not be deleted of it, each with the reason
}

// Error implements error.
func (e *CopyError) Error() string {
	return fmt.Sprintf("AWS gave up the copy %s of image %s of %s: %s", e.Image, e.Original, e.Region, e.Why)
}

// CopyingError says that the wait for a copy ended before the copy did.
type CopyingError struct {
	Original, Region, Image string
	Step                    Step
	Err                     error // why the wait ended; nil: for the timeout
}

// Error implements error.
func (e *CopyingError) Error() string {
	state := "is still pending"
	if e.Step.Percent >= 0 {
		state = fmt.Sprintf("is at %d %%", e.Step.Percent)
	}
	text := fmt.Sprintf("the copy %s of image %s of %s %s after %s", e.Image, e.Original, e.Region, state, image.Span(e.Step.Waited))
	switch {
	case errors.Is(e.Err, context.Canceled):
		text += ": the apply was stopped"
	case e.Err != nil:
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives why the wait ended.
func (e *CopyingError) Unwrap() error { return e.Err }

// RefusedError says that AWS did not begin a copy.
type RefusedError struct {
	Original, Region string
	Err              error
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("copy image %s of %s: %v", e.Original, e.Region, e.Err)
}

// Unwrap gives the failed call's error.
func (e *RefusedError) Unwrap() error { return e.Err }

// UnsureError says that it is not known whether AWS began a copy.
type UnsureError struct {
	Original, Region string
	Err              error
}

// Error implements error.
func (e *UnsureError) Error() string {
	return fmt.Sprintf("copy image %s of %s: %v", e.Original, e.Region, e.Err)
}

// Unwrap gives the failed call's error.
func (e *UnsureError) Unwrap() error { return e.Err }

// attempt is the record of a copy that was asked for, kept in the documents
// before it is, so that whoever comes next asks with the same token.
type attempt struct {
	Wish  string    `json:"wish"` // hash of what was asked for
	Token string    `json:"token"`
	At    time.Time `json:"at"`
	Ended bool      `json:"ended,omitempty"`
	Last  lastCopy  `json:"last,omitzero"` // that succeeded
}

type lastCopy struct {
	SizeGiB int   `json:"gib"`
	Seconds int64 `json:"seconds"`
}

// tokenKept is how long a token of an attempt that is not known to have ended
// is used again. AWS remembers tokens for a day at least; by then, a copy that
// came of it is to be seen.
const tokenKept = 24 * time.Hour

func attemptPath(template string) string { return "copies/" + template }

// LastCopy is how long the last copy for a template took; the zero value: it is
// not known.
func (c *Client) LastCopy(ctx context.Context, template string) (image.Took, error) {
	var a attempt
	if _, err := c.docs.Get(ctx, attemptPath(template), &a); err != nil {
		return image.Took{}, fmt.Errorf("read how long the last copy for launch template %s took: %w", template, err)
	}
	return image.Took{SizeGiB: a.Last.SizeGiB, Time: time.Duration(a.Last.Seconds) * time.Second}, nil
}

// Copy gives a copy of an image that is available: one that is there, one that
// is being made already, or a new one. It waits until the copy is complete. It
// is safe to repeat: neither a lost answer nor an end in the middle makes a
// second copy. A copy that AWS gave up is deleted with its snapshots.
//
// Errors: [*CopyError], [*CopyingError], [*UnsureError], what the calls gave.
func (c *Client) Copy(ctx context.Context, o Order) (image.Image, error) {
	w := &wait{Client: c, Order: o, began: c.clock.Now()}
	found, err := w.begin(ctx)
	if err != nil || found.State == image.Available {
		return found, err
	}
	return w.until(ctx, found)
}

// wait is one wait for one copy.
type wait struct {
	*Client
	Order
	attempt attempt
	began   time.Time
}

// begin finds a copy or asks for one. It runs once at a time, so that two
// templates of one apply share a copy.
func (w *wait) begin(ctx context.Context) (image.Image, error) {
	w.copying.Lock()
	defer w.copying.Unlock()
	found, ok, err := w.CopyOf(ctx, w.Copying, w.Original, w.InUse)
	if err != nil || ok {
		return found, err
	}
	shared := fmt.Sprintf("%s/%s %t %s", w.Region, w.Original.ID, w.Encrypted, w.Key)
	if id := w.asked[shared]; id != "" { // a moment ago, and AWS does not list it yet
		return image.Image{ID: id, State: image.Pending}, nil
	}
	if err := w.intend(ctx); err != nil {
		return image.Image{}, err
	}
	id, err := w.ask(ctx)
	if err != nil {
		return image.Image{}, err
	}
	w.asked[shared] = id
	return image.Image{ID: id, State: image.Pending, Tags: map[string]string{image.TagCopy: w.attempt.Token}}, nil
}

// intend writes down the token before it is used, or takes up the one of an
// attempt of which nobody knows the end.
func (w *wait) intend(ctx context.Context) error {
	path := attemptPath(w.For)
	wish := token(append([]string{w.Region, w.Original.ID, fmt.Sprint(w.Encrypted), w.Key, fmt.Sprint(w.CopyTags)}, pairs(w.Tags)...)...)
	if _, err := w.docs.Get(ctx, path, &w.attempt); err != nil {
		return fmt.Errorf("read the last copy for launch template %s: %w", w.For, err)
	}
	now := w.clock.Now()
	if w.attempt.Wish == wish && !w.attempt.Ended && now.Sub(w.attempt.At) < tokenKept {
		return nil
	}
	w.attempt = attempt{Wish: wish, Token: token(w.For, wish, now.Format(time.RFC3339Nano)), At: now.UTC(), Last: w.attempt.Last}
	return w.note(ctx)
}

func (w *wait) note(ctx context.Context) error {
	if err := w.docs.Put(ctx, attemptPath(w.For), w.attempt); err != nil {
		return fmt.Errorf("record the copy for launch template %s: %w", w.For, err)
	}
	return nil
}

func pairs(tags map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, k, tags[k])
	}
	return out
}

// longestName is how long the name of an image may be.
const longestName = 128

// ask asks AWS for the copy, under the original's name if it is free, else with
// a part of the token behind it.
func (w *wait) ask(ctx context.Context) (string, error) {
	tags := tagList(w.Copying.Tags(w.Original, w.For, w.attempt.Token, w.Tags))
	in := &ec2.CopyImageInput{
		SourceImageId: aws.String(w.Original.ID), SourceRegion: aws.String(w.Region), CopyImageTags: aws.Bool(w.CopyTags),
		Description: aws.String(fmt.Sprintf("Copy of %s of %s", w.Original.ID, w.Region)),
		TagSpecifications: []types.TagSpecification{
			{ResourceType: types.ResourceTypeImage, Tags: tags}, {ResourceType: types.ResourceTypeSnapshot, Tags: tags},
		},
	}
	if w.Encrypted {
		in.Encrypted = aws.Bool(true)
	}
	if w.Key != "" {
		in.KmsKeyId = aws.String(w.Key)
	}
	suffix := "-" + w.attempt.Token[:8]
	names := []string{w.Original.Name, w.Original.Name[:min(len(w.Original.Name), longestName-len(suffix))] + suffix}
	for n, name := range names {
		in.Name, in.ClientToken = aws.String(name), aws.String(token(w.attempt.Token, name))
		out, err := w.copies.CopyImage(ctx, in)
		switch {
		case err == nil:
			return aws.ToString(out.ImageId), nil
		case code(err) == "InvalidAMIName.Duplicate" && n == 0:
		case code(err) == "":
			return "", &UnsureError{Original: w.Original.ID, Region: w.Region, Err: err}
		default:
			return "", &RefusedError{Original: w.Original.ID, Region: w.Region, Err: err}
		}
	}
	return "", nil // the last round returns
}

func tagList(tags map[string]string) []types.Tag {
	var out []types.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return out
}

const (
	copyPoll = 15 * time.Second
	// appears is how long a copy that was asked for need not be listed.
	appears = 5 * time.Minute
	// notListed stands for the state of an image that AWS does not list.
	notListed = "not listed"
)

// until waits for a copy.
func (w *wait) until(ctx context.Context, i image.Image) (image.Image, error) {
	asked := i.Tags[image.TagCopy]
	for {
		now, err := w.look(ctx, i.ID)
		step := Step{Image: i.ID, Original: w.Original.ID, Percent: -1, State: now.State, Waited: w.clock.Now().Sub(w.began)}
		stopped := func(err error) error {
			return &CopyingError{Original: w.Original.ID, Region: w.Region, Image: i.ID, Step: step, Err: err}
		}
		if err != nil {
			return i, stopped(err)
		}
		switch {
		case now.State == image.Available:
			w.tell(step)
			return now, w.succeeded(ctx, now)
		case now.State == notListed && step.Waited < appears:
		case now.State != image.Pending:
			return i, w.failed(ctx, now)
		default:
			step.Percent = w.percent(ctx, cmp.Or(now.Tags[image.TagCopy], asked))
		}
		w.tell(step)
		if step.Waited >= w.Timeout {
			return i, stopped(nil)
		}
		if err := w.clock.Sleep(ctx, min(copyPoll, w.Timeout-step.Waited)); err != nil {
			return i, stopped(err)
		}
	}
}

func (w *wait) tell(s Step) {
	if w.Tell != nil {
		w.Tell(s)
	}
}

// look reads the copy as it is now.
func (w *wait) look(ctx context.Context, id string) (image.Image, error) {
	found, err := w.own(ctx, map[string][]string{"image-id": {id}})
	if err != nil || len(found) == 0 {
		return image.Image{ID: id, State: notListed}, err
	}
	return found[0], nil
}

// succeeded notes that the attempt came to its end, and how long it took.
func (w *wait) succeeded(ctx context.Context, i image.Image) error {
	if _, err := w.docs.Get(ctx, attemptPath(w.For), &w.attempt); err != nil {
		return fmt.Errorf("read the last copy for launch template %s: %w", w.For, err)
	}
	if w.attempt.Token != i.Tags[image.TagCopy] {
		return nil // it was made for another template, or by somebody else
	}
	took := w.clock.Now().Sub(i.CreatedAt)
	w.attempt.Ended, w.attempt.Last = true, lastCopy{SizeGiB: w.Original.SizeGiB, Seconds: int64(took / time.Second)}
	return w.note(ctx)
}

// failed ends an attempt and deletes what is left of it. The end goes on record
// first: otherwise AWS would answer the next attempt with the image that failed.
func (w *wait) failed(ctx context.Context, i image.Image) error {
	ctx = context.WithoutCancel(ctx)
	w.copying.Lock()
	maps.DeleteFunc(w.asked, func(_, id string) bool { return id == i.ID })
	w.copying.Unlock()
	e := &CopyError{Original: w.Original.ID, Region: w.Region, Image: i.ID, Why: fmt.Sprintf("it is %q", i.State)}
	if i.State == notListed {
		e.Why = "it is not there any more; a key that cannot be used is the usual reason"
	}
	if i.Reason != "" {
		e.Why = i.Reason
	}
	var a attempt
	if _, err := w.docs.Get(ctx, attemptPath(w.For), &a); err != nil {
		return errors.Join(e, err)
	}
	made := cmp.Or(i.Tags[image.TagCopy], w.attempt.Token)
	if a.Token == made {
		a.Ended = true
		w.attempt = a
		if err := w.note(ctx); err != nil {
			return errors.Join(e, err)
		}
	}
	if made == "" {
		return e // somebody else's
	}
	for _, s := range w.snapshotsOf(ctx, made) {
		if why := aws.ToString(s.StateMessage); why != "" {
			e.Why += ": " + why
			break
		}
	}
	e.Left = w.Discard(ctx, i, made)
	return e
}
