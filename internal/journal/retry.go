package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// The SDK's own retries are off everywhere: they would send a write again
// without knowing whether it landed, and wait on a clock of their own.
const (
	attempts    = 6                      // at most, waiting 0.5, 1, 2, 4 and 8 s between them
	firstWait   = 500 * time.Millisecond // Parameter Store takes three writes a second from everybody
	callTimeout = 20 * time.Second       // of one attempt
)

// caller makes calls with one attempt each and repeats those that are safe to
// repeat.
type caller struct{ clock clock.Clock }

// outcome is what an error says about the effect of a call.
type outcome int

const (
	refused   outcome = iota // it did not happen, and would not if sent again
	throttled                // it did not happen; later it may
	unclear                  // it may have happened
)

// judge classifies an error of a call. AWS errors are told by code, as their
// texts change; what is no answer of AWS at all is unclear.
func judge(err error) outcome {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return unclear
	}
	switch api.ErrorCode() {
	case "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException",
		"RequestLimitExceeded", "RequestThrottled", "SlowDown",
		"TooManyUpdates",             // SSM: somebody else writes this name right now
		"ConditionalRequestConflict": // S3: likewise
		return throttled
	}
	var res *smithyhttp.ResponseError
	if errors.As(err, &res) && res.HTTPStatusCode() >= http.StatusInternalServerError {
		return unclear
	}
	return refused
}

// Passing says whether an error of a journal may be gone when it is tried again:
// throttling, a server error, or no answer.
func Passing(err error) bool { return judge(err) != refused }

// is reports whether AWS answered with one of the codes.
func is(err error, codes ...string) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, c := range codes {
		if api.ErrorCode() == c {
			return true
		}
	}
	return false
}

// explain says which call on what failed. A refusal for lack of permission
// becomes a [*DeniedError].
func explain(action, resource string, err error) error {
	if err == nil || errors.Is(err, errTaken) {
		return err
	}
	if is(err, "AccessDeniedException", "AccessDenied", "UnauthorizedOperation") {
		return &DeniedError{Action: action, Resource: resource, Err: err}
	}
	return fmt.Errorf("%s on %s: %w", action, resource, err)
}

// repeat makes a call that does no harm when made twice, until it succeeds or
// is refused.
func (c caller) repeat(ctx context.Context, name string, call func(ctx context.Context) error) error {
	var err error
	for i := range attempts {
		if err = once(ctx, call); err == nil || judge(err) == refused || ctx.Err() != nil {
			return err
		}
		if i < attempts-1 && c.wait(ctx, name, i) != nil {
			return err
		}
	}
	return err
}

// unsettledError is a write of which nobody knows whether it landed.
type unsettledError struct{ err error }

func (e *unsettledError) Error() string {
	return "no telling whether the write landed: " + e.err.Error()
}
func (e *unsettledError) Unwrap() error { return e.err }

// swap makes a write that must not be repeated blindly. put sends it; look
// reads whether it landed. Both return errTaken when another owner is seen.
func (c caller) swap(
	ctx context.Context, name string,
	put func(ctx context.Context) (mark, error), look func(ctx context.Context) (mark, bool, error),
) (mark, error) {
	doubt := false // an answer was lost: what is stored, or will be in a moment, may be ours
	var err error
	for i := range attempts {
		var m mark
		err = once(ctx, func(ctx context.Context) (err error) { m, err = put(ctx); return err })
		if err == nil {
			return m, nil
		}
		if !errors.Is(err, errTaken) {
			switch judge(err) {
			case refused:
				return mark{}, err
			case unclear:
				doubt = true
			case throttled:
			}
		}
		if doubt {
			// Also when told that it is taken: maybe by our own late write.
			m, landed, seen := look(ctx)
			switch {
			case landed || errors.Is(seen, errTaken):
				return m, seen
			case seen != nil:
				err = errors.Join(err, seen)
			}
			// Else it did not happen, and may be sent again.
		} else if errors.Is(err, errTaken) {
			return mark{}, err
		}
		if i == attempts-1 || c.wait(ctx, name, i) != nil {
			if doubt {
				err = &unsettledError{err}
			}
			break
		}
	}
	return mark{}, err
}

// once makes one attempt within its time.
func once(ctx context.Context, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return call(ctx)
}

// wait pauses after attempt i (from 0): half a second, doubling, plus up to as
// much again that depends on the name, so that rolls that were throttled
// together do not come back together.
func (c caller) wait(ctx context.Context, name string, i int) error {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash does not fail
	base := firstWait << i
	share := float64(h.Sum32()>>i&0xffff) / 0x10000
	return c.clock.Sleep(ctx, base+time.Duration(share*float64(base)))
}
