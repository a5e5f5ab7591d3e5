package awssim

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	hookLaunching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	hookTerminating = "autoscaling:EC2_INSTANCE_TERMINATING"

	resultContinue = "CONTINUE"
	resultAbandon  = "ABANDON"

	// longestWait and mostHeartbeats bound how long heartbeats keep an
	// instance waiting.
	longestWait    = 48 * time.Hour
	mostHeartbeats = 100
)

// hook is a lifecycle hook. A change replaces it, because actions in progress
// keep the one they began with.
type hook struct {
	types.LifecycleHook
	worker *hookWorker
}

// hookWorker is somebody outside who completes the actions of a hook.
type hookWorker struct {
	after  time.Duration
	result string
}

func (h *hook) timeout() time.Duration { return time.Duration(*h.HeartbeatTimeout) * time.Second }

// hookAction is a lifecycle action in progress: an instance waits for a hook.
type hookAction struct {
	hook     *hook
	token    string
	deadline time.Time // for the next heartbeat
	latest   time.Time // whatever heartbeats come
}

// hooksWait is a member that waits for hooks.
type hooksWait struct {
	actions []*hookAction
	proceed types.LifecycleState
	// then is what comes after the wait; abandoned is why it ended before its
	// time, or empty.
	then func(abandoned string)
}

// waitForHooks lets a member wait for all hooks of a transition, which begin
// at once. Without any, what comes then comes now.
func (w *World) waitForHooks(g *group, m *member, transition string, wait hooksWait, waiting types.LifecycleState) {
	for _, h := range g.hooks {
		if *h.LifecycleTransition != transition || g.deleting {
			continue
		}
		a := &hookAction{
			hook: h, token: w.newUUID(), deadline: w.now.Add(h.timeout()),
			latest: w.now.Add(time.Duration(*h.GlobalTimeout) * time.Second),
		}
		wait.actions = append(wait.actions, a)
		w.watchAction(g, m, a)
		if k := h.worker; k != nil {
			w.after(k.after, func() { w.endAction(g, m, a, k.result, completedWithAbandon) })
		}
	}
	if len(wait.actions) == 0 {
		wait.then("")
		return
	}
	m.lifecycle, m.wait = waiting, &wait
	w.event(g.name(), "%s %s", m.id, waiting)
}

const (
	heartbeatTimeout     = "Heartbeat Timeout"
	completedWithAbandon = "Lifecycle Action Completed with ABANDON Result"
)

// watchAction ends an action with its hook's default result when no heartbeat
// came in time.
func (w *World) watchAction(g *group, m *member, a *hookAction) {
	w.after(a.deadline.Sub(w.now), func() {
		if !w.now.Before(a.deadline) {
			w.endAction(g, m, a, *a.hook.DefaultResult, heartbeatTimeout)
		}
	})
}

// endAction ends one action. One that is abandoned ends the wait, else the
// member proceeds when it was the last one.
func (w *World) endAction(g *group, m *member, a *hookAction, result, why string) {
	if m.wait == nil || !slices.Contains(m.wait.actions, a) {
		return // it is over already
	}
	w.event(g.name(), "%s: hook %s ended with %s", m.id, *a.hook.LifecycleHookName, result)
	wait := m.wait
	if result == resultAbandon {
		m.wait = nil
		wait.then("Instance failed to complete user's Lifecycle Action: Lifecycle Action with token " + a.token + " was abandoned: " + why)
		return
	}
	wait.actions = slices.DeleteFunc(wait.actions, func(o *hookAction) bool { return o == a })
	if len(wait.actions) > 0 {
		return
	}
	m.wait, m.lifecycle = nil, wait.proceed
	w.after(w.latency.React, func() {
		if m.lifecycle == wait.proceed && g.byID[m.id] == m {
			wait.then("")
		}
	})
}

// launched is called when a member's instance runs: its launch hooks come
// first, then it serves.
func (w *World) launched(g *group, m *member) {
	w.waitForHooks(g, m, hookLaunching, hooksWait{
		proceed: types.LifecycleStatePendingProceed,
		then: func(abandoned string) {
			if abandoned != "" {
				w.abandonLaunch(g, m, abandoned)
				return
			}
			w.enterService(g, m)
		},
	}, types.LifecycleStatePendingWait)
}

// abandonLaunch ends a member whose launch hook was abandoned.
func (w *World) abandonLaunch(g *group, m *member, message string) {
	m.launch.description += ".  Status Reason: " + message
	w.endActivity(m.launch, types.ScalingActivityStatusCodeCancelled, message)
	w.terminate(g, m, w.at("instance %s was taken out of service in response to a launch that was abandoned", m.id))
	w.lookSoon(g)
}

// endAfterHooks ends the instance of a member that takes no traffic any more,
// when its termination hooks are done. The group's lifecycle policy may retain
// one whose hook was abandoned.
func (w *World) endAfterHooks(g *group, m *member) {
	m.end.status, m.end.progress = types.ScalingActivityStatusCodeInProgress, 60
	m.end.description = terminating + m.id
	w.waitForHooks(g, m, hookTerminating, hooksWait{
		proceed: m.in(types.LifecycleStateTerminatingProceed),
		then: func(abandoned string) {
			switch {
			case abandoned != "" && g.retains():
				w.retain(g, m, abandoned)
			case m.returning && abandoned == "" && g.reuses():
				w.returnWarm(g, m)
			default:
				w.endForGood(g, m)
			}
		},
	}, m.in(types.LifecycleStateTerminatingWait))
}

// retain keeps a member whose termination hook was abandoned. It counts for
// nothing any more, and stays until it is terminated once more.
func (w *World) retain(g *group, m *member, why string) {
	m.lifecycle = m.in(types.LifecycleStateTerminatingRetained)
	w.endActivity(m.end, types.ScalingActivityStatusCodeCancelled, why)
	m.end, m.returning = nil, false
	w.event(g.name(), "%s retained", m.id)
	w.instanceChanged(m.id) // it may have ended meanwhile
}

// retained says whether a member was kept after it should have ended.
func (m *member) retained() bool { return strings.HasSuffix(string(m.lifecycle), ":Retained") }

// endForGood ends a member's instance.
func (w *World) endForGood(g *group, m *member) {
	w.endInstance(m.id)
	if i := w.ec2.instances[m.id]; i == nil || i.state == "terminated" {
		w.remove(g, m)
	}
}

// retains says whether the group keeps instances whose termination hook was abandoned.
func (g *group) retains() bool {
	p := g.as.InstanceLifecyclePolicy
	return p != nil && p.RetentionTriggers != nil && p.RetentionTriggers.TerminateHookAbandon == types.RetentionActionRetain
}

// cutHooks ends the wait of a member that is ending, as when its group is
// deleted by force.
func (w *World) cutHooks(m *member) {
	if wait := m.wait; wait != nil && m.end != nil {
		m.wait = nil
		wait.then("")
	}
}

// findAction is the action in progress that a request means by its token, or by
// its instance.
func (w *World) findAction(g *group, name, token, instanceID *string) (*member, *hookAction, error) {
	h := g.hook(aws.ToString(name))
	if h == nil {
		return nil, nil, invalidf("No Lifecycle Hook found with name: %s for AutoScalingGroup: %s", aws.ToString(name), g.name())
	}
	for _, m := range g.members {
		if m.wait == nil || instanceID != nil && m.id != *instanceID {
			continue
		}
		for _, a := range m.wait.actions {
			if *a.hook.LifecycleHookName == *h.LifecycleHookName && (token == nil || a.token == *token) {
				if token != nil || instanceID != nil {
					return m, a, nil
				}
			}
		}
	}
	switch {
	case token != nil:
		return nil, nil, invalid("No active Lifecycle Action found with token " + *token)
	case instanceID != nil:
		return nil, nil, invalid("No active Lifecycle Action found with instance ID " + *instanceID)
	}
	return nil, nil, invalid("Either a lifecycle action token or an instance ID must be specified.")
}

// hook is the group's hook of a name, or nil.
func (g *group) hook(name string) *hook {
	for _, h := range g.hooks {
		if *h.LifecycleHookName == name {
			return h
		}
	}
	return nil
}
