package roller_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
	"github.com/fleetrefit/terraform-provider-refit/internal/rolltest"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// TestGolden tells whole rolls as stories, for people to read and to see what
// a change of the rules does to them: go test ./internal/roller -run Golden -update
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		about     string
		shape     rolltest.Shape
		low, high int
		spec      func(*rollout.Spec)
		// act lets others act during the roll; stop interrupts it.
		act func(t *testing.T, s *rolltest.Stage, stop context.CancelFunc)
		// again rolls a second time when the first did not succeed.
		again bool
	}{
		{
			name: "launch-first", about: "Four members at 100/150: two are launched ahead, and old ones end as new ones are healthy.",
			shape: rolltest.Shape{Members: 4}, low: 100, high: 150,
		},
		{
			name: "end-first", about: "Four members at 75/100: one at a time is ended, and AWS replaces it.",
			shape: rolltest.Shape{Members: 4}, low: 75, high: 100,
		},
		{
			name: "full-group", about: "Four members at their max size: it is raised for the time of the roll, which may, and put back at the end.",
			shape: rolltest.Shape{Members: 4, Max: 4}, low: 100, high: 150, spec: func(s *rollout.Spec) { s.RaiseMaxSize = true },
		},
		{
			name: "checkpoint", about: "Five members at 100/150 with a checkpoint of 20 % that bakes two minutes, and a final bake of one.",
			shape: rolltest.Shape{Members: 5}, low: 100, high: 150, spec: func(s *rollout.Spec) {
				s.Checkpoints, s.FinalBake = []rollout.Checkpoint{{Percentage: 20, Bake: 2 * time.Minute}}, time.Minute
			},
		},
		{
			name: "broken-image", about: "The new image never becomes healthy: the roll goes back to a copy of the version before it.",
			shape: rolltest.Shape{Members: 4, Image: "never_healthy = true"}, low: 100, high: 150,
		},
		{
			name: "failure-tolerated", about: "One new member dies once it is in service; failure_limit is 2, so another one takes its place.",
			shape: rolltest.Shape{Members: 4}, low: 100, high: 150, spec: func(s *rollout.Spec) { s.FailureLimit = 2 },
			act: func(t *testing.T, s *rolltest.Stage, _ context.CancelFunc) {
				t.Helper()
				s.Excuse()
				strike(t, s, "break", 1)
			},
		},
		{
			name: "default-pointer", about: "The group follows $Default: it is pinned to numbers during the roll, and the default moves at the end.",
			shape: rolltest.Shape{Members: 2, Pointer: "$Default"}, low: 100, high: 150,
		},
		{
			name: "scaled-in", about: "A policy takes two of four members while two are launched ahead: it eats the surge first.",
			shape: rolltest.Shape{Members: 4}, low: 100, high: 150, act: func(t *testing.T, s *rolltest.Stage, _ context.CancelFunc) {
				t.Helper()
				s.Excuse()
				s.Lenient()
				act(t, s, time.Minute, awssim.Action{Do: "scale", Value: -2})
			},
		},
		{
			name: "paused-and-resumed", about: "The run is interrupted after two minutes, comes to a safe point, and another one goes on.",
			shape: rolltest.Shape{Members: 4}, low: 100, high: 150, again: true, act: func(_ *testing.T, s *rolltest.Stage, stop context.CancelFunc) {
				s.World.At(2*time.Minute, stop)
			},
		},
		{
			name: "zone-without-capacity", about: "One of three zones has no capacity: the others take its share.",
			shape: rolltest.Shape{Members: 3}, low: 100, high: 200, act: func(_ *testing.T, s *rolltest.Stage, _ context.CancelFunc) {
				s.World.FailLaunches(awssim.LaunchFault{Zone: s.Group().Zones[1], Code: "InsufficientInstanceCapacity"})
			},
		},
		{
			name: "instance-refresh", about: "An instance refresh replaces two members on $Latest: the group is on the old version's number while it runs.",
			shape: rolltest.Shape{Members: 2, Pointer: "$Latest", Group: "launched_from = 1\n health_check = \"ELB\""}, low: 100, high: 150,
			spec: func(s *rollout.Spec) { s.Engine = rollout.EngineRefresh },
		},
		{
			name: "weights", about: "Sixteen units at 100/150, in three members of 4 and four of 1: two of 4 are launched ahead, and then the light ones end first.",
			shape: rolltest.Shape{Members: 12, Max: 24, Group: weighing(4, 1) + "launched_from = 1\n"}, low: 100, high: 150,
			act: func(t *testing.T, s *rolltest.Stage, _ context.CancelFunc) {
				t.Helper()
				s.Lenient()
				prefer(t, s)
				resize(t, s, 16)
				prefer(t, s)
				s.Outside(16)
				s.Log = nil
				s.Strict()
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := rolltest.New(t, c.shape)
			q := rolltest.Request(c.low, c.high)
			if c.spec != nil {
				c.spec(&q.Spec)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			s.Referee(q)
			if c.act != nil {
				c.act(t, s, stop)
			}
			_, err := s.Roll(ctx, q)
			end := fmt.Sprint("error: ", err)
			if err != nil && c.again {
				s.Roller = s.NewRoller("second", 2)
				_, err = s.Roll(t.Context(), q)
			}
			if err == nil {
				end = "no error"
			}
			golden(t, c.name, fmt.Sprintf("%s\n\n%s\n", c.about, readable(append(s.Log, end))))
		})
	}
}

// readable is a story with short names for members, and without the looks and
// what AWS's health checks say in between.
func readable(log []string) string {
	names := map[string]string{}
	var lines []string
	for _, line := range log {
		if strings.Contains(line, "  look ") || strings.Contains(line, "draining in ") {
			continue
		}
		words := strings.Fields(line)
		for _, w := range words {
			id := strings.Trim(w, ".,:")
			if strings.HasPrefix(id, "i-") && names[id] == "" {
				names[id] = fmt.Sprintf("member %c", 'A'+len(names))
			}
		}
		for id, name := range names {
			line = strings.ReplaceAll(line, id, name)
		}
		line = strings.ReplaceAll(line, "member member", "member")
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

// golden compares a text with testdata/name.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path) //nolint:gosec // a file of this package
	if err != nil {
		t.Fatal(err)
	}
	if string(want) == got {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := lineOf(gotLines, i), lineOf(wantLines, i)
		if g != w {
			t.Fatalf("%s:%d differs (run with -update if it should):\ngot  %s\nwant %s", path, i+1, g, w)
		}
	}
}

func lineOf(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(the end)"
}
