package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fleetrefit/terraform-provider-refit/internal/ami"
	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
	"github.com/fleetrefit/terraform-provider-refit/internal/image"
	"github.com/fleetrefit/terraform-provider-refit/internal/roller"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// look is one look at everything a choice of image depends on.
type look struct {
	template ami.Template
	base     ami.Version // the version whose data, but for the image, is wanted
	rule     image.Rule
	choice   image.Choice // all candidates of the source
	bans     image.Bans
	options  []image.Option         // newest image first
	copies   map[string][]string    // by original: all its copies that could be used
	copying  map[string]image.Image // by original: the copy of it that is under way
	none     error                  // nothing is acceptable, or a parameter names nothing
	pin      string                 // why there is only one candidate; empty: nothing is pinned
	unpinned string                 // why a pin does not count; empty: there is none, or it does
	want     amiWant
	// inUse is the image in state, if some version with it has not failed, or one
	// that has runs in another group.
	inUse string
}

// mostOptions bounds how far back a fallback looks.
const mostOptions = 50

// lookAt finds the acceptable images of a source and what a template has of
// each. The template is read already; base is the version to copy from, and
// current the image in state, empty when there is none.
func (b *backend) lookAt(ctx context.Context, c *clients, t ami.Template, base ami.Version, current string, w amiWant) (look, error) {
	l := look{template: t, base: base}
	var err error
	w = w.region(c)
	if l.rule, err = b.rule(ctx, c, t, base, w); err != nil {
		return l, err
	}
	held, err := b.quarantines(ctx, c, t.ID)
	if err != nil {
		return l, err
	}
	l.want = w
	if w, err = b.pinned(ctx, c, &l, w); err != nil {
		return l, err
	}
	if err := b.candidates(ctx, c, &l, w, current); err != nil || l.none != nil {
		return l, err
	}
	if l.bans.Why(current) == "" && (known(t, current, held) || w.target == nil && c.runs(ctx, t, current, held)) {
		l.inUse = current
	}
	for n := range l.options {
		o := &l.options[n]
		data := t.With(base, o.Image.ID)
		if o.Image.ID == "" {
			continue // a copy that has to be made: no version can have it
		}
		o.Held = cmp.Or(o.Held, image.Holds(o.Image, data, l.inUse, held, l.copies[l.original(o.Image).ID]...))
		if v, ok := t.Newest(data); ok {
			o.Version = v.Number
		}
		o.Known = known(t, o.Image.ID, held) || w.target.Held(o.Image.ID)
	}
	return l, nil
}

// pinned narrows what is wanted to the image of an active pin. A ban of that
// image ends the pin: what nobody should run is no place to stay.
func (b *backend) pinned(ctx context.Context, c *clients, l *look, w amiWant) (amiWant, error) {
	if !w.pin.Active(l.rule.Now) {
		return w, nil
	}
	bans, err := b.bansIn(ctx, c, w.at(c), w.pin.Image)
	if err != nil {
		return w, err
	}
	if why := bans.Why(w.pin.Image); why != "" {
		l.unpinned = fmt.Sprintf("the pin does not count, because %s", why)
		return w, nil
	}
	l.pin, l.rule = w.pin.Why(), l.rule.Chosen()
	w.source = ami.Source{Owners: w.source.Owners, Image: w.pin.Image}
	return w, nil
}

// candidates finds the acceptable images of a source, and which of them, and of
// others, are banned.
func (b *backend) candidates(ctx context.Context, c *clients, l *look, w amiWant, others ...string) (err error) {
	l.choice, err = w.at(c).Find(ctx, w.source, l.rule)
	if errors.As(err, new(*ami.NoImageError)) || errors.As(err, new(*ami.ParameterError)) {
		l.none = err
		return nil
	}
	if err != nil {
		return err
	}
	found := l.choice.Acceptable[:min(len(l.choice.Acceptable), mostOptions)]
	if w.copy != nil {
		return b.copies(ctx, c, l, w, found, others)
	}
	if l.bans, err = b.bans(ctx, c, append(imageIDs(found), others...)...); err != nil {
		return err
	}
	for _, i := range found {
		l.options = append(l.options, image.Option{Image: i, Held: l.bans.Why(i.ID)})
	}
	return nil
}

// explanation is the table under what it is of. Without that line Terraform would
// shift the first one of the table where it shows an output.
func (l look) explanation(chosen string) string { return l.title() + "\n" + l.table(chosen) }

// title is what the table is of.
func (l look) title() string {
	of := "The newest images of the source"
	if l.template.ID != "" {
		of += " for " + l.template.ID
	}
	if l.pin != "" {
		return of + " do not count: it is " + l.pin + "."
	}
	return of + ":"
}

// table is a text for people about the newest candidates.
func (l look) table(chosen string) string {
	held := map[string]string{}
	for _, o := range l.options {
		held[l.original(o.Image).ID] = o.Held
	}
	return l.choice.Table(chosen, held)
}

// original is an option's image as it is among the candidates.
func (l look) original(i image.Image) image.Image { return l.want.original(i) }

// dated is an image that is in use as its age is judged: a copy of a candidate
// is as old as that.
func (l look) dated(i image.Image) image.Image {
	if l.want.copy == nil || i.SourceID == "" {
		return i
	}
	for _, v := range l.choice.Verdicts {
		if v.Image.ID == i.SourceID {
			i.CreatedAt = v.Image.CreatedAt
		}
	}
	return i
}

// name is the id of the image that was chosen among the candidates; empty: none
// was.
func (l look) name(pick image.Option) string {
	return l.original(pick.Image).ID
}

// has tells whether the version to start from has an image, or the channel. A copy
// that has to be made has no id, and neither has a channel that does not exist.
func (l look) has(i image.Image) bool { return i.ID != "" && i.ID == l.base.Image }

// words says for people which image was chosen, with what it is a copy of.
func (l look) words(i image.Image) string {
	text := l.choice.Words(l.original(i), l.rule)
	switch {
	case i.Via == "":
		return text
	case i.ID == "":
		return "a copy of " + text
	}
	return i.ID + ", a copy of " + text
}

// known tells whether a template has a version with an image that is not in
// quarantine.
func known(t ami.Template, imageID string, held []image.Quarantine) bool {
	return slices.ContainsFunc(t.Versions, func(v ami.Version) bool {
		return v.Image == imageID && !slices.ContainsFunc(held, func(q image.Quarantine) bool { return q.Data == v.Data })
	})
}

// runs tells whether a group runs what failed in another one: versions of a
// template with an image and data in quarantine.
func (c *clients) runs(ctx context.Context, t ami.Template, imageID string, held []image.Quarantine) bool {
	return slices.ContainsFunc(held, func(q image.Quarantine) bool {
		if imageID == "" || q.Image != imageID {
			return false
		}
		var versions []string
		for _, n := range t.Numbers(func(v ami.Version) bool { return v.Data == q.Data }) {
			versions = append(versions, strconv.FormatInt(n, 10))
		}
		return q.RunsIn(c.looks.Running(ctx, t.ID), versions) != ""
	})
}

// rule is what an image must be for a version to be made with it.
func (b *backend) rule(ctx context.Context, c *clients, t ami.Template, base ami.Version, w amiWant) (image.Rule, error) {
	fit, err := c.images.Fit(ctx, base.Content)
	rule := fit.Apply(w.rule)
	if err != nil {
		return rule, err
	}
	rule.Account, rule.Now = t.Account, b.clock.Now()
	rule.Originals = w.copy != nil && w.copy.Region == c.region
	rule.InUse, err = w.inUse(ctx, c, w.current(t.Latest().Image))
	return rule, err
}

// base is the version to copy from: the one asked for, or the latest.
func base(t ami.Template, number int64) (ami.Version, error) {
	if number == 0 {
		return t.Latest(), nil
	}
	v, ok := t.Version(number)
	if !ok {
		return v, &ami.VersionError{Template: t.ID, Number: number, Oldest: t.Versions[0].Number, Latest: t.Latest().Number}
	}
	return v, nil
}

// inUse is the image that is in use: that in state, or what the channel holds.
func (m amiRefreshModel) inUse(s standing, w amiWant) string {
	return w.current(m.inState(s.there))
}

// mend puts the image of the version in state into a model that has another: a
// plan with that one was applied after the window had closed.
func (b *backend) mend(ctx context.Context, c *clients, m amiRefreshModel, v ami.Version) (amiRefreshModel, error) {
	if !m.bound() || m.Copy.IsNull() && v.Image == m.ImageID.ValueString() {
		return m, nil
	}
	i, err := c.images.Image(ctx, v.Image)
	if err != nil && !errors.Is(err, ami.ErrNoImage) {
		return m, err
	}
	if !m.Copy.IsNull() {
		return b.mendCopy(ctx, c, m, v.Number, i)
	}
	i.ID = v.Image
	m.set(i, v.Number)
	return m, nil
}

// standing is where a resource stands before anything is chosen.
type standing struct {
	template ami.Template
	from     ami.Version  // to start from
	current  ami.Version  // the one in state
	there    bool         // current exists
	to       *image.Image // what was chosen; nil: what is in use stays
	wrong    string       // why an apply would fail, for people; empty: nothing is known to
}

// stand finds out where a model from state stands, and brings its image up to
// date where that is another than was planned.
func (b *backend) stand(ctx context.Context, c *clients, m amiRefreshModel, w amiWant) (standing, amiRefreshModel, error) {
	t, err := c.images.Known(ctx, w.template)
	if err != nil {
		return standing{}, m, err
	}
	var s standing
	s.template, s.from, err = b.begin(ctx, c, t, w)
	if w.target == nil {
		s.current = m.adopt(s.template, w)
	} else {
		number, _ := strconv.ParseInt(m.LaunchTemplateVersion.ValueString(), 10, 64)
		s.current, _ = s.template.Version(number)
	}
	s.there = s.current.Number != 0
	var other *notFollowingError
	switch {
	case err == nil:
	case !absentYet(err) && !errors.As(err, &other):
		return s, m, err
	default:
		// The source was deleted, or names no parameter any more. That matters only
		// when it is to be copied.
		if s.from = s.current; !s.there {
			s.from = t.Latest()
		}
		if other != nil {
			s.wrong = roller.Sentence(other.Error()) + " Apply will fail."
		}
	}
	switch {
	case w.target != nil:
		m, err = b.seenIn(ctx, c, m, *w.target)
	case s.there:
		m, err = b.mend(ctx, c, m, s.current)
	default:
		err = nil
	}
	return s, m, err
}

// observe brings a model from state up to date and makes the snapshot that
// plans work from.
func (b *backend) observe(ctx context.Context, c *clients, m amiRefreshModel, w amiWant) (amiRefreshModel, *amiSeen, error) {
	s, m, err := b.stand(ctx, c, m, w)
	if err != nil {
		return m, nil, err
	}
	t := s.template
	l, err := b.lookAt(ctx, c, t, s.from, m.inUse(s, w), w)
	if err != nil {
		return m, nil, err
	}
	seen := &amiSeen{Latest: strconv.FormatInt(t.Latest().Number, 10), Version: m.LaunchTemplateVersion.ValueString()}
	pick, ok := l.pick(m.ImageID.ValueString(), seen)
	if ok && l.standsIn(pick, m.inUse(s, w)) {
		// What is in state was rolled back. The image before it stands in.
		m.set(pick.Image, pick.Version)
		s.current, s.there = t.Version(pick.Version)
		seen.Version = m.LaunchTemplateVersion.ValueString()
	}
	to := m
	if ok {
		if pick.Image.ID != m.ImageID.ValueString() {
			seen.Caution = rollout.Clip(roller.Sentence(c.caution(ctx, pick.Image, t.Account)), mostWarning)
		}
		to.set(pick.Image, 0)
		s.to = &pick.Image
	}
	seen.Image = to.seenAs()
	if !s.there || ok && s.differs(pick.Image.ID, w) {
		seen.Version = ""
	}
	if w.target != nil {
		seen.Holds = w.target.Image
	}
	b.warnAhead(ctx, c, seen, s, w)
	if s.there {
		seen.Same = pack(t.Numbers(func(v ami.Version) bool { return v.Bare == s.current.Bare }))
	}
	return m, seen, nil
}

// rootOf finds out whether version data would give members another root disk
// than an image's, of which a copy may have to be made.
func rootOf(ctx context.Context, c *clients, t ami.Template, from ami.Version, i image.Image) error {
	if i.ID == "" {
		i.ID = i.SourceID
		return t.RootFrom(from, i)
	}
	return c.images.RootSnapshot(ctx, t, from, i.ID)
}

// differs tells whether the version in state is not the one that an image
// should have.
func (s standing) differs(image string, w amiWant) bool {
	if w.target != nil {
		return s.current.Bare != s.from.Bare
	}
	return image == "" || s.current.Data != s.template.With(s.from, image)
}

// warnAhead notes for the plan what a new version, or a move of the channel,
// will lead to.
func (b *backend) warnAhead(ctx context.Context, c *clients, seen *amiSeen, s standing, w amiWant) {
	moved := w.target != nil && (seen.Image.uncopied() || seen.Holds != seen.Image.ID)
	switch {
	case moved:
		seen.Followers = channelFollowers(ctx, c, *w.target)
	case w.target == nil && seen.Version == "":
		seen.Followers = followers(ctx, c, w.template)
	}
	if s.wrong != "" && (moved || seen.Version == "") {
		seen.warn("%s", s.wrong)
	}
	if s.to != nil && (moved || seen.Version == "") {
		seen.warnRoot(rootOf(ctx, c, s.template, s.from, *s.to))
	}
}

// picked is the option to go for.
type picked struct {
	image.Option
	failed bool // the image in state was passed over
}

// pick settles on an option and notes for the plan what was passed over. ok is
// false when what is in state is to stay.
func (l look) pick(inState string, seen *amiSeen) (p picked, ok bool) {
	if l.unpinned != "" {
		seen.warn("%s", roller.Sentence(l.unpinned))
	}
	pick, passed, ok := image.Settle(l.options)
	for _, o := range passed {
		p.failed = p.failed || o.Image.ID == inState && inState != ""
		if p.failed && l.inUse != "" {
			seen.Kept = rollout.Clip(roller.Sentence(o.Held), mostWarning)
			break // it stays, and what is older is no matter
		}
		seen.warn("%s", roller.Sentence("passed over: "+o.Held))
	}
	if l.none != nil {
		seen.None = true // the plan looks again and says why
	}
	p.Option = pick
	// Where the image runs well in another version, what failed was an edit of
	// the template, and no older image cures that.
	return p, ok && (!p.failed || l.inUse == "")
}

// standsIn tells whether the image before a failed one is in use again already,
// in the version that has it: a roll has gone back. Nothing has gone back for a ban,
// and stacks that follow the latest version would be led away from an older one.
func (l look) standsIn(p picked, failed string) bool {
	if !p.failed || p.Version == 0 || l.want.target != nil {
		return false
	}
	return l.bans.Why(failed) == "" || p.Version == l.template.Latest().Number
}

func (s *amiSeen) warn(format string, a ...any) {
	if len(s.Warnings) < 2 {
		s.Warnings = append(s.Warnings, rollout.Clip(fmt.Sprintf(format, a...), mostWarning))
	}
}

// warnRoot notes that version data would give members another root disk, where
// err says so.
func (s *amiSeen) warnRoot(err error) {
	var root *ami.RootSnapshotError
	if errors.As(err, &root) {
		s.Root = rollout.Clip(roller.Sentence(root.Error()), mostWarning)
	}
}

// patiently repeats a look for something that was made a moment ago, while
// absent says that it is not there yet.
func patiently[T any](ctx context.Context, clk clock.Clock, absent func(error) bool, do func() (T, error)) (T, error) {
	const tries = 4
	for try := 1; ; try++ {
		out, err := do()
		if err == nil || !absent(err) || try == tries {
			return out, err
		}
		if err := clk.Sleep(ctx, time.Duration(try)*time.Second); err != nil {
			return out, err
		}
	}
}
