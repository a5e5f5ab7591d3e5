package rollout

import (
	"slices"
	"time"
)

// predictRefresh is [Predict] for a roll that an instance refresh makes. What
// AWS does inside of one is not ours to simulate: this is arithmetic. Each
// batch is as large as the percentages allow and takes from a launch to the end
// of the warmup; checkpoints and the bake come on top.
func predictRefresh(spec Spec, s Snapshot, target Version) Forecast {
	m := newModel(spec, s, target)
	t := newTurn(Input{Spec: spec, Snapshot: m.observe(s), Record: Record{Target: target}})
	t.overlay()
	t.learnSetup()
	base, stale := m.group.Desired, units(slices.Concat(t.stale, t.treated(Terminate), t.waiting()))
	f := Forecast{Lowest: base, Highest: base, Basis: m.basis}
	if stale == 0 {
		return f
	}
	lim, _ := spec.LimitsBy(t.heavy, base, s.Group.Max)
	lim.Ceiling -= lim.Rounding
	if lim.Tight && !lim.First {
		// Where nothing could be replaced within both bounds, AWS launches first.
		lim.Floor, lim.Ceiling = base, base+t.heavy
	}
	slots := max(lim.Ceiling-lim.Floor, 1)
	cycle := m.typical.Launch + m.typical.Healthy + t.minHealthy()
	done := 0
	replace := func(to int) {
		batches := max((to-done+slots-1)/slots, 0)
		f.Batches += batches
		f.Duration += time.Duration(batches) * cycle
		done = max(done, to)
	}
	for i, c := range spec.Checkpoints {
		replace(min(spec.checkpointSize(i, base), stale))
		f.Duration += c.Bake
	}
	replace(stale)
	f.Duration = (f.Duration + spec.FinalBake).Round(time.Second)
	f.Lowest = max(lim.Floor, base-stale)
	f.Highest = min(lim.Ceiling, base+stale)
	return f
}
