package asg

import (
	"sync"
	"time"
)

// answers are what AWS said of one group, for the several looks of one plan:
// survey, assessment and preflight ask for the same history. A client that rolls
// keeps none.
type answers struct {
	mu sync.Mutex
	at map[string]answer
}

type answer struct {
	value any
	at    time.Time
}

// shared asks, or gives the answer of less than half a minute ago where looks are
// shared. What it gives must not be changed.
func shared[T any](c *Client, what string, ask func() (T, error)) (T, error) {
	if !c.o.Shared {
		return ask()
	}
	now := c.o.Clock.Now()
	c.answers.mu.Lock()
	found, ok := c.answers.at[what]
	c.answers.mu.Unlock()
	if value, is := found.value.(T); ok && is && now.Sub(found.at) <= sharedFor {
		return value, nil
	}
	value, err := ask()
	if err != nil {
		return value, err
	}
	c.answers.mu.Lock()
	defer c.answers.mu.Unlock()
	c.answers.at[what] = answer{value, now}
	return value, nil
}
