package awssim

import "slices"

// alarmed and alarmOK are states of alarms that a refresh cares about.
const (
	alarmed = "ALARM"
	alarmOK = "OK"
)

// refreshAlarm is the first alarm of a refresh that is in ALARM, else the
// first that is not OK, else nothing. Rolling back, alarms do not count.
func (w *World) refreshAlarm(r *refresh) (bad struct{ name, state string }) {
	if r.back() {
		return bad
	}
	for _, name := range r.preferences.AlarmSpecification.Alarms {
		// One that was deleted has no data.
		switch state, known := w.alarmState(name); {
		case known && state == alarmOK:
		case state == alarmed:
			bad.name, bad.state = name, state
			return bad
		case bad.name == "":
			bad.name, bad.state = name, "INSUFFICIENT_DATA"
		}
	}
	return bad
}

// checkRefreshAlarms refuses alarms that a refresh cannot start with.
func (w *World) checkRefreshAlarms(names []string) error {
	for _, name := range names {
		switch state, known := w.alarmState(name); {
		case !known:
			return invalidf("The request isn't valid. The CloudWatch alarm %s does not exist.", name)
		case state != alarmOK:
			return invalidf("The request isn't valid. The CloudWatch alarm %s is in %s state. Alarms must be in OK state to start an instance refresh.", name, state)
		}
	}
	return nil
}

// alarmMoved is called by CloudWatch when an alarm's state may have changed.
func (w *World) alarmMoved(name string) {
	for _, g := range w.sortedGroups() {
		if r := g.refresh; r != nil && slices.Contains(r.preferences.AlarmSpecification.Alarms, name) {
			w.lookSoon(g)
		}
	}
}
