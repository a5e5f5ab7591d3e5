package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestKMS(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	client := kms.NewFromConfig(w.Config())
	own := w.AddKey(awssim.Key{Alias: "alias/golden", State: "Disabled"})
	shared := w.AddKey(awssim.Key{Account: "222222222222", UsableBy: []string{"123456789012"}, GrantedTo: []string{"arn:aws:iam::123456789012:role/web"}})
	hidden := w.AddKey(awssim.Key{Account: "222222222222"})
	out, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/golden")})
	if err != nil || aws.ToString(out.KeyMetadata.Arn) != own || out.KeyMetadata.KeyState != types.KeyStateDisabled || out.KeyMetadata.KeySpec != types.KeySpecSymmetricDefault {
		t.Errorf("by alias: got %+v, %v, want the disabled key %s", out, err, own)
	}
	grants, err := client.ListGrants(t.Context(), &kms.ListGrantsInput{KeyId: &shared})
	if err != nil || len(grants.Grants) != 1 || aws.ToString(grants.Grants[0].GranteePrincipal) != "arn:aws:iam::123456789012:role/web" {
		t.Errorf("got grants %+v, %v, want the role's", grants, err)
	}
	_, err = client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/none")})
	wantCode(t, err, "NotFoundException", "alias/none")
	_, err = client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &hidden})
	wantCode(t, err, "AccessDeniedException", "kms:DescribeKey")
	// The key that EBS makes is of AWS, and nobody else sees it.
	out, err = client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/ebs")})
	if err != nil || out.KeyMetadata.KeyManager != types.KeyManagerTypeAws || !out.KeyMetadata.Enabled {
		t.Errorf("got %+v, %v, want the key of EBS", out, err)
	}
	_, err = client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("arn:aws:kms:" + w.Region() + ":222222222222:key/aws-ebs")})
	wantCode(t, err, "AccessDeniedException", "kms:DescribeKey")
}
