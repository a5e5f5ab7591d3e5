package image

import "fmt"

// Caution says for people what may become of an image that is acceptable, as
// far as AWS tells; empty: nothing is known. account is the own one, empty:
// unknown. keys are those that the image is encrypted with; none: its owner's is
// meant.
func (i Image) Caution(account string, keys ...Key) string {
	if why := i.encrypted(account, keys); why != "" {
		return why
	}
	if i.Disallowed {
		return fmt.Sprintf("%s is not among what the account's Allowed AMIs setting allows; it is in audit mode now, and hides the image once it is enabled", i.ID)
	}
	return ""
}

// encrypted says why members may not launch for the keys of an image: first that
// they will not, and else that it is not known.
func (i Image) encrypted(account string, keys []Key) (why string) {
	if !i.Encrypted || account == "" || i.Alias != "" {
		return ""
	}
	if len(keys) == 0 {
		keys = []Key{{Account: i.Owner}}
	}
	for _, k := range keys {
		with := fmt.Sprintf("%s is encrypted with key %s, which", i.ID, k.Name)
		switch {
		case k.Missing:
			return with + " does not exist: members will not launch"
		case k.State != "" && k.State != Enabled:
			return fmt.Sprintf("%s is %s: members will not launch", with, k.State)
		case k.Account == account || k.Launches:
		case k.Grants:
			return fmt.Sprintf("%s is of account %s and has no grant for Auto Scaling's service-linked role of account %s: members will not launch", with, k.Account, account)
		default:
			why = fmt.Sprintf("%s is encrypted with a key of account %s: members can only be launched if that account grants the key to Auto Scaling's "+
				"service-linked role of account %s", i.ID, k.Account, account)
		}
	}
	return why
}
