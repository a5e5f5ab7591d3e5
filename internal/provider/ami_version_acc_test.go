package provider_test

import (
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// disk makes a version of the template whose device comes from a snapshot.
func (l *lab) disk(device string) {
	l.Helper()
	_, err := l.ec2().CreateLaunchTemplateVersion(l.Context(), &ec2.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: aws.String(l.template), SourceVersion: aws.String("$Latest"), VersionDescription: aws.String("disk"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{
			DeviceName: aws.String(device), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{SnapshotId: aws.String("snap-0123456789abcdef0")},
		}}},
	})
	if err != nil {
		l.Fatal(err)
	}
}

func TestAccAMIRefresh_rootSnapshot(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.disk("/dev/xvda")
	before := l.versions()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{{
			Config: l.config(refresh), PlanOnly: true,
			ExpectError: regexp.MustCompile(`(?s)Unable to plan the image of launch template.*Version\s+2\s+of\s+launch\s+template\s+\S+\s+makes\s+the\s+root\s+disk\s+/dev/xvda\s+from\s+snap-0123456789abcdef0:.*Nothing\s+was\s+changed.*Remove\s+snapshot_id`),
		}},
	})
	if err := l.wantVersions(before...)(nil); err != nil {
		t.Error(err)
	}
}

// Another disk keeps its snapshot, though AWS drops it from a version made from
// a source.
func TestAccAMIRefresh_dataSnapshot(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	l.disk("/dev/sdf")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(refresh),
				Check: resource.ComposeTestCheckFunc(l.wantVersions("1 "+first+" by hand", "2 "+first+" disk", "3 "+second+" disk"), func(*terraform.State) error {
					out, err := l.ec2().DescribeLaunchTemplateVersions(l.Context(), &ec2.DescribeLaunchTemplateVersionsInput{
						LaunchTemplateId: aws.String(l.template), Versions: []string{"3"},
					})
					if err != nil {
						return err
					}
					got := out.LaunchTemplateVersions[0].LaunchTemplateData.BlockDeviceMappings
					if len(got) != 1 || aws.ToString(got[0].Ebs.SnapshotId) != "snap-0123456789abcdef0" {
						t.Errorf("got %+v, want the snapshot", got)
					}
					return nil
				}),
			},
			// An edit that puts the snapshot on the root disk is refused before anything is made.
			{
				PreConfig: func() { l.disk("/dev/xvda") }, Config: l.config(refresh),
			},
			{
				PreConfig: func() { l.publish(third, "golden-web-4", awssim.ImageBehaviour{}) }, Config: l.config(refresh),
				ExpectError: regexp.MustCompile(`(?s)Unable to refresh the image.*makes\s+the\s+root\s+disk\s+/dev/xvda.*Remove\s+snapshot_id`),
			},
		},
	})
}

func TestAccAMIRefresh_versionLimit(t *testing.T) {
	t.Parallel()
	l := newLab(t, fleet)
	if err := l.world.SetTemplateVersionLimit(1); err != nil {
		t.Fatal(err)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: l.factories(),
		Steps: []resource.TestStep{
			{
				Config: l.config(refresh),
				ExpectError: regexp.MustCompile(`(?s)has\s+as\s+many\s+versions.*10,000.*VersionLimitExceeded:\s+You\s+have\s+reached.*Nothing\s+was\s+changed.` +
					`*Delete\s+old\s+versions.*keep_versions\s+keeps\s+them\s+few`),
			},
			{
				PreConfig: func() {
					if err := l.world.SetTemplateVersionLimit(2); err != nil {
						t.Error(err)
					}
				},
				Config: l.config(refresh), Check: l.wantVersions("1 "+first+" by hand", "2 "+second+" by hand"),
			},
		},
	})
}
