package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

func TestBegin(t *testing.T) {
	t.Parallel()
	s := group(4)
	s.Changes = []rollout.Change{{At: began.Add(-time.Hour)}, {At: began.Add(-time.Minute)}}
	got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Epoch: 7})
	if got.Base != 4 || got.Size != 4 || got.Surge != 0 || got.Epoch != 7 || got.Pinned != 1 || got.Pointer != "1" ||
		got.Stale0 != 4 || got.Previous != old || !got.Changed.Equal(began.Add(-time.Minute)) {
		t.Errorf("Begin(four on version 1 → 2) = %+v", got)
	}
	s.Group.Points = target
	if got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target}); got.Pinned != 0 || got.Previous != old {
		t.Errorf("with the pointer on the target already: pinned %d, previous %v, want 0 and version 1", got.Pinned, got.Previous)
	}
}

// TestAsked: what an unfinished roll has made of the pointer is not what a request
// without a version is for; what others have is.
func TestAsked(t *testing.T) {
	t.Parallel()
	pinned := rollout.Record{Pointer: "$Latest", Pointed: "1", Previous: old, Target: target, Refresh: &rollout.RefreshRecord{}}
	for _, c := range []struct {
		name, text, pointer string
		rec                 *rollout.Record
		want                string
	}{
		{"no roll", "", "1", nil, ""},
		{"on the number of the old version", "", "1", &pinned, "$Latest"},
		{"on the target", "", "2", &pinned, "$Latest"},
		{"back on its text", "", "$Latest", &pinned, "$Latest"},
		{"others have set it since", "", "7", &pinned, ""},
		{"a roll that has not touched it", "", "1", &rollout.Record{Pointer: "1"}, ""},
		{"a version is named", "2", "1", &pinned, "2"},
	} {
		if got := rollout.Asked(c.text, rollout.Group{Pointer: c.pointer}, c.rec); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestBegin_previous finds where a rollback goes.
func TestBegin_previous(t *testing.T) {
	t.Parallel()
	ancient := rollout.Version{TemplateID: "lt-1", Number: 9, Data: "d9", Image: "ami-9"}
	again := rollout.Version{TemplateID: "lt-1", Number: 5, Data: "d1", Image: "ami-1"} // a copy of version 1
	other := rollout.Version{TemplateID: "lt-1", Number: 3, Data: "d3", Image: "ami-3"}
	unknown := rollout.Version{Image: "ami-0"}
	for _, c := range []struct {
		name    string
		members []rollout.Version
		points  rollout.Version
		want    int64
	}{
		{"the majority", []rollout.Version{old, old, ancient}, old, 1},
		{"of equal data the newest number", []rollout.Version{old, again, ancient}, old, 5},
		{"equal votes: the newest", []rollout.Version{old, ancient}, old, 9},
		{"never the pointer while members tell", []rollout.Version{old, old}, other, 1},
		{"the pointer when they do not", []rollout.Version{unknown}, other, 3},
		{"nobody to ask, pointer elsewhere", nil, old, 1},
		{"nobody to ask, pointer on the target", nil, target, 0},
		{"all current", []rollout.Version{target, target}, target, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(0)
			s.Group.Points = c.points
			for i, v := range c.members {
				s.Members = append(s.Members, healthy(i, v))
			}
			got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target}).Previous.Number
			if got != c.want {
				t.Errorf("previous of %v pointing at %d = %d, want %d", c.members, c.points.Number, got, c.want)
			}
		})
	}
}

func TestBegin_resumed(t *testing.T) {
	t.Parallel()
	s := group(4)
	in := rolling(&s)
	in.Surge, in.Seq, in.Outcome, in.Reason, in.Checkpoints = 2, 9, rollout.Paused, "the run was interrupted", 1
	in.Intents = []rollout.Intent{{Kind: rollout.End, IDs: []string{"i-1"}, Dec: true}}
	s.Group.Desired = 6
	got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 2})
	if got.Surge != 2 || got.Base != 4 || got.Epoch != 2 || got.Seq != 0 || got.Outcome != "" || got.Reason != "" || got.Checkpoints != 1 ||
		len(got.Intents) != 1 || !got.Intents[0].Lost || got.Pointed != "2" || got.Pointer != "1" {
		t.Errorf("resumed = %+v", got)
	}
	if in.Intents[0].Lost {
		t.Error("the inherited record was changed")
	}

	t.Run("back keeps its reason", func(t *testing.T) {
		t.Parallel()
		in := in
		in.Direction, in.Reason = rollout.Back, "member i-9 is unhealthy"
		if got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in}); got.Reason != in.Reason {
			t.Errorf("reason = %q, want what had failed", got.Reason)
		}
	})
	t.Run("somebody else's pointer is taken as found", func(t *testing.T) {
		t.Parallel()
		s := s
		s.Group.Pointer = "$Latest"
		if got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in}); got.Pointer != "$Latest" || got.Pointed != "$Latest" {
			t.Errorf("pointer found %q, set %q, want $Latest", got.Pointer, got.Pointed)
		}
	})
	t.Run("suspensions that are gone are not ours", func(t *testing.T) {
		t.Parallel()
		s := s
		s.Group.Suspended = map[string]string{"AZRebalance": "r"}
		got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in})
		if _, ours := got.Suspended["InstanceRefresh"]; ours || len(got.Suspended) != 1 {
			t.Errorf("suspended = %v, want AZRebalance only", got.Suspended)
		}
	})
}

// TestBegin_suspended: a look right after the former owner's last call may not show
// what that owner has suspended, which is resumed all the same.
func TestBegin_suspended(t *testing.T) {
	t.Parallel()
	s := group(4)
	in := rolling(&s)
	in.Suspended, s.Group.Suspended = map[string]string{"InstanceRefresh": ""}, nil
	for _, after := range []time.Duration{4 * time.Second, 30 * time.Second} {
		o := rollout.Opening{Spec: spec(100, 150), Snapshot: later(s, after), Target: target, Inherited: &in, Written: later(s, 0).At}
		got := rollout.Begin(o)
		d := rollout.Decide(rollout.Input{Spec: o.Spec, Snapshot: o.Snapshot, Record: got, Stop: "interrupted"})
		if ours, young := strings.Contains(kinds(d), "resume"), after < 30*time.Second; ours != young || len(got.Suspended) > 0 != young {
			t.Errorf("a look %s after the record: suspended by us %v, at a stop %q, want it resumed: %t", after, got.Suspended, kinds(d), young)
		}
	}
}

// TestMadeFrom: what a roll made is known for that in its record, also where the
// answer was lost and another process goes on.
func TestMadeFrom(t *testing.T) {
	t.Parallel()
	s := group(4)
	unmade := target
	unmade.Number, unmade.Source = 0, 1
	in := rolling(&s)
	in.Target = unmade
	step := rollout.Step{Kind: rollout.Make, Template: "lt-1", Source: 1, Image: target.Image}
	if rec, _, _ := rollout.Settle(in, rollout.Memory{}, step, rollout.Result{Version: 2}, began); rec.MadeFrom != 1 || rec.Target.Number != 2 {
		t.Errorf("made: version %d from %d, want 2 from 1", rec.Target.Number, rec.MadeFrom)
	}
	lost := rollout.Result{Failure: &rollout.Failure{Kind: rollout.Lost}}
	rec, _, _ := rollout.Settle(in, rollout.Memory{}, step, lost, began)
	if rec.MadeFrom != 0 {
		t.Errorf("no answer: from %d, want that it is not known to be made", rec.MadeFrom)
	}
	for to, want := range map[rollout.Version]int64{unmade: 0, target: 1} {
		got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: to, Inherited: &rec, Epoch: 2})
		if got.MadeFrom != want {
			t.Errorf("resumed to version %d: from %d, want %d", to.Number, got.MadeFrom, want)
		}
		again := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &got, Epoch: 3})
		if again.MadeFrom != 1 {
			t.Errorf("resumed to version %d, and again: from %d, want 1", to.Number, again.MadeFrom)
		}
	}
	if fresh := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target}); fresh.MadeFrom != 0 {
		t.Errorf("a version that was there: from %d, want 0", fresh.MadeFrom)
	}
}

// TestBegin_otherTarget continues with another version what a roll left.
func TestBegin_otherTarget(t *testing.T) {
	t.Parallel()
	third := rollout.Version{TemplateID: "lt-1", Number: 3, Data: "d3", Image: "ami-3"}
	s := group(4)
	in := rolling(&s)
	in.Surge = 2
	s.Group.Desired = 6
	got := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: third, Inherited: &in, Epoch: 2})
	if got.Base != 4 || got.Surge != 2 || got.Size != 4 || got.Pointer != "1" || got.Pointed != "2" || len(got.Suspended) != 2 || got.Proven {
		t.Errorf("Begin(2 → 3) = %+v, want the first roll's base, surge, pointer and suspensions", got)
	}
}

func TestAssess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		low, high        int
		change           func(*rollout.Snapshot)
		converged        bool
		stale            int
		problem, warning string
	}{
		{name: "four to replace", high: 150, low: 100, change: func(*rollout.Snapshot) {}, stale: 4},
		{name: "nothing to do", high: 150, low: 100, converged: true, change: func(s *rollout.Snapshot) {
			s.Group.Points = target
			for i := range s.Members {
				s.Members[i].Version = target
			}
		}},
		{name: "only the pointer", high: 150, low: 100, change: func(s *rollout.Snapshot) {
			for i := range s.Members {
				s.Members[i].Version = target
			}
		}},
		{name: "a refused feature", high: 150, low: 100, stale: 4, problem: "classic load balancers, which this version of Refit cannot roll", change: func(s *rollout.Snapshot) {
			s.Group.Refused = []string{"classic load balancers"}
		}},
		{name: "a process it cannot do without", high: 150, low: 100, stale: 4, problem: "resume-processes --auto-scaling-group-name \"web\" --scaling-processes Launch", change: func(s *rollout.Snapshot) {
			s.Group.Suspended = map[string]string{"Launch": "User suspended"}
		}},
		{name: "a process it can do without", high: 150, low: 100, stale: 4, change: func(s *rollout.Snapshot) {
			s.Group.Suspended = map[string]string{"AZRebalance": "", "AlarmNotification": ""}
		}},
		{name: "somebody's refresh", high: 150, low: 100, stale: 4, problem: "cancel-instance-refresh", change: func(s *rollout.Snapshot) {
			s.Refreshes = []rollout.InstanceRefresh{{ID: "1234", Status: rollout.RefreshInProgress}}
		}},
		{name: "a protected member", high: 150, low: 100, stale: 4, warning: `1 member is protected from scale-in and the roll waits for them`, change: func(s *rollout.Snapshot) {
			s.Members[0].Protected = true
		}},
		{name: "a member in standby", high: 150, low: 100, stale: 4, warning: "1 member is in standby and the roll waits", change: func(s *rollout.Snapshot) {
			s.Members[0].State, s.Members[0].StateText = rollout.Standby, "Standby"
		}},
		{name: "a state no roll acts on", high: 150, low: 100, stale: 3, problem: "(Quarantined)", change: func(s *rollout.Snapshot) {
			s.Members[0].State, s.Members[0].StateText = rollout.Other, "Quarantined"
		}},
		{name: "no headroom", high: 125, low: 100, stale: 4, problem: "raise max_size of the group to at least 5", change: func(s *rollout.Snapshot) { s.Group.Max = 4 }},
		{name: "one is sick", high: 150, low: 100, stale: 4, warning: "1 of 4 members to replace are not healthy", change: func(s *rollout.Snapshot) {
			s.Members[0].Targets[0].State = "unhealthy"
		}},
		{name: "tight upwards", high: 120, low: 100, stale: 4, warning: "max_healthy_percentage = 120 leaves no room for 4 members; one is launched beyond", change: func(*rollout.Snapshot) {}},
		{name: "tight by default", high: rollout.Defaults().MaxHealthy, low: 100, stale: 4, change: func(*rollout.Snapshot) {}},
		{name: "tight downwards", high: 100, low: 90, stale: 4, warning: "one member is taken down at a time", change: func(*rollout.Snapshot) {}},
		{name: "an unused target group", high: 150, low: 100, stale: 4, warning: "target group tg is not used", change: func(s *rollout.Snapshot) {
			for i := range s.Members {
				s.Members[i].Targets[0].State = "unused"
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(4)
			c.change(&s)
			got := rollout.Assess(spec(c.low, c.high), s, target)
			if got.Converged != c.converged || got.Stale != c.stale {
				t.Errorf("converged %t with %d stale, want %t with %d", got.Converged, got.Stale, c.converged, c.stale)
			}
			if p := texts(got.Problems); (p == "") != (c.problem == "") || !strings.Contains(p, c.problem) {
				t.Errorf("problems = %q, want %q", p, c.problem)
			}
			if w := strings.Join(slices.Concat(got.Warnings, got.Special), "; "); (w == "") != (c.warning == "") || !strings.Contains(w, c.warning) {
				t.Errorf("warnings = %q, want %q", w, c.warning)
			}
		})
	}
	t.Run("the only member", func(t *testing.T) {
		t.Parallel()
		got := rollout.Assess(spec(90, 100), group(1), target)
		if w := strings.Join(got.Warnings, "; "); !strings.Contains(w, "takes the only member down") {
			t.Errorf("warnings = %q", w)
		}
	})
}

func TestAssess_match(t *testing.T) {
	t.Parallel()
	s := group(2)
	s.Members[0].Version = rollout.Version{TemplateID: "lt-1", Number: 8, Data: "d8", Image: target.Image} // other data, same image
	s.Members[1].Version = rollout.Version{Image: target.Image}                                            // no template: judged by image
	both := spec(100, 150)
	if got := rollout.Assess(both, s, target); got.Stale != 1 {
		t.Errorf("match data: %d stale, want 1", got.Stale)
	}
	both.Match = rollout.MatchImage
	if got := rollout.Assess(both, s, target); got.Stale != 0 {
		t.Errorf("match image: %d stale, want 0", got.Stale)
	}
}

func TestAssess_noReturn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*rollout.Snapshot, *rollout.Spec)
		want   string // empty: the way back is open
	}{
		{"nothing is gone", func(*rollout.Snapshot, *rollout.Spec) {}, ""},
		{"the image is gone", func(s *rollout.Snapshot, _ *rollout.Spec) { s.Unusable = map[string]string{"ami-1": "is deregistered"} }, "image ami-1 of version 1"},
		{"another image is gone", func(s *rollout.Snapshot, _ *rollout.Spec) { s.Unusable = map[string]string{"ami-9": "is deregistered"} }, ""},
		{"the version is gone", func(s *rollout.Snapshot, _ *rollout.Spec) {
			for i := range s.Members {
				s.Members[i].Version.Data = ""
			}
		}, "version 1 of the launch template"},
		{"from another template", func(s *rollout.Snapshot, _ *rollout.Spec) {
			for i := range s.Members {
				s.Members[i].Version.TemplateID = "lt-0"
			}
		}, "another launch template, lt-0"},
		{"nobody asked", func(s *rollout.Snapshot, p *rollout.Spec) {
			s.Unusable, p.OnFailure = map[string]string{"ami-1": "is deregistered"}, rollout.Pause
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, p := group(4), spec(100, 150)
			c.change(&s, &p)
			a := rollout.Assess(p, s, target)
			if said := strings.Join(a.Warnings, "; "); (c.want == "") != (said == "") || !strings.Contains(said, c.want) {
				t.Errorf("warnings = %q, want %q", said, c.want)
			}
			rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target, Epoch: 1})
			if p.OnFailure == rollout.Rollback && rec.NoReturn != a.NoReturn {
				t.Errorf("on record is %q, the plan said %q", rec.NoReturn, a.NoReturn)
			}
		})
	}
}
