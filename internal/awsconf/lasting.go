package awsconf

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// early is how long before they expire credentials are renewed, so that what
	// takes minutes to stop knows in time whether they can be.
	early = 10 * time.Minute
	// pause is how long after a renewal that brought nothing the next one is tried.
	pause = 30 * time.Second
)

// Expires says when the credentials in use expire; zero: they do not, AWS does
// not say, or there are none. From ten minutes before, each call tries to renew
// them, at most every 30 s, so an instant that is near says that this has failed.
func (s *Source) Expires(ctx context.Context) time.Time {
	config, err := s.Config(ctx)
	if err != nil || config.Credentials == nil {
		return time.Time{}
	}
	c, err := config.Credentials.Retrieve(ctx)
	if err != nil || !c.CanExpire {
		return time.Time{}
	}
	return c.Expires
}

// lasting renews credentials early, and keeps those it has when that fails, for
// as long as they are good. Safe for concurrent use.
type lasting struct {
	inner aws.CredentialsProvider
	now   func() time.Time

	mu    sync.Mutex
	held  aws.Credentials
	tried time.Time
}

// Retrieve implements [aws.CredentialsProvider].
func (l *lasting) Retrieve(ctx context.Context) (aws.Credentials, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	good := l.held.HasKeys() && (!l.held.CanExpire || now.Before(l.held.Expires))
	if good && (!l.held.CanExpire || now.Add(early).Before(l.held.Expires) || now.Sub(l.tried) < pause) {
		return l.held, nil
	}
	if cache, ok := l.inner.(*aws.CredentialsCache); ok && l.held.HasKeys() {
		cache.Invalidate() // it would keep them to the last second
	}
	l.tried = now
	c, err := l.inner.Retrieve(ctx)
	if err != nil {
		if good && ctx.Err() == nil {
			return l.held, nil
		}
		return aws.Credentials{}, err
	}
	l.held = c
	return c, nil
}
