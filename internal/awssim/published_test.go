package awssim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const newsText = `
topic "images" {}
topic "images.fifo" {}
topic "theirs" {
  account = "999999999999"
  denied  = true
}
topic "sealed" { kms_denied = true }
event_bus "fleet" {
  fail_code  = "ThrottlingException"
  fail_times = 1
}
`

func arnOf(topic string) string { return "arn:aws:sns:eu-west-2:123456789012:" + topic }

// bodies are the bodies of what a topic or bus was sent.
func (f *fleet) bodies(name string) string {
	var out []string
	for _, n := range f.Published(name) {
		out = append(out, n.Body)
	}
	return strings.Join(out, " ")
}

func TestTopicKeepsWhatIsPublished(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newsText)
	c := sns.NewFromConfig(f.Config())
	send := func(topic, body, once string) string {
		t.Helper()
		in := &sns.PublishInput{TopicArn: aws.String(arnOf(topic)), Message: aws.String(body), Subject: aws.String("new image")}
		if once != "" {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String("lt-1"), aws.String(once)
		}
		out, err := c.Publish(f.Context(), in)
		f.do(err)
		return aws.ToString(out.MessageId)
	}
	if a, b := send("images", "one", ""), send("images", "one", ""); a == b || a == "" {
		t.Errorf("got message ids %q and %q, want two", a, b)
	}
	// A FIFO topic takes a repeat for five minutes, and does not deliver it.
	a, b := send("images.fifo", "one", "lt-1:2"), send("images.fifo", "one", "lt-1:2")
	f.Advance(6 * time.Minute)
	c2 := send("images.fifo", "again", "lt-1:2")
	if a != b || a == c2 {
		t.Errorf("got message ids %s, %s and, later, %s; want the first two equal", a, b, c2)
	}
	if got, want := f.bodies("images")+"; "+f.bodies(arnOf("images.fifo")), "one one; one again"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := f.Published("images")[0]; n.Subject != "new image" || n.At.IsZero() {
		t.Errorf("got %+v, want its subject and time", n)
	}
}

func TestTopicRefuses(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newsText)
	c := sns.NewFromConfig(f.Config())
	for _, x := range []struct {
		name, topic, code, text string
		change                  func(*sns.PublishInput)
	}{
		{name: "no such topic", topic: arnOf("gone"), code: "NotFound", text: "Topic does not exist"},
		{name: "another region", topic: "arn:aws:sns:us-east-1:123456789012:images", code: "InvalidParameter", text: "Invalid parameter: TopicArn"},
		{name: "a name", topic: "images", code: "InvalidParameter", text: "at least 6 elements, not 1"},
		{name: "no ARN", code: "InvalidParameter", text: "no value for required parameter"},
		{name: "policy", topic: "arn:aws:sns:eu-west-2:999999999999:theirs", code: "AuthorizationError", text: "SNS:Publish on resource"},
		{name: "key", topic: arnOf("sealed"), code: "KMSAccessDenied", text: "customer master key"},
		{name: "too long", topic: arnOf("images"), code: "InvalidParameter", text: "Message too long", change: func(in *sns.PublishInput) {
			in.Message = aws.String(strings.Repeat("x", 262_145))
		}},
		{name: "empty", topic: arnOf("images"), code: "InvalidParameter", text: "Empty message", change: func(in *sns.PublishInput) { in.Message = aws.String("") }},
		{name: "subject", topic: arnOf("images"), code: "InvalidParameter", text: "Subject", change: func(in *sns.PublishInput) { in.Subject = aws.String("a\nb") }},
		{name: "FIFO without group", topic: arnOf("images.fifo"), code: "InvalidParameter", text: "MessageGroupId parameter is required"},
		{name: "FIFO without id", topic: arnOf("images.fifo"), code: "InvalidParameter", text: "MessageDeduplicationId provided explicitly", change: func(in *sns.PublishInput) {
			in.MessageGroupId = aws.String("lt-1")
		}},
		{name: "id without FIFO", topic: arnOf("images"), code: "InvalidParameter", text: "not valid for this topic type", change: func(in *sns.PublishInput) {
			in.MessageDeduplicationId = aws.String("1")
		}},
		{name: "group id", topic: arnOf("images"), code: "InvalidParameter", text: "MessageGroupId can only include", change: func(in *sns.PublishInput) {
			in.MessageGroupId = aws.String("a b")
		}},
		{name: "phone", code: "InvalidParameter", text: "The simulator models Publish to topics", change: func(in *sns.PublishInput) { in.PhoneNumber = aws.String("+4420") }},
	} {
		in := &sns.PublishInput{Message: aws.String("body")}
		if x.topic != "" {
			in.TopicArn = aws.String(x.topic)
		}
		if x.change != nil {
			x.change(in)
		}
		_, err := c.Publish(f.Context(), in)
		t.Log(x.name)
		wantCode(t, err, x.code, x.text)
	}
	if got := f.bodies("images") + f.bodies("images.fifo") + f.bodies("sealed"); got != "" {
		t.Errorf("got %q published, want nothing", got)
	}
	_, err := f.Inject(awssim.Fault{Calls: "sns:Publish", Kind: awssim.Deny})
	f.do(err)
	_, err = c.Publish(f.Context(), &sns.PublishInput{TopicArn: aws.String(arnOf("images")), Message: aws.String("x")})
	wantCode(t, err, "AuthorizationError", "sns:Publish")
	_, err = c.ListTopics(f.Context(), &sns.ListTopicsInput{})
	wantCode(t, err, "InvalidAction", "ListTopics")
}

// event is a good entry for a bus.
func event(bus, detail string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{
		EventBusName: aws.String(bus), Source: aws.String("refit"), DetailType: aws.String("made"), Detail: aws.String(detail),
		Resources: []string{"arn:aws:ec2:eu-west-2:123456789012:launch-template/lt-1"}, Time: aws.Time(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)),
	}
}

func TestEventBusFailsSingleEntries(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newsText)
	c := eventbridge.NewFromConfig(f.Config())
	put := func(entries ...types.PutEventsRequestEntry) string {
		t.Helper()
		out, err := c.PutEvents(f.Context(), &eventbridge.PutEventsInput{Entries: entries})
		f.do(err)
		got := fmt.Sprint(out.FailedEntryCount)
		for _, e := range out.Entries {
			if (e.ErrorCode == nil) == (e.EventId == nil) {
				t.Errorf("got %+v, want either an id or a code", e)
			}
			got += " " + aws.ToString(e.ErrorCode)
		}
		return got
	}
	unnamed, ours, malformed := event("fleet", `{"n":3}`), event("fleet", `{}`), event("fleet", `[1]`)
	unnamed.Source, ours.Source = nil, aws.String("aws.ec2")
	for _, x := range []struct {
		entries []types.PutEventsRequestEntry
		want    string
	}{
		{[]types.PutEventsRequestEntry{event("fleet", `{"n":1}`), event("fleet", `{"n":2}`)}, "1 ThrottlingException "},
		{[]types.PutEventsRequestEntry{unnamed, ours, malformed, event("default", `{"n":4}`)}, "3 InvalidArgument NotAuthorizedForSourceException MalformedDetail "},
		// A bus that does not exist takes everything, as AWS's do.
		{[]types.PutEventsRequestEntry{event("gone", `{}`)}, "0 "},
	} {
		if got := put(x.entries...); got != x.want {
			t.Errorf("%d entries: got %q, want %q", len(x.entries), got, x.want)
		}
	}
	if got, want := f.bodies("fleet")+f.bodies("default")+f.bodies("gone"), `{"n":2}{"n":4}`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := f.Published("fleet")[0]; n.Source != "refit" || n.DetailType != "made" || len(n.Resources) != 1 || n.Time.Hour() != 9 {
		t.Errorf("got %+v, want what was put", n)
	}
	_, err := c.PutEvents(f.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{event("fleet", `{"x":"`+strings.Repeat("y", 262_144)+`"}`)}})
	wantCode(t, err, "ValidationException", "over the limit")
	_, err = c.PutEvents(f.Context(), &eventbridge.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, 11)})
	wantCode(t, err, "ValidationException", "between 1 and 10")
	_, err = c.PutEvents(f.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{unnamed}})
	wantCode(t, err, "ValidationException", "not valid")
	_, err = c.PutEvents(f.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{event("a bus", "{}")}})
	wantCode(t, err, "ValidationException", "entries.1.member.eventBusName")
	_, err = c.DescribeEventBus(f.Context(), &eventbridge.DescribeEventBusInput{Name: aws.String("gone")})
	wantCode(t, err, "ResourceNotFoundException", "Event bus gone does not exist.")
	out, err := c.DescribeEventBus(f.Context(), &eventbridge.DescribeEventBusInput{Name: aws.String("fleet")})
	f.do(err)
	if got := aws.ToString(out.Arn); got != "arn:aws:events:eu-west-2:123456789012:event-bus/fleet" {
		t.Errorf("got bus %s", got)
	}
}

// TestAWSCLIPublishes lets a client that is not Go's read the answers.
func TestAWSCLIPublishes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newsText)
	runClient(f, "aws", "sns", "publish", "--topic-arn", arnOf("images.fifo"), "--message", "hello",
		"--message-group-id", "lt-1", "--message-deduplication-id", "lt-1:2")
	if got := f.bodies("images.fifo"); got != "hello" {
		t.Errorf("got %q published, want hello", got)
	}
	out := runClient(f, "aws", "events", "put-events", "--output", "text", "--query", "[FailedEntryCount,Entries[0].ErrorCode]",
		"--entries", `Source=refit,DetailType=made,EventBusName=fleet,Detail="{}"`)
	if got := strings.Join(strings.Fields(out), " "); got != "1 ThrottlingException" {
		t.Errorf("got %q, want the failed entry", got)
	}
}
