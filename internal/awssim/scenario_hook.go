package awssim

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// HookSpec is a lifecycle hook of a group, there from the start on: the first
// members were launched without it.
type HookSpec struct {
	Name       string `hcl:"name,label"`
	Transition string `hcl:"transition"`              // launching or terminating
	Timeout    string `hcl:"timeout,optional"`        // of the heartbeat; 1h when empty
	Default    string `hcl:"default_result,optional"` // CONTINUE or ABANDON, which is AWS's default
	// CompletesAfter is how long somebody outside takes to complete an action,
	// with CompletesWith (CONTINUE when empty). Empty: nobody does.
	CompletesAfter string `hcl:"completes_after,optional"`
	CompletesWith  string `hcl:"completes_with,optional"`
}

// hooks puts a scenario's lifecycle hooks on a group.
func (l *loader) hooks(g GroupSpec) error {
	l.w.lock()
	defer l.w.mu.Unlock()
	for _, h := range g.Hooks {
		if err := l.hook(g.Name, h); err != nil {
			return fmt.Errorf("hook %q: %w", h.Name, err)
		}
	}
	return nil
}

func (l *loader) hook(group string, h HookSpec) error {
	transition, known := map[string]string{"launching": hookLaunching, "terminating": hookTerminating}[h.Transition]
	if !known {
		return fmt.Errorf("transition %q is neither launching nor terminating", h.Transition)
	}
	in := &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(group), LifecycleHookName: aws.String(h.Name), LifecycleTransition: aws.String(transition),
		DefaultResult: text(h.Default),
	}
	if h.Timeout != "" {
		d, err := duration(h.Timeout, "timeout")
		if err != nil {
			return err
		}
		in.HeartbeatTimeout = aws.Int32(int32(d / time.Second)) //nolint:gosec // checked by the operation
	}
	if _, err := putLifecycleHook(l.w, in); err != nil {
		return err
	}
	if h.CompletesAfter == "" {
		return nil
	}
	after, err := duration(h.CompletesAfter, "completes_after")
	if err != nil {
		return err
	}
	worker := &hookWorker{after: after, result: h.CompletesWith}
	setDefault(&worker.result, resultContinue)
	if worker.result != resultContinue && worker.result != resultAbandon {
		return fmt.Errorf("completes_with %q is neither %s nor %s", worker.result, resultContinue, resultAbandon)
	}
	l.w.asg.groups[group].hook(h.Name).worker = worker
	return nil
}
