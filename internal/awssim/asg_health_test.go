package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// causeOf is the cause of the newest activity whose description holds a text.
func causeOf(f *fleet, description string) string {
	f.Helper()
	for _, a := range f.activities() {
		if strings.Contains(*a.Description, description) {
			return *a.Cause
		}
	}
	f.Errorf("no activity %q", description)
	return ""
}

func TestUnhealthyMembersAreReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hurt  func(f *fleet, id string)
		cause string
	}{
		"instance ends behind the group's back": {
			func(f *fleet, id string) { f.do(f.Act(awssim.Action{Do: "kill", Group: "web", Instance: id})) },
			"in response to an EC2 health check indicating it has been terminated or stopped.",
		},
		"instance fails": {
			func(f *fleet, id string) { f.BreakInstance(id) },
			"in response to an EC2 instance status checks failure.",
		},
		"somebody says so": {
			func(f *fleet, id string) {
				_, err := f.client.SetInstanceHealth(f.Context(), &autoscaling.SetInstanceHealthInput{InstanceId: aws.String(id), HealthStatus: aws.String("Unhealthy")})
				f.do(err)
			},
			"in response to a user health-check.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			id := f.web().Members[0].ID
			c.hurt(f, id)
			f.Advance(5 * time.Minute)
			f.expect("later", 4, 4, 4)
			if f.web().Members[3].LaunchedAt.Before(f.Clock().Now().Add(-6 * time.Minute)) {
				t.Error("no member was launched")
			}
			if got := causeOf(f, "Terminating EC2 instance: "+id); !strings.HasSuffix(got, c.cause) {
				t.Errorf("cause %q, want it to end with %q", got, c.cause)
			}
			if got := causeOf(f, "Launching"); !strings.HasSuffix(got, "an instance was launched in response to an unhealthy instance needing to be replaced.") {
				t.Errorf("cause of the launch: %q", got)
			}
		})
	}
}

func TestHealthProcessesSuspended(t *testing.T) {
	t.Parallel()
	for process, marked := range map[string]string{"HealthCheck": "Healthy", "ReplaceUnhealthy": "Unhealthy", "Terminate": "Unhealthy"} {
		t.Run(process, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, "")
			f.do(f.Act(awssim.Action{Do: "suspend", Group: "web", Processes: []string{process}}))
			id := f.web().Members[0].ID
			f.BreakInstance(id)
			f.Advance(10 * time.Minute)
			if m := f.web().Members[0]; m.ID != id || m.Health != marked {
				t.Errorf("member %s is %s, want %s still there and %s", m.ID, m.Health, id, marked)
			}
			f.do(f.Act(awssim.Action{Do: "resume", Group: "web", Processes: []string{process}}))
			f.Advance(5 * time.Minute)
			f.expect("after resuming", 4, 4, 4)
		})
	}
}

func TestImageBehaviours(t *testing.T) {
	t.Parallel()
	grow := func(t *testing.T, b awssim.ImageBehaviour) *fleet {
		f := newFleet(t, "")
		f.SetImageBehaviour(imageOf(f, "new"), b)
		f.do(f.Act(awssim.Action{Do: "set_pointer", Group: "web", Version: "2"}))
		f.set(5)
		return f
	}
	t.Run("never healthy is replaced after the grace period", func(t *testing.T) {
		t.Parallel()
		f := grow(t, awssim.ImageBehaviour{NeverHealthy: true})
		f.Advance(90 * time.Second) // 2 + 45 to in service, then 60 of grace
		bad := f.web().Members[4]
		if bad.Lifecycle != "InService" || bad.Health != "Healthy" || bad.Healthy() {
			t.Errorf("in its grace period: %+v, want in service and not healthy", bad)
		}
		f.Advance(20 * time.Second)
		if got := causeOf(f, "Terminating EC2 instance: "+bad.ID); !strings.HasSuffix(got, "in response to an ELB system health check failure.") {
			t.Errorf("cause %q", got)
		}
		f.Advance(20 * time.Minute)
		if n := f.web().Healthy(); n != 4 {
			t.Errorf("%d healthy, want the 4 of the old image", n)
		}
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		f := grow(t, awssim.ImageBehaviour{BootFactor: 3})
		f.Advance((2 + 45 + 89) * time.Second)
		f.expect("a second before three times the latency", 5, 5, 4)
		f.Advance(time.Second)
		f.expect("at three times the latency", 5, 5, 5)
	})
	t.Run("dies", func(t *testing.T) {
		t.Parallel()
		f := grow(t, awssim.ImageBehaviour{DiesAfter: 20 * time.Minute})
		f.Advance(20 * time.Minute)
		f.expect("before its hour", 5, 5, 5)
		f.Advance(time.Minute)
		if n := f.web().Healthy(); n != 4 {
			t.Errorf("%d healthy after the image's time, want 4", n)
		}
	})
	t.Run("cannot be launched", func(t *testing.T) {
		t.Parallel()
		f := grow(t, awssim.ImageBehaviour{LaunchError: "Client.InvalidKMSKey.InvalidState"})
		f.Advance(10 * time.Minute)
		f.expect("later", 5, 4, 4)
		if m := aws.ToString(f.activities()[0].StatusMessage); !strings.Contains(m, "KMS key") {
			t.Errorf("status message %q does not tell the reason", m)
		}
	})
}

// imageOf is the id of the template's image of a name.
func imageOf(f *fleet, name string) string {
	f.Helper()
	for _, i := range f.Images() {
		if i.Name == name {
			return i.ID
		}
	}
	f.Fatalf("no image %q", name)
	return ""
}

func TestSetInstanceHealthRespectsTheGracePeriod(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "")
	f.set(5)
	f.Advance(50 * time.Second)
	young := f.web().Members[4].ID
	in := &autoscaling.SetInstanceHealthInput{InstanceId: aws.String(young), HealthStatus: aws.String("Unhealthy")}
	_, err := f.client.SetInstanceHealth(t.Context(), in)
	f.do(err)
	if h := f.web().Members[4].Health; h != "Healthy" {
		t.Errorf("in its grace period it became %s", h)
	}
	in.ShouldRespectGracePeriod = aws.Bool(false)
	_, err = f.client.SetInstanceHealth(t.Context(), in)
	f.do(err)
	if h := f.web().Members[4].Health; h != "Unhealthy" {
		t.Errorf("with the grace period ignored it is %s", h)
	}
	in.HealthStatus = aws.String("Fine")
	_, err = f.client.SetInstanceHealth(t.Context(), in)
	wantCode(t, err, "ValidationError", "Fine")
}
