package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// answering is a member that passes every signal there is.
func answering(m rollout.Member) rollout.Member {
	m.Status = rollout.Status{Instance: "ok", System: "ok", Volumes: "ok"}
	m.Probed, m.Probe = true, ""
	return m
}

// watched is a roll of four with every signal chosen, whose two new members
// have graduated, and the look that follows.
func watched(t *testing.T) (rollout.Spec, rollout.Snapshot, rollout.Record, rollout.Memory) {
	t.Helper()
	p := spec(100, 150)
	probe := rollout.DefaultProbe("http://{private_ip}/")
	p.EC2Status, p.Probe, p.Alarms = true, &probe, []string{"web-5xx"}
	s := group(4)
	s.StatusSeen, s.ProbesSeen, s.AlarmsSeen, s.AttributesSeen = true, true, true, true
	s.Alarms = map[string]rollout.Alarm{"web-5xx": {State: "OK"}}
	s.Group.Balancers = []string{"old-web"}
	rec := rolling(&s)
	rec.Surge, rec.Launched = 2, 2
	s.Group.Desired = 6
	for i := 4; i < 6; i++ {
		s.Members = append(s.Members, healthy(i, target))
	}
	for i, m := range s.Members {
		m.Targets = append(m.Targets, rollout.Target{Group: "old-web", State: "InService"})
		s.Members[i] = answering(m)
	}
	var mem rollout.Memory
	for range 12 { // three passes, 30 s of health
		d := decide(p, s, rec, mem)
		rec, mem = d.Record, d.Memory
		rec.Intents = nil
		s = later(s, 5*time.Second)
	}
	if len(mem.Graduated) != 2 {
		t.Fatalf("graduated: %v, want the two new members", mem.Graduated)
	}
	return p, s, rec, mem
}

// Each signal by itself makes a member not healthy, says so, and fails the
// image when only new members lack it, the environment when old ones do too.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(*rollout.Member)
		want  string
	}{
		{"target group", func(m *rollout.Member) { m.Targets[0].State = "unhealthy" }, "is unhealthy in target group tg"},
		{"not in the target group", func(m *rollout.Member) { m.Targets = m.Targets[1:] }, "is not registered in target group tg"},
		{"one unused target", func(m *rollout.Member) { m.Targets[0].State = "unused" }, "is unused in target group tg"},
		{"classic out of service", func(m *rollout.Member) { m.Targets[1].State = "OutOfService" }, "is OutOfService in classic load balancer old-web"},
		{"classic unknown", func(m *rollout.Member) { m.Targets[1].State = "Unknown" }, "is Unknown in classic load balancer old-web"},
		{"impaired", func(m *rollout.Member) { m.Status.Instance = "impaired" }, "has the EC2 instance status impaired"},
		{"system impaired", func(m *rollout.Member) { m.Status.System = "impaired" }, "has the EC2 system status impaired"},
		{"volumes impaired", func(m *rollout.Member) { m.Status.Volumes = "impaired" }, "has the EC2 attached EBS status impaired"},
		{"without data", func(m *rollout.Member) { m.Status.Instance = "insufficient-data" }, "has the EC2 instance status insufficient-data"},
		{"no status", func(m *rollout.Member) { m.Status = rollout.Status{} }, "has no EC2 status yet"},
		{"probe", func(m *rollout.Member) { m.Probe = "expected status 200-299, got 503" }, "does not pass its probe: expected status 200-299, got 503"},
		{"not probed", func(m *rollout.Member) { m.Probed = false }, "has not been probed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, both := range []bool{false, true} {
				p, s, rec, mem := watched(t)
				c.spoil(&s.Members[4])
				if both {
					c.spoil(&s.Members[0])
				}
				d := decide(p, s, rec, mem)
				if said := notes(d); !strings.Contains(said, c.want) {
					t.Errorf("notes = %q, want %q in them", said, c.want)
				}
				d = decide(p, later(s, 2*time.Minute), d.Record, d.Memory)
				back := d.Record.Direction == rollout.Back
				paused := d.Ending != nil && d.Ending.Outcome == rollout.Paused
				if back == both || paused != both {
					t.Errorf("old ones too: %t: back %t, ending %+v, notes %q", both, back, d.Ending, notes(d))
				}
			}
		})
	}
}

// Volumes that AWS does not check are no reason, and an old member that is
// still initializing says nothing about the environment.
func TestSignals_unsaid(t *testing.T) {
	t.Parallel()
	p, s, rec, mem := watched(t)
	for i := range s.Members {
		s.Members[i].Status.Volumes = "not-applicable"
	}
	if d := decide(p, s, rec, mem); d.Record.Counts.Ready != 2 {
		t.Errorf("ready = %d, want both new members: %s", d.Record.Counts.Ready, notes(d))
	}
	s.Members[4].Status.Instance = "impaired"
	s.Members[0].Status.Instance = "initializing"
	d := decide(p, s, rec, mem)
	if d = decide(p, later(s, 2*time.Minute), d.Record, d.Memory); d.Record.Direction != rollout.Back {
		t.Errorf("ending %+v, notes %q, want the image blamed", d.Ending, notes(d))
	}
}

func TestProbe_passesInARow(t *testing.T) {
	t.Parallel()
	p, s, rec, _ := watched(t)
	p.MinHealthyTime = 0
	var mem rollout.Memory
	var got []int
	for i, answer := range []string{"", "", "got 503", "", "", ""} {
		s.Members[4].Probe = answer
		d := decide(p, later(s, time.Duration(i)*5*time.Second), rec, mem)
		rec, mem = d.Record, d.Memory
		rec.Intents = nil
		got = append(got, d.Record.Counts.Ready)
		if i == 0 && !d.Next.Equal(s.At.Add(p.Poll)) {
			t.Errorf("the next look is after %s, want %s: it must answer several times", d.Next.Sub(s.At), p.Poll)
		}
	}
	if want := "[0 0 1 1 1 2]"; fmt.Sprint(got) != want {
		t.Errorf("ready after each look = %v, want %s", got, want)
	}
}

func TestAlarms(t *testing.T) {
	t.Parallel()
	ringing := rollout.Alarm{State: "ALARM", Reason: "Threshold Crossed: 9 > 5"}
	t.Run("goes off while new members serve", func(t *testing.T) {
		t.Parallel()
		p, s, rec, mem := watched(t)
		p.FailureLimit = 5 // members, not alarms
		s.Alarms = map[string]rollout.Alarm{"web-5xx": ringing}
		d := decide(p, s, rec, mem)
		if d.Record.Direction != rollout.Back || !d.Record.Blame || !strings.Contains(d.Record.Reason, `the alarm "web-5xx" went off: Threshold Crossed: 9 > 5`) {
			t.Errorf("record %+v, notes %q, want the image blamed", d.Record, notes(d))
		}
		// Going back asks no alarm.
		for range 3 {
			s = later(s, 10*time.Second)
			d = decide(p, s, d.Record, d.Memory)
			d.Record.Copy = 3
		}
		if d.Ending != nil || len(d.Steps) == 0 {
			t.Errorf("going back: steps %q, ending %+v, want it to go on", kinds(d), d.Ending)
		}
	})
	t.Run("old members are ill too", func(t *testing.T) {
		t.Parallel()
		p, s, rec, mem := watched(t)
		s.Alarms = map[string]rollout.Alarm{"web-5xx": ringing}
		s.Members[0].Targets[0].State = "unhealthy"
		if d := decide(p, s, rec, mem); d.Ending == nil || d.Ending.Outcome != rollout.Paused || d.Ending.Quarantine {
			t.Errorf("ending %+v, want it paused without blame", d.Ending)
		}
	})
	for name, c := range map[string]struct {
		alarms map[string]rollout.Alarm
		stalls bool
		want   string
	}{
		"before any new member": {map[string]rollout.Alarm{"web-5xx": ringing}, true, `the alarm "web-5xx" is in state ALARM`},
		"deleted":               {nil, true, `the alarm "web-5xx" of health.alarms does not exist any more`},
		"without data":          {map[string]rollout.Alarm{"web-5xx": {State: "INSUFFICIENT_DATA"}}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, s, _, _ := watched(t)
			s.Members = s.Members[:4]
			s.Group.Desired = 4
			rec := rollout.Begin(rollout.Opening{Spec: p, Snapshot: s, Target: target, Epoch: 1})
			s.Alarms = c.alarms
			d := decide(p, s, rec, rollout.Memory{})
			if len(d.Steps) > 0 || len(d.Look.Alarms) != 1 {
				t.Errorf("steps %q, look %+v, want none and the alarm looked at", kinds(d), d.Look)
			}
			d = decide(p, later(s, 11*time.Minute), d.Record, d.Memory)
			if stalled := d.Ending != nil; stalled != c.stalls || stalled && !strings.Contains(d.Ending.Reason, c.want) {
				t.Errorf("after 11m: ending %+v, want one %t that says %q", d.Ending, c.stalls, c.want)
			}
		})
	}
}

func TestAssess_signals(t *testing.T) {
	t.Parallel()
	p := spec(100, 150)
	p.Alarms = []string{"gone", "loud", "mute", "fine"}
	s := group(4)
	s.AlarmsSeen, s.AttributesSeen, s.SlowStart = true, true, 2*time.Minute
	s.Alarms = map[string]rollout.Alarm{"loud": {State: "ALARM", Reason: "5 > 1"}, "mute": {State: "INSUFFICIENT_DATA"}, "fine": {State: "OK"}}
	a := rollout.Assess(p, s, target)
	said, warned := texts(a.Alarms), strings.Join(a.Warnings, "; ")
	for _, want := range []string{`names "gone", and there is no such alarm`, `names "loud", which is in state ALARM already (5 > 1)`} {
		if !strings.Contains(said, want) {
			t.Errorf("alarms = %q, want %q in them", said, want)
		}
	}
	if len(a.Alarms) != 2 || len(a.Problems) != 0 {
		t.Errorf("alarms %v, problems %v, want two and none", a.Alarms, a.Problems)
	}
	for _, want := range []string{`"mute" is in state INSUFFICIENT_DATA`, "min_healthy_time is 30s and becomes 2m for this roll, because of the slow start"} {
		if !strings.Contains(warned, want) {
			t.Errorf("warnings = %q, want %q in them", warned, want)
		}
	}
	s.Group.Warmup = 15 * time.Minute
	if a = rollout.Assess(p, s, target); !strings.Contains(texts(a.Problems), "healthy for 15m, because of the default instance warmup") {
		t.Errorf("problems = %q, want instance_timeout too short", texts(a.Problems))
	}
}

// A new member counts only after the slow start of its target group.
func TestMinHealthy_slowStart(t *testing.T) {
	t.Parallel()
	s := group(4)
	rec := rolling(&s)
	rec.Surge, rec.Launched = 2, 2
	s.Group.Desired = 6
	s.Members = append(s.Members, healthy(4, target), healthy(5, target))
	first := decide(spec(100, 150), s, rec, rollout.Memory{})
	if !first.Look.Attributes {
		t.Errorf("look = %+v, want the attributes that no look has held yet", first.Look)
	}
	s.AttributesSeen, s.SlowStart = true, 2*time.Minute
	d := decide(spec(100, 150), s, rec, rollout.Memory{})
	for after, want := range map[time.Duration]int{time.Minute: 0, 2 * time.Minute: 2} {
		next := later(s, after)
		next.AttributesSeen = false // once a roll is enough
		got := decide(spec(100, 150), next, d.Record, d.Memory)
		if got.Record.Counts.Ready != want || got.Look.Attributes {
			t.Errorf("after %s: %d ready, look %+v, want %d and no second look at attributes", after, got.Record.Counts.Ready, got.Look, want)
		}
	}
}

// Without cross-zone load balancing each zone keeps its share: a new member of
// zone a that is not healthy yet does not make room there.
func TestZoneShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		zonal []string
		want  string // ends by zone
	}{
		{"cross-zone", nil, "map[a:1 b:1]"},
		{"zonal", []string{"tg"}, "map[b:1 c:1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := group(6) // two in each of three zones
			rec := rolling(&s)
			rec.Surge, rec.Launched = 3, 3
			s.Group.Desired = 9
			s.AttributesSeen, s.Zonal = true, c.zonal
			for i := 6; i < 9; i++ { // one more in each
				s.Members = append(s.Members, healthy(i, target))
			}
			s.Members[6].Targets[0].State = "initial"
			d := decide(spec(100, 150), s, rec, rollout.Memory{})
			d = decide(spec(100, 150), later(s, 31*time.Second), d.Record, d.Memory)
			in := map[string]int{}
			for _, step := range d.Steps {
				if step.Kind == rollout.End {
					in[step.Zone]++
				}
			}
			if fmt.Sprint(in) != c.want {
				t.Errorf("ends by zone = %v, want %s", in, c.want)
			}
		})
	}
}
