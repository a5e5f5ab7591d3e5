package rollout

import "fmt"

// noReturn says why a roll as opened could not be rolled back to the version
// its stale members run, as far as the snapshot tells; empty: it could. It is
// asked for while nothing has been changed, because afterwards is too late.
func noReturn(o Opening, to Version) string {
	switch {
	case to == Version{}:
		return "" // nobody runs anything else
	case to.Number == 0:
		return "the old members come from no version of a launch template"
	case to.TemplateID != o.Target.TemplateID:
		return fmt.Sprintf("the old members come from another launch template, %s", to.TemplateID)
	case to.Alias != "" && to.Image == "":
		return fmt.Sprintf("nobody can tell which image the parameter %s meant when the old members were launched", to.Alias)
	case to.Number == o.Target.Number && to.Alias == "":
		return fmt.Sprintf("the old members come from version %d, too", to.Number)
	case to.Data == "":
		return fmt.Sprintf("version %d of the launch template, which old members run, was deleted", to.Number)
	case o.Snapshot.Unusable[to.Image] != "":
		return fmt.Sprintf("image %s of version %d, which old members run, %s", to.Image, to.Number, o.Snapshot.Unusable[to.Image])
	}
	return ""
}

// runs says whether a member runs a version.
func (s Snapshot) runs(v Version) bool {
	for _, m := range s.Members {
		if m.Version.Number == v.Number && m.Version.TemplateID == v.TemplateID {
			return true
		}
	}
	return false
}
