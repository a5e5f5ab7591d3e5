package probe_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/probe"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// still is a group that looks the same each time.
type still rollout.Snapshot

func (s still) WithImage(context.Context, rollout.Version, string) (rollout.Version, error) {
	return rollout.Version{}, nil
}

func (s still) Resolve(context.Context, string, string) (rollout.Version, error) {
	return rollout.Version{}, nil
}

func (s still) Observe(context.Context, string, rollout.Look) (rollout.Snapshot, error) {
	out := rollout.Snapshot(s)
	out.Members = append([]rollout.Member{}, s.Members...)
	return out, nil
}

func (s still) Do(context.Context, string, rollout.Step) rollout.Result { return rollout.Result{} }

// ask runs one check of a server.
func ask(t *testing.T, w *probe.Watcher, c rollout.Check) rollout.Answer {
	t.Helper()
	s, err := w.Observe(t.Context(), "web", rollout.Look{Inquiry: &rollout.Inquiry{Moment: rollout.Before, Checks: []rollout.Check{c}}})
	if err != nil || s.Asked != rollout.Before {
		t.Fatalf("Observe = %+v, %v", s, err)
	}
	return s.Answers[c.Name]
}

func check(url string) rollout.Check {
	c := rollout.DefaultCheck("x")
	c.URL = url
	return c
}

// serve is a server whose answers depend on how often it was asked before.
func serve(t *testing.T, answer func(n int64, rw http.ResponseWriter, r *http.Request)) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { answer(asked.Add(1), rw, r) }))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestCheck_triedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(n int64, rw http.ResponseWriter, r *http.Request)
		want   string
		times  int64
	}{
		{"once", func(int64, http.ResponseWriter, *http.Request) {}, "", 1},
		{"after two 503", func(n int64, rw http.ResponseWriter, _ *http.Request) {
			if n < 3 {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
		}, "", 3},
		{"three 503", func(_ int64, rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) }, "expected status 200-299, got 503", 3},
		{"404 is an answer", func(_ int64, rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNotFound) }, "expected status 200-299, got 404", 1},
		{"a broken connection", func(int64, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "no answer: EOF", 3},
		{"too late", func(_ int64, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within 200ms", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, asked := serve(t, c.answer)
			x := check(url + "/?key=secret")
			x.Timeout = 10 * time.Second
			if c.name == "too late" {
				x.Timeout = 200 * time.Millisecond
			}
			if got := ask(t, probe.New(still{}, probe.Options{}), x); got.Failed != c.want || got.Unasked || asked.Load() != c.times {
				t.Errorf("answer %+v after %d requests, want %q after %d", got, asked.Load(), c.want, c.times)
			}
		})
	}
}

// Redirects lead nowhere else, and headers with them.
func TestCheck_redirects(t *testing.T) {
	t.Parallel()
	other, strayed := serve(t, func(int64, http.ResponseWriter, *http.Request) {})
	for path, want := range map[string]string{
		"/same":  "",
		"/other": "expected status 200-299, got 302",
		"/loop":  "expected status 200-299, got 302",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			url, _ := serve(t, func(_ int64, rw http.ResponseWriter, r *http.Request) {
				to := map[string]string{"/same": "/end", "/other": other, "/loop": "/loop"}[r.URL.Path]
				if to != "" {
					http.Redirect(rw, r, to, http.StatusFound)
				}
			})
			if got := ask(t, probe.New(still{}, probe.Options{}), check(url+path)); got.Failed != want {
				t.Errorf("answer %+v, want %q", got, want)
			}
		})
	}
	t.Cleanup(func() {
		if n := strayed.Load(); n > 0 {
			t.Errorf("another host was asked %d times", n)
		}
	})
}

func TestCheck_bounds(t *testing.T) {
	t.Parallel()
	url, _ := serve(t, func(_ int64, rw http.ResponseWriter, r *http.Request) {
		if r.Host != "web.example.com" || r.Header.Get("X-Key") != "secret" {
			rw.WriteHeader(http.StatusForbidden)
		}
		_, _ = rw.Write([]byte(strings.Repeat("x", 2<<20)))
	})
	c := check(url)
	c.Headers = rollout.Headers{"X-Key": "secret", "host": "web.example.com"}
	if got := ask(t, probe.New(still{}, probe.Options{}), c); got.Failed != "" {
		t.Errorf("answer %+v, want it passed", got)
	}
	c.Number = &rollout.Number{Path: "/n"}
	if got := ask(t, probe.New(still{}, probe.Options{}), c); got.Failed != "the answer is longer than 1048576 bytes" {
		t.Errorf("answer %+v, want it too long", got)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// What fails before a request leaves says nothing about the image, and no error
// tells the URL.
func TestCheck_unasked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		want    string
		unasked bool
	}{
		"name":    {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "hub.example.com", Err: "no such host"}}, "the name hub.example.com cannot be resolved: no such host", true},
		"proxy":   {&net.OpError{Op: "proxyconnect", Err: errors.New("connection refused")}, "the proxy of the environment cannot be reached: connection refused", true},
		"refused": {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, "no answer: dial: connection refused", false},
		"wrapped": {&url.Error{Op: "Get", URL: "http://hub.example.com/?key=secret", Err: errors.New("broken")}, "no answer: broken", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := probe.New(still{}, probe.Options{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, c.err })})
			if got := ask(t, w, check("http://hub.example.com/?key=secret")); got.Failed != c.want || got.Unasked != c.unasked || strings.Contains(got.Failed, "secret") {
				t.Errorf("answer %+v, want %q, unasked %t", got, c.want, c.unasked)
			}
		})
	}
	f := rollout.DefaultCheck("f")
	f.Function = "smoke"
	if got := ask(t, probe.New(still{}, probe.Options{}), f); !got.Unasked || got.Failed != "functions cannot be invoked here" {
		t.Errorf("a function without a client: %+v", got)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	url, asked := serve(t, func(_ int64, rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path == "/i-2" {
			rw.WriteHeader(http.StatusTeapot)
		}
	})
	member := func(id string, state rollout.Lifecycle) rollout.Member {
		return rollout.Member{ID: id, State: state, Healthy: true}
	}
	group := still{Members: []rollout.Member{member("i-1", rollout.InService), member("i-2", rollout.InService), member("i-3", rollout.Pending), member("i-4", rollout.InService)}}
	group.Members[3].Healthy = false
	p := rollout.DefaultProbe(url + "/{instance_id}")
	p.Method = http.MethodPost
	w := probe.New(group, probe.Options{})
	s, err := w.Observe(t.Context(), "web", rollout.Look{Probe: &p})
	if err != nil || !s.ProbesSeen || asked.Load() != 2 {
		t.Fatalf("Observe = %+v, %v after %d requests, want two members asked", s, err, asked.Load())
	}
	for i, want := range []rollout.Member{{Probed: true}, {Probed: true, Probe: "expected status 200-299, got 418"}, {}, {}} {
		if got := s.Members[i]; got.Probed != want.Probed || got.Probe != want.Probe {
			t.Errorf("%s is probed %t with %q, want %t, %q", got.ID, got.Probed, got.Probe, want.Probed, want.Probe)
		}
	}
	p.URL = "http://{public_ip}/"
	if s, err = w.Observe(t.Context(), "web", rollout.Look{Probe: &p}); err != nil || s.Members[0].Probe != "it has no public_ip" {
		t.Errorf("without an address: %+v, %v", s.Members[0], err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err = w.Observe(ended, "web", rollout.Look{Probe: &p}); err != nil || s.Members[0].Probed {
		t.Errorf("when asked to stop: %+v, %v, want nobody asked", s.Members[0], err)
	}
	if s, err = w.Observe(t.Context(), "web", rollout.Look{}); err != nil || s.ProbesSeen || s.Asked != "" {
		t.Errorf("a look without probes: %+v, %v", s, err)
	}
}
