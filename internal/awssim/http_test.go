package awssim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// oldImage and newImage are the lines of webText that tests change.
const (
	oldImage = `image "old" { created = "2026-10-05T04:00:00Z" }`
	newImage = `image "new" { created = "2026-11-02T04:00:00Z" }`
)

// get is "status body" of a request, or its error.
func get(t *testing.T, c *http.Client, address string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(strings.Split(res.Status, " ")[0] + " " + string(body)), nil
}

func (f *fleet) expectGet(when string, c *http.Client, address, want string) {
	f.Helper()
	got, err := get(f.T, c, address)
	if err != nil || got != want {
		f.Errorf("%s: GET %s: got %q, %v; want %q", when, address, got, err, want)
	}
}

// balancer is the name of the only load balancer.
func (f *fleet) balancer() string {
	f.Helper()
	out, err := elb.NewFromConfig(f.Config()).DescribeLoadBalancers(f.Context(), &elb.DescribeLoadBalancersInput{})
	f.do(err)
	return *out.LoadBalancers[0].DNSName
}

func TestMemberAnswersWhenItsImageHasBooted(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", oldImage, `image "old" {
  created = "2026-10-05T04:00:00Z"
  boot_factor = 2
  http "/health" { body = "{\"id\": \"{{instance}}\"}" }
  http "/health" {
    status = 500
    body   = "leaking"
    after  = "30m"
  }
}`)
	f.set(5)
	f.Advance(time.Minute) // it runs after 47 s, and serves a minute later
	m := f.web().Members[4]
	health := "http://" + m.PrivateIP + "/health"
	if _, err := get(t, f.Client(), health); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("while it boots: GET %s: got %v, want %v", health, err, syscall.ECONNREFUSED)
	}
	f.Advance(46 * time.Second)
	if _, err := get(t, f.Client(), health); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a second before it has booted: GET %s: got %v, want %v", health, err, syscall.ECONNREFUSED)
	}
	f.Advance(2 * time.Second)
	f.expectGet("booted", f.Client(), health, `200 {"id": "`+m.ID+`"}`)
	f.expectGet("by its public address", f.Client(), "http://"+m.PublicIP+":8080/health", `200 {"id": "`+m.ID+`"}`)
	f.expectGet("on a path without an answer", f.Client(), "http://"+m.PrivateIP+"/", "404 Not Found")
	f.Advance(30 * time.Minute)
	f.expectGet("after half an hour", f.Client(), health, "500 leaking")
}

func TestSickMemberRefusesOrSaysSo(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	m := f.web().Members[0]
	address := "http://" + m.PrivateIP
	f.expectGet("in good health", f.Client(), address, "200 OK")
	f.BreakInstance(m.ID)
	if _, err := get(t, f.Client(), address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("broken: GET %s: got %v, want %v", address, err, syscall.ECONNREFUSED)
	}
	f.SetImageBehaviour(m.Image, awssim.ImageBehaviour{NeverHealthy: true, UnhealthyStatus: 503})
	f.expectGet("never healthy with a status", f.Client(), address, "503 Service Unavailable")
	f.Advance(10 * time.Minute) // replaced; nobody has its address now
	var timeout net.Error
	if _, err := get(t, f.Client(), address); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("ended: GET %s: got %v, want a timeout", address, err)
	}
}

func TestLoadBalancerAnswersByHealthyTargets(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", oldImage, `image "old" {
  created = "2026-10-05T04:00:00Z"
  http "*" { body = "{{instance}}" }
}`)
	address := "http://" + f.balancer() + "/"
	seen := map[string]bool{}
	for range 4 {
		got, err := get(t, f.Client(), address)
		f.do(err)
		seen[got] = true
	}
	if len(seen) != 4 {
		t.Errorf("four requests to %s: got answers %v, want one of each of the four members", address, seen)
	}
	for _, m := range f.web().Members {
		f.BreakInstance(m.ID)
	}
	f.expectGet("before the load balancer notices", f.Client(), address, "502 502 Bad Gateway")
	f.Advance(21 * time.Second)
	f.expectGet("without a healthy target", f.Client(), address, "503 503 Service Temporarily Unavailable")
	if _, err := get(t, f.Client(), "http://"+f.balancer()+":8080/"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("on a port without a listener: got %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func TestNumbersInBodiesFollowTheTruth(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "", oldImage, `image "old" {
  created = "2026-10-05T04:00:00Z"
  counts = { devices = 250 }
  http "/devices" { body = "{\"connected\": {{devices}}, \"healthy\": {{healthy}}}" }
}`, newImage, `image "new" {
  created = "2026-11-02T04:00:00Z"
  counts       = { devices = 100.5 }
  counts_after = "2m"
  http "/devices" { body = "{\"connected\": {{devices}}, \"healthy\": {{healthy}}}" }
}`)
	address := "http://" + f.balancer() + "/devices"
	f.expectGet("four old members", f.Client(), address, `200 {"connected": 1000, "healthy": 4}`)
	f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
	f.set(5)
	f.Advance(90 * time.Second)
	f.expectGet("and a new one whose devices still connect", f.Client(), address, `200 {"connected": 1000, "healthy": 5}`)
	f.Advance(2 * time.Minute)
	f.expectGet("and a new one", f.Client(), address, `200 {"connected": 1100.5, "healthy": 5}`)
	f.BreakInstance(f.web().Members[0].ID)
	f.Advance(21 * time.Second)
	f.expectGet("an old one less", f.Client(), address, `200 {"connected": 850.5, "healthy": 4}`)
}

// proxyClient sends everything through a proxy, as a process does whose
// HTTP_PROXY names it.
func proxyClient(t *testing.T, proxy string) *http.Client {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(u)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestEndpointIsAProxyForMembersOnly(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	outside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the simulator sent a request to the real network")
	}))
	t.Cleanup(outside.Close)
	server := httptest.NewServer(f.Handler("secret"))
	t.Cleanup(server.Close)
	c := proxyClient(t, server.URL)
	m := f.web().Members[0]
	f.expectGet("a member", c, "http://"+m.PrivateIP+"/", "200 OK")
	f.expectGet("a member's own path", c, "http://"+m.PublicIP+"/_refit/groups", "200 OK")
	f.expectGet("the load balancer", c, "http://"+f.balancer()+"/", "200 OK")
	f.expectGet("an address without an instance", c, "http://172.31.0.250/", "502 simulator: 172.31.0.250: i/o timeout")
	f.expectGet("the control path without the key", c, server.URL+"/_refit/groups", "403 the control path needs the right X-Refit-Key")
	f.expectGet("another host", c, outside.URL+"/",
		"502 simulator: "+strings.TrimPrefix(outside.URL, "http://")+": not a host of the simulated world, and the simulator sends nothing to the real network")
	if got, err := get(t, c, "https://"+m.PrivateIP+"/"); err == nil || !strings.Contains(err.Error(), "Bad Gateway") {
		t.Errorf("GET https://%s/: got %q, %v; want a refusal to tunnel", m.PrivateIP, got, err)
	}
	config := f.Config()
	config.HTTPClient, config.BaseEndpoint = c, &server.URL
	if _, err := elb.NewFromConfig(config).DescribeLoadBalancers(context.WithoutCancel(t.Context()), &elb.DescribeLoadBalancersInput{}); err != nil {
		t.Errorf("DescribeLoadBalancers through the proxy: got %v, want an answer", err)
	}
}
