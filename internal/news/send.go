package news

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// SNS is what this package needs of the SDK's client.
type SNS interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// EventBridge is what this package needs of the SDK's client.
type EventBridge interface {
	DescribeEventBus(context.Context, *eventbridge.DescribeEventBusInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeEventBusOutput, error)
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Client sends events. It is safe for concurrent use.
type Client struct {
	SNS         SNS
	EventBridge EventBridge
	Clock       clock.Clock
}

// ErrNoTopic says that a topic does not exist; ErrNoBus the same of an event
// bus.
var (
	ErrNoTopic = errors.New("the topic does not exist")
	ErrNoBus   = errors.New("the event bus does not exist")
)

// EntryError is what EventBridge says of an event that it did not take in a
// call that succeeded.
type EntryError struct{ Code, Message string }

// Error implements error.
func (e *EntryError) Error() string {
	return strings.TrimRight(fmt.Sprintf("EventBridge did not take the event: %s: %s", e.Code, e.Message), ": ")
}

// passing tells whether another try may help.
func (e *EntryError) passing() bool {
	return e.Code == "InternalFailure" || e.Code == "InternalException" || e.Code == "ThrottlingException"
}

// mostSubject is the longest subject that SNS takes.
const mostSubject = 99

// ToTopic publishes an event to a topic. On a FIFO topic, events about one
// template come in their order, and SNS delivers those with the same id once
// within five minutes. Errors: [ErrNoTopic], what the call gave.
func (c *Client) ToTopic(ctx context.Context, topic string, e Event) error {
	body, err := e.Encode()
	if err != nil {
		return err
	}
	subject := fmt.Sprintf("%s: version %d with %s", e.LaunchTemplate.Name, e.LaunchTemplate.Version, e.Image.ID)
	if p := e.Parameter; p != nil {
		subject = fmt.Sprintf("%s: version %d with %s", p.Name, p.Version, e.Image.ID)
	}
	in := &sns.PublishInput{TopicArn: &topic, Message: &body, Subject: aws.String(subject[max(0, len(subject)-mostSubject):])}
	if strings.HasSuffix(topic, fifoSuffix) {
		in.MessageGroupId, in.MessageDeduplicationId = &e.LaunchTemplate.ID, &e.EventID
	}
	_, err = c.SNS.Publish(ctx, in)
	if errors.As(err, new(*snstypes.NotFoundException)) {
		err = fmt.Errorf("%w: %w", ErrNoTopic, err)
	}
	if err != nil {
		return fmt.Errorf("publish to topic %s: %w", topic, err)
	}
	return nil
}

// source is the source of every event on a bus.
const source = "refit"

// tries is how often an entry is put that EventBridge refuses for a passing
// reason; the SDK sees a call that succeeded, and does not repeat it.
const tries = 3

// ToBus puts an event on a bus, by name or ARN. A bus of the account itself is
// looked up before, because EventBridge takes events for a bus that does not
// exist, and drops them. Errors: [ErrNoBus], [*EntryError], what a call gave.
func (c *Client) ToBus(ctx context.Context, bus string, e Event) error {
	body, err := e.Encode()
	if err != nil {
		return err
	}
	if err := c.find(ctx, bus, e.Account); err != nil {
		return fmt.Errorf("find event bus %s: %w", bus, err)
	}
	entry := types.PutEventsRequestEntry{
		EventBusName: &bus, Source: aws.String(source), DetailType: &e.EventType, Detail: &body, Time: &e.EventTime, Resources: e.resources(),
	}
	for try := 1; ; try++ {
		err := c.put(ctx, entry)
		var refused *EntryError
		if err == nil || !errors.As(err, &refused) || !refused.passing() || try == tries {
			return err
		}
		if err := c.Clock.Sleep(ctx, time.Duration(try)*time.Second); err != nil {
			return err
		}
	}
}

func (c *Client) put(ctx context.Context, entry types.PutEventsRequestEntry) error {
	out, err := c.EventBridge.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry}})
	if err != nil {
		return fmt.Errorf("put an event on event bus %s: %w", *entry.EventBusName, err)
	}
	for _, r := range out.Entries {
		if r.ErrorCode != nil {
			return fmt.Errorf("put an event on event bus %s: %w", *entry.EventBusName, &EntryError{aws.ToString(r.ErrorCode), aws.ToString(r.ErrorMessage)})
		}
	}
	if out.FailedEntryCount > 0 {
		return fmt.Errorf("put an event on event bus %s: %w", *entry.EventBusName, &EntryError{Code: "it does not say why"})
	}
	return nil
}

// find makes sure that a bus exists, where that can be known: the default one
// always does, and another account's is not shown. A caller who may not look
// goes without.
func (c *Client) find(ctx context.Context, bus, account string) error {
	if a, err := arn.Parse(bus); bus == "default" || err == nil && a.AccountID != account {
		return nil
	}
	_, err := c.EventBridge.DescribeEventBus(ctx, &eventbridge.DescribeEventBusInput{Name: &bus})
	var api smithy.APIError
	switch {
	case errors.As(err, new(*types.ResourceNotFoundException)):
		return fmt.Errorf("%w: %w", ErrNoBus, err)
	case errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException":
		return nil
	}
	return err
}

// resources are the ARNs an event is about, for patterns of rules.
func (e Event) resources() []string {
	if e.Account == "" {
		return nil
	}
	partition := "aws"
	switch {
	case strings.HasPrefix(e.Region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(e.Region, "us-gov-"):
		partition = "aws-us-gov"
	}
	out := []string{fmt.Sprintf("arn:%s:ec2:%s:%s:launch-template/%s", partition, e.Region, e.Account, e.LaunchTemplate.ID)}
	if p := e.Parameter; p != nil {
		out = append(out, fmt.Sprintf("arn:%s:ssm:%s:%s:parameter/%s", partition, e.Region, e.Account, strings.TrimPrefix(p.Name, "/")))
	}
	return out
}
