package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

func TestSTSIdentities(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	user := sts.NewFromConfig(w.Config())
	as := func(c *types.Credentials) *sts.Client {
		cfg := w.Config()
		cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
		return sts.NewFromConfig(cfg)
	}
	who := func(c *sts.Client) string {
		t.Helper()
		out, err := c.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		if err != nil || *out.Account != "123456789012" {
			t.Fatalf("GetCallerIdentity: %+v, %v", out, err)
		}
		return *out.Arn
	}
	if got := who(user); got != "arn:aws:iam::123456789012:user/refit" {
		t.Errorf("user: %s", got)
	}
	const role = "arn:aws:iam::123456789012:role/team/patcher"
	in := &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("ci-42"), DurationSeconds: aws.Int32(7200)}
	out, err := user.AssumeRole(t.Context(), in)
	if err != nil || !out.Credentials.Expiration.Equal(w.Clock().Now().Add(2*time.Hour)) {
		t.Fatalf("AssumeRole: %+v, %v", out, err)
	}
	chained := as(out.Credentials)
	if got := who(chained); got != "arn:aws:sts::123456789012:assumed-role/patcher/ci-42" || got != *out.AssumedRoleUser.Arn {
		t.Errorf("role: %s", got)
	}
	_, err = chained.AssumeRole(t.Context(), in)
	wantCode(t, err, "ValidationError", "role chaining")
	_, err = chained.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	wantCode(t, err, "AccessDenied", "session credentials")
	session, err := user.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got := who(as(session.Credentials)); got != "arn:aws:iam::123456789012:user/refit" {
		t.Errorf("session of the user: %s", got)
	}
	w.Advance(2 * time.Hour)
	_, err = chained.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "ExpiredToken", "expired")
}

func TestSTSRefuses(t *testing.T) {
	t.Parallel()
	w := awssim.New(awssim.Options{})
	t.Cleanup(w.Close)
	client := sts.NewFromConfig(w.Config())
	const role = "arn:aws:iam::123456789012:role/patcher"
	for name, c := range map[string]struct {
		role, session string
		seconds       int32
		code          string
	}{
		"no role":         {"patcher", "ci", 900, "ValidationError"},
		"another account": {"arn:aws:iam::999999999999:role/patcher", "ci", 900, "AccessDenied"},
		"short name":      {role, "x", 900, "ValidationError"},
		"space in name":   {role, "a b", 900, "ValidationError"},
		"too short":       {role, "ci", 899, "ValidationError"},
		"too long":        {role, "ci", 43201, "ValidationError"},
	} {
		_, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &c.role, RoleSessionName: &c.session, DurationSeconds: &c.seconds})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantCode(t, err, c.code, "")
	}
}
