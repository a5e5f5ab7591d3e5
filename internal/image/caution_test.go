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
