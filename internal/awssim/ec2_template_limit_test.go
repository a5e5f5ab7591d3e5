package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestTemplateVersionLimit: versions count that are there, not those that were;
// a token that was answered before is answered again at the limit.
func TestTemplateVersionLimit(t *testing.T) {
	t.Parallel()
	w, client := newEC2(t)
	newTemplate(t, client, types.RequestLaunchTemplateData{ImageId: aws.String("ami-12345678")})
	if err := w.SetTemplateVersionLimit(0); err == nil {
		t.Error("got no error for a limit of 0")
	}
	if err := w.SetTemplateVersionLimit(2); err != nil {
		t.Fatal(err)
	}
	add := func(token string) error {
		_, err := client.CreateLaunchTemplateVersion(t.Context(), &ec2.CreateLaunchTemplateVersionInput{
			LaunchTemplateName: aws.String("web"), SourceVersion: aws.String("1"), ClientToken: &token,
			LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String("ami-87654321")},
		})
		return err
	}
	if err := add("second"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, add("third"), "VersionLimitExceeded", "maximum number of 2 versions")
	if err := add("second"); err != nil {
		t.Errorf("the same token again: %v", err)
	}
	if got := versions(t, client, "2"); len(got) != 1 {
		t.Fatalf("got versions %+v, want the second", got)
	}
	if _, err := client.DeleteLaunchTemplateVersions(t.Context(), &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateName: aws.String("web"), Versions: []string{"2"}}); err != nil {
		t.Fatal(err)
	}
	if err := add("third"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := versions(t, client, "3"); len(got) != 1 {
		t.Errorf("got versions %+v, want the third", got)
	}
}
