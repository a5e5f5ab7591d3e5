package ami_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// another is a client of the next process: it remembers nothing.
func (f fixture) another() *ami.Client {
	return ami.New(ami.Options{EC2: ec2.NewFromConfig(f.world.Config()), SSM: ssm.NewFromConfig(f.world.Config()), Docs: f.docs, Clock: f.world.Clock()})
}

// owed is what a client has to tell: each version with its image and who is
// left, and the account whose template it is.
func owed(t *testing.T, c *ami.Client, template string) string {
	t.Helper()
	due, of, err := c.Owed(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range due {
		out = append(out, fmt.Sprintf("%s %s %d from %d, %s after %s, to %s", of.Account, of.Name+d.Parameter, d.Number, d.Source, d.Image, d.From, strings.Join(d.Left, " and ")))
	}
	return strings.Join(out, "; ")
}

var both = []string{"topic", "bus"}

const owedBoth = "123456789012 web 2 from 1, " + second + " after " + first + ", to topic and bus"

// tell settles what is owed, with left still to be told of each.
func tell(t *testing.T, c *ami.Client, template string, left ...string) {
	t.Helper()
	due, _, err := c.Owed(t.Context(), template)
	for i := range due {
		due[i].Left = left
	}
	if err == nil {
		err = c.Told(t.Context(), template, due)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOwedUntilTold(t *testing.T) {
	t.Parallel()
	f := start(t)
	if _, err := f.Ensure(t.Context(), ami.Want{Template: f.template, Image: second, Tell: both}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*ami.Client{"this process": f.Client, "the next": f.another()} {
		if got := owed(t, c, f.template); got != owedBoth {
			t.Errorf("%s: got %q, want %q", name, got, owedBoth)
		}
	}
	// One of the two could not be told.
	tell(t, f.Client, f.template, "bus")
	want := strings.Replace(owedBoth, "topic and bus", "bus", 1)
	for name, c := range map[string]*ami.Client{"this process": f.Client, "the next": f.another()} {
		if got := owed(t, c, f.template); got != want {
			t.Errorf("%s, half told: got %q, want %q", name, got, want)
		}
	}
	tell(t, f.another(), f.template)
	if got := owed(t, f.another(), f.template); got != "" {
		t.Errorf("told: got %q, want nothing", got)
	}
	// It is there already, so there is nothing to tell.
	if _, err := f.another().Ensure(t.Context(), ami.Want{Template: f.template, Image: second, Tell: both}); err != nil {
		t.Fatal(err)
	}
	if got := owed(t, f.another(), f.template); got != "" {
		t.Errorf("asked for again: got %q, want nothing", got)
	}
}

func TestNothingIsOwedToNobody(t *testing.T) {
	t.Parallel()
	f := start(t)
	if _, err := f.Ensure(t.Context(), ami.Want{Template: f.template, Image: second}); err != nil {
		t.Fatal(err)
	}
	if got := owed(t, f.Client, f.template); got != "" || f.docs["news/"+f.template] != nil {
		t.Errorf("got %q and record %s, want nothing", got, f.docs["news/"+f.template])
	}
}

// failing is a store that does not take what is below a path.
type failing struct {
	docs
	path string
}

var errStore = errors.New("the store is down")

func (f failing) Put(ctx context.Context, path string, doc any) error {
	if strings.HasPrefix(path, f.path) {
		return errStore
	}
	return f.docs.Put(ctx, path, doc)
}

// TestOwedAfterACrash is an apply that ends right after the version was made,
// for once by a store that fails then.
func TestOwedAfterACrash(t *testing.T) {
	t.Parallel()
	f := start(t)
	want := ami.Want{Template: f.template, Image: second, Tell: both}
	dying := ami.New(ami.Options{EC2: ec2.NewFromConfig(f.world.Config()), Docs: failing{f.docs, "versions/"}, Clock: f.world.Clock()})
	if _, err := dying.Ensure(t.Context(), want); !errors.Is(err, errStore) {
		t.Fatalf("got %v, want %v", err, errStore)
	}
	next := f.another()
	made, err := next.Ensure(t.Context(), want)
	if err != nil || made.New || made.Version.Number != 2 {
		t.Fatalf("got %+v, %v; want version 2, made before", made, err)
	}
	if got := owed(t, next, f.template); got != owedBoth {
		t.Errorf("got %q, want %q", got, owedBoth)
	}
	// However late it is.
	f.world.Advance(24 * time.Hour)
	if got := owed(t, f.another(), f.template); got != owedBoth {
		t.Errorf("a day later: got %q, want %q", got, owedBoth)
	}
}

// TestOwedIsRecordedBefore: what cannot be recorded is not made.
func TestOwedIsRecordedBefore(t *testing.T) {
	t.Parallel()
	f := start(t)
	c := ami.New(ami.Options{EC2: ec2.NewFromConfig(f.world.Config()), Docs: failing{f.docs, "news/"}, Clock: f.world.Clock()})
	_, err := c.Ensure(t.Context(), ami.Want{Template: f.template, Image: second, Tell: both})
	template, readErr := c.Template(t.Context(), f.template)
	if !errors.Is(err, errStore) || readErr != nil || len(template.Versions) != 1 {
		t.Errorf("got %v, %v and %d versions; want %v and one", err, readErr, len(template.Versions), errStore)
	}
}

// TestNothingIsOwedUnmade: a version that could not be made, and is made by a
// later try, is told once.
func TestNothingIsOwedUnmade(t *testing.T) {
	t.Parallel()
	f := start(t)
	want := ami.Want{Template: f.template, Image: second, Tell: both}
	if _, err := f.world.Inject(awssim.Fault{Calls: "ec2:CreateLaunchTemplateVersion", Kind: awssim.Deny, Times: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Ensure(t.Context(), want); err == nil {
		t.Fatal("got no error, want that the call is denied")
	}
	if got := owed(t, f.another(), f.template); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
	if _, err := f.another().Ensure(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got := owed(t, f.another(), f.template); got != owedBoth {
		t.Errorf("made: got %q, want %q", got, owedBoth)
	}
}

// changing is an EC2 that gives new versions another instance type.
type changing struct{ ami.EC2 }

func (c changing) DescribeLaunchTemplateVersions(ctx context.Context, in *ec2.DescribeLaunchTemplateVersionsInput, o ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	out, err := c.EC2.DescribeLaunchTemplateVersions(ctx, in, o...)
	if err == nil && len(in.Versions) == 1 {
		out.LaunchTemplateVersions[0].LaunchTemplateData.InstanceType = types.InstanceTypeM5Large
	}
	return out, err
}

func TestNothingIsOwedOfAWithdrawnVersion(t *testing.T) {
	t.Parallel()
	f := start(t)
	c := ami.New(ami.Options{EC2: changing{ec2.NewFromConfig(f.world.Config())}, Docs: f.docs, Clock: f.world.Clock()})
	if _, err := c.Ensure(t.Context(), ami.Want{Template: f.template, Image: second, Tell: both}); err == nil {
		t.Fatal("got no error, want that the version differs")
	}
	for name, c := range map[string]*ami.Client{"this process": c, "the next": f.another()} {
		if got := owed(t, c, f.template); got != "" {
			t.Errorf("%s: got %q, want nothing", name, got)
		}
	}
	// In time, it is forgotten.
	f.world.Advance(11 * time.Minute)
	tell(t, f.another(), f.template)
	if got := string(f.docs["news/"+f.template]); got != "[]" {
		t.Errorf("got record %s, want an empty one", got)
	}
}

// TestOwedFitsARecord makes more versions than are kept track of.
func TestOwedFitsARecord(t *testing.T) {
	t.Parallel()
	f := start(t)
	for n := range 20 {
		id := []string{first, second}[(n+1)%2]
		if _, err := f.Ensure(t.Context(), ami.Want{Template: f.template, Image: id, Tell: []string{"sns_topic_arn", "event_bus_name"}}); err != nil {
			t.Fatal(err)
		}
	}
	due, _, err := f.another().Owed(t.Context(), f.template)
	size := len(f.docs["news/"+f.template])
	if err != nil || len(due) != 12 || due[11].Number != 21 || size > 4096 {
		t.Errorf("got %d owed in %d bytes, the last of version %d, %v; want 12, the last of version 21, in 4,096", len(due), size, due[len(due)-1].Number, err)
	}
	if v, err := f.Template(t.Context(), f.template); err != nil || aws.ToInt64(&v.Versions[20].Number) != 21 {
		t.Errorf("got %d versions, %v; want 21", len(v.Versions), err)
	}
}

// TestOwedMove is the same with a parameter: what was put and not read back is
// found in its history.
func TestOwedMove(t *testing.T) {
	t.Parallel()
	f := start(t)
	if _, err := f.Move(t.Context(), f.moving(f.channel(t), first)); err != nil {
		t.Fatal(err)
	}
	if got := owed(t, f.another(), f.template); got != "" {
		t.Errorf("nobody is to be told: got %q, want nothing", got)
	}
	m := f.moving(f.channel(t), second)
	m.Tell = both
	ctx, die := context.WithCancel(t.Context())
	f.world.BeforeCall("ssm:GetParameter", 1, die) // before it is read back
	if _, err := f.Move(ctx, m); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it was cut off", err)
	}
	if got := owed(t, f.another(), f.template); got != "" {
		t.Errorf("AWS has not stored it: got %q, want nothing", got)
	}
	f.world.Advance(10 * time.Second)
	want := "123456789012 web" + channel + " 2 from 1, " + second + " after " + first + ", to topic and bus"
	for name, c := range map[string]*ami.Client{"this process": f.Client, "the next": f.another()} {
		if got := owed(t, c, f.template); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	tell(t, f.another(), f.template)
	if got := owed(t, f.another(), f.template); got != "" {
		t.Errorf("told: got %q, want nothing", got)
	}
}

// TestMoveIsRecorded: where an image came from is on record, however long names are.
func TestMoveIsRecorded(t *testing.T) {
	t.Parallel()
	f := start(t)
	name := "/golden/" + strings.Repeat("x", 800)
	for n := range 6 {
		ch, err := f.Channel(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		m := f.moving(ch, []string{first, second}[n%2])
		m.By = "name golden-* of self"
		if _, err := f.Move(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got := string(f.docs["versions/"+f.template])
	if want := fmt.Sprintf(`"version":6,"image":%q,"before":%q,"by":"name golden-* of self","at":`, second, first); !strings.Contains(got, want) || len(got) > 4096 || strings.Contains(got, `"version":2,`) {
		t.Errorf("got a record of %d bytes, want at most 4,096 with %s and without the oldest:\n%s", len(got), want, got)
	}
}

// TestOwedRolled is a version that is left to a roll: it is owed once the roll has
// made it, also while AWS does not list it yet, and is recorded once.
func TestOwedRolled(t *testing.T) {
	t.Parallel()
	f := start(t)
	w := ami.Want{Template: f.template, Image: second, Tell: both, Audience: &image.Audience{To: map[string]string{"topic": "arn"}}}
	found, made, err := f.FindVersion(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Leave(t.Context(), w, found, made.Source); err != nil {
		t.Fatal(err)
	}
	if got := owed(t, f.Client, f.template); got != "" {
		t.Errorf("left to a roll: got %q, want nothing", got)
	}
	for name, c := range map[string]*ami.Client{"this process": f.Client, "the next": f.another()} {
		if a, err := c.Audience(t.Context(), f.template); err != nil || a == nil || a.To["topic"] != "arn" {
			t.Errorf("%s: got the audience %+v, %v; want the topic", name, a, err)
		}
	}
	roll := f.another()
	for range 2 {
		if err := roll.RecordRolled(t.Context(), ami.Rolled{Template: f.template, Number: 2, Source: 1, Image: second, By: "roll of group web"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := owed(t, roll, f.template); got != owedBoth {
		t.Errorf("made, and not listed yet: got %q, want %q", got, owedBoth)
	}
	if _, err := f.another().Ensure(t.Context(), ami.Want{Template: f.template, Image: second}); err != nil {
		t.Fatal(err)
	}
	if got := owed(t, f.another(), f.template); got != owedBoth {
		t.Errorf("made: got %q, want %q", got, owedBoth)
	}
	want := fmt.Sprintf(`"version":2,"source":1,"image":%q,"by":"roll of group web","at":`, second)
	if got := string(f.docs["versions/"+f.template]); strings.Count(got, `"version"`) != 1 || !strings.Contains(got, want) {
		t.Errorf("got record %s, want %s in it, once", got, want)
	}
	// Another apply leaves another image to the roll, for nobody.
	w.Image, w.Tell = first, nil
	if found, made, err = f.FindVersion(t.Context(), w); err == nil {
		err = f.another().Leave(t.Context(), w, found, made.Source)
	}
	if a, read := f.another().Audience(t.Context(), f.template); err != nil || read != nil || a != nil {
		t.Errorf("got the audience %+v, %v, %v; want none", a, err, read)
	}
	if got := owed(t, f.another(), f.template); got != owedBoth {
		t.Errorf("for nobody: got %q, want %q still", got, owedBoth)
	}
}
