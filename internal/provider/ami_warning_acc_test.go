package provider_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// What a plan warns of has a summary of its own, and is said once.
func TestAccAMIRefresh_warnings(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	d := newDesk(t, l.world, false)
	config := l.config(requireRefit + refresh)
	d.write("main.tf", config)
	d.run([]int{0}, "init")
	d.run([]int{0}, "apply", "-auto-approve")

	l.disk("/dev/xvda")
	l.publish(third, "golden-web-4", awssim.ImageBehaviour{})
	output, _ := d.plan()
	d.says("with a snapshot for the root disk", output, "would not start from the new image", "makes the root disk /dev/xvda from snap-0123456789abcdef0", "Apply will fail.")
	if strings.Contains(output, "Newest image not used") {
		t.Errorf("the newest image is what the plan goes for:\n%s", output)
	}

	_, err := l.ec2().DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: aws.String(l.template), Versions: []string{"3"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range l.world.Images() {
		l.world.SetImageState(i.ID, string(types.ImageStateDeregistered))
	}
	output, changes := d.plan()
	d.says("with no image", output, "No image to refresh launch template", "What is in use stays.")
	if n := strings.Count(flat(output), "is acceptable"); n != 1 || changes || strings.Contains(output, "Newest image not used") {
		t.Errorf("it is said %d times, changes %t; want once and none:\n%s", n, changes, output)
	}
}
