package awssim

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// KMS is what can be read of keys. They are made by [World.AddKey].
func init() {
	register("kms", jsonService("TrentService", map[string]operation{
		"DescribeKey": typed(describeKey),
		"ListGrants":  typed(listGrants),
	}))
}

// visibleKey is the key that a request names, if this account may see it.
func (w *World) visibleKey(ref *string) (*Key, error) {
	if deref(ref) == "" {
		return nil, invalid("1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	k := w.findKey(*ref)
	if k == nil {
		return nil, &Error{Code: "NotFoundException", Message: "Key '" + *ref + "' does not exist"}
	}
	if k.Account != w.account && !k.usable(w.account) {
		return nil, &Error{
			Status: http.StatusBadRequest, Code: "AccessDeniedException",
			Message: "User: arn:aws:iam::" + w.account + ":user/refit is not authorized to perform: kms:DescribeKey on resource: " + k.arn() +
				" because no resource-based policy allows the kms:DescribeKey action",
		}
	}
	return k, nil
}

func describeKey(w *World, in *kms.DescribeKeyInput) (*kms.DescribeKeyOutput, error) {
	k, err := w.visibleKey(in.KeyId)
	if err != nil {
		return nil, err
	}
	manager := types.KeyManagerTypeCustomer
	if k.ID == keyOfEBS {
		manager = types.KeyManagerTypeAws
	}
	spec, usage := types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt
	if k.Asymmetric {
		spec, usage = types.KeySpecRsa2048, types.KeyUsageTypeSignVerify
	}
	return &kms.DescribeKeyOutput{KeyMetadata: &types.KeyMetadata{
		KeyId: &k.ID, Arn: ptr(k.arn()), AWSAccountId: &k.Account, Enabled: k.State == "Enabled", KeyState: types.KeyState(k.State),
		KeyManager: manager, KeySpec: spec, KeyUsage: usage, Origin: types.OriginTypeAwsKms,
	}}, nil
}

func listGrants(w *World, in *kms.ListGrantsInput) (*kms.ListGrantsOutput, error) {
	k, err := w.visibleKey(in.KeyId)
	if err != nil {
		return nil, err
	}
	if in.GrantId != nil || in.GranteePrincipal != nil || in.Marker != nil || in.Limit != nil {
		return nil, invalid("The simulator does not model parts of the list of grants.")
	}
	out := &kms.ListGrantsOutput{Grants: []types.GrantListEntry{}}
	for _, principal := range k.GrantedTo {
		out.Grants = append(out.Grants, types.GrantListEntry{
			KeyId: ptr(k.arn()), GranteePrincipal: &principal, IssuingAccount: &k.Account,
			Operations: []types.GrantOperation{types.GrantOperationDecrypt, types.GrantOperationCreateGrant},
		})
	}
	return out, nil
}
