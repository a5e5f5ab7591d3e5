package awssim

import (
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	maxHooks        = 50
	leastHeartbeat  = 30
	mostHeartbeat   = 7200
	usualHeartbeat  = 3600
	hookNamePattern = `[A-Za-z0-9\-_\/]+`
)

var hookName = regexp.MustCompile(`^` + hookNamePattern + `$`)

func putLifecycleHook(w *World, in *autoscaling.PutLifecycleHookInput) (*autoscaling.PutLifecycleHookOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	h, err := g.newHook(types.LifecycleHookSpecification{
		LifecycleHookName: in.LifecycleHookName, LifecycleTransition: in.LifecycleTransition, DefaultResult: in.DefaultResult,
		HeartbeatTimeout: in.HeartbeatTimeout, NotificationMetadata: in.NotificationMetadata,
		NotificationTargetARN: in.NotificationTargetARN, RoleARN: in.RoleARN,
	})
	if err != nil {
		return nil, err
	}
	g.hooks = append(slices.DeleteFunc(slices.Clone(g.hooks), func(o *hook) bool { return *o.LifecycleHookName == *h.LifecycleHookName }), h)
	return &autoscaling.PutLifecycleHookOutput{}, nil
}

// newHook checks a hook's settings. Those that are left out stay as they are
// in a hook that is there already, else they take their defaults.
func (g *group) newHook(in types.LifecycleHookSpecification) (*hook, error) {
	name := aws.ToString(in.LifecycleHookName)
	if !hookName.MatchString(name) || len(name) > 255 {
		return nil, invalidf("1 validation error detected: Value '%s' at 'lifecycleHookName' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", name, hookNamePattern)
	}
	h := &hook{LifecycleHook: types.LifecycleHook{
		AutoScalingGroupName: g.as.AutoScalingGroupName, LifecycleHookName: in.LifecycleHookName,
		HeartbeatTimeout: aws.Int32(usualHeartbeat), DefaultResult: aws.String(resultAbandon),
	}}
	if before := g.hook(name); before != nil {
		*h = *before
	} else if len(g.hooks) >= maxHooks {
		return nil, &Error{Code: "LimitExceeded", Message: "The maximum number of lifecycle hooks for an AutoScalingGroup is 50."}
	}
	replace(&h.LifecycleTransition, in.LifecycleTransition)
	replace(&h.DefaultResult, in.DefaultResult)
	replace(&h.HeartbeatTimeout, in.HeartbeatTimeout)
	replace(&h.NotificationMetadata, in.NotificationMetadata)
	replace(&h.NotificationTargetARN, in.NotificationTargetARN)
	replace(&h.RoleARN, in.RoleARN)
	if aws.ToString(h.NotificationTargetARN) == "" {
		h.NotificationTargetARN = nil
	}
	switch transition := aws.ToString(h.LifecycleTransition); {
	case transition == "":
		return nil, invalid("Lifecycle transition must be specified for a new lifecycle hook.")
	case transition != hookLaunching && transition != hookTerminating:
		return nil, invalidf("Lifecycle Hook Type %s is not valid. Valid types are [%s, %s].", transition, hookLaunching, hookTerminating)
	case *h.DefaultResult != resultContinue && *h.DefaultResult != resultAbandon:
		return nil, invalidf("Invalid DefaultResult %s. Valid values are CONTINUE and ABANDON.", *h.DefaultResult)
	case *h.HeartbeatTimeout < leastHeartbeat || *h.HeartbeatTimeout > mostHeartbeat:
		return nil, invalidf("Heartbeat timeout %d must be between %d and %d seconds.", *h.HeartbeatTimeout, leastHeartbeat, mostHeartbeat)
	case h.NotificationTargetARN != nil && aws.ToString(h.RoleARN) == "":
		return nil, invalid("A role ARN must be specified with a notification target.")
	}
	h.GlobalTimeout = aws.Int32(min(*h.HeartbeatTimeout*mostHeartbeats, int32(longestWait/time.Second)))
	return h, nil
}

func describeLifecycleHooks(w *World, in *autoscaling.DescribeLifecycleHooksInput) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeLifecycleHooksOutput{LifecycleHooks: []types.LifecycleHook{}}
	for _, h := range g.hooks {
		if len(in.LifecycleHookNames) == 0 || slices.Contains(in.LifecycleHookNames, *h.LifecycleHookName) {
			out.LifecycleHooks = append(out.LifecycleHooks, h.LifecycleHook)
		}
	}
	return out, nil
}

func describeLifecycleHookTypes(*World, *autoscaling.DescribeLifecycleHookTypesInput) (*autoscaling.DescribeLifecycleHookTypesOutput, error) {
	return &autoscaling.DescribeLifecycleHookTypesOutput{LifecycleHookTypes: []string{hookLaunching, hookTerminating}}, nil
}

// deleteLifecycleHook takes a hook off; actions in progress are completed, with
// ABANDON at a launch and CONTINUE at a termination.
func deleteLifecycleHook(w *World, in *autoscaling.DeleteLifecycleHookInput) (*autoscaling.DeleteLifecycleHookOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	h := g.hook(aws.ToString(in.LifecycleHookName))
	if h == nil {
		return nil, invalidf("No Lifecycle Hook found with name: %s for AutoScalingGroup: %s", aws.ToString(in.LifecycleHookName), g.name())
	}
	g.hooks = slices.DeleteFunc(slices.Clone(g.hooks), func(o *hook) bool { return o == h })
	result := resultContinue
	if *h.LifecycleTransition == hookLaunching {
		result = resultAbandon
	}
	for _, m := range slices.Clone(g.members) {
		if m.wait == nil {
			continue
		}
		for _, a := range slices.Clone(m.wait.actions) {
			if *a.hook.LifecycleHookName == *h.LifecycleHookName {
				w.endAction(g, m, a, result, completedWithAbandon)
			}
		}
	}
	return &autoscaling.DeleteLifecycleHookOutput{}, nil
}

func completeLifecycleAction(w *World, in *autoscaling.CompleteLifecycleActionInput) (*autoscaling.CompleteLifecycleActionOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	result := aws.ToString(in.LifecycleActionResult)
	if result != resultContinue && result != resultAbandon {
		return nil, invalidf("Invalid LifecycleActionResult %s. Valid values are CONTINUE and ABANDON.", result)
	}
	m, a, err := w.findAction(g, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId)
	if err != nil {
		return nil, err
	}
	w.endAction(g, m, a, result, completedWithAbandon)
	return &autoscaling.CompleteLifecycleActionOutput{}, nil
}

func recordLifecycleActionHeartbeat(w *World, in *autoscaling.RecordLifecycleActionHeartbeatInput) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	m, a, err := w.findAction(g, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId)
	if err != nil {
		return nil, err
	}
	a.deadline = w.now.Add(a.hook.timeout())
	if a.deadline.After(a.latest) {
		a.deadline = a.latest
	}
	w.watchAction(g, m, a)
	return &autoscaling.RecordLifecycleActionHeartbeatOutput{}, nil
}
