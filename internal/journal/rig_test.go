package journal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
	"github.com/fleetrefit/terraform-provider-refit/internal/journal"
)

const (
	group = "web blue/green"
	arn   = "arn:aws:autoscaling:eu-west-2:123456789012:autoScalingGroup:0f5c2b1e-7a43-4c8e-9d8a-1b2c3d4e5f60:autoScalingGroupName/web blue/green"
)

// note stands for the roller's record.
type note struct {
	Step string `json:"step"`
}

// rig is one backend in a world of its own.
type rig struct {
	t        *testing.T
	name     string // ssm or s3
	world    *awssim.World
	store    *journal.Store
	get, put string // the calls it reads and writes entries with
}

// onEach runs a test on each backend, with virtual time.
func onEach(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	for _, name := range []string{"ssm", "s3"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := awssim.New(awssim.Options{})
			t.Cleanup(w.Close)
			test(t, newRig(t, name, w))
		})
	}
}

func newRig(t *testing.T, name string, w *awssim.World) *rig {
	t.Helper()
	r := &rig{t: t, name: name, world: w}
	switch name {
	case "ssm":
		r.store = journal.NewSSM(ssm.NewFromConfig(w.Config()), w.Clock(), "/refit")
		r.get, r.put = "ssm:GetParametersByPath", "ssm:PutParameter"
	case "s3":
		w.CreateBucket("team-state")
		r.store = journal.NewS3(s3.NewFromConfig(w.Config()), w.Clock(), "team-state", "refit")
		r.get, r.put = "s3:GetObject", "s3:PutObject"
	}
	return r
}

// journal is the journal as an owner on a machine of its own sees it.
func (r *rig) journal(owner string) *journal.Journal {
	return journal.New(r.store, journal.Options{Owner: journal.Owner{Name: owner + "@host", PID: 4711}})
}

// acquire takes the lease and fails the test if that is not possible.
func (r *rig) acquire(j *journal.Journal, o journal.AcquireOptions) *journal.Lease {
	r.t.Helper()
	l, err := j.Acquire(r.t.Context(), group, arn, o)
	if err != nil {
		r.t.Fatalf("Acquire: %v", err)
	}
	return l
}

func (r *rig) write(l *journal.Lease, step string) {
	r.t.Helper()
	if err := l.Write(r.t.Context(), note{step}); err != nil {
		r.t.Fatalf("Write %s: %v", step, err)
	}
}

// peek reads the newest entry, which must exist.
func (r *rig) peek() journal.Entry {
	r.t.Helper()
	e, ok, err := r.journal("reader").Peek(r.t.Context(), arn)
	if err != nil || !ok {
		r.t.Fatalf("Peek: %v, %v", ok, err)
	}
	return e
}

func (r *rig) inject(f awssim.Fault) {
	r.t.Helper()
	if _, err := r.world.Inject(f); err != nil {
		r.t.Fatal(err)
	}
}

// took measures simulated time.
func (r *rig) took(f func()) time.Duration {
	start := r.world.Clock().Now()
	f()
	return r.world.Clock().Now().Sub(start)
}

// step is the step in a record.
func step(t *testing.T, record json.RawMessage) string {
	t.Helper()
	var n note
	if err := json.Unmarshal(record, &n); err != nil {
		t.Fatalf("record %s: %v", record, err)
	}
	return n.Step
}

// calls gives the counted calls as text, such as "ssm:GetParametersByPath 1".
func (r *rig) calls() map[string]int { return r.world.Calls() }

func total(calls map[string]int) (n int) {
	for _, c := range calls {
		n += c
	}
	return n
}

func contains(t *testing.T, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want it to contain %q", got, want)
		}
	}
}
