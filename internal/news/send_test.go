package news_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/news"
)

const scenario = `
topic "images" {}
topic "images.fifo" {}
topic "theirs" {
  account = "999999999999"
}
topic "sealed" { kms_denied = true }
event_bus "fleet" {}
event_bus "theirs" { account = "999999999999" }
`

func arnOf(topic string) string { return "arn:aws:sns:eu-west-2:123456789012:" + topic }

// stage is a world with topics and buses, and a client of it.
func stage(t *testing.T) (*awssim.World, *news.Client) {
	t.Helper()
	s, err := awssim.ParseScenario("news", scenario)
	if err != nil {
		t.Fatal(err)
	}
	w, err := awssim.NewScenario(awssim.Options{}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w, &news.Client{SNS: sns.NewFromConfig(w.Config()), EventBridge: eventbridge.NewFromConfig(w.Config()), Clock: w.Clock()}
}

func TestToTopic(t *testing.T) {
	t.Parallel()
	w, c := stage(t)
	body, err := event().Encode()
	if err != nil {
		t.Fatal(err)
	}
	long := event()
	long.LaunchTemplate.Name = strings.Repeat("web-", 32)
	for _, topic := range []string{arnOf("images"), arnOf("images.fifo"), arnOf("images.fifo"), "arn:aws:sns:eu-west-2:999999999999:theirs"} {
		if err := c.ToTopic(t.Context(), topic, event()); err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
	}
	if err := c.ToTopic(t.Context(), arnOf("images"), long); err != nil {
		t.Errorf("a long name: %v", err)
	}
	// A repeat is delivered once where the topic is FIFO.
	for topic, want := range map[string]string{
		"images":      "2 |web: version 8 with ami-00000000000000002||",
		"images.fifo": "1 |web: version 8 with ami-00000000000000002|lt-0123456789abcdef0|lt-0123456789abcdef0:8",
		"theirs":      "1 |web: version 8 with ami-00000000000000002||",
	} {
		sent := w.Published(topic)
		if len(sent) == 0 || sent[0].Body != body {
			t.Errorf("%s: got %+v, want the body", topic, sent)
			continue
		}
		n := sent[0]
		if got := fmt.Sprintf("%d |%s|%s|%s", len(sent), n.Subject, n.Group, n.Deduplication); got != want {
			t.Errorf("%s: got %s, want %s", topic, got, want)
		}
	}
}

func TestToTopicFails(t *testing.T) {
	t.Parallel()
	w, c := stage(t)
	if err := c.ToTopic(t.Context(), arnOf("gone"), event()); !errors.Is(err, news.ErrNoTopic) {
		t.Errorf("got %v, want %v", err, news.ErrNoTopic)
	}
	var api smithy.APIError
	if err := c.ToTopic(t.Context(), arnOf("sealed"), event()); !errors.As(err, &api) || api.ErrorCode() != "KMSAccessDenied" {
		t.Errorf("got %v, want KMSAccessDenied", err)
	}
	if n := len(w.Published("sealed")); n != 0 {
		t.Errorf("got %d published, want none", n)
	}
}

func TestToBus(t *testing.T) {
	t.Parallel()
	w, c := stage(t)
	body, err := event().Encode()
	if err != nil {
		t.Fatal(err)
	}
	const theirs = "arn:aws:events:eu-west-2:999999999999:event-bus/theirs"
	for _, bus := range []string{"fleet", "default", theirs} {
		if err := c.ToBus(t.Context(), bus, event()); err != nil {
			t.Fatalf("%s: %v", bus, err)
		}
		sent := w.Published(bus)
		want := `refit|launch_template_version_made|[arn:aws:ec2:eu-west-2:123456789012:launch-template/lt-0123456789abcdef0]|2026-11-20 09:00:00 +0000 UTC`
		if len(sent) != 1 || sent[0].Body != body {
			t.Errorf("%s: got %+v, want one event with the body", bus, sent)
		} else if got := fmt.Sprintf("%s|%s|%v|%v", sent[0].Source, sent[0].DetailType, sent[0].Resources, sent[0].Time); got != want {
			t.Errorf("%s: got %s, want %s", bus, got, want)
		}
	}
	// Only the one of this account that may be missing was looked up.
	if got := w.Calls()["events:DescribeEventBus"]; got != 1 {
		t.Errorf("got %d looks, want 1", got)
	}
}

func TestToBusFails(t *testing.T) {
	t.Parallel()
	w, c := stage(t)
	for _, bus := range []string{"gone", "arn:aws:events:eu-west-2:123456789012:event-bus/gone"} {
		if err := c.ToBus(t.Context(), bus, event()); !errors.Is(err, news.ErrNoBus) {
			t.Errorf("%s: got %v, want %v", bus, err, news.ErrNoBus)
		}
	}
	fails := func(code string, times int) {
		t.Helper()
		if err := w.SetEventBus(awssim.BusSpec{Name: "fleet", FailCode: code, FailTimes: times}); err != nil {
			t.Fatal(err)
		}
	}
	var refused *news.EntryError
	fails("AccessDeniedException", 1)
	if err := c.ToBus(t.Context(), "fleet", event()); !errors.As(err, &refused) || refused.Code != "AccessDeniedException" {
		t.Errorf("got %v, want the entry's AccessDeniedException", err)
	}
	fails("ThrottlingException", 3)
	if err := c.ToBus(t.Context(), "fleet", event()); !errors.As(err, &refused) || refused.Code != "ThrottlingException" {
		t.Errorf("got %v, want the entry's ThrottlingException after three tries", err)
	}
	if n := len(w.Published("fleet")); n != 0 {
		t.Errorf("got %d events, want none", n)
	}
	fails("InternalFailure", 2)
	if err := c.ToBus(t.Context(), "fleet", event()); err != nil || len(w.Published("fleet")) != 1 {
		t.Errorf("got %v and %d events, want the third try taken", err, len(w.Published("fleet")))
	}
}

// TestToBusUnlooked is for callers who may put events, and nothing else.
func TestToBusUnlooked(t *testing.T) {
	t.Parallel()
	w, c := stage(t)
	if _, err := w.Inject(awssim.Fault{Calls: "events:DescribeEventBus", Kind: awssim.Deny}); err != nil {
		t.Fatal(err)
	}
	if err := c.ToBus(t.Context(), "fleet", event()); err != nil || len(w.Published("fleet")) != 1 {
		t.Errorf("got %v and %d events, want one event", err, len(w.Published("fleet")))
	}
}

func TestParameterMoved(t *testing.T) {
	t.Parallel()
	w, c := stage(t)
	e := event()
	e.EventType, e.EventID = news.ParameterMoved, news.MoveID("/golden/web", 4, at)
	e.Parameter, e.LaunchTemplate.SourceVersion = &news.Parameter{Name: "/golden/web", Version: 4}, nil
	if err := c.ToTopic(t.Context(), arnOf("images.fifo"), e); err != nil {
		t.Fatal(err)
	}
	if err := c.ToBus(t.Context(), "fleet", e); err != nil {
		t.Fatal(err)
	}
	topic, bus := w.Published("images.fifo")[0], w.Published("fleet")[0]
	want := "/golden/web: version 4 with ami-00000000000000002|lt-0123456789abcdef0|/golden/web:4:1795165200|ssm_parameter_moved|" +
		"[arn:aws:ec2:eu-west-2:123456789012:launch-template/lt-0123456789abcdef0 arn:aws:ssm:eu-west-2:123456789012:parameter/golden/web]"
	if got := fmt.Sprintf("%s|%s|%s|%s|%v", topic.Subject, topic.Group, topic.Deduplication, bus.DetailType, bus.Resources); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
