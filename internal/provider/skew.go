package provider

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/fleetrefit/terraform-provider-refit/internal/clock"
)

// mostSkew is how far a clock may be off before AWS's is used: windows have
// minutes, and requests are refused from five minutes on.
const mostSkew = 2 * time.Minute

// skew compares the clock with the time that AWS's answers bear. The zero
// value knows of no difference. It is safe for concurrent use.
type skew struct {
	mu    sync.Mutex
	clock clock.Clock   // nil until the provider is configured
	by    time.Duration // what to add to the clock for AWS's time
}

func (s *skew) use(clk clock.Clock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clk
}

// note takes the time that an answer bears.
func (s *skew) note(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock != nil {
		s.by = at.Sub(s.clock.Now()).Round(time.Second)
	}
}

// now is the time to decide windows by: the clock's, or AWS's where the two are
// minutes apart, with a warning.
func (b *backend) now(diags *diag.Diagnostics) time.Time {
	now := b.clock.Now()
	if b.skew == nil {
		return now
	}
	b.skew.mu.Lock()
	defer b.skew.mu.Unlock()
	by := b.skew.by
	if by.Abs() <= mostSkew {
		return now
	}
	how := "behind"
	if by < 0 {
		how = "ahead of"
	}
	diags.AddWarning("This machine's clock is wrong", fmt.Sprintf("It is %s %s AWS's. Windows are decided by AWS's. Set the clock right, by NTP for example.", by.Abs(), how))
	return now.Add(by)
}
