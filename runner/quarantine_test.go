package runner_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

// Two templates with quarantines: two active and one over for the first.
var quarantines = []image.Quarantine{
	{Template: "lt-1a", Data: "d1", Image: "ami-11", Reason: "two members\nnever became healthy", Until: time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC)},
	{Template: "lt-1a", Data: "d2", Image: "ami-12", Reason: "it failed"},
	{Template: "lt-1a", Data: "d3", Image: "ami-13", Reason: "it failed", Until: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)},
	{Template: "lt-2b", Data: "d4", Image: "ami-11", Reason: "it failed"},
}

// quarantined is a world with these quarantines.
func quarantined(t *testing.T) *rolltest.Stage {
	t.Helper()
	s := rolltest.New(t, rolltest.Shape{Members: 1})
	for _, q := range quarantines {
		if err := s.Roller.Docs.Put(t.Context(), image.QuarantinePath(q.Template, q.Data), q); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestQuarantineList(t *testing.T) {
	s := quarantined(t)
	out, err := command(t, s, "quarantine", "list", "--template", "lt-1a")
	want := `TEMPLATE  IMAGE   DATA  UNTIL                 REASON
lt-1a     ami-11  d1    2999-01-02T03:04:05Z  two members never became healthy
lt-1a     ami-12  d2    -                     it failed
`
	if err != nil || out != want {
		t.Errorf("printed\n%s%v\nwant\n%s", out, err, want)
	}
	out, err = command(t, s, "quarantine", "list", "--json")
	var list []image.Quarantine
	if err != nil || json.Unmarshal([]byte(out), &list) != nil || len(list) != 3 || list[2].Template != "lt-2b" {
		t.Errorf("printed %s, %v, want a JSON array of three", out, err)
	}
	out, err = command(t, s, "quarantine", "list", "--template", "lt-3", "--json")
	if err != nil || out != "[]\n" {
		t.Errorf("printed %q, %v, want an empty array", out, err)
	}
	out, err = command(t, s, "quarantine", "list", "--template", "lt-3")
	if err != nil || out != "nothing is in quarantine\n" {
		t.Errorf("printed %q, %v", out, err)
	}
}

func TestQuarantineClear(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  []string
		left  []string // data of what is still active, of all templates
		fails string
	}{
		{name: "image", args: []string{"lt-1a", "--image", "ami-11"}, left: []string{"d2", "d4"}},
		{name: "data", args: []string{"lt-1a", "--data", "d2"}, left: []string{"d1", "d4"}},
		{name: "all", args: []string{"lt-1a", "--all"}, left: []string{"d4"}},
		{name: "the only one", args: []string{"lt-2b"}, left: []string{"d1", "d2"}},
		{name: "none", args: []string{"lt-3", "--image", "ami-11"}, left: []string{"d1", "d2", "d4"}},
		{name: "which", args: []string{"lt-1a"}, left: []string{"d1", "d2", "d4"}, fails: "choose with --image, --data or --all: image ami-11 with data d1, image ami-12 with data d2"},
		{name: "another image", args: []string{"lt-1a", "--image", "ami-13"}, left: []string{"d1", "d2", "d4"}, fails: "ami-13 is not in quarantine for launch template lt-1a; these are: image ami-11"},
		{name: "a name", args: []string{"web"}, left: []string{"d1", "d2", "d4"}, fails: `TEMPLATE is "web"; give the id of a launch template`},
		{name: "two ways", args: []string{"lt-1a", "--all", "--data", "d1"}, left: []string{"d1", "d2", "d4"}, fails: "none of the others can be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quarantined(t)
			out, err := command(t, s, append([]string{"quarantine", "clear"}, c.args...)...)
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%v: printed %q, error %v, want %q", c.args, out, err, c.fails)
			}
			var left []string
			for _, q := range quarantines {
				var now image.Quarantine
				there, err := s.Roller.Docs.Get(t.Context(), image.QuarantinePath(q.Template, q.Data), &now)
				if err != nil || !there {
					t.Fatalf("%s is gone: %v", q.Data, err)
				}
				if now.Active(time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)) {
					left = append(left, q.Data)
				}
			}
			if got, want := strings.Join(left, " "), strings.Join(c.left, " "); got != want {
				t.Errorf("%v: got %q in quarantine, want %q", c.args, got, want)
			}
		})
	}
}

func TestQuarantineRefuses(t *testing.T) {
	s := rolltest.New(t, rolltest.Shape{Members: 1})
	for want, args := range map[string][]string{
		`unknown command "lits"`:                         {"quarantine", "lits"},
		`--template is "web"; give the id`:               {"quarantine", "list", "--template", "web"},
		"there is nothing to clear":                      {"quarantine", "clear", "lt-1"},
		"Show and clear what is not rolled to again":     {"--help"},
		"When a roll goes back because its image failed": {"quarantine"},
	} {
		out, err := command(t, s, args...)
		if err != nil {
			out += err.Error()
		}
		if !strings.Contains(out, want) {
			t.Errorf("%v: printed %q, want %q", args, out, want)
		}
	}
}
