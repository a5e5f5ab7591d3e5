package image_test

import (
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/image"
)

func TestCaution(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		i       image.Image
		account string
		want    string
	}{
		{image.Image{Owner: "2"}, "1", ""},
		{image.Image{Owner: "1", Encrypted: true}, "1", ""},
		{image.Image{Owner: "2", Encrypted: true}, "", ""},
		{image.Image{Owner: "2", Encrypted: true}, "1", "encrypted with a key of account 2"},
		{image.Image{Owner: "2", Disallowed: true}, "1", "audit mode"},
	} {
		if got := c.i.Caution(c.account); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v in account %q: got %q, want %q", c.i, c.account, got, c.want)
		}
	}
}

func TestCaution_keys(t *testing.T) {
	t.Parallel()
	const own, other = "123456789012", "222222222222"
	good := image.Key{Name: "k", Account: own, State: image.Enabled, Grants: true}
	unsure := "ami-1 is encrypted with a key of account 222222222222: members can only be launched if that account grants the key to Auto Scaling's service-linked role of account 123456789012"
	for name, c := range map[string]struct {
		owner string
		keys  []image.Key
		want  string
	}{
		"own image, own key":          {own, []image.Key{good}, ""},
		"own image, key not seen":     {own, []image.Key{{Name: "k", Account: own}}, ""},
		"own image, disabled":         {own, []image.Key{good, {Name: "k", Account: own, State: "PendingDeletion"}}, "ami-1 is encrypted with key k, which is PendingDeletion: members will not launch"},
		"own image, gone":             {own, []image.Key{{Name: "k", Account: own, Missing: true}}, "ami-1 is encrypted with key k, which does not exist: members will not launch"},
		"own image, another's key":    {own, []image.Key{{Name: "k", Account: other}}, unsure},
		"another's, granted":          {other, []image.Key{{Name: "k", Account: other, State: image.Enabled, Grants: true, Launches: true}}, ""},
		"another's image, own key":    {other, []image.Key{good}, ""},
		"another's, nothing is known": {other, nil, unsure},
		"another's, one is not known": {other, []image.Key{{Account: other}, good}, unsure},
		"what is known comes first":   {other, []image.Key{{Account: other}, {Name: "k", Account: own, State: "Disabled"}}, "ami-1 is encrypted with key k, which is Disabled: members will not launch"},
		"another's, without the grant": {
			own,
			[]image.Key{{Name: "k", Account: other, State: image.Enabled, Grants: true}},
			"ami-1 is encrypted with key k, which is of account 222222222222 and has no grant for Auto Scaling's service-linked role of account 123456789012: members will not launch",
		},
	} {
		if got := (image.Image{ID: "ami-1", Owner: c.owner, Encrypted: true}).Caution(own, c.keys...); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
