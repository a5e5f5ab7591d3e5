// Package probe asks what AWS cannot tell: each member of a group by an HTTP
// request, and the group as a whole by HTTP requests and Lambda functions.
//
// It owns the requests: their bounds in time, number and size, and what is said
// when there is no answer. It holds no rules: which answer is a good one, and
// what follows from a bad one, is internal/rollout's to say. It never logs a
// header's value or more of a URL than its host.
package probe

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// Groups is what looks at groups and changes them otherwise. internal/asg
// implements it.
type Groups interface {
	Resolve(ctx context.Context, group, version string) (rollout.Version, error)
	WithImage(ctx context.Context, source rollout.Version, imageID string) (rollout.Version, error)
	Observe(ctx context.Context, group string, look rollout.Look) (rollout.Snapshot, error)
	Do(ctx context.Context, group string, step rollout.Step) rollout.Result
}

// Options make a [Watcher].
type Options struct {
	// Transport makes the HTTP requests; nil: the network, by the proxy settings
	// of the environment.
	Transport http.RoundTripper
	// Lambda invokes functions; nil: checks by functions cannot be run.
	Lambda *lambda.Client
}

// Watcher looks at groups, and asks members and checks where a look wants it.
// Safe for concurrent use.
type Watcher struct {
	Groups
	o Options
}

// New returns a watcher of groups.
func New(groups Groups, o Options) *Watcher {
	if o.Transport == nil {
		o.Transport = network()
	}
	return &Watcher{Groups: groups, o: o}
}

// network is Go's own transport, which honours the environment's proxy
// settings, with a connection for each request: one that was opened before a
// member fell ill proves nothing.
func network() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.DisableKeepAlives = true
	return t
}

// How long all requests of one look may take together, so that the lease of
// the roll that waits for them does not run out, and how many are made at once.
const (
	probesFor = 30 * time.Second
	checksFor = 40 * time.Second
	atOnce    = 64
)

// Observe looks at a group as [Groups] does, then probes its members and runs
// its checks where the look asks for them. That no answer came is no error, but
// part of what is seen.
func (w *Watcher) Observe(ctx context.Context, group string, look rollout.Look) (rollout.Snapshot, error) {
	s, err := w.Groups.Observe(ctx, group, look)
	if err != nil {
		return s, err
	}
	if look.Probe != nil {
		w.members(ctx, *look.Probe, &s)
	}
	if look.Inquiry != nil {
		w.examine(ctx, *look.Inquiry, &s)
	}
	return s, nil
}

// members probes the members that it makes sense to ask.
func (w *Watcher) members(ctx context.Context, p rollout.Probe, s *rollout.Snapshot) {
	ctx, cancel := context.WithTimeout(ctx, probesFor)
	defer cancel()
	each(len(s.Members), func(i int) {
		m := &s.Members[i]
		if !m.Askable() || ctx.Err() != nil {
			return // not asked is not healthy
		}
		url, missing, ok := p.For(*m)
		if !ok {
			m.Probed, m.Probe = true, "it has no "+missing
			return
		}
		reply, failed := w.get(ctx, request{
			method: p.Method, url: url, headers: p.Headers, timeout: p.Timeout, most: mostOfMember, tries: 2, again: broken,
		})
		m.Probed = true
		if m.Probe = p.Expect.Judge(reply); failed != nil {
			m.Probe = failed.text
		}
	})
	s.ProbesSeen = true
}

// examine runs the checks of a group.
func (w *Watcher) examine(ctx context.Context, in rollout.Inquiry, s *rollout.Snapshot) {
	ctx, cancel := context.WithTimeout(ctx, checksFor)
	defer cancel()
	answers := make([]rollout.Answer, len(in.Checks))
	each(len(in.Checks), func(i int) {
		c := in.Checks[i]
		if c.Function != "" {
			answers[i] = w.invoke(ctx, c, payloadOf(in, c, s.Group))
			return
		}
		reply, failed := w.get(ctx, request{
			method: http.MethodGet, url: c.URL, headers: c.Headers, timeout: c.Timeout, most: mostOfCheck, tries: 3, again: passing,
		})
		if answers[i] = c.Judge(reply); failed != nil {
			answers[i] = rollout.Answer{Failed: failed.text, Unasked: failed.unasked}
		}
	})
	s.Asked, s.Answers = in.Moment, make(map[string]rollout.Answer, len(in.Checks))
	for i, c := range in.Checks {
		s.Answers[c.Name] = answers[i]
	}
}

// each does n things, some at once.
func each(n int, do func(i int)) {
	var wait sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i := range n {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			do(i)
		})
	}
	wait.Wait()
}
