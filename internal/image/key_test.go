package image_test

import (
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

func TestKeyTrouble(t *testing.T) {
	t.Parallel()
	const own, other = "123456789012", "222222222222"
	for name, c := range map[string]struct {
		key  image.Key
		want string
	}{
		"nothing is known":     {image.Key{Name: "k"}, ""},
		"good":                 {image.Key{Name: "k", Account: own, State: image.Enabled, Grants: true}, ""},
		"missing":              {image.Key{Name: "k", Missing: true}, "key k does not exist in this region, or this identity may not see it: the copy will fail"},
		"disabled":             {image.Key{Name: "k", Account: own, State: "Disabled"}, "key k is Disabled: the copy will fail"},
		"asymmetric":           {image.Key{Name: "k", Account: own, State: image.Enabled, Unfit: true}, "key k is not a symmetric key for encryption, which EBS needs: the copy will fail"},
		"another's, granted":   {image.Key{Name: "k", Account: other, State: image.Enabled, Grants: true, Launches: true}, ""},
		"another's, not known": {image.Key{Name: "k", Account: other, State: image.Enabled}, ""},
		"another's, not granted": {
			image.Key{Name: "k", Account: other, State: image.Enabled, Grants: true},
			"key k is of account 222222222222 and has no grant for Auto Scaling's service-linked role of account 123456789012: members will not launch from the copy",
		},
	} {
		if got := c.key.Trouble(own); got != c.want {
			t.Errorf("%s: %+v: got %q, want %q", name, c.key, got, c.want)
		}
	}
}
