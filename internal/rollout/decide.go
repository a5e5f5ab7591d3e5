package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// settle is how long an observation may lag behind a change at AWS: after it,
// what is seen is what is.
const settle = time.Minute

// maxEnds bounds the ends of one decision, so that their ids fit one record.
// Members of different weights take more room each: fewEnds, where there are more
// than fewWeights.
const (
	maxEnds    = 100
	fewEnds    = 20
	fewWeights = 8
)

// Input is everything a decision depends on.
type Input struct {
	Spec     Spec
	Snapshot Snapshot
	Record   Record
	Memory   Memory
	// Stop says why the owner must come to a safe point now (a signal, expiring
	// credentials, a timeout). Empty: it need not.
	Stop string
	// Closing is the end of the window that the roll may use.
	Closing Closing
	// Hurry: the owner may be killed in five seconds. What matters most comes
	// first anyway; of surge, no more is ended than fits.
	Hurry bool
}

// hurriedEnds is how many members can be ended in what a look, the pointer, the
// suspensions and the journal leave of five seconds, at a quarter of a second a
// call.
const hurriedEnds = 8

// Decide says what to do now. It is total and deterministic: the same input
// gives the same decision. It changes nothing it was given.
func Decide(in Input) Decision {
	t := newTurn(in)
	if in.Snapshot.Glanced {
		t.glance(in)
		t.rec.Typical = t.mem.Learnt
		t.out.Record, t.out.Memory = t.rec, t.mem
		return t.out
	}
	t.overlay()
	t.meetMaxSize()
	stop := t.mustStop(in)
	if t.awsDrives() {
		t.decideRefresh(stop)
	} else {
		t.decideManaged(stop)
	}
	due := t.out.Next
	t.wakeAtClose()
	t.out.Look.Glance = t.out.Look.Glance && t.out.Next.Equal(due) // the close wants a look
	t.out.Look.Attributes = t.needsSetup()
	// Why a member has gone must be told until it has been acted on, whatever else the
	// next look is for.
	t.out.Look.Activities = t.out.Look.Activities || len(t.mem.Missing) > 0
	t.out.Look = t.spec.Complete(t.out.Look)
	t.rec.Typical, t.mem.LookedAt = t.mem.Learnt, t.now
	t.out.Record, t.out.Memory = t.rec, t.mem
	return t.out
}

// mustStop is how the roll ends if it must come to a safe point now; nil: it
// need not.
func (t *turn) mustStop(in Input) *Ending {
	closed := t.closeWindow(in.Closing)
	switch {
	case in.Stop != "":
		return &Ending{Outcome: Paused, Reason: in.Stop}
	case closed != "":
		return t.closeEnding(closed)
	}
	return nil
}

// decideManaged decides for a roll in which Refit replaces the members itself.
func (t *turn) decideManaged(stop *Ending) {
	t.account()
	t.readReasons()
	t.clamp()
	t.judge()
	t.count()
	switch {
	case stop != nil:
		t.safePoint(*stop)
	case t.theirRefresh():
	case t.unclear:
		// What is seen does not add up yet: anything decided on it could be
		// wrong, and waiting is always allowed.
		t.wake(t.now.Add(t.spec.Poll))
	default:
		t.advance()
	}
	t.schedule()
	if t.last {
		t.rec.Counts.Healthy = t.graduates() + t.serving() // no look will count anew after the ends
		t.reached()
	}
}

// turn is one decision in the making.
type turn struct {
	spec Spec
	snap Snapshot
	rec  Record
	mem  Memory
	out  Decision
	now  time.Time
	goal Version // what members should run, in the present direction
	lim  Limits

	hurry       bool // see [Input]
	known       bool // the health of members in service is known in this look
	unclear     bool // desired, or a departure, is not explained yet
	puzzled     bool // desired is not, and this look is not just an old one
	stale       []Member
	fresh       []Member        // current and launched, announced ones included
	doubted     map[string]bool // asked to end without an answer, when this turn began
	heavy       int             // weight of the heaviest member there is or may be
	chunk       int             // of the heaviest that may be launched: launches ask for multiples of it
	terminating int             // here and below, all that is not a list is capacity: members, or units in a weighted group
	other       int             // running, and neither launched nor terminating
	standby     int             // of those, in standby
	kept        []Member        // stale, launched, and not ours to end: protected from scale-in
	aside       []Member        // stale and in standby
	retained    []Member        // AWS keeps them for people, whatever they run
	planned     int             // launches decided in this turn
	coming      int             // launches whose answer was lost: they may or may not be there
	doomed      int             // for which AWS is about to end members, where all weigh the same
	healthy     int             // stale healthy now + graduated
	well        int             // healthy now, graduated or not
	ready       int             // graduated
	lame        int             // old members that a rollback found sick and does not wait for
	failures    []failed
	wide        bool             // launches may use what is for AWS to round up
	bound       bool             // launches wait for members that are being ended to be gone
	queued      bool             // so do ends that AWS is to replace
	closing     Closing          // of the window
	leaving     bool             // it has closed, and the roll ends when it can
	skipped     map[string]bool  // target groups left out: all their targets are unused
	condemned   bool             // a check of the group has failed for good in this decision
	accused     string           // what speaks against the image beyond its members; empty: nothing
	held        string           // why nothing may be launched or ended now; empty: it may
	asking      bool             // checks of the group are to be run at once
	last        bool             // the roll is over with the steps, if all of them work
	stuck       bool             // AWS refuses to put max size back
	own         *InstanceRefresh // this roll's instance refresh, where the snapshot has it
	unrestored  []string         // what is left other than the roll would have had it, for people
}

func newTurn(in Input) *turn {
	t := &turn{spec: in.Spec, snap: in.Snapshot, rec: in.Record, mem: in.Memory.clone(), now: in.Snapshot.At, hurry: in.Hurry}
	t.rec.Intents = slices.Clone(in.Record.Intents)
	t.rec.Suspended = maps.Clone(in.Record.Suspended)
	t.rec.Values = maps.Clone(in.Record.Values)
	t.goal, t.mem.Halted, t.mem.Stumbled, t.mem.Untold = t.rec.goal(), false, false, false
	t.heavy, t.chunk = t.snap.heaviest(), t.snap.Group.heaviest()
	if t.mem.Progress.IsZero() { // the owner's first decision
		t.mem.Progress = t.now
		t.mem.HeldAt = t.rec.Taken // what a former owner has suspended it had suspended by then
		t.rememberBefore()
		if t.rec.Headroom != nil {
			t.mem.sized(t.now)
		}
		if t.rec.Pointed != "" {
			t.mem.PointDoubt = t.now // a former owner wrote it; a look may be older than that
		}
	}
	if t.snap.ActivitiesSeen {
		t.mem.Learnt = t.mem.Learnt.Or(t.snap.Typical)
	}
	t.mem.Learnt = t.mem.Learnt.Or(t.rec.Typical)
	return t
}

// goal is the version that members should run in the record's direction.
func (r Record) goal() Version {
	if r.Direction != Back {
		return r.Target
	}
	v := r.Previous
	if r.Copy != 0 {
		v.Number = r.Copy
	}
	return v
}

func (m Memory) clone() Memory {
	m.FirstSeen = cloneMap(m.FirstSeen)
	m.InService = cloneMap(m.InService)
	m.HealthySince = cloneMap(m.HealthySince)
	m.Glanced = cloneMap(m.Glanced)
	m.SickSince = cloneMap(m.SickSince)
	m.Graduated = cloneMap(m.Graduated)
	m.Falls = cloneMap(m.Falls)
	m.WarmEnded = cloneMap(m.WarmEnded)
	m.Ailing = cloneMap(m.Ailing)
	m.Announced = cloneMap(m.Announced)
	m.Weights = maps.Clone(m.Weights)
	m.EndedAt = cloneMap(m.EndedAt)
	m.Ours = cloneMap(m.Ours)
	m.Missing = cloneMap(m.Missing)
	m.Unhealthy = cloneMap(m.Unhealthy)
	m.Counted = cloneMap(m.Counted)
	m.Failed = cloneMap(m.Failed)
	m.BadZones = cloneMap(m.BadZones)
	m.Warned = cloneMap(m.Warned)
	m.Passes = cloneMap(m.Passes)
	m.Young = cloneMap(m.Young)
	m.Present = maps.Clone(m.Present)
	m.Failing = cloneMap(m.Failing)
	m.Tallied = cloneMap(m.Tallied)
	m.Brought = cloneMap(m.Brought)
	m.Recent = slices.Clone(m.Recent)
	m.Verify = slices.Clone(m.Verify)
	m.Changes = slices.Clone(m.Changes)
	m.Applied = slices.Clone(m.Applied)
	m.Claimed = slices.Clone(m.Claimed)
	return m
}

// cloneMap copies m, and makes one to write to where there is none.
func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// same says whether a member of version v runs what g says.
func (s Spec) same(v, g Version) bool {
	if s.Match == MatchImage || v.Data == "" {
		return v.Image == g.Image
	}
	return v.Data == g.Data && v.Image == g.Image
}

// advance makes one step forward where nothing forbids it. The order matters:
// failures before progress, proof before exposure, launches before ends.
func (t *turn) advance() {
	if t.superseded() || !t.opened() || t.failing() || t.stalled() || t.close() {
		return
	}
	if t.held != "" {
		t.point() // AWS may be launching by itself meanwhile
		return
	}
	t.replaceFailed()
	t.hold()
	if t.making() {
		return // its number is needed for everything after it
	}
	if t.unpublished() {
		t.publish()
		return // the copy's number is needed for everything after it
	}
	if t.checkpoints(); t.condemned {
		return
	}
	t.prove()
	t.launch()
	if t.end() {
		t.launch() // into the room that the ends make
	} else {
		t.widen()
	}
	t.surplus()
	t.endAside()
	t.tellWaiting()
	t.point()
	t.clearWarm()
	t.finish()
}

func (t *turn) step(s Step) {
	if s.Kind == Point {
		s.Template, s.Policy = t.rec.Target.TemplateID, t.snap.Group.Policy
	}
	t.out.Steps = append(t.out.Steps, s)
}

// deciding is how many steps of a kind this decision holds so far.
func (t *turn) deciding(kind StepKind) int {
	n := 0
	for _, s := range t.out.Steps {
		if s.Kind == kind {
			n++
		}
	}
	return n
}

func (t *turn) note(format string, a ...any) {
	t.out.Notes = append(t.out.Notes, Note{Text: fmt.Sprintf(format, a...)})
}

// warnOnce tells people once per roll and owner.
func (t *turn) warnOnce(key, format string, a ...any) {
	if t.mem.Warned[key] {
		return
	}
	t.mem.Warned[key] = true
	t.out.Notes = append(t.out.Notes, Note{Text: fmt.Sprintf(format, a...), Warn: true})
}

// token is unique to this roll, epoch and step, so that AWS makes one effect
// of a launch however often its answer is lost.
func (t *turn) token() string {
	t.rec.Seq++
	return fmt.Sprintf("refit-%d-%d-%d", t.rec.Started.Unix(), t.rec.Epoch, t.rec.Seq)
}

// launched is the capacity that is Pending or in service, or may be: members, or
// units in a weighted group.
func (t *turn) launched() int {
	return units(t.stale) + units(t.kept) + units(t.fresh) + t.coming + t.planned
}

// units is the capacity of members: how many they are where there are no weights.
func units(members []Member) int {
	n := 0
	for _, m := range members {
		n += m.weight()
	}
	return n
}

// old are the launched members that do not run the goal, ours to end or not.
func (t *turn) old() []Member { return slices.Concat(t.stale, t.kept) }

// committed is what the group will come to without us: AWS launches up to
// desired by itself, in whole members, and a launch of ours on top of that would
// be one too many. One whose answer was lost may have raised desired, too.
func (t *turn) committed() int {
	n := t.launched() - t.coming
	return n + roundUp(max(t.desired()-n, 0), t.chunk) + t.coming
}

// unready is the capacity of the new members that are still to prove that they
// are healthy.
func (t *turn) unready() int { return units(t.fresh) - t.ready - t.lame }

// desired is what the group's desired capacity will be after the steps
// decided so far.
func (t *turn) desired() int {
	return t.rec.Base + t.rec.Surge + t.planned - decrements(t.out.Steps)
}

// running is what quota, addresses and the bill see.
func (t *turn) running() int { return t.launched() + t.terminating + t.other }

// soon is what will be running once AWS has launched what it still owes.
func (t *turn) soon() int { return t.committed() + t.terminating + t.other }

// readReasons reads the reasons of our suspensions. The call that suspends does not
// say AWS's reason; a later look does, and an older one may show the reason of
// somebody before us.
func (t *turn) readReasons() {
	if t.now.Sub(t.mem.HeldAt) < settle {
		return
	}
	for p, reason := range t.rec.Suspended {
		if seen, ok := t.snap.Group.Suspended[p]; ok && reason == "" {
			t.rec.Suspended[p] = seen
		} else if reason == "" {
			t.rec.Suspended[p] = "resumed by others" // what is suspended later is theirs
		}
	}
}

// hold suspends the two processes that would work against a roll, where nobody
// else has. One of ours that others resume stays resumed.
func (t *turn) hold() {
	if t.rec.Restoring {
		return
	}
	// At every look: one that was found suspended may be resumed by others, or
	// the look was older than our own resuming of it.
	todo := map[string]string{}
	for _, p := range []string{"AZRebalance", "InstanceRefresh"} {
		_, suspended := t.snap.Group.Suspended[p]
		if _, ours := t.rec.Suspended[p]; !suspended && !ours {
			todo[p] = ""
		}
	}
	if len(todo) == 0 {
		t.rec.Held = true
		return
	}
	t.step(Step{Kind: Suspend, Processes: todo, Why: "keep zone rebalancing and instance refreshes out of the way"})
}

// number is the text of a numbered version.
func number(n int64) string { return strconv.FormatInt(n, 10) }
