package asg

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// activities reads the newest 100 scaling activities: who changed desired, why
// members went, how long launches take, and what failed.
func (c *Client) activities(ctx context.Context, name string, s *rollout.Snapshot) error {
	out, err := shared(c, "activities of "+name, func() (*autoscaling.DescribeScalingActivitiesOutput, error) {
		return c.o.AutoScaling.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{
			AutoScalingGroupName: aws.String(name), MaxRecords: aws.Int32(100),
		}, c.reads()...)
	})
	if err != nil {
		return fmt.Errorf("read scaling activities of group %s: %w", name, err)
	}
	r := activityReader{s: s, launchedAt: map[string]time.Time{}, endedAt: map[string]time.Time{}, told: map[string]int{}}
	s.Departures = map[string]rollout.Departure{}
	for _, a := range slices.Backward(out.Activities) {
		r.read(a)
	}
	slices.SortStableFunc(s.Changes, func(a, b rollout.Change) int { return a.At.Compare(b.At) })
	chain(s.Changes)
	s.Typical = rollout.Typical{Launch: median(r.launches), Terminate: median(r.ends)}
	for i, m := range s.Members {
		s.Members[i].LaunchedAt = r.launchedAt[m.ID]
	}
	s.ActivitiesSeen = true
	return c.interruptions(ctx, s, r.endedAt)
}

// chain puts changes of the same second, of which AWS tells in any order, in the
// order in which each begins where the one before it ended.
func chain(changes []rollout.Change) {
	for i := range changes {
		end := i
		for end < len(changes) && changes[end].At.Equal(changes[i].At) {
			end++
		}
		same := changes[i:end]
		next := -1
		if i > 0 {
			next = slices.IndexFunc(same, func(c rollout.Change) bool { return c.From == changes[i-1].To })
		}
		if next < 0 { // one that none of the others leads to
			next = slices.IndexFunc(same, func(c rollout.Change) bool {
				return !slices.ContainsFunc(same, func(other rollout.Change) bool { return other.To == c.From })
			})
		}
		if next > 0 {
			found := same[next]
			copy(same[1:next+1], same[:next])
			same[0] = found
		}
	}
}

// activityReader turns activities, oldest first, into facts.
type activityReader struct {
	s          *rollout.Snapshot
	launchedAt map[string]time.Time
	endedAt    map[string]time.Time
	told       map[string]int // how many activities have told of a change of desired: several repeat one
	launches   []time.Duration
	ends       []time.Duration
}

var (
	instanceID = regexp.MustCompile(`\bi-[0-9a-f]{8,17}\b`)
	desired    = regexp.MustCompile(`changing the desired capacity from (\d+) to (\d+)`)
	// A member ended, put aside or brought back by request. The same words
	// without a request tell of the actual capacity, which is not desired.
	resized = regexp.MustCompile(`in response to a user request, (?:shrinking|increasing|growing) the capacity from (\d+) to (\d+)`)
)

func (r *activityReader) read(a astypes.Activity) {
	description, cause := aws.ToString(a.Description), aws.ToString(a.Cause)
	id := instanceID.FindString(description)
	start := aws.ToTime(a.StartTime)
	took := aws.ToTime(a.EndTime).Sub(start)
	done := a.StatusCode == astypes.ScalingActivityStatusCodeSuccessful
	for _, part := range sentences(cause) {
		r.change(part, id, start)
	}
	switch {
	case strings.HasPrefix(description, "Launching"):
		if done {
			r.launches = append(r.launches, took)
			r.s.LaunchFailure, r.s.LaunchFatal = "", false
		}
		if id != "" {
			r.launchedAt[id] = start
		}
		if a.StatusCode == astypes.ScalingActivityStatusCodeFailed || a.StatusCode == astypes.ScalingActivityStatusCodeCancelled {
			r.s.LaunchFailure, r.s.LaunchFailureAt = aws.ToString(a.StatusMessage), start
			r.s.LaunchFatal = launchKind(r.s.LaunchFailure) == rollout.Fatal
		}
	case strings.HasPrefix(description, "Terminating") && id != "":
		if done {
			r.ends = append(r.ends, took)
		}
		r.s.Departures[id] = departure(cause)
		r.endedAt[id] = start
	}
}

// sentences splits a cause into its dated sentences.
func sentences(cause string) []string {
	var out []string
	for i, p := range strings.Split(cause, "At ") {
		if i > 0 && p != "" {
			out = append(out, strings.TrimRight(strings.TrimSpace(p), "."))
		}
	}
	return out
}

// change reads a change of the desired capacity out of one sentence.
func (r *activityReader) change(text, id string, start time.Time) {
	n := r.told[text]
	r.told[text]++
	if n > 0 && !strings.Contains(text, "LaunchInstances") {
		return
	}
	c := rollout.Change{At: start, Cause: "At " + text}
	if stamp, _, ok := strings.Cut(text, " "); ok {
		if at, err := time.Parse(time.RFC3339, stamp); err == nil {
			c.At = at
		}
	}
	m := desired.FindStringSubmatch(text)
	if m == nil {
		if m = resized.FindStringSubmatch(text); m == nil {
			return
		}
		c.Member = id // it was meant; one that AWS picks says nothing of whose wish it was
	} else {
		c.Absolute = !relative(text)
		if c.Launched = strings.Contains(text, "LaunchInstances"); c.Launched {
			c.Member = id
		}
	}
	c.From, c.To = atoi(m[1]), atoi(m[2])
	// Two calls of the same second may read alike, with an end between them. One
	// call launches as many members as it adds to desired, where none weighs more.
	if n > 0 && (len(r.s.Group.Weights) > 0 || n%max(c.To-c.From, 1) > 0) {
		return
	}
	r.s.Changes = append(r.s.Changes, c)
}

// relative says whether a change of desired is by a step rather than to a
// value: policies step, people and schedules set.
func relative(text string) bool {
	return strings.Contains(text, "triggered policy") || strings.Contains(text, "LaunchInstances")
}

// departure reads why a member was ended. A person, a scale-in, a rebalance
// and spot want it gone; a health check replaces it.
func departure(cause string) rollout.Departure {
	d := rollout.Departure{Text: cause, Refresh: strings.Contains(cause, "instance refresh")}
	for _, wanted := range []string{
		"in response to a user request", "shrinking the capacity", "in response to a difference between desired and actual capacity",
		"spot", "Spot", "rebalance", "zones", "max instance lifetime", "instance refresh",
	} {
		if strings.Contains(cause, wanted) {
			d.Wanted = true
		}
	}
	if strings.Contains(cause, "health check") || strings.Contains(cause, "marked as unhealthy") {
		d.Wanted = false
	}
	return d
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0 // the pattern admits digits only
	}
	return n
}

// median of durations, zero when there are none.
func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}
