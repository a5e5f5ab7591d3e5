package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestDecide_launchedLater: a new member that AWS launches long after it was last
// asked to is not as old as that.
func TestDecide_launchedLater(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	rec.Base, rec.Surge = 4, 0
	mem := rollout.Memory{Asked: began.Add(10 * time.Second), Progress: began}
	at := func(d time.Duration) rollout.Snapshot {
		s := later(s, d)
		s.ActivitiesSeen = false
		return s
	}
	d := decide(spec(75, 100), at(9*time.Minute), rec, mem)
	s.Members[3] = rollout.Member{ID: "i-new", Zone: "a", State: rollout.Pending, StateText: "Pending", Healthy: true, Version: target}
	d = decide(spec(75, 100), at(12*time.Minute), d.Record, d.Memory)
	if strings.Contains(notes(d), "instance_timeout") || d.Record.Blame {
		t.Errorf("notes %q, want nobody blamed", notes(d))
	}
	if got, want := d.Memory.FirstSeen["i-new"], began.Add(8*time.Minute); !got.Equal(want) {
		t.Errorf("launched at %s, want %s: a minute before the last look", got, want)
	}
}

// TestDecide_theirRefresh: a member that runs another version than it was launched
// from, or that an instance refresh has replaced, lets the roll look whether one
// of somebody else's is running, and end if so. No image is blamed.
func TestDecide_theirRefresh(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rollout.Snapshot){
		"launched from another version": func(s *rollout.Snapshot) { s.Members[4].Version = old },
		"replaced": func(s *rollout.Snapshot) {
			id := s.Members[4].ID
			s.Members = s.Members[:4]
			s.Departures = map[string]rollout.Departure{id: {Text: "by an instance refresh", Wanted: true, Refresh: true}}
		},
	} {
		for _, running := range []bool{true, false} {
			s := group(5)
			s.Group.Desired = 4
			rec := rolling(&s)
			s.Group.Desired, rec.Surge = 5, 1
			s.Members[4].Version = target
			d := decide(spec(100, 125), s, rec, rollout.Memory{})
			change(&s)
			d = decide(spec(100, 125), later(s, 10*time.Second), d.Record, d.Memory)
			if len(d.Steps) > 0 || !d.Look.Refreshes || d.Ending != nil {
				t.Errorf("%s: steps %q, look %+v, ending %+v, want that it looks first", name, kinds(d), d.Look, d.Ending)
			}
			s.RefreshesSeen = true
			if running {
				s.Refreshes = []rollout.InstanceRefresh{{ID: "r-1", Status: "InProgress"}}
			}
			d = decide(spec(100, 125), later(s, 11*time.Second), d.Record, d.Memory)
			superseded := d.Ending != nil && d.Ending.Outcome == rollout.Superseded && strings.Contains(d.Ending.Reason, "r-1")
			if superseded != running || d.Record.Failed > 0 || d.Memory.Suspect {
				t.Errorf("%s, running %t: ending %+v, failed %d, want superseded only by one that runs", name, running, d.Ending, d.Record.Failed)
			}
		}
	}
}

// TestDecide_theirVersion: in place of a member that was ended AWS launches one of
// the old version, although the group points at the target, or did when it was
// ended. That lets the roll look whether somebody else's instance refresh runs, or
// is being cancelled, before it ends that one, too.
func TestDecide_theirVersion(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{true, false} {
		s := group(4)
		rec := rolling(&s)
		rec.Proven = proven
		for i := range 3 {
			s.Members[i].Version = target
		}
		gone, come := s, s
		gone.Members = s.Members[:3]
		come.Members = append(slices.Clone(gone.Members), healthy(7, old))
		sp := spec(75, 100)
		d := decide(sp, later(s, 5*time.Minute), rec, rollout.Memory{})
		d.Memory.Asked = began.Add(5 * time.Minute)
		d = decide(sp, later(gone, 6*time.Minute), d.Record, d.Memory)
		if d.Look.Refreshes {
			t.Fatalf("proven %t: it looks for instance refreshes before there is a reason", proven)
		}
		d = decide(sp, later(come, 7*time.Minute), d.Record, d.Memory)
		if len(d.Steps) > 0 || !d.Look.Refreshes || d.Ending != nil {
			t.Errorf("proven %t: steps %q, look %+v, ending %+v, want that it looks first", proven, kinds(d), d.Look, d.Ending)
		}
		come.RefreshesSeen = true
		quiet := decide(sp, later(come, 7*time.Minute+time.Second), d.Record, d.Memory)
		if quiet.Ending != nil || quiet.Look.Refreshes {
			t.Errorf("proven %t: no refresh, ending %+v, look %+v, want that it goes on", proven, quiet.Ending, quiet.Look)
		}
		come.Refreshes = []rollout.InstanceRefresh{{ID: "r-1", Status: rollout.RefreshCancelling}}
		d = decide(sp, later(come, 7*time.Minute+time.Second), d.Record, d.Memory)
		if d.Ending == nil || d.Ending.Outcome != rollout.Superseded || !strings.Contains(d.Ending.Reason, "r-1") {
			t.Errorf("proven %t: ending %+v, want superseded by r-1", proven, d.Ending)
		}
	}
}

// TestDecide_lostSuspend: a suspension whose answer was lost is ours as soon as it
// shows, also when the first looks are older.
func TestDecide_lostSuspend(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	rec.Suspended, rec.Held = nil, false
	rec.Intents = []rollout.Intent{{Kind: rollout.Suspend, Names: []string{"InstanceRefresh"}, Lost: true, Since: began}}
	s.Group.Suspended = map[string]string{"AZRebalance": "theirs"}
	d := decide(spec(100, 150), later(s, 10*time.Second), rec, rollout.Memory{})
	if len(d.Record.Intents) != 1 {
		t.Fatalf("intents %+v, want that it is still looked for", d.Record.Intents)
	}
	shown := s
	shown.Group.Suspended = map[string]string{"AZRebalance": "theirs", "InstanceRefresh": "ours"}
	found := decide(spec(100, 150), later(shown, 20*time.Second), d.Record, d.Memory)
	if _, ours := found.Record.Suspended["InstanceRefresh"]; !ours || len(found.Record.Intents) > 0 {
		t.Errorf("suspended %v, intents %+v, want it ours, and none", found.Record.Suspended, found.Record.Intents)
	}
	if d := decide(spec(100, 150), later(s, time.Minute), d.Record, d.Memory); len(d.Record.Intents) > 0 {
		t.Errorf("intents %+v after a minute, want none", d.Record.Intents)
	}
}

// TestDecide_halfRestored: an owner died when it was about to put back what the
// roll had changed. The pointer goes where it should be, if it is not there.
func TestDecide_halfRestored(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ found, seen, want string }{
		{"1", "1", "point 2, resume"}, {"1", "2", "resume"}, {"$Default", "$Default", ""}, {"$Default", "1", "point 2"},
	} {
		s := group(4)
		for i := range s.Members {
			s.Members[i].Version = target
		}
		s.Group.Default, s.Group.DefaultIs = 2, target
		in := rolling(&s)
		in.Pointer, in.Pinned, in.Restoring = c.found, 1, true
		s.Group.Pointer, s.Group.Points = c.seen, old
		if c.seen != "1" {
			s.Group.Points = target
		}
		s = later(s, 5*time.Minute)
		rec := rollout.Begin(rollout.Opening{Spec: spec(100, 150), Snapshot: s, Target: target, Inherited: &in, Epoch: 2, TookOver: true})
		d := decide(spec(100, 150), s, rec, rollout.Memory{})
		d = decide(spec(100, 150), later(s, 30*time.Second), d.Record, d.Memory)
		if got := kinds(d); !strings.HasPrefix(got, c.want) || strings.Contains(got, "point 2") != strings.Contains(c.want, "point 2") {
			t.Errorf("found on %s, seen on %s: steps %q, want %q", c.found, c.seen, got, c.want)
		}
	}
}

// TestDecide_soonWell: EC2 took a member, and AWS has launched another of the old
// version in its place, which brings the floor back. It is not ended before, but
// for one that takes too long.
func TestDecide_soonWell(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]int{10 * time.Second: 0, 6 * time.Minute: 1} {
		s := group(5)
		s.Group.Desired = 4
		rec := rolling(&s)
		s.Group.Desired, rec.Surge = 5, 1
		s.Members[4].Version = target
		d := decide(spec(100, 125), s, rec, rollout.Memory{})
		s.Members[0].ID = "i-new"
		for _, i := range []int{0, 1} {
			s.Members[i].Targets = []rollout.Target{{Group: "tg", State: "initial"}}
		}
		s.Members[1].Targets[0].State = "unhealthy"
		d = decide(spec(100, 125), later(s, time.Minute), d.Record, d.Memory)
		mem := d.Memory
		mem.Graduated = map[string]bool{s.Members[4].ID: true}
		mem.Progress = began.Add(time.Minute + after)
		d = decide(spec(100, 125), later(s, time.Minute+after), d.Record, mem)
		ended := 0
		for _, step := range d.Steps {
			if step.Kind == rollout.End && step.Member == "i-new" {
				ended++
			}
		}
		if ended != want {
			t.Errorf("%s later: steps %q, the new one is ended %d times, want %d", after, kinds(d), ended, want)
		}
	}
}

// TestDecide_oldAgain: AWS launches the old version for each member that is ended,
// whatever the group points at, and nobody knows why. That stale ones are ended is no
// progress then, and the roll ends after instance_timeout.
func TestDecide_oldAgain(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec, mem, sp := rolling(&s), rollout.Memory{}, spec(75, 100)
	for i := range 3 {
		s.Members[i].Version = target
	}
	current := s.Members[:3]
	at, ends := began, 0
	decided := func(members []rollout.Member) *rollout.Ending {
		at = at.Add(35 * time.Second)
		s.At, s.Members, s.RefreshesSeen = at, members, true
		d := decide(sp, s, rec, mem)
		rec, mem = d.Record, d.Memory
		for _, step := range d.Steps {
			if step.Kind == rollout.End {
				ends++
			}
			rec, mem, _ = rollout.Settle(rollout.Intend(rec, []rollout.Step{step}), mem, step, rollout.Result{}, at)
		}
		return d.Ending
	}
	for i := 3; i < 100; i++ {
		end := decided(append(slices.Clone(current), healthy(i, old)))
		if end == nil {
			end = decided(current)
		}
		if end == nil {
			continue
		}
		if took := at.Sub(began); end.Outcome != rollout.Paused || !strings.Contains(end.Reason, "no progress for") || took < sp.InstanceTimeout || took > 2*sp.InstanceTimeout || ends < 5 {
			t.Errorf("%+v after %s and %d ends, want it paused after instance_timeout for want of progress", end, took, ends)
		}
		return
	}
	t.Errorf("it goes on after %s and %d ends", at.Sub(began), ends)
}

// TestDecide_scaledInBefore: others have just scaled in, and the look is from before
// AWS has ended anybody for it. Whom it takes nobody knows, so that many members are
// not counted on for the floor. What it does not end within two minutes, it leaves.
func TestDecide_scaledInBefore(t *testing.T) {
	t.Parallel()
	s := group(9)
	rec, sp := rolling(&s), spec(90, 100)
	for i := range 4 {
		s.Members[i].Version = target
	}
	d := decide(sp, later(s, 5*time.Minute), rec, rollout.Memory{})
	for i := range 4 { // one of them has yet to graduate
		d.Memory.Graduated[s.Members[i].ID] = i > 0
	}
	d.Memory.HealthySince[s.Members[0].ID] = began.Add(5 * time.Minute)
	s.Group.Desired = 8
	s.Changes = []rollout.Change{{At: began.Add(5 * time.Minute), From: 9, To: 8, Cause: "a monitor alarm scaled in"}}
	sp.MinHealthyTime = time.Hour
	for _, c := range []struct {
		after time.Duration
		gone  bool // AWS has ended one
		want  string
	}{
		{5*time.Minute + 10*time.Second, false, "point 2"}, // as after any change of owner
		{5*time.Minute + 20*time.Second, true, "point 2"},
		{7*time.Minute + 20*time.Second, false, "end"},
	} {
		look := later(s, c.after)
		if c.gone {
			look.Members = slices.Clone(s.Members)
			look.Members[8].State, look.Members[8].StateText = rollout.Terminating, "Terminating"
		}
		next := decide(sp, look, d.Record, d.Memory)
		if got := kinds(next); got != c.want || next.Record.Base != 8 {
			t.Errorf("after %s, one gone %t: steps %q, base %d, want %q and 8", c.after, c.gone, got, next.Record.Base, c.want)
		}
		if soon := look.At.Add(sp.Poll); c.want == "point 2" && !c.gone && !next.Next.Equal(soon) {
			t.Errorf("after %s: the next look is at %s, want %s, when AWS may have acted", c.after, next.Next, soon)
		}
		if !c.gone {
			d = next
		}
	}
}
