package awssim

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// snsState is every topic, by ARN.
type snsState struct {
	topics map[string]*topic
}

// topic is a topic of SNS without subscribers: what was published is kept.
type topic struct {
	TopicSpec
	arn       string
	published []Notification
	repeats   map[string]Notification // by deduplication id, of the last five minutes
}

// TopicSpec is a topic of SNS. One whose name ends in .fifo is a FIFO topic
// without deduplication by content.
type TopicSpec struct {
	Name string `hcl:"name,label" json:"name"`
	// Account is whose it is; empty: the world's.
	Account string `hcl:"account,optional" json:"account"`
	// Denied makes its policy refuse the caller, KMSDenied that of its key.
	Denied    bool `hcl:"denied,optional" json:"denied"`
	KMSDenied bool `hcl:"kms_denied,optional" json:"kms_denied"`
}

// Notification is what was published to a topic or put on an event bus.
type Notification struct {
	At   time.Time `json:"at"` // simulated
	Body string    `json:"body"`
	// Subject, Group and Deduplication are of a message to a topic.
	Subject       string `json:"subject,omitempty"`
	Group         string `json:"group,omitempty"`
	Deduplication string `json:"deduplication,omitempty"`
	// Source, DetailType, Resources and Time are of an event.
	Source     string    `json:"source,omitempty"`
	DetailType string    `json:"detail_type,omitempty"`
	Resources  []string  `json:"resources,omitempty"`
	Time       time.Time `json:"time,omitzero"`

	id string
}

const (
	// maxMessage is the largest message of SNS, and the most that the entries
	// of one PutEvents may come to, in bytes.
	maxMessage = 262_144
	fifoSuffix = ".fifo"
	// repeatWindow is how long a FIFO topic knows a deduplication id.
	repeatWindow = 5 * time.Minute
)

func init() {
	s := queryService("http://sns.amazonaws.com/doc/2010-03-31/", map[string]operation{"Publish": typed(publish)})
	s.setup = func(w *World) { w.sns = &snsState{topics: map[string]*topic{}} }
	register("sns", s)
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}(\.fifo)?$`)

// SetTopic adds a topic, or changes the one with that name and owner but for
// what was published. A name that SNS does not take is an error.
func (w *World) SetTopic(s TopicSpec) error {
	if !topicName.MatchString(s.Name) {
		return errors.New("topic " + s.Name + ": a name has up to 256 letters, digits, _ and -, and may end in .fifo")
	}
	w.lock()
	defer w.mu.Unlock()
	setDefault(&s.Account, w.account)
	t := &topic{TopicSpec: s, arn: "arn:aws:sns:" + w.region + ":" + s.Account + ":" + s.Name, repeats: map[string]Notification{}}
	if old := w.sns.topics[t.arn]; old != nil {
		t.published, t.repeats = old.published, old.repeats
	}
	w.sns.topics[t.arn] = t
	return nil
}

// Published is what a topic or an event bus was sent, the oldest first. It
// takes a name or an ARN.
func (w *World) Published(name string) []Notification {
	w.lock()
	defer w.mu.Unlock()
	for _, t := range w.sns.topics {
		if name == t.Name || name == t.arn {
			return slices.Clone(t.published)
		}
	}
	for _, b := range w.bus.buses {
		if name == b.Name || name == b.arn {
			return slices.Clone(b.published)
		}
	}
	return nil
}

func snsInvalid(what string) *Error {
	return &Error{Code: "InvalidParameter", Message: "Invalid parameter: " + what}
}

// topicOf finds the topic of an ARN. Of another region, SNS only says that the
// parameter is invalid.
func (w *World) topicOf(arn string) (*topic, *Error) {
	parts := strings.Split(arn, ":")
	switch {
	case arn == "":
		return nil, snsInvalid("TopicArn or TargetArn Reason: no value for required parameter")
	case len(parts) < 6:
		return nil, snsInvalid("TopicArn Reason: An ARN must have at least 6 elements, not " + itoa(int64(len(parts))))
	case len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" || parts[3] != w.region:
		return nil, snsInvalid("TopicArn")
	}
	t := w.sns.topics[arn]
	if t == nil {
		return nil, &Error{Status: http.StatusNotFound, Code: "NotFound", Message: "Topic does not exist"}
	}
	return t, nil
}

var snsSubject = regexp.MustCompile(`^[!-~][ -~]{0,98}$`)

func publish(w *World, in *sns.PublishInput) (*sns.PublishOutput, error) {
	if in.PhoneNumber != nil || in.TargetArn != nil || in.MessageStructure != nil || len(in.MessageAttributes) > 0 {
		return nil, snsInvalid("The simulator models Publish to topics, with neither MessageStructure nor MessageAttributes.")
	}
	t, err := w.topicOf(deref(in.TopicArn))
	if err != nil {
		return nil, err
	}
	if err := t.check(w, in); err != nil {
		return nil, err
	}
	n := Notification{
		At: w.now, Body: deref(in.Message), Subject: deref(in.Subject), Group: deref(in.MessageGroupId),
		Deduplication: deref(in.MessageDeduplicationId), id: w.newUUID(),
	}
	if n.Deduplication != "" {
		if old, known := t.repeats[n.Deduplication]; known && w.now.Sub(old.At) < repeatWindow {
			return &sns.PublishOutput{MessageId: &old.id, SequenceNumber: ptr("10000000000000000000")}, nil
		}
		t.repeats[n.Deduplication] = n
	}
	t.published = append(t.published, n)
	w.event("", "published to topic %s: %s", t.Name, n.Subject)
	out := &sns.PublishOutput{MessageId: &n.id}
	if strings.HasSuffix(t.Name, fifoSuffix) {
		out.SequenceNumber = ptr("10000000000000000000")
	}
	return out, nil
}

// check refuses what SNS refuses of a message to a topic.
func (t *topic) check(w *World, in *sns.PublishInput) *Error {
	fifo := strings.HasSuffix(t.Name, fifoSuffix)
	switch {
	case t.Denied:
		return &Error{
			Status: http.StatusForbidden, Code: "AuthorizationError",
			Message: "User: " + w.callerARN() + " is not authorized to perform: SNS:Publish on resource: " + t.arn +
				" because no resource-based policy allows the SNS:Publish action",
		}
	case deref(in.Message) == "":
		return snsInvalid("Empty message")
	case len(*in.Message)+len(deref(in.Subject)) > maxMessage:
		return snsInvalid("Message too long")
	case in.Subject != nil && !snsSubject.MatchString(*in.Subject):
		return snsInvalid("Subject")
	case fifo && deref(in.MessageGroupId) == "":
		return snsInvalid("The MessageGroupId parameter is required for FIFO topics")
	case fifo && deref(in.MessageDeduplicationId) == "":
		return snsInvalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case !fifo && in.MessageDeduplicationId != nil:
		return snsInvalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	}
	for name, id := range map[string]string{"MessageGroupId": deref(in.MessageGroupId), "MessageDeduplicationId": deref(in.MessageDeduplicationId)} {
		if id != "" && !snsID.MatchString(id) {
			return snsInvalid(name + " Reason: " + name + " can only include alphanumeric and punctuation characters. 1 to 128 in length.")
		}
	}
	if t.KMSDenied {
		return &Error{
			Code:    "KMSAccessDenied",
			Message: "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
		}
	}
	return nil
}

var snsID = regexp.MustCompile(`^[!-~]{1,128}$`)
