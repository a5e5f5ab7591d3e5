package awssim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// processes are the scaling processes that can be suspended.
var processes = []string{
	"AZRebalance", "AddToLoadBalancer", "AlarmNotification", "HealthCheck", "InstanceRefresh",
	"Launch", "ReplaceUnhealthy", "ScheduledActions", "Terminate",
}

// processesNamed are the processes of a request: all when it names none.
func processesNamed(names []string) ([]string, error) {
	if len(names) == 0 {
		return processes, nil
	}
	for _, n := range names {
		if !slices.Contains(processes, n) {
			return nil, invalidf("Unknown process type(s): [%s]. Valid types are [%s].", n, strings.Join(processes, ", "))
		}
	}
	return names, nil
}

func suspendProcesses(w *World, in *autoscaling.SuspendProcessesInput) (*autoscaling.SuspendProcessesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	names, err := processesNamed(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if g.runs(n) { // a second suspension keeps the first one's reason
			g.suspended[n] = "User suspended at " + w.now.UTC().Format(time.RFC3339)
			w.event(g.name(), "%s suspended", n)
		}
	}
	return &autoscaling.SuspendProcessesOutput{}, nil
}

func resumeProcesses(w *World, in *autoscaling.ResumeProcessesInput) (*autoscaling.ResumeProcessesOutput, error) {
	g, err := w.findGroup(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	names, err := processesNamed(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if !g.runs(n) {
			delete(g.suspended, n)
			w.event(g.name(), "%s resumed", n)
		}
	}
	if slices.Contains(names, "HealthCheck") {
		for _, m := range g.members {
			w.checkHealth(g, m)
		}
	}
	// Members launched while AddToLoadBalancer was suspended stay out of the
	// load balancer: resuming does not add them.
	w.lookSoon(g)
	return &autoscaling.ResumeProcessesOutput{}, nil
}

func (g *group) suspendedList() []types.SuspendedProcess {
	out := make([]types.SuspendedProcess, 0, len(g.suspended))
	for _, n := range slices.Sorted(maps.Keys(g.suspended)) {
		out = append(out, types.SuspendedProcess{ProcessName: aws.String(n), SuspensionReason: aws.String(g.suspended[n])})
	}
	return out
}
