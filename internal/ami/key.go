package ami

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

// KMS is what this package needs of the SDK's client for keys.
type KMS interface {
	DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error)
	ListGrants(context.Context, *kms.ListGrantsInput, ...func(*kms.Options)) (*kms.ListGrantsOutput, error)
}

// launcher begins the name of each role that Auto Scaling launches with; one
// may have a suffix.
const launcher = ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"

// EncryptionKey tells what is known of a key; account is the own one. What this identity may
// not see is not known, and no error. The grants of a key of this account are not
// read: its policy may allow what they do not.
func (c *Client) EncryptionKey(ctx context.Context, name, account string) image.Key {
	k := image.Key{Name: name}
	out, err := c.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(name)})
	k.Missing = code(err) == "NotFoundException"
	if err != nil || out.KeyMetadata == nil {
		return k
	}
	m := out.KeyMetadata
	k.Account, k.State = aws.ToString(m.AWSAccountId), string(m.KeyState)
	k.Unfit = m.KeySpec != types.KeySpecSymmetricDefault || m.KeyUsage != types.KeyUsageTypeEncryptDecrypt
	if k.Account == account {
		return k
	}
	in := &kms.ListGrantsInput{KeyId: m.Arn}
	for {
		grants, err := c.kms.ListGrants(ctx, in)
		if err != nil {
			return k
		}
		for _, g := range grants.Grants {
			k.Launches = k.Launches || strings.Contains(aws.ToString(g.GranteePrincipal), fmt.Sprintf("::%s%s", account, launcher))
		}
		if in.Marker = grants.NextMarker; !grants.Truncated || aws.ToString(in.Marker) == "" {
			k.Grants = true
			return k
		}
	}
}
