package awssim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

const refreshBlock = `
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 150
      instance_warmup        = 30
      auto_rollback          = true
    }
  }
`

// The real provider starts a refresh when the launch template changes. It moves
// the group's pointer before that and returns before the refresh has ended, so
// that after the rollback of a bad image the group still points at it.
func TestAccHashicorpAWS_instanceRefresh(t *testing.T) {
	t.Parallel()
	s := newAWSStack(t)
	ends := make(chan string, 10)
	s.world.OnEvent(func(e awssim.Event) {
		if status, ended := strings.CutPrefix(e.Text, "instance refresh ended: "); ended {
			ends <- status
		}
	})
	ended := func(want types.InstanceRefreshStatus) {
		t.Helper()
		select {
		case got := <-ends:
			if got != string(want) {
				t.Errorf("the refresh ended as %s, want %s", got, want)
			}
		case <-time.After(5 * time.Minute):
			t.Fatalf("the refresh did not end, want %s", want)
		}
	}
	newest := func() types.InstanceRefresh {
		t.Helper()
		out, err := autoscaling.NewFromConfig(s.world.Config()).DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String("web")})
		if err != nil || len(out.InstanceRefreshes) == 0 {
			t.Fatalf("refreshes: got %+v and %v, want one", out, err)
		}
		return out.InstanceRefreshes[0]
	}
	s.world.AddImage(awssim.Image{Name: "golden-1"})
	stack := strings.Replace(exampleStack, `  launch_template {`, refreshBlock+`  launch_template {`, 1)
	s.write(stack)
	s.run("init")
	s.converge(stack)

	second := s.world.AddImage(awssim.Image{Name: "golden-2"})
	s.run("apply", "-auto-approve")
	if g, _ := s.world.Group("web"); g.Version != "2" {
		t.Errorf("the provider returned with the group on version %s, want 2", g.Version)
	}
	r := newest()
	if p := r.Preferences; *p.MinHealthyPercentage != 100 || *p.MaxHealthyPercentage != 150 || *p.InstanceWarmup != 30 || !*p.AutoRollback || *r.DesiredConfiguration.LaunchTemplate.Version != "2" {
		t.Errorf("the provider asked for %+v with %+v", r.DesiredConfiguration, p)
	}
	ended(types.InstanceRefreshStatusSuccessful)
	s.run("plan", "-detailed-exitcode")
	g, _ := s.world.Group("web")
	for _, m := range g.Members {
		if m.Launched() && m.Image != second {
			t.Errorf("member %s: got image %s, want %s", m.ID, m.Image, second)
		}
	}

	third := s.world.AddImage(awssim.Image{Name: "golden-3"})
	s.world.SetImageBehaviour(third, awssim.ImageBehaviour{NeverHealthy: true})
	s.run("apply", "-auto-approve")
	if status := newest().Status; status != types.InstanceRefreshStatusInProgress {
		t.Errorf("the provider returned with the refresh %s, want InProgress", status)
	}
	// Nothing was replaced yet, so the way back only ends the new member.
	ended(types.InstanceRefreshStatusRollbackSuccessful)
	if g, _ := s.world.Group("web"); g.Version != "3" || g.Healthy() != 2 {
		t.Errorf("group web: got version %s and %d healthy, want the broken 3 and the two old members", g.Version, g.Healthy())
	}
	s.run("destroy", "-auto-approve")
}
