package image

import "fmt"

// Caution says for people what may become of an image that is acceptable, as
// far as AWS tells; empty: nothing is known. account is the own one, empty:
// unknown.
func (i Image) Caution(account string) string {
	switch {
	case i.Encrypted && account != "" && i.Owner != account && i.Alias == "":
		return fmt.Sprintf("%s is encrypted with a key of account %s: members can only be launched if that account grants the key to Auto Scaling's "+
			"service-linked role of account %s", i.ID, i.Owner, account)
	case i.Disallowed:
		return fmt.Sprintf("%s is not among what the account's Allowed AMIs setting allows; it is in audit mode now, and hides the image once it is enabled", i.ID)
	}
	return ""
}
