package image_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// version is one of a template; moved one of a parameter.
func version(number int64, img, data string) image.Numbered {
	return image.Numbered{Number: number, Image: img, Data: data}
}

func moved(number int64, img string) image.Numbered {
	return image.Numbered{Parameter: "/p", Number: number, Image: img}
}

// dueText shows a list: what came of each, of what, after which, and who is left.
func dueText(all []image.Due) string {
	out := make([]string, 0, len(all))
	for _, d := range all {
		out = append(out, fmt.Sprintf("%s%d %s>%d to %s", d.Parameter, d.Number, d.Image, d.After, strings.Join(d.Left, "+")))
	}
	return strings.Join(out, ", ")
}

func TestOwed(t *testing.T) {
	t.Parallel()
	b := image.Due{After: 1, Image: "b", Data: "B", At: noon, Left: []string{"topic"}}
	again := b
	again.At = noon.Add(time.Minute)
	p := image.Due{Parameter: "/p", After: 3, Image: "b", At: noon.Add(-time.Minute), Left: []string{"bus"}}
	known := b
	known.Number = 2
	for _, c := range []struct {
		name  string
		due   []image.Due
		there []image.Numbered
		want  string
	}{
		{name: "nothing due", there: []image.Numbered{version(2, "b", "B")}},
		{"made", []image.Due{b}, []image.Numbered{version(1, "a", "A"), version(2, "b", "B")}, "2 b>1 to topic"},
		{"not made", []image.Due{b}, []image.Numbered{version(1, "a", "A")}, ""},
		{"was there before", []image.Due{b}, []image.Numbered{version(1, "b", "B")}, ""},
		{"withdrawn, and others made one", []image.Due{b}, []image.Numbered{version(1, "a", "A"), version(3, "b", "other")}, ""},
		{"the first of two", []image.Due{b}, []image.Numbered{version(2, "b", "B"), version(5, "b", "B")}, "2 b>1 to topic"},
		{"two tries, one version", []image.Due{b, again}, []image.Numbered{version(2, "b", "B")}, "2 b>1 to topic"},
		{"known, and not shown yet", []image.Due{known}, []image.Numbered{version(1, "a", "A")}, "2 b>1 to topic"},
		{"a parameter", []image.Due{p}, []image.Numbered{version(4, "b", "B"), moved(3, "a"), moved(4, "b")}, "/p4 b>3 to bus"},
		{"a parameter that somebody else moved", []image.Due{p}, []image.Numbered{moved(4, "c"), moved(5, "b")}, "/p5 b>3 to bus"},
		{"a parameter that was not stored", []image.Due{p}, []image.Numbered{moved(3, "b")}, ""},
		{"of both, by time", []image.Due{b, p}, []image.Numbered{version(2, "b", "B"), moved(4, "b")}, "/p4 b>3 to bus, 2 b>1 to topic"},
	} {
		if got := dueText(image.Owed(c.due, c.there)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAnnounce(t *testing.T) {
	t.Parallel()
	var due []image.Due
	for n := range int64(14) {
		due = image.Announce(due, image.Due{After: n, Image: "b", Data: "B", At: noon})
	}
	if len(due) != image.MostDue || due[0].After != 2 || due[image.MostDue-1].After != 13 {
		t.Errorf("got %s, want the newest %d", dueText(due), image.MostDue)
	}
	again := image.Announce(due, image.Due{After: 5, Image: "b", Data: "B", At: noon, Left: []string{"bus"}})
	if got := dueText(again[len(again)-1:]); len(again) != image.MostDue || got != "0 b>5 to bus" {
		t.Errorf("got %s, want one after 5, the last", dueText(again))
	}
	if other := image.Announce(due[:1], image.Due{Parameter: "/p", After: 2, Image: "b", Data: "B"}); len(other) != 2 {
		t.Errorf("got %s, want that of a parameter beside that of the template", dueText(other))
	}
}

func TestStillDue(t *testing.T) {
	t.Parallel()
	told := image.Due{After: 1, Image: "b", Data: "B", At: noon, Left: []string{"topic", "bus"}}
	made, half := told, told
	made.Number, made.Left = 2, nil
	half.Number, half.Left = 2, []string{"bus"}
	later := told
	later.After = 4
	for _, c := range []struct {
		name      string
		due, owed []image.Due
		after     time.Duration
		want      string
	}{
		{"told", []image.Due{told}, []image.Due{made}, 0, ""},
		{"half told", []image.Due{told}, []image.Due{half}, 0, "2 b>1 to bus"},
		{"half told, a day later", []image.Due{told}, []image.Due{half}, 24 * time.Hour, "2 b>1 to bus"},
		{"not there yet", []image.Due{told}, nil, 10 * time.Minute, "0 b>1 to topic+bus"},
		{"never made", []image.Due{told}, nil, 10*time.Minute + time.Second, ""},
		{"the same once more, not there yet", []image.Due{told, later}, []image.Due{made}, 0, "0 b>4 to topic+bus"},
	} {
		if got := dueText(image.StillDue(c.due, c.owed, noon.Add(c.after))); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// bare is a version of a template with data that differs from that of others by
// more than the image where bare does.
func bare(number int64, img, bare string) image.Numbered {
	return image.Numbered{Number: number, Image: img, Data: bare + img, Bare: bare, Made: noon.Add(time.Duration(number) * time.Hour)}
}

var audience = &image.Audience{To: map[string]string{"topic": "arn"}, Schedule: "web"}

// left is a version with image b that is left to a roll.
func left(after int64) image.Due {
	return image.Due{After: after, Source: after, From: "a", Image: "b", At: noon, Left: []string{"topic"}, Audience: audience}
}

// TestOwed_rolled: what a roll has made is known by being a copy of an older
// version, but for the image; of which one is not known before.
func TestOwed_rolled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		there []image.Numbered
		want  string // number, source, image before, hours after noon
	}{
		{"not made", []image.Numbered{bare(1, "a", "x")}, ""},
		{"made", []image.Numbered{bare(1, "a", "x"), bare(2, "b", "x")}, "2 of 1, a, 2h"},
		{"the template was edited before", []image.Numbered{bare(1, "a", "x"), bare(2, "a", "y"), bare(3, "b", "y")}, "3 of 2, a, 3h"},
		{"another image", []image.Numbered{bare(1, "a", "x"), bare(2, "c", "x")}, ""},
		{"no copy of any: an edit, or one to be withdrawn", []image.Numbered{bare(1, "a", "x"), bare(2, "b", "z")}, ""},
		{"there before", []image.Numbered{bare(1, "b", "x")}, ""},
		{"rolled back", []image.Numbered{bare(1, "a", "x"), bare(2, "b", "x"), bare(3, "a", "x")}, "2 of 1, a, 2h"},
		{"a parameter of that image", []image.Numbered{bare(1, "a", "x"), moved(2, "b")}, ""},
	} {
		got := ""
		for _, d := range image.Owed([]image.Due{left(1)}, c.there) {
			got += fmt.Sprintf("%d of %d, %s, %gh", d.Number, d.Source, d.From, d.At.Sub(noon).Hours())
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	one, two := []image.Numbered{bare(1, "a", "x")}, []image.Numbered{bare(1, "a", "x"), bare(2, "b", "x")}
	own := image.Due{After: 1, Image: "c", Data: "C", At: noon, Left: []string{"bus"}}
	next := left(2)
	next.Image = "d"
	nobody := next
	nobody.Left = nil
	for _, c := range []struct {
		name  string
		due   []image.Due
		next  image.Due
		there []image.Numbered
		want  string
	}{
		{"the first", nil, next, one, "0 d>2 to topic"},
		{"in place of one that was not made", []image.Due{left(1), own}, next, one, "0 c>1 to bus, 0 d>2 to topic"},
		{"beside one that was made", []image.Due{left(1)}, next, two, "2 b>1 to topic, 0 d>2 to topic"},
		{"nobody is to be told now", []image.Due{left(1), own}, nobody, one, "0 c>1 to bus"},
	} {
		got := image.Leave(c.due, c.next, c.there)
		if text := dueText(got); text != c.want {
			t.Errorf("%s: got %q, want %q", c.name, text, c.want)
		}
		audiences := 0
		for n, d := range got {
			if d.Audience != nil {
				audiences++
			}
			got[n].Number = 0 // is not on record
		}
		if want := len(c.next.Left); audiences != want || (image.AudienceOf(got) != nil) != (want > 0) {
			t.Errorf("%s: got %d audiences, want %d", c.name, audiences, want)
		}
		// What was made is still known after that.
		if c.there[len(c.there)-1].Number == 2 {
			if text := dueText(image.Owed(got, c.there)); text != "2 b>1 to topic" {
				t.Errorf("%s: got %q owed, want version 2", c.name, text)
			}
		}
	}
}

func TestStillDue_rolled(t *testing.T) {
	t.Parallel()
	made := image.Owed([]image.Due{left(1)}, []image.Numbered{bare(1, "a", "x"), bare(2, "b", "x")})
	toldAll := []image.Due{made[0]}
	toldAll[0].Left = nil
	for _, c := range []struct {
		name  string
		owed  []image.Due
		after time.Duration
		want  string
	}{
		{"waiting for its window", nil, 30 * 24 * time.Hour, "0 b>1 to topic"},
		{"forgotten", nil, 91 * 24 * time.Hour, ""},
		{"told", toldAll, time.Hour, ""},
	} {
		if got := dueText(image.StillDue([]image.Due{left(1)}, c.owed, noon.Add(c.after))); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDueFits: a record is never larger than a store takes.
func TestDueFits(t *testing.T) {
	t.Parallel()
	var due []image.Due
	for n := range int64(20) {
		due = image.Announce(due, image.Due{Parameter: "/" + strings.Repeat("x", 800), After: n, Image: "b", At: noon, Left: []string{"topic"}})
		if body, err := json.Marshal(due); err != nil || len(body) > 4096 || due[len(due)-1].After != n {
			t.Fatalf("got %d bytes, %v, the last after %d; want at most 4,096, the last after %d", len(body), err, due[len(due)-1].After, n)
		}
	}
}

func TestAudienceSort(t *testing.T) {
	t.Parallel()
	if s := (image.Audience{}).Sort(); s.Pattern != nil {
		t.Errorf("got %v, want by date", s.Pattern)
	}
	if s := (image.Audience{Pattern: `-v([0-9]+)$`}).Sort(); s.Pattern == nil || s.Pattern.String() != `-v([0-9]+)$` {
		t.Errorf("got %v, want the pattern", s.Pattern)
	}
}
