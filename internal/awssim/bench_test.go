package awssim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// BenchmarkRollOfAHundred replaces every member of a group of a hundred, ten
// at a time, looking every ten seconds and checking the truth at every tick:
// about what a test of a whole roll asks of the simulator.
func BenchmarkRollOfAHundred(b *testing.B) {
	for b.Loop() {
		s, err := awssim.ParseScenario("bench", `
image "old" {}
image "new" {}
template "web" {
  version { image = "old" }
  version { image = "new" }
}
target_group "web" {}
group "web" {
  template      = "web"
  version       = "2"
  min           = 1
  max           = 120
  desired       = 100
  target_groups = ["web"]
  health_check  = "ELB"
  suspended     = ["AZRebalance"]
}
`)
		if err != nil {
			b.Fatal(err)
		}
		w, err := awssim.NewScenario(awssim.Options{}, s)
		if err != nil {
			b.Fatal(err)
		}
		w.OnTick(func() {
			if g, _ := w.Group("web"); g.Healthy() < 100 {
				b.Fatalf("only %d healthy", g.Healthy())
			}
		})
		rollByTens(b, w)
	}
}

func rollByTens(b *testing.B, w *awssim.World) {
	b.Helper()
	client := autoscaling.NewFromConfig(w.Config())
	zones := []string{"eu-west-2a", "eu-west-2b", "eu-west-2c"}
	g, _ := w.Group("web")
	for n := 0; n < len(g.Members); n += 10 {
		for i, z := range zones {
			_, err := client.LaunchInstances(b.Context(), &autoscaling.LaunchInstancesInput{
				AutoScalingGroupName: aws.String("web"), AvailabilityZones: []string{z},
				ClientToken: aws.String(fmt.Sprint(n, z)), RequestedCapacity: aws.Int32([]int32{4, 3, 3}[i]),
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		for {
			if now, _ := w.Group("web"); now.Healthy() == 110 {
				break
			}
			_, err := client.DescribeAutoScalingGroups(b.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"web"}})
			if err != nil {
				b.Fatal(err)
			}
			w.Advance(10 * time.Second)
		}
		for _, m := range g.Members[n : n+10] {
			_, err := client.TerminateInstanceInAutoScalingGroup(b.Context(), &autoscaling.TerminateInstanceInAutoScalingGroupInput{
				InstanceId: aws.String(m.ID), ShouldDecrementDesiredCapacity: aws.Bool(true),
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
