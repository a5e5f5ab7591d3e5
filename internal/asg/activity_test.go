package asg_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/asg"
	"github.com/fleetrefit/terraform-provider-refit/internal/rollout"
)

// TestChanges reads changes of desired out of causes as AWS words them. A member
// is named where it was meant: one that AWS picked says nothing of whose wish the
// change was.
func TestChanges(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	const member = "i-0123456789abcdef0"
	for _, c := range []struct {
		description, cause string
		want               []rollout.Change
	}{
		{
			"Terminating EC2 instance: " + member,
			"At 2026-11-16T09:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 8 to 1.  " +
				"At 2026-11-16T09:00:02Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 8 to 7.",
			[]rollout.Change{{At: at, From: 8, To: 1, Absolute: true}},
		},
		{
			"Terminating EC2 instance: " + member,
			"At 2026-11-16T09:00:00Z a monitor alarm web-low in state ALARM triggered policy web-in changing the desired capacity from 8 to 6.",
			[]rollout.Change{{At: at, From: 8, To: 6}},
		},
		{
			"Launching a new EC2 instance: " + member,
			"At 2026-11-16T09:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 1 to 2.",
			[]rollout.Change{{At: at, From: 1, To: 2, Absolute: true}},
		},
		{
			"Terminating EC2 instance: " + member,
			"At 2026-11-16T09:00:00Z instance " + member + " was taken out of service in response to a user request, shrinking the capacity from 4 to 3.",
			[]rollout.Change{{At: at, From: 4, To: 3, Member: member}},
		},
		{
			"Launching a new EC2 instance: " + member,
			"At 2026-11-16T09:00:00Z an instance was launched by LaunchInstances in eu-west-2a changing the desired capacity from 3 to 4.",
			[]rollout.Change{{At: at, From: 3, To: 4, Launched: true, Member: member}},
		},
	} {
		got := asg.ChangesOf(astypes.Activity{Description: aws.String(c.description), Cause: aws.String(c.cause), StartTime: &at, EndTime: &at})
		for i := range got {
			got[i].Cause = ""
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("changes of %q, %q:\n got %+v\nwant %+v", c.description, c.cause, got, c.want)
		}
	}
}

// TestChanges_alike: two launches of one second, with an end between them, read
// alike; the members of one launch repeat it.
func TestChanges_alike(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	told := func(from, to int, ids ...string) []astypes.Activity {
		var out []astypes.Activity
		for _, id := range ids {
			out = append(out, astypes.Activity{
				Description: aws.String("Launching a new EC2 instance: " + id), StartTime: &at, EndTime: &at,
				Cause: aws.String(fmt.Sprintf("At 2026-11-16T09:00:00Z a user request launched %d instances with LaunchInstances changing the desired capacity from %d to %d.", to-from, from, to)),
			})
		}
		return out
	}
	const a, b, c, d = "i-0000000000000000a", "i-0000000000000000b", "i-0000000000000000c", "i-0000000000000000d"
	for _, tt := range []struct {
		name       string
		activities []astypes.Activity
		want       []string // the first member of each change
	}{
		{"one launch of two", told(4, 6, a, b), []string{a}},
		{"two launches of one", told(4, 5, a, b), []string{a, b}},
		{"two launches of two", told(4, 6, a, b, c, d), []string{a, c}},
		{"two launches of two, of which AWS tells of three yet", told(4, 6, a, b, c), []string{a, c}},
	} {
		var got []string
		for _, c := range asg.ChangesOf(tt.activities...) {
			got = append(got, c.Member)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: changes of %q, want %q", tt.name, got, tt.want)
		}
	}
}
