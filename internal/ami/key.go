package ami

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
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

// Keys tells what is known of the keys that an image of this region is encrypted
// with; account is the own one. DescribeImages names none, so its snapshots are
// looked at: of one that this account may not see, it is known only whose image it
// is. What this identity may not see is not known, and no error.
func (c *Client) Keys(ctx context.Context, i image.Image, account string) []image.Key {
	unknown := []image.Key{{Account: i.Owner}}
	if len(i.Snapshots) == 0 {
		return unknown
	}
	out, err := c.copies.DescribeSnapshots(ctx, &ec2.DescribeSnapshotsInput{
		Filters: []ec2types.Filter{{Name: aws.String("snapshot-id"), Values: i.Snapshots}},
	})
	if err != nil {
		return unknown
	}
	var names []string
	for _, s := range out.Snapshots {
		if aws.ToBool(s.Encrypted) && aws.ToString(s.KmsKeyId) != "" {
			names = append(names, aws.ToString(s.KmsKeyId))
		}
	}
	slices.Sort(names)
	var keys []image.Key
	if len(out.Snapshots) < len(i.Snapshots) {
		keys = unknown
	}
	for _, name := range slices.Compact(names) {
		k := c.EncryptionKey(ctx, name, account)
		if of, err := arn.Parse(name); err == nil {
			k.Account = of.AccountID
		}
		keys = append(keys, k)
	}
	return keys
}

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
