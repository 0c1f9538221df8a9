package postgres

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// maxAttempts bounds how often a transaction is run before ErrConflict.
	maxAttempts = 20
	// aloneFrom is the attempt from which on a transaction runs while no other
	// of this node does.
	aloneFrom = 3
	maxPause  = 100 * time.Millisecond
)

// pause waits a random while that grows with the attempts, so that
// transactions that collided do not collide again in step.
func pause(ctx context.Context, attempt int) bool {
	most := min(maxPause, time.Millisecond<<min(attempt, 10))
	timer := time.NewTimer(rand.N(most)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// crowd holds the transactions of this node that write. The database judges by
// pages of an index whether two of them could disturb each other, so in a small
// store nearly all seem to, and one that comes back may be refused again and
// again for the sake of others that came later. From aloneFrom on it has only
// the other nodes to fear.
type crowd struct{ mu sync.RWMutex }

// enter waits for its turn and returns what ends it.
func (c *crowd) enter(attempt int) (leave func()) {
	if attempt < aloneFrom {
		c.mu.RLock()
		return c.mu.RUnlock
	}
	c.mu.Lock()
	return c.mu.Unlock
}
