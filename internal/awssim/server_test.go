package awssim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// post sends a query request signed for a scope such as eu-west-2/autoscaling.
func post(t *testing.T, w *awssim.World, scope string, form url.Values) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sim/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	if scope != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261120/"+scope+"/aws4_request, SignedHeaders=host, Signature=00")
	}
	return send(t, w, r)
}

func send(t *testing.T, h http.Handler, r *http.Request) (int, string) {
	t.Helper()
	rw := httptest.NewRecorder()
	h.ServeHTTP(rw, r)
	body, err := io.ReadAll(rw.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rw.Code, string(body)
}

func TestRequestsAreRefused(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	describe := url.Values{"Action": {"DescribeAutoScalingGroups"}, "Version": {"2011-01-01"}}
	with := func(name, value string) url.Values {
		v := url.Values{"Action": describe["Action"]}
		v.Set(name, value)
		return v
	}
	for name, c := range map[string]struct {
		scope  string
		form   url.Values
		status int
		want   string
	}{
		"unsigned":          {"", describe, 403, "<Code>MissingAuthenticationToken</Code>"},
		"another region":    {"us-east-1/autoscaling", describe, 403, "<Code>SignatureDoesNotMatch</Code>"},
		"another service":   {"eu-west-2/sqs", describe, 400, "<Code>InvalidAction</Code>"},
		"no action":         {"eu-west-2/autoscaling", url.Values{}, 400, "<Code>MissingAction</Code>"},
		"unknown action":    {"eu-west-2/autoscaling", with("Action", "DoEverything"), 400, "<Code>InvalidAction</Code>"},
		"unknown parameter": {"eu-west-2/autoscaling", with("Color", "red"), 400, "The parameter Color is not recognized"},
		"unknown nested":    {"eu-west-2/autoscaling", with("Filters.member.1.Nam", "x"), 400, "Filters.1.Nam is not recognized"},
		"not a number":      {"eu-west-2/autoscaling", with("MaxRecords", "many"), 400, "<Code>MalformedInput</Code>"},
		"not a list":        {"eu-west-2/autoscaling", with("AutoScalingGroupNames.1", "x"), 400, "<Code>MalformedInput</Code>"},
		"fine":              {"eu-west-2/autoscaling", describe, 200, "<DescribeAutoScalingGroupsResult><AutoScalingGroups></AutoScalingGroups></DescribeAutoScalingGroupsResult>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if status, body := post(t, w, c.scope, c.form); status != c.status || !strings.Contains(body, c.want) {
				t.Errorf("got %d %s\nwant %d with %s", status, body, c.status, c.want)
			}
		})
	}
}

func TestUnknownJSONOperation(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://sim/", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonSSM.StartAutomationExecution")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261120/eu-west-2/ssm/aws4_request")
	if status, body := send(t, w, r); status != 400 || !strings.Contains(body, `"__type":"UnknownOperationException"`) {
		t.Errorf("got %d %s", status, body)
	}
}

func TestSTSMayBeSignedForItsHomeRegion(t *testing.T) {
	t.Parallel()
	cfg := awssim.New(awssim.Options{Account: "210987654321"}).Config()
	cfg.Region = "us-east-1"
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *out.Account != "210987654321" {
		t.Errorf("got %+v, %v", out, err)
	}
}

// TestScaledTime runs a world at sixty times the speed of a fake clock.
func TestScaledTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := awssim.ParseScenario("test", webText)
		if err != nil {
			t.Fatal(err)
		}
		w, err := awssim.NewScenario(awssim.Options{Speed: 60}, s)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		healthy := make(chan time.Time, 8)
		begin := w.Clock().Now()
		w.OnEvent(func(e awssim.Event) {
			if strings.HasSuffix(e.Text, "healthy in web") {
				healthy <- e.At
			}
		})
		_, err = autoscaling.NewFromConfig(w.Config()).SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{
			AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(5),
		})
		if err != nil {
			t.Fatal(err)
		}
		wall := time.Now()
		// Nobody asks the world anything meanwhile: it moves by itself.
		if took := (<-healthy).Sub(begin); took != 77*time.Second {
			t.Errorf("healthy after %s of simulated time, want 77s", took)
		}
		if took := time.Since(wall); took < time.Second || took > 1500*time.Millisecond {
			t.Errorf("healthy after %s of real time, want 77s / 60", took)
		}
		before := w.Clock().Now()
		if err := w.Clock().Sleep(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if took := w.Clock().Now().Sub(before); took != time.Minute {
			t.Errorf("slept %s of simulated time, want 1m", took)
		}
	})
}

// control sends a request to the control path and decodes its answer.
func control(t *testing.T, h http.Handler, method, path, body string, into any) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://sim/_refit/"+path, strings.NewReader(body))
	status, text := send(t, h, r)
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%s %s answered %d %q: %v", method, path, status, text, err)
		}
	}
	return status
}

func TestControlPath(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.describe()
	var calls map[string]int
	control(t, f, "GET", "calls", "", &calls)
	if len(calls) != 1 || calls["autoscaling:DescribeAutoScalingGroups"] != 1 {
		t.Errorf("calls %v, want the one", calls)
	}
	control(t, f, "DELETE", "calls", "", nil)
	if n := len(f.Calls()); n != 0 {
		t.Errorf("%d counts left", n)
	}
	var published struct{ ID string }
	control(t, f, "POST", "images", `{"name": "newest", "created": "2026-11-15T00:00:00Z", "never_healthy": true}`, &published)
	if imageOf(f, "newest") != published.ID {
		t.Errorf("published %q", published.ID)
	}
	control(t, f, "POST", "faults", `{"calls": "autoscaling:*", "kind": "throttle", "times": 1}`, nil)
	_, err := f.client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	wantCode(t, err, "Throttling", "")
	control(t, f, "POST", "launch-faults", `{"zone": "b", "code": "InsufficientInstanceCapacity"}`, nil)
	control(t, f, "POST", "staleness", `{"service": "autoscaling", "max": "1s"}`, nil)
	control(t, f, "POST", "actions", `{"do": "set_desired", "group": "web", "value": 5}`, nil)
	control(t, f, "POST", "actors", `{"at": "1m", "action": {"do": "set_desired", "group": "web", "value": 6}}`, nil)
	control(t, f, "POST", "advance", `{"by": "5m"}`, nil)
	var groups []awssim.Group
	control(t, f, "GET", "groups", "", &groups)
	if len(groups) != 1 || groups[0].Healthy() != 6 {
		t.Errorf("groups %+v, want six healthy members", groups)
	}
	var events []awssim.Event
	control(t, f, "GET", "events?since=2", "", &events)
	if len(events) == 0 || events[0].Number != 3 {
		t.Errorf("events after the second: %+v", events)
	}
	for request, want := range map[string]int{
		"GET nothing": 404, "POST faults {}": 400, `POST faults {"kind":"drop","colour":"red"}`: 400, `POST actions {"do":"dance","group":"web"}`: 400,
		"POST images {}": 400, `POST advance {"by":"soon"}`: 400, "GET events?since=x": 400, "DELETE faults": 200, "GET time": 200,
	} {
		part := strings.SplitN(request+" ", " ", 3)
		if got := control(t, f, part[0], part[1], part[2], nil); got != want {
			t.Errorf("%s: status %d, want %d", request, got, want)
		}
	}
}

func TestControlPathWantsItsKey(t *testing.T) {
	t.Parallel()
	h := awssim.New(awssim.Options{}).Handler("secret")
	if got := control(t, h, "GET", "calls", "", nil); got != http.StatusForbidden {
		t.Errorf("without the key: %d, want 403", got)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://sim/_refit/calls", nil)
	r.Header.Set(awssim.KeyHeader, "secret")
	if got, _ := send(t, h, r); got != http.StatusOK {
		t.Errorf("with the key: %d, want 200", got)
	}
}

func TestEventsCanBeFollowed(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/_refit/events?follow=1", nil)
	f.do(err)
	res, err := http.DefaultClient.Do(r)
	f.do(err)
	defer func() { _ = res.Body.Close() }()
	f.set(5) // only now is there anything to tell
	var e awssim.Event
	f.do(json.NewDecoder(res.Body).Decode(&e))
	if e.Number != 1 || !strings.HasPrefix(e.Text, "desired 4 → 5") {
		t.Errorf("followed event %+v", e)
	}
}

// TestSDKOverASocket runs the SDK against a listening server, with faults that
// only a connection can have.
func TestSDKOverASocket(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	cfg := f.Config()
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String(server.URL), server.Client()
	client := autoscaling.NewFromConfig(cfg)
	out, err := client.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})
	f.do(err)
	if n := len(out.AutoScalingGroups); n != 1 {
		t.Errorf("%d groups, want 1", n)
	}
	_, err = f.Inject(awssim.Fault{Kind: awssim.LoseAnswer, Times: 1})
	f.do(err)
	_, err = client.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("web"), DesiredCapacity: aws.Int32(6)})
	if err == nil || f.web().Desired != 6 {
		t.Errorf("error %v and desired %d; want a lost answer with effect", err, f.web().Desired)
	}
}

func TestScenarioMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`colour = "red"`:                                            "Unsupported argument",
		`start = "tomorrow"`:                                        "start",
		`latencies { launch = "soon" }`:                             "latency launch",
		`staleness = { sts = "1s" }`:                                "always fresh",
		"fault { kind = \"odd\" }":                                  "no such kind",
		"image \"i\" { dies_after = \"-1m\" }":                      "negative",
		strings.Replace(webText, `["web"]`, `["x"]`, 1):             `no target_group "x"`,
		strings.Replace(webText, `max           = 8`, `max = 3`, 1): "Desired capacity:4",
		webText + "actor {\n action {\n do = \"scale\"\n group = \"web\"\n }\n every = \"x\"\n}": "every",
	} {
		s, err := awssim.ParseScenario("test", text)
		if err == nil {
			_, err = awssim.NewScenario(awssim.Options{}, s)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot error %v, want %q", text, err, want)
		}
	}
}

func TestShippedScenarios(t *testing.T) {
	t.Parallel()
	for name, healthy := range map[string]int{"web": 4, "busy": 9, "broken": 4} {
		s, err := awssim.ReadScenario("../../examples/scenarios/" + name + ".hcl")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		w, err := awssim.NewScenario(awssim.Options{}, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if g := w.Groups()[0]; g.Healthy() != healthy {
			t.Errorf("%s: %d healthy members at the start, want %d", name, g.Healthy(), healthy)
		}
		w.Advance(time.Hour)
		var log bytes.Buffer
		for _, e := range w.Events(0) {
			fmt.Fprintln(&log, e.At.Format(time.TimeOnly), e.Group, e.Text)
		}
		if strings.Contains(log.String(), "action ") {
			t.Errorf("%s: an actor was refused:\n%s", name, log.String())
		}
	}
}
