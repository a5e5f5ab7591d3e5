package news_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/news"
)

var update = flag.Bool("update", false, "write the golden files")

// golden is the body that the images guide shows.
const golden = "../../examples/images/event.json"

var at = time.Date(2026, time.November, 20, 9, 0, 0, 0, time.UTC)

// event is one with every field in it.
func event() news.Event {
	before := news.Facts(image.Image{
		ID: "ami-00000000000000001", Name: "golden-web-1", Owner: "123456789012", Architecture: "x86_64",
		CreatedAt: time.Date(2026, time.October, 5, 4, 0, 0, 0, time.UTC),
	}, at)
	superseded, schedule, environment := time.Date(2026, time.November, 2, 4, 0, 0, 0, time.UTC), "web", "prod"
	copied := int64(7)
	before.SupersededSince = &superseded
	return news.Event{
		SchemaVersion: news.SchemaVersion, EventType: news.VersionMade, EventID: news.VersionID("lt-0123456789abcdef0", 8), EventTime: at,
		Account: "123456789012", Region: "eu-west-2",
		LaunchTemplate: news.LaunchTemplate{ID: "lt-0123456789abcdef0", Name: "web", Version: 8, SourceVersion: &copied},
		Image: news.Facts(image.Image{
			ID: "ami-00000000000000002", Name: "golden-web-2", Owner: "123456789012", Architecture: "x86_64",
			CreatedAt: superseded, Tags: map[string]string{"Build": "2041", "Kernel": "6.1.158"},
		}, at),
		PreviousImage: &before, Schedule: &schedule, Environment: &environment,
		Groups: []news.Group{{Name: "web", Version: "7"}, {Name: "web-batch", Version: "$Latest"}},
	}
}

// TestGolden pins the body: who receives it relies on every byte of it.
func TestGolden(t *testing.T) {
	t.Parallel()
	body, err := event().Encode()
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(body), "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	if *update {
		if err := os.WriteFile(golden, indented.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(indented.Bytes(), want) {
		t.Errorf("got\n%s\nwant what is in %s:\n%s\nA field that goes or changes its meaning raises SchemaVersion.", indented.Bytes(), golden, want)
	}
}

// fields are the names of a body, nested ones with dots, but for those of the
// previous image, which are the same as of the image.
func fields(t reflect.Type, before string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, inner := before+f.Tag.Get("json"), f.Type
		out = append(out, name)
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() && name != "previous_image" {
			out = append(out, fields(inner, name+".")...)
		}
	}
	return out
}

// TestGuide holds the table of the guide against the body.
func TestGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../templates/guides/images.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "| field of the event |")
	if !found {
		t.Fatal("the guide has no table of the event's fields")
	}
	section, _, _ = strings.Cut(section, "\n\n")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|").FindAllStringSubmatch(section, -1) {
		got = append(got, m[1])
	}
	if want := fields(reflect.TypeFor[news.Event](), ""); !slices.Equal(got, want) {
		t.Errorf("the guide's table has the fields\n%q, want\n%q", got, want)
	}
}

func TestFactsOfAnImageThatIsGone(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(news.Facts(image.Image{ID: "ami-00000000000000001"}, at))
	want := `{"id":"ami-00000000000000001","name":null,"owner":null,"architecture":null,"created_at":null,"age_days":null,"superseded_since":null,"tags":null}`
	if err != nil || string(body) != want {
		t.Errorf("got %s, %v; want %s", body, err, want)
	}
}

// bulk is so many bytes of tags.
func bulk(n int) map[string]string { return map[string]string{"k": strings.Repeat("\"", n/2)} }

// size is of what Encode may leave out.
func size(e news.Event) [4]int {
	return [4]int{len(e.Image.Tags["k"]), len(e.PreviousImage.Tags["k"]), len(e.Groups), len(e.LeftOut)}
}

func TestTooLargeBodiesAreShortened(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(*news.Event)
		leftOut string
	}{
		{"nothing", func(*news.Event) {}, "[]"},
		{"just fits", func(e *news.Event) { e.Image.Tags = bulk(250_000) }, "[]"},
		{"tags", func(e *news.Event) { e.Image.Tags, e.PreviousImage.Tags = bulk(270_000), bulk(100_000) }, "[image.tags]"},
		{"tags of both", func(e *news.Event) { e.Image.Tags, e.PreviousImage.Tags = bulk(270_000), bulk(280_000) }, "[previous_image.tags image.tags]"},
		{"groups", func(e *news.Event) {
			e.Image.Tags = bulk(100_000)
			for n := range 3000 {
				e.Groups = append(e.Groups, news.Group{Name: fmt.Sprintf("%s-%d", strings.Repeat("g", 60), n), Version: "1"})
			}
		}, "[groups]"},
	} {
		e := event()
		c.change(&e)
		before := size(e)
		body, err := e.Encode()
		var back news.Event
		if err == nil {
			err = json.Unmarshal([]byte(body), &back)
		}
		if err != nil || len(body) > 262_144-2048 || fmt.Sprint(back.LeftOut) != c.leftOut {
			t.Errorf("%s: got %d bytes, left out %v, %v; want at most 260,096 and left out %s", c.name, len(body), back.LeftOut, err, c.leftOut)
		}
		if after := size(e); after != before {
			t.Errorf("%s: got tags and groups of sizes %v after Encode, want them as before, %v", c.name, after, before)
		}
	}
	e := event()
	e.LaunchTemplate.Name = strings.Repeat("x", 300_000)
	if body, err := e.Encode(); err == nil {
		t.Errorf("got %d bytes, want an error: nothing can be left out of it", len(body))
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const topic, bus = "arn:aws:sns:eu-west-2:123456789012:images", "arn:aws:events:eu-west-2:123456789012:event-bus/fleet"
	for _, c := range []struct {
		check          func(string, string) error
		given, in, out string
	}{
		{news.CheckTopic, topic, "eu-west-2", ""},
		{news.CheckTopic, topic + ".fifo", "", ""},
		{news.CheckTopic, "arn:aws-cn:sns:cn-north-1:123456789012:images", "cn-north-1", ""},
		{news.CheckTopic, topic, "us-east-1", "topic " + topic + " is in eu-west-2, and the provider in us-east-1: AWS takes messages only in the topic's own region"},
		{news.CheckTopic, "images", "", `"images" is not the ARN of a topic, such as arn:aws:sns:eu-west-2:123456789012:images`},
		{news.CheckTopic, bus, "", `"` + bus + `" is not the ARN of a topic, such as arn:aws:sns:eu-west-2:123456789012:images`},
		{news.CheckTopic, topic + ":9a1b", "", `"` + topic + `:9a1b" is the ARN of a subscription; give that of its topic, without the last part`},
		{news.CheckTopic, topic + ".std", "", `"images.std" is not the name of a topic: it has up to 256 letters, digits, _ and -, and may end in .fifo`},
		{news.CheckBus, "default", "eu-west-2", ""},
		{news.CheckBus, bus, "eu-west-2", ""},
		{news.CheckBus, bus, "us-east-1", "event bus " + bus + " is in eu-west-2, and the provider in us-east-1: AWS takes messages only in the event bus's own region"},
		{news.CheckBus, "a bus", "", `"a bus" is not the name of an event bus: it has up to 256 letters, digits, /, ., - and _`},
		{news.CheckBus, topic, "", `"` + topic + `" is not the ARN of an event bus, such as arn:aws:events:eu-west-2:123456789012:event-bus/fleet`},
	} {
		got := ""
		if err := c.check(c.given, c.in); err != nil {
			got = err.Error()
		}
		if got != c.out {
			t.Errorf("%q in %q: got %q, want %q", c.given, c.in, got, c.out)
		}
	}
}

func TestMoveID(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("x", 120)
	for _, c := range []struct {
		name    string
		version int64
		want    string
	}{
		{"/golden/web/stable", 3, "/golden/web/stable:3:1795165200"},
		{long, 3, "sha256:515f286917b6ca9c8a1a57d2ce557a0aff26edd4f7a01d4a01dc031f28a549b0"},
	} {
		if got := news.MoveID(c.name, c.version, at); got != c.want {
			t.Errorf("%s version %d: got %s, want %s", c.name, c.version, got, c.want)
		}
	}
	if a, b := news.MoveID(long, 3, at), news.MoveID(long, 4, at); a == b {
		t.Errorf("got %s for two versions, want different ids", a)
	}
}
