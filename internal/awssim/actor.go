package awssim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// callActor is an outside actor that waits for a call.
type callActor struct {
	calls string
	nth   int
	act   func()
}

// At lets an outside actor act once, d from now. It runs without the world's
// lock and may use SDK clients of the world, or its exported methods.
func (w *World) At(d time.Duration, act func()) {
	w.lock()
	defer w.mu.Unlock()
	w.after(d, func() {
		w.mu.Unlock()
		defer w.mu.Lock()
		act()
	})
}

// BeforeCall lets an outside actor act once, just before the nth call from now
// on (the first is 1) that matches a pattern as in [Fault] takes effect.
func (w *World) BeforeCall(pattern string, nth int, act func()) {
	w.lock()
	defer w.mu.Unlock()
	w.actors = append(w.actors, &callActor{calls: pattern, nth: max(nth, 1), act: act})
}

// runActors runs those who waited for this call, without the lock, and says
// whether there were any.
func (w *World) runActors(c *Call) bool {
	if len(w.actors) == 0 {
		return false
	}
	var due []func()
	kept := make([]*callActor, 0, len(w.actors))
	for _, a := range w.actors {
		if callMatches(a.calls, c) {
			if a.nth--; a.nth == 0 {
				due = append(due, a.act)
				continue
			}
		}
		kept = append(kept, a)
	}
	w.actors = kept
	for _, act := range due {
		w.mu.Unlock()
		act()
		w.mu.Lock()
	}
	return len(due) > 0
}

// flapPeriod is how long targets that flap take to be unhealthy and healthy again.
const flapPeriod = time.Minute

// Action is something that somebody other than the caller under test does.
type Action struct {
	// Do is one of set_desired, scale, set_limits, terminate, kill, break,
	// impair, mend, interrupt, recommend, suspend, resume, start_refresh,
	// cancel_refresh, rollback_refresh, set_pointer, shift_zone, delete_group, tag, flap;
	// and set_alarm, which has no group.
	Do    string `hcl:"do" json:"do"`
	Group string `hcl:"group,optional" json:"group"`
	// Value is the desired capacity of set_desired, and what scale adds to it,
	// as a policy does (negative: takes away). For flap it is how many times
	// the group's targets turn unhealthy for half a minute.
	Value int `hcl:"value,optional" json:"value"`
	// Min and Max are the limits of set_limits; what is not given stays.
	Min *int `hcl:"min,optional" json:"min"`
	Max *int `hcl:"max,optional" json:"max"`
	// Instance is the one of terminate, kill (in EC2, behind the group's back),
	// break (it stops working), impair (it works, but fails the status check
	// that Text names: instance, system or ebs) and mend (which undoes that), or
	// the Spot Instance that EC2 will interrupt in two minutes (interrupt) or
	// recommends to replace (recommend); empty: the oldest in service.
	Instance string `hcl:"instance,optional" json:"instance"`
	// Decrement makes terminate lower the desired capacity.
	Decrement bool `hcl:"decrement,optional" json:"decrement"`
	// Processes are those of suspend and resume; none: all.
	Processes []string `hcl:"processes,optional" json:"processes"`
	// Version is the text that set_pointer points at, and the version of the
	// desired configuration of start_refresh, which has none where this is empty.
	Version string `hcl:"version,optional" json:"version"`
	// Alarm is that of set_alarm, and Text its new state.
	Alarm string `hcl:"alarm,optional" json:"alarm"`
	// Refresh are the preferences of start_refresh; AWS's defaults when nil.
	Refresh *RefreshSpec `hcl:"refresh,block" json:"refresh"`
	// Key and Text are a tag's key and value; Text is also the zone that
	// shift_zone leads away from (empty: the shift ends).
	Key  string `hcl:"key,optional" json:"key"`
	Text string `hcl:"text,optional" json:"text"`
}

// Act performs an action at once. It is not counted as a call. An error is
// what AWS would have answered, or that the action is unknown.
func (w *World) Act(a Action) error {
	w.lock()
	defer w.mu.Unlock()
	if a.Do == "set_alarm" {
		_, err := setAlarmState(w, &cloudwatch.SetAlarmStateInput{
			AlarmName: aws.String(a.Alarm), StateValue: cwtypes.StateValue(a.Text), StateReason: aws.String("an actor says so"),
		})
		w.notify()
		if err != nil {
			return fmt.Errorf("action %q on alarm %q: %w", a.Do, a.Alarm, err)
		}
		return nil
	}
	g := w.asg.groups[a.Group]
	if g == nil {
		return fmt.Errorf("action %q: no group %q", a.Do, a.Group)
	}
	err := w.act(g, a)
	w.notify()
	if err != nil {
		return fmt.Errorf("action %q on group %q: %w", a.Do, a.Group, err)
	}
	return nil
}

func (w *World) act(g *group, a Action) (err error) {
	name := g.as.AutoScalingGroupName
	value := int32(a.Value) //nolint:gosec // capacities are small
	switch a.Do {
	case "set_desired":
		_, err = setDesiredCapacity(w, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: aws.Int32(value)})
	case "scale":
		w.scaleByPolicy(g, value)
	case "set_limits":
		_, err = updateAutoScalingGroup(w, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: name, MinSize: int32Of(a.Min), MaxSize: int32Of(a.Max)})
	case "suspend":
		_, err = suspendProcesses(w, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: a.Processes})
	case "resume":
		_, err = resumeProcesses(w, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: name, ScalingProcesses: a.Processes})
	case "start_refresh":
		_, err = startInstanceRefresh(w, a.startRefresh(g))
	case "cancel_refresh":
		_, err = cancelInstanceRefresh(w, &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: name})
	case "rollback_refresh":
		_, err = rollbackInstanceRefresh(w, &autoscaling.RollbackInstanceRefreshInput{AutoScalingGroupName: name})
	case "set_pointer":
		_, err = updateAutoScalingGroup(w, g.repoint(a.Version))
	case "shift_zone":
		err = w.shiftZone(g, a.Text)
	case "delete_group":
		_, err = deleteAutoScalingGroup(w, &autoscaling.DeleteAutoScalingGroupInput{AutoScalingGroupName: name, ForceDelete: aws.Bool(true)})
	case "flap":
		for _, arn := range g.traffic() {
			w.flap(arn, flapPeriod, max(a.Value, 1))
		}
	case "tag":
		err = g.setTag(types.Tag{Key: aws.String(a.Key), Value: aws.String(a.Text)})
	default:
		err = w.actOnMember(g, a)
	}
	return err
}

// repoint asks for another version of the template that a group points at, and
// leaves the rest of its policy as it is.
func (g *group) repoint(version string) *autoscaling.UpdateAutoScalingGroupInput {
	spec := *g.pointer()
	spec.LaunchTemplateName, spec.Version = nil, aws.String(version)
	in := &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: g.as.AutoScalingGroupName}
	if p := g.as.MixedInstancesPolicy; p != nil {
		in.MixedInstancesPolicy = &types.MixedInstancesPolicy{
			InstancesDistribution: p.InstancesDistribution,
			LaunchTemplate:        &types.LaunchTemplate{LaunchTemplateSpecification: &spec, Overrides: byTemplateID(p.LaunchTemplate.Overrides)},
		}
		return in
	}
	in.LaunchTemplate = &spec
	return in
}

// byTemplateID are overrides whose templates are named by id alone, as a
// request must name them.
func byTemplateID(overrides []types.LaunchTemplateOverrides) []types.LaunchTemplateOverrides {
	out := slices.Clone(overrides)
	for i := range out {
		if s := out[i].LaunchTemplateSpecification; s != nil {
			out[i].LaunchTemplateSpecification = &types.LaunchTemplateSpecification{LaunchTemplateId: s.LaunchTemplateId, Version: s.Version}
		}
	}
	return out
}

// actOnMember performs the actions that hit one member.
func (w *World) actOnMember(g *group, a Action) error {
	id := a.Instance
	spot := a.Do == "interrupt" || a.Do == "recommend"
	for _, m := range g.members {
		if id == "" && m.lifecycle == types.LifecycleStateInService && (!spot || m.market == marketSpot && !m.atRisk) {
			id = m.id
		}
	}
	if g.byID[id] == nil {
		return errors.New("no such member")
	}
	switch a.Do {
	case "terminate":
		_, err := terminateInstance(w, &autoscaling.TerminateInstanceInAutoScalingGroupInput{
			InstanceId: aws.String(id), ShouldDecrementDesiredCapacity: aws.Bool(a.Decrement),
		})
		return err
	case "kill":
		w.endInstance(id)
	case "break":
		w.breakInstance(id)
	case "interrupt":
		return w.interrupt(g, g.byID[id])
	case "recommend":
		return w.recommend(g, g.byID[id])
	case "impair":
		check := a.Text
		setDefault(&check, "instance")
		return w.impairInstance(id, check)
	case "mend":
		return w.impairInstance(id, "")
	default:
		return errors.New("no such action")
	}
	return nil
}

// scaleByPolicy changes desired as an alarm and its policy do, within limits.
func (w *World) scaleByPolicy(g *group, by int32) {
	if !g.runs("AlarmNotification") {
		return
	}
	level, policy := "high", "scale-out"
	if by < 0 {
		level, policy = "low", "scale-in"
	}
	n := max(min(g.desired()+by, g.max()), g.min())
	w.changeDesired(g, n, fmt.Sprintf("a monitor alarm %s-cpu-%s in state ALARM triggered policy %s-%s", g.name(), level, g.name(), policy))
}

func int32Of(i *int) *int32 {
	if i == nil {
		return nil
	}
	return aws.Int32(int32(*i)) //nolint:gosec // sizes are small
}
