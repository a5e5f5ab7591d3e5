package image

import "fmt"

// Key is a KMS key that an image is encrypted with, or that copies are to be, as
// far as is known of it. The zero value: nothing is.
type Key struct {
	Name     string // as it was written, or its ARN
	Missing  bool   // there is none in this region
	Account  string // whose it is; empty: unknown
	State    string // AWS's word; empty: unknown
	Unfit    bool   // it is not symmetric, or not for encryption
	Grants   bool   // whether it is known which grants it has
	Launches bool   // one of them is for the role that Auto Scaling launches with
}

// Enabled is AWS's word for a key that can be used.
const Enabled = "Enabled"

// Trouble says for people why a copy or a launch will fail for the key, as far as
// AWS tells; empty: nothing is known. account is the own one, empty: unknown.
func (k Key) Trouble(account string) string {
	switch {
	case k.Missing:
		return fmt.Sprintf("key %s does not exist in this region, or this identity may not see it: the copy will fail", k.Name)
	case k.State != "" && k.State != Enabled:
		return fmt.Sprintf("key %s is %s: the copy will fail", k.Name, k.State)
	case k.Unfit:
		return fmt.Sprintf("key %s is not a symmetric key for encryption, which EBS needs: the copy will fail", k.Name)
	case k.Account != "" && account != "" && k.Account != account && k.Grants && !k.Launches:
		return fmt.Sprintf("key %s is of account %s and has no grant for Auto Scaling's service-linked role of account %s: "+
			"members will not launch from the copy", k.Name, k.Account, account)
	}
	return ""
}
