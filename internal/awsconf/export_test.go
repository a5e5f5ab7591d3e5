package awsconf

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Lasting is the provider that renews credentials early.
func Lasting(inner aws.CredentialsProvider, now func() time.Time) aws.CredentialsProvider {
	return &lasting{inner: inner, now: now}
}
