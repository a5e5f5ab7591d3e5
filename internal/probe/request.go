package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// How much of an answer is read, in bytes.
const (
	mostOfMember = 64 << 10
	mostOfCheck  = 1 << 20
)

// request is one HTTP request and its bounds.
type request struct {
	method, url string
	headers     rollout.Headers
	timeout     time.Duration // of each try
	most        int64         // bytes of the answer to read
	tries       int
	again       retryablehttp.CheckRetry
}

// silence is why there is no answer.
type silence struct {
	text    string
	unasked bool // the request did not get as far as the host
}

// get makes a request and reads the answer.
func (w *Watcher) get(ctx context.Context, r request) (rollout.Reply, *silence) {
	req, err := retryablehttp.NewRequestWithContext(ctx, r.method, r.url, nil)
	if err != nil {
		return rollout.Reply{}, &silence{text: "the request cannot be made", unasked: true}
	}
	req.Header.Set("User-Agent", "refit")
	for name, value := range r.headers {
		req.Header.Set(name, value)
		if strings.EqualFold(name, "Host") {
			req.Host = value
		}
	}
	client := retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: w.o.Transport, Timeout: r.timeout, CheckRedirect: sameHost},
		RetryWaitMin: pause, RetryWaitMax: 4 * pause, RetryMax: r.tries - 1,
		CheckRetry: r.again, Backoff: retryablehttp.DefaultBackoff, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	if r.most == mostOfMember {
		client.RetryWaitMin, client.RetryWaitMax = 0, 0 // the next look asks again anyway
	}
	res, err := client.Do(req)
	if err != nil {
		return rollout.Reply{}, why(ctx, err, r.timeout)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, r.most+1))
	if err != nil {
		return rollout.Reply{}, why(ctx, err, r.timeout)
	}
	reply := rollout.Reply{Status: res.StatusCode, Body: body}
	if int64(len(body)) > r.most {
		reply.Body, reply.Cut = body[:r.most], true
	}
	return reply, nil
}

// pause is the shortest pause between two tries.
const pause = 250 * time.Millisecond

// sameHost follows redirects within a host only, three at most: an answer of
// somebody else proves nothing, and headers may hold secrets.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// broken tries a member again whose connection broke. One that does not answer
// in time, or answers something else, is asked at the next look.
func broken(ctx context.Context, _ *http.Response, err error) (bool, error) {
	return err != nil && ctx.Err() == nil && !timedOut(err), nil
}

// passing tries a check again that got no answer, or one that asks for it.
func passing(ctx context.Context, res *http.Response, err error) (bool, error) {
	again, _ := retryablehttp.DefaultRetryPolicy(ctx, res, err)
	return again && ctx.Err() == nil, nil
}

func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// why words that there is no answer, without the URL, whose query may hold
// secrets.
func why(ctx context.Context, err error, timeout time.Duration) *silence {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var name *net.DNSError
	var op *net.OpError
	switch {
	case ctx.Err() != nil:
		return &silence{text: "there was no time left to ask", unasked: true}
	case errors.As(err, &name):
		return &silence{text: fmt.Sprintf("the name %s cannot be resolved: %s", name.Name, name.Err), unasked: true}
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return &silence{text: "the proxy of the environment cannot be reached: " + op.Err.Error(), unasked: true}
	case timedOut(err):
		return &silence{text: "no answer within " + rollout.Brief(timeout)}
	}
	return &silence{text: "no answer: " + err.Error()}
}
