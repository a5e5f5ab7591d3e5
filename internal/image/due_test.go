package image_test

import (
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
