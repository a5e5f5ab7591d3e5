package awsconf_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/fleetrefit/terraform-provider-refit/internal/awsconf"
)

// TestLasting asks for credentials that last an hour at instants of that hour:
// the source renews them, or fails from some instant on.
func TestLasting(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		fails   time.Duration // the source has none from then on; 0: never fails
		at      []time.Duration
		asked   int           // how often the source was
		expires time.Duration // of the last credentials; 0: there are none
	}{
		{"nobody near the end", 0, []time.Duration{0, time.Minute, 49 * time.Minute}, 1, time.Hour},
		{"renewed early", 0, []time.Duration{0, 51 * time.Minute}, 2, 111 * time.Minute},
		{"kept while they are good", time.Minute, []time.Duration{0, 51 * time.Minute, 59 * time.Minute}, 3, time.Hour},
		{"not tried at each call", time.Minute, []time.Duration{0, 51 * time.Minute, 51*time.Minute + 10*time.Second}, 2, time.Hour},
		{"over", time.Minute, []time.Duration{0, 61 * time.Minute}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var now time.Duration
			asked := 0
			clock := func() time.Time { return start.Add(now) }
			source := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				asked++
				if c.fails > 0 && now >= c.fails {
					return aws.Credentials{}, errors.New("the session is over")
				}
				return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s", CanExpire: true, Expires: clock().Add(time.Hour)}, nil
			})
			p := awsconf.Lasting(source, clock)
			var got aws.Credentials
			var err error
			for _, now = range c.at {
				got, err = p.Retrieve(t.Context())
			}
			if asked != c.asked || (err == nil) != (c.expires > 0) || err == nil && got.Expires != start.Add(c.expires) {
				t.Errorf("at %v: asked %d times, expires %s, %v, want %d times and %s", c.at, asked, got.Expires, err, c.asked, c.expires)
			}
		})
	}
}

// TestExpires: keys that do not expire have no end.
func TestExpires(t *testing.T) {
	alone(t)
	s := awsconf.New(awsconf.Settings{AccessKey: "a", SecretKey: "s", Region: "eu-west-2"})
	if at := s.Expires(t.Context()); !at.IsZero() {
		t.Errorf("keys expire at %s, want never", at)
	}
}
