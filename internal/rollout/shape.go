package rollout

// due is the version that a member should run in a group where goal is the
// group's own: a mixed instances policy may name another launch template or
// image for the member's instance type. A roll moves the group's pointer only.
func (g Group) due(m Member, goal Version) Version {
	for _, o := range g.Overrides {
		switch {
		case m.Type == "" || o.Type != m.Type:
		case o.Version != Version{}:
			return o.Version
		case o.Image != "":
			goal.Image = o.Image
		}
	}
	return goal
}

// own says whether a member's instance type has a launch template or an image
// of its own.
func (g Group) own(m Member) bool { return g.due(m, Version{}) != Version{} }

// Current says whether a member runs what it should in a group whose members
// should run target.
func (s Spec) Current(g Group, m Member, target Version) bool {
	return s.same(m.Version, g.due(m, target))
}

// current says whether a member runs the goal of the present direction.
func (t *turn) current(m Member) bool { return t.spec.Current(t.snap.Group, m, t.goal) }

// ofTarget says whether a member runs the roll's target, whatever the direction.
func (t *turn) ofTarget(m Member) bool { return t.spec.Current(t.snap.Group, m, t.rec.Target) }

// rememberBefore keeps who is there at the owner's first look.
func (t *turn) rememberBefore() {
	if t.goal.Alias == "" {
		return
	}
	t.mem.Before = map[string]bool{}
	for _, m := range t.snap.Members {
		t.mem.Before[m.ID] = true
	}
}

// moved says how a parameter that the target names in place of an image means
// another one by now; empty: it does not, as far as the members tell that were
// launched in this roll. Whatever is launched from then on is not the target.
func (t *turn) moved() string {
	if t.rec.Direction == Back || t.goal.Alias == "" {
		return ""
	}
	for _, m := range t.old() {
		if v := m.Version; !t.mem.Before[m.ID] && v.Alias == t.goal.Alias && v.Number == t.goal.Number && v.Image != "" {
			return "the parameter " + v.Alias + " of the launch template means " + v.Image + " since, and no longer " + t.goal.Image
		}
	}
	return ""
}

// literal is the image that a copy of the version has to name by its id, because
// the version names a parameter, which may mean the broken image by now; empty:
// an exact copy will do.
func (v Version) literal() string {
	if v.Alias == "" {
		return ""
	}
	return v.Image
}
