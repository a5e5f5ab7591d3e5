package news

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// fifoSuffix ends the name of every FIFO topic, and of no other.
const fifoSuffix = ".fifo"

var (
	topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}(\.fifo)?$`)
	busName   = regexp.MustCompile(`^[/.\-_A-Za-z0-9]{1,256}$`)
)

// CheckTopic says what is wrong with the ARN of a topic, nil where nothing is.
// With an empty region every region is right.
func CheckTopic(topic, region string) error {
	a, err := arn.Parse(topic)
	switch {
	case err != nil || a.Service != "sns" || a.Region == "" || a.AccountID == "":
		return fmt.Errorf("%q is not the ARN of a topic, such as arn:aws:sns:eu-west-2:123456789012:images", topic)
	case strings.Contains(a.Resource, ":"):
		return fmt.Errorf("%q is the ARN of a subscription; give that of its topic, without the last part", topic)
	case !topicName.MatchString(a.Resource):
		return fmt.Errorf("%q is not the name of a topic: it has up to 256 letters, digits, _ and -, and may end in .fifo", a.Resource)
	}
	return elsewhere("topic", topic, a.Region, region)
}

// CheckBus says what is wrong with the name or the ARN of an event bus, nil
// where nothing is. With an empty region every region is right.
func CheckBus(bus, region string) error {
	if !strings.HasPrefix(bus, "arn:") {
		if !busName.MatchString(bus) {
			return fmt.Errorf("%q is not the name of an event bus: it has up to 256 letters, digits, /, ., - and _", bus)
		}
		return nil
	}
	a, err := arn.Parse(bus)
	name, is := strings.CutPrefix(a.Resource, "event-bus/")
	if err != nil || a.Service != "events" || a.Region == "" || a.AccountID == "" || !is || !busName.MatchString(name) {
		return fmt.Errorf("%q is not the ARN of an event bus, such as arn:aws:events:eu-west-2:123456789012:event-bus/fleet", bus)
	}
	return elsewhere("event bus", bus, a.Region, region)
}

func elsewhere(what, name, is, want string) error {
	if want == "" || is == want {
		return nil
	}
	return fmt.Errorf("%s %s is in %s, and the provider in %s: AWS takes messages only in the %s's own region", what, name, is, want, what)
}
