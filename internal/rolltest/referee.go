package rolltest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// referee holds a roll to the invariants, on ground truth.
type referee struct {
	s      *Stage
	q      roller.Request
	base   int  // what others want; moved by Outside
	most   int  // max size as others want it; moved by OutsideMax
	heavy  int  // weight of the heaviest member there may be; 1 without weights
	uneven bool // there are several weights
	broken []string
	ended  map[string]bool          // members that Refit has ended
	aside  map[string]bool          // of those, the ones that were in standby
	kept   map[string]time.Duration // members protected from scale-in → since when
	// excused: members fail by themselves in this story, so healthy may drop
	// below the floor, and AWS's replacements add to those running, without
	// Refit's doing. Its own ends are still checked.
	excused bool
	hurt    bool              // members were lost: healthy may be below the floor until it is back
	gone    map[string]bool   // members that EC2 takes, for which AWS may launch successors at once → healthy at the last tick
	spill   time.Duration     // until when AWS may have launched more than it takes for one of those
	blind   time.Duration     // until when a loss of members cannot be known to a roll
	found   map[string]string // processes that others have suspended → reason
	theirs  map[string]theirs // of those, the ones suspended since the start
	unread  bool              // Refit has suspended processes at held, and has had no look since that must show it
	held    time.Duration
	dead    bool // Refit's process was killed, and no successor has made a call yet
	quiet   bool
	truth   Truth                    // as of the last tick
	stale   time.Duration            // how old a look may be, as the world is
	since   map[string]time.Duration // members that are healthy → since when they have been
	began   time.Duration            // when the present owner came
	back    time.Duration            // since when healthy has been at the floor or above
	urls    map[string]*url.URL      // where members are probed
	good    map[answer]bool          // whether answers are the expected one
}

// Referee starts watching a roll. Excuse and Outside adjust it.
func (s *Stage) Referee(q roller.Request) {
	g := s.Group()
	first := s.referee == nil
	if first {
		s.referee = &referee{s: s, base: g.Desired, most: g.Max, truth: s.Group(), found: g.Suspended, ended: map[string]bool{}, aside: map[string]bool{}, kept: map[string]time.Duration{}, gone: map[string]bool{}, theirs: map[string]theirs{}, since: map[string]time.Duration{}}
		s.World.OnTick(func() { s.referee.tick() })
	}
	s.referee.q, s.referee.urls, s.referee.good, s.referee.began = q, map[string]*url.URL{}, map[answer]bool{}, s.Elapsed()
	s.referee.heavy, s.referee.uneven = s.heavy, s.uneven
}

// Stale makes reads of services as old as that at most.
func (s *Stage) Stale(d time.Duration, services ...string) {
	s.tb.Helper()
	for _, service := range services {
		if err := s.World.SetStaleness(service, d); err != nil {
			s.tb.Fatal(err)
		}
	}
	s.referee.stale = d
}

// Excuse says that in this story members fail by themselves.
func (s *Stage) Excuse() { s.referee.excused = true }

// Surprise says that members are lost just now, which looks may not show for a
// while.
func (s *Stage) Surprise() { s.referee.blind = s.Elapsed() + lag }

// Taken says that EC2 will take a member. It counts among nobody's members any
// more, because AWS may launch its successor beside it. Where weights differ, that
// may weigh more, by less than the heaviest, and AWS takes up to three minutes to be
// rid of the difference. Once the member is not healthy any more, healthy may be
// below the floor until it has been back there since.
func (s *Stage) Taken(id string) {
	s.referee.gone[id] = false
	s.referee.mourn(s.Group())
}

// Hurt says that others keep healthy below the floor until it is back.
func (s *Stage) Hurt() {
	s.referee.hurt = true
	s.Surprise()
}

// Strict switches what Lenient switched off on again.
func (s *Stage) Strict() { s.referee.quiet = false }

// Lenient switches the checks of limits at every tick off: others change the
// group in this story. Refit's own ends are still checked.
func (s *Stage) Lenient() { s.referee.quiet = true }

// Outside tells the referee that others changed what they want.
func (s *Stage) Outside(base int) { s.referee.base = base }

// OutsideMax tells the referee that others changed max size.
func (s *Stage) OutsideMax(most int) { s.referee.most = most }

// Wanted is what others want, as the referee knows it.
func (s *Stage) Wanted() int { return s.referee.base }

// Verdict fails the test for every invariant that was broken.
func (s *Stage) Verdict() {
	s.tb.Helper()
	for i, b := range s.referee.broken {
		if i == 5 {
			break
		}
		s.tb.Errorf("invariant broken: %s", b)
	}
	if s.tb.Failed() {
		s.tb.Logf("story:\n%s", s.Story())
	}
	s.referee.broken = nil
}

func (r *referee) say(format string, a ...any) {
	if len(r.broken) < 20 {
		r.broken = append(r.broken, fmt.Sprintf("after %s: ", r.s.Elapsed())+fmt.Sprintf(format, a...))
	}
}

// lag is how old an observation may be: what somebody did later than that
// before a call cannot be known to it.
const lag = time.Minute

// healthy is the capacity of the members that are healthy by the chosen signals.
func (r *referee) healthy(g Truth) int {
	n := 0
	for _, m := range g.Members {
		if r.passes(m) {
			n += m.Weight
		}
	}
	return n
}

// passes says whether a member is healthy, has passed its status checks where they
// are chosen, and answers its probe where there is one.
func (r *referee) passes(m awssim.Member) bool {
	p := r.q.Spec.Probe
	if !m.Healthy() || r.q.Spec.EC2Status && !m.Checked {
		return false
	}
	if p == nil {
		return true
	}
	u, ok := r.urls[m.ID]
	if !ok {
		text, _, _ := p.For(rollout.Member{ID: m.ID, Addresses: rollout.Addresses{PrivateIP: m.PrivateIP, PublicIP: m.PublicIP}})
		u, _ = url.Parse(text) // the spec was checked
		r.urls[m.ID] = u
	}
	status, body, err := r.s.World.Visit(u)
	if err != nil {
		return false
	}
	said := answer{status, string(body)}
	good, ok := r.good[said]
	if !ok {
		good = p.Expect.Judge(rollout.Reply{Status: status, Body: body}) == ""
		r.good[said] = good
	}
	return good
}

// answer is what a member answers its probe.
type answer struct {
	status int
	body   string
}

// tick checks what must hold whatever happened: invariant 1 on the limits.
func (r *referee) tick() {
	if !r.s.World.Refresh(&r.truth) {
		return
	}
	g := r.truth
	for _, m := range g.Members {
		if _, known := r.kept[m.ID]; !m.Protected {
			delete(r.kept, m.ID)
		} else if !known {
			r.kept[m.ID] = r.s.Elapsed()
		}
	}
	r.checkMax(g)
	r.mourn(g)
	healthy := r.follow(g)
	if r.quiet {
		return
	}
	lim, _ := r.q.Spec.LimitsBy(r.heavy, r.base, r.most)
	launched, running, spared := r.present(g)
	lim.Running += spared
	now := r.s.Elapsed()
	if r.uneven && now < r.spill {
		lim.Running += r.heavy - 1
	}
	if healthy < lim.Floor {
		r.back = now
	}
	r.hurt = r.hurt && (now-r.back <= r.stale || now < r.blind) // as far as a look can tell
	if healthy < lim.Floor && !r.excused && !r.hurt {
		r.say("%d are healthy, the floor is %d", healthy, lim.Floor)
	}
	if launched > lim.Ceiling {
		r.say("%d are launched, the ceiling is %d", launched, lim.Ceiling)
	}
	if asked := lim.Ceiling - lim.Rounding; r.heavy > 1 && !r.uneven && g.Desired > asked {
		r.say("%d are asked for, the ceiling is %d", g.Desired, asked)
	}
	if running > lim.Running && !r.excused {
		r.say("%d are running, the limit is %d", running, lim.Running)
	}
}

// checkMax holds max size to what others want it to be, and the roll may make of it.
func (r *referee) checkMax(g Truth) {
	highest := r.most
	if r.q.Spec.RaiseMaxSize {
		highest = max(r.most*r.q.Spec.MaxHealthy/100, r.most+r.heavy)
	}
	if g.Max < r.most || g.Max > highest {
		r.say("max size is %d, others want %d, and the roll may raise it to %d", g.Max, r.most, highest)
	}
}

// follow counts the capacity of healthy members, and notes since when each is.
func (r *referee) follow(g Truth) int {
	n, now := 0, r.s.Elapsed()
	for _, m := range g.Members {
		if !r.passes(m) {
			delete(r.since, m.ID)
			continue
		}
		n += m.Weight
		if _, known := r.since[m.ID]; !known {
			r.since[m.ID] = now
		}
	}
	return n
}

// shown says whether a member is healthy, and a look must have shown it.
func (r *referee) shown(m awssim.Member) bool {
	since, known := r.since[m.ID]
	return known && r.passes(m) && r.s.Elapsed()-since > r.stale
}

// mourn notices the moment from which on a member that EC2 takes is not healthy.
func (r *referee) mourn(g Truth) {
	for id, was := range r.gone {
		i := slices.IndexFunc(g.Members, func(m awssim.Member) bool { return m.ID == id })
		is := i >= 0 && r.passes(g.Members[i])
		if r.gone[id] = is; was && !is {
			r.s.Hurt()
		}
		if was || is {
			r.spill = r.s.Elapsed() + 3*lag
		}
	}
}

// present is the capacity launched and running, but for members that EC2 takes,
// and that of running ones that do not take the room of others, also while they go.
func (r *referee) present(g Truth) (launched, running, spared int) {
	launched = g.LaunchedCapacity()
	for _, m := range g.Members {
		_, gone := r.gone[m.ID]
		switch {
		case gone && m.Launched():
			launched -= m.Weight
		case gone:
		case strings.HasPrefix(m.Lifecycle, "Warmed:"): // no part of the group yet
		case m.Lifecycle != "Terminated":
			running += m.Weight
		}
		if r.q.Spec.MaxRunning == 0 && (strings.HasSuffix(m.Lifecycle, "Standby") || r.aside[m.ID]) {
			spared += m.Weight
		}
	}
	return launched, running, spared
}

// longest is more than any roll of a few members takes. One that goes on for ever
// is stopped then: it cannot look any more.
const longest = 24 * time.Hour

var errEndless = errors.New("the roll goes on for ever")

// guard checks every change before it is made: invariants 1 to 3.
type guard struct {
	roller.Groups
	s    *Stage
	wire *transport
}

// Observe implements roller.Groups.
func (g *guard) Observe(ctx context.Context, group string, look rollout.Look) (rollout.Snapshot, error) {
	if r := g.s.referee; r != nil && g.s.Elapsed()-r.began > longest {
		r.say("the roll still goes on after %s", longest)
		return rollout.Snapshot{}, errEndless
	}
	snap, err := g.Groups.Observe(ctx, group, look)
	what := fmt.Sprintf("  look   targets %t, activities %t", look.Targets, look.Activities)
	if snap.Glanced {
		what = "  look   glance"
	}
	if r := g.s.referee; r != nil && err == nil && !snap.Glanced && !r.dead && g.s.Elapsed()-r.held >= lag {
		r.unread = false
	}
	g.s.log(g.s.World.Clock().Now(), what)
	return snap, err
}

// Do implements roller.Groups.
func (g *guard) Do(ctx context.Context, group string, step rollout.Step) rollout.Result {
	if r := g.s.referee; r != nil && step.Kind == rollout.End {
		r.checkEnd(group, step)
	}
	if r := g.s.referee; r != nil && step.Kind == rollout.EndWarm {
		r.checkWarm(group, step)
	}
	if r := g.s.referee; r != nil {
		r.holds(step)
	}
	res := g.Groups.Do(ctx, group, step)
	if r := g.s.referee; r != nil {
		r.meets(step)
		if step.Kind == rollout.End && res.Failure == nil {
			r.ended[step.Member] = true
		}
	}
	g.s.log(g.s.World.Clock().Now(), fmt.Sprintf("  call   %s%s", describe(step), outcome(res)))
	return res
}

// checkWarm holds an end of warm members to those that are stale and that no look
// could know to have left the pool.
func (r *referee) checkWarm(group string, step rollout.Step) {
	g, _ := r.s.World.Group(group)
	for _, m := range g.Members {
		if !slices.Contains(step.Members, m.ID) {
			continue
		}
		if !r.q.Spec.TerminateWarm || strconv.FormatInt(m.Version, 10) == r.q.Version && len(r.ended) == 0 {
			r.say("%s of the warm pool is ended, which runs version %d", m.ID, m.Version)
		}
	}
}

// checkEnd holds an end to invariants 1 and 2.
func (r *referee) checkEnd(group string, step rollout.Step) {
	g, _ := r.s.World.Group(group)
	lim, _ := r.q.Spec.LimitsBy(r.heavy, r.base, r.most)
	for _, m := range g.Members {
		if m.ID != step.Member {
			continue
		}
		if n := r.healthy(g); r.shown(m) && n-m.Weight < lim.Floor && r.s.Elapsed() >= r.blind {
			r.say("ending %s leaves %d healthy, the floor is %d", m.ID, n-m.Weight, lim.Floor)
		}
		if since, ok := r.kept[m.ID]; ok && r.s.Elapsed()-since > lag && r.q.Spec.Protected != rollout.Refresh && strconv.FormatInt(m.Version, 10) != r.q.Version {
			r.say("%s is ended, which is protected from scale-in", m.ID)
		}
		if strings.HasSuffix(m.Lifecycle, "Standby") && r.q.Spec.Standby != rollout.Terminate {
			r.say("%s is ended, which is in standby", m.ID)
		}
		r.aside[m.ID] = r.aside[m.ID] || strings.HasSuffix(m.Lifecycle, "Standby")
		if r.ended[m.ID] && !m.Launched() {
			r.say("%s is ended again", m.ID)
		}
		return
	}
	r.say("%s is no member of %s", step.Member, group)
}

func describe(s rollout.Step) string {
	switch s.Kind {
	case rollout.Launch:
		return fmt.Sprintf("launch %d in %s", s.Count, s.Zone)
	case rollout.End:
		if s.Decrement {
			return "end " + s.Member + " and lower desired"
		}
		return "end " + s.Member + " for replacement"
	case rollout.Point:
		return "point at " + s.Version
	case rollout.EndWarm:
		return fmt.Sprintf("end %d of the warm pool", len(s.Members))
	case rollout.RaiseMaxSize, rollout.LowerMaxSize:
		return fmt.Sprintf("set max size from %d to %d", s.From, s.To)
	case rollout.Raise:
		return fmt.Sprintf("raise desired from %d to %d", s.From, s.To)
	case rollout.Copy:
		return fmt.Sprintf("copy version %d", s.Source)
	case rollout.Make:
		return fmt.Sprintf("make a version from %d with %s", s.Source, s.Image)
	case rollout.SetDefault:
		return "set default version " + s.Version
	case rollout.StepRefresh:
		return string(s.Refresh.Op) + " instance refresh"
	case rollout.Suspend, rollout.Resume:
	}
	return string(s.Kind) + " processes"
}

func outcome(r rollout.Result) string {
	if r.Failure != nil {
		return ": " + r.Failure.Text
	}
	return ""
}

// Settled checks invariant 4 at the end of a roll: no surge, nothing suspended
// but what was found, everybody on the version wanted, and the pointer, too.
func (s *Stage) Settled(version int64) {
	s.tb.Helper()
	s.SettledBut(version, 0)
}

// SettledBut is Settled where so many launched members were left out.
func (s *Stage) SettledBut(version int64, left int) {
	s.tb.Helper()
	g := s.Group()
	if g.Desired != s.referee.base {
		s.tb.Errorf("desired capacity is %d at the end, want %d", g.Desired, s.referee.base)
	}
	if g.Max != s.referee.most {
		s.tb.Errorf("max size is %d at the end, want %d", g.Max, s.referee.most)
	}
	if n := CapacityOn(g, version); n < s.referee.base-left || n-s.referee.base+left >= s.referee.heavy {
		s.tb.Errorf("members of %d run version %d at the end, want %d", n, version, s.referee.base-left)
	}
	if g.Points != version {
		s.tb.Errorf("the group points at %s, which is version %d, at the end, want %d", g.Version, g.Points, version)
	}
	s.suspended(g)
	if s.tb.Failed() {
		s.tb.Logf("story:\n%s", s.Story())
	}
}

// Truth is a group as the simulator knows it.
type Truth = awssim.Group
