package awssim

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// Members of groups and load balancers answer plain HTTP. In process,
// [World.RoundTripper] reaches them by their addresses and names. Over the wire
// the endpoint is an HTTP proxy for them, and for nothing else.

// proxied says whether a request came to the endpoint as to a proxy. One for
// the endpoint itself, or with AWS's signature, did not: some clients send
// everything through their proxy.
func proxied(r *http.Request) bool {
	local, served := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !served || r.URL.Host == "" && r.Method != http.MethodConnect {
		return false
	}
	_, _, service := credentialScope(r)
	return service == "" && r.URL.Host != local.String()
}

// isControl says whether a request is for the control path.
func isControl(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, controlPrefix) && !proxied(r)
}

// serveProxy answers what came as to a proxy. Nothing is ever sent on.
func (w *World) serveProxy(rw http.ResponseWriter, r *http.Request) {
	w.lock()
	res, err := rawResponse{}, error(nil)
	switch {
	case r.Method == http.MethodConnect || r.URL.Scheme != "http":
		err = errors.New("members and load balancers of the simulator speak plain HTTP only")
	case !w.isSimulatedHost(r.URL.Hostname()):
		err = errors.New("not a host of the simulated world, and the simulator sends nothing to the real network")
	default:
		res, err = w.visit(r.URL)
	}
	w.mu.Unlock()
	if err != nil {
		http.Error(rw, fmt.Sprintf("simulator: %s: %v", r.URL.Host, err), http.StatusBadGateway)
		return
	}
	for k, v := range res.Header {
		rw.Header()[k] = v
	}
	rw.WriteHeader(res.Status)
	_, _ = rw.Write(res.Body) // a client that went away is not our concern
}

// visitInProcess answers a request that is for a simulated host, without a
// socket, with the errors that a connection would have failed with. The last
// result says whether it was one.
func (w *World) visitInProcess(r *http.Request) (rawResponse, error, bool) { //nolint:revive // the answer and its error belong together
	if _, _, service := credentialScope(r); service != "" {
		return rawResponse{}, nil, false
	}
	w.lock()
	defer w.mu.Unlock()
	host := r.URL.Hostname()
	if !w.isSimulatedHost(host) {
		return rawResponse{}, nil, false
	}
	res, err := w.visit(r.URL)
	switch {
	case errors.Is(err, errRefused):
		err = &net.OpError{Op: "dial", Net: "tcp", Addr: hostAddr(r), Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	case errors.Is(err, errUnreachable):
		err = &net.OpError{Op: "dial", Net: "tcp", Addr: hostAddr(r), Err: os.ErrDeadlineExceeded}
	case errors.Is(err, errNoHost):
		err = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	case r.URL.Scheme != "http":
		err = errors.New("http: server gave HTTP response to HTTPS client")
	}
	return res, err, true
}

// hostAddr is the address that a request is for.
func hostAddr(r *http.Request) net.Addr {
	if r.URL.Port() == "" {
		return textAddr(net.JoinHostPort(r.URL.Hostname(), "80"))
	}
	return textAddr(r.URL.Host)
}

type textAddr string

// Network implements [net.Addr].
func (textAddr) Network() string { return "tcp" }

// String implements [net.Addr].
func (a textAddr) String() string { return string(a) }
