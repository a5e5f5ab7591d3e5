package rollout

import (
	"fmt"
	"slices"
	"time"
)

// Predict runs the rules against a small model of the group in which nothing
// fails, and says how the roll goes there. Durations that the snapshot did not
// learn are the usual ones.
func Predict(spec Spec, s Snapshot, target Version) Forecast {
	if spec.Match == "" || len(spec.Validate()) > 0 {
		return Forecast{}
	}
	if !target.Made() { // making it takes no time to speak of
		target.Number, target.Source = max(s.Group.Latest, s.Group.Points.Number)+1, 0
	}
	if spec.Engine == EngineRefresh {
		return predictRefresh(spec, s, target)
	}
	spec.Alarms, spec.Checks = nil, nil // they take no time to speak of
	m := newModel(spec, s, target)
	rec := Begin(Opening{Spec: spec, Snapshot: m.observe(s), Target: target, Epoch: 1})
	var mem Memory
	f := Forecast{Lowest: m.healthy(), Basis: m.basis}
	start := m.now
	for range 20 * (len(s.Members) + 10) {
		d := Decide(Input{Spec: spec, Snapshot: m.observe(s), Record: rec, Memory: mem})
		rec, mem = Intend(d.Record, d.Steps), d.Memory
		grew := false
		for _, step := range d.Steps {
			grew = grew || step.Kind == Launch || step.Kind == Raise || step.Kind == End && !step.Decrement
			rec, mem, _ = Settle(rec, mem, step, m.do(step), m.now)
		}
		if grew {
			f.Batches++
		}
		f.Lowest, f.Highest = min(f.Lowest, m.healthy()), max(f.Highest, m.launched())
		if d.Ending != nil && d.Ending.Stands(mem) {
			f.Duration = m.now.Sub(start).Round(time.Second)
			return f
		}
		m.now = d.Next
	}
	return Forecast{Basis: "the roll would not come to an end as the group is now"}
}

// model is a group in which every launch, health check and termination takes
// exactly its typical time.
type model struct {
	now     time.Time
	typical Typical
	basis   string
	members []modelMember
	group   Group
	target  Version
	made    int
}

type modelMember struct {
	Member
	at    time.Time // launched; zero: was there before
	ended time.Time
}

func newModel(spec Spec, s Snapshot, target Version) *model {
	m := &model{now: s.At, target: target, group: s.Group, basis: s.Typical.basis()}
	m.typical = s.Typical.Or(Typical{Launch: usualLaunch, Healthy: usualHealthy, Terminate: s.usualTerminate()})
	for _, x := range s.Members {
		if x.State != InService && x.State != Pending {
			continue
		}
		x.Protected = x.Protected && spec.Protected == Ignore // nobody knows when they are released: at once here
		x.State, x.StateText, x.Healthy = InService, "InService", true
		m.members = append(m.members, modelMember{Member: x})
	}
	if units := m.launched(); s.Group.heaviest() == 1 || units < s.Group.Desired {
		m.group.Desired = units
	}
	m.group.WarmPool, m.group.Mixes = false, false // raising desired takes as long as LaunchInstances
	// Suspending and resuming cost no time.
	m.group.Suspended = map[string]string{"AZRebalance": "", "InstanceRefresh": ""}
	return m
}

// usualTerminate is how long a member that is ended usually takes until it is gone:
// EC2 Auto Scaling waits out the deregistration delay before it ends the instance.
func (s Snapshot) usualTerminate() time.Duration {
	return max(usualTerminate, s.Drain+usualTerminate/2)
}

// basis says where durations come from, for people. Launch and termination are
// learnt from scaling activities, the time to healthy from rolls only.
func (t Typical) basis() string {
	switch {
	case t.Launch > 0 && t.Healthy > 0:
		return "this group's recent scaling activities and its last roll"
	case t.Launch > 0:
		return "this group's recent scaling activities; the time to healthy is a stated default"
	case t.Healthy > 0:
		return "this group's last roll; launch and termination are stated defaults"
	}
	return "stated defaults"
}

// state is where a member stands now.
func (m *model) state(x modelMember) (state Lifecycle, healthy bool) {
	switch {
	case !x.ended.IsZero():
		return Terminating, false
	case x.at.IsZero():
		return InService, true
	}
	age := m.now.Sub(x.at)
	if age < m.typical.Launch {
		return Pending, false
	}
	return InService, age >= m.typical.Launch+m.typical.Healthy
}

// observe is the model as a snapshot, with AWS's own launches made first.
func (m *model) observe(s Snapshot) Snapshot {
	m.members = slices.DeleteFunc(m.members, func(x modelMember) bool {
		return !x.ended.IsZero() && m.now.Sub(x.ended) >= m.typical.Terminate
	})
	for m.launched() < m.group.Desired {
		m.launch("", m.group.Points)
	}
	out := Snapshot{
		At: m.now, Group: m.group, TargetsSeen: true, StatusSeen: true, ProbesSeen: true, ActivitiesSeen: true, Typical: s.Typical,
		AttributesSeen: s.AttributesSeen, SlowStart: s.SlowStart, Zonal: s.Zonal, Members: make([]Member, 0, len(m.members)),
	}
	for _, x := range m.members {
		state, healthy := m.state(x)
		x.State, x.StateText = state, [...]string{"Pending", "InService", "Terminating"}[state]
		x.Healthy = true
		x.Targets = nil
		for _, g := range m.group.TargetGroups {
			word := "initial"
			if healthy {
				word = "healthy"
			}
			x.Targets = append(x.Targets, Target{Group: g, State: word})
		}
		for _, b := range m.group.Balancers {
			word := "OutOfService"
			if healthy {
				word = "InService"
			}
			x.Targets = append(x.Targets, Target{Group: b, State: word})
		}
		x.Status, x.Probed, x.Probe = Status{Instance: "initializing", System: "initializing"}, true, "it does not answer yet"
		if healthy {
			x.Status, x.Probe = Status{Instance: "ok", System: "ok"}, ""
		}
		out.Members = append(out.Members, x.Member)
	}
	return out
}

func (m *model) launch(zone string, v Version) string {
	m.made++
	id := fmt.Sprintf("new-%04d", m.made)
	x := Member{ID: id, Zone: zone, Version: v, Healthy: true}
	if w := m.group.heaviest(); w > 1 {
		x.Weight = w // AWS may choose lighter ones: more of them
	}
	m.members = append(m.members, modelMember{Member: x, at: m.now})
	return id
}

// emptiest is the zone in which AWS would launch; empty: the group has none.
func (m *model) emptiest() string {
	var there []Member
	for _, x := range m.members {
		if x.ended.IsZero() {
			there = append(there, x.Member)
		}
	}
	zones := byZone(there)
	if len(m.group.Zones) == 0 {
		return ""
	}
	return slices.MinFunc(m.group.Zones, func(a, b string) int { return zones[a] - zones[b] })
}

func (m *model) do(s Step) Result {
	switch s.Kind {
	case Launch:
		var r Result
		heavy := m.group.heaviest()
		for n := 0; n < s.Count; n += heavy {
			r.IDs = append(r.IDs, m.launch(s.Zone, m.group.Points))
			for kind, w := range s.Weights {
				if w == heavy && len(r.Types) < len(r.IDs) {
					r.Types = append(r.Types, kind)
				}
			}
		}
		m.group.Desired += s.Count
		return r
	case End:
		i := slices.IndexFunc(m.members, func(x modelMember) bool { return x.ID == s.Member })
		m.members[i].ended = m.now
		if s.Decrement {
			m.group.Desired -= m.members[i].weight()
		} else if m.group.heaviest() == 1 || m.launched() < m.group.Desired {
			m.launch("", m.group.Points) // AWS replaces it at once, not when next looked at
		}
	case Point:
		m.group.Pointer = s.Version
		if s.Version == number(m.target.Number) || floating(s.Version) {
			m.group.Points = m.target
		} else {
			m.group.Points = Version{TemplateID: m.target.TemplateID}
		}
	case SetDefault:
		m.group.Default = m.target.Number
	case RaiseMaxSize, LowerMaxSize:
		m.group.Max = s.To
	case Raise:
		for m.group.Desired = s.To; m.launched() < m.group.Desired; {
			m.launch(m.emptiest(), m.group.Points)
		}
	case EndWarm, Suspend, Resume, Copy, Make, StepRefresh:
	}
	return Result{}
}

func (m *model) launched() int {
	n := 0
	for _, x := range m.members {
		if x.ended.IsZero() {
			n += x.weight()
		}
	}
	return n
}

func (m *model) healthy() int {
	n := 0
	for _, x := range m.members {
		if _, ok := m.state(x); ok {
			n += x.weight()
		}
	}
	return n
}
