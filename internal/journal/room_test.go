package journal_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

// TestRoom: internal/rollout counts on so much room for a record in a
// parameter, whoever the owner is.
func TestRoom(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	arn := "arn:aws:autoscaling:ap-southeast-1:123456789012:autoScalingGroup:01234567-0123-0123-0123-0123456789ab:autoScalingGroupName/" + strings.Repeat("n", 100)
	j := journal.New(journal.NewSSM(ssm.NewFromConfig(w.Config()), w.Clock(), "/refit"), journal.Options{})
	if room := j.Room(arn); room < 3300 {
		t.Errorf("%d bytes are left for a record, want 3300", room)
	}
}
